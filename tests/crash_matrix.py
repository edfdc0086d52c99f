"""The crash matrix: every plan, every fault, both databases, a kill at every moment of the gate.

    python tests/crash_matrix.py                      all of it
    python tests/crash_matrix.py --cases 60 --seed 7  some of it, the same ones every time
    python tests/crash_matrix.py --mutants            some of it, with each rule of the gate broken

Prints how many cases there were and what was violated; exits 1 if anything was, or if a broken
gate went unnoticed.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import cast

import crash_plans
from crash_bench import FAULTS, Bench, Case, Verdict
from crash_mutants import MUTANTS
from postgres_server import PostgresServer
from zoe_tools.store import schema

DATABASES = ("sqlite", "postgresql")
KILLS_OF_A_SAMPLE = 3
MOST_OF_A_PLACE = 8
_TOLD = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One plan under one fault on one database; `kills` moments are drawn, None takes all."""

    database: str
    plan: str
    fault: str
    kills: int | None
    seed: int


def columns(cases: int | None, seed: int) -> list[Column]:
    """All of them, the longest first; or as many, drawn, as make so many cases."""
    rows = itertools.product(reversed(crash_plans.NAMES), FAULTS, DATABASES)
    made = [
        Column(database=database, plan=plan, fault=fault, kills=None, seed=seed)
        for plan, fault, database in rows
    ]
    if cases is None:
        return made
    kills = max(KILLS_OF_A_SAMPLE, cases // len(made) - 1)
    drawn = random.Random(seed).sample(made, min(len(made), cases // (kills + 1)))
    return [replace(each, kills=kills) for each in drawn]


def run_column(bench: Bench, column: Column) -> list[Verdict]:
    """The plan to its end, and then killed at each moment (or at the drawn ones)."""

    def case(fatal: int | None) -> Case:
        return Case(database=column.database, plan=column.plan, fault=column.fault, fatal=fatal)

    whole = bench.run(case(None))
    moments = sorted(_chosen(whole.moments))
    if column.kills is not None:
        draw = random.Random(f"{column.seed}:{column.plan}:{column.fault}")
        moments = draw.sample(moments, min(column.kills, len(moments)))
    return [whole, *(bench.run(case(at)) for at in moments)]


def _chosen(places: Sequence[str]) -> Iterator[int]:
    """The numbers of the moments: every place, those of a long wait not more often than that."""
    at: dict[str, list[int]] = {}
    for number, place in enumerate(places, start=1):
        at.setdefault(place, []).append(number)
    for numbers in at.values():
        few = min(len(numbers), MOST_OF_A_PLACE)
        yield from (numbers[index * len(numbers) // few] for index in range(few))


class Crew:
    """Processes that take one column after the other, each with an exchange of its own.

    `broken` names a mutant for each of them, or is empty.
    """

    def __init__(self, urls: Sequence[dict[str, str]], broken: Sequence[str] = ()) -> None:
        self._pipes: list[Connection] = []
        self._pids: list[int] = []
        for number, by_database in enumerate(urls):
            ours, theirs = multiprocessing.Pipe()
            pid = os.fork()
            if not pid:
                for each in (*self._pipes, ours):
                    each.close()
                _work(theirs, number, by_database, broken[number] if broken else "")
            theirs.close()
            self._pipes.append(ours)
            self._pids.append(pid)

    def run(self, wanted: Sequence[Column]) -> Iterator[tuple[Column, list[Verdict]]]:
        """Each column with its verdicts, as they come."""
        left = list(reversed(wanted))
        busy = 0
        for pipe in self._pipes:
            busy += _hand_out(pipe, left)
        while busy:
            for pipe in cast("list[Connection]", wait(self._pipes)):
                yield pipe.recv()
                busy += _hand_out(pipe, left) - 1

    def run_each(self, wanted: Sequence[Column]) -> Iterator[list[Verdict]]:
        """One column for each, in order."""
        for pipe, column in zip(self._pipes, wanted, strict=True):
            pipe.send(column)
        for pipe in self._pipes:
            yield pipe.recv()[1]

    def close(self) -> None:
        """Let them end."""
        for pipe in self._pipes:
            pipe.close()
        for pid in self._pids:
            os.waitpid(pid, 0)


def _hand_out(pipe: Connection, left: list[Column]) -> int:
    if not left:
        return 0
    pipe.send(left.pop())
    return 1


def _next_column(pipe: Connection) -> Column | None:
    try:
        column: Column = pipe.recv()
    except EOFError:
        return None
    return column


def _work(pipe: Connection, number: int, urls: dict[str, str], mutant: str) -> None:
    code = 1
    try:
        logging.disable(logging.CRITICAL)
        if mutant:
            MUTANTS[mutant].breaks()
        bench = Bench(urls, f"crew-{number}")
        while (column := _next_column(pipe)) is not None:
            pipe.send((column, run_column(bench, column)))
        bench.close()
        code = 0
    except BaseException:  # noqa: BLE001 - a forked process must not return into its parent's work
        traceback.print_exc()
    finally:
        os._exit(code)


@contextmanager
def stores(count: int, *, has_server: bool = True) -> Iterator[list[dict[str, str]]]:
    """For each worker the URL of an empty store on each database."""
    folder = Path(tempfile.mkdtemp(prefix="zoe-crash-"))
    server = PostgresServer() if has_server else None
    try:
        # Migrated once each: the others are copies.
        migrated = folder / "migrated.db"
        schema.upgrade(f"sqlite:///{migrated}")
        template = ""
        if server is not None:
            template = server.create_database()
            schema.upgrade(server.url(template))
        made: list[dict[str, str]] = []
        for number in range(count):
            path = shutil.copyfile(migrated, folder / f"{number}.db")
            urls = {"sqlite": f"sqlite:///{path}"}
            if server is not None:
                urls["postgresql"] = server.url(server.create_database(template))
            made.append(urls)
        yield made
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder)


def main(arguments: Sequence[str]) -> int:
    """See the module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=6)
    parser.add_argument("--mutants", action="store_true")
    told = parser.parse_args(arguments)
    # Asked to end, it ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    return run_mutants() if told.mutants else run_matrix(told.cases, told.seed, told.jobs)


def run_matrix(cases: int | None, seed: int, jobs: int) -> int:
    """All of it, or some."""
    began = time.monotonic()
    verdicts: list[tuple[Column, Verdict]] = []
    is_whole = False
    try:
        with stores(jobs) as urls:
            crew = Crew(urls)
            try:
                for column, found in crew.run(columns(cases, seed)):
                    verdicts += [(column, each) for each in found]
                is_whole = True
            finally:
                crew.close()
    finally:
        # Told to end early, it says what it has found so far.
        code = report(verdicts, time.monotonic() - began)
    return code if is_whole else 1


def run_mutants() -> int:
    """Each broken gate with the cases that tell; 1 if one was not noticed."""
    wanted = [
        Column(database="sqlite", plan=each.plan, fault=each.fault, kills=each.kills, seed=1)
        for each in MUTANTS.values()
    ]
    with stores(len(MUTANTS), has_server=False) as urls:
        crew = Crew(urls, tuple(MUTANTS))
        try:
            found = [
                [violation for verdict in verdicts for violation in verdict.violations]
                for verdicts in crew.run_each(wanted)
            ]
        finally:
            crew.close()
    for name, violations in zip(MUTANTS, found, strict=True):
        _say(f"{name}: {len(violations)} violations {violations[:1]}")
    return 0 if all(found) else 1


def report(verdicts: Sequence[tuple[Column, Verdict]], took_s: float) -> int:
    """Say what was tried and what was wrong; 1 if anything was."""
    wrong = [(column, each) for column, each in verdicts if each.violations]
    by_fault = Counter(column.fault for column, _ in verdicts)
    by_plan = Counter(column.plan for column, _ in verdicts)
    kills = [each for _, each in verdicts if each.place]
    places = Counter(each.place for each in kills)
    for column, each in wrong[:_TOLD]:
        where = f"{column.database}, {column.plan}, {column.fault}, moment {each.case.fatal}"
        _say(f"{where} ({each.place}): {'; '.join(each.violations)}")
    by_database = Counter(column.database for column, _ in verdicts)
    _say(f"{len(verdicts)} cases in {took_s:.0f} s: {dict(by_database)}")
    _say(f"by fault: {dict(by_fault)}; by plan: {dict(by_plan)}")
    _say(f"{len(kills)} kills at {len(places)} places of the gate")
    _say(f"{len(wrong)} violations")
    return 1 if wrong else 0


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - what it is run for


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
