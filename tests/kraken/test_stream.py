"""Streams that cannot lie: events, sequences, snapshots, checksums."""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from pathlib import Path
from typing import Any

import pytest
from feed_rig import HEARTBEAT, NEW, ORDER, STAMP, TICKER, Rig, execution, nothing, run

from builders import BTC, d
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import ClientOrderId
from zoe_tools.domain.order import OrderStatus, Side
from zoe_tools.domain.stream import (
    BalancesSnapshot,
    BalanceUpdate,
    BookUpdate,
    ExecutionReport,
    ExecutionsSnapshot,
    Gap,
    InstrumentsUpdate,
    QuoteUpdate,
    StreamDown,
    StreamUp,
    TradeUpdate,
    VenueModeUpdate,
)
from zoe_tools.domain.wallet import MAIN
from zoe_tools.kraken import stream
from zoe_tools.ports import FrameClosed

DATA = Path(__file__).parents[3] / "shared/data"


def test_a_wire_is_up_when_every_symbol_is_acknowledged() -> None:
    """One ack per symbol and channel."""
    rig = run(nothing, private=True)

    assert {event.wire for event in rig.of(StreamUp)} == {"public", "private"}
    assert [each["params"]["channel"] for each in rig.public.requests] == ["ticker", "trade"]
    assert all(each["params"]["token"] == "token-1" for each in rig.private.requests)


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


TRADE = {
    "exec_type": "trade",
    "exec_id": "TAAAAA-AAAAA-AAAAA1",
    "order_status": "partially_filled",
    "symbol": "BTC/USD",
    "side": "buy",
    "last_qty": 1.5,
    "last_price": 100,
    "cost": 150,
    "fees": [{"asset": "USD", "qty": 0.6}],
    "cum_qty": 1.5,
}


def test_the_trade_that_completes_an_order_does_not_say_so() -> None:
    """Kraken's own quirk: it says partially_filled, and a frame of its own says filled."""

    async def script(rig: Rig) -> None:
        await rig.private.send(execution(1, **NEW))
        await rig.private.send(execution(2, **TRADE))
        await rig.private.send(
            execution(3, exec_type="filled", order_status="filled", cum_qty=1.5, avg_price=100)
        )

    reports = run(script, private=True).of(ExecutionReport)

    assert [(each.status, each.cumulative_quantity) for each in reports[1:]] == [
        (OrderStatus.PARTIALLY_FILLED, d("1.5")),
        (OrderStatus.FILLED, d("1.5")),
    ]
    assert reports[-1].quantity == reports[-1].cumulative_quantity
    assert reports[-1].fill is None


# --- sequences and snapshots ---------------------------------------------------------------------


def test_the_very_same_message_again_is_applied_once() -> None:
    """A repeated frame takes nothing away, so it is no gap."""

    async def script(rig: Rig) -> None:
        await rig.private.send(execution(1, **NEW))
        await rig.private.send(execution(1, **NEW))
        await rig.private.send(execution(2, exec_type="new", order_status="new"))

    rig = run(script, private=True)

    assert len(rig.of(ExecutionReport)) == 2
    assert rig.of(Gap) == []


OUT_OF_ORDER: list[tuple[str, list[int], int]] = [
    ("one is missing", [1, 3], 2),
    ("the first is missing", [2], 1),
    ("a number is used for two messages", [1, 2, 2], 2),
    ("an old number comes back", [1, 2, 3, 1], 3),
]
"""(what happens, the numbers, how many of these messages are handed on)."""


