"""Runs a market watch for a command: until it is told to stop, for one look, or not at all.

One watch an account writes. A second one shows what that keeps, and begins when it ends.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from zoe_tools.config import Settings
from zoe_tools.core.market_movers import LOOKS_BACK, MoverRules
from zoe_tools.core.markets import FOCUS, WATCH, MarketView, is_watching, snapshot_of
from zoe_tools.domain.cadence import Cadence
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.market_watch import SparkPoint
from zoe_tools.errors import ConfigError, StoreError, StoreUnavailable, ZoeError
from zoe_tools.kraken.market_reads import MarketReads
from zoe_tools.runtime.cadences import cadence_at
from zoe_tools.runtime.context import Context
from zoe_tools.runtime.duplex import connect_socket
from zoe_tools.runtime.live_run import stopping_on_signals
from zoe_tools.runtime.market_kept import CURVE
from zoe_tools.runtime.market_watch import MarketWatch, WatchOrder, WatchParts
from zoe_tools.store.market_watch import SCOUT
from zoe_tools.store.runner import StoreRunner
from zoe_tools.store.store import Transaction

LOOK_S = 10.0
"""So long one look waits for pairs of which nothing was heard yet."""

_POLL_S = 0.05

Show = Callable[[MarketView], None]


def order_of(settings: Settings) -> WatchOrder:
    """What the settings `MD_*` make of a watch; a price is stale when the loop's would be."""
    return WatchOrder(
        quote=settings.md_quote_currency,
        most=settings.md_max_ws_pairs,
        favourites=settings.md_default_focus,
        focus_flush_s=settings.md_focus_flush_ms / 1000,
        scout_flush_s=settings.md_scout_flush_ms / 1000,
        sparkline_s=settings.md_sparkline_interval,
        keep=timedelta(hours=settings.md_sparkline_keep_hours),
        movers=MoverRules(
            momentum_pct=settings.md_mover_momentum_pct,
            acceleration=settings.md_mover_volume_accel,
            spread_max_pct=settings.md_mover_spread_max_pct,
            rest=timedelta(minutes=settings.md_mover_focus_min),
        ),
        refresh_s=settings.md_catalog_refresh_hours * 3600,
        limit_s=settings.safe_mode_market_stale_sec,
    )


def new_watch(context: Context, store: StoreRunner | None) -> MarketWatch:
    """A watch of the context's venue; without a store it keeps nothing."""
    if context.wires is None:
        raise ConfigError("The context was opened without wires.")
    parts = WatchParts(
        venue=context.venue,
        reads=MarketReads(context.wires.rest, context.clock, context.venue.catalogue),
        public_url=context.wires.public_url,
        connect=connect_socket,
        clock=context.clock,
        cadence=cadence_at(context.clock, Cadence()),
        store=store,
        rng=random.Random(),  # noqa: S311 - jitter of reconnects, not a secret
    )
    return MarketWatch(order_of(context.settings), parts)


async def kept_view(context: Context) -> MarketView:
    """What the store keeps, and whether somebody brings it up to date."""
    now = context.clock.now()
    return await context.store.read(lambda tx: _kept(tx, now))


async def one_look(context: Context) -> MarketView:
    """Every pair as the venue shows it now; nothing is written.

    Raises:
        VenueError: the venue cannot be reached.
    """
    kept = await kept_view(context)
    watch = new_watch(context, None)
    await watch.start()
    running = asyncio.create_task(watch.run())
    try:
        ends_at = asyncio.get_running_loop().time() + LOOK_S
        while not running.done() and asyncio.get_running_loop().time() < ends_at:
            if len(watch.picture.heard_at) >= len(watch.picture.listed):
                break
            await asyncio.sleep(_POLL_S)
        if running.done():
            running.result()
        watch.points = {symbol: list(points) for symbol, points in kept.points.items()}
        return view_of(watch, context.clock.now(), source="look")
    finally:
        await _ended(watch, running)


