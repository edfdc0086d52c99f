"""Bulk archives into the store: nothing is lost, nothing is written twice, kills do no harm."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import pytest
from typing_extensions import override

import bulk_tables
import import_child
import kraken_answers as kraken
from builders import BTC, ETH, NOON, PAPER, d
from candle_rows import told
from fakes import fresh_store
from templates import put_migrated
from zoe_tools.core.candle_gaps import Cause, Series, gaps_of
from zoe_tools.core.candle_import import LENGTHS
from zoe_tools.domain.candle import Source, Span, Timeframe, moment_at
from zoe_tools.domain.candle_table import as_candles
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import InstrumentCatalogue
from zoe_tools.errors import MarketDataError, StoreUnavailable
from zoe_tools.runtime import candle_archives, candle_slices
from zoe_tools.runtime.candle_archives import Kind
from zoe_tools.runtime.candle_import import TableTold, import_tables, tables_of
from zoe_tools.runtime.candle_slices import CandleSlices
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual
from zoe_tools.store.bulk import FIRST_ROWS
from zoe_tools.store.runner import InlineRunner, StoreRunner
from zoe_tools.store.store import Store, Transaction

T = TypeVar("T")
DATA = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="no captures of real answers beside the checkout (../shared/data)"
)
M1, M5, H1 = Timeframe.M1, Timeframe.M5, Timeframe.H1
ALL = Span(0, 1 << 33)
_KNOWN = kraken.catalogue()
STORJ = Symbol("STORJ/USD")
CATALOGUE = InstrumentCatalogue(
    (
        *_KNOWN.instruments,
        replace(
            _KNOWN.resolve("ETHUSD"), symbol=STORJ, base="STORJ", venue_id="STORJUSD",
            altname="STORJUSD", aliases=(),
        ),
    ),
    _KNOWN.assets,
)  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store of either kind, migrated."""
    if request.param == "sqlite":
        opened = fresh_store(tmp_path)
    else:
        url = request.getfixturevalue("migrated_url")
        opened = Store.open(url, PAPER, clock_now=NOON)
    with closing(opened):
        yield opened


def imported(
    store: Store | StoreRunner,
    path: Path,
    *,
    is_dry: bool = False,
    lengths: Sequence[Timeframe] = LENGTHS,
    now: datetime = NOON,
) -> list[TableTold]:
    """Import a file; what is told of each table."""
    runner = InlineRunner(store) if isinstance(store, Store) else store
    tables = tables_of(path, CATALOGUE).tables
    clock = VirtualClock(now)

    async def story() -> list[TableTold]:
        done = import_tables(tables, CATALOGUE, runner, clock, lengths=lengths, is_dry=is_dry)
        return [each async for each in done]

    return run_virtual(story())


def stored(store: Store, symbol: Symbol, timeframe: Timeframe) -> list[str]:
    """All candles of a series."""
    with store.transaction() as books:
        return told(books.market.frame(symbol, timeframe, ALL).iter_rows(named=True))


def everything(store: Store, symbol: Symbol = BTC) -> list[object]:
    """All that an import leaves: candles and spans."""
    with store.transaction() as books:
        return [
            (books.market.frame(symbol, each, ALL).rows(), books.market.read_spans(symbol, each))
            for each in Timeframe
        ]


def gaps(store: Store, symbol: Symbol, timeframe: Timeframe) -> dict[Cause, int]:
    """How many candles are missing of what the import covered, by cause."""
    with store.transaction() as books:
        read = books.market.read_spans(symbol, timeframe)
        starts = books.market.starts(symbol, timeframe, ALL)
    series, counts = Series(timeframe=timeframe, starts=starts, read=read), dict.fromkeys(Cause, 0)
    for gap in gaps_of(series, Span(read[0].since, read[-1].until)):
        counts[gap.cause] += gap.count
    return counts


def table(tmp_path: Path, *lines: str, name: str = "XBTUSD.csv") -> Path:
    """A table of these rows."""
    path = tmp_path / name
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


