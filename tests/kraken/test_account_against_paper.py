"""The further private reads and the paper exchange, two readings of one dialect, agree."""

from __future__ import annotations

from datetime import timedelta

import pytest

import kraken_answers as kraken
from builders import d
from paper_venue import PaperVenue, visited
from zoe_tools.domain.funding import FundsMovement, MovementStatus
from zoe_tools.domain.identifiers import ClientOrderId, FillId, Symbol, VenueOrderId
from zoe_tools.domain.order import OrderAmendment, OrderRequest, OrderType, Side
from zoe_tools.errors import VenueRejected

BTC = Symbol("BTC/USD")


async def bought(venue: PaperVenue, number: int = 1, limit: str | None = None) -> VenueOrderId:
    """0.01 BTC bought at the market, or bid for."""
    request = OrderRequest(
        symbol=BTC,
        side=Side.BUY,
        order_type=OrderType.MARKET if limit is None else OrderType.LIMIT,
        quantity=d("0.01"),
        limit_price=None if limit is None else d(limit),
    )
    placed = await venue.spot.place(
        request,
        client_order_id=ClientOrderId(f"11112222-3333-4444-8555-{number:012d}"),
        deadline=venue.clock.now() + timedelta(seconds=5),
    )
    await venue.clock.sleep(5)
    return placed


def test_totals_are_those_of_the_extended_balances() -> None:
    """Balance and BalanceEx, holds included in both."""

    async def use(venue: PaperVenue) -> None:
        await bought(venue)
        await bought(venue, 2, "30000")

        totals = {each.asset: each.total for each in await venue.reads.totals()}

        assert totals == {each.asset: each.total for each in await venue.spot.balances()}
        assert totals["BTC"] == d("0.01")

    visited(use)


def test_an_account_without_margin_has_its_standing_all_the_same() -> None:
    """Equity is collateral and unrealised result; no level, no positions, no credit."""

    async def use(venue: PaperVenue) -> None:
        standing = await venue.reads.margin_standing()

        assert (standing.asset, standing.worth) == ("USD", d("100000.0000"))
        assert standing.equity == standing.collateral + standing.unrealised
        assert standing.level_pct is None
        assert await venue.reads.borrowed_positions() == ()
        assert await venue.reads.credit_lines() == ()

    visited(use)


def test_a_position_on_margin_is_read_with_its_value() -> None:
    """Opened with leverage: its order, its size, when it rolls over."""

    async def use(venue: PaperVenue) -> None:
        params = {"pair": "XBTUSD", "type": "buy", "ordertype": "market"}
        await venue.rest.private(
            "AddOrder", params | {"volume": "0.01", "leverage": "2"}, dict, is_write=True
        )
        await venue.clock.sleep(5)

        (position,) = await venue.reads.borrowed_positions()
        standing = await venue.reads.margin_standing()

        assert (position.symbol, position.side) == (BTC, Side.BUY)
        assert (position.quantity, position.closed_quantity) == (d("0.01"), d("0"))
        assert position.rolls_at is not None
        assert timedelta(0) < position.rolls_at - position.opened_at <= timedelta(hours=4)
        assert position.value is not None
        assert position.unrealised is not None
        assert standing.used == round(position.margin, 4)
        assert standing.level_pct is not None

    visited(use)


def test_fees_follow_the_volume() -> None:
    """TradeVolume agrees with the pair's own schedule; without pairs there are no fees."""

    async def use(venue: PaperVenue) -> None:
        await bought(venue)
        (fill,) = await venue.spot.fills()
        instrument = (await venue.spot.catalogue()).resolve(BTC)

        standing = await venue.reads.fee_standing([BTC])

        (fees,) = standing.fees
        tier = instrument.tier(standing.volume_30d)
        assert standing.currency == "USD"
        assert standing.volume_30d == round(fill.cost, 4)
        assert (fees.taker_pct, fees.maker_pct) == (tier.taker_pct, tier.maker_pct)
        assert fees.next_volume == instrument.fee_tiers[1].volume_from
        assert (await venue.reads.fee_standing()).fees == ()

    visited(use)


def test_the_trail_of_an_order_is_read() -> None:
    """The original first, then what it became."""

    async def use(venue: PaperVenue) -> None:
        placed = await bought(venue, 1, "30000")
        change = OrderAmendment(venue_order_id=placed, symbol=BTC, limit_price=d("31000"))
        told = await venue.spot.amend(change, deadline=venue.clock.now() + timedelta(seconds=5))

        first, second = await venue.reads.amends(placed)

        assert (first.kind, first.limit_price) == ("original", d("30000"))
        assert (second.kind, second.limit_price, second.amend_id) == ("user", d("31000"), told)
        assert first.amended_at < second.amended_at <= venue.clock.now()
        with pytest.raises(VenueRejected, match="Unknown order"):
            await venue.reads.amends(VenueOrderId("OAAAAA-BBBBB-CCCCCC"))

    visited(use)


