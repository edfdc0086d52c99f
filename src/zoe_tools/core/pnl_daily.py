"""The result of each UTC day, made anew of what the books know by now.

A row that is there already and comes out otherwise (a ledger row came late, a cost was declared)
is restated, and says when. A day is final once it is over and the books agreed with the venue
after its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from zoe_tools.core.lot_history import FeePaid, Flow, History, Result
from zoe_tools.core.lot_walk import Walk, end_of, moment_of, realised_of, unrealised_of, walk
from zoe_tools.core.pnl import PnlInput, curve_in, history_in, trades_of
from zoe_tools.domain.equity import EquityPoint, PnlDay
from zoe_tools.domain.lot import LotMethod, LotOutcome, Match, Shortfall
from zoe_tools.domain.money import HUNDRED, ONE, ZERO

T = TypeVar("T")


def pnl_days(given: PnlInput, *, reconciled_at: datetime | None) -> tuple[PnlDay, ...]:
    """One row for each UTC day with a point of the equity curve or a result, oldest first; FIFO.

    A day without a point has the equity of the one before it, or of the first, as an estimate.
    Without any point there is no row.
    """
    history = history_in(given)
    points: dict[date, list[EquityPoint]] = {}
    for point in curve_in(given, history):
        points.setdefault(point.taken_at.date(), []).append(point)
    if not points:
        return ()
    today = given.now.date()
    days = sorted({*points, *(each for each in _eventful(history) if each <= today)})
    walked = walk(history, LotMethod.FIFO, days)
    maker = _Days(given, history, walked, reconciled_at)
    return tuple(maker.days(days, points))


def _eventful(history: History) -> Iterator[date]:
    """The days on which anything was booked, some of them often."""
    for group in (history.events, history.results, history.fees, history.flows):
        yield from (each.at.date() for each in group)
    yield from (each.booked_at.date() for each in history.strange)


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
    flows: Sequence[Flow]
    is_strange: bool

    @property
    def matches(self) -> tuple[Match, ...]:
        return tuple(each for each in self.outcomes if isinstance(each, Match))

    @property
    def is_sure(self) -> bool:
        """Whether every result of it has a cost and a price, and every row is understood."""
        return not (
            self.is_strange
            or any(isinstance(each, Shortfall) for each in self.outcomes)
            or any(each.is_estimated or realised_of(each) is None for each in self.matches)
            or any(each.is_estimated for each in self.results)
            or any(each.value is None for each in self.fees)
            or any(each.is_estimated for each in self.flows)
        )


@dataclass(frozen=True, slots=True)
class _Days:
    given: PnlInput
    history: History
    walked: Walk
    reconciled_at: datetime | None

    def days(
        self, days: Iterable[date], points: Mapping[date, Sequence[EquityPoint]]
    ) -> Iterator[PnlDay]:
        outcomes = _by_day(self.walked.outcomes, moment_of)
        results = _by_day(self.history.results, lambda each: each.at)
        fees = _by_day(self.history.fees, lambda each: each.at)
        flows = _by_day(self.history.flows, lambda each: each.at)
        strange = {each.booked_at.date() for each in self.history.strange}
        opening = next(iter(points.values()))[0]
        for day in days:
            booked = _Booked(
                outcomes=outcomes.get(day, ()),
                results=results.get(day, ()),
                fees=[each for each in fees.get(day, ()) if each.amount],
                flows=flows.get(day, ()),
                is_strange=day in strange,
            )
            seen = points.get(day) or [_standing(opening, day)]
            yield self._day(day, opening, seen, booked)
            opening = points[day][-1] if day in points else opening

    def _day(
        self,
        day: date,
        opening: EquityPoint,
        seen: Sequence[EquityPoint],
        booked: _Booked,
    ) -> PnlDay:
        given, closing = self.given, seen[-1]
        results, fees = booked.results, booked.fees
        held = self.walked.open_at.get(day, self.walked.open_now)
        unrealised, is_rough = unrealised_of(
            held, given.marks, given.currency, min(closing.taken_at, given.now)
        )
        flow = sum((each.flow for each in seen), ZERO)
        trades = trades_of(booked.matches, self.history.trades)
        is_over = given.now >= end_of(day)
        reconciled = self.reconciled_at is not None and self.reconciled_at >= end_of(day)
        is_seen = not any(each.is_estimated for each in (opening, *seen))
        return PnlDay(
            date=day,
            currency=given.currency,
            opening_equity=opening.gross,
            gross_equity=closing.gross,
            net_equity=closing.net,
            net_deposits=flow,
            daily_pnl=closing.gross - opening.gross - flow,
            realised_pnl=_known(realised_of(each) for each in booked.matches)
            + _known(each.value for each in results),
            unrealised_pnl=unrealised,
            fees_paid=_known(each.value for each in fees),
            return_pct=_return_pct(opening, closing),
            drawdown_pct=closing.drawdown_pct,
            trades=trades.closed,
            wins=trades.wins,
            losses=trades.losses,
            expectancy=trades.expectancy,
            is_estimated=is_rough or not is_seen or not booked.is_sure,
            is_final=is_over and reconciled,
            updated_at=given.now,
        )


def _standing(point: EquityPoint, day: date) -> EquityPoint:
    """What a day is told to end with that nobody looked at: what was there before, or comes."""
    end = end_of(day) - timedelta(microseconds=1)
    return replace(point, taken_at=end, flow=ZERO, is_estimated=True)


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
