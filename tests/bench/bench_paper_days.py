"""How long simulated days of the paper exchange take, and that a week needs no more memory.

A process of its own, pinned to one core, lives the days; state in a file. Run by `make bench`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from paper_load import say

WEEK = Path(__file__).parent / "paper_week.py"
MOST_S, MOST_MIB = 60, 8


def bench_a_simulated_week(tmp_path: Path) -> None:
    """A day of a trade a second in under a minute; after seven, memory as after the first."""
    core = min(os.sched_getaffinity(0))
    told = subprocess.run(
        [sys.executable, str(WEEK), str(tmp_path / "paper.sqlite"), "7", str(core)],
        capture_output=True,
        check=True,
        text=True,
    )
    days = [json.loads(line) for line in told.stdout.splitlines()]
    grown = days[-1]["rss_mib"] - days[0]["rss_mib"]

    assert [day["day"] for day in days] == [1, 2, 3, 4, 5, 6, 7]
    say("a simulated day, the slowest of seven", max(day["took_s"] for day in days), "s", MOST_S)
    say("of its core", max(day["cpu_s"] for day in days), "s", MOST_S)
    say("memory after the first day", days[0]["rss_mib"], "MiB", 256)
    say("more after the seventh", grown, "MiB", MOST_MIB)
    assert max(day["took_s"] for day in days) <= MOST_S
    assert grown <= MOST_MIB
