"""python-kraken-sdk over REST, as installed: only its `url` is another.

Its order book and `truncate` ask a host of their own, the class attribute `URL` of `SpotClient`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from kraken.spot import Funding, Market, Trade, User

from conformance_errors import LIMITS, MODES, SOCKET_ALONE, expected, met_by, trouble, until_refused
from conformance_orders import KINDS, MORE, prices_of, rest_fields, told_of
from conformance_table import SDK
from conformance_venue import PAIR, READER_KEY, READER_SECRET, Venue
from program import wait_until

Shows = Callable[[str, str], None]
_NAMES = {
    "type": "side",
    "close[ordertype]": "close_ordertype",
    "close[price]": "close_price",
    "close[price2]": "close_price2",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The client's three parts that are needed here."""

    market: Any
    trade: Any
    user: Any

    def order(self, txid: str) -> Any:
        """An order as it is now."""
        return self.user.get_orders_info(txid=txid)[txid]


def desk_of(venue: Venue, key: str = "", secret: str = "") -> Desk:
    """The client with the venue's URL and demo key."""
    keys = {"key": key or venue.api_key, "secret": secret or venue.api_secret}
    return Desk(
        market=Market(url=venue.rest_url),
        trade=Trade(url=venue.rest_url, **keys),
        user=User(url=venue.rest_url, **keys),
    )


@pytest.fixture(scope="module")
def desk(venue: Venue) -> Desk:
    """One client for all tests."""
    return desk_of(venue)


# --- the market ----------------------------------------------------------------------------------


def test_it_reads_the_market(desk: Desk, shows: Shows) -> None:
    """Whatever is public, as parsed JSON."""
    market = desk.market
    pairs, assets = market.get_asset_pairs(), market.get_assets(assets=["XBT", "USD"])
    ticker = market.get_ticker(pair=PAIR)["XXBTZUSD"]
    depth = market.get_order_book(pair=PAIR, count=5)["XXBTZUSD"]

    assert sorted(row["wsname"] for row in pairs.values()) == ["ETH/USD", "SOL/USD", "XBT/USD"]
    assert list(assets) == ["XXBT", "ZUSD"]
    assert market.get_system_status()["status"] == "online"
    assert float(ticker["b"][0]) < float(ticker["a"][0])
    assert [len(side) for side in depth.values()] == [5, 5]
    assert len(market.get_ohlc(pair=PAIR)["XXBTZUSD"][-1]) == 8
    assert market.get_recent_trades(pair=PAIR)["XXBTZUSD"][0][6] == 1
    assert len(market.get_recent_spreads(pair=PAIR)["XXBTZUSD"][0]) == 3
    shows(SDK, "load markets")
    shows(SDK, "server's time and status")
    shows(SDK, "ticker, book, candles and trades over REST")


def test_it_reads_balances(desk: Desk, shows: Shows) -> None:
    """Balance, BalanceEx, TradeBalance, and what it computes from them."""
    balance = desk.user.get_account_balance()

    assert desk.user.get_balance("XBT")["balance"] == float(balance["XXBT"]) > 49
    assert desk.user.get_balances()["ZUSD"]["hold_trade"] == "0.0000"
    assert float(desk.user.get_trade_balance()["eb"]) > float(balance["ZUSD"])
    assert desk.user.get_trade_volume(pair=PAIR)["fees"]["XXBTZUSD"]["maxfee"] == "0.4000"
    shows(SDK, "balances over REST")


# --- orders --------------------------------------------------------------------------------------


def placed(desk: Desk, fields: dict[str, str]) -> str:
    """The id of a new order; fields as AddOrder has them."""
    named: dict[str, Any] = {_NAMES.get(name, name): told for name, told in fields.items()}
    if "userref" in named:
        named["userref"] = int(named["userref"])
    (txid,) = desk.trade.create_order(pair=PAIR, **named)["txid"]
    return str(txid)


