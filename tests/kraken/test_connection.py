"""One connection kept alive: acknowledgements, refusals, losses, silence, in memory and real."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from feed_rig import HEARTBEAT, START, TICKER, Rig, nothing, run
from stream_server import Answer, StreamServer
from websockets.asyncio.server import ServerConnection, serve

from builders import make_instrument, make_request
from zoe_tools.domain.cadence import Cadence
from zoe_tools.domain.identifiers import ClientOrderId
from zoe_tools.domain.stream import QuoteUpdate, StreamDown, StreamUp
from zoe_tools.errors import VenueError, VenueRejected, VenueThrottled, VenueUnavailable
from zoe_tools.kraken.connection import Connection, ConnectionState, Stopwatch, Subscription
from zoe_tools.kraken.reconnect import ReconnectPolicy
from zoe_tools.kraken.wire_stream import Frame
from zoe_tools.runtime.clocks import SystemClock
from zoe_tools.runtime.duplex import connect_socket
from zoe_tools.runtime.virtual_loop import run_virtual


def refusing(text: str, *, channel: str = "ticker", times: int = 1_000) -> Answer:
    """Refuse the first so many subscriptions of a channel."""
    left = [times]

    async def refuse(server: StreamServer, request: dict[str, Any]) -> bool:
        is_it = request["method"] == "subscribe" and request["params"]["channel"] == channel
        if not is_it or left[0] == 0:
            return False
        left[0] -= 1
        frame = {"method": "subscribe", "success": False, "error": text}
        await server.send({**frame, "req_id": request["req_id"]})
        return True

    return refuse


# --- acknowledgements ----------------------------------------------------------------------------


def test_a_missing_acknowledgement_is_not_waited_for_for_ever() -> None:
    """Heartbeats do not excuse it: ten seconds, then the wire starts afresh."""

    async def mute(_: StreamServer, request: dict[str, Any]) -> bool:
        return bool(request.get("params", {}).get("channel") == "trade")

    async def script(rig: Rig) -> None:
        await rig.beat(15)

    rig = run(script, answers=(mute,))

    assert rig.of(StreamUp) == []
    assert "did not acknowledge trade BTC/USD in 10 s" in rig.of(StreamDown)[0].reason
    assert len(rig.public.ends) == 2


def test_an_acknowledgement_that_was_lost_is_asked_for_once_more() -> None:
    """Of that symbol and channel only, and without giving up the wire."""

    async def mute_once(server: StreamServer, request: dict[str, Any]) -> bool:
        is_trade = bool(request.get("params", {}).get("channel") == "trade")
        return is_trade and sum("trade" in text for text in server.texts) == 1

    async def script(rig: Rig) -> None:
        await rig.beat(12)

    rig = run(script, answers=(mute_once,))
    asked = [each["params"]["channel"] for each in rig.public.requests if "params" in each]

    assert asked == ["ticker", "trade", "trade"]
    assert rig.public.requests[-1]["params"] == rig.public.requests[1]["params"]
    assert [len(rig.of(StreamUp)), len(rig.of(StreamDown))] == [1, 0]


def test_deadlines_are_told_by_the_venues_clock() -> None:
    """Acknowledgements carry its time; ours is twenty seconds behind, and nobody need mend it."""

    async def ahead(server: StreamServer, request: dict[str, Any]) -> bool:
        there = (rigs[0].clock.now() + timedelta(seconds=20)).isoformat()
        times = {"time_in": there, "time_out": there, "req_id": request["req_id"]}
        if request["method"] == "subscribe":
            symbols = request["params"].get("symbol", [None])
            for each in symbols:
                result = {"channel": request["params"]["channel"], "symbol": each}
                await server.send(
                    {"method": "subscribe", "success": True, "result": result, **times}
                )
        elif request["method"] == "add_order":
            result = {"order_id": "OAAAAA-AAAAA-AAAAA1"}
            await server.send({"method": "add_order", "success": True, "result": result, **times})
        return True

    rigs: list[Rig] = []

    async def script(rig: Rig) -> None:
        rigs.append(rig)
        for server in (rig.public, rig.private):
            server.answers.append(ahead)
            await server.ends[-1].close(1001, "going away")
        await asyncio.sleep(1)
        assert rig.feed.orders is not None
        await rig.feed.orders.place(
            make_request(),
            ClientOrderId("ours"),
            rig.clock.now() + timedelta(seconds=5),
            make_instrument(),
        )

    rig = run(script, private=True)
    deadline = datetime.fromisoformat(rig.private.requests[-1]["params"]["deadline"])

    assert abs(rig.feed.server_time.offset - timedelta(seconds=20)) < timedelta(milliseconds=2)
    assert abs(deadline - (START + timedelta(seconds=26.1))) < timedelta(milliseconds=2)


def test_a_subscription_that_stands_already_counts_as_acknowledged() -> None:
    """The venue's words for it are a refusal; the meaning is not."""
    rig = run(nothing, answers=(refusing("Already subscribed"),))

    assert [each.wire for each in rig.of(StreamUp)] == ["public"]


