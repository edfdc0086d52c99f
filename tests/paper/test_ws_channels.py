"""Every public channel with every option it has (section 10.5)."""

from __future__ import annotations

from typing import Any

import pytest

from paper_desk import START, ask_for, change, d, snapshot, traded
from paper_socket import SocketDesk, at_desk, settle
from zoe_tools.paper.engine.rate_counters import TierName
from zoe_tools.paper.exchange.stream_limits import LEVEL3_COSTS, Bucket, limits_of
from zoe_tools.paper.values.times import NS

Frame = dict[str, Any]
MINUTE = 60 * NS
BOOK = snapshot(
    [f"{70000 - step}.0 1.0" for step in range(30)], [f"{70001 + step}.0 1.0" for step in range(30)]
)
OHLC_WARNING = {"warnings": ["timestamp is deprecated, use interval_begin"]}
FIELDS = {
    "ticker": (
        "symbol bid bid_qty ask ask_qty last volume vwap low high change change_pct timestamp"
    ),
    "book": "symbol bids asks checksum timestamp",
    "level3": "checksum symbol bids asks timestamp",
    "trade": "symbol side price qty ord_type trade_id timestamp",
    "ohlc": ("symbol open high low close trades volume vwap interval_begin interval timestamp"),
}


async def asked(desk: SocketDesk, **params: Any) -> list[Frame]:
    """What comes of a subscription to a market that has a book and has traded."""
    desk.hear(BOOK, traded("70000.0", "0.5"))
    is_level3 = params["channel"] == "level3"
    wire = await desk.connect(is_private=is_level3, is_level3=is_level3)
    if is_level3:
        params["token"] = desk.token
    return await wire.ask("subscribe", symbol=["BTC/USD"], **params)


@pytest.mark.parametrize(
    ("params", "effective"),
    [
        ({"channel": "ticker"}, {"event_trigger": "trades"}),
        ({"channel": "ticker", "event_trigger": "trades"}, {"event_trigger": "trades"}),
        ({"channel": "ticker", "event_trigger": "bbo"}, {"event_trigger": "bbo"}),
        ({"channel": "book"}, {"depth": 10}),
        *(({"channel": "book", "depth": depth}, {"depth": depth}) for depth in (10, 25, 100, 500)),
        ({"channel": "book", "depth": 1000}, {"depth": 1000}),
        ({"channel": "level3"}, {"depth": 10}),
        *(({"channel": "level3", "depth": depth}, {"depth": depth}) for depth in (10, 100, 1000)),
        ({"channel": "ohlc"}, {"interval": 1} | OHLC_WARNING),
        *(
            ({"channel": "ohlc", "interval": minutes}, {"interval": minutes} | OHLC_WARNING)
            for minutes in (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)
        ),
        ({"channel": "trade", "snapshot": True}, {}),
    ],
)
def test_a_channel_acknowledges_its_options_and_shows_its_fields(
    params: Frame, effective: Frame
) -> None:
    """The effective options in the ack; in the snapshot every field of the table, and no other."""
    ack, first = at_desk(lambda desk: asked(desk, **params))
    name = params["channel"]

    assert ack["result"] == {
        "channel": name,
        "symbol": "BTC/USD",
        "snapshot": True,
        **effective,
    }
    assert (first["channel"], first["type"]) == (name, "snapshot")
    assert set(first["data"][0]) == set(FIELDS[name].split())


@pytest.mark.parametrize("depth", [10, 25])
def test_a_book_shows_its_depth_asks_rising_and_bids_falling(depth: int) -> None:
    """As deep as asked for, best first."""
    _, first = at_desk(lambda desk: asked(desk, channel="book", depth=depth))
    (row,) = first["data"]
    prices = {side: [float(level["price"]) for level in row[side]] for side in ("bids", "asks")}

    assert prices == {
        "bids": [70000.0 - step for step in range(depth)],
        "asks": [70001.0 + step for step in range(depth)],
    }


