"""Carries out the steps of an approved plan: journal, send, record the answer, prove.

Store steps that stand together are one transaction. Venue steps go one by one; what went wrong
with one decides which later ones may still go.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypedDict

from zoe_tools.core.proof import (
    Judgement,
    Resend,
    Verdict,
    answer_due_at,
    deadline_for,
    fills_may_wait,
    is_protective,
    is_stop_move,
    rule_for,
)
from zoe_tools.core.risk import Refusal, adds_risk
from zoe_tools.domain.identifiers import IntentId, VenueOrderId
from zoe_tools.domain.journal import (
    FOR_NOW,
    IntentState,
    OrderRecord,
    ProofKind,
)
from zoe_tools.domain.order import VenueOrder
from zoe_tools.domain.plan import (
    ORDER_GONE,
    AdoptPosition,
    AmendOrder,
    CancelOrder,
    OutcomeState,
    PlaceOrder,
    Plan,
    StepOutcome,
    StoreStep,
    VenueStep,
)
from zoe_tools.domain.policy import Policy
from zoe_tools.errors import StoreError
from zoe_tools.gate.action_log import note_action
from zoe_tools.gate.books import book_amended, book_proved, sighting_of_order
from zoe_tools.gate.bulk_steps import write_bulk
from zoe_tools.gate.emergency_journal import EmergencyJournal
from zoe_tools.gate.fence import Fence, LeaseMemory, Withheld
from zoe_tools.gate.journal import (
    Author,
    Entry,
    StopMayRest,
    claim,
    entry_without_store,
    intent_id_of,
    journal,
    mark,
    within_lease,
)
from zoe_tools.gate.keeper import Keeper
from zoe_tools.gate.looks import Looks, is_open, is_over
from zoe_tools.gate.outcomes import (
    denied,
    not_kept,
    outcome_of,
    state_seen,
    with_venue_id,
)
from zoe_tools.gate.prove import Prover
from zoe_tools.gate.send import Answer, Reply, send
from zoe_tools.gate.standing import NOTHING_YET, Standing
from zoe_tools.gate.store_steps import apply_store_step
from zoe_tools.gate.trouble import Trouble, tell_refusal
from zoe_tools.ports import Approver, Clock, Venue
from zoe_tools.store.store import Transaction

REST_SOURCE = "venue records"


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """Does the steps; `in_flight` holds the intents it is sending at the moment.

    `turned_down`: those of unknown outcome whose second send the venue refused. `looks_again`: see
    `Gate`.
    """

    venue: Venue
    keeper: Keeper
    clock: Clock
    approver: Approver
    policy: Policy
    author: Author
    looks: Looks
    in_flight: set[IntentId]
    turned_down: set[IntentId]
    fence: Fence | None = None
    lease: LeaseMemory = field(default_factory=LeaseMemory)
    looks_again: bool = False

    @property
    def prover(self) -> Prover:
        """The eyes alone."""
        return self.looks.prover

    async def carry(
        self,
        plan: Plan,
        refusals: Sequence[Refusal],
        standing: Standing = NOTHING_YET,
    ) -> tuple[StepOutcome, ...]:
        """Every step in order; one outcome each, shown as soon as it is known.

        What an earlier run settled, by `standing`, is told and not done again.
        """
        refused = {refusal.step_index: refusal for refusal in refusals}
        trouble = Trouble()
        outcomes: list[StepOutcome] = []
        together: list[StoreStep] = []
        for index, step in enumerate(plan.steps):
            known = standing.settled.get(index)
            if known is not None:
                outcomes += await self._flush(together, plan, trouble)
                outcomes.append(self._shown(known))
                if isinstance(step, PlaceOrder | AmendOrder | CancelOrder):
                    trouble.note(step, known.state)
            elif index in refused:
                outcomes += await self._flush(together, plan, trouble)
                outcomes.append(self._shown(denied(step, refused[index])))
            elif isinstance(step, PlaceOrder | AmendOrder | CancelOrder):
                outcomes += await self._flush(together, plan, trouble)
                outcome = self._shown(await self._at_venue(plan, index, step, trouble, standing))
                trouble.note(step, outcome.state)
                outcomes.append(outcome)
            else:
                together.append(step)
        outcomes += await self._flush(together, plan, trouble)
        await self.keeper.merge()
        return tuple(outcomes)

    async def _flush(
        self, together: list[StoreStep], plan: Plan, trouble: Trouble
    ) -> tuple[StepOutcome, ...]:
        if not together:
            return ()
        steps, now = tuple(together), self.clock.now()
        together.clear()
        by = self.author.operator or self.author.command

        early: Mapping[int, StepOutcome] = {}

        def write(transaction: Transaction) -> tuple[StepOutcome, ...]:
            done = tuple(
                early.get(index) or apply_store_step(transaction, step, now=now, changed_by=by)
                for index, step in enumerate(steps)
            )
            note_action(transaction, done, author=self.author, plan=plan, now=now)
            return done

        try:
            early = await write_bulk(self.keeper, steps)
            outcomes = await self.keeper.run(write)
        except StoreError as error:
            if self.keeper.emergency is None:
                raise
            # What nobody adopted is not zoe's to sell, not even by a stop.
            trouble.positions |= {
                step.position.position_id for step in steps if isinstance(step, AdoptPosition)
            }
            outcomes = tuple(not_kept(step, error) for step in steps)
        return tuple(self._shown(outcome) for outcome in outcomes)

    def _shown(self, outcome: StepOutcome) -> StepOutcome:
        self.approver.show_outcome(outcome)
        return outcome

    async def _at_venue(
        self, plan: Plan, index: int, step: VenueStep, trouble: Trouble, standing: Standing
    ) -> StepOutcome:
        reason = trouble.forbids(step)
        if reason:
            return outcome_of(step, OutcomeState.SKIPPED, reason, code="DEPENDS")
        now = self.clock.now()
        attempt = standing.attempts.get(index, 1)
        # Known to be ours before it is in the journal: a recovery beside us must not touch it.
        intent_id = intent_id_of(self.author.account.account_id, plan.plan_hash, index, attempt)
        self.in_flight.add(intent_id)
        try:
            try:
                entry = await self._journaled(plan, index, step, standing, now)
            except StoreError as error:
                if self.keeper.emergency is None:
                    raise
                return not_kept(step, error)
            return await self._sent(step, entry)
        except Withheld as error:
            return outcome_of(step, OutcomeState.SKIPPED, str(error), code=error.code)
        finally:
            self.in_flight.discard(intent_id)

    async def _journaled(
        self, plan: Plan, index: int, step: VenueStep, standing: Standing, now: datetime
    ) -> Entry:
        """Taken to be sent, on the disk; a stop, once the venue shows no other one for it."""
        gone: tuple[VenueOrderId, ...] = ()
        while True:
            try:
                return await self._taken(plan, index, step, standing, now, gone)
            except StopMayRest as error:
                for each in error.stops:
                    if await self.prover.is_working(each):
                        words = f"stop {each} for this position rests at the venue: plan again"
                        raise Withheld(words) from None
                gone = (*gone, *error.stops)

    async def _taken(
        self,
        plan: Plan,
        index: int,
        step: VenueStep,
        standing: Standing,
        now: datetime,
        gone: Collection[VenueOrderId],
    ) -> Entry:
        """In the store or, for a reduction whose store is gone, in the file.

        Journaled and taken in one: nobody ever finds an intent of which one could say that it was
        not sent, while it is.
        """
        attempt = standing.attempts.get(index, 1)

        def in_store(transaction: Transaction) -> Entry:
            entry = journal(
                transaction,
                plan,
                index,
                author=self.author,
                policy=self.policy,
                now=now,
                fence=self.fence,
                attempt=attempt,
                planned_at=standing.looked_at,
                nearest_s=self.venue.nearest_deadline_s,
                gone=gone,
            )
            claim(transaction, entry, at=now)
            return entry

        def in_file(emergency: EmergencyJournal) -> Entry:
            entry = entry_without_store(
                plan,
                index,
                author=self.author,
                policy=self.policy,
                now=now,
                attempt=attempt,
                store_epoch=emergency.store_epoch,
                nearest_s=self.venue.nearest_deadline_s,
            )
            deadline = self.lease.within(step, entry.intent.deadline, now)
            entry = replace(entry, intent=replace(entry.intent, deadline=deadline))
            emergency.begin(entry)
            emergency.advance(entry, IntentState.SENT, at=now)
            return entry

        return await self.keeper.run(in_store, instead=None if adds_risk(step) else in_file)

    async def _reply(self, step: VenueStep, entry: Entry) -> Reply:
        """Send it; its answer, or what the streams told of it, or that it is lost."""
        now, deadline = self.clock.now(), entry.intent.deadline
        nearest_s = self.venue.nearest_deadline_s
        due_at = answer_due_at(step, self.policy, now=now, nearest_s=nearest_s, deadline=deadline)

        return await self.looks.answers.of(
            send(self.venue, step, entry, self.keeper),
            due_at=due_at,
            every_s=self.policy.stop_deadline_s,
            heard=lambda: self.looks.heard(step, entry),
            hurry=self.looks.hurry.about(entry.intent),
        )

    async def _sent(self, step: VenueStep, entry: Entry) -> StepOutcome:
        reply = await self._reply(step, entry)
        if self._came_too_late(step, entry, reply):
            with suppress(Withheld):  # by a lease that is lost: then it stays unsent
                entry = await self._prolonged(step, entry)
                reply = await self._reply(step, entry)
        match reply.answer:
            case Answer.YES:
                return await self._answered(step, entry, reply)
            case Answer.NOT_SENT:
                words = f"not sent: {reply.words}"
                await self._mark(entry, IntentState.REJECTED, words, ProofKind.NOT_SENT)
                return outcome_of(step, OutcomeState.REJECTED, reply.words, code=reply.code)
            case Answer.NO:
                return await self._refused(step, entry, reply)
            case Answer.LOST:
                return await self.after_silence(step, entry, reply)

    def _came_too_late(self, step: VenueStep, entry: Entry, reply: Reply) -> bool:
        """Whether a short deadline was over before the wire, or the wire takes none so short.

        Or over by the venue's clock, where twice does no harm; what else was sent is looked for.
        """
        if reply.is_late:
            return is_stop_move(step)
        if reply.answer is not Answer.NOT_SENT:
            return False
        left_s = (entry.intent.deadline - self.clock.now()).total_seconds()
        return is_protective(step) and left_s < self.venue.nearest_deadline_s

    # --- the four answers ------------------------------------------------------------------------

    async def _answered(self, step: VenueStep, entry: Entry, reply: Reply) -> StepOutcome:
        """A yes is recorded at once, and then proved."""
        proof = ProofKind.RECORDS if reply.is_seen else ProofKind.ANSWER
        await self._mark(
            entry,
            IntentState.CONFIRMED,
            reply.words,
            proof,
            reply.venue_order_id,
            after=lambda tx: book_amended(tx, step, self.clock.now()),
        )
        known, name = with_venue_id(entry, reply.venue_order_id), reply.venue_order_id
        state, code, found = OutcomeState.DONE, "", await self._proof_of(known, reply)
        if isinstance(found, Judgement):
            return await self._judged(step, known, found, reply.code)
        if reply.is_seen:
            state, code = state_seen(entry.intent, await self._known(name))
        return outcome_of(step, state, found, code=code, venue_order_id=name, entry=entry)

    async def _proof_of(self, entry: Entry, reply: Reply) -> str | Judgement:
        """What the books were told of it is a proof; else who asks again would keep its lane."""
        return reply.words if reply.is_seen else await self.looks.proved(entry)

    async def _refused(self, step: VenueStep, entry: Entry, reply: Reply) -> StepOutcome:
        """A definite no. Whether an order to be cancelled, or a stop, is gone is looked up."""
        if isinstance(step, CancelOrder) or (is_stop_move(step) and not reply.is_passing):
            found = await self.looks.at_once(step, entry)
            if isinstance(found, Reply) or found.verdict is Verdict.DONE:
                return await self._found(step, entry, found, reply.code)
            if is_over(found):
                tell_refusal(step, reply.code, reply.words)
                return await self._judged(step, entry, found, reply.code)
        words = f"{FOR_NOW if reply.is_passing else ''}{reply.code}: {reply.words}"
        await self._mark(entry, IntentState.REJECTED, words, ProofKind.ANSWER)
        tell_refusal(step, reply.code, reply.words)
        return outcome_of(step, OutcomeState.REJECTED, reply.words, code=reply.code, entry=entry)

    async def after_silence(self, step: VenueStep, entry: Entry, reply: Reply) -> StepOutcome:
        """It may have happened: look; send again only what the table of proofs allows."""
        await self._mark(entry, IntentState.UNKNOWN, reply.words)
        intent = entry.intent
        is_dead = intent.intent_id in self.turned_down
        found = await self.looks.after_silence(step, entry, is_dead=is_dead)
        if is_open(found) and rule_for(intent.kind, intent.purpose).resend is not Resend.NEVER:
            try:
                entry = await self._prolonged(step, entry)
            except Withheld as error:
                return await self._found(step, entry, found, error.code)
            self.turned_down.discard(intent.intent_id)
            found = await self._reply(step, entry)
            if found.answer in (Answer.NO, Answer.NOT_SENT):
                self.turned_down.add(intent.intent_id)
            if found.answer is not Answer.YES:
                found = await self.looks.at_once(step, entry)
        return await self._found(step, entry, found, reply.code)

    async def _found(
        self, step: VenueStep, entry: Entry, found: Judgement | Reply, code: str
    ) -> StepOutcome:
        if isinstance(found, Reply):
            return await self._answered(step, entry, found)
        return await self._judged(step, entry, found, code)

    async def _prolonged(self, step: VenueStep, entry: Entry) -> Entry:
        """The first one is dead by its deadline; the second needs one of its own.

        On the disk before it is on the wire: silence counts only after the last deadline.
        """
        now, intent_id = self.clock.now(), entry.intent.intent_id

        nearest_s = self.venue.nearest_deadline_s
        later = deadline_for(step, self.policy, now=now, nearest_s=nearest_s, is_first=False)

        def extend(transaction: Transaction) -> datetime:
            deadline = within_lease(transaction, step, later, now=now, fence=self.fence)
            transaction.extend_intent(intent_id, deadline)
            return deadline

        def in_file(emergency: EmergencyJournal) -> datetime:
            deadline = self.lease.within(step, later, now)
            emergency.prolong(intent_id, deadline)
            return deadline

        deadline = await self.keeper.run(extend, instead=None if adds_risk(step) else in_file)
        return replace(entry, intent=replace(entry.intent, deadline=deadline))

    # --- recording -------------------------------------------------------------------------------

    async def _judged(
        self, step: VenueStep, entry: Entry, judgement: Judgement, code: str
    ) -> StepOutcome:
        """What the evidence says, in the books and as an outcome."""
        order = judgement.order
        match judgement.verdict:
            case Verdict.DONE if order is not None:
                await self._book(entry, order, judgement.evidence)
                known = await self._known(order.venue_order_id)
                state, code = state_seen(entry.intent, order, known)
                return outcome_of(
                    step,
                    state,
                    f"{REST_SOURCE}: {judgement.evidence}",
                    code=code,
                    venue_order_id=order.venue_order_id,
                    entry=entry,
                )
            case Verdict.NOT_DONE:
                words = f"it never happened: {judgement.evidence}"
                code = ORDER_GONE if is_over(judgement) else code
                book = (lambda _: None) if order is None else await self._booking(entry, order)
                await self._mark(entry, IntentState.REJECTED, words, ProofKind.RECORDS, after=book)
                return outcome_of(
                    step, OutcomeState.REJECTED, judgement.evidence, code=code, entry=entry
                )
            case _:
                foreign = judgement.verdict is Verdict.FOREIGN_MATCH
                code = "FOREIGN_MATCH" if foreign else code
                evidence = f"{code}: {judgement.evidence}" if foreign else judgement.evidence
                await self._mark(entry, IntentState.UNKNOWN, evidence)
                return outcome_of(
                    step, OutcomeState.UNKNOWN, judgement.evidence, code=code, entry=entry
                )

    async def _known(self, venue_order_id: VenueOrderId | None) -> OrderRecord | None:
        if venue_order_id is None:
            return None
        return await self.keeper.read(lambda tx: tx.order_by_venue_id(venue_order_id), without=None)

    async def _book(self, entry: Entry, order: VenueOrder, evidence: str) -> None:
        """The proved order, its fills and the intent's end, in one transaction."""
        await self._mark(
            entry,
            IntentState.CONFIRMED,
            evidence,
            ProofKind.RECORDS,
            order.venue_order_id,
            after=await self._booking(entry, order),
        )

    async def _booking(self, entry: Entry, order: VenueOrder) -> Callable[[Transaction], object]:
        """What an order that the venue showed has to be booked with: its fills are asked for."""
        waits = self.looks_again and fills_may_wait(entry.intent.purpose)
        fills = () if waits else await self.looks.fills_of(order)
        sighting = sighting_of_order(order, seen_at=self.clock.now(), source=REST_SOURCE)
        return lambda transaction: book_proved(transaction, sighting, fills)

    async def _mark(
        self,
        entry: Entry,
        state: IntentState,
        evidence: str,
        proof: ProofKind = ProofKind.NONE,
        venue_order_id: VenueOrderId | None = None,
        *,
        after: Callable[[Transaction], object] = lambda _: None,
    ) -> None:
        """In the store, `after` what has to be booked with it; or else in the file."""
        told: _Told = {
            "at": self.clock.now(),
            "evidence": evidence,
            "proof": proof,
            "venue_order_id": venue_order_id,
        }

        def write(transaction: Transaction) -> None:
            after(transaction)
            mark(transaction, entry, state, **told)

        await self.keeper.run(write, instead=lambda journal: journal.advance(entry, state, **told))


class _Told(TypedDict):
    """How an intent came to its state, for the store and for the file alike."""

    at: datetime
    evidence: str
    proof: ProofKind
    venue_order_id: VenueOrderId | None
