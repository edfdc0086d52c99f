"""Which steps of a turn's plan may begin now: a lane for each instrument, and entries alone.

What reduces risk waits for what is under way about its own instrument, or failed there a moment
ago, and for nothing else, so that no other one's stop waits for a lost answer. What adds risk is
judged by facts of the account: it begins one step at a time, while nothing is under way, no
reduction begins with it, and the plan places no stop anywhere. Whether a position stands without a
stop that the plan does not place either is not looked at here: then no entry is planned.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, replace
from typing import TypeGuard

from zoe_tools.core.risk import adds_risk
from zoe_tools.domain.identifiers import PositionId, Symbol
from zoe_tools.domain.plan import (
    AmendOrder,
    CancelOrder,
    EndGroup,
    PlaceOrder,
    Plan,
    SetTargets,
    Step,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """What is begun about one instrument; a plan of its own, in the order of the whole."""

    symbol: Symbol
    plan: Plan

    @property
    def adds_risk(self) -> bool:
        """Whether it is an entry's."""
        return any(adds_risk(step) for step in self.plan.steps)


def lanes_of(
    plan: Plan, *, at_work: frozenset[Symbol], resting: frozenset[Symbol] = frozenset()
) -> tuple[Lane, ...]:
    """The lanes that begin now, in the order of the plan.

    `at_work`: where something is under way; `resting`: where something failed a moment ago. Their
    steps wait for a later turn, which plans them again.
    """
    closed = at_work | resting
    steps: dict[Symbol, list[Step]] = {}
    for step in plan.steps:
        if not adds_risk(step) and about(step) not in closed:
            steps.setdefault(about(step), []).append(step)
    if not steps and not at_work and not any(_places_stop(step) for step in plan.steps):
        entries = (step for step in plan.steps if adds_risk(step) and about(step) not in closed)
        steps = {about(step): [step] for step in list(entries)[:1]}
    return tuple(
        Lane(symbol=symbol, plan=replace(plan, steps=tuple(own))) for symbol, own in steps.items()
    )


def lane_again(
    plan: Plan, lane: Lane, *, at_work: frozenset[Symbol], resting: frozenset[Symbol]
) -> Plan:
    """The same lane of the whole plan, made again a moment later; empty where it has none now."""
    others = at_work - {lane.symbol}
    # Reductions that were begun together are no reason against each other.
    others = others if lane.adds_risk else frozenset()
    lanes = lanes_of(plan, at_work=others, resting=resting)
    found = (each.plan for each in lanes if each.symbol == lane.symbol)
    return next(found, replace(plan, steps=()))


def stopped_by(plan: Plan, bare: Container[PositionId]) -> frozenset[Symbol]:
    """Where the plan has a stop for a position that is `bare`: not covered, or not enough."""
    return frozenset(
        about(step)
        for step in plan.steps
        if (_places_stop(step) or (isinstance(step, AmendOrder) and step.purpose == "stop"))
        and step.position_id in bare
    )


def about(step: Step) -> Symbol:
    """The instrument of a step of the loop's."""
    match step:
        case PlaceOrder(request=request):
            return request.symbol
        case AmendOrder(amendment=change):
            return change.symbol
        case CancelOrder(symbol=symbol) | SetTargets(symbol=symbol) | EndGroup(symbol=symbol):
            return symbol
        case _:
            raise AssertionError(f"a turn plans no {type(step).__name__}")


def entered_by(plan: Plan) -> Iterator[Symbol]:
    """What the plan's new orders enter."""
    for step in plan.steps:
        if isinstance(step, PlaceOrder) and adds_risk(step):
            yield step.request.symbol


def _places_stop(step: Step) -> TypeGuard[PlaceOrder]:
    return isinstance(step, PlaceOrder) and step.request.purpose == "stop"
