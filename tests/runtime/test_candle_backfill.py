"""A reading of trades over a venue in memory: differences, two hosts, cursors of nonsense."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from builders import BTC, NOON, PAPER, d, make_candle, make_instrument
from fakes import Desk, FakeVenue, at_the_desk
from zoe_tools.domain.candle import Source, Span, Timeframe
from zoe_tools.domain.candle_reads import TradesRead
from zoe_tools.domain.market import PublicTrade
from zoe_tools.domain.order import Side
from zoe_tools.errors import PlanRefused, StoreUnavailable, VenueMisbehaved
from zoe_tools.runtime.candle_backfill import TradesReading
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual
from zoe_tools.store.runner import InlineRunner
from zoe_tools.store.store import Store

H1 = Timeframe.H1
T0 = int(NOON.timestamp())
SPAN = Span(T0, T0 + 4 * 3_600)


def trade(number: int, minute: int, price: str = "100") -> PublicTrade:
    """A print so many minutes past noon."""
    return PublicTrade(
        symbol=BTC,
        trade_id=number,
        side=Side.SELL,
        price=d(price),
        quantity=d("0.5"),
        traded_at=NOON + timedelta(minutes=minute),
    )


def offer(desk: Desk, trades: Sequence[PublicTrade], size: int = 3) -> None:
    """Let the venue have these."""

    async def answer(_: object, since: str = "0") -> tuple[tuple[PublicTrade, ...], str]:
        page = [each for each in trades if _ns(each) > int(since)][:size]
        return tuple(page), str(_ns(page[-1])) if page else since

    desk.venue.trades = answer  # type: ignore[method-assign,assignment]


def _ns(each: PublicTrade) -> int:
    return int(each.traded_at.timestamp()) * 10**9


async def read(desk: Desk, told: list[str] | None = None) -> TradesRead:
    """Read the four hours."""
    say = (told if told is not None else []).append
    reader = TradesReading(desk.venue, desk.store, desk.clock, make_instrument(), say)
    return await reader.run(SPAN, (H1,))


ROWS = [trade(number, 10 * number) for number in range(1, 20)]


def test_the_trades_candle_is_kept_and_the_difference_told(tmp_path: Path) -> None:
    """What OHLC said of the first hour is alike, of the second not."""

    async def story(desk: Desk) -> None:
        offer(desk, ROWS)
        flat = make_candle(open=d("100"), high=d("100"), low=d("100"), close=d("100"))
        alike = replace(flat, vwap=d("100"), volume=d("2.5"), count=5)
        wrong = replace(alike, opened_at=NOON + H1.length, volume=d("3.5"), count=6)
        await desk.read(lambda tx: tx.write_candles((alike, wrong), Source.OHLC))
        done = await read(desk)

        assert (done.trades, done.new, done.alike, done.differ) == (19, 2, 1, 1)
        assert done.unproved == 0
        assert "volume 3.5" in done.told[0]
        assert "the trades say" in done.told[0]
        stored = await desk.read(lambda tx: tx.candles(BTC, H1))
        assert [each.count for each in stored] == [5, 6, 6, 2]
        assert stored[1].volume == d("3")
        assert await desk.read(lambda tx: tx.market.read_spans(BTC, H1)) == (SPAN,)

    at_the_desk(tmp_path, story)


def test_candles_that_the_trades_know_nothing_of_are_told(tmp_path: Path) -> None:
    """OHLC says that something traded in the last hour; the venue's trades end before it."""

    async def story(desk: Desk) -> None:
        offer(desk, ROWS[:10])
        wrong = make_candle(opened_at=NOON + 3 * H1.length)
        silent = make_candle(opened_at=NOON + 2 * H1.length, count=0, volume=d("0"))
        beyond = make_candle(opened_at=NOON + 4 * H1.length)
        await desk.read(lambda tx: tx.write_candles((wrong, silent, beyond), Source.OHLC))
        done = await read(desk)

        assert (done.new, done.differ, done.unproved) == (2, 0, 1)
        assert wrong in await desk.read(lambda tx: tx.candles(BTC, H1))

    at_the_desk(tmp_path, story)


