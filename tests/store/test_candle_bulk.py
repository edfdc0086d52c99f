"""Candles as frames: written where they are better, read back as they are, on both databases."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from builders import BTC, ETH, NOON, PAPER, d, make_candle
from candle_rows import AT, frame, told
from zoe_tools.domain.candle import MOST_DIFFERING, Candle, Source, Span, Timeframe
from zoe_tools.errors import StoreError, StoreUnavailable
from zoe_tools.store.store import Store

M1 = Timeframe.M1
ALL = Span(0, 1 << 33)
THREE = ("0 10 12 9 11 10.5 3 4", "1 11 11 11 11 11 0.00000001 1", "3 100 107.5 100 105 104 8 9")


def stored(store: Store) -> list[str]:
    """What is there of the series."""
    with store.transaction() as books:
        return told(books.market.frame(BTC, M1, ALL).iter_rows(named=True))


def wrote(store: Store, candles: pl.DataFrame, source: Source = Source.TRADES) -> tuple[int, ...]:
    """Write them; how many were new, changed, unchanged, kept."""
    with store.transaction() as books:
        expected = books.market.compare_frame(BTC, M1, candles, source)
        done = books.market.write_frame(BTC, M1, candles, source)
    assert expected == done
    assert done.rows == candles.height
    return done.new, done.changed, done.unchanged, done.kept


def test_what_is_written_is_read_back_and_a_second_run_changes_nothing(store: Store) -> None:
    """As a frame and as candles; `compare` says beforehand what `write` does."""
    assert wrote(store, frame(*THREE)) == (3, 0, 0, 0)
    assert wrote(store, frame(*THREE)) == (0, 0, 3, 0)

    assert stored(store) == list(THREE)
    with store.transaction() as books:
        candles = books.candles(BTC, M1)
        assert books.market.frame(BTC, M1, ALL)["source"].to_list() == ["kraken trades"] * 3
    assert candles[0] == Candle(
        symbol=BTC, timeframe=M1, opened_at=NOON, open=d("10"), high=d("12"), low=d("9"),
        close=d("11"), vwap=d("10.5"), volume=d("3"), count=4,
    )  # fmt: skip
    assert candles[1].volume == d("0.00000001")


def test_both_ways_of_writing_spell_a_candle_alike(store: Store) -> None:
    """Equal amounts are the same text, whatever zeros they were told with."""
    spelled = make_candle(
        timeframe=M1, open=d("100.00"), high=d("107.50"), low=d("1E+2"), close=d("105.0"),
        vwap=d("104"), volume=d("8.00000000"), count=9, opened_at=NOON + timedelta(minutes=3),
    )  # fmt: skip
    with store.transaction() as books:
        books.write_candles((spelled,), "kraken OHLC")
    sql = text("SELECT open, high, low, close, vwap, volume, count, is_final FROM crypto_candles")
    with store.transaction() as books:
        first = [str(each) for each in books._connection.execute(sql).one()]
        books._connection.execute(text("DELETE FROM crypto_candles"))
        books.market.write_frame(BTC, M1, frame(THREE[2]), Source.OHLC)
        second = [str(each) for each in books._connection.execute(sql).one()]

    assert first == second
    assert first[:6] == ["100", "107.5", "100", "105", "104", "8"]


@pytest.mark.parametrize(
    ("before", "source", "after", "expected", "row"),
    [
        ("0 1 2 1 2 1.5 3 4", Source.OHLC, "0 1 2 1 2 1.6 3 4", "changed", "new"),
        ("0 1 2 1 2 - 3 4", Source.BULK_CANDLES, "0 1 2 1 2 1.6 3 4", "changed", "new"),
        ("0 1 2 1 2 - 3 4", Source.BULK_CANDLES, "0 1 2 1 2 1.6 3.1 3", "changed", "new"),
        ("0 1 2 1 2 1.5 3 4", Source.BULK_TRADES, "0 1 2 1 2 1.6 3 4", "changed", "new"),
        ("0 1 2 1 2 1.5 3 4", Source.BULK_TRADES, "0 1 2 1 2 1.6 4 5", "changed", "new"),
        ("0 1 2 1 2 1.5 3 4", Source.BULK_TRADES, "0 1 2 1 2 1.6 2 3", "kept", "old"),
    ],
)
def test_of_two_that_differ_the_one_that_tells_more_stays(
    store: Store, before: str, source: Source, after: str, expected: str, row: str
) -> None:
    """Trades over OHLC over bulk candles; of the same kind the later, unless it counts fewer."""
    wrote(store, frame(before), source)
    fates = dict(
        zip(("new", "changed", "unchanged", "kept"), wrote(store, frame(after)), strict=True)
    )

    assert {name for name, count in fates.items() if count} == {expected}
    assert stored(store) == [after if row == "new" else before]


def test_bulk_candles_replace_nothing_that_has_a_vwap_and_differ_by_its_lack_in_nothing(
    store: Store,
) -> None:
    """A table without vwaps says nothing of them; where it differs, it is told and not written."""
    wrote(store, frame(*THREE))
    same = frame(*(" ".join([*each.split()[:5], "-", *each.split()[6:]]) for each in THREE))
    assert wrote(store, same, Source.BULK_CANDLES) == (0, 0, 3, 0)

    other = frame("0 10 12 9 11 - 3.00000001 4", "2 11 11 11 11 - 1 1")
    with store.transaction() as books:
        done = books.market.write_frame(BTC, M1, other, Source.BULK_CANDLES)

    assert (done.new, done.changed, done.unchanged, done.kept) == (1, 0, 0, 1)
    (found,) = done.differing
    assert (found.opened_at, found.is_replaced) == (NOON, False)
    assert (found.stored, found.offered) == (
        "volume 3, vwap 10.5",
        "volume 3.00000001, vwap none",
    )
    assert stored(store) == [THREE[0], THREE[1], "2 11 11 11 11 - 1 1", THREE[2]]


def test_a_finished_candle_goes_before_a_running_one(store: Store) -> None:
    """Whatever either comes from; of two running ones the rule of the rest holds."""
    assert wrote(store, frame("0 1 2 1 2 1.5 3 4", is_final=False)) == (1, 0, 0, 0)
    assert wrote(store, frame("0 1 2 1 2 1.4 2 3", is_final=False)) == (0, 0, 0, 1)
    assert wrote(store, frame("0 1 2 1 2 - 3 4"), Source.BULK_CANDLES) == (0, 1, 0, 0)
    assert stored(store) == ["0 1 2 1 2 1.5 3 4"]
    assert wrote(store, frame("0 1 9 1 9 8.5 7 8", is_final=False)) == (0, 0, 1, 0)
    with store.transaction() as books:
        assert books.candles(BTC, M1)[0].is_final


def test_series_and_accounts_of_the_same_times_do_not_mix(store: Store) -> None:
    """Symbol and timeframe are part of the name."""
    wrote(store, frame(*THREE))
    with store.transaction() as books:
        for symbol, timeframe in ((ETH, M1), (BTC, Timeframe.M5)):
            done = books.market.write_frame(
                symbol, timeframe, frame("0 5 5 5 5 5 5 5"), Source.OHLC
            )
            assert (done.rows, done.new) == (1, 1)
    assert stored(store) == list(THREE)


def test_a_page_begins_and_ends_where_it_is_asked_to(store: Store) -> None:
    """[since, until), and so many at most."""
    wrote(store, frame(*THREE))
    with store.transaction() as books:
        market = books.market
        assert market.frame(BTC, M1, Span(AT + 60, AT + 180))["at"].to_list() == [AT + 60]
        assert market.frame(BTC, M1, ALL, most=2)["at"].to_list() == [AT, AT + 60]
        assert market.frame(ETH, M1, ALL).is_empty()


def test_differences_are_counted_and_the_first_few_told(store: Store) -> None:
    """A whole file that differs does not fill the screen."""
    lines = [f"{n} 1 2 1 2 1.5 3 4" for n in range(9)]
    wrote(store, frame(*lines))
    with store.transaction() as books:
        other = frame(*(each.replace(" 3 4", " 4 4") for each in lines))
        done = books.market.write_frame(BTC, M1, other, Source.TRADES)
    assert done.changed == 9
    assert len((done + done).differing) == len(done.differing) == MOST_DIFFERING
    assert (done + done).changed == 18


def test_two_who_write_the_same_instrument_take_turns(migrated_url: str) -> None:
    """Else of two that see nothing there the last one wins; others are not held up."""
    first, second = (
        Store.open(migrated_url, PAPER, clock_now=NOON, busy_timeout_s=0.3) for _ in range(2)
    )
    other_minute, bulk = frame("7 10 12 9 11 - 3 4"), Source.BULK_CANDLES
    candle = replace(make_candle(), timeframe=M1, opened_at=NOON + timedelta(minutes=9))
    with closing(first), closing(second):
        with first.transaction() as books:
            books.market.write_frame(BTC, M1, frame(*THREE), Source.TRADES)
            with second.transaction() as theirs:
                theirs.market.write_frame(ETH, M1, other_minute, bulk)
            with pytest.raises(StoreUnavailable), second.transaction() as theirs:
                theirs.market.write_frame(BTC, M1, other_minute, bulk)
            with pytest.raises(StoreUnavailable), second.transaction() as theirs:
                theirs.write_candles([candle], Source.OHLC)
        with second.transaction() as theirs:
            theirs.market.write_frame(BTC, M1, other_minute, bulk)
            theirs.write_candles([candle], Source.OHLC)


def test_nothing_offered_is_nothing_written(store: Store) -> None:
    """A slice without a candle."""
    assert wrote(store, frame()) == (0, 0, 0, 0)


def test_what_cannot_be_read_is_said_so(store: Store) -> None:
    """Somebody wrote an amount that is none: nothing is written over it."""
    wrote(store, frame(*THREE))
    with store.transaction() as books:
        if books._connection.dialect.name != "sqlite":
            pytest.skip("PostgreSQL lets no such amount in")
        books._connection.execute(text("UPDATE crypto_candles SET high = 'much'"))
    with pytest.raises(StoreError, match="BTC/USD 1m that cannot be read"):
        wrote(store, frame(*THREE))


AMOUNTS = st.decimals("0.000000000001", "999999999999", places=12)
ROWS = st.dictionaries(
    st.integers(0, 300), st.tuples(AMOUNTS, AMOUNTS, st.integers(1, 1 << 30)), max_size=40
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=ROWS, cut=st.integers(0, 40))
def test_any_amount_comes_back_as_it_was(
    store: Store, rows: dict[int, tuple[object, object, int]], cut: int
) -> None:
    """Twelve places, in one slice or in two, as a frame and as values."""
    lines = [
        f"{at} {price} {price} {price} {price} {price} {volume} {count}"
        for at, (price, volume, count) in sorted(rows.items())
    ]
    with store.transaction() as books:
        books._connection.execute(text("DELETE FROM crypto_candles"))
    for part in (lines[:cut], lines[cut:]):
        assert wrote(store, frame(*part)) == (len(part), 0, 0, 0)

    assert stored(store) == told(frame(*lines).iter_rows(named=True))
    with store.transaction() as books:
        again = books.candles(BTC, M1)
        assert [(each.close, each.volume) for each in again] == [
            (price, volume) for _, (price, volume, _) in sorted(rows.items())
        ]
        assert books.write_candles([replace(each) for each in again], "import") == 0
