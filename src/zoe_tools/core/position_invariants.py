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
from zoe_tools.domain.order import OrderPurpose, OrderStatus
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
    stops = _held(position, orders, "stop")
    return stops > ZERO and stops + _held(position, orders, "take_profit") >= (
        instrument.floor_quantity(position.quantity)
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


def _held(position: Position, orders: Sequence[OrderRecord], purpose: OrderPurpose) -> Decimal:
    return sum(
        (
            order.remaining_quantity
            for order in orders
            if order.position_id == position.position_id
            and order.purpose == purpose
            and order.status in _RESTING
        ),
        ZERO,
    )
