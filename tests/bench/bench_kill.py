"""How long it takes to be flat, and until a running loop heeds the row that stops it.

The first is the rehearsal of `zoe kill --rehearse`. The limits hold on two idle cores.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

from program import Home, let_time_pass, wait_until
from zoe_tools.runtime.rehearsal import ORDERS, POSITIONS, rehearse_kill

LIMIT_S = 5.0
NOTICED_LIMIT_S = 1.0
TOGGLES = 5


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


def switched(home: Home, value: str) -> None:
    """The runbooks' statement, by hands that have no zoe."""
    with closing(sqlite3.connect(home.folder / "zoe.db", timeout=5)) as database, database:
        database.execute("UPDATE config SET value=? WHERE key='kill_switch'", (value,))


def told(home: Home) -> int:
    """How many kills the loop has told of."""
    log = home.folder / "logs" / "zoe.log"
    return log.read_text("utf-8").count('"KILL_SWITCH_ACTIVATED"') if log.exists() else 0


def bench_the_sql_switch(tmp_path: Path) -> None:
    """Printed: seconds until a loop told of it, five times; failed: one of them over a second."""
    home = Home(folder=tmp_path / "home")
    home.folder.mkdir(mode=0o700)
    home.fund({"USD": "10000"})
    home.serve()
    try:
        assert home.here("init").code == 0
        took = []
        with home.started("run", "--strategy", "hold"):
            wait_until(lambda: "READY" in home.here("status").out)
            for _ in range(TOGGLES):
                before = told(home)
                switched(home, "true")
                began = time.perf_counter()
                while told(home) == before:
                    assert time.perf_counter() - began < 10 * NOTICED_LIMIT_S
                    let_time_pass(0.01)
                took.append(time.perf_counter() - began)
                switched(home, "false")
                assert home.here("resume", "--execute").code == 0
                let_time_pass(NOTICED_LIMIT_S)
    finally:
        home.stop_exchange()

    sys.stdout.write(f"\nthe SQL switch was noticed after {', '.join(f'{s:.2f}' for s in took)} s")
    assert max(took) < NOTICED_LIMIT_S
