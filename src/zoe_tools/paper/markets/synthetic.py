"""A made-up market: several pairs that trend, range and storm, with spread, depth and trade flow.

Everything follows from the seed. Prices move in integer thousandths of a tick and quantities in
lot units; no float takes part, so the same seed tells the same market on every machine.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from random import Random
from typing import Any, Literal

import msgspec

from zoe_tools.errors import ConfigError
from zoe_tools.paper.markets.ladder import decimal_of_units
from zoe_tools.paper.markets.pair_specs import spec_named
from zoe_tools.paper.values.market import (
    BookChange,
    BookSnapshot,
    Levels,
    MarketEvent,
    PairSpec,
    Print,
    TakerSide,
)
from zoe_tools.paper.values.times import NS

Regime = Literal["up", "down", "range", "storm"]
REGIMES: tuple[Regime, ...] = ("up", "down", "range", "storm")

_MILLI = 1000
_MS = 1_000_000
_PPM = 1_000_000
_PERCENT = 100
_CENTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticParams:
    """How the made-up market behaves. `ppm` is millionths of the price, money whole quote units.

    Noise is the largest step of the price per event, to either side; drift the steady part of it
    in a trend. In a range the price is pulled back to where the range began. A jump comes with
    `jump_chance_ppm` per event, to either side, by up to `jump_ppm`. A regime is drawn anew after
    `regime_s` seconds from `regimes`: name one twice for twice the chance.
    """

    gap_ms: tuple[int, int] = (250, 900)
    regime_s: tuple[int, int] = (120, 480)
    regimes: tuple[Regime, ...] = REGIMES
    noise_ppm: int = 300
    storm_noise_ppm: int = 600
    drift_ppm: int = 25
    pull_percent: int = 4
    jump_chance_ppm: int = 0
    jump_ppm: int = 20_000
    spread_ppm: int = 120
    step_ppm: int = 60
    depth: int = 15
    level_cost: tuple[int, int] = (2_000, 20_000)
    print_cost: tuple[int, int] = (20, 4_000)
    trend_flow_percent: int = 62
    start_prices: tuple[tuple[str, int], ...] = (
        ("BTC/USD", 65_000),
        ("ETH/USD", 3_400),
        ("SOL/USD", 150),
    )
    other_start_price: int = 100

    def start_price(self, symbol: str) -> int:
        """In whole quote units."""
        return dict(self.start_prices).get(symbol, self.other_start_price)


def params_in(text: str | bytes) -> SyntheticParams:
    """The parameters of a JSON document; what it does not name is as usual.

    Raises:
        ConfigError: a name or a value that makes no sense; the sentence says which.
    """
    try:
        told = msgspec.json.decode(text, type=dict[str, Any])
        if isinstance(told.get("start_prices"), dict):
            told["start_prices"] = list(told["start_prices"].items())
        unknown = sorted(set(told) - {each.name for each in fields(SyntheticParams)})
        if unknown:
            raise ConfigError(f"A synthetic market has no parameter {unknown[0]!r}.")
        params = msgspec.convert(told, SyntheticParams)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise ConfigError(f"The market's parameters make no sense: {error}.") from error
    _check(params)
    return params


def _check(params: SyntheticParams) -> None:
    ranges = (params.gap_ms, params.regime_s, params.level_cost, params.print_cost)
    counts = (params.depth, params.spread_ppm, params.step_ppm, params.other_start_price)
    parts = (
        params.noise_ppm,
        params.storm_noise_ppm,
        params.drift_ppm,
        params.jump_ppm,
        params.jump_chance_ppm,
    )
    prices = [price for _, price in params.start_prices]
    if (
        not params.regimes
        or not prices
        or any(not 0 < low <= high for low, high in ranges)
        or any(each < 1 for each in (*counts, *prices))
        or any(not 0 <= each < _PPM for each in parts)
        or not 0 <= params.trend_flow_percent <= _PERCENT
        or not 0 <= params.pull_percent <= _PERCENT
    ):
        raise ConfigError(
            "The market's parameters make no sense.",
            hint="Ranges rise from above zero, ppm lie below a million, percents up to a hundred.",
        )


class SyntheticMarket:
    """A market source that is invented; endless unless it has a duration."""

    def __init__(
        self,
        seed: int | str,
        pairs: Sequence[PairSpec] = (),
        *,
        starts_at: int,
        duration_s: int | None = None,
        params: SyntheticParams | None = None,
    ) -> None:
        """`starts_at` in ns; without pairs those of the parameters' start prices."""
        self._seed = seed
        self._params = params or SyntheticParams()
        self._pairs = tuple(pairs) or tuple(
            spec_named(symbol) for symbol, _ in self._params.start_prices
        )
        if len({spec.symbol for spec in self._pairs}) < len(self._pairs):
            raise ConfigError("A pair is named twice for the synthetic market.")
        self._starts_at = starts_at
        self._duration_s = duration_s

    @property
    def pairs(self) -> tuple[PairSpec, ...]:
        """The pairs, in the order given."""
        return self._pairs

    @property
    def starts_at(self) -> int:
        """The time of the first books, in ns."""
        return self._starts_at

    @property
    def granularity_s(self) -> float:
        """The mean distance between a pair's events."""
        return sum(self._params.gap_ms) / 2 / _MILLI

    def events(self) -> Iterator[MarketEvent]:
        """All pairs merged by time; at the same time in the order of the pairs."""
        walks = [
            _Walk(spec, self._params, Random(f"{self._seed}:market:{spec.symbol}"))  # noqa: S311 - a market, not a secret
            for spec in self._pairs
        ]
        end = None if self._duration_s is None else self._starts_at + self._duration_s * NS
        streams = [walk.events(self._starts_at) for walk in walks]
        for event in heapq.merge(*streams, key=lambda each: each.at):
            if end is not None and event.at >= end:
                return
            yield event


