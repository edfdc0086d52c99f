"""Matching: price and time, queues, prints, triggers, amendments, ends of orders."""

from __future__ import annotations

from dataclasses import replace

import pytest

from paper_desk import BTC_USD, START, Desk, ask_for, change, d, levels, snapshot, stop, traded
from zoe_tools.paper.values.events import BookEvent, OrderEvent
from zoe_tools.paper.values.order import Side
from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.values.times import NS

BIDS = ("69999.9 1.00000000", "69999.8 2.00000000")
ASKS = ("70000.1 1.00000000", "70000.2 2.00000000")


@pytest.fixture
def desk() -> Desk:
    """A desk in front of two levels a side, last trade at 70000.0."""
    made = Desk()
    made.hear(snapshot(BIDS, ASKS), traded("70000.0", "0.1"))
    return made


# taking
def test_a_market_order_eats_displayed_levels_best_first(desk: Desk) -> None:
    """Each level is a trade of its own at the resting price."""
    order = desk.place(ask_for("buy", "1.5"))

    assert [(one.price, one.quantity) for one in desk.trades()] == [
        (d("70000.1"), d("1")),
        (d("70000.2"), d("0.5")),
    ]
    assert order.status == "closed"


def test_taken_liquidity_is_gone_until_the_source_speaks_of_the_level(desk: Desk) -> None:
    """Displayed size is consumed by takes, and restored only by the source."""
    desk.place(ask_for("buy", "0.4"))
    book = desk.floor.books["BTC/USD"]
    assert book.displayed("sell", 1) == levels("70000.1 0.60000000")

    desk.hear(change(asks=["70000.1 0.90000000"]))

    assert book.displayed("sell", 1) == levels("70000.1 0.90000000")


def test_a_market_order_without_enough_liquidity_is_filled_in_part_and_canceled(desk: Desk) -> None:
    """Takers eat displayed liquidity and nothing else."""
    order = desk.place(ask_for("sell", "5"))

    assert (order.status, order.filled, order.reason) == ("canceled", d("3"), "No liquidity")


def test_a_market_order_stops_where_the_price_slips_too_far() -> None:
    """Market price protection: the rest is cancelled beyond the bound."""
    desk = Desk(protection_pct=d("1"))
    desk.hear(snapshot([], ["70000.0 0.10000000", "70701.0 1.00000000"]))
    order = desk.place(ask_for("buy", "0.2"))

    assert (order.filled, order.reason) == (d("0.1"), "Market price protection")


def test_immediate_or_cancel_keeps_nothing_in_the_book(desk: Desk) -> None:
    """What does not trade at once ends canceled, with its fills."""
    order = desk.place(ask_for("buy", "1.5", "70000.1", time_in_force="ioc"))

    assert (order.status, order.filled) == ("canceled", d("1"))
    assert desk.kinds()[-3:] == ["new", "trade", "canceled"]


def test_orders_of_two_accounts_trade_at_the_resting_price(desk: Desk) -> None:
    """The maker pays the maker's rate, the taker the taker's, at one public trade."""
    other = desk.open_account("other", usd="100000")
    resting = desk.place(ask_for("buy", "0.5", "70000.0"), other)
    desk.place(ask_for("sell", "0.5", "69999.0"))
    maker, taker = desk.trades()

    assert (maker.price, maker.is_maker, taker.is_maker) == (d("70000.0"), True, False)
    assert maker.public_id == taker.public_id
    assert (maker.fee, taker.fee) == (d("87.50000"), d("140.00000"))
    assert desk.order(resting).status == "closed"


@pytest.mark.parametrize(
    ("rule", "newest", "oldest"),
    [
        ("cancel-newest", "canceled", "open"),
        ("cancel-oldest", "open", "canceled"),
        ("cancel-both", "canceled", "canceled"),
    ],
)
def test_an_account_never_trades_with_itself(
    desk: Desk, rule: str, newest: str, oldest: str
) -> None:
    """Self trade prevention in its three forms."""
    first = desk.place(ask_for("buy", "0.5", "70000.0"))
    second = desk.place(ask_for("sell", "0.5", "70000.0", self_trade=rule))

    assert (desk.order(second).status, desk.order(first).status) == (newest, oldest)
    assert desk.trades() == []


