"""Answers that Kraken really gave, read through the whole client.

The captures lie beside the checkout; where they are absent these tests say so, and the made-up
answers of the other tests prove the same behaviour.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

import kraken_answers as kraken
from builders import d
from zoe_tools.domain.candle import Timeframe
from zoe_tools.domain.identifiers import Symbol, VenueOrderId
from zoe_tools.domain.instrument import InstrumentCatalogue
from zoe_tools.domain.money import plain
from zoe_tools.domain.order import OrderStatus, OrderType
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.runtime.virtual_loop import run_virtual

DATA = Path(__file__).parents[3] / "shared" / "data"

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="no captures of real answers beside the checkout (../shared/data)"
)


def capture(name: str) -> Any:
    """A captured answer, its numbers with all their digits."""
    return json.loads((DATA / name).read_text())


def raw(name: str) -> httpx.Response:
    """The same as the text that came over the wire."""
    return httpx.Response(200, content=(DATA / name).read_bytes())


def ask(use: Callable[[KrakenSpot], Coroutine[Any, Any, Any]], **answers: Any) -> Any:
    """The answer to one question put to a venue that gives these answers."""

    async def run() -> Any:
        return await use(kraken.spot(kraken.Script(**answers)))

    return run_virtual(run())


def wide_catalogue() -> dict[str, Any]:
    """The catalogue of 86 pairs, with the assets of the same capture."""
    return {
        "Assets": raw("xchange/marketdata_example-assets-data.json"),
        "AssetPairs": raw("xchange/marketdata_example-assetpairs-data.json"),
    }


def test_the_whole_list_of_pairs_is_read_and_every_name_of_each_finds_it() -> None:
    """Ids, altnames and both slash forms; the dark-pool rows stay apart."""
    rows = capture("xchange/marketdata_example-assetpairs-data.json")["result"]

    found: InstrumentCatalogue = ask(lambda venue: venue.catalogue(), **wide_catalogue())

    assert len(found) == len(rows) == 86
    assert len({each.symbol for each in found}) == 86
    for key, row in rows.items():
        names = [key, row["altname"], *([row["wsname"]] if "wsname" in row else [])]
        assert {found.resolve(name).venue_id for name in names} == {key}
    assert found.resolve("XBT/EUR").symbol == "BTC/EUR"
    assert found.resolve("XDGUSD").symbol == "DOGE/USD" if "XDGUSD" in rows else True
    assert found.resolve("XXBTZUSD.d").symbol == "XBTUSD.d"


def test_every_canonical_name_is_one_of_the_streaming_api() -> None:
    """The catalogue's symbols are those of a captured v2 instrument list of 683 pairs."""
    snapshot = capture("torquey66/instrument_snapshot.json")
    listed = {pair["symbol"] for pair in snapshot.get("data", snapshot)["pairs"]}
    rows = capture("xchange/marketdata_example-assetpairs-data.json")["result"]

    found: InstrumentCatalogue = ask(lambda venue: venue.catalogue(), **wide_catalogue())

    lit = [each.symbol for each in found if "wsname" in rows[each.venue_id]]
    known = [symbol for symbol in lit if symbol in listed]
    renamed = {symbol for symbol in lit for name in ("XBT", "XDG") if name in symbol}
    assert len(known) > 60
    assert renamed == set()
    assert "BTC/USD" in known


def test_a_pair_of_today_says_everything() -> None:
    """The fields of 2025: tick, minimums, decimals of costs, both schedules."""
    found: InstrumentCatalogue = ask(
        lambda venue: venue.catalogue(), AssetPairs=raw("xchange2025/AssetPairs.json")
    )
    pair = found.resolve("BTC/USDT")

    assert (pair.tick_size, pair.min_quantity, pair.min_cost) == (d("0.1"), d("0.00005"), d("0.5"))
    assert (pair.cost_decimals, pair.base, pair.quote) == (5, "BTC", "USDT")
    assert pair.tier(d("0")).taker_pct == d("0.4")
    assert pair.tier(d("20000000")).maker_pct == d("0")


def test_candles_keep_every_digit() -> None:
    """528 one-minute candles, the empty ones included."""
    rows = capture("nautilus/xbtusdt_ohlc_1m_first_half.json")["candles"]
    answer = kraken.success({"XBTUSDT": rows, "last": rows[-2][0]})

    candles = ask(lambda venue: venue.candles(Symbol("BTC/USDT"), Timeframe.M1), OHLC=answer)

    assert [row[1:5] for row in rows] == [
        [plain(value) for value in (each.open, each.high, each.low, each.close)] for each in candles
    ]
    assert [each.is_final for each in candles] == [True] * (len(rows) - 1) + [False]


def test_prints_keep_every_digit() -> None:
    """Prices and quantities as printed, times cut to the microsecond."""
    rows = capture("nautilus/xbtusdt_trades_first_half.json")["trades"]
    answer = kraken.success({"XBTUSDT": rows, "last": "1762820035982277754"})

    trades, last = ask(lambda venue: venue.trades(Symbol("BTC/USDT")), Trades=answer)

    assert [row[:2] for row in rows] == [
        [plain(each.price), plain(each.quantity)] for each in trades
    ]
    assert [row[6] for row in rows] == [each.trade_id for each in trades]
    assert last == "1762820035982277754"


