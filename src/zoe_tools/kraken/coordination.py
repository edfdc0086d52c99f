"""Coordination of all processes that share a key, by small notes that they read and swap.

Nothing is locked across a wait: a note is read, stepped and swapped if nobody swapped it since. Who
is killed or stopped at any moment keeps others waiting for a lease at most, and protection for a
fraction of it. Where the notes cannot be reached, whoever may goes alone, by the clock.
Source: kraken-spot sections 2.2 and 3.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Protocol, TypeVar

import msgspec

from zoe_tools.errors import StoreError, StoreUnavailable, VenueUnavailable
from zoe_tools.kraken.limits import microseconds_of
from zoe_tools.kraken.nonce import HASTE_S, LEASE_S, NonceSlot, leap_of
from zoe_tools.ports import ORDINARY, Claim, Clock, NoteStep, SharedNotes, Urgency

T = TypeVar("T")

POLL_S = 0.003
"""How often the first in the queue looks; those behind look less often."""

ANSWER_S = 0.03
"""How long protection waits for notes that cannot be reached, before it goes alone."""

PROBE_S = 0.25
"""How long all others wait for an answer once there was none for a lease."""

SLOT, BUDGET = "slot", "budget"
_SWAPS_AT_ONCE = 50
_RETRY_S = 0.02
_MOST_AHEAD = 5
_LOG = logging.getLogger(__name__)


class Lanes(Protocol):
    """Where calls of the notes are made: protection has a lane of its own, so nobody is before it.

    What is asked of a lane is done in the order asked.
    """

    async def run(self, work: Callable[[], T], *, is_urgent: bool) -> T:
        """The work's result; given up, it is not begun any more."""
        ...

    def post(self, work: Callable[[], object], *, is_urgent: bool) -> None:
        """Do it without telling how it went."""
        ...


