"""What the public market shows: quotes, prints, books, and the venue's own state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from zoe_tools.domain.identifiers import Symbol, VenueOrderId
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import Side


class VenueMode(StrEnum):
    """The venue's overall state (kraken-spot section 5, SystemStatus)."""

    ONLINE = "online"
    MAINTENANCE = "maintenance"
    CANCEL_ONLY = "cancel_only"
    POST_ONLY = "post_only"
    LIMIT_ONLY = "limit_only"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """Top of book and last trade; `as_of` is when it was true at the venue."""

    symbol: Symbol
    bid: Decimal
    bid_quantity: Decimal
    ask: Decimal
    ask_quantity: Decimal
    last: Decimal
    as_of: datetime

    @property
    def mid(self) -> Decimal:
        """Half way between bid and ask."""
        return (self.bid + self.ask) / 2

    @property
    def makes_sense(self) -> bool:
        """Whether both sides have a price, and the bid is not above the ask.

        A side that nobody is on has the price 0.
        """
        is_finite = self.bid.is_finite() and self.ask.is_finite()
        return is_finite and ZERO < self.bid <= self.ask

    @property
    def spread_bps(self) -> Decimal:
        """The spread in basis points of the mid price."""
        return (self.ask - self.bid) / self.mid * 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicTrade:
    """One print; `side` is the taker's."""

    symbol: Symbol
    trade_id: int
    side: Side
    price: Decimal
    quantity: Decimal
    traded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BookLevel:
    """One price level."""

    price: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """A book, best levels first on both sides."""

    symbol: Symbol
    bids: tuple[BookLevel, ...]
    asks: tuple[BookLevel, ...]
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RestingOrder:
    """Anybody's order, as the book order by order shows it; `placed_at` is None where not told."""

    venue_order_id: VenueOrderId
    price: Decimal
    quantity: Decimal
    placed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersBook:
    """A book order by order: best price first, and at one price the first to be filled first."""

    symbol: Symbol
    bids: tuple[RestingOrder, ...]
    asks: tuple[RestingOrder, ...]
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SpreadChange:
    """A new best bid or best ask; `changed_at` in whole seconds, so that several may share one."""

    symbol: Symbol
    changed_at: datetime
    bid: Decimal
    ask: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Turnover:
    """What was traded in a stretch of time: `volume` in base, prices in quote."""

    volume: Decimal
    vwap: Decimal
    trades: int
    low: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class DayStatistics:
    """A pair's day: since midnight UTC, whose first price is `open`, and over the last 24 hours."""

    symbol: Symbol
    open: Decimal
    last: Decimal
    today: Turnover
    last_24h: Turnover
    as_of: datetime
