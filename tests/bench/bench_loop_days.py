"""That a loop takes no more memory after a day than after a few hours of it.

Virtual time, a process of its own: 24 hours of a market in which the loop trades. Run by
`make bench`.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from paper_load import say

DAYS = Path(__file__).parent / "loop_days.py"
HOURS, WARM_HOURS, MOST_KIB = 24, 4, 256
"""What is kept for an hour or bounded by a number has come to its size after some hours."""


def bench_a_simulated_day(tmp_path: Path) -> None:
    """Less than 256 KiB an hour, by the line that fits best from the fifth hour on."""
    environ = {"PATH": os.defpath, "PYTHONPATH": str(DAYS.parents[1])}
    told = subprocess.run(
        [sys.executable, str(DAYS), str(tmp_path), str(HOURS)],
        env=environ,
        capture_output=True,
        check=True,
        text=True,
    )
    hours = [json.loads(line) for line in told.stdout.splitlines()][WARM_HOURS:]
    slope, _ = statistics.linear_regression(
        [each["hour"] for each in hours], [each["rss_mib"] * 1024 for each in hours]
    )

    say("memory after a day", hours[-1]["rss_mib"], "MiB", 256)
    say("growth an hour", slope, "KiB", MOST_KIB)
    say("orders in the last hour", hours[-1]["orders"], "orders", 100)
    assert len(hours) == HOURS - WARM_HOURS
    assert min(each["orders"] for each in hours) >= 100
    assert slope <= MOST_KIB
