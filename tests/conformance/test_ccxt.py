"""ccxt, as installed, against the paper exchange: only its `urls` are other than usual."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import ccxt
import pytest

from conformance_errors import LIMITS, MODES, expected, met_by, trouble, until_refused
from conformance_orders import KINDS, MORE, QUANTITY, Prices, prices_of, told_of
from conformance_table import CCXT
from conformance_venue import READER_KEY, READER_SECRET, SYMBOL, Venue
from program import wait_until

Shows = Callable[[str, str], None]
Order = tuple[str, str, float, float | None, dict[str, Any]]
"""Type, side, amount, price and params, as ccxt has them."""


def client_of(venue: Venue, **more: Any) -> Any:
    """The client with the venue's URLs and demo key; its own pace is switched off."""
    return ccxt.kraken(
        {
            "apiKey": venue.api_key,
            "secret": venue.api_secret,
            "urls": {"api": {"public": venue.rest_url, "private": venue.rest_url}},
            "enableRateLimit": False,
            **more,
        }
    )


@pytest.fixture(scope="module")
def client(venue: Venue) -> Iterator[Any]:
    """One client for all tests: its nonces rise."""
    made = client_of(venue)
    made.load_markets()
    yield made
    made.session.close()


# --- the market ----------------------------------------------------------------------------------


def test_it_loads_markets(client: Any, shows: Shows) -> None:
    """Symbols, precisions, minimums and fees, as of AssetPairs and Assets."""
    market = client.markets[SYMBOL]

    assert sorted(client.markets) == ["BTC/USD", "ETH/USD", "SOL/USD"]
    assert (market["id"], market["base"], market["quote"]) == ("XXBTZUSD", "BTC", "USD")
    assert market["precision"] == {"amount": 1e-8, "price": 0.1}
    assert (market["limits"]["amount"]["min"], market["taker"]) == (0.00005, 0.004)
    assert client.fetch_currencies()["BTC"]["precision"] == 1e-10
    shows(CCXT, "load markets")


def test_it_reads_time_and_status(client: Any, venue: Venue, shows: Shows) -> None:
    """Milliseconds; `ok` is ccxt's word for online."""
    assert abs(client.fetch_time() / 1000 - venue.public("Time")["unixtime"]) <= 1
    assert client.fetch_status()["status"] == "ok"
    shows(CCXT, "server's time and status")


def test_it_reads_ticker_book_candles_and_trades(client: Any, shows: Shows) -> None:
    """Each in ccxt's own shape, with the numbers where they belong."""
    ticker, book = client.fetch_ticker(SYMBOL), client.fetch_order_book(SYMBOL, 10)
    (first, *_), candles = client.fetch_trades(SYMBOL), client.fetch_ohlcv(SYMBOL, "1m")

    assert 0 < ticker["bid"] < ticker["ask"]
    assert sorted(client.fetch_tickers()) == sorted(client.markets)
    assert (len(book["bids"]), len(book["asks"])) == (10, 10)
    assert book["bids"][0][0] < book["asks"][0][0]
    assert (first["id"], first["side"] in ("buy", "sell")) == ("1", True)
    assert candles[-1][3] <= candles[-1][4] <= candles[-1][2]
    shows(CCXT, "ticker, book, candles and trades over REST")


def test_it_reads_balances(client: Any, shows: Shows) -> None:
    """Free, used and total by ccxt's codes; what an order holds is used."""
    before = client.fetch_balance()
    order = client.create_order(SYMBOL, "limit", "buy", 0.01, 50_000)
    after = client.fetch_balance()
    client.cancel_order(order["id"])

    assert before["BTC"]["total"] == before["BTC"]["free"] > 49
    assert after["USD"]["used"] - before["USD"]["used"] >= 500
    assert client.fetch_balance()["USD"]["used"] == before["USD"]["used"]
    shows(CCXT, "balances over REST")


# --- orders --------------------------------------------------------------------------------------


