"""What a run's trading came to, as traders read it: trades, expectancy, drawdown, equity curve.

From the books and from points of the curve alone; equal inputs give equal reports. Percentages are
of what there was; a figure that has no meaning yet (no trade, no loss) is None and not zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.money import HUNDRED, ZERO, round_half_up
from zoe_tools.domain.position import Position, PositionStatus

MONEY_DECIMALS = 8
RATIO_DECIMALS = 4
KEPT_POINTS = 500
"""Of a longer curve the last point of each stretch is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """What the account was worth, and how much of it was held in coins, in quote."""

    at: datetime
    equity: Decimal
    held: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """See the module. Money in quote, `_pct` in percent.

    `expectancy` is the mean result of a closed trade, net of fees; `profit_factor` what was won
    over what was lost. `exposure_pct` is the share of time with a position, `invested_pct` the
    mean share of the equity in coins. `turnover` is all that was bought and sold, over the mean
    equity. `buy_and_hold_pct` is what equal parts of all instruments did, without fees.
    """

    starting_equity: Decimal
    ending_equity: Decimal
    return_pct: Decimal
    buy_and_hold_pct: Decimal | None
    max_drawdown: Decimal
    max_drawdown_pct: Decimal
    trades: int
    wins: int
    win_rate_pct: Decimal | None
    expectancy: Decimal | None
    expectancy_pct: Decimal | None
    average_win: Decimal | None
    average_loss: Decimal | None
    profit_factor: Decimal | None
    longest_losing_row: int
    fees: Decimal
    traded: Decimal
    turnover: Decimal | None
    exposure_pct: Decimal
    invested_pct: Decimal
    curve: tuple[CurvePoint, ...]


def performance_of(
    curve: Sequence[CurvePoint],
    *,
    positions: Sequence[Position],
    fills: Sequence[Fill],
    marks: Mapping[Symbol, tuple[Decimal, Decimal]],
) -> Performance | None:
    """The report; None without a curve. `marks` are first and last price of each instrument."""
    if not curve:
        return None
    closed = [each for each in positions if each.status is PositionStatus.CLOSED]
    closed.sort(key=lambda each: (each.closed_at or each.opened_at, each.position_id))
    results = [each.realised_pnl for each in closed]
    won, lost = [each for each in results if each > ZERO], [each for each in results if each < ZERO]
    start, end = curve[0].equity, curve[-1].equity
    drawdown, drawdown_pct = max_drawdown([each.equity for each in curve])
    mean_equity = _mean([each.equity for each in curve]) or ZERO
    traded = sum((each.cost for each in fills), ZERO)
    gained = _mean([_gain_pct(each) for each in closed])
    return Performance(
        starting_equity=_money(start),
        ending_equity=_money(end),
        return_pct=_ratio((end / start - 1) * HUNDRED) if start else ZERO,
        buy_and_hold_pct=_optional_ratio(_buy_and_hold_pct(marks)),
        max_drawdown=_money(drawdown),
        max_drawdown_pct=_ratio(drawdown_pct),
        trades=len(closed),
        wins=len(won),
        win_rate_pct=_ratio(HUNDRED * len(won) / len(closed)) if closed else None,
        expectancy=_optional_money(_mean(results)),
        expectancy_pct=_optional_ratio(gained),
        average_win=_optional_money(_mean(won)),
        average_loss=_optional_money(_mean(lost)),
        profit_factor=_ratio(sum(won, ZERO) / -sum(lost, ZERO)) if lost else None,
        longest_losing_row=_longest_losing_row(results),
        fees=_money(sum((each.fee for each in fills), ZERO)),
        traded=_money(traded),
        turnover=_ratio(traded / mean_equity) if mean_equity else None,
        exposure_pct=_ratio(_exposure_pct(positions, curve[0].at, curve[-1].at)),
        invested_pct=_ratio(_invested_pct(curve)),
        curve=thinned(curve),
    )


def max_drawdown(values: Sequence[Decimal]) -> tuple[Decimal, Decimal]:
    """The deepest fall from a peak, in money, and the deepest of its peak, in percent."""
    peak = deepest = deepest_pct = ZERO
    for value in values:
        peak = max(peak, value)
        deepest = max(deepest, peak - value)
        if peak > ZERO:
            deepest_pct = max(deepest_pct, (peak - value) / peak * HUNDRED)
    return deepest, deepest_pct


def thinned(curve: Sequence[CurvePoint]) -> tuple[CurvePoint, ...]:
    """At most `KEPT_POINTS`: the first, and the last of each stretch."""
    count = min(len(curve), KEPT_POINTS)
    if count == len(curve):
        return tuple(curve)
    rest = count - 1
    body = curve[1:]
    return (curve[0], *(body[(number + 1) * len(body) // rest - 1] for number in range(rest)))


def _gain_pct(position: Position) -> Decimal:
    cost = position.entry_quantity * position.average_cost
    return position.realised_pnl / cost * HUNDRED if cost else ZERO


def _longest_losing_row(results: Sequence[Decimal]) -> int:
    longest = row = 0
    for each in results:
        row = row + 1 if each < ZERO else 0
        longest = max(longest, row)
    return longest


def _exposure_pct(positions: Sequence[Position], start: datetime, end: datetime) -> Decimal:
    """The share of the time in which anything was held; what overlaps counts once."""
    if end <= start:
        return ZERO
    spans = sorted(
        (max(each.opened_at, start), min(each.closed_at or end, end))
        for each in positions
        if each.entry_quantity > ZERO
    )
    held, until = timedelta(0), start
    for opened, closed in spans:
        if closed > until:
            held += closed - max(opened, until)
            until = closed
    return HUNDRED * _micros(held) / _micros(end - start)


def _micros(span: timedelta) -> Decimal:
    return Decimal(span // timedelta(microseconds=1))


def _invested_pct(curve: Sequence[CurvePoint]) -> Decimal:
    shares = [each.held / each.equity * HUNDRED for each in curve if each.equity > ZERO]
    return _mean(shares) or ZERO


def _buy_and_hold_pct(marks: Mapping[Symbol, tuple[Decimal, Decimal]]) -> Decimal | None:
    return _mean([(last / first - 1) * HUNDRED for first, last in marks.values() if first > ZERO])


def _mean(values: Sequence[Decimal]) -> Decimal | None:
    return sum(values, ZERO) / len(values) if values else None


def _money(value: Decimal) -> Decimal:
    return round_half_up(value, MONEY_DECIMALS)


def _ratio(value: Decimal) -> Decimal:
    return round_half_up(value, RATIO_DECIMALS)


def _optional_money(value: Decimal | None) -> Decimal | None:
    return None if value is None else _money(value)


def _optional_ratio(value: Decimal | None) -> Decimal | None:
    return None if value is None else _ratio(value)
