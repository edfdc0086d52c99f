"""Invariant K, told by position and orders together: protected from the first fill on.

The others are of a row, or of the registry: `domain/position_lifecycle.py`, where the store holds
each change to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from zoe_tools.domain.instrument import Instrument, InstrumentCatalogue
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.position import Position

_RESTING = (OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED)


def is_dust(position: Position, instrument: Instrument) -> bool:
    """Whether what is left is too small for any order the venue would take.

    Dust can be neither stopped nor sold; it is carried into the next position of the instrument.
    """
    quantity = instrument.floor_quantity(position.quantity)
    return not instrument.is_tradable_quantity(quantity, price=position.average_cost)


def is_protected(position: Position, orders: Sequence[OrderRecord], instrument: Instrument) -> bool:
    """Whether a resting stop covers what no target holds; dust below the minimum is covered."""
    if is_dust(position, instrument):
        return True
    return bool(resting_stops(position, orders)) and covered(position, orders) >= (
        instrument.floor_quantity(position.quantity)
    )


def resting_stops(position: Position, orders: Sequence[OrderRecord]) -> list[OrderRecord]:
    """The stops of the position that rest at the venue."""
    return [each for each in orders if _holds(each, position) and each.purpose == "stop"]


def covered(position: Position, orders: Sequence[OrderRecord]) -> Decimal:
    """How much of the position resting stops and targets hold, in base."""
    return sum(
        (
            each.remaining_quantity
            for each in orders
            if _holds(each, position) and each.purpose in ("stop", "take_profit")
        ),
        ZERO,
    )


def naked_positions(
    positions: Iterable[Position], orders: Sequence[OrderRecord], catalogue: InstrumentCatalogue
) -> Iterator[Position]:
    """Positions that break invariant K: neither stop nor targets hold them, and none is leaving.

    A stop or a sale that is on its way counts: whoever sent it looks after it.
    """
    for position in positions:
        instrument = catalogue.find(position.symbol)
        if instrument is None or not position.status.holds or is_dust(position, instrument):
            continue
        working = [
            order
            for order in orders
            if order.position_id == position.position_id
            and order.side is not position.side
            and not order.status.is_terminal
        ]
        if not working:
            yield position


def _holds(order: OrderRecord, position: Position) -> bool:
    return (
        order.position_id == position.position_id
        and order.status in _RESTING
        and order.remaining_quantity > ZERO
    )
