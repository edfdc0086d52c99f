"""Money in and out over REST: methods, addresses, stages in venue time, ledger, refusals."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from paper_desk import START, RestDesk, ScriptedSource, d, traded
from zoe_tools.paper.engine.funding import Transfer
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.exchange.state import StateFile
from zoe_tools.paper.values.times import NS
from zoe_tools.paper.values.views import PERMISSIONS

EVERYTHING = frozenset((*PERMISSIONS, "add-funds", "withdraw-funds"))


@pytest.fixture
def desk() -> RestDesk:
    """A key that may do all there is with funds; 100,000 dollars and 2 bitcoin."""
    return RestDesk(permissions=EVERYTHING)


def rows_of(desk: RestDesk, kind: str) -> list[tuple[Any, ...]]:
    """(asset, amount, fee, balance) of the ledger's rows of one type, oldest first."""
    told = desk.private("Ledgers", type=kind)["ledger"].values()
    return [(row["asset"], row["amount"], row["fee"], row["balance"]) for row in told][::-1]


def pass_time(desk: RestDesk, seconds: int) -> None:
    """Venue time goes by."""
    desk.clock.ns += seconds * NS


def withdraw(desk: RestDesk, amount: str = "0.5", **fields: str) -> str:
    """A withdrawal of bitcoin; its reference."""
    told = desk.private("Withdraw", asset="XBT", key="paper-xbt", amount=amount, **fields)
    return str(told["refid"])


def test_every_asset_has_a_way_in_and_a_way_out(desk: RestDesk) -> None:
    """Captured shapes: text amounts, `limit` false, a network only where there is one."""
    assert desk.private("DepositMethods", asset="XBT") == [
        {
            "method": "Bitcoin",
            "limit": False,
            "fee": "0.0000000000",
            "minimum": "0.0001000000",
            "gen-address": True,
        }
    ]
    assert desk.private("WithdrawMethods") == [
        {"asset": "XXBT", "method": "Bitcoin", "network": "Bitcoin", "minimum": "0.0004"},
        {
            "asset": "ZUSD",
            "method": "Customers Bank (Fedwire)",
            "network": None,
            "minimum": "20",
        },
    ]
    assert [row["asset"] for row in desk.private("WithdrawMethods", network="Bitcoin")] == ["XXBT"]


def test_deposit_addresses_are_made_on_demand_and_cannot_be_mistaken(desk: RestDesk) -> None:
    """One is always there, `new` adds another in front, five are the most."""
    told = desk.private("DepositAddresses", asset="XBT", method="Bitcoin")
    assert [row["expiretm"] for row in told] == ["0"]
    assert told[0]["address"].startswith("paper-only-xbt-")

    for _ in range(4):
        told = desk.private("DepositAddresses", asset="XBT", method="Bitcoin", new="true")
    assert len({row["address"] for row in told}) == 5
    refused = desk.refusal("DepositAddresses", asset="XBT", method="Bitcoin", new="true")
    assert refused == "EFunding:Too many addresses"


def test_a_deposit_is_pending_then_settled_then_credited(desk: RestDesk) -> None:
    """The money is there when the status is Success, and the ledger has it once, with its fee."""
    desk.exchange.receive(desk.account_id, "BTC", d("0.5"), fee=d("0.001"), takes_s=600)
    seen = []
    for seconds in (0, 299, 1, 299, 1):
        pass_time(desk, seconds)
        (record,) = desk.private("DepositStatus", asset="XBT", limit="1")
        seen.append((record["status"], desk.private("Balance")["XXBT"]))

    assert seen == [
        ("Pending", "2.0000000000"),
        ("Pending", "2.0000000000"),
        ("Settled", "2.0000000000"),
        ("Settled", "2.0000000000"),
        ("Success", "2.4990000000"),
    ]
    assert rows_of(desk, "deposit")[-1] == (
        "XXBT",
        "0.5000000000",
        "0.0010000000",
        "2.4990000000",
    )


def test_a_withdrawal_is_taken_at_once_and_leaves_by_stages(desk: RestDesk) -> None:
    """The fee is inside the amount; Initial 60 s, Pending 240 s, Settled 60 s, Success."""
    info = desk.private("WithdrawInfo", asset="XBT", key="paper-xbt", amount="0.5")
    refid = withdraw(desk)
    records = []
    for seconds in (0, 60, 240, 60):
        pass_time(desk, seconds)
        records += desk.private("WithdrawStatus", asset="XBT")
    record = records[-1]

    assert info == {
        "method": "Bitcoin",
        "limit": "1.9998500000",
        "amount": "0.4998500000",
        "fee": "0.0001500000",
    }
    assert [one["status"] for one in records] == ["Initial", "Pending", "Settled", "Success"]
    assert (record["refid"], record["amount"], record["fee"]) == (
        refid,
        "0.4998500000",
        "0.0001500000",
    )
    assert (record["key"], record["network"], record["time"]) == (
        "paper-xbt",
        "Bitcoin",
        START // NS,
    )
    assert rows_of(desk, "withdrawal") == [
        ("XXBT", "-0.4998500000", "0.0001500000", "1.5000000000")
    ]


