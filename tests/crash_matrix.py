"""The crash matrix: every plan, every fault, both databases, a kill at every moment of the gate.

    python tests/crash_matrix.py                      all of it
    python tests/crash_matrix.py --cases 60 --seed 7  some of it, the same ones every time
    python tests/crash_matrix.py --mutants            some of it, with each rule of the gate broken

Prints how many cases there were and what was violated; exits 1 if anything was, if a broken gate
went unnoticed, or if it was told to end (SIGTERM, SIGINT), which it does at once.
"""

from __future__ import annotations

import argparse
import contextlib
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
from typing import Self, cast

import crash_plans
from crash_bench import FAULTS, Bench, Case, Verdict
from crash_mutants import MUTANTS
from postgres_server import PostgresServer
from zoe_tools.store import schema

DATABASES = ("sqlite", "postgresql")
KILLS_OF_A_SAMPLE = 3
MOST_OF_A_PLACE = 8
_TOLD = 30
_TO_END = (signal.SIGTERM, signal.SIGINT)


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
            _lead_a_group(pid)
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        """Let them end; with what they are at, if all of it is over."""
        for pipe in self._pipes:
            pipe.close()
        for pid in self._pids:
            if failure is not None:
                os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _lead_a_group(pid: int) -> None:
    """Whatever the process starts can be ended with it: its exchange, the child of its case.

    Said by both sides: whoever comes first.
    """
    with contextlib.suppress(PermissionError, ProcessLookupError):
        os.setpgid(pid, pid)


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
        _lead_a_group(os.getpid())
        for each in _TO_END:
            signal.signal(each, signal.SIG_DFL)
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
    server: PostgresServer | None = None
    try:
        server = PostgresServer() if has_server else None
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
    parser.add_argument("--database", choices=DATABASES)
    told = parser.parse_args(arguments)
    for each in _TO_END:
        signal.signal(each, _end)
    if told.mutants:
        return run_mutants()
    wanted = [
        each for each in columns(told.cases, told.seed) if told.database in (None, each.database)
    ]
    return run_matrix(wanted, told.jobs)


def _end(*_: object) -> None:
    """Asked to end, it ends what it started; asked again, it is doing so."""
    for each in _TO_END:
        signal.signal(each, signal.SIG_IGN)
    sys.exit(1)


def run_matrix(wanted: Sequence[Column], jobs: int) -> int:
    """Those columns. Told to end early, it says what it has found so far."""
    began = time.monotonic()
    verdicts: list[tuple[Column, Verdict]] = []
    done = 0
    has_server = any(each.database == "postgresql" for each in wanted)
    try:
        with stores(jobs, has_server=has_server) as urls, Crew(urls) as crew:
            _say(f"{len(wanted)} columns, {jobs} at a time")
            for column, found in crew.run(wanted):
                verdicts += [(column, each) for each in found]
                done += 1
    finally:
        if done < len(wanted):
            _say(f"ended early: {done} of {len(wanted)} columns are whole")
        code = report(verdicts, time.monotonic() - began)
    return code


def run_mutants() -> int:
    """Each broken gate with the cases that tell; 1 if one was not noticed."""
    wanted = [
        Column(database="sqlite", plan=each.plan, fault=each.fault, kills=each.kills, seed=1)
        for each in MUTANTS.values()
    ]
    with stores(len(MUTANTS), has_server=False) as urls, Crew(urls, tuple(MUTANTS)) as crew:
        found = [
            [violation for verdict in verdicts for violation in verdict.violations]
            for verdicts in crew.run_each(wanted)
        ]
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
