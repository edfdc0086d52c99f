"""How periods and patience are stretched, and what is never stretched."""

from __future__ import annotations

from dataclasses import fields

import pytest

from builders import NOON
from zoe_tools.domain.cadence import Cadence
from zoe_tools.domain.policy import Policy
from zoe_tools.runtime.cadences import (
    LATEST_DEADLINE_S,
    cadence_at,
    cadence_for,
    policy_at,
    stretch_for,
    stretched_policy,
)
from zoe_tools.runtime.clocks import ScaledClock, SystemClock

LIMITS = (
    "max_api_errors",
    "max_empty_scans",
    "invariants",
    "max_notional_per_trade",
    "max_daily_notional",
    "max_open_positions",
    "stop_loss_pct",
    "take_profit_pct",
    "take_profit_levels",
    "take_profit_mode",
    "allow_targets_without_stop",
    "price_collar_pct",
    "liquidity_guard_spread_pct",
    "reconcile_cash_tolerance",
    "reconcile_clean_runs",
    "stop_refusals_until_sale",
    "trailing_stop_pct",
    "break_even_at_pct",
    "reconcile_quantity_tolerance",
    "stop_trading_on_degraded",
    "max_quantities",
    "allowed_symbols",
    "max_open_orders",
    "max_orders_per_minute",
    "max_cancel_ratio_pct",
    "max_unexecuted_notional",
    "max_position_notional",
    "max_exposure_notional",
    "allow_withdrawal_key",
    "max_reprice_attempts",
    "reprice_step_bps",
    "max_cross_spread_bps",
    "max_average_slippage_bps",
)


def limits_of(policy: Policy) -> list[object]:
    """What belongs to the operator and is no matter of time."""
    return [getattr(policy, name) for name in LIMITS]


def running_at(speed: float) -> ScaledClock:
    """A clock of that speed."""
    return ScaledClock(epoch=NOON, speed=speed)


@pytest.mark.parametrize(
    ("granularity_s", "factor"), [(0, 1), (0.1, 1), (2, 1), (4, 2), (900, 450)]
)
def test_a_market_that_speaks_often_is_followed_at_the_live_pace(
    granularity_s: float, factor: float
) -> None:
    """Every two seconds or more often; a slower one stretches by the ratio."""
    assert stretch_for(granularity_s) == factor


def test_a_live_grain_leaves_everything_as_it_is() -> None:
    """The very values of live."""
    assert cadence_for(0.1) == Cadence()
    assert stretched_policy(Policy(), 0.1) == Policy()


def test_a_replay_stretches_all_periods_together() -> None:
    """The proportions stay; the trading state is read no more often than the heart beats."""
    cadence = cadence_for(20)

    assert (cadence.cycle_s, cadence.health_s, cadence.stream_silence_s) == (10, 50, 100)
    assert cadence.state_poll_s == cadence.health_s


def test_a_replay_stretches_what_soon_means_and_no_limit_of_money() -> None:
    """Stale quotes and lifetimes of orders."""
    policy = stretched_policy(Policy(), 20)

    assert (policy.quote_stale_s, policy.order_ttl_entry_s, policy.order_ttl_exit_s) == (
        100,
        600,
        300,
    )
    assert limits_of(policy) == limits_of(Policy())


@pytest.mark.parametrize(("speed", "cycle_s"), [(1, 1), (60, 1), (120, 2), (3600, 60)])
def test_a_fast_exchange_is_followed_as_fast_as_the_machine_works(
    speed: float, cycle_s: float
) -> None:
    """Up to sixty times the live pace holds; above, a cycle keeps its real time."""
    assert cadence_at(running_at(speed)).cycle_s == cycle_s


def test_live_is_never_stretched() -> None:
    """The machine's own clock has speed 1."""
    assert cadence_at(SystemClock()) == Cadence()
    assert policy_at(Policy(), SystemClock()) == Policy()


@pytest.mark.parametrize(
    ("speed", "deadline_s", "stale_s", "lag_s"),
    [(1, 5, 10, 60), (10, 5, 10, 60), (60, 30, 30, 60), (240, LATEST_DEADLINE_S, 120, 120)],
)
def test_the_machine_s_own_work_has_real_time_at_any_speed(
    speed: float, deadline_s: float, stale_s: float, lag_s: float
) -> None:
    """Half a real second; no deadline beyond what the venue takes, and none below the policy's."""
    policy = policy_at(Policy(), running_at(speed))

    assert (policy.order_deadline_s, policy.quote_stale_s, policy.visibility_lag_s) == (
        deadline_s,
        stale_s,
        lag_s,
    )
    assert limits_of(policy) == limits_of(Policy())


def test_every_field_of_the_policy_is_a_limit_or_a_time() -> None:
    """A new one must be thought about here."""
    times = {each.name for each in fields(Policy) if each.name.endswith("_s")}

    assert times | set(LIMITS) == {each.name for each in fields(Policy)}
