"""A fresh home for each test, whose exchange is ended with it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from program import Home


@pytest.fixture(autouse=True)
def told_to_end_it_tidies_up() -> Iterator[None]:
    """SIGTERM ends a test as Ctrl-C does: what it started is ended before it."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """An initialised home."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    made = Home(folder=folder)
    made.init()
    yield made
    made.stop_exchange()
