"""Waits for the answer to a send for as long as it may be waited for, and no longer.

Who waits in vain does not hold the others up: the streams may have told the books meanwhile, and
after that the venue's records are asked; while they are, the streams go on being heard. A call
that is left alone ends by its own time limit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from zoe_tools.domain.identifiers import VenueOrderId
from zoe_tools.domain.journal import Intent, IntentKind, IntentState, OrderRecord
from zoe_tools.domain.order import OrderAmendment
from zoe_tools.domain.plan import AmendOrder, CancelOrder, VenueStep
from zoe_tools.gate.journal import Entry
from zoe_tools.gate.send import Answer, Reply
from zoe_tools.ports import Clock
from zoe_tools.store.store import Transaction

Heard = Callable[[], Awaitable[Reply | None]]
"""What the books have heard of the step by another way than the answer."""

SILENCE = "no answer in time"

TOLD_EVERY_S = 0.1
"""Between two questions to who has nothing to tell; one that waits for news itself waits longer."""

F = TypeVar("F")
H = TypeVar("H")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The waiting of one gate; `late` are the calls that nobody waits for any more."""

    clock: Clock
    late: set[asyncio.Future[Any]] = field(default_factory=set)

    async def of(
        self,
        call: Coroutine[Any, Any, Reply],
        *,
        due_at: datetime,
        every_s: float,
        heard: Heard,
        hurry: asyncio.Event | None = None,
    ) -> Reply:
        """The answer, or what was heard meanwhile, asked `every_s`; after `due_at`: it is lost.

        It is lost, too, where there is a `hurry`.
        """
        sending = asyncio.ensure_future(call)
        try:
            while not await self._is_done(sending, due_at, every_s, hurry):
                reply = await heard()
                if reply is not None:
                    return reply
                if self.clock.now() >= due_at or (hurry is not None and hurry.is_set()):
                    return Reply(answer=Answer.LOST, words=SILENCE, code="NO_ANSWER")
            return sending.result()
        except asyncio.CancelledError:
            sending.cancel()
            raise
        finally:
            if not sending.done():
                self.late.add(sending)
                sending.add_done_callback(self._forget)

    async def unless(
        self,
        looking: Coroutine[Any, Any, F],
        hurry: asyncio.Event | None,
        *,
        within_s: float | None = None,
    ) -> F | None:
        """What a look finds; None where there is a hurry before that, or it takes longer."""
        if hurry is None and within_s is None:
            return await looking
        look = asyncio.ensure_future(looking)
        look.add_done_callback(_forgotten)
        waits: set[asyncio.Future[Any]] = set()
        if hurry is not None:
            waits.add(asyncio.ensure_future(hurry.wait()))
        if within_s is not None:
            waits.add(asyncio.ensure_future(self.clock.sleep(within_s)))
        try:
            await asyncio.wait({look, *waits}, return_when=asyncio.FIRST_COMPLETED)
            return look.result() if look.done() else None
        finally:
            for each in (look, *waits):
                each.cancel()

    async def sooner(
        self, looking: Coroutine[Any, Any, F], told: Callable[[], Awaitable[H | None]]
    ) -> F | H:
        """What a look finds, or what is `told` before that."""
        look = asyncio.ensure_future(looking)
        look.add_done_callback(_forgotten)
        telling: asyncio.Future[H | None] | None = None
        try:
            while not look.done():
                telling = asyncio.ensure_future(self._told(told))
                waits: set[asyncio.Future[Any]] = {look, telling}
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                if telling.done() and (found := telling.result()) is not None:
                    return found
            return look.result()
        finally:
            look.cancel()
            if telling is not None:
                telling.cancel()

    async def _told(self, told: Callable[[], Awaitable[H | None]]) -> H | None:
        """A moment later, where it is nothing: who knows that at once would be asked for ever."""
        found = await told()
        if found is None:
            await self.clock.sleep(TOLD_EVERY_S)
        return found

    async def _is_done(
        self,
        sending: asyncio.Future[Reply],
        due_at: datetime,
        every_s: float,
        hurry: asyncio.Event | None,
    ) -> bool:
        left_s = max(0.0, (due_at - self.clock.now()).total_seconds())
        waits: set[asyncio.Future[Any]] = {
            asyncio.ensure_future(self.clock.sleep(min(left_s, every_s)))
        }
        if hurry is not None:
            waits.add(asyncio.ensure_future(hurry.wait()))
        try:
            await asyncio.wait({sending, *waits}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
        return sending.done()

    def _forget(self, over: asyncio.Future[Any]) -> None:
        self.late.discard(over)
        _forgotten(over)


def _forgotten(over: asyncio.Future[Any]) -> None:
    """Ask it how it ended, as nobody else may."""
    if not over.cancelled():
        over.exception()


def heard_of(transaction: Transaction, step: VenueStep, entry: Entry) -> Reply | None:
    """A yes, if the order's record shows by now what was sent; the streams are quicker at times."""
    intent = transaction.intent(entry.intent.intent_id)
    if intent is None:
        return None
    if intent.kind is IntentKind.PLACE:
        is_there = intent.state is IntentState.CONFIRMED
        return _yes(intent.venue_order_id, intent.evidence) if is_there else None
    name = intent.venue_order_id
    record = None if name is None else transaction.order_by_venue_id(name)
    if record is None or not _shows(record, step):
        return None
    return _yes(name, f"the order is {record.status.value}, as the streams told")


def ended_by_now(transaction: Transaction, intent: Intent) -> str | None:
    """Evidence of a cancel from the books: others may have read the records sooner."""
    name = intent.venue_order_id
    if intent.kind is not IntentKind.CANCEL or name is None:
        return None
    record = transaction.order_by_venue_id(name)
    if record is None or not record.status.is_terminal:
        return None
    return f"the order is {record.status.value}, as the records told"


def _shows(record: OrderRecord, step: VenueStep) -> bool:
    match step:
        case CancelOrder():
            return record.status.is_terminal
        case AmendOrder(amendment=change):
            return _has_values(record, change)
        case _:
            return False


def _has_values(record: OrderRecord, change: OrderAmendment) -> bool:
    if change.limit_offset is not None or change.trigger_offset is not None:
        return False
    asked = (
        (change.quantity, record.quantity),
        (change.limit_price, record.limit_price),
        (change.trigger_price, record.trigger_price),
    )
    return any(wanted is not None for wanted, _ in asked) and all(
        wanted is None or wanted == seen for wanted, seen in asked
    )


def _yes(venue_order_id: VenueOrderId | None, words: str) -> Reply:
    return Reply(answer=Answer.YES, words=words, venue_order_id=venue_order_id, is_seen=True)
