"""One account: balances, what its open orders hold, its orders, executions and ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any, TypeVar

from typing_extensions import override

from zoe_tools.paper.engine import fees
from zoe_tools.paper.engine.rate_counters import TierName
from zoe_tools.paper.values.exports import Export
from zoe_tools.paper.values.ledger import LedgerRow, TradeView
from zoe_tools.paper.values.market import PairSpec
from zoe_tools.paper.values.movements import Movement
from zoe_tools.paper.values.order import ZERO, AmendView, OrderView
from zoe_tools.paper.values.positions import Shelf
from zoe_tools.paper.values.rounding import ceiling

V = TypeVar("V")


class Recent(dict[str, V]):
    """The newest part of a history, by id and oldest first; `is_whole` while nothing is gone."""

    def __init__(self) -> None:
        super().__init__()
        self.is_whole = True

    def trim(self, most: int) -> None:
        """Let go of all but the newest `most`, once there are twice as many."""
        if len(self) > 2 * most:
            for name in list(islice(self, len(self) - most)):
                del self[name]
            self.is_whole = False

    def restore(self, rows: Sequence[V], most: int, name_of: Callable[[V], str]) -> None:
        """Fill it with the newest `most` of rows that are oldest first."""
        newest = list(islice(reversed(rows), most))
        self.update((name_of(row), row) for row in reversed(newest))
        self.is_whole = len(newest) == len(rows)


_ON_MARGIN = ":margin"


def margin_key(quote: str) -> str:
    """Under which name an order with leverage holds the margin it needs: no balance is held."""
    return quote + _ON_MARGIN


class _Reserves(dict[str, tuple[str, Decimal]]):
    """What each order holds, with the sums per asset kept along."""

    def __init__(self) -> None:
        super().__init__()
        self.sums: dict[str, Decimal] = {}

    @override
    def __setitem__(self, order_id: str, reserve: tuple[str, Decimal]) -> None:
        if order_id in self:
            self.pop(order_id)
        asset, amount = reserve
        self.sums[asset] = self.sums.get(asset, ZERO) + amount
        super().__setitem__(order_id, reserve)

    @override
    def pop(self, order_id: str, default: Any = None) -> Any:
        """Forget what an order holds."""
        reserve = super().pop(order_id, None)
        if reserve is None:
            return default
        self.sums[reserve[0]] -= reserve[1]
        return reserve


class _OpenOrders(dict[str, OrderView]):
    """Open orders by id, found by client id and counted by symbol as well."""

    def __init__(self) -> None:
        super().__init__()
        self.by_client_id: dict[str, str] = {}
        self.working: dict[str, int] = {}

    @override
    def __setitem__(self, order_id: str, order: OrderView) -> None:
        if order_id not in self:
            self.working[order.symbol] = self.working.get(order.symbol, 0) + 1
            if order.cl_ord_id is not None:
                self.by_client_id[order.cl_ord_id] = order_id
        super().__setitem__(order_id, order)

    @override
    def pop(self, order_id: str, default: Any = None) -> Any:
        """Forget an order that has ended."""
        order = super().pop(order_id, None)
        if order is None:
            return default
        self.working[order.symbol] -= 1
        if order.cl_ord_id is not None:
            self.by_client_id.pop(order.cl_ord_id, None)
        return order


class Account:
    """Mutable; only the engine's turns change it. Assets are v2 names.

    `tier` is None where the exchange's own applies.
    """

    def __init__(self, account_id: str, name: str) -> None:
        self.account_id = account_id
        self.name = name
        self.balances: dict[str, Decimal] = {}
        self.open = _OpenOrders()
        self.closed = Recent[OrderView]()
        self.trades = Recent[TradeView]()
        self.ledger = Recent[LedgerRow]()
        self.reserves = _Reserves()
        self.amends: dict[str, list[AmendView]] = {}
        self.volume = fees.VolumeWindow()
        self.movements: dict[str, Movement] = {}
        self.exports: dict[str, Export] = {}
        self.has_margin = False
        self.tier: TierName | None = None
        self.positions = Shelf()

    def forget_filed(self, most: int) -> None:
        """Everything is in the state file: keep only the newest `most` of each history."""
        self.closed.trim(most)
        self.trades.trim(most)
        self.ledger.trim(most)
        self.positions.trim(most)
        self.amends.clear()

    def held(self, asset: str) -> Decimal:
        """What open orders keep of this asset."""
        return self.reserves.sums.get(asset, ZERO)

    def margin_held(self) -> list[tuple[str, Decimal]]:
        """The margin that its open orders would need, by quote asset."""
        return [
            (name.removesuffix(_ON_MARGIN), amount)
            for name, amount in self.reserves.sums.items()
            if amount and name.endswith(_ON_MARGIN)
        ]

    def working(self, symbol: str) -> int:
        """How many of its orders of this symbol are open."""
        return self.open.working.get(symbol, 0)

    def balance(self, asset: str) -> Decimal:
        """The total, held amounts included."""
        return self.balances.get(asset, ZERO)

    def available(self, asset: str) -> Decimal:
        """What a new order may use."""
        return self.balance(asset) - self.held(asset)

    def find_open(self, *, order_id: str | None, cl_ord_id: str | None) -> OrderView | None:
        """The open order of this id."""
        if order_id is None:
            order_id = self.open.by_client_id.get(cl_ord_id or "")
        return None if order_id is None else self.open.get(order_id)


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
