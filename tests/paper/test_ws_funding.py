"""The balances channel hears of deposits, withdrawals and transfers, and tells wallets apart."""

from __future__ import annotations

from typing import Any

import pytest

from paper_desk import d
from paper_socket import SocketDesk, Wire, at_desk, settle
from zoe_tools.paper.engine.funding import FUTURES, Transfer

Frame = dict[str, Any]


async def on_balances(desk: SocketDesk) -> tuple[Wire, Frame]:
    """A connection that hears the account's balances, and their snapshot."""
    wire = await desk.connect(is_private=True)
    _, first = await wire.ask("subscribe", channel="balances", token=desk.token)
    return wire, first


async def rows_of(wire: Wire) -> list[Frame]:
    """The rows of the updates that came; each is a message of its own."""
    await settle()
    return [row for frame in wire.frames() if "data" in frame for row in frame["data"]]


def test_a_deposit_is_heard_when_it_is_credited() -> None:
    """Not while it is pending; then with its fee, as a ledger row."""

    async def story(desk: SocketDesk) -> tuple[list[Frame], list[Frame]]:
        wire, _ = await on_balances(desk)
        desk.exchange.receive(desk.account_id, "USD", d("500"), fee=d("1"), takes_s=0.5)
        before = await rows_of(wire)
        await desk.exchange.clock.sleep(0.6)
        desk.exchange.balances(desk.account_id)
        return before, await rows_of(wire)

    before, (row,) = at_desk(story)

    assert before == []
    assert (row["type"], row["category"]) == ("deposit", "deposit")
    assert (row["asset"], row["amount"], row["fee"], row["balance"]) == (
        "USD",
        "500.0000",
        "1.0000",
        "100499.0000",
    )


def test_a_withdrawal_is_heard_when_it_is_asked_for_and_when_it_comes_back() -> None:
    """Two rows with one reference."""

    async def story(desk: SocketDesk) -> list[Frame]:
        wire, _ = await on_balances(desk)
        exchange, asset = desk.exchange, desk.exchange.asset("BTC")
        sent = exchange.withdraw(desk.account_id, asset, "paper-xbt", d("0.5"), None)
        exchange.cancel_withdrawal(desk.account_id, sent.ref_id)
        return await rows_of(wire)

    gone, back = at_desk(story)

    assert gone["ref_id"] == back["ref_id"]
    assert [(row["type"], row["amount"], row["fee"], row["balance"]) for row in (gone, back)] == [
        ("withdrawal", "-0.4998500000", "0.0001500000", "0.5000000000"),
        ("withdrawal", "0.4998500000", "-0.0001500000", "1.0000000000"),
    ]


@pytest.mark.parametrize(
    ("target", "legs"),
    [
        (
            ".B",
            [
                ("spottostaking", "withdrawal", "spot", "main", "-0.2500000000", "0.7500000000"),
                ("stakingfromspot", "deposit", "earn", "bonded", "0.2500000000", "0.2500000000"),
            ],
        ),
        (
            FUTURES,
            [("spottofutures", "withdrawal", "spot", "main", "-0.2500000000", "0.7500000000")],
        ),
    ],
)
def test_a_transfer_is_heard_once_for_each_wallet(target: str, legs: list[tuple[str, ...]]) -> None:
    """The asset keeps its name; the wallet says where it lies."""

    async def story(desk: SocketDesk) -> list[Frame]:
        wire, _ = await on_balances(desk)
        order = Transfer(asset="BTC", amount=d("0.25"), target=target)
        desk.exchange.transfer(desk.account_id, order)
        return await rows_of(wire)

    names = ("subtype", "category", "wallet_type", "wallet_id", "amount", "balance")
    rows = at_desk(story)

    assert [(row["type"], row["asset"]) for row in rows] == [("transfer", "BTC")] * len(legs)
    assert [tuple(row[name] for name in names) for row in rows] == legs


def test_the_snapshot_adds_up_the_wallets_of_an_asset() -> None:
    """One element an asset, with what lies where."""

    async def story(desk: SocketDesk) -> Frame:
        for suffix, amount in ((".F", "0.25"), (".M", "0.125")):
            order = Transfer(asset="BTC", amount=d(amount), target=suffix)
            desk.exchange.transfer(desk.account_id, order)
        _, first = await on_balances(desk)
        return first

    assert at_desk(story)["data"][0] == {
        "asset": "BTC",
        "asset_class": "currency",
        "balance": "1.0000000000",
        "wallets": [
            {"type": "spot", "id": "main", "balance": "0.6250000000"},
            {"type": "earn", "id": "flexible", "balance": "0.2500000000"},
            {"type": "earn", "id": "liquid", "balance": "0.1250000000"},
        ],
    }
