"""A story is in order, says how each thing is known, and advises what does no harm."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from builders import NOON, PAPER, d, make_fill, make_intent, make_order, make_position
from zoe_tools.core.explain import BOOKS, tell
from zoe_tools.domain.audit import AuditKind, AuditRow, instant, payload_of, row_hash
from zoe_tools.domain.identifiers import IntentId
from zoe_tools.domain.journal import Intent, IntentState, ProofKind
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.position import PositionStatus
from zoe_tools.domain.story import Case, Subject, SubjectKind

ORDER = Subject(kind=SubjectKind.ORDER, id=make_order().client_order_id)


def row(seq: int, kind: AuditKind, seconds: int, subjects: str = "", **facts: object) -> AuditRow:
    """One row, sound in itself; the chain is not checked here."""
    made = AuditRow(
        account_id=PAPER.account_id,
        seq=seq,
        at=instant(NOON + timedelta(seconds=seconds)),
        kind=kind.value,
        subjects=subjects,
        payload=payload_of(facts),
        previous_hash="",
        hash="",
    )
    content = (made.account_id, seq, made.at, made.kind, subjects, made.payload, "")
    return replace(made, hash=row_hash(*content))


def case_with(*intents: Intent, **changes: object) -> Case:
    """The case of the entry order."""
    values: dict[str, object] = {
        "account": PAPER,
        "subject": ORDER,
        "rows": (),
        "intents": intents,
        "orders": (make_order(status=OrderStatus.FILLED),),
    }
    return Case(**{**values, **changes})  # type: ignore[arg-type]


def intent_in(state: IntentState, number: int = 1) -> Intent:
    """An intent of that state."""
    return make_intent(intent_id=IntentId(f"I{number}"), state=state)


ADVICE = {
    "unknown": ((IntentState.UNKNOWN,), "after looking", "zoe reconcile --execute"),
    "killed before the send": (
        (IntentState.JOURNALED,),
        "after looking",
        "zoe reconcile --execute",
    ),
    "killed after the send": ((IntentState.SENT,), "after looking", "zoe reconcile --execute"),
    "rejected": ((IntentState.REJECTED,), "yes", "zoe run"),
    "never sent": ((IntentState.DENIED,), "yes", "zoe run"),
    "done": ((IntentState.CONFIRMED,), "no", "zoe status"),
    "half done": ((IntentState.CONFIRMED, IntentState.REJECTED), "no", "zoe run"),
    "half unknown": (
        (IntentState.CONFIRMED, IntentState.UNKNOWN),
        "after looking",
        "zoe reconcile --execute",
    ),
}


@pytest.mark.parametrize("name", ADVICE)
def test_only_what_cannot_have_happened_may_be_done_again(name: str) -> None:
    """Everything else is looked up first, or is a second one."""
    states, retry, step = ADVICE[name]
    intents = [intent_in(state, number) for number, state in enumerate(states)]
    story = tell(case_with(*intents))

    assert (story.retry, story.next) == (retry, (step,))


def test_a_story_is_told_in_the_order_of_time() -> None:
    """The venue's times may step back behind the order of writing."""
    rows = (
        row(5, AuditKind.INTENT_STATE, 3, "I1", state="confirmed", evidence="accepted as O1"),
        row(6, AuditKind.ORDER_EVENT, 2, ORDER.id, status="open", source="executions stream"),
        row(7, AuditKind.FILL, 4, "T1", fill_id="T1", side="buy", quantity=d("0.5"), price=d("7")),
    )
    story = tell(case_with(intent_in(IntentState.CONFIRMED), rows=rows))
    told = [(each.seq, each.what, each.how) for each in story.lines if each.seq is not None]

    assert told[0] == (6, "The order is open.", "executions stream")
    assert told[1] == (5, "It was done.", "accepted as O1")
    assert told[2][0] == 7
    assert told[2][1].startswith("0.5 ")


def test_what_is_older_than_the_log_is_told_by_the_books() -> None:
    """And the story says that it is."""
    story = tell(case_with(intent_in(IntentState.CONFIRMED), fills=(make_fill(),)))

    assert [each.seq for each in story.lines] == [None, None]
    assert story.lines[-1].how.endswith(f"({BOOKS})")


def test_what_the_log_tells_the_books_do_not_repeat() -> None:
    """One execution is one line."""
    fill = make_fill()
    rows = (row(3, AuditKind.FILL, 1, fill.fill_id, fill_id=fill.fill_id, side="buy"),)
    story = tell(case_with(rows=rows, fills=(fill,)))

    assert [each.seq for each in story.lines] == [3]


def test_a_row_that_somebody_changed_is_shown_as_it_is() -> None:
    """The story does not fall over what `zoe audit verify` reports."""
    broken = replace(row(3, AuditKind.FILL, 1), payload="{not json", at="never")
    story = tell(case_with(rows=(broken,)))

    assert [each.what for each in story.lines] == ["fill: {not json"]


ENDS = {
    ProofKind.ANSWER: "The venue refused it.",
    ProofKind.RECORDS: "The venue's records show none of it.",
    ProofKind.NOT_SENT: "No byte of it left.",
    ProofKind.NONE: "It did not happen.",
}


@pytest.mark.parametrize("proof", ENDS)
def test_a_story_says_how_an_end_is_known(proof: ProofKind) -> None:
    """By the proof in the row; older rows have none."""
    rows = (row(5, AuditKind.INTENT_STATE, 3, "I1", state="rejected", proof=proof),)
    story = tell(case_with(intent_in(IntentState.REJECTED), rows=rows))

    assert [each.what for each in story.lines if each.seq == 5] == [ENDS[proof]]


def test_a_story_names_the_plan_and_what_it_was_made_of() -> None:
    """Two decisions on the same evidence can be told from two that were not."""
    facts = {"intent_id": "I1", "plan_hash": "a" * 64, "snapshot_hash": "b" * 64}
    rows = (row(5, AuditKind.INTENT, 3, "I1", **facts),)
    story = tell(case_with(intent_in(IntentState.SENT), rows=rows))

    assert "of plan aaaaaaaaaaaa, made of snapshot bbbbbbbbbbbb)" in story.lines[0].what


POSITIONS = {
    "closed": (make_position(status=PositionStatus.CLOSED), "zoe status"),
    "bare": (make_position(stop_venue_order_id=None), "zoe recover-sl"),
    "protected": (make_position(stop_venue_order_id="O2"), "zoe check-tp-coverage"),
}


@pytest.mark.parametrize("name", POSITIONS)
def test_a_positions_story_ends_with_what_protects_it(name: str) -> None:
    """An open position without a stop has one next step."""
    position, step = POSITIONS[name]
    subject = Subject(kind=SubjectKind.POSITION, id=position.position_id)
    story = tell(case_with(subject=subject, position=position, orders=()))

    assert story.next == (step,)
