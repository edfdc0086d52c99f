"""Chaos: a loop in a busy market, under every fault of the exchange, killed and rebuilt.

    python tests/chaos_run.py                     100 seeds of 2 busy hours, 5 of 7 quiet days
    python tests/chaos_run.py --seed 17           one of them alone, the same again
    python tests/chaos_run.py --seeds 4 --hours 1 fewer, shorter
    python tests/chaos_run.py --mutants           some of it, with each rule of gate or desk broken

Prints what went on and what was violated; exits 1 if anything was, or if too little went on.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import multiprocessing
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from builders import PAPER
from chaos_judge import Activity, activity, gaps, judged, unprotected
from chaos_market import BUSY, QUIET
from chaos_mutants import MUTANTS
from chaos_world import ChaosWorld, Chronicle, Trial
from crash_judge import Facts
from fakes import fresh_store
from zoe_tools.runtime.virtual_loop import run_virtual

SEEDS, HOURS, QUIET_SEEDS, QUIET_DAYS = 100, 2.0, 5, 7
DEATHS, OF_EACH = 3, 5
LEAST = Activity(orders=200, fills=100, partial_fills=20, reprices=20, stop_amends=20)
"""In a busy hour; a trial in which less went on proves nothing."""

_TOLD = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one trial; `digest` names all that happened, and is the same every time."""

    trial: Trial
    violations: tuple[str, ...]
    unprotected: tuple[str, ...]
    went_on: Activity
    lives: tuple[str, ...]
    struck: Counter[str]
    longest_gap_s: float
    digest: str
    cpu_s: float
    peak_mb: float

    @property
    def shortcomings(self) -> Iterator[str]:
        """Why the trial proves too little."""
        if self.trial.bustle != BUSY:
            return
        for name in Activity.__slots__:
            there, least = getattr(self.went_on, name), getattr(LEAST, name)
            if there < least:
                yield f"{there:.0f} {name} an hour, {least:.0f} are wanted"
        rare = [name for name, times in self.struck.items() if times < self.trial.blows_of_each]
        if rare:
            yield f"struck less than {self.trial.blows_of_each} times: {', '.join(sorted(rare))}"
        killed = self.lives.count("killed")
        if killed < self.trial.deaths:
            yield f"{killed} engines were killed, {self.trial.deaths} are wanted"


def tried(trial: Trial) -> Verdict:
    """Run one trial in a folder of its own."""
    home = Path(tempfile.mkdtemp(prefix="chaos-"))
    began = time.process_time()
    try:
        store = fresh_store(home, PAPER)

        async def live() -> tuple[Chronicle, Facts, tuple[str, ...]]:
            world = ChaosWorld(trial, home, store)
            chronicle, unreconciled = await world.run()
            return chronicle, await world.store.run(Facts.read), unreconciled

        chronicle, facts, unreconciled = run_virtual(live())
        store.close()
    finally:
        shutil.rmtree(home)
    struck = Counter(str(each["name"]) for each in chronicle.strikes)
    return Verdict(
        trial=trial,
        violations=(*judged(trial, chronicle, facts), *unreconciled),
        unprotected=tuple(unprotected(chronicle)),
        went_on=activity(trial, chronicle),
        lives=tuple(how for _, _, how in chronicle.lives),
        struck=struck,
        longest_gap_s=max((each.left_s for each in gaps(chronicle)), default=0.0),
        digest=hashlib.sha256(repr((chronicle, facts)).encode()).hexdigest()[:16],
        cpu_s=time.process_time() - began,
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def trials(options: argparse.Namespace) -> list[Trial]:
    """What is asked for: all seeds busy, and after them the quiet ones."""
    busy = Trial(
        seed=0, hours=options.hours, bustle=BUSY, deaths=DEATHS, blows_of_each=options.of_each
    )
    if options.seed is not None:
        return [replace(busy, seed=options.seed)]
    quiet = replace(busy, hours=options.quiet_days * 24.0, bustle=QUIET)
    return [
        *(replace(busy, seed=number) for number in range(1, options.seeds + 1)),
        *(replace(quiet, seed=number) for number in range(1, options.quiet_seeds + 1)),
    ]


def told(verdict: Verdict) -> Iterator[str]:
    """A line about a trial, and one for each thing that is wrong with it."""
    went, trial = verdict.went_on, verdict.trial
    kind = "busy" if trial.bustle == BUSY else "quiet"
    yield (
        f"{kind} {trial.seed:3}: {went.orders:.0f} orders, {went.fills:.0f} fills,"
        f" {went.partial_fills:.0f} partial, {went.reprices:.0f} reprices,"
        f" {went.stop_amends:.0f} stops amended an hour; {sum(verdict.struck.values())} faults,"
        f" {verdict.lives.count('killed')} deaths in {len(verdict.lives)} lives; longest without"
        f" a stop {verdict.longest_gap_s:.1f} s; {verdict.cpu_s:.0f} s of CPU,"
        f" {verdict.peak_mb:.0f} MB; {verdict.digest}"
    )
    wrong = (*verdict.violations, *verdict.unprotected)
    yield from (f"    VIOLATED {each}" for each in wrong[:_TOLD])
    yield from (f"    TOO LITTLE {each}" for each in verdict.shortcomings)


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def main(words: Sequence[str]) -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--hours", type=float, default=HOURS)
    parser.add_argument("--quiet-seeds", type=int, default=QUIET_SEEDS)
    parser.add_argument("--quiet-days", type=float, default=QUIET_DAYS)
    parser.add_argument("--of-each", type=int, default=OF_EACH, help="blows of each fault")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--mutants", action="store_true")
    options = parser.parse_args(words)
    logging.disable(logging.CRITICAL)
    if options.mutants:
        return _mutants(options)
    wanted, began = trials(options), time.monotonic()
    bad = 0
    with multiprocessing.get_context("fork").Pool(options.jobs, maxtasksperchild=1) as pool:
        for verdict in pool.imap_unordered(tried, wanted):
            _say(*told(verdict))
            wrong = (*verdict.violations, *verdict.unprotected, *verdict.shortcomings)
            bad += bool(wrong)
    _say(f"{len(wanted)} trials, {bad} of them bad, in {time.monotonic() - began:.0f} s")
    return int(bad > 0)


def broken(name: str, trial: Trial) -> Verdict:
    """The trial by a gate or a loop that lacks a rule; for a process that ends afterwards."""
    MUTANTS[name]()
    return tried(trial)


def _mutants(options: argparse.Namespace) -> int:
    """Each broken rule must be noticed."""
    trial = replace(trials(options)[0], seed=options.seed or 1)
    unnoticed = 0
    with multiprocessing.get_context("fork").Pool(options.jobs, maxtasksperchild=1) as pool:
        running = {name: pool.apply_async(broken, (name, trial)) for name in MUTANTS}
        for name, verdict in running.items():
            told_of = verdict.get()
            found = (*told_of.violations, *told_of.unprotected)
            unnoticed += not found
            _say(f"{name}: {found[0] if found else 'NOT NOTICED'}")
    return int(unnoticed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
