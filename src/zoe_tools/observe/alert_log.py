"""The file of alerts, `logs/alerts.log`: what was told, and the memory of what need not be again.

Every process of the home writes into it, one at a time, so that a restart or a command from cron
does not repeat what a loop has told.
"""

from __future__ import annotations

import fcntl
import json
import os
from datetime import datetime, timedelta
from pathlib import Path

from zoe_tools.domain.alert import Alert

REMEMBERED = 256 * 1024
"""Bytes at the end of the file that are looked through."""

LARGEST = 1024 * 1024
"""A file of that size is put aside as `alerts.log.1`."""


class AlertLog:
    """`note` an alert; what was noted within `window` before is not noted again."""

    def __init__(self, path: Path, window: timedelta) -> None:
        self._path = path
        self._window = window

    def note(self, alert: Alert) -> bool:
        """Write it down; False if the same was within the window.

        Raises:
            OSError: the file cannot be read or written.
        """
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            size = os.fstat(handle).st_size
            start = max(0, size - REMEMBERED)
            lines = os.pread(handle, size - start, start).decode(errors="replace").splitlines()
            if any(self._repeats(alert, line) for line in reversed(lines)):
                return False
            line = json.dumps(alert.told(), sort_keys=True, ensure_ascii=False)
            os.write(handle, f"{line}\n".encode())
            if size > LARGEST:
                self._put_aside(handle, [*lines[1:], line])
        finally:
            os.close(handle)
        return True

    def _repeats(self, alert: Alert, line: str) -> bool:
        try:
            told = json.loads(line)
            key = told["event"], told["entity"]
            age = datetime.fromisoformat(alert.at) - datetime.fromisoformat(told["at"])
        except (ValueError, TypeError, KeyError):
            return False  # half a line, or one that somebody else wrote
        return key == alert.key and abs(age) < self._window

    def _put_aside(self, handle: int, lines: list[str]) -> None:
        """Cut to what is remembered; the rest is in the copy."""
        whole = os.pread(handle, os.fstat(handle).st_size, 0)
        self._path.with_suffix(".log.1").write_bytes(whole)
        os.ftruncate(handle, 0)
        os.write(handle, ("\n".join(lines) + "\n").encode())
