"""The result of each UTC day, and the curve that it follows from."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from builders import NOON, d
from pnl_rig import MINUTE, NEXT_DAY, days_of, fill, mark, point, report, row, told_of
from zoe_tools.core.lot_events import flows_in
from zoe_tools.core.marks import MarkBook
from zoe_tools.core.pnl_daily import restated
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.ledger import LedgerEntry
from zoe_tools.domain.order import Side
from zoe_tools.domain.wallet import FUTURES


def test_days_are_utc_days_and_follow_from_one_another() -> None:
    """The second day opens where the first one closed; a deposit is no result."""
    points = [point("1000", 0), point("1100", 11.9), point("1400", 12.1), point("1430", 20)]
    rows = [row("D", "deposit", "USD", "300", minutes=722)]
    first, second = days_of(points, rows=rows, now=NEXT_DAY)

    assert [first.date, second.date] == [date(2026, 1, 5), date(2026, 1, 6)]
    assert (first.opening_equity, first.gross_equity, first.daily_pnl) == (
        d("1000"),
        d("1100"),
        d("100"),
    )
    assert (second.opening_equity, second.net_deposits, second.daily_pnl) == (
        d("1100"),
        d("300"),
        d("30"),
    )
    assert first.return_pct == d("10")


@pytest.mark.parametrize(
    ("now", "reconciled", "is_final"),
    [(6, 5, False), (13, 5, False), (13, 12.5, True), (13, None, False)],
)
def test_a_day_is_final_once_it_is_over_and_reconciled(
    now: float,
    reconciled: float | None,
    is_final: bool,  # noqa: FBT001 - a scenario's column
) -> None:
    """In hours after noon: the day ends twelve later."""
    agreed = None if reconciled is None else NOON + timedelta(hours=reconciled)
    (day,) = days_of([point("1000", 0)], now=NOON + timedelta(hours=now), reconciled_at=agreed)

    assert day.is_final == is_final


def test_only_what_changed_is_written_and_a_day_that_was_over_is_restated() -> None:
    """The same figures again are no row."""
    points = [point("1000", 0)]
    before = days_of(points, now=NEXT_DAY)
    later = NEXT_DAY + timedelta(hours=1)

    assert restated(before, days_of(points, now=later), now=later) == ()
    rows = [row("R", "rollover", "USD", "0", fee="2")]
    (again,) = restated(before, days_of(points, rows=rows, now=later), now=later)
    assert (again.restated_at, again.realised_pnl) == (later, d("-2"))


def test_a_day_that_runs_or_becomes_final_is_not_restated() -> None:
    """Its figures change because time goes on."""
    early = days_of([point("1000", 0)], now=NOON + MINUTE)
    (running,) = restated(
        early, days_of([point("1000", 0), point("1010", 1)], now=NEXT_DAY), now=NEXT_DAY
    )
    (final,) = restated(
        [running],
        days_of([point("1000", 0), point("1010", 1)], now=NEXT_DAY, reconciled_at=NEXT_DAY),
        now=NEXT_DAY,
    )

    assert (running.restated_at, running.gross_equity) == (None, d("1010"))
    assert (final.restated_at, final.is_final) == (None, True)


def test_defect_9_a_flow_that_only_a_point_heard_of_is_no_loss() -> None:
    """Defect 9: the ledger was not imported, but the stream told of the withdrawal."""
    points = [point("1000", 0), replace(point("700", 1), flow=d("-300")), point("700", 2)]
    (day,) = days_of(points, now=NEXT_DAY)

    assert (day.drawdown_pct, day.daily_pnl, day.net_deposits) == (d("0"), d("0"), d("-300"))


def test_the_ledger_s_own_rows_take_the_place_of_what_was_heard() -> None:
    """Once it is imported up to there, a flow is not counted twice."""
    points = [point("1000", 0), replace(point("700", 1), flow=d("-300")), point("700", 2)]
    rows = [
        row("W", "withdrawal", "USD", "-300", minutes=30),
        row("X", "rollover", "USD", "0", minutes=150),
    ]
    (day,) = days_of(points, rows=rows, now=NEXT_DAY)

    assert (day.drawdown_pct, day.net_deposits) == (d("0"), d("-300"))


def test_a_return_that_rests_on_a_blind_point_is_none_and_says_so() -> None:
    """A deposit without a price, and 500 that went: nothing was won, and that is an estimate."""
    blind = replace(point("3500", 2), flow=d("-500"), flow_ids=("D", "W"), is_blind=True)
    told = told_of([point("1000", 0), blind])

    assert (told.return_pct, told.is_return_estimated, told.is_estimated) == (d("0"), True, True)
    assert any("return and drawdown rest on" in note for note in told.notes)
    sure = told_of([point("1000", 0), point("1100", 2)])
    assert (sure.return_pct, sure.is_return_estimated) == (d("10"), False)


def test_an_import_tells_the_exact_time_of_what_a_point_had_noted() -> None:
    """1000 more at the end of two hours in which 1000 won 100: ten percent, not half of it."""
    noted = replace(point("2100", 2), flow=d("1000"), flow_ids=("D",))
    points = [point("1000", 0), noted, point("2100", 3)]

    assert told_of(points).return_pct == d("6.6666666667")
    assert told_of(points).is_return_estimated
    booked = told_of(points, [row("D", "deposit", "USD", "1000", minutes=120)])
    assert booked.return_pct == d("10")
    assert booked.net_deposits == d("1000")


def test_rows_of_later_do_not_make_a_flow_known_that_the_books_lack() -> None:
    """An export of the next month was imported: what the point heard of is still all there is."""
    noted = replace(point("700", 1), flow=d("-300"), flow_ids=("W",))
    later = row("X", "rollover", "USD", "0", minutes=600)
    told = told_of([point("1000", 0), noted], [later])

    assert (told.return_pct, told.max_drawdown_pct) == (d("0"), d("0"))


def test_what_was_booked_just_before_a_point_and_heard_after_it_is_the_next_one_s() -> None:
    """The wire is slower than the clock, and the books know both times."""
    noted = replace(point("700", 2), flow=d("-300"), flow_ids=("W",))
    rows = [row("W", "withdrawal", "USD", "-300", minutes=59.99)]
    told = told_of([point("1000", 0), point("1000", 1), noted], rows)

    assert (told.return_pct, told.max_drawdown_pct) == (d("0"), d("0"))


def test_money_in_the_futures_wallet_is_not_lost() -> None:
    """300 of 1000 go there and come back: no drawdown, no result, and no balance has them."""
    points = [point("1000", 0), point("700", 1), point("1000", 2)]
    rows = [
        row("L1", "transfer", "USD", "-300", subtype="spottofutures", minutes=30),
        row("L2", "transfer", "USD", "300", subtype="spotfromfutures", minutes=90),
    ]
    (day,) = days_of(points, rows=rows, now=NEXT_DAY)

    assert (day.daily_pnl, day.drawdown_pct, day.net_deposits) == (d("0"), d("0"), d("0"))
    assert [each.value for each in flows_in(rows, MarkBook([]), "USD")] == [d("-300"), d("300")]


def test_the_other_side_of_a_move_to_futures_is_no_flow_back() -> None:
    """An export may tell both wallets; the coins that went keep their lots."""
    rows = [
        row("L0", "deposit", "BTC", "1"),
        row("L1", "transfer", "BTC", "-0.4", subtype="spottofutures", minutes=1),
        row("L2", "transfer", "BTC", "0.4", subtype="spottofutures", minutes=1, wallet=FUTURES),
    ]
    told = report(rows=rows, marks=[mark("BTC", "100")])

    assert told.withdrawals == d("40")
    assert [each.quantity for each in told.assets] == [d("1")]


@pytest.mark.parametrize(
    ("fills", "rows", "is_estimated"),
    [
        ([], [row("D", "deposit", "USD", "5")], False),
        ([fill("s", Side.SELL, "1", "100")], [], True),
        ([], [row("M", "mystery", "USD", "1")], True),
        ([], [row("F", "transfer", "KFEE", "5", subtype="spottofutures")], True),
    ],
    ids=["sure", "sold beyond the lots", "a kind nobody knows", "a flow without a price"],
)
def test_a_day_of_which_something_is_not_known_says_so(
    fills: list[Fill],
    rows: list[LedgerEntry],
    is_estimated: bool,  # noqa: FBT001 - a scenario's column
) -> None:
    """None of these has a wrong price or cost: what is missing is the explanation."""
    (day,) = days_of([point("1000", 1)], fills, rows, now=NEXT_DAY)

    assert day.is_estimated == is_estimated


@pytest.mark.parametrize("place", [0, 1, 2])
def test_any_point_that_is_an_estimate_makes_its_day_one(place: int) -> None:
    """Not the last one alone: the day opens with one, and its deepest drawdown may be another."""
    points = [point("1000", 0), point("1010", 13), point("1020", 14), point("1030", 15)]
    points[place] = replace(points[place], is_estimated=True)

    assert days_of(points, now=NEXT_DAY)[-1].is_estimated


def test_the_results_of_a_day_that_nobody_looked_at_are_told() -> None:
    """Bought and sold on the sixth; the curve has the fifth and the eighth."""
    fills = [
        fill("a", Side.BUY, "1", "100", filled_at=NOON + timedelta(hours=24)),
        fill("b", Side.SELL, "1", "130", fee=d("1"), filled_at=NOON + timedelta(hours=25)),
    ]
    points = [point("1000", 0), point("1029", 72)]
    first, blind, last = days_of(points, fills, now=NOON + timedelta(hours=73))

    assert [each.date.day for each in (first, blind, last)] == [5, 6, 8]
    assert (blind.realised_pnl, blind.trades, blind.fees_paid) == (d("29"), 1, d("1"))
    assert (blind.gross_equity, blind.daily_pnl, blind.is_estimated) == (d("1000"), d("0"), True)
    assert (last.opening_equity, last.daily_pnl, last.realised_pnl) == (d("1000"), d("29"), d("0"))


def test_results_of_before_the_first_look_are_told_and_without_any_look_none() -> None:
    """Its equity is that of the first point, as an estimate."""
    rows = [row("R", "rollover", "USD", "0", fee="2")]
    early, seen = days_of([point("1000", 24)], rows=rows, now=NOON + timedelta(hours=25))

    assert (early.realised_pnl, early.gross_equity, early.is_estimated) == (
        d("-2"),
        d("1000"),
        True,
    )
    assert (seen.opening_equity, seen.daily_pnl, seen.is_estimated) == (d("1000"), d("0"), False)
    assert days_of([], rows=rows, now=NEXT_DAY) == ()