def order_of(row: str, prices: Prices) -> Order:
    """What ccxt wants to be told for a kind of order."""
    amount, below, above = float(QUANTITY), prices.at(90), prices.at(110)
    crossing = prices.at(101)
    close = {"ordertype": "stop-loss-limit", "price": prices.at(80), "price2": prices.at(79)}
    orders: dict[str, Order] = {
        "market": ("market", "buy", amount, None, {}),
        "market, sized in quote": ("market", "buy", 100, None, {"cost": 100}),
        "limit": ("limit", "buy", amount, below, {}),
        "post-only": ("limit", "buy", amount, below, {"postOnly": True}),
        "immediate or cancel": ("limit", "buy", amount, crossing, {"timeInForce": "IOC"}),
        "fill or kill": ("limit", "buy", amount, crossing, {"timeInForce": "FOK"}),
        "good till date": (
            *("limit", "buy", amount, below),
            {"timeInForce": "GTD", "expiretm": "+600"},
        ),
        "iceberg": ("iceberg", "buy", amount, None, {"price": below, "displayvol": "0.002"}),
        "stop-loss": ("market", "sell", amount, None, {"stopLossPrice": below}),
        "stop-loss-limit": ("limit", "sell", amount, prices.at(89), {"stopLossPrice": below}),
        "take-profit": ("market", "sell", amount, None, {"takeProfitPrice": above}),
        "take-profit-limit": ("limit", "sell", amount, prices.at(109), {"takeProfitPrice": above}),
        "trailing-stop": ("market", "sell", amount, None, {"trailingPercent": "5"}),
        "trailing-stop-limit": (
            *("limit", "sell", amount, None),
            {"trailingAmount": "500", "trailingLimitAmount": "10"},
        ),
        "trailing-stop by an amount": ("market", "sell", amount, None, {"trailingAmount": "500"}),
        "scheduled": ("limit", "buy", amount, below, {"starttm": "+600"}),
        "self-trade rule": ("limit", "buy", amount, below, {"stptype": "cancel-both"}),
        "conditional close": ("limit", "buy", amount, below, {"close": close}),
        "own id": ("limit", "buy", amount, below, {"clientOrderId": "conformance-1"}),
        "user reference": ("limit", "buy", amount, below, {"userref": -7}),
        "fee in base": ("limit", "buy", amount, below, {"oflags": "fcib"}),
        "with a deadline": ("limit", "buy", amount, below, {"deadline": prices.soon}),
        "on margin": ("limit", "buy", amount, below, {"leverage": 2}),
    }
    return orders[row]


@pytest.mark.parametrize("row", KINDS)
def test_it_places_queries_amends_and_cancels(
    row: str, client: Any, venue: Venue, shows: Shows
) -> None:
    """An order of each kind is what ccxt asked for; one that rests keeps its id when amended."""
    order_type, side, amount, price, params = order_of(row, prices_of(venue))
    placed = client.create_order(SYMBOL, order_type, side, amount, price, params)
    order = client.fetch_order(placed["id"])

    assert told_of(order["info"]) == KINDS[row]
    if KINDS[row].rests:
        client.edit_order(placed["id"], SYMBOL, order_type, side, float(MORE))
        amended = client.fetch_order(placed["id"])
        client.cancel_order(placed["id"])
        gone = client.fetch_order(placed["id"])
        assert (amended["amount"], gone["status"]) == (float(MORE), "canceled")
        assert amended["info"]["status"] == KINDS[row].status
    else:
        assert (order["status"], order["remaining"]) == ("closed", 0)
    shows(CCXT, row)
    shows(CCXT, "place, query, amend and cancel over REST")


def test_it_amends_limit_and_trigger_prices(client: Any, shows: Shows) -> None:
    """In place: the order keeps its id."""
    limit = client.create_order(SYMBOL, "limit", "buy", 0.01, 50_000)["id"]
    stop = client.create_order(SYMBOL, "limit", "sell", 0.01, 49_000, {"stopLossPrice": 50_000})
    client.edit_order(limit, SYMBOL, "limit", "buy", None, 50_001)
    client.edit_order(stop["id"], SYMBOL, "limit", "sell", None, 49_001, {"stopLossPrice": 50_002})
    after = [client.fetch_order(order_id) for order_id in (limit, stop["id"])]
    client.cancel_all_orders()

    assert [order["price"] for order in after] == [50_001, 49_001]
    assert after[1]["triggerPrice"] == 50_002
    shows(CCXT, "amend limit and trigger prices")


def test_it_edits_an_order_into_a_new_one(client: Any, shows: Shows) -> None:
    """Through ccxt's own table of endpoints: its `edit_order` amends."""
    old = client.create_order(SYMBOL, "limit", "buy", 0.01, 50_000)["id"]
    fields = {"pair": "XBTUSD", "txid": old, "price": "50001"}
    new = client.private_post_editorder(fields)["result"]["txid"]
    client.cancel_order(new)

    assert client.fetch_order(old)["status"] == "canceled"
    assert client.fetch_order(new)["price"] == 50_001
    shows(CCXT, "edit an order into a new one")


def test_it_finds_and_cancels_by_own_id_and_reference(client: Any, shows: Shows) -> None:
    """Both are filters of what is open, and names to cancel by."""
    named = {"clientOrderId": "mine-1"}
    first = client.create_order(SYMBOL, "limit", "buy", 0.01, 50_000, named)["id"]
    second = client.create_order(SYMBOL, "limit", "buy", 0.01, 50_000, {"userref": 77})["id"]
    by_id = client.fetch_open_orders(SYMBOL, None, None, named)
    by_reference = client.fetch_open_orders(SYMBOL, None, None, {"userref": 77})
    client.cancel_order("", None, named)
    client.cancel_order("", None, {"userref": 77})

    assert [order["id"] for order in (*by_id, *by_reference)] == [first, second]
    assert client.fetch_open_orders() == []
    shows(CCXT, "find and cancel by own id and reference")