@pytest.mark.parametrize(
    ("name", "numbers", "handed_on"), OUT_OF_ORDER, ids=[row[0] for row in OUT_OF_ORDER]
)
def test_numbers_that_do_not_follow_are_a_gap_and_a_fresh_start(
    name: str, numbers: list[int], handed_on: int
) -> None:
    """The wire starts over, and the snapshot of the new connection tells what was missed.

    What comes behind something missing is heard all the same, what comes out of turn is not.
    """

    async def script(rig: Rig) -> None:
        for place, number in enumerate(numbers):
            await rig.private.send(execution(number, **{**NEW, "order_qty": place + 1}))
        await rig.private.send(execution(numbers[-1] + 1, **NEW))
        await asyncio.sleep(1)
        snapshot = execution(1, **{**NEW, "exec_type": "new", "order_status": "new"})
        await rig.private.send({**snapshot, "type": "snapshot"})
        await rig.private.send(execution(2, exec_type="canceled", order_status="canceled"))

    rig = run(script, private=True)
    order = [type(each) for each in rig.events if isinstance(each, Gap | StreamDown)]

    # First what is missing on the channel, then for how long the wire was away.
    assert [gap.channel for gap in rig.of(Gap)] == ["executions", ""], name
    assert order == [Gap, StreamDown, Gap]
    assert len(rig.private.ends) == 2
    assert rig.private.requests[-1]["params"]["token"] == "token-2"
    assert [len(each.reports) for each in rig.of(ExecutionsSnapshot)] == [1]
    # What the old wire told next was not heard any more; the new one told one more.
    assert len(rig.of(ExecutionReport)) == handed_on + 1


def test_behind_a_gap_an_order_has_no_terms_but_those_that_are_told() -> None:
    """What is missing may have been its amendment: the quantity from before it is not said."""

    async def script(rig: Rig) -> None:
        await rig.private.send(execution(1, **NEW))
        await rig.private.send(execution(3, exec_type="canceled", order_status="canceled"))

    rig = run(script, private=True)
    before, behind = rig.of(ExecutionReport)

    assert before.quantity is not None
    assert (behind.status, behind.quantity, behind.limit_price) == (
        OrderStatus.CANCELED,
        None,
        None,
    )
    assert behind.symbol == before.symbol


def test_each_channel_counts_for_itself() -> None:
    """Balances and executions both begin with one."""

    async def script(rig: Rig) -> None:
        await rig.private.send(execution(1, **NEW))
        row = {"asset": "USD", "balance": 100.5}
        frame = {"channel": "balances", "type": "snapshot", "data": [row], "sequence": 1}
        await rig.private.send(frame)
        entry = {**row, "ledger_id": "L1", "ref_id": "T1", "timestamp": STAMP, "type": "trade"}
        row2 = {**entry, "amount": -150, "fee": 0.6, "balance": 80, "subtype": None}
        await rig.private.send({**frame, "type": "update", "data": [row2], "sequence": 2})

    rig = run(script, private=True)

    assert rig.of(Gap) == []
    assert rig.of(BalancesSnapshot)[0].holdings == (("USD", MAIN, d("100.5")),)
    assert (rig.of(BalanceUpdate)[0].entry.refid, rig.of(BalanceUpdate)[0].entry.fee) == (
        "T1",
        d("0.6"),
    )


def test_the_same_snapshot_on_a_new_connection_is_news() -> None:
    """Nothing happened while we were away, and that is worth knowing."""
    row = {"asset": "USD", "balance": 100}
    frame = {"channel": "balances", "type": "snapshot", "data": [row], "sequence": 1}

    async def script(rig: Rig) -> None:
        await rig.private.send(frame)
        await asyncio.sleep(0.1)
        await rig.private.ends[-1].close(1001, "going away")
        await asyncio.sleep(1)
        await rig.private.send(frame)

    assert len(run(script, private=True).of(BalancesSnapshot)) == 2


def test_a_snapshot_gives_open_orders_first_and_then_its_fills() -> None:
    """A reader books a fill to an order that it knows, and knows the fill by its id."""

    async def script(rig: Rig) -> None:
        fill = {**TRADE, "order_id": "OBBBBB-BBBBB-BBBBB2", "timestamp": STAMP}
        resting = {**NEW, "exec_type": "new", "order_status": "partially_filled"}
        frame = execution(1, **resting)
        await rig.private.send({**frame, "type": "snapshot", "data": [fill, *frame["data"]]})

    rig = run(script, private=True)
    (snapshot,) = rig.of(ExecutionsSnapshot)
    (report,) = rig.of(ExecutionReport)

    assert [each.status for each in snapshot.reports] == [OrderStatus.PARTIALLY_FILLED]
    assert rig.events.index(snapshot) < rig.events.index(report)
    assert report.is_snapshot
    assert isinstance(report.fill, Fill)
    assert report.fill.fill_id == TRADE["exec_id"]


