"""The table of watched instruments for a person, in the width there is."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from decimal import Decimal

from zoe_tools.core.markets import FOCUS, MarketLine, MarketView, counted, market_lines
from zoe_tools.domain.ages import lasted
from zoe_tools.domain.market_watch import MarketState
from zoe_tools.domain.money import short
from zoe_tools.render.printer import Printer
from zoe_tools.render.sparkline import sparkline

STYLES = {
    MarketState.STALE.value: "yellow",
    MarketState.HALTED.value: "red",
    MarketState.DELISTED.value: "red",
}

_MARK = {True: "*", False: " "}
_WIDE, _WIDER = 100, 120
_CURVE, _SHORT_CURVE = 16, 8
_ROWS_BESIDE = 5
"""Lines of the screen that are no rows: heading, columns, rule, and two to spare."""

_SCALES = ((Decimal(10**9), "G"), (Decimal(10**6), "M"), (Decimal(10**3), "k"))


def heading(view: MarketView, lines: Sequence[MarketLine]) -> str:
    """What is shown, in one line; `lines` are those of all instruments."""
    told = ", ".join(f"{number} {state}" for state, number in counted(lines).items() if number)
    source = {
        "watch": "watched here",
        "store": "kept by a watch" if view.is_watched else "kept; nobody watches",
        "look": "one look at the venue",
    }[view.source]
    return f"Markets {view.now:%Y-%m-%d %H:%M:%S} UTC, {source}: {told or 'no instruments'}"


def columns(width: int) -> tuple[str, ...]:
    """The columns that there is room for."""
    found = ["!instrument", "state", ">age", ">price", ">24h %", ">volume", ">spread %"]
    if width >= _WIDE:
        found[4:4] = [">bid", ">ask"]
    found.append("!24 hours")
    if width >= _WIDER:
        found.append("in focus for")
    return tuple(found)


def row(line: MarketLine, width: int) -> tuple[str, ...]:
    """One instrument; `*` is in focus, `^` and `v` moved within an hour."""
    prices = [_price(line.mid if line.mid is not None else line.last)]
    if width >= _WIDE:  # a kept row of the scout tier has neither
        prices += [_price(line.bid), _price(line.ask)]
    cells = [
        f"{_MARK[line.tier == FOCUS]}{line.symbol}{_arrow(line)}",
        line.state.value,
        "-" if line.age_s is None else lasted(float(line.age_s)),
        *prices,
        _signed(line.change_pct),
        _amount(line.quote_volume),
        "-" if line.spread_pct is None else f"{line.spread_pct:.3f}",
        sparkline(line.curve, _CURVE if width >= _WIDE else _SHORT_CURVE),
    ]
    if width >= _WIDER:
        cells.append(", ".join(line.reasons))
    return tuple(cells)


def show_markets(printer: Printer, view: MarketView, lines: Sequence[MarketLine]) -> None:
    """The whole table, and why instruments are not live."""
    printer.heading(heading(view, market_lines(view)))
    if view.snapshots and not lines:
        printer.line("None of them is in that state.")
        return
    if not lines:
        printer.line("Nothing is kept yet: zoe markets watches, zoe markets --once looks once.")
        return
    width = printer.width
    printer.table(columns(width), [row(each, width) for each in lines], styles=STYLES)
    show_legend(printer, lines)


def show_legend(printer: Printer, lines: Sequence[MarketLine]) -> None:
    """What the marks mean, and each reason for which an instrument is not live."""
    printer.line()
    printer.wrapped(
        "",
        "* in focus. ^ v moved within an hour. Volume is of 24 hours, in the quote currency.",
    )
    reasons: dict[str, list[str]] = {}
    for each in lines:
        if each.reason:
            reasons.setdefault(f"{each.state.value}, {each.reason}", []).append(each.symbol)
    for reason, symbols in sorted(reasons.items()):
        printer.wrapped(f"{reason}: ", " ".join(symbols))


def fitting(lines: Sequence[MarketLine]) -> Sequence[MarketLine]:
    """As many as the terminal has lines for."""
    return lines[: max(1, shutil.get_terminal_size((80, 24)).lines - _ROWS_BESIDE)]


def _arrow(line: MarketLine) -> str:
    if line.moved_pct is None:
        return ""
    return " ^" if line.moved_pct >= 0 else " v"


def _price(value: Decimal | None) -> str:
    return "-" if value is None else short(value)


def _signed(value: Decimal | None) -> str:
    return "-" if value is None else f"{value:+.2f}"


def _amount(value: Decimal | None) -> str:
    """Three to four digits that say how much."""
    if value is None:
        return "-"
    for scale, letter in _SCALES:
        if value >= scale:
            return f"{value / scale:.1f}{letter}"
    return f"{value:.0f}"
