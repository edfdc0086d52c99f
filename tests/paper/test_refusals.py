"""Every refusal in Kraken's own words, and that a refusal changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from paper_desk import START, Desk, ask_for, d, snapshot, stop, traded
from zoe_tools.paper.values.events import SystemMode
from zoe_tools.paper.values.order import (
    ConditionalClose,
    OrderType,
    PlaceOrder,
    Price,
    RelativePrice,
)
from zoe_tools.paper.values.refusal import Refusal


def _desk() -> Desk:
    desk = Desk(usd="50000", btc="1")
    desk.hear(snapshot(["69999.9 1.0"], ["70000.1 1.0"]), traded("70000.0", "0.1"))
    return desk


def _memory(desk: Desk) -> Any:
    account = desk.account()
    return (
        dict(account.balances),
        dict(account.open),
        dict(account.reserves),
        dict(desk.floor.mint.counters),
        desk.floor.books["BTC/USD"].displayed("buy", 10),
    )


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (ask_for("buy", "0.00004999", "70000.0"), "EOrder:Order minimum not met"),
        (ask_for("buy", "0.00005", "9000.0"), "EOrder:Cost minimum not met"),
        (ask_for("buy", "0.000050001", "70000.0"), "EGeneral:Invalid arguments:volume"),
        (ask_for("buy", "0", "70000.0"), "EGeneral:Invalid arguments:volume"),
        (ask_for("buy", "-1", "70000.0"), "EGeneral:Invalid arguments:volume"),
        (ask_for("buy", "NaN", "70000.0"), "EGeneral:Invalid arguments:volume"),
        (ask_for("buy", "1E+13", "70000.0"), "EGeneral:Invalid arguments:volume"),
        (ask_for("buy", "0.1", "70000.05"), "EOrder:Invalid price"),
        (ask_for("buy", "0.1", "-5"), "EOrder:Invalid price"),
        (ask_for("buy", "0.1", "Infinity"), "EOrder:Invalid price"),
        (ask_for("buy", "1", "70000.0"), "EOrder:Insufficient funds"),
        (ask_for("buy", "0.8"), "EOrder:Insufficient funds"),
        (ask_for("buy", "1E+12", "1000000000000.0"), "EOrder:Insufficient funds"),
        (ask_for("buy", "1E+12"), "EOrder:Insufficient funds"),
        (stop("buy", "1E+12", "1000000000000.0"), "EOrder:Insufficient funds"),
        (ask_for("sell", "1.1", "70000.0"), "EOrder:Insufficient funds"),
        (ask_for("sell", "1.1"), "EOrder:Insufficient funds"),
        (stop("sell", "1.1", "60000.0"), "EOrder:Insufficient funds"),
        (ask_for("buy", "0.1", "70000.1", is_post_only=True), "EOrder:Post only order"),
        (ask_for("buy", "0.1", is_post_only=True), "EGeneral:Invalid arguments:oflags"),
        (ask_for("buy", "0.1", symbol="ABC/USD"), "EQuery:Unknown asset pair"),
        (ask_for("buy", "0.1", order_type="limit"), "EGeneral:Invalid arguments:price"),
        (stop("sell", "0.1", "1", trigger_price=None), "EGeneral:Invalid arguments:price"),
        (
            ask_for("buy", "0.1", "69000.0", time_in_force="gtd"),
            "EGeneral:Invalid arguments:expiretm",
        ),
        (
            ask_for("buy", "0.1", "69000.0", time_in_force="gtd", expire_at=START),
            "EGeneral:Invalid arguments:expiretm",
        ),
        (
            ask_for("buy", "0.1", "69000.0", cl_ord_id="a", userref=1),
            "EGeneral:Invalid arguments:cl_ord_id",
        ),
        (
            ask_for("buy", "0.1", "69000.0", cl_ord_id="nineteen-characters"),
            "EGeneral:Invalid arguments:cl_ord_id",
        ),
        (
            ask_for("buy", "0.1", "69000.0", userref=2**31),
            "EGeneral:Invalid arguments:userref",
        ),
        (ask_for("buy", "0.1", "69000.0", deadline=START - 1), "EService:Deadline elapsed"),
        (
            ask_for("buy", "0.1", "69000.0", display_quantity=d("0.1")),
            "EGeneral:Invalid arguments:displayvol",
        ),
        (
            ask_for("buy", "0", quote_quantity=d("100"), display_quantity=d("1E+30")),
            "EGeneral:Invalid arguments:displayvol",
        ),
    ],
)
def test_a_bad_order_is_refused_in_krakens_words(request_: PlaceOrder, error: str) -> None:
    """One fault, one string, nothing changed."""
    desk = _desk()
    before = _memory(desk)
    with pytest.raises(Refusal) as refused:
        desk.place(request_)

    assert refused.value.error == error
    assert _memory(desk) == before


@pytest.mark.parametrize("value", ["1E+13", "-1E+13", "1E+999", "NaN", "-100000"])
@pytest.mark.parametrize("unit", ["quote", "pct"])
@pytest.mark.parametrize("field", ["limit_price", "trigger_price"])
def test_a_distance_beyond_all_prices_is_refused(field: str, value: str, unit: str) -> None:
    """Before any arithmetic is done with it; and one that leads below zero as well."""
    fields: dict[str, Any] = {"order_type": "stop-loss-limit", "limit_price": d("71000.0")}
    fields[field] = RelativePrice(value=d(value), is_percent=unit == "pct")
    desk = _desk()

    with pytest.raises(Refusal) as refused:
        desk.place(stop("buy", "0.1", "71000.0", **fields))

    assert refused.value.error == "EOrder:Invalid price"


@pytest.mark.parametrize("field", ["limit_price", "trigger_price"])
def test_an_amendment_beyond_all_prices_is_refused(field: str) -> None:
    """A waiting trailing stop is amended by distances."""
    desk = _desk()
    order = desk.place(
        stop(
            "sell",
            "0.1",
            "0",
            order_type="trailing-stop-limit",
            trigger_price=RelativePrice(value=d("1"), is_percent=True),
            limit_price=RelativePrice(value=d("-5")),
        )
    )

    with pytest.raises(Refusal) as refused:
        desk.amend(order, **{field: RelativePrice(value=d("1E+40"), is_percent=True)})

    assert refused.value.error == "EOrder:Invalid price"


@pytest.mark.parametrize(
    "price",
    [
        d("0"),
        d("-1"),
        d("1E-18"),
        d("1E+13"),
        d("71000.05"),
        RelativePrice(value=d("1E+30"), is_percent=True),
    ],
)
@pytest.mark.parametrize("order_type", ["limit", "stop-loss"])
def test_a_closing_price_that_could_never_be_is_refused_at_entry(
    order_type: OrderType, price: Price
) -> None:
    """A close that nobody can place would leave its fill unprotected, and say nothing."""
    is_limit = order_type == "limit"
    close = ConditionalClose(
        order_type=order_type,
        limit_price=price if is_limit else None,
        trigger_price=None if is_limit else price,
    )
    desk = _desk()

    with pytest.raises(Refusal) as refused:
        desk.place(ask_for("buy", "0.1", "69000.0", close=close))

    assert refused.value.error == "EOrder:Invalid price"


def test_an_off_tick_price_is_refused() -> None:
    """A tick larger than the price's last decimal."""
    desk = _desk()
    spec = desk.floor.books["BTC/USD"].spec
    desk.floor.books["BTC/USD"].spec = replace(spec, tick_size=d("0.5"))
    with pytest.raises(Refusal, match="EOrder:Tick size check failed"):
        desk.place(ask_for("buy", "0.1", "69000.1"))


