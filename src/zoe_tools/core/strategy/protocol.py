"""What a strategy is: a name, the candles it wants, and one pure function.

A strategy sees a candle only after its close, and never places an order: it says what it wants,
and the gate decides what may be done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, Protocol

from zoe_tools.domain.candle import Candle, Timeframe
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.market import Quote
from zoe_tools.domain.position import Position

Action = Literal["enter", "exit", "hold"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketView:
    """All a strategy may look at for one instrument; `candles` are closed, oldest first."""

    symbol: Symbol
    now: datetime
    quote: Quote
    candles: Sequence[Candle]
    position: Position | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the strategy wants.

    `features` is the trace of what was seen, in the order it was computed; `strength` scales the
    size between 0 and 1.
    """

    symbol: Symbol
    action: Action
    reason: str
    strength: Decimal = Decimal(1)
    features: tuple[tuple[str, str], ...] = ()


class Strategy(Protocol):
    """One way to trade."""

    @property
    def name(self) -> str:
        """What an operator types behind `--strategy`."""
        ...

    @property
    def timeframe(self) -> Timeframe:
        """Length of the candles it decides on."""
        ...

    @property
    def stop_loss_pct(self) -> Decimal | None:
        """Distance of the protective stop below the average cost; None: the policy's."""
        ...

    @property
    def take_profit_pct(self) -> Decimal | None:
        """Distance of the target above the average cost; None: the policy's."""
        ...

    @property
    def history(self) -> int:
        """How many closed candles it looks back on at most."""
        ...

    @property
    def absent_features(self) -> tuple[str, ...]:
        """Features that have no configured source; their rules are off, pre-flight names them."""
        ...

    def decide(self, view: MarketView) -> Decision:
        """The decision after the newest candle closed."""
        ...
