"""The start of a run: what is looked at before the first turn, what is proved beside the turns.

Before the first turn stands only what protection needs: a countdown that was left armed is
disarmed, the own books are audited and read, the venue is asked what became of what was open.
Then turns are taken: stops, exits, kills and signals wait for nothing more. What is slow goes on
beside them: the streams come up, the records tell, books and venue are compared, and the account is
proved to be ready. Nothing is entered before all of that is done, and what fails is asked again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from zoe_tools.engine.boot import BootLog
from zoe_tools.engine.dead_man import disarm_predecessors
from zoe_tools.engine.leasing import LEASE_BEATS
from zoe_tools.engine.loop import TradingLoop
from zoe_tools.engine.parts import LoopParts
from zoe_tools.engine.registry import begin_registry
from zoe_tools.engine.work import Phase
from zoe_tools.errors import PlanRefused, VenueError, VenueUnavailable, ZoeError

_LOG = logging.getLogger(__name__)

START_TIMEOUT_S = 60.0
"""Seconds in which both wires must come up; the machine's own, however fast the venue's go."""

Readiness = Callable[[], Awaitable[tuple[str, ...]]]
"""Why new risk would be wrong now, a sentence each; empty when the account is ready.

It may take long and is asked beside the turns; a cancelled one ends soon.
"""

READINESS = "readiness"
"""The watch that asks pre-flight and reconciliation at the start."""

RECORDS = "records"
"""The watch that asks what happened at the venue while no loop ran."""

STREAMS = "streams"
"""The watch that waits for the venue's wires, where something is held that cannot wait."""

RECORDS_PATIENCE_S = 1.0
"""How long a start waits for the records alone, in the loop's seconds."""

COMPARED_WITHIN_S = 30.0
"""Venue seconds until a start that cannot hold its books against the venue is called failed."""

ASK_AGAIN_S = 60.0
"""How long, in the venue's seconds, a loop that only protects waits before it asks again."""

LONGEST_PAUSE_S = 600.0
"""Each pause between two proofs is twice the last one, or as long as the proof took, up to this."""

NO_STREAMS = "The venue's streams did not come up."


