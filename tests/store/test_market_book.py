"""What was read of a market, and how far a reading has come."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import builders
from builders import BTC, ETH, NOON, d, make_candle
from zoe_tools.domain.candle import Span, Timeframe, merged
from zoe_tools.store.market_book import Cursor
from zoe_tools.store.store import Store

H1 = Timeframe.H1
T0 = int(NOON.timestamp())
HOUR = 3_600
CURSOR = Cursor(
    symbol=BTC,
    source="kraken trades",
    cursor="1767600000123456789",
    trades=1_000,
    span=Span(T0, T0 + 10 * HOUR),
    updated_at=NOON,
    running=b"\x00{}\xff",
)


def hours(since: int, until: int) -> Span:
    """From one hour after noon to another."""
    return Span(T0 + since * HOUR, T0 + until * HOUR)


def test_starts_are_those_of_finished_candles_in_the_span(store: Store) -> None:
    """Ascending; the running one, another length and another instrument are not among them."""
    series = [make_candle(opened_at=NOON + timedelta(hours=number)) for number in range(5)]
    with store.transaction() as transaction:
        transaction.write_candles(
            (
                *reversed(series[:4]),
                replace(series[4], is_final=False),
                replace(series[2], symbol=ETH),
                replace(series[2], timeframe=Timeframe.M1),
            ),
            "ohlc",
        )
        assert transaction.market.starts(BTC, H1, hours(1, 9)) == [T0 + n * HOUR for n in (1, 2, 3)]
        assert transaction.market.starts(BTC, H1, hours(1, 2)) == [T0 + HOUR]
        assert transaction.market.starts(BTC, Timeframe.M5, hours(0, 9)) == []


@pytest.mark.parametrize(
    ("noted", "told"),
    [
        ([(0, 2), (4, 6)], [(0, 2), (4, 6)]),
        ([(0, 2), (2, 4)], [(0, 4)]),
        ([(2, 4), (0, 2)], [(0, 4)]),
        ([(0, 2), (4, 6), (1, 5)], [(0, 6)]),
        ([(0, 9), (2, 3)], [(0, 9)]),
        ([(2, 3), (0, 9)], [(0, 9)]),
        ([(0, 2), (0, 2)], [(0, 2)]),
        ([(0, 2), (0, 3)], [(0, 3)]),
    ],
)
def test_spans_that_touch_become_one(
    store: Store, noted: list[tuple[int, int]], told: list[tuple[int, int]]
) -> None:
    """However they come."""
    with store.transaction() as transaction:
        for each in noted:
            transaction.market.note_read(BTC, H1, hours(*each), "ohlc")
        assert transaction.market.read_spans(BTC, H1) == tuple(hours(*each) for each in told)
        assert transaction.market.read_spans(ETH, H1) == ()
        assert transaction.market.read_spans(BTC, Timeframe.M1) == ()


def test_bounds_are_those_of_what_is_stored(store: Store) -> None:
    """From the first beginning to the last end; none without a candle."""
    with store.transaction() as transaction:
        assert transaction.market.bounds(BTC, H1) is None
        transaction.write_candles(
            (make_candle(), make_candle(opened_at=NOON + timedelta(hours=8))), "ohlc"
        )
        assert transaction.market.bounds(BTC, H1) == hours(0, 9)
        assert transaction.market.bounds(ETH, H1) is None


def test_another_instrument_that_traded_is_seen(store: Store) -> None:
    """A candle without trades tells of no trade."""
    with store.transaction() as transaction:
        silent = make_candle(symbol=ETH, count=0, volume=d("0"))
        transaction.write_candles((make_candle(), silent), "ohlc")
        market = transaction.market
        assert market.traded_in((ETH, BTC), H1, hours(0, 1))
        assert not market.traded_in((ETH,), H1, hours(0, 1))
        assert not market.traded_in((BTC,), H1, hours(1, 2))
        assert not market.traded_in((BTC,), Timeframe.M1, hours(0, 1))
        assert not market.traded_in((), H1, hours(0, 1))


def test_candles_are_found_by_their_source(store: Store) -> None:
    """Those that came from trades, and are finished."""
    later = [make_candle(opened_at=NOON + timedelta(hours=number)) for number in range(3)]
    with store.transaction() as transaction:
        transaction.write_candles(later[:1], "kraken OHLC")
        transaction.write_candles((later[1], replace(later[2], is_final=False)), "kraken trades")
        market = transaction.market
        assert market.starts_told_by(BTC, H1, hours(0, 9), {"kraken trades"}) == {
            later[1].opened_at
        }
        assert market.starts_told_by(BTC, H1, hours(0, 1), {"kraken trades"}) == frozenset()


def test_an_empty_span_is_no_news(store: Store) -> None:
    """A reading that has not come a second further."""
    with store.transaction() as transaction:
        transaction.market.note_read(BTC, H1, hours(1, 1), "ohlc")
        assert transaction.market.read_spans(BTC, H1) == ()
        transaction.market.note_read(BTC, H1, hours(0, 2), "ohlc")
        transaction.market.note_read(BTC, H1, hours(2, 2), "ohlc")
        assert transaction.market.read_spans(BTC, H1) == (hours(0, 2),)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12)), max_size=8))
def test_what_is_noted_is_what_was_read(store: Store, noted: list[tuple[int, int]]) -> None:
    """The same seconds, in as few spans as there can be."""
    spans = [hours(since, since + length) for since, length in noted]
    with store.transaction() as transaction:
        before = transaction.market.read_spans(BTC, H1)
        for each in spans:
            transaction.market.note_read(BTC, H1, each, "trades")
        assert transaction.market.read_spans(BTC, H1) == merged((*before, *spans))


def test_a_cursor_is_kept_as_it_was_told_and_dropped(store: Store) -> None:
    """One for each instrument and source; the newest counts."""
    later = replace(CURSOR, cursor="9", trades=2_000, updated_at=NOON + timedelta(hours=1))
    other = replace(CURSOR, source="import of a file")
    with store.transaction() as transaction:
        market = transaction.market
        assert market.cursor(BTC, CURSOR.source) is None
        market.keep_cursor(CURSOR)
        market.keep_cursor(other)
        assert market.cursor(BTC, CURSOR.source) == CURSOR
        market.keep_cursor(later)
        assert market.cursor(BTC, CURSOR.source) == later
        assert market.cursor(ETH, CURSOR.source) is None
        market.drop_cursor(BTC, CURSOR.source)
        assert market.cursor(BTC, CURSOR.source) is None
        assert market.cursor(BTC, other.source) == other


def test_accounts_do_not_share_what_was_read(url: str) -> None:
    """Each has its own candles, and so its own gaps."""
    paper = Store.open(url, builders.PAPER, clock_now=NOON)
    with paper.transaction() as transaction:
        transaction.market.note_read(BTC, H1, hours(0, 2), "ohlc")
        transaction.market.keep_cursor(CURSOR)
    paper.close()
    live = Store.open(url, builders.LIVE, clock_now=NOON)
    with live.transaction() as transaction:
        assert transaction.market.read_spans(BTC, H1) == ()
        assert transaction.market.cursor(BTC, CURSOR.source) is None
    live.close()


def test_the_log_of_sqlite_may_grow_longer_while_nobody_waits(store: Store) -> None:
    """Its limit is SQLite's own again as soon as a loop is near; PostgreSQL has none to set."""
    limits = []
    for is_alone in (True, False):
        with store.transaction() as transaction:
            transaction.market.expect_many(is_alone=is_alone)
            connection = transaction._connection
            if connection.dialect.name == "sqlite":
                sql = "PRAGMA wal_autocheckpoint"
                limits.append(connection.exec_driver_sql(sql).scalar_one())

    assert limits in ([], [16_000, 1_000])
