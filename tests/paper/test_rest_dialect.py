"""The answers of the REST dialect: shapes, paddings, paging, and that nothing breaks it."""

from __future__ import annotations

import random
import re
from decimal import Decimal

import pytest

from paper_desk import API_KEY, START, RestDesk, change, snapshot, traded
from zoe_tools.paper.exchange.keys import sign
from zoe_tools.paper.rest.dialect import RestRequest
from zoe_tools.paper.values.times import NS

BIDS = ("69999.9 1.00000000", "69999.8 0.00040000")
ASKS = ("70000.1 0.30000000", "70000.4 0.15000000")


@pytest.fixture
def desk() -> RestDesk:
    """Two levels a side and two prints."""
    made = RestDesk(
        snapshot(BIDS, ASKS),
        traded("70000.0", "0.1", at=START + NS),
        traded("70000.4", "0.25", "buy", at=START + 61 * NS),
    )
    made.play()
    return made


def _place(desk: RestDesk, **fields: str) -> str:
    wanted = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "volume": "0.5", **fields}
    (txid,) = desk.private("AddOrder", **wanted)["txid"]
    return str(txid)


# public
def test_time_has_two_digit_years() -> None:
    """Section 5."""
    assert RestDesk().public("Time") == {
        "unixtime": 1767600000,
        "rfc1123": "Mon,  5 Jan 26 08:00:00 +0000",
    }


def test_pairs_and_assets_carry_what_a_client_needs(desk: RestDesk) -> None:
    """The row of section 17.1, keyed by the canonical id whatever the request called it."""
    row = desk.public("AssetPairs", "pair=XBTUSD")["XXBTZUSD"]

    assert row["fees"][:2] == [[0, Decimal("0.4")], [10000, Decimal("0.35")]]
    assert (row["ordermin"], row["costmin"], row["tick_size"]) == ("0.00005", "0.5", "0.1")
    assert (row["altname"], row["wsname"], row["base"]) == ("XBTUSD", "XBT/USD", "XXBT")
    assert desk.public("Assets")["XXBT"]["decimals"] == 10
    assert desk.public("Assets", "asset=USD")["ZUSD"]["display_decimals"] == 2


def test_ticker_pads_prices_and_lots(desk: RestDesk) -> None:
    """Section 4: five decimals, eight, three."""
    row = desk.public("Ticker", "pair=BTC/USD")["XXBTZUSD"]

    assert row["a"] == ["70000.10000", "0", "0.300"]
    assert row["c"] == ["70000.40000", "0.25000000"]
    assert row["v"] == ["0.35000000", "0.35000000"]
    assert (row["t"], row["l"][1], row["h"][1]) == ([2, 2], "70000.00000", "70000.40000")
    assert (row["p"][1], row["o"]) == ("70000.28571", "70000.00000")


def test_depth_never_shows_something_as_nothing(desk: RestDesk) -> None:
    """Three decimals of volume."""
    book = desk.public("Depth", "pair=XBTUSD&count=2")["XXBTZUSD"]

    assert book["bids"] == [
        ["69999.90000", "1.000", 1767600000],
        ["69999.80000", "0.001", 1767600000],
    ]
    assert [row[0] for row in book["asks"]] == ["70000.10000", "70000.40000"]


def test_ohlc_always_ends_with_the_running_candle(desk: RestDesk) -> None:
    """And fills empty intervals with the last close (section 5)."""
    desk.clock.ns = START + 200 * NS
    result = desk.public("OHLC", "pair=XBTUSD&interval=1")

    assert result["XXBTZUSD"] == [
        [1767600000, "70000.0", "70000.0", "70000.0", "70000.0", "70000.0", "0.10000000", 1],
        [1767600060, "70000.4", "70000.4", "70000.4", "70000.4", "70000.4", "0.25000000", 1],
        [1767600120, "70000.4", "70000.4", "70000.4", "70000.4", "0.0", "0.00000000", 0],
        [1767600180, "70000.4", "70000.4", "70000.4", "70000.4", "0.0", "0.00000000", 0],
    ]
    assert result["last"] == 1767600120
    since = desk.public("OHLC", "pair=XBTUSD&interval=1&since=1767600120")
    assert [row[0] for row in since["XXBTZUSD"]] == [1767600180]


