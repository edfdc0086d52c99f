"""Follows the venue's streams: folds each event where it arrives, and books what it means.

Nothing is decided here, and nothing is sent; whatever a turn should look at wakes it. What was
missed while a wire was away is asked of the venue's records, beside what the streams go on to tell.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

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
from zoe_tools.engine.records import Records
from zoe_tools.engine.statuses import Source, StatusWatch
from zoe_tools.engine.view import LiveView
from zoe_tools.engine.wallets import StreamedWallets
from zoe_tools.store.store import Transaction

_LOG = logging.getLogger(__name__)


REPORTS = (ExecutionReport, ExecutionsSnapshot)
BOOKED = (*REPORTS, InstrumentsUpdate, StreamUp, StreamDown, Gap)
"""What asks for the store or for the venue's records; quotes and prints do not wait for it."""

AWAITED_S = 10.0
"""How long a start waits for the private wire before the records are asked in its place."""

WAITING = 1_000
"""Events that may wait to be booked before the reader of the feed waits."""


class _Told(NamedTuple):
    """What is to be booked, and when it came; `misses`: something before it was not told."""

    event: StreamEvent
    at: datetime
    misses: bool


class Following:
    """One consumer of one feed."""

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
        self.records = Records(parts, books, lambda: heard(None), self._is_deaf)
        self._was_up = False
        self._awaited_since = parts.clock.now()
        self._inbox: asyncio.Queue[_Told | None] = asyncio.Queue(WAITING)
        self._ahead: list[_Told | None] = []
        self._is_booking = False
        self._down: set[str] = set()

    def _is_deaf(self) -> bool:
        """Whether the private wire was there and is not, or does not come up."""
        if self._view.is_private_up:
            return False
        awaited = self._clock.now() - self._awaited_since
        return self._was_up or awaited > timedelta(seconds=AWAITED_S)

    @property
    def is_behind(self) -> bool:
        """Whether the venue may have done what is not booked."""
        return self.records.is_behind

    @property
    def is_booking(self) -> bool:
        """Whether something came that the books do not tell of yet: a fill, perhaps."""
        return self._is_booking or not self._inbox.empty()

    async def follow(self) -> None:
        """Until the feed is closed, and all that it told is booked."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._book_for_ever())
            group.create_task(self.records.answer_for_ever())
            async for event in self._parts.feed.events():
                now = self._clock.now()
                self._view.apply(event, now)
                self._parts.work.heard(event, now)
                if isinstance(event, BalancesSnapshot | BalanceUpdate):
                    self.wallets.heed(event)
                if isinstance(event, BOOKED):
                    await self._inbox.put(self._noted(event, now))
                else:
                    self._has_followed(event)
            await self._inbox.put(None)

    def _noted(self, event: StreamEvent, now: datetime) -> _Told:
        """The event as it waits; where it tells of a gap, the loop is behind from now on."""
        match event:
            case StreamUp(wire="private"):
                misses, self._was_up = self._was_up, True
            case StreamDown(wire="private"):
                misses = self._was_up
            case Gap(wire="private", channel=channel):
                misses = bool(channel)
            case _:
                misses = False
        if misses:
            self.records.missed.note()
        return _Told(event, now, misses)

    def _has_followed(self, event: StreamEvent) -> None:
        """What is told without a pause proves nothing about what waits to be booked."""
        if not self.is_booking:
            self._parts.work.done("follow", self._clock.now())
        self._heard(event)

    async def _book_for_ever(self) -> None:
        """Beside the market, in the order in which it came; reports that wait go together."""
        while waiting := await self._next():
            self._is_booking = True
            if isinstance(waiting[0].event, REPORTS):
                await self._book_reports(waiting)
            else:
                await self._book(waiting[0])
            self._is_booking = bool(self._ahead)
            for told in waiting:
                self._has_followed(told.event)
        await self.records.ask(None)

    async def _next(self) -> list[_Told]:
        """One, or all the reports that wait in a row; none at the end."""
        told = self._ahead.pop() if self._ahead else await self._inbox.get()
        waiting: list[_Told] = []
        while told is not None:
            waiting.append(told)
            if not isinstance(told.event, REPORTS) or self._inbox.empty():
                return waiting
            told = self._inbox.get_nowait()
            if told is None or not isinstance(told.event, REPORTS):
                self._ahead.append(told)
                return waiting
        return waiting

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

    async def _book(self, told: _Told) -> None:
        match told.event:
            case InstrumentsUpdate():
                await self.heed_statuses(told.event, "stream")
            case StreamUp(wire=wire) | StreamDown(wire=wire):
                self._tell_wire(told.at, wire, is_up=isinstance(told.event, StreamUp))
            case _:
                pass
        if told.misses:
            await self.records.ask(told.at)

    async def _book_reports(self, waiting: Sequence[_Told]) -> None:
        reports: list[ExecutionReport] = []
        for told in waiting:
            if isinstance(told.event, ExecutionReport):
                reports.append(told.event)
            elif isinstance(told.event, ExecutionsSnapshot):
                reports.extend(told.event.reports)
                await self.records.note_vanished(told.event, told.at)
        for report in reports:
            self._parts.sightings.note(report)
        now = waiting[-1].at
        ours, read = await self._parts.gate.record_reports(
            reports, lambda transaction: self._books.read(transaction, now)
        )
        self._books.take(read)
        for report, is_ours in zip(reports, ours, strict=True):
            if report.fill is not None and not report.is_snapshot:
                self._tell_fill(report.fill, now, is_ours=is_ours)
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
