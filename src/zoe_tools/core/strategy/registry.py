"""The built-in strategies by name, made for the length of the candles at hand."""

from __future__ import annotations

from zoe_tools.core.strategy.demo import DemoStrategy
from zoe_tools.core.strategy.edge import EdgeStrategy
from zoe_tools.core.strategy.edge_rules import EdgeRules
from zoe_tools.core.strategy.hold import HoldStrategy
from zoe_tools.core.strategy.protocol import Strategy
from zoe_tools.domain.candle import Timeframe
from zoe_tools.errors import ConfigError

NAMES = ("edge", "demo", "hold")
_DEFAULT = EdgeRules()


def built_in(
    name: str, timeframe: Timeframe | None = None, rules: EdgeRules = _DEFAULT
) -> Strategy | None:
    """The strategy so called, None if none is; `timeframe` None leaves it its own."""
    match name:
        case "demo":
            return DemoStrategy(timeframe=timeframe or Timeframe.M1)
        case "edge":
            return EdgeStrategy(timeframe=timeframe or Timeframe.H1, rules=rules)
        case "hold":
            return HoldStrategy()
        case _:
            return None


def strategy_named(name: str, timeframe: Timeframe | None = None) -> Strategy:
    """The built-in strategy so called, as it is without any setting.

    Raises:
        ConfigError: none has that name.
    """
    found = built_in(name, timeframe)
    if found is None:
        raise ConfigError(
            f"There is no strategy called {name!r}.", hint=f"Choose one of {', '.join(NAMES)}."
        )
    return found
