"""Recordings of the public market: whole files, and the same books when they are served again."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import itertools
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders import BTC, ETH, d
from market_rig import PAIRS, PUBLIC_URL, MarketRig
from zoe_tools.domain.cadence import Cadence
from zoe_tools.errors import MarketDataError
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.markets.file import open_market
from zoe_tools.paper.values.times import moment_of
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.frame_files import FrameFile
from zoe_tools.runtime.market_record import Recorder, Recording, RecordOrder
from zoe_tools.runtime.market_watch import WatchOrder
from zoe_tools.runtime.virtual_loop import run_virtual

DEPTH = 10
FRAME = '{"channel":"heartbeat"}'
Story = Callable[[MarketRig], Awaitable[None]]


def _record(
    folder: Path, story: Story, *, most_time: float = 3600.0, most_bytes: int = 1 << 30
) -> tuple[tuple[Recording, ...], MarketRig]:
    """Record BTC and ETH while the story goes on."""

    async def main() -> tuple[tuple[Recording, ...], MarketRig]:
        rig = MarketRig(folder, WatchOrder())
        pump = asyncio.create_task(rig.exchange.run())
        for number, symbol in enumerate(PAIRS):
            rig.quote(symbol, str(1000 * (number + 1)))
        catalogue = await rig.watch._parts.venue.catalogue()
        order = RecordOrder(
            folder=folder,
            instruments=(catalogue.resolve(BTC), catalogue.resolve(ETH)),
            depth=DEPTH,
            most_bytes=most_bytes,
            most_time=timedelta(seconds=most_time),
        )
        recorder = Recorder(
            order, url=PUBLIC_URL, connect=rig.connect, clock=rig.clock, cadence=Cadence()
        )
        stop = asyncio.Event()
        running = asyncio.create_task(recorder.run(stop))
        try:
            await rig.pass_time(2)
            await story(rig)
            stop.set()
            return await running, rig
        finally:
            for task in (running, pump):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            await rig.sockets.close()
            await rig.rest.aclose()
            await rig.store.close()

    return run_virtual(main())


async def _busy(rig: MarketRig, seconds: int = 30) -> None:
    for second in range(seconds):
        rig.quote("BTC/USD", str(1000 + second))
        rig.nudge("ETH/USD")
        rig.trade("ETH/USD", "2000.1", "0.5")
        await rig.pass_time(1)


def _served(path: Path) -> PaperExchange:
    """Another exchange, once it has told the whole file."""

    async def main() -> PaperExchange:
        source = open_market(path)
        exchange = PaperExchange(source, VirtualClock(moment_of(source.starts_at)), seed=1)
        await exchange.run()
        return exchange

    return run_virtual(main())


def test_a_recording_is_served_again_with_the_same_books(tmp_path: Path) -> None:
    """Books, prints and their distance in time, by another exchange."""
    (recording,), rig = _record(tmp_path, _busy)
    again = _served(Path(recording.path))

    for symbol in ("BTC/USD", "ETH/USD"):
        before, after = rig.exchange.book(symbol, DEPTH), again.book(symbol, DEPTH)
        assert (after.bids, after.asks) == (before.bids, before.asks)
        assert after.bids
    assert [each.price for each in again.prints("ETH/USD", 100)] == [d("2000.1")] * 30
    first, *_, last = again.prints("ETH/USD", 100)
    assert abs(first.at - last.at) == 29 * 10**9
    assert (recording.checksums_failed, recording.losses) == (0, 0)
    assert recording.checksums_verified > 60


def test_each_file_is_whole_by_itself(tmp_path: Path) -> None:
    """The next one begins before the last one ends; together they miss nothing."""
    files, rig = _record(tmp_path, _busy, most_time=10.0)
    prints = [each for file in files for each in _served(Path(file.path)).prints("ETH/USD", 100)]

    assert len(files) >= 3
    for before, after in itertools.pairwise(files):
        assert after.begun_at <= before.ended_at
    assert len({each.at for each in prints}) == 30
    last = _served(Path(files[-1].path))
    assert last.book("BTC/USD", DEPTH).bids == rig.exchange.book("BTC/USD", DEPTH).bids
    assert sorted(tmp_path.glob("*.gz")) == [Path(each.path) for each in files]


def test_a_file_goes_on_until_the_next_one_is_whole(tmp_path: Path) -> None:
    """A book that does not come ends nothing; what was begun in vain is taken away."""

    async def story(rig: MarketRig) -> None:
        await _busy(rig, 3)
        rig.cut.add("BTC/USD")
        await _busy(rig, 12)

    (recording,), _ = _record(tmp_path, story, most_time=10.0)

    assert len(_served(Path(recording.path)).prints("ETH/USD", 100)) == 15
    assert [str(each) for each in tmp_path.glob("*.gz")] == [recording.path]


def test_a_file_ends_at_its_size_too(tmp_path: Path) -> None:
    """Whichever comes first."""
    files, _ = _record(tmp_path, _busy, most_bytes=700)

    assert len(files) > 2


def test_a_wire_that_was_lost_begins_anew_in_the_same_file(tmp_path: Path) -> None:
    """With new snapshots; it says that something is missing."""

    async def story(rig: MarketRig) -> None:
        await _busy(rig, 5)
        await rig.sockets.close()
        await _busy(rig, 10)

    (recording,), rig = _record(tmp_path, story)
    again = _served(Path(recording.path))

    assert recording.losses == 1
    assert again.book("BTC/USD", DEPTH).bids == rig.exchange.book("BTC/USD", DEPTH).bids


def _file(path: Path, lines: int) -> bytes:
    """So many lines, flushed; more that were not; and no end, as after a kill."""
    path.unlink(missing_ok=True)
    file = FrameFile(path)
    for number in range(lines):
        file.write(number + 1, json.dumps({"channel": "heartbeat", "number": number * 7919}))
    file.flush()
    flushed = path.read_bytes()
    file.close()
    return flushed


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.integers(1, 50), cut=st.integers(0, 60))
def test_a_killed_recorder_leaves_whole_lines(tmp_path: Path, lines: int, cut: int) -> None:
    """What was flushed is there; of what is cut off, all whole lines before the cut."""
    path = tmp_path / "x.frames.tsv.gz"
    flushed = _file(path, lines)
    path.write_bytes(flushed)
    with pytest.raises(MarketDataError, match="no book or trade frame"):
        open_market(path)
    assert _lines(path) == lines

    path.write_bytes(flushed[: len(flushed) - cut])
    assert 0 <= _lines(path) <= lines


def _lines(path: Path) -> int:
    from zoe_tools.paper.markets.file import _unpacked  # noqa: PLC0415 - of this test alone

    content = _unpacked(path, path.read_bytes())
    assert not content or content.endswith(b"\n")
    return content.count(b"\n")


def test_files_that_were_joined_are_one(tmp_path: Path) -> None:
    """As `cat` joins them."""
    path = tmp_path / "x.frames.tsv.gz"
    path.write_bytes(gzip.compress(b"1\t{}\n") + gzip.compress(b"2\t{}\n"))

    assert _lines(path) == 2


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    """One sentence, and no traceback."""
    path = tmp_path / "x.frames.tsv.gz"
    path.write_bytes(b"\x1f\x8b\x08" + bytes(7) + b"\xff" * 20)

    with pytest.raises(MarketDataError, match=r"x.frames.tsv.gz is damaged"):
        open_market(path)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A file of that name stays as it is."""
    FrameFile(tmp_path / "a.gz").close()

    with pytest.raises(FileExistsError):
        FrameFile(tmp_path / "a.gz")


def test_times_never_fall(tmp_path: Path) -> None:
    """A clock that was set back makes no file that cannot be replayed; a frame stays one line."""
    path = tmp_path / "a.frames.tsv.gz"
    file = FrameFile(path)
    file.write(5, FRAME)
    file.write(3, '{"channel":\n"heartbeat"}')
    file.close()

    assert gzip.decompress(path.read_bytes()).decode().splitlines() == [
        f"5\t{FRAME}",
        '5\t{"channel": "heartbeat"}',
    ]
