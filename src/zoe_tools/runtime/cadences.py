"""How fast recurring things go in a run: as live, or stretched.

Stretched to the grain of a replay, or to an exchange whose time runs faster than the machine works.
"""

from __future__ import annotations

from dataclasses import replace

from zoe_tools.domain.cadence import Cadence
from zoe_tools.domain.policy import Policy
from zoe_tools.ports import Clock
from zoe_tools.runtime.clocks import ScaledClock

_LIVE = Cadence()

LIVE_GRAIN_S = 2.0
"""A market that tells something at least this often is followed at the live pace."""


LIVE_PACE_SPEED = 60.0
"""Up to this speed the machine keeps the live pace of cycles and heartbeats."""

WORK_S = 0.5
"""Real seconds that a journaled send and its answer may take on a busy machine."""

LATEST_DEADLINE_S = 60.0
"""The venue takes no deadline further ahead."""


def stretch_for(granularity_s: float) -> float:
    """By how much the periods are stretched for a market that speaks every `granularity_s`."""
    return max(1.0, granularity_s / LIVE_GRAIN_S)


def cadence_for(granularity_s: float) -> Cadence:
    """The cadence of a run on such a market."""
    factor = stretch_for(granularity_s)
    cadence = Cadence().stretched(factor)
    if factor > 1:
        # Nobody kills a replay in mid-flight; asking its store half a million times helps nobody.
        cadence = replace(cadence, state_poll_s=cadence.health_s)
    return cadence


def stretched_policy(policy: Policy, granularity_s: float) -> Policy:
    """The same limits of money; times that mean "soon" are as long as the market's own pace."""
    factor = stretch_for(granularity_s)
    return replace(
        policy,
        quote_stale_s=policy.quote_stale_s * factor,
        market_stale_s=policy.market_stale_s * factor,
        trades_stale_s=policy.trades_stale_s * factor,
        candle_stale_s=policy.candle_stale_s * factor,
        order_ttl_entry_s=policy.order_ttl_entry_s * factor,
        order_ttl_exit_s=policy.order_ttl_exit_s * factor,
    )


def cadence_at(clock: Clock, live: Cadence = _LIVE) -> Cadence:
    """The cadence of a run at the clock's speed."""
    return live.stretched(_speed_of(clock) / LIVE_PACE_SPEED)


def policy_at(policy: Policy, clock: Clock) -> Policy:
    """The same limits of money; what bounds the machine's own work has real time for it.

    An exchange at sixty times the speed is no reason to let orders die after 80 milliseconds.
    """
    work_s = WORK_S * _speed_of(clock)
    return replace(
        policy,
        order_deadline_s=max(policy.order_deadline_s, min(work_s, LATEST_DEADLINE_S)),
        stop_deadline_s=max(policy.stop_deadline_s, min(work_s, LATEST_DEADLINE_S)),
        visibility_lag_s=max(policy.visibility_lag_s, work_s),
        quote_stale_s=max(policy.quote_stale_s, work_s),
        market_stale_s=_at_least(policy.market_stale_s, work_s),
        trades_stale_s=_at_least(policy.trades_stale_s, work_s),
        candle_stale_s=_at_least(policy.candle_stale_s, work_s),
        plan_lifetime_s=max(policy.plan_lifetime_s, work_s * 10),
    )


def _at_least(limit_s: float, work_s: float) -> float:
    """A limit of 0 is none, and stays so."""
    return max(limit_s, work_s) if limit_s else 0.0


def _speed_of(clock: Clock) -> float:
    return clock.speed if isinstance(clock, ScaledClock) else 1.0