# resting
def test_a_resting_order_queues_behind_the_displayed_size(desk: Desk) -> None:
    """A print at its price fills it only beyond what was ahead."""
    order = desk.place(ask_for("buy", "0.5", "69999.9"))
    desk.hear(traded("69999.9", "0.8"))
    assert desk.order(order).filled == 0

    desk.hear(traded("69999.9", "0.5"))

    assert desk.order(order).filled == d("0.3")


def test_a_print_through_the_price_ignores_the_queue(desk: Desk) -> None:
    """Who was ahead must have traded when the price went through."""
    order = desk.place(ask_for("buy", "0.5", "69999.9"))
    desk.hear(traded("69999.8", "0.2"))

    assert desk.order(order).filled == d("0.2")
    assert desk.trades()[-1].price == d("69999.9")


def test_those_who_leave_the_level_are_taken_to_have_stood_behind(desk: Desk) -> None:
    """A displayed size that shrinks below the queue ahead shortens the queue."""
    order = desk.place(ask_for("buy", "0.5", "69999.9"))
    desk.hear(change(bids=["69999.9 0.10000000"]), traded("69999.9", "0.3"))

    assert desk.order(order).filled == d("0.2")


def test_better_price_first_then_the_earlier_order(desk: Desk) -> None:
    """One print is shared out in price-time priority and never twice."""
    desk.hear(change(bids=["69999.9 0.00000000"]))
    early = desk.place(ask_for("buy", "0.2", "69999.9"))
    late = desk.place(ask_for("buy", "0.2", "69999.9"))
    better = desk.place(ask_for("buy", "0.2", "70000.0"))
    desk.hear(traded("69999.9", "0.5"))

    filled = [desk.order(one).filled for one in (better, early, late)]
    assert filled == [d("0.2"), d("0.2"), d("0.1")]


def test_a_fill_by_a_print_adds_nothing_to_the_tape(desk: Desk) -> None:
    """The resting order was part of that trade: candles still add up to the source's volume."""
    desk.place(ask_for("buy", "0.5", "70000.0"))
    before = desk.floor.tapes["BTC/USD"].day.volume
    desk.hear(traded("69999.9", "0.5"))

    assert desk.floor.tapes["BTC/USD"].day.volume - before == d("0.5")
    assert desk.trades()[-1].public_id == desk.floor.tapes["BTC/USD"].prints[-1].trade_id


# display
def test_the_displayed_book_shows_resting_orders_on_top_of_the_source(desk: Desk) -> None:
    """The change carries the level's whole displayed size."""
    desk.events.clear()
    desk.place(ask_for("buy", "0.25", "69999.9"))
    shown = [event for event in desk.events if isinstance(event, BookEvent)]

    assert [event.bids for event in shown] == [levels("69999.9 1.25000000")]


def test_a_source_level_that_crosses_a_resting_order_is_hidden(desk: Desk) -> None:
    """The displayed book is never crossed, and the level comes back when the order goes."""
    order = desk.place(ask_for("buy", "0.5", "70000.0"))
    desk.hear(change(asks=["69999.9 1.00000000"]))
    book = desk.floor.books["BTC/USD"]
    assert book.displayed("sell", 1) == levels("70000.1 1.00000000")

    desk.events.clear()
    desk.cancel(order)
    shown = next(event for event in desk.events if isinstance(event, BookEvent))

    assert levels("69999.9 1.00000000")[0] in shown.asks
    assert book.displayed("sell", 1) == levels("69999.9 1.00000000")


def test_untriggered_orders_are_not_displayed(desk: Desk) -> None:
    """Section 13.3."""
    desk.events.clear()
    desk.place(stop("sell", "0.5", "69000.0"))

    assert [event for event in desk.events if isinstance(event, BookEvent)] == []


