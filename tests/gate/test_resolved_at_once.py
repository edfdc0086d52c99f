"""Two processes that say how one intent ended, at the same moment, on a database for both."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from builders import NOON, PAPER, make_intent
from templates import put_migrated
from zoe_tools.domain.identifiers import IntentId, VenueOrderId
from zoe_tools.domain.intent_lifecycle import IllegalTransition
from zoe_tools.domain.journal import Intent, IntentState, ProofKind
from zoe_tools.gate.journal import resolve_intent
from zoe_tools.store.store import Store, Transaction

SENT, UNKNOWN = IntentState.SENT, IntentState.UNKNOWN
CONFIRMED, REJECTED = IntentState.CONFIRMED, IntentState.REJECTED
INTENT = make_intent(state=SENT)
OURS, THEIRS = "0", "1"
"""Whose word is in the journal at the end: the second in which it was said."""

VENUE_ID = VenueOrderId("OAAAAA-BBBBB-CCCCCC")


def say(transaction: Transaction, state: IntentState, at: datetime = NOON) -> bool:
    """One of the two has found that out."""
    is_over = state is not UNKNOWN
    return resolve_intent(
        transaction,
        INTENT.intent_id,
        state,
        at=at,
        evidence=f"{state.value} by {at.second}",
        proof=ProofKind.RECORDS if is_over else ProofKind.NONE,
        venue_order_id=VENUE_ID if state is CONFIRMED else None,
    )


def overtaken(
    transaction: Transaction, others: Store, theirs: IntentState, patch: pytest.MonkeyPatch
) -> None:
    """The other one says its word right after this one has read, once."""
    read = transaction.intent

    def read_first(name: IntentId) -> Intent | None:
        patch.setattr(transaction, "intent", read)
        found = read(name)
        with others.transaction() as other:
            assert say(other, theirs, NOON + timedelta(seconds=1))
        return found

    patch.setattr(transaction, "intent", read_first)


@pytest.mark.parametrize(
    ("ours", "theirs", "stands"),
    [
        (UNKNOWN, UNKNOWN, THEIRS),
        (CONFIRMED, UNKNOWN, OURS),
        (REJECTED, UNKNOWN, OURS),
        (UNKNOWN, CONFIRMED, THEIRS),
        (UNKNOWN, REJECTED, THEIRS),
        (REJECTED, CONFIRMED, THEIRS),
        (CONFIRMED, REJECTED, THEIRS),
        (CONFIRMED, CONFIRMED, THEIRS),
    ],
)
def test_whoever_is_second_goes_by_what_the_first_one_said(
    ours: IntentState,
    theirs: IntentState,
    stands: str,
    migrated_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is known for good stays, the same again is no news, and neither process ends by it."""
    one = Store.open(migrated_url, PAPER, clock_now=NOON)
    two = Store.open(migrated_url, PAPER, clock_now=NOON)
    try:
        with one.transaction() as transaction:
            transaction.record_intent(INTENT)
        with one.transaction() as transaction:
            overtaken(transaction, two, theirs, monkeypatch)
            assert say(transaction, ours) is (stands == OURS)
        with one.transaction() as transaction:
            found = transaction.intent(INTENT.intent_id)
    finally:
        one.close()
        two.close()
    assert found is not None
    word = ours if stands == OURS else theirs
    assert (found.state, found.evidence) == (word, f"{word.value} by {stands}")


def test_a_step_that_no_table_knows_is_still_a_bug(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else was there: it is told, and not tried for ever."""
    url = f"sqlite:///{tmp_path / 'books.db'}"
    put_migrated(tmp_path / "books.db")
    store = Store.open(url, PAPER, clock_now=NOON)
    try:
        with store.transaction() as transaction:
            transaction.record_intent(make_intent(state=SENT))
            wrong = make_intent(state=IntentState.JOURNALED)
            monkeypatch.setattr(transaction, "intent", lambda _: wrong)
            with pytest.raises(IllegalTransition):
                say(transaction, CONFIRMED)
    finally:
        store.close()
