"""Faults on demand: what goes wrong, where, how often and when. It decides; the dialects act.

A fault is armed by a rule and strikes requests, frames or the whole exchange. Whether one strikes
depends on the rule, the time and a seeded draw alone, so a run with faults can be repeated.
"""

from __future__ import annotations

import logging
import random
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

import msgspec

from zoe_tools.paper.values.events import SystemMode
from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.values.times import NS, iso

_LOG = logging.getLogger(__name__)
_LOG_ROWS = 10_000
_MOST_RULES = 1_000


class ConnectionDropped(Exception):
    """The connection is to be closed without an answer."""


class Stage(Enum):
    """What a fault strikes."""

    REQUEST = "request"
    """A REST call or a WebSocket request, as it arrives."""
    REST = "rest"
    """A REST call alone."""
    SOCKET = "socket"
    """A WebSocket request alone."""
    ANSWER = "answer"
    """What a REST read would have told."""
    EXECUTIONS = "executions"
    """A frame of the channel `executions`."""
    BOOK = "book"
    """A frame of the channel `book`."""
    CONNECTION = "connection"
    """A WebSocket connection, when a frame is about to be sent."""
    EXCHANGE = "exchange"
    """Everything, for as long as the rule stands."""


FaultName = Literal[
    "accept-then-drop",
    "reply-lost-before",
    "reply-lost-after",
    "hang",
    "http-502",
    "http-520",
    "busy",
    "unavailable",
    "throttled",
    "invalid-nonce",
    "rate-limit",
    "stale-token",
    "empty-answer",
    "shrunken-answer",
    "rest-lag",
    "clock-skew",
    "maintenance",
    "executions-duplicate",
    "executions-late",
    "executions-reordered",
    "sequence-gap",
    "checksum-corrupt",
    "non-json-frame",
    "ws-close-1001",
    "ws-close-1006",
    "ws-close-1008",
]


MAINTENANCE_CYCLE: tuple[SystemMode, ...] = ("maintenance", "cancel_only", "post_only")
"""What the exchange goes through before it is online again (kraken-spot section 13.6)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultKind:
    """One fault of the catalogue: where it strikes and what the client then sees."""

    stage: Stage
    told: str


CATALOGUE: Mapping[FaultName, FaultKind] = {
    "accept-then-drop": FaultKind(
        stage=Stage.REQUEST, told="executed, then the connection is closed without an answer"
    ),
    "reply-lost-before": FaultKind(
        stage=Stage.REQUEST, told="not executed; the connection is closed without an answer"
    ),
    "reply-lost-after": FaultKind(
        stage=Stage.REQUEST, told="executed; the answer never comes, the connection stays open"
    ),
    "hang": FaultKind(stage=Stage.REQUEST, told="the answer comes `delay_s` late"),
    "http-502": FaultKind(stage=Stage.REST, told="an HTML page with status 502"),
    "http-520": FaultKind(stage=Stage.REST, told="an HTML page with status 520"),
    "busy": FaultKind(stage=Stage.REQUEST, told="EService:Busy"),
    "unavailable": FaultKind(stage=Stage.REQUEST, told="EService:Unavailable"),
    "throttled": FaultKind(stage=Stage.REQUEST, told="EService: Throttled: <in `delay_s`>"),
    "invalid-nonce": FaultKind(stage=Stage.REST, told="EAPI:Invalid nonce"),
    "rate-limit": FaultKind(stage=Stage.REST, told="EAPI:Rate limit exceeded"),
    "stale-token": FaultKind(stage=Stage.SOCKET, told="ESession:Invalid session"),
    "empty-answer": FaultKind(stage=Stage.ANSWER, told="a read finds nothing at all"),
    "shrunken-answer": FaultKind(stage=Stage.ANSWER, told="a read finds half of what there is"),
    "rest-lag": FaultKind(
        stage=Stage.EXCHANGE, told="REST shows orders and trades as they were `delay_s` ago"
    ),
    "clock-skew": FaultKind(stage=Stage.EXCHANGE, told="the exchange's clock is `delay_s` ahead"),
    "maintenance": FaultKind(
        stage=Stage.EXCHANGE, told="maintenance, cancel_only, post_only, online, `delay_s` each"
    ),
    "executions-duplicate": FaultKind(stage=Stage.EXECUTIONS, told="a frame comes twice"),
    "executions-late": FaultKind(stage=Stage.EXECUTIONS, told="a frame comes `delay_s` late"),
    "executions-reordered": FaultKind(stage=Stage.EXECUTIONS, told="two frames change places"),
    "sequence-gap": FaultKind(stage=Stage.EXECUTIONS, told="a frame never comes"),
    "checksum-corrupt": FaultKind(stage=Stage.BOOK, told="a frame's checksum is wrong"),
    "non-json-frame": FaultKind(
        stage=Stage.CONNECTION, told="the text `CloudFlare WebSocket proxy restarting`"
    ),
    "ws-close-1001": FaultKind(stage=Stage.CONNECTION, told="closed, going away"),
    "ws-close-1006": FaultKind(stage=Stage.CONNECTION, told="cut without a close frame"),
    "ws-close-1008": FaultKind(stage=Stage.CONNECTION, told="closed for good, policy"),
}


class FaultRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a fault strikes.

    `where` narrows it to one REST or WebSocket method (`AddOrder`, `add_order`) or to one channel;
    empty strikes wherever the fault can. `times` is how often at most (None: no limit), each time
    with `probability`. Seconds are the exchange's: from `after_s` after arming, for `for_s`.
    `executes` says of `hang`, the HTTP pages and the refusals whether the request is done all the
    same; None takes the kind's own way: `hang` is, the others are not.
    """

    name: FaultName
    where: str = ""
    times: int | None = 1
    probability: float = 1.0
    after_s: float = 0.0
    for_s: float | None = None
    delay_s: float = 30.0
    executes: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """One fault that strikes now; `at` in ns."""

    name: FaultName
    where: str
    at: int
    delay_s: float
    executes: bool