def test_a_withdrawal_is_called_back_while_it_is_initial(desk: RestDesk) -> None:
    """Amount and fee come back in a row of their own; once it has left, cancelling says false."""
    first, second = withdraw(desk, "0.5"), withdraw(desk, "0.25")
    assert desk.private("WithdrawCancel", asset="XBT", refid=first) is True
    pass_time(desk, 60)

    assert desk.private("WithdrawCancel", asset="XBT", refid=second) is False
    assert desk.private("WithdrawCancel", asset="XBT", refid=first) is False
    told = {row["refid"]: row for row in desk.private("WithdrawStatus", asset="XBT")}
    assert (told[first]["status"], told[first]["status-prop"]) == ("Failure", "canceled")
    assert told[second]["status"] == "Pending"
    assert rows_of(desk, "withdrawal")[-1] == (
        "XXBT",
        "0.4998500000",
        "-0.0001500000",
        "1.7500000000",
    )


def test_a_transfer_to_futures_leaves_the_exchange(desk: RestDesk) -> None:
    """Free of charge, and a row of its own kind."""
    told = desk.private(
        "WalletTransfer",
        asset="XBT",
        amount="0.5",
        **{"from": "Spot Wallet", "to": "Futures Wallet"},
    )
    (row,) = desk.private("Ledgers", type="transfer")["ledger"].values()

    assert row["refid"] == told["refid"]
    assert (row["type"], row["subtype"]) == ("transfer", "spottofutures")
    assert (row["amount"], row["balance"]) == ("-0.5000000000", "1.5000000000")


def test_what_earns_shows_with_its_suffix_and_cannot_be_traded(desk: RestDesk) -> None:
    """Two rows with one reference; the suffixed balance is no base and no funds of any pair."""
    desk.exchange.transfer(desk.account_id, Transfer(asset="BTC", amount=d("1.5"), target=".F"))
    assert desk.private("Balance") == {
        "XXBT": "0.5000000000",
        "XBT.F": "1.5000000000",
        "ZUSD": "100000.0000",
    }
    assert desk.private("BalanceEx")["XBT.F"] == {
        "balance": "1.5000000000",
        "hold_trade": "0.0000000000",
    }
    sell = {"pair": "XBTUSD", "type": "sell", "ordertype": "limit", "price": "70000"}
    assert desk.refusal("AddOrder", **sell, volume="1") == "EOrder:Insufficient funds"
    assert desk.refusal("Ticker") == "EGeneral:Unknown method"
    told = desk.private("Ledgers", asset="XBT.F")["ledger"].values()
    assert [(row["asset"], row["subtype"]) for row in told] == [("XBT.F", "stakingfromspot")]

    desk.exchange.transfer(desk.account_id, Transfer(asset="BTC", amount=d("1"), source=".F"))
    moved = desk.private("Ledgers", type="transfer")["ledger"].values()
    assert [(row["asset"], row["subtype"], row["balance"]) for row in moved] == [
        ("XXBT", "spotfromstaking", "1.5000000000"),
        ("XBT.F", "stakingtospot", "0.5000000000"),
        ("XBT.F", "stakingfromspot", "1.5000000000"),
        ("XXBT", "spottostaking", "0.5000000000"),
    ]
    assert len({row["refid"] for row in moved}) == 2


def test_what_earns_is_worth_and_no_collateral(desk: RestDesk) -> None:
    """TradeBalance: `eb` stays, `tb` falls by what cannot be traded."""
    desk.exchange.hear(traded("70000.0", "1"))
    before = desk.private("TradeBalance")
    desk.exchange.transfer(desk.account_id, Transfer(asset="BTC", amount=d("1.5"), target=".B"))
    after = desk.private("TradeBalance")

    assert (before["eb"], before["tb"]) == ("240000.0000", "240000.0000")
    assert (after["eb"], after["tb"]) == ("240000.0000", "135000.0000")


BTC: Mapping[str, str] = {"asset": "XBT"}
OUT: Mapping[str, str] = {**BTC, "key": "paper-xbt", "amount": "0.5"}


