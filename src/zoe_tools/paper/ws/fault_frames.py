"""What faults make of the frames of one WebSocket connection.

It says what to send now, what later, and whether the connection ends; it sends nothing itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from zoe_tools.paper.exchange.faults import FaultDesk, Stage

PROXY_RESTARTS = "CloudFlare WebSocket proxy restarting"
_CHANNEL = re.compile(r'"channel":"([a-z0-9]+)"')
_CHECKSUM = re.compile(r'("checksum":)(\d+)')
_HEAD = 400
_STRUCK = frozenset({Stage.CONNECTION, Stage.BOOK, Stage.EXECUTIONS})
"""What a frame can meet; most faults strike requests."""
_CLOSES = {
    "ws-close-1001": (1001, "going away"),
    "ws-close-1006": (1006, ""),
    "ws-close-1008": (1008, "policy violation"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbed:
    """What becomes of a frame: sent now, in this order; sent later; and how it ends, if it does."""

    now: tuple[str, ...] = ()
    later: tuple[tuple[float, str], ...] = ()
    close: tuple[int, str] | None = None


class FrameFaults:
    """The faults of one connection; it remembers a frame that waits to change places."""

    def __init__(self, desk: FaultDesk) -> None:
        self._desk = desk
        self._held: str | None = None

    @property
    def is_quiet(self) -> bool:
        """Whether frames simply pass."""
        return self._held is None and self._desk.spares(_STRUCK)

    def disturb(self, frame: str, now: int) -> Disturbed:
        """What becomes of this frame."""
        found = _CHANNEL.search(frame, 0, _HEAD)
        channel = found.group(1) if found is not None else ""
        strike = self._desk.strike(channel, now, Stage.CONNECTION)
        if strike is not None and strike.name in _CLOSES:
            return Disturbed(close=_CLOSES[strike.name])
        noise = (PROXY_RESTARTS,) if strike is not None else ()
        if channel == "book":
            return Disturbed(now=(*noise, self._book(frame, now)))
        if channel != "executions":
            return Disturbed(now=(*noise, frame))
        changed = self._executions(frame, now)
        return Disturbed(now=(*noise, *changed.now), later=changed.later)

    def _book(self, frame: str, now: int) -> str:
        if self._desk.strike("book", now, Stage.BOOK) is None:
            return frame
        return _CHECKSUM.sub(lambda found: f"{found.group(1)}{int(found.group(2)) ^ 1}", frame)

    def _executions(self, frame: str, now: int) -> Disturbed:
        if self._held is not None:
            held, self._held = self._held, None
            return Disturbed(now=(frame, held))
        strike = self._desk.strike("executions", now, Stage.EXECUTIONS)
        if strike is None:
            return Disturbed(now=(frame,))
        match strike.name:
            case "executions-duplicate":
                return Disturbed(now=(frame, frame))
            case "executions-late":
                return Disturbed(later=((max(0.0, strike.delay_s), frame),))
            case "executions-reordered":
                self._held = frame
                return Disturbed()
            case _:
                return Disturbed()
