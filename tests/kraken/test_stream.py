"""Streams that cannot lie: acks, reconnects, sequences, checksums, silence."""

from __future__ import annotations

import asyncio
import json
import random
import zlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from stream_server import StreamServer

from builders import BTC, d, make_instrument, make_request, make_stop_request
from zoe_tools.domain.cadence import Cadence
from zoe_tools.domain.identifiers import ClientOrderId, VenueOrderId
from zoe_tools.domain.order import OrderAmendment, OrderStatus, Side
from zoe_tools.domain.stream import (
    BookUpdate,
    ExecutionReport,
    ExecutionsSnapshot,
    Gap,
    InstrumentsUpdate,
    QuoteUpdate,
    StreamDown,
    StreamEvent,
    StreamUp,
    TradeUpdate,
    VenueModeUpdate,
)
from zoe_tools.errors import OutcomeUnknown, VenueRejected, VenueUnavailable
from zoe_tools.kraken.stream import FeedSubscriptions, KrakenFeed
from zoe_tools.ports import FrameDuplex
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
STAMP = "2026-01-05T12:00:00.000000Z"
TICKER = {
    "channel": "ticker",
    "type": "update",
    "data": [{"symbol": "BTC/USD", "bid": 1, "bid_qty": 1, "ask": 2, "ask_qty": 1, "last": 1}],
}


class Rig:
    """A feed on scripted servers, and everything it said."""

    def __init__(
        self, *, private: bool = False, book: bool = False, instruments: bool = False
    ) -> None:
        self.clock = VirtualClock(START)
        self.public = StreamServer()
        self.private = StreamServer()
        self.tokens = 0
        self.events: list[StreamEvent] = []
        self.feed = KrakenFeed(
            "wss://public",
            "wss://private" if private else None,
            connect=self._connect,
            token=self._token,
            clock=self.clock,
            cadence=Cadence(),
            instruments={BTC: make_instrument()},
            subscriptions=FeedSubscriptions(
                symbols=(BTC,),
                trades=not book,
                book_depth=10 if book else None,
                instruments=instruments,
            ),
            rng=random.Random(1),
        )

    async def _connect(self, url: str) -> FrameDuplex:
        return await (self.private if "private" in url else self.public).connect(url)

    async def _token(self) -> str:
        self.tokens += 1
        return f"token-{self.tokens}"

    async def _collect(self) -> None:
        async for event in self.feed.events():
            self.events.append(event)

    def of(self, kind: type[StreamEvent]) -> list[Any]:
        """The events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]


def run(script: Callable[[Rig], Awaitable[None]], **options: bool) -> Rig:
    """Run a script against a fresh rig under virtual time; the feed's own error is raised."""

    async def main() -> Rig:
        rig = Rig(**options)
        collecting = asyncio.create_task(rig._collect())
        await asyncio.sleep(0.1)
        try:
            await script(rig)
            await asyncio.sleep(0.1)
        finally:
            await rig.feed.close()
            try:
                await collecting
            finally:
                await rig.public.stop()
                await rig.private.stop()
        return rig

    return run_virtual(main())


def execution(sequence: int, **row: Any) -> dict[str, Any]:
    """An executions frame with one row."""
    data = {"order_id": "OAAAAA-AAAAA-AAAAA1", "timestamp": STAMP, **row}
    return {"channel": "executions", "type": "update", "data": [data], "sequence": sequence}


NEW = {
    "exec_type": "pending_new",
    "order_status": "pending_new",
    "cl_ord_id": "ours",
    "symbol": "BTC/USD",
    "side": "buy",
    "order_type": "limit",
    "order_qty": 1.5,
}


async def nothing(_: Rig) -> None:
    """Only connect."""


def test_a_wire_is_up_when_every_symbol_is_acknowledged() -> None:
    """One ack per symbol and channel."""
    rig = run(nothing, private=True)

    assert {event.wire for event in rig.of(StreamUp)} == {"public", "private"}
    assert [each["params"]["channel"] for each in rig.public.requests] == ["ticker", "trade"]
    assert all(each["params"]["token"] == "token-1" for each in rig.private.requests)


