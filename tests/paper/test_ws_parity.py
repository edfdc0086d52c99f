"""Both dialects speak of the same orders: what one places, amends or edits, the other can too."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from paper_desk import RestDesk, snapshot, traded
from zoe_tools.paper.ws.session import Session

Row = dict[str, Any]

LIMIT_REST = {"type": "buy", "ordertype": "limit", "volume": "0.01", "price": "60000"}
LIMIT: Row = {"side": "buy", "order_type": "limit", "order_qty": 0.01, "limit_price": 60000}
STOP_REST = {"type": "sell", "ordertype": "stop-loss", "volume": "0.01", "price": "58000"}
STOP: Row = {
    "side": "sell",
    "order_type": "stop-loss",
    "order_qty": 0.01,
    "triggers": {"price": 58000.0},
}
UUID = "11112222-3333-4444-8555-666677778888"


def trigger(price: float, unit: str = "static") -> Row:
    """A trigger in short."""
    return {"price": price, "price_type": unit}


class Pen:
    """The private socket of a desk, as function calls."""

    def __init__(self, desk: RestDesk) -> None:
        self._token = desk.exchange.issue_token(desk.exchange.principals[0])
        self._heard: list[str] = []
        self._session = Session(desk.exchange, self._heard.append, door="private")

    def ask(self, method: str, **params: Any) -> list[Row]:
        """The answers to one request."""
        self._heard.clear()
        params["token"] = self._token
        self._session.handle(json.dumps({"method": method, "params": params, "req_id": 1}))
        return [json.loads(text, parse_float=Decimal) for text in self._heard]

    def add(self, **params: Any) -> str:
        """Place an order; its id, or the error."""
        (answer,) = self.ask("add_order", symbol="BTC/USD", **params)
        return str(answer["result"]["order_id"] if answer["success"] else answer["error"])


def trading_desk() -> RestDesk:
    """A desk at a market that trades at 70000, with leave to trade on margin."""
    desk = RestDesk()
    desk.exchange.allow_margin(desk.account_id, has_margin=True)
    desk.exchange.hear(snapshot(["69999.9 1.0"], ["70000.1 1.0"]))
    desk.exchange.hear(traded("70000.0", "0.1"))
    return desk


def told(desk: RestDesk, order_id: str) -> Row:
    """What REST says of an order, without its own id and times."""
    row = desk.private("QueryOrders", txid=order_id, trades="false")[order_id]
    return {name: value for name, value in row.items() if name != "cl_ord_id" or value}


@pytest.mark.parametrize(
    ("rest", "socket"),
    [
        (LIMIT_REST, LIMIT),
        ({**LIMIT_REST, "oflags": "post"}, LIMIT | {"post_only": True}),
        ({**LIMIT_REST, "oflags": "fcib"}, LIMIT | {"fee_preference": "base"}),
        ({**LIMIT_REST, "oflags": "fciq"}, LIMIT | {"fee_preference": "quote"}),
        ({**LIMIT_REST, "oflags": "nompp"}, LIMIT | {"no_mpp": True}),
        ({**LIMIT_REST, "userref": "-7"}, LIMIT | {"order_userref": -7}),
        ({**LIMIT_REST, "cl_ord_id": UUID}, LIMIT | {"cl_ord_id": UUID}),
        ({**LIMIT_REST, "timeinforce": "IOC"}, LIMIT | {"time_in_force": "ioc"}),
        ({**LIMIT_REST, "timeinforce": "FOK"}, LIMIT | {"time_in_force": "fok"}),
        ({**LIMIT_REST, "expiretm": "1767600060"}, LIMIT | {"expire_time": "2026-01-05T08:01:00Z"}),
        (
            {**LIMIT_REST, "timeinforce": "GTD", "expiretm": "+60"},
            LIMIT | {"time_in_force": "gtd", "expire_time": "2026-01-05T08:01:00Z"},
        ),
        ({**LIMIT_REST, "starttm": "+60"}, LIMIT | {"effective_time": "2026-01-05T08:01:00Z"}),
        ({**LIMIT_REST, "stptype": "cancel-both"}, LIMIT | {"stp_type": "cancel_both"}),
        (
            {**LIMIT_REST, "ordertype": "iceberg", "displayvol": "0.001"},
            LIMIT | {"order_type": "iceberg", "display_qty": 0.001},
        ),
        (
            {"type": "buy", "ordertype": "market", "volume": "0.01"},
            {"side": "buy", "order_type": "market", "order_qty": 0.01},
        ),
        (
            {"type": "buy", "ordertype": "market", "volume": "100", "oflags": "viqc"},
            {"side": "buy", "order_type": "market", "cash_order_qty": 100.0},
        ),
        ({**LIMIT_REST, "leverage": "5"}, LIMIT | {"margin": True}),
        (
            {**LIMIT_REST, "price": "70001", "leverage": "5:1"},
            LIMIT | {"limit_price": 70001, "margin": True},
        ),
        (STOP_REST, STOP),
        (STOP_REST, STOP | {"triggers": {"price": 58000, "reference": "last"}}),
        ({**STOP_REST, "price": "-1000"}, STOP | {"triggers": trigger(-1000, "quote")}),
        ({**STOP_REST, "price": "-2%"}, STOP | {"triggers": trigger(-2, "pct")}),
        (
            {**STOP_REST, "ordertype": "stop-loss-limit", "price2": "57900"},
            STOP | {"order_type": "stop-loss-limit", "limit_price": 57900.0},
        ),
        (
            {**STOP_REST, "ordertype": "take-profit", "price": "80000"},
            STOP | {"order_type": "take-profit", "triggers": {"price": 80000}},
        ),
        (
            {**STOP_REST, "ordertype": "take-profit-limit", "price": "80000", "price2": "79900"},
            STOP
            | {
                "order_type": "take-profit-limit",
                "triggers": trigger(80000),
                "limit_price": 79900.0,
            },
        ),
        (
            {**STOP_REST, "ordertype": "trailing-stop", "price": "+1%"},
            STOP | {"order_type": "trailing-stop", "triggers": trigger(1, "pct")},
        ),
        (
            {**STOP_REST, "ordertype": "trailing-stop", "price": "+500"},
            STOP | {"order_type": "trailing-stop", "triggers": trigger(500, "quote")},
        ),
        (
            {**STOP_REST, "ordertype": "trailing-stop-limit", "price": "+500", "price2": "-100"},
            STOP
            | {
                "order_type": "trailing-stop-limit",
                "triggers": trigger(500, "quote"),
                "limit_price": -100.0,
            },
        ),
        (
            {**STOP_REST, "ordertype": "trailing-stop-limit", "price": "+1%", "price2": "-0.1%"},
            STOP
            | {
                "order_type": "trailing-stop-limit",
                "triggers": trigger(1, "pct"),
                "limit_price": -0.1,
                "limit_price_type": "pct",
            },
        ),
        (
            {
                **LIMIT_REST,
                "close[ordertype]": "stop-loss-limit",
                "close[price]": "55000",
                "close[price2]": "54900",
            },
            LIMIT
            | {
                "conditional": {
                    "order_type": "stop-loss-limit",
                    "trigger_price": 55000,
                    "limit_price": 54900.0,
                }
            },
        ),
        (
            {**LIMIT_REST, "close[ordertype]": "trailing-stop", "close[price]": "+2%"},
            LIMIT
            | {
                "conditional": {
                    "order_type": "trailing-stop",
                    "trigger_price": 2,
                    "trigger_price_type": "pct",
                }
            },
        ),
        (
            {**LIMIT_REST, "close[ordertype]": "limit", "close[price]": "+5%"},
            LIMIT
            | {
                "conditional": {
                    "order_type": "limit",
                    "limit_price": 5.0,
                    "limit_price_type": "pct",
                }
            },
        ),
    ],
)
def test_an_order_is_the_same_order_in_both_dialects(rest: dict[str, str], socket: Row) -> None:
    """Section 11.3's map of names: what REST shows of the two differs in nothing."""
    by_rest, by_socket = trading_desk(), trading_desk()
    first = by_rest.private("AddOrder", pair="XBTUSD", **rest)["txid"][0]
    second = Pen(by_socket).add(**socket)

    assert told(by_rest, first) == told(by_socket, second)


