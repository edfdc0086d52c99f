"""Where processes that share a key agree: in the PostgreSQL store, or in a file of the home."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from zoe_tools.domain.account import fingerprint_of
from zoe_tools.kraken.coordination import SharedCoordination
from zoe_tools.ports import Clock, SharedNotes
from zoe_tools.runtime.lanes import ThreadLanes
from zoe_tools.store.coordination import DatabaseNotes, FileNotes
from zoe_tools.store.database import parse_url, sqlite_path


@asynccontextmanager
async def shared_coordination(
    home: Path, database_url: str, key: str, clock: Clock, *, is_scaled: bool
) -> AsyncIterator[SharedCoordination]:
    """The coordination of all who use this key with this home, or with this database.

    `is_scaled`: time is the paper exchange's, which hands it out to all alike; otherwise hosts that
    share a database go by its clock, whatever their own say.
    """
    fingerprint = fingerprint_of(key)
    is_file = sqlite_path(parse_url(database_url)) is not None
    notes: SharedNotes = (
        FileNotes(home / f"coord-{fingerprint}.db")
        if is_file
        else DatabaseNotes(database_url, fingerprint)
    )
    lanes = ThreadLanes()
    try:
        yield SharedCoordination(notes, lanes, clock, by_notes_clock=not is_file and not is_scaled)
    finally:
        if await lanes.close():
            notes.close()
