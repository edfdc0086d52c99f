"""Fresh folders for replays."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders import NOON
from zoe_tools.errors import ConfigError
from zoe_tools.runtime.run_home import new_run_home


def test_each_run_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    """Even two that start in the same second."""
    first = new_run_home(tmp_path, started=NOON, name="ETHUSD_60")
    second = new_run_home(tmp_path, started=NOON, name="ETHUSD_60")

    assert first == tmp_path / "runs" / "20260105-120000-ETHUSD_60-1"
    assert second == tmp_path / "runs" / "20260105-120000-ETHUSD_60-2"
    assert list(first.iterdir()) == []


def test_only_the_owner_may_look_into_it(tmp_path: Path) -> None:
    """It keeps keys, if only those of a throw-away exchange."""
    folder = new_run_home(tmp_path, started=NOON, name="x")

    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_home_that_cannot_be_written_is_a_configuration_error(tmp_path: Path) -> None:
    """The sentence names the folder."""
    (tmp_path / "home").write_text("a file in the way")

    with pytest.raises(ConfigError, match=r"home/runs: Not a directory"):
        new_run_home(tmp_path / "home", started=NOON, name="x")
