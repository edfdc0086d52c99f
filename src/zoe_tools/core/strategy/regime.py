"""The market's regime, with hysteresis and a dwell; folded over the closes that are looked at.

The account's own losses are no input: they are a matter of the account's limits, not of the market.
Nothing is remembered between two decisions: the same closes make the same regime, so that neither
a restart nor a replay changes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from zoe_tools.core.strategy.features import (
    FloatCandle,
    NotEnoughHistory,
    adx_series,
    amihud_spike_z,
    garman_klass_volatility,
    vwap_distance,
)

MINIMUM_DWELL = 3
"""Closes in a row that must agree before the regime becomes another one."""

REGIME_WINDOW = 48
"""Closes that the regime is folded over; before the first of them it is transition."""

_CRASH_VOLATILITY, _CRASH_VOLATILITY_STAYS = 1.0, 0.85
_CRASH_IMPACT_Z, _CRASH_IMPACT_Z_STAYS = 2.0, 1.0
_BULL_STRENGTH, _BULL_STRENGTH_STAYS = 0.3, 0.25
_BULL_DISTANCE, _BULL_DISTANCE_STAYS = 0.0, -0.005
_BULL_VOLATILITY, _BULL_VOLATILITY_STAYS = 0.8, 0.9

_ADX_UNIT = 60.0


class Regime(StrEnum):
    """How the market behaves."""

    LOW_VOL_BULL = "low_vol_bull"
    TRANSITION = "transition"
    HIGH_VOL_CRASH = "high_vol_crash"


SIZE_MULTIPLIER = {Regime.LOW_VOL_BULL: 1.0, Regime.TRANSITION: 0.5, Regime.HIGH_VOL_CRASH: 0.0}
CONFIDENCE = {Regime.LOW_VOL_BULL: 1.0, Regime.TRANSITION: 0.5, Regime.HIGH_VOL_CRASH: 0.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What one close shows; None where it cannot be told."""

    volatility: float | None = None
    impact_z: float | None = None
    strength: float | None = None
    distance: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The regime in force, and what the newest closes would rather have it be.

    `lasted` counts closes in it, `wished` those in a row that wish for `wish`.
    """

    regime: Regime = Regime.TRANSITION
    lasted: int = 0
    wish: Regime = Regime.TRANSITION
    wished: int = 0

    @property
    def is_alarming(self) -> bool:
        """Whether the newest close looks like a crash, settled or not: no time to enter."""
        return Regime.HIGH_VOL_CRASH in (self.regime, self.wish)


def regime_over(signs: Iterable[Signs]) -> Standing:
    """The regime after these closes, oldest first."""
    standing = Standing()
    for each in signs:
        standing = _after(standing, each)
    return standing


def _after(standing: Standing, signs: Signs) -> Standing:
    wish = wished_regime(standing.regime, signs)
    wished = standing.wished + 1 if wish is standing.wish else 1
    if wish is not standing.regime and wished >= MINIMUM_DWELL:
        return Standing(regime=wish, lasted=1, wish=wish, wished=wished)
    return Standing(regime=standing.regime, lasted=standing.lasted + 1, wish=wish, wished=wished)


def wished_regime(current: Regime, signs: Signs) -> Regime:
    """What one close shows, where `current` is in force: to stay takes less than to begin.

    What is missing is never favourable, and no reason to believe that a crash is over.
    """
    in_crash, in_bull = current is Regime.HIGH_VOL_CRASH, current is Regime.LOW_VOL_BULL
    volatility, impact = signs.volatility, signs.impact_z
    if volatility is not None and volatility > (
        _CRASH_VOLATILITY_STAYS if in_crash else _CRASH_VOLATILITY
    ):
        return Regime.HIGH_VOL_CRASH
    if impact is not None and impact > (_CRASH_IMPACT_Z_STAYS if in_crash else _CRASH_IMPACT_Z):
        return Regime.HIGH_VOL_CRASH
    if volatility is None or signs.strength is None or signs.distance is None:
        return Regime.HIGH_VOL_CRASH if in_crash else Regime.TRANSITION
    is_bull = (
        signs.strength > (_BULL_STRENGTH_STAYS if in_bull else _BULL_STRENGTH)
        and signs.distance > (_BULL_DISTANCE_STAYS if in_bull else _BULL_DISTANCE)
        and volatility < (_BULL_VOLATILITY_STAYS if in_bull else _BULL_VOLATILITY)
    )
    return Regime.LOW_VOL_BULL if is_bull else Regime.TRANSITION


def signs_of(history: Sequence[FloatCandle]) -> tuple[Signs, ...]:
    """What each of the newest `REGIME_WINDOW` closes shows, oldest first."""
    strengths = [each / _ADX_UNIT for each in adx_series(history)]
    behind = len(history) - len(strengths)
    found = []
    for end in range(max(1, len(history) - REGIME_WINDOW + 1), len(history) + 1):
        known = history[:end]
        found.append(
            Signs(
                volatility=_told(garman_klass_volatility, known),
                impact_z=_told(amihud_spike_z, known),
                strength=strengths[end - 1 - behind] if end > behind else None,
                distance=_told(vwap_distance, known),
            )
        )
    return tuple(found)


def _told(
    function: Callable[[Sequence[FloatCandle]], float], history: Sequence[FloatCandle]
) -> float | None:
    try:
        return function(history)
    except (NotEnoughHistory, ZeroDivisionError, ValueError, OverflowError):
        return None
