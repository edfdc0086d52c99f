"""Tells an alert by a command of the operator's: the event as JSON on its standard input.

The command gets no secret and no environment of ours, has a few seconds, and is killed with all
that it started when they are over. What it says is kept to the first two thousand bytes.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from zoe_tools.domain.alert import Alert, NotDelivered
from zoe_tools.observe.redaction import REDACTOR

TIMEOUT_S = 10.0
_HEARD = 2000
_LOOK_S = 0.05
_PATH = "/usr/local/bin:/usr/bin:/bin"


class AlertExec:
    """Implements `ports.Notifier` by running `argv` in `folder`."""

    def __init__(self, argv: Sequence[str], folder: Path, timeout_s: float = TIMEOUT_S) -> None:
        self._argv = tuple(argv)
        self._folder = folder
        self._timeout_s = timeout_s

    def notify(self, alert: Alert) -> None:
        """See `ports.Notifier`.

        Raises:
            NotDelivered: it did not end with exit code 0 in time.
        """
        try:
            process = subprocess.Popen(  # noqa: S603 - the operator's own command, no shell
                self._argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                env=_environment(alert),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise NotDelivered(f"{self._argv[0]} cannot be started: {error}") from error
        with process:
            try:
                said = self._attend(process, json.dumps(alert.told()).encode())
            finally:
                if process.poll() is None:
                    _end(process)
        if process.returncode:
            raise NotDelivered(f"it ended with {process.returncode}: {said}".rstrip(": "))

    def _attend(self, process: subprocess.Popen[bytes], line: bytes) -> str:
        """Hand the line over and listen until it ends.

        Raises:
            NotDelivered: it did not end in time.
        """
        stdin, stdout = process.stdin, process.stdout
        if stdin is None or stdout is None:
            raise NotDelivered("it has no pipes")
        with contextlib.suppress(BrokenPipeError):
            stdin.write(line + b"\n")
            stdin.close()
        until = time.monotonic() + self._timeout_s
        heard = b""
        with selectors.DefaultSelector() as waiting:
            waiting.register(stdout, selectors.EVENT_READ)
            while process.poll() is None:
                if time.monotonic() >= until:
                    raise NotDelivered(f"it did not end within {self._timeout_s:g} s")
                if waiting.get_map() and waiting.select(_LOOK_S):
                    chunk = os.read(stdout.fileno(), _HEARD)
                    heard = (heard + chunk)[:_HEARD]
                    if not chunk:
                        waiting.unregister(stdout)
                else:
                    self._wait(process)
            while len(heard) < _HEARD and waiting.get_map() and waiting.select(0):
                chunk = os.read(stdout.fileno(), _HEARD)
                if not chunk:
                    break
                heard += chunk
        return REDACTOR.text(heard[:_HEARD].decode(errors="replace").strip())

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_LOOK_S)


def _environment(alert: Alert) -> dict[str, str]:
    return {
        "PATH": _PATH,
        "LANG": "C.UTF-8",
        "ZOE_EVENT": alert.event,
        "ZOE_SEVERITY": alert.severity,
    }


def _end(process: subprocess.Popen[bytes]) -> None:
    """It leads a group of its own: all that it started goes with it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