def test_it_places_and_cancels_batches(client: Any, shows: Shows) -> None:
    """AddOrderBatch, CancelOrderBatch and CancelAll."""
    one = {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.01}
    placed = client.create_orders([{**one, "price": 50_000 + number} for number in range(3)])
    ids = [order["id"] for order in placed]
    opened = [order["id"] for order in client.fetch_open_orders(SYMBOL)]
    client.cancel_orders(ids[:2])
    left = [order["id"] for order in client.fetch_open_orders(SYMBOL)]
    (answer,) = client.cancel_all_orders()

    assert (sorted(opened), left) == (sorted(ids), ids[2:])
    assert answer["info"]["result"] == {"count": 1}
    shows(CCXT, "batches and cancel all")


def test_it_arms_and_disarms_the_dead_man_s_switch(client: Any, shows: Shows) -> None:
    """Milliseconds in ccxt; zero disarms."""
    armed = client.cancel_all_orders_after(60_000)["result"]
    disarmed = client.cancel_all_orders_after(0)["result"]

    assert armed["currentTime"] < armed["triggerTime"]
    assert disarmed["triggerTime"] == "0"
    shows(CCXT, "dead man's switch")


# --- history -------------------------------------------------------------------------------------


def paged(fetch: Callable[[int], list[Any]]) -> list[str]:
    """The ids of all pages, until one is empty."""
    found: list[str] = []
    while rows := fetch(len(found)):
        found += [row["id"] for row in rows]
    return found


def test_it_pages_what_it_did(client: Any, shows: Shows) -> None:
    """More than a page of trades, orders and ledger rows: each once, none left out."""
    ids = [client.create_order(SYMBOL, "market", "buy", 0.0001)["id"] for _ in range(55)]
    trades = paged(lambda done: client.fetch_my_trades(SYMBOL, None, None, {"ofs": done}))
    orders = paged(lambda done: client.fetch_closed_orders(SYMBOL, None, None, {"ofs": done}))
    rows = paged(lambda done: client.fetch_ledger(None, None, None, {"ofs": done}))
    one = client.fetch_order(ids[0], SYMBOL, {"trades": True})

    assert [len(set(told)) for told in (trades, orders, rows)] == [
        len(trades),
        len(orders),
        len(rows),
    ]
    assert set(ids) <= set(orders)
    assert len(rows) >= 2 * len(trades) >= 110
    assert [
        each["order"]
        for each in client.fetch_order_trades(
            ids[0], SYMBOL, None, None, {"trades": one["info"]["trades"]}
        )
    ] == [ids[0]]
    assert client.fetch_ledger_entry(rows[0])["id"] == rows[0]
    shows(CCXT, "page own trades, closed orders and ledger")


def test_it_pages_the_market_s_history(client: Any, shows: Shows) -> None:
    """`since` takes up where the last answer ended."""
    everything = client.fetch_trades(SYMBOL)
    first = client.fetch_trades(SYMBOL, everything[0]["timestamp"] - 1, 2)
    rest = client.fetch_trades(SYMBOL, first[-1]["timestamp"], 1000)
    candles = client.fetch_ohlcv(SYMBOL, "1m")
    later = client.fetch_ohlcv(SYMBOL, "1m", candles[-1][0])

    assert [trade["id"] for trade in first] == ["1", "2"]
    assert {trade["id"] for trade in everything} <= {trade["id"] for trade in (*first, *rest)}
    assert later[-1][0] >= candles[-1][0]
    shows(CCXT, "page public trades and candles")


# --- what goes wrong -----------------------------------------------------------------------------


def call_of(row: str, client: Any, venue: Venue) -> Callable[[], Any]:
    """What meets the trouble of a row."""
    price = prices_of(venue).at(90)
    raw = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "volume": "0.01"}
    calls: dict[str, Callable[[], Any]] = {
        "insufficient funds": lambda: client.create_order(SYMBOL, "limit", "buy", 100, price),
        "below the minimum": lambda: client.create_order(SYMBOL, "limit", "buy", 0.00001, price),
        "price too fine": lambda: client.private_post_addorder({**raw, "price": "50000.15"}),
        "would take, but is post-only": lambda: client.create_order(
            SYMBOL, "limit", "buy", 0.01, price * 1.2, {"postOnly": True}
        ),
        "unknown pair": lambda: client.public_get_ticker({"pair": "NONSENSE"}),
        "unknown order": lambda: client.cancel_order("OAAAAA-BBBBB-CCCCCC"),
        "unknown key": lambda: client_of(venue, apiKey="nobody").fetch_balance(),
        "wrong signature": lambda: client_of(venue, secret="AAAA").fetch_balance(),
        "permission missing": lambda: client_of(
            venue, apiKey=READER_KEY, secret=READER_SECRET
        ).fetch_open_orders(),
        "no answer in time": client_of(venue, timeout=300).fetch_balance,
    }
    order = {row: lambda: client.create_order(SYMBOL, "market", "buy", 0.01) for row in MODES}
    read: Callable[[], Any] = client.fetch_balance
    return {**calls, **order}.get(row, read)


