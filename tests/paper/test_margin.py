"""Margin in the engine: what opens, closes, rolls over, is refused and is liquidated, in figures.

Where nothing else is said: 10,000 USD, no bitcoin, a market at 70000 with 10 BTC a side, 5:1.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from paper_desk import BTC_USD, START, Desk, ask_for, change, d, snapshot, stop, traded
from zoe_tools.paper.engine.valuation import standing_of
from zoe_tools.paper.values.events import OrderEvent
from zoe_tools.paper.values.margin import MarginRules, Standing
from zoe_tools.paper.values.order import ConditionalClose, EditOrder, PlaceOrder, Side
from zoe_tools.paper.values.positions import Position
from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.values.times import NS

FOUR_HOURS = 4 * 3600 * NS
NO_INITIAL_MARGIN = (
    "EOrder:Order cancelled:Account has insufficient initial margin to support this resting order"
)


def desk_at(price: str = "70000.0", *, usd: str = "10000", btc: str = "0", **more: Any) -> Desk:
    """A margin account in front of this market."""
    desk = Desk(usd=usd, btc=btc, has_margin=True, **more)
    move(desk, price)
    return desk


def move(desk: Desk, price: str) -> None:
    """The whole market goes there, and trades."""
    desk.hear(
        snapshot([f"{price} 10"], [f"{d(price) + 1} 10"], at=desk.now),
        traded(price, "0.1", at=desk.now),
    )


def leveraged(side: Side, quantity: str, price: str | None = None, **more: Any) -> PlaceOrder:
    """An order at 5:1."""
    return ask_for(side, quantity, price, **{"leverage": 5, **more})


def settle(side: Side, quantity: str, **more: Any) -> PlaceOrder:
    """Repay in kind; 0 is everything."""
    return ask_for(side, quantity, order_type="settle-position", **more)


def positions(desk: Desk) -> list[Position]:
    """The open ones, oldest first."""
    return list(desk.account().positions.open.values())


def stands(desk: Desk) -> Standing:
    """How the account stands, in dollars."""
    return standing_of(desk.floor, desk.account())


def booked(desk: Desk) -> list[tuple[str, str, str, str]]:
    """The ledger after the deposits: (type, asset, amount, fee)."""
    return [
        (row.type, row.asset, f"{row.amount:f}", f"{row.fee:f}")
        for row in desk.rows()
        if row.type != "deposit"
    ]


def reasons(desk: Desk) -> list[str | None]:
    """Why orders were canceled or restated."""
    return [
        event.reason
        for event in desk.events
        if isinstance(event, OrderEvent) and event.kind in {"canceled", "restated"}
    ]


# opening and closing
def test_opening_costs_the_trade_fee_and_the_opening_fee_and_delivers_nothing() -> None:
    """0.5 at 70001: cost 35000.50, fees 0.40 % and 0.02 %, a fifth of the cost is tied up."""
    desk = desk_at()
    order = desk.place(leveraged("buy", "0.5"))
    (position,) = positions(desk)

    assert (order.status, order.fee) == ("closed", d("147.00210"))
    assert (position.cost, position.margin) == (d("35000.50000"), d("7000.10000"))
    assert position.rolls_at == START + FOUR_HOURS
    assert booked(desk) == [("margin", "USD", "0.0000", "147.0021")]
    assert desk.account().balance("BTC") == 0


def test_the_captured_opening_is_met_to_the_digit() -> None:
    """Section 13.7: cost 8.48544 at 10:1 costs 0.03564 and ties up 0.84854."""
    desk = desk_at("70711.0")
    order = desk.place(leveraged("buy", "0.00012", leverage=10))
    (position,) = positions(desk)

    assert (order.cost, order.fee) == (d("8.48544"), d("0.03564"))
    assert position.margin == d("0.84854")


@pytest.mark.parametrize(
    ("side", "then", "profit", "fee", "balance"),
    [
        ("buy", "72000.0", "999.5000", "126.0000", "10726.4979"),
        ("buy", "68000.0", "-1000.5000", "119.0000", "8733.4979"),
        ("sell", "72000.0", "-1000.5000", "126.0018", "8726.4982"),
        ("sell", "68000.0", "999.5000", "119.0018", "10733.4982"),
    ],
)
def test_closing_books_what_was_won_or_lost(
    side: Side, then: str, profit: str, fee: str, balance: str
) -> None:
    """Half a bitcoin and 2000 USD of movement, less the spread; the fee has no opening part.

    The opening's 35000 have lowered it to 0.35 %.
    """
    desk = desk_at()
    desk.place(leveraged(side, "0.5"))
    move(desk, then)
    other: Side = "sell" if side == "buy" else "buy"
    desk.place(leveraged(other, "0.5"))

    assert positions(desk) == []
    assert booked(desk)[-1] == ("margin", "USD", profit, fee)
    assert desk.account().balance("USD") == d(balance)


def test_the_oldest_position_is_closed_first_and_the_rest_turns_around() -> None:
    """0.2 and 0.1 long; 0.4 sold closes both, and what is left of the one trade is a short."""
    desk = desk_at()
    desk.place(leveraged("buy", "0.2"))
    desk.now += NS
    desk.place(leveraged("buy", "0.1"))
    order = desk.place(leveraged("sell", "0.4"))
    (short,) = positions(desk)
    trade = desk.trades()[-1]

    assert (short.side, short.quantity, short.cost) == ("sell", d("0.1"), d("7000.00000"))
    assert trade.on_margin is not None
    assert (trade.on_margin.closed, trade.on_margin.profit) == (d("0.3"), d("-0.30000"))
    assert order.fee == d("98.00000") + d("1.40000")
    assert [one.closed for one in desk.account().positions.closed.values()] == [d("0.2"), d("0.1")]


def test_the_fills_of_one_taker_are_one_position() -> None:
    """As its consolidated trade is one; its id is that of the first fill."""
    desk = Desk(usd="10000", btc="0", has_margin=True)
    desk.hear(snapshot([], ["70000.0 0.1", "70001.0 0.1"]), traded("70000.0", "0.1"))
    desk.place(leveraged("buy", "0.2"))
    (position,) = positions(desk)

    assert (position.quantity, position.cost) == (d("0.2"), d("14000.10000"))
    assert position.position_id == desk.trades()[0].trade_id


def test_an_order_of_volume_zero_closes_what_there_is() -> None:
    """Section 8.1, however small it is."""
    desk = desk_at()
    desk.place(leveraged("buy", "0.2"))
    desk.place(leveraged("sell", "0.19999"))
    order = desk.place(leveraged("sell", "0"))

    assert (order.quantity, order.status) == (d("0.00001"), "closed")
    assert positions(desk) == []


def test_spot_orders_of_the_same_account_are_paid_in_full() -> None:
    """Without leverage a margin account trades as every other."""
    desk = desk_at()
    desk.place(leveraged("sell", "0.1"))
    desk.place(ask_for("buy", "0.1"))

    assert desk.account().balance("BTC") == d("0.1")
    assert [one.quantity for one in positions(desk)] == [d("0.1")]


def test_a_conditional_close_closes_the_position_on_margin() -> None:
    """The child has the leverage of its parent (section 8.2)."""
    desk = desk_at()
    close = ConditionalClose(order_type="stop-loss", trigger_price=d("69000.0"))
    desk.place(leveraged("buy", "0.1", close=close))
    move(desk, "68900.0")

    assert positions(desk) == []
    assert booked(desk)[-1][:3] == ("margin", "USD", "-110.1000")


def test_a_batch_opens_what_its_next_member_reduces() -> None:
    """Positions are the engine's to judge, order by order (section 13.5)."""
    desk = desk_at()
    requests = [
        leveraged("sell", "0.1", "75000.0", is_reduce_only=True),
        leveraged("buy", "0.1"),
        leveraged("sell", "0.1", "75000.0", is_reduce_only=True),
    ]
    answers, _ = desk.engine.place_batch(desk.account_id, requests, desk.now)

    assert [getattr(one, "error", "taken") for one in answers] == [
        "EOrder:Reduce only:No position exists",
        "taken",
        "taken",
    ]


