"""Execution reports of the private socket, field by field (section 11.1)."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from paper_desk import BTC_USD, RestDesk, ask_for, change, d, snapshot, stop, traded
from zoe_tools.paper.engine.ids import iban_of
from zoe_tools.paper.exchange.exchange import ExchangeOptions
from zoe_tools.paper.markets.pair_specs import spec_named
from zoe_tools.paper.values.market import PairSpec
from zoe_tools.paper.values.order import AmendOrder, ConditionalClose, PlaceOrder, RelativePrice
from zoe_tools.paper.values.times import NS
from zoe_tools.paper.ws.session import Session

Row = dict[str, Any]
MINUTE = 60 * NS
NOW = "2026-01-05T08:00:00.000000Z"
TRAIL = RelativePrice(value=Decimal(1), is_percent=True)
OFFSET = RelativePrice(value=Decimal(-50))


class Listener:
    """A desk at a market of 70000, and what its private socket says of executions."""

    def __init__(self, *, pairs: tuple[PairSpec, ...] = (BTC_USD,), **options: Any) -> None:
        self.desk = RestDesk(options=ExchangeOptions(tier="starter"), pairs=pairs)
        if BTC_USD in pairs:
            self.desk.exchange.hear(snapshot(["69999.9 1.0"], ["70000.1 1.0"]))
            self.desk.exchange.hear(traded("70000.0", "0.1"))
        self._options = options
        self._heard: list[str] = []
        self._session = Session(self.desk.exchange, self._heard.append, door="private")

    def listen(self, **options: Any) -> list[Row]:
        """Subscribe; the ack and what comes with it."""
        exchange = self.desk.exchange
        token = exchange.issue_token(exchange.principals[0])
        params = {"channel": "executions", "token": token, **self._options, **options}
        self._heard.clear()
        self._session.handle(json.dumps({"method": "subscribe", "params": params}))
        return self.heard()

    def heard(self) -> list[Row]:
        """The frames since the last call; numbers with a dot stay text."""
        frames = [json.loads(text, parse_float=str) for text in self._heard]
        self._heard.clear()
        return frames

    def rows(self) -> list[Row]:
        """Their rows."""
        return [row for frame in self.heard() for row in frame["data"]]

    def place(self, request: PlaceOrder) -> str:
        """Place an order; its id."""
        exchange, account_id = self.desk.exchange, self.desk.account_id
        return exchange.add_order(account_id, request).order_id


def trailing(limit: RelativePrice | None = None) -> PlaceOrder:
    """One percent behind."""
    kind = "trailing-stop" if limit is None else "trailing-stop-limit"
    return ask_for("sell", "0.01", order_type=kind, trigger_price=TRAIL, limit_price=limit)


def closing(**close: Any) -> PlaceOrder:
    """A buy that asks for an order on each of its fills."""
    return ask_for("buy", "0.01", "69000.0", close=ConditionalClose(**close))


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (
            ask_for("buy", "0.01", "69000.0", cl_ord_id="grid-0001", is_post_only=True),
            {"cl_ord_id": "grid-0001", "post_only": True, "limit_price_type": "static"},
        ),
        (ask_for("buy", "0.01", "69000.0", sender_sub_id="two"), {"sender_sub_id": "two"}),
        (
            ask_for("buy", "0.01", "69000.0", fee_asset="base", userref=-7),
            {"fee_ccy_pref": "fcib", "order_userref": -7},
        ),
        (
            ask_for("buy", "0.3", "69000.0", order_type="iceberg", display_quantity=d("0.1")),
            {"display_qty": "0.10000000", "display_qty_remain": "0.10000000"},
        ),
        (
            ask_for("buy", "0", quote_quantity=d("100")),
            {"order_type": "market", "cash_order_qty": "100.00000"},
        ),
        (
            ask_for("buy", "0.01", "69000.0", starts_at=1_767_600_060 * NS),
            {"effective_time": "2026-01-05T08:01:00Z", "order_status": "pending_new"},
        ),
        (
            ask_for("buy", "0.01", "69000.0", time_in_force="gtd", expire_at=1_767_600_060 * NS),
            {"expire_time": "2026-01-05T08:01:00Z", "time_in_force": "GTD"},
        ),
        (
            stop("sell", "0.01", "69000.0"),
            {
                "stop_price": "69000.0",
                "trigger": "last",
                "triggers": {
                    "reference": "last",
                    "price": "69000.0",
                    "price_type": "static",
                    "actual_price": "69000.0",
                    "status": "untriggered",
                },
            },
        ),
        (
            trailing(),
            {
                "stop_price": "69300.0",
                "triggers": {
                    "reference": "last",
                    "price": "1.0000",
                    "price_type": "pct",
                    "actual_price": "69300.0",
                    "peak_price": "70000.0",
                    "status": "untriggered",
                },
            },
        ),
        (trailing(OFFSET), {"limit_price": "-50.0", "limit_price_type": "quote"}),
        (
            closing(order_type="stop-loss-limit", trigger_price=d("68000"), limit_price=d("67900")),
            {
                "contingent": {
                    "order_type": "stop-loss-limit",
                    "trigger_price_type": "static",
                    "trigger_price": "68000.0",
                    "limit_price_type": "static",
                    "limit_price": "67900.0",
                }
            },
        ),
        (
            closing(order_type="trailing-stop", trigger_price=TRAIL),
            {
                "contingent": {
                    "order_type": "trailing-stop",
                    "trigger_price_type": "pct",
                    "trigger_price": "1.0000",
                }
            },
        ),
    ],
)
def test_the_first_report_says_everything_of_an_order(request_: PlaceOrder, fields: Row) -> None:
    """The `pending_new`: what came with the request, in the request's own terms."""
    listener = Listener()
    listener.listen()
    order_id = listener.place(request_)
    first = listener.rows()[0]

    assert (first["order_id"], first["exec_type"]) == (order_id, "pending_new")
    assert {name: first[name] for name in fields} == fields


