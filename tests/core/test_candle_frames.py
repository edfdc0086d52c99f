"""Trades folded into candles are those of a plain reference, however the history is cut."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import ROUND_DOWN, Decimal
from itertools import groupby, pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import d
from zoe_tools.core.candle_frames import BUCKETS, TRADES, Fold, OutOfOrder, of_trades, vwap
from zoe_tools.core.candle_import import (
    LENGTHS,
    Cascade,
    covered,
    that_is_over,
    whole_span,
    whole_table,
)
from zoe_tools.domain.candle import Span, Timeframe
from zoe_tools.domain.candle_table import CANDLES

Trade = tuple[int, Decimal, Decimal]
PLACES = 3
ALWAYS = Span(0, 1 << 40)
BEGIN = 1_704_067_200
"""2024-01-01 00:00 UTC."""


def trades_of(rows: Sequence[Trade]) -> pl.DataFrame:
    """As they are handed over."""
    return pl.DataFrame(rows, TRADES, orient="row")


def reference(rows: Sequence[Trade], timeframe: Timeframe) -> list[tuple[object, ...]]:
    """Each candle by the definition: in decimals, one trade after the other."""
    length = timeframe.minutes * 60
    candles: list[tuple[object, ...]] = []
    for at, group in groupby(rows, key=lambda each: each[0] // length * length):
        some = list(group)
        prices = [price for _, price, _ in some]
        volume = sum((amount for _, _, amount in some), Decimal(0))
        money = sum((price * amount for _, price, amount in some), Decimal(0))
        mean = Decimal(0)
        if volume:
            mean = (money / volume).quantize(Decimal("0.001"), rounding=ROUND_DOWN)
        candles.append(
            (at, prices[0], max(prices), min(prices), prices[-1], mean, volume, len(some), True)
        )
    return candles


def folded(parts: Sequence[Sequence[Trade]]) -> dict[Timeframe, list[tuple[object, ...]]]:
    """What the cascade makes of a history that comes in these parts."""
    cascade = Cascade(ALWAYS, PLACES)
    told: dict[Timeframe, list[tuple[object, ...]]] = {each: [] for each in LENGTHS}
    for part in parts:
        for timeframe, frame in cascade.add(trades_of(part)):
            assert frame.schema == CANDLES
            told[timeframe] += frame.rows()
    for timeframe, frame in cascade.end():
        told[timeframe] += frame.rows()
    return told


@st.composite
def histories(draw: st.DrawFn) -> list[Trade]:
    """Trades in order: many of one second, and pauses of up to two days."""
    steps = st.sampled_from((0, 0, 0, 1, 7, 59, 60, 61, 300, 3_601, 90_000, 172_800))
    prices = st.integers(1, 10**9).map(lambda units: Decimal(units).scaleb(-PLACES))
    amounts = st.integers(0, 10**14).map(lambda units: Decimal(units).scaleb(-10))
    rows, at = [], BEGIN
    for step, price, amount in draw(st.lists(st.tuples(steps, prices, amounts), max_size=60)):
        at += step
        rows.append((at, price, amount))
    return rows


@given(rows=histories(), cuts=st.lists(st.integers(0, 60), max_size=6))
def test_any_cut_into_batches_gives_the_same_candles_as_the_definition(
    rows: list[Trade], cuts: list[int]
) -> None:
    """Open, high, low, close, vwap, volume and count, exactly, of all lengths in one pass."""
    ends = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    told = folded([rows[since:until] for since, until in pairwise(ends)])

    for timeframe in LENGTHS:
        assert told[timeframe] == reference(rows, timeframe), timeframe


@given(rows=histories(), cut=st.integers(0, 60))
def test_a_fold_goes_on_from_what_an_earlier_one_kept_back(rows: list[Trade], cut: int) -> None:
    """What a resumed reading of trades does."""
    whole = Fold(Timeframe.M5)
    expected = whole.add(of_trades(trades_of(rows)))
    first = Fold(Timeframe.M5)
    done = first.add(of_trades(trades_of(rows[:cut])))
    second = Fold(Timeframe.M5, first.running)
    rest = second.add(of_trades(trades_of(rows[cut:])))

    assert pl.concat((done, rest)).equals(expected)
    assert second.running.equals(whole.running)


def test_the_mean_price_is_cut_off_and_not_rounded() -> None:
    """As Kraken's is; a candle without volume has 0, as there."""
    cases = (
        ([("0.01", "1"), ("0.02", "1"), ("0.02", "1")], 2, "0.01"),
        ([("1.9999", "3"), ("1.9998", "1")], 2, "1.99"),
        ([("5.5", "0")], 2, "0"),
        ([("0.0000001234", "1000000000")], 10, "0.0000001234"),
    )
    for rows, decimals, expected in cases:
        trades = trades_of([(0, d(price), d(volume)) for price, volume in rows])
        fold = Fold(Timeframe.M1)
        fold.add(of_trades(trades))
        assert fold.running.select(vwap(decimals)).item() == d(expected)


