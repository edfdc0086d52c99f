"""The life of a discrepancy as one table: which state may follow which.

A look that sees it again confirms it; an operator explains or waives it; a look that does not see
it any more resolves it. What is resolved stays so: the same trouble later is a new discrepancy.
"""

from __future__ import annotations

from zoe_tools.domain.discrepancy import DiscrepancyState

_S = DiscrepancyState

TRANSITIONS: dict[DiscrepancyState, frozenset[DiscrepancyState]] = {
    _S.DETECTED: frozenset({_S.CONFIRMED, _S.EXPLAINED, _S.WAIVED, _S.RESOLVED}),
    _S.CONFIRMED: frozenset({_S.EXPLAINED, _S.WAIVED, _S.RESOLVED}),
    _S.EXPLAINED: frozenset({_S.CONFIRMED, _S.WAIVED, _S.RESOLVED}),
    _S.WAIVED: frozenset({_S.CONFIRMED, _S.EXPLAINED, _S.RESOLVED}),
    _S.RESOLVED: frozenset(),
}
"""State -> the states that may follow it; a pair that is absent is undefined.

Back to confirmed comes what was waived when the time is over, and what was explained when the
difference grows.
"""


class IllegalStep(Exception):
    """A bug: a discrepancy was told to take a step that the table does not know."""


def demand_step(now: DiscrepancyState, then: DiscrepancyState) -> None:
    """Pass if the one may follow the other.

    Raises:
        IllegalStep: it may not.
    """
    if then not in TRANSITIONS[now]:
        raise IllegalStep(f"A discrepancy that is {now.value} cannot become {then.value}.")
