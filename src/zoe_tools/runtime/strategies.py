"""Strategies by name: those that are built in, and those that an installed package plugs in.

A plug-in is an entry point of the group `zoe_tools.strategies`: a factory that takes the length of
the candles (`Timeframe`, or None for its own) and gives a `Strategy`. One that is broken is a
sentence, never a traceback.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from importlib.metadata import EntryPoint, entry_points

from zoe_tools.config import Settings
from zoe_tools.core.strategy.edge_rules import EdgeRules
from zoe_tools.core.strategy.protocol import Strategy
from zoe_tools.core.strategy.registry import NAMES, built_in
from zoe_tools.domain.candle import Timeframe
from zoe_tools.domain.money import HUNDRED, ZERO
from zoe_tools.errors import ConfigError
from zoe_tools.kraken.derivatives import DerivativesTickers
from zoe_tools.runtime.venue import Wires

GROUP = "zoe_tools.strategies"
LONGEST_HISTORY = 720
"""Candles that the venue can be asked for."""


def strategy_named(
    name: str, settings: Settings, timeframe: Timeframe | None = None, *, is_funded: bool = True
) -> Strategy:
    """The strategy so called, with the operator's settings; `timeframe` None leaves it its own.

    `is_funded` False: no source of funding is asked, whatever is configured.

    Raises:
        ConfigError: none has that name, or it is a plug-in that cannot be used.
    """
    rules = edge_rules(settings)
    if not is_funded:
        rules = replace(rules, uses_funding=False)
    return built_in(name, timeframe, rules) or _plugged_in(name, timeframe)


def strategy_names() -> tuple[str, ...]:
    """The names there are: built in, then plugged in."""
    plugged = sorted({each.name for each in entry_points(group=GROUP)} - set(NAMES))
    return (*NAMES, *plugged)


def edge_rules(settings: Settings) -> EdgeRules:
    """What the operator set for `edge`."""
    return EdgeRules(
        attention_min=float(settings.edge_factory_trend_z_threshold),
        funding_max=float(settings.edge_factory_funding_rate_max),
        funding_stale_s=settings.edge_factory_funding_stale,
        uses_funding=bool(settings.edge_factory_funding_source),
        spread_max=float(settings.edge_factory_corwin_schultz_max),
        expected_move_min_pct=float(settings.edge_factory_min_expected_move * HUNDRED),
        kelly_fraction=float(settings.edge_factory_kelly_fraction),
        max_position=float(settings.edge_factory_max_position_pct),
        heat_max=float(settings.edge_factory_heat_max),
        losses_max=settings.edge_factory_consec_loss_max,
        max_age_h=settings.edge_factory_pos_timeout_hours,
        cooldown_h=settings.edge_factory_symbol_cooldown,
        turnover_cap=float(settings.edge_factory_daily_turnover_cap),
        min_notional=settings.edge_factory_min_trade_notional,
        min_remaining=settings.edge_factory_min_remaining_equity,
    )


def funding_source(settings: Settings, wires: Wires) -> DerivativesTickers | None:
    """Where perpetual funding is asked for; None where the operator wants none."""
    if not settings.edge_factory_funding_source:
        return None
    return DerivativesTickers(wires.futures_url)


def _plugged_in(name: str, timeframe: Timeframe | None) -> Strategy:
    point = _entry_point(name)
    package = point.dist.name if point.dist is not None else "a package"
    try:
        made: Strategy = point.load()(timeframe)
    except (Exception, SystemExit, asyncio.CancelledError) as error:
        raise ConfigError(
            f"The strategy {name} of {package} cannot be made: {type(error).__name__}: {error}.",
            hint=f"It comes from {point.value}; mend or remove that package.",
        ) from error
    problem = next(_problems(made), "")
    if problem:
        raise ConfigError(
            f"The strategy {name} of {package} is none: {problem}.",
            hint=f"It comes from {point.value}; see docs/strategies.md for what it must be.",
        )
    return made


def _entry_point(name: str) -> EntryPoint:
    found = list({each.value: each for each in entry_points(group=GROUP, name=name)}.values())
    if not found:
        raise ConfigError(
            f"There is no strategy called {name!r}.",
            hint=f"Choose one of {', '.join(strategy_names())}.",
        )
    if len(found) > 1:
        told = " and ".join(each.value for each in found)
        raise ConfigError(
            f"{len(found)} packages have a strategy called {name!r}: {told}.",
            hint="Remove all but one.",
        )
    return found[0]


def _problems(made: object) -> Iterator[str]:
    """What it lacks of a strategy; the first is enough to refuse it."""
    if not callable(getattr(made, "decide", None)):
        yield "it cannot decide"
    if not isinstance(getattr(made, "name", None), str):
        yield "it has no name"
    if not isinstance(getattr(made, "timeframe", None), Timeframe):
        yield "its timeframe is no Timeframe"
    history = getattr(made, "history", None)
    if not isinstance(history, int) or not 1 <= history <= LONGEST_HISTORY:
        yield f"its history is not between 1 and {LONGEST_HISTORY} candles"
    for name in ("stop_loss_pct", "take_profit_pct"):
        value = getattr(made, name, ZERO)
        is_share = isinstance(value, Decimal) and value.is_finite() and ZERO < value < HUNDRED
        if value is not None and not is_share:
            yield f"its {name} is neither None nor a percentage"
    if not isinstance(getattr(made, "absent_features", None), tuple):
        yield "its absent_features are no tuple"
