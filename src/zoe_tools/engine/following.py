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
from zoe_tools.domain.identifiers import VenueOrderId
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
from zoe_tools.gate.recover import Heard, Recovery
from zoe_tools.store.store import Transaction

_LOG = logging.getLogger(__name__)


REPORTS = (ExecutionReport, ExecutionsSnapshot)
BOOKED = (*REPORTS, InstrumentsUpdate, StreamUp, StreamDown, Gap)
"""What asks for the store or for the venue's records; quotes and prints do not wait for it."""

WAITING = 1_000
"""Events that may wait to be booked before the reader of the feed waits."""


VANISHED_LOOKS = 8
"""How often, each second, the records are asked about orders that the stream's list lacks."""

VANISHED_AFTER_S = 1.0
"""An order that is younger may be missing from a list that was on its way when it was placed."""


class Missed:
    """What was missed, counted; and how much of it the venue's records have told since."""

    def __init__(self) -> None:
        self.noted = 0
        self._told = 0

    def note(self) -> None:
        """Something happened that nobody told."""
        self.noted += 1

    def told(self, asked: int) -> None:
        """The records told all that had been `noted` when they were asked, by that count."""
        self._told = max(self._told, asked)

    @property
    def is_open(self) -> bool:
        """Whether there is something that the records have not told."""
        return self._told < self.noted


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
        self.missed = Missed()
        self._asking = 0
        self._was_up = False
        self._inbox: asyncio.Queue[_Told | None] = asyncio.Queue(WAITING)
        self._ahead: list[_Told | None] = []
        self._is_booking = False
        self._down: set[str] = set()
        self._to_ask: asyncio.Queue[datetime | None] = asyncio.Queue(WAITING)
        self._vanished: frozenset[VenueOrderId] = frozenset()

    @property
    def is_behind(self) -> bool:
        """Whether the venue may have done what is not booked."""
        return self.missed.is_open or bool(self._vanished)

    @property
    def is_booking(self) -> bool:
        """Whether something came that the books do not tell of yet: a fill, perhaps."""
        return self._is_booking or not self._inbox.empty()

    async def follow(self) -> None:
        """Until the feed is closed, and all that it told is booked."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._book_for_ever())
            group.create_task(self._ask_for_ever())
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
            self.missed.note()
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
        await self._to_ask.put(None)

    async def _ask_for_ever(self) -> None:
        """Beside the booking: records that are slow keep no fill waiting that a stream tells.

        What several gaps kept from us is asked once.
        """
        while (missed_at := await self._to_ask.get()) is not None:
            if self.missed.is_open:
                await self._ask_records(missed_at)
                self._heard(None)
            await self._ask_of_vanished()

    async def _ask_of_vanished(self) -> None:
        """Until the records, which may lag, tell as well that these orders are over.

        What they show as open all the while is theirs to say: the stream's list was older.
        """
        for _ in range(VANISHED_LOOKS):
            if not self._vanished:
                return
            await self._clock.sleep(VANISHED_AFTER_S)
            await self._ask_records(self._clock.now())
            self._vanished &= {each.venue_order_id for each in self._books.orders}
            self._heard(None)
        self._vanished = frozenset()

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

    async def catch_up(self, now: datetime) -> None:
        """What was missed is asked of the venue's records.

        A venue that does not answer, or not with all trades, is asked again by the chase.
        """
        self.missed.note()
        await self._ask_records(now)

    async def chase_unresolved(self) -> None:
        """Ask the venue's records about what was missed, what is open, and what no wire tells.

        What was missed keeps all new risk back, an open intent that on its own instrument. Calls
        are few: who asks already is not overtaken but for an intent, which may hold up a stop.
        """
        is_deaf = self._was_up and not self._view.is_private_up
        if self._books.unresolved or ((self.is_behind or is_deaf) and not self._asking):
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

    async def _book(self, told: _Told) -> None:
        match told.event:
            case InstrumentsUpdate():
                await self.heed_statuses(told.event, "stream")
            case StreamUp(wire=wire) | StreamDown(wire=wire):
                self._tell_wire(told.at, wire, is_up=isinstance(told.event, StreamUp))
            case _:
                pass
        if told.misses:
            await self._to_ask.put(told.at)

    async def _book_reports(self, waiting: Sequence[_Told]) -> None:
        reports: list[ExecutionReport] = []
        for told in waiting:
            if isinstance(told.event, ExecutionReport):
                reports.append(told.event)
            elif isinstance(told.event, ExecutionsSnapshot):
                reports.extend(told.event.reports)
                await self._note_vanished(told)
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

    async def _note_vanished(self, told: _Told) -> None:
        """An order that the books know and a list of all open ones lacks ended unheard of.

        A stop that went so would be missed by nobody until books and venue are compared; an entry
        has that much time, and the calls are needed elsewhere.
        """
        if not isinstance(told.event, ExecutionsSnapshot):
            return
        listed = {each.venue_order_id for each in told.event.reports}
        before = told.at - timedelta(seconds=VANISHED_AFTER_S)
        gone = {
            each.venue_order_id
            for each in self._books.orders
            if each.venue_order_id is not None
            and each.purpose != "entry"
            and each.created_at < before
        } - listed
        if gone:
            self._vanished |= gone
            self.missed.note()
            await self._to_ask.put(told.at)

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

    async def _hear_of_records(self) -> None:
        """Of a stop that is gone the rest can be sold, or stopped again, before more is read."""
        await self._books.refresh(self._clock.now())
        self._heard(None)

    async def _ask_records(self, now: datetime) -> None:
        """Trades where something was missed: other looks are many, and a stop's needs the calls."""
        try:
            await self.recover(heard=self._hear_of_records)
        except VenueError as error:
            _LOG.warning("The venue's records cannot be read: %s", error.message)
        await self._books.refresh(now)

    async def recover(self, heard: Heard | None = None) -> Recovery:
        """What the records tell, booked; all that had been missed when it began is known then.

        Raises:
            VenueUnavailable: the venue's records cannot be read.
        """
        reads_trades, asked = self.missed.is_open, self.missed.noted
        self._asking += 1
        try:
            recovery = await self._parts.gate.recover(
                patient=False, heard=heard, reads_trades=reads_trades
            )
        finally:
            self._asking -= 1
        if recovery.lacks_fills:
            self.missed.note()
        else:
            self.missed.told(asked)
        return recovery