# how an account stands
def test_the_standing_adds_up() -> None:
    """0.5 long from 70001, last 72000; every figure by the formulas of section 6."""
    desk = desk_at(btc="0.1")
    desk.place(leveraged("buy", "0.5"))
    desk.place(leveraged("buy", "0.1", "60000.0", leverage=2))
    move(desk, "72000.0")
    now = stands(desk)

    assert now.worth == now.collateral == d("9852.9979") + d("7200")
    assert (now.used, now.cost, now.value) == (d("7000.1"), d("35000.5"), d("36000"))
    assert (now.profit, now.equity) == (d("999.5"), d("18052.4979"))
    assert (now.free, now.free_for_orders) == (d("11052.3979"), d("8052.3979"))
    assert round(now.level or d("0"), 4) == d("257.8891")


def test_collateral_counts_only_in_part() -> None:
    """What an asset is worth as security is the pair's data; a debt counts in full."""
    desk = desk_at(btc="1", spec=replace(BTC_USD, base_collateral=d("0.5")))
    assert (stands(desk).worth, stands(desk).collateral) == (d("80000"), d("45000"))

    desk.account().balances["BTC"] = d("-0.1")
    assert (stands(desk).worth, stands(desk).collateral) == (d("3000"), d("3000"))


# holds
def test_an_open_order_holds_margin_and_no_balance() -> None:
    """A fifth of its cost; what would only close holds nothing."""
    desk = desk_at()
    order = desk.place(leveraged("buy", "0.3", "69000.0"))

    assert (desk.account().held("USD"), stands(desk).orders_margin) == (d("0"), d("4140"))
    desk.cancel(order)
    assert stands(desk).orders_margin == 0

    desk.place(leveraged("buy", "0.3"))
    desk.place(leveraged("sell", "0.3", "75000.0"))
    desk.place(leveraged("sell", "0.4", "75000.0"))
    assert stands(desk).orders_margin == d("1500")


