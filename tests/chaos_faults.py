"""What goes wrong in a trial, and when: each fault of the exchange's catalogue, and deaths."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import get_args

from zoe_tools.paper.exchange.faults import CATALOGUE, FaultName, FaultRule, Stage

QUIET_S = 60.0
"""At the beginning nothing goes wrong: there must be a loop to be struck."""

LAST_S = 180.0
"""Before the end nothing more goes wrong: a blow waits for a call, and reads are seldom."""

_DELAYS_S: dict[str, float] = {
    "hang": 12.0,
    "rest-lag": 5.0,
    "clock-skew": 3.0,
    "maintenance": 5.0,
    "executions-late": 3.0,
    "throttled": 4.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Blow:
    """A fault, armed so many seconds after the beginning."""

    at_s: float
    rule: FaultRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """From that second on, the so manieth step out of the engine is its last."""

    at_s: float
    steps: int


def schedule(
    seed: int, seconds: int, of_each: int, deaths: int
) -> tuple[tuple[Blow, ...], tuple[Death, ...]]:
    """Blows in time order, so many of each kind, and deaths spread over the time."""
    random = Random(f"chaos:{seed}:faults")
    last = seconds - LAST_S
    blows = [
        Blow(at_s=random.uniform(QUIET_S, last), rule=_rule(name, random))
        for name in get_args(FaultName)
        for _ in range(of_each)
    ]
    part = (last - QUIET_S) / max(1, deaths)
    ends = [
        Death(
            at_s=QUIET_S + part * number + random.uniform(0.2, 0.9) * part,
            steps=random.randint(1, 60),
        )
        for number in range(deaths)
    ]
    return tuple(sorted(blows, key=lambda each: each.at_s)), tuple(ends)


def _rule(name: FaultName, random: Random) -> FaultRule:
    """Once, wherever it can strike; what stands for a time does so for some seconds."""
    if name == "invalid-nonce":  # a public call has none
        return FaultRule(name=name, times=1, where=random.choice(("OpenOrders", "BalanceEx")))
    delay_s = _DELAYS_S.get(name, 5.0)
    if name in ("rest-lag", "clock-skew"):  # until the loop reads something
        return FaultRule(name=name, times=1, for_s=150.0, delay_s=delay_s)
    if CATALOGUE[name].stage is Stage.EXCHANGE:
        return FaultRule(name=name, times=1, for_s=delay_s * 4, delay_s=delay_s)
    return FaultRule(name=name, times=1, delay_s=delay_s)
