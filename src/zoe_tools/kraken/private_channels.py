"""Private frames to events: executions and balances, their sequences checked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from zoe_tools.domain.stream import (
    BalancesSnapshot,
    ExecutionKind,
    ExecutionsSnapshot,
    Gap,
    StreamEvent,
    VenueModeUpdate,
)
from zoe_tools.kraken.codec_stream import ExecutionDecoder, balance_update_of, mode_of
from zoe_tools.kraken.connection import Connection
from zoe_tools.kraken.wire_stream import BALANCES, EXECUTIONS, STATUS, Frame
from zoe_tools.ports import Clock

Emit = Callable[[StreamEvent], Awaitable[None]]


class PrivateChannels:
    """The executions and balances of one connection."""

    def __init__(self, *, clock: Clock, emit: Emit) -> None:
        self._clock = clock
        self._emit = emit
        self._decoder = ExecutionDecoder()
        self._sequences: dict[str, int] = {}
        self._last_at: dict[str, datetime] = {}
        self._connection: Connection | None = None

    def attach(self, connection: Connection) -> None:
        """The connection that is dropped when a message is missing."""
        self._connection = connection

    def reset(self) -> None:
        """The wire is lost: sequences start over with the next connection."""
        self._sequences.clear()

    async def on_frame(self, frame: Frame) -> None:
        """One data frame; a repeated one is passed over, a missing one drops the wire."""
        now = self._clock.now()
        if frame.channel == "status":
            for status in STATUS.decode(frame.data):
                await self._emit(VenueModeUpdate(mode=mode_of(status.system)))
            return
        if frame.channel not in ("executions", "balances"):
            return
        if not await self._is_next(frame, now):
            return
        if frame.channel == "executions":
            await self._on_executions(frame, now)
        else:
            await self._on_balances(frame)

    async def _is_next(self, frame: Frame, now: datetime) -> bool:
        if frame.sequence is None:
            return True
        last = self._sequences.get(frame.channel)
        if last is not None and frame.sequence <= last:
            return False
        since = self._last_at.get(frame.channel, now)
        self._sequences[frame.channel] = frame.sequence
        self._last_at[frame.channel] = now
        if last is None or frame.sequence == last + 1:
            return True
        cause = f"sequence jumped from {last} to {frame.sequence}"
        await self._emit(
            Gap(wire="private", channel=frame.channel, since=since, until=now, cause=cause)
        )
        if self._connection is not None:
            await self._connection.drop(cause)
        return False

    async def _on_executions(self, frame: Frame, now: datetime) -> None:
        is_snapshot = frame.type == "snapshot"
        rows = EXECUTIONS.decode(frame.data)
        reports = [self._decoder.report(row, is_snapshot=is_snapshot, now=now) for row in rows]
        if not is_snapshot:
            for report in reports:
                await self._emit(report)
            return
        # Orders first: a fill is booked to an order that is known by then.
        orders = tuple(each for each in reports if each.kind is not ExecutionKind.TRADE)
        await self._emit(ExecutionsSnapshot(reports=orders))
        for report in reports:
            if report.kind is ExecutionKind.TRADE:
                await self._emit(report)

    async def _on_balances(self, frame: Frame) -> None:
        rows = BALANCES.decode(frame.data)
        if frame.type == "snapshot":
            await self._emit(
                BalancesSnapshot(totals=tuple((row.asset, row.balance) for row in rows))
            )
            return
        for row in rows:
            await self._emit(balance_update_of(row))