def test_orders_need_more_margin_once_their_position_is_gone() -> None:
    """The other order that would have closed it would open a short now."""
    desk = desk_at()
    desk.place(leveraged("buy", "0.3"))
    desk.place(leveraged("sell", "0.3", "75000.0"))
    desk.place(leveraged("sell", "0.3"))

    assert stands(desk).orders_margin == d("4500")


def test_resting_orders_go_when_there_is_no_margin_for_them_any_more() -> None:
    """The newest first, in the engine's own words (section 9)."""
    desk = desk_at()
    desk.place(leveraged("buy", "0.5"))
    first = desk.place(leveraged("buy", "0.1", "60000.0"))
    second = desk.place(leveraged("buy", "0.1", "60000.0"))
    move(desk, "68000.0")

    assert desk.order(first).status == "open"
    assert desk.order(second).reason == NO_INITIAL_MARGIN


def test_what_secures_a_position_is_not_spent_on_what_does_not() -> None:
    """Half of 0.1 bitcoin's worth would be lost as collateral: 3500.05 of 2852.90 that are free."""
    desk = desk_at(spec=replace(BTC_USD, base_collateral=d("0.5")))
    desk.place(leveraged("buy", "0.5"))
    with pytest.raises(Refusal, match="EOrder:Insufficient funds"):
        desk.place(ask_for("buy", "0.1"))

    assert desk.place(ask_for("buy", "0.08")).status == "closed"
    assert desk.place(ask_for("sell", "0.08")).status == "closed"


def test_money_that_carries_a_position_cannot_leave() -> None:
    """Only free margin can be withdrawn: 2852.8979 of 9852.9979."""
    desk = desk_at()
    desk.place(leveraged("buy", "0.5"))
    with pytest.raises(Refusal, match="EFunding:Insufficient funds"):
        desk.engine.deposit(desk.account_id, "USD", d("-2900"), desk.now)

    desk.engine.deposit(desk.account_id, "USD", d("-2800"), desk.now)
    assert stands(desk).free == d("52.8979")


