"""Private frames to events: executions and balances, their sequences checked.

An execution is handed on once, by its id, however often snapshots and new connections repeat it.
Source: kraken-spot sections 11.1 and 11.2.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from zoe_tools.domain.identifiers import FillId
from zoe_tools.domain.stream import (
    ExecutionReport,
    ExecutionsSnapshot,
    Gap,
    StreamEvent,
    VenueModeUpdate,
)
from zoe_tools.errors import VenueMisbehaved
from zoe_tools.kraken.codec_stream import (
    ExecutionDecoder,
    balance_update_of,
    balances_snapshot_of,
    mode_of,
)
from zoe_tools.kraken.overheard import Overheard
from zoe_tools.kraken.transactions import Transactions
from zoe_tools.kraken.wire_stream import BALANCES, EXECUTIONS, STATUS, ExecutionRow, Frame
from zoe_tools.ports import Clock

Emit = Callable[[StreamEvent], Awaitable[None]]

SNAPSHOT_FILLS = 50
"""A snapshot tells so many of the latest fills; where all of them are news, older ones may be
missing."""
REMEMBERED_FILLS = 20_000
"""Ids of fills that were handed on. Far more than a snapshot repeats."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    """The last frame of a channel."""

    sequence: int | None
    data: bytes
    at: datetime


class _Place(Enum):
    """Where a frame stands among those of its channel."""

    NEXT = "next"
    SAME = "the very same again"
    BEYOND = "something before it is missing"
    BACK = "its number was there"


class PrivateChannels:
    """The executions and balances of one connection."""

    def __init__(
        self, *, clock: Clock, emit: Emit, transactions: Transactions | None = None
    ) -> None:
        self._transactions = transactions
        self._clock = clock
        self._emit = emit
        self._decoder = ExecutionDecoder()
        self._last: dict[str, _Heard] = {}
        self._told: OrderedDict[FillId, datetime] = OrderedDict()

    def reset(self) -> None:
        """The wire is lost: sequences start over with the next connection."""
        self._last.clear()

    async def on_frame(self, frame: Frame) -> None:
        """One data frame.

        Raises:
            VenueMisbehaved: a message is missing; the wire must start afresh.
        """
        now = self._clock.now()
        if frame.channel == "status":
            for status in STATUS.decode(frame.data):
                await self._emit(VenueModeUpdate(mode=mode_of(status.system)))
            return
        if frame.channel not in ("executions", "balances"):
            return
        place = await self._place_of(frame, now)
        if place is _Place.BEYOND:
            self._decoder.forget_terms()
        if place in (_Place.NEXT, _Place.BEYOND):
            # What comes after a gap is as true as what came before it: a stop that is gone, a fill.
            if frame.channel == "executions":
                await self._on_executions(frame, now)
            else:
                await self._on_balances(frame)
        if place in (_Place.BEYOND, _Place.BACK):
            raise VenueMisbehaved(f"Messages of {frame.channel} are missing, or came twice.")

    async def _place_of(self, frame: Frame, now: datetime) -> _Place:
        """Where the frame stands behind the last one; of what is missing, a gap is told."""
        last = self._last.get(frame.channel)
        here = _Heard(sequence=frame.sequence, data=bytes(frame.data), at=now)
        if last is not None and (here.sequence, here.data) == (last.sequence, last.data):
            _LOG.warning("%s said number %s twice", frame.channel, here.sequence)
            return _Place.SAME
        self._last[frame.channel] = here
        if frame.type == "snapshot" or frame.sequence is None:
            return _Place.NEXT
        before = last.sequence if last is not None else 0
        if before is None or frame.sequence == before + 1:
            return _Place.NEXT
        cause = f"sequence went from {before} to {frame.sequence}"
        since = last.at if last is not None else now
        await self._emit(
            Gap(wire="private", channel=frame.channel, since=since, until=now, cause=cause)
        )
        return _Place.BEYOND if frame.sequence > before else _Place.BACK

    async def _on_executions(self, frame: Frame, now: datetime) -> None:
        is_snapshot = frame.type == "snapshot"
        rows = EXECUTIONS.decode(frame.data)
        reports = [self._decoder.report(row, is_snapshot=is_snapshot, now=now) for row in rows]
        if self._transactions is not None:
            self._transactions.overheard(
                [_overheard(*each) for each in zip(rows, reports, strict=True)]
            )
        if is_snapshot:
            await self._warn_of_lost_fills(reports, now)
            # Orders first: a fill is booked to an order that is known by then.
            orders = tuple(each for each in reports if each.fill is None)
            await self._emit(ExecutionsSnapshot(reports=orders))
            reports = [each for each in reports if each.fill is not None]
        for report in reports:
            if self._is_news(report, now):
                await self._emit(report)

    def _is_news(self, report: ExecutionReport, now: datetime) -> bool:
        """Whether the report is no fill that was handed on before."""
        if report.fill is None:
            return True
        if report.fill.fill_id in self._told:
            return False
        self._told[report.fill.fill_id] = now
        if len(self._told) > REMEMBERED_FILLS:
            self._told.popitem(last=False)
        return True

    async def _warn_of_lost_fills(self, reports: Sequence[ExecutionReport], now: datetime) -> None:
        """A full snapshot without a fill that we know does not reach back to where we were."""
        fills = {report.fill.fill_id for report in reports if report.fill is not None}
        if not self._told or len(fills) < SNAPSHOT_FILLS or fills & self._told.keys():
            return
        since = next(reversed(self._told.values()))
        cause = f"more fills than the {len(fills)} of the snapshot"
        await self._emit(
            Gap(wire="private", channel="executions", since=since, until=now, cause=cause)
        )

    async def _on_balances(self, frame: Frame) -> None:
        rows = BALANCES.decode(frame.data)
        if frame.type == "snapshot":
            await self._emit(balances_snapshot_of(rows))
            return
        for row in rows:
            await self._emit(balance_update_of(row))


def _overheard(row: ExecutionRow, report: ExecutionReport) -> Overheard:
    return Overheard(
        report=report,
        called=report.client_order_id or str(row.order_userref or ""),
        is_child=bool(row.ord_ref_id),
        rate_count=row.ratecount,
    )
