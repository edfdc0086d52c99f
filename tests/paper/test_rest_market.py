"""Public markets over REST beyond the ticker: grouped and single-order books, spreads, parts."""

from __future__ import annotations

import re
from typing import Any

import pytest

from paper_desk import START, RestDesk, change, snapshot, traded
from zoe_tools.paper.values.times import NS

BIDS = ("69999.9 1.00000000", "69999.1 0.50000000", "69990.0 2.00000000")
ASKS = ("70000.1 0.30000000", "70000.9 0.15000000", "70011.0 4.00000000")


def made(*later: Any) -> RestDesk:
    """Three levels a side, a print, and what comes later."""
    desk = RestDesk(snapshot(BIDS, ASKS), traded("70000.1", "0.1", "buy", START + NS), *later)
    desk.play()
    return desk


def test_a_grouped_book_rounds_bids_down_and_asks_up() -> None:
    """Section 5; ten ticks are one dollar here."""
    told = made().public("GroupedBook", "pair=XBTUSD&grouping=10&depth=10")

    assert told == {
        "pair": "BTC/USD",
        "grouping": 10,
        "bids": [
            {"price": "69999.00000", "qty": "1.50000000"},
            {"price": "69990.00000", "qty": "2.00000000"},
        ],
        "asks": [
            {"price": "70001.00000", "qty": "0.45000000"},
            {"price": "70011.00000", "qty": "4.00000000"},
        ],
    }


def test_a_grouped_book_is_as_deep_as_asked() -> None:
    """Ten groups by default, a level a tick."""
    bids = [f"{60000 - number}.0 1.00000000" for number in range(12)]
    desk = RestDesk(snapshot(bids, ASKS))
    desk.play()

    assert len(desk.public("GroupedBook", "pair=XBTUSD")["bids"]) == 10
    assert len(desk.public("GroupedBook", "pair=XBTUSD&depth=25")["bids"]) == 12


def test_spreads_are_the_changes_of_the_best_prices() -> None:
    """A change behind the best price is none; `since` gives what is not older."""
    desk = made(
        change(["69999.1 0.70000000"], at=START + 2 * NS),
        change(["70000.0 0.10000000"], at=START + 3 * NS),
        change(asks=["70000.1 0.00000000"], at=START + 4 * NS),
    )
    second = START // NS
    rows = [
        [second, "69999.90000", "70000.10000"],
        [second + 3, "70000.00000", "70000.10000"],
        [second + 4, "70000.00000", "70000.90000"],
    ]

    assert desk.public("Spread", "pair=XBTUSD") == {"XXBTZUSD": rows, "last": second + 4}
    since = desk.public("Spread", f"pair=XBTUSD&since={second + 3}")
    assert since["XXBTZUSD"] == rows[1:]
    nothing = desk.public("Spread", f"pair=XBTUSD&since={second + 9}")
    assert nothing == {"XXBTZUSD": [], "last": second + 9}


def test_an_order_that_rests_at_the_top_moves_the_spread() -> None:
    """Accounts' orders are a part of the displayed book."""
    desk = made()
    order = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "volume": "0.1"}
    placed = desk.private("AddOrder", **order, price="70000.0")["txid"][0]
    desk.private("CancelOrder", txid=placed)
    bids = [row[1] for row in desk.public("Spread", "pair=XBTUSD")["XXBTZUSD"]]

    assert bids == ["69999.90000", "70000.00000", "69999.90000"]


def test_the_ticker_agrees_with_the_depth_when_an_order_hides_the_source() -> None:
    """A level of the source that crosses a resting order is not shown."""
    desk = made()
    order = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "volume": "0.1"}
    desk.private("AddOrder", **order, price="70000.0")
    desk.exchange.hear(change(asks=["69999.5 1.00000000"], at=START + 2 * NS))
    depth = desk.public("Depth", "pair=XBTUSD&count=1")["XXBTZUSD"]
    ticker = desk.public("Ticker", "pair=XBTUSD")["XXBTZUSD"]

    assert (ticker["a"][0], ticker["b"][0]) == (depth["asks"][0][0], depth["bids"][0][0])
    assert (ticker["a"][2], ticker["b"][2]) == (depth["asks"][0][1], depth["bids"][0][1])


