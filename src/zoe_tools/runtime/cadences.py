"""How fast recurring things go in a run: as live, or stretched to the grain of a replay."""

from __future__ import annotations

from dataclasses import replace

from zoe_tools.domain.cadence import Cadence
from zoe_tools.domain.policy import Policy

LIVE_GRAIN_S = 2.0
"""A market that tells something at least this often is followed at the live pace."""


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
        order_ttl_entry_s=policy.order_ttl_entry_s * factor,
        order_ttl_exit_s=policy.order_ttl_exit_s * factor,
    )
