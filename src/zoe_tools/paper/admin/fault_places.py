"""Arming the faults that somebody wrote down: all of a document or none, each at a place there is.

A fault at a misspelled method would be armed and never strike, which looks like an exchange that
stands everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.exchange.faults import FaultRule
from zoe_tools.paper.rest.dialect import METHODS as REST_METHODS
from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.ws.session import METHODS as SOCKET_METHODS
from zoe_tools.paper.ws.subscriptions import PRIVATE_CHANNELS, PUBLIC_CHANNELS

PLACES = frozenset({*REST_METHODS, *SOCKET_METHODS, *PUBLIC_CHANNELS, *PRIVATE_CHANNELS})
"""Every method and channel, as the client spells it."""


def arm_written(exchange: PaperExchange, rules: Sequence[FaultRule]) -> list[int]:
    """Arm them; their numbers.

    Raises:
        Refusal: one of them makes no sense, or there are too many; none is armed.
    """
    for rule in rules:
        if rule.where and rule.where not in PLACES:
            near = get_close_matches(rule.where, sorted(PLACES), 1)
            meant = f", is it {near[0]}?" if near else ""
            raise Refusal(f"EGeneral:Invalid arguments:there is no {rule.where!r} here{meant}")
    exchange.faults.check(rules)
    return [exchange.arm_fault(rule) for rule in rules]
