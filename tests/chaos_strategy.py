"""A strategy that trades as often as it can: what it wants follows from name and time alone."""

from __future__ import annotations

import hashlib
from decimal import Decimal

from zoe_tools.core.strategy.protocol import Action, Decision, MarketView, Urgency
from zoe_tools.domain.candle import Timeframe

LEAVES_OF_TEN = 6

_PATIENT = frozenset(range(1, 8))
"""Of ten: seven wait at their own side of the book, where they fill piece by piece."""


class StressStrategy:
    """Enters at each close, mostly patiently, leaves at six of ten; stop and target are near."""

    name = "stress"
    stop_loss_pct: Decimal | None = Decimal("0.3")
    take_profit_pct: Decimal | None = Decimal("0.15")
    history = 1
    absent_features: tuple[str, ...] = ()

    def __init__(self, seed: int, timeframe: Timeframe = Timeframe.M1) -> None:
        self._seed = seed
        self.timeframe = timeframe

    def decide(self, view: MarketView) -> Decision:
        """See the class."""
        closed = view.candles[-1].opened_at if view.candles else view.now
        text = f"{self._seed}:{view.symbol}:{closed.isoformat()}"
        drawn = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) % 10
        action: Action = "hold"
        if view.position is None:
            action = "enter"
        elif drawn < LEAVES_OF_TEN:
            action = "exit"
        urgency: Urgency = "patient" if drawn in _PATIENT else "normal"
        return Decision(
            symbol=view.symbol,
            action=action,
            reason=f"drew {drawn}",
            strength=Decimal(12 - drawn % 7) / 12,
            urgency=urgency,
        )
