"""The trading methods of the paper exchange's WebSocket (section 11.3)."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paper_desk import snapshot
from paper_socket import SocketDesk, Wire, at_desk
from zoe_tools.paper.exchange.faults import FaultRule

Frame = dict[str, Any]

BOOK = snapshot(["69999.0 1.00000000"], ["70000.1 0.30000000"])
LIMIT: Frame = {
    "order_type": "limit",
    "side": "buy",
    "symbol": "BTC/USD",
    "order_qty": 0.01,
    "limit_price": 60000.0,
}
STOP: Frame = {
    "order_type": "stop-loss-limit",
    "side": "sell",
    "symbol": "BTC/USD",
    "order_qty": 0.01,
    "limit_price": 68900.0,
    "triggers": {"reference": "last", "price": 69000.0, "price_type": "static"},
    "cl_ord_id": "arb-20260105-0001",
}
ORDER_ID = re.compile(r"O[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{6}")


async def trading(desk: SocketDesk) -> Wire:
    """A private connection over a market with a book."""
    desk.hear(BOOK)
    return await desk.connect(is_private=True)


def answered(*params: Frame) -> list[Frame]:
    """The answers to add_order with each of these parameters, one after the other."""

    async def story(desk: SocketDesk) -> list[Frame]:
        wire = await trading(desk)
        answers: list[Frame] = []
        for each in params:
            answers += await wire.ask("add_order", 42, **({"token": desk.token} | each))
        return answers

    return at_desk(story)


def test_a_placed_order_is_answered_with_its_ids() -> None:
    """The venue's id always, the client's where one was given."""
    (plain, stop) = answered(LIMIT, STOP)

    assert ORDER_ID.fullmatch(plain["result"].pop("order_id"))
    assert plain == {
        "method": "add_order",
        "req_id": 42,
        "result": {},
        "success": True,
        "time_in": "2026-01-05T08:00:00.000000Z",
        "time_out": "2026-01-05T08:00:00.000000Z",
    }
    assert stop["result"]["cl_ord_id"] == "arb-20260105-0001"


def test_validate_checks_and_places_nothing() -> None:
    """The order id is empty, and nothing is open."""

    async def story(desk: SocketDesk) -> tuple[list[Frame], int]:
        wire = await trading(desk)
        answers = await wire.ask("add_order", **LIMIT, token=desk.token, validate=True)
        return answers, len(desk.exchange.open_orders(desk.account_id))

    (answer,), open_orders = at_desk(story)

    assert (answer["result"], open_orders) == ({"order_id": ""}, 0)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"token": None}, "Token(s) not found"),
        ({"token": "stranger"}, "ESession:Invalid session"),
        ({"symbol": None}, "Symbol(s) not found"),
        ({"symbol": "XBT/USD"}, "Currency pair not supported XBT/USD"),
        ({"order_qty": None}, "Order_qty(s) not found"),
        ({"order_qty": "0.01"}, "Order_qty field must be a number_float"),
        ({"order_qty": True}, "Order_qty field must be a number_float"),
        ({"limit_price": "60000"}, "Limit_price field must be a number_float"),
        ({"limit_price": None}, "Limit_price(s) not found"),
        ({"order_type": "stop-loss", "limit_price": None}, "Stop_price(s) not found"),
        ({"order_type": "sometimes"}, "EGeneral:Invalid arguments:order_type"),
        ({"side": "hold"}, "EGeneral:Invalid arguments:side"),
        ({"side": None}, "Side(s) not found"),
        ({"leverage": 2}, "Unsupported field: 'leverage' for the given msg type: add_order"),
        ({"margin": 1}, "EGeneral:Invalid arguments:margin"),
        ({"reduce_only": True}, "EOrder:Reduce only:No position exists"),
        ({"cash_order_qty": 100}, "EGeneral:Invalid arguments:cash_order_qty"),
        ({"cash_order_qty": "100"}, "Cash_order_qty field must be a number_float"),
        ({"order_qty": None, "cash_order_qty": 100}, "EGeneral:Invalid arguments:viqc"),
        ({"conditional": "limit"}, "EGeneral:Invalid arguments:conditional"),
        ({"conditional": {"limit_price": 1}}, "Order_type(s) not found"),
        ({"conditional": {"order_type": "limit"}}, "EGeneral:Invalid arguments:close[price]"),
        (
            {"conditional": {"order_type": "market"}},
            "EGeneral:Invalid arguments:close[ordertype]",
        ),
        (
            {"conditional": {"order_type": "trailing-stop", "trigger_price": 5}},
            "EGeneral:Invalid arguments:close[price]",
        ),
        (
            {"conditional": {"order_type": "limit", "limit_price": 1}, "cl_ord_id": "a"},
            "EGeneral:Invalid arguments:cl_ord_id",
        ),
        (
            {"conditional": {"order_type": "limit", "price": 1}},
            "Unsupported field: 'price' for the given msg type: add_order",
        ),
        ({"fee_preference": "both"}, "EGeneral:Invalid arguments:fee_preference"),
        ({"stp_type": "cancel-both"}, "EGeneral:Invalid arguments:stp_type"),
        ({"stp_type": "cancel_some"}, "EGeneral:Invalid arguments:stp_type"),
        ({"limit_price_type": "pct"}, "EGeneral:Invalid arguments:limit_price_type"),
        ({"limit_price_type": "moon"}, "EGeneral:Invalid arguments:limit_price_type"),
        ({"display_qty": 0.001}, "EGeneral:Invalid arguments:displayvol"),
        ({"display_qty": "0.001"}, "Display_qty field must be a number_float"),
        (
            {"order_type": "iceberg", "display_qty": 0.0001},
            "EGeneral:Invalid arguments:displayvol",
        ),
        ({"effective_time": "2026-03-05T08:00:00Z"}, "EGeneral:Invalid arguments:effective_time"),
        ({"effective_time": 1767600060}, "EGeneral:Invalid arguments:effective_time"),
        ({"effective_time": "2026-01-05T07:00:00Z"}, "EGeneral:Invalid arguments:starttm"),
        ({"expire_time": "2026-03-05T08:00:00Z"}, "EGeneral:Invalid arguments:expire_time"),
        ({"expire_time": "2026-01-05T07:00:00Z"}, "EGeneral:Invalid arguments:expiretm"),
        ({"time_in_force": "gtd"}, "EGeneral:Invalid arguments:expiretm"),
        ({"no_mpp": "yes"}, "EGeneral:Invalid arguments:no_mpp"),
        ({"sender_sub_id": 7}, "EGeneral:Invalid arguments:sender_sub_id"),
        ({"cl_ord_id": "a", "order_userref": 1}, "EGeneral:Invalid arguments:cl_ord_id"),
        ({"cl_ord_id": "nineteen-characters"}, "EGeneral:Invalid arguments:cl_ord_id"),
        ({"order_userref": 2**31}, "EGeneral:Invalid arguments:userref"),
        ({"time_in_force": "now"}, "EGeneral:Invalid arguments:time_in_force"),
        ({"deadline": "soon"}, "EGeneral:Invalid arguments:deadline"),
        ({"deadline": "2026-01-05T08:00:00"}, "EGeneral:Invalid arguments:deadline"),
        ({"deadline": "2026-01-05T08:01:01Z"}, "EGeneral:Invalid arguments:deadline"),
        ({"deadline": "2026-01-05T07:59:59Z"}, "EService:Deadline elapsed"),
        ({"order_qty": 0.00001}, "EOrder:Order minimum not met"),
        ({"order_qty": 100}, "EOrder:Insufficient funds"),
        ({"limit_price": 60000.05}, "EOrder:Invalid price"),
        ({"limit_price": 70001, "post_only": True}, "EOrder:Post only order"),
        ({"post_only": 1}, "EGeneral:Invalid arguments:post_only"),
        ({"order_userref": "seven"}, "EGeneral:Invalid arguments:order_userref"),
        ({"limit_price": 1e400}, "Malformed request"),
    ],
)
def test_an_order_that_cannot_be_is_refused_in_krakens_words(change: Frame, error: str) -> None:
    """The error is one string, the request's id is echoed, nothing is placed."""
    params = {name: value for name, value in (LIMIT | change).items() if value is not None}
    (answer,) = answered(params | ({"token": None} if change == {"token": None} else {}))

    assert (answer["error"], answer["success"]) == (error, False)
    assert "result" not in answer