def test_amending_moves_what_an_order_holds() -> None:
    """By the same rules as at entry; a refused amendment changes nothing."""
    desk = desk_at()
    order = desk.place(leveraged("buy", "0.1", "60000.0"))
    assert stands(desk).orders_margin == d("1200")

    desk.amend(order, quantity=d("0.3"), limit_price=d("50000.0"))
    assert stands(desk).orders_margin == d("3000")

    with pytest.raises(Refusal, match="Insufficient initial margin"):
        desk.amend(order, quantity=d("1.1"))
    assert stands(desk).orders_margin == d("3000")


def test_an_edited_order_keeps_its_leverage() -> None:
    """A new order of the same kind in the old one's place (section 8.5)."""
    desk = desk_at()
    order = desk.place(leveraged("sell", "0.1", "80000.0"))
    request = EditOrder(symbol="BTC/USD", order_id=order.order_id, limit_price=d("90000.0"))
    _, new, _ = desk.engine.edit(desk.account_id, request, desk.now)

    assert (new.leverage, stands(desk).orders_margin) == (5, d("1800"))


# rollover
def test_every_four_hours_a_position_pays_its_rollover() -> None:
    """0.02 % of 35000.50 is 7.0001; by time alone, and as often as it is due."""
    desk = desk_at()
    desk.place(leveraged("buy", "0.5"))
    assert desk.floor.next_expiry() == START + FOUR_HOURS
    desk.engine.expire(START + FOUR_HOURS - 1)
    assert len(desk.account().ledger) == 3

    desk.events += desk.engine.expire(START + FOUR_HOURS)
    desk.events += desk.engine.expire(START + 3 * FOUR_HOURS)
    rolled = [row for row in desk.rows() if row.type == "rollover"]

    (position,) = positions(desk)
    assert booked(desk)[-3:] == [("rollover", "USD", "0.0000", "7.0001")] * 3
    assert {row.ref_id for row in rolled} == {position.position_id}
    assert (position.charged, position.rolls_at) == (d("21.0003"), START + 4 * FOUR_HOURS)


def test_only_what_is_still_open_pays() -> None:
    """After three fifths are closed, two fifths of the charge; after the rest, nothing."""
    desk = desk_at()
    desk.place(leveraged("buy", "0.5"))
    desk.place(leveraged("sell", "0.3"))
    desk.events += desk.engine.expire(START + FOUR_HOURS)
    assert booked(desk)[-1] == ("rollover", "USD", "0.0000", "2.8000")

    desk.now = desk.floor.now
    desk.place(leveraged("sell", "0"))
    assert desk.engine.expire(START + 2 * FOUR_HOURS) == []


# liquidation
def test_at_the_stop_level_positions_are_closed_at_the_market() -> None:
    """0.6 from 70001 and 9823.5958 left: at 58000 the level is 31.2 percent."""
    desk = desk_at()
    desk.place(leveraged("buy", "0.6"))
    move(desk, "58000.0")
    order = list(desk.account().closed.values())[-1]

    assert positions(desk) == []
    assert (order.order_type, order.side, order.flags) == ("market", "sell", ("liquidated",))
    assert order.filled == d("0.6")


@pytest.mark.parametrize(
    ("price", "level", "survives"),
    [("60001.0", "45.518", True), ("59461.0", "41.661", True), ("59223.0", "39.961", False)],
)
def test_liquidation_comes_at_forty_percent_and_not_before(
    price: str, level: str, *, survives: bool
) -> None:
    """Equity 9823.59580 less 0.6 of what the price has fallen, over 8400.12 of margin."""
    desk = desk_at()
    desk.place(leveraged("buy", "0.6"))
    equity = d("9823.5958") - d("0.6") * (d("70001") - d(price))
    assert round(equity / d("8400.12") * 100, 3) == d(level)

    move(desk, price)

    assert bool(positions(desk)) == survives


