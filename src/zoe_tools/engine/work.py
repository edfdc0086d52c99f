"""What the loop last got done, by stage, and how long it took: proof of work, not of presence.

Each stage says so itself where its work ends. A beat that is written while a stage hangs shows the
age of that stage; nothing here judges.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal, get_args

from zoe_tools.domain.breaker import Breaker
from zoe_tools.domain.stream import (
    BalancesSnapshot,
    BalanceUpdate,
    ExecutionReport,
    ExecutionsSnapshot,
    Gap,
    OrdersBookUpdate,
    StreamDown,
    StreamEvent,
    StreamUp,
    Wire,
)

Stage = Literal["turn", "follow", "decide", "reconcile", "worth", "protection"]
STAGES: tuple[Stage, ...] = get_args(Stage)


class Phase(StrEnum):
    """Where a start has come to; `FAILED`: no entries, while protection, cancels and exits run."""

    INITIALIZING = "INITIALIZING"
    SYNCING = "SYNCING"
    RECONCILING = "RECONCILING"
    READY = "READY"
    FAILED = "FAILED"
    STOPPING = "STOPPING"


class WorkLog:
    """When each stage was last done, by the venue's clock, and when each wire last told something.

    `protection`: a turn had looked at what is held, and planned what protects it, over live data.
    `breaker` is the API circuit breaker as it was last looked at; None where there is none.
    """

    def __init__(self) -> None:
        self.phase = Phase.INITIALIZING
        self.done_at: dict[Stage, datetime] = {}
        self.heard_at: dict[Wire, datetime] = {}
        self.breaker: Breaker | None = None
        self.last_turn_ms = 0
        self.held_up = ""
        """What keeps the loop's lines from being told, as of its last beat."""
        self._slowest_ms = 0

    def done(self, stage: Stage, at: datetime) -> None:
        """The stage has done what it is there for."""
        self.done_at[stage] = at

    def turned(self, began: datetime, ended: datetime) -> None:
        """A turn is over."""
        self.done("turn", ended)
        self.last_turn_ms = max(0, round((ended - began).total_seconds() * 1000))
        self._slowest_ms = max(self._slowest_ms, self.last_turn_ms)

    def take_slowest_ms(self) -> int:
        """How long the slowest turn took since the last call."""
        slowest, self._slowest_ms = self._slowest_ms, 0
        return slowest

    def heard(self, event: StreamEvent, at: datetime) -> None:
        """A wire told something of market or account; that it came or went is no news of those."""
        wire = wire_of(event)
        if wire is not None:
            self.heard_at[wire] = at


def wire_of(event: StreamEvent) -> Wire | None:
    """Which wire tells such a thing; None of what is about a wire itself."""
    match event:
        case StreamUp() | StreamDown() | Gap():
            return None
        case ExecutionReport() | ExecutionsSnapshot() | BalanceUpdate() | BalancesSnapshot():
            return "private"
        case OrdersBookUpdate():
            return "level3"
        case _:
            return "public"
