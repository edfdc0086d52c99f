"""The public channels of the paper exchange's WebSocket (sections 10.1 to 10.6)."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any
from zlib import crc32

import pytest

from paper_desk import START, ask_for, change, snapshot, traded
from paper_socket import SocketDesk, at_desk, settle
from zoe_tools.kraken.wire_stream import TickerRow
from zoe_tools.paper.exchange.exchange import ExchangeOptions
from zoe_tools.paper.exchange.stream_limits import StreamLimits

Frame = dict[str, Any]

BOOK = snapshot(
    ["70000.0 1.20000000", "69999.5 0.40000000"], ["70000.1 0.30000000", "70000.4 0.15000000"]
)
TIMES = {"time_in": "2026-01-05T08:00:00.000000Z", "time_out": "2026-01-05T08:00:00.000000Z"}


def checksum(asks: str, bids: str) -> int:
    """CRC-32 over `price quantity` rows, in the words of section 10.6."""
    rows = (asks + " " + bids).split()
    return crc32("".join(row.replace(".", "").lstrip("0") for row in rows).encode())


def channel(frames: list[Frame], name: str) -> list[Frame]:
    """The data frames of one channel."""
    return [frame for frame in frames if frame.get("channel") == name]


def test_a_connection_is_greeted_with_the_status() -> None:
    """The first frame says which system answers; the connection id is above 2^63."""

    async def story(desk: SocketDesk) -> list[Frame]:
        return (await desk.connect()).frames()

    assert at_desk(story) == [
        {
            "channel": "status",
            "type": "update",
            "data": [
                {
                    "api_version": "v2",
                    "connection_id": 2**63 + 1,
                    "system": "online",
                    "version": "2.0.10",
                }
            ],
        }
    ]


def test_a_ping_is_answered_with_a_pong_that_has_no_success() -> None:
    """Section 10.3; params in a ping are an error."""

    async def story(desk: SocketDesk) -> tuple[list[Frame], list[Frame]]:
        wire = await desk.connect()
        return await wire.ask("ping", 101), await wire.say('{"method":"ping","params":{}}')

    pong, refused = at_desk(story)

    assert pong == [{"method": "pong", "req_id": 101, **TIMES}]
    assert refused == [
        {
            "error": "Unsupported field: 'params' for the given msg type: ping",
            "method": "ping",
            "success": False,
            **TIMES,
        }
    ]


def test_every_symbol_gets_its_own_answer() -> None:
    """One ack or error a symbol, with the effective options; v1 names are refused."""

    async def story(desk: SocketDesk) -> list[Frame]:
        wire = await desk.connect()
        return await wire.ask("subscribe", 11, channel="book", symbol=["BTC/USD", "XBT/USD"])

    assert at_desk(story) == [
        {
            "method": "subscribe",
            "req_id": 11,
            "result": {"channel": "book", "depth": 10, "snapshot": True, "symbol": "BTC/USD"},
            "success": True,
            **TIMES,
        },
        {
            "error": "Currency pair not supported XBT/USD",
            "method": "subscribe",
            "req_id": 11,
            "success": False,
            "symbol": "XBT/USD",
            **TIMES,
        },
    ]


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"channel": "status"}, "Symbol(s) not found"),
        ({"channel": "ticker"}, "Symbol(s) not found"),
        ({"channel": "ticker", "symbol": "BTC/USD"}, "Symbol(s) not found"),
        ({"channel": "weather", "symbol": ["BTC/USD"]}, "Subscription name invalid"),
        ({"channel": "executions", "token": "t"}, "Subscription name invalid"),
        (
            {"channel": "book", "symbol": ["BTC/USD"], "depth": 11},
            "Subscription depth not supported",
        ),
        (
            {"channel": "ticker", "symbol": ["BTC/USD"], "event_trigger": "moon"},
            "EGeneral:Invalid arguments:event_trigger",
        ),
        (
            {"channel": "trade", "symbol": ["BTC/USD"], "snapshot": 1},
            "EGeneral:Invalid arguments:snapshot",
        ),
    ],
)
def test_a_subscription_that_cannot_be_is_refused_in_krakens_words(
    params: Frame, error: str
) -> None:
    """A failure has `success: false`, the error and no result."""

    async def story(desk: SocketDesk) -> list[Frame]:
        wire = await desk.connect()
        return await wire.ask("subscribe", None, **params)

    answers = at_desk(story)

    assert answers == [{"error": error, "method": "subscribe", "success": False, **TIMES}]


@pytest.mark.parametrize(
    "text", ["hello", "[]", "{}", '{"method":1}', '{"method":"ping"', "\x00", '"\\ud800"']
)
def test_a_frame_that_is_no_request_is_malformed(text: str) -> None:
    """Whatever comes in is answered, and the connection stays up."""

    async def story(desk: SocketDesk) -> tuple[list[Frame], list[Frame]]:
        wire = await desk.connect()
        return await wire.say(text), await wire.ask("ping", 1)

    refused, pong = at_desk(story)

    assert refused == [{"error": "Malformed request", "success": False, **TIMES}]
    assert pong[0]["method"] == "pong"


def test_trading_and_unknown_methods_are_unsupported_on_the_public_socket() -> None:
    """Only the private socket trades."""

    async def story(desk: SocketDesk) -> list[Frame]:
        wire = await desk.connect()
        return [
            *await wire.ask("add_order", token=desk.token),
            *await wire.ask("fly"),
        ]

    assert [frame["error"] for frame in at_desk(story)] == ["Unsupported event"] * 2


def test_a_book_snapshot_and_its_updates_carry_wire_digits_and_checksums() -> None:
    """Asks ascending, bids descending, zeros kept; quantity zero removes; what entered is sent."""

    async def story(desk: SocketDesk) -> list[str]:
        desk.hear(BOOK)
        wire = await desk.connect()
        await wire.client.send(
            '{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"]}}'
        )
        await settle()
        wire.texts()[0:2]
        desk.hear(change(asks=["70000.1 0", "70000.2 2.5"]))
        await settle()
        return wire.texts()

    (update,) = at_desk(story)
    crc = checksum("70000.2 2.50000000 70000.4 0.15000000", "70000.0 1.20000000 69999.5 0.40000000")

    assert update == (
        '{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[],'
        '"asks":[{"price":70000.1,"qty":0.00000000},{"price":70000.2,"qty":2.50000000}],'
        f'"checksum":{crc},"timestamp":"2026-01-05T08:00:00.000000Z"}}]}}'
    )


def test_a_book_that_is_empty_at_first_sends_its_snapshot_when_it_exists() -> None:
    """The ack comes alone; the first thing that is heard of the book is a snapshot."""

    async def story(desk: SocketDesk) -> tuple[list[Frame], list[Frame]]:
        wire = await desk.connect()
        asked = await wire.ask("subscribe", channel="book", symbol=["BTC/USD"])
        desk.hear(change(bids=["70000.0 1.2"]))
        await settle()
        return asked, wire.frames()

    asked, later = at_desk(story)

    assert [frame.get("channel") for frame in asked] == [None]
    assert [(frame["channel"], frame["type"]) for frame in later] == [("book", "snapshot")]
    assert later[0]["data"][0]["bids"] == [{"price": "70000.0", "qty": "1.20000000"}]


def test_a_level_that_comes_back_into_the_window_is_sent() -> None:
    """Depth 10 of a deeper book: the eleventh level is unseen until one of the ten goes."""
    deep = [f"{70000 - step}.0 1.0" for step in range(12)]

    async def story(desk: SocketDesk) -> list[list[Frame]]:
        desk.hear(snapshot(deep, ["70001.0 1"]))
        wire = await desk.connect()
        await wire.ask("subscribe", channel="book", symbol=["BTC/USD"], depth=10)
        heard = []
        for one in (
            change(bids=["69989.0 5"]),
            change(bids=["69995.0 0"]),
            change(bids=["70000.5 3"]),
        ):
            desk.hear(one)
            await settle()
            heard.append(wire.frames())
        return heard

    outside, entered, pushed_out = at_desk(story)

    assert outside == []
    assert entered[0]["data"][0]["bids"] == [
        {"price": "69995.0", "qty": "0.00000000"},
        {"price": "69990.0", "qty": "1.00000000"},
    ]
    assert pushed_out[0]["data"][0]["bids"] == [{"price": "70000.5", "qty": "3.00000000"}]


def test_a_snapshot_of_the_source_is_told_as_a_snapshot() -> None:
    """Whoever replays whole books sends whole books."""

    async def story(desk: SocketDesk) -> list[Frame]:
        desk.hear(BOOK)
        wire = await desk.connect()
        await wire.ask("subscribe", channel="book", symbol=["BTC/USD"])
        desk.hear(snapshot(["65000.0 1"], ["65000.1 2"]))
        await settle()
        return wire.frames()

    (frame,) = at_desk(story)

    assert (frame["type"], frame["data"][0]["asks"]) == (
        "snapshot",
        [{"price": "65000.1", "qty": "2.00000000"}],
    )


def test_an_accounts_resting_order_is_seen_in_the_public_book() -> None:
    """The displayed book is the source's plus what rests in it."""

    async def story(desk: SocketDesk) -> list[Frame]:
        desk.hear(BOOK)
        wire = await desk.connect()
        await wire.ask("subscribe", channel="book", symbol=["BTC/USD"])
        desk.exchange.add_order(desk.account_id, ask_for("buy", "0.5", "70000.0"))
        await settle()
        return wire.frames()

    (frame,) = at_desk(story)

    assert frame["data"][0]["bids"] == [{"price": "70000.0", "qty": "1.70000000"}]


