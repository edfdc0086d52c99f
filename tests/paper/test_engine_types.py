"""Order types and flags beyond limit and stop: each by the rule of the fact sheet."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from paper_desk import (
    START,
    Desk,
    RestDesk,
    StandingClock,
    ask_for,
    change,
    d,
    snapshot,
    stop,
    traded,
)
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.exchange.state import StateFile
from zoe_tools.paper.values.order import (
    ConditionalClose,
    EditOrder,
    OrderView,
    PlaceOrder,
    RelativePrice,
)
from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.values.times import NS


@pytest.fixture
def desk() -> Desk:
    """A desk in front of two levels a side, last trade at 70000.0."""
    made = Desk()
    made.hear(
        snapshot(
            ["69999.9 1.00000000", "69999.8 2.00000000"],
            ["70000.1 1.00000000", "70000.2 2.00000000"],
        ),
        traded("70000.0", "0.1"),
    )
    return made


def _away(text: str, **more: bool) -> RelativePrice:
    return RelativePrice(value=d(text), **more)


def _trail(desk: Desk, side: Any, away: RelativePrice, **more: Any) -> OrderView:
    wanted = {"order_type": "trailing-stop", "trigger_price": away, **more}
    return desk.place(ask_for(side, "0.1", **wanted))


# icebergs
def test_an_iceberg_shows_a_slice_and_refills_it_at_the_back(desk: Desk) -> None:
    """A fresh slice has a new time priority; only the slice is displayed."""
    desk.hear(change(bids=["70000.0 0"]))
    other = desk.open_account("other", usd="100000")
    iceberg = desk.place(
        ask_for("buy", "0.3", "70000.0", order_type="iceberg", display_quantity=d("0.1"))
    )
    behind = desk.place(ask_for("buy", "0.1", "70000.0"), other)
    book = desk.floor.books["BTC/USD"]
    assert book.displayed("buy", 1)[0] == (d("70000.0"), d("0.2"))

    desk.hear(traded("70000.0", "0.15"))

    assert (desk.order(iceberg).filled, desk.order(behind).filled) == (d("0.1"), d("0.05"))
    assert desk.order(iceberg).shown == d("0.1")
    assert "iceberg_refill" in desk.kinds()


def test_a_print_through_an_iceberg_takes_all_its_slices(desk: Desk) -> None:
    """Slices are display only: what trades through takes them one after another."""
    order = desk.place(
        ask_for("buy", "0.3", "70000.0", order_type="iceberg", display_quantity=d("0.1"))
    )
    desk.hear(traded("69999.0", "5"))

    assert desk.order(order).status == "closed"
    assert [one.quantity for one in desk.trades()] == [d("0.1")] * 3


# trailing stops
def test_a_trailing_stop_follows_the_peak_and_rounds_toward_it(desk: Desk) -> None:
    """One percent below 70123.4 is 69422.166: on the tick toward the peak, 69422.2."""
    order = _trail(desk, "sell", _away("1", is_percent=True))
    assert desk.order(order).trigger_price == d("69300.0")

    desk.hear(traded("70123.4", "0.1"))
    desk.hear(traded("69900.0", "0.1"))

    after = desk.order(order)
    assert (after.peak_price, after.trigger_price) == (d("70123.4"), d("69422.2"))
    assert desk.kinds().count("status") == 1


def test_a_trailing_stop_fires_at_its_stop_as_a_market_order(desk: Desk) -> None:
    """A fall by the distance from the peak triggers it; the word of misc is stopped."""
    order = _trail(desk, "sell", _away("100"))
    desk.hear(traded("69900.0", "0.1"))

    assert (desk.order(order).status, desk.order(order).flags) == ("closed", ("stopped",))


def test_a_trailing_stop_limit_rests_beside_its_stop(desk: Desk) -> None:
    """The limit is the trigger and its offset."""
    order = _trail(
        desk, "buy", _away("100"), order_type="trailing-stop-limit", limit_price=_away("-200")
    )
    assert desk.order(order).limit_price == d("69900.0")

    desk.hear(traded("70100.0", "0.1", "buy"))

    after = desk.order(order)
    assert (after.status, after.triggered_at, after.limit_price) == ("open", START, d("69900.0"))


# time in force and relative prices
@pytest.mark.parametrize(("quantity", "status"), [("3", "closed"), ("3.1", "canceled")])
def test_fill_or_kill_is_all_or_nothing(desk: Desk, quantity: str, status: str) -> None:
    """It trades whole, or not at all."""
    order = desk.place(ask_for("buy", quantity, "70000.2", time_in_force="fok"))

    assert (order.status, len(desk.trades()) > 0) == (status, status == "closed")


@pytest.mark.parametrize(
    ("request_", "field", "price"),
    [
        (ask_for("buy", "0.1", "1", limit_price=_away("-10")), "limit_price", "69990.0"),
        (
            ask_for("sell", "0.1", "1", limit_price=_away("0.5", is_percent=True)),
            "limit_price",
            "70350.0",
        ),
        (
            ask_for("buy", "0.1", "1", limit_price=_away("10", is_unsigned=True)),
            "limit_price",
            "69990.0",
        ),
        (
            stop("sell", "0.1", "1", trigger_price=_away("50", is_unsigned=True)),
            *("trigger_price", "69950.0"),
        ),
    ],
)
def test_relative_prices_start_from_the_last_price(
    desk: Desk, request_: PlaceOrder, field: str, price: str
) -> None:
    """`+`, `-`, `%` and `#` are resolved at entry."""
    assert getattr(desk.place(request_), field) == d(price)


# sizes and fees
def test_a_buy_sized_in_quote_costs_exactly_that(desk: Desk) -> None:
    """The cost is pinned, the volume follows, and the order is closed."""
    order = desk.place(ask_for("buy", "0", quote_quantity=d("15")))

    assert (order.status, order.cost, order.filled) == ("closed", d("15.00000"), d("0.00021429"))


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_fee_in_base_sits_on_the_base_leg(desk: Desk, side: Any) -> None:
    """Four tenths of a percent of 0.5."""
    order = desk.place(ask_for(side, "0.5", fee_asset="base"))
    quote, base = desk.rows()[-2:]

    assert (quote.fee, base.fee, order.fee_base) == (d("0"), d("0.002"), d("0.002"))
    assert desk.account().held("BTC") == 0


# closes, starts, refusals
def test_each_fill_opens_the_closing_order_of_its_size(desk: Desk) -> None:
    """Two fills, two independent orders on the other side, whose parent is told."""
    close = ConditionalClose(order_type="limit", limit_price=d("71000.0"))
    parent = desk.place(ask_for("buy", "1.5", "70000.2", close=close))
    children = list(desk.account().open.values())

    assert [one.quantity for one in children] == [d("1"), d("0.5")]
    assert {(one.parent_id, one.side) for one in children} == {(parent.order_id, "sell")}


def test_a_scheduled_order_is_pending_until_its_time(desk: Desk) -> None:
    """It is in no book before, and works from then on."""
    order = desk.place(ask_for("buy", "0.1", "70000.1", starts_at=START + 10 * NS))
    assert (order.status, desk.trades(), desk.kinds()[-1]) == ("pending", [], "pending_new")

    desk.events += desk.engine.expire(START + 10 * NS)

    assert desk.order(order).status == "closed"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"leverage": 5}, "EOrder:Cannot open position"),
        ({"is_reduce_only": True}, "EOrder:Reduce only:No position exists"),
        ({"order_type": "settle-position"}, "EOrder:Unknown position"),
        ({"display_quantity": Decimal("0.1")}, "EGeneral:Invalid arguments:displayvol"),
        ({"quote_quantity": Decimal(10)}, "EGeneral:Invalid arguments:viqc"),
        ({"starts_at": START}, "EGeneral:Invalid arguments:starttm"),
    ],
)
def test_what_makes_no_sense_is_refused(desk: Desk, changes: dict[str, Any], error: str) -> None:
    """In Kraken's words, and nothing has changed."""
    with pytest.raises(Refusal) as refused:
        desk.place(ask_for("buy", "1", "69000.0", **changes))

    assert refused.value.error == error
    assert desk.account().open == {}


