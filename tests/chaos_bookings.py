"""When each execution came to stand in the books, by looking into the database."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from zoe_tools.paper.values.times import ns_of
from zoe_tools.ports import Clock

LOOKS_EVERY_S = 1.0


class Bookings:
    """Looks into the database for executions that the exchange told of, while any is missing."""

    def __init__(self, database: Path, clock: Clock, booked: dict[str, int]) -> None:
        self._database = database
        self._clock = clock
        self._booked = booked
        self._awaited: set[str] = set()
        self._is_awaited = asyncio.Event()

    def expect(self, name: str) -> None:
        """The exchange has told of an execution."""
        self._awaited.add(name)
        self._is_awaited.set()

    async def keep(self) -> None:
        """Until cancelled."""
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as connection:
            last = 0
            while True:
                await self._is_awaited.wait()
                await self._clock.sleep(LOOKS_EVERY_S)
                now = ns_of(self._clock.now())
                rows = "SELECT rowid, fill_id FROM crypto_fills WHERE rowid > ? ORDER BY rowid"
                for number, name in connection.execute(rows, (last,)).fetchall():
                    last = number
                    self._booked[name] = now
                    self._awaited.discard(name)
                if not self._awaited:
                    self._is_awaited.clear()