def test_a_wire_with_a_missing_ack_is_not_up() -> None:
    """Nothing is taken for granted."""

    async def mute(_: StreamServer, request: dict[str, Any]) -> bool:
        return bool(request["params"].get("channel") == "trade")

    async def main() -> Rig:
        rig = Rig()
        rig.public.answers.append(mute)
        collecting = asyncio.create_task(rig._collect())
        await asyncio.sleep(1)
        await rig.feed.close()
        await collecting
        await rig.public.stop()
        return rig

    assert run_virtual(main()).of(StreamUp) == []


def test_quotes_prints_and_modes_become_events() -> None:
    """Times and exact decimals survive."""

    async def script(rig: Rig) -> None:
        await rig.public.send(TICKER)
        await rig.public.send(
            '{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell",'
            f'"price":70000.10,"qty":0.00005100,"trade_id":7,"timestamp":"{STAMP}"}}]}}'
        )
        await rig.public.send({"channel": "status", "data": [{"system": "cancel_only"}]})

    rig = run(script)
    (trades,) = rig.of(TradeUpdate)

    assert len(rig.of(QuoteUpdate)) == 1
    assert (trades.trades[0].side, str(trades.trades[0].quantity)) == (Side.SELL, "0.00005100")
    assert rig.of(VenueModeUpdate)[0].mode.value == "cancel_only"


def test_the_state_of_instruments_is_followed() -> None:
    """A word nobody knows is UNKNOWN, never online."""

    async def script(rig: Rig) -> None:
        pairs = [
            {"symbol": "BTC/USD", "status": "cancel_only", "qty_increment": 1e-08},
            {"symbol": "ETH/USD", "status": "dreaming"},
        ]
        await rig.public.send({"channel": "instrument", "type": "update", "data": {"pairs": pairs}})

    rig = run(script, instruments=True)
    (update,) = rig.of(InstrumentsUpdate)

    assert rig.public.requests[-1]["params"]["channel"] == "instrument"
    assert [(symbol, status.value) for symbol, status in update.statuses] == [
        ("BTC/USD", "cancel_only"),
        ("ETH/USD", "unknown"),
    ]


def test_what_is_not_json_or_not_known_is_passed_over() -> None:
    """A proxy's own words do not end a stream."""

    async def script(rig: Rig) -> None:
        await rig.public.send("CloudFlare WebSocket proxy restarting")
        await rig.public.send({"channel": "news", "type": "update", "data": []})
        await rig.public.send(TICKER)

    rig = run(script)

    assert len(rig.of(QuoteUpdate)) == 1
    assert rig.of(StreamDown) == []


def test_a_lost_private_wire_comes_back_with_a_fresh_token() -> None:
    """Tokens are for one connection."""

    async def script(rig: Rig) -> None:
        await rig.private.ends[-1].close(1001, "going away")
        await asyncio.sleep(1)

    rig = run(script, private=True)

    assert [each.wire for each in rig.of(StreamDown)] == ["private"]
    assert [each.wire for each in rig.of(StreamUp)].count("private") == 2
    assert rig.private.requests[-1]["params"]["token"] == "token-2"


def test_silence_is_a_loss() -> None:
    """Heartbeats come every second; ten seconds without any frame is dead."""

    async def script(_: Rig) -> None:
        await asyncio.sleep(16)

    rig = run(script)

    assert "silent" in rig.of(StreamDown)[0].reason
    assert len(rig.of(StreamUp)) >= 2


def test_heartbeats_keep_a_quiet_wire_alive() -> None:
    """A heartbeat is a frame."""

    async def script(rig: Rig) -> None:
        for _ in range(60):
            await asyncio.sleep(1)
            await rig.public.send({"channel": "heartbeat"})

    rig = run(script)

    assert rig.of(StreamDown) == []
    assert "ping" in rig.public.methods()


def test_a_policy_violation_ends_the_feed() -> None:
    """1008 is for good: trying again would make it worse."""

    async def script(rig: Rig) -> None:
        await rig.public.ends[-1].close(1008, "too many requests")
        await asyncio.sleep(60)

    with pytest.raises(VenueRejected):
        run(script)


