"""ccxt.pro, as installed, against the paper exchange: only its `urls` are other than usual.

It is ccxt's asynchronous client with the WebSocket v2 on top.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import ccxt
import ccxt.pro
import pytest

from conformance_errors import LIMITS, MODES, SOCKET_ALONE, expected, met_by, trouble
from conformance_orders import KINDS, MORE, QUANTITY, Prices, prices_of, told_of
from conformance_table import ORDERS, PRO
from conformance_venue import READER_KEY, READER_SECRET, SYMBOL, Venue, until

Shows = Callable[[str, str], None]
Order = tuple[str, str, float, float | None, dict[str, Any]]
_PATIENCE_S = 15.0
_COLUMN = ORDERS.columns.index(PRO)
_MINE = [row for row in KINDS if not ORDERS.rows[row][_COLUMN].startswith("no ")]


def client_of(venue: Venue, **more: Any) -> Any:
    """The client with the venue's URLs and demo key; its own pace is switched off."""
    sockets = {
        "public": venue.ws_url,
        "publicV2": venue.ws_url,
        "private": venue.ws_auth_url,
        "privateV2": venue.ws_auth_url,
    }
    api = {"public": venue.rest_url, "private": venue.rest_url, "ws": sockets}
    keys = {"apiKey": venue.api_key, "secret": venue.api_secret}
    return ccxt.pro.kraken({**keys, "urls": {"api": api}, "enableRateLimit": False, **more})


def told(venue: Venue, story: Callable[[Any], Awaitable[Any]], **more: Any) -> Any:
    """What comes of a story with a client of its own."""

    async def run() -> Any:
        client = client_of(venue, **more)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await client.load_markets()
                return await story(client)
        finally:
            await client.close()

    return asyncio.run(run())


# --- the market ----------------------------------------------------------------------------------


def test_it_reads_over_rest_what_ccxt_reads(venue: Venue, shows: Shows) -> None:
    """Markets, time, ticker, book, candles, trades and balances, asynchronously."""

    async def story(client: Any) -> None:
        assert sorted(client.markets) == ["BTC/USD", "ETH/USD", "SOL/USD"]
        assert (await client.fetch_status())["status"] == "ok"
        assert abs(await client.fetch_time() / 1000 - venue.public("Time")["unixtime"]) <= 1
        ticker = await client.fetch_ticker(SYMBOL)
        assert 0 < ticker["bid"] < ticker["ask"]
        assert len((await client.fetch_order_book(SYMBOL, 10))["bids"]) == 10
        assert (await client.fetch_ohlcv(SYMBOL, "1m"))[-1][5] > 0
        assert (await client.fetch_trades(SYMBOL))[0]["id"] == "1"
        assert (await client.fetch_balance())["BTC"]["total"] > 49

    told(venue, story)
    shows(PRO, "load markets")
    shows(PRO, "server's time and status")
    shows(PRO, "ticker, book, candles and trades over REST")
    shows(PRO, "balances over REST")


def test_it_follows_the_book(venue: Venue, shows: Shows) -> None:
    """Snapshot and updates, at two depths, and several books at once."""

    async def story(client: Any) -> None:
        times = set()
        for _ in range(3):
            book = await client.watch_order_book(SYMBOL)
            times.add(book["timestamp"])
            assert (len(book["bids"]), len(book["asks"])) == (10, 10)
            assert book["bids"][0][0] < book["asks"][0][0]
        assert len(times) > 1
        assert len((await client.watch_order_book("ETH/USD", 25))["bids"]) > 10
        several = await client.watch_order_book_for_symbols(["BTC/USD", "SOL/USD"])
        assert several["symbol"] in {"BTC/USD", "SOL/USD"}

    told(venue, story)
    shows(PRO, "order book over sockets")


def test_it_stumbles_over_checksums_by_itself(venue: Venue) -> None:
    """Its fault: it has made floats of the prices before it wants their digits."""

    async def story(client: Any) -> str:
        said: asyncio.Queue[str] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: said.put_nowait(str(context["exception"])))
        client.options["watchOrderBook"] = {"checksum": True}
        watching = asyncio.ensure_future(client.watch_order_book(SYMBOL))
        first = await said.get()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        return first

    assert told(venue, story) == "'float' object has no attribute 'split'"


