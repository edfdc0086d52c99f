"""What goes wrong in a trial, and when: each fault of the exchange's catalogue, and deaths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import get_args

from zoe_tools.paper.exchange.faults import CATALOGUE, FaultName, FaultRule, Stage

QUIET_S = 60.0
"""At the beginning nothing goes wrong: there must be a loop to be struck."""

LAST_S = 180.0
"""Before the end nothing more goes wrong: a blow waits for a call, and reads are seldom."""

WIDE_S = 90.0
"""Before the end of a short trial what still waits for a call strikes at any."""

WIDE_IN_HOURS_S = 170.0
"""The same in one of hours: some answers come every two minutes only."""

_DELAYS_S: dict[str, float] = {
    "hang": 12.0,
    "rest-lag": 5.0,
    "clock-skew": 3.0,
    "maintenance": 5.0,
    "executions-late": 3.0,
    "throttled": 4.0,
}


_WRITES = ("add_order", "amend_order", "cancel_order")
_READS = ("OpenOrders", "QueryOrders", "TradesHistory")

_AIMS: Mapping[Stage, tuple[str, ...]] = {
    Stage.REQUEST: (*_WRITES, "OpenOrders", ""),
    Stage.SOCKET: (*_WRITES, "subscribe", ""),
    Stage.REST: (*_READS, "BalanceEx", ""),
    Stage.ANSWER: (*_READS, "BalanceEx", ""),
    Stage.CONNECTION: ("executions", "executions", "executions", "book", ""),
}
"""Where a fault strikes, one blow after the other: mostly where it hurts; empty: anywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blow:
    """A fault, armed so many seconds after the beginning."""

    at_s: float
    rule: FaultRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """From that second on, the so manieth step out of the engine is its last.

    Where `at_an_order`, only what goes to the venue to place, change or cancel an order counts.
    """

    at_s: float
    steps: int
    at_an_order: bool


def schedule(
    seed: int, seconds: int, of_each: int, deaths: int
) -> tuple[tuple[Blow, ...], tuple[Death, ...]]:
    """Blows in time order, so many of each kind, and deaths, all spread over the time."""
    random = Random(f"chaos:{seed}:faults")
    last = seconds - LAST_S
    blows: list[Blow] = []
    for turn, name in enumerate(get_args(FaultName)):
        part = (last - QUIET_S) / max(1, of_each)
        for number in range(of_each):
            rule = _rule(name, turn + number)
            # Of what stands for a time one is over before the next begins: else it is but one.
            at_s = QUIET_S + part * number + random.uniform(0, max(0.0, part - (rule.for_s or 0)))
            blows.append(Blow(at_s=at_s, rule=rule))
    part = (last - QUIET_S) / max(1, deaths)
    ends = [
        Death(
            at_s=QUIET_S + part * number + random.uniform(0.2, 0.9) * part,
            steps=random.randint(1, 8 if number % 2 else 60),
            at_an_order=number % 2 > 0,
        )
        for number in range(deaths)
    ]
    return tuple(sorted(blows, key=lambda each: each.at_s)), tuple(ends)


def _rule(name: FaultName, number: int) -> FaultRule:
    """Once, at the so manieth of its aims; what stands for a time does so for some seconds."""
    stage, delay_s = CATALOGUE[name].stage, _DELAYS_S.get(name, 5.0)
    if name in ("rest-lag", "clock-skew"):  # until the loop reads something
        return FaultRule(name=name, times=1, for_s=150.0, delay_s=delay_s)
    if stage is Stage.EXCHANGE:
        return FaultRule(name=name, times=1, for_s=delay_s * 4, delay_s=delay_s)
    aims = _AIMS.get(stage, ("",))
    where = aims[number % len(aims)]
    return _aimed(name, where, delay_s)


def wide_s(seconds: float) -> float:
    """How long before the end of a trial of so many seconds blows are aimed wide."""
    return WIDE_S if seconds < 3_600 else WIDE_IN_HOURS_S


def aimed_wide(name: FaultName) -> FaultRule:
    """Once, at whatever it can strike."""
    return _aimed(name, "", _DELAYS_S.get(name, 5.0))


def _aimed(name: FaultName, where: str, delay_s: float) -> FaultRule:
    if name == "invalid-nonce" and not where:  # a public call has none
        where = _READS[0]
    return FaultRule(name=name, times=1, where=where, delay_s=delay_s)
