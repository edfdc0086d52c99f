"""Kraken's two counters as values: how full they are, what a call adds, how long to wait.

Pure and exact: `now` is handed in, waiting is the caller's, and a count is an integer of
1e-8 calls, so that a hundredth of a call per second is whole at any microsecond.
Source: kraken-spot sections 3.1 and 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Literal

from zoe_tools.domain.identifiers import Symbol
from zoe_tools.errors import ConfigError

Transaction = Literal["add", "amend", "edit", "cancel"]

CALL = 100_000_000
"""One call, in the counters' unit."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """What a verification level allows: calls, and hundredths of a call that decay per second."""

    rest_calls: int
    rest_decay: int
    engine_calls: int
    engine_decay: int
    max_open_orders: int


TIERS: Mapping[str, Tier] = {
    "starter": Tier(
        rest_calls=15, rest_decay=33, engine_calls=60, engine_decay=100, max_open_orders=60
    ),
    "intermediate": Tier(
        rest_calls=20, rest_decay=50, engine_calls=125, engine_decay=234, max_open_orders=80
    ),
    "pro": Tier(
        rest_calls=20, rest_decay=100, engine_calls=180, engine_decay=375, max_open_orders=225
    ),
}

REST_MARGIN = CALL
"""Left free of the REST counter: processes that share a key do not read their clocks alike."""

ACCOUNT_WIDE = Symbol("")
"""The pair of what is charged to none."""

_RESERVED_PART = 4
"""One part in so many of a counter is kept: of a pair's for cancels and protection."""

KEPT_FOR_STOPS = 20 * CALL
"""At least so much of a pair's: a stop, and its growth once a second for six seconds."""

_ENGINE_METHODS = frozenset(
    {"AddOrder", "AddOrderBatch", "AmendOrder", "EditOrder"}
    | {"CancelOrder", "CancelOrderBatch", "CancelAll", "CancelAllOrdersAfter"}
)
_HISTORY_METHODS = frozenset({"Ledgers", "QueryLedgers", "TradesHistory", "QueryTrades"})
_LOOK_UPS = frozenset({"OpenOrders", "ClosedOrders"})

_FIXED: Mapping[Transaction, int] = {"add": 1, "amend": 1, "edit": 1, "cancel": 0}
_BY_AGE: Mapping[Transaction, tuple[tuple[float, int], ...]] = {
    "add": (),
    "amend": ((5.0, 3), (10.0, 2), (15.0, 1)),
    "edit": ((5.0, 6), (10.0, 5), (15.0, 4), (45.0, 2), (90.0, 1)),
    "cancel": ((5.0, 8), (10.0, 6), (15.0, 5), (45.0, 4), (90.0, 2), (300.0, 1)),
}
"""(younger than so many seconds, calls) besides the fixed part."""

FORGOTTEN_AFTER_S = 300.0
"""From this age on an order costs nothing more to cancel."""

PACED = frozenset({"OHLC", "Trades"})
"""Public endpoints that are asked for much at once; the venue limits each by address and pair."""
PUBLIC_GAP_S = 1.0
"""Between two calls of one of them, as most clients keep it; no number is published."""


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


def rest_cost(method: str, *, by_client_id: bool = False) -> int:
    """What a private call adds to the REST counter; order calls add nothing to it.

    `by_client_id`: a look-up of one order, which costs as much as history does.
    """
    if method in _ENGINE_METHODS:
        return 0
    if method in _HISTORY_METHODS or (by_client_id and method in _LOOK_UPS):
        return 2 * CALL
    return CALL


def engine_cost(transaction: Transaction, *, age_s: float = 0.0) -> int:
    """What a transaction adds to its pair's counter.

    `age_s`: seconds since the order was placed or last amended.
    """
    late = next((calls for below_s, calls in _BY_AGE[transaction] if age_s < below_s), 0)
    return (_FIXED[transaction] + late) * CALL


def batch_cost(orders: int) -> int:
    """What a batch of new orders adds to its pair's counter: half a call each."""
    return orders * CALL // 2


