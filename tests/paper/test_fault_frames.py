"""What faults do to a WebSocket: requests, executions, books, and the connection itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from paper_desk import ask_for, change, snapshot
from paper_socket import SocketDesk, Wire, at_desk, settle
from zoe_tools.paper.exchange.faults import FaultRule

Frame = dict[str, Any]

BOOK = snapshot(["69999.0 1.00000000"], ["70000.1 0.30000000"])
ORDER: dict[str, Any] = {
    "order_type": "limit",
    "side": "buy",
    "symbol": "BTC/USD",
    "order_qty": 0.01,
    "limit_price": 60000.0,
}


async def trading(desk: SocketDesk) -> Wire:
    """A private connection that hears executions; its first frames are read."""
    desk.hear(BOOK)
    wire = await desk.connect(is_private=True)
    await wire.ask("subscribe", channel="executions", token=desk.token)
    return wire


def arm(desk: SocketDesk, name: str, **fields: Any) -> None:
    """Arm a fault."""
    desk.exchange.arm_fault(FaultRule(**{"name": name, **fields}))


async def place(desk: SocketDesk, wire: Wire) -> list[Frame]:
    """An order; what comes of it."""
    return await wire.ask("add_order", token=desk.token, **ORDER)


def answers(frames: list[Frame]) -> list[Frame]:
    """The answers among the frames."""
    return [frame for frame in frames if "method" in frame]


def sequences(frames: list[Frame]) -> list[int]:
    """The sequence numbers of the executions among the frames."""
    return [frame["sequence"] for frame in frames if frame.get("channel") == "executions"]


@pytest.mark.parametrize(
    ("name", "orders", "is_cut"),
    [("accept-then-drop", 1, True), ("reply-lost-before", 0, True), ("reply-lost-after", 1, False)],
)
def test_an_answer_may_be_lost(*, name: str, orders: int, is_cut: bool) -> None:
    """With the connection or without it; the work was done or not."""

    async def story(desk: SocketDesk) -> tuple[list[Frame], int, int | None]:
        wire = await trading(desk)
        arm(desk, name, where="add_order")
        heard = await place(desk, wire)
        closed = None if wire.closed is None else wire.closed.code
        return answers(heard), len(desk.exchange.open_orders(desk.account_id)), closed

    assert at_desk(story) == ([], orders, 1006 if is_cut else None)


def test_a_struck_answer_tells_the_time_that_all_others_tell() -> None:
    """Where the exchange's clock is skewed, it is so in each answer."""

    async def story(desk: SocketDesk) -> list[Frame]:
        wire = await trading(desk)
        arm(desk, "clock-skew", for_s=60, delay_s=120)
        arm(desk, "unavailable", where="add_order")
        return answers([*await place(desk, wire), *await place(desk, wire)])

    struck, usual = at_desk(story)

    assert (struck["success"], usual["success"]) == (False, True)
    assert struck["time_in"] == usual["time_in"]


def test_an_answer_may_be_late() -> None:
    """The executions come in time."""

    async def story(desk: SocketDesk) -> list[list[Frame]]:
        wire = await trading(desk)
        arm(desk, "hang", where="add_order", delay_s=20)
        heard = [await place(desk, wire)]
        await asyncio.sleep(20.1)
        return [*heard, wire.frames()]

    before, after = at_desk(story)

    assert (answers(before), len(sequences(before))) == ([], 2)
    assert [frame["success"] for frame in answers(after)] == [True]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("busy", "EService:Busy"),
        ("throttled", "EService: Throttled: 1767600030"),
        ("stale-token", "ESession:Invalid session"),
    ],
)
@pytest.mark.parametrize(("executes", "orders"), [(None, 0), (True, 1)])
def test_a_refusal_may_hide_an_execution(
    *, name: str, words: str, executes: bool | None, orders: int
) -> None:
    """The error string, and the request's own id; the next request is served."""

    async def story(desk: SocketDesk) -> tuple[list[Frame], int, list[Frame]]:
        wire = await trading(desk)
        arm(desk, name, where="add_order", executes=executes)
        struck = answers(await place(desk, wire))
        return struck, len(desk.exchange.open_orders(desk.account_id)), await place(desk, wire)

    (refused,), found, after = at_desk(story)

    assert (refused["error"], refused["req_id"], refused["success"]) == (words, 7, False)
    assert found == orders
    assert answers(after)[0]["success"]