@pytest.mark.parametrize("row", KINDS)
def test_it_places_queries_amends_and_cancels(
    row: str, desk: Desk, venue: Venue, shows: Shows
) -> None:
    """An order of each kind is what was asked for; one that rests keeps its id when amended."""
    txid = placed(desk, rest_fields(row, prices_of(venue)))

    assert told_of(desk.order(txid)) == KINDS[row]
    if KINDS[row].rests:
        desk.trade.amend_order(txid=txid, order_qty=MORE)
        amended = desk.order(txid)
        desk.trade.cancel_order(txid)
        told = (float(amended["vol"]), amended["status"], desk.order(txid)["status"])
        assert told == (float(MORE), KINDS[row].status, "canceled")
        assert desk.user.get_order_amends(order_id=txid)["count"] == 2
    shows(SDK, row)
    shows(SDK, "place, query, amend and cancel over REST")


def test_it_amends_limit_and_trigger_prices(desk: Desk, shows: Shows) -> None:
    """In place: the order keeps its id."""
    stop = {"type": "sell", "ordertype": "stop-loss-limit", "volume": "0.01"}
    txid = placed(desk, {**stop, "price": "50000", "price2": "49000"})
    desk.trade.amend_order(txid=txid, trigger_price="50002", limit_price="49001")
    told = desk.order(txid)["descr"]
    desk.trade.cancel_order(txid)

    assert (told["price"], told["price2"]) == ("50002.0", "49001.0")
    shows(SDK, "amend limit and trigger prices")


def test_it_finds_and_cancels_by_own_id_and_reference(desk: Desk, shows: Shows) -> None:
    """Both are filters of what is open, and names to cancel by."""
    order = {"type": "buy", "ordertype": "limit", "volume": "0.01", "price": "50000"}
    first = placed(desk, {**order, "cl_ord_id": "mine-1"})
    second = placed(desk, {**order, "userref": "77"})

    assert list(desk.user.get_open_orders(cl_ord_id="mine-1")["open"]) == [first]
    assert list(desk.user.get_open_orders(userref=77)["open"]) == [second]
    assert desk.trade.cancel_order(cl_ord_id="mine-1") == {"count": 1}
    assert desk.trade.cancel_order(txid=77) == {"count": 1}
    shows(SDK, "find and cancel by own id and reference")


def test_it_edits_checks_and_truncates(
    desk: Desk, venue: Venue, monkeypatch: pytest.MonkeyPatch, shows: Shows
) -> None:
    """EditOrder, `validate`, and its own rounding, which asks for the pair's decimals."""
    monkeypatch.setattr(Market, "URL", venue.rest_url)
    limit = {"ordertype": "limit", "side": "buy", "pair": PAIR}
    checked = desk.trade.create_order(**limit, volume="0.01", price="50000", validate=True)
    made = desk.trade.create_order(**limit, volume=0.0123456789, price=50_000.19, truncate=True)
    edited = desk.trade.edit_order(txid=made["txid"][0], pair=PAIR, volume="0.02")
    desk.trade.cancel_order(edited["txid"])

    assert list(checked) == ["descr"]
    assert made["descr"]["order"] == "buy 0.01234567 XBTUSD @ limit 50000.1"
    assert (edited["originaltxid"], edited["volume"]) == (made["txid"][0], "0.02000000")
    shows(SDK, "edit an order into a new one")


def test_it_places_and_cancels_batches(desk: Desk, shows: Shows) -> None:
    """JSON bodies, with a close in one of them."""
    one = {"ordertype": "limit", "type": "buy", "volume": "0.01", "price": "50000"}
    close = {"ordertype": "stop-loss", "price": "40000"}
    made = desk.trade.create_order_batch(pair=PAIR, orders=[one, {**one, "close": close}, one])
    ids = [order["txid"] for order in made["orders"]]

    assert "close" in made["orders"][1]["descr"]
    assert desk.trade.cancel_order_batch(orders=ids[:2]) == {"count": 2}
    assert list(desk.user.get_open_orders()["open"]) == ids[2:]
    assert desk.trade.cancel_all_orders() == {"count": 1}
    shows(SDK, "batches and cancel all")


def test_it_arms_and_disarms_the_dead_man_s_switch(desk: Desk, shows: Shows) -> None:
    """Seconds; zero disarms."""
    armed = desk.trade.cancel_all_orders_after_x(60)

    assert armed["currentTime"] < armed["triggerTime"]
    assert desk.trade.cancel_all_orders_after_x(0)["triggerTime"] == "0"
    shows(SDK, "dead man's switch")