def test_a_short_is_liquidated_when_the_price_rises() -> None:
    """The other way round."""
    desk = desk_at()
    desk.place(leveraged("sell", "0.6"))
    move(desk, "82000.0")

    assert positions(desk) == []
    assert booked(desk)[-1][:3] == ("margin", "USD", "-7200.6000")


def test_only_as_much_is_liquidated_as_must_be() -> None:
    """The oldest goes first; once the level is above the stop the others stay."""
    desk = desk_at()
    desk.place(leveraged("buy", "0.4"))
    desk.now += NS
    desk.place(leveraged("buy", "0.2"))
    move(desk, "59000.0")

    assert [one.quantity for one in positions(desk)] == [d("0.2")]


def test_without_anybody_to_buy_it_a_position_stays_until_there_is() -> None:
    """Nothing is made up; whatever happens next, it is tried again."""
    desk = desk_at()
    desk.place(leveraged("buy", "0.6"))
    desk.hear(snapshot([], ["50001.0 1"]), traded("50000.0", "0.1"))
    assert len(positions(desk)) == 1

    other = desk.open_account("other", usd="100000")
    desk.place(ask_for("buy", "0.1", "49000.0"), other)
    assert [one.remaining for one in positions(desk)] == [d("0.5")]

    desk.hear(change(bids=["49999.0 10"]))
    assert positions(desk) == []
    assert desk.account().balance("USD") < 0


def test_orders_on_margin_go_before_positions_do() -> None:
    """They hold what positions need; spot orders stay."""
    desk = desk_at(usd="12000")
    desk.place(leveraged("buy", "0.6"))
    on_margin = desk.place(leveraged("sell", "0.1", "90000.0"))
    spot = desk.place(ask_for("buy", "0.001", "40000.0"))
    move(desk, "50000.0")

    assert desk.order(on_margin).reason == "Margin liquidation"
    assert desk.order(spot).status == "open"


# reducing
def test_reducing_ends_with_the_position() -> None:
    """What would turn it around is filled up to it, and the rest cancelled (section 13.7)."""
    desk = desk_at()
    desk.place(leveraged("buy", "0.2"))
    order = desk.place(leveraged("sell", "0.5", is_reduce_only=True))

    assert (order.status, order.filled, order.quantity) == ("canceled", d("0.2"), d("0.5"))
    assert order.reason == "EOrder:Reduce only:Position is closed"
    assert positions(desk) == []


def test_what_rests_to_reduce_is_no_larger_than_its_position() -> None:
    """Cut when it comes to rest, and whenever the position shrinks; gone when that is gone."""
    desk = desk_at()
    desk.place(leveraged("buy", "0.3"))
    order = desk.place(leveraged("sell", "0.5", "75000.0", is_reduce_only=True))
    assert order.quantity == d("0.3")

    desk.place(leveraged("sell", "0.1"))
    assert desk.order(order).quantity == d("0.2")

    desk.place(leveraged("sell", "0.2"))
    assert desk.order(order).status == "canceled"
    assert reasons(desk) == [
        "Reduce only",
        "Reduce only",
        "EOrder:Reduce only:Position is closed",
    ]


def test_an_iceberg_that_reduces_never_shows_more_than_there_is() -> None:
    """Its slice is cut with it."""
    desk = desk_at()
    desk.place(leveraged("buy", "0.3"))
    more = {"order_type": "iceberg", "display_quantity": d("0.2"), "is_reduce_only": True}
    desk.place(leveraged("sell", "0.3", "75000.0", **more))
    desk.place(leveraged("sell", "0.25"))

    asks = dict(desk.floor.books["BTC/USD"].displayed("sell", 10))
    assert asks[d("75000.0")] == d("0.05")


def test_all_or_nothing_of_more_than_there_is_to_reduce_is_nothing() -> None:
    """Fill or kill."""
    desk = desk_at()
    desk.place(leveraged("buy", "0.3"))
    more = {"time_in_force": "fok", "is_reduce_only": True}
    order = desk.place(leveraged("sell", "0.5", "69000.0", **more))

    assert (order.status, order.filled, order.reason) == ("canceled", d("0"), "Fill or kill")


