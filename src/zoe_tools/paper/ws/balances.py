"""Balances and ledger entries as the socket prints them (section 11.2)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from zoe_tools.paper.engine.wallets import parted, wallet_of
from zoe_tools.paper.values.ledger import LedgerRow
from zoe_tools.paper.values.times import iso
from zoe_tools.paper.values.views import BalanceView
from zoe_tools.paper.ws.numbers import number

Row = dict[str, Any]
_ON_MARGIN = {"margin": "margin-trade", "settled": "margin-settle", "rollover": "marginrollover"}


def balance_rows(views: Iterable[BalanceView]) -> list[Row]:
    """The assets of a balances snapshot, each with its wallets; holds are not shown here."""
    assets: dict[str, list[BalanceView]] = {}
    for view in views:
        assets.setdefault(parted(view.asset.name)[0], []).append(view)
    return [_balance_row(name, lying) for name, lying in assets.items()]


def _balance_row(name: str, lying: list[BalanceView]) -> Row:
    decimals = lying[0].asset.decimals
    total = sum((view.balance for view in lying), Decimal(0))
    return {
        "asset": name,
        "asset_class": "currency",
        "balance": number(total, decimals),
        "wallets": [
            {
                "type": wallet_of(view.asset.name).kind,
                "id": wallet_of(view.asset.name).wallet_id,
                "balance": number(view.balance, decimals),
            }
            for view in lying
        ],
    }


def ledger_row(row: LedgerRow, decimals: int) -> Row:
    """One ledger entry of a balances update."""
    entry: Row = {
        "ledger_id": row.ledger_id,
        "ref_id": row.ref_id,
        "timestamp": iso(row.at),
        "type": row.type,
    }
    if row.subtype:
        entry["subtype"] = row.subtype
    wallet = wallet_of(row.asset)
    return entry | {
        "asset": parted(row.asset)[0],
        "asset_class": "currency",
        "category": _category(row),
        "wallet_type": wallet.kind,
        "wallet_id": wallet.wallet_id,
        "amount": number(row.amount, decimals),
        "fee": number(row.fee, decimals),
        "balance": number(row.balance, decimals),
    }


def _category(row: LedgerRow) -> str:
    """There is none for transfers: each leg counts as the way its money goes."""
    if row.type in _ON_MARGIN:
        return _ON_MARGIN[row.type]
    if row.type != "transfer":
        return row.type
    return "withdrawal" if row.amount < 0 else "deposit"