@dataclass(slots=True, kw_only=True)
class _Armed:
    number: int
    rule: FaultRule
    starts_at: int
    ends_at: int | None
    left: int | None
    draw: random.Random
    struck: int = 0


@dataclass(slots=True)
class FaultDesk:
    """The rules of one exchange and what they did. Every time is handed in, in ns."""

    seed: int = 0
    _armed: list[_Armed] = field(default_factory=list)
    _log: deque[Strike] = field(default_factory=lambda: deque(maxlen=_LOG_ROWS))
    _numbered: int = 0
    _stages: frozenset[Stage] = frozenset()
    """Where what is armed strikes: most of what happens is elsewhere, and is asked about often."""

    def arm(self, rule: FaultRule, now: int) -> int:
        """Let a fault strike from now on; returns its number.

        Raises:
            Refusal: the rule makes no sense; the text says which part.
        """
        self.check((rule,))
        self._numbered += 1
        starts_at = now + int(rule.after_s * NS)
        self._armed.append(
            _Armed(
                number=self._numbered,
                rule=rule,
                starts_at=starts_at,
                ends_at=None if rule.for_s is None else starts_at + int(rule.for_s * NS),
                left=rule.times,
                draw=random.Random(f"{self.seed}:fault:{self._numbered}"),  # noqa: S311 - a game of chance that can be repeated
            )
        )
        self._stages = _stages_of(self._armed)
        _LOG.info("fault %s armed: %s", self._numbered, rule)
        return self._numbered

    def check(self, rules: Sequence[FaultRule]) -> None:
        """Whether all of these can be armed.

        Raises:
            Refusal: one makes no sense, or there would be too many.
        """
        for rule in rules:
            _check(rule)
        if len(self._armed) + len(rules) > _MOST_RULES:
            raise Refusal("EGeneral:Invalid arguments:too many faults")

    def disarm(self, number: int | None = None) -> int:
        """Take back one rule, or all of them; returns how many there were."""
        before = len(self._armed)
        self._armed = [each for each in self._armed if number is not None and each.number != number]
        self._stages = _stages_of(self._armed)
        return before - len(self._armed)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is armed: the usual case, and a cheap question."""
        return not self._armed

    def spares(self, stages: frozenset[Stage]) -> bool:
        """Whether nothing that strikes at one of these is armed."""
        return self._stages.isdisjoint(stages)

    def strike(self, where: str, now: int, *stages: Stage) -> Strike | None:
        """The first armed fault of these stages that strikes here and now; counted and logged."""
        if self._stages.isdisjoint(stages):
            return None
        for armed in self._standing(now):
            rule = armed.rule
            if CATALOGUE[rule.name].stage not in stages or rule.where not in ("", where):
                continue
            if rule.probability < 1 and armed.draw.random() >= rule.probability:
                continue
            return self._struck(armed, where, now)
        return None

    def standing(self, name: FaultName, now: int) -> Strike | None:
        """A fault of the whole exchange that stands now; its first moment is logged."""
        for armed in self._standing(now):
            if armed.rule.name == name:
                if not armed.struck:
                    return self._struck(armed, "", now, keeps=True)
                return _strike(armed, "", now)
        return None

    def _standing(self, now: int) -> list[_Armed]:
        left = [
            each
            for each in self._armed
            if each.left != 0 and (each.ends_at is None or now < each.ends_at)
        ]
        if len(left) < len(self._armed):
            self._armed, self._stages = left, _stages_of(left)
        return [each for each in self._armed if now >= each.starts_at]

    def _struck(self, armed: _Armed, where: str, now: int, *, keeps: bool = False) -> Strike:
        armed.struck += 1
        if armed.left is not None and not keeps:
            armed.left -= 1
        strike = _strike(armed, where, now)
        self._log.append(strike)
        _LOG.warning("fault %s strikes %s at %s", strike.name, where or "everything", iso(now))
        return strike

    def told(self) -> dict[str, Any]:
        """What is armed and what has struck, oldest first, as JSON."""
        return {
            "armed": [
                {
                    "number": each.number,
                    "struck": each.struck,
                    "starts_at": iso(each.starts_at),
                    "ends_at": None if each.ends_at is None else iso(each.ends_at),
                    **msgspec.to_builtins(each.rule),
                }
                for each in self._armed
            ],
            "log": [
                {
                    "name": each.name,
                    "where": each.where,
                    "at": iso(each.at),
                    "delay_s": each.delay_s,
                }
                for each in self._log
            ],
        }


def _stages_of(armed: Sequence[_Armed]) -> frozenset[Stage]:
    return frozenset(CATALOGUE[each.rule.name].stage for each in armed)


def _strike(armed: _Armed, where: str, now: int) -> Strike:
    rule = armed.rule
    executes = rule.name == "hang" if rule.executes is None else rule.executes
    return Strike(name=rule.name, where=where, at=now, delay_s=rule.delay_s, executes=executes)


_LEAST_DELAY_S: Mapping[FaultName, float] = {"clock-skew": -1e9, "maintenance": 1e-3}
"""A clock may be slow; a maintenance that takes no time is none."""


def _check(rule: FaultRule) -> None:
    for name, value, least, most in (
        ("probability", rule.probability, 0.0, 1.0),
        ("after_s", rule.after_s, 0.0, 1e9),
        ("for_s", rule.for_s or 0.0, 0.0, 1e9),
        ("delay_s", rule.delay_s, _LEAST_DELAY_S.get(rule.name, 0.0), 1e9),
        ("times", float(rule.times or 0), 0.0, 1e9),
    ):
        if not least <= value <= most:
            raise Refusal(f"EGeneral:Invalid arguments:{name}")
    if rule.times == 0:
        raise Refusal("EGeneral:Invalid arguments:times")


def rules_in(text: str | bytes) -> tuple[FaultRule, ...]:
    """The rules of a JSON document: one rule, a list of them, or `{"faults": [...]}`.

    Raises:
        Refusal: it is no such document; the text says where.
    """
    try:
        told = msgspec.json.decode(text)
        if isinstance(told, dict) and set(told) == {"faults"}:
            told = told["faults"]
        rows = told if isinstance(told, list) else [told]
        return tuple(msgspec.convert(row, FaultRule) for row in rows)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise Refusal(f"EGeneral:Invalid arguments:{error}") from None


_WORDS: Mapping[str, str] = {
    "busy": "EService:Busy",
    "unavailable": "EService:Unavailable",
    "invalid-nonce": "EAPI:Invalid nonce",
    "rate-limit": "EAPI:Rate limit exceeded",
    "stale-token": "ESession:Invalid session",
}


def words_of(strike: Strike) -> str | None:
    """Kraken's words for a struck request that is refused in words; None for the other faults."""
    if strike.name == "throttled":
        return f"EService: Throttled: {strike.at // NS + max(0, int(strike.delay_s))}"
    return _WORDS.get(strike.name)