@pytest.mark.parametrize(
    ("triggers", "error"),
    [
        ({"reference": "index", "price": 1}, "EGeneral:Invalid arguments:Index unavailable"),
        ({"price": 1, "price_type": "far"}, "EGeneral:Invalid arguments:price_type"),
        ({"price": 1, "reference": "mark"}, "EGeneral:Invalid arguments:reference"),
        ({"price": 1, "prize": 2}, "Unsupported field: 'prize' for the given msg type: add_order"),
        ({"reference": "last"}, "Stop_price(s) not found"),
        ("69000", "EGeneral:Invalid arguments:triggers"),
        ({"price": "69000"}, "Price field must be a number_float"),
    ],
)
def test_a_trigger_that_cannot_be_is_refused(triggers: Any, error: str) -> None:
    """The index is not available here, which Kraken says of many a pair too."""
    (answer,) = answered(STOP | {"triggers": triggers})

    assert answer["error"] == error


def test_integers_are_numbers_too() -> None:
    """`60000` for `60000.0`, and a deadline inside its minute."""
    (answer,) = answered(LIMIT | {"limit_price": 60000, "deadline": "2026-01-05T08:00:59.5Z"})

    assert answer["success"] is True


def test_deadlines_are_by_the_clock_that_the_exchange_tells() -> None:
    """Two minutes ahead: half a minute from then is near, half a minute from now has passed."""

    async def story(desk: SocketDesk) -> list[Frame]:
        wire = await trading(desk)
        desk.exchange.arm_fault(FaultRule(name="clock-skew", for_s=60, delay_s=120))
        order = LIMIT | {"token": desk.token}
        return [
            *await wire.ask("add_order", **order, deadline="2026-01-05T08:02:30Z"),
            *await wire.ask("add_order", **order, deadline="2026-01-05T08:00:30Z"),
            *await wire.ask("add_order", **order, deadline="2026-01-05T08:03:30Z"),
        ]

    assert [answer.get("error") for answer in at_desk(story)] == [
        None,
        "EService:Deadline elapsed",
        "EGeneral:Invalid arguments:deadline",
    ]


