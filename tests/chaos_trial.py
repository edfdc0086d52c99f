"""One trial of chaos from its beginning to what is to be thought of it."""

from __future__ import annotations

import gc
import hashlib
import resource
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from builders import PAPER
from chaos_activity import LEAST, Activity, activity
from chaos_growth import growth, is_long_enough, slope_mb_a_day
from chaos_judge import judged
from chaos_market import BUSY
from chaos_mutants import MUTANTS
from chaos_patience import overlong
from chaos_prices import too_dear
from chaos_protection import gaps, unprotected
from chaos_world import ChaosWorld, Trial
from crash_judge import Facts
from fakes import fresh_store
from zoe_tools.runtime.virtual_loop import run_virtual

_SELDOM = (20_000, 20, 20)
"""Cycles are looked for less often than usual: a trial keeps millions of things for its judge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one trial; `digest` names all that happened, and is the same every time."""

    trial: Trial
    violations: tuple[str, ...]
    hours: tuple[Activity, ...]
    lives: tuple[str, ...]
    struck: Counter[str]
    longest_gap_s: float
    digest: str
    wall_s: float
    cpu_s: float
    peak_mb: float
    slope_mb_a_day: float | None = None
    """Of a quiet trial, what memory grew by beside what the test keeps."""

    @property
    def is_busy(self) -> bool:
        """Whether it had to do with a busy market."""
        return self.trial.bustle == BUSY

    @property
    def shortcomings(self) -> Iterator[str]:
        """Why the trial proves too little."""
        if not self.is_busy:
            if not is_long_enough(self.trial.hours):
                yield f"{self.trial.hours:g} quiet hours do not tell what grows"
            return
        for number, hour in enumerate(self.hours, 1):
            yield from (f"hour {number}: {each}" for each in hour.short_of(LEAST))
        rare = [name for name, times in self.struck.items() if times < self.trial.blows_of_each]
        if rare:
            yield f"struck less than {self.trial.blows_of_each} times: {', '.join(sorted(rare))}"
        killed = self.lives.count("killed")
        if killed < self.trial.deaths:
            yield f"{killed} engines were killed, {self.trial.deaths} are wanted"

    @property
    def is_bad(self) -> bool:
        """Whether something was violated, or too little went on."""
        return bool(self.violations) or any(True for _ in self.shortcomings)


def tried(trial: Trial) -> Verdict:
    """Run one trial in a folder of its own."""
    gc.set_threshold(*_SELDOM)
    home = Path(tempfile.mkdtemp(prefix="chaos-"))
    began, began_cpu = time.perf_counter(), time.process_time()
    try:
        store = fresh_store(home, PAPER)

        async def live() -> tuple[ChaosWorld, Facts, tuple[str, ...]]:
            world = ChaosWorld(trial, home, store)
            _, unreconciled = await world.run()
            return world, await world.store.run(Facts.read), unreconciled

        world, facts, unreconciled = run_virtual(live())
        chronicle = world.chronicle
        store.close()
    finally:
        shutil.rmtree(home)
    return Verdict(
        trial=trial,
        violations=(
            *judged(trial, chronicle, facts),
            *unprotected(chronicle),
            *overlong(trial, chronicle),
            *too_dear(trial, chronicle, facts.orders),
            *unreconciled,
            *growth(world.looks),
        ),
        hours=activity(trial, chronicle),
        lives=tuple(how for _, _, how in chronicle.lives),
        struck=Counter(str(each["name"]) for each in chronicle.strikes),
        longest_gap_s=max((each.left_s for each in gaps(chronicle)), default=0.0),
        digest=hashlib.sha256(repr((chronicle, facts)).encode()).hexdigest()[:16],
        wall_s=time.perf_counter() - began,
        cpu_s=time.process_time() - began_cpu,
        slope_mb_a_day=slope_mb_a_day(world.looks) if world.looks else None,
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def broken(name: str, trial: Trial) -> Verdict:
    """The trial by a gate or a loop that lacks a rule; for a process that ends afterwards."""
    MUTANTS[name]()
    return tried(trial)
