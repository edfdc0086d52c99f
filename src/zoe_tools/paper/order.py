"""An order as the exchange keeps it, and the requests that make and change one. Values only.

Symbols are v2 names (`BTC/USD`), times integer nanoseconds UTC, quantities in base and prices in
quote, in the digits they were given.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Side = Literal["buy", "sell"]
OrderType = Literal[
    "market", "limit", "stop-loss", "take-profit", "stop-loss-limit", "take-profit-limit"
]
TimeInForce = Literal["gtc", "gtd", "ioc"]
SelfTrade = Literal["cancel-newest", "cancel-oldest", "cancel-both"]
OrderStatus = Literal["open", "closed", "canceled", "expired"]
"""REST's words: `closed` is completely filled."""

ORDER_TYPES: tuple[OrderType, ...] = (
    "market",
    "limit",
    "stop-loss",
    "take-profit",
    "stop-loss-limit",
    "take-profit-limit",
)
STOPS: frozenset[OrderType] = frozenset({"stop-loss", "stop-loss-limit"})
TRIGGERED_TYPES: frozenset[OrderType] = STOPS | {"take-profit", "take-profit-limit"}
LIMIT_PRICED: frozenset[OrderType] = frozenset({"limit", "stop-loss-limit", "take-profit-limit"})
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder:
    """What a client asks for. The dialects parse; the engine judges."""

    symbol: str
    side: Side
    order_type: OrderType
    quantity: Decimal
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    time_in_force: TimeInForce = "gtc"
    is_post_only: bool = False
    expire_at: int | None = None
    deadline: int | None = None
    cl_ord_id: str | None = None
    userref: int | None = None
    self_trade: SelfTrade = "cancel-newest"
    is_validate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AmendOrder:
    """A change in place; exactly one of the ids. `quantity` is the new total."""

    order_id: str | None = None
    cl_ord_id: str | None = None
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    is_post_only: bool = False
    deadline: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """An order at one moment. `cost` and `fee` are sums over its fills, in quote.

    `limit_price` is None for market and plain triggered orders. `triggered_at` is set once the
    trigger fired. `queue_number` orders the queue within a price level.
    `taker_pct` and `maker_pct` are the fee rates of the tier at its acceptance: they hold for all
    its fills (section 17.6), while the volume counts for the next order at once.
    """

    order_id: str
    account_id: str
    symbol: str
    side: Side
    order_type: OrderType
    quantity: Decimal
    opened_at: int
    queue_number: int
    taker_pct: Decimal
    maker_pct: Decimal
    status: OrderStatus = "open"
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    time_in_force: TimeInForce = "gtc"
    is_post_only: bool = False
    expire_at: int | None = None
    cl_ord_id: str | None = None
    userref: int | None = None
    self_trade: SelfTrade = "cancel-newest"
    filled: Decimal = ZERO
    cost: Decimal = ZERO
    fee: Decimal = ZERO
    triggered_at: int | None = None
    triggered_by: Decimal | None = None
    is_amended: bool = False
    closed_at: int | None = None
    reason: str | None = None
    trade_ids: tuple[str, ...] = ()

    @property
    def remaining(self) -> Decimal:
        """What is not filled yet."""
        return self.quantity - self.filled

    @property
    def is_open(self) -> bool:
        """Whether it still works."""
        return self.status == "open"

    @property
    def waits_for_trigger(self) -> bool:
        """Whether its trigger has not fired yet."""
        return self.order_type in TRIGGERED_TYPES and self.triggered_at is None

    @property
    def average_price(self) -> Decimal:
        """Cost over filled quantity at full precision; zero without fills. The dialects round."""
        return self.cost / self.filled if self.filled else ZERO
