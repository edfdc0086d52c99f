"""A fresh home for each test, whose exchange is ended with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from program import Home


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """An initialised home."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    made = Home(folder=folder)
    assert made.here("init").code == 0
    yield made
    made.stop_exchange()
