"""Records the public market of some pairs into files, each of which can be replayed by itself.

A file is the whole story of one connection, from its snapshots on. The next one begins with a
connection of its own while the last one still goes on, so that nothing is missed in between.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from zoe_tools.domain.cadence import Cadence
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.stream import BookUpdate, StreamDown
from zoe_tools.errors import ConfigError
from zoe_tools.kraken.stream import FeedSubscriptions, KrakenFeed
from zoe_tools.ports import Clock, Connect
from zoe_tools.runtime.cadences import cadence_at
from zoe_tools.runtime.context import Context
from zoe_tools.runtime.duplex import connect_socket
from zoe_tools.runtime.frame_files import FrameFile, name_of, recorded
from zoe_tools.runtime.live_run import stopping_on_signals

FLUSH_S = 1.0
"""So much at most is lost of a recording that is killed."""

_EPOCH_US = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOrder:
    """What is recorded and where; a file ends at this size or after this time, whichever is first.

    `depth` in levels a side: 10, 25, 100, 500 or 1000.
    """

    folder: Path
    instruments: tuple[Instrument, ...]
    depth: int
    most_bytes: int
    most_time: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One file that was written; checksums are of the books, as they were followed meanwhile."""

    path: str
    begun_at: datetime
    ended_at: datetime
    frames: int
    size: int
    checksums_verified: int
    checksums_failed: int
    losses: int


class _Session:
    """One connection and its file."""

    def __init__(
        self, order: RecordOrder, url: str, connect: Connect, clock: Clock, cadence: Cadence
    ) -> None:
        self.begun_at = clock.now()
        self.file = FrameFile(_free(order.folder, self.begun_at))
        self.is_whole = asyncio.Event()
        self._clock = clock
        self._missing = {each.symbol for each in order.instruments}
        self._losses = 0
        self._feed = KrakenFeed(
            url,
            None,
            connect=recorded(connect, self._hear),
            token=None,
            clock=clock,
            cadence=cadence,
            instruments={each.symbol: each for each in order.instruments},
            subscriptions=FeedSubscriptions(
                symbols=tuple(each.symbol for each in order.instruments),
                ticker=False,
                trades=True,
                book_depth=order.depth,
            ),
            rng=random.Random(),  # noqa: S311 - jitter of reconnects, not a secret
        )
        self.task = asyncio.create_task(self._follow())

    def is_full(self, order: RecordOrder, now: datetime) -> bool:
        """Whether the next file is due."""
        return self.file.size >= order.most_bytes or now - self.begun_at >= order.most_time

    async def end(self) -> Recording:
        """Stop listening, and close the file."""
        await self._feed.close()
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task
        self.file.close()
        tally = self._feed.checksums
        return Recording(
            path=str(self.file.path),
            begun_at=self.begun_at,
            ended_at=self._clock.now(),
            frames=self.file.frames,
            size=self.file.size,
            checksums_verified=tally.verified,
            checksums_failed=tally.failed,
            losses=self._losses,
        )

    async def _follow(self) -> None:
        async for event in self._feed.events():
            match event:
                case BookUpdate(book=book):
                    self._missing.discard(book.symbol)
                    if not self._missing:
                        self.is_whole.set()
                case StreamDown():
                    self._losses += 1
                case _:
                    pass

    def _hear(self, frame: str) -> None:
        now = self._clock.now()
        self.file.write(round(now.timestamp() * 1_000_000) * _EPOCH_US, frame)


class Recorder:
    """See the module. `run` until `stop` is set."""

    def __init__(
        self,
        order: RecordOrder,
        *,
        url: str,
        connect: Connect,
        clock: Clock,
        cadence: Cadence,
        tell: Callable[[Recording], None] = lambda _: None,
    ) -> None:
        self._order = order
        self._clock = clock
        self._tell = tell
        self._new = partial(_Session, order, url, connect, clock, cadence)

    async def run(self, stop: asyncio.Event) -> tuple[Recording, ...]:
        """Record until told to stop; returns the files, oldest first.

        Raises:
            VenueRejected: the venue refuses to tell.
            OSError: a file cannot be written; those before it are whole.
        """
        done: list[Recording] = []
        session = self._new()
        following: _Session | None = None
        try:
            while not stop.is_set():
                await self._pause(stop, session, following)
                for each in filter(None, (session, following)):
                    each.file.flush()
                if following is not None and following.is_whole.is_set():
                    done.append(await self._ended(session))
                    session, following = following, None
                elif following is None and session.is_full(self._order, self._clock.now()):
                    following = self._new()
        finally:
            done.append(await self._ended(session))
            if following is not None:
                await following.end()
                following.file.remove()  # the one before it went on meanwhile, and has it all
        return tuple(done)

    async def _ended(self, session: _Session) -> Recording:
        recording = await session.end()
        self._tell(recording)
        return recording

    async def _pause(self, stop: asyncio.Event, *sessions: _Session | None) -> None:
        """Until the next flush, or the stop; a session that failed is raised."""
        told = asyncio.ensure_future(stop.wait())
        timer = asyncio.ensure_future(self._clock.sleep(FLUSH_S))
        tasks = [each.task for each in sessions if each is not None]
        try:
            await asyncio.wait({told, timer, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            told.cancel()
            timer.cancel()
        for task in tasks:
            if task.done():
                task.result()


def _free(folder: Path, begun_at: datetime) -> Path:
    """A name that nobody has taken; two files may begin in the same second."""
    path = folder / name_of(begun_at)
    while path.exists():
        begun_at += timedelta(seconds=1)
        path = folder / name_of(begun_at)
    return path


async def record(
    context: Context,
    symbols: Sequence[Symbol],
    order: Callable[[tuple[Instrument, ...]], RecordOrder],
    *,
    seconds: float | None,
    tell: Callable[[Recording], None],
) -> tuple[Recording, ...]:
    """Record the context's venue until SIGINT or SIGTERM, or for so many seconds.

    Raises:
        VenueError: the venue cannot be reached at the start, or refuses to tell.
        UnknownInstrument: it lists no such pair.
        OSError: a file cannot be written.
    """
    if context.wires is None:
        raise ConfigError("The context was opened without wires.")
    catalogue = await context.venue.catalogue()
    found = tuple(dict.fromkeys(catalogue.resolve(each) for each in symbols))
    recorder = Recorder(
        order(found),
        url=context.wires.public_url,
        connect=connect_socket,
        clock=context.clock,
        cadence=cadence_at(context.clock, Cadence()),
        tell=tell,
    )
    stop = asyncio.Event()
    with stopping_on_signals(stop, asyncio.Event()):
        if seconds is None:
            return await recorder.run(stop)
        timer = asyncio.get_running_loop().call_later(seconds, stop.set)
        try:
            return await recorder.run(stop)
        finally:
            timer.cancel()
