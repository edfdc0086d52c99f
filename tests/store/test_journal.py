"""The journal: an intent is written once and takes only the steps it knows."""

from __future__ import annotations

from datetime import timedelta

import pytest

from builders import LIVE, NOON, make_intent
from zoe_tools.domain.identifiers import ClientOrderId, IntentId, PositionId, VenueOrderId
from zoe_tools.domain.intent_lifecycle import PROOFS, IllegalTransition
from zoe_tools.domain.journal import IntentKind, IntentState, ProofKind
from zoe_tools.store.journal import AlreadyJournaled
from zoe_tools.store.store import Store

LATER = NOON + timedelta(seconds=1)
LEGAL = {
    ("journaled", "sent"),
    ("journaled", "denied"),
    ("sent", "confirmed"),
    ("sent", "rejected"),
    ("sent", "unknown"),
    ("unknown", "confirmed"),
    ("unknown", "rejected"),
}


def test_an_intent_comes_back_as_it_was_written(store: Store) -> None:
    """Every field, filled and empty."""
    full = make_intent(
        position_id=PositionId("P1"),
        venue_order_id=VenueOrderId("OAAAAA-AAAAA-AAAAA1"),
        payload='{"ä":1}',
        operator="ann",
        host="desk",
        evidence="an answer",
        attempt=2,
        snapshot_hash="5" * 64,
        state=IntentState.REJECTED,
        proof=ProofKind.NOT_SENT,
    )
    bare = make_intent(
        intent_id=IntentId("I2"), kind=IntentKind.CANCEL, side=None, client_order_id=None
    )
    with store.transaction() as transaction:
        transaction.record_intent(full)
        transaction.record_intent(bare)
    with store.transaction() as transaction:
        assert transaction.intent(full.intent_id) == full
        assert transaction.intent(bare.intent_id) == bare
        assert transaction.intent(IntentId("none")) is None
        assert transaction.intents() == (full, bare)


@pytest.mark.parametrize("before", list(IntentState))
def test_an_intent_takes_only_the_steps_the_journal_knows(
    store: Store, before: IntentState
) -> None:
    """An illegal step raises and changes nothing."""
    for number, after in enumerate(IntentState):
        intent = make_intent(intent_id=IntentId(f"I{number}"), state=before)
        with store.transaction() as transaction:
            transaction.record_intent(intent)
            proof = max(PROOFS[after])
            if (before.value, after.value) in LEGAL:
                transaction.advance_intent(
                    intent.intent_id, after, at=LATER, evidence="seen", proof=proof
                )
                found = transaction.intent(intent.intent_id)
                assert found is not None
                assert (found.state, found.updated_at, found.evidence) == (after, LATER, "seen")
                assert found.proof is proof
            else:
                with pytest.raises(IllegalTransition, match=f"is {before.value}"):
                    transaction.advance_intent(
                        intent.intent_id, after, at=LATER, evidence="seen", proof=proof
                    )
                assert transaction.intent(intent.intent_id) == intent


def test_no_intent_ends_without_its_proof(store: Store) -> None:
    """Whether it may be tried again hangs on it; and what is open has none."""
    intent = make_intent()
    with store.transaction() as transaction:
        transaction.record_intent(intent)
        for state, proof in ((IntentState.CONFIRMED, ""), (IntentState.UNKNOWN, "records")):
            with pytest.raises(IllegalTransition, match="cannot prove"):
                transaction.advance_intent(
                    intent.intent_id, state, at=LATER, evidence="", proof=ProofKind(proof)
                )
        assert transaction.intent(intent.intent_id) == intent


def test_advancing_adds_the_ids_it_is_given_and_keeps_the_others(store: Store) -> None:
    """A place learns the venue's id only from the answer."""
    intent = make_intent()
    with store.transaction() as transaction:
        transaction.record_intent(intent)
        transaction.advance_intent(
            intent.intent_id,
            IntentState.CONFIRMED,
            at=LATER,
            evidence="the reply",
            proof=ProofKind.ANSWER,
            venue_order_id=VenueOrderId("OV"),
        )
        found = transaction.intent(intent.intent_id)
    assert found is not None
    assert found.venue_order_id == "OV"
    assert found.client_order_id == intent.client_order_id


def test_an_intent_that_is_not_there_cannot_advance(store: Store) -> None:
    """A bug, not an operator's error."""
    with (
        pytest.raises(IllegalTransition, match="is not in the journal"),
        store.transaction() as transaction,
    ):
        transaction.advance_intent(IntentId("none"), IntentState.SENT, at=LATER, evidence="")


def test_an_intent_is_written_once(store: Store) -> None:
    """The second write is a bug and loses nothing of the first."""
    with store.transaction() as transaction:
        transaction.record_intent(make_intent())
    with pytest.raises(AlreadyJournaled), store.transaction() as transaction:
        transaction.record_intent(make_intent(client_order_id=ClientOrderId("other")))
    with store.transaction() as transaction:
        assert transaction.intents() == (make_intent(),)


def test_an_intent_of_another_account_is_refused(store: Store) -> None:
    """Paper and live never mix."""
    with pytest.raises(IllegalTransition, match="belongs to"), store.transaction() as transaction:
        transaction.record_intent(make_intent(account_id=LIVE.account_id))


def test_unresolved_are_those_whose_outcome_is_open(store: Store) -> None:
    """Oldest first; what the venue confirmed, or refused, or we denied, is closed."""
    for number, state in enumerate(IntentState):
        created = NOON - timedelta(seconds=number)
        intent = make_intent(intent_id=IntentId(state.value), state=state, created_at=created)
        with store.transaction() as transaction:
            transaction.record_intent(intent)
    with store.transaction() as transaction:
        found = [intent.intent_id for intent in transaction.unresolved_intents()]
        late = [intent.intent_id for intent in transaction.intents(NOON - timedelta(seconds=1))]
    assert found == ["unknown", "sent", "journaled"]
    assert late == ["sent", "journaled"]
