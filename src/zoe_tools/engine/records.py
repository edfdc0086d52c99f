"""Asks the venue's records what no stream told, beside the streams, and has it booked.

Calls are few where the counter is full, and a stop may wait for them: what several gaps kept from
the loop is asked once, one call tells of all orders that have a name, executions come before orders
that nobody has seen, and these are looked for less often the longer nobody sees them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from zoe_tools.core.proof import silence_counts_from
from zoe_tools.domain.identifiers import IntentId, VenueOrderId
from zoe_tools.domain.journal import Intent
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.stream import ExecutionsSnapshot
from zoe_tools.engine.books import Books
from zoe_tools.engine.parts import LoopParts
from zoe_tools.errors import VenueError
from zoe_tools.gate.recover import Heard, Recovery, Which, is_unseen

_LOG = logging.getLogger(__name__)

UNREADABLE = "The venue's records cannot be read: %s"

WAITING = 1_000
"""Questions that may wait before who asks them waits."""

HASTE_S, TICK_S = 2.0, 1.0
"""The pause of the chase while no wire tells of fills, and between two looks whether one does."""

VANISHED_LOOKS = 8
"""How often, each second, the records are asked about orders that the stream's list lacks."""

VANISHED_AFTER_S = 1.0
"""An order that is younger may be missing from a list that was on its way when it was placed."""

PAUSE_PART = 4
"""The next look for an order that nobody has seen waits for one part in so many of its age."""

LONGEST_PAUSE_S, LONGEST_OF_SALES_S = 8.0, 4.0
"""Of an entry, and of what a position may wait for."""


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


class UnseenLooks:
    """When each order that may have been placed, and that nobody has seen, was looked for."""

    def __init__(self) -> None:
        self._looked_at: dict[IntentId, datetime] = {}

    def due(self, intents: Iterable[Intent], now: datetime, policy: Policy) -> frozenset[IntentId]:
        """Those to be looked for now, which are noted; each time, once their silence counts."""
        unseen = {each.intent_id: each for each in intents if is_unseen(each)}
        self._looked_at = {name: at for name, at in self._looked_at.items() if name in unseen}
        due = frozenset(
            name
            for name, each in unseen.items()
            if now >= silence_counts_from(each, policy) or self._is_due(each, now)
        )
        self._looked_at.update(dict.fromkeys(due, now))
        return due

    def _is_due(self, intent: Intent, now: datetime) -> bool:
        looked_at = self._looked_at.get(intent.intent_id)
        age_s = (now - intent.created_at).total_seconds()
        longest_s = LONGEST_PAUSE_S if intent.purpose == "entry" else LONGEST_OF_SALES_S
        pause = timedelta(seconds=min(longest_s, age_s / PAUSE_PART))
        # A clock that was set back would else silence it for as long.
        return looked_at is None or not timedelta(0) <= now - looked_at < pause


def is_named(intent: Intent) -> bool:
    """Whether one call tells of it, and of all the others."""
    return not is_unseen(intent)


