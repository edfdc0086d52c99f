"""The call counters: what a call costs, how a counter decays, and when it is full (section 3).

Pure and exact: a counter is an integer of 1e-11 calls, so that a hundredth of a call per second is
whole at any nanosecond.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.values.times import NS

TierName = Literal["starter", "intermediate", "pro"]
Kind = Literal["add", "amend", "edit", "cancel"]

CALL = 100 * NS
"""One call, in the counters' unit."""

ACCOUNT_WIDE = ""
"""The symbol of what is charged to no pair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """What a verified account may do: calls, and hundredths of a call that decay per second."""

    rest_calls: int
    rest_decay: int
    engine_calls: int
    engine_decay: int
    open_orders: int


TIERS: Mapping[TierName, Tier] = {
    "starter": Tier(
        rest_calls=15, rest_decay=33, engine_calls=60, engine_decay=100, open_orders=60
    ),
    "intermediate": Tier(
        rest_calls=20, rest_decay=50, engine_calls=125, engine_decay=234, open_orders=80
    ),
    "pro": Tier(rest_calls=20, rest_decay=100, engine_calls=180, engine_decay=375, open_orders=225),
}
_UNCOUNTED = frozenset(
    {
        "AddOrder",
        "AddOrderBatch",
        "AmendOrder",
        "CancelAll",
        "CancelAllOrdersAfter",
        "CancelOrder",
        "CancelOrderBatch",
        "EditOrder",
    }
)
"""The engine counts these."""
_HISTORY = frozenset({"Ledgers", "QueryLedgers", "TradesHistory", "QueryTrades"})
_FIXED: Mapping[Kind, int] = {"add": 1, "amend": 1, "edit": 1, "cancel": 0}
_BY_AGE: Mapping[Kind, tuple[tuple[int, int], ...]] = {
    "add": (),
    "amend": ((5, 3), (10, 2), (15, 1)),
    "edit": ((5, 6), (10, 5), (15, 4), (45, 2), (90, 1)),
    "cancel": ((5, 8), (10, 6), (15, 5), (45, 4), (90, 2), (300, 1)),
}
"""(younger than so many seconds, calls) besides the fixed part."""


class Meter(Struct, gc=False):
    """One counter as it stood at a time in ns."""

    level: int = 0
    at: int = 0

    def decayed(self, now: int, per_second: int) -> int:
        """The level now, after `per_second` hundredths of a call a second."""
        return max(0, self.level - max(0, now - self.at) * per_second)


def rest_cost(method: str) -> int:
    """What a private REST call puts on its key's counter."""
    if method in _UNCOUNTED:
        return 0
    return 2 * CALL if method in _HISTORY else CALL


def engine_cost(kind: Kind, age_ns: int | None = None) -> int:
    """What one transaction puts on the counter of its account and pair.

    `age_ns`: since the order was placed or last amended; None where there is no such order, and
    the fixed part is all.
    """
    if age_ns is None:
        return _FIXED[kind] * CALL
    late = next((calls for limit, calls in _BY_AGE[kind] if age_ns < limit * NS), 0)
    return (_FIXED[kind] + late) * CALL


def batch_cost(orders: int) -> int:
    """What a batch of new orders puts on it: half a call each."""
    return orders * CALL // 2


def charge_rest(meter: Meter, method: str, now: int, tier: Tier) -> None:
    """Count a REST call.

    A caller who hammers keeps the counter full: a refused call is counted up to the maximum.

    Raises:
        Refusal: `EAPI:Rate limit exceeded`; the call is not to be done.
    """
    cost, most = rest_cost(method), tier.rest_calls * CALL
    if not cost:
        return
    level = meter.decayed(now, tier.rest_decay) + cost
    meter.level, meter.at = min(level, most), now
    if level > most:
        raise Refusal("EAPI:Rate limit exceeded")


class EngineCounters:
    """The counters of all accounts and pairs. `meters` is what a restart must remember."""

    def __init__(self) -> None:
        self.meters: dict[str, Meter] = {}

    def check(self, account_id: str, symbol: str, cost: int, now: int, tier: Tier) -> None:
        """Whether a transaction still fits.

        Raises:
            Refusal: `EOrder:Rate limit exceeded`, `EOrder:Domain rate limit exceeded`.
        """
        if self.level(account_id, symbol, now, tier) + cost > tier.engine_calls * CALL:
            scope = "Domain rate" if symbol == ACCOUNT_WIDE else "Rate"
            raise Refusal(f"EOrder:{scope} limit exceeded")

    def add(self, account_id: str, symbol: str, cost: int, now: int, tier: Tier) -> None:
        """Count a transaction, whether it fits or not."""
        level = self.level(account_id, symbol, now, tier) + cost
        if level:
            self.meters[f"{account_id} {symbol}"] = Meter(level, now)

    def level(self, account_id: str, symbol: str, now: int, tier: Tier) -> int:
        """The counter now, in 1e-11 calls."""
        meter = self.meters.get(f"{account_id} {symbol}")
        return 0 if meter is None else meter.decayed(now, tier.engine_decay)

    def count(self, account_id: str, symbol: str, now: int, tier: Tier) -> Decimal:
        """The counter now, in calls."""
        return Decimal(self.level(account_id, symbol, now, tier)) / CALL
