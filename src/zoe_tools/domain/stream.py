"""What the venue's streams tell, as values the loop reacts to.

Every event carries the venue's own time. A stream that cannot vouch for itself says so: a `Gap`
names from when to when something may have been missed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from zoe_tools.domain.candle import Candle
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import ClientOrderId, Symbol, VenueOrderId
from zoe_tools.domain.instrument import InstrumentStatus
from zoe_tools.domain.ledger import LedgerEntry
from zoe_tools.domain.market import Book, OrdersBook, PublicTrade, Quote, VenueMode
from zoe_tools.domain.order import OrderStatus, OrderType, Side

Wire = Literal["public", "private", "level3"]


class ExecutionKind(StrEnum):
    """Kraken's exec_type (kraken-spot section 11.1)."""

    PENDING_NEW = "pending_new"
    NEW = "new"
    TRADE = "trade"
    FILLED = "filled"
    ICEBERG_REFILL = "iceberg_refill"
    CANCELED = "canceled"
    EXPIRED = "expired"
    AMENDED = "amended"
    RESTATED = "restated"
    STATUS = "status"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionReport:
    """One row of the executions channel; sparse rows leave what they do not say as None."""

    kind: ExecutionKind
    status: OrderStatus
    venue_order_id: VenueOrderId
    reported_at: datetime
    client_order_id: ClientOrderId | None = None
    symbol: Symbol | None = None
    side: Side | None = None
    order_type: OrderType | None = None
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    cumulative_quantity: Decimal | None = None
    average_price: Decimal | None = None
    fill: Fill | None = None
    reason: str = ""
    is_snapshot: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionsSnapshot:
    """All open orders as the venue sees them when the private stream (re)starts."""

    reports: tuple[ExecutionReport, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteUpdate:
    """A new top of book."""

    quote: Quote


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeUpdate:
    """New prints, oldest first."""

    trades: tuple[PublicTrade, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BookUpdate:
    """A book whose checksum was verified; unverified books are never handed on."""

    book: Book


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersBookUpdate:
    """A book order by order whose checksum was verified."""

    book: OrdersBook


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleUpdate:
    """Candles, oldest first; one is final once its successor has appeared, and the last never."""

    candles: tuple[Candle, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceUpdate:
    """A ledger row seen on the balances channel."""

    entry: LedgerEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancesSnapshot:
    """What lies in each wallet: canonical asset name, wallet, quantity without holds."""

    holdings: tuple[tuple[str, str, Decimal], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueModeUpdate:
    """The venue changed its overall state."""

    mode: VenueMode


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentsUpdate:
    """What the venue now lets one do with these instruments."""

    statuses: tuple[tuple[Symbol, InstrumentStatus], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamUp:
    """A wire is connected and all its subscriptions are acknowledged."""

    wire: Wire
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamDown:
    """A wire was lost; everything learned from it is stale until it is up again."""

    wire: Wire
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Messages may be missing between `since` and `until`; `channel` "" is the whole wire."""

    wire: Wire
    channel: str
    since: datetime
    until: datetime
    cause: str
    symbol: Symbol | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecksumTally:
    """How many book checksums were verified and how many failed."""

    verified: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """How many events wait for the reader, and how many may before the wires have to wait."""

    waiting: int
    room: int


StreamEvent = (
    ExecutionReport
    | ExecutionsSnapshot
    | QuoteUpdate
    | TradeUpdate
    | BookUpdate
    | OrdersBookUpdate
    | CandleUpdate
    | BalanceUpdate
    | BalancesSnapshot
    | VenueModeUpdate
    | InstrumentsUpdate
    | StreamUp
    | StreamDown
    | Gap
)