@pytest.mark.parametrize("name", ["http-502", "invalid-nonce"])
def test_faults_of_rest_leave_sockets_alone(name: str) -> None:
    """And are not used up by them."""

    async def story(desk: SocketDesk) -> tuple[list[Frame], bool]:
        wire = await trading(desk)
        arm(desk, name)
        return answers(await place(desk, wire)), desk.exchange.faults.is_quiet

    (answer,), is_quiet = at_desk(story)

    assert (answer["success"], is_quiet) == (True, False)


@pytest.mark.parametrize(
    ("name", "heard"),
    [
        ("executions-duplicate", [2, 2, 3, 4, 5]),
        ("executions-reordered", [3, 2, 4, 5]),
        ("sequence-gap", [3, 4, 5]),
        ("executions-late", [3, 4, 5, 2]),
    ],
)
def test_executions_may_come_twice_late_in_another_order_or_never(
    name: str, heard: list[int]
) -> None:
    """The sequence numbers tell; two orders give four frames after the snapshot."""

    async def story(desk: SocketDesk) -> list[Frame]:
        wire = await trading(desk)
        arm(desk, name, delay_s=5)
        for _ in range(2):
            desk.exchange.add_order(desk.account_id, ask_for("buy", "0.01", "60000.0"))
        await settle()
        frames = wire.frames()
        await asyncio.sleep(5.1)
        return [*frames, *wire.frames()]

    assert sequences(at_desk(story)) == heard


def checksums(*, is_struck: bool) -> list[int]:
    """Of two changes of a book."""

    async def story(desk: SocketDesk) -> list[Frame]:
        desk.hear(BOOK)
        wire = await desk.connect()
        await wire.ask("subscribe", channel="book", symbol=["BTC/USD"])
        if is_struck:
            arm(desk, "checksum-corrupt")
        desk.hear(change(["69999.0 2.00000000"]), change(["69999.0 3.00000000"]))
        await settle()
        return wire.frames()

    return [frame["data"][0]["checksum"] for frame in at_desk(story)]


def test_a_checksum_may_be_wrong_once() -> None:
    """The book itself is right."""
    right, struck = checksums(is_struck=False), checksums(is_struck=True)

    assert len(right) == 2
    assert [a == b for a, b in zip(right, struck, strict=True)] == [False, True]


def test_a_frame_may_be_no_json() -> None:
    """The proxy's own words, and then the frame."""

    async def story(desk: SocketDesk) -> list[str]:
        desk.hear(BOOK)
        wire = await desk.connect()
        await wire.ask("subscribe", channel="book", symbol=["BTC/USD"])
        arm(desk, "non-json-frame")
        desk.hear(change(["69999.0 2.00000000"]))
        await settle()
        return wire.texts()

    noise, frame = at_desk(story)

    assert noise == "CloudFlare WebSocket proxy restarting"
    assert frame.startswith('{"channel":"book"')


@pytest.mark.parametrize("code", [1001, 1006, 1008])
def test_a_connection_may_end(code: int) -> None:
    """With the code that was asked for; another connection is let in."""

    async def story(desk: SocketDesk) -> tuple[int | None, bool]:
        wire = await trading(desk)
        arm(desk, f"ws-close-{code}")
        await place(desk, wire)
        again = await trading(desk)
        closed = None if wire.closed is None else wire.closed.code
        return closed, again.closed is None

    assert at_desk(story) == (code, True)