def test_the_book_order_by_order_is_a_private_call() -> None:
    """Section 5: own orders stand in it under their own ids; times are integer nanoseconds."""
    desk = made()
    order = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "volume": "0.25"}
    placed = desk.private("AddOrder", **order, price="69999.9")["txid"][0]
    told = desk.private("Level3", pair="XBTUSD", depth="10")

    assert told["pair"] == "BTC/USD"
    assert [row["price"] for row in told["bids"]] == [
        "69999.90000",
        "69999.90000",
        "69999.10000",
        "69990.00000",
    ]
    assert (told["bids"][1]["order_id"], told["bids"][1]["qty"]) == (placed, "0.25000000")
    assert all(re.fullmatch(r"O\w{5}-\w{5}-\w{6}", row["order_id"]) for row in told["asks"])
    assert told["asks"][0]["timestamp"] == START + NS
    assert len(desk.private("Level3", pair="XBTUSD", depth="0")["asks"]) == 3


@pytest.mark.parametrize(
    ("info", "parts"),
    [
        ("leverage", {"leverage_buy", "leverage_sell"}),
        ("fees", {"fees", "fees_maker", "fee_volume_currency"}),
        ("margin", {"margin_call", "margin_stop"}),
    ],
)
def test_a_part_of_a_pairs_row(info: str, parts: set[str]) -> None:
    """`info` of AssetPairs."""
    rows = made().public("AssetPairs", f"pair=XBTUSD,BTC/USD&info={info}")

    assert {name: set(row) for name, row in rows.items()} == {"XXBTZUSD": parts}


def test_classes_and_venues_without_members_are_empty() -> None:
    """There are neither tokenized assets nor another venue here."""
    desk = made()

    assert desk.public("Assets", "aclass=tokenized_asset") == {}
    assert desk.public("AssetPairs", "aclass_base=tokenized_asset") == {}
    assert desk.public("AssetPairs", "execution_venue=bitnomial_exchange") == {}
    both = "execution_venue=international,bitnomial_exchange&country_code=GB"
    assert set(desk.public("AssetPairs", both)) == {"XXBTZUSD"}


def test_lists_may_name_a_thing_in_any_of_its_spellings() -> None:
    """The answer is keyed by the canonical id."""
    desk = made()

    assert set(desk.public("Ticker", "pair=XBT/USD,XXBTZUSD")) == {"XXBTZUSD"}
    assert set(desk.public("Ticker")) == {"XXBTZUSD"}
    assert list(desk.public("Assets", "asset=XBT,ZUSD")) == ["XXBT", "ZUSD"]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("GroupedBook?pair=XBTUSD&depth=11", "EGeneral:Invalid arguments:depth"),
        ("GroupedBook?pair=XBTUSD&grouping=2", "EGeneral:Invalid arguments:grouping"),
        ("GroupedBook", "EGeneral:Invalid arguments:pair"),
        ("Spread?pair=XBTUSD&since=-1", "EGeneral:Invalid arguments:since"),
        ("Spread?pair=NOPE", "EQuery:Unknown asset pair"),
        ("Depth?pair=XBTUSD&count=501", "EGeneral:Invalid arguments:count"),
        ("Trades?pair=XBTUSD&count=1001", "EGeneral:Invalid arguments:count"),
        ("Trades?pair=XBTUSD&since=soon", "EGeneral:Invalid arguments:since"),
        ("AssetPairs?info=all", "EGeneral:Invalid arguments:info"),
        ("AssetPairs?aclass_base=stock", "EGeneral:Invalid arguments:aclass_base"),
        ("AssetPairs?execution_venue=moon", "EGeneral:Invalid arguments:execution_venue"),
        ("Assets?aclass=stock", "EGeneral:Invalid arguments:aclass"),
    ],
)
def test_values_that_are_not_on_offer_are_refused(call: str, error: str) -> None:
    """By the parameter's name."""
    name, _, query = call.partition("?")

    assert made().raw("GET", f"/0/public/{name}", query=query) == {"error": [error]}


def test_public_times_have_as_many_digits_as_there_are() -> None:
    """Captured: `1762795483.306824`, not padded to nine."""
    desk = made(traded("70000.0", "0.1", at=START + NS + 306_824_000))
    request = desk.raw("GET", "/0/public/Trades", query="pair=XBTUSD")
    first, second = request["result"]["XXBTZUSD"]

    assert (str(first[2]), str(second[2])) == ("1767600001", "1767600001.306824")


def test_a_pair_asked_for_by_its_name_on_the_sockets_is_told_by_it() -> None:
    """Clients look their symbol up in the answer; every other name is answered by the pair's id."""
    desk = made()

    assert set(desk.public("AssetPairs", "pair=BTC/USD")) == {"BTC/USD"}
    assert set(desk.public("AssetPairs", "pair=XBT/USD")) == {"XXBTZUSD"}
    assert set(desk.public("AssetPairs", "pair=XBTUSD")) == {"XXBTZUSD"}
