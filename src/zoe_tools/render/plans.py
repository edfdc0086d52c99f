"""Shows plans and what became of them: the operator's side of the gate.

A dry run always ends with what was not done and the line that would do it.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, Decimal

from zoe_tools.domain.money import ONE, ZERO, short
from zoe_tools.domain.plan import OutcomeState, PlaceOrder, Plan, Step, StepOutcome
from zoe_tools.domain.rate_cost import PlanRateCost
from zoe_tools.gate.receipt import Receipt
from zoe_tools.render.printer import Printer
from zoe_tools.render.steps import StepText, describe

_COLOR_OF_SIGN = {"+": "green", "-": "red", "~": "yellow"}
_COLOR_OF_STATE = {
    OutcomeState.DONE: "green",
    OutcomeState.REJECTED: "red",
    OutcomeState.DENIED: "red",
    OutcomeState.SKIPPED: "yellow",
    OutcomeState.UNKNOWN: "red",
}


class PlanPrinter:
    """An `Approver` for a person or a program.

    `invitation` is the line that carries the plan out, e.g. `zoe recover-sl --execute`; `closing`
    is what a dry run ends with (kill says that nothing was stopped). Without an invitation the
    command itself says how a dry run ends.
    """

    def __init__(
        self,
        printer: Printer,
        *,
        invitation: str,
        closing: str = "DRY RUN: nothing was changed.",
    ) -> None:
        self._printer = printer
        self._invitation = invitation
        self._closing = closing
        self._shown: list[Step] = []
        self._outcomes = 0

    def show_plan(self, plan: Plan) -> None:
        """The plan as a table, its notes below."""
        printer = self._printer
        printer.account(plan.account)
        self._shown, self._outcomes = list(plan.steps), 0
        if plan.is_empty:
            printer.line("Nothing to do.")
        else:
            texts = [describe(step) for step in plan.steps]
            printer.line()
            printer.table(
                ("", ">#", "what", "why", ">at stake"), _rows(texts), styles=_COLOR_OF_SIGN
            )
            stake = sum(
                (step.notional for step in plan.steps if isinstance(step, PlaceOrder)), ZERO
            )
            at_venue = sum(1 for each in texts if each.where == "venue")
            printer.line()
            printer.line(
                f"{len(texts)} {'step' if len(texts) == 1 else 'steps'}, {at_venue} of them at the"
                " venue" + (f"; orders worth {short(stake)}." if stake else ".")
            )
            conditions = [
                f"#{number} {condition}"
                for number, text in enumerate(texts, start=1)
                for condition in text.conditions
            ]
            if conditions:
                printer.wrapped("only while ", f"{'; '.join(conditions)}.")
            if at_venue and plan.rate_cost is not None:
                printer.wrapped("cost ", f"{_cost(plan.rate_cost)}.")
        for note in plan.notes:
            printer.wrapped("  note: ", note)

    def show_outcome(self, outcome: StepOutcome) -> None:
        """One line per step, as it happens."""
        self._outcomes += 1
        state = outcome.state.value
        styled = self._printer.styled(state.ljust(8), _COLOR_OF_STATE[outcome.state])
        lead = f"[{self._outcomes}/{max(len(self._shown), self._outcomes)}] "
        told = describe(outcome.step).what + (f" - {outcome.evidence}" if outcome.evidence else "")
        is_done = outcome.state is OutcomeState.DONE
        code = f" ({outcome.code})" if outcome.code and not is_done else ""
        self._printer.wrapped(
            f"{lead}{styled}  ", told + code, lead_width=len(lead) + len(state.ljust(8)) + 2
        )

    def finish(self, receipt: Receipt, *, saved: str = "", left: int = 0) -> int:
        """Refusals, the last word, and the JSON envelope; returns the exit code.

        `saved` is a sentence about the file that the plan was kept in, if it was. `left` is the
        code of what the plan leaves as it is, where the plan itself has nothing to say.
        """
        code = receipt.exit_code or left
        self._printer.result(self.close(receipt, saved=saved), exit_code=code)
        return code

    def close(self, receipt: Receipt, *, saved: str = "") -> dict[str, object]:
        """Refusals and the last word; returns what the envelope says of the plan."""
        printer = self._printer
        for refusal in receipt.refusals:
            printer.wrapped(
                "refused: ", f"step {refusal.step_index + 1}: {refusal.message} ({refusal.code})"
            )
        if receipt.store_trouble:
            printer.warn(
                f"{receipt.store_trouble.rstrip('.')}: the books lack what was done or found."
                " What went to the venue waits in the emergency journal; run this again once the"
                " store is back.",
                always_seen=True,
            )
        if saved:
            printer.line()
            printer.wrapped("", saved)
        if self._invitation and receipt.has_more_to_do:
            printer.line()
            printer.line(printer.styled(self._closing, "bold"))
            printer.line(f"To carry it out: {printer.to_run(self._invitation)}")
        return {
            "plan": receipt.plan,
            "plan_hash": receipt.plan.plan_hash,
            "is_executed": receipt.is_executed,
            "outcomes": receipt.outcomes,
            "refusals": receipt.refusals,
        }


def _cost(cost: PlanRateCost) -> str:
    """What the plan takes of the venue's limits: 2 REST points, 1 engine point BTC/USD, no wait."""
    told = [f"{short(cost.rest)} REST {_noun(cost.rest)}"]
    told += [f"{short(each)} engine {_noun(each)} {symbol}" for symbol, each in cost.engine]
    wait_s = cost.wait_s.quantize(Decimal("0.1"), rounding=ROUND_CEILING)
    told.append(f"a wait of {short(wait_s)} s" if wait_s else "no wait")
    return ", ".join(told)


def _noun(points: Decimal) -> str:
    return "point" if points == ONE else "points"


def _rows(texts: Sequence[StepText]) -> list[tuple[str, str, str, str, str]]:
    return [
        (text.sign, str(number), text.lines, text.why, text.stake)
        for number, text in enumerate(texts, start=1)
    ]
