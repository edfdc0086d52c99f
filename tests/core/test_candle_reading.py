"""Candles from pages of trades: every trade once, however the pages fall and where it is broken."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import BTC, d
from zoe_tools.core.candle_frames import OutOfOrder
from zoe_tools.core.candle_reading import Reading, Tally
from zoe_tools.domain.candle import Differing, Span, Timeframe, Written
from zoe_tools.domain.market import PublicTrade
from zoe_tools.domain.order import Side

M1, M5 = Timeframe.M1, Timeframe.M5
T0 = 1_767_600_000
SPAN = Span(T0, T0 + 600)
NS = 1_000_000_000


def trade(number: int, at_s: float, price: str = "100", quantity: str = "1") -> PublicTrade:
    """A print so many seconds after T0."""
    return PublicTrade(
        symbol=BTC,
        trade_id=number,
        side=Side.BUY,
        price=d(price),
        quantity=d(quantity),
        traded_at=datetime.fromtimestamp(T0, UTC) + timedelta(seconds=at_s),
    )


def place(each: PublicTrade) -> int:
    """What the venue calls its moment."""
    passed = each.traded_at - datetime.fromtimestamp(T0, UTC)
    return T0 * NS + passed // timedelta(microseconds=1) * 1_000


def reading(span: Span = SPAN) -> Reading:
    """A fresh one of minutes and five minutes."""
    return Reading(span, (M1, M5), price_decimals=1)


def venue_page(all_of_it: Sequence[PublicTrade], since: str, size: int) -> list[PublicTrade]:
    """As Kraken pages: after a nanosecond, so many, cut anywhere."""
    return [each for each in all_of_it if place(each) > int(since)][:size]


def read_all(
    all_of_it: Sequence[PublicTrade], size: int, *, broken: bool = False
) -> tuple[dict[Timeframe, pl.DataFrame], Reading]:
    """Page after page; `broken` saves and resumes after each."""
    one = reading()
    frames: dict[Timeframe, list[pl.DataFrame]] = {M1: [], M5: []}
    for _ in range(10_000):
        page = venue_page(all_of_it, one.ask, size)
        last = str(place(page[-1])) if page else one.place
        for timeframe, frame in one.take(page, last).items():
            frames[timeframe].append(frame)
        if one.is_over:
            return {each: pl.concat(parts) for each, parts in frames.items()}, one
        if broken:
            one = Reading.resumed(one.span, one.place, one.trades, one.saved())
    raise AssertionError("it never ends")


TRADES = st.lists(
    st.tuples(st.integers(0, 1_400), st.integers(1, 10**6), st.integers(1, 10**10)), max_size=60
).map(
    lambda rows: [
        trade(number, half / 2, str(Decimal(price) / 10), str(Decimal(quantity) / 10**8))
        for number, (half, price, quantity) in enumerate(sorted(rows), 1)
    ]
)


@given(TRADES, st.integers(2, 70), st.booleans())
def test_every_trade_is_counted_once(rows: list[PublicTrade], size: int, broken: bool) -> None:  # noqa: FBT001 - drawn
    """Against a sum of its own; whatever the pages' size, resumed after each or not."""
    size = max(size, _most_at_once(rows) + 1)
    frames, one = read_all(rows, size, broken=broken)
    within = [each for each in rows if place(each) < SPAN.until * NS]

    assert one.trades == len(within)
    for timeframe, frame in frames.items():
        length = timeframe.minutes * 60
        buckets: dict[int, list[PublicTrade]] = {}
        for each in within:
            second = place(each) // NS
            buckets.setdefault(second - second % length, []).append(each)
        told = {row["at"]: row for row in frame.iter_rows(named=True)}
        assert list(told) == sorted(buckets)
        for at, them in buckets.items():
            row = told[at]
            volume = sum((each.quantity for each in them), Decimal(0))
            money = sum((each.price * each.quantity for each in them), Decimal(0))
            prices = [each.price for each in them]
            assert (row["open"], row["close"]) == (prices[0], prices[-1])
            assert (row["high"], row["low"]) == (max(prices), min(prices))
            assert (row["volume"], row["count"]) == (volume, len(them))
            assert row["vwap"] == money // (volume * d("0.1")) * d("0.1")


