"""The built-in strategies by name, made for the length of the candles at hand."""

from __future__ import annotations

from zoe_tools.core.strategy.demo import DemoStrategy
from zoe_tools.core.strategy.edge import EdgeStrategy
from zoe_tools.core.strategy.hold import HoldStrategy
from zoe_tools.core.strategy.protocol import Strategy
from zoe_tools.domain.candle import Timeframe
from zoe_tools.errors import ConfigError

NAMES = ("demo", "edge", "hold")


def strategy_named(name: str, timeframe: Timeframe | None = None) -> Strategy:
    """The strategy so called; `timeframe` None leaves it its own.

    Raises:
        ConfigError: no built-in strategy has that name.
    """
    match name:
        case "demo":
            return DemoStrategy(timeframe=timeframe or Timeframe.M1)
        case "edge":
            return EdgeStrategy(timeframe=timeframe or Timeframe.H1)
        case "hold":
            return HoldStrategy()
        case _:
            raise ConfigError(
                f"There is no strategy called {name!r}.", hint=f"Choose one of {', '.join(NAMES)}."
            )
