"""The orders of one pair that wait for their trigger, found by the price that concerns them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from decimal import Decimal
from typing import Any

from typing_extensions import override

from zoe_tools.paper.engine.prices import fires_on_rise
from zoe_tools.paper.values.order import OrderView

_Entry = tuple[Decimal, int, str]
"""A price (negative where falling prices fire), the number of the order, its id."""
_Line = list[_Entry]


class Triggers(dict[str, OrderView]):
    """By id, oldest first; an order that is put in anew keeps its turn."""

    def __init__(self) -> None:
        super().__init__()
        self._rising: _Line = []
        self._falling: _Line = []
        self._highs: _Line = []
        self._lows: _Line = []
        self._numbers: dict[str, int] = {}
        self._entries: dict[str, list[tuple[_Line, _Entry]]] = {}
        self._count = 0

    @override
    def __setitem__(self, order_id: str, order: OrderView) -> None:
        number = self._numbers.get(order_id)
        if number is None:
            self._count += 1
            number = self._numbers[order_id] = self._count
        self._leave(order_id)
        entries = self._entries[order_id] = []
        trigger, peak = order.trigger_price, order.peak_price
        if trigger is not None:
            if fires_on_rise(order):
                entries.append((self._rising, (trigger, number, order_id)))
            else:
                entries.append((self._falling, (-trigger, number, order_id)))
        if peak is not None:
            if order.side == "sell":
                entries.append((self._highs, (peak, number, order_id)))
            else:
                entries.append((self._lows, (-peak, number, order_id)))
        for line, entry in entries:
            insort(line, entry)
        super().__setitem__(order_id, order)

    @override
    def pop(self, order_id: str, default: Any = None) -> Any:
        """Forget an order that waits no more."""
        if order_id not in self:
            return default
        self._leave(order_id)
        del self._entries[order_id], self._numbers[order_id]
        return super().pop(order_id)

    def _leave(self, order_id: str) -> None:
        for line, entry in self._entries.get(order_id, ()):
            del line[bisect_left(line, entry)]

    def concerned(self, last: Decimal) -> list[str]:
        """The orders that fire at this last price, or whose peak it passes; oldest first."""
        found: set[tuple[int, str]] = set()
        for reached, price in ((self._rising, last), (self._falling, -last)):
            until = bisect_right(reached, price, key=_price)
            found.update((number, order_id) for _, number, order_id in reached[:until])
        for passed, price in ((self._highs, last), (self._lows, -last)):
            until = bisect_left(passed, price, key=_price)
            found.update((number, order_id) for _, number, order_id in passed[:until])
        return [order_id for _, order_id in sorted(found)]


def _price(entry: _Entry) -> Decimal:
    return entry[0]