def test_it_follows_ticker_trades_and_candles(venue: Venue, shows: Shows) -> None:
    """By trades and by the best prices."""

    async def story(client: Any) -> None:
        assert (await client.watch_ticker(SYMBOL))["last"] > 0
        assert list(await client.watch_tickers(["ETH/USD"])) == ["ETH/USD"]
        assert list(await client.watch_bids_asks(["SOL/USD"])) == ["SOL/USD"]
        first = (await client.watch_trades(SYMBOL))[-1]["id"]
        assert int((await client.watch_trades(SYMBOL))[-1]["id"]) > int(first)
        assert len((await client.watch_ohlcv(SYMBOL, "1m"))[-1]) == 6

    told(venue, story)
    shows(PRO, "ticker, trades and candles over sockets")


# --- orders --------------------------------------------------------------------------------------


def order_of(row: str, prices: Prices) -> Order:
    """What ccxt.pro wants to be told for a kind of order."""
    amount, below, above = float(QUANTITY), prices.at(90), prices.at(110)
    crossing = prices.at(101)
    close = {"triggerPrice": prices.at(80), "price": prices.at(79)}
    limit: Order = ("limit", "buy", amount, below, {})
    orders: dict[str, Order] = {
        "market": ("market", "buy", amount, None, {}),
        "limit": limit,
        "post-only": (*limit[:4], {"postOnly": True}),
        "immediate or cancel": ("limit", "buy", amount, crossing, {"timeInForce": "IOC"}),
        "fill or kill": ("limit", "buy", amount, crossing, {"timeInForce": "FOK"}),
        "stop-loss": ("market", "sell", amount, None, {"stopLossPrice": below}),
        "stop-loss-limit": ("limit", "sell", amount, prices.at(89), {"stopLossPrice": below}),
        "take-profit": ("market", "sell", amount, None, {"takeProfitPrice": above}),
        "take-profit-limit": ("limit", "sell", amount, prices.at(109), {"takeProfitPrice": above}),
        "trailing-stop": ("market", "sell", amount, None, {"trailingPercent": 5}),
        "trailing-stop-limit": ("limit", "sell", amount, 10, {"trailingLimitAmount": 500}),
        "trailing-stop by an amount": ("market", "sell", amount, None, {"trailingAmount": 500}),
        "conditional close": (*limit[:4], {"stopLoss": close}),
        "own id": (*limit[:4], {"clientOrderId": "conformance-1"}),
    }
    return orders[row]


@pytest.mark.parametrize("row", _MINE)
def test_it_places_queries_amends_and_cancels(row: str, venue: Venue, shows: Shows) -> None:
    """An order of each kind is what was asked for; one that rests keeps its id when amended."""

    async def story(client: Any) -> None:
        order_type, side, amount, price, params = order_of(row, prices_of(venue))
        placed = await client.create_order_ws(SYMBOL, order_type, side, amount, price, params)
        order = await client.fetch_order(placed["id"])
        assert told_of(order["info"]) == KINDS[row]
        if not KINDS[row].rests:
            return
        # without its price an order of a limit type is refused by ccxt.pro itself
        edited = await client.edit_order_ws(
            placed["id"], SYMBOL, order_type, side, float(MORE), price, _kept(params)
        )
        amended = await client.fetch_order(placed["id"])
        await client.cancel_order_ws(placed["id"])
        gone = await client.fetch_order(placed["id"])
        assert (edited["id"], amended["amount"], amended["status"], gone["status"]) == (
            *(placed["id"], float(MORE), "open", "canceled"),
        )

    told(venue, story)
    shows(PRO, row)
    shows(PRO, "place, amend and cancel over sockets")


def _kept(params: dict[str, Any]) -> dict[str, Any]:
    """What an amendment is told again: the prices that the order triggers at."""
    return {name: value for name, value in params.items() if name.endswith("Price")}


def test_it_sends_a_cost_as_a_quantity_by_itself(venue: Venue) -> None:
    """Its fault: what was to cost ten cents is a tenth of a bitcoin."""

    async def story(client: Any) -> Any:
        placed = await client.create_order_ws(SYMBOL, "market", "buy", 0.1, None, {"cost": 0.1})
        return await client.fetch_order(placed["id"])

    order = told(venue, story)

    assert order["filled"] == 0.1
    assert order["cost"] > 1000


