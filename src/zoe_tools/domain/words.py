"""Counts and lists in sentences."""

from __future__ import annotations

from collections.abc import Sequence

MOST = 3
"""So many names a sentence bears."""


def counted(count: int, one: str, many: str = "") -> str:
    """`1 order`, `2 orders`; `many` where the plural is not `one` with an s."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def few(names: Sequence[str], between: str = ", ") -> str:
    """The first three, and how many more there are."""
    shown = between.join(names[:MOST])
    more = len(names) - MOST
    return shown if more <= 0 else f"{shown} and {more:,} more"
