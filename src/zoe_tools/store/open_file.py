"""Whether an SQLite file is still the one that was opened.

SQLite goes on in a file that was moved, deleted or replaced under it: everything succeeds, and
nobody else sees any of it. So the path is asked before each transaction and each look which file is
there; any other one, or none, is a store that is away, until the very same file is back.
"""

from __future__ import annotations

from pathlib import Path

from zoe_tools.errors import StoreUnavailable

_HINT = (
    "What runs goes on without a store. End it, put the database that was there back, then start it"
    " again; `zoe init` would begin other books."
)


class OpenFile:
    """One file, by device and number, as it was when its store was opened.

    Raises:
        StoreUnavailable: there is none any more.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened = self._found()

    def demand_same(self) -> None:
        """Nothing, if it is where it was.

        Raises:
            StoreUnavailable: it was moved or deleted, or another one is in its place.
        """
        if self._found() != self._opened:
            raise StoreUnavailable(
                f"The store at {self._path}: another file was put in its place while it was open.",
                hint=_HINT,
            )

    def _found(self) -> tuple[int, int]:
        try:
            found = self._path.stat()
        except OSError as error:
            raise StoreUnavailable(
                f"The store at {self._path}: it was moved or deleted while it was open.",
                hint=_HINT,
            ) from error
        return found.st_dev, found.st_ino
