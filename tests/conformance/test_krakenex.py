"""krakenex, as installed, against the paper exchange: only its `uri` is another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import krakenex
import pytest
import requests

from conformance_errors import LIMITS, MODES, expected, met_by, trouble, until_refused
from conformance_orders import KINDS, MORE, prices_of, rest_fields, told_of
from conformance_table import KRAKENEX
from conformance_venue import PAIR, PATIENCE_S, READER_KEY, READER_SECRET, Venue
from program import let_time_pass, wait_until

Shows = Callable[[str, str], None]
_PATIENCE_S = 0.3


class Desk:
    """The client, and what a caller of it writes: calls that must succeed, or not."""

    def __init__(self, venue: Venue, key: str = "", secret: str = "") -> None:
        self.api = krakenex.API(key or venue.api_key, secret or venue.api_secret)
        self.api.uri = venue.rest_url

    def public(self, method: str, **fields: Any) -> Any:
        """The result of a public call."""
        return self.told(self.api.query_public(method, fields, PATIENCE_S))

    def private(self, method: str, **fields: Any) -> Any:
        """The result of a private call, a millisecond after the last: so it counts its nonces."""
        let_time_pass(0.001)
        return self.told(self.api.query_private(method, fields, PATIENCE_S))

    @staticmethod
    def told(answer: Any) -> Any:
        """The result of an answer without error."""
        assert answer["error"] == []
        return answer["result"]

    def order(self, txid: str) -> Any:
        """An order as it is now."""
        return self.private("QueryOrders", txid=txid)[txid]


@pytest.fixture(scope="module")
def desk(venue: Venue) -> Iterator[Desk]:
    """One client for all tests: its nonces rise."""
    made = Desk(venue)
    yield made
    made.api.close()


# --- the market ----------------------------------------------------------------------------------


def test_it_reads_the_market(desk: Desk, venue: Venue, shows: Shows) -> None:
    """Whatever is public, as parsed JSON."""
    pairs, assets = desk.public("AssetPairs"), desk.public("Assets", asset="XBT,USD")
    ticker, depth = desk.public("Ticker", pair=PAIR), desk.public("Depth", pair=PAIR, count=5)
    candles, trades = desk.public("OHLC", pair=PAIR), desk.public("Trades", pair=PAIR)

    assert [pairs[name]["altname"] for name in sorted(pairs)] == ["SOLUSD", "ETHUSD", "XBTUSD"]
    assert list(assets) == ["XXBT", "ZUSD"]
    assert abs(desk.public("Time")["unixtime"] - venue.public("Time")["unixtime"]) <= 1
    assert desk.public("SystemStatus")["status"] == "online"
    assert float(ticker["XXBTZUSD"]["b"][0]) < float(ticker["XXBTZUSD"]["a"][0])
    assert [len(side) for side in depth["XXBTZUSD"].values()] == [5, 5]
    assert len(candles["XXBTZUSD"][-1]) == 8
    assert trades["XXBTZUSD"][0][6] == 1
    shows(KRAKENEX, "load markets")
    shows(KRAKENEX, "server's time and status")
    shows(KRAKENEX, "ticker, book, candles and trades over REST")


def test_it_reads_balances(desk: Desk, shows: Shows) -> None:
    """Balance, and with what is held BalanceEx."""
    balance, more = desk.private("Balance"), desk.private("BalanceEx")

    assert float(balance["XXBT"]) > 49
    assert more["ZUSD"] == {"balance": balance["ZUSD"], "hold_trade": "0.0000"}
    shows(KRAKENEX, "balances over REST")


# --- orders --------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", KINDS)
def test_it_places_queries_amends_and_cancels(
    row: str, desk: Desk, venue: Venue, shows: Shows
) -> None:
    """An order of each kind is what was asked for; one that rests keeps its id when amended."""
    fields = rest_fields(row, prices_of(venue))
    (txid,) = desk.private("AddOrder", pair=PAIR, **fields)["txid"]

    assert told_of(desk.order(txid)) == KINDS[row]
    if KINDS[row].rests:
        desk.private("AmendOrder", txid=txid, order_qty=MORE)
        amended = desk.order(txid)
        desk.private("CancelOrder", txid=txid)
        told = (float(amended["vol"]), amended["status"], desk.order(txid)["status"])
        assert told == (float(MORE), KINDS[row].status, "canceled")
        assert desk.private("OrderAmends", order_id=txid)["count"] == 2
    shows(KRAKENEX, row)
    shows(KRAKENEX, "place, query, amend and cancel over REST")


def test_it_amends_limit_and_trigger_prices(desk: Desk, shows: Shows) -> None:
    """In place: the order keeps its id."""
    stop = {"type": "sell", "ordertype": "stop-loss-limit", "volume": "0.01"}
    prices = {"price": "50000", "price2": "49000"}
    (txid,) = desk.private("AddOrder", pair=PAIR, **stop, **prices)["txid"]
    desk.private("AmendOrder", txid=txid, trigger_price="50002", limit_price="49001")
    told = desk.order(txid)["descr"]
    desk.private("CancelOrder", txid=txid)

    assert (told["price"], told["price2"]) == ("50002.0", "49001.0")
    shows(KRAKENEX, "amend limit and trigger prices")


def test_it_finds_and_cancels_by_own_id_and_reference(desk: Desk, shows: Shows) -> None:
    """Both are filters of what is open, and names to cancel by; a reference may name many."""
    order = {"type": "buy", "ordertype": "limit", "volume": "0.01", "price": "50000"}
    (first,) = desk.private("AddOrder", pair=PAIR, **order, cl_ord_id="mine-1")["txid"]
    more = [desk.private("AddOrder", pair=PAIR, **order, userref=77)["txid"][0] for _ in range(2)]

    assert list(desk.private("OpenOrders", cl_ord_id="mine-1")["open"]) == [first]
    assert sorted(desk.private("OpenOrders", userref=77)["open"]) == sorted(more)
    assert desk.private("CancelOrder", cl_ord_id="mine-1") == {"count": 1}
    assert desk.private("CancelOrder", txid=77) == {"count": 2}
    assert [desk.order(txid)["status"] for txid in (first, *more)] == ["canceled"] * 3
    shows(KRAKENEX, "find and cancel by own id and reference")


def test_it_edits_an_order_into_a_new_one(desk: Desk, shows: Shows) -> None:
    """EditOrder, the older way: another id."""
    fields = {"type": "buy", "ordertype": "limit", "volume": "0.01", "price": "50000"}
    (txid,) = desk.private("AddOrder", pair=PAIR, **fields)["txid"]
    edited = desk.private("EditOrder", pair=PAIR, txid=txid, price="50001")
    desk.private("CancelOrder", txid=edited["txid"])

    assert (edited["originaltxid"], edited["orders_cancelled"]) == (txid, 1)
    assert desk.order(txid)["status"] == "canceled"
    shows(KRAKENEX, "edit an order into a new one")


def test_it_places_and_cancels_batches(desk: Desk, shows: Shows) -> None:
    """Lists as the fields of a form, which is all that krakenex can send."""
    one = {"type": "buy", "ordertype": "limit", "volume": "0.01", "price": "50000"}
    listed = {f"orders[{n}][{name}]": told for n in range(3) for name, told in one.items()}
    placed = desk.private("AddOrderBatch", pair=PAIR, **listed)["orders"]
    ids = [order["txid"] for order in placed]
    two = {f"orders[{n}]": txid for n, txid in enumerate(ids[:2])}

    assert desk.private("CancelOrderBatch", **two) == {"count": 2}
    assert list(desk.private("OpenOrders")["open"]) == ids[2:]
    assert desk.private("CancelAll") == {"count": 1}
    shows(KRAKENEX, "batches and cancel all")


def test_it_arms_and_disarms_the_dead_man_s_switch(desk: Desk, shows: Shows) -> None:
    """Seconds; zero disarms."""
    armed = desk.private("CancelAllOrdersAfter", timeout=60)

    assert armed["currentTime"] < armed["triggerTime"]
    assert desk.private("CancelAllOrdersAfter", timeout=0)["triggerTime"] == "0"
    shows(KRAKENEX, "dead man's switch")


# --- history -------------------------------------------------------------------------------------


def paged(desk: Desk, method: str, name: str) -> tuple[list[str], int]:
    """The ids of all pages, and the count that was told."""
    found: list[str] = []
    while True:
        told = desk.private(method, ofs=len(found))
        if not told[name]:
            return found, told["count"]
        found += told[name]


def test_it_pages_what_it_did(desk: Desk, shows: Shows) -> None:
    """More than a page of trades, orders and ledger rows: each once, as many as were told."""
    order = {"type": "buy", "ordertype": "market", "volume": "0.0001"}
    ids = [desk.private("AddOrder", pair=PAIR, **order)["txid"][0] for _ in range(55)]
    trades, trade_count = paged(desk, "TradesHistory", "trades")
    orders, order_count = paged(desk, "ClosedOrders", "closed")
    rows, row_count = paged(desk, "Ledgers", "ledger")

    assert [len(set(told)) for told in (trades, orders, rows)] == [
        trade_count,
        order_count,
        row_count,
    ]
    assert set(ids) <= set(orders)
    assert len(desk.private("TradesHistory")["trades"]) == 50
    assert list(desk.private("QueryTrades", txid=trades[0])) == trades[:1]
    assert list(desk.private("QueryLedgers", id=rows[0])) == rows[:1]
    shows(KRAKENEX, "page own trades, closed orders and ledger")


def test_it_pages_the_market_s_history(desk: Desk, shows: Shows) -> None:
    """`last` is what to go on from."""
    first = desk.public("Trades", pair=PAIR, since=0, count=2)
    rest = desk.public("Trades", pair=PAIR, since=first["last"])
    candles = desk.public("OHLC", pair=PAIR, interval=1)
    later = desk.public("OHLC", pair=PAIR, interval=1, since=candles["last"])

    assert [row[6] for row in first["XXBTZUSD"]] == [1, 2]
    assert rest["XXBTZUSD"][0][6] == 3
    assert later["XXBTZUSD"][-1][0] >= candles["XXBTZUSD"][-1][0]
    shows(KRAKENEX, "page public trades and candles")


# --- what goes wrong -----------------------------------------------------------------------------

_WORDS = {
    "insufficient funds": "EOrder:Insufficient funds",
    "below the minimum": "EOrder:Order minimum not met",
    "price too fine": "EOrder:Invalid price",
    "would take, but is post-only": "EOrder:Post only order",
    "unknown pair": "EQuery:Unknown asset pair",
    "unknown order": "EOrder:Invalid order",
    "unknown key": "EAPI:Invalid key",
    "wrong signature": "EAPI:Invalid signature",
    "permission missing": "EGeneral:Permission denied",
    "a nonce that does not rise": "EAPI:Invalid nonce",
    "REST rate limit": "EAPI:Rate limit exceeded",
    "engine's rate limit": "EOrder:Rate limit exceeded",
    "engine busy": "EService:Busy",
    "service unavailable": "EService:Unavailable",
    "throttled": "EService: Throttled: ",
    "maintenance": "EService:Unavailable",
    "cancel-only mode": "EService:Market in cancel_only mode",
    "post-only mode": "EService:Market in post_only mode",
}


def call_of(row: str, desk: Desk, venue: Venue) -> Callable[[], Any]:
    """What meets the trouble of a row."""
    order = {"pair": PAIR, "type": "buy", "ordertype": "limit", "volume": "0.01", "price": "50000"}
    changed = {
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
        return lambda: desk.api.query_private("AddOrder", {**order, **changed[row]})
    if row in strangers:
        return lambda: Desk(venue, *strangers[row]).api.query_private("OpenOrders")
    if row in MODES:
        return lambda: desk.api.query_private("AddOrder", {**order, "ordertype": "market"})
    if row == "unknown pair":
        return lambda: desk.api.query_public("Ticker", {"pair": "NONSENSE"})
    if row == "unknown order":
        return lambda: desk.api.query_private("CancelOrder", {"txid": "OAAAAA-BBBBB-CCCCCC"})
    return lambda: desk.api.query_private("Balance", timeout=_PATIENCE_S)


@pytest.mark.parametrize("row", LIMITS)
def test_it_meets_limits_in_kraken_s_words(row: str, strict: Venue, shows: Shows) -> None:
    """Sixty orders, or fifteen calls, and some: what decays meanwhile is little."""
    desk = Desk(strict)
    order = {"pair": PAIR, "type": "buy", "ordertype": "market", "volume": "0.0001"}
    call = ("Balance", {}) if row == "REST rate limit" else ("AddOrder", order)

    def once() -> Any:
        let_time_pass(0.001)
        return desk.api.query_private(call[0], dict(call[1]))

    answer = until_refused(once)
    desk.api.close()

    assert answer["error"] == [_WORDS[row]]
    shows(KRAKENEX, row)


@pytest.mark.parametrize("row", met_by(KRAKENEX))
def test_it_meets_trouble_in_kraken_s_words(
    row: str, desk: Desk, venue: Venue, shows: Shows
) -> None:
    """The answer's `error`; what is no answer is an exception of requests."""
    call = call_of(row, desk, venue)
    with trouble(venue, row):
        if row in _WORDS:
            (error,) = call()["error"]
            assert error.startswith(_WORDS[row])
        else:
            with pytest.raises(requests.RequestException) as caught:
                call()
            assert f"`{type(caught.value).__name__}`" == expected(KRAKENEX, row)
    shows(KRAKENEX, row)


