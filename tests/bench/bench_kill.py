"""How long it takes to be flat: ten positions with their stops and thirty open buys, on loopback.

The same rehearsal as `zoe kill --rehearse`. The limit holds on an idle machine of two cores.
"""

from __future__ import annotations

import sys

from zoe_tools.runtime.rehearsal import ORDERS, POSITIONS, rehearse_kill

LIMIT_S = 5.0


def bench_the_time_to_flat() -> None:
    """Printed: seconds, and what each tier's limits add; failed: not flat, or over five seconds."""
    told = rehearse_kill()

    sys.stdout.write(
        f"\n{told.positions} positions, {told.orders} orders: latched after {told.latched_s:.3f} s,"
        f" no buy left after {told.cancelled_s:.2f} s, flat after {told.flat_s:.2f} s"
        f" (limit {LIMIT_S:.0f}), longest without a stop {told.naked_s:.3f} s"
    )
    for tier in told.tiers:
        sys.stdout.write(
            f"\n  {tier.tier}: {tier.rest_points} points of calls, room for {tier.rest_room}:"
            f" {tier.wait_s:.0f} s of waiting; dearest pair {tier.pair_points} points, orders just"
            f" placed {tier.pair_points_young}, room for {tier.pair_room}"
        )
    assert (told.positions, told.orders) == (POSITIONS, ORDERS)
    assert told.is_flat
    assert told.flat_s < LIMIT_S
