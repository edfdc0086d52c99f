"""One book order by order, kept from the level3 channel, and the checksum that vouches for it.

Pure: rows in, orders out. Source: kraken-spot sections 10.5, 10.6 and 17.5. The checksum covers
every order of the ten best levels of each side, in the order of their queues.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from zlib import crc32

from zoe_tools.kraken.book import CHECKED_LEVELS, digits
from zoe_tools.kraken.wire_stream import OrderRow

LEVEL3_DEPTHS = (10, 100, 1000)
"""The depths that can be subscribed, in levels a side."""


@dataclass(slots=True)
class _Level:
    """The queue at one price: times and orders run in step, first come first."""

    times: list[str] = field(default_factory=list)
    rows: list[OrderRow] = field(default_factory=list)

    def add(self, row: OrderRow) -> None:
        at = bisect_right(self.times, row.timestamp)
        self.times.insert(at, row.timestamp)
        self.rows.insert(at, row)

    def find(self, order_id: str) -> int:
        return next(at for at, row in enumerate(self.rows) if row.order_id == order_id)


class _Side:
    def __init__(self, *, is_bid: bool, places: tuple[int, int]) -> None:
        self._sign = -1 if is_bid else 1
        self._places = places
        self._keys: list[int] = []
        self._levels: dict[int, _Level] = {}
        self._where: dict[str, int] = {}

    def apply(self, rows: Sequence[OrderRow], depth: int) -> None:
        for row in rows:
            if row.event == "modify" and self._modify(row):
                continue
            self._remove(row.order_id)
            if row.event != "delete":
                self._add(row)
        for key in self._keys[depth:]:
            for row in self._levels.pop(key).rows:
                del self._where[row.order_id]
        del self._keys[depth:]

    def orders(self, levels: int) -> tuple[OrderRow, ...]:
        return tuple(row for key in self._keys[:levels] for row in self._levels[key].rows)

    def checked(self) -> bytes:
        price, quantity = self._places
        return "".join(
            digits(row.limit_price, price) + digits(row.order_qty, quantity)
            for row in self.orders(CHECKED_LEVELS)
        ).encode()

    def _key(self, price: Decimal) -> int:
        return self._sign * int(digits(price, self._places[0]) or "0")

    def _add(self, row: OrderRow) -> None:
        key = self._key(row.limit_price)
        level = self._levels.get(key)
        if level is None:
            level = self._levels[key] = _Level()
            self._keys.insert(bisect_left(self._keys, key), key)
        level.add(row)
        self._where[row.order_id] = key

    def _modify(self, row: OrderRow) -> bool:
        """A change of quantity keeps the place in the queue."""
        key = self._where.get(row.order_id)
        if key is None or key != self._key(row.limit_price):
            return False
        level = self._levels[key]
        level.rows[level.find(row.order_id)] = row
        return True

    def _remove(self, order_id: str) -> None:
        key = self._where.pop(order_id, None)
        if key is None:
            return
        level = self._levels[key]
        at = level.find(order_id)
        del level.rows[at], level.times[at]
        if not level.rows:
            del self._levels[key]
            del self._keys[bisect_left(self._keys, key)]


class Level3Book:
    """The orders of `depth` levels a side; the decimals are the instrument's."""

    def __init__(self, *, price_decimals: int, quantity_decimals: int, depth: int) -> None:
        self._depth = depth
        self._places = (price_decimals, quantity_decimals)
        self._asks, self._bids = self._sides()

    def replace(self, bids: Sequence[OrderRow], asks: Sequence[OrderRow]) -> None:
        """A snapshot: forget what was, take this."""
        self._asks, self._bids = self._sides()
        self.update(bids, asks)

    def update(self, bids: Sequence[OrderRow], asks: Sequence[OrderRow]) -> None:
        """Apply every event in order, then cut to the subscribed depth.

        Raises:
            ArithmeticError: a number cannot be written with the instrument's decimals.
        """
        self._asks.apply(asks, self._depth)
        self._bids.apply(bids, self._depth)

    def checksum(self) -> int:
        """CRC-32 over the orders of the ten best ask levels, then of the ten best bid levels."""
        return crc32(self._bids.checked(), crc32(self._asks.checked()))

    def bids(self, levels: int) -> tuple[OrderRow, ...]:
        """The orders of the best bid levels, best first, each queue in its order."""
        return self._bids.orders(levels)

    def asks(self, levels: int) -> tuple[OrderRow, ...]:
        """The orders of the best ask levels, best first, each queue in its order."""
        return self._asks.orders(levels)

    def _sides(self) -> tuple[_Side, _Side]:
        return _Side(is_bid=False, places=self._places), _Side(is_bid=True, places=self._places)
