"""Limits that must fit together: a hard one may not be tighter than the soft one that steers to it.

Pure: values by the names of their settings in, sentences out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from zoe_tools.domain.money import HUNDRED, ZERO, short

_Pair = tuple[str, Decimal | None, str, Decimal]
"""The hard limit's name and value, the soft one's; None is a limit that follows from others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """Two limits that contradict each other, and what to do about it."""

    hard: str
    soft: str
    sentence: str
    hint: str


def mismatches(values: Mapping[str, Any]) -> tuple[Mismatch, ...]:
    """Every contradiction, in a fixed order; `values` by the names of the settings.

    Zero is exempt: a limit of 0 is an operator's plain no, not a mistake.
    """
    return tuple(_mismatch(*pair) for pair in _pairs(values) if _contradicts(pair))


def not_followed(values: Mapping[str, Any]) -> Iterator[str]:
    """What is set and counts for nothing, because something safer goes before it."""
    mode = values["TAKE_PROFIT_MODE"]
    if mode != "managed" and not values["ALLOW_TARGETS_WITHOUT_STOP"]:
        yield (
            f"TAKE_PROFIT_MODE={mode} is not followed: what rests in a target has no stop at the"
            " venue. A loop sells at the targets; see ALLOW_TARGETS_WITHOUT_STOP."
        )


def _contradicts(pair: _Pair) -> bool:
    _, hard, _, soft = pair
    return hard is not None and ZERO < hard < soft


def _mismatch(hard_name: str, hard: Decimal | None, soft_name: str, soft: Decimal) -> Mismatch:
    first, second = hard_name.split(maxsplit=1)[0], soft_name.split(maxsplit=1)[0]
    return Mismatch(
        hard=first,
        soft=second,
        sentence=(
            f"THRESHOLD_MISMATCH: {hard_name} ({short(hard or ZERO)}) is tighter than"
            f" {soft_name} ({short(soft)})."
        ),
        hint=f"Raise {first} or lower {second}.",
    )


def _pairs(values: Mapping[str, Any]) -> Iterator[_Pair]:
    trade = "MAX_NOTIONAL_PER_TRADE"
    reach = Decimal(values["MAX_REPRICE_ATTEMPTS"] * values["REPRICE_STEP_BPS"])
    cross = values["MAX_CROSS_SPREAD_BPS"]
    guard = values["LIQUIDITY_GUARD_SPREAD_PCT"]
    positions = Decimal(values["MAX_OPEN_POSITIONS"])
    yield "MAX_DAILY_NOTIONAL", values["MAX_DAILY_NOTIONAL"], trade, values[trade]
    yield "MAX_CROSS_SPREAD_BPS", cross, "MAX_REPRICE_ATTEMPTS x REPRICE_STEP_BPS", reach
    yield (
        "LIQUIDITY_GUARD_SPREAD_PCT in basis points",
        guard * HUNDRED,
        "MAX_CROSS_SPREAD_BPS",
        cross,
    )
    for name in ("MAX_UNEXECUTED_NOTIONAL", "MAX_POSITION_NOTIONAL", "MAX_EXPOSURE_NOTIONAL"):
        yield name, values[name], trade, values[trade]
    position = values["MAX_POSITION_NOTIONAL"]
    if position is not None:
        exposure = values["MAX_EXPOSURE_NOTIONAL"]
        yield "MAX_EXPOSURE_NOTIONAL", exposure, "MAX_POSITION_NOTIONAL", position
    yield (
        "MAX_OPEN_ORDERS",
        Decimal(values["MAX_OPEN_ORDERS"]),
        "MAX_OPEN_POSITIONS",
        positions,
    )
    yield from _invariant_pairs(values, positions)
    yield (
        "PRICE_COLLAR_PCT in basis points",
        values["PRICE_COLLAR_PCT"] * HUNDRED,
        "MAX_CROSS_SPREAD_BPS",
        cross,
    )
    yield (
        "EDGE_FACTORY_FUNDING_STALE",
        Decimal(values["EDGE_FACTORY_FUNDING_STALE"]),
        "EDGE_FACTORY_FUNDING_POLL",
        Decimal(values["EDGE_FACTORY_FUNDING_POLL"]),
    )
    yield (
        "EDGE_FACTORY_HEAT_MAX",
        values["EDGE_FACTORY_HEAT_MAX"],
        "EDGE_FACTORY_MAX_POSITION_PCT",
        values["EDGE_FACTORY_MAX_POSITION_PCT"],
    )


def _invariant_pairs(values: Mapping[str, Any], positions: Decimal) -> Iterator[_Pair]:
    """What is critical may not come before what warns, nor before what trading may reach."""
    for critical, warning in (
        ("INVARIANT_DRAWDOWN_CRIT_PCT", "INVARIANT_DRAWDOWN_WARN_PCT"),
        ("INVARIANT_POSITIONS_CRIT", "INVARIANT_POSITIONS_WARN"),
        ("INVARIANT_CLOCK_SKEW_CRIT_SEC", "INVARIANT_CLOCK_SKEW_WARN_SEC"),
        ("INVARIANT_MARGIN_CRIT_PCT", "INVARIANT_MARGIN_WARN_PCT"),
        ("INVARIANT_LIQUIDATION_CRIT_PCT", "INVARIANT_MARGIN_CRIT_PCT"),
        ("INVARIANT_OPEN_NOTIONAL_CRIT", "MAX_EXPOSURE_NOTIONAL"),
    ):
        if values[warning] is not None:
            yield critical, values[critical], warning, values[warning]
    # At that many it stops: the last one that may be held must be one less.
    yield (
        "INVARIANT_POSITIONS_CRIT",
        values["INVARIANT_POSITIONS_CRIT"],
        "MAX_OPEN_POSITIONS",
        (positions + 1),
    )
