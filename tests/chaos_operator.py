"""A person beside the engine, who stops trading now and then, and arms it again.

Each stop falls into the moment before a candle closes, when most is about to be entered. What its
level demands is the engine's to do; that nothing is entered meanwhile is judged by the journal.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from random import Random

from zoe_tools.domain.journal import Intent, IntentKind
from zoe_tools.domain.trading_state import ARMED, KillLevel, KillReason, TradingState
from zoe_tools.ports import Clock
from zoe_tools.store.runner import StoreRunner
from zoe_tools.store.store import Transaction

QUIET_S = 60.0
"""At the beginning nobody stops anything: there must be something to be stopped."""

BEFORE_CLOSE_S = (0.01, 0.4)
"""An engine asks for the state twice a second, and with each booking."""

LASTS_S = (4.0, 12.0)
LEVELS = (
    KillLevel.CANCEL_OPEN,
    KillLevel.PAUSE_ENTRIES,
    KillLevel.FLATTEN,
    KillLevel.REDUCE_ONLY,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """So many seconds after the beginning, and for so long."""

    at_s: float
    for_s: float
    level: KillLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """From when until when a level stood in the store."""

    since: datetime
    until: datetime
    level: KillLevel


def stops(seed: int, seconds: float, count: int, close_s: float) -> tuple[Stop, ...]:
    """So many, spread over the first half, each before a candle of that length closes.

    In the second half it shows whether all goes on as before.
    """
    random = Random(f"chaos:{seed}:stops")
    part = (seconds / 2 - QUIET_S) / max(1, count)
    found = []
    for number in range(count):
        drawn_s = QUIET_S + part * number + random.uniform(0, part)
        closes_s = math.ceil(drawn_s / close_s) * close_s
        found.append(
            Stop(
                at_s=closes_s - random.uniform(*BEFORE_CLOSE_S),
                for_s=random.uniform(*LASTS_S),
                level=LEVELS[(seed + number) % len(LEVELS)],
            )
        )
    return tuple(found)


async def operate(
    planned: Sequence[Stop], store: StoreRunner, clock: Clock, done: list[Stopped]
) -> None:
    """Stop and arm, one after the other, as another process does; `done` is told what stood."""
    began = clock.now()
    for stop in planned:
        left_s = (began + timedelta(seconds=stop.at_s) - clock.now()).total_seconds()
        if left_s > 0:
            await clock.sleep(left_s)
        since = clock.now()
        await store.run(partial(_latch, stop.level, since))
        await clock.sleep(stop.for_s)
        done.append(Stopped(since=since, until=clock.now(), level=stop.level))
        await store.run(partial(_arm, since, clock.now()))


def _latch(level: KillLevel, at: datetime, transaction: Transaction) -> None:
    reason = KillReason.MANUAL.worded("somebody had a look")
    transaction.latch(TradingState(level=level, reason=reason, changed_at=at, changed_by="kill"))


def _arm(since: datetime, at: datetime, transaction: Transaction) -> None:
    """What was latched `since` is armed; what somebody else latched stays, and is missed."""
    times, state = dict(transaction.times_stopped()), transaction.trading_state()
    if state.changed_at == since:
        armed = replace(ARMED, changed_at=at, changed_by="resume")
        transaction.rearm(armed, state, times.get(None))


def entered_while_stopped(done: Sequence[Stopped], intents: Iterable[Intent]) -> Iterator[str]:
    """Every entry that was journaled while a level stood, in a sentence."""
    for intent in intents:
        if intent.kind is not IntentKind.PLACE or intent.purpose != "entry":
            continue
        for stop in done:
            if stop.since < intent.created_at < stop.until:
                after_s = (intent.created_at - stop.since).total_seconds()
                yield (
                    f"entry {intent.intent_id} was journaled {after_s:.1f} s after"
                    f" {stop.level.label} was latched"
                )
