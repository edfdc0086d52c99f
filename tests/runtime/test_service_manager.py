"""systemd is told over its own socket, in its own words, and need not be there."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from zoe_tools.runtime.service_manager import LONGEST, SystemdSocket


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket of a service manager."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(0)
        yield listening


def test_each_notice_is_one_datagram(tmp_path: Path, heard: socket.socket) -> None:
    """A line break within a status would be another assignment."""
    manager = SystemdSocket(str(tmp_path / "notify"))
    for state in ("READY=1", "STATUS=two\nWATCHDOG=1", "STATUS=" + "ä" * LONGEST):
        manager.tell(state)
    manager.close()

    told = [heard.recv(5000).decode() for _ in range(3)]
    assert told[:2] == ["READY=1", "STATUS=two WATCHDOG=1"]
    assert len(told[2].encode()) <= LONGEST


def test_a_manager_that_is_gone_stops_nothing(tmp_path: Path) -> None:
    """Nobody listens, or the address cannot be one."""
    for address in (str(tmp_path / "nobody"), "@zoe-nobody", "x" * 500):
        manager = SystemdSocket(address)
        manager.tell("READY=1")
        manager.close()


def test_a_manager_that_does_not_read_is_not_waited_for(
    tmp_path: Path, heard: socket.socket
) -> None:
    """What it has no room for is dropped."""
    manager = SystemdSocket(str(tmp_path / "notify"))
    for _ in range(2000):
        manager.tell("WATCHDOG=1")
    manager.close()

    assert heard.recv(100) == b"WATCHDOG=1"