def test_a_refused_symbol_is_an_error_not_a_silence() -> None:
    """The operator is told which words the venue used."""

    async def refuse(server: StreamServer, request: dict[str, Any]) -> bool:
        await server.send(
            {
                "method": request["method"],
                "success": False,
                "error": "Currency pair not supported X/Y",
            }
        )
        return True

    async def main() -> None:
        rig = Rig()
        rig.public.answers.append(refuse)
        try:
            await rig._collect()
        finally:
            await rig.feed.close()
            await rig.public.stop()

    with pytest.raises(VenueRejected, match="Currency pair not supported"):
        run_virtual(main())


def test_sparse_reports_are_completed_from_the_rich_one() -> None:
    """The venue says symbol, side and our id once."""

    async def script(rig: Rig) -> None:
        await rig.private.send(execution(1, **NEW))
        await rig.private.send(execution(2, exec_type="new", order_status="new"))
        fill = {"exec_id": "T1", "last_qty": 0.5, "last_price": 100, "cost": 50}
        fees = {"fees": [{"asset": "USD", "qty": 0.2}], "cum_qty": 0.5, "liquidity_ind": "t"}
        row = {"exec_type": "trade", "order_status": "partially_filled", **fill, **fees}
        await rig.private.send(execution(3, **row))

    reports: list[ExecutionReport] = run(script, private=True).of(ExecutionReport)

    assert [report.status for report in reports] == [
        OrderStatus.PENDING_NEW,
        OrderStatus.OPEN,
        OrderStatus.PARTIALLY_FILLED,
    ]
    assert {report.client_order_id for report in reports} == {ClientOrderId("ours")}
    fill = reports[-1].fill
    assert fill is not None
    assert (fill.symbol, fill.side, fill.fee, fill.liquidity) == (BTC, Side.BUY, d("0.2"), "taker")


def test_a_repeated_message_is_applied_once() -> None:
    """Sequences tell."""

    async def script(rig: Rig) -> None:
        await rig.private.send(execution(1, **NEW))
        await rig.private.send(execution(1, **NEW))

    assert len(run(script, private=True).of(ExecutionReport)) == 1


def test_a_missing_message_is_a_gap_and_a_fresh_start() -> None:
    """The snapshot after the reconnect tells what was missed."""

    async def script(rig: Rig) -> None:
        await rig.private.send(execution(1, **NEW))
        await rig.private.send(execution(3, exec_type="new", order_status="new"))
        await asyncio.sleep(1)
        snapshot = execution(1, **{**NEW, "exec_type": "new", "order_status": "new"})
        await rig.private.send({**snapshot, "type": "snapshot"})

    rig = run(script, private=True)

    assert [gap.channel for gap in rig.of(Gap)] == ["executions"]
    assert len(rig.private.ends) == 2
    assert [len(each.reports) for each in rig.of(ExecutionsSnapshot)] == [1]


BOOK_ROW = {
    "symbol": "BTC/USD",
    "bids": [{"price": 45283.5, "qty": 0.1}],
    "asks": [{"price": 45285.2, "qty": 0.001}],
    "timestamp": STAMP,
}


def book_frame(checksum: int, kind: str = "snapshot") -> dict[str, Any]:
    """A book frame with that checksum."""
    return {"channel": "book", "type": kind, "data": [{**BOOK_ROW, "checksum": checksum}]}


def test_only_a_book_that_verifies_is_handed_on() -> None:
    """A mismatch: one resubscription, silence until the fresh snapshot, then on."""
    right = zlib.crc32(b"452852" + b"100000" + b"452835" + b"10000000")

    async def script(rig: Rig) -> None:
        await rig.public.send(book_frame(right))
        await rig.public.send(book_frame(right + 1, "update"))
        await rig.public.send(book_frame(right, "update"))
        await asyncio.sleep(0.1)
        await rig.public.send(book_frame(right))

    rig = run(script, book=True)
    subscribed = [each for each in rig.public.requests if each["params"]["channel"] == "book"]

    assert len(rig.of(BookUpdate)) == 2
    assert [gap.cause for gap in rig.of(Gap)] == ["checksum mismatch"]
    assert [each["method"] for each in subscribed] == ["subscribe", "unsubscribe", "subscribe"]
    assert (rig.feed.checksums.verified, rig.feed.checksums.failed) == (2, 1)


