"""Candles from the venue's trades into the store: as many pages as it takes, and no trade twice.

The candles that a page finishes and the place to go on from are one transaction, so that whoever is
killed at any moment goes on from what is written. Waits for a venue that is away, within bounds.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from zoe_tools.core.candle_frames import OutOfOrder
from zoe_tools.core.candle_needs import CALL_S
from zoe_tools.core.candle_reading import Reading, Tally, TradesLost
from zoe_tools.domain.ages import lasted
from zoe_tools.domain.candle import Source, Span, Timeframe, moment_at, second_at
from zoe_tools.domain.candle_reads import TradesRead, stretch_of
from zoe_tools.domain.identifiers import AccountId, Symbol
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.market import PublicTrade
from zoe_tools.errors import (
    ConfigError,
    PlanRefused,
    StoreUnavailable,
    VenueMisbehaved,
    VenueThrottled,
    VenueUnavailable,
)
from zoe_tools.ports import Clock, Venue
from zoe_tools.store.market_book import Cursor
from zoe_tools.store.runner import StoreRunner
from zoe_tools.store.store import Transaction

if TYPE_CHECKING:
    import polars as pl

T = TypeVar("T")

PATIENCE_S = 300.0
"""So long in all one page is asked for while the venue does not answer."""
_WAITS_S = (5.0, 10.0, 20.0, 40.0, 60.0)
_TELL_EVERY_S = 10.0
GO_ON = "Run the same command again: it goes on from there."


class TradesReading:
    """Reads the trades of one instrument into candles; `say` is told how far it is."""

    def __init__(
        self,
        venue: Venue,
        store: StoreRunner,
        clock: Clock,
        instrument: Instrument,
        say: Callable[[str], object],
    ) -> None:
        self._venue = venue
        self._store = store
        self._clock = clock
        self._instrument = instrument
        self._say = say
        self._kept: Cursor | None = None
        self._unproved = 0
        self._begins_at: datetime | None = None

    async def run(
        self, span: Span, timeframes: Sequence[Timeframe], *, expected: int = 0
    ) -> TradesRead:
        """Read a span; one that was broken off is gone on with, whatever `span` says.

        `expected`: how many trades there will be, as far as anybody knows.

        Raises:
            VenueError: the venue gave no answer for too long, or one that makes no sense.
            PlanRefused: somebody else goes on with the same reading.
            StoreError: the store cannot be written.
        """
        self._begins_at = None
        reading = await self._store.read(partial(self._begun, span, timeframes))
        progress = _Progress(self._instrument.symbol, reading, self._clock, self._say, expected)
        while True:
            page, last = await self._page(reading)
            if self._kept is None and page and page[0].trade_id > 1:
                reading = await self._from_the_oldest(reading)
            try:
                finished = reading.take(page, last)
            except TradesLost:
                raise await self._lost(reading) from None
            except (OutOfOrder, OverflowError, ValueError) as error:
                raise VenueMisbehaved(
                    f"The venue's trades of {self._instrument.symbol} make no sense: {error}.",
                    hint=GO_ON,
                ) from error
            await self._store.run(partial(self._keep, reading, finished))
            if reading.is_over:
                return _told(self._instrument.symbol, reading, self._unproved, self._begins_at)
            progress.tell()
            await self._clock.sleep(CALL_S)

    def _begun(self, span: Span, timeframes: Sequence[Timeframe], books: Transaction) -> Reading:
        cursor = self._kept = books.market.cursor(self._instrument.symbol, Source.TRADES)
        if cursor is None:
            return Reading(span, timeframes, price_decimals=self._instrument.price_decimals)
        try:
            return Reading.resumed(cursor.span, cursor.cursor, cursor.trades, cursor.running)
        except ValueError as error:
            raise StoreUnavailable(
                f"The backfill of {cursor.symbol} that was broken off cannot be read: {error}.",
                hint="Restore the last backup.",
            ) from error

    def _keep(
        self, reading: Reading, finished: Mapping[Timeframe, pl.DataFrame], books: Transaction
    ) -> None:
        """The finished candles, what was read, and the place: all of it or nothing."""
        symbol, market = self._instrument.symbol, books.market
        if market.cursor(symbol, Source.TRADES) != self._kept:
            raise PlanRefused(
                f"Another backfill of {symbol} has gone on with the same reading.",
                hint="Let it end; `zoe backfill` shows what is missing then.",
            )
        read = Span(reading.span.since, reading.read_until)
        for timeframe, frame in finished.items():
            written = market.write_frame(symbol, timeframe, frame, Source.TRADES)
            reading.tally.add(timeframe, written)
            market.note_read(symbol, timeframe, read, Source.TRADES)
        if reading.is_over:
            self._unproved = sum(
                market.traded_count(symbol, each, reading.span)
                - reading.tally.made.get(each.value, 0)
                for each in finished
            )
            market.drop_cursor(symbol, Source.TRADES)
            self._kept = None
            return
        self._kept = Cursor(
            symbol=symbol,
            source=Source.TRADES,
            cursor=reading.place,
            trades=reading.trades,
            span=reading.span,
            updated_at=self._clock.now(),
            running=reading.saved(),
        )
        market.keep_cursor(self._kept)

    async def _from_the_oldest(self, reading: Reading) -> Reading:
        """The same reading, but for the time of which the venue does not have all trades any more.

        Kraken has them from the first one on. Where the oldest is not the first there was, nobody
        knows what traded before it.
        """
        symbol, span = self._instrument.symbol, reading.span
        page, _ = await patiently(
            lambda: self._venue.trades(symbol, "0"),
            clock=self._clock,
            say=self._say,
            standing=lambda: _standing(symbol, reading),
        )
        await self._clock.sleep(CALL_S)
        if not page or page[0].trade_id <= 1 or page[0].traded_at < moment_at(span.since):
            return reading
        self._begins_at = page[0].traded_at
        known = min(second_at(self._begins_at) + 1, span.until)
        return Reading(
            Span(known, span.until),
            reading.timeframes,
            price_decimals=self._instrument.price_decimals,
        )

    async def _lost(self, reading: Reading) -> VenueMisbehaved:
        """What is read stays; the rest is begun anew, from what the venue still has."""
        symbol = self._instrument.symbol
        await self._store.run(lambda books: books.market.drop_cursor(symbol, Source.TRADES))
        self._kept = None
        return VenueMisbehaved(
            f"{_standing(symbol, reading)}; not all that follow are at the venue any more.",
            hint="Run the same command again: it reads what there still is.",
        )

    async def _page(self, reading: Reading) -> tuple[tuple[PublicTrade, ...], str]:
        symbol = self._instrument.symbol
        return await patiently(
            lambda: self._venue.trades(symbol, reading.ask),
            clock=self._clock,
            say=self._say,
            standing=lambda: _standing(symbol, reading),
        )


async def patiently(
    ask: Callable[[], Awaitable[T]],
    *,
    clock: Clock,
    say: Callable[[str], object],
    standing: Callable[[], str],
) -> T:
    """The venue's answer, waited for within bounds; `standing` is what is done so far.

    Raises:
        VenueUnavailable: there was none for five minutes, or it asks for more than that.
    """
    waited_s, tries = 0.0, 0
    while True:
        try:
            return await ask()
        except (VenueUnavailable, VenueThrottled) as error:
            wait_s = _WAITS_S[min(tries, len(_WAITS_S) - 1)]
            if isinstance(error, VenueThrottled):
                wait_s = max(wait_s, error.retry_after_s)
            told = error.message.rstrip(".")
            if waited_s + wait_s > PATIENCE_S:
                raise VenueUnavailable(
                    f"{told}, after {lasted(waited_s)} of waiting. {standing()}.", hint=GO_ON
                ) from error
            say(f"{told}: asked again in {lasted(wait_s)}.")
            waited_s, tries = waited_s + wait_s, tries + 1
            await clock.sleep(wait_s)


class _Progress:
    """Says every ten seconds how far it is, and how long it will take."""

    def __init__(
        self,
        symbol: Symbol,
        reading: Reading,
        clock: Clock,
        say: Callable[[str], object],
        expected: int,
    ) -> None:
        self._symbol = symbol
        self._reading = reading
        self._clock = clock
        self._say = say
        self._expected = expected
        self._began_at = self._told_at = clock.now()
        self._began_with = self._done()
        if reading.trades:
            say(f"{_standing(symbol, reading)}: gone on from there.")

    def tell(self) -> None:
        """One page more."""
        now = self._clock.now()
        if (now - self._told_at).total_seconds() < _TELL_EVERY_S:
            return
        self._told_at = now
        done = self._done()
        gained = done - self._began_with
        left = ""
        if gained > 0:
            seconds = (now - self._began_at).total_seconds() * max(1 - done, 0) / gained
            left = f", about {lasted(max(seconds, 1))} left"
        self._say(f"{_standing(self._symbol, self._reading)}, {min(done, 0.99):.0%}{left}.")

    def _done(self) -> float:
        """Which part of it; by trades where it is known how many there are."""
        if not self._expected:
            span = self._reading.span
            return (self._reading.read_until - span.since) / max(span.until - span.since, 1)
        return self._reading.trades / self._expected


def _standing(symbol: Symbol, reading: Reading) -> str:
    until = moment_at(reading.read_until)
    return f"{symbol}: {reading.trades:,} trades read, up to {until:%Y-%m-%d %H:%M}"


def _told(
    symbol: Symbol, reading: Reading, unproved: int, begins_at: datetime | None
) -> TradesRead:
    tally: Tally = reading.tally
    return TradesRead(
        symbol=symbol,
        stretch=stretch_of(reading.span),
        timeframes=reading.timeframes,
        trades=reading.trades,
        new=tally.new,
        alike=tally.alike,
        differ=tally.differ,
        unproved=unproved,
        told=tuple(tally.told),
        begins_at=begins_at,
    )


@contextlib.contextmanager
def hold_instrument(home: Path, account_id: AccountId, symbol: Symbol) -> Iterator[None]:
    """One backfill of an instrument at a time on this host; the lock dies with its process.

    Another host is met at the cursor, which only its last writer may move on.

    Raises:
        PlanRefused: another process has it; the sentence names its pid.
        ConfigError: the lock file cannot be made.
    """
    path = home / f"backfill-{account_id}-{symbol.replace('/', '-')}.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigError(
            f"The backfill's lock {path} cannot be made: {error.strerror}.",
            hint="Make ZOE_HOME writable, or run `zoe init`.",
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace") or "unknown"
            raise PlanRefused(
                f"A backfill of {symbol} is under way: pid {holder} on this host.",
                hint="Let it end, or stop it with Ctrl-C: the next one goes on from there.",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)
