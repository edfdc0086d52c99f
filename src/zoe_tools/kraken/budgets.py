"""What a key may still ask of the venue, agreed between all who share it.

The counters and pauses live in the shared note of `ports.Coordination`; limits.py says what they
mean, transactions.py how the pairs' are charged (kraken-spot section 3).
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import count
from typing import TypeVar

from zoe_tools.domain.identifiers import Symbol, VenueOrderId
from zoe_tools.domain.plan import Plan, VenueStep
from zoe_tools.domain.rate_cost import VenueRead
from zoe_tools.errors import VenueThrottled
from zoe_tools.kraken import budget_note, limits, prices
from zoe_tools.kraken.budget_note import LONGEST_BACKOFF_S, MICROSECONDS, Note, Waiting
from zoe_tools.kraken.errors import LOCKOUT_S, RATE_LIMIT
from zoe_tools.kraken.limits import CallCounter, Counters, Tier
from zoe_tools.kraken.prices import Standing
from zoe_tools.kraken.transactions import Transactions
from zoe_tools.ports import Claim, Clock, Coordination, Urgency

T = TypeVar("T")

_FREE_REFUSALS = 5
_LATE_S = 5.0
"""Who waits for room and is so late to ask again has lost his place."""


class Budgets:
    """The budgets of one key. Without a tier nothing is counted; pauses are kept all the same.

    `urgency` is that of the client's reads: a command beside a loop leaves it a part of the calls.
    """

    def __init__(
        self,
        coordination: Coordination,
        clock: Clock,
        tier: Tier | None,
        *,
        urgency: Urgency = Urgency.LOOP,
    ) -> None:
        self._coordination = coordination
        self._clock = clock
        self._tier = tier
        self._urgency = urgency
        self._reads = Claim(urgency=urgency, may_go_alone=True)
        self._knows_of_pause = False
        self._name = f"{os.uname().nodename}.{os.getpid()}.{secrets.token_hex(8)}"
        self._places = count(1)
        self.transactions = Transactions(coordination, clock, tier, urgency=urgency)

    @property
    def is_counted(self) -> bool:
        """Whether the venue counts at all."""
        return self._tier is not None

    async def standing(self) -> Counters | None:
        """Where the counters stand; None where nothing is counted."""
        tier = self._tier
        if tier is None:
            return None
        return await self._look(lambda note, _: self._counters(note, tier), self._reads)

    def priced(
        self,
        plan: Plan,
        *,
        looks: Sequence[VenueRead],
        proofs: Callable[[VenueStep], Sequence[VenueRead]],
    ) -> Plan:
        """See `ports.Pricing`."""
        tier, now, known = self._tier, self._clock.now(), self._coordination.known()
        if tier is None or known is None:
            return plan
        note = budget_note.note_at(known, now)
        silent_until = max(note.paused_until, note.backs_off_until)
        standing = Standing(
            tier=tier,
            counters=self._counters(note, tier),
            ages_s={
                VenueOrderId(each): budget_note.age_s(row, now) for each, row in note.orders.items()
            },
            silent_us=max(0, silent_until - limits.microseconds_of(now)),
        )
        return prices.priced(plan, looks=looks, proofs=proofs, standing=standing, now=now)

    def new_place(self) -> str:
        """A name for a call that may have to wait for room; no other process has it."""
        return f"{self._name}.{next(self._places)}"

    async def take_call(self, cost: int, claim: Claim | None = None, *, place: str = "") -> float:
        """Charge a REST call, or say how many seconds to wait before asking again.

        Whoever waits has a place in the queue, and room is not given to those behind.
        """
        tier = self._tier
        if tier is None or not cost:
            return 0.0
        claim = claim or self._reads

        def step(note: Note, now: datetime) -> float:
            now_us = limits.microseconds_of(now)
            queue = [each for each in note.waiting if each.until > now_us or each.place == place]
            counter = self._rest(note, tier)
            # Protection needs the second that the margin takes: a refusal costs it no more.
            margin = 0 if claim.urgency is Urgency.PROTECTION else limits.REST_MARGIN
            room = _cost_ahead(queue, claim.urgency, place) + cost + margin
            wait_s = counter.wait_s(now, room)
            if not wait_s:
                note.rest = budget_note.kept(counter.after(now, cost))
                note.waiting = [each for each in queue if each.place != place]
                return 0.0
            mine = Waiting(
                urgency=claim.urgency,
                place=place,
                cost=cost,
                until=now_us + round((wait_s + _LATE_S) * MICROSECONDS),
            )
            is_known = any(each.place == place for each in queue)
            note.waiting = [mine if each.place == place else each for each in queue]
            note.waiting += [] if is_known else [mine]
            return wait_s

        return await self._change(step, claim)

    async def take_public(self, method: str) -> float:
        """Take the turn of a public call, or say how many seconds to wait before asking again.

        A loop's call goes at once, and those of commands leave it the next second.
        """
        if self._tier is None or method not in limits.PACED:
            return 0.0

        def step(note: Note, now: datetime) -> float:
            now_us = limits.microseconds_of(now)
            free_at = note.public.get(method, 0) + round(limits.PUBLIC_GAP_S * MICROSECONDS)
            if self._urgency is Urgency.COMMAND and free_at > now_us:
                return (free_at - now_us) / MICROSECONDS
            note.public[method] = now_us
            return 0.0

        if self._urgency is Urgency.COMMAND:
            return await self._change(step, self._reads)
        self._post(step)
        return 0.0

    def leave_place(self, place: str) -> None:
        """Whoever waited for room there does not any more."""

        def step(note: Note, _: datetime) -> None:
            note.waiting = [each for each in note.waiting if each.place != place]

        self._post(step)

    def settle_call(self, cost: int) -> None:
        """The answer to a charged call is in, or will never be."""
        tier = self._tier
        if tier is None or not cost:
            return

        def step(note: Note, now: datetime) -> None:
            note.rest = budget_note.kept(self._rest(note, tier).settled(now, cost))

        self._post(step)

    async def check_pause(self, claim: Claim | None = None) -> float:
        """Seconds that this key should be silent for; 0 most of the time.

        Protection is silent only when the venue asked for it, not out of our own caution.

        Raises:
            VenueThrottled: the key is locked out; asking would prolong it.
        """
        if self._tier is None and not self._knows_of_pause:
            return 0.0
        claim = claim or self._reads
        is_bold = claim.urgency is Urgency.PROTECTION

        def view(note: Note, now: datetime) -> tuple[int, int]:
            now_us = limits.microseconds_of(now)
            silent_until = max(note.paused_until, 0 if is_bold else note.backs_off_until)
            return note.locked_until - now_us, silent_until - now_us

        locked_us, silent_us = await self._look(view, claim)
        if locked_us > 0:
            raise VenueThrottled(
                "Kraken has locked this key out for a while; nothing was sent.",
                hint="Make no call until then, and see whether another program uses the key.",
                code="EGeneral:Temporary lockout",
                retry_after_s=locked_us / MICROSECONDS,
            )
        return max(silent_us, 0) / MICROSECONDS

    def refused(self, error: VenueThrottled) -> None:
        """Tell all who share the key what the venue answered."""
        tier = self._tier

        def step(note: Note, now: datetime) -> None:
            now_us = limits.microseconds_of(now)
            until = now_us + round(error.retry_after_s * MICROSECONDS)
            if error.code.startswith("EGeneral:Temporary lockout"):
                note.locked_until = max(note.locked_until, until)
            elif error.code.startswith("EService:Throttled"):
                note.paused_until = max(note.paused_until, until)
            elif error.code.startswith(RATE_LIMIT) and tier is not None:
                # Somebody else uses the key: the venue's counter is full, whatever ours says.
                note.rest = limits.rest_counter(tier).maximum, now_us

        self._knows_of_pause = True
        self._post(step)

    def nonce_refused(self) -> None:
        """Count an invalid nonce; many of them make all who share the key wait."""

        def step(note: Note, now: datetime) -> None:
            now_us = limits.microseconds_of(now)
            oldest = now_us - round(LOCKOUT_S) * MICROSECONDS
            note.nonce_refusals = [*(at for at in note.nonce_refusals if at > oldest), now_us]
            over = len(note.nonce_refusals) - _FREE_REFUSALS
            if over >= 0:
                wait_s = min(2 ** min(over, 10), LONGEST_BACKOFF_S)
                note.backs_off_until = max(note.backs_off_until, now_us + wait_s * MICROSECONDS)

        self._knows_of_pause = True
        self._post(step)

    # the note

    def _post(self, step: Callable[[Note, datetime], object]) -> None:
        """What was sent already, or must be sent in any case, does not wait for being counted."""
        self._coordination.post(budget_note.stepped(step))

    async def _look(self, view: Callable[[Note, datetime], T], claim: Claim) -> T:
        def look(text: bytes, now: datetime) -> tuple[bytes, T]:
            return text, view(budget_note.note_at(text, now), now)

        return await self._coordination.change(look, claim)

    async def _change(self, step: Callable[[Note, datetime], T], claim: Claim) -> T:
        return await self._coordination.change(budget_note.stepped(step), claim)

    def _counters(self, note: Note, tier: Tier) -> Counters:
        return Counters(
            rest=self._rest(note, tier),
            engine={Symbol(name): budget_note.engine_in(note, tier, name) for name in note.engine},
        )

    def _rest(self, note: Note, tier: Tier) -> CallCounter:
        """The counter of calls; a command sees it smaller than it is."""
        counter = budget_note.rest_in(note, tier)
        if self._urgency is not Urgency.COMMAND:
            return counter
        return replace(counter, maximum=counter.maximum - limits.reserved_calls(tier))


def _cost_ahead(queue: list[Waiting], urgency: Urgency, place: str) -> int:
    """What those cost who go first: the more urgent, and the as urgent ones that came before."""
    places = [each.place for each in queue]
    mine = places.index(place) if place in places else len(places)
    return sum(
        each.cost
        for number, each in enumerate(queue)
        if each.place != place and (each.urgency, number) < (urgency, mine)
    )