# --- books ---------------------------------------------------------------------------------------

BOOK_ROW = {
    "symbol": "BTC/USD",
    "bids": [{"price": 45283.5, "qty": 0.1}],
    "asks": [{"price": 45285.2, "qty": 0.001}],
    "timestamp": STAMP,
}
RIGHT = zlib.crc32(b"452852" + b"100000" + b"452835" + b"10000000")


def book_frame(checksum: int, kind: str = "snapshot") -> dict[str, Any]:
    """A book frame with that checksum."""
    return {"channel": "book", "type": kind, "data": [{**BOOK_ROW, "checksum": checksum}]}


def test_only_a_book_that_verifies_is_handed_on() -> None:
    """A mismatch: one resubscription, silence until the fresh snapshot, then on."""

    async def script(rig: Rig) -> None:
        await rig.public.send(book_frame(RIGHT))
        await rig.public.send(book_frame(RIGHT + 1, "update"))
        await asyncio.sleep(0.1)
        assert rig.feed.is_stale(BTC)
        for _ in range(5):
            await rig.public.send(book_frame(RIGHT, "update"))
        await asyncio.sleep(0.1)
        assert rig.feed.is_stale(BTC)
        await rig.public.send(book_frame(RIGHT))
        await asyncio.sleep(0.1)
        assert not rig.feed.is_stale(BTC)
        await rig.beat(30)

    rig = run(script, depth=10)
    subscribed = [each for each in rig.public.requests if "book" in str(each)]

    assert len(rig.of(BookUpdate)) == 2
    assert [gap.cause for gap in rig.of(Gap)] == ["checksum mismatch"]
    assert [each["method"] for each in subscribed] == ["subscribe", "unsubscribe", "subscribe"]
    assert {each["params"]["depth"] for each in subscribed} == {10}
    assert (rig.feed.checksums.verified, rig.feed.checksums.failed) == (2, 1)
    assert rig.of(StreamDown) == []


def test_a_book_that_cannot_be_mended_costs_the_wire_not_the_message_rate() -> None:
    """Asking again and again is what the venue bans."""

    async def script(rig: Rig) -> None:
        for _ in range(120):
            with contextlib.suppress(FrameClosed):
                await rig.public.send(book_frame(RIGHT + 1))
            await rig.beat(1)

    rig = run(script, depth=10)
    asked = sum(1 for each in rig.public.requests if "book" in str(each))

    assert rig.of(BookUpdate) == []
    assert "time and again" in rig.of(StreamDown)[0].reason
    assert asked < 60


def test_a_fresh_snapshot_that_never_comes_costs_the_wire() -> None:
    """A book that is silent for ever would look like a quiet market."""

    async def script(rig: Rig) -> None:
        await rig.public.send(book_frame(RIGHT + 1))
        await rig.beat(15)

    rig = run(script, depth=10)

    assert [each.reason for each in rig.of(StreamDown)] == [
        "No fresh snapshot of the BTC/USD book came."
    ]


def test_a_book_of_the_last_connection_is_forgotten() -> None:
    """An update before the new snapshot is neither applied nor counted as a failure."""

    async def script(rig: Rig) -> None:
        await rig.public.send(book_frame(RIGHT))
        await asyncio.sleep(0.1)
        await rig.public.ends[-1].close(1001, "going away")
        await asyncio.sleep(1)
        await rig.public.send(book_frame(RIGHT + 1, "update"))
        await rig.public.send(book_frame(RIGHT))

    rig = run(script, depth=10)

    assert (rig.feed.checksums.verified, rig.feed.checksums.failed) == (2, 0)


@pytest.mark.parametrize("price", ["1e999999", "NaN", "1e400"])
def test_a_price_that_is_no_price_drops_the_wire(price: str) -> None:
    """It neither crashes the loop nor fills the memory."""

    async def script(rig: Rig) -> None:
        await rig.public.send(
            '{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","checksum":1,'
            f'"bids":[{{"price":"{price}","qty":1}},{{"price":2,"qty":1}}]}}]}}'
        )
        await asyncio.sleep(0.5)

    assert "does not parse" in run(script, depth=10).of(StreamDown)[0].reason


