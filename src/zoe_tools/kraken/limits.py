"""Kraken's two counters as values: how full they are, what a call adds, how long to wait.

Pure: `now` is handed in, and waiting is the caller's. Seconds throughout. The counts are about
pace, not money, so they are floats. Source: kraken-spot sections 3.1 and 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from zoe_tools.errors import ConfigError

Transaction = Literal["add", "amend", "cancel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """What a verification level allows; decays are per second."""

    rest_max: float
    rest_decay: float
    engine_max: float
    engine_decay: float
    max_open_orders: int


TIERS: Mapping[str, Tier] = {
    "starter": Tier(
        rest_max=15, rest_decay=0.33, engine_max=60, engine_decay=1.0, max_open_orders=60
    ),
    "intermediate": Tier(
        rest_max=20, rest_decay=0.5, engine_max=125, engine_decay=2.34, max_open_orders=80
    ),
    "pro": Tier(
        rest_max=20, rest_decay=1.0, engine_max=180, engine_decay=3.75, max_open_orders=225
    ),
}

_ENGINE_METHODS = frozenset(
    {"AddOrder", "AddOrderBatch", "AmendOrder", "EditOrder"}
    | {"CancelOrder", "CancelOrderBatch", "CancelAll", "CancelAllOrdersAfter"}
)
_HISTORY_METHODS = frozenset({"Ledgers", "QueryLedgers", "TradesHistory", "QueryTrades"})
_LOOK_UPS = frozenset({"OpenOrders", "ClosedOrders"})

_ADD_COST = 1.0
_AMEND_AGES = ((5.0, 3.0), (10.0, 2.0), (15.0, 1.0))
_CANCEL_AGES = ((5.0, 8.0), (10.0, 6.0), (15.0, 5.0), (45.0, 4.0), (90.0, 2.0), (300.0, 1.0))


def tier_of(name: str) -> Tier:
    """The tier so called.

    Raises:
        ConfigError: there is no such tier.
    """
    try:
        return TIERS[name.strip().lower()]
    except KeyError as error:
        raise ConfigError(
            f"{name!r} is no Kraken tier.", hint=f"KRAKEN_TIER is one of {', '.join(TIERS)}."
        ) from error


def rest_cost(method: str, *, by_client_id: bool = False) -> float:
    """What a private call adds to the REST counter; order calls add nothing to it.

    `by_client_id`: a look-up of one order, which costs as much as history does.
    """
    if method in _ENGINE_METHODS:
        return 0.0
    if method in _HISTORY_METHODS or (by_client_id and method in _LOOK_UPS):
        return 2.0
    return 1.0


def engine_cost(transaction: Transaction, *, age_s: float = 0.0) -> float:
    """What a transaction adds to its pair's counter.

    `age_s`: seconds since the order was placed or last amended.
    """
    if transaction == "add":
        return _ADD_COST
    if transaction == "amend":
        return _ADD_COST + _by_age(_AMEND_AGES, age_s)
    return _by_age(_CANCEL_AGES, age_s)


def _by_age(steps: tuple[tuple[float, float], ...], age_s: float) -> float:
    return next((cost for below_s, cost in steps if age_s < below_s), 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCounter:
    """A counter that calls fill and time empties. The REST counter, or one pair's at the engine."""

    maximum: float
    decay: float
    count: float = 0.0
    counted_at: datetime | None = None

    def level(self, now: datetime) -> float:
        """How full it is now."""
        if self.counted_at is None:
            return self.count
        elapsed_s = max((now - self.counted_at).total_seconds(), 0.0)
        return max(self.count - elapsed_s * self.decay, 0.0)

    def after(self, now: datetime, cost: float) -> CallCounter:
        """The counter once a call of that cost is made."""
        return replace(self, count=self.level(now) + cost, counted_at=now)

    def wait_s(self, now: datetime, cost: float) -> float:
        """How long to wait until such a call fits; 0 if it fits now."""
        over = self.level(now) + cost - self.maximum
        return over / self.decay if over > 0 else 0.0


def rest_counter(tier: Tier) -> CallCounter:
    """An empty REST counter of the tier."""
    return CallCounter(maximum=tier.rest_max, decay=tier.rest_decay)


def engine_counter(tier: Tier) -> CallCounter:
    """An empty counter of one pair at the matching engine."""
    return CallCounter(maximum=tier.engine_max, decay=tier.engine_decay)