@pytest.mark.parametrize(
    ("endpoint", "fields", "error"),
    [
        ("DepositMethods", {}, "EGeneral:Invalid arguments:asset"),
        ("DepositMethods", {"asset": "NOPE"}, "EFunding:Unknown asset"),
        ("DepositMethods", {"asset": "XBT.F"}, "EFunding:Unknown asset"),
        ("DepositAddresses", BTC, "EGeneral:Invalid arguments:method"),
        ("DepositAddresses", {**BTC, "method": "Carrier pigeon"}, "EFunding:No funding method"),
        ("DepositStatus", {"limit": "501"}, "EGeneral:Invalid arguments:limit"),
        ("DepositStatus", {"cursor": "nonsense"}, "EGeneral:Invalid arguments:cursor"),
        ("WithdrawInfo", {**OUT, "key": "home"}, "EFunding:Unknown withdraw key"),
        ("WithdrawInfo", {**OUT, "amount": "0.0001"}, "EFunding:Invalid amount"),
        ("Withdraw", {**OUT, "key": "home"}, "EFunding:Unknown withdraw key"),
        ("Withdraw", {**OUT, "amount": "0.0003"}, "EFunding:Invalid amount"),
        ("Withdraw", {**OUT, "amount": "0.12345678901"}, "EFunding:Invalid amount"),
        ("Withdraw", {**OUT, "amount": "2.1"}, "EFunding:Insufficient funds"),
        ("Withdraw", {**OUT, "max_fee": "0.0001"}, "EFunding:Max fee exceeded"),
        ("Withdraw", {**OUT, "address": "1BoatSLRHtK"}, "EFunding:Invalid withdrawal address"),
        ("WithdrawCancel", BTC, "EFunding:Invalid reference id"),
        ("WithdrawCancel", {**BTC, "refid": "FTnone-1"}, "EFunding:Unknown reference id"),
        (
            "WalletTransfer",
            {**BTC, "amount": "1", "from": "Futures Wallet", "to": "Spot Wallet"},
            "EGeneral:Invalid arguments:from",
        ),
    ],
)
def test_nonsense_is_refused_and_nothing_moves(
    desk: RestDesk, endpoint: str, fields: Mapping[str, str], error: str
) -> None:
    """In Kraken's words (section 9)."""
    before = desk.private("Ledgers")

    assert desk.refusal(endpoint, **fields) == error
    assert desk.private("Ledgers") == before


def test_what_an_open_order_holds_cannot_be_withdrawn(desk: RestDesk) -> None:
    """1.9 of 2 bitcoin are held."""
    desk.private(
        "AddOrder", pair="XBTUSD", type="sell", ordertype="limit", price="90000", volume="1.9"
    )
    assert desk.refusal("Withdraw", **OUT) == "EFunding:Insufficient funds"
    assert withdraw(desk, "0.1").startswith("FT")


@pytest.mark.parametrize(
    ("endpoint", "lacks"),
    [
        ("DepositMethods", "query-funds"),
        ("DepositMethods", "add-funds"),
        ("DepositStatus", "query-funds"),
        ("WithdrawMethods", "withdraw-funds"),
        ("WithdrawAddresses", "withdraw-funds"),
        ("WithdrawInfo", "withdraw-funds"),
        ("Withdraw", "withdraw-funds"),
        ("WithdrawCancel", "withdraw-funds"),
        ("WalletTransfer", "query-funds"),
    ],
)
def test_each_endpoint_needs_its_permission(endpoint: str, lacks: str) -> None:
    """Section 2.4."""
    desk = RestDesk(permissions=EVERYTHING - {lacks})

    assert desk.refusal(endpoint, asset="XBT") == "EGeneral:Permission denied"


def test_the_withdrawals_can_also_be_read_by_who_reads_the_ledger() -> None:
    """`query-ledger` is the alternative."""
    desk = RestDesk(permissions=frozenset({"query-ledger"}))

    assert desk.private("WithdrawStatus") == []


def paged(desk: RestDesk, **fields: str) -> list[Any]:
    """All pages of DepositStatus by cursor."""
    pages, cursor = [], "true"
    while cursor:
        told = desk.private("DepositStatus", cursor=cursor, **fields)
        pages.append([row["amount"] for row in told["deposit"]])
        cursor = told.get("next_cursor", "")
    return pages


def test_status_pages_by_cursor_newest_first(desk: RestDesk) -> None:
    """A deposit that arrives between two pages does not shift them."""
    for number in range(1, 6):
        desk.clock.ns += NS
        desk.exchange.receive(desk.account_id, "USD", Decimal(number))

    assert paged(desk, asset="USD", limit="2") == [
        ["5.0000", "4.0000"],
        ["3.0000", "2.0000"],
        ["1.0000", "100000.0000"],
    ]
    first = desk.private("DepositStatus", cursor="true", limit="2")
    desk.exchange.receive(desk.account_id, "USD", Decimal(6))
    told = desk.private("DepositStatus", cursor=first["next_cursor"], limit="2")
    assert [row["amount"] for row in told["deposit"]] == ["3.0000", "2.0000"]
    since = str(START // NS + 4)
    told = desk.private("DepositStatus", start=since, asset="USD")
    assert [row["amount"] for row in told] == ["6.0000", "5.0000", "4.0000"]


def test_money_on_its_way_survives_a_restart(tmp_path: Path) -> None:
    """Killed while a deposit is pending: the exchange that follows credits it in its time."""
    path = tmp_path / "state.sqlite"
    desk = RestDesk(permissions=EVERYTHING, state=StateFile(path))
    desk.exchange.receive(desk.account_id, "BTC", d("1"), takes_s=600)
    refid = withdraw(desk, "0.5")

    desk.clock.ns += 700 * NS
    again = PaperExchange(ScriptedSource(), desk.clock, state=StateFile(path), seed=7)
    (btc,) = [row for row in again.balances(desk.account_id) if row.asset.name == "BTC"]
    assert btc.balance == d("2.5")
    (left,) = again.movements(desk.account_id, "withdrawal")
    assert (left.ref_id, left.status) == (refid, "Success")
    again.close()