def test_a_cancel_is_answered_once_for_every_id() -> None:
    """All answers carry the same req_id; an unknown id is an error of its own."""

    async def story(desk: SocketDesk) -> list[Frame]:
        wire = await trading(desk)
        token: Frame = {"token": desk.token}
        (first,) = await wire.ask("add_order", **LIMIT, **token)
        await wire.ask("add_order", **(LIMIT | {"cl_ord_id": "grid-0001"}), **token)
        await wire.ask("add_order", **(LIMIT | {"order_userref": 9}), **token)
        answers = await wire.ask(
            "cancel_order",
            8,
            order_id=[first["result"]["order_id"], "OAAAAA-BBBBB-CCCCCC"],
            cl_ord_id=["grid-0001"],
            order_userref=[9],
            **token,
        )
        for answer in answers:
            answer.get("result", {}).pop("order_id", None)
        assert desk.exchange.open_orders(desk.account_id) == ()
        return answers

    answers = at_desk(story)

    assert [answer["req_id"] for answer in answers] == [8] * 4
    assert [answer.get("result", answer.get("error")) for answer in answers] == [
        {},
        "EOrder:Invalid order",
        {"cl_ord_id": "grid-0001"},
        {"order_userref": 9},
    ]


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({}, "Order_id(s) not found"),
        ({"order_id": []}, "Order_id(s) not found"),
        ({"order_id": "OAAAAA-BBBBB-CCCCCC"}, "EGeneral:Invalid arguments:order_id"),
        ({"order_id": [7]}, "EGeneral:Invalid arguments:order_id"),
        ({"all": True}, "Unsupported field: 'all' for the given msg type: cancel_order"),
    ],
)
def test_a_cancel_that_names_nothing_is_refused(params: Frame, error: str) -> None:
    """Ids come as lists."""

    async def story(desk: SocketDesk) -> list[Frame]:
        wire = await trading(desk)
        return await wire.ask("cancel_order", token=desk.token, **params)

    assert [answer["error"] for answer in at_desk(story)] == [error]


