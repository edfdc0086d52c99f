"""What processes that share a key agree on: the slot of a nonce, the note of the budgets."""

from __future__ import annotations

import asyncio
import fcntl
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from kraken_answers import EPOCH
from zoe_tools.errors import ConfigError
from zoe_tools.kraken.coordination import FileCoordination
from zoe_tools.kraken.nonce import LEASE_S, NonceSource
from zoe_tools.ports import Clock, Coordination
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual

Make = Callable[[Path, Clock], Coordination]


def in_a_file(folder: Path, clock: Clock) -> Coordination:
    """One of the processes that share it."""
    return FileCoordination(folder, "key", clock)


def in_memory(_: Path, clock: Clock) -> Coordination:
    """The only process."""
    return NonceSource(clock)


@pytest.mark.parametrize("make", [in_a_file, in_memory])
def test_a_slot_is_held_until_the_reply_is_in_but_not_for_ever(tmp_path: Path, make: Make) -> None:
    """A holder that hangs loses it after the lease, and freeing it later frees nobody else's."""
    times: list[tuple[str, float]] = []

    async def call(keys: Coordination, name: str, seconds: float) -> int:
        async with keys.nonce() as number:
            times.append((name, asyncio.get_running_loop().time()))
            await asyncio.sleep(seconds)
        return number

    async def run() -> tuple[int, ...]:
        keys = make(tmp_path, VirtualClock(EPOCH))
        return await asyncio.gather(
            call(keys, "hangs", LEASE_S + 1), call(keys, "next", 1.5), call(keys, "last", 0)
        )

    numbers = run_virtual(run())

    assert list(numbers) == sorted(set(numbers))
    assert times == [
        ("hangs", 0.0),
        ("next", pytest.approx(LEASE_S, abs=0.01)),
        ("last", pytest.approx(LEASE_S + 1.5, abs=0.01)),
    ]


def test_two_users_of_a_folder_share_the_sequence_and_the_note(tmp_path: Path) -> None:
    """Whoever is second goes on where the first was, even where time stands still."""

    async def run() -> tuple[list[int], bytes]:
        one, other = (in_a_file(tmp_path, VirtualClock(EPOCH)) for _ in range(2))
        numbers = []
        for each in (one, other, one):
            async with each.nonce() as number:
                numbers.append(number)
        await one.change(lambda before: (before + b"a long note", None))
        await other.change(lambda _: (b"short", None))
        return numbers, await one.change(lambda note: (note, note))

    numbers, note = run_virtual(run())

    assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]
    assert note == b"short"
    assert {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()} == {0o600}


@pytest.mark.parametrize("left", [b"", b"\x00\x00", b'{"last": 1, "hol', b"[]", b"\xff\n"])
def test_a_torn_file_is_as_good_as_none(tmp_path: Path, left: bytes) -> None:
    """After a power cut nonces go on from the clock."""
    (tmp_path / "coord-key.nonce").write_bytes(left)

    async def run() -> int:
        async with in_a_file(tmp_path, VirtualClock(EPOCH)).nonce() as number:
            return number

    assert run_virtual(run()) == int(EPOCH.timestamp()) * 1_000_000


def test_a_process_that_is_stopped_over_the_file_is_told_of(tmp_path: Path) -> None:
    """Nothing was sent, and nobody waits for ever."""
    path = tmp_path / "coord-key.nonce"

    async def run() -> None:
        async with in_a_file(tmp_path, VirtualClock(EPOCH)).nonce():
            pass

    with path.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Exception, match="does not let go") as raised:
            run_virtual(run())

    assert type(raised.value).__name__ == "VenueUnavailable"


def test_a_folder_that_cannot_be_written_is_a_setting_to_fix(tmp_path: Path) -> None:
    """The hint says which."""

    async def run() -> None:
        async with in_a_file(tmp_path / "none", VirtualClock(EPOCH)).nonce():
            pass

    with pytest.raises(ConfigError, match="cannot be used"):
        run_virtual(run())
