"""One strictly rising nonce sequence for all who share a key, one signed call at a time.

Microseconds of the venue's clock: strangers to the sequence stay in order by time alone, and a
collision is answered with a refusal that proves that nothing happened (kraken-spot section 2.2).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

import msgspec

from zoe_tools.kraken.limits import microseconds_of
from zoe_tools.ports import ORDINARY, Claim, Clock, NoteStep, Urgency

T = TypeVar("T")

LEASE_S = 2.0
"""Seconds of the machine, not of the venue: the network is not sped up with the clock."""

HASTE_S = 0.1
"""Protection takes the slot from whoever has held it, or has kept it waiting, for so long.

A call so old has reached the venue or never will; should it be overtaken all the same, it is
refused, has done nothing, and goes again with another nonce."""

SILENCE_S = 0.25
"""Who stands in the queue and was not heard of for so long has left it, or is dead."""

_HEARD_EVERY_S = 0.1
_LEAPS = (0, 0, 1_000_000, 60_000_000)


def leap_of(claim: Claim) -> int:
    """Microseconds to leap ahead: one refusal is an overtaken call, more are a clock ahead of ours.

    A process that went alone by such a clock leaves the venue's highest nonce in the time to come.
    """
    return _LEAPS[min(claim.refusals, len(_LEAPS) - 1)]


class Waiting(msgspec.Struct, frozen=True, array_like=True):
    """A place in the queue: since when, and when last heard of, in the seconds of the slot."""

    urgency: int
    since: float
    holder: str
    heard: float

    @property
    def place(self) -> tuple[int, float, str]:
        """Whoever is smaller comes first."""
        return self.urgency, self.since, self.holder


class NonceSlot(msgspec.Struct, frozen=True):
    """The last nonce of a key, who has been sending it since when, and who waits for it."""

    last: int = 0
    holder: str = ""
    since: float = 0.0
    waiting: tuple[Waiting, ...] = ()

    def asked(
        self, holder: str, claim: Claim, *, floor: int, now: float, silence_s: float = SILENCE_S
    ) -> NonceSlot | None:
        """The slot in this holder's hands, or with its place in the queue; None: nothing changes.

        `floor`: the least that the nonce may be, for the first call.
        """
        others = tuple(
            each
            for each in self.waiting
            if each.holder != holder and 0 <= now - each.heard < silence_s
        )
        known = next((each for each in self.waiting if each.holder == holder), None)
        place = Waiting(
            urgency=claim.urgency,
            since=known.since if known is not None else now,
            holder=holder,
            heard=now,
        )
        if self._is_turn_of(place, others, now):
            last = max(self.last + 1, floor) + leap_of(claim)
            return NonceSlot(last=last, holder=holder, since=now, waiting=others)
        if known is not None and now - known.heard < _HEARD_EVERY_S:
            return None
        return msgspec.structs.replace(self, waiting=(*others, place))

    def ahead_of(self, holder: str) -> int:
        """How many stand before it in the queue."""
        places = [each.place for each in self.waiting]
        mine = next((each.place for each in self.waiting if each.holder == holder), None)
        return len(places) if mine is None else sum(each < mine for each in places)

    def left(self, holder: str) -> NonceSlot:
        """The slot once this holder's answer is in, or it waits no longer.

        One that was taken from him is not his.
        """
        return NonceSlot(
            last=self.last,
            holder="" if self.holder == holder else self.holder,
            since=self.since,
            waiting=tuple(each for each in self.waiting if each.holder != holder),
        )

    def held_s(self, now: float) -> float:
        """For how long it has been held; a time to come is from before the machine started anew."""
        held_s = now - self.since
        return held_s if self.holder and 0 <= held_s < LEASE_S else math.inf

    def _is_turn_of(self, place: Waiting, others: tuple[Waiting, ...], now: float) -> bool:
        held_s = self.held_s(now)
        if place.urgency == Urgency.PROTECTION:
            return max(held_s, now - place.since) >= HASTE_S
        return held_s == math.inf and not any(each.place < place.place for each in others)


_PAUSE_S = 0.001
"""A timer may fire a moment before its time: then it is not waited for without any time passing."""


class NonceSource:
    """Implements `ports.Coordination` in memory, for a single process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._slot = NonceSlot()
        self._waiting: dict[asyncio.Future[None], None] = {}  # in the order of coming
        self._note = b""
        self._calls = 0

    @asynccontextmanager
    async def nonce(self, claim: Claim = ORDINARY) -> AsyncIterator[int]:
        """A nonce greater than all before, by at least one even where time stands still.

        The slot is held until the reply is in: with two calls under way, the second could overtake
        the first on the wire, and the first would be refused. One whose reply takes longer than
        the lease is not waited for.
        """
        self._calls += 1
        holder = str(self._calls)
        asked_at = asyncio.get_running_loop().time()
        try:
            while not self._is_taken(holder, claim):
                await self._wait(claim, asked_at)
            yield self._slot.last
        finally:
            self._slot = self._slot.left(holder)
            for each in self._waiting:
                if not each.done():
                    each.set_result(None)

    async def change(
        self,
        step: NoteStep[T],
        claim: Claim = ORDINARY,  # noqa: ARG002 - nobody is out of reach
    ) -> T:
        """See `ports.Coordination.change`."""
        return self._change(step)

    def post(self, step: NoteStep[object]) -> None:
        """See `ports.Coordination.post`."""
        self._change(step)

    def known(self) -> bytes | None:
        """See `ports.Coordination.known`."""
        return self._note

    def _change(self, step: NoteStep[T]) -> T:
        self._note, result = step(self._note, self._clock.now())
        return result

    def _is_taken(self, holder: str, claim: Claim) -> bool:
        slot = self._slot.asked(
            holder,
            claim,
            floor=microseconds_of(self._clock.now()),
            now=asyncio.get_running_loop().time(),
            silence_s=math.inf,
        )
        self._slot = slot or self._slot
        return self._slot.holder == holder

    async def _wait(self, claim: Claim, asked_at: float) -> None:
        """Until somebody leaves, or the holder has had his time."""
        until = self._slot.since + LEASE_S
        if claim.urgency == Urgency.PROTECTION:
            until = min(self._slot.since, asked_at) + HASTE_S
        loop = asyncio.get_running_loop()
        until = max(until, loop.time() + _PAUSE_S)
        left: asyncio.Future[None] = loop.create_future()
        self._waiting[left] = None
        try:
            async with asyncio.timeout_at(until):
                await left
        except TimeoutError:
            pass
        finally:
            del self._waiting[left]