def test_an_amend_is_answered_with_the_id_it_was_asked_by() -> None:
    """The amend has an id of its own; the order keeps its."""

    async def story(desk: SocketDesk) -> tuple[list[Frame], str]:
        wire = await trading(desk)
        token: Frame = {"token": desk.token}
        await wire.ask("add_order", **(LIMIT | {"cl_ord_id": "grid-0001"}), **token)
        answers = await wire.ask("amend_order", cl_ord_id="grid-0001", limit_price=60010.0, **token)
        (order,) = desk.exchange.open_orders(desk.account_id)
        return answers, str(order.limit_price)

    (answer,), price = at_desk(story)

    assert set(answer["result"]) == {"amend_id", "cl_ord_id"}
    assert re.fullmatch(r"T[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{6}", answer["result"]["amend_id"])
    assert price == "60010.0"


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"limit_price": 1}, "Order_id(s) not found"),
        ({"order_id": "O", "cl_ord_id": "c"}, "EGeneral:Invalid arguments:cl_ord_id"),
        ({"order_id": "O", "limit_price": 1}, "EOrder:Unknown order"),
        ({"order_id": "O", "display_qty": "1"}, "Display_qty field must be a number_float"),
        ({"order_id": "O", "symbol": "XBT/USD"}, "Currency pair not supported XBT/USD"),
        (
            {"order_id": "O", "trigger_price_type": "far"},
            "EGeneral:Invalid arguments:trigger_price_type",
        ),
    ],
)
def test_an_amend_that_cannot_be_is_refused(params: Frame, error: str) -> None:
    """One id, prices in a unit that exists, an order that is open."""

    async def story(desk: SocketDesk) -> list[Frame]:
        wire = await trading(desk)
        return await wire.ask("amend_order", token=desk.token, **params)

    assert [answer["error"] for answer in at_desk(story)] == [error]


def test_cancel_all_counts_what_it_cancelled() -> None:
    """Every open order of the account, whichever way it came."""

    async def story(desk: SocketDesk) -> list[Frame]:
        wire = await trading(desk)
        for _ in range(3):
            await wire.ask("add_order", **LIMIT, token=desk.token)
        return await wire.ask("cancel_all", token=desk.token)

    (answer,) = at_desk(story)

    assert answer["result"] == {"count": 3}


def test_executions_and_the_answer_come_over_the_same_connection() -> None:
    """Whoever trades and listens hears both."""

    async def story(desk: SocketDesk) -> list[Frame]:
        wire = await trading(desk)
        await wire.ask("subscribe", channel="executions", token=desk.token)
        return await wire.ask("add_order", **(LIMIT | {"limit_price": 70001}), token=desk.token)

    frames = at_desk(story)
    kinds = [frame["data"][0]["exec_type"] for frame in frames if "data" in frame]

    assert kinds == ["pending_new", "new", "trade", "filled"]
    assert sum(frame.get("method") == "add_order" for frame in frames) == 1


_ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**30),
    st.text(max_size=8),
    st.sampled_from(["BTC/USD", "buy", "limit", "stop-loss", "executions", "book", "1e400", ""]),
)
_VALUES = st.recursive(
    _ODD,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=5,
)
_NAMES = st.sampled_from(
    [
        *("channel", "symbol", "depth", "snapshot", "token", "order_type", "side", "order_qty"),
        *("limit_price", "triggers", "deadline", "expire_time", "cl_ord_id", "order_userref"),
        *("order_id", "trigger_price", "event_trigger", "margin", "validate", "conditional"),
        *("stp_type", "time_in_force", "orders", "timeout", "display_qty", "cash_order_qty"),
        *("limit_price_type", "trigger_price_type", "effective_time", "fee_preference", "users"),
        *("interval", "snap_orders", "ratecounter"),
    ]
)
_METHODS = st.sampled_from(
    [
        *("ping", "subscribe", "unsubscribe", "add_order", "amend_order", "edit_order"),
        *("cancel_order", "cancel_all", "cancel_all_orders_after", "batch_add", "batch_cancel"),
    ]
)
_SOUND: Frame = LIMIT | {
    "order_id": "OAAAAA-BBBBB-CCCCCC",
    "orders": [LIMIT, LIMIT],
    "triggers": {"price": 69000},
    "conditional": {"order_type": "limit", "limit_price": 80000},
    "timeout": 60,
    "channel": "executions",
}
"""Values that would do, so that odd ones are met deep inside as well."""