def test_it_puts_parameters_where_nobody_reads_them(venue: Venue) -> None:
    """Its fault: what it does not know goes beside the request's `params`."""

    async def story(client: Any) -> Any:
        more = {"order_userref": -7, "display_qty": 0.002}
        placed = await client.create_order_ws(SYMBOL, "limit", "buy", 0.01, 50_000, more)
        await client.cancel_order_ws(placed["id"])
        return (await client.fetch_order(placed["id"]))["info"]

    order = told(venue, story)

    assert (order["userref"], order["descr"]["ordertype"]) == (0, "limit")


def test_it_amends_prices_and_edits_and_finds_by_own_id(venue: Venue, shows: Shows) -> None:
    """Amendments over the socket, the rest over REST."""

    async def story(client: Any) -> None:
        buy, sell = (SYMBOL, "limit", "buy", 0.01), (SYMBOL, "limit", "sell", 0.01)
        named = {"clientOrderId": "mine-1"}
        limit = (await client.create_order_ws(*buy, 50_000, named))["id"]
        await client.edit_order_ws(limit, *buy, 50_001)
        assert (await client.fetch_open_orders(SYMBOL, None, None, named))[0]["price"] == 50_001
        stop = (await client.create_order_ws(*sell, 49_000, {"stopLossPrice": 50_000}))["id"]
        await client.edit_order_ws(stop, *sell, 49_001, {"stopLossPrice": 50_002})
        after = await client.fetch_order(stop)
        assert (after["price"], after["triggerPrice"]) == (49_001, 50_002)
        await client.cancel_order_ws(stop)
        await client.cancel_order("", None, named)
        old = (await client.create_order(*buy, 50_000, {"userref": 77}))["id"]
        fields = {"pair": "XBTUSD", "txid": old, "price": "50001", "userref": "78"}
        new = (await client.private_post_editorder(fields))["result"]["txid"]
        (found,) = await client.fetch_open_orders(SYMBOL, None, None, {"userref": 78})
        await client.cancel_order("", None, {"userref": 78})
        assert (found["id"], await client.fetch_open_orders()) == (new, [])

    told(venue, story)
    shows(PRO, "amend limit and trigger prices")
    shows(PRO, "edit an order into a new one")
    shows(PRO, "find and cancel by own id and reference")


def test_it_cancels_many(venue: Venue, shows: Shows) -> None:
    """By ids, and all; batches and the switch go over REST."""

    async def story(client: Any) -> None:
        one = {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.01, "price": 50_000}
        ids = [order["id"] for order in await client.create_orders([one, one, one])]
        await client.cancel_orders_ws(ids[:2])
        answer = await client.cancel_all_orders_ws()
        assert answer["result"] == {"count": 1}
        assert await client.fetch_open_orders(SYMBOL) == []
        armed = (await client.cancel_all_orders_after(60_000))["result"]
        assert armed["currentTime"] < armed["triggerTime"]
        await client.cancel_all_orders_after(0)

    told(venue, story)
    shows(PRO, "batches and cancel all")
    shows(PRO, "dead man's switch")


def test_it_places_queries_amends_and_cancels_over_rest_too(venue: Venue, shows: Shows) -> None:
    """As ccxt does."""

    async def story(client: Any) -> None:
        placed = await client.create_order(SYMBOL, "limit", "buy", 0.01, 50_000)
        await client.edit_order(placed["id"], SYMBOL, "limit", "buy", float(MORE))
        assert (await client.fetch_order(placed["id"]))["amount"] == float(MORE)
        await client.cancel_order(placed["id"])
        assert (await client.fetch_order(placed["id"]))["status"] == "canceled"

    told(venue, story)
    shows(PRO, "place, query, amend and cancel over REST")


# --- the account ---------------------------------------------------------------------------------