def test_prints_come_as_trades_and_the_last_fifty_as_a_snapshot_on_request() -> None:
    """Side of the taker, wire digits, rising ids; no snapshot unless asked for."""

    async def story(desk: SocketDesk) -> tuple[list[Frame], list[str], list[Frame]]:
        wire = await desk.connect()
        asked = await wire.ask("subscribe", channel="trade", symbol=["BTC/USD"])
        for _ in range(52):
            desk.hear(traded("70000.1", "0.0015"))
        await settle()
        texts = wire.texts()
        late = await desk.connect()
        return (
            asked,
            texts,
            await late.ask("subscribe", channel="trade", symbol=["BTC/USD"], snapshot=True),
        )

    asked, texts, late = at_desk(story)

    assert asked[0]["result"] == {"channel": "trade", "snapshot": False, "symbol": "BTC/USD"}
    assert len(texts) == 52
    assert texts[0] == (
        '{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell",'
        '"price":70000.1,"qty":0.00150000,"ord_type":"market","trade_id":1,'
        '"timestamp":"2026-01-05T08:00:00.000000Z"}]}'
    )
    rows = late[1]["data"]
    assert [row["trade_id"] for row in rows] == list(range(3, 53))


def test_a_ticker_follows_trades_or_the_best_prices_as_asked() -> None:
    """`trades` (the default) updates with prints, `bbo` when the best of the book changes."""

    async def story(desk: SocketDesk) -> list[list[Frame]]:
        desk.hear(BOOK, traded("69000.0", "0.001"))
        on_trades, on_best = await desk.connect(), await desk.connect()
        heard = [
            await on_trades.ask("subscribe", channel="ticker", symbol=["BTC/USD"]),
            await on_best.ask(
                "subscribe", channel="ticker", symbol=["BTC/USD"], event_trigger="bbo"
            ),
        ]
        for event in (
            change(bids=["69999.5 9"]),
            change(bids=["70000.0 7"]),
            traded("70000.1", "0.5", "buy"),
        ):
            desk.hear(event)
            await settle()
            heard += [on_trades.frames(), on_best.frames()]
        return heard

    first_trades, first_best, *then = at_desk(story)

    assert first_trades[0]["result"] == {
        "channel": "ticker",
        "event_trigger": "trades",
        "snapshot": True,
        "symbol": "BTC/USD",
    }
    assert first_best[1]["type"] == "snapshot"
    assert [len(frames) for frames in then] == [0, 0, 0, 1, 1, 0]
    assert then[3][0]["data"][0]["bid_qty"] == "7.00000000"
    assert then[4][0]["data"] == [
        {
            "symbol": "BTC/USD",
            "bid": "70000.0",
            "bid_qty": "7.00000000",
            "ask": "70000.1",
            "ask_qty": "0.30000000",
            "last": "70000.1",
            "volume": "0.50100000",
            "vwap": "69998.1",
            "low": "69000.0",
            "high": "70000.1",
            "change": "1000.1",
            "change_pct": "1.45",
            "timestamp": "2026-01-05T08:00:00.000000Z",
        }
    ]


