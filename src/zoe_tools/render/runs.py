"""What an operator sees of a running loop: one line a step, and the report at the end."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from decimal import Decimal

from zoe_tools.core.run_report import RunResult
from zoe_tools.domain.money import short
from zoe_tools.domain.plan import OutcomeState, Plan, StepOutcome
from zoe_tools.render.printer import Printer
from zoe_tools.render.steps import describe

_COLORS = {
    OutcomeState.DONE: "green",
    OutcomeState.REJECTED: "red",
    OutcomeState.DENIED: "red",
    OutcomeState.SKIPPED: "yellow",
    OutcomeState.UNKNOWN: "red",
}
_LEFT_OUT = frozenset({"orders_by_status", "unprotected_by_cause"})


class RunPrinter:
    """An `Approver` for the loop: plans are not shown before, steps are told after."""

    def __init__(self, printer: Printer) -> None:
        self._printer = printer
        self._at: datetime | None = None
        self._is_named = False

    def show_plan(self, plan: Plan) -> None:
        """Name the account once, and remember the time."""
        self._printer.account(plan.account)
        self._at = plan.created_at

    def show_outcome(self, outcome: StepOutcome) -> None:
        """When, what, how it went, and why it was done."""
        at = f"{self._at:%Y-%m-%d %H:%M:%S}" if self._at else ""
        state = self._printer.styled(outcome.state.value.ljust(8), _COLORS[outcome.state])
        told = describe(outcome.step)
        line = f"{told.what} - {told.why}"
        if outcome.state is not OutcomeState.DONE:
            line += f" - {outcome.evidence}"
        self._printer.wrapped(f"{at}  {state} ", line, lead_width=len(at) + 11)


def show_result(printer: Printer, result: RunResult, discrepancies: int | None) -> None:
    """The report of a run; `discrepancies` None when no auditor looked."""
    rows: list[tuple[str, object]] = [
        (each.name.replace("_", " "), _word(getattr(result, each.name)))
        for each in fields(result)
        if each.name not in _LEFT_OUT
    ]
    printer.line()
    printer.report("Report", rows)
    if discrepancies is not None:
        color = "green" if discrepancies == 0 else "red"
        printer.line(
            printer.styled(f"{discrepancies} discrepancies", color, "bold")
            + " (counted by a separate auditor from the venue's own records)"
        )


def _word(value: object) -> str:
    if isinstance(value, Decimal):
        return short(value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    return str(value)
