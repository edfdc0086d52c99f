"""Keeps our own ledger as far as the venue's while the loop runs, and tells what is new in it.

One page at each comparison. Rows are booked where the ledger was imported from the venue once and
the page takes up where our books end; else they are compared alone, and it is told what to do.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from zoe_tools.core.ledger_journal import booked
from zoe_tools.core.proof import CLOCK_TOLERANCE_S
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.ledger import (
    LEDGER_OVERLAP,
    VENUE_LEDGER,
    LedgerCursor,
    LedgerEntry,
    LedgerPage,
)
from zoe_tools.domain.snapshot import NOT_GATHERED, Missing, Reading
from zoe_tools.engine.parts import LoopParts
from zoe_tools.gather import TRADES
from zoe_tools.store.store import Transaction

_LOG = logging.getLogger(__name__)

OWN_ROWS = 2_000
"""So many of our newest rows say what each wallet ends with: the ledger may have a million."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLook:
    """A page of the venue's ledger, our own newest rows, and executions that our books lack."""

    page: Reading[tuple[LedgerEntry, ...]]
    own: tuple[LedgerEntry, ...]
    fills: Reading[tuple[Fill, ...]] | Missing = NOT_GATHERED


class LedgerWatch:
    """`look` at each comparison; trades that turned out to be nobody's of ours are asked once."""

    def __init__(self, parts: LoopParts) -> None:
        self._parts = parts
        self._foreign: set[str] = set()
        self._is_behind = False

    async def look(self) -> LedgerLook:
        """Two points of the venue's counter, and two more where an execution is news.

        Raises:
            VenueError: the venue cannot be asked.
            StoreError: the books cannot be read or written.
        """
        parts = self._parts
        now = parts.clock.now()
        cursor = await parts.store.read(lambda tx: tx.ledger_book.cursor(VENUE_LEDGER))
        begun = cursor if cursor is not None and not cursor.details else None
        since = (now if begun is None else begun.newest_at) - LEDGER_OVERLAP
        page = await parts.venue.newest_ledger(since=since)
        is_level = begun is not None and _reaches(page, begun)
        self._tell_behind(is_behind=begun is not None and not is_level)
        keeps = is_level and not parts.is_shadow

        def work(transaction: Transaction) -> tuple[tuple[LedgerEntry, ...], dict[str, datetime]]:
            if keeps and begun is not None:
                _keep(transaction, page.rows, begun, now)
            own = transaction.ledger_book.newest(OWN_ROWS) if is_level else ()
            return own, _unbooked(transaction, page.rows)

        own, unbooked = await parts.store.run(work)
        look = LedgerLook(page=Reading(page.rows, now, VENUE_LEDGER), own=own)
        news = {name: at for name, at in unbooked.items() if name not in self._foreign}
        return replace(look, fills=await self._fills_of(news)) if news else look

    async def _fills_of(self, news: Mapping[str, datetime]) -> Reading[tuple[Fill, ...]]:
        """What the trades show of these; what they do not show, old enough, is no execution."""
        since = min(news.values()) - timedelta(seconds=CLOCK_TOLERANCE_S)
        shown = await self._parts.venue.fills(since=since)
        found = {str(each.fill_id): each for each in shown if each.fill_id in news}
        now = self._parts.clock.now()
        too_young = now - timedelta(seconds=self._parts.policy.visibility_lag_s)
        self._foreign |= {name for name, at in news.items() if name not in found and at < too_young}
        return Reading(tuple(found.values()), now, TRADES)

    def forget(self, fills: Collection[Fill]) -> None:
        """These are not ours: they are not asked for again."""
        self._foreign |= {each.fill_id for each in fills}

    def _tell_behind(self, *, is_behind: bool) -> None:
        if is_behind and not self._is_behind:
            _LOG.warning(
                "Our ledger lacks more than a page of the venue's: zoe ledger import --from-venue"
            )
        self._is_behind = is_behind


def _reaches(page: LedgerPage, cursor: LedgerCursor) -> bool:
    """Whether no row between the page and what is booked was left out."""
    return page.is_all or any(each.booked_at <= cursor.newest_at for each in page.rows)


def _keep(
    transaction: Transaction, rows: Sequence[LedgerEntry], begun: LedgerCursor, now: datetime
) -> None:
    """Book what is new, unless somebody imported meanwhile. A row told otherwise is left alone."""
    book = transaction.ledger_book
    if book.cursor(VENUE_LEDGER) != begun:
        return
    known = book.known([each.ledger_id for each in rows])
    fresh = [each for each in reversed(rows) if each.ledger_id not in known]
    if not fresh:
        return
    book.record(booked(fresh), source=f"loop {now.isoformat()}/0", at=now)
    newest = max(begun.newest_at, *(each.booked_at for each in fresh))
    book.keep_cursor(replace(begun, newest_at=newest))


def _unbooked(transaction: Transaction, rows: Sequence[LedgerEntry]) -> dict[str, datetime]:
    """Trades in the ledger whose executions the books lack, and when they were."""
    trades = {each.refid: each.booked_at for each in rows if each.kind == "trade"}
    if not trades:
        return {}
    since = min(trades.values()) - timedelta(seconds=CLOCK_TOLERANCE_S)
    known = {str(each.fill_id) for each in transaction.fills(since=since)}
    return {name: at for name, at in trades.items() if name not in known}