@pytest.mark.parametrize(
    "params",
    [{"channel": name} for name in ("ticker", "book", "level3", "ohlc")] + [{"channel": "trade"}],
)
def test_without_a_snapshot_the_ack_comes_alone(params: Frame) -> None:
    """`snapshot: false`; for trades that is the default."""
    wanted = {} if params["channel"] == "trade" else {"snapshot": False}
    (ack,) = at_desk(lambda desk: asked(desk, **params, **wanted))

    assert ack["result"]["snapshot"] is False


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"channel": "book", "depth": 50}, "Subscription depth not supported"),
        ({"channel": "book", "depth": "10"}, "Subscription depth not supported"),
        ({"channel": "book", "depth": True}, "Subscription depth not supported"),
        ({"channel": "level3", "depth": 25}, "Subscription depth not supported"),
        ({"channel": "ohlc", "interval": 2}, "Subscription ohlc interval not supported"),
        ({"channel": "ohlc", "interval": 1.5}, "Subscription ohlc interval not supported"),
        ({"channel": "ticker", "event_trigger": 7}, "EGeneral:Invalid arguments:event_trigger"),
        ({"channel": "book", "snapshot": "yes"}, "EGeneral:Invalid arguments:snapshot"),
    ],
)
def test_an_option_that_a_channel_does_not_have_is_refused(params: Frame, error: str) -> None:
    """Nothing is subscribed."""
    (answer,) = at_desk(lambda desk: asked(desk, **params))

    assert (answer["success"], answer["error"]) == (False, error)


def test_one_connection_may_hold_several_depths_and_intervals() -> None:
    """Books are told apart by depth, candles by interval; only level3 has one depth a symbol."""

    async def story(desk: SocketDesk) -> list[object]:
        desk.hear(BOOK, traded("70000.0", "0.5"))
        public = await desk.connect()
        level3 = await desk.connect(is_private=True)
        symbol: Frame = {"symbol": ["BTC/USD"]}
        answers = []
        for wire, params in (
            (public, {"channel": "book", "depth": 10}),
            (public, {"channel": "book", "depth": 25}),
            (public, {"channel": "book", "depth": 25}),
            (public, {"channel": "ohlc", "interval": 1}),
            (public, {"channel": "ohlc", "interval": 5}),
            (public, {"channel": "ticker"}),
            (public, {"channel": "ticker", "event_trigger": "bbo"}),
            (level3, {"channel": "level3", "depth": 10, "token": desk.token}),
            (level3, {"channel": "level3", "depth": 100, "token": desk.token}),
        ):
            answer = (await wire.ask("subscribe", **symbol, **params))[0]
            answers.append(answer.get("error"))
        return answers

    twice = "Already subscribed"

    assert at_desk(story) == [None, None, twice, None, None, None, None, None, twice]


def test_a_symbol_that_is_named_twice_is_refused_the_second_time() -> None:
    """One answer a symbol, in order."""

    async def story(desk: SocketDesk) -> list[Frame]:
        wire = await desk.connect()
        return await wire.ask("subscribe", channel="trade", symbol=["BTC/USD", "BTC/USD", 7])

    answers = at_desk(story)

    assert [answer.get("error") for answer in answers] == [
        None,
        "Already subscribed",
        "Currency pair not supported 7",
    ]


def test_intervals_without_trades_have_candles_of_their_own() -> None:
    """In the snapshot: the close repeated, nothing traded, vwap and count zero."""

    async def story(desk: SocketDesk) -> Frame:
        desk.hear(BOOK, traded("70000.0", "0.5"))
        desk.hear(traded("70005.0", "0.25", at=START + 3 * MINUTE))
        desk.exchange._floor.now = START + 4 * MINUTE
        wire = await desk.connect()
        return (await wire.ask("subscribe", channel="ohlc", symbol=["BTC/USD"]))[1]

    rows = at_desk(story)["data"]
    shown = [
        (row["interval_begin"][14:19], row["open"], row["close"], row["vwap"], row["trades"])
        for row in rows
    ]

    assert shown == [
        ("00:00", "70000.0", "70000.0", "70000.0", 1),
        ("01:00", "70000.0", "70000.0", "0.0", 0),
        ("02:00", "70000.0", "70000.0", "0.0", 0),
        ("03:00", "70005.0", "70005.0", "70005.0", 1),
        ("04:00", "70005.0", "70005.0", "0.0", 0),
    ]
    assert [row["volume"] for row in rows if not row["trades"]] == ["0.00000000"] * 3


