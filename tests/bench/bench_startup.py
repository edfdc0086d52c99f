"""How long a person waits for an answer that needs no venue: wall time of whole processes, warm.

The limits are the promise; they hold on an idle machine of two cores. Run by `make bench`.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

RUNS = 20
ZOE = Path(sys.executable).parent / "zoe"


def median_ms(words: tuple[str, ...], home: Path) -> float:
    """Median wall time of the command in milliseconds, after one run to warm up."""
    variables = {"ZOE_HOME": str(home), "HOME": str(home.parent), "PATH": os.defpath}
    times: list[float] = []
    for _ in range(RUNS + 1):
        started = time.perf_counter()
        finished = subprocess.run(
            [str(ZOE), *words], env=variables, capture_output=True, check=False, timeout=60
        )
        times.append((time.perf_counter() - started) * 1_000)
        assert finished.returncode in {0, 3}, finished.stderr
    return statistics.median(times[1:])


@pytest.mark.parametrize(
    ("words", "limit_ms"),
    [
        (("--help",), 150),
        (("--version",), 150),
        (("config", "show"), 400),
        (("status",), 400),
        (("health",), 400),
    ],
    ids=["help", "version", "config show", "status", "health"],
)
def bench_an_answer_without_the_venue(
    words: tuple[str, ...], limit_ms: int, tmp_path: Path
) -> None:
    """Printed: the median of twenty; failed: a median above the limit."""
    home = tmp_path / "home"
    subprocess.run(
        [str(ZOE), "init"],
        env={"ZOE_HOME": str(home), "HOME": str(tmp_path), "PATH": os.defpath},
        capture_output=True,
        check=True,
        timeout=60,
    )

    took_ms = median_ms(words, home)

    sys.stdout.write(f"\nzoe {' '.join(words)}: {took_ms:.0f} ms, limit {limit_ms} ms")
    assert took_ms <= limit_ms
