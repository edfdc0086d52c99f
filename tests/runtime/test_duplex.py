"""Frame duplexes: in memory and over a real socket they keep the same promises."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from websockets.asyncio.server import ServerConnection, serve

from zoe_tools.errors import VenueUnavailable
from zoe_tools.ports import Connect, EagerDuplex, FrameClosed, FrameDuplex
from zoe_tools.runtime.duplex import (
    QUEUE_FRAMES,
    connect_socket,
    duplex_pair,
)
from zoe_tools.runtime.virtual_loop import VirtualTimeError, run_virtual

Handler = Callable[[ServerConnection], Awaitable[None]]


# --- in memory -----------------------------------------------------------------------------------


def test_frames_arrive_whole_and_in_order_both_ways() -> None:
    """What one end sends the other receives, frame by frame."""

    async def talk() -> tuple[list[str], list[str]]:
        left, right = duplex_pair()
        for number in range(3):
            await left.send(f"to the right {number}")
            await right.send(f"to the left {number}")
        at_right = [await right.receive() for _ in range(3)]
        at_left = [await left.receive() for _ in range(3)]
        return at_right, at_left

    at_right, at_left = run_virtual(talk())
    assert at_right == [f"to the right {number}" for number in range(3)]
    assert at_left == [f"to the left {number}" for number in range(3)]


def test_frames_sent_before_the_close_still_arrive() -> None:
    """Closing loses nothing that was sent; after it the reader learns code and reason."""

    async def talk() -> tuple[str, int, str]:
        left, right = duplex_pair()
        await left.send("the last word")
        await left.close(1001, "going away")
        word = await right.receive()
        with pytest.raises(FrameClosed) as caught:
            await right.receive()
        return word, caught.value.code, caught.value.reason

    assert run_virtual(talk()) == ("the last word", 1001, "going away")


@pytest.mark.parametrize("end", ["the closing end", "the other end"])
def test_both_ends_of_a_closed_pair_refuse_to_receive(end: str) -> None:
    """Whoever reads after the close gets FrameClosed, every time, not only once."""

    async def talk() -> list[int]:
        left, right = duplex_pair()
        await left.close(4000, "enough")
        reader = left if end == "the closing end" else right
        codes = []
        for _ in range(3):
            with pytest.raises(FrameClosed) as caught:
                await reader.receive()
            codes.append(caught.value.code)
        return codes

    assert run_virtual(talk()) == [4000, 4000, 4000]


def test_the_closing_end_cannot_send_any_more() -> None:
    """A frame after the close is an error for the sender."""

    async def talk() -> None:
        left, _right = duplex_pair()
        await left.close()
        await left.send("too late")

    with pytest.raises(FrameClosed):
        run_virtual(talk())


def test_the_other_end_cannot_send_once_it_has_read_the_close() -> None:
    """From then on it knows that nobody listens."""

    async def talk() -> None:
        left, right = duplex_pair()
        await left.close(1006)
        with pytest.raises(FrameClosed):
            await right.receive()
        await right.send("hello?")

    with pytest.raises(FrameClosed) as caught:
        run_virtual(talk())
    assert caught.value.code == 1006


def test_closing_twice_is_closing_once() -> None:
    """The first code and reason stand."""

    async def talk() -> tuple[int, str]:
        left, right = duplex_pair()
        await left.close(1001, "first")
        await left.close(1011, "second")
        with pytest.raises(FrameClosed) as caught:
            await right.receive()
        return caught.value.code, caught.value.reason

    assert run_virtual(talk()) == (1001, "first")


def test_a_reader_that_waits_is_woken_by_its_own_close() -> None:
    """An orderly stop does not leave a task hanging in `receive`."""

    async def talk() -> int:
        left, _right = duplex_pair()

        async def read() -> int:
            try:
                await left.receive()
            except FrameClosed as closed:
                return closed.code
            return 0

        reading = asyncio.create_task(read())
        await asyncio.sleep(1)
        await left.close(1000)
        return await reading

    assert run_virtual(talk()) == 1000


def test_a_writer_waits_for_a_reader_who_fell_far_behind() -> None:
    """The queue is bounded: a stuck reader stops the writer, not the machine's memory."""

    async def flood() -> None:
        left, _right = duplex_pair()
        for number in range(QUEUE_FRAMES + 1):
            await left.send(str(number))

    with pytest.raises(VirtualTimeError, match="deadlocked"):
        run_virtual(flood())


