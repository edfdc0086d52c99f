"""Killed at any moment, nobody leaves a countdown armed that the store does not know of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path

import pytest

from chaos_life import Killed, Life, MortalStore
from fakes import Desk, at_the_desk
from zoe_tools.errors import VenueError, VenueRejected, VenueUnavailable
from zoe_tools.gate.gate import Gate
from zoe_tools.gather import countdown_at_stake

SETTINGS = (60, 60, 90, 0)
"""Armed, set anew, set for longer, disarmed."""

FAULTS = ("refused", "never arrives", "answer lost")


@dataclass(slots=True, kw_only=True)
class Venue:
    """Its countdown; what strikes one call is a fault."""

    desk: Desk
    life: Life
    struck: int
    fault: str
    calls: int = 0
    armed_s: int = 0

    async def set(self, seconds: int) -> datetime | None:
        """Set it, or with 0 take it back; one may die before it arrives, and before the answer."""
        self.life.pass_by()
        self.calls += 1
        fault = self.fault if self.calls == self.struck else ""
        if fault == "refused":
            raise VenueRejected("no", code="EGeneral:Internal error")
        if fault == "never arrives":
            raise VenueUnavailable("no answer")
        self.armed_s = seconds
        self.life.pass_by()
        if fault == "answer lost":
            raise VenueUnavailable("no answer")
        return self.desk.clock.now() + timedelta(seconds=seconds) if seconds else None


def gate_of(desk: Desk, life: Life, setter: Callable[[int], Awaitable[datetime | None]]) -> Gate:
    """A loop's, that ends with that life."""
    return desk.gate(store=MortalStore(desk.store, life), countdown=setter)


async def set_all(gate: Gate, desk: Desk, venue: Venue) -> None:
    """Each in turn; the store never says less than what the venue has."""
    for seconds in SETTINGS:
        with suppress(VenueError):
            await gate.count_down(seconds)
        assert await desk.read(countdown_at_stake) >= venue.armed_s


@pytest.mark.parametrize(
    ("struck", "fault"), [(0, ""), *product(range(1, len(SETTINGS) + 1), FAULTS)]
)
def test_killed_anywhere_what_is_armed_is_known_and_the_next_one_disarms_it(
    tmp_path: Path, struck: int, fault: str
) -> None:
    """At each way to the store and back, and to the venue and back, under each fault of a call."""

    async def story(desk: Desk) -> int:
        fatal = 0
        while True:
            fatal += 1
            life = Life()
            life.end_after(fatal)
            venue = Venue(desk=desk, life=life, struck=struck, fault=fault)
            with suppress(Killed):
                await set_all(gate_of(desk, life, venue.set), desk, venue)
            assert await desk.read(countdown_at_stake) >= venue.armed_s
            venue.life, venue.fault = Life(), ""
            heir = gate_of(desk, venue.life, venue.set)
            if await heir.inherit_countdown():
                await heir.count_down(0)
            assert (venue.armed_s, await desk.read(countdown_at_stake)) == (0, 0)
            if not life.is_over:
                return fatal

    assert at_the_desk(tmp_path, story) > 2 * len(SETTINGS)


def test_what_was_cancelled_on_its_way_is_in_doubt_until_it_is_disarmed(tmp_path: Path) -> None:
    """An end that comes while it is armed takes it back, and the store hears of that."""

    async def story(desk: Desk) -> list[int]:
        arrived = asyncio.Event()
        calls: list[int] = []

        async def hangs_once(seconds: int) -> datetime | None:
            calls.append(seconds)
            if seconds:
                arrived.set()
                await asyncio.Event().wait()
            return None

        gate = gate_of(desk, Life(), hangs_once)
        arming = asyncio.create_task(gate.count_down(60))
        await arrived.wait()
        arming.cancel()
        with suppress(asyncio.CancelledError):
            await arming
        seen = [await desk.read(countdown_at_stake), gate.countdown_in_doubt_s]
        await gate.count_down(0)
        assert calls == [60, 0]
        return [*seen, await desk.read(countdown_at_stake), gate.countdown_in_doubt_s]

    assert at_the_desk(tmp_path, story) == [60, 60, 0, 0]
