"""The private channels of the paper exchange's WebSocket (sections 11.1, 11.2 and 17.4)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from paper_desk import ask_for, snapshot, stop, traded
from paper_socket import SocketDesk, Wire, at_desk, settle
from zoe_tools.paper.values.order import AmendOrder
from zoe_tools.paper.values.times import NS

Frame = dict[str, Any]

BOOK = snapshot(["69999.0 1.00000000"], ["70000.1 0.30000000", "70000.4 0.15000000"])
NOW = "2026-01-05T08:00:00.000000Z"
_IDS = re.compile(r"\b[OTL][A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{6}\b")


def named(texts: list[str]) -> list[str]:
    """The texts with every id replaced by its kind and the order of its first appearance."""
    seen: dict[str, str] = {}

    def name(match: re.Match[str]) -> str:
        found = match.group(0)
        return seen.setdefault(found, f"{found[0]}{len(seen) + 1}")

    return [_IDS.sub(name, text) for text in texts]


async def on_executions(desk: SocketDesk, **params: Any) -> Wire:
    """A private connection that hears the account's executions."""
    wire = await desk.connect(is_private=True)
    await wire.ask("subscribe", channel="executions", token=desk.token, **params)
    return wire


async def heard(wire: Wire) -> list[str]:
    """What has come, ids replaced."""
    await settle()
    return named(wire.texts())


def test_the_ack_says_the_options_and_the_snapshot_is_number_one() -> None:
    """Defaults: open orders yes, past trades no; `maxratecount` as the tier's threshold."""

    async def story(desk: SocketDesk) -> list[Frame]:
        wire = await desk.connect(is_private=True)
        return await wire.ask("subscribe", 1, channel="executions", token=desk.token)

    ack, first = at_desk(story)

    assert {key: ack["result"][key] for key in ("channel", "snap_orders", "snap_trades")} == {
        "channel": "executions",
        "snap_orders": True,
        "snap_trades": False,
    }
    assert ack["result"]["maxratecount"] == 125
    assert first == {"channel": "executions", "type": "snapshot", "data": [], "sequence": 1}


def test_a_resting_limit_is_pending_new_then_new() -> None:
    """The rich row, key by key as captured, then the sparse one."""

    async def story(desk: SocketDesk) -> list[str]:
        desk.hear(BOOK)
        wire = await on_executions(desk)
        desk.exchange.add_order(desk.account_id, ask_for("sell", "0.005", "70000.4"))
        return await heard(wire)

    assert at_desk(story) == [
        (
            '{"channel":"executions","type":"update","data":[{"order_id":"O1","symbol":"BTC/USD",'
            '"order_qty":0.00500000,"cum_cost":0.00000,"time_in_force":"GTC",'
            '"exec_type":"pending_new","side":"sell","order_type":"limit","order_userref":0,'
            '"limit_price_type":"static","limit_price":70000.4,"stop_price":0.0,'
            '"order_status":"pending_new","fee_usd_equiv":0.00000,"fee_ccy_pref":"fciq",'
            f'"timestamp":"{NOW}"}}],"sequence":2}}'
        ),
        (
            f'{{"channel":"executions","type":"update","data":[{{"timestamp":"{NOW}",'
            '"order_status":"new","exec_type":"new","order_userref":0,"order_id":"O1"}],"sequence":3}'
        ),
    ]


def test_an_immediate_fill_says_partially_filled_and_then_filled() -> None:
    """The trade that completes the order does not say so; the frame after it does."""

    async def story(desk: SocketDesk) -> list[str]:
        desk.hear(BOOK)
        wire = await on_executions(desk)
        desk.exchange.add_order(desk.account_id, ask_for("buy", "0.005", "70000.1"))
        return (await heard(wire))[2:]

    assert at_desk(story) == [
        (
            '{"channel":"executions","type":"update","data":[{"order_id":"O1","order_userref":0,'
            '"exec_id":"T2","exec_type":"trade","trade_id":1,"symbol":"BTC/USD","side":"buy",'
            '"last_qty":0.00500000,"last_price":70000.1,"liquidity_ind":"t","cost":350.00050,'
            f'"order_type":"limit","timestamp":"{NOW}","order_status":"partially_filled",'
            '"cum_qty":0.00500000,"cum_cost":350.00050,"avg_price":70000.1,"fee_usd_equiv":1.40000,'
            '"fees":[{"asset":"USD","qty":1.40000}]}],"sequence":4}'
        ),
        (
            f'{{"channel":"executions","type":"update","data":[{{"timestamp":"{NOW}",'
            '"order_status":"filled","exec_type":"filled","cum_qty":0.00500000,'
            '"cum_cost":350.00050,"fee_usd_equiv":1.40000,"avg_price":70000.1,"order_userref":0,'
            '"order_id":"O1"}],"sequence":5}'
        ),
    ]