@settings(max_examples=150, deadline=None)
@given(
    requests=st.lists(
        st.tuples(
            _METHODS,
            st.dictionaries(_NAMES, _VALUES),
            st.booleans(),
            _VALUES,
            st.lists(st.sampled_from(sorted(_SOUND)), max_size=8),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_no_request_however_odd_breaks_the_connection(requests: list[Any]) -> None:
    """Everything is answered; after it the connection still says pong."""

    async def story(desk: SocketDesk) -> list[list[Frame]]:
        answers = []
        for wire in (await trading(desk), await desk.connect()):
            for method, params, has_token, req_id, sound in requests:
                token = {"token": desk.token} if has_token else {}
                named = {name: _SOUND[name] for name in sound}
                text = {"method": method, "params": named | params | token, "req_id": req_id}
                answers.append(await wire.say(json.dumps(text)))
            answers.append(await wire.ask("ping", 1))
        return answers

    answers = at_desk(story)

    assert all(answers)
    assert answers[-1][0]["method"] == "pong"


@pytest.mark.parametrize(
    "number", ["1e400", "1e-400", "1e99999999999999999999", "9" * 40, "-1", "0", "0.000000000001"]
)
def test_no_number_however_odd_breaks_the_connection(number: str) -> None:
    """Too large, too small, too precise: refused in words."""

    async def story(desk: SocketDesk) -> list[Frame]:
        wire = await trading(desk)
        return await wire.say(
            '{"method":"add_order","params":{"order_type":"limit","side":"buy",'
            f'"symbol":"BTC/USD","order_qty":{number},"limit_price":60000.0,'
            f'"token":"{desk.token}"}}}}'
        )

    (answer,) = at_desk(story)

    assert answer["success"] is False


def test_a_bug_of_the_exchange_is_answered_and_the_socket_lives(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What no check foresaw is logged whole and answered in Kraken's words, as over REST."""

    def fails(*_: object) -> None:
        raise ZeroDivisionError

    async def story(desk: SocketDesk) -> list[Frame]:
        wire = await trading(desk)
        monkeypatch.setattr(desk.exchange, "add_order", fails)
        return await wire.ask("add_order", 42, token=desk.token, **LIMIT) + await wire.ask("ping")

    failed, pong = at_desk(story)

    assert (failed["error"], failed["success"], failed["req_id"], pong["method"]) == (
        "EGeneral:Internal error",
        False,
        42,
        "pong",
    )
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("number", ["1e999", "1e30", "9" * 400, "-1e13", "1e-999"])
@pytest.mark.parametrize("field", ["order_qty", "limit_price", "display_qty", "price"])
def test_no_number_is_too_much_for_the_socket(field: str, number: str) -> None:
    """However large or small: an answer in Kraken's words, and the connection goes on."""

    async def story(desk: SocketDesk) -> list[Frame]:
        wire = await trading(desk)
        order: Frame = {**STOP, "token": desk.token, "triggers": {"price": 1, "price_type": "pct"}}
        (order["triggers"] if field == "price" else order)[field] = 12345
        text = json.dumps({"method": "add_order", "params": order}).replace("12345", number)
        return await wire.say(text) + await wire.ask("ping")

    refused, pong = at_desk(story)

    assert (refused["success"], pong["method"]) == (False, "pong")
    assert "Internal" not in refused["error"]
