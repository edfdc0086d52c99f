"""The life of an intent as one table: which state may follow which.

A step is planned for as long as it stands in a plan only: its intent begins as journaled. It is
resolved once it is confirmed, rejected or denied; nothing follows these.
"""

from __future__ import annotations

from zoe_tools.domain.journal import IntentState, ProofKind

_S = IntentState

TRANSITIONS: dict[IntentState, frozenset[IntentState]] = {
    _S.JOURNALED: frozenset({_S.SENT, _S.DENIED}),
    _S.SENT: frozenset({_S.CONFIRMED, _S.REJECTED, _S.UNKNOWN}),
    _S.UNKNOWN: frozenset({_S.CONFIRMED, _S.REJECTED}),
    _S.CONFIRMED: frozenset(),
    _S.REJECTED: frozenset(),
    _S.DENIED: frozenset(),
}
"""State -> the states that may follow it; a pair that is absent is undefined."""


_P = ProofKind

PROOFS: dict[IntentState, frozenset[ProofKind]] = {
    _S.JOURNALED: frozenset({_P.NONE}),
    _S.SENT: frozenset({_P.NONE}),
    _S.UNKNOWN: frozenset({_P.NONE}),
    _S.CONFIRMED: frozenset({_P.ANSWER, _P.RECORDS}),
    _S.REJECTED: frozenset({_P.ANSWER, _P.RECORDS, _P.NOT_SENT}),
    _S.DENIED: frozenset({_P.NOT_SENT}),
}
"""State -> what may prove it; what is open is not proved yet."""


class IllegalTransition(Exception):
    """A bug: an intent was told to take a step, or given a proof, that the tables do not know."""


def demand_proof(state: IntentState, proof: ProofKind) -> None:
    """Pass if this may prove that state.

    Raises:
        IllegalTransition: it cannot.
    """
    if proof not in PROOFS[state]:
        raise IllegalTransition(f"{proof.value or 'nothing'} cannot prove {state.value}.")


def states_before(state: IntentState) -> frozenset[IntentState]:
    """The states that this one may follow."""
    return frozenset(before for before, after in TRANSITIONS.items() if state in after)


def steps_to(now: IntentState, told: IntentState) -> tuple[IntentState, ...]:
    """The steps from the state an intent has to the one it is told to have; none: it is no news.

    What is resolved stays so, and the same again is no news. Whoever knows how the sending of a
    journaled intent ended knows that it was sent.

    Raises:
        IllegalTransition: no way leads there.
    """
    if not TRANSITIONS[now] or told is now:
        return ()
    if told in TRANSITIONS[now]:
        return (told,)
    if _S.SENT in TRANSITIONS[now] and told in TRANSITIONS[_S.SENT]:
        return (_S.SENT, told)
    raise IllegalTransition(f"From {now.value} no way leads to {told.value}.")
