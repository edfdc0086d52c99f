"""From a frame of the venue to the bytes of the order that answers it, over real sockets.

The loop and the exchange are processes of their own; ten instruments tell 200 frames a second in
all. The limits are the promise, on an idle machine of two cores. Run by `make bench`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ZOE = Path(sys.executable).parent / "zoe"
CHILD = Path(__file__).parent / "loop_child.py"
COINS = ("BTC", "ETH", "SOL", "STORJ", "DOGE", "XRP", "LTC", "ADA")
QUIET = ("EUR", "USDC")
"""Followed, and not traded."""

SPEED, VENUE_S = 20, 1_200
GAP_MS = (4_800, 7_200)
"""Venue milliseconds between two steps of a pair: 200 frames a second of the wall."""
P50_MS, P99_MS, CORE = 3.0, 10.0, 0.25


def bench_tick_to_order(tmp_path: Path) -> None:
    """p50 3 ms and p99 10 ms; the loop takes a quarter of a core."""
    home = tmp_path / "home"
    environ = {"ZOE_HOME": str(home), "PATH": os.defpath, "HOME": str(tmp_path)}
    environ["PYTHONPATH"] = str(CHILD.parents[1])
    subprocess.run([str(ZOE), "init"], env=environ, check=True, capture_output=True, timeout=60)
    names = [",".join(f"{coin}/USD" for coin in coins) for coins in (COINS, QUIET)]
    with _exchange(home, tmp_path, environ):
        done = subprocess.run(
            [sys.executable, str(CHILD), str(home), str(VENUE_S), *names],
            env=environ,
            check=True,
            capture_output=True,
            text=True,
            timeout=600,
        )
    told = json.loads(done.stdout.splitlines()[-1])
    every = sorted(took for each in told["reactions"].values() for took in each)
    for kind, took in told["reactions"].items():
        _say(kind, sorted(took))
    _say("those with no other beside them", sorted(told["alone"]))
    _say("tick to order", every)
    sys.stdout.write(f"\n{told['frames']:.0f} frames/s, {told['cpu']:.1%} of a core")

    assert told["frames"] >= 180
    assert _at(every, 0.5) <= P50_MS
    assert _at(every, 0.99) <= P99_MS
    assert told["cpu"] <= CORE


@contextmanager
def _exchange(home: Path, folder: Path, environ: Mapping[str, str]) -> Iterator[None]:
    """Ten pairs at the speed, without limits; ready once its endpoint can be read."""
    prices = {"BTC": 65_000, "ETH": 3_400, "SOL": 150, "LTC": 90}
    names = [f"{each}/USD" for each in (*COINS, *QUIET)]
    params = folder / "market.json"
    params.write_text(
        json.dumps(
            {
                "gap_ms": GAP_MS,
                "noise_ppm": 1_500,
                "start_prices": {name: prices.get(name[:3], 1) for name in names},
            }
        )
    )
    words = [str(ZOE), "paper", "serve", "--speed", str(SPEED), "--no-limits"]
    serving = subprocess.Popen(
        [*words, "--market-params", str(params)], env=environ, stdout=subprocess.DEVNULL
    )
    try:
        give_up_at = time.monotonic() + 60
        while not (home / "paper" / "port.json").exists():
            assert time.monotonic() < give_up_at, "the exchange did not start"
            time.sleep(0.1)
        yield
    finally:
        serving.terminate()
        serving.wait()


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _say(what: str, ordered: Sequence[float]) -> None:
    sys.stdout.write(
        f"\n{what}: {len(ordered)} times, p50 {_at(ordered, 0.5):.2f} ms,"
        f" p99 {_at(ordered, 0.99):.2f} ms, longest {ordered[-1]:.2f} ms"
    )