class SharedCoordination:
    """Implements `ports.Coordination` for all processes that are handed the same notes.

    `by_notes_clock`: time is told by the clock of the notes, not by ours; for several hosts, whose
    clocks differ. It must be the venue's time, unscaled.
    """

    def __init__(
        self, notes: SharedNotes, lanes: Lanes, clock: Clock, *, by_notes_clock: bool = False
    ) -> None:
        self._notes = notes
        self._lanes = lanes
        self._clock = clock
        self._by_notes_clock = by_notes_clock
        self._calls = 0
        self._last_nonce = 0
        self._name = f"{os.uname().nodename}.{os.getpid()}.{secrets.token_hex(8)}"
        self._own_budget: bytes | None = None
        self._is_alone = False

    @asynccontextmanager
    async def nonce(self, claim: Claim = ORDINARY) -> AsyncIterator[int]:
        """A nonce greater than all before of any process; hold the context until the reply is in.

        Raises:
            VenueUnavailable: the notes cannot be reached, and the claim may not go alone.
        """
        self._calls += 1
        holder = f"{self._name}.{self._calls}"
        is_urgent = claim.urgency is Urgency.PROTECTION
        try:
            try:
                # Whatever goes on among the others: protection is held up no longer than this.
                async with asyncio.timeout(HASTE_S + ANSWER_S if is_urgent else None):
                    number = await self._number(holder, claim)
            except (StoreError, TimeoutError) as error:
                self._goes_alone(claim, error)
                now_us = microseconds_of(self._clock.now())
                number = max(self._last_nonce + 1, now_us) + leap_of(claim)
            self._last_nonce = max(self._last_nonce, number)
            yield number
        finally:
            leave = partial(self._swapped, SLOT, partial(_leaving, holder))
            self._lanes.post(leave, is_urgent=is_urgent)

    async def change(self, step: NoteStep[T], claim: Claim = ORDINARY) -> T:
        """See `ports.Coordination.change`.

        Raises:
            VenueUnavailable: as of `nonce`.
        """
        try:
            self._own_budget, result = await self._step(BUDGET, self._kept(step), claim)
        except StoreError as error:
            self._goes_alone(claim, error)
            self._own_budget, result = step(self._own_budget or b"", self._clock.now())
        return result

    def post(self, step: NoteStep[object]) -> None:
        """See `ports.Coordination.post`."""

        def work() -> None:
            try:
                self._own_budget, _ = self._swapped(BUDGET, self._kept(step))
            except StoreError:
                self._own_budget, _ = step(self._own_budget or b"", self._clock.now())

        self._lanes.post(work, is_urgent=False)

    def known(self) -> bytes | None:
        """See `ports.Coordination.known`."""
        return self._own_budget

    def _kept(self, step: NoteStep[T]) -> Callable[[bytes, float], tuple[bytes, tuple[bytes, T]]]:
        """A step that also says what the note is then, for the time when nobody can be reached."""

        def kept(text: bytes, at: float) -> tuple[bytes, tuple[bytes, T]]:
            after, result = step(text, self._time(at))
            return after, (after, result)

        return kept

    async def _number(self, holder: str, claim: Claim) -> int:
        def ask(text: bytes, at: float) -> tuple[bytes, tuple[int | None, int]]:
            slot, floor = _slot_in(text), microseconds_of(self._time(at))
            asked = slot.asked(holder, claim, floor=max(floor, self._last_nonce + 1), now=at)
            if asked is None:
                return text, (None, slot.ahead_of(holder))
            number = asked.last if asked.holder == holder else None
            return _slot_bytes(asked), (number, asked.ahead_of(holder))

        while True:
            number, ahead = await self._step(SLOT, ask, claim)
            if number is not None:
                return number
            await asyncio.sleep(POLL_S * (1 + min(ahead, _MOST_AHEAD)))

    async def _step(
        self, name: str, step: Callable[[bytes, float], tuple[bytes, T]], claim: Claim
    ) -> T:
        """Step a note, asking again for as long as it is worth it.

        Raises:
            StoreError: it cannot be reached.
        """
        is_urgent = claim.urgency is Urgency.PROTECTION
        # Once they were out of reach they are not waited for: one try shows when they are back.
        patience_s = ANSWER_S if is_urgent else PROBE_S if self._is_alone else LEASE_S
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + patience_s
        if is_urgent and name == SLOT:
            # A distant database answers late; to share a nonce with it is worth the same wait.
            patience_s += HASTE_S
        answer_by = loop.time() + patience_s
        while True:
            try:
                async with asyncio.timeout_at(answer_by):
                    work = partial(self._swapped, name, step)
                    result = await self._lanes.run(work, is_urgent=is_urgent)
            except TimeoutError as error:
                raise StoreUnavailable("There is no answer.") from error
            except StoreError:
                if self._is_alone or loop.time() + _RETRY_S >= give_up_at:
                    raise
                await asyncio.sleep(_RETRY_S)
            else:
                if self._is_alone:
                    self._is_alone = False
                    _LOG.info("KEY_SHARED: those who share the key can be reached again")
                return result

    def _swapped(self, name: str, step: Callable[[bytes, float], tuple[bytes, T]]) -> T:
        """Runs in a lane."""
        for _ in range(_SWAPS_AT_ONCE):
            before = self._notes.read(name)
            after, result = step(before.text, before.at)
            if after == before.text or self._notes.swap(name, before, after):
                return result
        raise StoreUnavailable("Others write there all the time.")

    def _goes_alone(self, claim: Claim, error: Exception) -> None:
        """Raises `VenueUnavailable` if it may not."""
        reason = error.message if isinstance(error, StoreError) else "there is no turn in time"
        if not self._is_alone and claim.urgency is not Urgency.PROTECTION:
            self._is_alone = True
            _LOG.warning("KEY_ALONE: those who share the key cannot be reached: %s", reason)
        if not claim.may_go_alone:
            raise VenueUnavailable(
                f"Those who share the key cannot be reached ({reason.rstrip('.')}); nothing was "
                "sent.",
                hint="Look at the disk of ZOE_HOME, or at the database; protection goes on.",
            ) from error

    def _time(self, at: float) -> datetime:
        return datetime.fromtimestamp(at, UTC) if self._by_notes_clock else self._clock.now()


def _leaving(holder: str, text: bytes, _at: float) -> tuple[bytes, None]:
    slot = _slot_in(text)
    after = slot.left(holder)
    return (text if after == slot else _slot_bytes(after)), None


def _slot_in(text: bytes) -> NonceSlot:
    """What cannot be read is as good as none: nonces go on from the clock."""
    try:
        return msgspec.json.decode(text, type=NonceSlot)
    except msgspec.DecodeError:
        return NonceSlot()


def _slot_bytes(slot: NonceSlot) -> bytes:
    return msgspec.json.encode(slot)
