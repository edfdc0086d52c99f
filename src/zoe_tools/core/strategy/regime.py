"""The market's regime, with a dwell: it changes only when several closes in a row agree.

The account's own losses are no input: they are a matter of the account's limits, not of the market.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

MINIMUM_DWELL = 3
"""Closes in a row that must agree before the regime is more favourable than transition."""

_CRASH_VOLATILITY = 1.0
_CRASH_IMPACT_Z = 2.0
_BULL_STRENGTH = 0.3
_BULL_VOLATILITY = 0.8


class Regime(StrEnum):
    """How the market behaves."""

    LOW_VOL_BULL = "low_vol_bull"
    TRANSITION = "transition"
    HIGH_VOL_CRASH = "high_vol_crash"


SIZE_MULTIPLIER = {Regime.LOW_VOL_BULL: 1.0, Regime.TRANSITION: 0.5, Regime.HIGH_VOL_CRASH: 0.0}


def regime_of(features: Mapping[str, float | None]) -> Regime:
    """The regime that one close shows; transition where a feature is missing."""
    volatility, impact = features.get("garman_klass_volatility"), features.get("amihud_spike_z")
    strength, distance = features.get("adx_strength"), features.get("vwap_distance")
    if volatility is not None and volatility > _CRASH_VOLATILITY:
        return Regime.HIGH_VOL_CRASH
    if impact is not None and impact > _CRASH_IMPACT_Z:
        return Regime.HIGH_VOL_CRASH
    if volatility is None or strength is None or distance is None:
        return Regime.TRANSITION
    if strength > _BULL_STRENGTH and distance > 0 and volatility < _BULL_VOLATILITY:
        return Regime.LOW_VOL_BULL
    return Regime.TRANSITION


def settled_regime(latest: Sequence[Regime]) -> Regime:
    """The regime after dwell; `latest` holds the newest closes' regimes, oldest first."""
    window = latest[-MINIMUM_DWELL:]
    if len(window) == MINIMUM_DWELL and len(set(window)) == 1:
        return window[-1]
    return Regime.TRANSITION