# batches and edits
def test_a_batch_with_one_invalid_order_places_none(desk: Desk) -> None:
    """Validation is atomic."""
    with pytest.raises(Refusal) as refused:
        desk.engine.place_batch(
            desk.account_id,
            [ask_for("buy", "1", "69000.0"), ask_for("buy", "1", "69000.05")],
            START,
        )

    assert refused.value.error == "EOrder:Invalid price"
    assert desk.account().open == {}


@pytest.mark.parametrize("count", [1, 16])
def test_a_batch_has_two_to_fifteen_orders(desk: Desk, count: int) -> None:
    """Fewer or more are refused."""
    with pytest.raises(Refusal):
        desk.engine.place_batch(desk.account_id, [ask_for("buy", "1", "69000.0")] * count, START)


def test_the_engines_reasons_leave_the_other_orders_of_a_batch_alive(desk: Desk) -> None:
    """Funds and post-only are judged one by one."""
    answers, _ = desk.engine.place_batch(
        desk.account_id,
        [
            ask_for("buy", "1", "70000.1", is_post_only=True),
            ask_for("buy", "100", "69000.0"),
            ask_for("buy", "1", "69000.0"),
        ],
        START,
    )

    assert [str(one) for one in answers[:2]] == [
        "EOrder:Post only order",
        "EOrder:Insufficient funds",
    ]
    assert len(desk.account().open) == 1


