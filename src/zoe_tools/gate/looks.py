"""Finds out what became of what was sent: from the streams or the venue's records, who is sooner.

The records may lag by a minute, or be slow for everybody: what was bought meanwhile needs its stop,
and its lane is not to wait for them where the streams tell.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from zoe_tools.core.proof import Judgement, Resend, Verdict, is_proved_by_a_look, rule_for
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import VenueOrderId
from zoe_tools.domain.journal import Intent, IntentKind
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import VenueOrder
from zoe_tools.domain.plan import VenueStep
from zoe_tools.domain.policy import Policy
from zoe_tools.gate.answers import Answers, ended_by_now, heard_of
from zoe_tools.gate.hurry import Hurry
from zoe_tools.gate.journal import Entry
from zoe_tools.gate.keeper import Keeper
from zoe_tools.gate.prove import Prover
from zoe_tools.gate.send import Reply
from zoe_tools.ports import Clock, Venue
from zoe_tools.store.store import Transaction

_GLANCE_S = 0.2
"""What a look may take where nothing depends on it."""

Proof = Callable[[Intent, VenueOrderId], Awaitable[str | None]]
"""Evidence from a live stream that an order is as asked, or None when the stream cannot tell."""

BY_THE_NEXT_LOOK = "the venue said yes; the next look proves it"

_UNSEEN = Judgement(
    verdict=Verdict.UNKNOWN, evidence="the records did not tell in time", is_answered=False
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """The looking of one gate. `hears`: streams tell its books what becomes of orders."""

    prover: Prover
    answers: Answers
    keeper: Keeper
    clock: Clock
    policy: Policy
    proof: Proof | None
    hears: bool
    hurry: Hurry

    async def proved(self, entry: Entry) -> str | Judgement:
        """After a yes: the stream's evidence, or else what the records say.

        A stop's is waited for no longer than a stop may take: it may have to grow meanwhile.
        """
        intent = entry.intent
        rests = intent.purpose == "stop" and intent.kind is not IntentKind.CANCEL
        within_s = self.policy.stop_deadline_s if rests and self.hears else None
        looking, hurry = self._proved(entry), self.hurry.about(intent)
        found = await self.answers.unless(looking, hurry, within_s=within_s)
        return BY_THE_NEXT_LOOK if found is None else found

    async def _proved(self, entry: Entry) -> str | Judgement:
        proof, name = self.proof, entry.intent.venue_order_id
        if proof is None or name is None:
            return await self.prover.confirm(entry)
        evidence = await proof(entry.intent, name)
        if evidence is not None:
            return evidence

        async def told() -> str | None:
            evidence = await proof(entry.intent, name)
            return evidence or await self.keeper.read(
                lambda tx: ended_by_now(tx, entry.intent), without=None
            )

        return await self.answers.sooner(self.prover.confirm(entry), told)

    async def heard(self, step: VenueStep, entry: Entry) -> Reply | None:
        """What the books have heard of the step by another way than the answer."""
        return await self.keeper.read(lambda tx: heard_of(tx, step, entry), without=None)

    async def after_silence(
        self, step: VenueStep, entry: Entry, *, is_dead: bool
    ) -> Judgement | Reply:
        """After a lost answer: what became of it, by now; of what is a stop's, once it is dead.

        For an amendment one glance has to do: it may go again, and harms nobody by that.
        """
        intent = entry.intent
        is_again = rule_for(intent.kind, intent.purpose).resend is Resend.SAME_AFTER_DEADLINE
        is_harmless = is_again and intent.kind is IntentKind.AMEND
        now = self.clock.now()
        left_s = 0.0 if is_dead else (intent.deadline - now).total_seconds()
        glance = max(intent.deadline, now + timedelta(seconds=_GLANCE_S))
        found = await self.at_once(step, entry, until=glance if is_harmless else None)
        if left_s <= 0 or not (is_again and is_open(found)):
            return found
        left_s = (intent.deadline - self.clock.now()).total_seconds()
        await self.clock.sleep(max(0.0, left_s))
        return found if is_harmless else await self.at_once(step, entry)

    async def at_once(
        self, step: VenueStep, entry: Entry, *, until: datetime | None = None
    ) -> Judgement | Reply:
        """What became of it, by now, or, where streams are heard, `until` then."""
        looking = self._at_once(step, entry, until)
        found = await self.answers.unless(looking, self.hurry.about(entry.intent))
        return _UNSEEN if found is None else found

    async def _at_once(
        self, step: VenueStep, entry: Entry, until: datetime | None
    ) -> Judgement | Reply:
        looking = self.prover.resolve(entry, patient=False)
        if not self.hears:
            return await looking
        due_at = self._due_at if until is None else min(until, self._due_at)

        async def told() -> Judgement | Reply | None:
            reply = await self.heard(step, entry)
            return _UNSEEN if reply is None and self.clock.now() >= due_at else reply

        return await self.answers.sooner(looking, told)

    async def fills_of(self, order: VenueOrder) -> tuple[Fill, ...]:
        """An order's fills; none where the books have them by now, or streams have to tell them."""
        looking = self.prover.fills_of(order)
        if not self.hears:
            return await looking
        due_at = self._due_at

        def has_all(transaction: Transaction) -> bool:
            fills = transaction.fills(venue_order_id=order.venue_order_id)
            return sum((each.quantity for each in fills), ZERO) >= order.filled_quantity

        async def told() -> tuple[Fill, ...] | None:
            is_booked = await self.keeper.read(has_all, without=False)
            return () if is_booked or self.clock.now() >= due_at else None

        return await self.answers.sooner(looking, told)

    @property
    def _due_at(self) -> datetime:
        """A look that takes longer than a stop may is left: its lane may be needed for one."""
        return self.clock.now() + timedelta(seconds=self.policy.stop_deadline_s)


def looks_of(
    venue: Venue,
    keeper: Keeper,
    clock: Clock,
    policy: Policy,
    *,
    proof: Proof | None,
    looks_again: bool,
) -> Looks:
    """The looking of a gate whose streams give `proof`, or whose caller looks again anyway."""
    return Looks(
        prover=Prover(venue=venue, clock=clock, policy=policy),
        answers=Answers(clock=clock),
        keeper=keeper,
        clock=clock,
        policy=policy,
        proof=_by_the_next_look if looks_again and proof is None else proof,
        hears=proof is not None,
        hurry=Hurry(),
    )


async def _by_the_next_look(intent: Intent, _: VenueOrderId) -> str | None:
    if is_proved_by_a_look(intent.kind, intent.purpose):
        return BY_THE_NEXT_LOOK
    return None


def is_open(found: Judgement | Reply) -> bool:
    """Whether it is as unknown as before."""
    return isinstance(found, Judgement) and found.verdict is Verdict.UNKNOWN


def is_over(found: Judgement | Reply) -> bool:
    """Whether the venue shows an order that is done with, and never was what was asked for."""
    if not isinstance(found, Judgement) or found.order is None:
        return False
    return found.verdict is Verdict.NOT_DONE and found.order.status.is_terminal