@pytest.mark.parametrize("row", LIMITS)
def test_it_meets_limits_as_its_own_exceptions(row: str, strict: Venue, shows: Shows) -> None:
    """Sixty orders, or fifteen calls, and some: what decays meanwhile is little."""
    client = client_of(strict)
    calls: dict[str, Callable[[], Any]] = {
        "REST rate limit": client.fetch_balance,
        "engine's rate limit": lambda: client.create_order(SYMBOL, "market", "buy", 0.0001),
    }
    with pytest.raises(ccxt.BaseError) as caught:
        until_refused(calls[row])
    client.session.close()

    assert f"`{type(caught.value).__name__}`" == expected(CCXT, row)
    shows(CCXT, row)


@pytest.mark.parametrize("row", met_by(CCXT))
def test_it_meets_trouble_as_its_own_exceptions(
    row: str, client: Any, venue: Venue, shows: Shows
) -> None:
    """Kraken's words become the class that ccxt has for them."""
    call = call_of(row, client, venue)
    with trouble(venue, row), pytest.raises(ccxt.BaseError) as caught:
        call()

    assert f"`{type(caught.value).__name__}`" == expected(CCXT, row)
    shows(CCXT, row)


def test_it_goes_on_after_a_lost_connection(client: Any, venue: Venue, shows: Shows) -> None:
    """The call that was cut fails; the next one does not."""
    with venue.failing("reply-lost-before"), pytest.raises(ccxt.NetworkError):
        client.fetch_balance()

    assert client.fetch_balance()["USD"]["total"] > 0
    shows(CCXT, "come back after a lost connection")


# --- margin, money and reports -------------------------------------------------------------------


def test_it_opens_reduces_and_settles_a_position(client: Any, shows: Shows) -> None:
    """With `leverage`; ccxt settles an amount, never "all there is"."""
    client.create_order(SYMBOL, "market", "buy", 0.02, None, {"leverage": 2})
    (opened,) = client.fetch_positions()
    reduce = {"leverage": 2, "reduceOnly": True}
    client.create_order(SYMBOL, "market", "sell", 0.01, None, reduce)
    (reduced,) = client.fetch_positions()
    client.create_order(SYMBOL, "settle-position", "sell", 0.01, None, {"leverage": 2})

    assert (opened["info"]["vol"], opened["info"]["vol_closed"]) == ("0.02000000", "0.00000000")
    assert reduced["info"]["vol_closed"] == "0.01000000"
    assert client.fetch_positions() == []
    shows(CCXT, "open, reduce and settle a position")


def test_it_moves_money(client: Any, shows: Shows) -> None:
    """Deposits that were made, a withdrawal, and a transfer to futures."""
    (deposit,) = client.fetch_deposits("BTC")
    (known,) = client.private_post_withdrawaddresses({"asset": "XBT"})["result"]
    withdrawn = client.withdraw("BTC", 0.1, known["address"], params={"key": known["key"]})
    listed = client.fetch_withdrawals("BTC")
    client.transfer_out("BTC", 0.1)

    assert (deposit["amount"], deposit["status"], deposit["currency"]) == (50, "ok", "BTC")
    assert [row["id"] for row in listed] == [withdrawn["id"]]
    assert client.fetch_deposit_address("BTC")["address"]
    assert client.fetch_deposit_methods("BTC")[0]["method"] == "Bitcoin"
    shows(CCXT, "deposits, withdrawals and transfers")


def test_it_orders_a_report_and_reads_it_as_text_by_itself(client: Any) -> None:
    """Through ccxt's own table of endpoints. Its fault: it takes the zip for UTF-8."""
    told = client.private_post_addexport({"report": "ledgers", "description": "all"})["result"]

    def status() -> str:
        rows = client.private_post_exportstatus({"report": "ledgers"})["result"]
        return str(next(row["status"] for row in rows if row["id"] == told["id"]))

    wait_until(lambda: status() == "Processed")
    with pytest.raises(UnicodeDecodeError) as caught:
        client.private_post_retrieveexport({"id": told["id"]})
    removed = client.private_post_removeexport({"id": told["id"], "type": "delete"})

    assert caught.value.object[:2] == b"PK"
    assert removed["result"]["delete"] is True
