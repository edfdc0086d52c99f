"""An order as the exchange keeps it, and the requests that make and change one. Values only.

Symbols are v2 names (`BTC/USD`), times integer nanoseconds UTC, quantities in base and prices in
quote, in the digits they were given.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from msgspec import Struct

Side = Literal["buy", "sell"]
OrderType = Literal[
    "market",
    "limit",
    "iceberg",
    "stop-loss",
    "take-profit",
    "stop-loss-limit",
    "take-profit-limit",
    "trailing-stop",
    "trailing-stop-limit",
    "settle-position",
]
TimeInForce = Literal["gtc", "gtd", "ioc", "fok"]
TriggerReference = Literal["last", "index"]
FeeAsset = Literal["base", "quote"]
AmendKind = Literal["original", "user", "restated"]
SelfTrade = Literal["cancel-newest", "cancel-oldest", "cancel-both"]
OrderStatus = Literal["pending", "open", "closed", "canceled", "expired"]
"""REST's words: `pending` waits for its start, `closed` is completely filled."""

ORDER_TYPES: tuple[OrderType, ...] = (
    "market",
    "limit",
    "iceberg",
    "stop-loss",
    "take-profit",
    "stop-loss-limit",
    "take-profit-limit",
    "trailing-stop",
    "trailing-stop-limit",
    "settle-position",
)
TRAILING: frozenset[OrderType] = frozenset({"trailing-stop", "trailing-stop-limit"})
STOPS: frozenset[OrderType] = TRAILING | {"stop-loss", "stop-loss-limit"}
TRIGGERED_TYPES: frozenset[OrderType] = STOPS | {"take-profit", "take-profit-limit"}
BOOK_PRICED: frozenset[OrderType] = frozenset({"limit", "iceberg"})
LIMIT_PRICED: frozenset[OrderType] = BOOK_PRICED | {
    "stop-loss-limit",
    "take-profit-limit",
    "trailing-stop-limit",
}
ZERO = Decimal(0)


class RelativePrice(Struct, frozen=True, kw_only=True, gc=False):
    """`+x`, `-x` (the value has the sign) or `#x` (`is_unsigned`: side and type choose the sign).

    With `is_percent` the value is percent of the reference.
    """

    value: Decimal
    is_percent: bool = False
    is_unsigned: bool = False


Price = Decimal | RelativePrice


class ConditionalClose(Struct, frozen=True, kw_only=True, gc=False):
    """What each fill of an order opens on the other side (section 8.2)."""

    order_type: OrderType
    limit_price: Price | None = None
    trigger_price: Price | None = None


class PlaceOrder(Struct, frozen=True, kw_only=True, gc=False):
    """What a client asks for. The dialects parse; the engine judges.

    Trailing types: `trigger_price` is the distance from the peak, `limit_price` the one from the
    trigger. With `quote_quantity` (market buys sized in quote) `quantity` is zero.
    """

    symbol: str
    side: Side
    order_type: OrderType
    quantity: Decimal
    limit_price: Price | None = None
    trigger_price: Price | None = None
    time_in_force: TimeInForce = "gtc"
    is_post_only: bool = False
    expire_at: int | None = None
    deadline: int | None = None
    cl_ord_id: str | None = None
    userref: int | None = None
    self_trade: SelfTrade = "cancel-newest"
    is_validate: bool = False
    quote_quantity: Decimal | None = None
    display_quantity: Decimal | None = None
    trigger_reference: TriggerReference = "last"
    fee_asset: FeeAsset | None = None
    leverage: int | None = None
    is_reduce_only: bool = False
    starts_at: int | None = None
    close: ConditionalClose | None = None
    sender_sub_id: str | None = None


class AmendOrder(Struct, frozen=True, kw_only=True, gc=False):
    """A change in place; exactly one of the ids. `quantity` is the new total."""

    order_id: str | None = None
    cl_ord_id: str | None = None
    quantity: Decimal | None = None
    limit_price: Price | None = None
    trigger_price: Price | None = None
    is_post_only: bool = False
    deadline: int | None = None
    display_quantity: Decimal | None = None


