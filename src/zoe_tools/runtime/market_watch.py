"""The watch over all pairs: hears the public wire, keeps what it hears, follows some more closely.

Two tiers are written at two paces, each in one transaction beside the event loop; a pair has one
row in one of them. What a failed commit did not keep goes with the next one. Public channels only.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from zoe_tools.core.market_focus import Focus
from zoe_tools.core.market_movers import (
    LOOKS_BACK,
    TOLERANCE,
    Move,
    MoverRules,
    judged,
    remembered,
)
from zoe_tools.core.market_movers import reference_of as price_then
from zoe_tools.core.market_sparklines import bucket_of, points_of
from zoe_tools.core.market_states import followed, quiet
from zoe_tools.core.markets import WATCH
from zoe_tools.domain.cadence import Cadence
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import InstrumentCatalogue
from zoe_tools.domain.market_watch import (
    FocusClaim,
    FocusReason,
    MarketState,
    Mover,
    SparkPoint,
    Ticker,
)
from zoe_tools.domain.observation import Details
from zoe_tools.errors import StoreError, VenueError
from zoe_tools.kraken.market_reads import MarketReads
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.kraken.ticker_watch import TickerWatch
from zoe_tools.observe.log import event
from zoe_tools.ports import Clock, Connect, FrameClosed
from zoe_tools.runtime.market_kept import CURVE, Claims, Kept, claims_in, kept_in
from zoe_tools.runtime.market_picture import MarketPicture, Taken
from zoe_tools.store.market_watch import FOCUS, SCOUT
from zoe_tools.store.runner import StoreRunner
from zoe_tools.store.store import Transaction

RETRY_S = 60.0
"""How soon a list of pairs that could not be read is asked for again."""

_LOG = logging.getLogger(__name__)
_NAMES_A_CALL = 200
_MOST_UNKEPT = 20_000
"""Points that wait for a store that is away: some hours of five hundred pairs."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOrder:
    """What is watched, and how often it is kept; `None` seconds never. See the settings `MD_*`."""

    quote: str = "USD"
    most: int = 500
    favourites: tuple[str, ...] = ()
    focus_flush_s: float = 1.0
    scout_flush_s: float = 30.0
    sparkline_s: float = 900.0
    keep: timedelta = timedelta(hours=168)
    movers: MoverRules = field(default_factory=MoverRules)
    refresh_s: float = 86_400.0
    limit_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchParts:
    """Where the watch hears and writes; without a store nothing is kept."""

    venue: KrakenSpot
    reads: MarketReads
    public_url: str
    connect: Connect
    clock: Clock
    cadence: Cadence
    store: StoreRunner | None
    rng: random.Random


