"""The one transition table of intents."""

from __future__ import annotations

import itertools

import pytest

from builders import make_intent
from zoe_tools.domain.intent_lifecycle import (
    PROOFS,
    TRANSITIONS,
    IllegalTransition,
    demand_proof,
    states_before,
    steps_to,
)
from zoe_tools.domain.journal import IntentState, ProofKind

J, S, U = IntentState.JOURNALED, IntentState.SENT, IntentState.UNKNOWN
C, R, D = IntentState.CONFIRMED, IntentState.REJECTED, IntentState.DENIED

WAYS: dict[tuple[IntentState, IntentState], tuple[IntentState, ...]] = {
    (J, S): (S,),
    (J, D): (D,),
    (J, C): (S, C),
    (J, R): (S, R),
    (J, U): (S, U),
    (S, C): (C,),
    (S, R): (R,),
    (S, U): (U,),
    (U, C): (C,),
    (U, R): (R,),
}
"""Every pair that is news: the steps."""

BUGS = {(S, J), (S, D), (U, J), (U, S), (U, D)}
"""Every pair that no way leads over: what was sent cannot be called never sent any more."""

PAIRS = list(itertools.product(IntentState, repeat=2))


@pytest.mark.parametrize(("now", "told"), PAIRS)
def test_every_pair_of_states_has_its_steps_or_none_or_is_a_bug(
    now: IntentState, told: IntentState
) -> None:
    """What is resolved stays, the same again is no news, and nothing goes backwards."""
    if (now, told) in BUGS:
        with pytest.raises(IllegalTransition, match=f"From {now.value} .* to {told.value}"):
            steps_to(now, told)
        return
    assert steps_to(now, told) == WAYS.get((now, told), ())
    is_no_news = now is told or now.is_terminal
    assert ((now, told) in WAYS) is not is_no_news


@pytest.mark.parametrize(("now", "told"), PAIRS)
def test_each_step_of_a_way_is_in_the_table(now: IntentState, told: IntentState) -> None:
    """Also where two steps are taken at once."""
    for before, after in itertools.pairwise((now, *WAYS.get((now, told), ()))):
        assert after in TRANSITIONS[before]
        assert before in states_before(after)


def test_every_state_has_a_row_and_only_the_ends_have_an_empty_one() -> None:
    """Nothing is undefined by oversight; an end is what the journal calls resolved."""
    assert set(TRANSITIONS) == set(IntentState)
    assert {each for each in IntentState if each.is_terminal} == {
        each for each, after in TRANSITIONS.items() if not after
    }


def test_an_intent_begins_as_journaled() -> None:
    """No state comes before it: until then it is a step of a plan, and nowhere else."""
    assert [each for each in IntentState if not states_before(each)] == [J]


SOUND = {
    (J, ProofKind.NONE): False,
    (S, ProofKind.NONE): False,
    (U, ProofKind.NONE): False,
    (C, ProofKind.ANSWER): False,
    (C, ProofKind.RECORDS): False,
    (R, ProofKind.ANSWER): False,
    (R, ProofKind.RECORDS): True,
    (R, ProofKind.NOT_SENT): True,
    (D, ProofKind.NOT_SENT): True,
}
"""What may prove which state, and whether its step may then be tried again."""


@pytest.mark.parametrize(("state", "proof"), [*itertools.product(IntentState, ProofKind)])
def test_a_state_has_its_own_proofs_and_they_say_whether_to_try_again(
    state: IntentState, proof: ProofKind
) -> None:
    """A no of the venue's own is final; what left nothing there may go once more."""
    intent = make_intent(state=state, proof=proof)
    if (state, proof) in SOUND:
        demand_proof(state, proof)
        assert intent.may_be_tried_again is SOUND[state, proof]
    else:
        with pytest.raises(IllegalTransition, match="cannot prove"):
            demand_proof(state, proof)


def test_a_no_that_nobody_proved_is_taken_for_the_venue_s_own() -> None:
    """Rows from before: what is not known to have left nothing does not go again."""
    assert not make_intent(state=R, proof=ProofKind.NONE).may_be_tried_again


def test_every_state_has_its_proofs() -> None:
    """Nothing is undefined by oversight."""
    assert set(PROOFS) == set(IntentState)