TRAILING_REST = {**STOP_REST, "ordertype": "trailing-stop-limit", "price": "+500", "price2": "-100"}


@pytest.mark.parametrize(
    ("placed", "rest", "socket"),
    [
        (
            LIMIT_REST,
            {"order_qty": "0.02", "limit_price": "60001"},
            {"order_qty": 0.02, "limit_price": 60001},
        ),
        (LIMIT_REST, {"limit_price": "-1%"}, {"limit_price": -1, "limit_price_type": "pct"}),
        (LIMIT_REST, {"limit_price": "-70"}, {"limit_price": -70, "limit_price_type": "quote"}),
        (
            LIMIT_REST,
            {"limit_price": "60001", "post_only": "true"},
            {"limit_price": 60001, "post_only": True},
        ),
        (
            {**LIMIT_REST, "ordertype": "iceberg", "displayvol": "0.001"},
            {"display_qty": "0.002"},
            {"display_qty": 0.002},
        ),
        (STOP_REST, {"trigger_price": "59000"}, {"trigger_price": 59000.0}),
        (STOP_REST, {"trigger_price": "-3%"}, {"trigger_price": -3, "trigger_price_type": "pct"}),
        (TRAILING_REST, {"trigger_price": "+600"}, {"trigger_price": 600}),
        (TRAILING_REST, {"limit_price": "-50"}, {"limit_price": -50.0}),
        (
            TRAILING_REST,
            {"trigger_price": "+2%"},
            {"trigger_price": 2, "trigger_price_type": "pct"},
        ),
    ],
)
def test_an_amendment_is_the_same_in_both_dialects(
    placed: dict[str, str], rest: dict[str, str], socket: Row
) -> None:
    """Same order afterwards, same trail; the answer over the socket names the order too."""
    by_rest, by_socket = trading_desk(), trading_desk()
    (first,), (second,) = (
        desk.private("AddOrder", pair="XBTUSD", **placed)["txid"] for desk in (by_rest, by_socket)
    )
    amend_id = by_rest.private("AmendOrder", txid=first, **rest)["amend_id"]
    (answer,) = Pen(by_socket).ask("amend_order", order_id=second, **socket)

    assert answer["result"] == {"amend_id": amend_id, "order_id": second}
    assert told(by_rest, first) == told(by_socket, second)
    assert by_rest.private("OrderAmends", order_id=first) == by_socket.private(
        "OrderAmends", order_id=second
    )


