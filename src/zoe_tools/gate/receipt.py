"""What became of a plan: the answer of the gate, and the exit code that follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from zoe_tools.core.risk import Refusal
from zoe_tools.domain.plan import OutcomeState, Plan, StepOutcome
from zoe_tools.gate.journal import STORE_GONE

PRECEDENCE = (6, 7, 5, 4, 3)
"""Where several codes apply, the first of these wins."""

_DONE, _FINDINGS, _REFUSED, _VENUE, _UNKNOWN, _STORE = 0, 3, 4, 5, 6, 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A plan, what was refused of it, and what became of each step that was tried.

    `is_executed` is False for a dry run. `is_verified` is for a command that goes on until the
    venue shows the result: True makes up for steps that had to be repeated, False is unknown.
    """

    plan: Plan
    outcomes: tuple[StepOutcome, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    is_executed: bool = False
    is_verified: bool | None = None
    store_trouble: str = ""
    """Why the books lack what was done or found, where they do; what was done is journaled."""

    @property
    def exit_code(self) -> int:
        """0 done or nothing to do, 3 a dry run with changes, 4 refused, 5 rejected, 6 unknown.

        7 where the store could not be written.
        """
        codes = {_UNKNOWN} if self.is_verified is False else set()
        if not self.is_verified:
            codes |= {_code_of(outcome.state) for outcome in self.outcomes}
        if self.store_trouble or any(each.code == STORE_GONE for each in self.outcomes):
            codes.add(_STORE)
        if self.refusals:
            codes.add(_REFUSED)
        if self.has_more_to_do:
            codes.add(_FINDINGS)
        return strongest(codes)

    @property
    def has_more_to_do(self) -> bool:
        """Whether a dry run found steps that nobody has settled before."""
        return not self.is_executed and len(self.outcomes) < len(self.plan.steps)

    @property
    def is_done(self) -> bool:
        """Whether every step was carried out and proved."""
        return self.is_executed and all(
            outcome.state is OutcomeState.DONE for outcome in self.outcomes
        )


def together(receipts: Sequence[Receipt], *, is_verified: bool) -> Receipt:
    """One receipt for several plans that were carried out after each other."""
    steps = tuple(step for each in receipts for step in each.plan.steps)
    return Receipt(
        plan=replace(receipts[-1].plan, steps=steps),
        outcomes=tuple(outcome for each in receipts for outcome in each.outcomes),
        refusals=tuple(refusal for each in receipts for refusal in each.refusals),
        is_executed=True,
        is_verified=is_verified,
        store_trouble=receipts[-1].store_trouble,
    )


def strongest(codes: set[int]) -> int:
    """The one exit code for several findings."""
    return next((code for code in PRECEDENCE if code in codes), _DONE)


def _code_of(state: OutcomeState) -> int:
    match state:
        case OutcomeState.DONE:
            return _DONE
        case OutcomeState.UNKNOWN:
            return _UNKNOWN
        case OutcomeState.DENIED:
            return _REFUSED
        case OutcomeState.REJECTED | OutcomeState.SKIPPED:
            return _VENUE