def test_ohlc_holds_at_most_721_rows(desk: RestDesk) -> None:
    """720 committed ones and the running one."""
    desk.clock.ns = START + 86400 * NS
    rows = desk.public("OHLC", "pair=XBTUSD")["XXBTZUSD"]

    assert (len(rows), rows[-1][0]) == (721, 1767600000 + 86400)


def test_trades_page_by_their_nanosecond_id(desk: RestDesk) -> None:
    """`last` fed back gives what is newer, and echoes when nothing is."""
    first = desk.public("Trades", "pair=XBTUSD&since=0&count=1")
    assert first["XXBTZUSD"] == [
        ["70000.00000", "0.10000000", Decimal("1767600001.000000000"), "s", "m", "", 1]
    ]

    second = desk.public("Trades", f"pair=XBTUSD&since={first['last']}")
    assert [row[6] for row in second["XXBTZUSD"]] == [2]
    nothing = desk.public("Trades", f"pair=XBTUSD&since={second['last']}")
    assert nothing == {"XXBTZUSD": [], "last": second["last"]}


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/0/public/Ticker?pair=XBTUSD,NOPE", "EQuery:Unknown asset pair"),
        ("/0/public/Assets?asset=NOPE", "EQuery:Unknown asset"),
        ("/0/public/OHLC?pair=XBTUSD&interval=7", "EGeneral:Invalid arguments:interval"),
        ("/0/public/OHLC", "EGeneral:Invalid arguments:pair"),
        ("/0/public/Depth?pair=XBTUSD&count=0", "EGeneral:Invalid arguments:count"),
        ("/0/public/Nonsense", "EGeneral:Unknown method"),
        ("/0/private/Nonsense", "EGeneral:Unknown method"),
        ("/", "EGeneral:Unknown method"),
    ],
)
def test_bad_public_calls_are_refused(desk: RestDesk, path: str, error: str) -> None:
    """Always in words."""
    route, _, query = path.partition("?")

    assert desk.raw("GET", route, query=query) == {"error": [error]}


# trading
def test_an_order_through_its_life(desk: RestDesk) -> None:
    """Golden scenario 17.6 as a client of REST sees it."""
    answer = desk.private(
        "AddOrder",
        pair="XBTUSD",
        type="buy",
        ordertype="limit",
        price="70000.5",
        volume="0.5",
        cl_ord_id="11112222-3333-4444-8555-666677778888",
    )
    assert answer["descr"] == {"order": "buy 0.50000000 XBTUSD @ limit 70000.5"}
    (txid,) = answer["txid"]
    assert re.fullmatch(r"O[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{6}", txid)

    row = desk.private("OpenOrders", trades="true")["open"][txid]
    assert (row["vol"], row["vol_exec"]) == ("0.50000000", "0.45000000")
    assert (row["cost"], row["fee"], row["price"]) == ("31500.09000", "126.00036", "70000.20000")
    assert (row["userref"], row["oflags"], row["time_in_force"]) == (None, "fciq", "gtc")
    assert row["descr"]["pair"] == "XBTUSD"
    assert (row["descr"]["price"], row["descr"]["price2"]) == ("70000.5", "0")
    assert len(row["trades"]) == 1
    assert desk.private("BalanceEx")["ZUSD"] == {"balance": "68373.9097", "hold_trade": "3514.0251"}

    assert desk.private("CancelOrder", txid=txid) == {"count": 1}
    closed = desk.private("ClosedOrders")
    assert (closed["count"], closed["closed"][txid]["status"]) == (1, "canceled")
    assert closed["closed"][txid]["reason"] == "User requested"


