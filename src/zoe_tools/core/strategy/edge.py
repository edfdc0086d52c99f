"""The `edge` strategy: attention, trend and cost features, a regime, and entries that fail closed.

First version, on Kraken data alone. Perpetual funding has no configured source here: it is absent
by configuration, its rule is off, and pre-flight names it. Every other missing, stale or failed
feature refuses the entry.
"""

from __future__ import annotations

from decimal import Decimal

from zoe_tools.core.strategy.features import HISTORY, Feature, compute_features
from zoe_tools.core.strategy.protocol import Decision, MarketView
from zoe_tools.core.strategy.regime import (
    MINIMUM_DWELL,
    SIZE_MULTIPLIER,
    Regime,
    regime_of,
    settled_regime,
)
from zoe_tools.domain.candle import Timeframe

ATTENTION_MIN = 0.8
SPREAD_MAX = 0.006
EXPECTED_MOVE_MIN_PCT = 3.0
MAX_AGE_CANDLES = 48

_NEEDED = (
    "attention_z",
    "corwin_schultz_spread",
    "vwap_distance",
    "efficiency_ratio",
    "expected_move_pct",
)


class EdgeStrategy:
    """Long only; leaves on a settled crash regime or when the position is too old.

    One close that looks like a crash keeps entries out; it takes several to sell what is held.
    """

    name = "edge"
    history = HISTORY + MINIMUM_DWELL
    stop_loss_pct: Decimal | None = None
    take_profit_pct: Decimal | None = None
    absent_features: tuple[str, ...] = ("funding",)

    def __init__(self, *, timeframe: Timeframe = Timeframe.H1) -> None:
        self.timeframe = timeframe

    def decide(self, view: MarketView) -> Decision:
        """See the module."""
        if not view.candles:
            return Decision(symbol=view.symbol, action="hold", reason="no candle has closed yet")
        features = compute_features(view.candles)
        values = {feature.name: feature.value for feature in features}
        regime = self._regime(view)
        trace = (("regime", regime.value), *(_traced(feature) for feature in features))
        if view.position is not None:
            return self._leave(view, regime, trace)
        refusal = _refusal(values, regime_of(values))
        if refusal:
            return Decision(symbol=view.symbol, action="hold", reason=refusal, features=trace)
        return Decision(
            symbol=view.symbol,
            action="enter",
            reason=f"attention and trend agree in {regime.value}",
            strength=_strength(values, regime),
            features=trace,
        )

    def _regime(self, view: MarketView) -> Regime:
        candles = view.candles
        regimes = []
        for back in range(MINIMUM_DWELL - 1, -1, -1):
            known = candles[: len(candles) - back]
            if known:
                found = {each.name: each.value for each in compute_features(known)}
                regimes.append(regime_of(found))
        return settled_regime(regimes)

    def _leave(
        self, view: MarketView, regime: Regime, trace: tuple[tuple[str, str], ...]
    ) -> Decision:
        position = view.position
        reason = ""
        if regime is Regime.HIGH_VOL_CRASH:
            reason = "the regime is high_vol_crash"
        elif position and view.now - position.opened_at >= MAX_AGE_CANDLES * self.timeframe.length:
            reason = "the position is too old"
        return Decision(
            symbol=view.symbol,
            action="exit" if reason else "hold",
            reason=reason or "stop and target are in place",
            features=trace,
        )


def _refusal(values: dict[str, float | None], regime: Regime) -> str:
    missing = [name for name in _NEEDED if values.get(name) is None]
    if missing:
        return f"not known: {', '.join(missing)}"
    if regime is Regime.HIGH_VOL_CRASH:
        return "the regime is high_vol_crash"
    rules = (
        ("attention_z", _value(values, "attention_z") >= ATTENTION_MIN, "attention is low"),
        ("vwap_distance", _value(values, "vwap_distance") > 0, "the price is below its vwap"),
        (
            "corwin_schultz_spread",
            _value(values, "corwin_schultz_spread") <= SPREAD_MAX,
            "the implied spread is wide",
        ),
        (
            "expected_move_pct",
            _value(values, "expected_move_pct") >= EXPECTED_MOVE_MIN_PCT,
            "the expected move does not pay for the costs",
        ),
    )
    return next((sentence for _, holds, sentence in rules if not holds), "")


def _strength(values: dict[str, float | None], regime: Regime) -> Decimal:
    raw = (
        0.4 * min(_value(values, "attention_z") / 3, 1)
        + 0.3 * min(_value(values, "vwap_distance") / 0.05, 1)
        + 0.3 * _value(values, "efficiency_ratio")
    )
    size = SIZE_MULTIPLIER[regime] * (0.5 + 0.5 * min(raw, 1))
    return Decimal(f"{size:.4f}")


def _value(values: dict[str, float | None], name: str) -> float:
    value = values[name]
    if value is None:
        raise ValueError(f"{name} is not known")
    return value


def _traced(feature: Feature) -> tuple[str, str]:
    value = feature.note if feature.value is None else f"{feature.value:.6f}"
    return feature.name, value if feature.quality == "good" else f"{feature.quality}: {value}"
