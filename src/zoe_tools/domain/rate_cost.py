"""What a plan takes of the venue's limits: points of the key's counter, of each pair's, and time.

An estimate of the moment, made before anything runs; it is no part of what a plan does.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.money import ZERO


class VenueRead(StrEnum):
    """A question about the account that carrying out a plan asks the venue."""

    BALANCES = "balances"
    OPEN_ORDERS = "open orders"
    CLOSED_ORDERS = "closed orders"
    ORDERS = "orders"
    FILLS = "fills"
    LEDGER = "ledger"


@dataclass(frozen=True, slots=True, kw_only=True)
class RateCost:
    """Points: `rest` on the key's counter, `engine` on the counter of the pair `symbol`."""

    rest: Decimal = ZERO
    engine: Decimal = ZERO
    symbol: Symbol | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRateCost:
    """All of a plan: `rest` points, engine points by pair, and seconds of waiting for room.

    `rest` holds, besides the steps' own, what looking again before the first of them takes.
    """

    rest: Decimal = ZERO
    engine: tuple[tuple[Symbol, Decimal], ...] = ()
    wait_s: Decimal = ZERO
