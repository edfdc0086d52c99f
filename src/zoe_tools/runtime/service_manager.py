"""Tells systemd how the service does, over the socket that it named; no library is needed.

A service manager that does not listen is no reason to stop: what it is not told is dropped.
"""

from __future__ import annotations

import contextlib
import socket

LONGEST = 1000
"""Bytes of one notice; a status line is for a person."""


class SystemdSocket:
    """Implements `ports.ServiceManager` over `NOTIFY_SOCKET` (sd_notify(3)).

    `address` is a path, or a name in the abstract namespace behind an `@`.
    """

    def __init__(self, address: str) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.settimeout(0)

    def tell(self, state: str) -> None:
        """One assignment, e.g. `READY=1`; control characters would begin another."""
        line = " ".join(state.split()).encode()[:LONGEST].decode(errors="ignore")
        with contextlib.suppress(OSError):
            self._socket.sendto(line.encode(), self._address)

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()