# --- orders over the private wire ----------------------------------------------------------------


def answering(**answer: Any) -> Callable[[StreamServer, dict[str, Any]], Awaitable[bool]]:
    """Answer order methods like this."""

    async def reply(server: StreamServer, request: dict[str, Any]) -> bool:
        if not request["method"].endswith("_order"):
            return False
        frame = {"method": request["method"], "req_id": request["req_id"], **answer}
        await server.send(frame)
        return True

    return reply


async def place(rig: Rig, request: Any = None) -> VenueOrderId:
    """Place the usual limit entry over the wire."""
    assert rig.feed.orders is not None
    return await rig.feed.orders.place(
        request or make_request(), ClientOrderId("ours"), START, make_instrument()
    )


def test_an_order_is_placed_and_its_numbers_are_bare_and_exact() -> None:
    """Strings would be refused; a float would lose digits."""
    placed: list[VenueOrderId] = []

    async def script(rig: Rig) -> None:
        rig.private.answers.append(answering(success=True, result={"order_id": "O1"}))
        placed.append(await place(rig))
        await place(rig, make_stop_request())

    rig = run(script, private=True)
    entry, stop = (each["params"] for each in rig.private.requests[-2:])

    assert placed == ["O1"]
    assert json.dumps(entry["order_qty"]) == "0.0004"
    assert (entry["limit_price"], entry["cl_ord_id"], entry["token"]) == (60000, "ours", "token-1")
    assert entry["deadline"] == "2026-01-05T12:00:00.000Z"
    assert stop["triggers"] == {"reference": "last", "price": 58800, "price_type": "static"}


def test_a_refusal_is_a_definite_no() -> None:
    """By the error table."""

    async def script(rig: Rig) -> None:
        rig.private.answers.append(answering(success=False, error="EOrder:Insufficient funds"))
        await place(rig)

    with pytest.raises(VenueRejected) as refused:
        run(script, private=True)
    assert refused.value.code == "EOrder:Insufficient funds"


@pytest.mark.parametrize("loses", ["silence", "the wire", "an ambiguous error"])
def test_no_answer_is_an_unknown_outcome(loses: str) -> None:
    """The bytes may have left: neither placed nor failed."""

    async def drop(server: StreamServer, request: dict[str, Any]) -> bool:
        if not request["method"].endswith("_order"):
            return False
        if loses == "the wire":
            await server.ends[-1].close(1006, "")
        if loses == "an ambiguous error":
            answer = answering(success=False, error="EService:Busy")
            await answer(server, request)
        return True

    async def script(rig: Rig) -> None:
        rig.private.answers.append(drop)
        await place(rig)

    with pytest.raises(OutcomeUnknown):
        run(script, private=True)


def test_without_a_wire_nothing_is_sent() -> None:
    """A definite nothing: the caller may go another way."""

    async def script(rig: Rig) -> None:
        await rig.feed.close()
        await place(rig)

    with pytest.raises(VenueUnavailable):
        run(script, private=True)


def test_amend_and_cancel_name_the_order() -> None:
    """An amend keeps what it does not say."""

    async def script(rig: Rig) -> None:
        rig.private.answers.append(answering(success=True, result={"amend_id": "T1"}))
        assert rig.feed.orders is not None
        change = OrderAmendment(
            venue_order_id=VenueOrderId("O1"), symbol=BTC, trigger_price=d("58000")
        )
        assert await rig.feed.orders.amend(change, START, make_instrument()) == "T1"
        assert await rig.feed.orders.cancel(VenueOrderId("O1")) == 1

    rig = run(script, private=True)
    amended, cancelled = rig.private.requests[-2:]

    assert set(amended["params"]) == {"order_id", "deadline", "trigger_price", "token"}
    assert cancelled["params"]["order_id"] == ["O1"]
