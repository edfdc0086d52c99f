"""What a market source tells the exchange: books and prints, in time order.

Prices and quantities are decimals that keep their wire digits (`Decimal("0.00005100")`), because
the checksum is computed from the text. Times are integer nanoseconds since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol

from msgspec import Struct

TakerSide = Literal["buy", "sell"]
Levels = tuple[tuple[Decimal, Decimal], ...]
"""(price, quantity) rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSpec:
    """A pair the source speaks for, with what AssetPairs and Assets say of it.

    `symbol` is the v2 name (`BTC/USD`), `pair_id` the REST key (`XXBTZUSD`), `base_id` and
    `quote_id` the asset keys (`XXBT`, `ZUSD`). Fee rows are (30-day volume from, percent). The
    leverages are those on offer, none where there is no margin; `long_limit` and `short_limit`
    bound a position, in base. Of an asset's worth, its collateral part secures margin.
    """

    symbol: str
    pair_id: str
    altname: str
    wsname: str
    base: str
    quote: str
    base_id: str
    quote_id: str
    base_altname: str
    quote_altname: str
    pair_decimals: int
    lot_decimals: int
    cost_decimals: int
    base_decimals: int
    quote_decimals: int
    tick_size: Decimal
    ordermin: Decimal
    costmin: Decimal
    fees: tuple[tuple[Decimal, Decimal], ...]
    fees_maker: tuple[tuple[Decimal, Decimal], ...]
    leverage_buy: tuple[int, ...] = ()
    leverage_sell: tuple[int, ...] = ()
    long_limit: int | None = None
    short_limit: int | None = None
    base_collateral: Decimal = Decimal(0)
    quote_collateral: Decimal = Decimal(1)


class BookSnapshot(Struct, frozen=True, kw_only=True, gc=False):
    """The whole displayed book of the source."""

    at: int
    symbol: str
    bids: Levels
    asks: Levels


class BookChange(Struct, frozen=True, kw_only=True, gc=False):
    """Levels that changed, in order; quantity 0 removes."""

    at: int
    symbol: str
    bids: Levels
    asks: Levels


class Print(Struct, frozen=True, kw_only=True, gc=False):
    """A trade among others; `quantity` limits what resting own orders at or through it can fill."""

    at: int
    symbol: str
    side: TakerSide
    price: Decimal
    quantity: Decimal
    is_market: bool = True


MarketEvent = BookSnapshot | BookChange | Print


class MarketSource(Protocol):
    """A market: which pairs, from when, and what happens. Iterating twice gives the same."""

    @property
    def pairs(self) -> tuple[PairSpec, ...]:
        """The pairs it speaks for."""
        ...

    @property
    def starts_at(self) -> int:
        """Nanoseconds: the exchange's clock when it opens, before the first event."""
        ...

    @property
    def granularity_s(self) -> float:
        """The typical distance between events, from which recurring traffic is stretched."""
        ...

    def events(self) -> Iterator[MarketEvent]:
        """Events in time order."""
        ...


def wide(spec: PairSpec) -> int:
    """Decimals of prices where Kraken pads: five, or more if the pair needs them."""
    return max(5, spec.pair_decimals)