def test_a_client_id_is_unique_among_open_orders_only() -> None:
    """A closed order does not block its id."""
    desk = _desk()
    first = desk.place(ask_for("buy", "0.1", "69000.0", cl_ord_id="grid-0001"))
    with pytest.raises(Refusal, match="cl_ord_id"):
        desk.place(ask_for("buy", "0.1", "69000.0", cl_ord_id="grid-0001"))
    desk.cancel(first)

    assert desk.place(ask_for("buy", "0.1", "69000.0", cl_ord_id="grid-0001")).is_open


def test_too_many_open_orders_are_refused() -> None:
    """The cap is per pair."""
    desk = _desk()
    desk.engine._max_open_orders = 1
    desk.place(ask_for("buy", "0.1", "69000.0"))
    with pytest.raises(Refusal, match="EOrder:Orders limit exceeded"):
        desk.place(ask_for("buy", "0.1", "69000.0"))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({}, "EOrder:No amendable parameters specified"),
        ({"limit_price": d("69000.00")}, "EOrder:No amendable parameters specified"),
        ({"trigger_price": d("1")}, "EGeneral:Invalid arguments:trigger_price"),
        ({"quantity": d("5")}, "EOrder:Insufficient funds"),
        (
            {"quantity": d("1E+12"), "limit_price": d("1000000000000.0")},
            "EOrder:Insufficient funds",
        ),
        ({"limit_price": d("70000.1"), "is_post_only": True}, "EOrder:Post only order"),
        ({"limit_price": d("69000.05")}, "EOrder:Invalid price"),
        ({"quantity": d("0.2"), "deadline": START - 1}, "EService:Deadline elapsed"),
    ],
)
def test_a_bad_amendment_is_refused(changes: dict[str, Any], error: str) -> None:
    """And the order stays as it was."""
    desk = _desk()
    order = desk.place(ask_for("buy", "0.1", "69000.0"))
    before = _memory(desk)
    with pytest.raises(Refusal) as refused:
        desk.amend(order, **changes)

    assert refused.value.error == error
    assert _memory(desk) == before


def test_amending_what_is_not_open_is_refused() -> None:
    """Section 8.4."""
    desk = _desk()
    order = desk.place(ask_for("buy", "0.1", "69000.0"))
    desk.cancel(order)
    with pytest.raises(Refusal, match="EOrder:Unknown order"):
        desk.amend(order, quantity=d("0.2"))


@pytest.mark.parametrize(
    ("mode", "let_in"),
    [
        ("online", "market limit post-only cancel"),
        ("maintenance", ""),
        ("cancel_only", "cancel"),
        ("post_only", "post-only cancel"),
        ("limit_only", "limit post-only cancel"),
    ],
)
def test_the_mode_decides_what_gets_in(mode: SystemMode, let_in: str) -> None:
    """The table of section 5."""
    desk = _desk()
    resting = desk.place(ask_for("buy", "0.01", "69000.0"))
    desk.engine.set_mode(mode, desk.now)
    acts: dict[str, Callable[[], object]] = {
        "market": lambda: desk.place(ask_for("buy", "0.01")),
        "limit": lambda: desk.place(ask_for("buy", "0.01", "69000.0")),
        "post-only": lambda: desk.place(ask_for("buy", "0.01", "69000.0", is_post_only=True)),
        "cancel": lambda: desk.cancel(resting),
    }

    assert [name for name, act in acts.items() if _passes(act)] == let_in.split()


def _passes(act: Callable[[], object]) -> bool:
    try:
        act()
    except Refusal:
        return False
    return True