# triggers
@pytest.mark.parametrize(
    ("side", "order_type", "trigger", "too_early", "fires"),
    [
        ("sell", "stop-loss", "69000.0", "69000.1", "69000.0"),
        ("buy", "stop-loss", "71000.0", "70999.9", "71000.0"),
        ("sell", "take-profit", "71000.0", "70999.9", "71000.0"),
        ("buy", "take-profit", "69000.0", "69000.1", "68999.9"),
    ],
)
def test_a_trigger_fires_when_the_last_price_reaches_it(
    desk: Desk, side: Side, order_type: str, trigger: str, too_early: str, fires: str
) -> None:
    """The table of section 13.3, at its edge."""
    order = desk.place(stop(side, "0.5", trigger, order_type=order_type))
    desk.hear(traded(too_early, "0.1"))
    assert desk.order(order).waits_for_trigger

    desk.hear(traded(fires, "0.1"))

    assert desk.order(order).status == "closed"
    assert desk.kinds()[-3:] == ["triggered", "trade", "filled"]
    assert desk.trades()[-1].executed_as == "market"


def test_a_stop_fired_by_a_print_below_the_stale_book_trades_at_the_print(desk: Desk) -> None:
    """Displayed quotes better than the print that fired it are taken to be gone."""
    desk.place(stop("sell", "0.5", "69000.0"))
    desk.hear(traded("68000.0", "0.1"))

    assert desk.trades()[-1].price == d("68000.0")


def test_a_triggered_limit_rests_at_its_limit(desk: Desk) -> None:
    """A stop-loss-limit joins the back of the book when it fires."""
    order = desk.place(
        stop("sell", "0.5", "69000.0", order_type="stop-loss-limit", limit_price=d("70000.0"))
    )
    desk.hear(traded("68999.0", "0.1"))

    assert desk.order(order).status == "open"
    assert desk.floor.books["BTC/USD"].displayed("sell", 1) == levels("70000.0 0.50000000")


def test_an_order_beyond_its_trigger_at_entry_fires_at_once(desk: Desk) -> None:
    """The last price has reached it already."""
    order = desk.place(stop("sell", "0.5", "70000.5"))

    assert (order.status, desk.trades()[-1].price) == ("closed", d("69999.9"))


def test_own_trades_fire_own_triggers(desk: Desk) -> None:
    """A take moves the last price like any trade."""
    waiting = desk.place(stop("sell", "0.1", "69999.9"))
    desk.place(ask_for("sell", "0.1"))

    assert desk.order(waiting).status == "closed"


def test_a_triggered_order_that_can_no_longer_be_paid_is_canceled() -> None:
    """Without holds before the trigger, the asset may be gone when it fires."""
    desk = Desk(btc="1", holds_before_trigger=False)
    desk.hear(snapshot(["69999.9 5.0"], ASKS), traded("70000.0", "0.1"))
    waiting = desk.place(stop("sell", "1", "69000.0"))
    desk.place(ask_for("sell", "0.6"))
    desk.hear(traded("68000.0", "0.1"))

    assert desk.order(waiting).reason == "Insufficient funds"
    assert desk.account().balance("BTC") == d("0.4")


# amending
def test_an_amended_price_keeps_the_id_and_goes_to_the_back_of_the_queue(desk: Desk) -> None:
    """Section 8.4."""
    desk.hear(change(bids=["69999.9 0.00000000"]))
    first = desk.place(ask_for("buy", "0.2", "69999.8"))
    second = desk.place(ask_for("buy", "0.2", "69999.9"))
    amended = desk.amend(first, limit_price=d("69999.9"))
    desk.hear(traded("69999.9", "0.2"))

    assert amended.order_id == first.order_id
    assert amended.is_amended
    assert [desk.order(one).filled for one in (first, second)] == [0, d("0.2")]


@pytest.mark.parametrize(("quantity", "filled"), [("0.1", "first"), ("0.3", "second")])
def test_only_a_smaller_quantity_keeps_the_place(desk: Desk, quantity: str, filled: str) -> None:
    """Raising the quantity loses it."""
    desk.hear(change(bids=["69999.9 0.00000000"]))
    first = desk.place(ask_for("buy", "0.2", "69999.9"))
    second = desk.place(ask_for("buy", "0.2", "69999.9"))
    desk.amend(first, quantity=d(quantity))
    desk.hear(traded("69999.9", "0.1"))

    assert desk.trades()[-1].order_id == {"first": first, "second": second}[filled].order_id


def test_an_amend_to_what_is_filled_cancels_the_rest(desk: Desk) -> None:
    """`order_qty` is the total quantity."""
    order = desk.place(ask_for("buy", "0.5", "70000.0"))
    desk.hear(traded("70000.0", "0.2"))
    after = desk.amend(order, quantity=d("0.1"))

    assert (after.status, after.quantity, after.filled) == ("canceled", d("0.2"), d("0.2"))
    assert desk.account().held("USD") == 0