def test_vector_13_what_changed_and_how_much_percent_that_is_are_told_apart() -> None:
    """1200 more than at the beginning of the day are 1.8 percent; a client reads neither."""

    async def story(desk: SocketDesk) -> list[Frame]:
        desk.hear(BOOK, traded("66666.7", "0.001"))
        wire = await desk.connect()
        await wire.ask("subscribe", channel="ticker", symbol=["BTC/USD"])
        desk.hear(traded("67866.7", "0.001"))
        await settle()
        return wire.frames()

    (frame,) = at_desk(story)

    (row,) = frame["data"]
    assert (row["change"], row["change_pct"]) == ("1200.0", "1.80")
    assert {"change", "change_pct"} <= TickerRow.unread


def test_a_ticker_of_a_silent_market_waits_for_something_to_show() -> None:
    """No book and no trade: the ack alone; the first update is told as the snapshot."""

    async def story(desk: SocketDesk) -> tuple[list[Frame], list[Frame]]:
        wire = await desk.connect()
        asked = await wire.ask(
            "subscribe", channel="ticker", symbol=["BTC/USD"], event_trigger="bbo"
        )
        desk.hear(BOOK)
        await settle()
        return asked, wire.frames()

    asked, later = at_desk(story)

    assert len(asked) == 1
    assert [(frame["type"], frame["data"][0]["last"]) for frame in later] == [
        ("snapshot", "70000.0")
    ]