def test_an_edit_makes_a_new_order_and_counts_the_old_ones_hold(desk: Desk) -> None:
    """All the money is in the old order; the new one has a new id and the old one's type."""
    order = desk.place(ask_for("sell", "10", "80000.0"))
    request = EditOrder(symbol="BTC/USD", order_id=order.order_id, limit_price=d("81000.0"))
    old, new, _ = desk.engine.edit(desk.account_id, request, START)

    assert (old.status, new.status, new.limit_price) == ("canceled", "open", d("81000.0"))
    assert new.order_id != old.order_id


def test_an_edit_that_is_refused_leaves_the_order_alone(desk: Desk) -> None:
    """More than there is money for."""
    order = desk.place(ask_for("sell", "5", "80000.0"))
    request = EditOrder(symbol="BTC/USD", order_id=order.order_id, quantity=d("11"))
    with pytest.raises(Refusal) as refused:
        desk.engine.edit(desk.account_id, request, START)

    assert refused.value.error == "EOrder:Insufficient funds"
    assert desk.order(order) == order


# the dead man's switch
def test_a_dead_mans_switch_outlives_a_restart_and_cancels_everything(tmp_path: Path) -> None:
    """The countdown is in the state file; the last word holds."""
    desk = RestDesk(state=StateFile(tmp_path / "exchange.sqlite3"))
    desk.exchange.add_order(desk.account_id, ask_for("buy", "0.01", "69000.0"))
    desk.exchange.cancel_after(desk.account_id, 5)
    _, at = desk.exchange.cancel_after(desk.account_id, 60)
    desk.exchange.close()
    clock = StandingClock(START + 59 * NS)
    again = PaperExchange(None, clock, state=StateFile(tmp_path / "exchange.sqlite3"))
    assert at == START + 60 * NS
    assert len(again.open_orders(desk.account_id)) == 1

    clock.ns = at

    assert again.open_orders(desk.account_id) == ()
    again.close()


@pytest.mark.parametrize(
    ("timeout_s", "error"),
    [
        (86_400, "EGeneral:Invalid timeout argument:above max"),
        (-1, "EGeneral:Invalid arguments:timeout"),
    ],
)
def test_a_countdown_is_shorter_than_a_day(timeout_s: int, error: str) -> None:
    """Zero disarms."""
    desk = RestDesk()
    with pytest.raises(Refusal) as refused:
        desk.exchange.cancel_after(desk.account_id, timeout_s)

    assert refused.value.error == error
    assert desk.exchange.cancel_after(desk.account_id, 0)[1] is None
