"""One key, many processes: nobody is refused, neither for a nonce nor for asking too often."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

import key_sharer
from conformance_venue import served
from nursery import Talking, nursery

SPEED = 20
PRO_CALLS, PRO_DECAY = 20, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What all processes met, and the seconds from the first call to the last answer."""

    failures: list[str]
    refusals: dict[str, int]
    seconds: float


def shared_by(home: Path, *, processes: int, calls: int) -> Shared:
    """Processes that start to ask at once."""
    sharers = [
        nursery().talk(key_sharer.__file__, str(home), str(calls), str(number))
        for number in range(processes)
    ]
    try:
        for each in sharers:
            assert each.stdout.readline() == "ready\n"
        told = [json.loads(text) for text in _run(sharers)]
    finally:
        for each in sharers:
            each.close()
    refusals: dict[str, int] = {}
    for one in told:
        for text, count in one["refusals"].items():
            refusals[text] = refusals.get(text, 0) + count
    return Shared(
        failures=[each for one in told for each in one["failures"]],
        refusals=refusals,
        seconds=max(one["ended"] for one in told) - min(one["began"] for one in told),
    )


def _run(sharers: list[Talking]) -> list[str]:
    for each in sharers:
        each.stdin.write("\n")
        each.stdin.flush()
    return [each.end("", timeout=300) for each in sharers]


@pytest.mark.parametrize(
    ("processes", "calls"), [(3, 15), pytest.param(8, 200, marks=pytest.mark.slow)]
)
def test_processes_that_share_a_key_never_spoil_each_others_nonces(
    tmp_path: Path, processes: int, calls: int
) -> None:
    """Strict nonces, 5 to 50 ms of latency: no failure reaches a caller, nor even a resend."""
    with served(tmp_path, funds={}):
        shared = shared_by(tmp_path, processes=processes, calls=calls)

    assert shared.failures == []
    assert sum(shared.refusals.values()) <= calls * processes // 100


@pytest.mark.parametrize(
    ("processes", "calls"), [(3, 20), pytest.param(8, 200, marks=pytest.mark.slow)]
)
def test_processes_that_share_a_budget_never_pass_it(
    tmp_path: Path, processes: int, calls: int
) -> None:
    """No rate-limit answer: together they wait at least as long as the counter says they must."""
    with limited(tmp_path):
        shared = shared_by(tmp_path, processes=processes, calls=calls)

    assert shared.failures == []
    assert [text for text in shared.refusals if "nonce" not in text] == []
    assert shared.seconds >= arithmetic_s(processes * calls)


@pytest.mark.slow
@pytest.mark.parametrize(("processes", "calls", "most"), [(3, 20, 1.5), (8, 200, 1.1)])
def test_processes_that_share_a_budget_use_it_up(
    tmp_path: Path, processes: int, calls: int, most: float
) -> None:
    """They wait hardly longer than that: a measure, and therefore not of every run."""
    with limited(tmp_path):
        shared = shared_by(tmp_path, processes=processes, calls=calls)

    assert shared.failures == []
    assert shared.seconds <= most * arithmetic_s(processes * calls)


def limited(home: Path) -> AbstractContextManager[object]:
    """A Pro account's limits, twenty times as fast."""
    return served(home, "--speed", str(SPEED), funds={}, limits="--tier pro")


def arithmetic_s(calls: int) -> float:
    """The real seconds in which the counter lets so many calls pass."""
    return (calls - PRO_CALLS) / PRO_DECAY / SPEED
