"""Counts and lists in sentences, and what others wrote as one line."""

from __future__ import annotations

import re
from collections.abc import Sequence

MOST = 3
"""So many names a sentence bears."""

_HALVES = re.compile("[\ud800-\udfff]")
"""Bytes that were no text stand so in what a command line or another program gave us."""

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def one_line(text: str) -> str:
    """Somebody else's words as any book, log and terminal can take them."""
    return _CONTROLS.sub(" ", _HALVES.sub("\ufffd", text))


def counted(count: int, one: str, many: str = "") -> str:
    """`1 order`, `2 orders`; `many` where the plural is not `one` with an s."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def few(names: Sequence[str], between: str = ", ") -> str:
    """The first three, and how many more there are."""
    shown = between.join(names[:MOST])
    more = len(names) - MOST
    return shown if more <= 0 else f"{shown} and {more:,} more"