def _most_at_once(rows: Sequence[PublicTrade]) -> int:
    moments = [place(each) for each in rows]
    return max((moments.count(each) for each in moments), default=0)


def test_a_page_that_ends_between_two_trades_of_one_moment_loses_none() -> None:
    """The venue goes on after the moment; the last trade is asked for again, and known."""
    rows = [trade(1, 1), trade(2, 2), trade(3, 2, "101"), trade(4, 2, "99"), trade(5, 700)]
    frames, one = read_all(rows, 4)

    assert one.trades == 4
    assert frames[M1].row(0, named=True)["count"] == 4
    assert frames[M1].row(0, named=True)["low"] == 99


def test_only_whole_candles_within_the_span_are_told() -> None:
    """The five minutes that reach over its ends are somebody else's."""
    span = Span(T0 + 60, T0 + 660)
    one = Reading(span, (M1, M5), price_decimals=1)
    rows = [trade(1, 30), trade(2, 70), trade(3, 320), trade(4, 610), trade(5, 661)]
    frames = one.take(rows, str(place(rows[-1])))

    assert one.is_over
    assert one.read_until == span.until
    assert one.trades == 3
    assert frames[M1]["at"].to_list() == [T0 + 60, T0 + 300, T0 + 600]
    assert frames[M5]["at"].to_list() == [T0 + 300]


def test_the_running_candle_waits_for_the_next_page() -> None:
    """And what was read reaches to the last trade's second."""
    one = reading()
    frames = one.take([trade(1, 10), trade(2, 65)], str(place(trade(2, 65))))

    assert frames[M1]["at"].to_list() == [T0]
    assert not one.is_over
    assert one.read_until == T0 + 65


def test_nothing_new_is_the_end() -> None:
    """The span is read to its end although nothing traded there."""
    one = reading()
    one.take([trade(1, 10)], str(place(trade(1, 10))))
    frames = one.take([trade(1, 10)], str(place(trade(1, 10))))

    assert one.is_over
    assert one.read_until == SPAN.until
    assert frames[M1]["at"].to_list() == [T0]
    assert frames[M5]["count"].to_list() == [1]


def test_a_page_full_of_what_is_known_is_passed() -> None:
    """More trades in one nanosecond than a page holds do not hold it up for ever."""
    rows = [trade(number, 10) for number in range(1, 1_001)]
    one = reading()
    one.take(rows, str(place(rows[-1])))
    before = int(one.ask)
    one.take(rows, str(place(rows[-1])))

    assert not one.is_over
    assert int(one.ask) == before + 1


def test_a_trade_out_of_its_time_is_an_error() -> None:
    """Nothing is guessed."""
    with pytest.raises(OutOfOrder):
        reading().take([trade(1, 100), trade(2, 10)], str(place(trade(2, 10))))


@pytest.mark.parametrize("saved", [b"", b"{}", b"[1]", b"\xff"])
def test_bytes_of_something_else_are_refused(saved: bytes) -> None:
    """A row that somebody changed."""
    with pytest.raises(ValueError, match="cannot be read"):
        Reading.resumed(SPAN, "0", 0, saved)


def test_what_is_saved_is_the_same_bytes_again() -> None:
    """And holds what was told of differences."""
    one = reading()
    one.take([trade(1, 10, "1234.5", "0.00000001"), trade(2, 65)], str(place(trade(2, 65))))
    told = Differing(
        opened_at=datetime.fromtimestamp(T0, UTC),
        stored="count 2",
        offered="count 1",
        is_replaced=True,
    )
    one.tally.add(M1, Written(rows=3, new=1, changed=1, unchanged=1, differing=(told,)))
    again = Reading.resumed(one.span, one.place, one.trades, one.saved())

    assert again.saved() == one.saved()
    assert (again.ask, again.trades, again.timeframes) == (one.ask, 2, (M1, M5))
    assert again.tally == Tally(
        new=1,
        alike=1,
        differ=1,
        told=["1m of 2026-01-05 08:00: stored was count 2; the trades say count 1"],
        made={"1m": 3},
    )