@needs_data
@pytest.mark.parametrize(
    ("name", "symbol", "rows", "missing"),
    [("ETHUSD_60.csv", Symbol("ETH/USD"), 15_333, 3), ("STORJUSD_60.csv", STORJ, 1_508, 351)],
)
def test_krakens_own_tables_are_imported_whole_and_their_gaps_are_told(
    store: Store, name: str, symbol: Symbol, rows: int, missing: int
) -> None:
    """Every row as it is, without a vwap; each missing hour is a gap that was looked at."""
    path = DATA / "aironav" / name
    (done,) = imported(store, path)

    assert (done.rows_read, done.holds) == (rows, Kind.CANDLES)
    (series,) = done.series
    assert (series.written.new, series.missing) == (rows, missing)
    lines = path.read_text().splitlines()
    first = int(lines[0].split(",")[0])
    with store.transaction() as books:
        candles = books.market.frame(symbol, H1, ALL)
    assert [
        (str(row["at"]), *(row[key] for key in ("open", "high", "low", "close", "volume")))
        for row in candles.iter_rows(named=True)
    ] == [(at, *map(Decimal, cells)) for at, *cells, _ in (each.split(",") for each in lines)]
    assert candles["vwap"].null_count() == rows
    assert candles["is_final"].all()
    found = gaps(store, symbol, H1)
    assert found[Cause.NEVER_FETCHED] == 0
    assert sum(found.values()) == missing
    assert candles.item(0, "at") == first
    (again,) = imported(store, path)
    assert (again.written.new, again.written.changed, again.written.unchanged) == (0, 0, rows)


@needs_data
def test_real_trades_give_the_minutes_that_kraken_tells(tmp_path: Path, store: Store) -> None:
    """All 143 full minutes: open, high, low, close, volume, count, and the vwap cut off."""
    folder = DATA / "nautilus"
    trades = json.loads((folder / "xbtusdt_trades_first_half.json").read_text())["trades"]
    ohlc = json.loads((folder / "xbtusdt_ohlc_1m_first_half.json").read_text())["candles"]
    path = table(
        tmp_path,
        *(f"{at:.9f},{price},{volume}" for price, volume, at, *_ in trades),
        name="XBTUSDT.csv",
    )
    imported(store, path)

    with store.transaction() as books:
        rows = books.market.frame(Symbol("BTC/USDT"), M1, ALL).iter_rows(named=True)
        ours = {
            row["at"]: (
                *(row[key] for key in ("open", "high", "low", "close", "vwap", "volume")),
                row["count"],
            )
            for row in rows
        }
    theirs = {
        at: (*map(Decimal, (o, h, low, c, vwap, volume)), count)
        for at, o, h, low, c, vwap, volume, count in ohlc
        if count and trades[0][2] <= at <= trades[-1][2] - 60
    }
    assert len(theirs) == 143
    assert {at: ours[at] for at in theirs} == theirs
    assert sum((row[5] for row in ours.values()), d("0")) == sum(d(each[1]) for each in trades)


def test_a_million_trades_stamped_to_the_second_keep_all_of_their_volume(tmp_path: Path) -> None:
    """To the last digit, in each length; many have the same second, price and volume."""
    count = 1_000_000
    path = bulk_tables.trades(tmp_path / "XBTUSD.csv", count, days=20)
    exact = Decimal(bulk_tables.volume_of(count)).scaleb(-8)
    with closing(fresh_store(tmp_path)) as store:
        (done,) = imported(store, path)
        assert (done.rows_read, done.volume) == (count, exact)
        for each in done.series:
            with store.transaction() as books:
                candles = books.market.frame(BTC, each.timeframe, ALL)
            assert candles["volume"].sum() == exact
            assert candles["count"].sum() == count
        assert done.series[0].written.new == 20 * bulk_tables.MINUTES_A_DAY


TRADES = tuple(
    f"{bulk_tables.BEGIN + 13 * n + 700 * (n // 50)},{42_000 + n % 7}.{n % 10},0.{n + 1:08d}"
    for n in range(400)
)


def test_importing_again_changes_nothing_and_a_dry_run_writes_nothing(
    tmp_path: Path, store: Store
) -> None:
    """And says beforehand what is new."""
    path = table(tmp_path, *TRADES)
    before = everything(store)
    (dry,) = imported(store, path, is_dry=True)
    assert everything(store) == before
    (done,) = imported(store, path)
    assert dry == done
    after = everything(store)
    (again,) = imported(store, path)
    assert everything(store) == after
    assert (again.written.new, again.written.changed, again.written.kept) == (0, 0, 0)
    assert again.written.unchanged == done.written.new
    assert done.series[0].timeframe is M1


