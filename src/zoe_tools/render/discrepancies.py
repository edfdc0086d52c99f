"""What a comparison of books and venue found, in an operator's words."""

from __future__ import annotations

from decimal import Decimal

from zoe_tools.core.codes import meaning_of
from zoe_tools.domain.discrepancy import (
    OWN_STEP,
    Discrepancy,
    DiscrepancyState,
    ReconciliationState,
)
from zoe_tools.domain.money import round_half_up, short
from zoe_tools.domain.words import counted, few
from zoe_tools.gate.recover import Recovery
from zoe_tools.render.printer import Printer

_LEAD = "      "
_LOOK_AGAIN = "zoe reconcile again in a minute; post nothing meanwhile"


def show_discrepancy(printer: Printer, each: Discrepancy) -> None:
    """Its name and class, the evidence, the money, and what to run next or who said what."""
    is_unsure = each.state is DiscrepancyState.DETECTED
    known = "unconfirmed" if is_unsure else each.state.value
    stake = f"; {_money(each.at_stake)} {each.currency} at stake" if each.at_stake else ""
    times = "" if each.times_seen == 1 else f", seen {each.times_seen} times"
    printer.line(f"  {each.discrepancy_id}  {each.kind.value}  {known}, {each.severity.value}")
    printer.wrapped(_LEAD, f"{each.subject}: {each.evidence}{stake}{times}")
    if each.explanation:
        until = each.waived_until
        time = "" if until is None else f" until {until:%Y-%m-%d %H:%M} UTC"
        said = f"{each.state.value} by {each.explained_by}{time}"
        printer.wrapped(_LEAD, f"{said}: {each.explanation}")
    meaning = meaning_of(each.kind.value)
    names_its_own = OWN_STEP in each.evidence
    if each.is_open and meaning is not None and meaning.next and not names_its_own:
        is_early = is_unsure and "--adjust" in meaning.next
        printer.wrapped(f"{_LEAD}-> ", _LOOK_AGAIN if is_early else meaning.next)


def show_standing(
    printer: Printer, state: ReconciliationState, *, clean_runs_needed: int | None = None
) -> None:
    """What is kept back by it, if anything is; and, where nothing is found any more, how long."""
    if state.is_degraded:
        printer.wrapped("  ", f"DEGRADED: no entries until it is explained. {state.reason}")
    elif state.pauses_account:
        printer.wrapped("  ", f"CRITICAL: no entries. {state.reason}")
    elif state.paused:
        printer.wrapped("  ", f"No entries on {few(state.paused)}.")
    if clean_runs_needed is not None and state.pauses_account and not state.is_degraded:
        told = f"{state.clean_runs} of {counted(clean_runs_needed, 'comparison')}"
        printer.wrapped("  ", f"Entries are allowed again after {told} in a row without a finding.")


def show_recovery(printer: Printer, recovery: Recovery) -> None:
    """What became of each intent that was open, and the evidence for it."""
    if recovery.resolutions:
        printer.heading("Looked up in the venue's records")
    for each in recovery.resolutions:
        intent = each.intent
        lead = f"  {each.state.value.ljust(9)}  "
        about = f"{intent.kind.value} {intent.purpose} on {intent.symbol}"
        printer.wrapped(lead, f"{about}: {each.evidence or 'no evidence'}")
        printer.wrapped(" " * len(lead), f"intent {intent.intent_id}")
    booked = ((recovery.orders_updated, "order"), (recovery.fills_booked, "execution"))
    told = [counted(count, what) for count, what in booked if count]
    if told:
        printer.line(f"  Booked what was missed: {', '.join(told)}.")


def _money(amount: Decimal) -> str:
    """To the cent; what is less than a cent, whole."""
    cents = round_half_up(amount, 2)
    return short(cents or amount)
