"""A strategy that trades as often as it can: what it wants follows from name and time alone."""

from __future__ import annotations

import hashlib
from decimal import Decimal

from zoe_tools.core.strategy.protocol import Action, Decision, MarketView
from zoe_tools.domain.candle import Timeframe

ENTERS_OF_TEN, LEAVES_OF_TEN = 8, 5


class StressStrategy:
    """Enters eight closes of ten, leaves five of ten; stops and targets lie close."""

    name = "stress"
    timeframe = Timeframe.M1
    stop_loss_pct: Decimal | None = Decimal("0.7")
    take_profit_pct: Decimal | None = Decimal("0.1")
    history = 1
    absent_features: tuple[str, ...] = ()

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def decide(self, view: MarketView) -> Decision:
        """See the class."""
        closed = view.candles[-1].opened_at if view.candles else view.now
        text = f"{self._seed}:{view.symbol}:{closed.isoformat()}"
        drawn = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) % 10
        action: Action = "hold"
        if view.position is None and drawn < ENTERS_OF_TEN:
            action = "enter"
        elif view.position is not None and drawn < LEAVES_OF_TEN:
            action = "exit"
        return Decision(
            symbol=view.symbol,
            action=action,
            reason=f"drew {drawn}",
            strength=Decimal(12 - drawn) / 12,
        )
