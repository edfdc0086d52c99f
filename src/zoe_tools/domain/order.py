"""Orders: what we ask for, what the venue says it has, and the words of their life."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from zoe_tools.domain.identifiers import ClientOrderId, Symbol, VenueOrderId
from zoe_tools.domain.money import ZERO


class Side(StrEnum):
    """The side of an order, a fill or a position's entry."""

    BUY = "buy"
    SELL = "sell"

    @property
    def opposite(self) -> Side:
        """The side that closes what this one opens."""
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    """Kraken's order types (kraken-spot section 8.1), in its own words."""

    MARKET = "market"
    LIMIT = "limit"
    ICEBERG = "iceberg"
    STOP_LOSS = "stop-loss"
    STOP_LOSS_LIMIT = "stop-loss-limit"
    TAKE_PROFIT = "take-profit"
    TAKE_PROFIT_LIMIT = "take-profit-limit"
    TRAILING_STOP = "trailing-stop"
    TRAILING_STOP_LIMIT = "trailing-stop-limit"
    SETTLE_POSITION = "settle-position"
    UNKNOWN = "unknown"
    """A word of the venue's that zoe does not know: such an order is shown, and left alone."""

    @property
    def is_stop(self) -> bool:
        """Whether an order of this type protects against a move against the position."""
        return self in _STOPS

    @property
    def is_trailing(self) -> bool:
        """Whether the order's prices are distances."""
        return self in (OrderType.TRAILING_STOP, OrderType.TRAILING_STOP_LIMIT)

    @property
    def is_triggered(self) -> bool:
        """Whether the order sleeps until a trigger price is reached."""
        return self in _STOPS or self in (OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT)


_STOPS = frozenset(
    {
        OrderType.STOP_LOSS,
        OrderType.STOP_LOSS_LIMIT,
        OrderType.TRAILING_STOP,
        OrderType.TRAILING_STOP_LIMIT,
    }
)


class TimeInForce(StrEnum):
    """How long an order lives."""

    GTC = "gtc"
    IOC = "ioc"
    GTD = "gtd"
    FOK = "fok"