def test_it_follows_orders_fills_and_balances(venue: Venue, shows: Shows) -> None:
    """What is done over REST is told on the socket."""

    async def story(client: Any) -> None:
        before = (await client.watch_balance())["BTC"]["total"]
        watching = [
            asyncio.ensure_future(each)
            for each in (client.watch_orders(), client.watch_my_trades(), client.watch_balance())
        ]
        await asyncio.sleep(0.3)
        placed = await client.create_order(SYMBOL, "market", "buy", 0.01)
        await asyncio.gather(*watching)
        resting = await client.create_order(SYMBOL, "limit", "buy", 0.01, 50_000)
        await client.cancel_order(resting["id"])
        await until(lambda: "canceled" in statuses(client, resting["id"]))
        # a watch tells of one frame; what came meanwhile is in the client's own books
        await until(lambda: client.balance["spot"]["BTC"]["total"] != before)
        mine = [trade for trade in client.myTrades if trade["order"] == placed["id"]]
        assert placed["id"] in {order["id"] for order in client.orders}
        assert sum(trade["amount"] for trade in mine) == pytest.approx(0.01)
        assert mine[0]["fee"]["currency"] == "USD"
        assert client.balance["spot"]["BTC"]["total"] == pytest.approx(before + 0.01)

    told(venue, story)
    shows(PRO, "own orders and fills over sockets")
    shows(PRO, "balances over sockets")


def statuses(client: Any, order_id: str) -> set[str]:
    """What it has heard of an order; later reports, without a symbol, have rows of their own."""
    return {each["status"] for each in client.orders if each["id"] == order_id}


async def _paged(fetch: Callable[..., Awaitable[Any]]) -> list[str]:
    found: list[str] = []
    while rows := await fetch(None, None, None, {"ofs": len(found)}):
        found += [row["id"] for row in rows]
    return found


def test_it_pages_history(venue: Venue, shows: Shows) -> None:
    """Over REST, more than a page of each."""

    async def story(client: Any) -> None:
        ids = [
            (await client.create_order_ws(SYMBOL, "market", "buy", 0.0001))["id"] for _ in range(55)
        ]
        for fetch in (client.fetch_my_trades, client.fetch_closed_orders, client.fetch_ledger):
            found = await _paged(fetch)
            assert len(found) == len(set(found)) >= 55
        assert set(ids) <= set(await _paged(client.fetch_closed_orders))
        everything = await client.fetch_trades(SYMBOL)
        later = await client.fetch_trades(SYMBOL, everything[1]["timestamp"], 2)
        assert later[0]["id"] in {trade["id"] for trade in everything}
        candles = await client.fetch_ohlcv(SYMBOL, "1m")
        assert (await client.fetch_ohlcv(SYMBOL, "1m", candles[-1][0]))[-1][0] >= candles[-1][0]

    told(venue, story)
    shows(PRO, "page own trades, closed orders and ledger")
    shows(PRO, "page public trades and candles")


# --- what goes wrong -----------------------------------------------------------------------------

_STRANGERS: Mapping[str, dict[str, Any]] = {
    "unknown key": {"apiKey": "nobody"},
    "wrong signature": {"secret": "AAAA"},
    "permission missing": {"apiKey": READER_KEY, "secret": READER_SECRET},
    "no answer in time": {"timeout": 300},
}


async def _meet(row: str, client: Any, price: float) -> None:
    """Over the socket where the row is about orders, over REST where it is about REST."""
    limit = (SYMBOL, "limit", "buy")
    match row:
        case "insufficient funds":
            await client.create_order_ws(*limit, 100, price)
        case "below the minimum":
            await client.create_order_ws(*limit, 0.00001, price)
        case "price too fine":
            raw = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "volume": "0.01"}
            await client.private_post_addorder({**raw, "price": "50000.15"})
        case "would take, but is post-only":
            await client.create_order_ws(*limit, 0.01, price * 1.2, {"postOnly": True})
        case "unknown pair":
            await client.public_get_ticker({"pair": "NONSENSE"})
        case row if row == SOCKET_ALONE:
            await client.create_order_ws(*limit, 0.01, price)
        case "unknown order":
            await client.cancel_order_ws("OAAAAA-BBBBB-CCCCCC")
        case "permission missing":
            await client.fetch_open_orders()
        case _ if row in MODES:
            await client.create_order(SYMBOL, "market", "buy", 0.01)
        case _:
            await client.fetch_balance()


