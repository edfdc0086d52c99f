"""One account: balances, what its open orders hold, its orders, executions and ledger."""

from __future__ import annotations

from decimal import Decimal

from zoe_tools.paper import fees
from zoe_tools.paper.ledger import LedgerRow, TradeView
from zoe_tools.paper.market import PairSpec
from zoe_tools.paper.order import ZERO, OrderView
from zoe_tools.paper.rounding import ceiling


class Account:
    """Mutable; only the engine's turns change it. Assets are v2 names."""

    def __init__(self, account_id: str, name: str) -> None:
        self.account_id = account_id
        self.name = name
        self.balances: dict[str, Decimal] = {}
        self.open: dict[str, OrderView] = {}
        self.closed: dict[str, OrderView] = {}
        self.trades: dict[str, TradeView] = {}
        self.ledger: dict[str, LedgerRow] = {}
        self.reserves: dict[str, tuple[str, Decimal]] = {}
        self.volume = fees.VolumeWindow()

    def held(self, asset: str) -> Decimal:
        """What open orders keep of this asset."""
        return sum((amount for name, amount in self.reserves.values() if name == asset), ZERO)

    def balance(self, asset: str) -> Decimal:
        """The total, held amounts included."""
        return self.balances.get(asset, ZERO)

    def available(self, asset: str) -> Decimal:
        """What a new order may use."""
        return self.balance(asset) - self.held(asset)

    def find_open(self, *, order_id: str | None, cl_ord_id: str | None) -> OrderView | None:
        """The open order of this id."""
        if order_id is not None:
            return self.open.get(order_id)
        for order in self.open.values():
            if order.cl_ord_id == cl_ord_id:
                return order
        return None


def reserve_for(order: OrderView, spec: PairSpec) -> tuple[str, Decimal]:
    """What an order has to hold: (asset, amount).

    A buy holds cost and fee at the taker's rate in quote, at its limit (else its trigger) price; a
    sell its remaining quantity in base; a fee in base is on the base
    side. Rounded up to the asset's decimals.
    """
    if order.side == "sell":
        needed = order.remaining
        if order.is_fee_in_base:
            needed += fees.base_fee_of(spec, needed, order.taker_pct)
        return spec.base, ceiling(needed, spec.base_decimals)
    price = order.limit_price or order.trigger_price or ZERO
    cost = fees.cost_of(spec, price, order.remaining)
    fee = ZERO if order.is_fee_in_base else fees.fee_of(spec, cost, order.taker_pct)
    return spec.quote, ceiling(cost + fee, spec.quote_decimals)
