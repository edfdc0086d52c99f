"""What a trial's blows, deaths and closed hours account for, by the exchange's own log.

An engine cannot protect what it was not told of, nor what it cannot know the size of, nor while it
is dead, nor while the venue takes no orders. A blow to a request says no, or leaves it in doubt; no
other blow accounts for anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from chaos_world import Chronicle
from zoe_tools.paper.values.events import ModeEvent, OrderEvent
from zoe_tools.paper.values.times import NS, ns_of

WITHIN_S = 2
"""In which an engine protects what it knows of, while it lives and the venue takes orders."""

STARTS_WITHIN_S = 1.0
"""What an engine may take from its begin to its first turn."""

ONE_CALL_S = 1.0
"""In which one call decays from the counter of the tier that trials have, `pro`."""

_WRITES: Mapping[str, float] = {
    "add_order": 1.0,
    "amend_order": 1.0,
    "cancel_order": 1.0,
    "AddOrder": 3.5,
    "AmendOrder": 3.5,
    "CancelOrder": 3.5,
}
"""What changes an order, and the deadline of a stop by that way: sooner nothing may go again."""

_BY_SOCKET = frozenset({"add_order", "amend_order", "cancel_order", "subscribe"})

_IN_DOUBT = frozenset(
    {"accept-then-drop", "reply-lost-before", "reply-lost-after", "hang", "http-502", "http-520"}
)
"""Nobody can tell from the answer whether the request was done."""

_CLOSES = frozenset({"ws-close-1001", "ws-close-1006", "ws-close-1008"})
"""What is on its way over that wire is in doubt."""

_CUTS = frozenset({"accept-then-drop", "reply-lost-before"})
"""They close the socket over which the request came."""

Times = list[tuple[int, int]]
"""From when until when, in ns, by begin."""


def excuses(chronicle: Chronicle) -> Times:
    """When something speaks for an engine that does nothing, whatever the instrument."""
    return sorted(
        (*_dead(chronicle), *_closed(chronicle), *_struck(chronicle), *_cut_off(chronicle))
    )


def unseen(chronicle: Chronicle, symbol: str) -> Times:
    """From each execution of an instrument until an engine was told of it.

    And from each cancel of what sells it until an engine was told, or could have read, that it is
    done: how much of a stop had filled decides what there is to protect. Nobody can read while the
    venue asks for silence, nor for the second after it refused to tell of orders.
    """
    found: Times = []
    silences = sorted(_silences(chronicle))
    for each in chronicle.events:
        if not isinstance(each, OrderEvent) or each.order.symbol != symbol:
            continue
        told_at = each.at
        if each.trade is not None:
            told_at = chronicle.seen.get(each.trade.trade_id, chronicle.lives[-1][1])
        elif each.kind == "canceled" and each.order.side == "sell":
            name = each.order.order_id
            shown_at = chronicle.shown[name]
            for since, until in silences:
                if since <= shown_at < until:
                    shown_at = until
            told_at = min(chronicle.seen.get(name, shown_at), shown_at)
            heard_at = chronicle.seen.get(name)
            found.extend(
                refused
                for refused in _refused(chronicle)
                if refused[0] >= each.at and (heard_at is None or refused[0] < heard_at)
            )
        if told_at > each.at:
            found.append((each.at, told_at))
    return sorted(found)


def _refused(chronicle: Chronicle) -> Iterator[tuple[int, int]]:
    """When the venue refused to tell of orders for a full counter, until one call has decayed."""
    for strike in chronicle.strikes:
        if strike["name"] == "rate-limit" and strike["where"] == "QueryOrders":
            at = _ns(str(strike["at"]))
            yield at, at + int(ONE_CALL_S * NS)


def _dead(chronicle: Chronicle) -> Iterator[tuple[int, int]]:
    for (_, ended, _), (begun, _, _) in pairwise(chronicle.lives):
        yield ended, begun + int(STARTS_WITHIN_S * NS)


def _closed(chronicle: Chronicle) -> Iterator[tuple[int, int]]:
    closed: int | None = None
    for each in chronicle.events:
        if not isinstance(each, ModeEvent):
            continue
        if each.mode != "online" and closed is None:
            closed = each.at
        elif each.mode == "online" and closed is not None:
            yield closed, each.at
            closed = None


def _struck(chronicle: Chronicle) -> Iterator[tuple[int, int]]:
    for strike in chronicle.strikes:
        name, where, at = str(strike["name"]), str(strike["where"]), _ns(str(strike["at"]))
        if where in _WRITES:
            yield at, at + int(_silent_s(strike) * NS)
        elif name in _CLOSES and where == "executions":
            yield at, at + int(_WRITES["add_order"] * NS)


def _cut_off(chronicle: Chronicle) -> Iterator[tuple[int, int]]:
    """No socket was there while the venue had asked for silence over REST: there is no third way.

    It was cut meanwhile, or the engine had just begun: the token of its socket comes by REST.
    """
    silences = tuple(_silences(chronicle))
    begun = [since for since, _, _ in chronicle.lives]
    for at, until in silences:
        if any(0 <= at - since < STARTS_WITHIN_S * NS for since in begun):
            yield at, until
    for strike in chronicle.strikes:
        name, where, at = str(strike["name"]), str(strike["where"]), _ns(str(strike["at"]))
        if (name in _CUTS and where in _BY_SOCKET) or (name in _CLOSES and where == "executions"):
            yield from ((at, until) for since, until in silences if since <= at < until)


def _silences(chronicle: Chronicle) -> Iterator[tuple[int, int]]:
    """When the venue had said over REST that it answers nothing, and until when."""
    for strike in chronicle.strikes:
        if strike["name"] == "throttled" and strike["where"] not in _BY_SOCKET:
            at = _ns(str(strike["at"]))
            yield at, at + int(_silent_s(strike) * NS)


def _silent_s(strike: Mapping[str, Any]) -> float:
    """For how long nothing can be sent again, after a request was struck; 0: at once.

    Of a throttling the venue says itself from when on it takes orders again.
    """
    if strike["name"] == "throttled":
        return float(strike["delay_s"])
    return _WRITES[strike["where"]] if strike["name"] in _IN_DOUBT else 0.0


def left_s(since: int, until: int, explained: Sequence[tuple[int, int]]) -> float:
    """Seconds from the later of its begin and the last excuse that reaches into it."""
    begin = since
    for start, end in explained:
        if start <= until and end > begin and start <= begin + WITHIN_S * NS:
            begin = end
    return max(0, until - begin) / NS


def uncovered_s(since: int, until: int, explained: Sequence[tuple[int, int]]) -> float:
    """Seconds of a time in which nothing speaks for an engine that does nothing."""
    total, reached = 0, since
    for start, end in explained:
        if start >= until:
            break
        total += max(0, start - reached)
        reached = max(reached, end)
    return (total + max(0, until - reached)) / NS


def _ns(text: str) -> int:
    return ns_of(datetime.fromisoformat(text))