def test_a_snapshot_repeats_what_the_first_report_said() -> None:
    """With the totals; who waits for his time is not new yet."""
    listener = Listener()
    listener.listen()
    for request in (
        trailing(OFFSET),
        closing(order_type="trailing-stop", trigger_price=TRAIL),
        ask_for("buy", "0.01", "69000.0", starts_at=1_767_600_060 * NS, is_post_only=True),
    ):
        listener.place(request)
    firsts = [row for row in listener.rows() if row["exec_type"] == "pending_new"]
    other = Listener()
    other.desk = listener.desk
    other._session = Session(other.desk.exchange, other._heard.append, door="private")
    _, frame = other.listen()
    totals = {"cum_qty": "0.00000000", "avg_price": "0.0"}
    steps = [("new", "new"), ("new", "new"), ("pending_new", "pending_new")]

    assert [(row["exec_type"], row["order_status"]) for row in frame["data"]] == steps
    assert frame["data"] == [
        first | totals | {"exec_type": kind, "order_status": status}
        for first, (kind, status) in zip(firsts, steps, strict=True)
    ]


def test_a_trailing_stop_tells_how_it_follows_and_when_it_fires() -> None:
    """`status` frames with the new peak and stop; the limit is a price once it has fired."""
    listener = Listener()
    listener.listen()
    listener.place(trailing(OFFSET))
    listener.rows()
    exchange = listener.desk.exchange
    exchange.hear(traded("71000.0", "0.1"))
    exchange.hear(change(bids=["69999.9 0", "60000.0 1"]))
    exchange.hear(traded("70290.0", "0.1"))
    moved, fired = listener.rows()

    assert (moved["exec_type"], moved["triggers"]["peak_price"]) == ("status", "71000.0")
    assert moved["triggers"]["actual_price"] == "70290.0"
    assert (fired["exec_type"], fired["triggers"]["status"]) == ("status", "triggered")
    assert (fired["triggered_price"], fired["triggers"]["last_price"]) == ("70290.0", "70290.0")
    assert (fired["limit_price_type"], fired["limit_price"]) == ("static", "70240.0")


