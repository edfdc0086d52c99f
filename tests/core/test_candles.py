"""Candles from prints: exact, and handed out only when they are over."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import BTC, NOON, d
from zoe_tools.core.candles import CandleBuilder
from zoe_tools.domain.candle import Candle, Timeframe
from zoe_tools.domain.market import PublicTrade
from zoe_tools.domain.order import Side

DATA = Path(__file__).parents[3] / "shared" / "data" / "nautilus"


def trade(second: float, price: str, quantity: str) -> PublicTrade:
    """A buy so many seconds after noon."""
    return PublicTrade(
        symbol=BTC,
        trade_id=1,
        side=Side.BUY,
        price=d(price),
        quantity=d(quantity),
        traded_at=NOON + timedelta(seconds=second),
    )


def build(trades: list[PublicTrade]) -> list[Candle]:
    """All candles of these prints, the last one closed by the clock."""
    builder = CandleBuilder(BTC, Timeframe.M1, price_decimals=1)
    closed = [candle for each in trades if (candle := builder.add(each)) is not None]
    last = builder.close_due(trades[-1].traded_at + timedelta(days=1))
    return [*closed, *([last] if last else [])]


def test_a_candle_is_given_only_after_its_end() -> None:
    """Nothing looks ahead."""
    builder = CandleBuilder(BTC, Timeframe.M1, price_decimals=1)
    builder.add(trade(1, "100", "1"))

    assert builder.close_due(NOON + timedelta(seconds=59.999)) is None
    closed = builder.close_due(NOON + timedelta(seconds=60))
    assert closed is not None
    assert closed.opened_at == NOON


def test_a_candle_is_given_once_however_late_its_prints_are() -> None:
    """The clock ran ahead: prints of a minute that was told make no second candle of it."""
    builder = CandleBuilder(BTC, Timeframe.M1, price_decimals=1)
    builder.add(trade(1, "100", "1"))
    later = NOON + timedelta(seconds=90)
    first = builder.close_due(later)
    again = [builder.add(trade(each, "101", "1")) or builder.close_due(later) for each in (20, 30)]

    assert first is not None
    assert again == [None, None]
    assert builder.add(trade(70, "102", "1")) is None
    assert builder.close_due(NOON + timedelta(seconds=120)) is not None


def test_open_high_low_close_volume_and_count_are_the_prints() -> None:
    """The vwap is truncated to the price's decimals."""
    (candle,) = build([trade(1, "100.0", "1"), trade(2, "101.0", "2"), trade(3, "99.5", "0.5")])

    assert (candle.open, candle.high, candle.low, candle.close) == (
        d("100.0"),
        d("101.0"),
        d("99.5"),
        d("99.5"),
    )
    assert (candle.volume, candle.count, candle.vwap) == (d("3.5"), 3, d("100.5"))


def test_a_late_print_changes_nothing_that_was_given() -> None:
    """A closed candle stays as it was."""
    builder = CandleBuilder(BTC, Timeframe.M1, price_decimals=1)
    builder.add(trade(61, "100", "1"))

    assert builder.add(trade(1, "900", "1")) is None
    closed = builder.close_due(NOON + timedelta(seconds=120))
    assert closed is not None
    assert closed.high == d("100")


@given(
    st.lists(
        st.tuples(st.integers(0, 600), st.integers(1, 10_000), st.integers(1, 10_000)),
        min_size=1,
        max_size=60,
    )
)
def test_no_volume_is_lost(rows: list[tuple[int, int, int]]) -> None:
    """The candles' volumes and counts add up to the prints'."""
    trades = [trade(second, str(price), str(quantity)) for second, price, quantity in sorted(rows)]
    candles = build(trades)

    assert sum(each.volume for each in candles) == sum(each.quantity for each in trades)
    assert sum(each.count for each in candles) == len(trades)


def test_real_trades_rebuild_the_real_candles() -> None:
    """143 full minutes of Kraken's own, exactly; the vwap truncated."""
    if not DATA.exists():
        pytest.skip("the real trades are not on this machine (../shared/data/nautilus)")
    rows = json.loads((DATA / "xbtusdt_trades_first_half.json").read_text(), parse_float=Decimal)
    trades = [
        PublicTrade(
            symbol=BTC,
            trade_id=row[6],
            side=Side.BUY if row[3] == "b" else Side.SELL,
            price=d(row[0]),
            quantity=d(row[1]),
            traded_at=datetime.fromtimestamp(float(row[2]), UTC),
        )
        for row in rows["trades"]
    ]
    candles = {candle.opened_at: candle for candle in build(trades)}
    expected = json.loads((DATA / "xbtusdt_ohlc_1m_first_half.json").read_text())
    ohlc = {
        datetime.fromtimestamp(float(str(row[0])), UTC): row for row in next(iter(_lists(expected)))
    }
    full = sorted(candles)[1:-1]
    matching = [
        at
        for at in full
        if _row(candles[at]) == [d(str(value)) for value in (*ohlc[at][1:7], ohlc[at][7])]
    ]

    assert len(full) >= 140
    assert matching == full


def _lists(value: object) -> list[list[list[object]]]:
    if isinstance(value, dict):
        return [found for each in value.values() for found in _lists(each)]
    if isinstance(value, list) and value and isinstance(value[0], list):
        return [value]
    return []


def _row(candle: Candle) -> list[Decimal]:
    assert candle.vwap is not None
    prices = [candle.open, candle.high, candle.low, candle.close, candle.vwap]
    return [*prices, candle.volume, Decimal(candle.count)]
