"""Balances and ledger entries as the socket prints them (section 11.2)."""

from __future__ import annotations

from typing import Any

from zoe_tools.paper.ledger import LedgerRow
from zoe_tools.paper.times import iso
from zoe_tools.paper.views import BalanceView
from zoe_tools.paper.ws_numbers import number

Row = dict[str, Any]


def balance_row(view: BalanceView) -> Row:
    """One asset of a balances snapshot; holds are not shown here."""
    balance = number(view.balance, view.asset.decimals)
    return {
        "asset": view.asset.name,
        "asset_class": "currency",
        "balance": balance,
        "wallets": [{"type": "spot", "id": "main", "balance": balance}],
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
    return entry | {
        "asset": row.asset,
        "asset_class": "currency",
        "category": row.type,
        "wallet_type": "spot",
        "wallet_id": "main",
        "amount": number(row.amount, decimals),
        "fee": number(row.fee, decimals),
        "balance": number(row.balance, decimals),
    }
