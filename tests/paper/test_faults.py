"""Which fault strikes when: rules, times, chances and schedules; and the catalogue's words."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from paper_desk import START
from zoe_tools.paper.exchange.faults import (
    CATALOGUE,
    FaultDesk,
    FaultName,
    FaultRule,
    Stage,
    rules_in,
)
from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.values.times import NS


def armed(**fields: Any) -> FaultDesk:
    """A desk with one rule, armed at the start."""
    desk = FaultDesk(seed=3)
    desk.arm(FaultRule(**{"name": "busy", **fields}), START)
    return desk


def strikes(desk: FaultDesk, *seconds: float, where: str = "AddOrder") -> list[float]:
    """At which of these seconds a request is struck."""
    return [
        second
        for second in seconds
        if desk.strike(where, START + int(second * NS), Stage.REQUEST) is not None
    ]


def test_every_name_has_its_words() -> None:
    """The catalogue and the type name the same faults."""
    assert set(CATALOGUE) == set(get_args(FaultName))


@pytest.mark.parametrize(
    ("fields", "struck"),
    [
        ({}, [0]),
        ({"times": 2}, [0, 1]),
        ({"times": None}, [0, 1, 2, 3]),
        ({"times": None, "after_s": 2}, [2, 3]),
        ({"times": None, "for_s": 2}, [0, 1]),
        ({"times": None, "after_s": 1, "for_s": 2}, [1, 2]),
        ({"times": None, "probability": 0}, []),
        ({"times": None, "where": "AddOrder"}, [0, 1, 2, 3]),
        ({"times": None, "where": "Balance"}, []),
    ],
)
def test_a_rule_strikes_as_often_and_when_it_says(
    fields: dict[str, Any], struck: list[float]
) -> None:
    """Once, where nothing else is said."""
    assert strikes(armed(**fields), 0, 1, 2, 3) == struck


def test_chances_are_drawn_from_the_seed() -> None:
    """The same requests are struck in the same run, and about half of them at one half."""
    seconds = range(1000)
    first = strikes(armed(times=None, probability=0.5), *seconds)

    assert first == strikes(armed(times=None, probability=0.5), *seconds)
    assert 400 < len(first) < 600


def test_a_stage_that_is_not_asked_is_not_used_up() -> None:
    """A fault of frames waits for a frame."""
    desk = armed(name="checksum-corrupt")

    assert strikes(desk, 0, 1) == []
    assert desk.strike("book", START, Stage.BOOK) is not None


def test_the_desk_tells_what_is_armed_and_what_struck() -> None:
    """With the time of each."""
    desk = armed(times=2, where="AddOrder")
    strikes(desk, 1.5)
    told = desk.told()

    (rule,) = told["armed"]
    assert (rule["number"], rule["name"], rule["struck"]) == (1, "busy", 1)
    assert told["log"] == [
        {
            "name": "busy",
            "where": "AddOrder",
            "at": "2026-01-05T08:00:01.500000Z",
            "delay_s": FaultRule(name="busy").delay_s,
        }
    ]


def test_a_disarmed_fault_strikes_no_more() -> None:
    """One by its number, or all."""
    desk = armed(times=None)
    desk.arm(FaultRule(name="hang", times=None), START)
    assert desk.disarm(1) == 1
    strike = desk.strike("AddOrder", START, Stage.REQUEST)
    assert strike is not None
    assert strike.name == "hang"
    assert (desk.disarm(), desk.is_quiet) == (1, True)


def test_a_fault_of_the_whole_exchange_stands_for_its_time() -> None:
    """Its first moment is in the log, once."""
    desk = armed(name="clock-skew", after_s=1, for_s=2, delay_s=5)
    at = [desk.standing("clock-skew", START + int(second * NS)) for second in (0, 1, 2, 3)]

    assert [each is not None for each in at] == [False, True, True, False]
    assert len(desk.told()["log"]) == 1


@pytest.mark.parametrize(
    "document",
    [
        '{"name":"busy"}',
        '[{"name":"busy"}]',
        '{"faults":[{"name":"busy"}]}',
    ],
)
def test_a_document_holds_one_rule_or_many(document: str) -> None:
    """Three spellings of the same."""
    assert rules_in(document) == (FaultRule(name="busy"),)


@pytest.mark.parametrize(
    "document",
    ["", "{", "7", '"busy"', '{"name":"bsy"}', '{"name":"busy","tmes":2}', '{"faults":7}', "{}"],
)
def test_anything_else_is_refused(document: str) -> None:
    """A misspelled word is no rule."""
    with pytest.raises(Refusal):
        rules_in(document)


@pytest.mark.parametrize(
    "fields",
    [
        {"probability": 1.1},
        {"probability": -0.1},
        {"probability": float("nan")},
        {"after_s": -1},
        {"for_s": float("inf")},
        {"times": 0},
        {"times": -1},
        {"delay_s": -1},
        {"name": "maintenance", "delay_s": 0},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(fields: dict[str, Any]) -> None:
    """Nothing is armed."""
    desk = FaultDesk()
    with pytest.raises(Refusal):
        desk.arm(FaultRule(**{"name": "busy", **fields}), START)
    assert desk.is_quiet
