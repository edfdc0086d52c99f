"""Throw-away homes: each replay runs in a fresh folder of its own under `ZOE_HOME/runs`.

The folder keeps its own store and its own exchange, so that a finished run can be looked at, and
audited, with the ordinary commands: `ZOE_HOME=<folder> zoe reconcile`.
"""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from pathlib import Path

from zoe_tools.errors import ConfigError


def new_run_home(home: Path, *, started: datetime, name: str) -> Path:
    """A new, empty folder; `started` is the machine's time, only for the operator's eyes.

    Raises:
        ConfigError: the folder cannot be made.
    """
    runs = home / "runs"
    try:
        runs.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in itertools.count(1):
            folder = runs / f"{started:%Y%m%d-%H%M%S}-{name}-{number}"
            try:
                folder.mkdir(mode=0o700)
            except FileExistsError:
                continue
            return folder
    except OSError as error:
        raise ConfigError(
            f"A folder for the run cannot be made in {runs}: {error.strerror}.",
            hint="Make ZOE_HOME writable, or set ZOE_HOME to another folder.",
        ) from error
    raise AssertionError("itertools.count ends never")


def wall_time() -> datetime:
    """The machine's time, for names of folders."""
    return datetime.now(UTC)  # noqa: TID251 - no decision hangs on it
