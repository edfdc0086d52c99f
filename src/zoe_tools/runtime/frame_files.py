"""Raw frames with the time of their receipt, in compressed files that are never half a line.

A line is `<receive time, ns><TAB><frame>`, as the paper exchange replays it. Whoever writes flushes
from time to time: what was flushed can be read however the process ends.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from zoe_tools.ports import Connect, FrameDuplex

SUFFIX = ".frames.tsv.gz"

_GZIP = 31
"""zlib's name for the gzip format with the largest window."""

_LEVEL = 6


class FrameFile:
    """One file, made new.

    Raises:
        OSError: there is one of that name, or the disk does not take it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.frames = 0
        self.size = 0
        self._file = path.open("xb")
        self._zip = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        self._latest = 0

    def write(self, at_ns: int, frame: str) -> None:
        """One frame; times never fall, whatever the clock does."""
        self._latest = max(self._latest, at_ns)
        line = f"{self._latest}\t{' '.join(frame.splitlines())}\n"
        self._put(self._zip.compress(line.encode()))
        self.frames += 1

    def flush(self) -> None:
        """What was written so far outlives the process."""
        self._put(self._zip.flush(zlib.Z_SYNC_FLUSH))
        self._file.flush()

    def close(self) -> None:
        """The end of the file; idempotent."""
        if self._file.closed:
            return
        try:
            self._put(self._zip.flush(zlib.Z_FINISH))
            self._file.flush()
            os.fsync(self._file.fileno())
        finally:
            self._file.close()

    def remove(self) -> None:
        """As if it had never been."""
        self.close()
        self.path.unlink()

    def _put(self, content: bytes) -> None:
        self._file.write(content)
        self.size += len(content)


class _Heard:
    """A duplex whose frames are written down before anybody reads them."""

    def __init__(self, inner: FrameDuplex, hear: Callable[[str], None]) -> None:
        self._inner = inner
        self._hear = hear

    async def send(self, frame: str) -> None:
        """See `FrameDuplex`."""
        await self._inner.send(frame)

    async def receive(self) -> str:
        """See `FrameDuplex`."""
        frame = await self._inner.receive()
        self._hear(frame)
        return frame

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """See `FrameDuplex`."""
        await self._inner.close(code, reason)


def recorded(connect: Connect, hear: Callable[[str], None]) -> Connect:
    """The same way to connect; `hear` is told each frame that comes, as it came."""

    async def opened(url: str) -> FrameDuplex:
        return _Heard(await connect(url), hear)

    return opened


def name_of(begun_at: datetime) -> str:
    """A file's name, by when it begins; sorted by name they are sorted by time."""
    return f"{begun_at:%Y%m%dT%H%M%S}Z{SUFFIX}"