def test_whoever_moved_the_cursor_meanwhile_goes_on_alone(tmp_path: Path) -> None:
    """Of two hosts the one that comes late ends, and writes nothing more."""

    async def story(desk: Desk) -> None:
        offer(desk, ROWS)
        pages = desk.venue.trades

        async def meanwhile(_: object, since: str = "0") -> object:
            answer = await pages(BTC, since)
            if len(asked) == 2:
                kept = await desk.read(lambda tx: tx.market.cursor(BTC, Source.TRADES))
                assert kept is not None
                moved = replace(kept, updated_at=kept.updated_at + timedelta(seconds=1))
                await desk.read(lambda tx: tx.market.keep_cursor(moved))
            asked.append(since)
            return answer

        asked: list[str] = []
        desk.venue.trades = meanwhile  # type: ignore[method-assign,assignment]
        with pytest.raises(PlanRefused, match="Another backfill of BTC/USD"):
            await read(desk)
        assert len(asked) == 3

    at_the_desk(tmp_path, story)


def test_trades_out_of_order_are_an_error_and_change_nothing(tmp_path: Path) -> None:
    """The venue contradicts itself."""

    async def story(desk: Desk) -> None:
        offer(desk, [trade(1, 100), trade(2, 10)])
        with pytest.raises(VenueMisbehaved, match="make no sense"):
            await read(desk)
        assert await desk.read(lambda tx: tx.candles(BTC, H1)) == ()

    at_the_desk(tmp_path, story)


def test_a_cursor_of_nonsense_is_an_error_with_a_hint(tmp_path: Path) -> None:
    """It is not thrown away: what it stands for may be hours of reading."""

    async def story(desk: Desk) -> None:
        offer(desk, ROWS)
        rows = desk.venue.trades

        async def dies(_: object, since: str = "0") -> object:
            if since != str(T0 * 10**9 - 1):
                raise KeyboardInterrupt
            return await rows(BTC, since)

        desk.venue.trades = dies  # type: ignore[method-assign,assignment]
        with pytest.raises(KeyboardInterrupt):
            await read(desk)
        kept = await desk.read(lambda tx: tx.market.cursor(BTC, Source.TRADES))
        assert kept is not None
        await desk.read(lambda tx: tx.market.keep_cursor(replace(kept, running=b"nonsense")))
        with pytest.raises(StoreUnavailable, match="cannot be read"):
            await read(desk)

    at_the_desk(tmp_path, story)


def test_what_the_venue_has_dropped_is_not_read(tmp_path: Path) -> None:
    """Where its oldest trade is not the first there was; one that is older proves all of it."""

    async def story(desk: Desk) -> None:
        late = [replace(each, trade_id=each.trade_id + 50) for each in ROWS]
        offer(desk, late[7:])
        done = await read(desk)

        assert done.begins_at == NOON + timedelta(minutes=80)
        assert await desk.read(lambda tx: tx.market.read_spans(BTC, H1)) == (
            Span(T0 + 4_801, SPAN.until),
        )
        stored = await desk.read(lambda tx: tx.candles(BTC, H1))
        assert [each.opened_at for each in stored] == [NOON + 2 * H1.length, NOON + 3 * H1.length]
        offer(desk, [replace(trade(3, -1), trade_id=3), *late])
        done = await read(desk)
        assert (done.begins_at, done.new, done.alike) == (None, 2, 2)
        assert await desk.read(lambda tx: tx.market.read_spans(BTC, H1)) == (SPAN,)

    at_the_desk(tmp_path, story)


