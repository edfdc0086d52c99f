"""What faults make of a request on a WebSocket: whether it is done, and what becomes of its answer.

It decides and composes; the connection sends. Pings are never struck.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

from zoe_tools.paper.exchange.faults import FaultDesk, Stage, words_of
from zoe_tools.paper.values.times import iso

ANSWER_MARK = '"time_in"'
"""What every answer to a request carries, and no frame of a channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """Whether the request is done, what becomes of its answer, and what is said instead."""

    is_done: bool = True
    answer: Literal["sent", "lost", "late"] = "sent"
    delay_s: float = 0.0
    instead: str | None = None
    cuts: bool = False


UNTOUCHED = Fate()


class _Head(msgspec.Struct):
    method: str = ""
    req_id: int | None = None


def fate_of(desk: FaultDesk, text: str, now: int, told_now: int) -> Fate:
    """What a fault, if one strikes, makes of this request; `told_now` is the time as it is told."""
    try:
        head = msgspec.json.decode(text, type=_Head)
    except (msgspec.MsgspecError, RecursionError):
        return UNTOUCHED
    if head.method in ("", "ping"):
        return UNTOUCHED
    strike = desk.strike(head.method, now, Stage.REQUEST, Stage.SOCKET)
    if strike is None:
        return UNTOUCHED
    match strike.name:
        case "reply-lost-before":
            return Fate(is_done=False, cuts=True)
        case "accept-then-drop":
            return Fate(answer="lost", cuts=True)
        case "reply-lost-after":
            return Fate(answer="lost")
        case "hang":
            return Fate(answer="late", delay_s=max(0.0, strike.delay_s))
        case _:
            refused: dict[str, object] = {"error": words_of(strike), "method": head.method}
            if head.req_id is not None:
                refused["req_id"] = head.req_id
            refused |= {"success": False, "time_in": iso(told_now), "time_out": iso(told_now)}
            text = msgspec.json.encode(refused).decode()
            return Fate(is_done=strike.executes, answer="lost", instead=text)