class MarketWatch:
    """See the module. `start`, then `run` until it is cancelled."""

    def __init__(self, order: WatchOrder, parts: WatchParts) -> None:
        self._order = order
        self._parts = parts
        self.focus = Focus()
        self.movers: tuple[Mover, ...] = ()
        """Those of the last hour, oldest first."""
        self.points: dict[Symbol, list[SparkPoint]] = {}
        self.written = 0
        self.failures = 0
        self._moves: dict[Symbol, Move] = {}
        self._asked_at: dict[Symbol, datetime] = {}
        self._rows_in_focus: frozenset[Symbol] | None = None
        self._kept_claims: frozenset[FocusClaim] = frozenset()
        self._untold: list[Mover] = []
        self._sampled_at: datetime | None = None
        self._unkept_points: list[SparkPoint] = []
        self._favourites: tuple[Symbol, ...] = ()

    async def start(self) -> None:
        """Read the list of pairs and what was kept; then everything is there to be shown.

        Raises:
            VenueError: the list of pairs cannot be read.
            StoreError: what was kept cannot be read.
        """
        order, parts = self._order, self._parts
        catalogue = await parts.venue.catalogue()
        now = parts.clock.now()
        self._favourites = self._favourites_in(catalogue)
        self.picture = MarketPicture(parts.clock, catalogue, (), limit_s=order.limit_s)
        await self._remember(now)
        self.picture.symbols = await self._chosen()
        self.wire = TickerWatch(
            parts.public_url,
            symbols=self.picture.symbols,
            hearer=self.picture,
            connect=parts.connect,
            clock=parts.clock,
            cadence=parts.cadence,
            rng=parts.rng,
        )
        await self._commit(lambda tx: tx.market.watch.keep_catalogue(catalogue, (), now))

    async def run(self) -> None:
        """Watch until cancelled.

        Raises:
            VenueRejected: the venue closed the wire for good.
        """
        order, cadence = self._order, self._parts.cadence
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.wire.run())
                group.create_task(self._every(order.focus_flush_s, self.flush_focus))
                group.create_task(self._every(order.scout_flush_s, self.flush_scout))
                group.create_task(self._every(cadence.health_s, self.look))
                group.create_task(self._refreshing())
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None

    async def close(self) -> None:
        """Write what is left, and say that nobody watches any more."""
        await self.flush_focus()
        await self.flush_scout()
        await self.wire.close()
        now = self._parts.clock.now()
        details = self.details(now)
        await self._commit(lambda tx: tx.beat(WATCH, "down", now, details))

    def _favourites_in(self, catalogue: InstrumentCatalogue) -> tuple[Symbol, ...]:
        found = map(catalogue.find, self._order.favourites)
        return tuple(each.symbol for each in found if each is not None)

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._parts.clock.sleep(seconds)
            await work()

    # --- writing ---------------------------------------------------------------------------------

    async def flush_focus(self) -> None:
        """Write what is new of the pairs in focus, who is, why, and what changed in the list."""
        now = self._parts.clock.now()
        self.focus = self.focus.at(now)
        watched = set(self.picture.symbols)
        focus = self.focus.symbols & watched
        rows = self.picture.take(sorted(focus), FOCUS, now)
        has_changed = focus != self._rows_in_focus
        others = self.picture.take(sorted(watched - focus) if has_changed else (), SCOUT, now)
        claims, changes = self._own_claims(), tuple(self.picture.changes)
        listed = {each.symbol for each in changes}
        instruments = tuple(each for each in self.picture.catalogue if each.symbol in listed)
        movers = tuple(self._untold)

        def write(tx: Transaction) -> None:
            watch = tx.market.watch
            watch.keep_focus(rows.rows, focus if has_changed else None, now)
            if has_changed:
                watch.keep_scout(others.rows, watched - focus, now)
            for claim in claims - self._kept_claims:
                watch.claim(claim)
            for gone in self._gone(claims):
                watch.release(gone.symbol, gone.reason)
            if changes:
                watch.keep_catalogue(instruments, changes, now)
            watch.note_movers(movers)

        if not (rows.rows or has_changed or changes or movers or claims != self._kept_claims):
            return
        if await self._commit(write, rows, others):
            self._rows_in_focus = frozenset(focus)
            self._kept_claims = claims
            del self.picture.changes[: len(changes)]
            del self._untold[: len(movers)]

    def _own_claims(self) -> frozenset[FocusClaim]:
        """All but the operator's, which are the store's: who writes them there is not the watch."""
        own = (each for each in self.focus.claims if each.reason is not FocusReason.MANUAL)
        return frozenset(own)

    def _gone(self, claims: Iterable[FocusClaim]) -> list[FocusClaim]:
        standing = {(each.symbol, each.reason) for each in claims}
        return [each for each in self._kept_claims if (each.symbol, each.reason) not in standing]

    async def flush_scout(self) -> None:
        """Write what is new of all the others; look for movers among all of them."""
        now = self._parts.clock.now()
        self._find_movers(now)
        focus = self.focus.symbols
        others = [each for each in self.picture.symbols if each not in focus]
        taken = self.picture.take(others, SCOUT, now)
        if taken.rows:
            await self._commit(lambda tx: tx.market.watch.keep_scout(taken.rows, None, now), taken)

    async def _commit(self, work: Callable[[Transaction], T], *taken: Taken) -> bool:
        """One transaction, beside the event loop; False: it was not kept, and nothing is lost."""
        store = self._parts.store
        if store is None:
            return False
        try:
            await store.run(work)
        except StoreError as error:
            self.failures += 1
            event(_LOG, "MARKET_WATCH_UNWRITTEN", "warning", reason=error.message)
            return False
        for each in taken:
            self.picture.wrote(each)
            self.written += len(each.rows)
        return True

    # --- what is followed, and how closely -------------------------------------------------------

    def _find_movers(self, now: datetime) -> None:
        rules = self._order.movers
        told: list[Mover] = []
        for symbol in self.picture.symbols:
            row, last = self.picture.row(symbol, now), self._moves.get(symbol)
            move, mover = judged(row, price_then(self._near(symbol), now), last, rules, now)
            if move is not None:
                self._moves[symbol] = move
            if mover is not None:
                told.append(mover)
            if move is not None and move.lasts and move.seen_at == now:
                claim = FocusClaim(
                    symbol=symbol,
                    reason=FocusReason.MOVER,
                    since=now,
                    expires_at=now + rules.rest,
                )
                self.focus = self.focus.claimed(claim)
        for each in told:
            event(
                _LOG,
                "MARKET_MOVER",
                "info",
                symbol=each.symbol,
                cause=each.kind.value,
                change_pct=f"{each.change_pct:.2f}",
                acceleration="" if each.acceleration is None else f"{each.acceleration:.1f}",
            )
        if self._parts.store is not None:
            self._untold += told
        self.movers = tuple(
            each for each in (*self.movers, *told) if each.detected_at > now - LOOKS_BACK
        )

    def _near(self, symbol: Symbol) -> list[SparkPoint]:
        """The points that an hour ago may be among, of the many of a day."""
        step_s = max(1.0, self._order.sparkline_s)
        back = int((LOOKS_BACK + TOLERANCE).total_seconds() / step_s) + 2
        return self.points.get(symbol, [])[-back:]

    async def look(self) -> None:
        """A sign of life; who is held and working; quiet pairs; a point where a bucket began."""
        now = self._parts.clock.now()
        await self._read(now)
        await self._follow([each for each in self.focus.symbols if self.picture.is_listed(each)])
        await self._sample(now)
        asked = quiet(
            self.picture.listed if self.picture.is_wire_up else (),
            heard_at=self.picture.heard_at,
            asked_at=self._asked_at,
            now=now,
            limit_s=self._order.limit_s,
        )
        self._asked_at |= dict.fromkeys(asked, now)
        if asked:
            await self.wire.ask_again(asked)

    async def _read(self, now: datetime) -> None:
        """Say that somebody watches, and read from the store who claims focus."""
        store, details = self._parts.store, self.details(now)
        if store is None:
            self.focus = self._claimed(Claims(), now)
            return
        rest = self._order.movers.rest

        def read(tx: Transaction) -> Claims:
            tx.beat(WATCH, self._status(), now, details)
            tx.market.watch.forget_claims(now)
            return claims_in(tx, now, rest)

        try:
            found = await store.run(read)
        except StoreError as error:
            self.failures += 1
            _LOG.warning("who claims focus cannot be read: %s", error.message)
            return
        self.focus = self._claimed(found, now)

    def _claimed(self, found: Claims, now: datetime) -> Focus:
        """An operator's claims are the store's alone; all others are made here."""
        manual = [each for each in found.claims if each.reason is FocusReason.MANUAL]
        focus = self.focus.held_by(FocusReason.MANUAL, (each.symbol for each in manual), now)
        for claim in manual:
            focus = focus.claimed(claim)
        focus = focus.held_by(FocusReason.FAVOURITE, self._favourites, now)
        focus = focus.held_by(FocusReason.POSITION, found.held, now)
        focus = focus.held_by(FocusReason.CANDIDATE, found.candidates, now)
        return focus.held_by(FocusReason.OPEN_ORDER, found.working, now).at(now)

    async def _remember(self, now: datetime) -> None:
        """What a watch before this one has kept: claims, curves, and what moved."""
        store, rest = self._parts.store, self._order.movers.rest
        kept = Kept() if store is None else await store.read(lambda tx: kept_in(tx, now, rest))
        self.focus = Focus(kept.claims.claims)
        self._kept_claims = self._own_claims()
        self.focus = self._claimed(kept.claims, now)
        for point in kept.points:
            self.points.setdefault(point.symbol, []).append(point)
        self.movers = tuple(each for each in kept.movers if each.detected_at >= now - LOOKS_BACK)
        self._moves = remembered(kept.movers, kept.claims.claims, rest)

    async def _sample(self, now: datetime) -> None:
        """A point of each live pair, once a bucket; points that are too old go.

        What could not be kept is kept with the next look.
        """
        order = self._order
        bucket_at = bucket_of(now, order.sparkline_s)
        if bucket_at != self._sampled_at and self.picture.is_wire_up:
            self._take_points(now, bucket_at)
        due = tuple(self._unkept_points)
        if not due:
            return

        def write(tx: Transaction) -> None:
            tx.market.watch.add_points(due)
            tx.market.watch.trim_points(now - order.keep)

        if await self._commit(write) or self._parts.store is None:
            self._unkept_points.clear()

    def _take_points(self, now: datetime, bucket_at: datetime) -> None:
        rows = [self.picture.row(each, now) for each in self.picture.symbols]
        points = points_of(rows, now, self._order.sparkline_s)
        if not points:
            return
        self._sampled_at = bucket_at
        self._unkept_points += points
        del self._unkept_points[:-_MOST_UNKEPT]
        for point in points:
            curve = self.points.setdefault(point.symbol, [])
            if not curve or curve[-1].bucket_at < bucket_at:
                curve.append(point)
            while curve[0].bucket_at < now - CURVE:
                curve.pop(0)

    # --- the list of pairs -----------------------------------------------------------------------

    async def _refreshing(self) -> None:
        """Read the list anew when its time has come, or the wire tells of a pair not in it."""
        clock, wait_s = self._parts.clock, self._order.refresh_s
        read_at = clock.now()
        while True:
            await clock.sleep(min(self._parts.cadence.health_s, wait_s))
            age_s = (clock.now() - read_at).total_seconds()
            if age_s < wait_s and not (self.picture.strangers and age_s >= RETRY_S):
                continue
            try:
                await self.refresh()
                wait_s = self._order.refresh_s
            except VenueError as error:
                _LOG.warning("the list of pairs cannot be read: %s", error.message)
                wait_s = RETRY_S
            read_at = clock.now()

    async def refresh(self) -> None:
        """Read the venue's list anew, mark what left it, and follow what is new.

        Raises:
            VenueError: it cannot be read.
        """
        venue = self._parts.venue
        await venue.instrument_changes()
        catalogue = await venue.catalogue()
        self._favourites = self._favourites_in(catalogue)
        self.picture.renewed(catalogue, self.picture.symbols)
        now = self._parts.clock.now()
        await self._commit(lambda tx: tx.market.watch.keep_catalogue(catalogue, (), now))
        if len(self.picture.listed) < self._order.most:
            await self._follow(await self._chosen())

    async def _follow(self, symbols: Iterable[Symbol]) -> None:
        """Watch these, too."""
        fresh = sorted(set(symbols) - set(self.picture.symbols))
        if fresh:
            self.picture.symbols += tuple(fresh)
            with suppress(FrameClosed):  # then with the next wire
                await self.wire.follow(fresh)

    async def _chosen(self) -> tuple[Symbol, ...]:
        order, catalogue = self._order, self.picture.catalogue
        always = sorted(self.focus.symbols, key=lambda each: (each not in self._favourites, each))
        wanted = [each for each in catalogue if each.quote == order.quote]
        turnover: dict[Symbol, Decimal] = {}
        if len(wanted) > order.most:
            for some in _parts_of([each.symbol for each in wanted]):
                days = await self._parts.reads.day_statistics(some)
                turnover |= {
                    each.symbol: each.last_24h.volume * each.last_24h.vwap for each in days
                }
        return followed(
            catalogue, quote=order.quote, always=always, turnover=turnover, most=order.most
        )

    # --- signs of life ---------------------------------------------------------------------------

    def _status(self) -> str:
        return "ok" if self.picture.is_wire_up and not self._untold else "warning"

    def details(self, now: datetime) -> Details:
        """Figures of the watch: how many pairs are how, and what was heard and written."""
        rows = [self.picture.row(each, now) for each in self.picture.symbols]
        states = [each.state for each in rows]
        lags = sorted(_lag_ms(each.ticker) for each in rows if each.ticker is not None)
        return {
            "pairs": len(states),
            "focus": len(self.focus.symbols),
            **{each.value: states.count(each) for each in MarketState},
            "given_up": len(self.picture.given_up),
            "messages": self.wire.messages,
            "lag_p50_ms": lags[len(lags) // 2] if lags else 0,
            "lag_p99_ms": lags[len(lags) * 99 // 100] if lags else 0,
            "reconnects": max(0, self.wire.reconnects),
            "rows_written": self.written,
            "failed_writes": self.failures,
            "is_wire_up": int(self.picture.is_wire_up),
        }


def _lag_ms(ticker: Ticker) -> int:
    """How long its newest price was on its way, by the venue's clock and ours."""
    return round((ticker.heard_at - ticker.as_of).total_seconds() * 1000)


def _parts_of(symbols: Sequence[Symbol]) -> Iterator[Sequence[Symbol]]:
    for first in range(0, len(symbols), _NAMES_A_CALL):
        yield symbols[first : first + _NAMES_A_CALL]
