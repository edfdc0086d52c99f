"""What is told of trials of chaos: a line for each as it ends, and a table of all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import timedelta
from statistics import median

from chaos_activity import LEAST, Activity
from chaos_trial import Verdict

_TOLD = 10
"""So many violations of one trial; where there are more, these are enough to look for."""

_COLUMNS = tuple(each.name for each in fields(Activity))
_WIDTH = 15


def told(verdict: Verdict) -> Iterator[str]:
    """A line about a trial, and one for each thing that is wrong with it."""
    yield (
        f"{_name(verdict)}: {_hours(verdict.hours)}; {sum(verdict.struck.values())} faults,"
        f" {verdict.lives.count('killed')} killed of {len(verdict.lives)} lives,"
        f" {verdict.longest_gap_s:.1f} s without a stop; {verdict.cpu_s:.0f} s CPU,"
        f" {verdict.peak_mb:.0f} MB{_slope(verdict)}; {verdict.digest}"
    )
    yield from (f"    VIOLATED {each}" for each in verdict.violations[:_TOLD])
    if len(verdict.violations) > _TOLD:
        yield f"    VIOLATED in {len(verdict.violations) - _TOLD} more ways"
    yield from (f"    TOO LITTLE {each}" for each in verdict.shortcomings)


def summary(verdicts: Sequence[Verdict], wall_s: float) -> Iterator[str]:
    """The table of what went on an hour, how the trials ended, and what they took."""
    hours = [hour for each in verdicts if each.is_busy for hour in each.hours]
    if hours:
        yield _row("of each busy hour", _COLUMNS)
        for word, of in (("least", min), ("median", median), ("most", max)):
            yield _row(word, [f"{of([getattr(h, c) for h in hours]):.0f}" for c in _COLUMNS])
        yield _row("wanted", [f"{getattr(LEAST, column):.0f}" for column in _COLUMNS])
    bad = [each for each in verdicts if each.is_bad]
    busy = sum(1 for each in verdicts if each.is_busy)
    yield (
        f"{busy} busy trials, {len(verdicts) - busy} quiet ones, {len(bad)} of them bad;"
        f" {sum(len(each.violations) for each in verdicts)} violations;"
        f" {sum(sum(each.struck.values()) for each in verdicts)} faults,"
        f" {sum(each.lives.count('killed') for each in verdicts)} engines killed;"
        f" at most {max(each.longest_gap_s for each in verdicts):.1f} s without a stop"
    )
    yield (
        f"{_span(wall_s)} of wall time, {_span(sum(each.cpu_s for each in verdicts))} of CPU,"
        f" {max(each.cpu_s for each in verdicts):.0f} s of it for the longest trial;"
        f" {max(each.peak_mb for each in verdicts):.0f} MB at most"
    )
    yield from (
        f"again: PYTHONPATH=tests .venv/bin/python tests/chaos_run.py {' '.join(again(each))}"
        for each in bad
    )


def again(verdict: Verdict) -> list[str]:
    """The words behind the program's name that run it alone, and the same."""
    trial = verdict.trial
    kind = ("--hours", trial.hours) if verdict.is_busy else ("--quiet-days", trial.hours / 24)
    words = (
        "--seed",
        trial.seed,
        *kind,
        "--of-each",
        trial.blows_of_each,
        "--deaths",
        trial.deaths,
        "--stops",
        trial.stops,
    )
    return [str(each).removesuffix(".0") for each in words]


def _name(verdict: Verdict) -> str:
    return f"{'busy' if verdict.is_busy else 'quiet'} {verdict.trial.seed}"


def _slope(verdict: Verdict) -> str:
    slope = verdict.slope_mb_a_day
    return "" if slope is None else f" ({slope:+.1f} a day)"


def _hours(hours: Sequence[Activity]) -> str:
    """Orders, fills, partial fills, repricings and moved stops of each hour."""
    return " | ".join(
        "/".join(f"{getattr(hour, column):.0f}" for column in _COLUMNS) for hour in hours
    )


def _row(name: str, cells: Sequence[str]) -> str:
    return f"{name:<18}" + "".join(f"{cell.replace('_', ' '):>{_WIDTH}}" for cell in cells)


def _span(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