def test_taker_fills_of_one_order_are_one_trade_unless_asked_otherwise(desk: RestDesk) -> None:
    """`consolidate_taker` is true by default; the price is then an average."""
    txid = _place(desk, price="70000.5", volume="0.45")
    ((trade_id, row),) = desk.private("TradesHistory", ledgers="true")["trades"].items()
    assert re.fullmatch(r"T[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{6}", trade_id)
    assert (row["price"], row["vol"], row["cost"]) == ("70000.20000", "0.45000000", "31500.09000")
    assert (row["postxid"], row["ordertxid"]) == ("TKH2SE-M7IF5-CFI7LT", txid)
    assert (row["maker"], row["pair"], len(row["ledgers"])) == (False, "XXBTZUSD", 4)

    single = desk.private("TradesHistory", consolidate_taker="false")
    assert single["count"] == 2
    assert [one["price"] for one in single["trades"].values()] == ["70000.40000", "70000.10000"]
    ledger = desk.private("QueryLedgers", id=row["ledgers"][0])
    assert ledger[row["ledgers"][0]]["refid"] == trade_id


def test_ledger_rows_are_in_the_assets_own_decimals(desk: RestDesk) -> None:
    """USD four, XBT ten; deposits first in the chain."""
    _place(desk, price="70000.1", volume="0.3")
    rows = list(desk.private("Ledgers")["ledger"].values())

    assert [(row["asset"], row["type"], row["amount"], row["balance"]) for row in rows] == [
        ("XXBT", "trade", "0.3000000000", "2.3000000000"),
        ("ZUSD", "trade", "-21000.0300", "78915.9699"),
        ("XXBT", "deposit", "2.0000000000", "2.0000000000"),
        ("ZUSD", "deposit", "100000.0000", "100000.0000"),
    ]
    assert desk.private("Ledgers", asset="XBT", type="trade")["count"] == 1


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"ordertype": "market"}, "buy 0.50000000 XBTUSD @ market"),
        (
            {"ordertype": "stop-loss", "type": "sell", "price": "58000"},
            "sell 0.50000000 XBTUSD @ stop loss 58000.0",
        ),
        (
            {"ordertype": "stop-loss-limit", "type": "sell", "price": "58000", "price2": "57900"},
            "sell 0.50000000 XBTUSD @ stop loss 58000.0 -> limit 57900.0",
        ),
        (
            {"ordertype": "take-profit", "type": "sell", "price": "80000"},
            "sell 0.50000000 XBTUSD @ take profit 80000.0",
        ),
    ],
)
def test_validate_describes_the_order_and_places_nothing(
    desk: RestDesk, fields: dict[str, str], text: str
) -> None:
    """Section 17.2; no txid."""
    wanted = {"pair": "XBTUSD", "type": "buy", "volume": "0.5", "validate": "true", **fields}

    assert desk.private("AddOrder", **wanted) == {"descr": {"order": text}}
    assert desk.private("OpenOrders") == {"open": {}}


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"ordertype": "sometimes"}, "EGeneral:Invalid arguments:ordertype"),
        ({"type": "hold"}, "EGeneral:Invalid arguments:type"),
        ({"volume": "much"}, "EGeneral:Invalid arguments:volume"),
        ({"volume": ""}, "EGeneral:Invalid arguments:volume"),
        ({"pair": "NOPE"}, "EQuery:Unknown asset pair"),
        ({"leverage": "5"}, "EOrder:Cannot open position"),
        ({"oflags": "fcib,fciq"}, "EGeneral:Invalid arguments:oflags"),
        ({"oflags": "post", "price": "70000.1"}, "EOrder:Post only order"),
        ({"timeinforce": "NOW"}, "EGeneral:Invalid arguments:timeinforce"),
        ({"close[ordertype]": "limit"}, "EGeneral:Invalid arguments:close[price]"),
        ({"trigger": "index"}, "EGeneral:Invalid arguments:Index unavailable"),
        ({"deadline": "tomorrow"}, "EGeneral:Invalid arguments:deadline"),
        ({"deadline": "2026-01-05T07:59:59Z"}, "EService:Deadline elapsed"),
        ({"deadline": "2026-01-05T09:00:00Z"}, "EGeneral:Invalid arguments:deadline"),
        ({"validate": "ture"}, "EGeneral:Invalid arguments:validate"),
        ({"expiretm": "1"}, "EGeneral:Invalid arguments:expiretm"),
        ({"userref": "1.5"}, "EGeneral:Invalid arguments:userref"),
        ({"volume": "99"}, "EOrder:Insufficient funds"),
    ],
)
def test_bad_orders_are_refused(desk: RestDesk, fields: dict[str, str], error: str) -> None:
    """What is not on offer is refused, never dropped."""
    wanted = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "69000.0"}

    assert desk.refusal("AddOrder", **{**wanted, "volume": "0.01", **fields}) == error


