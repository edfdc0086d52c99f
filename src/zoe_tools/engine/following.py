"""Follows the venue's streams: folds each event where it arrives, and books what it means.

Nothing is decided here, and nothing is sent; whatever a turn should look at wakes it. What was
missed while a wire was away is asked of the venue's records.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from zoe_tools.domain.fill import Fill
from zoe_tools.domain.money import short
from zoe_tools.domain.order import Side
from zoe_tools.domain.stream import (
    BalancesSnapshot,
    BalanceUpdate,
    ExecutionReport,
    ExecutionsSnapshot,
    Gap,
    InstrumentsUpdate,
    StreamDown,
    StreamEvent,
    StreamUp,
)
from zoe_tools.engine.books import Books
from zoe_tools.engine.parts import LoopParts
from zoe_tools.engine.statuses import Source, StatusWatch
from zoe_tools.engine.view import LiveView
from zoe_tools.engine.wallets import StreamedWallets
from zoe_tools.errors import VenueError
from zoe_tools.store.store import Transaction

_LOG = logging.getLogger(__name__)


class Following:
    """One consumer of one feed; `is_behind` while the venue may have done what is not booked."""

    def __init__(
        self,
        parts: LoopParts,
        view: LiveView,
        books: Books,
        heard: Callable[[StreamEvent | None], None],
    ) -> None:
        """`heard` is told each event, and None whenever the records told something."""
        self._parts = parts
        self._clock = parts.clock
        self._view = view
        self._books = books
        self._heard = heard
        self.wallets = StreamedWallets()
        self.statuses = StatusWatch(parts.catalogue, trust_s=parts.cadence.instruments_s)
        self.is_behind = False
        self._was_up = False
        self._down: set[str] = set()

    async def follow(self) -> None:
        """Until the feed is closed."""
        async for event in self._parts.feed.events():
            now = self._clock.now()
            self._view.apply(event, now)
            self._parts.work.heard(event, now)
            await self._book(event, now)
            self._parts.work.done("follow", self._clock.now())
            self._heard(event)

    async def catch_up(self, now: datetime) -> None:
        """What was missed is asked of the venue's records.

        A venue that does not answer, or not with all trades, is asked again by the chase.
        """
        self.is_behind = True
        await self._ask_records(now)

    async def chase_unresolved(self) -> None:
        """Ask the venue's records about what was missed, what is open, and what no wire tells.

        What was missed keeps all new risk back, an open intent that on its own instrument.
        """
        is_deaf = self._was_up and not self._view.is_private_up
        if self._books.unresolved or self.is_behind or is_deaf:
            await self._ask_records(self._clock.now())
            self._heard(None)

    async def heed_statuses(self, update: InstrumentsUpdate, source: Source) -> None:
        """What one may do with instruments, from the next turn on; what changed is told."""
        now = self._clock.now()
        changes = self.statuses.heed(update, source, now)
        if not changes:
            return

        def work(transaction: Transaction) -> None:
            for each in changes:
                details = {"status": each.status.value, "before": each.before.value}
                transaction.record_decision(
                    now, each.symbol, "instrument_status", {**details, "source": each.source}
                )

        await self._parts.store.run(work)
        for each in changes:
            self._parts.narrator.show_note(now, each.sentence)
        self._heard(None)

    async def _book(self, event: StreamEvent, now: datetime) -> None:
        match event:
            case ExecutionReport():
                await self._book_reports((event,), now)
            case ExecutionsSnapshot(reports=reports):
                await self._book_reports(reports, now)
            case InstrumentsUpdate():
                await self.heed_statuses(event, "stream")
            case BalancesSnapshot() | BalanceUpdate():
                self.wallets.heed(event)
            case StreamUp(wire=wire):
                self._tell_wire(now, wire, is_up=True)
                if wire == "private":
                    await self._private_is_up(now)
            case StreamDown(wire=wire):
                self._tell_wire(now, wire, is_up=False)
                if wire == "private" and self._was_up:
                    await self.catch_up(now)
            case Gap(wire="private", channel=channel) if channel:
                await self.catch_up(now)
            case _:
                pass

    async def _book_reports(self, reports: Sequence[ExecutionReport], now: datetime) -> None:
        ours: list[ExecutionReport] = []
        for report in reports:
            self._parts.sightings.note(report)
            if await self._parts.gate.record_report(report):
                ours.append(report)
        await self._books.refresh(now)
        for report in reports:
            if report.fill is not None and not report.is_snapshot:
                self._tell_fill(report.fill, now, is_ours=report in ours)
        for position in self._books.take_closed():
            self._parts.narrator.show_closed(position)

    def _tell_fill(self, fill: Fill, now: datetime, *, is_ours: bool) -> None:
        """What somebody else trades on the account is told, and is no trade of zoe's."""
        if is_ours:
            self._parts.narrator.show_fill(fill)
            return
        word = "bought" if fill.side is Side.BUY else "sold"
        told = f"{short(fill.quantity)} {fill.symbol} at {short(fill.price)}"
        note = f"Somebody else {word} {told}: order {fill.venue_order_id} is not zoe's."
        self._parts.narrator.show_note(now, note)

    def _tell_wire(self, now: datetime, wire: str, *, is_up: bool) -> None:
        """A wire that is lost is told once, and so is its return."""
        if is_up == (wire in self._down):
            self._down ^= {wire}
            self._parts.narrator.show_wire(now, wire, is_up=is_up)

    async def _private_is_up(self, now: datetime) -> None:
        if self._was_up:
            await self.catch_up(now)
        self._was_up = True

    async def _ask_records(self, now: datetime) -> None:
        try:
            recovery = await self._parts.gate.recover(patient=False)
            self.is_behind = recovery.lacks_fills
        except VenueError as error:
            _LOG.warning("The venue's records cannot be read: %s", error.message)
        await self._books.refresh(now)