def test_a_stop_that_reduces_looks_for_its_position_when_it_fires() -> None:
    """Section 13.3: not before."""
    desk = desk_at()
    order = desk.place(
        stop("sell", "0.1", "69000.0", leverage=5, is_reduce_only=True),
    )
    move(desk, "68900.0")

    assert desk.order(order).reason == "EOrder:Reduce only:No position exists"


# settling
def test_settling_a_long_pays_for_it_and_takes_it() -> None:
    """No trade and no trade fee: the quote that was borrowed goes back, the base is delivered."""
    desk = desk_at(usd="50000")
    desk.place(leveraged("buy", "0.5"))
    (position,) = positions(desk)
    order = desk.place(settle("sell", "0"))

    assert (order.status, order.filled, order.fee) == ("closed", d("0.5"), d("0"))
    assert len(desk.trades()) == 1
    assert booked(desk)[-2:] == [
        ("settled", "USD", "-35000.5000", "0.0000"),
        ("settled", "BTC", "0.5000000000", "0.0000000000"),
    ]
    assert {row.ref_id for row in desk.rows()[-2:]} == {position.position_id}
    assert positions(desk) == []


def test_settling_a_short_delivers_it_and_takes_what_it_sold_for() -> None:
    """In part: the leverage need not be said."""
    desk = desk_at(btc="1")
    desk.place(leveraged("sell", "0.5"))
    desk.place(settle("buy", "0.2"))

    assert booked(desk)[-2:] == [
        ("settled", "USD", "14000.0000", "0.0000"),
        ("settled", "BTC", "-0.2000000000", "0.0000000000"),
    ]
    assert [one.remaining for one in positions(desk)] == [d("0.3")]


@pytest.mark.parametrize(
    ("meanwhile", "reason"),
    [
        (settle("sell", "0"), "EOrder:Unknown position"),
        (ask_for("buy", "0.5", "60000.0"), "Insufficient funds"),
    ],
)
def test_a_settlement_of_later_looks_again(meanwhile: PlaceOrder, reason: str) -> None:
    """The position may be gone by its time, or the money that it takes."""
    desk = desk_at(usd="50000")
    desk.place(leveraged("buy", "0.5"))
    order = desk.place(settle("sell", "0.5", starts_at=START + NS))
    desk.place(meanwhile)
    desk.engine.expire(START + NS)

    assert desk.order(order).reason == reason


# refusals
@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (leveraged("buy", "0.1", leverage=11), "EGeneral:Invalid arguments:leverage"),
        (leveraged("buy", "0.1", leverage=1), "EGeneral:Invalid arguments:leverage"),
        (leveraged("buy", "0.8"), "EOrder:Insufficient initial margin"),
        (leveraged("sell", "0.8"), "EOrder:Insufficient initial margin"),
        (leveraged("buy", "0.8", "69000.0"), "EOrder:Insufficient initial margin"),
        (leveraged("buy", "0"), "EGeneral:Invalid arguments:volume"),
        (leveraged("buy", "NaN"), "EGeneral:Invalid arguments:volume"),
        (leveraged("buy", "-1"), "EGeneral:Invalid arguments:volume"),
        (leveraged("buy", "0", quote_quantity=d("50")), "EGeneral:Invalid arguments:viqc"),
        (leveraged("buy", "251", "1.0"), "EOrder:Margin position size exceeded"),
        (leveraged("sell", "201", "1.0"), "EOrder:Margin position size exceeded"),
        (leveraged("sell", "0.1", is_reduce_only=True), "EOrder:Reduce only:No position exists"),
        (ask_for("sell", "0.1", is_reduce_only=True), "EOrder:Reduce only:No position exists"),
        (settle("sell", "0"), "EOrder:Unknown position"),
    ],
)
def test_an_account_without_positions_is_refused(request_: PlaceOrder, error: str) -> None:
    """In Kraken's words (section 9), and nothing has changed."""
    desk = desk_at()
    with pytest.raises(Refusal) as caught:
        desk.place(request_)

    assert caught.value.error == error
    assert (desk.account().open, positions(desk)) == ({}, [])


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (leveraged("buy", "0.1", is_reduce_only=True), "EOrder:Reduce only:No position exists"),
        (ask_for("sell", "0.1", is_reduce_only=True), "EGeneral:Invalid arguments:reduce_only"),
        (settle("buy", "0"), "EOrder:Unknown position"),
        (settle("sell", "0.6"), "EGeneral:Invalid arguments:volume"),
        (settle("sell", "0.5"), "EOrder:Insufficient funds"),
        (leveraged("buy", "0.21"), "EOrder:Insufficient initial margin"),
    ],
)
def test_an_account_with_half_a_bitcoin_long_is_refused(request_: PlaceOrder, error: str) -> None:
    """It has 2852.90 USD of free margin."""
    desk = desk_at()
    desk.place(leveraged("buy", "0.5"))
    with pytest.raises(Refusal) as caught:
        desk.place(request_)

    assert caught.value.error == error


