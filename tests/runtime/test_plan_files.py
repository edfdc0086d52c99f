"""Plan files on a real disk: whole or not there, one owner's, nobody's overwritten."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from builders import place, plan_with
from zoe_tools.domain.plan import Plan
from zoe_tools.domain.plan_file import MAX_BYTES
from zoe_tools.errors import ConfigError
from zoe_tools.runtime.plan_files import demand_free, read_plan, write_plan


def a_plan(note: str = "") -> Plan:
    """One entry."""
    return plan_with(place(), notes=(note,))


def test_a_file_is_written_for_its_owner_alone_and_read_back(tmp_path: Path) -> None:
    """Whatever the umask; no draft stays."""
    before = os.umask(0)
    try:
        write_plan(tmp_path / "a.plan", a_plan(), may_overwrite=False)
    finally:
        os.umask(before)

    assert read_plan(tmp_path / "a.plan") == a_plan()
    assert stat.S_IMODE((tmp_path / "a.plan").stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["a.plan"]


def test_a_file_that_is_there_stays_unless_force_is_said(tmp_path: Path) -> None:
    """Also where it came between the question and the writing."""
    path = tmp_path / "a.plan"
    demand_free(path, may_overwrite=False)
    path.write_text("somebody else's")
    for refused in (demand_free, lambda at, **how: write_plan(at, a_plan(), **how)):
        with pytest.raises(ConfigError, match="there already"):
            refused(path, may_overwrite=False)
    assert path.read_text() == "somebody else's"

    demand_free(path, may_overwrite=True)
    write_plan(path, a_plan(), may_overwrite=True)
    assert read_plan(path) == a_plan()
    assert [each.name for each in tmp_path.iterdir()] == ["a.plan"]


def test_whoever_reads_while_it_is_written_over_sees_one_plan_or_the_other(tmp_path: Path) -> None:
    """Never half of one."""
    path = tmp_path / "a.plan"
    plans = [a_plan(str(number) * 2_000) for number in range(2)]
    write_plan(path, plans[0], may_overwrite=False)
    is_over = threading.Event()
    seen: set[str] = set()

    def read() -> None:
        while not is_over.is_set():
            seen.add(read_plan(path).plan_hash)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(100):
        write_plan(path, plans[number % 2], may_overwrite=True)
    is_over.set()
    reader.join()

    assert seen <= {each.plan_hash for each in plans}
    assert seen


def test_a_link_is_replaced_and_what_it_points_to_is_left(tmp_path: Path) -> None:
    """A name that somebody planted leads nowhere."""
    target = tmp_path / "precious"
    target.write_text("mine")
    link = tmp_path / "a.plan"
    link.symlink_to(target)

    write_plan(link, a_plan(), may_overwrite=True)

    assert target.read_text() == "mine"
    assert not link.is_symlink()
    assert read_plan(link) == a_plan()


@pytest.mark.parametrize(
    ("name", "said"),
    [("nothing.plan", "No such file"), (".", "Is a directory"), ("x" * 300, "File name too long")],
)
def test_what_cannot_be_read_is_a_sentence(tmp_path: Path, name: str, said: str) -> None:
    """Exit 2."""
    with pytest.raises(ConfigError, match=f"Cannot read .*{said}"):
        read_plan(tmp_path / name)


def test_what_is_no_file_is_not_opened_as_a_plan(tmp_path: Path) -> None:
    """A pipe that nobody writes to would be waited for without end, and a device has none."""
    pipe, huge = tmp_path / "pipe", tmp_path / "huge.plan"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(ConfigError, match="no regular file") as refused:
            read_plan(path)
        assert "in a file first" in refused.value.hint

    with huge.open("wb") as file:
        file.truncate(MAX_BYTES + 2)
    with pytest.raises(ConfigError, match="more than"):
        read_plan(huge)
    with pytest.raises(ConfigError, match="No such file"):
        read_plan(tmp_path / "absent.plan")
