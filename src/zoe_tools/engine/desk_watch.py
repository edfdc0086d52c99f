"""Watches the order desk: tells what the venue refuses, what is stuck, and what slips too far.

Only the last two kinds of trouble keep entries back here, each under its own name; what one
instrument is refused keeps it from being entered in the gate itself.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from decimal import Decimal

from zoe_tools.core.order_alarms import (
    REJECTIONS_OF_INSTRUMENT,
    rejections,
    stuck_orders,
)
from zoe_tools.core.trade_costs import mean_slippage_bps
from zoe_tools.domain.identifiers import ClientOrderId, Symbol
from zoe_tools.domain.money import short
from zoe_tools.engine.loop import TradingLoop
from zoe_tools.engine.parts import LoopParts
from zoe_tools.errors import StoreError
from zoe_tools.observe.log import event
from zoe_tools.store.store import Transaction

_LOG = logging.getLogger(__name__)

LOOKS_BACK = (timedelta(hours=1), timedelta(days=1))
"""How far back fills count for the slippage guard: the last hour, and where that has too few of
them the day; yesterday's say nothing of today's market."""

EVERY = timedelta(minutes=1)

STUCK, SLIPPAGE = "stuck orders", "slippage"


class DeskWatch:
    """Tells each trouble once, and again when it was gone."""

    def __init__(self, loop: TradingLoop, parts: LoopParts) -> None:
        self._loop = loop
        self._parts = parts
        self._stuck: frozenset[ClientOrderId] = frozenset()
        self._refused: frozenset[Symbol] = frozenset()
        self._next_at: datetime | None = None

    async def run(self) -> None:
        """For ever, at the pace of the heartbeat."""
        while True:
            try:
                await self.look()
            except StoreError as error:
                _LOG.warning("What trading costs cannot be read: %s", error.message)
            await self._parts.clock.sleep(self._parts.cadence.health_s)

    async def look(self) -> None:
        """Once."""
        now = self._parts.clock.now()
        self._tell_stuck(now)
        self._tell_refused(now)
        if self._is_time(now):
            await self._guard_slippage(now)

    def _is_time(self, now: datetime) -> bool:
        """Once a minute: a day of fills is some milliseconds of the store's time."""
        due = self._next_at is None or not timedelta(0) <= self._next_at - now <= EVERY
        self._next_at = now + EVERY if due else self._next_at
        return due

    async def _guard_slippage(self, now: datetime) -> None:
        mean = await self._parts.store.read(lambda tx: _mean_slippage(tx, now))
        most = self._loop.books.policy.max_average_slippage_bps
        is_far = mean is not None and mean > most
        why = f"the last fills slipped {short(mean or most)} bps on average, {short(most)} at most"
        self._loop.stand(SLIPPAGE, (why,) if is_far else ())

    def _tell_stuck(self, now: datetime) -> None:
        books = self._loop.books
        found = stuck_orders(books.orders, now, books.policy)
        for order in found:
            if order.client_order_id not in self._stuck:
                event(
                    _LOG,
                    "STUCK_ORDER",
                    "error",
                    symbol=order.symbol,
                    purpose=order.purpose,
                    venue_order_id=order.venue_order_id,
                    age_s=round((now - order.created_at).total_seconds()),
                    replace_count=order.replace_count,
                )
        self._stuck = frozenset(each.client_order_id for each in found)
        reasons = tuple(f"{each.symbol}: {each.venue_order_id} is stuck" for each in found)
        self._loop.stand(STUCK, reasons)

    def _tell_refused(self, now: datetime) -> None:
        counts = rejections(self._loop.books.refusals, now)
        found = {each for each, count in counts.items() if count >= REJECTIONS_OF_INSTRUMENT}
        for symbol in sorted(found - self._refused):
            event(_LOG, "REPEATED_REJECTIONS", "error", symbol=symbol, count=counts[symbol])
        self._refused = frozenset(found)


def _mean_slippage(transaction: Transaction, now: datetime) -> Decimal | None:
    for span in LOOKS_BACK:
        since = now - span
        groups = transaction.groups.since(since)
        orders = transaction.groups.orders_of([each.group_id for each in groups])
        mean = mean_slippage_bps(groups, orders, transaction.fills(since) if orders else ())
        if mean is not None:
            return mean
    return None
