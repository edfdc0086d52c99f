"""The first questions of a start: what is held waits for them, so one that hangs is asked again.

A client gives an answer many seconds, as a long history needs them. These answers are short, or the
same for everybody, and come soon or not at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

TIME_S = 2.0
"""For the venue's time: a line."""

CATALOGUE_S = 4.0
"""For all instruments: about a megabyte, three times as long as it takes on a slow line."""

HASTY_TRIES = 2
"""Those that are cut short; the last one waits for as long as the client does."""


async def answer_soon(ask: Callable[[], Awaitable[T]], within_s: float) -> T:
    """What `ask` is answered, asked once more where there is nothing after `within_s` seconds.

    Raises:
        VenueError: what the question itself raises; it is not asked again for that.
    """
    for _ in range(HASTY_TRIES):
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                return await ask()
    return await ask()
