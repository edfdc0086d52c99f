"""Chaos: a loop in a busy market, under every fault of the exchange, killed and rebuilt.

    python tests/chaos_run.py                     100 seeds of 2 busy hours, 5 of 7 quiet days
    python tests/chaos_run.py --seed 17           one of them alone, the same again
    python tests/chaos_run.py --seed 17 --twice   by two processes, to be told whether it is
    python tests/chaos_run.py --seed 3 --quiet-days 7   a quiet one alone
    python tests/chaos_run.py --seeds 4 --hours 1 fewer, shorter; --first 20 begins with the 20th
    python tests/chaos_run.py --mutants           nine good minutes, with each of eight rules broken

Tells of each trial as it ends: orders, fills, partial fills, repricings and moved stops of each
hour, and what was violated; then a table. Exits 1 if anything was, or if too little went on, or
if in quiet days anything grew. Even seeds trade under limits that bind.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

from chaos_market import BUSY, QUIET
from chaos_mutants import MUTANTS
from chaos_summary import again, summary, told
from chaos_trial import Verdict, broken, tried
from chaos_world import POLICY, TIGHT, Trial

SEEDS, HOURS, QUIET_SEEDS, QUIET_DAYS = 100, 2.0, 5, 7.0
DEATHS, OF_EACH, STOPS = 3, 5, 2

MINUTES = Trial(seed=6, hours=0.15, bustle=BUSY, deaths=1, blows_of_each=1, policy=TIGHT, stops=3)
"""Every fault, a death and stops; nothing is violated, and with any rule broken something is."""


def trials(options: argparse.Namespace) -> list[Trial]:
    """What is asked for: the quiet ones first, which take longest, then all busy seeds."""
    busy = Trial(
        seed=0,
        hours=options.hours,
        bustle=BUSY,
        deaths=options.deaths,
        blows_of_each=options.of_each,
        stops=options.stops,
    )
    days = QUIET_DAYS if options.quiet_days is None else options.quiet_days
    quiet = replace(busy, hours=days * 24.0, bustle=QUIET)
    if options.seed is not None:
        return [_seeded(busy if options.quiet_days is None else quiet, options.seed)]
    first = options.first
    return [
        *(_seeded(quiet, number) for number in range(1, options.quiet_seeds + 1)),
        *(_seeded(busy, number) for number in range(first, first + options.seeds)),
    ]


def _seeded(trial: Trial, seed: int) -> Trial:
    """Each other one trades under limits that bind."""
    return replace(trial, seed=seed, policy=POLICY if seed % 2 else TIGHT)


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def main(words: Sequence[str]) -> int:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--hours", type=float, default=HOURS)
    parser.add_argument("--quiet-seeds", type=int, default=QUIET_SEEDS)
    parser.add_argument("--quiet-days", type=float)
    parser.add_argument("--of-each", type=int, default=OF_EACH, help="blows of each fault")
    parser.add_argument("--deaths", type=int, default=DEATHS)
    parser.add_argument(
        "--stops", type=int, default=STOPS, help="times that somebody stops trading"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--twice", action="store_true")
    parser.add_argument("--mutants", action="store_true")
    options = parser.parse_args(words)
    if options.mutants:
        parser.set_defaults(
            seed=MINUTES.seed,
            hours=MINUTES.hours,
            deaths=MINUTES.deaths,
            of_each=MINUTES.blows_of_each,
            stops=MINUTES.stops,
        )
        return _mutants(parser.parse_args(words))
    verdicts = _tried(trials(options), options.jobs)
    differ = [each for each in verdicts if options.twice and not _is_the_same(each)]
    return int(bool(differ) or any(each.is_bad for each in verdicts))


def _tried(wanted: Sequence[Trial], jobs: int) -> list[Verdict]:
    """All of them, each in a process of its own, so many at a time."""
    began = time.perf_counter()
    verdicts: list[Verdict] = []
    with multiprocessing.get_context("fork").Pool(jobs, maxtasksperchild=1) as pool:
        for verdict in pool.imap_unordered(tried, wanted):
            verdicts.append(verdict)
            first, *others = told(verdict)
            _say(f"{len(verdicts):3}/{len(wanted)} {first}", *others)
    _say(*summary(verdicts, time.perf_counter() - began))
    return verdicts


def _is_the_same(verdict: Verdict) -> bool:
    """Whether another process, with another hash seed, comes to the same by the command told."""
    command = ("env", "PYTHONHASHSEED=4711", sys.executable, __file__, *again(verdict))
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    is_same = verdict.digest in ran.stdout
    _say(f"seed {verdict.trial.seed} again: {'the same' if is_same else 'NOT THE SAME'}")
    return is_same


def _mutants(options: argparse.Namespace) -> int:
    """Each broken rule must be noticed, by a trial that is good where none is broken."""
    (trial,) = trials(options)
    unnoticed, cpu_s = 0, 0.0
    with multiprocessing.get_context("fork").Pool(options.jobs, maxtasksperchild=1) as pool:
        sound = pool.apply(tried, (trial,))
        if sound.violations:
            _say("The trial is bad with no rule broken, so it proves nothing:", *told(sound))
            return 1
        _say(f"no rule broken: nothing violated; {sound.cpu_s:.0f} s CPU")
        running = {name: pool.apply_async(broken, (name, trial)) for name in MUTANTS}
        for name, waiting in running.items():
            verdict = waiting.get()
            unnoticed += not verdict.violations
            cpu_s += verdict.cpu_s
            _say(f"{name}: {verdict.violations[0] if verdict.violations else 'NOT NOTICED'}")
    noticed = len(MUTANTS) - unnoticed
    _say(f"{noticed} of {len(MUTANTS)} noticed; {sound.cpu_s + cpu_s:.0f} s CPU")
    return int(unnoticed > 0)


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    sys.exit(main(sys.argv[1:]))
