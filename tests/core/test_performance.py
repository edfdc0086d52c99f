"""What a run's trading came to, as traders read it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import BTC, ETH, NOON, d, make_fill, make_position
from zoe_tools.core.performance import (
    KEPT_POINTS,
    CurvePoint,
    Performance,
    max_drawdown,
    performance_of,
    thinned,
)
from zoe_tools.domain.identifiers import PositionId
from zoe_tools.domain.position import Position, PositionStatus

HOUR = timedelta(hours=1)


def curve(*equities: str, held: str = "0") -> list[CurvePoint]:
    """A point an hour."""
    return [
        CurvePoint(at=NOON + number * HOUR, equity=d(each), held=d(held))
        for number, each in enumerate(equities)
    ]


def trip(number: int, result: str, *, opened: float = 0, closed: float = 1) -> Position:
    """A round trip of 100 USD, from one hour after noon to another."""
    return make_position(
        position_id=PositionId(f"P{number}"),
        status=PositionStatus.CLOSED,
        quantity=d("0"),
        exit_quantity=d("1"),
        average_cost=d("100"),
        realised_pnl=d(result),
        opened_at=NOON + opened * HOUR,
        closed_at=NOON + closed * HOUR,
    )


def told(*positions: Position, points: list[CurvePoint] | None = None) -> Performance:
    """The report of these."""
    found = performance_of(points or curve("1000", "1010"), positions=positions, fills=(), marks={})
    assert found is not None
    return found


def test_a_worked_example() -> None:
    """Wins of 6 and 3, losses of 2, 1 and 2: 4 in 5 trades, 9 over 5, a row of two."""
    results = ("6", "-2", "3", "-1", "-2")
    report = told(*(trip(n, each, closed=n) for n, each in enumerate(results, 1)))

    assert (report.trades, report.wins, report.win_rate_pct) == (5, 2, d("40"))
    assert (report.expectancy, report.expectancy_pct) == (d("0.8"), d("0.8"))
    assert (report.average_win, report.profit_factor) == (d("4.5"), d("1.8"))
    assert report.average_loss == d("-1.66666667")
    assert report.longest_losing_row == 2


def test_what_has_no_meaning_yet_is_none_and_not_zero() -> None:
    """No trade has no expectancy; without a loss there is no factor."""
    idle, winning = told(), told(trip(1, "5"))

    assert (idle.trades, idle.expectancy, idle.win_rate_pct, idle.profit_factor) == (
        0, None, None, None,
    )  # fmt: skip
    assert (winning.profit_factor, winning.average_loss) == (None, None)
    assert winning.win_rate_pct == 100
    assert performance_of([], positions=(), fills=(), marks={}) is None


@pytest.mark.parametrize(
    ("equities", "fall", "pct"),
    [
        (("100", "110", "120"), "0", "0"),
        (("100", "80", "120", "90"), "30", "25"),
        (("100", "50", "400", "300"), "100", "50"),
        (("100",), "0", "0"),
    ],
)
def test_the_drawdown_is_the_deepest_fall_from_a_peak(
    equities: tuple[str, ...], fall: str, pct: str
) -> None:
    """In money and in percent, which need not be the same fall."""
    assert max_drawdown([d(each) for each in equities]) == (d(fall), d(pct))


@given(st.lists(st.decimals("1", "1000000", places=2), min_size=1, max_size=30))
def test_the_drawdown_is_that_of_every_pair(values: list[Decimal]) -> None:
    """Against the slow way: each value and each one after it."""
    falls = [
        (early - late, (early - late) / early * 100)
        for number, early in enumerate(values)
        for late in values[number:]
    ]
    found = max_drawdown(values)

    assert found == (max(fall for fall, _ in falls), max(pct for _, pct in falls))


def test_the_return_is_held_against_doing_nothing_clever() -> None:
    """Equal parts of all instruments, from the first price to the last."""
    marks = {BTC: (d("100"), d("120")), ETH: (d("50"), d("45"))}
    report = performance_of(curve("1000", "1030"), positions=(), fills=(), marks=marks)

    assert report is not None
    assert (report.return_pct, report.buy_and_hold_pct) == (d("3"), d("5"))
    assert told().buy_and_hold_pct is None


def test_exposure_counts_time_once_and_within_the_run() -> None:
    """Four hours; held from before the start to 1, from 2 to 3 twice, and from 3.5 on."""
    positions = (
        trip(1, "1", opened=-5, closed=1),
        trip(2, "1", opened=2, closed=3),
        trip(3, "1", opened=2.2, closed=2.8),
        make_position(opened_at=NOON + 3.5 * HOUR),
    )
    report = told(*positions, points=curve(*["1000"] * 5, held="250"))

    assert (report.exposure_pct, report.invested_pct) == (d("62.5"), d("25"))


def test_turnover_is_what_was_traded_over_the_mean_equity() -> None:
    """Both sides count; fees are told beside it."""
    fills = (make_fill(quantity=d("1"), price=d("600")), make_fill(price=d("400")))
    report = performance_of(curve("900", "1100"), positions=(), fills=fills, marks={})

    assert report is not None
    assert (report.traded, report.turnover, report.fees) == (d("1000"), d("1"), d("0.52"))


@given(st.integers(1, 3 * KEPT_POINTS))
def test_a_long_curve_keeps_its_first_and_last_point(count: int) -> None:
    """And no more than so many, in their order."""
    points = curve(*map(str, range(1, count + 1)))
    kept = thinned(points)

    assert len(kept) == min(count, KEPT_POINTS)
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert [each.at for each in kept] == sorted({each.at for each in kept})