@pytest.mark.parametrize("row", LIMITS)
def test_it_meets_limits_as_its_own_exceptions(row: str, strict: Venue, shows: Shows) -> None:
    """Calls over REST, orders over the socket: what decays meanwhile is little."""

    async def story(client: Any) -> str:
        with pytest.raises(ccxt.BaseError) as caught:
            await _hammer(client, row)
        return type(caught.value).__name__

    assert f"`{told(strict, story)}`" == expected(PRO, row)
    shows(PRO, row)


async def _hammer(client: Any, row: str) -> None:
    while True:
        if row == "REST rate limit":
            await client.fetch_balance()
        else:
            await client.create_order_ws(SYMBOL, "market", "buy", 0.0001)


@pytest.mark.parametrize("row", met_by(PRO))
def test_it_meets_trouble_as_its_own_exceptions(row: str, venue: Venue, shows: Shows) -> None:
    """Kraken's words become the class that ccxt.pro has for them."""
    price = prices_of(venue).at(90)

    async def story(client: Any) -> str:
        with trouble(venue, row), pytest.raises(ccxt.BaseError) as caught:
            await _meet(row, client, price)
        return type(caught.value).__name__

    assert f"`{told(venue, story, **_STRANGERS.get(row, {}))}`" == expected(PRO, row)
    shows(PRO, row)


async def _watch_on(client: Any) -> None:
    while True:
        await client.watch_order_book(SYMBOL)


@pytest.mark.parametrize("fault", ["ws-close-1001", "ws-close-1006"])
def test_it_goes_on_after_a_lost_connection(fault: str, venue: Venue, shows: Shows) -> None:
    """Whoever watches hears of it; who watches again is connected again."""

    async def story(client: Any) -> None:
        await client.watch_order_book(SYMBOL)
        with venue.failing(fault), pytest.raises(ccxt.NetworkError):
            await _watch_on(client)
        assert len((await client.watch_order_book(SYMBOL))["bids"]) == 10

    told(venue, story)
    shows(PRO, "come back after a lost connection")


def test_it_follows_its_balances_again_after_a_lost_connection(venue: Venue, shows: Shows) -> None:
    """The private socket is another one; the token is still good."""

    async def story(client: Any) -> None:
        await client.watch_balance()
        watching = asyncio.ensure_future(client.watch_balance())
        await asyncio.sleep(0)
        with venue.failing("ws-close-1006", where="balances"):
            await client.create_order(SYMBOL, "market", "buy", 0.001)
            with pytest.raises(ccxt.NetworkError):
                await watching
        assert (await client.watch_balance())["BTC"]["total"] > 49

    told(venue, story)
    shows(PRO, "own streams again after a lost connection")


# --- margin, money and reports -------------------------------------------------------------------


def test_it_opens_reduces_and_settles_a_position(venue: Venue, shows: Shows) -> None:
    """Over REST, as ccxt does: its socket has no field for margin."""

    async def story(client: Any) -> None:
        lent = {"leverage": 2}
        await client.create_order(SYMBOL, "market", "buy", 0.02, None, lent)
        less = {**lent, "reduceOnly": True}
        await client.create_order(SYMBOL, "market", "sell", 0.01, None, less)
        (reduced,) = await client.fetch_positions()
        assert reduced["info"]["vol_closed"] == "0.01000000"
        await client.create_order(SYMBOL, "settle-position", "sell", 0.01, None, lent)
        assert await client.fetch_positions() == []

    told(venue, story)
    shows(PRO, "open, reduce and settle a position")


def test_it_moves_money(venue: Venue, shows: Shows) -> None:
    """Over REST, as ccxt does."""

    async def story(client: Any) -> None:
        (deposit,) = await client.fetch_deposits("BTC")
        assert (deposit["amount"], deposit["status"]) == (50, "ok")
        (known,) = (await client.private_post_withdrawaddresses({"asset": "XBT"}))["result"]
        key = {"key": known["key"]}
        withdrawn = await client.withdraw("BTC", 0.1, known["address"], params=key)
        assert (await client.fetch_withdrawals("BTC"))[0]["id"] == withdrawn["id"]
        await client.transfer_out("BTC", 0.1)

    told(venue, story)
    shows(PRO, "deposits, withdrawals and transfers")
