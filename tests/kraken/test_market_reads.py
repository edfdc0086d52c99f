"""The further market reads: against the paper exchange, and over answers as Kraken gives them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import kraken_answers as kraken
from builders import d
from paper_venue import PaperVenue, visited
from zoe_tools.domain.candle import Timeframe
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.market import DayStatistics, SpreadChange, Turnover
from zoe_tools.errors import VenueMisbehaved
from zoe_tools.kraken.market_reads import MarketReads
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual

BTC = Symbol("BTC/USD")
HOUR = timedelta(hours=1)


def ask(script: kraken.Script, use: Callable[[MarketReads], Awaitable[Any]]) -> Any:
    """The answer to one question."""

    async def run() -> Any:
        clock = VirtualClock(kraken.EPOCH)
        rest = kraken.client(script, clock=clock)
        return await use(MarketReads(rest, clock, KrakenSpot(rest, clock).catalogue))

    return run_virtual(run())


# --- the paper exchange


@pytest.mark.parametrize("timeframe", Timeframe)
def test_candles_of_every_length_are_read(timeframe: Timeframe) -> None:
    """All nine; each begins at a multiple of its length."""

    async def use(venue: PaperVenue) -> None:
        candles = await venue.spot.candles(BTC, timeframe)

        assert candles
        assert {each.timeframe for each in candles} == {timeframe}
        length_s = timeframe.length.total_seconds()
        assert [each.opened_at.timestamp() % length_s for each in candles] == [0] * len(candles)
        assert [each.is_final for each in candles] == [True] * (len(candles) - 1) + [False]

    visited(use)


def test_a_grouped_book_holds_what_the_book_holds() -> None:
    """Coarser levels, the same quantity; bids never above, asks never below where they were."""

    async def use(venue: PaperVenue) -> None:
        tick = (await venue.spot.catalogue()).resolve(BTC).tick_size
        book = await venue.spot.book(BTC, 500)
        grouped = await venue.market.grouped_book(BTC, depth=1000, ticks=100)

        assert len(grouped.bids) < len(book.bids)
        assert {each.price % (tick * 100) for each in grouped.bids + grouped.asks} == {0}
        assert grouped.bids[0].price <= book.bids[0].price
        assert grouped.asks[0].price >= book.asks[0].price
        assert list(grouped.asks) == sorted(grouped.asks, key=lambda each: each.price)
        assert len((await venue.market.grouped_book(BTC)).bids) == 10

    visited(use)


def test_the_book_order_by_order_adds_up_to_the_book() -> None:
    """At each price as much as the book has there, to the three decimals Depth prints."""

    async def use(venue: PaperVenue) -> None:
        orders = await venue.market.orders_book(BTC, depth=0)
        book = await venue.spot.book(BTC, 500)

        sums = {each.price: d("0") for each in orders.bids}
        for each in orders.bids:
            sums[each.price] += each.quantity
        assert {level.price: round(sums[level.price], 3) for level in book.bids} == {
            level.price: level.quantity for level in book.bids
        }
        assert all(each.placed_at and each.placed_at <= venue.clock.now() for each in orders.asks)
        assert [each.price for each in orders.asks] == sorted(each.price for each in orders.asks)

    visited(use)


def test_spreads_follow_the_best_prices() -> None:
    """The last one is the book's; `since` belongs to the range."""

    async def use(venue: PaperVenue) -> None:
        await venue.market.spreads(BTC)
        await venue.clock.sleep(60)
        changes = await venue.market.spreads(BTC)
        book = await venue.spot.book(BTC, 1)

        assert len(changes) > 1
        assert (changes[-1].bid, changes[-1].ask) == (book.bids[0].price, book.asks[0].price)
        middle = changes[len(changes) // 2].changed_at
        assert await venue.market.spreads(BTC, middle) == tuple(
            each for each in changes if each.changed_at >= middle
        )

    visited(use)


def test_a_days_figures_agree_with_the_candles() -> None:
    """Volume, count, low and high of the last 24 hours."""

    async def use(venue: PaperVenue) -> None:
        (day,) = await venue.market.day_statistics([BTC])
        candles = await venue.spot.candles(BTC, Timeframe.M1)

        traded = [each for each in candles if each.count]
        assert day.last_24h.volume >= sum(each.volume for each in traded)
        assert day.last_24h.low <= min(each.low for each in traded)
        assert day.last_24h.high >= max(each.high for each in traded)
        assert day.today.low <= day.last <= day.today.high
        assert await venue.market.day_statistics([]) == ()

    visited(use)


# --- answers as Kraken gives them


def test_what_ticker_says_of_a_day() -> None:
    """The sample of the fact sheet, to the last digit."""
    row = {
        "a": ["70000.10000", "1", "1.000"],
        "b": ["70000.00000", "2", "2.000"],
        "c": ["70000.10000", "0.00150000"],
        "v": ["812.44", "2204.91"],
        "p": ["69811.22215", "69502.90011"],
        "t": [9120, 26114],
        "l": ["69120.00000", "68800.00000"],
        "h": ["70410.00000", "70410.00000"],
        "o": "69350.00000",
    }
    script = kraken.Script(Ticker=kraken.success({"XXBTZUSD": row}))

    assert ask(script, lambda market: market.day_statistics([BTC])) == (
        DayStatistics(
            symbol=BTC,
            open=d("69350.00000"),
            last=d("70000.10000"),
            today=Turnover(
                volume=d("812.44"),
                vwap=d("69811.22215"),
                trades=9120,
                low=d("69120.00000"),
                high=d("70410.00000"),
            ),
            last_24h=Turnover(
                volume=d("2204.91"),
                vwap=d("69502.90011"),
                trades=26114,
                low=d("68800.00000"),
                high=d("70410.00000"),
            ),
            as_of=kraken.EPOCH,
        ),
    )


def test_spreads_are_read_as_kraken_prints_them() -> None:
    """Whole seconds, oldest first; an answer with no list of rows makes no sense."""
    rows = [[1688671834, "30292.10000", "30297.50000"]]
    script = kraken.Script(
        Spread=[kraken.success({"XXBTZUSD": rows, "last": 1688672106}), kraken.success({"last": 1})]
    )

    async def twice(market: MarketReads) -> Any:
        first = await market.spreads(BTC, kraken.EPOCH - 4000 * 24 * HOUR)
        with pytest.raises(VenueMisbehaved, match="Spread"):
            await market.spreads(BTC)
        return first

    assert ask(script, twice) == (
        SpreadChange(
            symbol=BTC,
            changed_at=datetime(2023, 7, 6, 19, 30, 34, tzinfo=UTC),
            bid=d("30292.1"),
            ask=d("30297.5"),
        ),
    )


def test_resting_orders_carry_their_nanoseconds_cut_to_microseconds() -> None:
    """Level3 of the fact sheet; asked by the altname, ten levels."""
    order = {
        "price": "3062.00000",
        "qty": "0.29665800",
        "order_id": "O5KJU4-IEQTM-NDMS6W",
        "timestamp": 1765622008594292999,
    }
    script = kraken.Script(Level3=kraken.success({"pair": "BTC/USD", "bids": [order], "asks": []}))

    book = ask(script, lambda market: market.orders_book(BTC, depth=10))

    (bid,) = book.bids
    assert (bid.venue_order_id, str(bid.quantity)) == ("O5KJU4-IEQTM-NDMS6W", "0.29665800")
    assert bid.placed_at == datetime(2025, 12, 13, 10, 33, 28, 594292, tzinfo=UTC)
    (asked,) = script.seen("Level3")
    assert (asked["pair"], asked["depth"]) == ("XBTUSD", "10")
