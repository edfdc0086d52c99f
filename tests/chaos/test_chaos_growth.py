"""What grows in quiet days, and what only moves."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from builders import NOON, PAPER
from chaos_growth import LOOKS, Look, growth, looked
from fakes import fresh_store
from zoe_tools.runtime.virtual_loop import run_virtual

HOUR_S = 7 * 24 * 3_600 / LOOKS


def look(number: int, **changes: Any) -> Look:
    """The so manieth look at a week in which as much happens all the time."""
    told: dict[str, Any] = {
        "at_s": number * HOUR_S,
        "memory_mb": 150 + (number % 3) + number * 0.02,
        "events": 0,
        "lengths": {"Books.orders": 3 + number % 5},
        "fullest": {"Books.orders": 3 + number % 5},
        "rows": {"order_events": 1_000 * number, "config": 2},
    }
    return Look(**(told | changes))


def found_in(**growing: Any) -> tuple[str, ...]:
    """What is said of a week in which this changes from look to look."""
    numbers = range(1, LOOKS + 1)
    return tuple(
        growth([look(n, **{name: of(n) for name, of in growing.items()}) for n in numbers])
    )


def test_a_week_in_which_nothing_grows_is_a_good_one() -> None:
    """Lengths move, memory moves, and a log has more rows each day."""
    assert found_in() == ()


@pytest.mark.parametrize(
    ("name", "at", "said"),
    [
        ("memory_mb", lambda n: 150 + n * 0.5, "memory grew by"),
        ("lengths", lambda n: {"Books.orders": n * 10}, "Books.orders grew from"),
        ("rows", lambda n: {"order_events": n * n * 50}, "table order_events gained"),
        ("rows", lambda n: {"config": n}, "table config grew to 64 rows"),
    ],
)
def test_what_grows_is_told(name: str, at: Any, said: str) -> None:
    """Each by its own rule."""
    (sentence,) = found_in(**{name: at})

    assert sentence.startswith(said)


def test_what_the_test_keeps_of_each_event_is_no_leak() -> None:
    """The log of the exchange grows with what happens, and its memory with it."""
    assert found_in(memory_mb=lambda n: 150 + n * 2_000 * 0.003, events=lambda n: n * 2_000) == ()


def test_what_fills_up_to_its_bound_is_no_leak() -> None:
    """Beyond its bound it is one."""

    def filling(by: int) -> Mapping[str, int]:
        return {"Reader._known": by}

    assert found_in(lengths=lambda n: filling(n * 30), fullest=lambda n: filling(n * 30)) == ()
    (said,) = found_in(lengths=lambda n: filling(n * 40), fullest=lambda n: filling(n * 40))
    assert said.startswith("Reader._known holds 2560")


class KeptByATest:
    """As if it were a class of zoe's, by a name that none of them has."""

    def __init__(self, *names: str) -> None:
        self.done_at = dict.fromkeys(names, NOON)


KeptByATest.__module__ = "zoe_tools.of_a_test"


def test_a_look_finds_what_any_object_of_ours_holds(tmp_path: Path) -> None:
    """By class and attribute, and how many there are of the class; and the rows of each table."""
    held = [KeptByATest("turn", "follow"), KeptByATest("turn")]

    async def look_once() -> Look:
        return looked(1.0, 0, tmp_path / "zoe.db")

    with closing(fresh_store(tmp_path, PAPER)):
        found = run_virtual(look_once())

    assert found.lengths["KeptByATest"] == len(held)
    assert found.lengths["KeptByATest.done_at"] == 3
    assert found.fullest["KeptByATest.done_at"] == 2
    assert found.rows["accounts"] == 1
    assert found.memory_mb > 1