@pytest.mark.parametrize(
    ("placed", "rest", "socket"),
    [
        (LIMIT_REST, {"volume": "0.02"}, {"order_qty": 0.02}),
        (LIMIT_REST, {"price": "59000"}, {"limit_price": 59000}),
        (LIMIT_REST, {"oflags": "post"}, {"post_only": True}),
        (LIMIT_REST, {"userref": "5"}, {"order_userref": 5}),
        (STOP_REST, {"price": "57000"}, {"triggers": trigger(57000)}),
        (TRAILING_REST, {"price": "+700"}, {"triggers": {"price": 700}}),
        (TRAILING_REST, {"price": "+3%"}, {"triggers": trigger(3, "pct")}),
    ],
)
def test_an_edit_is_the_same_in_both_dialects(
    placed: dict[str, str], rest: dict[str, str], socket: Row
) -> None:
    """A new order with the old one as its parent; the answer names both."""
    by_rest, by_socket = trading_desk(), trading_desk()
    (first,), (second,) = (
        desk.private("AddOrder", pair="XBTUSD", **placed)["txid"] for desk in (by_rest, by_socket)
    )
    edited = by_rest.private("EditOrder", pair="XBTUSD", txid=first, **rest)["txid"]
    (answer,) = Pen(by_socket).ask("edit_order", symbol="BTC/USD", order_id=second, **socket)

    assert answer["result"] == {"order_id": edited, "original_order_id": second}
    assert told(by_rest, edited) == told(by_socket, edited)


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({}, "Symbol(s) not found"),
        ({"symbol": "BTC/USD"}, "Order_id(s) not found"),
        ({"symbol": "BTC/USD", "order_id": "O"}, "EOrder:Invalid order"),
        ({"symbol": "BTC/USD", "order_id": 7}, "EGeneral:Invalid arguments:order_id"),
        (
            {"symbol": "BTC/USD", "order_id": "O", "reduce_only": True},
            "EGeneral:Invalid arguments:reduce_only",
        ),
        (
            {"symbol": "BTC/USD", "order_id": "O", "side": "buy"},
            "Unsupported field: 'side' for the given msg type: edit_order",
        ),
    ],
)
def test_an_edit_that_cannot_be_is_refused(params: Row, error: str) -> None:
    """In the socket's words, or the engine's."""
    (answer,) = Pen(trading_desk()).ask("edit_order", **params)

    assert (answer["success"], answer["error"]) == (False, error)