def microseconds_of(moment: datetime) -> int:
    """Whole microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCounter:
    """A counter that calls fill and time empties: the REST counter, or one pair's at the engine.

    `maximum` and `count` in 1e-8 calls, `decay` in hundredths of a call per second, which is the
    same number of units per microsecond; `counted_at` in microseconds since 1970.
    """

    maximum: int
    decay: int
    count: int = 0
    counted_at: int | None = None

    def level(self, now: datetime) -> int:
        """How full it is now. A clock that steps back forgives nothing."""
        if self.counted_at is None:
            return self.count
        elapsed = max(microseconds_of(now) - self.counted_at, 0)
        return max(self.count - elapsed * self.decay, 0)

    def after(self, now: datetime, cost: int) -> CallCounter:
        """The counter once a call of that cost is made."""
        return replace(self, count=self.level(now) + cost, counted_at=self._later(now))

    def settled(self, now: datetime, cost: int) -> CallCounter:
        """The counter once the call's answer is in.

        The venue may have counted it as late as that, so that as yet nothing of it has decayed.
        """
        return replace(self, count=max(self.level(now), cost), counted_at=self._later(now))

    def wait_s(self, now: datetime, cost: int) -> float:
        """Seconds to wait until such a call fits; 0 if it fits now."""
        over = self.level(now) + cost - self.maximum
        return -(-over // self.decay) / _MICROSECONDS if over > 0 else 0.0

    def _later(self, now: datetime) -> int:
        return max(microseconds_of(now), self.counted_at or 0)


def rest_counter(tier: Tier) -> CallCounter:
    """An empty REST counter of the tier, as the venue has it."""
    return CallCounter(maximum=tier.rest_calls * CALL, decay=tier.rest_decay)


def engine_counter(tier: Tier) -> CallCounter:
    """An empty counter of one pair at the matching engine, as the venue has it."""
    return CallCounter(maximum=tier.engine_calls * CALL, decay=tier.engine_decay)


def reserved_room(tier: Tier) -> int:
    """What new risk leaves free of a pair's counter, for cancels and protection."""
    return max(KEPT_FOR_STOPS, tier.engine_calls * CALL // _RESERVED_PART)


def reserved_calls(tier: Tier) -> int:
    """What commands leave free of the REST counter, for a loop beside them and for protection."""
    return tier.rest_calls * CALL // _RESERVED_PART


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCall:
    """One call of a plan: a REST `method`, or a `transaction` with a pair's order of an age.

    `is_urgent`: a cancel or protection, which may use the reserved room.
    """

    method: str = ""
    transaction: Transaction | None = None
    symbol: Symbol | None = None
    age_s: float = 0.0
    is_urgent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCost:
    """What one call of a plan costs in 1e-8 calls, and the microseconds that it waits for room.

    `symbol` is the pair whose counter it is; None means the REST counter.
    """

    cost: int
    symbol: Symbol | None
    wait_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """Where the counters of a key stand; a pair that is missing is at zero."""

    rest: CallCounter
    engine: Mapping[Symbol, CallCounter] = field(default_factory=lambda: MappingProxyType({}))


def call_costs(
    calls: Sequence[PlannedCall], *, tier: Tier, counters: Counters, now: datetime
) -> tuple[CallCost, ...]:
    """What these calls cost one after another, and how long the counters make each wait.

    Answers are taken to come at once; orders grow older while the plan waits.
    """
    rest, engine = counters.rest, dict(counters.engine)
    costs: list[CallCost] = []
    at = now
    for call in calls:
        symbol = None if call.transaction is None else call.symbol or ACCOUNT_WIDE
        counter = rest if symbol is None else engine.get(symbol, engine_counter(tier))
        cost, room = _asked_by(call, older_s=(at - now).total_seconds(), tier=tier)
        wait = timedelta(seconds=0.0 if room is None else counter.wait_s(at, room))
        at += wait
        if symbol is None:
            rest = rest.after(at, cost)
        else:
            engine[symbol] = counter.after(at, cost)
        costs.append(CallCost(cost=cost, symbol=symbol, wait_us=wait // _MICROSECOND))
    return tuple(costs)


def _asked_by(call: PlannedCall, *, older_s: float, tier: Tier) -> tuple[int, int | None]:
    """(cost, room that must be free first); None: it does not wait for room."""
    if call.transaction is None:
        cost = rest_cost(call.method)
        return cost, cost + REST_MARGIN if cost else None
    cost = engine_cost(call.transaction, age_s=call.age_s + older_s)
    return cost, None if call.is_urgent else cost + reserved_room(tier)
