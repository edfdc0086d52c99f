"""Watches what the account is worth while the loop runs: prices, and a point of the curve.

All are observations, and nothing is decided by them here. What came from outside or went there is
heard on the private wire; after a start or a gap the venue's ledger is asked for it, because what
left the account would look like a loss.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime

from zoe_tools.core.equity import (
    Equity,
    Outdated,
    advanced,
    assess_equity,
    by_asset,
    flows_between,
    outdated_in,
    point_of,
)
from zoe_tools.core.ledger_kinds import is_flow, movement_of
from zoe_tools.core.lot_events import flows_in
from zoe_tools.core.marks import LONGEST, STALE_AFTER, MarkBook, marks_of_quotes, valuing_pairs
from zoe_tools.domain.equity import CURRENCY, EquityPoint, Mark
from zoe_tools.domain.instrument import InstrumentCatalogue
from zoe_tools.domain.ledger import Balance, LedgerEntry
from zoe_tools.domain.market import Quote
from zoe_tools.domain.stream import (
    Backlog,
    BalancesSnapshot,
    BalanceUpdate,
    ChecksumTally,
    Gap,
    StreamDown,
    StreamEvent,
)
from zoe_tools.engine.worth import unheard_since
from zoe_tools.errors import VenueError
from zoe_tools.ports import Clock, Feed, Venue
from zoe_tools.store.runner import StoreRunner
from zoe_tools.store.store import Transaction

_LOG = logging.getLogger(__name__)


MOST_HEARD = 10_000
"""Ledger rows that are kept between two points; with more the venue's ledger is asked for them."""


class OverheardFeed:
    """A feed whose every event the watch hears first."""

    def __init__(self, feed: Feed, watch: WorthWatch) -> None:
        self._feed = feed
        self._watch = watch

    async def events(self) -> AsyncIterator[StreamEvent]:
        """See `Feed`."""
        async for event in self._feed.events():
            self._watch.hear(event)
            yield event

    @property
    def checksums(self) -> ChecksumTally:
        """See `Feed`."""
        return self._feed.checksums

    @property
    def backlog(self) -> Backlog:
        """See `Feed`."""
        return self._feed.backlog

    async def close(self) -> None:
        """See `Feed`."""
        await self._feed.close()


class WorthWatch:
    """`hear` every event; `look` every few minutes, and soon after `flowed` is set.

    A point at the moment of a deposit leaves nothing to guess of how long its money worked.
    """

    def __init__(
        self, venue: Venue, store: StoreRunner, clock: Clock, market: InstrumentCatalogue
    ) -> None:
        self._venue = venue
        self._store = store
        self._clock = clock
        self._market = market
        self._heard: dict[str, LedgerEntry] = {}
        self._last: datetime | None = None
        self._counted: frozenset[str] = frozenset()
        self._is_behind = True
        self._complaint = ""
        self.flowed = asyncio.Event()
        self.outdated: Outdated | None = None
        """What had no price but an old one when it was looked at last."""

    def hear(self, event: StreamEvent) -> None:
        """Note a ledger row; after what may have hidden one, the venue's ledger is asked."""
        match event:
            case BalanceUpdate(entry=entry):
                if len(self._heard) >= MOST_HEARD:
                    self._heard.clear()
                    self._is_behind = True
                self._heard[entry.ledger_id] = entry
                if is_flow(movement_of(entry)):
                    self.flowed.set()
            case BalancesSnapshot() | Gap(wire="private") | StreamDown(wire="private"):
                self._is_behind = True
            case _:
                pass

    async def look(self, quotes: Iterable[Quote], balances: Sequence[Balance]) -> None:
        """Keep the prices of now, and a point of the curve where nothing is hidden.

        Raises:
            StoreError: nothing was kept.
        """
        now = self._clock.now()
        balances = by_asset(balances, self._market)
        recent = [each for each in quotes if abs(now - each.as_of) <= STALE_AFTER]
        marks = (*marks_of_quotes(recent, "stream"), *await self._missing(recent, balances))
        is_whole = bool(balances) and await self._caught_up()
        base = await self._store.read(lambda transaction: transaction.latest_equity())
        news = self._news_since(base)

        has_flow = any(is_flow(movement_of(each)) for each in news)

        def work(transaction: Transaction) -> tuple[Equity, EquityPoint | None]:
            transaction.record_marks(marks, always=has_flow)
            book = MarkBook([*_prices_of(transaction, news), *marks])
            equity = assess_equity(balances, book, at=now, currency=CURRENCY)
            return equity, _add_point(transaction, base, equity, book, news) if is_whole else None

        equity, point = await self._store.run(work)
        self.outdated = outdated_in(equity)
        if point is not None:
            self._last, self._counted = point.taken_at, frozenset(each.ledger_id for each in news)

    def _news_since(self, base: EquityPoint | None) -> tuple[LedgerEntry, ...]:
        """What was heard and is in no point yet.

        A row may be heard of a moment after a point that is later than it: after an own point what
        it counted is dropped, after somebody else's what is older than it. While the store is away
        a point may be lost, and what it counted is counted again.
        """
        if base is not None:
            is_own = base.taken_at == self._last
            self._heard = {
                name: row
                for name, row in self._heard.items()
                if (name not in self._counted if is_own else row.booked_at > base.taken_at)
            }
        return tuple(self._heard.values())

    async def _missing(
        self, quotes: Sequence[Quote], balances: Sequence[Balance]
    ) -> tuple[Mark, ...]:
        """Prices of what is held and not traded here; none while the venue does not tell them."""
        told = {each.symbol for each in quotes}
        wanted = valuing_pairs((each.asset for each in balances if each.total), self._market)
        missing = [each for each in wanted if each not in told]
        if not missing:
            return ()
        try:
            return marks_of_quotes(await self._venue.quotes(missing), "ticker")
        except VenueError as error:
            _LOG.warning("What is held cannot be valued: %s", error.message)
            return ()

    async def _caught_up(self) -> bool:
        """Whether all that came or went since the last point is known."""
        if not self._is_behind:
            return True
        now = self._clock.now()
        try:
            since = await self._store.read(lambda transaction: unheard_since(transaction, now))
            rows = await self._venue.ledger(since=since) if since else ()
            booked = await self._store.read(_booked_since_the_last_point)
        except VenueError as error:
            if error.message != self._complaint:
                _LOG.warning("No point of the equity curve is made: %s", error.message)
            self._complaint = error.message
            return False
        self._heard.update({each.ledger_id: each for each in (*booked, *rows)})
        self._is_behind = False
        return True


def _add_point(
    transaction: Transaction,
    base: EquityPoint | None,
    equity: Equity,
    book: MarkBook,
    news: Sequence[LedgerEntry],
) -> EquityPoint:
    flows = flows_between(flows_in(news, book, CURRENCY), None, equity.as_of)
    point = advanced(base, point_of(equity), flows)
    transaction.record_equity(point)
    return point


def _prices_of(transaction: Transaction, news: Sequence[LedgerEntry]) -> tuple[Mark, ...]:
    """The newest prices, and for rows that are news those of their own day."""
    newest = transaction.latest_marks()
    if not news:
        return newest
    first = min(each.booked_at for each in news)
    return (*transaction.marks(first - LONGEST), *newest)


def _booked_since_the_last_point(transaction: Transaction) -> tuple[LedgerEntry, ...]:
    base = transaction.latest_equity()
    return () if base is None else transaction.ledger(since=base.taken_at)