def test_it_goes_on_after_a_lost_connection(desk: Desk, venue: Venue, shows: Shows) -> None:
    """The call that was cut fails; the next one does not."""
    with venue.failing("reply-lost-before"), pytest.raises(requests.ConnectionError):
        desk.api.query_private("Balance")

    assert desk.private("Balance")
    shows(KRAKENEX, "come back after a lost connection")


# --- margin, money and reports -------------------------------------------------------------------


def test_it_opens_reduces_and_settles_a_position(desk: Desk, shows: Shows) -> None:
    """All there is, by a volume of zero."""
    order = {"pair": PAIR, "ordertype": "market", "volume": "0.02", "leverage": "2"}
    desk.private("AddOrder", **order, type="buy")
    opened = desk.private("OpenPositions", docalcs="true")
    less = {**order, "volume": "0.01", "type": "sell", "reduce_only": "true"}
    desk.private("AddOrder", **less)
    (reduced,) = desk.private("OpenPositions").values()
    settle = {**order, "ordertype": "settle-position", "volume": "0", "type": "sell"}
    desk.private("AddOrder", **settle)

    assert [row["vol"] for row in opened.values()] == ["0.02000000"]
    assert reduced["vol_closed"] == "0.01000000"
    assert desk.private("OpenPositions") == []
    assert "ml" not in desk.private("TradeBalance")
    shows(KRAKENEX, "open, reduce and settle a position")


