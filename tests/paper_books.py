"""Clients of the book channels, as anybody would write one from Kraken's documentation.

They keep the wire's texts, cut to their depth, and compute the checksum from them (section 10.6).
They share nothing with the exchange.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from zlib import crc32

Row = dict[str, Any]
_SIDES = ("asks", "bids")
_CHECKED = 10


class Levels:
    """The book channel: quantity by price, best first."""

    def __init__(self, depth: int = 10) -> None:
        self.depth = depth
        self.sides: dict[str, dict[str, str]] = {side: {} for side in _SIDES}

    def apply(self, row: Row, *, is_whole: bool = False) -> int:
        """Take in one frame's row; the checksum after it."""
        for name in _SIDES:
            side = {} if is_whole else self.sides[name]
            for level in row[name]:
                if float(level["qty"]):
                    side[level["price"]] = level["qty"]
                else:
                    side.pop(level["price"], None)
            self.sides[name] = {price: side[price] for price in _best(side, name, self.depth)}
        return _checksum(
            part
            for name in _SIDES
            for price, quantity in list(self.sides[name].items())[:_CHECKED]
            for part in (price, quantity)
        )


class Queues:
    """The level3 channel: orders by price in their queue, best price first."""

    def __init__(self, depth: int = 10) -> None:
        self.depth = depth
        self.sides: dict[str, dict[str, dict[str, str]]] = {side: {} for side in _SIDES}

    def apply(self, frame: Row) -> int:
        """Take in one frame; the checksum after it."""
        (row,) = frame["data"]
        for name in _SIDES:
            side = {} if frame["type"] == "snapshot" else self.sides[name]
            for order in row[name]:
                level = side.setdefault(order["limit_price"], {})
                if order.get("event") == "delete":
                    del level[order["order_id"]]
                else:
                    level[order["order_id"]] = order["order_qty"]
                if not level:
                    del side[order["limit_price"]]
            self.sides[name] = {price: side[price] for price in _best(side, name, self.depth)}
        return _checksum(
            part
            for name in _SIDES
            for price, orders in list(self.sides[name].items())[:_CHECKED]
            for quantity in orders.values()
            for part in (price, quantity)
        )


def _best(prices: Iterable[str], side: str, depth: int) -> list[str]:
    return sorted(prices, key=float, reverse=side == "bids")[:depth]


def _checksum(parts: Iterable[str]) -> int:
    return crc32("".join(part.replace(".", "").lstrip("0") for part in parts).encode())
