"""Operations only: never enters, never exits; protection and bookkeeping still run."""

from __future__ import annotations

from decimal import Decimal

from zoe_tools.core.strategy.protocol import Decision, MarketView
from zoe_tools.domain.candle import Timeframe


class HoldStrategy:
    """See the module."""

    name = "hold"
    timeframe = Timeframe.M1
    stop_loss_pct: Decimal | None = None
    take_profit_pct: Decimal | None = None
    history = 1
    absent_features: tuple[str, ...] = ()

    def decide(self, view: MarketView) -> Decision:
        """Always to hold."""
        return Decision(symbol=view.symbol, action="hold", reason="this strategy only watches")