class _Walk:
    """One pair's price, book and prints."""

    def __init__(self, spec: PairSpec, params: SyntheticParams, random: Random) -> None:
        self._spec = spec
        self._params = params
        self._random = random
        # Thousandths of a tick.
        self._mid = params.start_price(spec.symbol) * 10**spec.pair_decimals * _MILLI
        self._anchor = self._mid
        self._regime: Regime = "range"
        self._regime_ends_at = 0
        self._bids: dict[int, int] = {}
        self._asks: dict[int, int] = {}
        self._scale: int = 10 ** (spec.lot_decimals + spec.pair_decimals) * _MILLI

    def events(self, starts_at: int) -> Iterator[MarketEvent]:
        """The first book, then at every step: the book moves, a trade prints, the book gives."""
        self._follow()
        yield BookSnapshot(
            at=starts_at,
            symbol=self._spec.symbol,
            bids=self._rows(sorted(self._bids.items(), reverse=True)),
            asks=self._rows(sorted(self._asks.items())),
        )
        at = starts_at
        while True:
            at += self._random.randint(*self._params.gap_ms) * _MS
            self._move(at)
            bids, asks = self._follow()
            if bids or asks:
                yield self._change(at, bids, asks)
            yield from self._trade(at + self._random.randint(1, 40) * _MS)

    def _move(self, at: int) -> None:
        params, random = self._params, self._random
        if at >= self._regime_ends_at:
            self._regime = random.choice(params.regimes)
            self._regime_ends_at = at + random.randint(*params.regime_s) * NS
            self._anchor = self._mid
        noise = params.storm_noise_ppm if self._regime == "storm" else params.noise_ppm
        step = random.randint(-noise, noise) * self._mid // _PPM
        drift = params.drift_ppm * self._mid // _PPM
        if self._regime == "up":
            step += drift
        elif self._regime == "down":
            step -= drift
        elif self._regime == "range":
            step += (self._anchor - self._mid) * params.pull_percent // _PERCENT
        if params.jump_chance_ppm and random.randrange(_PPM) < params.jump_chance_ppm:
            step += random.randint(-params.jump_ppm, params.jump_ppm) * self._mid // _PPM
        self._mid = max(self._mid + step, 2 * params.depth * _MILLI)

    def _follow(self) -> tuple[dict[int, int], dict[int, int]]:
        """Draw the book around the mid; returns the levels that changed, zero for gone."""
        tick = self._mid // _MILLI
        half = max(1, tick * self._params.spread_ppm // (2 * _PPM))
        step = max(1, tick * self._params.step_ppm // _PPM)
        bids = self._redraw(self._bids, best=tick - half, step=-step)
        asks = self._redraw(self._asks, best=tick + half, step=step)
        return bids, asks

    def _redraw(self, side: dict[int, int], *, best: int, step: int) -> dict[int, int]:
        """Levels that the best price passed go, a new best and new far ones come, one breathes.

        A step is negative on the bid side, so that `price * sign` rises away from the best.
        """
        sign = 1 if step > 0 else -1
        changed = {price: 0 for price in side if price * sign < best * sign}
        for price in changed:
            del side[price]
        if best not in side:
            side[best] = changed[best] = self._level()
        ordered = sorted(side, key=lambda price: price * sign)
        for price in ordered[self._params.depth :]:
            del side[price]
            changed[price] = 0
        ordered = ordered[: self._params.depth]
        while len(ordered) < self._params.depth:
            price = ordered[-1] + step
            ordered.append(price)
            if price > 0:
                side[price] = changed[price] = self._level()
        breathing = self._random.choice(ordered)
        if breathing in side:
            side[breathing] = changed[breathing] = self._level()
        return changed

    def _trade(self, at: int) -> Iterator[MarketEvent]:
        """A taker takes from the best level, no more than it shows."""
        side = self._taker()
        book = self._asks if side == "buy" else self._bids
        price = min(book) if side == "buy" else max(book)
        quantity = min(self._units(*self._params.print_cost), book[price])
        yield Print(
            at=at,
            symbol=self._spec.symbol,
            side=side,
            price=decimal_of_units(price, self._spec.pair_decimals),
            quantity=decimal_of_units(quantity, self._spec.lot_decimals),
            is_market=self._random.randrange(3) > 0,
        )
        book[price] -= quantity
        left = {price: book[price]}
        if not book[price]:
            del book[price]
        yield self._change(at, *(({}, left) if side == "buy" else (left, {})))

    def _taker(self) -> TakerSide:
        buys = {
            "up": self._params.trend_flow_percent,
            "down": _PERCENT - self._params.trend_flow_percent,
        }.get(self._regime, _PERCENT // 2)
        return "buy" if self._random.randrange(_PERCENT) < buys else "sell"

    def _level(self) -> int:
        return self._units(*self._params.level_cost)

    def _units(self, low: int, high: int) -> int:
        """Lot units worth between `low` and `high` of quote, small ones more often."""
        cents = _CENTS * low + self._random.randrange(_CENTS * (high - low) + 1) ** 2 // (
            _CENTS * (high - low) or 1
        )
        units: int = cents * self._scale // (_CENTS * self._mid)
        return max(1, units)

    def _change(self, at: int, bids: dict[int, int], asks: dict[int, int]) -> BookChange:
        return BookChange(
            at=at,
            symbol=self._spec.symbol,
            bids=self._rows(bids.items()) if bids else (),
            asks=self._rows(asks.items()) if asks else (),
        )

    def _rows(self, levels: Iterable[tuple[int, int]]) -> Levels:
        prices, lots = self._spec.pair_decimals, self._spec.lot_decimals
        rows = [
            (decimal_of_units(price, prices), decimal_of_units(quantity, lots))
            for price, quantity in levels
        ]
        return tuple(rows)