FINAL = ["Currency pair not supported X/Y", "EGeneral:Permission denied", "EAPI:Invalid key"]
PASSING = [
    "ESession:Invalid session",
    "EService:Market in cancel_only mode",
    "EService:Unavailable",
    "Exceeded msg rate",
    "Words that nobody has seen before",
]


@pytest.mark.parametrize("text", FINAL)
def test_a_refusal_for_ever_ends_the_feed_in_the_venues_words(text: str) -> None:
    """An error that a person must mend is not tried again and again."""
    with pytest.raises(VenueRejected) as refused:
        run(nothing, answers=(refusing(text),))

    assert text in refused.value.message


@pytest.mark.parametrize("text", PASSING)
def test_a_refusal_that_may_pass_is_tried_again(text: str) -> None:
    """With a fresh token, and until it works."""

    async def script(rig: Rig) -> None:
        await rig.beat(20)

    rig = run(script, private=True, answers=(refusing(text, channel="executions", times=1),))
    downs = [each for each in rig.of(StreamDown) if each.wire == "private"]

    assert text in downs[0].reason
    assert "private" in {each.wire for each in rig.of(StreamUp)}
    assert rig.private.requests[-1]["params"]["token"] == "token-2"


def test_what_was_up_before_is_tried_again_whatever_the_refusal() -> None:
    """A pair that is taken off the list must not end a loop that holds positions."""

    async def script(rig: Rig) -> None:
        rig.public.answers.append(refusing("Currency pair not supported BTC/USD", times=3))
        await rig.public.ends[-1].close(1001, "going away")
        await rig.beat(60)

    rig = run(script)

    assert len(rig.of(StreamUp)) == 2
    assert "Currency pair not supported" in rig.of(StreamDown)[1].reason


# --- losses --------------------------------------------------------------------------------------


def test_a_wire_that_comes_and_goes_is_tried_ever_more_patiently() -> None:
    """Coming up for a moment is no reason to hurry: five seconds and more after two tries."""

    async def script(rig: Rig) -> None:
        for _ in range(120):
            await rig.public.ends[-1].close(1001, "going away")
            await rig.beat(1)

    rig = run(script)
    tries = rig.public.tried_at
    gaps = [later - earlier for earlier, later in itertools.pairwise(tries)]

    assert len(rig.of(StreamUp)) == len(tries)
    assert gaps[0] < 1
    assert all(gap >= 5 for gap in gaps[1:])
    assert 5 < len(gaps) < 25


def test_an_unreachable_venue_is_announced_and_found_again() -> None:
    """Nothing is lost but time."""

    async def script(rig: Rig) -> None:
        rig.public.is_reachable = False
        await rig.public.ends[-1].close(1006, "")
        await rig.beat(60)
        rig.public.is_reachable = True
        await rig.beat(60)

    rig = run(script)

    assert len(rig.of(StreamUp)) == 2
    assert len(rig.of(StreamDown)) > 3


def test_both_wires_share_the_budget_of_their_address() -> None:
    """The ban counts attempts by address, whichever wire made them."""
    rig = run(nothing, private=True)
    public, private = (each._policy for each in rig.feed._connections)

    assert public._budget is private._budget


def test_a_policy_violation_ends_the_feed() -> None:
    """1008 is for good: trying again would make it worse."""

    async def script(rig: Rig) -> None:
        await rig.public.ends[-1].close(1008, "too many requests")
        await asyncio.sleep(60)

    with pytest.raises(VenueRejected, match="too many requests") as refused:
        run(script)
    assert refused.value.code == "1008"


def test_a_key_that_the_venue_refuses_ends_the_feed() -> None:
    """Asking again and again for a token is what locks an address out."""

    async def script(rig: Rig) -> None:
        rig.token_error = VenueRejected("Kraken answered.", code="EAPI:Invalid key")
        await rig.private.ends[-1].close(1001, "")
        await asyncio.sleep(60)

    with pytest.raises(VenueRejected):
        run(script, private=True)


