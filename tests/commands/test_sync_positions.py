"""`zoe sync-positions` over a venue in memory: dry, executed, executed again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import BTC, LIVE, d, make_request, make_stop_request, place
from fakes import Desk, at_the_desk, command_io
from zoe_tools.commands.sync_positions import _sync, _wanted
from zoe_tools.domain.identifiers import VenueOrderId
from zoe_tools.domain.order import OrderType
from zoe_tools.domain.position import PositionStatus
from zoe_tools.errors import ConfigError, ConsentMissing, UnknownInstrument

TWO_BITCOINS: Mapping[str, Decimal] = {"USD": Decimal(1000), "BTC": Decimal(2)}


async def sync(
    desk: Desk, *, adopt: str = "", execute: bool = True, consent: bool = False
) -> tuple[int, str]:
    """Run the command; its exit code and what it printed."""
    context, invocation, out = command_io(desk, "sync-positions", live_consent=consent)
    arguments = (("adopt", adopt),) if adopt else ()
    code = await _sync(context, invocation, arguments, execute=execute)
    return code, out.getvalue()


def test_holdings_bought_elsewhere_are_shown_and_left_alone(tmp_path: Path) -> None:
    """Two bitcoins: no position, no order, exit 0, dry or executed."""

    async def story(desk: Desk) -> None:
        for execute in (False, True):
            code, text = await sync(desk, execute=execute)
            assert code == 0
            assert "BTC: 2 are not managed and were left alone." in text
        assert desk.venue.writes == []
        assert await desk.read(lambda tx: tx.positions()) == ()

    at_the_desk(tmp_path, story, balances=dict(TWO_BITCOINS))


def test_adopting_by_name_protects_the_adopted_part_alone(tmp_path: Path) -> None:
    """Dry it changes nothing; executed there is a position and its stop; again there is nothing."""

    async def story(desk: Desk) -> None:
        before = await desk.read(lambda tx: tx.business_fingerprint())
        code, text = await sync(desk, adopt="BTC-USD=0.5", execute=False)
        assert code == 3
        assert "zoe sync-positions --adopt BTC-USD=0.5 --execute" in text
        assert await desk.read(lambda tx: tx.business_fingerprint()) == before
        assert desk.venue.writes == []

        assert (await sync(desk, adopt="BTC-USD=0.5"))[0] == 0
        position = await desk.read(lambda tx: tx.positions(open_only=True)[0])
        stop = desk.venue.resting[0]
        assert (position.symbol, position.quantity) == (BTC, d("0.5"))
        assert (stop.order_type, stop.quantity) == (OrderType.STOP_LOSS, d("0.5"))
        assert position.stop_venue_order_id == stop.venue_order_id

        desk.venue.calls.clear()
        assert (await sync(desk, adopt="BTC-USD=0.5"))[0] == 0
        assert (await sync(desk))[0] == 0
        assert desk.venue.writes == []

    at_the_desk(tmp_path, story, balances=dict(TWO_BITCOINS))


def test_a_position_that_was_sold_while_nobody_looked_is_closed(tmp_path: Path) -> None:
    """The stop filled at the venue; a second run finds the registry in order."""

    async def story(desk: Desk) -> None:
        await desk.do(place(make_request(limit_price=d("60000.1"))))
        assert (await sync(desk))[0] == 0
        stop = desk.venue.resting[0]
        desk.venue.trade(VenueOrderId(stop.venue_order_id), d("0.0004"), d("58700.0"))

        code, _ = await sync(desk)
        assert code == 0
        assert await desk.read(lambda tx: tx.positions(open_only=True)) == ()
        assert (await sync(desk, execute=False))[0] == 0

    at_the_desk(tmp_path, story)


def test_a_dry_run_shows_the_missed_fill_and_books_nothing(tmp_path: Path) -> None:
    """Recording is a change, too."""

    async def story(desk: Desk) -> None:
        await desk.do(place(make_request(limit_price=d("59000.0"))))
        desk.venue.trade(VenueOrderId("O00001"), d("0.0004"))
        before = await desk.read(lambda tx: tx.business_fingerprint())
        code, _ = await sync(desk, execute=False)

        assert code == 3
        assert await desk.read(lambda tx: tx.business_fingerprint()) == before

    at_the_desk(tmp_path, story)


def test_a_balance_below_what_is_managed_is_a_finding(tmp_path: Path) -> None:
    """Exit 3, nothing written off."""

    async def story(desk: Desk) -> None:
        await desk.do(place(make_request(limit_price=d("60000.1"))))
        await sync(desk)
        desk.venue.totals["BTC"] = d("0.0001")
        code, text = await sync(desk)

        assert code == 3
        assert "zoe manages 0.0004" in text
        assert len(await desk.read(lambda tx: tx.positions(open_only=True))) == 1

        context, invocation, out = command_io(desk, "sync-positions", json=True)
        assert await _sync(context, invocation, execute=True) == 3
        assert json.loads(out.getvalue())["exit_code"] == 3

    at_the_desk(tmp_path, story)


def test_a_live_account_needs_consent_for_the_stop(tmp_path: Path) -> None:
    """Nothing is adopted either: the plan goes whole or not at all."""

    async def story(desk: Desk) -> None:
        with pytest.raises(ConsentMissing):
            await sync(desk, adopt="BTC/USD=0.5")
        assert await desk.read(lambda tx: tx.positions()) == ()

        assert (await sync(desk, adopt="BTC/USD=0.5", consent=True))[0] == 0

    at_the_desk(tmp_path, story, balances=dict(TWO_BITCOINS), account=LIVE)


@pytest.mark.parametrize("quantity", ["0.0004", "0.5"])
def test_coins_that_were_given_up_have_one_stop_and_it_sells_no_others(
    tmp_path: Path, quantity: str
) -> None:
    """Adopted as the hint says, or more of them: the old stop is the new position's."""

    async def story(desk: Desk) -> None:
        await desk.do(place(make_request(limit_price=d("60000.1"))))
        (bought,) = await desk.read(lambda tx: tx.positions())
        stop = place(make_stop_request(), position_id=bought.position_id)
        await desk.do(stop)
        (rests,) = desk.venue.resting
        await desk.read(
            lambda tx: tx.end_position(
                bought.position_id, PositionStatus.ERROR, reason="corrupted", at=desk.clock.now()
            )
        )
        assert (await sync(desk, adopt=f"BTC/USD={quantity}"))[0] == 0
        (one,) = desk.venue.resting
        assert one.venue_order_id == rests.venue_order_id
        assert one.remaining_quantity == d(quantity)
        assert (await sync(desk))[0] == 0

        desk.venue.trade(one.venue_order_id, d(quantity), d("58790"))
        assert (await sync(desk))[0] == 0
        (position,) = await desk.read(
            lambda tx: [each for each in tx.positions() if each.origin == "adopted"]
        )
        assert (position.status, position.exit_reason) == (PositionStatus.CLOSED, "stop_loss")
        assert desk.venue.resting == []

    at_the_desk(tmp_path, story, balances=dict(TWO_BITCOINS))