def test_an_amended_trailing_stop_tells_its_new_distances_with_their_units() -> None:
    """In percent before, in quote now: stop and limit."""
    listener = Listener()
    listener.listen()
    order_id = listener.place(trailing(RelativePrice(value=Decimal(-1), is_percent=True)))
    listener.rows()
    away = RelativePrice(value=Decimal(600))
    request = AmendOrder(order_id=order_id, trigger_price=away, limit_price=OFFSET)
    listener.desk.exchange.amend_order(listener.desk.account_id, request)
    (row,) = listener.rows()

    assert (row["exec_type"], row["amended"], row["reason"]) == ("amended", True, "User requested")
    assert (row["limit_price_type"], row["limit_price"]) == ("quote", "-50.0")
    assert (row["triggers"]["price_type"], row["triggers"]["price"]) == ("quote", "600.0")
    assert row["triggers"]["actual_price"] == "69400.0"


def test_an_iceberg_tells_each_new_slice() -> None:
    """`iceberg_refill` after the trade that ate the last one."""
    listener = Listener()
    listener.listen()
    listener.place(
        ask_for("buy", "0.3", "70000.0", order_type="iceberg", display_quantity=d("0.1"))
    )
    listener.rows()
    listener.desk.exchange.hear(traded("69999.0", "0.1"))
    trade, refill = listener.rows()

    assert (trade["exec_type"], trade["liquidity_ind"]) == ("trade", "m")
    assert (refill["exec_type"], refill["order_status"]) == ("iceberg_refill", "partially_filled")
    assert refill["display_qty_remain"] == "0.10000000"


def test_a_fee_in_base_is_listed_in_base() -> None:
    """And worth what it is worth in dollars."""
    listener = Listener()
    listener.listen()
    listener.place(ask_for("buy", "0.01", "70000.1", fee_asset="base"))
    trade = listener.rows()[2]

    assert trade["fees"] == [{"asset": "BTC", "qty": "0.0000400000"}]
    assert trade["fee_usd_equiv"] == "2.80000"


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (ask_for("buy", "2", "70000.1", time_in_force="ioc"), "Immediate or cancel"),
        (ask_for("buy", "1.1", "70000.1", time_in_force="fok"), "Fill or kill"),
        (ask_for("sell", "1.5"), "No liquidity"),
    ],
)
def test_an_order_that_the_engine_ends_says_why(request_: PlaceOrder, reason: str) -> None:
    """Twice: `reason`, and the deprecated `cancel_reason`."""
    listener = Listener()
    listener.desk.exchange.deposit(listener.desk.account_id, "USD", d("200000"))
    listener.listen()
    listener.place(request_)
    last = listener.rows()[-1]

    assert (last["exec_type"], last["order_status"]) == ("canceled", "canceled")
    assert (last["reason"], last["cancel_reason"]) == (reason, reason)


def test_an_order_expires_and_a_dead_man_cancels() -> None:
    """Each in its own words."""
    listener = Listener()
    listener.listen()
    exchange, account_id = listener.desk.exchange, listener.desk.account_id
    listener.place(
        ask_for("buy", "0.01", "69000.0", time_in_force="gtd", expire_at=exchange.now() + MINUTE)
    )
    listener.place(ask_for("buy", "0.01", "69000.0"))
    exchange.cancel_after(account_id, 120)
    listener.rows()
    listener.desk.clock.ns += 3 * MINUTE
    exchange.open_orders(account_id)

    assert [(row["exec_type"], row["reason"]) for row in listener.rows()] == [
        ("expired", "Order expired"),
        ("canceled", "Dead man's switch"),
    ]


def test_a_closing_order_names_its_parent() -> None:
    """`ord_ref_id` is the order whose fill opened it."""
    listener = Listener()
    listener.listen()
    request = ask_for("buy", "0.01", "70000.1")
    close = ConditionalClose(order_type="stop-loss", trigger_price=d("60000"))
    parent = listener.place(PlaceOrder(**{**_fields(request), "close": close}))
    rows = [row for row in listener.rows() if row["exec_type"] == "pending_new"]

    assert [row.get("ord_ref_id") for row in rows] == [None, parent]


def _fields(request: PlaceOrder) -> Row:
    return {name: getattr(request, name) for name in ("symbol", "side", "order_type")} | {
        "quantity": request.quantity,
        "limit_price": request.limit_price,
    }


def test_the_condensed_stream_begins_with_everything() -> None:
    """Without `pending_new` it is `new` that says what the order is."""
    listener = Listener(order_status=False)
    listener.listen()
    order_id = listener.place(ask_for("buy", "0.01", "69000.0", is_post_only=True))
    listener.desk.exchange.cancel_order(listener.desk.account_id, order_id=order_id)
    new, ended = listener.rows()

    assert (new["exec_type"], new["order_status"], new["post_only"]) == ("new", "new", True)
    assert (new["limit_price"], ended["exec_type"]) == ("69000.0", "canceled")


