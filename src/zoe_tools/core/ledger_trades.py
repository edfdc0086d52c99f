"""A trades export as evidence: each trade is held against the ledger rows that it names.

It brings no rows of its own. What a trade moved is in the ledger, to the digit; the export tells
the same from the side of the order.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from zoe_tools.domain.instrument import InstrumentCatalogue
from zoe_tools.domain.ledger import ExportedTrade, LedgerEntry
from zoe_tools.domain.money import ZERO, quantum, short
from zoe_tools.domain.order import Side

_CHARGED = frozenset({"trade", "margin"})
_EXACT = 20


def disagreement(
    trade: ExportedTrade, rows: Mapping[str, LedgerEntry], catalogue: InstrumentCatalogue
) -> str:
    """What the ledger tells otherwise, as a sentence; empty where both agree.

    Amounts may differ by one unit of their asset: a trade has more digits than the ledger, and of
    one that is worth less than a unit the ledger has one leg only. On margin nothing is delivered,
    and the fee alone is compared.
    """
    missing = [name for name in trade.ledger_ids if name not in rows]
    if missing:
        return f"trade {trade.trade_id}: row {missing[0]} is not in the ledger"
    legs = [rows[name] for name in trade.ledger_ids]
    fee = sum((leg.fee for leg in legs if leg.kind in _CHARGED), ZERO)
    unit = max((_unit(leg.asset, catalogue) for leg in legs), default=ZERO)
    if abs(fee - trade.fee) > unit:
        return f"trade {trade.trade_id}: its fee is {short(trade.fee)}, the ledger's {short(fee)}"
    if trade.is_on_margin or not trade.base:
        return ""
    sign = 1 if trade.side is Side.BUY else -1
    for asset, told in ((trade.base, sign * trade.quantity), (trade.quote, -sign * trade.cost)):
        moved = sum((leg.amount for leg in legs if leg.asset == asset), ZERO)
        if abs(moved - told) > _unit(asset, catalogue):
            return (
                f"trade {trade.trade_id}: it moved {short(told)} {asset}, the ledger {short(moved)}"
            )
    return ""


def _unit(asset: str, catalogue: InstrumentCatalogue) -> Decimal:
    known = catalogue.asset(asset)
    return quantum(_EXACT if known is None else known.decimals)