def test_a_trigger_can_be_amended_in_place(desk: Desk) -> None:
    """A stop is moved without a gap."""
    order = desk.place(stop("sell", "0.5", "69000.0"))
    desk.amend(order, trigger_price=d("68000.0"))
    desk.hear(traded("68500.0", "0.1"))

    assert desk.order(order).waits_for_trigger


def test_an_amend_across_the_book_takes(desk: Desk) -> None:
    """Without post-only, the new price trades."""
    order = desk.place(ask_for("buy", "0.5", "69999.0"))

    assert desk.amend(order, limit_price=d("70000.1")).status == "closed"


# ends
def test_a_good_till_date_order_expires_at_its_time(desk: Desk) -> None:
    """And what it held is free."""
    order = desk.place(
        ask_for("buy", "0.5", "69000.0", time_in_force="gtd", expire_at=START + 10 * NS)
    )
    desk.events += desk.engine.expire(START + 9 * NS)
    assert desk.order(order).is_open

    desk.events += desk.engine.expire(START + 10 * NS)

    assert (desk.order(order).status, desk.kinds()[-1]) == ("expired", "expired")
    assert desk.account().held("USD") == 0


def test_a_deadline_that_has_passed_kills_the_order(desk: Desk) -> None:
    """Section 8.1; on the dot it still lives."""
    with pytest.raises(Refusal, match="EService:Deadline elapsed"):
        desk.place(ask_for("buy", "0.5", "69000.0", deadline=START - 1))

    assert desk.place(ask_for("buy", "0.5", "69000.0", deadline=START)).is_open


def test_validate_changes_nothing(desk: Desk) -> None:
    """Same checks, no order, no event, no id used up."""
    counters = dict(desk.floor.mint.counters)
    order = desk.place(ask_for("buy", "0.5", "70000.5", is_validate=True))

    assert (order.order_id, desk.kinds(), desk.account().open) == ("", [], {})
    assert desk.floor.mint.counters == counters


def test_the_fee_tier_follows_the_volume_of_earlier_orders() -> None:
    """New volume counts at once, for the next order."""
    desk = Desk(usd="10000000")
    desk.hear(snapshot([], ["70000.0 10.00000000"]))
    for quantity in ("0.1", "0.1", "1"):
        desk.place(ask_for("buy", quantity))
    desk.place(ask_for("buy", "0.1"))
    rates = [100 * trade.fee / trade.cost for trade in desk.trades()]

    assert rates == [d("0.40"), d("0.40"), d("0.35"), d("0.24")]


def test_events_of_one_step_carry_one_time_and_the_order_after_it(desk: Desk) -> None:
    """pending_new, new, trade, filled: each with its own view."""
    desk.events.clear()
    desk.place(ask_for("buy", "0.5"))
    said = [event for event in desk.events if isinstance(event, OrderEvent)]

    assert [(one.kind, one.order.filled, one.order.status) for one in said] == [
        ("pending_new", 0, "open"),
        ("new", 0, "open"),
        ("trade", d("0.5"), "open"),
        ("filled", d("0.5"), "closed"),
    ]


@pytest.mark.parametrize(
    ("price", "quantity", "decimals", "cost"),
    [
        ("60508.7", "0.00006", 5, "3.63052"),
        ("60508.75", "0.00006", 5, "3.63053"),
        ("100.5", "0.00001", 2, "0.00"),
        ("0.5", "0.01", 2, "0.01"),
    ],
)
def test_cost_and_fee_round_half_up(price: str, quantity: str, decimals: int, cost: str) -> None:
    """Section 12: half goes up, which rules out half-even and truncation."""
    spec = replace(BTC_USD, cost_decimals=decimals, pair_decimals=2, tick_size=d("0.01"))
    spec = replace(spec, ordermin=d("0.00001"), costmin=d("0"))
    desk = Desk(spec=spec)
    desk.hear(snapshot([], [f"{price} 1.00000000"]))
    desk.place(ask_for("buy", quantity))

    assert desk.trades()[-1].cost == d(cost)
