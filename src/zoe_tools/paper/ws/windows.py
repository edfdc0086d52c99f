"""What the book channels have in common: the best levels of a book, told to all who share a depth.

A window remembers what its subscribers were told last and tells them the difference; what a cell of
it is (a level, or the orders of one) is the channel's. Source: kraken-spot sections 10.5 and 10.6.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import chain
from typing import Generic, Protocol, TypeVar
from zlib import crc32

CHECKED_LEVELS = 10


class Checked(Protocol):
    """A cell as printed."""

    @property
    def checked(self) -> str:
        """What it adds to the book's checksum."""
        ...

    def spoken(self) -> Iterable[str]:
        """Its rows in a snapshot."""
        ...


C = TypeVar("C", bound=Checked)


class Side(Protocol[C]):
    """One side of a followed book."""

    @property
    def changes(self) -> int:
        """Rises with each change of it."""
        ...

    def window(self, depth: int) -> dict[Decimal, C]:
        """The best levels, best first."""
        ...

    def difference(self, old: dict[Decimal, C], new: dict[Decimal, C], depth: int) -> str:
        """What a subscriber who was told `old` must hear to see `new`, as JSON rows."""
        ...


def checksum_of(asks: Side[C], bids: Side[C]) -> int:
    """CRC-32 over the printed best ten levels of each side, asks first."""
    cells = chain(*(side.window(CHECKED_LEVELS).values() for side in (asks, bids)))
    return crc32("".join(cell.checked for cell in cells).encode())


class Window(ABC, Generic[C]):
    """What all subscribers of one (pair, depth) have been told; they share every frame."""

    def __init__(self, bids: Side[C], asks: Side[C], depth: int) -> None:
        self._sides = (bids, asks)
        self._depth = depth
        self._told: list[dict[Decimal, C]] = [{}, {}]
        self._seen = [-1, -1]
        self._look()

    def _look(self) -> None:
        """At the sides that changed: most of what happens is on one of them."""
        told = []
        for number, side in enumerate(self._sides):
            is_same = self._seen[number] == side.changes
            told.append(self._told[number] if is_same else side.window(self._depth))
            self._seen[number] = side.changes
        self._told = told

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been told yet, as there is no book."""
        return not any(self._told)

    def snapshot(self) -> str:
        """The whole window as a frame."""
        bids, asks = (
            ",".join(row for cell in side.values() for row in cell.spoken()) for side in self._told
        )
        return self._frame("snapshot", bids, asks)

    def advance(self, *, is_snapshot: bool) -> str | None:
        """The frame of what has happened to the book; None when this window saw nothing.

        A window that was empty is told whole, as its subscribers have had no snapshot yet.
        """
        before, was_empty = self._told, self.is_empty
        self._look()
        if is_snapshot or was_empty:
            return None if was_empty and self.is_empty else self.snapshot()
        bids, asks = self._differences(before)
        return self._frame("update", bids, asks) if bids or asks else None

    def _differences(self, before: list[dict[Decimal, C]]) -> Iterator[str]:
        for side, old, new in zip(self._sides, before, self._told, strict=True):
            yield "" if old is new else side.difference(old, new, self._depth)

    @abstractmethod
    def _frame(self, kind: str, bids: str, asks: str) -> str:
        """A frame of the channel around these rows."""
