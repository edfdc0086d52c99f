"""What is traded: its steps and minimums, and the catalogue that resolves every spelling.

Rounding belongs here, because only the instrument knows its tick and lot. A spelling is resolved
by looking it up among the names the venue itself gave, never by the shape of the string.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum

import msgspec

from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.money import (
    HUNDRED,
    ZERO,
    ceil_to_step,
    floor_to_step,
    quantum,
    round_half_up,
    round_to_step,
)
from zoe_tools.errors import UnknownInstrument


class InstrumentStatus(StrEnum):
    """What the venue currently lets one do with the instrument."""

    ONLINE = "online"
    CANCEL_ONLY = "cancel_only"
    POST_ONLY = "post_only"
    LIMIT_ONLY = "limit_only"
    REDUCE_ONLY = "reduce_only"
    DELISTED = "delisted"
    MAINTENANCE = "maintenance"
    WORK_IN_PROGRESS = "work_in_progress"
    UNKNOWN = "unknown"


class AssetForm(StrEnum):
    """Forms in which the venue keeps an asset, by the suffix of the name (kraken-spot section 4).

    None of them can be sold; the asset itself is what trades.
    """

    STAKED = "S"
    REWARDED = "M"
    AUTO_EARNING = "F"
    YIELDING = "B"
    TOKENIZED = "T"
    BONDED = "P"
    ON_HOLD = "HOLD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One asset: `name` is canonical (`BTC`), `venue_id` the venue's (`XXBT`)."""

    name: str
    venue_id: str
    altname: str
    decimals: int
    display_decimals: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeTier:
    """Fees from a 30-day volume on, in percent of the cost."""

    volume_from: Decimal
    taker_pct: Decimal
    maker_pct: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginTerms:
    """How much may be borrowed: leverages to buy and to sell, none where it is not for margin.

    At a margin level of `call_pct` percent the venue warns, at `stop_pct` it liquidates; None: it
    did not say.
    """

    leverage_buy: tuple[int, ...] = ()
    leverage_sell: tuple[int, ...] = ()
    call_pct: int | None = None
    stop_pct: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """A spot pair; quantities in `base`, prices, costs and fees in `quote`."""

    symbol: Symbol
    venue_id: str
    altname: str
    base: str
    quote: str
    price_decimals: int
    quantity_decimals: int
    cost_decimals: int
    tick_size: Decimal
    min_quantity: Decimal
    min_cost: Decimal
    fee_tiers: tuple[FeeTier, ...]
    status: InstrumentStatus = InstrumentStatus.ONLINE
    aliases: tuple[str, ...] = ()
    margin: MarginTerms = MarginTerms()

    @property
    def lot_step(self) -> Decimal:
        """The smallest difference between two quantities."""
        return quantum(self.quantity_decimals)

    def is_on_tick(self, price: Decimal) -> bool:
        """Whether the venue would accept this price's granularity."""
        return price % self.tick_size == 0

    def floor_price(self, price: Decimal) -> Decimal:
        """The nearest tick at or below."""
        return floor_to_step(price, self.tick_size)

    def ceil_price(self, price: Decimal) -> Decimal:
        """The nearest tick at or above."""
        return ceil_to_step(price, self.tick_size)

    def round_price(self, price: Decimal) -> Decimal:
        """The nearest tick."""
        return round_to_step(price, self.tick_size)

    def floor_quantity(self, quantity: Decimal) -> Decimal:
        """The largest tradable quantity not above `quantity`."""
        return floor_to_step(quantity, self.lot_step)

    def cost(self, *, price: Decimal, quantity: Decimal) -> Decimal:
        """Price times quantity as the venue books it (half-up to `cost_decimals`)."""
        return round_half_up(price * quantity, self.cost_decimals)

    def taker_fee(self, cost: Decimal, *, volume_30d: Decimal = ZERO) -> Decimal:
        """The fee in quote for taking liquidity worth `cost`."""
        return round_half_up(cost * self.tier(volume_30d).taker_pct / HUNDRED, self.cost_decimals)

    def tier(self, volume_30d: Decimal) -> FeeTier:
        """The fee tier that a 30-day volume reaches."""
        reached = [tier for tier in self.fee_tiers if tier.volume_from <= volume_30d]
        return max(reached, key=lambda tier: tier.volume_from)

    def is_tradable_quantity(self, quantity: Decimal, *, price: Decimal) -> bool:
        """Whether an order of that size passes the venue's minimums."""
        return quantity >= self.min_quantity and price * quantity >= self.min_cost


_FORMS = frozenset(form.value for form in AssetForm)


