"""Hears from PostgreSQL that a switch or a trading state was changed, before one would ask.

Only a speed-up: whoever reads the state goes on asking twice a second. Behind a transaction pooler
nothing is ever heard, and a connection that is lost is made anew in peace. PostgreSQL's driver is
loaded by who listens: with a file for a store, every command would pay for it in vain.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Self

from zoe_tools.store.database import CONNECT_TIMEOUT_S, parse_url

_LOG = logging.getLogger(__name__)

CHANNEL = "zoe_state"
LOOK_UP_S = 0.25
"""How long it takes at most to end."""

MAKE_ANEW_S = 10.0


class StateNews:
    """Calls `tell`, from a thread of its own, whenever the database tells news; a context manager.

    On SQLite it does nothing: a file tells nobody.
    """

    def __init__(self, url: str, tell: Callable[[], object]) -> None:
        parsed = parse_url(url)
        self._conninfo = ""
        if parsed.drivername != "sqlite":
            self._conninfo = parsed.set(drivername="postgresql").render_as_string(
                hide_password=False
            )
        self._tell = tell
        self._is_over = threading.Event()
        self.is_listening = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="zoe-news", daemon=True)

    def __enter__(self) -> Self:
        if self._conninfo:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        if self._conninfo:
            self._thread.join()

    def _listen(self) -> None:
        import psycopg  # noqa: PLC0415 - see the module

        while not self._is_over.is_set():
            try:
                self._hear()
            except (psycopg.Error, OSError) as error:
                _LOG.info("news of the trading state are not heard: %s", type(error).__name__)
            self.is_listening.clear()
            self._is_over.wait(MAKE_ANEW_S)

    def _hear(self) -> None:
        import psycopg  # noqa: PLC0415 - see the module

        with psycopg.connect(
            self._conninfo,
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT_S,
            prepare_threshold=None,
        ) as connection:
            connection.execute(f"LISTEN {CHANNEL}")
            self.is_listening.set()
            while not self._is_over.is_set():
                for _ in connection.notifies(timeout=LOOK_UP_S, stop_after=1):
                    self._tell()
