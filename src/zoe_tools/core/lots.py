"""Matches what was given away with the lots it came from: FIFO, LIFO, HIFO or average cost.

One pass over a stream of events, oldest first; what is kept is the open lots. Pieces are cut to
the last unit, and the last piece takes what is left: they add up to the whole exactly. There are
no negative lots: what goes beyond them is a shortfall, named and without a gain.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Context, Decimal
from heapq import heappop, heappush
from typing import Protocol, assert_never

from typing_extensions import override

from zoe_tools.domain.lot import (
    Acquire,
    Dispose,
    Lot,
    LotEvent,
    LotMethod,
    LotOutcome,
    Match,
    Moved,
    MoveOut,
    Shortfall,
)
from zoe_tools.domain.money import ZERO

UNIT = Decimal("1E-12")
"""The last unit of money: no piece is cut finer. Kraken itself keeps at most ten decimals."""

_EXACT = Context(prec=60)
"""So that cutting a piece never meets the usual context's 28 digits."""


def piece_of(whole: Decimal, part: Decimal, of: Decimal) -> Decimal:
    """What `part` out of `of` has of `whole`, to the last unit; all of it if the part is all."""
    if part == of or not whole:
        return whole
    return _EXACT.quantize(_EXACT.divide(_EXACT.multiply(whole, part), of), UNIT)


def in_units(value: Decimal) -> Decimal:
    """Money rounded to the last unit, half even: what was reckoned by a price may have more."""
    return _EXACT.quantize(value, UNIT)


def match_lots(events: Iterable[LotEvent], book: LotBook) -> Iterator[LotOutcome]:
    """What comes of each event, as it comes; `book` holds the open lots at any time.

    Raises:
        ValueError: see `LotBook.take`.
    """
    for event in events:
        yield from book.take(event)


class LotBook:
    """The open lots of one account, by asset."""

    def __init__(self, method: LotMethod = LotMethod.FIFO) -> None:
        self._method = method
        self._queues: dict[str, _Queue] = {}
        self._latest: datetime | None = None

    def take(self, event: LotEvent) -> list[LotOutcome]:
        """What comes of the event: matches, moved pieces, a shortfall; nothing of an acquisition.

        Raises:
            ValueError: it is older than the one before, or its quantity is not positive.
        """
        if self._latest is not None and event.at < self._latest:
            raise ValueError(f"{event.event_id} is older than the event before it")
        if not event.quantity > ZERO:
            raise ValueError(f"{event.event_id} is about a quantity of {event.quantity}")
        self._latest = event.at
        queue = self._queues.get(event.asset)
        if queue is None:
            queue = self._queues[event.asset] = _queue_for(self._method)
        match event:
            case Acquire():
                queue.push(_OpenLot(event))
                return []
            case Dispose():
                return _disposed(queue, event)
            case MoveOut():
                return _moved(queue, event)
            case _:
                assert_never(event)

    def open_lots(self) -> tuple[Lot, ...]:
        """What is left, by asset, oldest first."""
        lots = [
            Lot(
                lot_id=each.lot_id,
                asset=asset,
                quantity=each.quantity,
                cost=each.cost,
                fee=each.fee,
                acquired_at=each.acquired_at,
                origin=each.origin,
                is_estimated=each.is_estimated,
            )
            for asset, queue in self._queues.items()
            for each in queue
        ]
        return tuple(sorted(lots, key=lambda lot: (lot.asset, lot.acquired_at, lot.lot_id)))


class _OpenLot:
    """A lot that shrinks."""

    __slots__ = (
        "acquired_at",
        "cost",
        "fee",
        "is_estimated",
        "lot_id",
        "origin",
        "quantity",
    )

    def __init__(self, event: Acquire) -> None:
        self.lot_id = event.event_id
        self.acquired_at = event.at
        self.quantity = event.quantity
        self.cost = event.cost
        self.fee = event.fee
        self.origin = event.origin
        self.is_estimated = event.is_estimated

    def cut(self, quantity: Decimal) -> tuple[Decimal | None, Decimal]:
        """Take so much of it away; the cost and the fee that go with it."""
        fee = piece_of(self.fee, quantity, self.quantity)
        cost = None
        if self.cost is not None:
            cost = piece_of(self.cost, quantity, self.quantity)
            self.cost -= cost
        self.fee -= fee
        self.quantity -= quantity
        return cost, fee

    def merge(self, other: _OpenLot) -> None:
        """Average: one lot of both; its cost is unknown if either one's is."""
        self.quantity += other.quantity
        self.cost = None if self.cost is None or other.cost is None else self.cost + other.cost
        self.fee += other.fee
        self.is_estimated |= other.is_estimated


