"""The log: one JSON object a line in ZOE_HOME/logs/zoe.log, rotated, secrets masked.

The file is opened with the first line written, so that a command that has nothing to say leaves
nothing behind. A log that cannot be written never stops a command, and no loop waits for it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from typing_extensions import override

from zoe_tools.domain.money import plain
from zoe_tools.observe.events import event_in
from zoe_tools.observe.outlet import EDGE, LAST_S, Spool
from zoe_tools.observe.redaction import REDACTOR

if TYPE_CHECKING:
    from logging.handlers import RotatingFileHandler

ROOT = "zoe_tools"
_FIELDS = "zoe_fields"
_EVENT = "zoe_event"
_FILE_BYTES = 10 * 1024 * 1024
_FILES_KEPT = 5
_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}


def log_file(home: Path) -> Path:
    """Where the log of that home is."""
    return home / "logs" / "zoe.log"


def event(logger: logging.Logger, name: str, severity: str, **fields: object) -> None:
    """Write one structured event.

    `name` is one of `docs/events.md`; `severity` is debug, info, warning, error or critical.
    """
    level = _LEVELS[severity]
    if logger.isEnabledFor(level):
        logger.log(level, name, extra={_EVENT: name, _FIELDS: fields})


def event_of(record: logging.LogRecord) -> tuple[str, Mapping[str, object]] | None:
    """The event that a line is, with its fields; None for a plain line."""
    name = getattr(record, _EVENT, None)
    return None if name is None else (name, getattr(record, _FIELDS, {}))


class JsonLines(logging.Formatter):
    """One JSON object a line, keys sorted, secrets masked."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "severity": record.levelname.lower(),
            "logger": record.name,
        }
        name = getattr(record, _EVENT, None)
        if name is None:
            message = REDACTOR.text(record.getMessage())
            line["message"] = message
            found = event_in(message)
            if found is not None:
                line["event"] = found
        else:
            line["event"] = name
            fields: dict[str, object] = getattr(record, _FIELDS, {})
            # The line's own keys win: a field may not pretend to be another event.
            line = {key: REDACTOR.field(key, value) for key, value in fields.items()} | line
        if record.exc_info:
            line["traceback"] = REDACTOR.text(self.formatException(record.exc_info))
        return json.dumps(line, sort_keys=True, ensure_ascii=False, default=spelled)


class PlainLines(logging.Formatter):
    """One readable line for a terminal (`-v`), secrets masked."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = getattr(record, _FIELDS, {})
        told = " ".join(
            f"{key}={spelled(REDACTOR.field(key, value))}" for key, value in fields.items()
        )
        line = f"{record.levelname.lower()}: {REDACTOR.text(record.getMessage())} {told}".rstrip()
        if record.exc_info:
            line += "\n" + REDACTOR.text(self.formatException(record.exc_info))
        return line


class _FileWhenNeeded(logging.Handler):
    """Opens the rotating file with the first record.

    A command gives up a file that fails; a loop tries again, beside its turns.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._file: RotatingFileHandler | None = None
        self._spool: Spool | None = None
        self._is_broken = False
        self.setFormatter(JsonLines())

    @override
    def emit(self, record: logging.LogRecord) -> None:
        line = f"{self.format(record)}\n".encode()
        if EDGE.is_unblocked:
            self._spool = EDGE.spool(self._path.name, self._put, _gap)
            self._spool.write(line)
        elif not self._is_broken:
            with contextlib.suppress(OSError):
                self._put(line)

    def _put(self, lines: bytes) -> int:
        try:
            if self._file is None:
                self._file = self._open()
            self._file.emit(logging.makeLogRecord({"msg": lines.decode().removesuffix("\n")}))
        except OSError as error:
            self._close()  # what it could not take would be written twice
            if not self._is_broken:
                self._is_broken = True
                with contextlib.suppress(OSError):
                    sys.stderr.write(f"warning: no log in {self._path}: {error.strerror}.\n")
            raise
        self._is_broken = False
        return len(lines)

    def _close(self) -> None:
        if self._file is not None:
            # What a full disk could not take is lost already; the command's own end is not.
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def _open(self) -> RotatingFileHandler:
        from logging.handlers import RotatingFileHandler  # noqa: PLC0415 - slow to import

        class RaisingHandler(RotatingFileHandler):
            """Hands a full disk to `emit` above instead of printing a traceback."""

            @override
            def handleError(self, record: logging.LogRecord) -> None:
                raise  # noqa: PLE0704 - logging calls this inside its except clause

        folder = self._path.parent
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        return RaisingHandler(
            self._path, maxBytes=_FILE_BYTES, backupCount=_FILES_KEPT, encoding="utf-8"
        )

    @override
    def close(self) -> None:
        if self._spool is not None:
            self._spool.end(time.monotonic() + LAST_S)
        if self._spool is None or self._spool.is_done:
            self._close()
        super().close()


def _gap(lines: int, why: str) -> str:
    """The line that stands for those that are missing."""
    record = logging.makeLogRecord({"name": __name__, "levelname": "WARNING"})
    vars(record).update({_EVENT: "LINES_LOST", _FIELDS: {"lines": lines, "reason": why}})
    return JsonLines().format(record)


def set_up(home: Path, *, verbosity: int = 0, stderr: TextIO | None = None) -> None:
    """Send this process's log to the home's file; `-v` also shows it (`-vv`: all of it)."""
    tear_down()
    root = logging.getLogger(ROOT)
    root.setLevel(logging.DEBUG if verbosity > 1 else logging.INFO)
    root.addHandler(_FileWhenNeeded(log_file(home)))
    if verbosity:
        shown = logging.StreamHandler(stderr or sys.stderr)
        shown.setFormatter(PlainLines())
        root.addHandler(shown)
    # Without this a missing handler elsewhere in the tree would print bare lines to stderr.
    root.propagate = False


def is_set_up() -> bool:
    """Whether anybody listens."""
    return bool(logging.getLogger(ROOT).handlers)


def tear_down() -> None:
    """Close what `set_up` opened; idempotent.

    The last one first: what alerts have to say when they end still has a file to go to.
    """
    root = logging.getLogger(ROOT)
    for handler in reversed(root.handlers[:]):
        root.removeHandler(handler)
        handler.close()
    root.propagate = True


def spelled(value: object) -> object:
    """The value as JSON may hold it."""
    match value:
        case Decimal():
            return plain(value)
        case datetime():
            return value.isoformat()
        case Enum():
            return value.value
        case None | bool() | int() | float() | str() | list() | dict():
            return value
        case _:
            return str(value)