def test_expiry_may_be_relative(desk: RestDesk) -> None:
    """`+3600` counts from now, and is a GTD order."""
    txid = _place(desk, price="69000", expiretm="+3600", timeinforce="GTD")
    row = desk.private("QueryOrders", txid=txid)[txid]
    assert row["expiretm"] - row["opentm"] == 3600

    desk.clock.ns += 3600 * NS

    assert desk.private("QueryOrders", txid=txid)[txid]["status"] == "expired"


def test_amend_and_cancel_by_client_id(desk: RestDesk) -> None:
    """The order keeps its txid."""
    txid = _place(desk, price="69000", cl_ord_id="grid-0001")
    amend = desk.private("AmendOrder", cl_ord_id="grid-0001", limit_price="69100.5")
    row = desk.private("OpenOrders", cl_ord_id="grid-0001")["open"][txid]

    assert re.fullmatch(r"T[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{6}", amend["amend_id"])
    assert (row["descr"]["price"], row["misc"]) == ("69100.5", "amended")
    assert desk.private("CancelOrder", cl_ord_id="grid-0001") == {"count": 1}
    assert desk.refusal("CancelOrder", cl_ord_id="grid-0001") == "EOrder:Invalid order"
    assert desk.refusal("AmendOrder", txid=txid, limit_price="1") == "EOrder:Unknown order"


def test_a_userref_cancels_all_of_its_orders(desk: RestDesk) -> None:
    """CancelOrder's txid may be a userref."""
    for price in ("69000", "69001"):
        _place(desk, price=price, userref="-7", volume="0.01")
    other = _place(desk, price="69002", volume="0.01")

    assert desk.private("CancelOrder", txid="-7") == {"count": 2}
    assert desk.private("CancelOrderBatch", orders=f"{other},OXXXXX-XXXXX-XXXXXX") == {"count": 1}
    assert desk.private("CancelAll") == {"count": 0}


def test_batches_of_cancels_come_as_json_too(desk: RestDesk) -> None:
    """The documented form of CancelOrderBatch."""
    txid = _place(desk, price="69000")
    body = f'{{"nonce":"9","orders":["{txid}"],"cl_ord_ids":[]}}'
    path = "/0/private/CancelOrderBatch"

    answer = desk.signed(path, body, "9", content_type="application/json")
    assert answer == {"error": [], "result": {"count": 1}}


def test_history_pages_by_fifty_newest_first(desk: RestDesk) -> None:
    """`count` is the grand total; `start` excludes, `end` includes."""
    ids = []
    for _ in range(53):
        desk.clock.ns += NS
        ids.append(_place(desk, price="69000", volume="0.01"))
        desk.private("CancelOrder", txid=ids[-1])
    pages = [desk.private("ClosedOrders", ofs=str(offset)) for offset in (0, 50)]

    assert [list(page["closed"]) for page in pages] == [ids[:2:-1], ids[2::-1]]
    assert [page["count"] for page in pages] == [53, 53]
    first, last = 1767600061 + 1, 1767600061 + 53
    assert desk.private("ClosedOrders", start=str(first), end=str(last))["count"] == 52
    assert list(desk.private("ClosedOrders", start=ids[50])["closed"]) == ids[:50:-1]
    assert "count" not in desk.private("ClosedOrders", without_count="true")


