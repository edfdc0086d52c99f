"""What an operator sees of a running loop: one line a step, and the report at the end."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from decimal import Decimal

from zoe_tools.core.run_report import RunResult
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.money import plain, round_half_up, short
from zoe_tools.domain.order import Side
from zoe_tools.domain.plan import OutcomeState, Plan, StepOutcome
from zoe_tools.domain.position import Position
from zoe_tools.domain.stream import ChecksumTally
from zoe_tools.render.printer import Printer
from zoe_tools.render.steps import describe

_COLORS = {
    OutcomeState.DONE: "green",
    OutcomeState.REJECTED: "red",
    OutcomeState.DENIED: "red",
    OutcomeState.SKIPPED: "yellow",
    OutcomeState.UNKNOWN: "red",
}
_CENTS = 4
_LEFT_OUT = frozenset({"orders_by_status", "unprotected_by_cause"})


class RunPrinter:
    """A `Narrator` for the loop: plans are not shown before, steps are told after."""

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

    def show_fill(self, fill: Fill) -> None:
        """What was bought or sold, at which price, for which fee."""
        word = "bought" if fill.side is Side.BUY else "sold"
        self._printer.wrapped(
            f"{fill.filled_at:%Y-%m-%d %H:%M:%S}  filled   ",
            f"{word} {short(fill.quantity)} {fill.symbol} at {short(fill.price)}, "
            f"fee {short(fill.fee)} {fill.fee_asset}",
        )

    def show_closed(self, position: Position) -> None:
        """The result of a round trip."""
        result = round_half_up(position.realised_pnl, _CENTS)
        color = "green" if result > 0 else "red"
        at = f"{position.closed_at:%Y-%m-%d %H:%M:%S}" if position.closed_at else ""
        self._printer.wrapped(
            f"{at}  {self._printer.styled('closed  ', color, 'bold')} ",
            f"{position.symbol}: {plain(result)} after fees of {short(position.fees)}",
            lead_width=len(at) + 11,
        )


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
    if isinstance(value, ChecksumTally):
        return f"{value.verified} verified, {value.failed} failed"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    return str(value)
