"""What orders, changes and cancels take of their pairs' counters, charged before they are sent.

A charge that the venue did not make is given back: of what was refused, all but the fixed part; of
what was not sent, everything. Cancels and protection are charged and never held back.
Source: kraken-spot section 3.2.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from zoe_tools.domain.identifiers import Symbol, VenueOrderId
from zoe_tools.domain.order import OrderName, VenueOrder
from zoe_tools.errors import VenueRejected, VenueThrottled, VenueUnavailable
from zoe_tools.kraken import budget_note, limits, overheard
from zoe_tools.kraken.budget_note import Note, Row
from zoe_tools.kraken.limits import ACCOUNT_WIDE, CALL, Tier, Transaction
from zoe_tools.kraken.overheard import Overheard
from zoe_tools.ports import Claim, Clock, Coordination, Still, Urgency

LONGEST_WAIT_S = 10.0
"""A call that would have to wait longer for a pause or a pair's counter is given up."""
CHANGE_WAIT_S = 0.5
"""One that changes what works may be made again, and its instrument may need a stop meanwhile."""
_A_MOMENT = timedelta(seconds=0.1)
"""Who took no longer to come to the wire did not wait."""

_NO_ORDER = ("EOrder:Unknown order", "EOrder:Invalid order", "zoe:not-sent")
"""Refusals of what is charged to no pair, because there is no such order or no such request."""
_PAUSED = "EService:Throttled"
_FULL = ("EOrder:Rate limit exceeded", "EOrder:Domain rate limit exceeded")


@dataclass(slots=True)
class Bill:
    """What a transaction costs each pair: `fixed` whatever comes of it, and all of `whole`.

    `orders` are those that it ends; they are out of the note until it is known to have failed.
    """

    whole: dict[str, int]
    fixed: dict[str, int] = field(default_factory=dict)
    orders: dict[str, Row] = field(default_factory=dict)
    by_order: dict[str, int] = field(default_factory=dict)


Billing = Callable[[Note, datetime], Bill]


@dataclass(slots=True)
class _Charge:
    """A bill once it is charged; what cannot wait is sent before it was its turn."""

    bill: Bill = field(default_factory=lambda: Bill(whole={}))


class Taken:
    """A charge that was made, for a transaction that names several orders."""

    def __init__(self, transactions: Transactions, charge: _Charge) -> None:
        self._transactions = transactions
        self._charge = charge

    def not_done(self, name: OrderName) -> None:
        """This one was refused: it is as it was, and cost nothing."""
        self._transactions.give_back(lambda: self._part(name))

    def _part(self, name: OrderName) -> Bill:
        bill = self._charge.bill
        part = Bill(whole={})
        for key, row in bill.orders.items():
            if is_called(name, key, row):
                part.orders[key] = row
                part.whole[row[0]] = part.whole.get(row[0], 0) + bill.by_order.get(key, 0)
        return part