@pytest.mark.parametrize(
    ("error", "away_s"),
    [
        (VenueUnavailable("The venue is away."), 0),
        (VenueThrottled("Temporary lockout.", retry_after_s=900.0), 900),
        (VenueRejected("Kraken answered.", code="EAPI:Invalid nonce"), 0),
    ],
)
def test_a_token_that_cannot_be_had_is_asked_for_again(error: VenueError, away_s: float) -> None:
    """Not before the venue's own time is over."""
    asked: list[float] = []

    async def script(rig: Rig) -> None:
        rig.token_error = error
        asked.append(asyncio.get_running_loop().time())
        await rig.private.ends[-1].close(1001, "")
        await asyncio.sleep(0.1)
        rig.token_error = None
        await rig.beat(1000)

    rig = run(script, private=True)

    assert [each.wire for each in rig.of(StreamUp)].count("private") == 2
    assert rig.private.tried_at[-1] - asked[0] >= away_s


NONSENSE = [
    ("a row without its numbers", '{"channel":"ticker","data":[{"symbol":"BTC/USD"}]}'),
    ("an acknowledgement that is a list", '{"method":"subscribe","success":true,"result":[1]}'),
]


@pytest.mark.parametrize(("name", "text"), NONSENSE, ids=[row[0] for row in NONSENSE])
def test_a_frame_that_says_nonsense_drops_the_wire(name: str, text: str) -> None:
    """What does not parse cannot be acted on; the wire comes back, and the feed lives on."""

    async def script(rig: Rig) -> None:
        await rig.public.send(text)
        await asyncio.sleep(1)
        await rig.public.send(TICKER)

    rig = run(script)

    assert "does not parse" in rig.of(StreamDown)[0].reason, name
    assert len(rig.of(StreamUp)) == 2
    assert len(rig.of(QuoteUpdate)) == 1


