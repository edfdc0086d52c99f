"""What a client may do to the sockets: connect so often, ask so fast, be silent so long.

Pure counting over a `now` in ns that is given; it closes and answers nothing itself.
Source: kraken-spot section 3.3.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from zoe_tools.paper.engine.rate_counters import TierName
from zoe_tools.paper.values.times import NS

LEVEL3_COSTS: Mapping[int, int] = {10: 5, 100: 25, 1000: 100}
"""What a level3 subscription costs by its depth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """The figures; None switches that limit off.

    `connections` in any `window_s` seconds a client, whoever breaks it is banned for as long.
    `burst` messages at once and `messages_per_s` in the long run a connection: Kraken's own figures
    are not published. `level3_symbols` a connection, `level3_per_s` of the costs above.
    A reader may be `queued_frames` behind.
    """

    connections: int | None = 150
    window_s: int = 600
    messages_per_s: int | None = 100
    burst: int = 500
    level3_symbols: int | None = 200
    level3_per_s: int | None = 200
    queued_frames: int = 10_000


UNLIMITED = StreamLimits(
    connections=None, messages_per_s=None, level3_symbols=None, level3_per_s=None
)
"""For replays, whose time stands still while a client talks."""


def limits_of(tier: TierName | None) -> StreamLimits:
    """What an account of this tier may; the highest asks for more books order by order at once."""
    if tier is None:
        return UNLIMITED
    return StreamLimits(level3_per_s=500) if tier == "pro" else StreamLimits()


class Bucket:
    """Leaks `per_s` a second and holds `size`; None lets everything through."""

    __slots__ = ("_at", "_level", "_per_s", "_size")

    def __init__(self, per_s: int | None, size: int, now: int) -> None:
        self._per_s = per_s
        self._size = size * NS
        self._level = 0
        self._at = now

    def pour(self, amount: int, now: int) -> bool:
        """Whether so much still fits; what does not fit is not poured."""
        if self._per_s is None:
            return True
        self._level = max(0, self._level - (now - self._at) * self._per_s)
        self._at = now
        if self._level + amount * NS > self._size:
            return False
        self._level += amount * NS
        return True


class ConnectionGate:
    """Who connected when, over all sockets of one exchange."""

    def __init__(self, limits: StreamLimits) -> None:
        self._limits = limits
        self._attempts: dict[str, deque[int]] = {}
        self._banned: dict[str, int] = {}

    def admits(self, client: str, now: int) -> bool:
        """Count an attempt of this client; whether it may connect."""
        most = self._limits.connections
        if most is None:
            return True
        if now < self._banned.get(client, 0):
            return False
        window = self._limits.window_s * NS
        attempts = self._attempts.setdefault(client, deque())
        while attempts and attempts[0] <= now - window:
            attempts.popleft()
        if len(attempts) >= most:
            self._banned[client] = now + window
            return False
        attempts.append(now)
        return True
