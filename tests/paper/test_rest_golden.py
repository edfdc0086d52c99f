"""Whole answers of the private REST calls, key for key and text for text (sections 6, 7 and 17)."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from paper_desk import START, RestDesk, snapshot, traded
from zoe_tools.paper.values.times import NS

T0 = START // NS
CLIENT_ID = "11112222-3333-4444-8555-666677778888"


@pytest.fixture
def desk() -> RestDesk:
    """Two levels a side at 70000, at 08:00:02.5."""
    made = RestDesk(
        snapshot(["69999.0 1.0"], ["70000.1 0.30000000", "70000.4 0.15000000"]),
        traded("70000.0", "0.1", at=START + NS),
    )
    made.play()
    made.clock.ns = START + 2_500_000_000
    return made


def placed(desk: RestDesk, **fields: str) -> str:
    """The id of a new order."""
    wanted = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "volume": "0.5", **fields}
    return str(desk.private("AddOrder", **wanted)["txid"][0])


def test_an_open_order(desk: RestDesk) -> None:
    """Section 7.1, with a client id: `userref` is null."""
    txid = placed(desk, price="60000", volume="0.002", oflags="post", cl_ord_id=CLIENT_ID)

    assert desk.private("OpenOrders")["open"] == {
        txid: {
            "refid": None,
            "userref": None,
            "cl_ord_id": CLIENT_ID,
            "status": "open",
            "opentm": Decimal("1767600002.500000"),
            "starttm": 0,
            "expiretm": 0,
            "descr": {
                "pair": "XBTUSD",
                "aclass": "forex",
                "type": "buy",
                "ordertype": "limit",
                "price": "60000.0",
                "price2": "0",
                "leverage": "none",
                "order": "buy 0.00200000 XBTUSD @ limit 60000.0",
                "close": "",
            },
            "vol": "0.00200000",
            "vol_exec": "0.00000000",
            "cost": "0.00000",
            "fee": "0.00000",
            "price": "0.00000",
            "stopprice": "0.00000",
            "limitprice": "0.00000",
            "misc": "",
            "oflags": "post,fciq",
            "time_in_force": "gtc",
        }
    }


@pytest.mark.parametrize(
    ("fields", "userref"), [({}, 0), ({"userref": "-7"}, -7), ({"cl_ord_id": "a"}, None)]
)
def test_the_user_reference(desk: RestDesk, fields: dict[str, str], userref: int | None) -> None:
    """0 when nothing was given, null with a client id [captured]."""
    txid = placed(desk, price="60000", **fields)

    assert desk.private("QueryOrders", txid=txid)[txid]["userref"] == userref


def test_a_waiting_stop(desk: RestDesk) -> None:
    """Section 17.3: trigger and limit in `stopprice` and `limitprice`, five decimals."""
    stop = {"ordertype": "stop-loss-limit", "price": "58000", "price2": "57900"}
    txid = placed(desk, type="sell", volume="0.002", **stop)
    row = desk.private("OpenOrders")["open"][txid]

    assert (row["stopprice"], row["limitprice"]) == ("58000.00000", "57900.00000")
    assert (row["descr"]["price"], row["descr"]["price2"]) == ("58000.0", "57900.0")
    assert (row["trigger"], row["price"], row["misc"]) == ("last", "0.00000", "")


def test_a_partly_filled_order_that_was_cancelled(desk: RestDesk) -> None:
    """Section 17.6: 0.45 filled, the average in `price`, the reason told."""
    txid = placed(desk, price="70000.5")
    desk.clock.ns += 8 * NS
    desk.private("CancelOrder", txid=txid)
    closed = desk.private("ClosedOrders", trades="true")
    row = closed["closed"][txid]

    assert closed["count"] == 1
    assert {name: row[name] for name in ("status", "reason", "vol", "vol_exec", "misc")} == {
        "status": "canceled",
        "reason": "User requested",
        "vol": "0.50000000",
        "vol_exec": "0.45000000",
        "misc": "partial",
    }
    assert (row["cost"], row["fee"], row["price"]) == ("31500.09000", "126.00036", "70000.20000")
    assert row["closetm"] - row["opentm"] == 8
    assert len(row["trades"]) == 1


def test_a_trade(desk: RestDesk) -> None:
    """Section 7.2: the constant position, numbers only for time and trade id."""
    txid = placed(desk, price="70000.1", volume="0.3")
    ((_, row),) = desk.private("TradesHistory", type="no position")["trades"].items()

    assert row == {
        "ordertxid": txid,
        "postxid": "TKH2SE-M7IF5-CFI7LT",
        "pair": "XXBTZUSD",
        "aclass": "forex",
        "time": Decimal("1767600002.500000"),
        "type": "buy",
        "ordertype": "limit",
        "tradeordertype": "limit",
        "price": "70000.10000",
        "cost": "21000.03000",
        "fee": "84.00012",
        "vol": "0.30000000",
        "margin": "0.00000",
        "leverage": "0",
        "misc": "",
        "trade_id": row["trade_id"],
        "maker": False,
    }
    assert desk.private("TradesHistory", type="any position") == {"trades": {}, "count": 0}


def test_two_ledger_rows_of_one_trade(desk: RestDesk) -> None:
    """Section 7.4: one `refid`, the fee on the quote leg, balances that chain."""
    placed(desk, price="70000.1", volume="0.3")
    base, quote = list(desk.private("Ledgers", type="trade")["ledger"].values())

    assert quote == {
        "refid": base["refid"],
        "time": Decimal("1767600002.500000"),
        "type": "trade",
        "subtype": "tradespot",
        "aclass": "currency",
        "asset": "ZUSD",
        "amount": "-21000.0300",
        "fee": "84.0001",
        "balance": "78915.9699",
    }
    assert (base["amount"], base["fee"], base["balance"]) == (
        "0.3000000000",
        "0.0000000000",
        "2.3000000000",
    )
    assert desk.private("Ledgers", aclass="tokenized_asset") == {"ledger": {}, "count": 0}


def test_an_amendment_keeps_its_trail(desk: RestDesk) -> None:
    """Section 7.5: the original first, nanoseconds as integers."""
    txid = placed(desk, price="60000", volume="0.01")
    desk.clock.ns += NS
    desk.private("AmendOrder", txid=txid, limit_price="61032.8")
    told = desk.private("OrderAmends", order_id=txid)

    assert told["count"] == 2
    assert told["amends"][0] == {
        "amend_id": told["amends"][0]["amend_id"],
        "amend_type": "original",
        "order_qty": "0.01000000",
        "remaining_qty": "0.01000000",
        "limit_price": "60000.0",
        "timestamp": START + 2_500_000_000,
    }
    assert told["amends"][1]["timestamp"] - told["amends"][0]["timestamp"] == NS


@pytest.mark.parametrize(
    ("method", "result"),
    [
        ("CreditLines", None),
        ("OpenPositions", []),
        ("OpenOrders", {"open": {}}),
        ("ClosedOrders", {"closed": {}, "count": 0}),
        ("TradesHistory", {"trades": {}, "count": 0}),
        ("CancelAll", {"count": 0}),
        ("Balance", {"ZUSD": "100000.0000", "XXBT": "2.0000000000"}),
        ("TradeVolume", {"currency": "ZUSD", "volume": "0.0000"}),
    ],
)
def test_an_account_that_did_nothing(desk: RestDesk, method: str, result: Any) -> None:
    """Empty in the shape that each call is empty in."""
    assert desk.private(method) == result


def test_what_an_account_is_worth(desk: RestDesk) -> None:
    """Section 6: strings of the asset's decimals, no margin level without a position."""
    worth = "240000.0000"
    nothing = dict.fromkeys(("m", "n", "c", "v", "uv"), "0.0000")
    expected = {"eb": worth, "tb": worth, **nothing, "e": worth, "mf": worth, "mfo": worth}

    assert desk.private("TradeBalance") == expected
    in_bitcoin = desk.private("TradeBalance", asset="XXBT")["eb"]
    assert in_bitcoin == "3.4285714286"


def test_times_are_numbers_with_six_decimals_on_the_wire(desk: RestDesk) -> None:
    """And amounts are strings."""
    txid = placed(desk, price="60000")
    desk.nonce += 1
    body = f"nonce={desk.nonce}&txid={txid}"
    found = desk.signed("/0/private/QueryOrders", body, str(desk.nonce))
    text = json.dumps(found, default=str)

    assert '"1767600002.500000"' in text
    assert '"vol": "0.50000000"' in text
