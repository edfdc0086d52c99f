"""What things were worth when: stored marks, looked up by asset and moment.

Nothing is assumed to be worth what it is called after: a stablecoin and another country's money
need a mark like everything else. A price that is missing is missing; one that is old is used, and
said to be old.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from zoe_tools.core.lots import in_units
from zoe_tools.domain.candle import Candle
from zoe_tools.domain.equity import CURRENCY, Mark
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import Instrument, InstrumentCatalogue, InstrumentStatus
from zoe_tools.domain.market import Quote
from zoe_tools.domain.money import ONE

STALE_AFTER = timedelta(minutes=15)
"""How old a mark may be before what it values is an estimate."""

LONGEST = timedelta(days=1)
"""How far a price may be from what happened, to say anything of what that was worth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A price as of `marked_at`; `is_stale` for the moment it was asked for."""

    price: Decimal
    marked_at: datetime
    is_stale: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """A value in the report's currency; None where there is no price at all."""

    value: Decimal | None
    is_estimated: bool


class MarkBook:
    """All marks that are known, by asset and the currency they are in."""

    def __init__(self, marks: Iterable[Mark]) -> None:
        self._rows: dict[tuple[str, str], list[Mark]] = {}
        for mark in sorted(marks, key=lambda each: each.marked_at):
            self._rows.setdefault((mark.asset, mark.currency), []).append(mark)
        self._times = {pair: [each.marked_at for each in rows] for pair, rows in self._rows.items()}

    def price(self, asset: str, currency: str, at: datetime) -> Price | None:
        """The newest price at that moment, directly or by way of one other currency.

        A later one counts only if it came at once: nobody could have known it.
        """
        if asset == currency:
            return Price(price=ONE, marked_at=at, is_stale=False)
        direct = self._direct(asset, currency, at)
        if direct is not None and not direct.is_stale:
            return direct
        crossed = [
            found
            for middle in self._quoted_in(asset)
            if middle != currency
            and (found := self._crossed(asset, middle, currency, at)) is not None
        ]
        candidates = [*crossed, *([direct] if direct else [])]
        return min(
            candidates, key=lambda each: (each.is_stale, abs(at - each.marked_at)), default=None
        )

    @property
    def names(self) -> frozenset[str]:
        """Every asset and currency that a price was seen of."""
        return frozenset(name for pair in self._rows for name in pair)

    def knows(self, asset: str) -> bool:
        """Whether anybody ever saw a price of it."""
        return any(base == asset for base, _ in self._rows)

    def worth(self, quantity: Decimal, asset: str, currency: str, at: datetime) -> Worth:
        """What a quantity was worth when something happened to it; a price of its day, or none."""
        found = self.price(asset, currency, at)
        if found is None or at - found.marked_at > LONGEST:
            return Worth(value=None, is_estimated=True)
        return Worth(value=in_units(quantity * found.price), is_estimated=found.is_stale)

    def _quoted_in(self, asset: str) -> Iterator[str]:
        return (quote for base, quote in self._rows if base == asset)

    def _crossed(self, asset: str, middle: str, currency: str, at: datetime) -> Price | None:
        first = self._direct(asset, middle, at)
        second = self._direct(middle, currency, at) or _inverse(self._direct(currency, middle, at))
        if first is None or second is None:
            return None
        return Price(
            price=first.price * second.price,
            marked_at=min(first.marked_at, second.marked_at),
            is_stale=first.is_stale or second.is_stale,
        )

    def _direct(self, asset: str, currency: str, at: datetime) -> Price | None:
        rows = self._rows.get((asset, currency))
        if rows is None:
            return None
        after = bisect_right(self._times[asset, currency], at)
        mark = rows[max(0, after - 1)]
        if mark.marked_at - at > STALE_AFTER:
            return None
        is_stale = abs(at - mark.marked_at) > STALE_AFTER
        return Price(price=mark.price, marked_at=mark.marked_at, is_stale=is_stale)


def _inverse(price: Price | None) -> Price | None:
    if price is None:
        return None
    return Price(price=ONE / price.price, marked_at=price.marked_at, is_stale=price.is_stale)


def marks_of_quotes(quotes: Iterable[Quote], source: str) -> tuple[Mark, ...]:
    """The bid of each: what is held could be sold for that."""
    return tuple(
        Mark(
            asset=each.symbol.partition("/")[0],
            currency=each.symbol.partition("/")[2],
            price=each.bid,
            marked_at=each.as_of,
            source=source,
        )
        for each in quotes
        if each.bid > 0
    )


def marks_of_fills(fills: Iterable[Fill]) -> Iterator[Mark]:
    """An execution is a price too, at the moment it happened."""
    for fill in fills:
        base, _, quote = fill.symbol.partition("/")
        yield Mark(
            asset=base, currency=quote, price=fill.price, marked_at=fill.filled_at, source="fill"
        )


def valuing_pairs(assets: Iterable[str], catalogue: InstrumentCatalogue) -> tuple[Symbol, ...]:
    """The pairs by which these assets are worth something in the account's currency.

    Directly; else by a pair whose quote has a pair of its own. What has neither has no price.
    """
    wanted: dict[Symbol, None] = {}
    for asset in assets:
        if asset == CURRENCY:
            continue
        found = _way_to_currency(asset, catalogue)
        wanted.update(dict.fromkeys(found))
    return tuple(wanted)


def _way_to_currency(asset: str, catalogue: InstrumentCatalogue) -> tuple[Symbol, ...]:
    direct = _listed(catalogue, f"{asset}/{CURRENCY}") or _listed(catalogue, f"{CURRENCY}/{asset}")
    if direct is not None:
        return (direct.symbol,)
    for pair in catalogue:
        if pair.base != asset or pair.status is InstrumentStatus.DELISTED:
            continue
        onward = _listed(catalogue, f"{pair.quote}/{CURRENCY}")
        if onward is not None:
            return (pair.symbol, onward.symbol)
    return ()


def _listed(catalogue: InstrumentCatalogue, name: str) -> Instrument | None:
    """The pair, unless the venue has none of that name any more: it would refuse the question."""
    found = catalogue.find(name)
    return None if found is None or found.status is InstrumentStatus.DELISTED else found


def marks_of_candles(candles: Iterable[Candle]) -> Iterator[Mark]:
    """The close of each finished candle, at its end."""
    for each in candles:
        base, _, quote = each.symbol.partition("/")
        if each.is_final:
            yield Mark(
                asset=base,
                currency=quote,
                price=each.close,
                marked_at=each.opened_at + each.timeframe.length,
                source="candle",
            )
