"""Looks at the venue until it is proved what became of a change, or until looking must stop.

What counts as proof is core's table; this only asks, waits and asks again. A look that fails is
no look: silence counts only when the venue really answered.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from zoe_tools.core.proof import (
    CLOCK_TOLERANCE_S,
    LOOKS_NEEDED,
    Judgement,
    Verdict,
    judge_amend,
    judge_cancel,
    judge_place,
    silence_counts_from,
)
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import Symbol, VenueOrderId
from zoe_tools.domain.journal import Intent, IntentKind, OrderRecord
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import OrderAmendment, OrderType, VenueOrder
from zoe_tools.domain.policy import Policy
from zoe_tools.errors import VenueError
from zoe_tools.gate.journal import Entry
from zoe_tools.ports import Clock, Venue

LOOK_GAP_S = 1.0
"""Between two looks at a silent venue, once silence counts."""

SETTLE_S = 10.0
"""How long a market order may take to be over before it is reported as still working."""

_FIRST_WAITS_S = (0.1, 0.2, 0.5, 1.0, 2.0)
_WAIT_S = 4.0
_PRESSING_WAITS_S = (0.1, 0.2, 0.5, *(1.0,) * 8)
"""Where a position may stand without its stop until it is seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prover:
    """The eyes of the gate."""

    venue: Venue
    clock: Clock
    policy: Policy

    async def confirm(self, entry: Entry) -> Judgement:
        """After a good answer: look until the change is seen, or the visibility lag is over.

        Here silence never means "not done": the venue said yes.
        """
        began = self.clock.now()
        give_up = began + timedelta(seconds=self.policy.visibility_lag_s)
        settled_by = began + timedelta(seconds=SETTLE_S)
        for wait_s in _waits(entry.intent):
            judgement = await self._look(entry.intent, entry.record, silent_looks=0)
            now = self.clock.now()
            if judgement.verdict is not Verdict.UNKNOWN:
                if not _is_working(entry, judgement.order) or now >= settled_by:
                    return judgement
            elif now >= give_up:
                return judgement
            await self.clock.sleep(wait_s)
        raise AssertionError("waiting does not end by itself")

    async def resolve(
        self,
        entry: Entry,
        *,
        patient: bool,
        known: Mapping[VenueOrderId, VenueOrder | None] = MappingProxyType({}),
    ) -> Judgement:
        """After a lost answer: what the venue's records prove.

        Impatient, it does not wait for the deadline and the visibility lag to pass. The first look
        at an order that was just looked at, and so is `known`, costs no call.
        """
        silent = late = 0
        since = silence_counts_from(entry.intent, self.policy)
        for wait_s in _waits(entry.intent):
            is_late = self.clock.now() >= since
            counts = is_late and await self._is_late_there(since)
            judgement = await self._look(
                entry.intent, entry.record, silent_looks=silent + 1 if counts else 0, known=known
            )
            known = {}
            if judgement.verdict is not Verdict.UNKNOWN:
                return judgement
            silent += counts and judgement.is_answered
            late += is_late
            if late > LOOKS_NEEDED or not (is_late or patient):
                return judgement
            await self.clock.sleep(LOOK_GAP_S if is_late else wait_s)
        raise AssertionError("waiting does not end by itself")

    async def fills_of(self, order: VenueOrder) -> tuple[Fill, ...]:
        """The fills of one order, asked for until they add up to what the order says."""
        if order.filled_quantity == ZERO:
            return ()
        since = order.opened_at - timedelta(seconds=CLOCK_TOLERANCE_S)
        fills: tuple[Fill, ...] = ()
        for wait_s in _FIRST_WAITS_S:
            try:
                rows = await self.venue.fills(since=since)
            except VenueError:
                rows = ()
            fills = tuple(row for row in rows if row.venue_order_id == order.venue_order_id)
            if sum((fill.quantity for fill in fills), ZERO) >= order.filled_quantity:
                break
            await self.clock.sleep(wait_s)
        return fills

    async def is_working(self, venue_order_id: VenueOrderId) -> bool:
        """Whether the venue's own record of an order says so; False where it cannot be asked."""
        try:
            order = await self._order(venue_order_id)
        except VenueError:
            return False
        return order is not None and not order.status.is_terminal

    async def _is_late_there(self, moment: datetime) -> bool:
        """The same by the venue's clock: ours may have been set since the deadline was written."""
        try:
            return await self.venue.server_time() >= moment
        except VenueError:
            return False

    async def _look(
        self,
        intent: Intent,
        record: OrderRecord | None,
        *,
        silent_looks: int,
        known: Mapping[VenueOrderId, VenueOrder | None] = MappingProxyType({}),
    ) -> Judgement:
        try:
            if intent.kind is IntentKind.PLACE and record is not None:
                return await self._look_for_place(intent, record, silent_looks)
            order = await self._order(intent.venue_order_id, known)
        except VenueError as error:
            evidence = f"could not look: {error.message}"
            return Judgement(verdict=Verdict.UNKNOWN, evidence=evidence, is_answered=False)
        if intent.kind is IntentKind.AMEND:
            return judge_amend(amendment_of(intent), order, silent_looks=silent_looks)
        return judge_cancel(order, silent_looks=silent_looks)

    async def _look_for_place(
        self, intent: Intent, record: OrderRecord, silent_looks: int
    ) -> Judgement:
        """Open orders, closed orders, trades: whichever first shows our client id."""
        orders: tuple[VenueOrder, ...] = ()
        fills: tuple[Fill, ...] = ()
        known = record.venue_order_id or intent.venue_order_id
        if known is not None:
            orders = await self.venue.orders((known,))
        if not orders:
            orders = await self.venue.open_orders(record.client_order_id)
        if not orders:
            orders = await self.venue.closed_orders(client_order_id=record.client_order_id)
        if not orders:
            since = intent.created_at - timedelta(seconds=CLOCK_TOLERANCE_S)
            fills = tuple(
                fill
                for fill in await self.venue.fills(since=since)
                if fill.client_order_id == record.client_order_id
            )
        return judge_place(intent, record, orders=orders, fills=fills, silent_looks=silent_looks)

    async def _order(
        self,
        venue_order_id: VenueOrderId | None,
        known: Mapping[VenueOrderId, VenueOrder | None] = MappingProxyType({}),
    ) -> VenueOrder | None:
        if venue_order_id is None:
            return None
        if venue_order_id in known:
            return known[venue_order_id]
        found = await self.venue.orders((venue_order_id,))
        return found[0] if found else None


def amendment_of(intent: Intent) -> OrderAmendment:
    """The amendment that an intent's payload holds."""
    values: Mapping[str, Any] = json.loads(intent.payload)["amendment"]
    return OrderAmendment(
        venue_order_id=VenueOrderId(values["venue_order_id"]),
        symbol=Symbol(values["symbol"]),
        quantity=_decimal(values["quantity"]),
        limit_price=_decimal(values["limit_price"]),
        trigger_price=_decimal(values["trigger_price"]),
    )


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _is_working(entry: Entry, order: VenueOrder | None) -> bool:
    """Whether the order is one that ends by itself, and has not yet."""
    return (
        entry.record is not None
        and entry.record.order_type is OrderType.MARKET
        and order is not None
        and not order.status.is_terminal
    )


def _waits(intent: Intent) -> Iterator[float]:
    frees_coins = intent.kind is IntentKind.CANCEL and intent.purpose != "entry"
    is_pressing = intent.purpose == "stop" or frees_coins
    yield from _PRESSING_WAITS_S if is_pressing else _FIRST_WAITS_S
    while True:
        yield _WAIT_S