def test_the_instrument_channel_says_what_can_be_traded() -> None:
    """One snapshot of assets and pairs; increments are plain numbers."""

    async def story(desk: SocketDesk) -> list[Frame]:
        wire = await desk.connect()
        return await wire.ask("subscribe", channel="instrument")

    ack, frame = at_desk(story)

    assert ack["result"] == {
        "channel": "instrument",
        "snapshot": True,
        "warnings": ["tick_size is deprecated, use price_increment"],
    }
    assert [asset["id"] for asset in frame["data"]["assets"]] == ["BTC", "USD"]
    assert frame["data"]["pairs"] == [
        {
            "symbol": "BTC/USD",
            "base": "BTC",
            "quote": "USD",
            "status": "online",
            "qty_precision": 8,
            "qty_increment": "0.00000001",
            "price_precision": 1,
            "cost_precision": 5,
            "marginable": True,
            "has_index": False,
            "cost_min": "0.5",
            "tick_size": "0.1",
            "price_increment": "0.1",
            "qty_min": "0.00005000",
            "margin_initial": "0.10",
            "position_limit_long": 250,
            "position_limit_short": 200,
        }
    ]


def test_heartbeats_come_when_nothing_else_does_and_only_to_subscribers() -> None:
    """About once a second on a subscribed, silent socket (section 10.2)."""

    async def story(desk: SocketDesk) -> tuple[list[Frame], list[Frame], list[Frame]]:
        idle, wire = await desk.connect(), await desk.connect()
        idle.frames()
        await wire.ask("subscribe", channel="trade", symbol=["BTC/USD"])
        await asyncio.sleep(1.5)
        wire.frames()
        await asyncio.sleep(3)
        silent = wire.frames()
        for step in range(10):
            await asyncio.sleep(0.4)
            desk.hear(traded("70000.1", "0.001", at=START + step))
        await settle()
        return idle.frames(), silent, wire.frames()

    idle, silent, busy = at_desk(story)

    assert idle == []
    assert silent == [{"channel": "heartbeat"}] * 3
    assert len(channel(busy, "trade")) == 10
    assert channel(busy, "heartbeat") == []


