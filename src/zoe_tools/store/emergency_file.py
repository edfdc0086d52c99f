"""`emergency.jnl`: records that are on the disk when the store cannot be.

A file of one size, whose room is taken when all is well, so that a full disk cannot refuse a
record. Each is its length, its checksum and its bytes, and is synced before `append` returns; what
was torn by a crash ends the file. Processes take turns by an `flock`.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from zoe_tools.errors import StoreUnavailable

NAME = "emergency.jnl"
SIZE = 256 * 1024
"""Room for some two hundred orders."""

RESERVE = 4 * 1024
"""What is kept of it for notes that end records: however full it is, they can be forgotten."""

_HEAD = struct.Struct(">II")
_END = bytes(_HEAD.size)
_TURN_S = 1.0
_POLL_S = 0.005


class EmergencyFile:
    """The file of one home."""

    def __init__(self, home: Path) -> None:
        self.path = home / NAME

    def prepare(self) -> None:
        """Make the file and take its room; one that is there stays as it is.

        Raises:
            StoreUnavailable: there is no room, or it may not be written.
        """
        if self.path.exists() and self.path.stat().st_size == SIZE:
            return
        with self._held(os.O_CREAT) as descriptor:
            os.posix_fallocate(descriptor, 0, SIZE)
            os.fsync(descriptor)

    def append(self, record: bytes) -> None:
        """Write one record behind the others; it is on the disk when this returns.

        Raises:
            StoreUnavailable: the file is full, was never made, or cannot be written.
        """
        with self._held() as descriptor:
            self._put(descriptor, record, tuple(_records(os.pread(descriptor, SIZE, 0))), RESERVE)

    def records(self) -> tuple[bytes, ...]:
        """All that were appended since the file was emptied; of a file that is not there, none.

        Raises:
            StoreUnavailable: the file cannot be read.
        """
        if not self.path.exists():
            return ()
        with self._held() as descriptor:
            return tuple(_records(os.pread(descriptor, SIZE, 0)))

    def settle(self, note_of: Callable[[tuple[bytes, ...]], bytes | None]) -> None:
        """Ask what follows from all records: a note behind them, or None: they are forgotten.

        Nobody appends meanwhile. Empty bytes leave the file as it is.

        Raises:
            StoreUnavailable: the file cannot be read or written.
            Exception: whatever `note_of` raises; the records stay.
        """
        if not self.path.exists():
            return
        with self._held() as descriptor:
            records = tuple(_records(os.pread(descriptor, SIZE, 0)))
            note = note_of(records) if records else b""
            if note is None:
                os.pwrite(descriptor, _END, 0)
                os.fdatasync(descriptor)
            elif note:
                self._put(descriptor, note, records, 0)

    def _put(self, descriptor: int, record: bytes, before: tuple[bytes, ...], reserve: int) -> None:
        at = sum(_HEAD.size + len(each) for each in before)
        told = _HEAD.pack(len(record), zlib.crc32(record)) + record + _END
        if at + len(told) > SIZE - reserve:
            raise StoreUnavailable(f"{self.path} is full, too.")
        os.pwrite(descriptor, told, at)
        os.fdatasync(descriptor)

    def is_half_full(self) -> bool:
        """Whether half of the room is taken; of a file that cannot be read nobody knows."""
        try:
            with self._held() as descriptor:
                taken = _records(os.pread(descriptor, SIZE, 0))
                return sum(_HEAD.size + len(each) for each in taken) > SIZE // 2
        except StoreUnavailable:
            return True

    def is_empty(self) -> bool:
        """Whether nothing waits here; a file that is not there holds nothing."""
        try:
            with self.path.open("rb") as file:
                return file.read(_HEAD.size) in (b"", _END)
        except OSError:
            return True

    @contextmanager
    def _held(self, more: int = 0) -> Iterator[int]:
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC | more, 0o600)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            self._await_turn(descriptor)
            yield descriptor
        except OSError as error:
            raise self._unusable(error) from error
        finally:
            os.close(descriptor)

    def _await_turn(self, descriptor: int) -> None:
        """Others hold it for milliseconds; one that was stopped is not waited for longer."""
        give_up_at = time.monotonic() + _TURN_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > give_up_at:
                    raise
                time.sleep(_POLL_S)
            else:
                return

    def _unusable(self, error: OSError) -> StoreUnavailable:
        return StoreUnavailable(f"{self.path} cannot be used: {error.strerror}.")


def _records(content: bytes) -> Iterator[bytes]:
    """Whole records, up to the first that is not."""
    at = 0
    while at + _HEAD.size <= len(content):
        length, checksum = _HEAD.unpack_from(content, at)
        record = content[at + _HEAD.size : at + _HEAD.size + length]
        if not length or len(record) < length or zlib.crc32(record) != checksum:
            return
        yield record
        at += _HEAD.size + length