def test_increments_that_overlap_come_to_the_same_as_the_whole(tmp_path: Path) -> None:
    """Cut in the middle of a day: what either knows in part only, neither calls final."""
    whole = (tmp_path / "whole", TRADES)
    parts = (tmp_path / "parts", TRADES[:260], TRADES[210:])
    found = []
    for folder, *pieces in (whole, parts):
        folder.mkdir()
        with closing(fresh_store(folder)) as store:
            for piece in pieces:
                imported(store, table(folder, *piece))
            with store.transaction() as books:
                found.append(books.market.frame(BTC, M1, ALL))
                assert len(books.market.read_spans(BTC, M1)) == 1

    assert found[0].equals(found[1])


def test_trades_win_over_tables_of_candles_and_bring_the_vwap(tmp_path: Path) -> None:
    """In whatever order they come; a candle that differs is told."""
    trades = [f"{bulk_tables.BEGIN + 30 * n},{100 + n},1" for n in range(9)]
    candles = [
        f"{bulk_tables.BEGIN + 60 * n},{100 + 2 * n},{101 + 2 * n},{100 + 2 * n},{101 + 2 * n},2,2"
        for n in range(4)
    ]
    candles[2] = candles[2].replace(",2,2", ",2.00000001,2")
    with closing(fresh_store(tmp_path)) as store:
        minute = table(tmp_path, *candles, name="XBTUSD_1.csv")
        (first,) = imported(store, minute)
        assert first.written.new == 4
        (second,) = imported(store, table(tmp_path, *trades), lengths=(M1,))
        assert (second.written.new, second.written.changed) == (1, 4)
        (third,) = imported(store, minute)
        assert (third.written.unchanged, third.written.kept) == (3, 1)
        assert third.written.differing[0].stored == "volume 2, vwap 104.5"
        assert {row.split()[5] for row in stored(store, BTC, M1)} != {"-"}