class Transactions:
    """The pairs' counters of one key. Without a tier nothing is counted."""

    def __init__(
        self, coordination: Coordination, clock: Clock, tier: Tier | None, *, urgency: Urgency
    ) -> None:
        self._coordination = coordination
        self._clock = clock
        self._tier = tier
        self._claim = Claim(urgency=urgency)

    # what is about to be sent

    def adding(
        self,
        symbol: Symbol,
        called: Sequence[str],
        *,
        is_urgent: bool,
        deadline: datetime | None = None,
        is_batch: bool = False,
        still: Still | None = None,
    ) -> AbstractAsyncContextManager[object]:
        """New orders of a pair, by client ids or user references; see `_charged` for the rest."""
        cost = limits.batch_cost(len(called)) if is_batch else limits.engine_cost("add")

        def billing(note: Note, now: datetime) -> Bill:
            note.expects(called, now)
            return Bill(whole={symbol: cost}, fixed={symbol: cost})

        return self._charged(billing, symbol, is_urgent=is_urgent, deadline=deadline, still=still)

    @asynccontextmanager
    async def changing(
        self,
        transaction: Transaction,
        order_id: VenueOrderId,
        symbol: Symbol,
        *,
        is_urgent: bool,
        deadline: datetime | None = None,
    ) -> AsyncIterator[None]:
        """An amendment, or an edit, which ends the order; see `_charged` for the rest."""

        def billing(note: Note, now: datetime) -> Bill:
            row = note.orders.get(order_id)
            age_s = limits.FORGOTTEN_AFTER_S if row is None else budget_note.age_s(row, now)
            bill = Bill(
                whole={symbol: limits.engine_cost(transaction, age_s=age_s)},
                fixed={symbol: limits.engine_cost(transaction, age_s=limits.FORGOTTEN_AFTER_S)},
            )
            note.expects([f"{transaction} {order_id}"], now)
            if transaction == "edit" and row is not None:
                bill.orders[order_id] = row
            return bill

        charged = self._charged(
            billing, symbol, is_urgent=is_urgent, deadline=deadline, longest_s=CHANGE_WAIT_S
        )
        async with charged:
            yield

    @asynccontextmanager
    async def cancelling(self, names: Sequence[OrderName]) -> AsyncIterator[Taken]:
        """Cancels, one at a time or as a batch; of orders that nobody knows they are free."""

        def billing(note: Note, now: datetime) -> Bill:
            bill = Bill(whole={})
            for order_id, row in note.orders.items():
                if any(is_called(name, order_id, row) for name in names):
                    cost = limits.engine_cost("cancel", age_s=budget_note.age_s(row, now))
                    bill.whole[row[0]] = bill.whole.get(row[0], 0) + cost
                    bill.orders[order_id], bill.by_order[order_id] = row, cost
            return bill

        async with self._charged(billing, ACCOUNT_WIDE, is_urgent=True) as charge:
            yield Taken(self, charge)

    @asynccontextmanager
    async def cancelling_all(self) -> AsyncIterator[None]:
        """All orders at once: a call for each pair that has any."""

        def billing(note: Note, _now: datetime) -> Bill:
            pairs = {row[0] for row in note.orders.values()}
            return Bill(whole=dict.fromkeys(pairs, CALL), orders=dict(note.orders))

        async with self._charged(billing, ACCOUNT_WIDE, is_urgent=True):
            yield

    @asynccontextmanager
    async def switching(self) -> AsyncIterator[None]:
        """The dead man's switch: a call of the account's own."""

        def billing(_note: Note, _now: datetime) -> Bill:
            return Bill(whole={ACCOUNT_WIDE: CALL}, fixed={ACCOUNT_WIDE: CALL})

        async with self._charged(billing, ACCOUNT_WIDE, is_urgent=True):
            yield

    def changed(self, order_id: VenueOrderId, symbol: Symbol, called: str = "") -> None:
        """An order was placed or amended now: it is dear to change again for some minutes."""
        if self._tier is None:
            return

        def step(note: Note, now: datetime) -> None:
            before = note.orders.get(order_id)
            name = called or (before[2] if before else "")
            note.knows(order_id, (symbol, limits.microseconds_of(now), name))

        self._coordination.post(budget_note.stepped(step))

    def overheard(self, rows: Sequence[Overheard]) -> None:
        """What the executions stream says: others trade on the account, and the venue's own count.

        Orders placed, amended and cancelled by those who do not share the note are charged as the
        venue charges them; where it shows a higher count, that is ours from now on.
        """
        tier = self._tier
        if tier is None or not rows:
            return

        def step(note: Note, now: datetime) -> None:
            overheard.hear(note, now, rows, tier)

        self._coordination.post(budget_note.stepped(step))

    def saw_open(self, orders: Sequence[VenueOrder], *, asked_at: datetime) -> None:
        """All open orders of the account, as the venue listed them after `asked_at`."""
        tier = self._tier
        if tier is None:
            return

        def step(note: Note, now: datetime) -> None:
            overheard.see_open(note, now, orders, asked_at, tier)

        self._coordination.post(budget_note.stepped(step))

    # what came of it

    @asynccontextmanager
    async def _charged(
        self,
        billing: Billing,
        symbol: Symbol,
        *,
        is_urgent: bool,
        deadline: datetime | None = None,
        longest_s: float = LONGEST_WAIT_S,
        still: Still | None = None,
    ) -> AsyncIterator[_Charge]:
        """Charge what is done inside, once there is room; give back what the venue did not charge.

        New risk leaves the reserved room free and waits; what is urgent is charged and never waits.

        Raises:
            VenueThrottled: room comes after the deadline, or too late; nothing was sent.
            VenueUnavailable: it waited, and is not `still` wanted; nothing was sent.
        """
        charge, asked_at = _Charge(), self._clock.now()
        if self._tier is not None and is_urgent:
            self._post_charge(charge, billing, self._tier)
        elif self._tier is not None:
            give_up_at = self._clock.now() + timedelta(seconds=longest_s)
            latest = give_up_at if deadline is None else min(deadline, give_up_at)
            await self._charge_with_room(charge, billing, self._tier, symbol, latest)
        try:
            if still is not None and self._clock.now() - asked_at > _A_MOMENT:
                await _demand(still)
            yield charge
        except VenueRejected as error:
            is_free = error.code.startswith(_NO_ORDER)
            self.give_back(lambda: _unfixed(charge.bill, is_free=is_free))
            raise
        except (VenueThrottled, VenueUnavailable) as error:
            is_full = isinstance(error, VenueThrottled) and error.code.startswith(_FULL)
            self.give_back(lambda: charge.bill, is_full=is_full)
            if isinstance(error, VenueThrottled) and error.code.startswith(_PAUSED):
                self._post_pause(error.retry_after_s)
            raise

    def _post_pause(self, seconds: float) -> None:
        """The venue asked for silence over the socket; REST tells of it by itself."""

        def step(note: Note, now: datetime) -> None:
            until = limits.microseconds_of(now) + round(seconds * budget_note.MICROSECONDS)
            note.paused_until = max(note.paused_until, until)

        self._coordination.post(budget_note.stepped(step))

    def _post_charge(self, charge: _Charge, billing: Billing, tier: Tier) -> None:
        def step(note: Note, now: datetime) -> None:
            charge.bill = _put_down(note, now, billing, tier)

        self._coordination.post(budget_note.stepped(step))

    async def _charge_with_room(
        self,
        charge: _Charge,
        billing: Billing,
        tier: Tier,
        symbol: Symbol,
        latest: datetime,
    ) -> None:
        def step(note: Note, now: datetime) -> float:
            cost = billing(note, now).whole.get(symbol, 0)
            counter = budget_note.engine_in(note, tier, symbol)
            silent_us = max(note.paused_until - limits.microseconds_of(now), 0)
            wait_s = max(
                counter.wait_s(now, cost + limits.reserved_room(tier)),
                silent_us / budget_note.MICROSECONDS,
            )
            if not wait_s:
                charge.bill = _put_down(note, now, billing, tier)
            return wait_s

        stepped = budget_note.stepped(step)
        while (wait_s := await self._coordination.change(stepped, self._claim)) > 0:
            if wait_s >= (latest - self._clock.now()).total_seconds():
                raise VenueThrottled(
                    f"Too many orders, cancels or calls: {symbol} has room in {wait_s:.1f} s; "
                    "nothing was sent.",
                    hint="Run the command again then; cancels and stops have room of their own.",
                    retry_after_s=wait_s,
                )
            await self._clock.sleep(wait_s)

    def give_back(self, told: Callable[[], Bill], *, is_full: bool = False) -> None:
        """What was charged here and not by the venue; `is_full`: because there it did not fit."""
        tier = self._tier
        if tier is None:
            return

        def step(note: Note, now: datetime) -> None:
            bill = told()  # in its turn: what is given back was charged by then
            for name, cost in bill.whole.items():
                counter = budget_note.engine_in(note, tier, name)
                level = max(counter.level(now) - cost, 0)
                if is_full:
                    # Somebody else fills it: the venue's counter is higher than ours was.
                    level = max(level, counter.maximum - cost + 1)
                note.engine[name] = level, limits.microseconds_of(now)
            for order_id, row in bill.orders.items():
                note.orders.setdefault(order_id, row)
                note.own.pop(f"over {order_id}", None)

        self._coordination.post(budget_note.stepped(step))


async def _demand(still: Still) -> None:
    if reason := await still():
        raise VenueUnavailable(f"Nothing was sent: {reason}.")


def _put_down(note: Note, now: datetime, billing: Billing, tier: Tier) -> Bill:
    bill = billing(note, now)
    for name, cost in bill.whole.items():
        if cost:
            counter = budget_note.engine_in(note, tier, name).after(now, cost)
            note.engine[name] = budget_note.kept(counter)
    for order_id in bill.orders:
        note.orders.pop(order_id, None)
    if bill.orders:
        note.expects([f"over {order_id}" for order_id in bill.orders], now)
    return bill


def _unfixed(bill: Bill, *, is_free: bool) -> Bill:
    """What a refusal gives back: all but the fixed part, which is charged in any case."""
    fixed = {} if is_free else bill.fixed
    whole = {name: cost - fixed.get(name, 0) for name, cost in bill.whole.items()}
    return replace(bill, whole=whole)


def is_called(name: OrderName, order_id: str, row: Row) -> bool:
    """Whether a name means this order."""
    if name.venue_order_id is not None:
        return name.venue_order_id == order_id
    return row[2] == name.text
