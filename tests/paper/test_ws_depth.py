"""Candles, the book order by order, batches and limits of the paper exchange's WebSocket."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

from paper_books import Queues
from paper_desk import ask_for, change, snapshot, traded
from paper_socket import SocketDesk, Wire, at_desk, settle
from zoe_tools.paper.exchange.exchange import ExchangeOptions
from zoe_tools.paper.exchange.stream_limits import StreamLimits

Frame = dict[str, Any]
BOOK = snapshot(["70000.0 1.2", "69999.5 0.4"], ["70000.1 0.3", "70000.4 0.15"])


def of(frames: list[Frame], channel: str) -> list[Frame]:
    """The data frames of one channel."""
    return [frame for frame in frames if frame.get("channel") == channel]


def test_every_trade_tells_the_running_candle() -> None:
    """The ack warns, the snapshot holds what there was, `interval_begin` has nanoseconds."""

    async def story(desk: SocketDesk) -> tuple[list[Frame], list[Frame]]:
        desk.hear(BOOK, traded("70000.0", "0.5"))
        wire = await desk.connect()
        asked = await wire.ask("subscribe", channel="ohlc", symbol=["BTC/USD"], interval=5)
        desk.hear(traded("70001.0", "0.25"))
        await settle()
        return asked, wire.frames()

    (ack, first), (update,) = at_desk(story)

    assert ack["result"] == {
        "channel": "ohlc",
        "interval": 5,
        "snapshot": True,
        "symbol": "BTC/USD",
        "warnings": ["timestamp is deprecated, use interval_begin"],
    }
    assert (first["type"], len(first["data"])) == ("snapshot", 1)
    assert update["timestamp"] == "2026-01-05T08:00:00.000000000Z"
    assert update["data"] == [
        {
            "symbol": "BTC/USD",
            "open": "70000.0",
            "high": "70001.0",
            "low": "70000.0",
            "close": "70001.0",
            "trades": 2,
            "volume": "0.75000000",
            "vwap": "70000.3",
            "interval_begin": "2026-01-05T08:00:00.000000000Z",
            "interval": 5,
            "timestamp": "2026-01-05T08:05:00.000000Z",
        }
    ]


def test_an_own_order_stands_in_its_queue_and_every_checksum_holds() -> None:
    """Behind what was displayed before it, ahead of what came later; the client's CRC agrees."""

    async def story(desk: SocketDesk) -> tuple[list[Frame], str]:
        desk.hear(BOOK)
        wire = await desk.connect(is_private=True, is_level3=True)
        frames = await wire.ask("subscribe", channel="level3", symbol=["BTC/USD"], token=desk.token)
        own = desk.exchange.add_order(desk.account_id, ask_for("buy", "0.1", "70000.0"))
        desk.hear(change(bids=["70000.0 2.0"]), traded("70000.0", "0.5"))
        desk.hear(change(bids=["70000.0 1.5"]), change(asks=["70000.1 0"]))
        await settle()
        return frames + wire.frames(), own.order_id

    frames, own = at_desk(story)
    told = of(frames, "level3")
    client = Queues()

    assert told[0]["type"] == "snapshot"
    assert [frame["data"][0]["checksum"] for frame in told] == [client.apply(one) for one in told]
    assert list(client.sides["bids"]["70000.0"]).index(own) == 1


def test_a_batch_that_takes_and_rests_at_one_level_keeps_the_queue() -> None:
    """Its steps are told together, when its last order already stands in the queue."""

    async def story(desk: SocketDesk) -> list[Frame]:
        desk.hear(BOOK)
        wire = await desk.connect(is_private=True, is_level3=True)
        frames = await wire.ask("subscribe", channel="level3", symbol=["BTC/USD"], token=desk.token)
        taker, maker = ask_for("buy", "0.1", "70000.1"), ask_for("sell", "0.05", "70000.1")
        desk.exchange.add_batch(desk.account_id, [taker, maker])
        await settle()
        return frames + wire.frames()

    told = of(at_desk(story), "level3")
    client = Queues()

    assert [frame["data"][0]["checksum"] for frame in told] == [client.apply(one) for one in told]
    assert list(client.sides["asks"]["70000.1"].values()) == ["0.20000000", "0.05000000"]


