"""What a step writes down: order events, ledger rows, balances. It decides nothing."""

from __future__ import annotations

from decimal import Decimal

from zoe_tools.paper.engine.account import Account
from zoe_tools.paper.engine.floor import Floor
from zoe_tools.paper.values.events import EngineEvent, LedgerEvent, OrderEvent, OrderEventKind
from zoe_tools.paper.values.ledger import LedgerRow, LedgerType, TradeView
from zoe_tools.paper.values.market import PairSpec
from zoe_tools.paper.values.order import OrderView
from zoe_tools.paper.values.rounding import half_up


class Records:
    """The events of one step, in order."""

    def __init__(self, floor: Floor, now: int) -> None:
        self.floor = floor
        self.now = now
        self.events: list[EngineEvent] = []

    def note(self, order: OrderView, kind: OrderEventKind, reason: str | None = None) -> None:
        """Write down a step of an order's life."""
        self.events.append(
            OrderEvent(
                at=self.now, account_id=order.account_id, kind=kind, order=order, reason=reason
            )
        )

    def settle(self, spec: PairSpec, account: Account, trade: TradeView) -> None:
        """Two ledger rows, quote first; the fee sits on the leg of its asset.

        On margin nothing is delivered: one row in quote with what was won or lost, and the fee.
        """
        if trade.on_margin is not None:
            self.post(
                account,
                ledger_id=trade.ledger_ids[0],
                ref_id=trade.trade_id,
                row_type="margin",
                subtype="",
                asset=spec.quote,
                amount=half_up(trade.on_margin.profit, spec.quote_decimals),
                fee=half_up(trade.fee, spec.quote_decimals),
            )
            return
        sign = -1 if trade.side == "buy" else 1
        quote_id, base_id = trade.ledger_ids
        self.post(
            account,
            ledger_id=quote_id,
            ref_id=trade.trade_id,
            row_type="trade",
            subtype="tradespot",
            asset=spec.quote,
            amount=sign * half_up(trade.cost, spec.quote_decimals),
            fee=half_up(trade.fee, spec.quote_decimals),
        )
        self.post(
            account,
            ledger_id=base_id,
            ref_id=trade.trade_id,
            row_type="trade",
            subtype="tradespot",
            asset=spec.base,
            amount=-sign * half_up(trade.quantity, spec.base_decimals),
            fee=half_up(trade.fee_base, spec.base_decimals),
        )

    def post(
        self,
        account: Account,
        *,
        ledger_id: str,
        ref_id: str,
        row_type: LedgerType,
        subtype: str,
        asset: str,
        amount: Decimal,
        fee: Decimal,
    ) -> LedgerRow:
        """Write a ledger row; the balance follows."""
        row = LedgerRow(
            ledger_id=ledger_id,
            ref_id=ref_id,
            account_id=account.account_id,
            at=self.now,
            type=row_type,
            subtype=subtype,
            asset=asset,
            amount=amount,
            fee=fee,
            balance=account.balance(asset) + amount - fee,
        )
        account.balances[asset] = row.balance
        account.ledger[ledger_id] = row
        self.events.append(LedgerEvent(at=self.now, account_id=account.account_id, row=row))
        return row
