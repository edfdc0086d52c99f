"""Alerts: the events that somebody has to hear of, picked from the log as they are written.

A thread of its own notes and tells them, so that nothing here ever holds up a loop. Which events:
all of severity error and critical, and those of `ALSO`.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import re
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

from zoe_tools.domain.alert import Alert, NotDelivered
from zoe_tools.observe.alert_log import AlertLog
from zoe_tools.observe.events import event_in
from zoe_tools.observe.log import ROOT, event, event_of, log_file, spelled
from zoe_tools.observe.redaction import REDACTOR

if TYPE_CHECKING:  # the ports cost import time that every command would pay
    from zoe_tools.ports import Notifier

ALSO = frozenset(
    {
        "DISCREPANCY_CONFIRMED",
        "RECONCILIATION_ESCALATED",
        "STORE_BACK",
        "STORE_RESTORED",
    }
)
"""Events that alert whatever their severity."""

ENTITIES = (
    *("position_id", "discrepancy_id", "intent_id", "order_id", "venue_order_id"),
    *("symbol", "symbol_key", "subject", "strategy", "phase", "level", "reason", "message"),
)
"""The fields that say what an event is about; the first that it has counts."""

WAITING = 200
"""Alerts that may wait; those beyond are counted and not told."""

PAUSES_S = (1.0, 5.0)
"""Before the second and the third try."""

LAST_WORK_S = 12.0
"""How long the end of a process waits for what is still to be told."""

_FIELDS, _TEXT = 40, 500
_SENTENCES = frozenset({"message", "reason"})
_FIGURE = re.compile(r"(?<![\w-])\d+(?:\.\d+)?(?![\w-])")
"""A figure by itself; one that is part of an id stays."""

_LOG = logging.getLogger(__name__)


def alert_of(record: logging.LogRecord) -> Alert | None:
    """The alert that a line of the log is; None: nobody need hear of it."""
    found = event_of(record)
    if found is None:
        message = record.getMessage()
        name = event_in(message)
        found = None if name is None else (name, {"message": message})
    if found is None or record.name == __name__:
        return None
    name, fields = found
    if record.levelno < logging.ERROR and name not in ALSO:
        return None
    told = {key: _bounded(key, fields[key]) for key in list(fields)[:_FIELDS]}
    return Alert(
        at=datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        event=name,
        severity=record.levelname.lower(),
        entity=_entity(told),
        fields=told,
    )


def _entity(told: Mapping[str, object]) -> str:
    """A stop of trading is not the one before it, though it is of the same level."""
    about = next((_named(key, told[key]) for key in ENTITIES if told.get(key)), "")
    since = told.get("stopped_at")
    return f"{about} since {since}" if since else about


def _named(key: str, value: object) -> str:
    """What is told of in a sentence is the same whatever figures stand in it."""
    text = str(value)
    return _FIGURE.sub("#", text) if key in _SENTENCES else text


def _bounded(key: str, value: object) -> object:
    told = spelled(REDACTOR.field(key, value))
    if isinstance(told, bool | int | float) or told is None:
        return told
    return str(told)[:_TEXT]


class AlertDesk(logging.Handler):
    """Takes lines of the log, and tells those that are alerts; `close` tells what is left."""

    def __init__(
        self, memory: AlertLog, notifier: Notifier | None, pauses_s: tuple[float, ...] = PAUSES_S
    ) -> None:
        super().__init__()
        self._memory = memory
        self._notifier = notifier
        self._pauses_s = pauses_s
        self._waiting: queue.Queue[Alert] = queue.Queue(WAITING)
        self._dropped = 0
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()
        self._until = 0.0

    @override
    def emit(self, record: logging.LogRecord) -> None:
        alert = alert_of(record)
        if alert is None or self._ending.is_set():
            return
        try:
            self._waiting.put_nowait(alert)
        except queue.Full:
            self._dropped += 1
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="zoe-alerts", daemon=True)
            self._thread.start()

    @override
    def close(self) -> None:
        """What waits is tried once more, for so long as an end may take."""
        self._until = time.monotonic() + LAST_WORK_S
        self._ending.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(LAST_WORK_S)
        super().close()

    def _work(self) -> None:
        while not (self._ending.is_set() and time.monotonic() > self._until):
            try:
                alert = self._waiting.get(timeout=0.05)
            except queue.Empty:
                if self._ending.is_set():
                    return
                continue
            self._tell(alert)

    def _tell(self, alert: Alert) -> None:
        # A memory that cannot be written is no reason to be silent.
        with contextlib.suppress(OSError):
            if not self._memory.note(alert):
                return
        if self._notifier is None:
            return
        problem = ""
        for pause_s in (0.0, *self._pauses_s):
            if pause_s and self._ending.wait(pause_s):
                break
            try:
                self._notifier.notify(alert)
            except NotDelivered as error:
                problem = f"{error}"
            else:
                return
        told = {"alert": alert.event, "entity": alert.entity, "dropped": self._dropped}
        event(_LOG, "ALERT_FAILED", "warning", reason=problem, **told)


def set_up(home: Path, window: timedelta, notifier: Notifier | None) -> None:
    """Listen to this process's log until it is torn down; what was told is in the home."""
    memory = AlertLog(log_file(home).with_name("alerts.log"), window)
    logging.getLogger(ROOT).addHandler(AlertDesk(memory, notifier))