def test_trades_that_go_while_they_are_read_make_no_candle(tmp_path: Path) -> None:
    """The last one that was read is gone, and so are some behind it: it is begun anew."""

    async def story(desk: Desk) -> None:
        offer(desk, ROWS)
        pages = desk.venue.trades

        async def drops(_: object, since: str = "0") -> object:
            asked.append(since)
            if len(asked) == 3:
                offer(desk, ROWS[11:])
                return await desk.venue.trades(BTC, since)
            return await pages(BTC, since)

        asked: list[str] = []
        desk.venue.trades = drops  # type: ignore[method-assign,assignment]
        with pytest.raises(VenueMisbehaved, match="not all that follow") as caught:
            await read(desk)
        assert "reads what there still is" in caught.value.hint
        done = await read(desk)

        assert done.begins_at == NOON + timedelta(minutes=120)
        stored = await desk.read(lambda tx: tx.candles(BTC, H1))
        assert [each.opened_at for each in stored] == [NOON + 3 * H1.length]
        spans = await desk.read(lambda tx: tx.market.read_spans(BTC, H1))
        assert spans == (Span(T0, T0 + 3_000), Span(T0 + 7_201, SPAN.until))

    at_the_desk(tmp_path, story)


def test_progress_is_told_every_ten_seconds_with_the_time_that_is_left(tmp_path: Path) -> None:
    """By the share of the time that is read, where nobody knows how many trades there are."""

    async def story(desk: Desk) -> None:
        minutes = [trade(number, number) for number in range(1, 200)]
        offer(desk, minutes, size=5)
        told: list[str] = []
        await read(desk, told)

        assert len(told) == 4
        assert "BTC/USD: 45 trades read, up to" in told[0]
        assert told[0].endswith("19%, about 43 s left.")

    at_the_desk(tmp_path, story)


def test_the_memory_of_a_long_reading_is_that_of_a_page(tmp_path: Path) -> None:
    """What is carried from page to page does not grow."""

    async def story(desk: Desk) -> None:
        offer(desk, ROWS)
        sizes: list[int] = []
        pages = desk.venue.trades

        async def measured(_: object, since: str = "0") -> object:
            kept = await desk.read(lambda tx: tx.market.cursor(BTC, Source.TRADES))
            sizes.append(len(kept.running) if kept else 0)
            return await pages(BTC, since)

        desk.venue.trades = measured  # type: ignore[method-assign,assignment]
        await read(desk)
        assert len(sizes) > 5
        assert max(sizes) < 400

    at_the_desk(tmp_path, story)


def test_a_reading_is_gone_on_with_on_postgresql_too(migrated_url: str) -> None:
    """Broken off after each page; the candles are those of the trades."""

    class Gone(Exception):
        """The process is."""

    async def story(store: InlineRunner) -> int:
        runs, clock = 0, VirtualClock(NOON)
        while True:
            venue = FakeVenue(clock)
            asked: list[str] = []

            async def once(
                _: object, since: str = "0", asked: list[str] = asked
            ) -> tuple[tuple[PublicTrade, ...], str]:
                if asked:
                    raise Gone
                asked.append(since)
                page = [each for each in ROWS if _ns(each) > int(since)][:3]
                return tuple(page), str(_ns(page[-1])) if page else since

            venue.trades = once  # type: ignore[method-assign,assignment]
            runs += 1
            try:
                reader = TradesReading(venue, store, clock, make_instrument(), print)
                await reader.run(SPAN, (H1,))
            except Gone:
                continue
            return runs

    with closing(Store.open(migrated_url, PAPER, clock_now=NOON)) as store:
        runs = run_virtual(story(InlineRunner(store)))
        with store.transaction() as transaction:
            stored = transaction.candles(BTC, H1)
            read = transaction.market.read_spans(BTC, H1)
            left = transaction.market.cursor(BTC, Source.TRADES)

    assert runs > 5
    assert [each.count for each in stored] == [5, 6, 6, 2]
    assert read == (SPAN,)
    assert left is None
