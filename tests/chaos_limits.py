"""Whether the limits of an account held at each moment, by the exchange's own log.

What the exchange has is never more than what the books knew of when they let an entry pass: an
entry is counted from its journal on, and a fill that is not heard of yet as an order that works.
So no moment of the log may show more than a limit allows.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from chaos_world import Chronicle, Trial
from zoe_tools.domain.intent_group import IntentGroup
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.money import ZERO
from zoe_tools.paper.markets.pair_specs import spec_named
from zoe_tools.paper.values.events import LedgerEvent, OrderEvent
from zoe_tools.paper.values.order import OrderView
from zoe_tools.paper.values.times import NS

_MOVED = Decimal("1.02")
"""What is held is worth the middle of the market to the gate, and here what it cost."""

_DAY_NS = 86_400 * NS
_MINUTE_NS = 60 * NS


@dataclass(slots=True)
class _Account:
    """What the exchange has of it at a moment: symbols as `BTC/USD`, money in dollars."""

    working: dict[str, OrderView] = field(default_factory=dict)
    held: dict[str, Decimal] = field(default_factory=dict)
    cost: dict[str, Decimal] = field(default_factory=dict)
    spent: dict[int, dict[str, Decimal]] = field(default_factory=dict)
    """By day and entry: what it has cost, and may yet."""

    def note(self, event: OrderEvent | LedgerEvent) -> None:
        """One step further."""
        if isinstance(event, LedgerEvent):
            self._hold(event)
            return
        order = event.order
        if order.side == "buy":
            day = self.spent.setdefault(order.opened_at // _DAY_NS, {})
            day[order.order_id] = order.cost + _at_stake(order)
        if order.is_open:
            self.working[order.order_id] = order
        else:
            self.working.pop(order.order_id, None)

    def _hold(self, event: LedgerEvent) -> None:
        symbol, now = f"{event.row.asset}/USD", event.row.balance
        before = self.held.get(symbol, ZERO)
        if event.row.asset == "USD":
            return
        if now < before:
            self.cost[symbol] = self.cost.get(symbol, ZERO) * now / before
        self.held[symbol] = now

    def pay(self, symbol: str, cost: Decimal) -> None:
        """What was bought of it."""
        self.cost[symbol] = self.cost.get(symbol, ZERO) + cost

    @property
    def entries(self) -> Iterator[OrderView]:
        """Those that work."""
        return (each for each in self.working.values() if each.side == "buy")

    @property
    def at_risk(self) -> set[str]:
        """Where something can be sold, or is being bought."""
        held = {each for each, much in self.held.items() if much >= spec_named(each).ordermin}
        return held | {each.symbol for each in self.entries}


def _at_stake(order: OrderView) -> Decimal:
    price = order.limit_price or ZERO
    return price * order.remaining if order.is_open else ZERO


def limits_passed(trial: Trial, chronicle: Chronicle) -> Iterator[str]:
    """Every moment in which a limit did not hold, in a sentence."""
    account = _Account()
    for event in chronicle.events:
        if not isinstance(event, OrderEvent | LedgerEvent):
            continue
        account.note(event)
        if not isinstance(event, OrderEvent) or event.order.side != "buy":
            continue
        if event.trade is not None:
            account.pay(event.order.symbol, event.trade.cost)
        for what, value, cap in _found(trial, account, event.order):
            if value > cap:
                yield f"{what} {value:f} at {event.at}, {cap:f} are allowed"
    yield from _too_fast(trial, chronicle)


def _found(
    trial: Trial, account: _Account, order: OrderView
) -> Iterator[tuple[str, Decimal, Decimal]]:
    policy, symbol = trial.policy, order.symbol
    entries = tuple(account.entries)
    working = sum((_at_stake(each) for each in entries), ZERO)
    bidden = sum((_at_stake(each) for each in entries if each.symbol == symbol), ZERO)
    held = sum(account.cost.values(), ZERO)
    asked = (order.limit_price or ZERO) * order.quantity
    day = account.spent[order.opened_at // _DAY_NS]
    yield f"order {order.order_id} asked for", asked, policy.max_notional_per_trade
    yield "positions:", Decimal(len(account.at_risk)), Decimal(policy.max_open_positions)
    yield "entries that work are worth", working, policy.unexecuted_cap
    here = account.cost.get(symbol, ZERO) + bidden
    yield f"{symbol} held and being bought is worth", here, policy.position_cap * _MOVED
    yield "all held and being bought is worth", held + working, policy.exposure_cap * _MOVED
    yield "the day's entries are worth", sum(day.values(), ZERO), policy.max_daily_notional


def _too_fast(trial: Trial, chronicle: Chronicle) -> Iterator[str]:
    """Orders are counted by when they were journaled, up to a deadline before they arrive.

    So what arrived in the time below was journaled before the entry, and within a minute of it.
    """
    deadline = int(trial.policy.order_deadline_s * NS)
    came = [
        each for each in chronicle.events if isinstance(each, OrderEvent) and each.kind == "new"
    ]
    times = [each.at for each in came]
    for each in came:
        since = bisect_right(times, each.at - _MINUTE_NS + deadline)
        count = bisect_right(times, each.at - deadline) - since + 1
        if each.order.side == "buy" and count > trial.policy.max_orders_per_minute:
            yield f"{count} orders within a minute at {each.at}"


def groups_overrun(
    chronicle: Chronicle, groups: Sequence[IntentGroup], records: Sequence[OrderRecord]
) -> Iterator[str]:
    """Every moment in which two orders of a group worked, or its orders could fill too much."""
    targets = {str(each.group_id): each.target_quantity for each in groups}
    names = {str(each.client_order_id): str(each.group_id) for each in records if each.group_id}
    there: dict[str, dict[str, OrderView]] = {}
    for event in chronicle.events:
        if not isinstance(event, OrderEvent):
            continue
        group = names.get(str(event.order.cl_ord_id))
        if group not in targets:
            continue
        orders = there.setdefault(group, {})
        orders[event.order.order_id] = event.order
        yield from _overrun(group, orders, targets[group], event.at)


def _overrun(
    group: str, orders: Mapping[str, OrderView], target: Decimal, at: int
) -> Iterator[str]:
    working = sum(each.is_open for each in orders.values())
    may = (each.quantity if each.is_open else each.filled for each in orders.values())
    may_fill = sum(may, ZERO)
    if working > 1:
        yield f"{group}: {working} orders work at {at}"
    if may_fill > target:
        yield f"{group}: {may_fill:f} may fill at {at}, {target:f} are wanted"