def test_single_rows_are_those_of_the_histories() -> None:
    """QueryTrades and QueryLedgers, more than twenty at a time; unknown executions are absent."""

    async def use(venue: PaperVenue) -> None:
        for number in range(12):
            await bought(venue, number)
        fills = {each.fill_id: each for each in await venue.spot.fills()}
        entries = {each.ledger_id: each for each in await venue.spot.ledger()}
        unknown = FillId("TAAAAA-BBBBB-CCCCCC")

        one_by_one = await venue.reads.fills([*fills, unknown])
        rows = await venue.reads.ledger_entries(list(entries))

        assert len(entries) > 20
        assert {each.fill_id: each for each in one_by_one} == fills
        assert {each.ledger_id: each for each in rows} == entries

    visited(use)


async def all_movements(venue: PaperVenue) -> list[FundsMovement]:
    """Every withdrawal."""
    return [each async for page, _ in venue.reads.movements("withdrawal") for each in page]


def test_deposits_and_withdrawals_are_read() -> None:
    """A withdrawal on its way, with its fee; the ways in and out are known by asset."""

    async def use(venue: PaperVenue) -> None:
        (way_in,) = await venue.reads.deposit_methods("BTC")
        ways_out = await venue.reads.withdraw_methods()
        venue.exchange.deposit(venue.account, "BTC", d("2"))
        (deposit,) = [
            each async for page, _ in venue.reads.movements("deposit", asset="XBT") for each in page
        ]

        assert (way_in.kind, way_in.asset) == ("deposit", "BTC")
        assert {"BTC", "USD"} <= {each.asset for each in ways_out}
        assert (deposit.asset, deposit.amount) == ("BTC", d("2"))
        assert deposit.status is MovementStatus.SUCCESS
        assert await all_movements(venue) == []

        (where,) = await venue.reads.withdraw_addresses("XBT")
        order = {"asset": "XBT", "key": where.key, "amount": "0.5"}
        refid = (await venue.rest.private("Withdraw", order, dict, is_write=True))["refid"]
        (leaving,) = await all_movements(venue)
        assert (leaving.refid, leaving.asset, leaving.kind) == (refid, "BTC", "withdrawal")
        assert leaving.fee is not None
        assert leaving.amount + leaving.fee == d("0.5")
        assert not leaving.status.is_done

    visited(use)


def test_addresses_and_the_terms_of_a_withdrawal_are_read_and_nothing_moves() -> None:
    """Where an asset comes in and goes out, and what a withdrawal would bring."""

    async def use(venue: PaperVenue) -> None:
        venue.exchange.deposit(venue.account, "BTC", d("2"))
        (way_in,) = await venue.reads.deposit_methods("BTC")
        venue.exchange.new_address(venue.account, venue.exchange.asset("XBT"))

        entrances = await venue.reads.deposit_addresses("BTC", way_in.method)
        (exit_,) = await venue.reads.withdraw_addresses("BTC")
        terms = await venue.reads.withdrawal_terms("BTC", exit_.key, d("0.5"))

        assert {(each.kind, each.asset, each.method) for each in entrances} == {
            ("deposit", "BTC", way_in.method)
        }
        assert entrances[0].is_fresh
        assert entrances[0].expires_at is None
        assert (exit_.kind, exit_.asset, exit_.is_verified) == ("withdrawal", "BTC", True)
        assert (terms.asset, terms.arrives + terms.fee) == ("BTC", d("0.5"))
        assert terms.limit + terms.fee == d("2")
        assert len(await venue.reads.withdraw_addresses()) > 1
        assert await all_movements(venue) == []
        with pytest.raises(VenueRejected, match="Unknown withdraw key"):
            await venue.reads.withdrawal_terms("BTC", "nobody's", d("0.5"))

    visited(use)


def test_all_of_the_key_is_read() -> None:
    """Its end, its window of nonces, the addresses and the past it is limited to."""

    async def use(venue: PaperVenue) -> None:
        plain_key = await venue.spot.key_info()

        assert "query-funds" in plain_key.permissions
        assert (plain_key.nonce_window, plain_key.allowed_addresses) == (0, ())
        assert (plain_key.valid_until, plain_key.query_from, plain_key.query_to) == (None,) * 3
        assert plain_key.nonce is not None
        assert plain_key.nonce > 0
        assert plain_key.created_at == kraken.EPOCH
        assert plain_key.last_used_at == venue.clock.now().replace(microsecond=0)
        assert plain_key.iban

    visited(use)