def test_closing_an_end_whose_reader_fell_far_behind_does_not_hang() -> None:
    """A full queue must not keep a wire from being closed; the reader still learns of it."""

    async def talk() -> list[str]:
        left, right = duplex_pair()
        for number in range(QUEUE_FRAMES):
            await left.send(str(number))
        await left.close(1008, "too slow")
        received = [await right.receive() for _ in range(QUEUE_FRAMES - 1)]
        with pytest.raises(FrameClosed) as caught:
            await right.receive()
        assert caught.value.code == 1008
        return received

    assert run_virtual(talk()) == [str(number) for number in range(1, QUEUE_FRAMES)]


def test_a_writer_that_waits_for_room_is_let_go_when_the_reader_closes() -> None:
    """A reader who gives up does not leave the other side's task hanging."""

    async def talk() -> bool:
        left, right = duplex_pair()
        for number in range(QUEUE_FRAMES):
            await left.send(str(number))
        writing = asyncio.create_task(left.send("one too many"))
        await asyncio.sleep(1)
        assert not writing.done()
        await right.close(1000)
        await writing
        return writing.done()

    assert run_virtual(talk())


@pytest.mark.parametrize("is_first", [True, False])
def test_a_frame_for_a_reader_that_was_cancelled_is_read_by_the_next_one(*, is_first: bool) -> None:
    """Whether the frame or the cancel came first: nothing is lost, and nobody is left waiting."""

    async def talk() -> str:
        left, right = duplex_pair()
        one, other = asyncio.create_task(right.receive()), asyncio.create_task(right.receive())
        await asyncio.sleep(1)
        if is_first:
            one.cancel()
        await left.send("for whoever reads")
        one.cancel()
        async with asyncio.timeout(1):
            return await other

    assert run_virtual(talk()) == "for whoever reads"


def test_a_writer_that_was_cancelled_leaves_its_room_to_the_next_one() -> None:
    """Who waits for room and goes away keeps nobody behind him from writing."""

    async def talk() -> tuple[str, str]:
        left, right = duplex_pair()
        for number in range(QUEUE_FRAMES):
            await left.send(str(number))
        writing = [asyncio.create_task(left.send(text)) for text in ("never", "first", "then")]
        await asyncio.sleep(1)
        await right.receive()
        writing[0].cancel()
        await asyncio.sleep(1)
        await right.receive()
        await writing[1]
        await writing[2]
        received = [await right.receive() for _ in range(QUEUE_FRAMES)]
        return received[-2], received[-1]

    assert run_virtual(talk()) == ("first", "then")


# --- over a socket -------------------------------------------------------------------------------


async def with_server(handler: Handler, talk: Callable[[FrameDuplex], Awaitable[None]]) -> None:
    """Start a server on a free loopback port, connect a duplex to it, talk, close."""
    async with serve(handler, "127.0.0.1", 0, max_size=None) as server:
        port = server.sockets[0].getsockname()[1]
        duplex = await connect_socket(f"ws://127.0.0.1:{port}/v2")
        try:
            async with asyncio.timeout(20):
                await talk(duplex)
        finally:
            await duplex.close()


async def echo(connection: ServerConnection) -> None:
    """Send every frame back."""
    async for frame in connection:
        await connection.send(frame)


def test_a_socket_carries_frames_both_ways() -> None:
    """Whole text frames, also long ones and ones with other letters."""
    frames = ["{}", '{"channel":"heartbeat"}', "é€漢" * 10, "x" * 2_000_000]

    async def talk(duplex: FrameDuplex) -> None:
        for frame in frames:
            await duplex.send(frame)
            assert await duplex.receive() == frame

    asyncio.run(with_server(echo, talk))


def test_a_binary_frame_is_read_as_text() -> None:
    """The venue's frames are JSON, whichever opcode carries them."""

    async def binary(connection: ServerConnection) -> None:
        await connection.send(b'{"channel":"status"}')
        await connection.wait_closed()

    async def talk(duplex: FrameDuplex) -> None:
        assert await duplex.receive() == '{"channel":"status"}'

    asyncio.run(with_server(binary, talk))


