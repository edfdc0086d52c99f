"""Shows a list of checks: grouped, one line each, the next step under what did not pass."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from zoe_tools.core.control_drill import Proof
from zoe_tools.core.pre_flight import PreFlightReport, Verdict
from zoe_tools.render.printer import Printer

_COLOR = {Verdict.PASS: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red"}


def show_checks(printer: Printer, report: PreFlightReport) -> None:
    """All checks and the sum."""
    width = max((len(check.name) for check in report.checks), default=0)
    for group, checks in groupby(report.checks, key=lambda check: check.group):
        printer.heading(group)
        for check in checks:
            verdict = printer.styled(check.verdict.value, _COLOR[check.verdict])
            printer.wrapped(
                f"  {verdict}  {check.name.ljust(width)}  ",
                check.detail,
                lead_width=width + 10,
            )
            if check.next_step:
                printer.wrapped(" " * (width + 10) + "next: ", check.next_step)
    count = {each: sum(1 for check in report.checks if check.verdict is each) for each in Verdict}
    printer.line()
    told = ", ".join(f"{number} {each.value}" for each, number in count.items())
    printer.line(printer.styled(f"{report.verdict.value.upper()}: {told}", "bold"))


def show_proofs(printer: Printer, proofs: Sequence[Proof]) -> None:
    """One row a control, and the sum; a failed one stands out."""
    printer.line("PROOF on a throw-away paper exchange; no account of yours is looked at.")
    printer.line("Each order must be refused by the control it is planted for, and by no other.")
    printer.line()
    printer.table(
        ("!control that fires", "planted", "!verdict"),
        [
            (each.control, each.planted, "pass" if each.is_proved else f"FAIL: {each.fired}")
            for each in proofs
        ],
        styles={"pass": "green"},
    )
    proved = sum(each.is_proved for each in proofs)
    printer.line()
    verdict = "PASS" if proved == len(proofs) else "FAIL"
    told = f"{verdict}: {proved} of {len(proofs)} proved"
    printer.line(printer.styled(told, "bold"))
