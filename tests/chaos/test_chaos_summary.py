"""What chaos tells of its trials, and what it takes for bad."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from chaos_activity import LEAST, Activity, activity
from chaos_market import BUSY, QUIET
from chaos_run import main
from chaos_summary import again, summary, told
from chaos_trial import Verdict
from chaos_world import STARTS_AT, Chronicle, Trial
from zoe_tools.paper.values.events import OrderEvent, OrderEventKind
from zoe_tools.paper.values.times import NS

TRIAL = Trial(seed=17, hours=2.0, bustle=BUSY, deaths=3, blows_of_each=5)
PLENTY = Activity(orders=300, fills=600, partial_fills=400, reprices=50, stop_amends=150)
GOOD = Verdict(
    trial=TRIAL,
    violations=(),
    hours=(PLENTY, PLENTY),
    lives=("killed", "killed", "killed", "stopped"),
    struck=Counter(hang=5, busy=6),
    longest_gap_s=1.4,
    digest="0123456789abcdef",
    wall_s=400.0,
    cpu_s=300.0,
    peak_mb=120.0,
)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"violations": ("an order stands twice",)}, "VIOLATED an order stands twice"),
        ({"hours": (PLENTY, LEAST)}, ""),
        ({"hours": (PLENTY, replace(LEAST, orders=199))}, "hour 2: 199 orders, 200 are wanted"),
        ({"hours": (replace(LEAST, fills=99), PLENTY)}, "hour 1: 99 fills, 100 are wanted"),
        ({"hours": (replace(LEAST, partial_fills=19), PLENTY)}, "19 partial_fills"),
        ({"hours": (replace(LEAST, reprices=19), PLENTY)}, "19 reprices"),
        ({"hours": (replace(LEAST, stop_amends=19), PLENTY)}, "19 stop_amends"),
        ({"struck": Counter(hang=5, busy=4)}, "struck less than 5 times: busy"),
        ({"lives": ("killed", "killed", "stopped")}, "2 engines were killed, 3 are wanted"),
        (
            {"trial": replace(TRIAL, bustle=QUIET, hours=168.0), "hours": (Activity(),)},
            "",
        ),
        ({"trial": replace(TRIAL, bustle=QUIET, hours=24.0)}, "24 quiet hours do not tell"),
    ],
)
def test_a_trial_in_which_too_little_went_on_is_bad(changes: dict[str, object], why: str) -> None:
    """Each hour counts for itself: what one has too much of is no other's."""
    verdict = replace(GOOD, **changes)  # type: ignore[arg-type]

    assert verdict.is_bad is bool(why)
    assert why in "\n".join(told(verdict))


def _event(kind: OrderEventKind, at_s: float) -> OrderEvent:
    view: object = None  # what kind of order it is, only fills and amendments are asked
    return OrderEvent(at=STARTS_AT + int(at_s * NS), account_id="a", kind=kind, order=view)  # type: ignore[arg-type]


def test_what_goes_on_is_counted_in_its_own_hour() -> None:
    """The last part of an hour as a whole one; what comes after the market's end nowhere."""
    times = (0.0, 3_599.9, 3_600.0, 5_399.9, 5_400.0, 5_500.0)
    chronicle = Chronicle(events=[_event("new", at_s) for at_s in times])

    first, second = activity(replace(TRIAL, hours=1.5), chronicle)

    assert (first.orders, second.orders) == (2, 4)


def test_the_table_tells_the_poorest_hour_and_how_a_bad_seed_is_run_again() -> None:
    """One command each, with all that the trial follows from."""
    bad = replace(GOOD, hours=(PLENTY, replace(PLENTY, orders=150)))
    text = "\n".join(summary([GOOD, bad], 3_700.0))

    assert "least                         150            600" in text
    assert "2 busy trials, 0 quiet ones, 1 of them bad; 0 violations" in text
    assert "1:01:40 of wall time, 0:10:00 of CPU" in text
    assert "chaos_run.py --seed 17 --hours 2 --of-each 5 --deaths 3 --stops 0" in text
    quiet = replace(GOOD, trial=replace(TRIAL, bustle=QUIET, hours=168.0))
    assert again(quiet)[2:4] == ["--quiet-days", "7"]


def test_a_run_in_which_nothing_went_on_ends_badly(capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code tells a script what the table tells a reader."""
    words = ["--seed", "1", "--hours", "0.005", "--deaths", "0", "--of-each", "0", "--jobs", "1"]

    assert main(words) == 1
    told_of = capsys.readouterr().out
    assert "TOO LITTLE" in told_of
    assert "1 of them bad" in told_of


def test_another_process_comes_to_the_same_by_the_words_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """To the last digit of the hours, and with a death."""
    words = ["--seed", "1", "--hours", str(20 / 3_600), "--deaths", "1", "--of-each", "0"]
    main([*words, "--jobs", "1", "--twice"])

    told_of = capsys.readouterr().out
    assert f"--seed 1 --hours {20 / 3_600} --of-each 0 --deaths 1 --stops 2" in told_of
    assert "1 engines killed" in told_of
    assert "seed 1 again: the same" in told_of
