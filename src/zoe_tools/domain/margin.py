"""Standing with the venue: collateral, borrowed positions, fees by volume, lines of credit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from zoe_tools.domain.identifiers import Symbol, VenueOrderId
from zoe_tools.domain.money import HUNDRED, ZERO
from zoe_tools.domain.order import Side

MORE_THAN_ALL = Decimal(100_000)
"""Percent of equity in use as margin where more is owed than there is; beyond each limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginStanding:
    """TradeBalance, all in `asset`; `level_pct` is None without positions.

    `equity` = `collateral` + `unrealised`; `free` is what new ones may use.
    """

    asset: str
    worth: Decimal
    collateral: Decimal
    used: Decimal
    unrealised: Decimal
    cost: Decimal
    value: Decimal
    equity: Decimal
    free: Decimal
    level_pct: Decimal | None = None
    unexecuted: Decimal | None = None

    @property
    def used_pct(self) -> Decimal:
        """Margin in use, in percent of equity: the inverse of the venue's margin level.

        125 is its margin call, from 250 on it liquidates (kraken-spot section 13.7).
        """
        if self.used <= ZERO:
            return ZERO
        if self.equity <= ZERO:
            return MORE_THAN_ALL
        return self.used * HUNDRED / self.equity


@dataclass(frozen=True, slots=True, kw_only=True)
class BorrowedPosition:
    """A position on margin: `quantity` and `closed_quantity` in base, the rest in quote.

    `value` and `unrealised` are None unless they were asked for.
    """

    position_id: str
    venue_order_id: VenueOrderId
    symbol: Symbol
    side: Side
    quantity: Decimal
    closed_quantity: Decimal
    cost: Decimal
    fee: Decimal
    margin: Decimal
    opened_at: datetime
    rolls_at: datetime | None = None
    value: Decimal | None = None
    unrealised: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFees:
    """An account's fees on one instrument, in percent; `next_volume` is None on the last tier."""

    symbol: Symbol
    taker_pct: Decimal
    maker_pct: Decimal
    next_volume: Decimal | None = None
    next_taker_pct: Decimal | None = None
    next_maker_pct: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeStanding:
    """What was traded in 30 days, in `currency`, and the fees that follow for the pairs asked."""

    currency: str
    volume_30d: Decimal
    fees: tuple[PairFees, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditLine:
    """One asset's line of credit, in that asset."""

    asset: str
    balance: Decimal
    limit: Decimal
    used: Decimal
    available: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class AmendRecord:
    """One line of an order's trail, the original first; `quantity` is the total, fills included.

    `kind` is the venue's word: `original`, `user`, or `restated` by the engine.
    """

    amend_id: str
    kind: str
    amended_at: datetime
    quantity: Decimal
    remaining_quantity: Decimal
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    reason: str = ""
