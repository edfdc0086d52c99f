"""Shows a rehearsed kill: what it took, and what the venue's limits would have added."""

from __future__ import annotations

from zoe_tools.domain.rehearsal import Rehearsal, TierArithmetic
from zoe_tools.render.printer import Printer


def show_rehearsal(printer: Printer, told: Rehearsal) -> None:
    """Measured first, computed below it, then the verdict."""
    printer.line("REHEARSAL on a throw-away paper exchange; no account of yours is touched.")
    printer.line(
        f"flatten: {told.positions} positions with their stops, {told.orders} open buys;"
        " over loopback, limits off."
    )
    printer.line()
    printer.table(
        ("measured", ">seconds"),
        [
            ("latched: no loop enters", f"{told.latched_s:.2f}"),
            ("no order could buy any more", f"{told.cancelled_s:.2f}"),
            ("flat, proved at the venue", f"{told.flat_s:.2f}"),
            ("longest without stop before its sale", f"{told.naked_s:.2f}"),
        ],
    )
    printer.line()
    printer.line("What Kraken's limits add, for a key that has asked for nothing before:")
    printer.table(
        (
            "!tier",
            ">calls, points",
            ">room",
            ">waits, s",
            ">to flat, s",
            ">pair, points",
            ">if young",
            ">room",
        ),
        [_row(each, told.flat_s) for each in told.tiers],
    )
    printer.wrapped(
        "",
        "calls: the key's counter, for looking and proving. pair: the dearest pair's counter, for"
        " cancels and sales, of orders older than five minutes, and of orders just placed; cancels"
        " and sales do not wait for it.",
    )
    printer.line()
    verdict = "PASS: flat" if told.is_flat else "FAIL: not flat"
    printer.line(printer.styled(f"{verdict} after {told.flat_s:.2f} s", "bold"))


def _row(each: TierArithmetic, flat_s: float) -> tuple[object, ...]:
    return (
        each.tier,
        each.rest_points,
        each.rest_room,
        f"{each.wait_s:.0f}",
        f"{float(each.wait_s) + flat_s:.0f}",
        each.pair_points,
        each.pair_points_young,
        each.pair_room,
    )