def test_a_cancel_carries_the_totals_and_the_reason_twice() -> None:
    """`reason` and the deprecated `cancel_reason`; zeros in full width."""

    async def story(desk: SocketDesk) -> list[str]:
        desk.hear(BOOK)
        wire = await on_executions(desk)
        order = desk.exchange.add_order(desk.account_id, ask_for("sell", "0.005", "71000.0"))
        await heard(wire)
        desk.exchange.cancel_order(desk.account_id, order_id=order.order_id)
        return await heard(wire)

    assert at_desk(story) == [
        (
            f'{{"channel":"executions","type":"update","data":[{{"timestamp":"{NOW}",'
            '"order_status":"canceled","exec_type":"canceled","cum_qty":0.00000000,'
            '"cum_cost":0.00000,"fee_usd_equiv":0.00000,"avg_price":0.0,"order_userref":0,'
            '"cancel_reason":"User requested","reason":"User requested","order_id":"O1"}],'
            '"sequence":4}'
        )
    ]


def test_an_amend_says_what_is_new() -> None:
    """Same order id; the new price and total, and that it was amended."""

    async def story(desk: SocketDesk) -> list[str]:
        desk.hear(BOOK)
        wire = await on_executions(desk)
        order = desk.exchange.add_order(desk.account_id, ask_for("buy", "0.01", "60000.0"))
        await heard(wire)
        desk.exchange.amend_order(
            desk.account_id,
            AmendOrder(
                order_id=order.order_id,
                limit_price=ask_for("buy", "1", "60010.0").limit_price,
                quantity=ask_for("buy", "0.012").quantity,
            ),
        )
        return await heard(wire)

    assert at_desk(story) == [
        (
            f'{{"channel":"executions","type":"update","data":[{{"timestamp":"{NOW}",'
            '"order_status":"new","exec_type":"amended","order_userref":0,"order_id":"O1",'
            '"limit_price":60010.0,"order_qty":0.01200000,"amended":true,'
            '"reason":"User requested"}],"sequence":4}'
        )
    ]


def test_an_average_off_the_tick_keeps_more_digits() -> None:
    """0.30 at 70000.1 and 0.15 at 70000.4 are 70000.2 on average; one unit more is not."""

    async def story(desk: SocketDesk) -> list[Frame]:
        desk.hear(BOOK)
        wire = await on_executions(desk)
        desk.exchange.add_order(desk.account_id, ask_for("buy", "0.45", "70000.4"))
        desk.hear(snapshot([], ["70000.1 0.2", "70000.4 0.1"]))
        desk.exchange.add_order(desk.account_id, ask_for("buy", "0.25", "70000.4"))
        await settle()
        return wire.frames()

    rows = [frame["data"][0] for frame in at_desk(story)]
    averages = [row["avg_price"] for row in rows if row["exec_type"] == "filled"]

    assert averages == ["70000.2", "70000.16000"]


def test_a_stop_shows_its_trigger_and_that_it_fired() -> None:
    """Untriggered in the rich row; a `status` frame with the last price when it fires."""

    async def story(desk: SocketDesk) -> list[Frame]:
        desk.hear(BOOK)
        wire = await on_executions(desk)
        desk.exchange.add_order(desk.account_id, stop("sell", "0.01", "69500.0"))
        desk.hear(traded("69499.0", "0.1"))
        await settle()
        return wire.frames()

    rows = [frame["data"][0] for frame in at_desk(story)]

    assert [row["exec_type"] for row in rows] == ["pending_new", "new", "status", "trade", "filled"]
    assert "limit_price" not in rows[0]
    assert rows[0]["stop_price"] == "69500.0"
    assert rows[0]["triggers"] == {
        "reference": "last",
        "price": "69500.0",
        "price_type": "static",
        "actual_price": "69500.0",
        "status": "untriggered",
    }
    assert rows[2]["triggers"]["status"] == "triggered"
    assert rows[2]["triggers"]["last_price"] == "69499.0"
    assert rows[2]["triggers"]["timestamp"] == NOW


def test_a_snapshot_shows_open_orders_and_the_trades_asked_for() -> None:
    """Open orders with their totals; past trades without cumulative fields."""

    async def story(desk: SocketDesk) -> list[Frame]:
        desk.hear(BOOK)
        desk.exchange.add_order(
            desk.account_id, ask_for("buy", "0.5", "70000.4", cl_ord_id="grid-0001")
        )
        wire = await desk.connect(is_private=True)
        ask: Frame = {"channel": "executions", "token": desk.token, "snap_trades": True}
        return (await wire.ask("subscribe", **ask))[1]["data"]  # type: ignore[no-any-return]

    order, *trades = at_desk(story)

    assert (order["exec_type"], order["order_status"]) == ("new", "partially_filled")
    assert (order["cum_qty"], order["cl_ord_id"]) == ("0.45000000", "grid-0001")
    assert [(row["last_qty"], row["order_status"]) for row in trades] == [
        ("0.30000000", "partially_filled"),
        ("0.15000000", "partially_filled"),
    ]
    assert all("cum_qty" not in row for row in trades)
    assert {row["cl_ord_id"] for row in trades} == {"grid-0001"}


