"""Databases at the newest migration, to be copied: to migrate one takes a hundred times as long.

What tests migrations, or `zoe init` as an operator meets it, begins with none.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from zoe_tools.store.schema import upgrade


def put_migrated(path: Path) -> None:
    """An SQLite file without a row; one that is there is left as it is."""
    if not path.exists():
        path.write_bytes(_migrated())


@functools.cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory(prefix="zoe-template-") as folder:
        path = Path(folder) / "zoe.db"
        upgrade(f"sqlite:///{path}")
        return path.read_bytes()