def test_a_heartbeat_comes_a_second_after_the_last_frame() -> None:
    """Not at the next full second of the connection: silence is counted from what was said."""

    async def story(desk: SocketDesk) -> list[list[Frame]]:
        wire = await desk.connect()
        await wire.ask("subscribe", channel="trade", symbol=["BTC/USD"])
        await asyncio.sleep(0.7)
        desk.hear(traded("70000.1", "0.001"))
        heard = []
        for _ in range(4):
            await asyncio.sleep(0.45)
            heard.append(channel(wire.frames(), "heartbeat"))
        return heard

    assert [len(frames) for frames in at_desk(story)] == [0, 0, 1, 0]


def test_unsubscribing_ends_the_frames_and_twice_is_refused() -> None:
    """The ack mirrors the parameters; what is not subscribed cannot end."""

    async def story(desk: SocketDesk) -> tuple[list[Frame], list[Frame], list[Frame], list[Frame]]:
        desk.hear(BOOK)
        wire = await desk.connect()
        book: Frame = {"channel": "book", "symbol": ["BTC/USD"], "depth": 25}
        await wire.ask("subscribe", **book)
        twice = await wire.ask("subscribe", **book)
        left = await wire.ask("unsubscribe", **book)
        desk.hear(change(bids=["70000.0 9"]))
        await settle()
        return twice, left, wire.frames(), await wire.ask("unsubscribe", **book)

    twice, left, after, again = at_desk(story)

    assert twice[0]["error"] == "Already subscribed"
    assert left[0]["result"] == {"channel": "book", "depth": 25, "symbol": "BTC/USD"}
    assert after == []
    assert again[0]["error"] == "Subscription not found"


def test_nobody_is_listened_for_once_all_have_left() -> None:
    """A closed connection leaves no listener behind at the exchange."""

    async def story(desk: SocketDesk) -> tuple[int, int]:
        public, private = await desk.connect(), await desk.connect(is_private=True)
        await public.ask("subscribe", channel="book", symbol=["BTC/USD"])
        await private.ask("subscribe", channel="balances", token=desk.token)
        before = len(desk.exchange._listeners)
        await public.close()
        await private.close()
        return before, len(desk.exchange._listeners)

    before, after = at_desk(story)

    assert (before > 0, after) == (True, 0)


def test_an_exchange_that_nobody_has_any_more_is_forgotten() -> None:
    """What the sockets keep of it goes with it, over however many exchanges of a process."""

    async def story(desk: SocketDesk) -> weakref.ref[object]:
        desk.hear(BOOK)
        wire = await desk.connect()
        await wire.ask("subscribe", channel="book", symbol=["BTC/USD"])
        return weakref.ref(desk.exchange)

    forgotten = at_desk(story)
    gc.collect()

    assert forgotten() is None


def test_a_reader_that_falls_behind_is_closed_with_1013() -> None:
    """The way out is bounded: it is cut, not grown."""
    options = ExchangeOptions(streams=StreamLimits(queued_frames=5))

    async def story(desk: SocketDesk) -> int:
        wire = await desk.connect()
        await wire.ask("subscribe", channel="trade", symbol=["BTC/USD"])
        desk.hear(*[traded("70000.1", "0.001") for _ in range(8)])
        await settle()
        assert wire.closed is not None
        return wire.closed.code

    assert at_desk(story, options=options) == 1013


def test_a_change_of_mode_is_pushed_to_everybody() -> None:
    """Status frames come on connect and on every change of the system."""

    async def story(desk: SocketDesk) -> list[Frame]:
        wire = await desk.connect()
        wire.frames()
        desk.exchange.set_mode("cancel_only")
        await settle()
        return wire.frames()

    (frame,) = at_desk(story)

    assert (frame["channel"], frame["data"][0]["system"]) == ("status", "cancel_only")
