"""Lot matching done slowly and plainly, in exact fractions, to hold the quick one to.

Also the random histories that both are given.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from builders import NOON
from zoe_tools.domain.lot import Acquire, Dispose, LotEvent, LotMethod, MoveOut
from zoe_tools.domain.money import ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One match or moved piece; `gain` is None where nothing is realised or a cost is pending."""

    event_id: str
    lot_id: str
    quantity: Fraction
    gain: Fraction | None


@dataclass(slots=True, kw_only=True)
class _Lot:
    lot_id: str
    left: Fraction
    unit_cost: Fraction | None


def slow_matches(events: Iterable[LotEvent], method: LotMethod = LotMethod.FIFO) -> list[Piece]:
    """Every match, by looking through all lots each time."""
    lots: list[_Lot] = []
    pieces: list[Piece] = []
    for event in events:
        if isinstance(event, Acquire):
            lots.append(_lot_of(event))
            continue
        left = Fraction(event.quantity)
        while left and (lot := _chosen(lots, method)) is not None:
            part = min(left, lot.left)
            lot.left -= part
            left -= part
            pieces.append(_piece(event, lot, part))
            lots = [each for each in lots if each.left]
    return pieces


def _lot_of(event: Acquire) -> _Lot:
    basis = None if event.cost is None else Fraction(event.cost) + Fraction(event.fee)
    quantity = Fraction(event.quantity)
    unit_cost = None if basis is None else basis / quantity
    return _Lot(lot_id=event.event_id, left=quantity, unit_cost=unit_cost)


def _chosen(lots: list[_Lot], method: LotMethod) -> _Lot | None:
    if not lots:
        return None
    if method is LotMethod.FIFO:
        return lots[0]
    if method is LotMethod.LIFO:
        return lots[-1]
    return max(lots, key=lambda lot: (lot.unit_cost is not None, lot.unit_cost or 0))


def _piece(event: Dispose | MoveOut, lot: _Lot, part: Fraction) -> Piece:
    gain = None
    if isinstance(event, Dispose) and event.proceeds is not None and lot.unit_cost is not None:
        net = Fraction(event.proceeds) - Fraction(event.fee)
        gain = net * part / Fraction(event.quantity) - lot.unit_cost * part
    return Piece(event_id=event.event_id, lot_id=lot.lot_id, quantity=part, gain=gain)


def history(draw: random.Random, length: int, *, may_move: bool = False) -> Iterator[LotEvent]:
    """A random life of one asset in which nothing is given away that is not there.

    An hour between two events, whose ids are their numbers from 1. Fees of any size; rewards
    among the purchases, and the crypto fees of transfers among the sales.
    """
    held = ZERO
    for number in range(1, length + 1):
        at = NOON + timedelta(hours=number)
        quantity = Decimal(draw.randint(1, 10**9)).scaleb(-8)
        price = Decimal(draw.randint(1, 10**7)).scaleb(-2)
        name = str(number)
        if not held or draw.random() < 0.5:
            held += quantity
            yield _acquired(draw, name, at, quantity, quantity * price)
            continue
        quantity = held if draw.random() < 0.1 else min(quantity, held)
        held -= quantity
        if may_move and draw.random() < 0.1:
            yield MoveOut(name, at, "BTC", quantity)
        elif draw.random() < 0.15:
            yield Dispose(name, at, "BTC", quantity, quantity * price, reason="fee")
        else:
            fee = quantity * price * draw.randint(0, 40) / 10_000
            yield Dispose(name, at, "BTC", quantity, quantity * price, round(fee, 5))


def _acquired(
    draw: random.Random, name: str, at: datetime, quantity: Decimal, cost: Decimal
) -> Acquire:
    if draw.random() < 0.2:
        return Acquire(name, at, "BTC", quantity, cost, origin="reward")
    fee = round(cost * draw.randint(0, 40) / 10_000, 5)
    return Acquire(name, at, "BTC", quantity, cost, fee)
