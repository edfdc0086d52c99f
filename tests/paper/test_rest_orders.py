"""Trading over REST beyond the single order: prices by distance, batches, edits, the dead man."""

from __future__ import annotations

import json
from typing import Any

import pytest

from paper_desk import RestDesk, snapshot, traded

MARKET = (
    snapshot(["69999.0 1.0"], ["70001.0 1.0"]),
    traded("70000.0", "0.5"),
)
BUY = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "volume": "0.01"}
SELL = {"pair": "XBTUSD", "type": "sell", "volume": "0.01"}


@pytest.fixture
def desk() -> RestDesk:
    """A market at 70000."""
    made = RestDesk(*MARKET)
    made.play()
    return made


def as_json(desk: RestDesk, method: str, **fields: Any) -> Any:
    """The whole answer of a private call with a JSON body."""
    desk.nonce += 1
    body = json.dumps({"nonce": str(desk.nonce), **fields})
    path = f"/0/private/{method}"
    return desk.signed(path, body, str(desk.nonce), content_type="application/json")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({**BUY, "price": "-10"}, "buy 0.01000000 XBTUSD @ limit 69990.0"),
        (
            {**BUY, "ordertype": "iceberg", "price": "69000", "displayvol": "0.001"},
            "buy 0.01000000 XBTUSD @ iceberg 69000.0",
        ),
        ({**BUY, "price": "#1%"}, "buy 0.01000000 XBTUSD @ limit 69300.0"),
        ({**BUY, "price": "-0.5%"}, "buy 0.01000000 XBTUSD @ limit 69650.0"),
        (
            {**SELL, "ordertype": "stop-loss", "price": "#2%"},
            "sell 0.01000000 XBTUSD @ stop loss 68600.0",
        ),
        (
            {**SELL, "ordertype": "stop-loss-limit", "price": "-100", "price2": "-150"},
            "sell 0.01000000 XBTUSD @ stop loss 69900.0 -> limit 69850.0",
        ),
        (
            {**SELL, "ordertype": "trailing-stop", "price": "+1%"},
            "sell 0.01000000 XBTUSD @ trailing stop +1.0000%",
        ),
        (
            {**SELL, "ordertype": "trailing-stop-limit", "price": "+100", "price2": "-20"},
            "sell 0.01000000 XBTUSD @ trailing stop +100.0 -> limit -20.0",
        ),
    ],
)
def test_prices_may_be_distances(desk: RestDesk, fields: dict[str, str], text: str) -> None:
    """Sections 8.1 and 7.1."""
    result = desk.private("AddOrder", **fields)
    (order,) = desk.private("OpenOrders")["open"].values()

    assert result["descr"]["order"] == order["descr"]["order"] == text


@pytest.mark.parametrize("price", ["+", "%", "#", "+-1", "1%%", "+x", "nan%", "#+inf"])
def test_other_prices_are_refused(desk: RestDesk, price: str) -> None:
    """Nothing is guessed."""
    assert desk.refusal("AddOrder", **{**BUY, "price": price}) == "EGeneral:Invalid arguments:price"


def test_a_trailing_stop_tells_its_distance_and_where_it_stands(desk: RestDesk) -> None:
    """`stopprice` is the current stop, `limitprice` the peak (captured)."""
    desk.private("AddOrder", **{**SELL, "ordertype": "trailing-stop", "price": "+1%"})
    (order,) = desk.private("OpenOrders")["open"].values()

    assert order["descr"]["price"] == "+1.0000%"
    assert (order["stopprice"], order["limitprice"]) == ("69300.00000", "70000.00000")


def test_a_batch_is_placed_in_its_order(desk: RestDesk) -> None:
    """`txid` is a plain string here; members that the engine refuses leave the others alive."""
    orders = [
        {"type": "buy", "ordertype": "limit", "volume": "0.01", "price": "60000"},
        {"type": "buy", "ordertype": "limit", "volume": "99", "price": "60000"},
        {"type": "sell", "ordertype": "limit", "volume": 0.01, "price": 80000.5},
    ]
    answer = as_json(desk, "AddOrderBatch", pair="XBTUSD", orders=orders)
    first, second, third = answer["result"]["orders"]

    assert answer["error"] == []
    assert second == {"error": "EOrder:Insufficient funds"}
    assert third["descr"] == {"order": "sell 0.01000000 XBTUSD @ limit 80000.5"}
    assert set(desk.private("OpenOrders")["open"]) == {first["txid"], third["txid"]}


def test_one_invalid_member_refuses_the_batch(desk: RestDesk) -> None:
    """Nothing is placed."""
    good = {"type": "buy", "ordertype": "limit", "volume": "0.01", "price": "60000"}
    answer = as_json(desk, "AddOrderBatch", pair="XBTUSD", orders=[good, {**good, "price": "0"}])

    assert answer == {"error": ["EOrder:Invalid price"]}
    assert desk.private("OpenOrders") == {"open": {}}