@dataclass(slots=True, kw_only=True)
class Start:
    """One start. `look_around` comes before the turns, the `tasks` go beside them."""

    loop: TradingLoop
    parts: LoopParts
    boot: BootLog
    stop: asyncio.Event
    readiness: Readiness | None
    _asking: asyncio.Task[None] | None = None
    _is_proved: bool = False
    _has_held: bool = False
    _live_since: datetime | None = None
    _give_up_at: float = field(default=0.0)

    async def look_around(self) -> None:
        """Disarm what may go off, audit what is stored before it is repaired, and ask the venue.

        The venue is asked only of what was open: where it cannot be, there is something to protect.
        Silence is not waited out, as a position may stand without a stop: the chase does that,
        beside the turns. Nor are records that are slow: they are asked on, while the streams come
        up and tell the same.
        """
        loop, parts = self.loop, self.parts
        loop.following.records.missed.note()
        await disarm_predecessors(parts)
        await begin_registry(parts, loop)
        await self.boot.enter(Phase.SYNCING)
        asking = asyncio.create_task(self._ask_records())
        try:
            done, _ = await asyncio.wait({asking}, timeout=RECORDS_PATIENCE_S)
            for each in done:
                each.result()
        except VenueError as error:
            reason = f"What happened meanwhile cannot be asked: {error.message}"
            loop.stand(RECORDS, (reason,))
        except BaseException:
            asking.cancel()
            raise
        await loop.books.refresh(parts.clock.now())
        self._asking = None if asking.done() else asking

    def tasks(self) -> Iterator[Coroutine[None, None, None]]:
        """What is to be done beside the turns until the start is over."""
        yield self._get_ready()
        if self.readiness is not None:
            yield self._unless_stopped(self._prove(self.readiness))
        if self.loop.standing.of(RECORDS):
            yield self._mend_records()
        if self._asking is not None:
            yield self._catch_up(self._asking)

    def let_go(self) -> None:
        """The run is over, however far the start has come."""
        if self._asking is not None:
            self._asking.cancel()

    # --- the records -----------------------------------------------------------------------------

    async def _ask_records(self) -> None:
        if not self.parts.is_shadow:
            await self.parts.gate.doubt_predecessors()
        found = await self.loop.following.records.recover()
        self.boot.diffs = len(found.resolutions) + found.orders_updated + found.fills_booked

    async def _catch_up(self, asking: asyncio.Task[None]) -> None:
        """The records that were slow; where they fail, the chase asks them again."""
        try:
            await asking
        except VenueError as error:
            _LOG.warning("What happened meanwhile cannot be asked yet: %s", error.message)
        await self.loop.books.refresh(self.parts.clock.now())
        self.loop.wake()

    async def _mend_records(self) -> None:
        while self.loop.standing.of(RECORDS):
            await self.parts.clock.sleep(self.parts.cadence.health_s)
            if not self.loop.following.is_behind:
                self.loop.stand(RECORDS, ())

    # --- the proof -------------------------------------------------------------------------------

    async def _unless_stopped(self, work: Coroutine[None, None, None]) -> None:
        """Until it is done, or the run is told to stop: whoever ends needs no proof."""
        async with asyncio.TaskGroup() as group:
            working = group.create_task(work)
            stopping = group.create_task(self.stop.wait())
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            working.cancel()
            stopping.cancel()

    async def _prove(self, readiness: Readiness) -> None:
        """Ask until the account is ready: a maintenance passes, a stop is placed meanwhile.

        Raises:
            PlanRefused: it is not, and there is nothing to protect.
        """
        clock, pause_s = self.parts.clock, ASK_AGAIN_S
        machine = asyncio.get_running_loop()  # what it tells jumps with no clock
        while not self._is_proved:
            asked_at = machine.time()
            reasons = await self._asked(readiness)
            if reasons and not self._is_needed:
                raise PlanRefused(
                    "The account is not ready to be traded: " + "; ".join(reasons) + ".",
                    hint="Run `zoe pre-flight` and `zoe reconcile`, and mend what they find.",
                )
            self._is_proved = not reasons
            self.loop.stand(READINESS, reasons)
            if reasons:
                took_s = machine.time() - asked_at
                await clock.sleep(max(pause_s, min(LONGEST_PAUSE_S, took_s)))
                pause_s = min(LONGEST_PAUSE_S, pause_s * 2)

    async def _asked(self, readiness: Readiness) -> tuple[str, ...]:
        """Whatever it fails with: with something to protect, it is one more reason."""
        try:
            return await readiness()
        except Exception as error:
            if not self._is_needed:
                raise
            _LOG.exception("Whether the account is ready cannot be proved.")
            told = error.message if isinstance(error, ZoeError) else repr(error)
            return (f"Whether the account is ready cannot be proved: {told}",)

    @property
    def _is_needed(self) -> bool:
        """Whether the run has or had something to look after, or may have: nobody can say yet."""
        self._note_held()
        return self._has_held or self.loop.following.is_behind

    def _note_held(self) -> None:
        books = self.loop.books
        self._has_held |= bool(books.positions or books.orders or books.unresolved)

    # --- ready, or not ---------------------------------------------------------------------------

    async def _get_ready(self) -> None:
        """Ready is who hears the venue, has held its books against it, and proved its account.

        Turns are taken meanwhile: what is held is protected, by what the records told.

        Raises:
            VenueUnavailable: the streams do not come up, and there is nothing to protect.
        """
        cadence, told = self.parts.cadence, ""
        patience_s = max(START_TIMEOUT_S, cadence.cycle_s * LEASE_BEATS)
        self._give_up_at = asyncio.get_running_loop().time() + patience_s
        while not self.stop.is_set():
            self._note_held()
            await self._look_at_streams()
            failed = "; ".join(self._failures())
            if failed and failed != told and not self.stop.is_set():
                await self.boot.enter(Phase.FAILED, failed)
            told = failed
            if not failed and self._is_ready and not self.stop.is_set():
                await self.boot.enter(Phase.READY)
                return
            await self.parts.clock.sleep(cadence.cycle_s / 10)

    @property
    def _is_ready(self) -> bool:
        is_proved = self._is_proved or self.readiness is None
        return is_proved and self.loop.view.is_live and self.loop.is_compared

    def _failures(self) -> Iterator[str]:
        """What is amiss, not only slow."""
        for watch in (STREAMS, RECORDS, READINESS):
            yield from self.loop.standing.of(watch)
        if self._live_since is not None and not self.loop.is_compared:
            waited = self.parts.clock.now() - self._live_since
            if waited > timedelta(seconds=COMPARED_WITHIN_S):
                yield "Books and venue cannot be compared."

    async def _look_at_streams(self) -> None:
        loop = self.loop
        if loop.view.is_live:
            self._live_since = self._live_since or self.parts.clock.now()
            loop.stand(STREAMS, ())
            return
        is_late = asyncio.get_running_loop().time() > self._give_up_at
        if self._live_since is not None or not is_late or loop.standing.of(STREAMS):
            return
        if not (self._is_needed or await self._rests_there()):
            raise VenueUnavailable(NO_STREAMS)
        loop.stand(STREAMS, (NO_STREAMS,))

    async def _rests_there(self) -> bool:
        """Whether the venue shows an order that zoe may have placed, and the books know none."""
        try:
            shown = await self.parts.venue.open_orders()
        except VenueError:
            return False
        return any(each.client_order_id is not None for each in shown)
