"""A market for hours of chaos: three instruments, busy, and ten times as busy each tenth minute."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from zoe_tools.domain.candle import Timeframe
from zoe_tools.paper.markets.synthetic import SyntheticMarket, SyntheticParams
from zoe_tools.paper.values.market import MarketEvent, PairSpec, Print
from zoe_tools.paper.values.times import NS

BLOCK_S, BURST_S, TIMES = 600, 60, 10
"""Of each block the last minute is so many times as busy."""

_CALM_S = BLOCK_S - BURST_S
_TOLD_S = _CALM_S + BURST_S * TIMES
"""What a block tells, in seconds of a market without bursts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bustle:
    """How much a market tells: of a step's prints so many of five are told, the others not.

    `timeframe` is that of the strategy, which wants something at each close.
    """

    gap_ms: tuple[int, int]
    prints_of_five: int
    has_bursts: bool
    timeframe: Timeframe = Timeframe.M1

    def params(self) -> SyntheticParams:
        """Small levels, so that an order takes several, and prices that reach stops and targets."""
        return SyntheticParams(
            gap_ms=self.gap_ms,
            regime_s=(60, 240),
            noise_ppm=120,
            storm_noise_ppm=260,
            drift_ppm=18,
            level_cost=(60, 500),
            print_cost=(10, 300),
            spread_ppm=100,
            step_ppm=40,
        )


BUSY = Bustle(gap_ms=(150, 250), prints_of_five=3, has_bursts=True)
"""Ten book frames and three trades a second for each instrument."""

QUIET = Bustle(gap_ms=(4_000, 6_000), prints_of_five=5, has_bursts=False, timeframe=Timeframe.M15)
"""A fifth of a trade a second, and a strategy that has a quarter of an hour between two wishes."""


class ChaosMarket:
    """A market source of so many seconds; everything follows from the seed."""

    def __init__(self, seed: int, bustle: Bustle, *, starts_at: int, duration_s: int) -> None:
        """`starts_at` in ns."""
        self._bustle = bustle
        self._starts_at = starts_at
        self._duration = duration_s * NS
        self._told = SyntheticMarket(f"chaos:{seed}", starts_at=starts_at, params=bustle.params())

    @property
    def pairs(self) -> tuple[PairSpec, ...]:
        """BTC, ETH and SOL against the dollar."""
        return self._told.pairs

    @property
    def starts_at(self) -> int:
        """Nanoseconds."""
        return self._starts_at

    @property
    def granularity_s(self) -> float:
        """The mean distance between a pair's events."""
        return self._told.granularity_s

    def events(self) -> Iterator[MarketEvent]:
        """Until the time is over."""
        prints = 0
        for event in self._told.events():
            since = event.at - self._starts_at
            at = _pressed(since) if self._bustle.has_bursts else since
            if at >= self._duration:
                return
            if isinstance(event, Print):
                prints += 1
                if prints % 5 >= self._bustle.prints_of_five:
                    continue
            yield event if at == since else _moved(event, self._starts_at + at)


def _moved(event: MarketEvent, at: int) -> MarketEvent:
    """The same at that time; told for each event of hours, so nothing is looked up for it."""
    if isinstance(event, Print):
        return Print(
            at=at,
            symbol=event.symbol,
            side=event.side,
            price=event.price,
            quantity=event.quantity,
            is_market=event.is_market,
        )
    return type(event)(at=at, symbol=event.symbol, bids=event.bids, asks=event.asks)


def _pressed(since: int) -> int:
    """The same moment where bursts are told in a tenth of their time; all in ns."""
    block, rest = divmod(since, _TOLD_S * NS)
    calm = _CALM_S * NS
    within = rest if rest < calm else calm + (rest - calm) // TIMES
    return block * BLOCK_S * NS + within
