"""What an operator sees of a running loop: one line a step, and the report at the end."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from zoe_tools.core.protection_times import sentence
from zoe_tools.core.run_report import RunResult
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.money import plain, round_half_up, short
from zoe_tools.domain.order import Side
from zoe_tools.domain.plan import OutcomeState, Plan, StepOutcome
from zoe_tools.domain.position import Position
from zoe_tools.render.performance import performance_rows, show_curve
from zoe_tools.render.printer import Printer, spelled
from zoe_tools.render.steps import describe

_COLORS = {
    OutcomeState.DONE: "green",
    OutcomeState.REJECTED: "red",
    OutcomeState.DENIED: "red",
    OutcomeState.SKIPPED: "yellow",
    OutcomeState.UNKNOWN: "red",
}
_CENTS = 4
"""Decimals of money here; round trips of some 25 USD win and lose cents."""

Rows = tuple[tuple[str, str], ...]


class RunPrinter:
    """A `Narrator` for the loop: plans are not shown before, steps are told after."""

    def __init__(self, printer: Printer) -> None:
        self._printer = printer
        self._at: datetime | None = None

    def show_plan(self, plan: Plan) -> None:
        """Name the account once, and remember the time."""
        self._printer.account(plan.account)
        self._at = plan.created_at

    def show_outcome(self, outcome: StepOutcome) -> None:
        """When, what, how it went, and why it was done."""
        at = _stamp(self._at)
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
            f"{_stamp(fill.filled_at)}  filled   ",
            f"{word} {short(fill.quantity)} {fill.symbol} at {short(fill.price)}, "
            f"fee {short(fill.fee)} {fill.fee_asset}",
        )

    def show_closed(self, position: Position) -> None:
        """The result of a round trip."""
        result = round_half_up(position.realised_pnl, _CENTS)
        color = "green" if result > 0 else "red"
        quote = position.symbol.rpartition("/")[2]
        at = _stamp(position.closed_at)
        fees = f"{_cents(position.fees)} {quote}"
        self._printer.wrapped(
            f"{at}  {self._printer.styled('closed  ', color, 'bold')} ",
            f"{position.symbol}: {plain(result)} {quote}, net of {fees} fees",
            lead_width=len(at) + 11,
        )

    def show_withheld(self, at: datetime, reason: str) -> None:
        """Why there was no entry."""
        self._printer.wrapped(f"{_stamp(at)}  no entry ", reason)

    def show_note(self, at: datetime, note: str) -> None:
        """Something else that one should know."""
        self._printer.wrapped(f"{_stamp(at)}  note     ", note)

    def show_wire(self, at: datetime, wire: str, *, is_up: bool) -> None:
        """A wire to the venue was lost, or is back."""
        told = "is back" if is_up else "is lost: nothing is entered until it is back"
        self._printer.wrapped(f"{_stamp(at)}  wire     ", f"the {wire} stream {told}")

    def show_phase(self, at: datetime, phase: str, reason: str) -> None:
        """That it begins, is ready, could not start, or ends; what is between is soon over."""
        word, told = _phase(phase, reason)
        if word:
            self._printer.wrapped(f"{_stamp(at)}  {word.ljust(8)} ", told)

    def show_standing(self, at: datetime, reasons: tuple[str, ...]) -> None:
        """Why the loop only protects what is held, or that it trades again."""
        if not reasons:
            self._printer.line(f"{_stamp(at)}  ready    entries are allowed from now on")
        for reason in reasons:
            self._printer.wrapped(f"{_stamp(at)}  protect  ", reason)


def _phase(phase: str, reason: str) -> tuple[str, str]:
    match phase:
        case "INITIALIZING":
            return "start", "this loop has the account; its books and the venue's are read first"
        case "READY":
            then = f"{reason}, and nothing is entered" if reason else "the loop trades from now on"
            return "ready", f"books and venue were compared; {then}"
        case "FAILED":
            return "failed", f"{reason.rstrip('.')}; what is held is protected, nothing is entered"
        case "STOPPING":
            return "stop", "entries are cancelled; stops stay at the venue"
        case _:
            return "", ""


def _stamp(at: datetime | None) -> str:
    return spelled(at) if at is not None else ""


def show_result(printer: Printer, result: RunResult, discrepancies: int | None) -> None:
    """The report of a run, in groups; `discrepancies` None when no auditor looked."""
    printer.heading("Report")
    groups = [_course(result), _orders(result), _money(result)]
    if result.performance is not None:
        groups.append(performance_rows(result.performance))
    groups.append(_protection(result))
    width = max(len(name) for rows in groups for name, _ in rows)
    for rows in groups:
        for name, told in rows:
            printer.wrapped(f"  {name.ljust(width)}  ", told)
        printer.line()
    if result.performance is not None:
        show_curve(printer, result.performance)
    if discrepancies is not None:
        color = "green" if discrepancies == 0 else "red"
        printer.line(
            printer.styled(f"{discrepancies} discrepancies", color, "bold")
            + " (counted by a separate auditor from the venue's own records)"
        )


def _course(result: RunResult) -> Rows:
    lasted = result.ended_at - result.started_at
    checksums = result.checksums
    return (
        ("strategy", result.strategy),
        ("from", spelled(result.started_at)),
        ("to", f"{spelled(result.ended_at)}, after {lasted.total_seconds():.0f} s of venue time"),
        ("market", f"{result.prints} prints, {result.candles} candles, {result.cycles} cycles"),
        ("book checksums", f"{checksums.verified} verified, {checksums.failed} failed"),
    )


def _orders(result: RunResult) -> Rows:
    by_status = ", ".join(
        f"{count} {status.replace('_', ' ')}" for status, count in result.orders_by_status.items()
    )
    rows = [
        ("orders", f"{result.orders} ({by_status})" if by_status else "0"),
        ("fills", f"{result.fills}"),
    ]
    if result.would_be_orders:
        rows.append(("would-be orders", f"{result.would_be_orders}, not sent"))
    if not result.left.is_empty:
        rows.append(("left undone", result.left.what))
    return tuple(rows)


def _money(result: RunResult) -> Rows:
    estimated = " (estimated: a price is missing)" if result.is_estimated else ""
    return (
        ("round trips", f"{result.round_trips}, of them {result.wins} won"),
        ("fees", f"{_cents(result.fees)} USD"),
        ("realised", f"{_cents(result.realised_pnl)} USD, net of fees"),
        ("unrealised", f"{_cents(result.unrealised_pnl)} USD{estimated}"),
        ("open positions", f"{result.open_positions}"),
    )


def _protection(result: RunResult) -> Rows:
    causes = ", ".join(
        f"{cause} {short(seconds)} s"
        for cause, seconds in result.unprotected_by_cause.items()
        if seconds
    )
    return (
        ("stops", f"{result.positions_with_stop} positions had a stop at the venue"),
        ("protected", sentence(result.fill_to_protected)),
        ("unprotected", f"{short(result.unprotected_seconds)} s{f' ({causes})' if causes else ''}"),
    )


def _cents(value: Decimal) -> str:
    return plain(round_half_up(value, _CENTS))
