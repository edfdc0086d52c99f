"""The invariants beside the turns: measured every few seconds, told, and latched where critical.

What is latched stays after the violation is over: only `zoe resume` lowers it, and while the
violation lasts it is latched again.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from zoe_tools.core.invariants import (
    cause_of,
    level_for,
    sentence_of,
    state_of,
    told_value,
    violations_of,
)
from zoe_tools.core.margin_rule import is_margins, still_holds
from zoe_tools.domain.discrepancy import Level
from zoe_tools.domain.invariants import Measured, SafetyState, Violation
from zoe_tools.domain.money import HUNDRED, ZERO, round_half_up, short
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.trading_state import KillLevel, KillReason
from zoe_tools.engine.latching import latch_for
from zoe_tools.engine.loop import TradingLoop
from zoe_tools.engine.parts import LoopParts
from zoe_tools.engine.price_doubts import PriceDoubts
from zoe_tools.errors import StoreError
from zoe_tools.gate.margin_rearm import acted_at, take_back
from zoe_tools.gather import gather_store
from zoe_tools.observe.log import event

_LOG = logging.getLogger(__name__)

INVARIANTS = "invariants"
"""The watch's name among those that keep entries back."""

_MINUTE = timedelta(minutes=1)
_MINUTE_S = 60.0


async def watch_invariants(loop: TradingLoop, parts: LoopParts) -> None:
    """Look every few seconds, until cancelled."""
    told: frozenset[str] = frozenset()
    doubts = PriceDoubts()
    live_at = parts.clock.now()
    while True:
        await parts.clock.sleep(parts.cadence.health_s)
        if _is_away(parts):
            continue  # nothing can be latched, and nothing is entered either
        now = parts.clock.now()
        live_at = now if loop.view.is_live else live_at
        measured = await _measured(loop, parts, (now - live_at).total_seconds())
        if _is_away(parts):
            continue  # it went in that very look: its copy knows no equity, and proves nothing over
        found = violations_of(measured, parts.policy.invariants)
        told = _tell(found, told)
        doubts.heed(loop, parts, measured.unpriced)
        loop.safety = state_of(found)
        is_in_the_way = loop.safety is not SafetyState.ACTIVE
        loop.stand(INVARIANTS, tuple(map(sentence_of, found)) if is_in_the_way else ())
        await _latch(loop, parts, found)
        await _take_back(loop, parts, measured, found)


def _is_away(parts: LoopParts) -> bool:
    """Asked anew each time: the store may go, or come back, at any await."""
    return parts.gate.is_store_away


def _tell(found: tuple[Violation, ...], told: frozenset[str]) -> frozenset[str]:
    """Each once, until it is over."""
    for each in found:
        sentence = sentence_of(each)
        if sentence not in told:
            event(
                _LOG,
                "INVARIANT_VIOLATION",
                "critical" if each.is_critical else "warning",
                invariant=each.invariant,
                value=told_value(each),
                limit=short(each.limit),
                cause=each.cause.value,
            )
    return frozenset(sentence_of(each) for each in found)


async def _latch(loop: TradingLoop, parts: LoopParts, found: tuple[Violation, ...]) -> None:
    """Raise the account's level, unless it is as high already; a shadow stops nobody."""
    level = level_for(loop.safety, parts.policy.invariants)
    state, cause = loop.books.trading_state, cause_of(found)
    is_margins = state.cause is KillReason.MARGIN_CRITICAL and cause is not state.cause
    is_harder = level > state.level or (is_margins and level is not KillLevel.NONE)
    if not is_harder or parts.is_shadow:
        return
    worst = [each for each in found if each.is_critical]
    details = ", ".join(
        f"{each.invariant} {told_value(each)} is beyond {short(each.limit)}" for each in worst
    )
    await latch_for(loop, parts, level, cause.worded(details))


async def _take_back(
    loop: TradingLoop, parts: LoopParts, measured: Measured, found: tuple[Violation, ...]
) -> None:
    """What was latched for margin, and for nothing else, once that is over; see the rule."""
    state, now = loop.books.trading_state, parts.clock.now()
    if parts.is_shadow or not is_margins(state, parts.gate.author.command):
        return
    if loop.books.unresolved or loop.watch.naked or loop.books.reconciliation.pauses_account:
        return
    try:
        before = await parts.store.read(acted_at)
        if still_holds(state, measured, found, parts.policy.invariants, acted_at=before, now=now):
            return
        snapshot = await gather_store(
            store=parts.store, clock=parts.clock, account=parts.account, policy=parts.policy
        )
        reason = f"margin is at {short(round_half_up(measured.margin_pct or ZERO, 2))} % of equity"
        author = replace(parts.gate.author, operator="")
        await take_back(parts.store, snapshot, reason, author=author, now=now)
    except StoreError as error:
        _LOG.error("The kill level cannot be taken back: %s", error.message)
        return
    await loop.books.refresh_trading_state(parts.clock.now())
    loop.wake()


async def _measured(loop: TradingLoop, parts: LoopParts, blind_s: float) -> Measured:
    now = parts.clock.now()
    point = await parts.store.read(lambda transaction: transaction.latest_equity())
    worths = [
        each.quantity
        * (
            loop.view.quotes[each.symbol].bid
            if each.symbol in loop.view.quotes
            else each.average_cost
        )
        for each in loop.books.positions
    ]
    equity = None if point is None else point.gross
    largest = None if not worths or not equity else max(worths) * HUNDRED / equity
    return Measured(
        drawdown_pct=None if point is None else point.drawdown_pct,
        equity=equity,
        open_notional=sum(worths, ZERO),
        positions=len(loop.books.positions),
        largest_position_pct=largest,
        rejects=_rejects(loop, now),
        api_errors=0 if parts.api_errors is None else parts.api_errors.within(_MINUTE_S),
        clock_skew_s=_skew(parts),
        candle_age_s=_overdue(loop, parts, now),
        blind_s=Decimal(str(blind_s)),
        naked_s=Decimal(str(loop.watch.naked_s(now))),
        unreconciled_s=_unreconciled(loop, now),
        margin_pct=None if parts.margin is None else parts.margin.used_pct(now),
        unpriced=() if point is None else point.lacks,
    )


def _rejects(loop: TradingLoop, now: datetime) -> int:
    return sum(
        each.status is OrderStatus.REJECTED and abs(now - each.updated_at) <= _MINUTE
        for each in loop.books.recent_orders
    )


def _unreconciled(loop: TradingLoop, now: datetime) -> Decimal | None:
    """How long books and venue have differed critically."""
    state = loop.books.reconciliation
    if state.level is not Level.CRIT or state.since is None:
        return None
    return Decimal(str((now - state.since).total_seconds()))


def _skew(parts: LoopParts) -> Decimal | None:
    if parts.venue_time is None:
        return None
    return Decimal(str(abs(parts.venue_time.offset.total_seconds())))


def _overdue(loop: TradingLoop, parts: LoopParts, now: datetime) -> Decimal | None:
    """By how many seconds the most overdue candle is; of markets that had one."""
    length = parts.strategy.timeframe.length
    known = (loop.view.candles(each.symbol) for each in parts.catalogue)
    newest = [candles[-1] for candles in known if candles]
    ages = [(now - each.opened_at - 2 * length).total_seconds() for each in newest]
    return Decimal(str(max(0.0, *ages))) if ages else None
