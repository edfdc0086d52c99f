"""What an account's history is made of: executions and ledger rows. Values only.

A row's `balance` is the previous balance of that asset plus `amount` minus `fee`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from msgspec import Struct

from zoe_tools.paper.values.order import ZERO, OrderType, Side

NO_POSITION = "TKH2SE-M7IF5-CFI7LT"
"""The constant every non-margin trade carries as its position."""
LedgerType = Literal["trade", "deposit", "withdrawal", "transfer", "margin", "rollover", "settled"]
PositionStep = Literal["opened", "closing", "closed"]


class OnMargin(Struct, frozen=True, kw_only=True, gc=False):
    """What an execution with leverage did to positions.

    `position_id` is the one it opened (its own trade id, or that of the first fill of the same
    taker), else the first it closed. `margin` is the trade's cost over its leverage. `borrowed` is
    the cost and `opening_fee` the part of the trade's fee that is for what it opened; `profit` is
    what it closed made, before fees.
    """

    leverage: int
    position_id: str
    step: PositionStep
    closed: Decimal = ZERO
    borrowed: Decimal = ZERO
    margin: Decimal = ZERO
    opening_fee: Decimal = ZERO
    profit: Decimal = ZERO


class TradeView(Struct, frozen=True, kw_only=True, gc=False):
    """One execution of one of the exchange's own accounts.

    `order_type` is what was asked for, `executed_as` what it traded as (`market` or `limit`).
    `cost` and `fee` are in quote at the pair's `cost_decimals`; a fee in base is
    `fee_base`. `public_id` is the integer of the public tape. `dollars` is
    what it counts toward the fee tier; None in older files, where that was the cost.
    """

    trade_id: str
    public_id: int
    account_id: str
    order_id: str
    symbol: str
    side: Side
    order_type: OrderType
    executed_as: Literal["market", "limit"]
    price: Decimal
    quantity: Decimal
    cost: Decimal
    fee: Decimal
    is_maker: bool
    at: int
    ledger_ids: tuple[str, ...] = ()
    fee_base: Decimal = ZERO
    on_margin: OnMargin | None = None
    dollars: Decimal | None = None

    @property
    def counted(self) -> Decimal:
        """What it counts toward the fee tier, in dollars."""
        return self.cost if self.dollars is None else self.dollars


class LedgerRow(Struct, frozen=True, kw_only=True, gc=False):
    """One movement of one asset (v2 name, `USD`), at the asset's own decimals."""

    ledger_id: str
    ref_id: str
    account_id: str
    at: int
    type: LedgerType
    subtype: str
    asset: str
    amount: Decimal
    fee: Decimal
    balance: Decimal