def test_a_trade_that_is_older_than_the_one_before_is_refused() -> None:
    """In one batch, or in the next: it would be a part of a candle that is written already."""
    late = trades_of([(60, d("1"), d("1")), (59, d("1"), d("1"))])
    with pytest.raises(OutOfOrder) as caught:
        Fold(Timeframe.M1).add(of_trades(late))
    assert caught.value.at == 59
    fold = Fold(Timeframe.M1)
    fold.add(of_trades(late.head(1)))
    with pytest.raises(OutOfOrder):
        fold.add(of_trades(late.tail(1)))


def test_more_money_than_sums_can_hold_exactly_is_refused() -> None:
    """No market turns over a hundred million millions within a batch."""
    with pytest.raises(OverflowError, match="no market does"):
        of_trades(trades_of([(0, d("999999999999"), d("999999999999"))]))
    assert of_trades(TRADES.to_frame()).schema == BUCKETS


def test_batches_that_are_too_much_together_are_refused() -> None:
    """Each by itself can be added up exactly; a candle of both could not, and must not pretend."""
    batch = trades_of([(0, d("99999999"), d("1000000"))])
    fold = Fold(Timeframe.D1)
    fold.add(of_trades(batch))
    with pytest.raises(OverflowError, match="so much money in one candle"):
        fold.add(of_trades(batch))


def seconds(text: str) -> int:
    """Of a time in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("first", "last", "since", "until"),
    [
        # Kraken's own cut: both edges are at the turn of a quarter, and nothing is missing there.
        ("2024-01-01 00:00:07", "2024-03-31 23:59:58", "2024-01-01", "2024-04-01"),
        ("2023-10-01 00:59:00", "2023-12-31 23:00:01", "2023-10-01", "2024-01-01"),
        # Cut anywhere else: what is before the first trade and after the last is not known.
        ("2024-01-01 01:00:01", "2024-03-31 22:59:59", "2024-01-01 01:00:02", None),
        ("2013-10-06 21:34:15", "2013-10-06 21:34:15", "2013-10-06 21:34:16", None),
    ],
)
def test_the_edges_of_a_table_are_whole_where_kraken_cuts_its_archives(
    first: str, last: str, since: str, until: str | None
) -> None:
    """Between two quarters, within an hour; else the first and the last candle may be cut."""
    whole = whole_span(seconds(first), seconds(last))

    assert whole.since == seconds(since)
    assert whole.until == (seconds(until) if until else max(seconds(last), whole.since))


@pytest.mark.parametrize(
    ("last", "timeframe", "is_whole"),
    [
        ("2020-09-30 23:00:00", Timeframe.H1, True),
        ("2020-09-30 23:59:00", Timeframe.M1, True),
        ("2020-09-30 22:55:00", Timeframe.M5, True),
        ("2020-09-30 00:00:00", Timeframe.D1, True),
        # More may have been traded in these after the table was made.
        ("2020-09-30 21:00:00", Timeframe.H1, False),
        ("2020-09-30 22:00:00", Timeframe.M1, False),
        ("2020-10-01 00:00:00", Timeframe.H1, False),
        ("2020-09-29 00:00:00", Timeframe.D1, False),
    ],
)
def test_the_last_candle_of_a_table_is_whole_where_kraken_cuts_its_archives(
    last: str, timeframe: Timeframe, *, is_whole: bool
) -> None:
    """Those before it are: a later one had begun."""
    end = seconds(last) + timeframe.minutes * 60
    found = whole_table(BEGIN, seconds(last), timeframe)
    assert found == Span(BEGIN, end if is_whole else seconds(last))


def test_nothing_is_whole_that_is_still_to_come() -> None:
    """A table that is made in a quarter's last hour does not tell what follows in it."""
    assert that_is_over(Span(10, 90), 100) == Span(10, 90)
    assert that_is_over(Span(10, 90), 70) == Span(10, 70)
    assert that_is_over(Span(80, 90), 70) == Span(70, 70)


def test_a_candle_is_final_if_trades_were_seen_on_both_sides() -> None:
    """The first and the last of each length may have been cut through."""
    rows = [(BEGIN + 90_000 + 61 * n, d("1"), d("1")) for n in range(7)]
    whole = whole_span(rows[0][0], rows[-1][0])
    cascade = Cascade(whole, PLACES, (Timeframe.M1, Timeframe.M5))
    told: dict[Timeframe, list[bool]] = {Timeframe.M1: [], Timeframe.M5: []}
    for timeframe, frame in (*cascade.add(trades_of(rows)), *cascade.end()):
        told[timeframe] += frame["is_final"].to_list()

    assert told == {
        Timeframe.M1: [False, True, True, True, True, True, False],
        Timeframe.M5: [False, False],
    }
    assert covered(whole, Timeframe.M1) == Span(BEGIN + 90_060, BEGIN + 90_360)
    assert covered(whole, Timeframe.H1) == Span(BEGIN + 93_600, BEGIN + 93_600)