def test_quotes_and_books_are_read() -> None:
    """Two captures of each kind of market data."""
    quotes = ask(
        lambda venue: venue.quotes((Symbol("BTC/USDT"),)), Ticker=raw("nautilus/http_ticker.json")
    )
    book = ask(
        lambda venue: venue.book(Symbol("BTC/USD")),
        Depth=raw("kraken-net/SpotExchangeData_GetOrderBook.json"),
    )

    assert (str(quotes[0].bid), str(quotes[0].ask)) == ("105944.20000", "105944.30000")
    assert book.bids[0].price < book.asks[0].price
    assert str(book.asks[0].quantity) == "1.199"


@pytest.mark.parametrize(
    "name",
    [
        "kraken-async-rs/account__get_open_orders.json",
        "kraken-net/SpotTrading_GetOpenOrders.json",
        "xchange/trading_example-openorders-data.json",
        "xchange/trading_example-openorders-in-transaction-currency-data.json",
    ],
)
def test_open_orders_of_ten_years_are_read(name: str) -> None:
    """Not one is dropped, and each has its side, its type and its price."""
    rows = capture(name)["result"]["open"]

    orders = ask(lambda venue: venue.open_orders(), OpenOrders=raw(name))

    assert [each.venue_order_id for each in orders] == list(rows)
    for order in orders:
        row = rows[order.venue_order_id]
        assert order.order_type is not OrderType.UNKNOWN
        assert order.quantity == Decimal(row["vol"])
        assert order.status in {OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED}
        if order.order_type is OrderType.LIMIT:
            assert str(order.limit_price) == row["descr"]["price"]
        elif order.order_type.is_triggered and "%" not in row["descr"]["price"]:
            assert order.trigger_price is not None


def test_closed_and_queried_orders_are_read() -> None:
    """Cancelled by the user, filled; a reason that is null."""
    closed = ask(
        lambda venue: venue.closed_orders(),
        ClosedOrders=raw("kraken-net/SpotTrading_GetClosedOrders.json"),
    )
    asked = [VenueOrderId("OBCMZD-JIEE7-77TH3F"), VenueOrderId("OMMDB2-FSB6Z-7W3HPO")]
    queried = ask(
        lambda venue: venue.orders(asked), QueryOrders=raw("kraken-net/SpotTrading_GetOrder.json")
    )

    assert {each.reason for each in closed} == {"User requested"}
    assert all(each.closed_at is not None for each in closed)
    assert [each.venue_order_id for each in queried] == asked
    assert queried[0].status is OrderStatus.FILLED
    assert queried[0].average_price == d("30021.0")


@pytest.mark.parametrize(
    "name",
    [
        "kraken-async-rs/account__get_trades_history.json",
        "kraken-net/SpotTrading_GetUserTrades.json",
        "xchange/trading_example-tradehistory-data.json",
        "xchange/trading_example-tradehistory-icn.json",
    ],
)
def test_fills_of_ten_years_are_read_to_the_last_digit(name: str) -> None:
    """Every row, with the costs and fees as booked."""
    rows = capture(name)["result"]["trades"]

    fills = ask(lambda venue: venue.fills(), TradesHistory=raw(name))

    assert {each.fill_id for each in fills} == set(rows)
    for fill in fills:
        row = rows[fill.fill_id]
        said = [plain(value) for value in (fill.price, fill.cost, fill.fee, fill.quantity)]
        assert said == [row["price"], row["cost"], row["fee"], row["vol"]]


@pytest.mark.parametrize(
    "name",
    [
        "kraken-net/SpotAccount_GetLedgerInfo.json",
        "xchange/account_example-ledgerinfo-data.json",
    ],
)
def test_ledgers_are_read_to_the_last_digit(name: str) -> None:
    """Every row, newest first."""
    rows = capture(name)["result"]["ledger"]

    entries = ask(lambda venue: venue.ledger(), Ledgers=raw(name))

    assert {each.ledger_id for each in entries} == set(rows)
    assert {plain(each.balance) for each in entries} == {row["balance"] for row in rows.values()}
    assert [each.booked_at for each in entries] == sorted(
        (each.booked_at for each in entries), reverse=True
    )


def test_a_ledger_chains_as_the_venue_says() -> None:
    """Balance = balance before + amount - fee, on a page of a real account."""
    entries = ask(
        lambda venue: venue.ledger(), Ledgers=raw("kraken-net/SpotAccount_GetLedgerInfo.json")
    )

    assert len(entries) == 15
    for newer, older in pairwise(entries):
        assert newer.balance == older.balance + newer.amount - newer.fee


def test_balances_are_read() -> None:
    """Totals and holds, staked forms as rows of their own."""
    name = "kraken-async-rs/account__get_extended_balance.json"
    rows = capture(name)["result"]

    balances = ask(lambda venue: venue.balances(), BalanceEx=raw(name))

    assert [plain(each.total) for each in balances] == [row["balance"] for row in rows.values()]
    assert {"ATOM", "ATOM.S"} <= {each.asset for each in balances}
