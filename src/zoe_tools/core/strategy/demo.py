"""Trades often enough to show everything: entries, stops at the venue, targets, time stops.

It is a demonstration, not a way to make money: it buys after an up candle, with a stop and a
target a fixed distance away, and gives up after a number of candles.
"""

from __future__ import annotations

from decimal import Decimal

from zoe_tools.core.strategy.protocol import Decision, MarketView
from zoe_tools.domain.candle import Timeframe


class DemoStrategy:
    """Buys after a rising close; percentages are of the average cost."""

    name = "demo"
    history = 3
    absent_features: tuple[str, ...] = ()

    def __init__(
        self,
        *,
        timeframe: Timeframe = Timeframe.M1,
        stop_loss_pct: Decimal = Decimal("0.6"),
        take_profit_pct: Decimal = Decimal("0.5"),
        patience_candles: int = 6,
    ) -> None:
        self.timeframe = timeframe
        self.stop_loss_pct: Decimal | None = stop_loss_pct
        self.take_profit_pct: Decimal | None = take_profit_pct
        self._patience_candles = patience_candles

    def decide(self, view: MarketView) -> Decision:
        """Enter on a rise when flat; leave when patience is over."""
        if view.position is not None:
            return self._while_holding(view)
        if len(view.candles) < 2:  # noqa: PLR2004 - a rise needs two closes
            return self._hold(view, "waiting for two closed candles")
        before, latest = view.candles[-2], view.candles[-1]
        seen = (("previous_close", f"{before.close:f}"), ("close", f"{latest.close:f}"))
        if latest.close <= before.close:
            return Decision(
                symbol=view.symbol, action="hold", reason="the close did not rise", features=seen
            )
        return Decision(
            symbol=view.symbol,
            action="enter",
            reason="the close rose",
            features=seen,
        )

    def _while_holding(self, view: MarketView) -> Decision:
        position = view.position
        if position is None:
            return self._hold(view, "flat")
        if view.now - position.opened_at >= self._patience_candles * self.timeframe.length:
            return Decision(symbol=view.symbol, action="exit", reason="patience is over")
        return self._hold(view, "waiting for stop or target")

    def _hold(self, view: MarketView, reason: str) -> Decision:
        return Decision(symbol=view.symbol, action="hold", reason=reason)