# --- history -------------------------------------------------------------------------------------


def paged(fetch: Callable[..., Any], name: str) -> tuple[list[str], int]:
    """The ids of all pages, and the count that was told."""
    found: list[str] = []
    while True:
        told = fetch(ofs=len(found))
        if not told[name]:
            return found, told["count"]
        found += told[name]


def test_it_pages_what_it_did(desk: Desk, shows: Shows) -> None:
    """More than a page of trades, orders and ledger rows: each once, as many as were told."""
    order = {"type": "buy", "ordertype": "market", "volume": "0.0001"}
    ids = [placed(desk, order) for _ in range(55)]
    trades, trade_count = paged(desk.user.get_trades_history, "trades")
    orders, order_count = paged(desk.user.get_closed_orders, "closed")
    rows, row_count = paged(desk.user.get_ledgers_info, "ledger")
    counts = [len(set(told)) for told in (trades, orders, rows)]

    assert counts == [trade_count, order_count, row_count]
    assert set(ids) <= set(orders)
    assert list(desk.user.get_trades_info(txid=trades[0])) == trades[:1]
    assert list(desk.user.get_ledgers(id_=rows[0])) == rows[:1]
    assert desk.user.get_open_positions() == []
    shows(SDK, "page own trades, closed orders and ledger")


def test_it_pages_the_market_s_history(desk: Desk, shows: Shows) -> None:
    """`last` is what to go on from."""
    first = desk.market.get_recent_trades(pair=PAIR, since=0, count=2)
    rest = desk.market.get_recent_trades(pair=PAIR, since=first["last"])
    candles = desk.market.get_ohlc(pair=PAIR, interval=1)
    later = desk.market.get_ohlc(pair=PAIR, interval=1, since=candles["last"])

    assert [row[6] for row in first["XXBTZUSD"]] == [1, 2]
    assert rest["XXBTZUSD"][0][6] == 3
    assert later["XXBTZUSD"][-1][0] >= candles["XXBTZUSD"][-1][0]
    shows(SDK, "page public trades and candles")


# --- what goes wrong -----------------------------------------------------------------------------


def call_of(row: str, desk: Desk, venue: Venue) -> Callable[[], Any]:
    """What meets the trouble of a row."""
    order = {"pair": PAIR, "side": "buy", "ordertype": "limit", "volume": "0.01", "price": "50000"}
    changed: dict[str, dict[str, Any]] = {
        "insufficient funds": {"volume": "100"},
        "below the minimum": {"volume": "0.00001"},
        "price too fine": {"price": "50000.15"},
        "would take, but is post-only": {"price": "99000", "oflags": "post"},
    }
    strangers = {
        "unknown key": ("nobody", venue.api_secret),
        "wrong signature": (venue.api_key, "AAAA"),
        "permission missing": (READER_KEY, READER_SECRET),
    }
    if row in changed:
        return lambda: desk.trade.create_order(**{**order, **changed[row]})
    if row in strangers:
        forbidden: Callable[[], Any] = desk_of(venue, *strangers[row]).user.get_open_orders
        return forbidden
    if row in MODES:
        return lambda: desk.trade.create_order(**{**order, "ordertype": "market"})
    if row == "unknown pair":
        return lambda: desk.market.get_ticker(pair="NONSENSE")
    if row == "unknown order":
        return lambda: desk.trade.cancel_order("OAAAAA-BBBBB-CCCCCC")
    read: Callable[[], Any] = desk.user.get_account_balance
    return read


@pytest.mark.parametrize("row", LIMITS)
def test_it_meets_limits_as_its_own_exceptions(row: str, strict: Venue, shows: Shows) -> None:
    """Sixty orders, or fifteen calls, and some: what decays meanwhile is little."""
    desk = desk_of(strict)
    order = {"type": "buy", "ordertype": "market", "volume": "0.0001"}
    calls: dict[str, Callable[[], Any]] = {
        "REST rate limit": desk.user.get_account_balance,
        "engine's rate limit": lambda: {"placed": placed(desk, order)},
    }
    with pytest.raises(Exception, match="Rate limit exceeded") as caught:
        until_refused(calls[row])

    assert f"`{type(caught.value).__name__}`" == expected(SDK, row)
    shows(SDK, row)


