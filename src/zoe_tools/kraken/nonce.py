"""One strictly rising nonce sequence for all who share a key, one signed call at a time.

Microseconds of the venue's clock: strangers to the sequence stay in order by time alone, and a
collision is answered with a refusal that proves that nothing happened (kraken-spot section 2.2).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import msgspec

from zoe_tools.kraken.limits import microseconds_of
from zoe_tools.ports import Clock

T = TypeVar("T")

LEASE_S = 2.0
"""Seconds of the machine, not of the venue: the network is not sped up with the clock."""


class NonceSlot(msgspec.Struct, frozen=True):
    """The last nonce of a key, and who may be sending it until when (the loop's seconds)."""

    last: int = 0
    holder: str = ""
    until: float = 0.0

    def taken(self, holder: str, *, micros: int, now: float) -> NonceSlot | None:
        """The slot in this holder's hands; None while somebody else's lease runs.

        A lease that ends further away than a lease lasts is from before the machine started anew.
        """
        if self.holder and now < self.until <= now + LEASE_S:
            return None
        return NonceSlot(last=max(self.last + 1, micros), holder=holder, until=now + LEASE_S)

    def freed(self, holder: str) -> NonceSlot:
        """The slot once this holder's answer is in; one that was taken from him is not his."""
        return NonceSlot(last=self.last) if self.holder == holder else self


class NonceSource:
    """Implements `ports.Coordination` in memory, for a single process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._slot = NonceSlot()
        self._freed = asyncio.Event()
        self._note = b""
        self._calls = 0

    @asynccontextmanager
    async def nonce(self) -> AsyncIterator[int]:
        """A nonce greater than all before, by at least one even where time stands still.

        The slot is held until the reply is in: with two calls under way, the second could overtake
        the first on the wire, and the first would be refused. One whose reply takes longer than
        the lease is not waited for.
        """
        self._calls += 1
        holder = str(self._calls)
        while (taken := self._taken(holder)) is None:
            self._freed.clear()
            try:
                async with asyncio.timeout_at(self._slot.until):
                    await self._freed.wait()
            except TimeoutError:
                pass
        self._slot = taken
        try:
            yield taken.last
        finally:
            self._slot = self._slot.freed(holder)
            self._freed.set()

    async def change(self, step: Callable[[bytes], tuple[bytes, T]]) -> T:
        """See `ports.Coordination.change`."""
        self._note, result = step(self._note)
        return result

    def _taken(self, holder: str) -> NonceSlot | None:
        now = asyncio.get_running_loop().time()
        micros = microseconds_of(self._clock.now())
        return self._slot.taken(holder, micros=micros, now=now)
