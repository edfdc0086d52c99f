"""Movers: against the price of an hour ago, told once, with a rest."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from builders import BTC, NOON, d, make_row
from zoe_tools.core.market_movers import (
    Move,
    MoverRules,
    acceleration_of,
    judged,
    reference_of,
)
from zoe_tools.core.market_sparklines import bucket_of, points_of
from zoe_tools.domain.market_watch import MarketRow, MarketState, Mover, MoverKind, SparkPoint

RULES = MoverRules()
MOMENTUM, VOLUME = MoverKind
AN_HOUR_AGO = NOON - timedelta(hours=1)


def _point(minutes_ago: float, mid: str = "100", volume: str = "2400") -> SparkPoint:
    at = NOON - timedelta(minutes=minutes_ago)
    return SparkPoint(symbol=BTC, bucket_at=at, mid=d(mid), quote_volume=d(volume))


def _row(mid: str, *, quote_volume: str = "2400", spread: str = "0.2") -> MarketRow:
    """At that price, with the turnover of a usual day."""
    half = d(spread) / 2
    return make_row(bid=d(mid) - half, ask=d(mid) + half, volume=d(quote_volume), vwap=Decimal(1))


def _told(*mids: str, minutes: float = 1.0, rules: MoverRules = RULES) -> list[tuple[int, str]]:
    """At which look a mover was told, and its change; looks are so many minutes apart."""
    told: list[tuple[int, str]] = []
    move: Move | None = None
    for number, mid in enumerate(mids):
        now = NOON + timedelta(minutes=minutes * number)
        move, mover = judged(_row(mid), _point(60), move, rules, now)
        if mover is not None:
            told.append((number, f"{mover.change_pct:+.0f}"))
    return told


@pytest.mark.parametrize(
    ("ages", "chosen"),
    [
        ((0, 15, 30, 45, 60, 75), 60),
        ((44, 76), None),
        ((45,), 45),
        ((75,), 75),
        ((50, 65), 65),
        ((55, 65), 65),
        ((), None),
    ],
)
def test_the_price_of_an_hour_ago_is_the_nearest_within_a_quarter(
    ages: tuple[float, ...], chosen: float | None
) -> None:
    """Of two that are as near, the older."""
    found = reference_of([_point(each) for each in ages], NOON)

    assert found == (None if chosen is None else _point(chosen))


@pytest.mark.parametrize("kind", [MOMENTUM, VOLUME])
def test_a_move_of_a_kind_that_is_switched_off_is_over(kind: MoverKind) -> None:
    """A watch that is started with other settings remembers it, and does not follow it for ever."""
    rules = replace(RULES, momentum_pct=d("0"), acceleration=d("0"))
    move = Move(kind=kind, is_up=True, seen_at=NOON)
    assert judged(_row("101"), _point(60), move, rules, NOON) == (replace(move, lasts=False), None)


def test_a_mover_says_from_where_to_where() -> None:
    """In percent of the price of an hour ago."""
    _, mover = judged(_row("103"), _point(60), None, RULES, NOON)

    assert mover == Mover(
        symbol=BTC,
        kind=MOMENTUM,
        detected_at=NOON,
        mid=d("103"),
        reference=d("100"),
        reference_at=AN_HOUR_AGO,
        change_pct=d("3"),
        acceleration=d("1"),
        spread_pct=d("0.2") / d("103") * 100,
    )


@pytest.mark.parametrize(
    ("row", "reference"),
    [
        (_row("102.99"), _point(60)),
        (_row("97.01"), _point(60)),
        (_row("103", spread="1.1"), _point(60)),
        (_row("103"), None),
        (replace(_row("103"), state=MarketState.STALE), _point(60)),
        (replace(_row("103"), state=MarketState.HALTED), _point(60)),
        (replace(_row("103"), ticker=None), _point(60)),
    ],
)
def test_what_is_no_mover(row: MarketRow, reference: SparkPoint | None) -> None:
    """Too little, too wide a spread, or a price that nobody vouches for."""
    assert judged(row, reference, None, RULES, NOON) == (None, None)


def test_defect_the_same_mover_was_told_at_each_flush() -> None:
    """Once, for as long as it lasts."""
    assert _told("103", "104", "103", "105", "103.5") == [(0, "+3")]


def test_a_move_that_wavers_about_the_threshold_is_one_move() -> None:
    """It ends at two thirds of it."""
    assert _told("103", "102.5", "103", "102", "103", minutes=40) == [(0, "+3")]


def test_a_move_that_ended_is_told_again_after_the_rest() -> None:
    """From when it was last seen on; before that it goes on without a word."""
    assert _told("103", "101", "103", minutes=10) == [(0, "+3")]
    assert _told("103", "101", "103", minutes=16) == [(0, "+3"), (2, "+3")]


def test_a_move_the_other_way_is_another_one() -> None:
    """It is told at once."""
    assert _told("103", "97", "96") == [(0, "+3"), (1, "-3")]


def test_a_move_stands_while_nothing_can_be_said() -> None:
    """A price that was away for a look ends nothing, so that nothing is told twice."""
    move = Move(kind=MOMENTUM, is_up=True, seen_at=NOON)

    assert judged(_row("103", spread="5"), _point(60), move, RULES, NOON) == (move, None)


@pytest.mark.parametrize(
    ("now", "before", "times"),
    [
        ("2400", "2400", "1"),
        ("2500", "2400", "2"),
        ("2300", "2400", "0"),
        ("2000", "2400", "0"),
        ("100", "0", None),
    ],
)
def test_acceleration_is_measured_in_usual_hours(now: str, before: str, times: str | None) -> None:
    """A 24th of the day before is one; it is never below none."""
    assert acceleration_of(d(now), d(before)) == (None if times is None else d(times))


def test_a_pair_that_is_traded_much_more_is_a_mover_too() -> None:
    """Told as such, and told again once it has moved as well."""
    move, mover = judged(_row("101", quote_volume="2500"), _point(60), None, RULES, NOON)
    assert mover is not None
    assert (mover.kind, mover.acceleration) == (VOLUME, d("2"))

    later = judged(_row("101", quote_volume="2470"), _point(60), move, RULES, NOON)
    assert later[1] is None
    moved = judged(_row("103", quote_volume="2500"), _point(60), move, RULES, NOON)
    assert moved[1] is not None
    assert moved[1].kind is MOMENTUM


def test_a_detector_of_0_is_off() -> None:
    """Both can be."""
    busy = _row("103", quote_volume="4800")
    off = MoverRules(momentum_pct=d("0"), acceleration=d("0"))

    assert judged(busy, _point(60), None, off, NOON) == (None, None)


def test_defect_points_were_not_bucketed() -> None:
    """They stand at whole multiples of the interval, whenever the sampler comes."""
    at = NOON + timedelta(minutes=16, seconds=59)

    assert bucket_of(at, 900) == NOON + timedelta(minutes=15)
    assert bucket_of(NOON, 900) == NOON


def test_only_prices_to_be_believed_become_points() -> None:
    """A curve of stale prices would be flat and wrong."""
    rows = [_row("103"), replace(_row("1"), state=MarketState.STALE), make_row("X/USD", bid=d("0"))]

    assert points_of(rows, NOON, 900) == (_point(0, "103"),)