@pytest.mark.parametrize(("first", "is_gap"), [(1, False), (2, True)], ids=["overlaps", "beyond"])
def test_a_snapshot_that_does_not_reach_back_to_what_we_know_says_so(
    first: int, *, is_gap: bool
) -> None:
    """It tells the last fifty fills. Where all are news, there may be more."""

    def fills(numbers: range) -> list[dict[str, Any]]:
        return [
            {**TRADE, "order_id": ORDER, "exec_id": f"T{number}", "timestamp": STAMP}
            for number in numbers
        ]

    async def script(rig: Rig) -> None:
        frame = {"channel": "executions", "type": "snapshot", "sequence": 1}
        await rig.private.send({**frame, "data": fills(range(1, 2))})
        await asyncio.sleep(0.1)
        await rig.private.ends[-1].close(1001, "going away")
        await asyncio.sleep(1)
        await rig.private.send({**frame, "data": fills(range(first, first + 50))})

    rig = run(script, private=True)
    told = [each.fill.fill_id for each in rig.of(ExecutionReport) if each.fill]

    assert [each.channel for each in rig.of(Gap)] == (["", "executions"] if is_gap else [""])
    assert sorted(told) == sorted({f"T{number}" for number in (1, *range(first, first + 50))})


# --- real frames ---------------------------------------------------------------------------------


def test_every_frame_of_a_real_capture_comes_through_the_feed_verified() -> None:
    """2,052 of 2,052, from text frame to event."""
    capture = DATA / "crossbook/kraken_btcusd_sample.frames.tsv"
    if not capture.exists():
        pytest.skip("the real capture is not on this machine (../shared/data/crossbook)")
    frames = [line.split("\t", 1)[1] for line in capture.read_text().splitlines()]

    async def script(rig: Rig) -> None:
        for frame in frames:
            await rig.public.send(frame)

    rig = run(script, depth=25)

    assert (rig.feed.checksums.verified, rig.feed.checksums.failed) == (2052, 0)
    assert len(rig.of(BookUpdate)) == 2052
    assert rig.of(StreamDown) == []


def test_captured_frames_of_every_kind_are_survived() -> None:
    """Old and new servers, errors, whole instrument lists: no frame of them drops a wire."""
    sample = DATA / "kraken-async-rs/ws_v2_messages.ndjson"
    if not sample.exists():
        pytest.skip("the captured frames are not on this machine (../shared/data/kraken-async-rs)")
    refusals = ("ESession", "Currency pair", "Unsupported event")
    frames = [
        line
        for line in sample.read_text().splitlines()
        if not any(words in line for words in refusals) and '"book"' not in line
    ]

    async def script(rig: Rig) -> None:
        for frame in frames:
            await rig.public.send(frame)
        instruments = DATA / "torquey66/instrument_snapshot.json"
        if instruments.exists():
            await rig.public.send(instruments.read_text())
        await rig.public.send(HEARTBEAT)

    rig = run(script, instruments=True)

    assert rig.of(StreamDown) == []
    assert len(rig.of(QuoteUpdate)) == 2
    assert {each.mode.value for each in rig.of(VenueModeUpdate)} == {"online", "maintenance"}
    assert len(rig.of(TradeUpdate)) == 2
    assert max(len(each.statuses) for each in rig.of(InstrumentsUpdate)) >= 1


def test_what_waits_when_the_feed_is_closed_is_still_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue is full, and nothing of it is dropped; its depth is told meanwhile."""
    monkeypatch.setattr(stream, "QUEUE_EVENTS", 4)
    depths = []

    async def script(rig: Rig) -> None:
        rig.reading.clear()
        for _ in range(20):
            await rig.public.send(TICKER)
        await asyncio.sleep(1)
        depths.append(rig.feed.backlog.waiting)
        await rig.feed.close()
        rig.reading.set()

    rig = run(script)
    assert depths == [4]
    assert len(rig.of(QuoteUpdate)) >= 5
