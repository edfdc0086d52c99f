"""The file-backed Coordination: processes of one machine that share a key agree through two files.

A file is read, stepped and written under an `flock`, which a killed process gives back; the nonce
slot is a lease inside of it. Nothing here outlives a `kill -9` by more than the lease.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from zoe_tools.errors import ConfigError, VenueUnavailable, ZoeError
from zoe_tools.kraken.limits import microseconds_of
from zoe_tools.kraken.nonce import LEASE_S, NonceSlot
from zoe_tools.ports import Clock

T = TypeVar("T")

_POLL_S = 0.002
_MOST_BYTES = 1 << 20


class FileCoordination:
    """Implements `ports.Coordination` for all processes that use the same folder and name."""

    def __init__(self, folder: Path, name: str, clock: Clock) -> None:
        self._clock = clock
        self._nonces = _SharedFile(folder / f"coord-{name}.nonce")
        self._note = _SharedFile(folder / f"coord-{name}.budget")
        self._calls = 0

    @asynccontextmanager
    async def nonce(self) -> AsyncIterator[int]:
        """A nonce greater than all before of any process; hold the context until the reply is in.

        Raises:
            ConfigError: the file cannot be made.
            VenueUnavailable: another process does not let go of the file; nothing was sent.
        """
        self._calls += 1
        holder = f"{os.getpid()}.{id(self)}.{self._calls}"

        def take(text: bytes) -> tuple[bytes, int | None]:
            return self._take(text, holder)

        def free(text: bytes) -> tuple[bytes, None]:
            return _slot_bytes(_slot_in(text).freed(holder)), None

        while (number := await self._nonces.change(take)) is None:  # noqa: ASYNC110 - no event crosses processes
            await asyncio.sleep(_POLL_S)
        try:
            yield number
        finally:
            # What was sent does not become unsent by this; a lease that is not freed runs out.
            with suppress(ZoeError):
                await self._nonces.change(free)

    async def change(self, step: Callable[[bytes], tuple[bytes, T]]) -> T:
        """See `ports.Coordination.change`.

        Raises:
            ConfigError, VenueUnavailable: as of `nonce`.
        """
        return await self._note.change(step)

    def _take(self, text: bytes, holder: str) -> tuple[bytes, int | None]:
        now = asyncio.get_running_loop().time()
        micros = microseconds_of(self._clock.now())
        taken = _slot_in(text).taken(holder, micros=micros, now=now)
        return (text, None) if taken is None else (_slot_bytes(taken), taken.last)


def _slot_in(text: bytes) -> NonceSlot:
    """A file that a power cut tore is as good as none: nonces go on from the clock."""
    try:
        return msgspec.json.decode(text, type=NonceSlot)
    except msgspec.DecodeError:
        return NonceSlot()


def _slot_bytes(slot: NonceSlot) -> bytes:
    return msgspec.json.encode(slot)


class _SharedFile:
    """One line of text that processes change in turns."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def change(self, step: Callable[[bytes], tuple[bytes, T]]) -> T:
        descriptor = self._opened()
        try:
            await self._locked(descriptor)
            before = os.pread(descriptor, _MOST_BYTES, 0).partition(b"\n")[0]
            after, result = step(before)
            if after != before:
                # Whoever is killed in between leaves the new line, and behind it what nobody reads.
                os.pwrite(descriptor, after + b"\n", 0)
                os.ftruncate(descriptor, len(after) + 1)
        except OSError as error:
            raise VenueUnavailable(
                f"{self._path} cannot be written: {error.strerror}; nothing was sent.",
                hint="Make room on the disk of ZOE_HOME.",
            ) from error
        finally:
            os.close(descriptor)
        return result

    def _opened(self) -> int:
        """Opened for each change: two tasks of one process must exclude each other as well."""
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(
                f"The coordination file {self._path} cannot be used: {error.strerror}.",
                hint="Make ZOE_HOME writable, or run `zoe init`.",
            ) from error

    async def _locked(self, descriptor: int) -> None:
        """Others hold it for microseconds, unless they were stopped just then."""
        give_up_at = asyncio.get_running_loop().time() + LEASE_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if asyncio.get_running_loop().time() > give_up_at:
                    raise VenueUnavailable(
                        f"Another process does not let go of {self._path}; nothing was sent.",
                        hint="See whether a stopped zoe process holds it.",
                    ) from None
                await asyncio.sleep(_POLL_S / 4)
            else:
                return
