"""What a run came to, from the books alone: orders, round trips, fees, result.

Equal inputs give equal reports, byte for byte: nothing about the host or the wall clock is in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from zoe_tools.core.left_behind import NOTHING, LeftBehind
from zoe_tools.core.performance import Performance
from zoe_tools.core.protection_times import ProtectionTimes
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.money import ZERO, round_half_up
from zoe_tools.domain.position import Position, PositionStatus
from zoe_tools.domain.stream import ChecksumTally

NONE_MEASURED = ProtectionTimes()

MONEY_DECIMALS = 8
"""To how many decimals a report's money is rounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopTally:
    """What the loop itself counted; seconds of the venue's clock."""

    started_at: datetime
    ended_at: datetime
    cycles: int
    candles: int
    prints: int
    would_be_orders: int
    unprotected_seconds: float
    unprotected_by_cause: Mapping[str, float]
    positions_with_stop: int
    checksums: ChecksumTally
    fill_to_protected: ProtectionTimes = NONE_MEASURED
    left: LeftBehind = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """The result of a run; money in quote.

    `is_estimated` when a mark for an open position is missing.
    """

    strategy: str
    started_at: datetime
    ended_at: datetime
    cycles: int
    candles: int
    prints: int
    orders: int
    orders_by_status: Mapping[str, int]
    would_be_orders: int
    fills: int
    fees: Decimal
    round_trips: int
    wins: int
    realised_pnl: Decimal
    open_positions: int
    unrealised_pnl: Decimal
    is_estimated: bool
    positions_with_stop: int
    unprotected_seconds: Decimal
    unprotected_by_cause: Mapping[str, Decimal]
    fill_to_protected: Mapping[str, int]
    """Of the fills that a stop came to cover: how many, and within which time, in milliseconds."""
    fills_by_time: Mapping[str, int]
    """How many took up to which time."""
    checksums: ChecksumTally
    left: LeftBehind = NOTHING
    """What the orderly stop did not come to."""
    performance: Performance | None = None
    """Of a replay alone: what its trading came to."""


def summarise(
    *,
    strategy: str,
    tally: LoopTally,
    orders: Sequence[OrderRecord],
    fills: Sequence[Fill],
    positions: Sequence[Position],
    marks: Mapping[Symbol, Decimal],
) -> RunResult:
    """The report; `marks` are the prices at which open positions could be sold."""
    closed = [each for each in positions if each.status is PositionStatus.CLOSED]
    still_open = [each for each in positions if each.status.holds]
    unrealised = ZERO
    for position in still_open:
        mark = marks.get(position.symbol)
        if mark is not None:
            unrealised += position.quantity * (mark - position.average_cost)
    statuses = sorted({order.status.value for order in orders})
    return RunResult(
        strategy=strategy,
        started_at=tally.started_at,
        ended_at=tally.ended_at,
        cycles=tally.cycles,
        candles=tally.candles,
        prints=tally.prints,
        orders=len(orders),
        orders_by_status={
            status: sum(order.status.value == status for order in orders) for status in statuses
        },
        would_be_orders=tally.would_be_orders,
        fills=len(fills),
        fees=_money(sum((fill.fee for fill in fills), ZERO)),
        round_trips=len(closed),
        wins=sum(position.realised_pnl > ZERO for position in closed),
        realised_pnl=_money(sum((position.realised_pnl for position in positions), ZERO)),
        open_positions=len(still_open),
        unrealised_pnl=_money(unrealised),
        is_estimated=any(position.symbol not in marks for position in still_open),
        positions_with_stop=tally.positions_with_stop,
        unprotected_seconds=_seconds(tally.unprotected_seconds),
        unprotected_by_cause={
            cause: _seconds(seconds) for cause, seconds in tally.unprotected_by_cause.items()
        },
        fill_to_protected=tally.fill_to_protected.told(),
        fills_by_time=tally.fill_to_protected.by_bound(),
        checksums=tally.checksums,
        left=tally.left,
    )


def _money(value: Decimal) -> Decimal:
    """Averages do not end; a report's money does."""
    return round_half_up(value, MONEY_DECIMALS)


def _seconds(value: float) -> Decimal:
    return Decimal(f"{value:.3f}")