def test_an_unknown_name_is_a_usage_error(tmp_path: Path) -> None:
    """Resolved by the catalogue, never by the shape of the string."""

    async def story(desk: Desk) -> None:
        with pytest.raises(UnknownInstrument):
            await sync(desk, adopt="BTCC/USD=0.5")

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize(
    "text", ["BTC/USD", "=0.5", "BTC/USD=", "BTC/USD=x", "BTC/USD=0", "BTC/USD=1E40"]
)
def test_what_is_no_adoption_is_a_usage_error(text: str) -> None:
    """NAME=QUANTITY, the quantity above zero and one that the books can hold."""
    with pytest.raises(ConfigError):
        _wanted((("adopt", text),))


@pytest.mark.parametrize("text", ["nan", "-1", "1e", "inf"])
def test_what_is_no_price_is_a_usage_error(text: str) -> None:
    """Exact and above zero."""
    with pytest.raises(ConfigError):
        _wanted((("price", text),))


coins = st.decimals(min_value="0.0001", max_value="2", places=4)


@settings(max_examples=25, deadline=None)
@given(bought_elsewhere=coins, adopted=coins, sold_by_stop=st.integers(0, 4))
def test_whatever_happened_a_second_run_has_nothing_to_do(
    tmp_path_factory: pytest.TempPathFactory,
    bought_elsewhere: Decimal,
    adopted: Decimal,
    sold_by_stop: int,
) -> None:
    """Idempotent, and conserving: managed and unmanaged together are what the venue holds."""
    sold = (adopted * sold_by_stop / 4).quantize(Decimal("0.00000001"))

    async def story(desk: Desk) -> None:
        await sync(desk, adopt=f"BTC/USD={adopted}")
        if sold:
            desk.venue.trade(desk.venue.resting[0].venue_order_id, sold, d("58700.0"))
        await sync(desk)
        writes = len(desk.venue.writes)
        before = await desk.read(lambda tx: tx.business_fingerprint())
        code, text = await sync(desk)

        managed = await desk.read(lambda tx: tx.positions(open_only=True))
        assert (code, "Nothing to do." in text) == (0, True)
        assert len(desk.venue.writes) == writes
        assert await desk.read(lambda tx: tx.business_fingerprint()) == before
        assert sum((each.quantity for each in managed), Decimal(0)) == adopted - sold
        assert desk.venue.totals["BTC"] == bought_elsewhere + adopted - sold

    holdings = {"USD": Decimal(1000), "BTC": bought_elsewhere + adopted}
    at_the_desk(tmp_path_factory.mktemp("sync"), story, balances=holdings)