def test_volume_and_worth(desk: RestDesk) -> None:
    """TradeVolume's tiers, TradeBalance at last prices."""
    _place(desk, price="70000.1", volume="0.3")
    volume = desk.private("TradeVolume", pair="XBTUSD")

    assert volume["volume"] == "21000.0300"
    assert volume["fees"]["XXBTZUSD"] == {
        "fee": "0.3500",
        "minfee": "0.1000",
        "maxfee": "0.4000",
        "nextfee": "0.2400",
        "nextvolume": "50000.0000",
        "tiervolume": "10000.0000",
    }
    worth = Decimal("78915.9699") + Decimal("2.3") * Decimal("70000.1")
    assert Decimal(desk.private("TradeBalance")["eb"]) == worth


def test_in_maintenance_private_calls_are_unavailable(desk: RestDesk) -> None:
    """Section 13.6; public ones go on."""
    desk.exchange.set_mode("maintenance")

    assert desk.refusal("Balance") == "EService:Unavailable"
    assert desk.public("SystemStatus")["status"] == "maintenance"


def test_three_hundred_mangled_requests_are_all_answered_in_words(desk: RestDesk) -> None:
    """Whatever comes in, out comes JSON with an error list, and the account stays sound."""
    dice = random.Random(20260105)
    names = ["AddOrder", "AmendOrder", "CancelOrder", "ClosedOrders", "Ledgers", "QueryOrders"]
    words = ["", "-1", "1e400", "NaN", "+", "XBTUSD", "0x10", "é", "'", "[" * 50, "9" * 400, "true"]
    keys = ["pair", "type", "ordertype", "volume", "price", "txid", "ofs", "start", "userref"]
    for nonce in range(1000, 1300):
        fields = {dice.choice(keys): dice.choice(words) for _ in range(dice.randint(0, 6))}
        body = "&".join([f"nonce={nonce}", *(f"{key}={word}" for key, word in fields.items())])
        if dice.random() < 0.3:
            body = body[: dice.randint(0, len(body))] + dice.choice(["%", "&", "=", "{", "\x00"])
        path = f"/0/private/{dice.choice(names)}"
        kind = dice.choice(["application/x-www-form-urlencoded", "application/json", "text/x"])
        answer = desk.signed(path, body, str(nonce), content_type=kind)

        assert isinstance(answer["error"], list)
    desk.nonce = 10_000
    assert desk.private("Balance")["ZUSD"] == "100000.0000"


def test_bytes_that_are_no_text_are_a_bad_request(desk: RestDesk) -> None:
    """Even when signed."""
    body, path = b"nonce=77\xff\xfe", "/0/private/Balance"
    signature = sign(secret="", path=path, body=body, nonce="77")
    request = RestRequest(
        method="POST",
        path=path,
        query="",
        headers={"api-key": API_KEY, "api-sign": signature},
        body=body,
    )

    assert desk.dialect.answer(request) == b'{"error":["EAPI:Bad request"]}'


def test_a_consumed_level_is_gone_from_depth_until_refreshed(desk: RestDesk) -> None:
    """The displayed book is what is left."""
    _place(desk, ordertype="market", volume="0.3")
    asks = desk.public("Depth", "pair=XBTUSD")["XXBTZUSD"]["asks"]
    assert [row[0] for row in asks] == ["70000.40000"]

    desk.exchange._engine.market(change(asks=["70000.1 0.20000000"], at=START + 99 * NS))
    asks = desk.public("Depth", "pair=XBTUSD")["XXBTZUSD"]["asks"]

    assert [row[:2] for row in asks] == [["70000.10000", "0.200"], ["70000.40000", "0.150"]]


@pytest.mark.parametrize("method", ["ClosedOrders", "TradesHistory", "Ledgers"])
def test_the_end_of_time_is_no_error(desk: RestDesk, method: str) -> None:
    """Clients ask until the year 2286 when they mean all there is."""
    until_now = desk.private(method)

    assert desk.private(method, end="9999999999") == until_now
    assert desk.private(method, start="9999999999")["count"] == 0


@pytest.mark.parametrize("method", ["ClosedOrders", "TradesHistory", "Ledgers"])
def test_a_page_beyond_all_rows_is_empty(desk: RestDesk, method: str) -> None:
    """However far beyond."""
    count = desk.private(method)["count"]

    assert desk.private(method, ofs="9" * 20)["count"] == count