class EditOrder(Struct, frozen=True, kw_only=True, gc=False):
    """A cancel and a new order in one; exactly one of the ids (section 8.5).

    What is None stays as it is, the quantity at what is not filled yet. `userref_new` is the new
    order's: the old one's is not inherited.
    """

    symbol: str
    order_id: str | None = None
    userref: int | None = None
    quantity: Decimal | None = None
    limit_price: Price | None = None
    trigger_price: Price | None = None
    display_quantity: Decimal | None = None
    is_post_only: bool | None = None
    fee_asset: FeeAsset | None = None
    userref_new: int | None = None
    deadline: int | None = None
    is_validate: bool = False


class AmendView(Struct, frozen=True, kw_only=True, gc=False):
    """One step of an order's amend trail; the first is the order as it came."""

    amend_id: str
    order_id: str
    account_id: str
    kind: AmendKind
    quantity: Decimal
    remaining: Decimal
    at: int
    display_quantity: Decimal | None = None
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    reason: str | None = None
    is_post_only: bool = False


class OrderView(Struct, frozen=True, kw_only=True, gc=False):
    """An order at one moment. `cost` and `fee` are sums over its fills, in quote.

    `limit_price` is None for market and plain triggered orders. `triggered_at` is set once the
    trigger fired. `queue_number` orders the queue within a price level.
    `taker_pct` and `maker_pct` are the fee rates of the tier at its acceptance: they hold for all
    its fills (section 17.6), while the volume counts for the next order at once.
    `shown` is what an iceberg's slice still displays. Of a trailing order, `trailing` is the
    distance, `peak_price` the best price since its entry, `trigger_price` the stop that follows it
    and `limit_offset` the limit's distance from the stop. `fee_base` is what it paid in base.
    `parent_id` is the order whose fill or edit made it. `sender_sub_id` names a desk
    of the client's; it is echoed. `amended_at` is when it was last amended. `is_liquidation` is
    one that the exchange made to close a position.
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
    quote_quantity: Decimal | None = None
    display_quantity: Decimal | None = None
    shown: Decimal = ZERO
    trigger_reference: TriggerReference = "last"
    trailing: RelativePrice | None = None
    peak_price: Decimal | None = None
    limit_offset: RelativePrice | None = None
    fee_asset: FeeAsset | None = None
    fee_base: Decimal = ZERO
    leverage: int | None = None
    is_reduce_only: bool = False
    starts_at: int | None = None
    close: ConditionalClose | None = None
    parent_id: str | None = None
    sender_sub_id: str | None = None
    amended_at: int | None = None
    is_liquidation: bool = False

    @property
    def flags(self) -> tuple[str, ...]:
        """The words of `misc`."""
        words = []
        if self.triggered_at is not None:
            words.append("stopped" if self.order_type in STOPS else "touched")
        if self.is_liquidation:
            words.append("liquidated")
        if self.is_amended:
            words.append("amended")
        if self.status == "canceled" and self.filled > 0:
            words.append("partial")
        return tuple(words)

    @property
    def visible(self) -> Decimal:
        """What the book may show of it."""
        return self.remaining if self.display_quantity is None else self.shown

    @property
    def is_done(self) -> bool:
        """Whether it got all it asked for."""
        if self.quote_quantity is not None:
            return self.cost >= self.quote_quantity
        return self.remaining <= 0

    @property
    def is_fee_in_base(self) -> bool:
        """Whether its fees are taken in base (`fcib`)."""
        return self.fee_asset == "base"

    @property
    def remaining(self) -> Decimal:
        """What is not filled yet."""
        return self.quantity - self.filled

    @property
    def is_open(self) -> bool:
        """Whether it still works, or will once it starts."""
        return self.status in {"open", "pending"}

    @property
    def waits_for_trigger(self) -> bool:
        """Whether its trigger has not fired yet."""
        return self.order_type in TRIGGERED_TYPES and self.triggered_at is None

    @property
    def average_price(self) -> Decimal:
        """Cost over filled quantity at full precision; zero without fills. The dialects round."""
        return self.cost / self.filled if self.filled else ZERO
