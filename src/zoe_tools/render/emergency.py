"""Shows what was done on an account whose store is gone."""

from __future__ import annotations

from zoe_tools.gate.emergency import EmergencyResult
from zoe_tools.gate.receipt import strongest
from zoe_tools.render.printer import Printer

_STORE_GONE, _UNPROVED = 7, 6


def show_emergency(printer: Printer, result: EmergencyResult) -> tuple[int, dict[str, object]]:
    """A line for each cancel and the sum; the exit code, and what the envelope says of it."""
    for each in result.cancelled:
        printer.line(f"cancelled {each.venue_order_id} ({each.symbol})")
    printer.line(
        "The level and the cancels are in the emergency journal: the next command books them."
        if result.is_journaled
        else "Nothing of it could be journaled: run the same command once the store is back."
    )
    is_proved = result.still_open == ()
    if is_proved:
        printer.line("No order that could add risk is open.")
        printer.wrapped(
            "",
            f"The venue was looked at until {result.shown_by:%H:%M:%S} UTC, when what was sent"
            " before has to be shown. What was bought meanwhile, and whether a stop covers it,"
            " cannot be known without the store: look there.",
        )
    elif result.still_open is None:
        printer.warn("The venue does not answer: what rests there may still fill. Cancel it there.")
    else:
        printer.warn("Orders that could add risk may still be open: cancel them at the venue.")
    return strongest({_STORE_GONE} if is_proved else {_STORE_GONE, _UNPROVED}), {
        "cancelled": result.cancelled,
        "still_open": result.still_open,
        "is_journaled": result.is_journaled,
    }
