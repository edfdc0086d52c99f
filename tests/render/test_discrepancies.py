"""What an operator sees of a discrepancy, within 80 columns: class, evidence, money, next step."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from io import StringIO

from builders import BTC, NOON, d, make_discrepancy
from zoe_tools.domain.discrepancy import (
    OWN_STEP,
    Discrepancy,
    DiscrepancyState,
    FindingKind,
    Level,
    ReconciliationState,
    Severity,
)
from zoe_tools.render.discrepancies import show_discrepancy, show_standing
from zoe_tools.render.printer import Printer


def shown(found: Discrepancy | ReconciliationState) -> str:
    """What is printed of it, eighty columns wide."""
    out = StringIO()
    printer = Printer(out=out, err=out, command="reconcile", json=False, width=80)
    if isinstance(found, Discrepancy):
        show_discrepancy(printer, found)
    else:
        show_standing(printer, found)
    assert all(len(line) <= 80 for line in out.getvalue().splitlines())
    return out.getvalue()


def test_an_open_one_says_what_to_do_next() -> None:
    """The first line has the name that --explain takes."""
    assert shown(make_discrepancy(times_seen=3)) == (
        "  D-0123456789  BALANCE_DRIFT  confirmed, warning\n"
        "      USD: the ledger ends at 1000; held are 997.99; 2.01 USD at stake, seen 3\n"
        "      times\n"
        "      -> Look at the ledger of that asset; then zoe reconcile --explain or\n"
        "         --adjust\n"
    )


def test_what_one_look_missed_is_called_unconfirmed() -> None:
    """And is no more than information; nobody is sent to write off what may be there."""
    found = make_discrepancy(state=DiscrepancyState.DETECTED, severity=Severity.INFO)

    assert "BALANCE_DRIFT  unconfirmed, info" in shown(found)
    assert "-> zoe reconcile again in a minute" in shown(found)
    assert "--adjust" not in shown(found)


def test_what_was_waived_says_by_whom_until_when_and_why() -> None:
    """And nothing of a next step."""
    found = make_discrepancy(
        state=DiscrepancyState.WAIVED,
        explained_by="ada",
        explanation="ticket 4711",
        waived_until=NOON + timedelta(days=3),
    )

    assert "waived by ada until 2026-01-08 12:00 UTC: ticket 4711" in shown(found)
    assert "->" not in shown(found)


def test_less_than_a_cent_is_told_whole() -> None:
    """Of a coin that is worth much, it is much."""
    found = make_discrepancy(at_stake=d("0.00012345"), currency="BTC")

    assert "0.00012345 BTC at stake" in shown(found)


def test_what_is_kept_back_is_said_once() -> None:
    """Degraded before critical before an instrument."""
    state = ReconciliationState(
        level=Level.CRIT, is_degraded=True, reason="cash mismatch", paused=(BTC,)
    )

    assert shown(state) == "  DEGRADED: no entries until it is explained. cash mismatch\n"
    assert shown(replace(state, is_degraded=False)) == "  CRITICAL: no entries. cash mismatch\n"
    assert shown(ReconciliationState(paused=(BTC,))) == "  No entries on BTC/USD.\n"
    assert shown(ReconciliationState()) == ""


def test_a_finding_that_names_its_own_command_is_not_sent_to_another() -> None:
    """Of a position that was given up `zoe reconcile --execute` mends nothing."""
    evidence = f"its row was given up. {OWN_STEP}zoe sync-positions --adopt BTC/USD=1"
    found = make_discrepancy(kind=FindingKind.PHANTOM, evidence=evidence)

    assert "-> " not in shown(found)
    assert "-> zoe reconcile --execute" in shown(replace(found, evidence="left"))