@dataclass(frozen=True, slots=True)
class InstrumentCatalogue:
    """All instruments and assets of the venue, findable by any of their names."""

    instruments: tuple[Instrument, ...]
    assets: tuple[Asset, ...] = ()
    _by_name: dict[str, Instrument] = field(init=False, repr=False, compare=False)
    _asset_by_name: dict[str, Asset] = field(init=False, repr=False, compare=False)
    _digest: str = field(init=False, repr=False, compare=False, default="")

    def __post_init__(self) -> None:
        by_name: dict[str, Instrument] = {}
        for instrument in self.instruments:
            for spelling in _spellings(instrument):
                by_name.setdefault(spelling.upper(), instrument)
        by_asset: dict[str, Asset] = {}
        for asset in self.assets:
            for spelling in (asset.name, asset.venue_id, asset.altname):
                by_asset.setdefault(spelling.upper(), asset)
        object.__setattr__(self, "_by_name", by_name)
        object.__setattr__(self, "_asset_by_name", by_asset)

    def __iter__(self) -> Iterator[Instrument]:
        return iter(self.instruments)

    def __len__(self) -> int:
        return len(self.instruments)

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of all that it lists, in its order; made once."""
        if not self._digest:
            told = msgspec.json.encode((self.instruments, self.assets), order="deterministic")
            object.__setattr__(self, "_digest", hashlib.sha256(told).hexdigest())
        return self._digest

    def find(self, spelling: str) -> Instrument | None:
        """The instrument so called, or None."""
        return self._by_name.get(spelling.strip().upper())

    def resolve(self, spelling: str) -> Instrument:
        """The instrument so called.

        Raises:
            UnknownInstrument: no name the venue gave matches; the hint lists near ones.
        """
        found = self.find(spelling)
        if found is not None:
            return found
        near = difflib.get_close_matches(spelling.strip().upper(), list(self._by_name), n=3)
        names = sorted({self._by_name[name].symbol for name in near})
        hint = f"Did you mean {' or '.join(names)}?" if names else "See the venue's list of pairs."
        raise UnknownInstrument(f"The venue knows no instrument called {spelling!r}.", hint=hint)

    def asset(self, spelling: str) -> Asset | None:
        """The asset so called (`XXBT`, `XBT` and `BTC` are one), or None."""
        return self._asset_by_name.get(spelling.upper())

    def form_of(self, spelling: str) -> tuple[Asset, AssetForm | None] | None:
        """The asset behind a name, and the form it is in; None for the asset itself.

        `XBT.F` is BTC that earns. Only what stands before the dot in a name of the venue's own
        list counts: `DOT28.S` is no form of an asset DOT28 that does not exist. None: unknown.
        """
        stem, _, suffix = spelling.rpartition(".")
        base = self.asset(stem) if stem else None
        if base is not None and suffix.upper() in _FORMS:
            return base, AssetForm(suffix.upper())
        found = self.asset(spelling)
        return None if found is None else (found, None)

    def changes_since(
        self, before: InstrumentCatalogue
    ) -> tuple[tuple[Symbol, InstrumentStatus], ...]:
        """What one may now do with which instruments, where that is another thing than before.

        An instrument that is gone from the venue's list is delisted; one that is new has its state.
        """
        known = {each.symbol: each.status for each in before}
        now = {each.symbol: each.status for each in self}
        gone = {symbol: InstrumentStatus.DELISTED for symbol in known if symbol not in now}
        return tuple(
            (symbol, status)
            for symbol, status in sorted({**now, **gone}.items())
            if known.get(symbol) is not status
        )

    def succeeding(self, before: InstrumentCatalogue) -> InstrumentCatalogue:
        """The same catalogue with those of `before` that are gone, delisted.

        So an order of last year keeps its name when its pair has left the list.
        """
        mine = {each.symbol for each in self.instruments}
        gone = tuple(
            replace(each, status=InstrumentStatus.DELISTED)
            for each in before.instruments
            if each.symbol not in mine
        )
        return InstrumentCatalogue(self.instruments + gone, self.assets) if gone else self

    def with_statuses(self, statuses: Mapping[Symbol, InstrumentStatus]) -> InstrumentCatalogue:
        """The same instruments in their new states; itself when nothing changed."""
        changed = tuple(
            replace(each, status=statuses.get(each.symbol, each.status))
            for each in self.instruments
        )
        return self if changed == self.instruments else InstrumentCatalogue(changed, self.assets)

    def joined_by(self, others: Iterable[Instrument]) -> InstrumentCatalogue:
        """The same catalogue with these instruments, too; itself when there are none."""
        more = tuple(others)
        return InstrumentCatalogue(self.instruments + more, self.assets) if more else self

    def narrowed_to(self, symbols: Iterable[Symbol]) -> InstrumentCatalogue:
        """The same catalogue with only these instruments; assets stay."""
        wanted = set(symbols)
        kept = tuple(each for each in self.instruments if each.symbol in wanted)
        return InstrumentCatalogue(kept, self.assets)


def _spellings(instrument: Instrument) -> Iterator[str]:
    slashed = (instrument.symbol, *instrument.aliases)
    yield from slashed
    yield instrument.venue_id
    yield instrument.altname
    for name in slashed:
        yield name.replace("/", "-")
        yield name.replace("/", "")