def test_complaints_and_a_proxys_own_words_are_logged_and_survived(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not everything that arrives is a frame of the dialect."""

    async def script(rig: Rig) -> None:
        for text in (
            "CloudFlare WebSocket proxy restarting",
            '["an old", "dialect"]',
            '{"channel":"ticker","data":' + "[" * 100_000 + "]" * 100_000 + "}",
            '{"Error":"Exceeded msg rate"}',
            '{"method":"ping","success":false,"error":"Unsupported field"}',
        ):
            await rig.public.send(text)
        await rig.public.send(TICKER)

    with caplog.at_level(logging.WARNING):
        rig = run(script)

    assert len(rig.of(QuoteUpdate)) == 1
    assert rig.of(StreamDown) == []
    assert len(caplog.records) == 5


def test_a_closed_feed_does_not_connect_again() -> None:
    """Not even one that was waiting for its next attempt."""

    async def main() -> Rig:
        rig = Rig()
        rig.public.is_reachable = False
        collecting = asyncio.create_task(rig.collect())
        await asyncio.sleep(1)
        await rig.feed.close()
        await rig.feed.close()
        await collecting
        rig.public.is_reachable = True
        await asyncio.sleep(100)
        return rig

    assert run_virtual(main()).public.ends == []


# --- silence -------------------------------------------------------------------------------------


def test_silence_is_a_loss_after_ten_seconds() -> None:
    """Heartbeats come every second; ten without any frame is dead."""

    async def script(_: Rig) -> None:
        await asyncio.sleep(12)

    rig = run(script)
    down = rig.of(StreamDown)[0]

    assert "silent" in down.reason
    assert 10 <= (down.at - rig.of(StreamUp)[0].at).total_seconds() <= 11
    assert len(rig.of(StreamUp)) == 2


def test_silence_is_a_loss_also_when_the_clock_is_set_back() -> None:
    """An hour back must not make a wire that is dead look alive for an hour."""

    async def script(rig: Rig) -> None:
        rig.clock._epoch -= timedelta(hours=1)
        await asyncio.sleep(25)

    rig = run(script)

    assert "silent" in rig.of(StreamDown)[0].reason


def test_heartbeats_keep_a_quiet_wire_alive() -> None:
    """A heartbeat is a frame; and we ping every thirty seconds."""

    async def script(rig: Rig) -> None:
        await rig.beat(95)

    rig = run(script)

    assert rig.of(StreamDown) == []
    assert rig.public.methods().count("ping") == 3


def test_a_slow_reader_is_not_the_venues_silence() -> None:
    """The wire waits while the queue is full: nothing is dropped, nothing is blamed."""
    quotes = 12_000

    async def script(rig: Rig) -> None:
        rig.reading.clear()
        for _ in range(quotes):
            await rig.public.send(TICKER)
        await rig.beat(30)
        rig.reading.set()
        await rig.beat(1)

    rig = run(script)

    assert rig.of(StreamDown) == []
    assert len(rig.of(QuoteUpdate)) == quotes


class FastClock:
    """Venue time at sixty times the loop's."""

    def now(self) -> datetime:
        """See `ports.Clock`."""
        loop_s = asyncio.get_running_loop().time()
        return datetime(2026, 1, 5, tzinfo=UTC) + timedelta(seconds=60 * loop_s)

    async def sleep(self, seconds: float) -> None:
        """See `ports.Clock`."""
        await asyncio.sleep(seconds / 60)


def test_the_network_is_not_sped_up_with_the_clock() -> None:
    """At sixty times the speed ten venue seconds are a hiccup of the machine."""

    async def measure() -> float:
        watch = Stopwatch(FastClock())
        await asyncio.sleep(1)
        return watch.seconds()

    assert run_virtual(measure()) == pytest.approx(1.0)


# --- real sockets --------------------------------------------------------------------------------

SOON = Cadence(stream_silence_s=0.3, stream_ping_s=0.1)


class Recorder:
    """A handler that notes what it is told."""

    def __init__(self) -> None:
        self.ups = 0
        self.downs: list[str] = []
        self.channels: list[str] = []
        self.changed = asyncio.Event()

    async def on_frame(self, frame: Frame) -> None:
        """See `Handler`."""
        self.channels.append(frame.channel)

    async def on_up(self) -> None:
        """See `Handler`."""
        self.ups += 1
        self.changed.set()

    async def on_down(self, reason: str) -> None:
        """See `Handler`."""
        self.downs.append(reason)
        self.changed.set()

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for it."""
        async with asyncio.timeout(10):
            while not is_so():
                self.changed.clear()
                await self.changed.wait()


Then = Callable[[ServerConnection, int], Awaitable[None]]


@asynccontextmanager
async def on_real_sockets(then: Then) -> AsyncIterator[tuple[Connection, Recorder]]:
    """A connection to a loopback server that acknowledges, then does `then(socket, number)`."""
    numbers = iter(range(100))

    async def handle(socket: ServerConnection) -> None:
        request = json.loads(await socket.recv())
        ack = {"method": "subscribe", "success": True, "req_id": request["req_id"]}
        await socket.send(json.dumps({**ack, "result": {"channel": "executions"}}))
        await then(socket, next(numbers))
        await socket.wait_closed()

    async with serve(handle, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        recorder = Recorder()
        connection = Connection(
            f"ws://127.0.0.1:{port}",
            (Subscription(channel="executions"),),
            recorder,
            connect=connect_socket,
            clock=SystemClock(),
            cadence=SOON,
            policy=ReconnectPolicy(random.Random(1)),
        )
        yield connection, recorder
        await connection.close()


def test_over_a_real_socket_silence_ends_in_a_new_connection() -> None:
    """The code of a dead wire may not be sent, so nothing may depend on sending it."""

    async def then(socket: ServerConnection, number: int) -> None:
        if number == 1:
            await socket.send(json.dumps(HEARTBEAT))

    async def main() -> Recorder:
        async with on_real_sockets(then) as (connection, recorder):
            running = asyncio.create_task(connection.run())
            await recorder.until(lambda: recorder.ups == 2)
            assert connection.state is ConnectionState.UP
            await connection.close()
            await running
            return recorder

    recorder = asyncio.run(main())

    assert "silent" in recorder.downs[0]


def test_over_a_real_socket_a_close_code_reaches_us() -> None:
    """1001 is tried again, 1008 is not."""

    async def then(socket: ServerConnection, number: int) -> None:
        await socket.close(1001 if number == 0 else 1008, f"close {number}")

    async def main() -> Recorder:
        async with on_real_sockets(then) as (connection, recorder):
            with pytest.raises(VenueRejected, match="close 1"):
                await connection.run()
            return recorder

    recorder = asyncio.run(main())

    assert recorder.downs == ["closed with 1001: close 0", "closed with 1008: close 1"]
    assert recorder.ups == 2
