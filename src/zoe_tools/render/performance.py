"""What a replay's trading came to, for eyes: figures, and on a terminal the equity curve."""

from __future__ import annotations

from decimal import Decimal

from zoe_tools.core.performance import Performance
from zoe_tools.render.printer import Printer
from zoe_tools.render.sparkline import sparkline

_LEAST = 2
"""Points that make a curve."""


def performance_rows(told: Performance) -> tuple[tuple[str, str], ...]:
    """Name and figure of each line."""
    equity = f"{told.starting_equity:,.2f} to {told.ending_equity:,.2f} USD"
    held = _percent(told.buy_and_hold_pct)
    return (
        ("equity", f"{equity}: {told.return_pct:+.2f} %, to buy and hold {held}"),
        ("drawdown", f"{told.max_drawdown:,.2f} USD, {told.max_drawdown_pct:.2f} % at the most"),
        ("trades", _trades(told)),
        ("expectancy", _expectancy(told)),
        (
            "profit factor",
            "-" if told.profit_factor is None else f"{told.profit_factor:.2f}",
        ),
        (
            "exposure",
            f"{told.exposure_pct:.1f} % of the time, {told.invested_pct:.1f} % of the equity",
        ),
        ("turnover", _turnover(told)),
    )


def show_curve(printer: Printer, told: Performance) -> None:
    """The equity curve in one line, on a terminal."""
    values = [each.equity for each in told.curve]
    if not printer.is_terminal or len(values) < _LEAST:
        return
    lead = "  curve  "
    ends = f"  {min(values):,.2f} to {max(values):,.2f}"
    room = printer.width - len(lead) - len(ends)
    printer.line(f"{lead}{sparkline(values, room)}{ends}")
    printer.line()


def _trades(told: Performance) -> str:
    if not told.trades:
        return "none"
    row = f", {told.longest_losing_row} losses in a row at the most" if told.wins else ""
    return f"{told.trades}, {told.win_rate_pct:.1f} % won{row}"


def _expectancy(told: Performance) -> str:
    if told.expectancy is None:
        return "-"
    won, lost = _signed(told.average_win), _signed(told.average_loss)
    return (
        f"{told.expectancy:+.4f} USD a trade, {_percent(told.expectancy_pct)};"
        f" a win {won}, a loss {lost}"
    )


def _turnover(told: Performance) -> str:
    times = "-" if told.turnover is None else f"{told.turnover:.2f}"
    return f"{told.traded:,.2f} USD, {times} times the equity; fees {told.fees:,.4f} USD"


def _signed(value: Decimal | None) -> str:
    return "-" if value is None else f"{value:+.4f}"


def _percent(value: Decimal | None) -> str:
    return "-" if value is None else f"{value:+.2f} %"
