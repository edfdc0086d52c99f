"""A curve in one line of blocks, for eyes on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[Decimal], width: int) -> str:
    """The values from lowest to highest block, at most `width` of them; a flat curve is low.

    Of more values than there is room the last of each stretch is drawn.
    """
    if not values or width < 1:
        return ""
    count = min(len(values), width)
    drawn = [values[(number + 1) * len(values) // count - 1] for number in range(count)]
    low, high = min(drawn), max(drawn)
    span = high - low
    steps = len(BLOCKS) - 1
    return "".join(BLOCKS[round((each - low) / span * steps) if span else 0] for each in drawn)