async def watch_markets(
    context: Context, show: Show, *, seconds: float | None = None
) -> MarketWatch | None:
    """Watch, and show once a second, until SIGINT or SIGTERM, or for so many seconds.

    While another watch is at work, what that keeps is shown; when it is not any more, this one
    begins. Returns None where it did not come to that.

    Raises:
        VenueError: the venue cannot be reached at the start, or closed the wire for good.
        StoreError: the store cannot be read at the start.
    """
    stop = asyncio.Event()
    with stopping_on_signals(stop, asyncio.Event()):
        timer = asyncio.create_task(_stop_after(seconds, stop))
        try:
            while not stop.is_set():
                if await begins(context):
                    return await _watch(context, show, stop)
                await _show_kept(context, show, stop)
            return None
        finally:
            timer.cancel()


async def begins(context: Context) -> bool:
    """Say that this one watches from now on; False: another does.

    One transaction, so that of two that begin at once one does. A store that can be read and not
    written is no reason not to watch.
    """
    now = context.clock.now()

    def claim(tx: Transaction) -> bool:
        if _is_watched(tx, now):
            return False
        tx.beat(WATCH, "warning", now, {})
        return True

    try:
        return await context.store.run(claim)
    except StoreUnavailable:
        return not (await kept_view(context)).is_watched


async def _watch(context: Context, show: Show, stop: asyncio.Event) -> MarketWatch:
    watch = new_watch(context, context.store)
    try:
        await watch.start()
    except ZoeError:
        now = context.clock.now()
        with suppress(StoreError):  # whoever tries again is not to wait for this one
            await context.store.run(lambda tx: tx.beat(WATCH, "down", now, {}))
        raise
    running = asyncio.create_task(watch.run())
    try:
        while not stop.is_set() and not running.done():
            show(view_of(watch, context.clock.now(), source="watch"))
            await _next_second(stop)
        if running.done():
            running.result()
        await watch.close()
    finally:
        await _ended(watch, running)
    return watch


async def _show_kept(context: Context, show: Show, stop: asyncio.Event) -> None:
    """As long as somebody brings it up to date."""
    while not stop.is_set() and (view := await kept_view(context)).is_watched:
        show(view)
        await _next_second(stop)


async def _next_second(stop: asyncio.Event) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), 1.0)


async def _stop_after(seconds: float | None, stop: asyncio.Event) -> None:
    if seconds is not None:
        await asyncio.sleep(seconds)
        stop.set()


async def _ended(watch: MarketWatch, running: asyncio.Task[None]) -> None:
    running.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await running
    await watch.wire.close()


def view_of(watch: MarketWatch, now: datetime, *, source: str) -> MarketView:
    """A watch that is at work, as a table shows it."""
    focus = watch.focus.symbols
    rows = (watch.picture.row(each, now) for each in watch.picture.symbols)
    return MarketView(
        snapshots=tuple(
            snapshot_of(row, FOCUS if row.symbol in focus else SCOUT, now) for row in rows
        ),
        claims=watch.focus.claims,
        movers=watch.movers,
        points={symbol: tuple(points) for symbol, points in watch.points.items()},
        now=now,
        is_watched=True,
        source=source,
    )


def _kept(tx: Transaction, now: datetime) -> MarketView:
    book = tx.market.watch
    points: dict[Symbol, list[SparkPoint]] = {}
    for point in book.points(now - CURVE):
        points.setdefault(point.symbol, []).append(point)
    return MarketView(
        snapshots=book.snapshots(),
        claims=book.claims(),
        movers=book.movers(now - LOOKS_BACK),
        points={symbol: tuple(each) for symbol, each in points.items()},
        now=now,
        is_watched=_is_watched(tx, now),
        source="store",
    )


def _is_watched(tx: Transaction, now: datetime) -> bool:
    beat = next((each for each in tx.heartbeats() if each.component == WATCH), None)
    return beat is not None and is_watching(beat.beat_at, beat.status, now)