@pytest.mark.parametrize("row", [row for row in met_by(SDK) if row != SOCKET_ALONE])
def test_it_meets_trouble_as_its_own_exceptions(
    row: str, desk: Desk, venue: Venue, shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kraken's words become the class that the client has for them, or stay words."""
    call = call_of(row, desk, venue)
    if row == "no answer in time":
        monkeypatch.setattr(User, "TIMEOUT", 0.3)
    with trouble(venue, row):
        try:
            answer = call()
        except Exception as error:  # noqa: BLE001 - it has no common class for its own
            told = type(error).__name__
        else:
            told = "error" if answer["error"] else ""

    assert f"`{told}`" == expected(SDK, row)
    shows(SDK, row)


def test_it_goes_on_after_a_lost_connection(desk: Desk, venue: Venue, shows: Shows) -> None:
    """The call that was cut fails; the next one does not."""
    with venue.failing("reply-lost-before"), pytest.raises(requests.ConnectionError):
        desk.user.get_account_balance()

    assert desk.user.get_account_balance()
    shows(SDK, "come back after a lost connection")


# --- margin, money and reports -------------------------------------------------------------------


def test_it_opens_reduces_and_settles_a_position(desk: Desk, shows: Shows) -> None:
    """All there is, by a volume of zero."""
    order = {"pair": PAIR, "leverage": 2}
    desk.trade.create_order(**order, ordertype="market", side="buy", volume="0.02")
    opened = desk.user.get_open_positions(docalcs=True, consolidation="")
    desk.trade.create_order(
        **order, ordertype="market", side="sell", volume="0.01", reduce_only=True
    )
    (merged,) = desk.user.get_open_positions()
    (reduced,) = desk.user.get_open_positions(consolidation="").values()
    desk.trade.create_order(**order, ordertype="settle-position", side="sell", volume="0")

    assert [row["vol"] for row in opened.values()] == ["0.02000000"]
    assert reduced["vol_closed"] == "0.01000000"
    assert (merged["pair"], merged["type"]) == ("XXBTZUSD", "buy")
    assert desk.user.get_open_positions() == []
    shows(SDK, "open, reduce and settle a position")


@pytest.mark.filterwarnings("ignore:The '.*' function uses a deprecated:DeprecationWarning")
def test_it_moves_money(venue: Venue, shows: Shows) -> None:
    """Deposits that were made, a withdrawal that is cancelled, and a transfer to futures."""
    funding = Funding(key=venue.api_key, secret=venue.api_secret, url=venue.rest_url)
    (deposit,) = funding.get_recent_deposits_status(asset="XBT")
    (known,) = funding.withdraw_addresses(asset="XBT")
    withdraw = {"asset": "XBT", "amount": "0.1", "key": known["key"]}
    limit = funding.get_withdrawal_info(**withdraw)["limit"]
    refid = funding.withdraw_funds(**withdraw)["refid"]
    cancelled = funding.cancel_withdraw(asset="XBT", refid=refid)
    way = {"from_": "Spot Wallet", "to_": "Futures Wallet"}
    moved = funding.wallet_transfer(asset="XBT", amount="0.1", **way)

    assert (deposit["amount"], deposit["status"]) == ("50.0000000000", "Success")
    assert float(limit) > 49
    assert cancelled is True
    assert [row["refid"] for row in funding.get_recent_withdraw_status(asset="XBT")] == [refid]
    assert moved["refid"]
    shows(SDK, "deposits, withdrawals and transfers")


def test_it_orders_a_report(desk: Desk, shows: Shows) -> None:
    """Made in a few seconds, fetched as a zip, deleted."""
    export = desk.user.request_export_report(report="ledgers", description="all")["id"]

    def status() -> str:
        rows = desk.user.get_export_report_status(report="ledgers")
        return str(next(row["status"] for row in rows if row["id"] == export))

    wait_until(lambda: status() == "Processed")
    report = desk.user.retrieve_export(id_=export)

    assert report.content[:2] == b"PK"
    assert desk.user.delete_export_report(id_=export, type_="delete") == {"delete": True}
    shows(SDK, "exports")