def test_an_edit_can_be_checked_only_and_may_change_the_fee_preference() -> None:
    """`validate` leaves the old order alone and names no new id; fees go to the new order."""
    desk = trading_desk()
    pen = Pen(desk)
    old = pen.add(**LIMIT)
    ask = {"symbol": "BTC/USD", "order_id": old, "fee_preference": "base"}
    (checked,) = pen.ask("edit_order", **ask, validate=True)
    (edited,) = pen.ask("edit_order", **ask)

    assert checked["result"] == {"order_id": "", "original_order_id": old}
    assert told(desk, edited["result"]["order_id"])["oflags"] == "fcib"


def test_the_dead_man_is_armed_and_disarmed_over_the_socket() -> None:
    """Section 8.7: he cancels everything, unless told otherwise in time; 0 disarms him."""
    desk = trading_desk()
    pen = Pen(desk)
    answers = [
        *pen.ask("cancel_all_orders_after", timeout=60),
        *pen.ask("cancel_all_orders_after", timeout=0),
        *pen.ask("cancel_all_orders_after", timeout=86_400),
        *pen.ask("cancel_all_orders_after"),
        *pen.ask("cancel_all_orders_after", timeout="60"),
    ]
    pen.add(**LIMIT)
    pen.ask("cancel_all_orders_after", timeout=60)
    desk.clock.ns += 61 * 10**9

    assert [answer.get("result", answer.get("error")) for answer in answers] == [
        {"currentTime": "2026-01-05T08:00:00Z", "triggerTime": "2026-01-05T08:01:00Z"},
        {"currentTime": "2026-01-05T08:00:00Z", "triggerTime": "0"},
        "EGeneral:Invalid timeout argument:above max",
        "Timeout(s) not found",
        "EGeneral:Invalid arguments:timeout",
    ]
    assert desk.private("OpenOrders") == {"open": {}}


def test_a_userref_cancels_all_that_carry_it_each_with_its_answer() -> None:
    """One response per order, all with the same req_id."""
    desk = trading_desk()
    pen = Pen(desk)
    orders = [pen.add(**LIMIT, order_userref=9) for _ in range(2)]
    answers = pen.ask("cancel_order", order_userref=[9])

    assert [answer["result"]["order_id"] for answer in answers] == orders
    assert [answer["req_id"] for answer in answers] == [1, 1]


def test_a_batch_is_judged_whole_and_then_placed_one_by_one() -> None:
    """An invalid member refuses all; what the engine refuses is told in its member's place."""
    desk = trading_desk()
    pen = Pen(desk)
    poor = LIMIT | {"order_qty": 99}
    crossing = LIMIT | {"limit_price": 70001, "post_only": True}
    (invalid,) = pen.ask("batch_add", symbol="BTC/USD", orders=[LIMIT, LIMIT | {"limit_price": 0}])
    (checked,) = pen.ask("batch_add", symbol="BTC/USD", orders=[LIMIT, LIMIT], validate=True)
    (twins,) = pen.ask("batch_add", symbol="BTC/USD", orders=[LIMIT | {"cl_ord_id": "a"}] * 2)
    before = desk.private("OpenOrders")
    (mixed,) = pen.ask("batch_add", symbol="BTC/USD", orders=[LIMIT, poor, crossing, STOP])
    first, second, third, fourth = mixed["result"]

    assert invalid["error"] == "EOrder:Invalid price"
    assert checked["result"] == [{"order_id": ""}] * 2
    assert twins["error"] == "EGeneral:Invalid arguments:cl_ord_id"
    assert before == {"open": {}}
    assert second == {"error": "EOrder:Insufficient funds"}
    assert third == {"error": "EOrder:Post only order"}
    assert set(desk.private("OpenOrders")["open"]) == {first["order_id"], fourth["order_id"]}


