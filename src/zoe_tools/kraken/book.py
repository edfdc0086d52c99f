"""One order book kept from the book channel, and the checksum that vouches for it.

Pure: frames or levels in, levels out. Source: kraken-spot sections 10.5 and 10.6. Updates carry no
sequence number, so the checksum over the wire text of the top ten levels is the only proof.

A level is sorted by its price as a whole number of the last decimal (negative for bids, so that
the best is first on both sides), and keeps its part of the checksum text. A side that did not
change is neither joined nor summed again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from decimal import Decimal
from typing import cast
from zlib import crc32

from zoe_tools.domain.market import BookLevel
from zoe_tools.domain.money import plain, quantum
from zoe_tools.kraken.wire_stream import BOOK_FRAME, LevelRow

CHECKED_LEVELS = 10
"""The checksum always covers the ten best levels of each side, whatever the depth."""

DEPTHS = (10, 25, 100, 500, 1000)
"""The depths that can be subscribed."""


class _Side:
    """Levels of one side, best first, in lists that run in step."""

    __slots__ = ("_checked", "_keys", "_pieces", "_places", "_rows", "_sign", "_told", "_values")

    def __init__(self, *, is_bid: bool, price_decimals: int, quantity_decimals: int) -> None:
        self._sign = -1 if is_bid else 1
        self._places = (price_decimals, quantity_decimals)
        self._keys: list[int] = []
        self._pieces: list[str] = []
        self._rows: list[LevelRow] = []
        self._values: list[BookLevel | None] = []
        self._checked: bytes | None = None
        self._told: tuple[BookLevel, ...] | None = None

    def apply(self, rows: Sequence[LevelRow], depth: int) -> None:
        """Take the rows in order, then cut: no delete is sent for levels that fall out."""
        keys = self._keys
        self._told = None
        price_decimals, quantity_decimals = self._places
        for row in rows:
            price_digits = digits(row.price, price_decimals)
            key = self._sign * int(price_digits or "0")
            at = bisect_left(keys, key)
            is_known = at < len(keys) and keys[at] == key
            if at < CHECKED_LEVELS:
                self._checked = None
            if row.qty:
                piece = price_digits + digits(row.qty, quantity_decimals)
                if is_known:
                    self._pieces[at], self._rows[at], self._values[at] = piece, row, None
                else:
                    keys.insert(at, key)
                    self._pieces.insert(at, piece)
                    self._rows.insert(at, row)
                    self._values.insert(at, None)
            elif is_known:
                del keys[at], self._pieces[at], self._rows[at], self._values[at]
        if len(keys) > depth:
            del keys[depth:], self._pieces[depth:], self._rows[depth:], self._values[depth:]

    def levels(self, count: int) -> tuple[BookLevel, ...]:
        """The best levels. A value is made when it is first looked at, and only once."""
        if self._told is not None and len(self._told) == min(count, len(self._rows)):
            return self._told
        for at, value in enumerate(self._values[:count]):
            if value is None:
                row = self._rows[at]
                self._values[at] = BookLevel(price=row.price, quantity=row.qty)
        self._told = tuple(cast("list[BookLevel]", self._values[:count]))
        return self._told

    def checked(self) -> bytes:
        """The checksum text of the ten best levels."""
        if self._checked is None:
            self._checked = "".join(self._pieces[:CHECKED_LEVELS]).encode()
        return self._checked


class OrderBook:
    """A book of `depth` levels a side; the decimals are the instrument's.

    `hear` takes the wire text of one subscription's frames; `replace` and `update` take rows that
    were decoded elsewhere. What the checksum did not vouch for is only the caller's to use.
    """

    __slots__ = ("_asks", "_bids", "_crc_of_asks", "_depth", "_parts", "_summed")

    def __init__(self, *, price_decimals: int, quantity_decimals: int, depth: int) -> None:
        self._depth = depth
        self._parts = {"price_decimals": price_decimals, "quantity_decimals": quantity_decimals}
        self._summed = b""
        self._crc_of_asks = 0
        self._asks, self._bids = self._sides()

    def hear(self, text: str | bytes) -> bool:
        """Apply one book frame of this pair; whether its checksum agrees.

        Raises:
            msgspec.MsgspecError: the text is no book frame.
            ArithmeticError: a number in it cannot be written with the instrument's decimals.
        """
        frame = BOOK_FRAME.decode(text)
        change = self.replace if frame.type == "snapshot" else self.update
        agrees = bool(frame.data)
        for row in frame.data:
            change(row.bids, row.asks)
            agrees = agrees and self.checksum() == row.checksum
        return agrees

    def replace(self, bids: Sequence[LevelRow], asks: Sequence[LevelRow]) -> None:
        """A snapshot: forget what was, take this."""
        self._asks, self._bids = self._sides()
        self.update(bids, asks)

    def update(self, bids: Sequence[LevelRow], asks: Sequence[LevelRow]) -> None:
        """Apply every level in order, then cut to the subscribed depth.

        Raises:
            ArithmeticError: a number cannot be written with the instrument's decimals.
        """
        if asks:
            self._asks.apply(asks, self._depth)
        if bids:
            self._bids.apply(bids, self._depth)

    def checksum(self) -> int:
        """CRC-32 over the ten best asks, then the ten best bids."""
        asks = self._asks.checked()
        if asks is not self._summed:
            self._summed, self._crc_of_asks = asks, crc32(asks)
        return crc32(self._bids.checked(), self._crc_of_asks)

    def bids(self, count: int) -> tuple[BookLevel, ...]:
        """The best bids, best first."""
        return self._bids.levels(count)

    def asks(self, count: int) -> tuple[BookLevel, ...]:
        """The best asks, best first."""
        return self._asks.levels(count)

    def _sides(self) -> tuple[_Side, _Side]:
        """Asks and bids, empty."""
        return _Side(is_bid=False, **self._parts), _Side(is_bid=True, **self._parts)


def digits(value: Decimal, decimals: int) -> str:
    """The wire text without its dot and without leading zeros.

    Raises:
        ArithmeticError: the value cannot be written with so many decimals.
    """
    whole, _, fraction = str(value).partition(".")
    text = whole + fraction
    if len(fraction) != decimals or not text.isdigit():  # rare: an exponent, or no number
        if not value.is_finite() or value < 0:
            raise ArithmeticError(f"{value} has no place in a book")
        # Quantizing bounds the length, whatever the exponent says.
        text = plain(value.quantize(quantum(decimals))).replace(".", "")
    return text.lstrip("0")
