"""Candles may be written as often as one likes; only what differs changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from builders import BTC, ETH, NOON, d, make_candle
from zoe_tools.domain.candle import Source, Timeframe
from zoe_tools.store.store import Store

H1 = Timeframe.H1
SERIES = tuple(make_candle(opened_at=NOON + timedelta(hours=n)) for n in range(5))


def test_writing_again_changes_nothing(store: Store) -> None:
    """The same candles, and the same values in other notation."""
    respelled = tuple(replace(each, close=each.close + d("0.000")) for each in SERIES)
    with store.transaction() as transaction:
        assert transaction.write_candles(SERIES, "ohlc") == 5
        assert transaction.write_candles(SERIES, "import") == 0
        assert transaction.write_candles(respelled, "ohlc") == 0
        assert transaction.candles(BTC, H1) == SERIES


def test_only_what_differs_is_written(store: Store) -> None:
    """A correction of the venue's replaces one row."""
    corrected = replace(SERIES[2], volume=d("0.00000001"), count=7)
    with store.transaction() as transaction:
        transaction.write_candles(SERIES[:4], "ohlc")
        assert transaction.write_candles((*SERIES[:2], corrected, *SERIES[3:]), "ohlc") == 2
        assert transaction.candles(BTC, H1) == (*SERIES[:2], corrected, *SERIES[3:])


def test_a_finished_candle_is_never_made_running_again(store: Store) -> None:
    """A running one is finished, and not the other way round."""
    running = replace(SERIES[0], close=d("99"), is_final=False)
    with store.transaction() as transaction:
        assert transaction.write_candles((running,), "ohlc") == 1
        assert transaction.write_candles((SERIES[0],), "ohlc") == 1
        assert transaction.write_candles((running,), "ohlc") == 0
        assert transaction.candles(BTC, H1) == (SERIES[0],)


def test_what_trades_told_is_not_replaced_by_less(store: Store) -> None:
    """OHLC takes the place of a bulk table's candle, and of one that trades have not finished."""
    other = replace(SERIES[0], volume=d("7"), count=7)
    running = replace(SERIES[0], close=d("99"), is_final=False)
    with store.transaction() as transaction:
        transaction.write_candles((SERIES[0],), Source.BULK_TRADES)
        assert transaction.write_candles((other,), Source.OHLC) == 0
        assert transaction.write_candles((other,), Source.TRADES) == 1
        assert transaction.candles(BTC, H1) == (other,)
        transaction.write_candles((SERIES[1],), Source.BULK_CANDLES)
        later = replace(SERIES[1], count=9)
        assert transaction.write_candles((later,), "kraken OHLC") == 1
        eth = replace(running, symbol=ETH)
        transaction.write_candles((eth,), Source.TRADES)
        assert transaction.write_candles((replace(other, symbol=ETH),), Source.OHLC) == 1


def test_series_do_not_mix(store: Store) -> None:
    """Symbol and timeframe are part of a candle's name; any order of writing will do."""
    eth = replace(SERIES[0], symbol=ETH)
    minute = replace(SERIES[0], timeframe=Timeframe.M1)
    with store.transaction() as transaction:
        assert transaction.write_candles((*reversed(SERIES), eth, minute), "ohlc") == 7
        assert transaction.candles(BTC, H1) == SERIES
        assert transaction.candles(ETH, H1) == (eth,)
        assert transaction.candles(BTC, Timeframe.M1) == (minute,)


def test_a_stretch_holds_its_start_and_not_its_end(store: Store) -> None:
    """[since, until)."""
    with store.transaction() as transaction:
        transaction.write_candles(SERIES, "ohlc")
        found = transaction.candles(BTC, H1, since=SERIES[1].opened_at, until=SERIES[3].opened_at)
    assert found == SERIES[1:3]


def test_nothing_to_write_is_nothing_changed(store: Store) -> None:
    """An empty answer of the venue."""
    with store.transaction() as transaction:
        assert transaction.write_candles((), "ohlc") == 0
