"""How long a stop waits for a venue, and what it says meanwhile, every few seconds.

Nobody who ordered one sits before a silent screen. No decision hangs on what is said.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

SILENCE_S = 10.0
"""How long a venue that does not answer is asked, before the operator is told to look elsewhere."""

HANGING_S = 60.0
"""How long one look at a venue may take that takes each question, and answers none."""

EVERY_S = 5.0
"""Between two lines, in the loop's seconds."""


def _unheard(_: str) -> None:
    """Nobody watches."""


class Progress:
    """What is being waited for, and until when at most; `say` tells it to whoever watches."""

    def __init__(self, say: Callable[[str], None] = _unheard) -> None:
        self._say = say
        self._began = 0.0
        self._doing = ""

    def now(self, doing: str, *, until: float | None = None) -> None:
        """From here on this is waited for; `until` is by the loop's clock."""
        left = "" if until is None else f"; it is given up at {until - self._began:.0f} s"
        self._doing = f"{doing}{left}"

    @asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """While this lasts a line is said every few seconds."""
        self._began = _loop_time()
        ticker = asyncio.create_task(self._tick())
        try:
            yield
        finally:
            ticker.cancel()
            with suppress(asyncio.CancelledError):
                await ticker

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            if self._doing:
                self._say(f"{_loop_time() - self._began:4.0f} s  {self._doing}")


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
