"""`zoe monitor-trade-execution`: how well orders are filled, how fast, at what price; and what not.

All of it is read from the books.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from zoe_tools.core.order_alarms import (
    REJECTIONS_OF_ACCOUNT,
    REJECTIONS_OF_INSTRUMENT,
    rejections,
    stuck_orders,
)
from zoe_tools.core.trade_costs import TradeCost, mean_slippage_bps, trade_costs
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.intent_group import IntentGroup
from zoe_tools.domain.journal import FOR_NOW, Intent, IntentKind, OrderRecord
from zoe_tools.domain.money import HUNDRED, ZERO, round_half_up, short
from zoe_tools.domain.policy import Policy

_CENTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Percentiles by nearest rank; None where nothing was measured."""

    count: int
    p50: Decimal | None
    p90: Decimal | None
    p99: Decimal | None
    worst: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """What the venue refused, by its own code."""

    code: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionReport:
    """Of the groups that were begun in the time that is looked at.

    `fill_rate_pct` is the share of those over that were filled whole. `mean_slippage_bps` is what
    the slippage guard goes by.
    """

    groups: int
    working: int
    filled: int
    partly: int
    fill_rate_pct: Decimal | None
    maker_share_pct: Decimal | None
    reprices: int
    fees: Decimal
    first_fill_s: Spread
    last_fill_s: Spread
    slippage_bps: Spread
    mean_slippage_bps: Decimal | None
    rejects: tuple[Rejected, ...]
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionFacts:
    """What the books say, of one instrument or all; `orders` hold all that work, too."""

    now: datetime
    policy: Policy
    groups: Sequence[IntentGroup]
    orders: Sequence[OrderRecord]
    fills: Sequence[Fill]
    refusals: Sequence[Intent]


def assess_execution(facts: ExecutionFacts) -> tuple[ExecutionReport, tuple[TradeCost, ...]]:
    """The report, and each group's costs, newest first."""
    costs = trade_costs(facts.groups, facts.orders, facts.fills)
    over = [each for each in costs if each.ending is not None]
    filled = [each for each in over if each.is_filled]
    partly = [each for each in over if not each.is_filled and each.filled_quantity > ZERO]
    traded = [each for each in costs if each.maker_share_pct is not None]
    report = ExecutionReport(
        groups=len(costs),
        working=len(costs) - len(over),
        filled=len(filled),
        partly=len(partly),
        fill_rate_pct=_share(len(filled), len(over)),
        maker_share_pct=_maker_share(traded),
        reprices=sum(each.reprices for each in costs),
        fees=sum((each.fees for each in costs), ZERO),
        first_fill_s=_spread(each.first_fill_s for each in costs),
        last_fill_s=_spread(each.last_fill_s for each in costs),
        slippage_bps=_spread(each.slippage_bps for each in costs),
        mean_slippage_bps=mean_slippage_bps(facts.groups, facts.orders, facts.fills),
        rejects=_rejects(facts.refusals),
        findings=tuple(_findings(facts, costs)),
    )
    return report, costs[::-1]


def _findings(facts: ExecutionFacts, costs: Sequence[TradeCost]) -> Iterator[str]:
    for order in stuck_orders(facts.orders, facts.now, facts.policy):
        age_s = (facts.now - order.created_at).total_seconds()
        name = order.venue_order_id or order.client_order_id
        yield f"STUCK_ORDER {order.symbol}: {order.purpose} {name} works for {age_s:.0f} s"
    yield from _too_often(facts)
    for cost in costs:
        if cost.filled_quantity > cost.target_quantity:
            yield (
                f"GROUP_OVERFILL {cost.symbol}: {short(cost.filled_quantity)} filled of"
                f" {short(cost.target_quantity)}"
            )
    mean = mean_slippage_bps(facts.groups, facts.orders, facts.fills)
    most = facts.policy.max_average_slippage_bps
    if mean is not None and mean > most:
        yield f"SLIPPAGE the last fills slipped {short(mean)} bps, {short(most)} are allowed"


def _too_often(facts: ExecutionFacts) -> Iterator[str]:
    counts = rejections(facts.refusals, facts.now)
    for symbol, count in sorted(counts.items()):
        if count >= REJECTIONS_OF_INSTRUMENT:
            yield f"REPEATED_REJECTIONS {symbol}: {count} within ten minutes"
    total = sum(counts.values())
    if total >= REJECTIONS_OF_ACCOUNT:
        yield f"REPEATED_REJECTIONS of the account: {total} within ten minutes"


def narrowed(facts: ExecutionFacts, symbol: Symbol | None) -> ExecutionFacts:
    """Of one instrument alone; None: of all."""
    if symbol is None:
        return facts
    return ExecutionFacts(
        now=facts.now,
        policy=facts.policy,
        groups=[each for each in facts.groups if each.symbol == symbol],
        orders=[each for each in facts.orders if each.symbol == symbol],
        fills=[each for each in facts.fills if each.symbol == symbol],
        refusals=[each for each in facts.refusals if each.symbol == symbol],
    )


def _rejects(refusals: Iterable[Intent]) -> tuple[Rejected, ...]:
    placed = (each for each in refusals if each.kind is not IntentKind.CANCEL)
    counts = Counter(venue_code(each) for each in placed)
    found = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return tuple(Rejected(code=code, count=count) for code, count in found)


def venue_code(refusal: Intent) -> str:
    """The venue's own code, as the journal's evidence begins with it."""
    head, separator, _ = refusal.evidence.removeprefix(FOR_NOW).partition(": ")
    return head if separator else refusal.evidence or "unknown"


def _maker_share(costs: Sequence[TradeCost]) -> Decimal | None:
    """Of the money, not of the coins: they are not worth the same."""
    money = [(each.filled_quantity * (each.vwap or ZERO), each.maker_share_pct) for each in costs]
    total = sum((worth for worth, _ in money), ZERO)
    if total == ZERO:
        return None
    made = sum((worth * (share or ZERO) for worth, share in money), ZERO)
    return round_half_up(made / total, _CENTS)


def _share(part: int, whole: int) -> Decimal | None:
    return round_half_up(HUNDRED * part / whole, _CENTS) if whole else None


def _spread(values: Iterable[Decimal | None]) -> Spread:
    known = sorted(each for each in values if each is not None)
    return Spread(
        count=len(known),
        p50=_percentile(known, 50),
        p90=_percentile(known, 90),
        p99=_percentile(known, 99),
        worst=known[-1] if known else None,
    )


def _percentile(known: Sequence[Decimal], percent: int) -> Decimal | None:
    """The smallest value that so many percent of them do not pass."""
    if not known:
        return None
    return known[max(-(-percent * len(known) // 100), 1) - 1]
