"""The `edge` strategy: attention, trend and cost features, a regime, and entries that fail closed.

All of it from Kraken: candles, and perpetual funding where a source is configured; without one the
feature is absent, its rule is off, and pre-flight names it. Every other missing, stale or failed
feature refuses the entry. Nothing is remembered: the view tells all that counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal

from zoe_tools.core.strategy.churn import churn_refusal, consecutive_losses
from zoe_tools.core.strategy.edge_rules import EdgeRules
from zoe_tools.core.strategy.features import (
    HISTORY,
    compute_features,
    funding_feature,
    in_floats,
)
from zoe_tools.core.strategy.protocol import Decision, Feature, MarketView
from zoe_tools.core.strategy.regime import (
    CONFIDENCE,
    SIZE_MULTIPLIER,
    Regime,
    Standing,
    regime_over,
    signs_of,
)
from zoe_tools.core.strategy.sizing import Conditions, size_of
from zoe_tools.domain.candle import Timeframe
from zoe_tools.domain.money import ZERO

FUNDING_UNIT = 0.001
"""Perpetual funding per eight hours at which it speaks for nothing any more."""

PATIENT_STRENGTH = 0.7
"""Who is surer than this waits at the own side of a tight book; see the order desk."""

_NEEDED = (
    "attention_z",
    "corwin_schultz_spread",
    "garman_klass_volatility",
    "vwap_distance",
    "efficiency_ratio",
    "expected_move_pct",
)
_DEFAULT = EdgeRules()

Trace = tuple[tuple[str, str], ...]


class EdgeStrategy:
    """Long only; leaves on a settled crash regime or when the position is too old.

    One close that looks like a crash keeps entries out; it takes several to sell what is held.
    """

    name = "edge"
    history = HISTORY
    stop_loss_pct: Decimal | None = None
    take_profit_pct: Decimal | None = None

    def __init__(self, *, timeframe: Timeframe = Timeframe.H1, rules: EdgeRules = _DEFAULT) -> None:
        self.timeframe = timeframe
        self.rules = rules

    @property
    def absent_features(self) -> tuple[str, ...]:
        """Funding, where no source is configured."""
        return () if self.rules.uses_funding else ("funding",)

    def decide(self, view: MarketView) -> Decision:
        """See the module."""
        if not view.candles:
            return Decision(symbol=view.symbol, action="hold", reason="no candle has closed yet")
        funding = funding_feature(view.funding, view.now, self.rules.funding_stale_s)
        seen = (*compute_features(view.candles, view.now), funding)
        standing = regime_over(signs_of(in_floats(view.candles)))
        if view.position is not None:
            return self._leave(view, standing, seen)
        return self._enter(view, standing, seen)

    def _enter(self, view: MarketView, standing: Standing, seen: tuple[Feature, ...]) -> Decision:
        values = {each.name: each.value for each in seen}
        trace = (*_of_regime(standing), *_of_account(view))
        refusal = next(_refusals(seen, standing, self.rules), "")
        if not refusal and view.account is None:
            refusal = "the account is not known"
        if refusal or view.account is None:
            return _hold(view, refusal, trace, seen)
        refusal = churn_refusal(view.account, view.now, self.rules)
        if refusal:
            return _hold(view, refusal, trace, seen)
        strength = strength_of(values, standing.regime)
        conditions = Conditions(
            strength=strength,
            regime=SIZE_MULTIPLIER[standing.regime],
            volatility=_value(values, "garman_klass_volatility"),
        )
        size = size_of(view.account, conditions, self.rules)
        if isinstance(size, str):
            return _hold(view, size, trace, seen)
        return Decision(
            symbol=view.symbol,
            action="enter",
            reason=f"attention and trend agree in {standing.regime.value}",
            strength=Decimal(f"{strength:.4f}"),
            urgency="patient" if strength > PATIENT_STRENGTH else "normal",
            notional=size,
            features=trace,
            seen=seen,
        )

    def _leave(self, view: MarketView, standing: Standing, seen: tuple[Feature, ...]) -> Decision:
        position = view.position
        reason = ""
        if standing.regime is Regime.HIGH_VOL_CRASH:
            reason = "the regime is high_vol_crash"
        elif position and view.now - position.opened_at >= timedelta(hours=self.rules.max_age_h):
            reason = "the position is too old"
        return Decision(
            symbol=view.symbol,
            action="exit" if reason else "hold",
            reason=reason or "stop and target are in place",
            urgency="panic" if standing.regime is Regime.HIGH_VOL_CRASH else "normal",
            features=(*_of_regime(standing), *_of_account(view)),
            seen=seen,
        )


def _hold(view: MarketView, reason: str, trace: Trace, seen: tuple[Feature, ...]) -> Decision:
    return Decision(
        symbol=view.symbol,
        action="hold",
        reason=reason,
        strength=ZERO,
        features=trace,
        seen=seen,
    )


def _of_regime(standing: Standing) -> Trace:
    return (
        ("regime", standing.regime.value),
        ("regime_closes", f"{standing.lasted}"),
        ("regime_wish", standing.wish.value),
    )


def _of_account(view: MarketView) -> Trace:
    account = view.account
    if account is None:
        return ()
    equity = account.equity
    heat = "unknown" if not equity else f"{account.open_notional / equity:.4f}"
    losses = consecutive_losses(account.closed, view.now)
    return ("portfolio_heat", heat), ("consecutive_losses", f"{losses}")


def _refusals(seen: tuple[Feature, ...], standing: Standing, rules: EdgeRules) -> Iterator[str]:
    """Every rule of the market that speaks against an entry, the gravest first."""
    values = {each.name: each.value for each in seen}
    needed = (*_NEEDED, "funding_8h") if rules.uses_funding else _NEEDED
    missing = [name for name in needed if values.get(name) is None]
    if missing:
        yield f"not known: {', '.join(missing)}"
        return
    if standing.is_alarming:
        yield "the regime is high_vol_crash"
    if _value(values, "attention_z") < rules.attention_min:
        yield "attention is low"
    if rules.uses_funding and abs(_value(values, "funding_8h")) > rules.funding_max:
        yield "perpetual funding is out of bounds"
    if _value(values, "vwap_distance") <= 0:
        yield "the price is below its vwap"
    if _value(values, "corwin_schultz_spread") > rules.spread_max:
        yield "the implied spread is wide"
    if _value(values, "expected_move_pct") < rules.expected_move_min_pct:
        yield "the expected move does not pay for the costs"


def strength_of(values: Mapping[str, float | None], regime: Regime) -> float:
    """How much speaks for an entry, 0 to 1; without funding the others weigh in its place."""
    parts = [
        (0.30, min(_value(values, "attention_z") / 3, 1.0)),
        (0.15, min(_value(values, "vwap_distance") / 0.05, 1.0)),
        (0.15, _value(values, "efficiency_ratio")),
        (0.20, CONFIDENCE[regime]),
    ]
    funding = values.get("funding_8h")
    if funding is not None:
        parts.append((0.20, max(0.0, 1 - abs(funding) / FUNDING_UNIT)))
    weight = sum(each for each, _ in parts)
    total = sum(each * max(0.0, part) for each, part in parts)
    return min(1.0, total / weight)


def _value(values: Mapping[str, float | None], name: str) -> float:
    value = values[name]
    if value is None:
        raise ValueError(f"{name} is not known")
    return value
