"""The gate with one of its rules broken: the crash matrix must notice each of them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast

from zoe_tools.core import proof
from zoe_tools.domain.identifiers import ClientOrderId
from zoe_tools.domain.journal import Intent, IntentState
from zoe_tools.domain.policy import Policy
from zoe_tools.gate import carry as carry_module
from zoe_tools.gate import fence
from zoe_tools.gate import journal as journal_module
from zoe_tools.gate import prove as prove_module
from zoe_tools.gate.carry import Carrier
from zoe_tools.gate.journal import Entry
from zoe_tools.gate.keeper import Keeper
from zoe_tools.store.store import Transaction

carry: Any = carry_module
journal: Any = journal_module
prove: Any = prove_module
"""As objects: what they import is replaced in them."""


def _put(owner: object, name: str, value: object) -> None:
    """Replace what is there; a name that is not there any more is a mistake of this file."""
    assert hasattr(owner, name)
    setattr(owner, name, value)


class _TakenBack(Exception):
    """Ends a transaction that shall leave nothing."""


def no_commit_before_the_send() -> None:
    """The intent is written down once the answer is there."""
    write, send = carry.journal, carry.send
    store: list[Keeper] = []
    made: list[Entry] = []

    def journal_nothing(transaction: Transaction, *told: Any, **named: Any) -> Entry:
        made[:] = [write(transaction, *told, **named)]
        raise _TakenBack

    class Forgetful:
        """Goes on with what was taken back."""

        async def run(self, work: Callable[[Transaction], Any], **_: Any) -> Any:
            try:
                return await store[0].run(work)
            except _TakenBack:
                return made[0]

        async def read(self, work: Callable[[Transaction], Any], **told: Any) -> Any:
            return await store[0].read(work, **told)

    async def send_and_journal(venue: Any, step: Any, entry: Entry, _: Any) -> Any:
        reply = await send(venue, step, entry)  # without a keeper: there is nothing to ask yet

        def both(transaction: Transaction) -> None:
            transaction.record_intent(entry.intent)
            if entry.record is not None:
                transaction.record_order(entry.record)
            named = entry.intent.intent_id
            transaction.advance_intent(
                named, IntentState.SENT, at=entry.intent.created_at, evidence=""
            )

        await store[0].run(both)
        return reply

    at_venue = Carrier._at_venue

    async def with_a_forgetful_store(self: Carrier, *told: Any) -> Any:
        store[:] = [self.keeper]
        return await at_venue(replace(self, keeper=cast("Keeper", Forgetful())), *told)

    _put(carry, "journal", journal_nothing)
    _put(carry, "send", send_and_journal)
    _put(Carrier, "_at_venue", with_a_forgetful_store)


def random_client_id() -> None:
    """A new client id for each send, drawn as it leaves."""
    send = carry.send

    async def renamed(venue: Any, step: Any, entry: Entry, keeper: Any) -> Any:
        name = ClientOrderId(str(uuid.uuid4()))
        intent = replace(entry.intent, client_order_id=name)
        return await send(venue, step, replace(entry, intent=intent), keeper)

    _put(carry, "send", renamed)


def underived_client_id() -> None:
    """A client id that is drawn, and journaled."""
    _put(journal, "client_order_id_of", lambda *_: ClientOrderId(str(uuid.uuid4())))


def resend_on_timeout() -> None:
    """An order whose answer was lost is sent once more at once."""
    look, send = Carrier.after_silence, carry.send

    async def send_again(self: Carrier, step: Any, entry: Entry, reply: Any) -> Any:
        await send(self.venue, step, entry)
        return await look(self, step, entry, reply)

    _put(Carrier, "after_silence", send_again)


def one_empty_answer_is_enough() -> None:
    """An order that is not seen at the first look counts as never placed."""

    def at_once(intent: Intent, _: Policy) -> datetime:
        return intent.created_at

    _put(prove, "silence_counts_from", at_once)
    _put(proof, "LOOKS_NEEDED", 1)


def no_token_check() -> None:
    """A loop goes on trading whoever has its lease."""
    _put(fence, "_demand_lease", lambda transaction, _: transaction.lease())


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """What breaks the gate of this process for good, and the plan and fault that tell it."""

    breaks: Callable[[], None]
    plan: str
    fault: str
    kills: int = 0


def repricing_not_counted() -> None:
    """The order desk would begin its ladder anew after each restart."""
    _put(journal, "repriced_by", lambda record, *_: record)


MUTANTS: dict[str, Mutant] = {
    "no commit before the send": Mutant(
        breaks=no_commit_before_the_send, plan="entry", fault="none", kills=200
    ),
    "random client id": Mutant(breaks=random_client_id, plan="entry", fault="accept-then-drop"),
    "client id not derived": Mutant(breaks=underived_client_id, plan="entry", fault="none"),
    "resend on time-out": Mutant(breaks=resend_on_timeout, plan="market", fault="accept-then-drop"),
    "conclusion after one empty answer": Mutant(
        breaks=one_empty_answer_is_enough, plan="entry", fault="unseen"
    ),
    "repricing not counted": Mutant(breaks=repricing_not_counted, plan="reprice", fault="none"),
    "no token check": Mutant(breaks=no_token_check, plan="entry", fault="lease-lost"),
}