@pytest.mark.parametrize("count", [0, 1, 16])
def test_a_batch_has_two_to_fifteen_members(desk: RestDesk, count: int) -> None:
    """Section 8.3."""
    good = {"type": "buy", "ordertype": "limit", "volume": "0.01", "price": "60000"}
    answer = as_json(desk, "AddOrderBatch", pair="XBTUSD", orders=[good] * count)

    assert answer == {"error": ["EGeneral:Invalid arguments:orders"]}


def test_a_batch_can_be_checked_only(desk: RestDesk) -> None:
    """No txid, nothing placed."""
    good = {"type": "buy", "ordertype": "limit", "volume": "0.01", "price": "60000"}
    answer = as_json(desk, "AddOrderBatch", pair="XBTUSD", orders=[good, good], validate=True)

    assert all(set(row) == {"descr"} for row in answer["result"]["orders"])
    assert desk.private("OpenOrders") == {"open": {}}


def test_an_edit_names_both_orders(desk: RestDesk) -> None:
    """Section 8.5."""
    placed = desk.private("AddOrder", **{**BUY, "price": "60000", "userref": "7"})["txid"][0]
    result = desk.private("EditOrder", pair="XBTUSD", txid=placed, price="61000", volume="0.02")

    assert result == {
        "status": "ok",
        "txid": result["txid"],
        "originaltxid": placed,
        "volume": "0.02000000",
        "price": "61000.0",
        "price2": "0",
        "orders_cancelled": 1,
        "descr": {"order": "buy 0.02000000 XBTUSD @ limit 61000.0"},
    }
    assert list(desk.private("OpenOrders")["open"]) == [result["txid"]]


def test_the_trail_of_amendments(desk: RestDesk) -> None:
    """Section 7.5: the original first, times in nanoseconds."""
    placed = desk.private("AddOrder", **{**BUY, "price": "60000"})["txid"][0]
    desk.private("AmendOrder", txid=placed, order_qty="0.02")
    told = desk.private("OrderAmends", order_id=placed)

    assert told["count"] == 2
    assert [row["amend_type"] for row in told["amends"]] == ["original", "user"]
    assert told["amends"][1]["order_qty"] == "0.02000000"
    assert told["amends"][1]["limit_price"] == "60000.0"


def test_the_dead_man_is_set_and_let_go(desk: RestDesk) -> None:
    """Section 8.7."""
    set_up = desk.private("CancelAllOrdersAfter", timeout="60")
    assert set_up == {
        "currentTime": "2026-01-05T08:00:00Z",
        "triggerTime": "2026-01-05T08:01:00Z",
    }
    assert desk.private("CancelAllOrdersAfter", timeout="0")["triggerTime"] == "0"
    words = [desk.refusal("CancelAllOrdersAfter", timeout=each) for each in ("86400", "-1")]
    assert words == [
        "EGeneral:Invalid timeout argument:above max",
        "EGeneral:Invalid arguments:timeout",
    ]


def test_a_dead_man_acts_at_the_next_look(desk: RestDesk) -> None:
    """Whoever asks afterwards sees no open order."""
    desk.private("AddOrder", **{**BUY, "price": "60000"})
    desk.private("CancelAllOrdersAfter", timeout="60")
    desk.clock.ns += 61 * 10**9

    assert desk.private("OpenOrders") == {"open": {}}


def test_a_close_is_told_and_opened_by_a_fill(desk: RestDesk) -> None:
    """Section 8.2: the child knows its parent."""
    fields = {**BUY, "price": "70001", "close[ordertype]": "stop-loss", "close[price]": "65000"}
    placed = desk.private("AddOrder", **fields)
    (child,) = desk.private("OpenOrders")["open"].values()

    assert placed["descr"]["close"] == "close position @ stop loss 65000.0"
    assert (child["refid"], child["descr"]["type"]) == (placed["txid"][0], "sell")
    assert child["vol"] == "0.01000000"


def test_a_market_buy_may_be_sized_in_quote(desk: RestDesk) -> None:
    """`viqc`: the cost is what was asked for."""
    order = {**BUY, "ordertype": "market", "volume": "100", "oflags": "viqc"}
    placed = desk.private("AddOrder", **order)["txid"][0]
    row = desk.private("QueryOrders", txid=placed)[placed]

    assert (row["status"], row["cost"], row["oflags"]) == ("closed", "100.00000", "fciq,viqc")


def test_a_scheduled_order_waits_for_its_time(desk: RestDesk) -> None:
    """`pending`, with its start."""
    desk.private("AddOrder", **{**BUY, "price": "60000", "starttm": "+60"})
    (row,) = desk.private("OpenOrders")["open"].values()

    assert (row["status"], row["starttm"]) == ("pending", 1767600060)
