"""Equity by marks, and a curve that flows from outside do not bend."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOON, d, make_catalogue
from zoe_tools.core.equity import (
    OUTDATED_PCT,
    advanced,
    assess_equity,
    by_asset,
    curve_of,
    outdated_in,
    point_of,
)
from zoe_tools.core.invariants import violations_of
from zoe_tools.core.lot_history import Flow
from zoe_tools.core.marks import MarkBook
from zoe_tools.domain.equity import EquityPoint, Mark
from zoe_tools.domain.invariants import InvariantLimits, Measured
from zoe_tools.domain.ledger import Balance
from zoe_tools.domain.margin import MarginStanding

HOUR = timedelta(hours=1)
FLAT = (d("1"), d("0"))
"""Index and drawdown of a curve that did nothing."""


def mark(asset: str, price: str, *, currency: str = "USD", at: datetime = NOON) -> Mark:
    """A price that was seen at noon."""
    return Mark(asset=asset, currency=currency, price=d(price), marked_at=at, source="test")


def held(**totals: str) -> list[Balance]:
    """Balances by asset."""
    return [Balance(asset=asset, total=d(total)) for asset, total in totals.items()]


def point(gross: str, hours: float, *lacks: str) -> EquityPoint:
    """A point of the curve, so many hours after noon."""
    return EquityPoint(
        taken_at=NOON + HOUR * hours,
        currency="USD",
        gross=d(gross),
        net=d(gross),
        cash=d(gross),
        holdings=d("0"),
        is_estimated=bool(lacks),
        lacks=lacks,
    )


def flow(value: str | None, hours: float) -> Flow:
    """Money from outside, or (negative) to there."""
    return Flow(
        ledger_id="L",
        at=NOON + HOUR * hours,
        asset="USD",
        quantity=d(value or "1"),
        value=None if value is None else d(value),
        is_estimated=value is None,
    )


def indices(points: list[EquityPoint], *flows: Flow) -> list[tuple[Decimal, Decimal]]:
    """Index and drawdown of each."""
    return [(each.return_index, each.drawdown_pct) for each in curve_of(points, flows)]


@pytest.mark.parametrize(
    ("used", "unrealised", "expected"),
    [
        ("0", "0", ()),
        (
            "20",
            "-1234.5",
            ("positions on margin are open: their -1,234.50 USD so far are in no sum",),
        ),
        ("20", "0", ("positions on margin are open: their +0.00 USD so far are in no sum",)),
    ],
)
def test_open_positions_on_margin_make_equity_an_estimate(
    used: str, unrealised: str, expected: tuple[str, ...]
) -> None:
    """No balance holds what they have won or lost: it is told, and in no sum."""
    standing = MarginStanding(
        asset="USD",
        worth=d("1000"),
        collateral=d("1000"),
        used=d(used),
        unrealised=d(unrealised),
        cost=d(used) * 5,
        value=d("0"),
        equity=d("1000") + d(unrealised),
        free=d("900"),
    )
    equity = assess_equity(held(USD="1000"), MarkBook([]), at=NOON, currency="USD", margin=standing)

    assert (equity.gross, equity.why, equity.is_estimated) == (d("1000"), expected, bool(expected))


def test_defect_8_equity_counts_crypto_at_its_mark_not_cash_alone() -> None:
    """Defect 8: an equity that was cash alone. Gross, and net of exit fees."""
    equity = assess_equity(
        held(USD="1000", BTC="0.5"), MarkBook([mark("BTC", "60000")]), at=NOON, currency="USD"
    )

    assert (equity.cash, equity.assets, equity.gross) == (d("1000"), d("30000"), d("31000"))
    assert (equity.exit_fees, equity.net) == (d("120"), d("30880"))
    assert not equity.is_estimated


def test_an_asset_without_a_price_is_named_and_in_no_sum() -> None:
    """Never at its cost, and never silently."""
    equity = assess_equity(held(USD="10", SOL="3"), MarkBook([]), at=NOON, currency="USD")

    assert (equity.gross, equity.lacks) == (d("10"), ("SOL",))
    assert equity.is_estimated
    assert equity.why == ("no price of SOL: it is in no sum",)


@pytest.mark.parametrize(("minutes", "is_estimated"), [(15, False), (16, True)])
def test_an_old_mark_makes_an_estimate(minutes: int, is_estimated: bool) -> None:  # noqa: FBT001 - a scenario's column
    """Its value is used, and said to be old."""
    equity = assess_equity(
        held(BTC="1"),
        MarkBook([mark("BTC", "100")]),
        at=NOON + timedelta(minutes=minutes),
        currency="USD",
    )

    assert (equity.gross, equity.is_estimated) == (d("100"), is_estimated)


def test_a_stablecoin_and_other_national_money_are_worth_their_marks() -> None:
    """0.97 a piece is 0.97; without a mark nothing is known."""
    marks = MarkBook([mark("USDT", "0.97"), mark("EUR", "1.08")])
    equity = assess_equity(held(USDT="100", EUR="100", USDC="100"), marks, at=NOON, currency="USD")

    assert (equity.assets, equity.lacks) == (d("205"), ("USDC",))


def test_a_price_may_come_by_way_of_another_currency() -> None:
    """SOL in EUR, EUR in USD; and the other way round."""
    marks = MarkBook([mark("SOL", "100", currency="EUR"), mark("EUR", "1.1")])

    assert assess_equity(held(SOL="1"), marks, at=NOON, currency="USD").gross == d("110")
    back = MarkBook([mark("SOL", "110"), mark("EUR", "1.1")])
    assert assess_equity(held(SOL="1"), back, at=NOON, currency="EUR").gross == d("100")


def test_a_negative_balance_is_a_liability() -> None:
    """It is not taken from gross, and is from net."""
    equity = assess_equity(
        held(USD="-50", BTC="1"), MarkBook([mark("BTC", "100")]), at=NOON, currency="USD"
    )

    assert (equity.gross, equity.liabilities, equity.net) == (d("100"), d("50"), d("49.6"))


def test_defect_9_a_withdrawal_of_300_from_1000_is_a_drawdown_of_0() -> None:
    """Defect 9, and the reference vector: a flow is no result."""
    points = [point("1000", 0), point("700", 1)]

    assert indices(points, flow("-300", 0.5)) == [FLAT] * 2


@pytest.mark.parametrize("hours", [0.01, 0.5, 1])
def test_defect_9_a_deposit_trips_no_drawdown_and_is_no_gain(hours: float) -> None:
    """Defect 9 the other way, whenever it came."""
    points = [point("1000", 0), point("1300", 1), point("1300", 2)]

    assert indices(points, flow("300", hours)) == [FLAT] * 3


def test_a_loss_after_a_withdrawal_is_told_as_what_it_is() -> None:
    """Ten percent of what was there."""
    points = [point("1000", 0), point("700", 1), point("630", 2)]

    assert indices(points, flow("-300", 0.5))[-1] == (d("0.9"), d("10"))


def test_a_deposit_of_a_hundredfold_does_not_multiply_the_result() -> None:
    """1000 and at once 100,000 more, then one percent: one percent."""
    ((_, _), (index, _)) = indices([point("1000", 0), point("102010", 1)], flow("100000", 0.0001))

    assert abs(index - d("1.01")) < d("0.00001")


def test_an_account_that_is_emptied_and_filled_again_keeps_its_index() -> None:
    """Nothing worked meanwhile: nothing is said."""
    points = [point("1000", 0), point("1100", 1), point("0", 2), point("500", 3), point("550", 4)]
    found = indices(points, flow("-1100", 2), flow("500", 3))

    assert [index for index, _ in found] == [d("1"), d("1.1"), d("1.1"), d("1.1"), d("1.21")]


def test_a_price_that_is_missing_or_found_is_no_result() -> None:
    """SOL had no price for a while: the index stands still as it goes, and as it comes back."""
    points = [point("1000", 0), point("200", 1, "SOL"), point("220", 2, "SOL"), point("1050", 3)]

    grown = (d("1.1"), d("0"))
    assert indices(points) == [FLAT, FLAT, grown, grown]


def test_what_never_has_a_price_stops_no_curve() -> None:
    """Fee credits cannot be sold: all else goes on being measured."""
    points = [point("1000", 0, "KFEE"), point("900", 1, "KFEE")]

    assert indices(points) == [FLAT, (d("0.9"), d("10"))]


@pytest.mark.parametrize(
    ("before", "after", "index"),
    [
        ((), ("KFEE",), "0.9"),  # it came, and was nothing
        (("KFEE",), ("KFEE",), "0.9"),  # more of it came
        (("KFEE",), (), "0.9"),  # it went
        ((), ("KFEE", "SOL"), "1"),  # the price of another one was lost at the same time
        ((), (), "1"),  # it has a price by now: what came cannot be told from what was won
    ],
)
def test_what_never_had_a_price_hides_no_loss_as_it_comes_and_goes(
    before: tuple[str, ...], after: tuple[str, ...], index: str
) -> None:
    """It is nothing before and after: what all else lost is told."""
    moved = replace(flow(None, 0.5), asset="KFEE")
    first, second = point("1000", 0, *before), point("900", 1, *after)

    assert advanced(first, second, [moved]).return_index == d(index)


def test_a_price_that_is_found_is_no_gain_and_hides_no_loss() -> None:
    """What fell by more than the found price brought has fallen."""
    risen = advanced(point("1000", 0, "SOL"), point("1500", 1), [])
    fallen = advanced(point("1000", 0, "SOL"), point("800", 1), [])

    assert (risen.return_index, risen.is_estimated) == (d("1"), True)
    assert (fallen.return_index, fallen.drawdown_pct) == (d("0.8"), d("20"))


AMOUNTS = st.dictionaries(
    st.sampled_from(["BTC", "ETH", "SOL", "KFEE"]), st.integers(1, 50), min_size=1
)
PRICES = st.dictionaries(st.sampled_from(["BTC", "ETH", "SOL", "KFEE"]), st.integers(1, 50))
FLOOR = InvariantLimits(equity_floor=d("500"))


@given(st.integers(0, 1000), AMOUNTS, PRICES, st.sets(st.sampled_from(["BTC", "ETH", "SOL"])))
def test_a_price_that_is_dropped_raises_no_equity_and_silences_no_breach(
    cash: int, amounts: dict[str, int], prices: dict[str, int], dropped: set[str]
) -> None:
    """Of less is known then; what is below the floor with all prices is so without some."""
    balances = held(USD=str(cash), **{name: str(each) for name, each in amounts.items()})

    def gross(names: set[str]) -> Decimal:
        marks = MarkBook([mark(name, str(prices[name])) for name in sorted(names)])
        return assess_equity(balances, marks, at=NOON, currency="USD").gross

    known, left = gross(set(prices)), gross(set(prices) - dropped)
    broken = violations_of(Measured(equity=known), FLOOR)

    assert left <= known
    assert len(violations_of(Measured(equity=left), FLOOR)) >= len(broken)


@given(st.lists(st.tuples(st.integers(1, 2000), st.booleans()), min_size=2, max_size=8))
def test_what_never_had_a_price_is_nothing_in_peak_and_equity_alike(
    walk: list[tuple[int, bool]],
) -> None:
    """Whether it is held or not, and whenever it came: no drawdown is smaller by it."""
    bare = worthless = None
    was_held = False
    for hours, (gross, is_held) in enumerate(walk):
        come = [replace(flow(None, hours - 0.5), asset="KFEE")] if is_held != was_held else []
        bare = advanced(bare, point(str(gross), hours), [])
        names = ("KFEE",) if is_held else ()
        worthless = advanced(worthless, point(str(gross), hours, *names), come)
        was_held = is_held

    assert bare is not None
    assert worthless is not None
    assert worthless.drawdown_pct >= bare.drawdown_pct - d("1E-6")


@pytest.mark.parametrize(
    ("cash", "minutes", "assets", "matters"),
    [
        ("0", 15, (), False),
        ("1000", 16, ("SOL",), True),
        ("3233", 16, ("SOL",), True),
        ("3234", 16, ("SOL",), False),
    ],
)
def test_what_has_an_old_price_alone_is_told_with_its_share(
    cash: str,
    minutes: int,
    assets: tuple[str, ...],
    matters: bool,  # noqa: FBT001 - a scenario's column
) -> None:
    """The last price is used; of how much of the account that is true decides whether it counts."""
    marks = MarkBook([mark("SOL", "100"), mark("BTC", "7", at=NOON + timedelta(minutes=minutes))])
    at = NOON + timedelta(minutes=minutes)
    balances = held(USD=cash, SOL="1", BTC="0.001", KFEE="5")
    equity = assess_equity(balances, marks, at=at, currency="USD")
    found = outdated_in(equity)

    assert equity.gross == d(cash) + d("100.007")
    assert (() if found is None else found.assets) == assets
    assert found is None or (found.oldest, found.worth) == (NOON, d("100"))
    assert (found is not None and found.matters) == matters
    assert d("3") == OUTDATED_PCT


def test_a_flow_without_a_worth_leaves_the_index_where_it_was() -> None:
    """What came cannot be told from what was won; the point is an estimate."""
    first = point("1000", 0)
    done = advanced(first, point("1400", 1), [flow(None, 0.5)])

    assert done.return_index == d("1")
    assert done.is_estimated


def test_a_point_that_was_blind_stays_so_until_the_books_know_its_flows() -> None:
    """A deposit whose price nobody knew, beside a withdrawal that was: no return is made of it."""
    come = replace(flow(None, 0.5), ledger_id="D")
    gone = replace(flow("-500", 0.5), ledger_id="W")
    first, second = point("1000", 0), point("3500", 1)
    blind = advanced(first, second, [come, gone])
    priced = [replace(come, value=d("3000")), gone]

    assert (blind.flow, blind.is_blind, blind.flow_ids) == (d("-500"), True, ("D", "W"))
    (_, unheard) = curve_of([first, blind], [])
    assert (unheard.return_index, unheard.flow, unheard.is_estimated) == (d("1"), d("-500"), True)
    (_, half_booked) = curve_of([first, blind], priced[1:], NOON)
    assert (half_booked.return_index, half_booked.flow) == (d("1"), d("-500"))
    (_, booked) = curve_of([first, blind], priced, NOON)
    assert (booked.return_index, booked.flow, booked.is_blind) == (d("1"), d("2500"), False)


def test_a_deposit_alone_that_had_no_price_is_no_gain() -> None:
    """Its flow is nothing, and remembered all the same."""
    first = point("1000", 0)
    blind = advanced(first, point("4000", 1), [replace(flow(None, 0.5), ledger_id="D")])

    assert blind.flow == 0
    assert indices([first, blind]) == [FLAT] * 2


def test_the_peak_is_that_of_the_point_before_also_after_a_restart() -> None:
    """It comes from the stored point, not from what this process saw."""
    stored = EquityPoint(
        taken_at=NOON,
        currency="USD",
        gross=d("900"),
        net=d("900"),
        cash=d("900"),
        holdings=d("0"),
        return_index=d("0.9"),
        peak_index=d("1.2"),
    )
    done = advanced(stored, point("900", 1), [])

    assert (done.peak_index, done.drawdown_pct) == (d("1.2"), d("25"))


@given(
    starts=st.integers(100, 10**6),
    amounts=st.lists(st.integers(-90, 500), min_size=1, max_size=8),
)
def test_no_row_of_flows_alone_moves_the_index(starts: int, amounts: list[int]) -> None:
    """Each amount is a percentage of what is there."""
    gross = Decimal(starts)
    points, flows = [point(str(gross), 0)], []
    for hour, percent in enumerate(amounts, start=1):
        change = gross * percent / 100
        gross += change
        flows.append(flow(str(change), hour - 0.5))
        points.append(point(str(gross), hour))

    assert {index for index, _ in indices(points, *flows)} == {Decimal(1)}


def test_a_point_of_equity_knows_what_it_lacks() -> None:
    """So that the curve can wait for it."""
    equity = assess_equity(held(USD="10", SOL="3"), MarkBook([]), at=NOON, currency="USD")

    assert point_of(equity).lacks == ("SOL",)


def test_money_that_earns_is_the_same_money() -> None:
    """`BTC.F` and `DOT28.S` are wallets; what nobody knows keeps its name."""
    balances = held(**{"BTC.F": "1", "BTC": "2", "XYZ.S": "3"})
    found = by_asset(balances, make_catalogue())

    assert [(each.asset, each.total) for each in found] == [
        ("BTC", d("1")),
        ("BTC", d("2")),
        ("XYZ.S", d("3")),
    ]
    equity = assess_equity(found, MarkBook([mark("BTC", "100")]), at=NOON, currency="USD")
    assert equity.gross == d("300")
