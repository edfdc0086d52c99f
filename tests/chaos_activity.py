"""How much went on in each hour of a trial, by the exchange's own log."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields

from chaos_world import STARTS_AT, Chronicle, Trial
from zoe_tools.paper.values.events import OrderEvent
from zoe_tools.paper.values.times import NS

HOUR_S = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What went on in an hour."""

    orders: float = 0
    fills: float = 0
    partial_fills: float = 0
    reprices: float = 0
    stop_amends: float = 0

    def short_of(self, least: Activity) -> Iterator[str]:
        """What there was too little of, each in a few words."""
        for each in fields(self):
            there, wanted = getattr(self, each.name), getattr(least, each.name)
            if there < wanted:
                yield f"{there:.0f} {each.name}, {wanted:.0f} are wanted"


LEAST = Activity(orders=200, fills=100, partial_fills=20, reprices=20, stop_amends=20)
"""In a busy hour; a trial in which less went on proves nothing."""


def least_of(hours: tuple[Activity, ...]) -> Activity:
    """Of each kind what there was in its poorest hour."""
    return Activity(**{each.name: min(_all(hours, each.name)) for each in fields(Activity)})


def activity(trial: Trial, chronicle: Chronicle) -> tuple[Activity, ...]:
    """One for each hour begun; a last part of an hour is reckoned as a whole one.

    What is left to do when the market is over counts nowhere.
    """
    counts = [dict.fromkeys((each.name for each in fields(Activity)), 0.0) for _ in _hours(trial)]
    for event in chronicle.events:
        number = (event.at - STARTS_AT) // (HOUR_S * NS)
        within_s = (event.at - STARTS_AT) / NS
        if not isinstance(event, OrderEvent) or within_s >= trial.hours * HOUR_S:
            continue
        for kind in _kinds(event):
            counts[number][kind] += 1
    return tuple(
        Activity(**{kind: count / length for kind, count in counted.items()})
        for counted, length in zip(counts, _hours(trial), strict=True)
    )


def _hours(trial: Trial) -> Iterator[float]:
    """The lengths of its hours, in hours."""
    for number in range(math.ceil(trial.hours)):
        yield min(1.0, trial.hours - number)


def _kinds(event: OrderEvent) -> Iterator[str]:
    order = event.order
    if event.kind == "new":
        yield "orders"
    elif event.kind == "trade":
        yield "fills"
        if order.filled < order.quantity:
            yield "partial_fills"
    elif event.kind == "amended":
        yield "reprices" if order.trigger_price is None else "stop_amends"


def _all(hours: tuple[Activity, ...], name: str) -> Iterator[float]:
    return (getattr(each, name) for each in hours)
