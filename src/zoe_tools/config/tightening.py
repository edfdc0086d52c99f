"""What the store may say of limits: tighter than the files and the environment, never looser.

A row that cannot be read counts as the tightest there is, because somebody meant to stop something.
Pure: a policy and texts in, a policy out.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from zoe_tools.config.catalogue import KNOB
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.policy import Policy
from zoe_tools.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limit:
    """Where a limit stands in the policy, what is in force there, and which of two is tighter."""

    field: str
    in_force: Callable[[Policy], Any]
    tighter: Callable[[Any, Any], Any]
    tightest: object


def _lower(field: str, in_force: str = "", tightest: object = ZERO) -> _Limit:
    name = in_force or field
    return _Limit(
        field=field, in_force=lambda policy: getattr(policy, name), tighter=min, tightest=tightest
    )


def _common(first: tuple[str, ...] | None, second: tuple[str, ...]) -> tuple[str, ...]:
    """What both name, in the spelling of the first."""
    if first is None:
        return second
    wanted = {_plain(each) for each in second}
    return tuple(each for each in first if _plain(each) in wanted)


def _plain(spelling: str) -> str:
    return spelling.upper().replace("/", "-")


LIMITS: Mapping[str, _Limit] = {
    "MAX_NOTIONAL_PER_TRADE": _lower("max_notional_per_trade"),
    "MAX_DAILY_NOTIONAL": _lower("max_daily_notional"),
    "MAX_OPEN_POSITIONS": _lower("max_open_positions", tightest=0),
    "MAX_UNEXECUTED_NOTIONAL": _lower("max_unexecuted_notional", "unexecuted_cap"),
    "MAX_POSITION_NOTIONAL": _lower("max_position_notional", "position_cap"),
    "MAX_EXPOSURE_NOTIONAL": _lower("max_exposure_notional", "exposure_cap"),
    "MAX_OPEN_ORDERS": _lower("max_open_orders", tightest=0),
    "MAX_ORDERS_PER_MINUTE": _lower("max_orders_per_minute", tightest=0),
    "MAX_CANCEL_RATIO_PCT": _lower("max_cancel_ratio_pct"),
    "PRICE_COLLAR_PCT": _lower("price_collar_pct"),
    "LIQUIDITY_GUARD_SPREAD_PCT": _lower("liquidity_guard_spread_pct"),
    "MAX_AVERAGE_SLIPPAGE_BPS": _lower("max_average_slippage_bps"),
    "DUPLICATE_WINDOW_SECONDS": _Limit(
        field="duplicate_window_s",
        in_force=lambda policy: policy.duplicate_window_s,
        tighter=max,
        tightest=3600.0,
    ),
    "ALLOWED_SYMBOLS": _Limit(
        field="allowed_symbols",
        in_force=lambda policy: policy.allowed_symbols,
        tighter=_common,
        tightest=(),
    ),
    "ALLOW_WITHDRAWAL_KEY": _Limit(
        field="allow_withdrawal_key",
        in_force=lambda policy: policy.allow_withdrawal_key,
        tighter=lambda first, second: first and second,
        tightest=False,
    ),
}
"""Setting -> how the store may tighten it, in the order in which rows are applied."""


def tightened(policy: Policy, rows: Mapping[str, str]) -> Policy:
    """The policy with every row that is tighter than it; empty texts say nothing."""
    for name, limit in LIMITS.items():
        text = rows.get(name, "").strip()
        if text:
            value = limit.tighter(limit.in_force(policy), _read(name, text))
            policy = replace(policy, **{limit.field: value})
    return policy


def in_force(policy: Policy, name: str) -> object:
    """What the policy says of that setting: the very cap, where it follows from others."""
    return LIMITS[name].in_force(policy)


def demand_limit(name: str, text: str) -> None:
    """Pass, if the store may hold this; an empty text takes a row back.

    Raises:
        ConfigError: no such limit, or the text cannot be read.
    """
    if name not in LIMITS:
        near = difflib.get_close_matches(name, LIMITS, n=1)
        meant = f"Did you mean {near[0]}?" if near else f"These can: {', '.join(LIMITS)}."
        raise ConfigError(f"{name} is no limit that the store can tighten.", hint=meant)
    try:
        KNOB[name].read(text or KNOB[name].default or "0")
    except ValueError as error:
        raise ConfigError(f"{name}: {error}.", hint=f"{name}: {KNOB[name].about}") from error


def is_readable(name: str, text: str) -> bool:
    """Whether a row's text can be read."""
    try:
        KNOB[name].read(text)
    except ValueError:
        return False
    return True


def is_looser(policy: Policy, name: str, text: str) -> bool:
    """Whether the text would allow more than the policy does."""
    now, wanted = in_force(policy, name), _read(name, text)
    if name == "ALLOWED_SYMBOLS":
        return _common(_texts(wanted), _texts(now)) != _texts(wanted) if now is not None else False
    return bool(LIMITS[name].tighter(now, wanted) != wanted)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, tuple) else ()


def _read(name: str, text: str) -> object:
    return KNOB[name].read(text) if is_readable(name, text) else LIMITS[name].tightest


def spelled_limit(value: object) -> str:
    """A limit in one word, as a person reads it."""
    match value:
        case None:
            return "any"
        case tuple():
            return ",".join(str(each) for each in value) or "none"
        case bool():
            return "true" if value else "false"
        case Decimal():
            return f"{value.normalize():f}"
        case float():
            return f"{value:g}"
        case _:
            return str(value)