@pytest.mark.parametrize(
    ("rules", "error"),
    [
        (MarginRules(allowance=d("40000")), "EOrder:Margin allowance exceeded"),
        (MarginRules(most_positions=1), "EOrder:Positions limit exceeded"),
        (MarginRules(pools={"USD": d("40000")}), "EOrder:Insufficient margin"),
    ],
)
def test_the_exchange_has_limits_of_its_own(rules: MarginRules, error: str) -> None:
    """After 35000.50 another 7000 are too much; what closes is always let in."""
    desk = desk_at(margin=rules)
    desk.place(leveraged("buy", "0.5"))
    with pytest.raises(Refusal) as caught:
        desk.place(leveraged("buy", "0.1"))

    assert caught.value.error == error
    assert desk.place(leveraged("sell", "0.5")).status == "closed"


def test_after_a_margin_call_nothing_more_is_opened() -> None:
    """Level 74 percent; what reduces is let in."""
    desk = desk_at()
    desk.place(leveraged("buy", "0.6"))
    move(desk, "64000.0")
    assert round(stands(desk).level or d("0"), 1) == d("74.1")
    with pytest.raises(Refusal, match="Margin level too low"):
        desk.place(leveraged("buy", "0.001"))

    assert desk.place(leveraged("sell", "0.1")).status == "closed"


def test_an_account_without_margin_opens_nothing() -> None:
    """The flag is the account's; taken away, what is open stays and can be settled."""
    desk = desk_at()
    desk.place(leveraged("sell", "0.1"))
    account = desk.account()
    desk.engine.step(lambda turn: turn.allow_margin(account, has_margin=False), desk.now)
    with pytest.raises(Refusal, match="EOrder:Cannot open position"):
        desk.place(leveraged("buy", "0.1"))

    desk.place(ask_for("buy", "0.1"))
    desk.place(settle("buy", "0"))
    assert positions(desk) == []


def test_a_fill_that_cannot_be_carried_ends_its_order() -> None:
    """A market order is judged by the best price, each fill by its own."""
    desk = Desk(usd="3000", btc="0", has_margin=True, protection_pct=None)
    desk.hear(snapshot([], ["70000.0 0.1", "90000.0 0.1"]), traded("70000.0", "0.1"))
    order = desk.place(leveraged("buy", "0.2"))

    assert (order.filled, order.reason) == (d("0.1"), NO_INITIAL_MARGIN)


def test_a_resting_order_opens_as_a_maker() -> None:
    """0.25 % of 6950 and 0.02 %; the position is of its order's type."""
    desk = desk_at()
    order = desk.place(leveraged("buy", "0.1", "69500.0"))
    desk.hear(traded("69400.0", "1"))
    (position,) = positions(desk)

    assert desk.order(order).fee == d("17.37500") + d("1.39000")
    assert (position.order_type, position.order_id) == ("limit", order.order_id)
    assert stands(desk).orders_margin == 0