def test_nothing_is_traded_during_a_maintenance() -> None:
    """As over REST: unavailable, whatever the method."""
    desk = trading_desk()
    pen = Pen(desk)
    desk.exchange.set_mode("maintenance")
    answers = [
        *pen.ask("add_order", symbol="BTC/USD", **LIMIT),
        *pen.ask("cancel_all"),
        *pen.ask("cancel_order", order_id=["O"]),
        *pen.ask("cancel_all_orders_after", timeout=60),
    ]

    assert [answer["error"] for answer in answers] == ["EService:Unavailable"] * 4


def test_a_position_is_opened_reduced_and_settled_over_the_socket() -> None:
    """The most leverage of the pair, up to five; a settlement of 0 is of all there is."""
    desk = trading_desk()
    pen = Pen(desk)
    market: Row = {"order_type": "market", "order_qty": 0.2}
    opened = pen.add(**market, side="buy", margin=True)
    reduced = pen.add(**(market | {"order_qty": 0.05}), side="sell", margin=True, reduce_only=True)
    (position,) = desk.private("OpenPositions").values()
    settled = pen.add(order_type="settle-position", side="sell", order_qty=0, margin=True)

    assert told(desk, opened)["descr"]["leverage"] == "5:1"
    assert (position["ordertxid"], position["vol_closed"]) == (opened, "0.05000000")
    assert {told(desk, one)["status"] for one in (opened, reduced, settled)} == {"closed"}
    assert desk.private("OpenPositions") == []


@pytest.mark.parametrize(
    ("method", "params", "error"),
    [
        ("batch_add", {}, "Symbol(s) not found"),
        ("batch_add", {"symbol": "XBT/USD"}, "Currency pair not supported XBT/USD"),
        ("batch_add", {"symbol": "BTC/USD"}, "Orders(s) not found"),
        ("batch_add", {"symbol": "BTC/USD", "orders": LIMIT}, "EGeneral:Invalid arguments:orders"),
        ("batch_add", {"symbol": "BTC/USD", "orders": [1, 2]}, "EGeneral:Invalid arguments:orders"),
        *(
            (
                "batch_add",
                {"symbol": "BTC/USD", "orders": [LIMIT] * count},
                "EGeneral:Invalid arguments:orders",
            )
            for count in (1, 16)
        ),
        (
            "batch_add",
            {"symbol": "BTC/USD", "orders": [LIMIT, LIMIT | {"symbol": "BTC/USD"}]},
            "Unsupported field: 'symbol' for the given msg type: batch_add",
        ),
        (
            "batch_add",
            {"symbol": "BTC/USD", "orders": [LIMIT, LIMIT], "deadline": "2026-01-05T07:59:59Z"},
            "EService:Deadline elapsed",
        ),
        ("batch_cancel", {}, "Orders(s) not found"),
        ("batch_cancel", {"orders": ["O"]}, "EGeneral:Invalid arguments:orders"),
        ("batch_cancel", {"orders": ["O", 7]}, "EGeneral:Invalid arguments:orders"),
        ("batch_cancel", {"cl_ord_id": ["a", 7]}, "EGeneral:Invalid arguments:cl_ord_id"),
        ("batch_cancel", {"orders": ["O"] * 51}, "EGeneral:Invalid arguments:orders"),
        ("batch_cancel", {"orders": ["O", "9" * 30]}, "EOrder:Invalid order"),
        (
            "cancel_all",
            {"symbol": "BTC/USD"},
            "Unsupported field: 'symbol' for the given msg type: cancel_all",
        ),
    ],
)
def test_a_batch_that_cannot_be_is_refused(method: str, params: Row, error: str) -> None:
    """Whole, and nothing is placed."""
    desk = trading_desk()
    (answer,) = Pen(desk).ask(method, **params)

    assert (answer["success"], answer["error"]) == (False, error)
    assert desk.private("OpenOrders") == {"open": {}}


def test_a_batch_of_cancels_takes_ids_of_every_kind() -> None:
    """Order ids and user references in one list, client ids in another; what is open counts."""
    desk = trading_desk()
    pen = Pen(desk)
    by_id = pen.add(**LIMIT)
    for more in ({"order_userref": -3}, {"order_userref": -3}, {"cl_ord_id": "a"}):
        pen.add(**LIMIT, **more)
    kept = pen.add(**LIMIT)
    (answer,) = pen.ask("batch_cancel", orders=[by_id, "-3", "gone"], cl_ord_id=["a"])

    assert answer["result"] == {"count": 4}
    assert set(desk.private("OpenOrders")["open"]) == {kept}