class OrderStatus(StrEnum):
    """The life of an order in our books; transitions stand in `core/order_lifecycle.py`."""

    PENDING_NEW = "pending_new"
    OPEN = "open"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCEL_PENDING = "cancel_pending"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    UNKNOWN = "unknown"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more can happen to the order."""
        return self in _TERMINAL


_TERMINAL = frozenset(
    {OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED}
)

OrderPurpose = Literal["entry", "exit", "stop", "take_profit", "flatten", "repair"]


class SelfTrade(StrEnum):
    """Which order goes when two of the account's own would trade with each other."""

    CANCEL_NEWEST = "cancel-newest"
    CANCEL_OLDEST = "cancel-oldest"
    CANCEL_BOTH = "cancel-both"


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceOffset:
    """A price told as a distance from the last one, which the venue works out (section 8.1).

    `distance`, more than zero, is in quote, or in percent if `is_percent`. `direction` "+" lies
    above, "-" below, "#" where side and type of the order have it. A trailing stop's trigger is
    "+" of the market on either side; its limit is "+" or "-" of the trigger.
    """

    distance: Decimal
    direction: Literal["+", "-", "#"]
    is_percent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionalClose:
    """The order that each fill opens on the other side (kraken-spot section 8.2).

    Prices as those of `OrderRequest`, offsets as those of `OrderTerms`.
    """

    order_type: OrderType
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    limit_offset: PriceOffset | None = None
    trigger_offset: PriceOffset | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTerms:
    """What few orders ask for (kraken-spot section 8.1).

    `display_quantity` in base, of an iceberg; `is_quantity_in_quote` for market buys; `leverage` 5
    is five to one; `starts_at` and `expires_at` in whole seconds. `limit_offset` and
    `trigger_offset` stand for the request's price, never beside it. An order with a `userref`, a
    number of 32 bits that several orders may share, carries no client id.
    """

    display_quantity: Decimal | None = None
    is_quantity_in_quote: bool = False
    leverage: int | None = None
    fee_in: Literal["quote", "base"] = "quote"
    trigger_by: Literal["last", "index"] = "last"
    starts_at: datetime | None = None
    expires_at: datetime | None = None
    self_trade: SelfTrade | None = None
    close: ConditionalClose | None = None
    userref: int | None = None
    limit_offset: PriceOffset | None = None
    trigger_offset: PriceOffset | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """One order to be placed. `quantity` in base; `limit_price`, `trigger_price` in quote.

    Of trailing types both are distances: of the trigger from the market, of the limit from the
    trigger. `terms` None asks for nothing out of the ordinary.
    """

    symbol: Symbol
    side: Side
    order_type: OrderType
    quantity: Decimal
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    reduce_only: bool = False
    purpose: OrderPurpose = "entry"
    terms: OrderTerms | None = None

    @property
    def reduces_risk(self) -> bool:
        """Whether the order can only make the managed position smaller or safer."""
        return self.purpose != "entry"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAmendment:
    """A change in place of a resting order; None leaves a value as it is.

    `quantity` is the order's new total quantity, fills included; `display_quantity` what an iceberg
    shows. With `post_only` a price that would trade at once is refused. An offset, "+" or "-",
    stands for the price of its name.
    """

    venue_order_id: VenueOrderId
    symbol: Symbol
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    display_quantity: Decimal | None = None
    post_only: bool = False
    limit_offset: PriceOffset | None = None
    trigger_offset: PriceOffset | None = None
    ends_risk: bool = False
    """It brings an exit nearer to the market: nothing that holds new risk back holds it back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEdit:
    """A new order, with a new id, in the place of a resting one (kraken-spot section 8.5).

    None leaves a value as it was. `order_type` is that of the order. `quantity` is the new order's:
    what has filled stays with the old one. The new one has no client id, and `userref` or none. The
    venue edits no order that was triggered, closes another, or carries a client id. Without
    `post_only` nothing is said of that flag.
    """

    venue_order_id: VenueOrderId
    symbol: Symbol
    order_type: OrderType
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    display_quantity: Decimal | None = None
    limit_offset: PriceOffset | None = None
    trigger_offset: PriceOffset | None = None
    post_only: bool = False
    userref: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderName:
    """What a cancel may call an order by: its id, our id, or the number that several may share.

    Raises:
        ValueError: not exactly one of the three.
    """

    venue_order_id: VenueOrderId | None = None
    client_order_id: ClientOrderId | None = None
    userref: int | None = None

    def __post_init__(self) -> None:
        """See the class."""
        if len([each for each in self._told() if each is not None]) != 1:
            raise ValueError(f"{self} is not one name of an order")

    @classmethod
    def of(cls, name: VenueOrderId | OrderName) -> OrderName:
        """A name as it is, an id as a name."""
        return name if isinstance(name, OrderName) else cls(venue_order_id=name)

    @property
    def text(self) -> str:
        """The name alone."""
        return next(str(each) for each in self._told() if each is not None)

    def _told(self) -> tuple[str | int | None, ...]:
        return self.venue_order_id, self.client_order_id, self.userref


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueOrder:
    """An order as the venue's own records show it.

    `average_price` is zero until something filled; `fee` and `cost` are in quote; `userref` None
    is also the venue's 0, which it gives an order without one.

    `parent_id` is the order that made this one, by its conditional close. `flags` and `marks` are
    the venue's words for what was asked (`post`, `fciq`) and what happened (`touched`, `partial`).
    """

    venue_order_id: VenueOrderId
    client_order_id: ClientOrderId | None
    symbol: Symbol
    side: Side
    order_type: OrderType
    status: OrderStatus
    quantity: Decimal
    filled_quantity: Decimal
    opened_at: datetime
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    average_price: Decimal = ZERO
    cost: Decimal = ZERO
    fee: Decimal = ZERO
    closed_at: datetime | None = None
    reason: str = ""
    parent_id: VenueOrderId | None = None
    starts_at: datetime | None = None
    expires_at: datetime | None = None
    flags: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    userref: int | None = None

    @property
    def remaining_quantity(self) -> Decimal:
        """What may still fill."""
        return self.quantity - self.filled_quantity