def test_it_moves_money(desk: Desk, shows: Shows) -> None:
    """Deposits that were made, a withdrawal that is cancelled, and a transfer to futures."""
    (deposit,) = desk.private("DepositStatus", asset="XBT")
    (known,) = desk.private("WithdrawAddresses", asset="XBT")
    withdraw = {"asset": "XBT", "amount": "0.1", "key": known["key"]}
    limit = desk.private("WithdrawInfo", **withdraw)["limit"]
    refid = desk.private("Withdraw", **withdraw)["refid"]
    cancelled = desk.private("WithdrawCancel", asset="XBT", refid=refid)
    way = {"from": "Spot Wallet", "to": "Futures Wallet"}
    moved = desk.private("WalletTransfer", asset="XBT", amount="0.1", **way)

    assert (deposit["amount"], deposit["status"]) == ("50.0000000000", "Success")
    assert float(limit) > 49
    assert cancelled is True
    assert [row["refid"] for row in desk.private("WithdrawStatus", asset="XBT")] == [refid]
    assert moved["refid"]
    shows(KRAKENEX, "deposits, withdrawals and transfers")


def test_it_orders_a_report(desk: Desk, shows: Shows) -> None:
    """It wants JSON of every answer: the zip is what its session last received."""
    export = desk.private("AddExport", report="trades", description="all")["id"]

    def status() -> str:
        rows = desk.private("ExportStatus", report="trades")
        return str(next(row["status"] for row in rows if row["id"] == export))

    wait_until(lambda: status() == "Processed")
    with pytest.raises(requests.JSONDecodeError):
        desk.api.query_private("RetrieveExport", {"id": export})

    assert desk.api.response.content[:2] == b"PK"
    assert desk.private("RemoveExport", id=export, type="delete") == {"delete": True}
    shows(KRAKENEX, "exports")
