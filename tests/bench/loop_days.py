"""A loop through simulated hours of a quiet market; after each of them, the memory it takes.

Run as `python loop_days.py HOME HOURS`; prints a JSON line an hour. The exchange in the same
process keeps its history in a file and few prints, of an hour and not of a day, and nobody
remembers what was shown: what grows is the loop's.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import chaos_world
import kraken_answers as kraken
from builders import PAPER, d
from chaos_market import QUIET, ChaosMarket
from chaos_world import API_KEY, MONEY, STARTS_AT, ChaosWorld, Trial
from fakes import fresh_store
from zoe_tools.paper.app import create_app
from zoe_tools.paper.engine import tape
from zoe_tools.paper.exchange.exchange import ExchangeOptions, PaperExchange
from zoe_tools.paper.exchange.state import StateFile
from zoe_tools.paper.values.times import NS
from zoe_tools.runtime.virtual_loop import run_virtual
from zoe_tools.store.store import Store

HOUR_S = 3600
STEP_MS = (2_000, 3_000)


def _rss_mib() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class Silent:
    """A narrator that keeps nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_args, **_named: None


class Days(ChaosWorld):
    """A trial without faults, at an exchange that keeps its history in a file."""

    def __init__(self, trial: Trial, home: Path, store: Store) -> None:
        super().__init__(trial, home, store)
        seconds = int(trial.hours * HOUR_S)
        market = ChaosMarket(trial.seed, trial.bustle, starts_at=STARTS_AT, duration_s=seconds)
        self.exchange = PaperExchange(
            market,
            self.clock,
            seed=trial.seed,
            state=StateFile(home / "paper.sqlite", synchronous="OFF"),
            options=ExchangeOptions(tier="pro", history_in_memory=100),
        )
        self.exchange.create_account("chaos", API_KEY, kraken.SECRET, balances=MONEY, tier="pro")
        self._app = create_app(self.exchange, proof_secret=None)

    async def tell(self) -> None:
        """The resident memory, hour by hour."""
        for hour in range(1, int(self.trial.hours) + 1):
            await self.clock.sleep(HOUR_S)
            told = {"hour": hour, "rss_mib": _rss_mib(), "orders": await self._orders()}
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()

    async def _orders(self) -> int:
        """How many were made in the last hour."""
        since = self.clock.now() - timedelta(seconds=HOUR_S)
        return await self.store.run(lambda transaction: len(transaction.orders(since=since)))


def main() -> None:
    """Live, and tell."""
    home, hours = Path(sys.argv[1]), float(sys.argv[2])
    logging.disable(logging.CRITICAL)
    vars(chaos_world)["RecordingNarrator"] = Silent
    vars(tape).update(DAY_NS=HOUR_S * NS, PRINTS_KEPT=100)
    trial = Trial(
        seed=1, hours=hours, bustle=replace(QUIET, gap_ms=STEP_MS), deaths=0, blows_of_each=0
    )
    trial = replace(trial, policy=replace(trial.policy, max_daily_notional=d("1000000")))
    store = fresh_store(home, PAPER)

    async def live() -> None:
        world = Days(trial, home, store)
        telling = asyncio.create_task(world.tell())
        await world.run()
        await telling

    run_virtual(live())


if __name__ == "__main__":
    main()