class _Queue(Protocol):
    """The open lots of one asset, the one to be taken next in front."""

    def push(self, lot: _OpenLot) -> None: ...

    def first(self) -> _OpenLot | None: ...

    def drop(self) -> None: ...

    def __iter__(self) -> Iterator[_OpenLot]: ...


class _Fifo:
    def __init__(self) -> None:
        self._lots: deque[_OpenLot] = deque()

    def push(self, lot: _OpenLot) -> None:
        self._lots.append(lot)

    def first(self) -> _OpenLot | None:
        return self._lots[0] if self._lots else None

    def drop(self) -> None:
        self._lots.popleft()

    def __iter__(self) -> Iterator[_OpenLot]:
        return iter(self._lots)


class _Lifo(_Fifo):
    @override
    def first(self) -> _OpenLot | None:
        return self._lots[-1] if self._lots else None

    @override
    def drop(self) -> None:
        self._lots.pop()


class _Hifo:
    """Dearest first by unit cost, fee included; those of equal cost, and of none, oldest first."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, Decimal, int, _OpenLot]] = []
        self._pushed = 0

    def push(self, lot: _OpenLot) -> None:
        is_pending = lot.cost is None
        unit_cost = ZERO if lot.cost is None else (lot.cost + lot.fee) / lot.quantity
        self._pushed += 1
        heappush(self._heap, (int(is_pending), -unit_cost, self._pushed, lot))

    def first(self) -> _OpenLot | None:
        return self._heap[0][-1] if self._heap else None

    def drop(self) -> None:
        heappop(self._heap)

    def __iter__(self) -> Iterator[_OpenLot]:
        return (entry[-1] for entry in self._heap)


class _Average(_Fifo):
    @override
    def push(self, lot: _OpenLot) -> None:
        held = self.first()
        if held is None:
            super().push(lot)
        else:
            held.merge(lot)


def _queue_for(method: LotMethod) -> _Queue:
    match method:
        case LotMethod.FIFO:
            return _Fifo()
        case LotMethod.LIFO:
            return _Lifo()
        case LotMethod.HIFO:
            return _Hifo()
        case LotMethod.AVERAGE:
            return _Average()


def _disposed(queue: _Queue, event: Dispose) -> list[LotOutcome]:
    event_id, at, asset, left, proceeds, fee, reason, is_estimated = event
    outcomes: list[LotOutcome] = []
    while left:
        lot = queue.first()
        if lot is None:
            outcomes.append(Shortfall(asset, event_id, at, reason, left, proceeds, fee))
            break
        quantity = min(left, lot.quantity)
        cost, buying_fee = lot.cut(quantity)
        brought = None if proceeds is None else piece_of(proceeds, quantity, left)
        selling_fee = piece_of(fee, quantity, left)
        outcomes.append(
            Match(
                asset,
                event_id,
                at,
                reason,
                lot.lot_id,
                lot.acquired_at,
                quantity,
                brought,
                selling_fee,
                cost,
                buying_fee,
                is_estimated or lot.is_estimated,
            )
        )
        if not lot.quantity:
            queue.drop()
        left -= quantity
        proceeds = None if proceeds is None or brought is None else proceeds - brought
        fee -= selling_fee
    return outcomes


def _moved(queue: _Queue, event: MoveOut) -> list[LotOutcome]:
    event_id, at, asset, left = event
    outcomes: list[LotOutcome] = []
    while left:
        lot = queue.first()
        if lot is None:
            outcomes.append(Shortfall(asset, event_id, at, "withdrawal", left, None, ZERO))
            break
        quantity = min(left, lot.quantity)
        cost, fee = lot.cut(quantity)
        outcomes.append(
            Moved(asset, event_id, at, lot.lot_id, lot.acquired_at, quantity, cost, fee)
        )
        if not lot.quantity:
            queue.drop()
        left -= quantity
    return outcomes