def test_who_hears_all_users_is_told_whose_each_row_is_and_nothing_of_the_past() -> None:
    """`users: all`: no snapshot; anything else is no value."""
    listener = Listener()
    listener.place(ask_for("buy", "0.01", "69000.0"))
    (refused,) = listener.listen(users="some")
    acks = listener.listen(users="all")
    listener.place(ask_for("buy", "0.01", "69000.0"))
    rows = listener.rows()

    assert refused["error"] == "EGeneral:Invalid arguments:users"
    assert [ack["result"]["snap_orders"] for ack in acks] == [False]
    assert {row["user"] for row in rows} == {iban_of(listener.desk.account_id)}
    assert iban_of("A00001") == "AA00 N00G 00A0 0001"


@pytest.mark.parametrize(
    ("options", "orders", "trades"),
    [
        ({}, True, False),
        ({"snap_orders": False}, False, False),
        ({"snap_trades": True}, True, True),
        ({"snapshot": False}, False, False),
        ({"snapshot_trades": True}, True, True),
        ({"snap_orders": True, "snapshot": False}, True, False),
        ({"snap_orders": False, "snap_trades": True}, False, True),
    ],
)
def test_a_snapshot_holds_what_was_asked_for(options: Row, orders: bool, trades: bool) -> None:  # noqa: FBT001 - rows of a table
    """The old names count where the new ones say nothing; asked for nothing, there is none."""
    listener = Listener(**options)
    listener.place(ask_for("buy", "0.01", "70000.1"))
    listener.place(ask_for("buy", "0.01", "69000.0"))
    ack, *frames = listener.listen()
    kinds = {row["exec_type"] for frame in frames for row in frame["data"]}

    assert (ack["result"]["snap_orders"], ack["result"]["snap_trades"]) == (orders, trades)
    assert kinds == ({"new"} if orders else set()) | ({"trade"} if trades else set())
    assert len(frames) == (orders or trades)


def test_the_rate_counter_is_told_on_request() -> None:
    """The engine's counter of the pair, after what the report is of; it falls with time."""
    silent, listener = Listener(), Listener(ratecounter=True)
    acks = [each.listen()[0]["result"] for each in (silent, listener)]
    for each in (silent, listener):
        order_id = each.place(ask_for("buy", "0.01", "69000.0"))
        each.desk.clock.ns += 2 * NS
        each.desk.exchange.cancel_order(each.desk.account_id, order_id=order_id)

    assert [ack["maxratecount"] for ack in acks] == [60, 60]
    assert [row.get("ratecount") for row in silent.rows()] == [None] * 3
    assert [row["ratecount"] for row in listener.rows()] == ["1.00", "1.00", "8.00"]


def test_fees_of_other_quotes_are_told_in_dollars_too() -> None:
    """At what the quote last traded for; what is listed in `fees` stays in the quote."""
    pairs = tuple(spec_named(name) for name in ("BTC/EUR", "EUR/USD"))
    listener = Listener(pairs=pairs)
    exchange, account_id = listener.desk.exchange, listener.desk.account_id
    exchange.deposit(account_id, "EUR", d("100000"))
    for event in (
        snapshot(["69999.9 1.0"], ["70000.0 1.0"]),
        replace(traded("1.25", "100"), symbol="EUR/USD"),
    ):
        exchange.hear(replace(event, symbol="BTC/EUR") if event.symbol == "BTC/USD" else event)
    order = exchange.add_order(account_id, ask_for("buy", "0.01", "70000.0", symbol="BTC/EUR"))
    _, snap = listener.listen(snap_trades=True)
    exchange.add_order(account_id, ask_for("buy", "0.02", "70000.0", symbol="BTC/EUR"))
    trade = listener.rows()[2]

    assert [row["fee_usd_equiv"] for row in snap["data"]] == ["3.50000"]
    assert snap["data"][0]["order_id"] == order.order_id
    assert trade["fees"] == [{"asset": "EUR", "qty": "5.60000"}]
    assert trade["fee_usd_equiv"] == "7.00000"
