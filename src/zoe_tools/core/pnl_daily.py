"""The result of each UTC day, made anew of what the books know by now.

A row that is there already and comes out otherwise (a ledger row came late, a cost was declared)
is restated, and says when. A day is final once it is over and the books agreed with the venue
after its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import TypeVar

from zoe_tools.core.lot_history import FeePaid, History, Result
from zoe_tools.core.lot_walk import Walk, end_of, moment_of, realised_of, unrealised_of, walk
from zoe_tools.core.pnl import PnlInput, curve_in, history_in, trades_of
from zoe_tools.domain.equity import EquityPoint, PnlDay
from zoe_tools.domain.lot import LotMethod, LotOutcome, Match
from zoe_tools.domain.money import HUNDRED, ONE, ZERO

T = TypeVar("T")


def pnl_days(given: PnlInput, *, reconciled_at: datetime | None) -> tuple[PnlDay, ...]:
    """One row for each UTC day that has a point of the equity curve, oldest first; lots FIFO."""
    history = history_in(given)
    points: dict[date, list[EquityPoint]] = {}
    for point in curve_in(given, history):
        points.setdefault(point.taken_at.date(), []).append(point)
    walked = walk(history, LotMethod.FIFO, points)
    maker = _Days(given, history, walked, reconciled_at)
    return tuple(maker.days(points))


def restated(
    stored: Iterable[PnlDay], fresh: Iterable[PnlDay], *, now: datetime
) -> tuple[PnlDay, ...]:
    """The rows that have to be written: those that are new, and those whose figures changed.

    A day that is still running changes all the time; that is no restatement.
    """
    known = {each.date: each for each in stored}
    rows = []
    for row in fresh:
        before = known.get(row.date)
        if before is None:
            rows.append(row)
            continue
        same = replace(row, restated_at=before.restated_at, updated_at=before.updated_at)
        if same == before:
            continue
        was_over = before.updated_at >= end_of(row.date)
        is_other = replace(same, is_final=before.is_final) != before
        when = now if was_over and is_other else before.restated_at
        rows.append(replace(row, restated_at=when))
    return tuple(rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Booked:
    """What one day had."""

    outcomes: Sequence[LotOutcome]
    results: Sequence[Result]
    fees: Sequence[FeePaid]


@dataclass(frozen=True, slots=True)
class _Days:
    given: PnlInput
    history: History
    walked: Walk
    reconciled_at: datetime | None

    def days(self, points: Mapping[date, Sequence[EquityPoint]]) -> Iterator[PnlDay]:
        outcomes = _by_day(self.walked.outcomes, moment_of)
        results = _by_day(self.history.results, lambda each: each.at)
        fees = _by_day(self.history.fees, lambda each: each.at)
        before: EquityPoint | None = None
        for day, seen in points.items():
            opening = before or seen[0]
            booked = _Booked(
                outcomes=outcomes.get(day, ()),
                results=results.get(day, ()),
                fees=[each for each in fees.get(day, ()) if each.amount],
            )
            yield self._day(day, opening, seen, booked)
            before = seen[-1]

    def _day(
        self,
        day: date,
        opening: EquityPoint,
        seen: Sequence[EquityPoint],
        booked: _Booked,
    ) -> PnlDay:
        given, closing = self.given, seen[-1]
        matches = [each for each in booked.outcomes if isinstance(each, Match)]
        gains = [realised_of(each) for each in matches]
        results, fees = booked.results, booked.fees
        held = self.walked.open_at.get(day, self.walked.open_now)
        unrealised, is_rough = unrealised_of(
            held, given.marks, given.currency, min(closing.taken_at, given.now)
        )
        flow = sum((each.flow for each in seen), ZERO)
        trades = trades_of(matches, self.history.trades)
        is_over = given.now >= end_of(day)
        reconciled = self.reconciled_at is not None and self.reconciled_at >= end_of(day)
        return PnlDay(
            date=day,
            currency=given.currency,
            opening_equity=opening.gross,
            gross_equity=closing.gross,
            net_equity=closing.net,
            net_deposits=flow,
            daily_pnl=closing.gross - opening.gross - flow,
            realised_pnl=_known(gains) + _known(each.value for each in results),
            unrealised_pnl=unrealised,
            fees_paid=_known(each.value for each in fees),
            return_pct=_return_pct(opening, closing),
            drawdown_pct=closing.drawdown_pct,
            trades=trades.closed,
            wins=trades.wins,
            losses=trades.losses,
            expectancy=trades.expectancy,
            is_estimated=is_rough
            or closing.is_estimated
            or any(each is None for each in gains)
            or any(each.is_estimated for each in matches)
            or any(each.is_estimated for each in results)
            or any(each.value is None for each in fees),
            is_final=is_over and reconciled,
            updated_at=given.now,
        )


def _by_day(things: Iterable[T], moment: Callable[[T], datetime]) -> dict[date, list[T]]:
    found: dict[date, list[T]] = {}
    for each in things:
        found.setdefault(moment(each).date(), []).append(each)
    return found


def _known(amounts: Iterable[Decimal | None]) -> Decimal:
    return sum((each for each in amounts if each is not None), ZERO)


def _return_pct(opening: EquityPoint, closing: EquityPoint) -> Decimal:
    if not opening.return_index:
        return ZERO
    return (closing.return_index / opening.return_index - ONE) * HUNDRED
