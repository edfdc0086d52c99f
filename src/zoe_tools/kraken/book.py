"""One order book kept from the book channel, and the checksum that vouches for it.

Pure: levels in, levels out. Source: kraken-spot sections 10.5 and 10.6. Updates carry no sequence
number, so the checksum over the wire text of the top ten levels is the only proof.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from decimal import Decimal
from zlib import crc32

from zoe_tools.domain.market import BookLevel
from zoe_tools.domain.money import plain, quantum

CHECKED_LEVELS = 10
"""The checksum always covers the ten best levels of each side, whatever the depth."""

Level = tuple[Decimal, Decimal]
"""(price, quantity); quantity 0 removes the level."""


class _Side:
    """Levels of one side: prices ascending, with the level's part of the checksum text."""

    def __init__(self, *, is_bid: bool, price_decimals: int, quantity_decimals: int) -> None:
        self.is_bid = is_bid
        self.price_decimals = price_decimals
        self.quantity_decimals = quantity_decimals
        self.prices: list[Decimal] = []
        self.quantities: dict[Decimal, Decimal] = {}
        self.texts: dict[Decimal, str] = {}

    def apply(self, levels: Iterable[Level]) -> None:
        for price, quantity in levels:
            if quantity:
                if price not in self.quantities:
                    insort(self.prices, price)
                self.quantities[price] = quantity
                self.texts[price] = _digits(price, self.price_decimals) + _digits(
                    quantity, self.quantity_decimals
                )
            elif price in self.quantities:
                self._drop(price)

    def truncate(self, depth: int) -> None:
        """No delete is sent for levels that fall out of the window."""
        while len(self.prices) > depth:
            self._drop(self.prices[0] if self.is_bid else self.prices[-1])

    def best(self, count: int) -> list[Decimal]:
        """The best prices, best first."""
        return self.prices[: -count - 1 : -1] if self.is_bid else self.prices[:count]

    def levels(self, count: int) -> tuple[BookLevel, ...]:
        return tuple(
            BookLevel(price=price, quantity=self.quantities[price]) for price in self.best(count)
        )

    def checked_text(self) -> str:
        texts = self.texts
        return "".join([texts[price] for price in self.best(CHECKED_LEVELS)])

    def clear(self) -> None:
        self.prices.clear()
        self.quantities.clear()
        self.texts.clear()

    def _drop(self, price: Decimal) -> None:
        del self.prices[bisect_left(self.prices, price)]
        del self.quantities[price]
        del self.texts[price]


class OrderBook:
    """A book of `depth` levels a side; the decimals are the instrument's."""

    def __init__(self, *, price_decimals: int, quantity_decimals: int, depth: int) -> None:
        self._depth = depth
        self._asks = _Side(
            is_bid=False, price_decimals=price_decimals, quantity_decimals=quantity_decimals
        )
        self._bids = _Side(
            is_bid=True, price_decimals=price_decimals, quantity_decimals=quantity_decimals
        )

    def replace(self, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """A snapshot: forget what was, take this."""
        self._asks.clear()
        self._bids.clear()
        self.update(bids, asks)

    def update(self, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """Apply every level in order, then cut to the subscribed depth."""
        self._asks.apply(asks)
        self._bids.apply(bids)
        self._asks.truncate(self._depth)
        self._bids.truncate(self._depth)

    def checksum(self) -> int:
        """CRC-32 over the ten best asks, then the ten best bids."""
        return crc32((self._asks.checked_text() + self._bids.checked_text()).encode())

    def bids(self, count: int) -> tuple[BookLevel, ...]:
        """The best bids, best first."""
        return self._bids.levels(count)

    def asks(self, count: int) -> tuple[BookLevel, ...]:
        """The best asks, best first."""
        return self._asks.levels(count)


def _digits(value: Decimal, decimals: int) -> str:
    """The wire text without its dot and without leading zeros.

    Raises:
        ArithmeticError: the value cannot be written with so many decimals.
    """
    text = str(value)  # an exponent goes the slow way, which also bounds its length
    whole, _, fraction = text.partition(".")
    if len(fraction) != decimals or "E" in text:
        whole, _, fraction = plain(value.quantize(quantum(decimals))).partition(".")
    return (whole + fraction).lstrip("0")