def test_random_changes_keep_the_level3_checksum() -> None:
    """A hundred seeded changes, own orders among them, at depth 10."""
    dice = random.Random(5)

    async def story(desk: SocketDesk) -> list[Frame]:
        desk.hear(snapshot([f"{70000 - n}.0 1" for n in range(9)], ["70010.0 1"]))
        wire = await desk.connect(is_private=True)
        frames = await wire.ask("subscribe", channel="level3", symbol=["BTC/USD"], token=desk.token)
        for _ in range(100):
            price = f"{70000 - dice.randrange(9)}.0"
            if dice.random() < 0.3:
                desk.exchange.add_order(desk.account_id, ask_for("buy", "0.01", price))
            else:
                desk.hear(change(bids=[f"{price} {dice.randrange(4)}"]))
        await settle()
        return frames + wire.frames()

    told = of(at_desk(story), "level3")
    client = Queues()

    assert len(told) > 50
    assert [frame["data"][0]["checksum"] for frame in told] == [client.apply(one) for one in told]


def test_level3_needs_a_token_and_takes_one_depth_a_symbol() -> None:
    """The channel is an account's; a second depth is refused, and so is one that is not offered."""

    async def story(desk: SocketDesk) -> list[Frame]:
        desk.hear(BOOK)
        wire = await desk.connect(is_private=True)
        about: dict[str, Any] = {"channel": "level3", "symbol": ["BTC/USD"]}
        return [
            *await wire.ask("subscribe", **about),
            (await wire.ask("subscribe", token=desk.token, **about))[0],
            *await wire.ask("subscribe", token=desk.token, depth=100, **about),
            *await wire.ask("subscribe", token=desk.token, depth=25, **about),
        ]

    assert [frame.get("error") for frame in at_desk(story)] == [
        "Token(s) not found",
        None,
        "Already subscribed",
        "Subscription depth not supported",
    ]


def test_a_batch_of_cancels_counts_what_it_ended() -> None:
    """Two to fifty ids; none of them open is an error."""

    async def story(desk: SocketDesk) -> list[Frame]:
        desk.hear(BOOK)
        wire = await desk.connect(is_private=True)
        ids = [
            desk.exchange.add_order(desk.account_id, ask_for("buy", "0.1", "60000.0")).order_id
            for _ in range(2)
        ]
        say: dict[str, Any] = {"token": desk.token}
        return [
            *await wire.ask("batch_cancel", orders=ids, **say),
            *await wire.ask("batch_cancel", orders=ids, **say),
            *await wire.ask("batch_cancel", orders=ids[:1], **say),
        ]

    done, again, single = at_desk(story)

    assert done["result"] == {"count": 2}
    assert again["error"] == "EOrder:Invalid order"
    assert single["error"] == "EGeneral:Invalid arguments:orders"


def test_a_connection_without_traffic_or_use_ends_after_a_minute() -> None:
    """Venue time; a subscription's heartbeats are traffic, pings alone are no use."""

    async def story(desk: SocketDesk) -> list[bool]:
        silent, subscribed, pinging = [await desk.connect() for _ in range(3)]
        await subscribed.ask("subscribe", channel="ticker", symbol=["BTC/USD"])
        for _ in range(2):
            await asyncio.sleep(25)
            await pinging.ask("ping", 1)
        await asyncio.sleep(25)
        return [wire.closed is not None for wire in (silent, subscribed, pinging)]

    assert at_desk(story) == [True, False, True]


def test_a_connection_that_only_trades_lives_as_long_as_it_does() -> None:
    """Orders are use as well; a minute after the last one it ends."""

    async def story(desk: SocketDesk) -> list[bool]:
        wire = await desk.connect(is_private=True)
        lives = []
        for seconds in (50, 50, 50, 61):
            await asyncio.sleep(seconds)
            lives.append(wire.closed is None)
            if wire.closed is None:
                await wire.ask("cancel_all", token=desk.token)
        return lives

    assert at_desk(story) == [True, True, True, False]


def test_who_connects_too_often_is_let_in_again_after_the_ban() -> None:
    """So many in the window, then none for as long."""
    options = ExchangeOptions(streams=StreamLimits(connections=2))

    async def story(desk: SocketDesk) -> list[bool]:
        wires: list[Wire] = [await desk.connect() for _ in range(3)]
        closed = [wire.closed is not None for wire in wires]
        await asyncio.sleep(601)
        wires.append(await desk.connect())
        return [*closed, wires[-1].closed is not None]

    assert at_desk(story, options=options) == [False, False, True, False]