class Dies:
    """A store whose process ends before its so manieth transaction, or in the middle of it."""

    def __init__(self, store: Store, after: int, *, is_within: bool) -> None:
        self._runner = InlineRunner(store)
        self._left = after
        self._is_within = is_within

    async def run(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """See `StoreRunner`."""
        self._left -= 1
        if self._left >= 0:
            return await self._runner.run(work, is_urgent=is_urgent)
        if not self._is_within:
            raise StoreUnavailable("gone")

        def cut(books: Transaction) -> T:
            work(books)
            raise StoreUnavailable("gone")

        return await self._runner.run(cut)

    async def read(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """See `StoreRunner`."""
        return await self._runner.read(work, is_urgent=is_urgent)

    async def close(self) -> None:
        """See `StoreRunner`."""
        await self._runner.close()


@pytest.mark.parametrize("seed", range(6))
def test_whoever_is_killed_in_the_middle_and_begins_again_ends_with_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """At any transaction, as often as one likes: the same rows and the same spans."""
    monkeypatch.setattr(candle_archives, "PART_BYTES", 900)
    monkeypatch.setattr(candle_slices, "ROWS_ALONE", 60)
    draw = random.Random(seed)
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("XBTUSD.csv", "".join(f"{line}\n" for line in TRADES))
        archive.writestr("XBTUSD_15.csv", f"{bulk_tables.BEGIN - 900},1,2,1,2,3,4\n")
    for folder in ("straight", "killed"):
        (tmp_path / folder).mkdir()
    with (
        closing(fresh_store(tmp_path / "straight")) as straight,
        closing(fresh_store(tmp_path / "killed")) as killed,
    ):
        imported(straight, path)
        kills = 0
        for _ in range(4):
            dying = Dies(killed, draw.randrange(7), is_within=draw.random() < 0.5)
            try:
                imported(dying, path)
            except StoreUnavailable:
                kills += 1
        imported(killed, path)
        assert kills
        assert everything(killed) == everything(straight)


@pytest.mark.parametrize("base", ["sqlite", "postgresql"])
def test_a_process_that_is_killed_leaves_nothing_that_a_second_import_does_not_complete(
    tmp_path: Path, request: pytest.FixtureRequest, base: str
) -> None:
    """SIGKILL, twice, at some moment after some commit."""
    path = bulk_tables.trades(tmp_path / "XBTUSD.csv", 60_000, days=20)
    with closing(fresh_store(tmp_path)) as straight:
        imported(straight, path)
        expected = everything(straight)
    url = f"sqlite:///{tmp_path / 'killed.db'}"
    if base == "postgresql":
        url = str(request.getfixturevalue("migrated_url"))
    else:
        put_migrated(tmp_path / "killed.db")
    for commits in (2, 7):
        child = subprocess.Popen(
            [sys.executable, import_child.__file__, url, path],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PYTHONPATH": ":".join(sys.path)},
        )
        with child as running:
            assert running.stdout is not None
            lines = [running.stdout.readline() for _ in range(commits)]
            running.kill()
        assert lines == [b"committed\n"] * commits
        assert child.returncode == -signal.SIGKILL

    with closing(Store.open(url, PAPER, clock_now=NOON)) as store:
        with store.transaction() as books:
            assert books.market.read_spans(BTC, M1) == ()
            assert 0 < books.market.frame(BTC, M1, ALL).height < 20 * bulk_tables.MINUTES_A_DAY
        imported(store, path)
        assert everything(store) == expected


def test_nothing_of_an_archive_is_written_before_all_of_it_makes_sense(tmp_path: Path) -> None:
    """The last row of the last table."""
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("XBTUSD.csv", "".join(f"{line}\n" for line in TRADES))
        archive.writestr("XBTUSD_15.csv", f"{bulk_tables.BEGIN},1,2,1,2,3,4\nbad\n")
    with closing(fresh_store(tmp_path)) as store:
        before = everything(store)
        with pytest.raises(MarketDataError, match=r"XBTUSD_15\.csv, line 2"):
            imported(store, path)
        assert everything(store) == before


def test_what_holds_nothing_to_import_is_refused(tmp_path: Path) -> None:
    """An empty file, a zip without a known pair, pairs that are not in it, too much money."""
    with closing(fresh_store(tmp_path)) as store:
        with pytest.raises(MarketDataError, match=r"XBTUSD\.csv is empty"):
            imported(store, table(tmp_path))
        with pytest.raises(MarketDataError, match="no market does"):
            imported(store, table(tmp_path, "1,999999999999,999999999999"))
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("NOPE.csv", "1,1,1\n")
    with pytest.raises(MarketDataError, match="holds no table of a pair that is known"):
        tables_of(path, CATALOGUE)
    with pytest.raises(MarketDataError, match="holds no table of ETH/USD"):
        tables_of(table(tmp_path, *TRADES), CATALOGUE, (Symbol("ETH/USD"),))


def test_the_future_is_refused_and_the_running_candle_is_not_final(
    tmp_path: Path, store: Store
) -> None:
    """Even in the last hour of a quarter, where a table may be taken for Kraken's own cut."""
    now = datetime(2025, 12, 31, 23, 30, 30, tzinfo=UTC)
    trades = [f"{int(now.timestamp()) - back},100,1" for back in (120, 90, 31, 30, 1)]
    path = table(tmp_path, *trades)
    with pytest.raises(MarketDataError, match=r"tells of 2025-12-31 23:30 UTC.*still to come"):
        imported(store, path, now=now - timedelta(seconds=2))
    imported(store, path, now=now)

    with store.transaction() as books:
        minutes, days = (books.market.frame(BTC, each, ALL) for each in (M1, Timeframe.D1))
        read = books.market.read_spans(BTC, M1)
    assert minutes["is_final"].to_list() == [False, True, False]
    assert days["is_final"].to_list() == [False]
    assert [moment_at(each.until) for each in read] == [now.replace(second=0)]


def test_the_last_candle_of_a_table_that_was_cut_anywhere_is_not_final(
    tmp_path: Path, store: Store
) -> None:
    """It is stored as a running one, and is still to be fetched; what is final stays so."""
    hours = [f"{bulk_tables.BEGIN + 3_600 * n},1,2,1,2,3,4" for n in range(4)]
    imported(store, table(tmp_path, *hours[:3], name="XBTUSD_60.csv"))
    with store.transaction() as books:
        before = books.market.frame(BTC, H1, ALL)["is_final"].to_list()
        read = books.market.read_spans(BTC, H1)
    assert before == [True, True, False]
    assert read == (Span(bulk_tables.BEGIN, bulk_tables.BEGIN + 7_200),)

    for rows in (hours, hours[:3]):
        imported(store, table(tmp_path, *rows, name="XBTUSD_60.csv"))
        with store.transaction() as books:
            after = books.market.frame(BTC, H1, ALL)["is_final"].to_list()
        assert after == [True, True, True, False]


def test_an_empty_table_within_an_archive_is_told_and_no_hindrance(tmp_path: Path) -> None:
    """A pair that did not trade in a quarter."""
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("XBTUSD.csv", "")
        archive.writestr("ETHUSD.csv", "1704067200,1,1\n")
    with closing(fresh_store(tmp_path)) as store:
        done = imported(store, path)
    assert {each.symbol: (each.rows_read, each.written.new) for each in done} == {
        BTC: (0, 0),
        ETH: (1, 6),
    }


def test_a_loop_beside_it_waits_for_small_slices_only(tmp_path: Path) -> None:
    """While a loop has a lease, slices are cut to what fits into 20 ms; else they are large."""
    sizes: list[int] = []

    class Watched(InlineRunner):
        @override
        async def run(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
            result = await super().run(work, is_urgent=is_urgent)
            if isinstance(result, tuple) and isinstance(result[0], list):
                sizes.append(sum(each.rows for each in result[0]))
            return result

    path = bulk_tables.candles(tmp_path / "XBTUSD_1.csv", 60_000)
    with closing(fresh_store(tmp_path)) as store:
        with store.transaction() as books:
            books.acquire_lease("loop", "host", 1, NOON, 3_600.0)
        imported(Watched(store), path)
        near, sizes[:] = max(sizes), []
        with store.transaction() as books:
            books.release_lease("loop")
        imported(Watched(store), path)

    assert near <= 5_000
    assert max(sizes) == candle_slices.ROWS_ALONE


def test_whoever_leaves_early_does_so_when_the_slice_at_work_is_written(tmp_path: Path) -> None:
    """The next part is read while one is written; that it is bad is told, and then all is still."""
    events: list[str] = []

    class Slow(InlineRunner):
        @override
        async def run(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
            events.append("begins")
            await asyncio.sleep(1.0)
            result = await super().run(work, is_urgent=is_urgent)
            events.append("is written")
            return result

    async def story(store: Store) -> None:
        slices = CandleSlices(Slow(store), VirtualClock(NOON), BTC, Source.BULK_CANDLES)
        path = bulk_tables.candles(tmp_path / "XBTUSD_1.csv", 100)
        (part,) = candle_archives.parts_of(tables_of(path, CATALOGUE).tables[0])
        async with slices:
            await slices.add(M1, as_candles(part))
            events.append("the next is read")
            raise MarketDataError("line 7 makes no sense", hint="Download it again.")

    with closing(fresh_store(tmp_path)) as store:
        with pytest.raises(MarketDataError):
            run_virtual(story(store))
        assert len(stored(store, BTC, M1)) == FIRST_ROWS * 2

    assert events == ["begins", "is written", "begins", "the next is read", "is written"]


def test_a_store_that_fails_while_the_next_part_is_read_is_told(tmp_path: Path) -> None:
    """The failure reaches whoever adds next, or finishes."""

    class Full(InlineRunner):
        @override
        async def run(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
            raise StoreUnavailable("the disk is full", hint="Make room.")

    async def story(store: Store) -> None:
        slices = CandleSlices(Full(store), VirtualClock(NOON), BTC, Source.BULK_CANDLES)
        path = bulk_tables.candles(tmp_path / "XBTUSD_1.csv", 100)
        (part,) = candle_archives.parts_of(tables_of(path, CATALOGUE).tables[0])
        async with slices:
            await slices.add(M1, as_candles(part).head(FIRST_ROWS))
            await slices.finish()

    with closing(fresh_store(tmp_path)) as store, pytest.raises(StoreUnavailable):
        run_virtual(story(store))
