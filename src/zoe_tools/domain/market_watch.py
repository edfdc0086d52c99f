"""What a watch over many pairs knows of each: its price and day, its state, and why it is followed.

Prices are in quote, volumes in base unless they say otherwise; times are aware UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import InstrumentStatus, MarginTerms
from zoe_tools.domain.money import HUNDRED, ZERO


class MarketState(StrEnum):
    """Whether a pair's price may be believed, and whether anybody can trade it."""

    LIVE = "live"
    STALE = "stale"
    HALTED = "halted"
    DELISTED = "delisted"


class FocusReason(StrEnum):
    """Why a pair is followed closely."""

    MANUAL = "manual"
    FAVOURITE = "favourite"
    POSITION = "position"
    OPEN_ORDER = "open order"
    CANDIDATE = "candidate"
    MOVER = "mover"


class MoverKind(StrEnum):
    """What made a pair a mover."""

    MOMENTUM = "momentum"
    VOLUME = "volume"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticker:
    """A pair's top of book and its last 24 hours.

    `volume` is in base, `change_pct` is the venue's own percentage. `as_of` is the venue's time of
    it, `heard_at` when it was here.
    """

    symbol: Symbol
    bid: Decimal
    ask: Decimal
    last: Decimal
    volume: Decimal
    vwap: Decimal
    low: Decimal
    high: Decimal
    change_pct: Decimal
    as_of: datetime
    heard_at: datetime

    @property
    def is_two_sided(self) -> bool:
        """Whether both sides have a price, and the bid is not above the ask."""
        return ZERO < self.bid <= self.ask

    @property
    def mid(self) -> Decimal | None:
        """Half way between bid and ask; None while a side is empty."""
        return (self.bid + self.ask) / 2 if self.is_two_sided else None

    @property
    def spread_pct(self) -> Decimal | None:
        """The spread in percent of the mid price."""
        mid = self.mid
        return None if mid is None else (self.ask - self.bid) / mid * HUNDRED

    @property
    def quote_volume(self) -> Decimal:
        """What the last 24 hours' trades were worth: base volumes of two pairs do not compare."""
        return self.volume * self.vwap


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketRow:
    """A pair as the watch shows and keeps it.

    `reason` is why it is not live. What was never heard of has no ticker. `gaps` counts how often
    it has gone stale since the watch began.
    """

    symbol: Symbol
    state: MarketState
    reason: str
    ticker: Ticker | None
    gaps: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A pair as it was last written into the store, by the focus or the scout tier.

    The scout tier keeps no bid, ask, vwap, low, high and base volume: they are None there.
    """

    symbol: Symbol
    tier: str
    state: MarketState
    reason: str
    bid: Decimal | None
    ask: Decimal | None
    mid: Decimal | None
    last: Decimal | None
    spread_pct: Decimal | None
    volume: Decimal | None
    quote_volume: Decimal | None
    change_pct: Decimal | None
    vwap: Decimal | None
    low: Decimal | None
    high: Decimal | None
    as_of: datetime | None
    heard_at: datetime | None
    gaps: int
    written_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FocusClaim:
    """One reason to follow a pair closely; `expires_at` None is until it is taken back."""

    symbol: Symbol
    reason: FocusReason
    since: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkPoint:
    """The first price of a bucket, and what the 24 hours before it were worth in quote."""

    symbol: Symbol
    bucket_at: datetime
    mid: Decimal
    quote_volume: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Mover:
    """A pair that moved: from `reference` at `reference_at` to `mid`.

    `acceleration` is how many times its usual hour the last hour's turnover was; None: not known.
    """

    symbol: Symbol
    kind: MoverKind
    detected_at: datetime
    mid: Decimal
    reference: Decimal
    reference_at: datetime
    change_pct: Decimal
    acceleration: Decimal | None
    spread_pct: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """An instrument as the market catalogue keeps it; `status_since` as far as it was watched.

    `margin` is None where it was kept before these terms were.
    """

    symbol: Symbol
    venue_id: str
    altname: str
    base: str
    quote: str
    status: InstrumentStatus
    status_since: datetime
    tick_size: Decimal
    lot_step: Decimal
    min_quantity: Decimal
    min_cost: Decimal
    taker_pct: Decimal
    maker_pct: Decimal
    updated_at: datetime
    margin: MarginTerms | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingChange:
    """An instrument's new status; `before` None: it is new. `source` is `stream` or `list`."""

    symbol: Symbol
    status: InstrumentStatus
    before: InstrumentStatus | None
    source: str
    at: datetime
