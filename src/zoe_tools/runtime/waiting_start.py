"""A start whose venue does not answer: with something in the books it goes on trying.

To end instead would leave what is held to a service manager, which gives up after some starts. What
is held is protected by nobody meanwhile but its stops at the venue, so that this is alarmed at each
try. A stop and SIGUSR1 are heeded.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from zoe_tools.domain.words import counted
from zoe_tools.engine.alarm import StandbyAlarm
from zoe_tools.errors import VenueError
from zoe_tools.observe.log import event
from zoe_tools.ports import Clock, Narrator, ServiceManager
from zoe_tools.store.runner import StoreRunner
from zoe_tools.store.store import Transaction

T = TypeVar("T")

_LOG = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 5.0
"""Between two tries, in the venue's seconds, each twice the last one: it may be back any time."""

ALARM_POLL_S = 0.25

TRY_US = 180_000_000
"""What a try may take at most, as a service manager is asked to allow: each call has its tries."""


async def once_it_answers(
    assemble: Callable[[], Awaitable[T]],
    *,
    store: StoreRunner,
    clock: Clock,
    narrator: Narrator,
    service: ServiceManager,
    alarm: StandbyAlarm | None,
    stop: asyncio.Event,
) -> T:
    """What `assemble` puts together, as often as it must be tried.

    Raises:
        VenueError: the venue does not answer, and nothing is held, or the run is told to stop.
        StoreError: the books cannot be read.
    """
    try:
        return await assemble()
    except VenueError as error:
        at_stake = await store.read(_at_stake)
        if not at_stake or stop.is_set():
            raise
        refused = error
    note = (
        f"The venue cannot be asked: {refused.message} {at_stake}: this start goes on trying,"
        " and only what rests at the venue protects them meanwhile."
    )
    narrator.show_note(clock.now(), note)

    async def go_on() -> T:
        nonlocal refused
        pause_s = FIRST_PAUSE_S
        while True:
            event(_LOG, "START_WAITS", "critical", at_stake=at_stake, reason=refused.message)
            service.tell(f"EXTEND_TIMEOUT_USEC={TRY_US}")
            service.tell(f"STATUS=WAITING for the venue: {refused.message}")
            await clock.sleep(pause_s)
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2)
            try:
                return await assemble()
            except VenueError as error:
                refused = error

    trying = asyncio.create_task(go_on())
    stopping = asyncio.create_task(stop.wait())
    heeding = asyncio.create_task(_heed_for_ever(alarm, clock))
    try:
        await asyncio.wait({trying, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if trying.done():
            return trying.result()
        raise refused
    finally:
        for each in (trying, stopping, heeding):
            each.cancel()
            with suppress(asyncio.CancelledError, VenueError):
                await each


async def _heed_for_ever(alarm: StandbyAlarm | None, clock: Clock) -> None:
    while alarm is not None:
        await alarm.heed()
        await clock.sleep(ALARM_POLL_S)


def _at_stake(transaction: Transaction) -> str:
    """What the books hold or have in doubt, in words; empty: nothing."""
    found = (
        ("position", len(transaction.positions(open_only=True))),
        ("open order", len(transaction.orders(open_only=True))),
        ("unknown outcome", len(transaction.unresolved_intents())),
    )
    told = " and ".join(counted(count, name) for name, count in found if count)
    return f"The books have {told}" if told else ""
