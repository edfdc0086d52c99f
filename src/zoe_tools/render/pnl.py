"""The report of `zoe pnl` for a person; an estimate says so where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from zoe_tools.core.pnl import AssetLine, PnlReport
from zoe_tools.domain.money import short
from zoe_tools.render.printer import Printer, age
from zoe_tools.render.sparkline import sparkline

_COLUMNS = ("asset", "quantity", "average cost", "mark", "age", "value", "unrealised", "realised")
_DROPPED_FIRST = ("value", "average cost", "mark", "quantity")
_GAP = 3
_ROUGH = "~"
_DIGITS = Decimal("1E-8")


def show_pnl(printer: Printer, report: PnlReport) -> None:
    """Everything, in the width there is."""
    since = f"{report.since:%Y-%m-%d %H:%M}" if report.since else "the beginning"
    printer.heading(
        f"Profit and loss from {since} to {report.until:%Y-%m-%d %H:%M} UTC,"
        f" {report.method.value.upper()}, in {report.currency}"
    )
    printer.report("", list(_summary(report)))
    _show_curve(printer, report)
    if report.assets:
        printer.line()
        _show_assets(printer, report)
    if report.is_estimated:
        printer.line()
        printer.line(f"{_ROUGH} is an estimate:")
    for note in report.notes:
        printer.wrapped("  - ", note)


def _summary(report: PnlReport) -> Iterator[tuple[str, str]]:
    trades = report.trades
    yield "realised", f"{_signed(report.realised)}  net of fees{_closed(report)}"
    for name, amount in (
        ("income", report.income),
        ("on margin", report.margin),
        ("charges", report.charges),
    ):
        if amount:
            yield name, _signed(amount)
    rough = any(each.is_estimated and each.quantity for each in report.assets)
    yield "unrealised", f"{_signed(report.unrealised)}{_estimate(is_so=rough)}"
    if trades.win_rate_pct is not None and trades.expectancy is not None:
        told = f"{trades.win_rate_pct:.1f} %  {trades.wins} won, {trades.losses} lost"
        yield "win rate", f"{told}; expectancy {_signed(trades.expectancy)} a trade"
    yield "fees", _fees(report)
    came, went = _money(report.deposits), _money(report.withdrawals)
    brought = _rough(_money(report.net_deposits), is_so=report.is_flow_estimated)
    yield "net deposits", f"{brought}  {came} in, {went} out"
    if report.equity is not None:
        gross, net = _money(report.equity.gross), _money(report.equity.net)
        rough_worth = _estimate(is_so=report.equity.is_estimated)
        yield "equity", f"{gross} gross, {net} net of exit fees{rough_worth}"
    elif report.curve:
        last = report.curve[-1]
        gross, net = _money(last.gross), _money(last.net)
        yield "equity", f"{gross} gross, {net} net on {last.taken_at:%Y-%m-%d %H:%M} UTC"
    if report.return_pct is not None:
        told = _rough(f"{report.return_pct:+.2f} %", is_so=report.is_return_estimated)
        yield "return", f"{told}  time-weighted, flows left out"
    if report.drawdown_pct is not None:
        told = _rough(f"{report.drawdown_pct:.2f} %", is_so=report.is_return_estimated)
        yield "drawdown", f"{told}  deepest {report.max_drawdown_pct:.2f} %"


def _closed(report: PnlReport) -> str:
    trades = report.trades
    if not trades.closed:
        return "; no trade closed"
    word = "trade" if trades.closed == 1 else "trades"
    waiting = f", {trades.waiting} without a result yet" if trades.waiting else ""
    return f"; {trades.closed} {word} closed{waiting}"


def _fees(report: PnlReport) -> str:
    if not report.fees:
        return "none"
    paid = ", ".join(f"{short(each.amount)} {each.asset}" for each in report.fees)
    total = sum((each.value for each in report.fees), Decimal(0))
    rough = any(each.is_estimated for each in report.fees)
    return f"{_money(total)}  {paid}{_estimate(is_so=rough)}"


def _show_curve(printer: Printer, report: PnlReport) -> None:
    whole = [each.gross for each in report.curve]
    if not printer.is_terminal or len(whole) < 2:  # noqa: PLR2004 - two points make a curve
        return
    lead = "  curve         "
    ends = f"  {_money(min(whole))} to {_money(max(whole))}"
    room = printer.width - len(lead) - len(ends)
    printer.line(f"{lead}{sparkline(whole, room)}{ends}")


def _show_assets(printer: Printer, report: PnlReport) -> None:
    """As many columns as fit whole; what has no room is in --json."""
    table = {name: [name] for name in _COLUMNS}
    for line in report.assets:
        for name, cell in zip(_COLUMNS, _row(line, report.until), strict=True):
            table[name].append(cell)
    for name in _DROPPED_FIRST:
        if _width(table) > printer.width:
            del table[name]
    columns = [f"!{name}" if name == "asset" else f">!{name}" for name in table]
    rows = list(zip(*(cells[1:] for cells in table.values()), strict=True))
    printer.table(columns, rows)


def _width(table: dict[str, list[str]]) -> int:
    widest = [max(len(cell) for cell in cells) for cells in table.values()]
    return sum(widest) + _GAP * (len(widest) - 1)


def _row(line: AssetLine, now: datetime) -> list[str]:
    """One cell for each of `_COLUMNS`."""
    is_held = bool(line.quantity)
    unrealised = _rough(_signed(line.unrealised), is_so=line.is_estimated)
    return [
        line.asset,
        short(line.quantity.quantize(_DIGITS)),
        _price(line.average_cost),
        _price(line.mark) if is_held else "-",
        age(line.marked_at, now) if line.marked_at and is_held else "-",
        _money(line.value) if is_held else "-",
        unrealised if is_held and line.unrealised is not None else "-",
        _rough(_signed(line.realised), is_so=bool(line.waiting or line.shortfall)),
    ]


def _price(price: Decimal | None) -> str:
    """As many digits as say something: cents of what is dear, more of what is cheap."""
    if price is None:
        return "-"
    return f"{price:,.2f}" if price >= 10 else short(price.quantize(_DIGITS))  # noqa: PLR2004 - above it cents are fine enough


def _money(amount: Decimal | None) -> str:
    return "-" if amount is None else f"{amount:,.2f}"


def _signed(amount: Decimal | None) -> str:
    return "-" if amount is None else f"{amount:+,.2f}"


def _rough(text: str, *, is_so: bool) -> str:
    return f"{_ROUGH}{text}" if is_so else text


def _estimate(*, is_so: bool) -> str:
    return "  (estimated)" if is_so else ""