def test_a_market_that_opens_late_is_told_from_its_first_moment() -> None:
    """Subscribed before there was anything: what comes first is a snapshot, or a trade."""

    async def story(desk: SocketDesk) -> list[tuple[str, str]]:
        wire = await desk.connect()
        for name in ("ticker", "book", "ohlc", "trade"):
            await wire.ask("subscribe", channel=name, symbol=["BTC/USD"])
        desk.hear(change(bids=["70000.0 1"], asks=["70001.0 1"]), traded("70000.0", "0.5"))
        await settle()
        return [(frame["channel"], frame["type"]) for frame in wire.frames()]

    assert at_desk(story) == [
        ("book", "snapshot"),
        ("trade", "update"),
        ("ohlc", "update"),
        ("ticker", "snapshot"),
    ]


def test_a_sweep_is_one_message_of_trades_one_ticker_and_one_candle() -> None:
    """A row for every execution, in order; what they change together is told once."""

    async def story(desk: SocketDesk) -> list[Frame]:
        desk.hear(BOOK, traded("70000.0", "0.5"))
        wire = await desk.connect()
        for name in ("trade", "ticker", "ohlc"):
            await wire.ask("subscribe", channel=name, symbol=["BTC/USD"])
        desk.exchange.deposit(desk.account_id, "USD", d("1000000"))
        desk.exchange.add_order(desk.account_id, ask_for("buy", "3", "70003.0"))
        await settle()
        return wire.frames()

    frames = at_desk(story)
    (trades,) = [frame["data"] for frame in frames if frame["channel"] == "trade"]

    assert sorted(frame["channel"] for frame in frames) == ["ohlc", "ticker", "trade"]
    assert [(row["price"], row["trade_id"]) for row in trades] == [
        ("70001.0", 2),
        ("70002.0", 3),
        ("70003.0", 4),
    ]


def test_a_tier_decides_how_many_books_order_by_order_may_be_asked_for() -> None:
    """Two a second of the deepest, five for the highest tier; without a tier any number."""
    tiers: tuple[TierName | None, ...] = ("starter", "intermediate", "pro", None)
    allowed = []
    for tier in tiers:
        per_s = limits_of(tier).level3_per_s
        bucket = Bucket(per_s, per_s or 0, START)
        allowed.append(sum(bucket.pour(LEVEL3_COSTS[1000], START) for _ in range(9)))

    assert allowed == [2, 2, 5, 9]


def test_a_change_of_mode_is_a_change_of_every_pair() -> None:
    """The instrument channel tells the pairs again, without the assets."""

    async def story(desk: SocketDesk) -> list[Frame]:
        wire = await desk.connect()
        await wire.ask("subscribe", channel="instrument")
        desk.exchange.set_mode("post_only")
        await settle()
        return [frame for frame in wire.frames() if frame["channel"] == "instrument"]

    (frame,) = at_desk(story)

    assert (frame["type"], frame["data"]["assets"]) == ("update", [])
    assert [pair["status"] for pair in frame["data"]["pairs"]] == ["post_only"]


@pytest.mark.parametrize(
    ("params", "pairs"),
    [
        ({}, 1),
        ({"include_tokenized_assets": True}, 1),
        ({"execution_venue": "international"}, 1),
        ({"execution_venue": "bitnomial_exchange"}, 0),
        ({"execution_venue": "moon"}, "EGeneral:Invalid arguments:execution_venue"),
        (
            {"include_tokenized_assets": "no"},
            "EGeneral:Invalid arguments:include_tokenized_assets",
        ),
    ],
)
def test_the_instrument_channel_knows_its_options(params: Frame, pairs: int | str) -> None:
    """Another venue's pairs are none of ours."""

    async def story(desk: SocketDesk) -> list[Frame]:
        wire = await desk.connect()
        return await wire.ask("subscribe", channel="instrument", **params)

    answers = at_desk(story)

    assert pairs == (
        len(answers[1]["data"]["pairs"]) if answers[0]["success"] else answers[0]["error"]
    )