def test_a_frame_may_be_taken_before_its_turn() -> None:
    """Whole text frames are shown as they come; what is taken is not received, the rest is."""
    shown: list[bytes] = []
    order: list[str] = []

    async def says(connection: ServerConnection) -> None:
        await connection.recv()
        for frame in ("data 1", b"binary", ["in ", "parts"], "data 2", "answer", "data 3"):
            await connection.send(frame)
        await connection.wait_closed()

    async def talk(duplex: FrameDuplex) -> None:
        assert isinstance(duplex, EagerDuplex)
        answered = asyncio.Event()

        def take(frame: bytes) -> bool:
            shown.append(frame)
            if frame == b"answer":
                answered.set()
            return frame == b"answer"

        async def wait() -> None:
            await answered.wait()
            order.append("answer")

        duplex.show_first(take)
        waiting = asyncio.create_task(wait())
        await duplex.send("go on")
        order.extend([await duplex.receive() for _ in range(5)])
        await waiting

    asyncio.run(with_server(says, talk))

    assert shown == [b"data 1", b"data 2", b"answer", b"data 3"]
    assert order == ["answer", "data 1", "binary", "in parts", "data 2", "data 3"]


def test_the_server_closing_with_a_code_is_told_as_it_was_said() -> None:
    """Code and reason of the close frame reach whoever reads and whoever writes."""

    async def goodbye(connection: ServerConnection) -> None:
        await connection.close(1013, "try again later")

    async def talk(duplex: FrameDuplex) -> None:
        with pytest.raises(FrameClosed) as read:
            await duplex.receive()
        with pytest.raises(FrameClosed) as written:
            await duplex.send("x")
        assert (read.value.code, read.value.reason) == (1013, "try again later")
        assert written.value.code == 1013

    asyncio.run(with_server(goodbye, talk))


def test_a_socket_that_just_goes_away_is_closed_with_1006() -> None:
    """No close frame, no handshake: the reader still gets FrameClosed, not a network error."""

    async def vanish(connection: ServerConnection) -> None:
        connection.transport.abort()

    async def talk(duplex: FrameDuplex) -> None:
        with pytest.raises(FrameClosed) as caught:
            await duplex.receive()
        assert caught.value.code == 1006

    asyncio.run(with_server(vanish, talk))


def test_after_its_own_close_a_socket_refuses_and_may_be_closed_again() -> None:
    """Close is idempotent, and what follows it raises FrameClosed."""

    async def talk(duplex: FrameDuplex) -> None:
        await duplex.close(1000, "done")
        await duplex.close()
        with pytest.raises(FrameClosed):
            await duplex.receive()
        with pytest.raises(FrameClosed):
            await duplex.send("x")

    asyncio.run(with_server(echo, talk))


def test_a_peer_that_hears_nothing_any_more_does_not_hold_the_close_up() -> None:
    """The next connection must not wait for a handshake with the dead."""
    took: list[float] = []

    async def deaf(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        await asyncio.sleep(2)
        connection.transport.abort()

    async def talk(duplex: FrameDuplex) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await duplex.close(1000, "done")
        took.append(loop.time() - began)

    asyncio.run(with_server(deaf, talk))

    assert 0.5 < took[0] < 1.8


def test_a_port_where_nobody_listens_is_venue_unavailable() -> None:
    """Nothing was sent, so a retry is safe; the sentence names the address."""

    async def refused() -> None:
        async with serve(echo, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
        await connect_socket(f"ws://127.0.0.1:{port}/v2")

    with pytest.raises(VenueUnavailable, match=r"ws://127\.0\.0\.1:\d+/v2"):
        asyncio.run(refused())


def test_a_server_that_speaks_no_websocket_is_venue_unavailable() -> None:
    """A proxy's login page is not a venue."""

    async def page(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def talk() -> None:
        async with await asyncio.start_server(page, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            await connect_socket(f"ws://127.0.0.1:{port}/v2")

    with pytest.raises(VenueUnavailable):
        asyncio.run(talk())


def test_both_kinds_meet_the_port() -> None:
    """The stream code is typed against the port alone and cannot tell them apart."""

    async def in_memory(url: str) -> FrameDuplex:
        assert url
        return duplex_pair()[0]

    ways: list[Connect] = [connect_socket, in_memory]

    assert len(ways) == 2