class Records:
    """One account's, of which the loop knows what it `missed`."""

    def __init__(
        self,
        parts: LoopParts,
        books: Books,
        heard: Callable[[], None],
        is_deaf: Callable[[], bool],
    ) -> None:
        """`heard` is told whenever the books may have changed; `is_deaf`: the wire is gone."""
        self._gate = parts.gate
        self._policy = parts.policy
        self._clock = parts.clock
        self._books = books
        self._heard = heard
        self._is_deaf = is_deaf
        self.missed = Missed()
        self._vanished: frozenset[VenueOrderId] = frozenset()
        self._unseen = UnseenLooks()
        self._questions: asyncio.Queue[datetime | None] = asyncio.Queue(WAITING)
        self._asking = 0

    @property
    def is_behind(self) -> bool:
        """Whether the venue may have done what is not booked."""
        return self.missed.is_open or bool(self._vanished)

    async def ask(self, missed_at: datetime | None) -> None:
        """Have it asked about a miss that was noted; None: about no other one."""
        await self._questions.put(missed_at)

    async def answer_for_ever(self) -> None:
        """Beside the booking: records that are slow keep no fill waiting that a stream tells."""
        while (missed_at := await self._questions.get()) is not None:
            if self.missed.is_open:
                await self._ask(missed_at)
                self._heard()
            await self._ask_of_vanished()

    async def _ask_of_vanished(self) -> None:
        """Until the records, which may lag, tell as well that these orders are over.

        What they show as open all the while is theirs to say: the stream's list was older.
        """
        for _ in range(VANISHED_LOOKS):
            if not self._vanished:
                return
            await self._clock.sleep(VANISHED_AFTER_S)
            await self._ask(self._clock.now())
            self._vanished &= {each.venue_order_id for each in self._books.orders}
            self._heard()
        self._vanished = frozenset()

    async def note_vanished(self, snapshot: ExecutionsSnapshot, told_at: datetime) -> None:
        """An order that the books know and a list of all open ones lacks ended unheard of.

        A stop that went so would be missed by nobody until books and venue are compared; an entry
        has that much time, and the calls are needed elsewhere.
        """
        listed = {each.venue_order_id for each in snapshot.reports}
        before = told_at - timedelta(seconds=VANISHED_AFTER_S)
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
            await self.ask(told_at)

    async def catch_up(self, now: datetime) -> None:
        """What was missed is asked of the venue's records.

        A venue that does not answer, or not with all trades, is asked again by the chase.
        """
        self.missed.note()
        await self._ask(now)

    async def chase_for_ever(self, pause_s: float) -> None:
        """Beside the beat: a venue that is slow to answer must not cost the loop its lease.

        Quicker while no wire tells of fills, and not where trades alone are late: these cost more
        calls. Where the pause is long, as in a replay, nobody looks each second meanwhile.
        """
        tick_s = max(TICK_S, pause_s / 5)
        while True:
            await self.chase()
            waited_s = 0.0
            while waited_s < (HASTE_S if self._is_deaf() else pause_s):
                await self._clock.sleep(tick_s)
                waited_s += tick_s

    async def chase(self) -> None:
        """Ask the venue's records about what was missed, what is open, and what no wire tells.

        What was missed keeps all new risk back, an open intent that on its own instrument. Who asks
        already is not overtaken but for what one call tells.
        """
        now, unresolved = self._clock.now(), self._books.unresolved
        if (self.is_behind or self._is_deaf()) and not self._asking:
            await self._ask(now)
            self._heard()
        elif any(map(is_named, unresolved)):
            await self._look_for(is_named)
        due = self._unseen.due(unresolved, now, self._policy)
        if due:
            await self._look_for(lambda each: each.intent_id in due)

    async def _look_for(self, which: Which) -> None:
        try:
            await self._gate.resolve(which)
        except VenueError as error:
            _LOG.warning(UNREADABLE, error.message)
        await self._books.refresh(self._clock.now())
        self._heard()

    async def _ask(self, now: datetime) -> None:
        try:
            await self.recover(heard=self._hear)
        except VenueError as error:
            _LOG.warning(UNREADABLE, error.message)
        await self._books.refresh(now)

    async def _hear(self) -> None:
        """Of a stop that is gone the rest can be sold, or stopped again, before more is read."""
        await self._books.refresh(self._clock.now())
        self._heard()

    async def recover(self, heard: Heard | None = None) -> Recovery:
        """What the records tell, booked; all that had been missed when it began is known then.

        Trades are read where something was missed: other looks are many.

        Raises:
            VenueUnavailable: the venue's records cannot be read.
        """
        reads_trades, asked = self.missed.is_open, self.missed.noted
        self._asking += 1
        try:
            recovery = await self._gate.recover(
                patient=False, heard=heard, reads_trades=reads_trades, which=is_named
            )
        finally:
            self._asking -= 1
        if recovery.lacks_fills:
            self.missed.note()
        else:
            self.missed.told(asked)
        return recovery