def test_who_talks_too_fast_is_told_so_in_both_shapes() -> None:
    """A subscription is refused in the usual shape, anything else in Kraken's other one."""
    options = ExchangeOptions(streams=StreamLimits(messages_per_s=1, burst=2))

    async def story(desk: SocketDesk) -> list[Frame]:
        wire = await desk.connect()
        heard = [await wire.ask("ping", number) for number in range(3)]
        heard.append(await wire.ask("subscribe", 9, channel="instrument"))
        await asyncio.sleep(1)
        heard.append(await wire.ask("ping", 10))
        return [frame for frames in heard for frame in frames if "channel" not in frame]

    first, second, third, fourth, fifth = at_desk(story, options=options)

    assert (first["method"], second["method"], fifth["method"]) == ("pong", "pong", "pong")
    assert third == {"Error": "Exceeded msg rate"}
    assert (fourth["error"], fourth["req_id"]) == ("Exceeded msg rate", 9)


def test_five_thousand_malformed_frames_are_each_answered() -> None:
    """Seeded noise around real requests: one answer at least a frame, and the socket stays up."""
    options = ExchangeOptions(streams=StreamLimits(messages_per_s=None))
    dice = random.Random(3)
    methods = [
        "add_order",
        "cancel_order",
        "batch_cancel",
        "subscribe",
        "unsubscribe",
        "amend_order",
    ]
    names = ["symbol", "order_qty", "limit_price", "orders", "order_id", "channel", "depth", "side"]
    values: list[Any] = [
        None,
        True,
        -1,
        1e308,
        "x",
        "",
        [],
        [[]],
        {},
        {"a": 1},
        "\u0000",
        2**70,
        ["BTC/USD"],
    ]

    def noise(token: str) -> str:
        params = {dice.choice(names): dice.choice(values) for _ in range(dice.randrange(5))}
        if dice.random() < 0.7:
            params["token"] = token
        text = json.dumps(
            {
                "method": dice.choice([*methods, "", 7]),
                "params": params,
                "req_id": dice.choice(values),
            }
        )
        return text[: dice.randrange(len(text))] if dice.random() < 0.3 else text

    async def story(desk: SocketDesk) -> tuple[int, str]:
        desk.hear(BOOK)
        wire = await desk.connect(is_private=True)
        silent = 0
        for _ in range(5000):
            silent += not await wire.say(noise(desk.token))
        (pong,) = await wire.ask("ping", 1)
        return silent, pong["method"]

    assert at_desk(story, options=options) == (0, "pong")


def test_a_batch_is_sound_as_a_whole_and_then_judged_one_by_one() -> None:
    """An invalid member places nothing; one without funds leaves its siblings alive."""
    good = {"order_type": "limit", "side": "buy", "order_qty": 0.1, "limit_price": 60000.0}

    async def story(desk: SocketDesk) -> list[Any]:
        desk.hear(BOOK)
        wire = await desk.connect(is_private=True)
        heard: list[Any] = []
        for second in ({"order_qty": 0.0}, {"order_qty": 100.0}):
            orders = [good, {**good, **second}]
            heard += await wire.ask("batch_add", symbol="BTC/USD", orders=orders, token=desk.token)
            heard.append(len(desk.exchange.open_orders(desk.account_id)))
        heard += await wire.ask("batch_add", symbol="BTC/USD", orders=[good], token=desk.token)
        return heard

    refused, after_refused, done, after_done, single = at_desk(story)

    assert (refused["success"], after_refused) == (False, 0)
    assert (list(done["result"][0]), after_done) == (["order_id"], 1)
    assert done["result"][1] == {"error": "EOrder:Insufficient funds"}
    assert single["error"] == "EGeneral:Invalid arguments:orders"


def test_a_hundred_subscribers_of_one_book_share_every_frame() -> None:
    """A frame is printed once: everybody is handed the same text."""

    async def story(desk: SocketDesk) -> list[list[str]]:
        desk.hear(BOOK)
        wires = [await desk.connect() for _ in range(100)]
        for wire in wires:
            await wire.ask("subscribe", channel="book", symbol=["BTC/USD"])
        desk.hear(change(bids=["70000.0 2.0"]), change(bids=["70000.0 3.0"]))
        await settle()
        return [wire.texts() for wire in wires]

    heard = at_desk(story)

    assert [len(texts) for texts in heard] == [2] * 100
    assert len({id(text) for texts in heard for text in texts}) == 2
