"""Runs a command line in this process: its own words, its own environment, its own streams."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builders import NOON
from published import offences
from templates import put_migrated
from zoe_tools.cli import main
from zoe_tools.config import load_settings
from zoe_tools.store.store import Store, Transaction

LIVE_KEYS = {
    "EDGE_FACTORY_MODE": "live",
    "KRAKEN_API_KEY": "public-half-of-the-key",
    "KRAKEN_API_SECRET": "c2VjcmV0IGhhbGYgb2YgdGhlIGtleQ==",
    "KRAKEN_BASE_URL": "http://127.0.0.1:9",
    "KRAKEN_WS_PUBLIC_URL": "ws://127.0.0.1:9/v2",
    "KRAKEN_WS_PRIVATE_URL": "ws://127.0.0.1:9/v2",
}
"""A live account whose venue is not there: commands that only need the store work on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a command line ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def envelope(self) -> dict[str, Any]:
        """Stdout as the one JSON object it must be, and as its published schema says.

        What it says of the exit code is the exit code: who reads the one may forget the other.
        """
        loaded: dict[str, Any] = json.loads(self.out)
        found = offences(loaded)
        assert not found, found
        assert loaded["exit_code"] == self.code, (loaded["exit_code"], self.code)
        return loaded


def zoe(line: str, environ: Mapping[str, str] | None = None, *, home: Path | None = None) -> Ran:
    """Run `zoe LINE`; words are split at spaces."""
    out, err = io.StringIO(), io.StringIO()
    environment = dict(environ or {})
    if home is not None:
        environment["ZOE_HOME"] = str(home)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(line.split(), environment, out=out, err=err)
    return Ran(code=code, out=out.getvalue(), err=err.getvalue())


def migrated(home: Path) -> Path:
    """The home with a live account's `zoe init` behind it."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    put_migrated(home / "zoe.db")
    assert zoe("init", LIVE_KEYS, home=home).code == 0
    return home


def write(home: Path, work: Callable[[Transaction], object]) -> None:
    """Put something into the books of the live account in this home."""
    settings = load_settings(LIVE_KEYS, home=home)
    assert settings.live_account is not None
    store = Store.open(settings.database_url, settings.live_account, clock_now=NOON)
    with store.transaction() as transaction:
        work(transaction)
    store.close()