def test_order_status_false_leaves_the_beginning_and_the_end() -> None:
    """Only new, filled, canceled and expired are told."""

    async def story(desk: SocketDesk) -> list[Frame]:
        desk.hear(BOOK)
        wire = await on_executions(desk, order_status=False)
        desk.exchange.add_order(desk.account_id, ask_for("buy", "0.1", "70000.1"))
        await settle()
        return wire.frames()

    frames = at_desk(story)

    assert [frame["data"][0]["exec_type"] for frame in frames] == ["new", "filled"]
    assert [frame["sequence"] for frame in frames] == [2, 3]


def test_balances_begin_with_all_and_go_on_with_ledger_rows_in_pairs() -> None:
    """A trade gives two messages that share its id; the assets' own decimals; numbers from 1."""

    async def story(desk: SocketDesk) -> tuple[list[Frame], list[Frame]]:
        desk.hear(BOOK)
        wire = await desk.connect(is_private=True)
        first = await wire.ask("subscribe", channel="balances", token=desk.token)
        desk.exchange.add_order(desk.account_id, ask_for("buy", "0.005", "70000.1"))
        await settle()
        return first, wire.frames()

    (ack, first), updates = at_desk(story)
    rows = [frame["data"][0] for frame in updates]

    assert ack["result"] == {"channel": "balances", "snapshot": True}
    assert first["data"][1] == {
        "asset": "USD",
        "asset_class": "currency",
        "balance": "100000.0000",
        "wallets": [{"type": "spot", "id": "main", "balance": "100000.0000"}],
    }
    assert [first["sequence"]] + [frame["sequence"] for frame in updates] == [1, 2, 3]
    assert [(row["asset"], row["amount"], row["fee"], row["balance"]) for row in rows] == [
        ("USD", "-350.0005", "1.4000", "99648.5995"),
        ("BTC", "0.0050000000", "0.0000000000", "1.0050000000"),
    ]
    assert rows[0]["ref_id"] == rows[1]["ref_id"]
    assert {row["category"] for row in rows} == {"trade"}


def test_another_accounts_orders_are_not_heard() -> None:
    """A feed is one account's."""

    async def story(desk: SocketDesk) -> list[Frame]:
        desk.hear(BOOK)
        other = desk.exchange.create_account("other", "key2", "c2VjcmV0", balances={"USD": USD})
        wire = await on_executions(desk)
        await wire.ask("subscribe", channel="balances", token=desk.token)
        desk.exchange.add_order(other, ask_for("buy", "0.005", "70000.1"))
        await settle()
        return wire.frames()

    assert at_desk(story) == []


USD = ask_for("buy", "1000").quantity


@pytest.mark.parametrize("channel", ["executions", "balances"])
def test_a_private_channel_needs_a_good_token(channel: str) -> None:
    """None at all, a stranger's, an expired one: three refusals."""

    async def story(desk: SocketDesk) -> list[Frame]:
        wire = await desk.connect(is_private=True)
        answers = [
            *await wire.ask("subscribe", channel=channel),
            *await wire.ask("subscribe", channel=channel, token="stranger"),
        ]
        desk.exchange._floor.now += 901 * NS
        return answers + await wire.ask("subscribe", channel=channel, token=desk.token)

    assert [frame.get("error") for frame in at_desk(story)] == [
        "Token(s) not found",
        "ESession:Invalid session",
        "ESession:Invalid session",
    ]


def test_a_key_without_permission_is_refused() -> None:
    """The socket answers with the same words as REST."""

    async def story(desk: SocketDesk) -> list[Frame]:
        wire = await desk.connect(is_private=True)
        token: Frame = {"token": desk.token}
        return [
            *await wire.ask("subscribe", channel="executions", **token),
            *await wire.ask("subscribe", channel="balances", **token),
            *await wire.ask("add_order", **token),
            *await wire.ask("cancel_all", **token),
        ]

    answers = at_desk(story, permissions={"create-ws-token"})

    assert [frame["error"] for frame in answers] == ["EGeneral:Permission denied"] * 4


def test_unsubscribing_stops_a_private_channel() -> None:
    """It needs the token too, and a second time is refused."""

    async def story(desk: SocketDesk) -> tuple[list[Frame], list[Frame], list[Frame], list[Frame]]:
        desk.hear(BOOK)
        wire = await on_executions(desk)
        ask: Frame = {"channel": "executions", "token": desk.token}
        twice = await wire.ask("subscribe", **ask)
        left = await wire.ask("unsubscribe", **ask)
        desk.exchange.add_order(desk.account_id, ask_for("buy", "0.005", "70000.1"))
        await settle()
        return twice, left, wire.frames(), await wire.ask("unsubscribe", **ask)

    twice, left, after, again = at_desk(story)

    assert twice[0]["error"] == "Already subscribed"
    assert left[0]["success"] is True
    assert after == []
    assert again[0]["error"] == "Subscription not found"
