"""The fault `rest-lag`: REST shows an order as it was before its latest fills or its end.

It remembers the order as it was told last, for as long as the lag, and puts it in the place of
the order as it is. The streams tell the truth all the while.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from zoe_tools.paper.exchange.faults import FaultDesk
from zoe_tools.paper.values.events import EngineEvent, OrderEvent
from zoe_tools.paper.values.ledger import LedgerRow, TradeView
from zoe_tools.paper.values.order import OrderView
from zoe_tools.paper.values.times import NS

_HIDDEN = frozenset({"trade", "filled", "canceled", "expired"})
_ROOM = 1_000
"""So many more changes may be hidden before those that REST knows by now are cleared away."""


class RestLag:
    """What REST does not know yet. Every `until` is in ns."""

    def __init__(self, faults: FaultDesk) -> None:
        self._faults = faults
        self._orders: dict[str, tuple[OrderView, int]] = {}
        self._trades: dict[str, int] = {}
        self._most = _ROOM

    def hear(self, event: EngineEvent) -> None:
        """An engine event; while the fault stands, what it changed is hidden for its seconds."""
        if self._faults.is_quiet or not isinstance(event, OrderEvent) or event.kind not in _HIDDEN:
            return
        strike = self._faults.standing("rest-lag", event.at)
        if strike is None:
            return
        if len(self._orders) + len(self._trades) > self._most:
            self._forget(event.at)
            self._most = _ROOM + 2 * (len(self._orders) + len(self._trades))
        until = event.at + int(max(0.0, strike.delay_s) * NS)
        hidden = self._orders.get(event.order.order_id)
        if hidden is None or hidden[1] <= event.at:
            self._orders[event.order.order_id] = _before(event), until
        if event.trade is not None:
            self._trades[event.trade.trade_id] = until

    def _forget(self, now: int) -> None:
        """What REST has come to know by now."""
        if self._orders:
            self._orders = {name: one for name, one in self._orders.items() if one[1] > now}
        if self._trades:
            self._trades = {name: until for name, until in self._trades.items() if until > now}

    def _lagging(self, now: int) -> dict[str, OrderView]:
        self._forget(now)
        return {name: order for name, (order, _) in self._orders.items()}

    def _is_known(self, trade_id: str, now: int) -> bool:
        return self._trades.get(trade_id, 0) <= now

    def order(self, order: OrderView | None, now: int) -> OrderView | None:
        """One order, as REST knows it."""
        return None if order is None else self._lagging(now).get(order.order_id, order)

    def shown_at(self, order_id: str, since: int) -> int:
        """From when on, at or after `since`, REST shows the order as it is."""
        _, until = self._orders.get(order_id, (None, since))
        return max(since, until)

    def open_orders(
        self, account_id: str, orders: Iterable[OrderView], now: int
    ) -> tuple[OrderView, ...]:
        """The open orders as REST knows them, oldest first."""
        lagging = self._lagging(now)
        if not lagging:
            return tuple(orders)
        found = {order.order_id: order for order in orders}
        found |= {name: each for name, each in lagging.items() if each.account_id == account_id}
        return tuple(sorted(found.values(), key=lambda order: order.opened_at))

    def closed_orders(self, orders: Sequence[OrderView], now: int) -> Sequence[OrderView]:
        """The closed orders as REST knows them."""
        lagging = self._lagging(now)
        if not lagging:
            return orders
        return tuple(order for order in orders if order.order_id not in lagging)

    def trades(self, trades: Sequence[TradeView], now: int) -> Sequence[TradeView]:
        """The executions as REST knows them."""
        if not self._trades:
            return trades
        return tuple(trade for trade in trades if self._is_known(trade.trade_id, now))

    def ledger(self, rows: Sequence[LedgerRow], now: int) -> Sequence[LedgerRow]:
        """The ledger as REST knows it: without the rows of executions that it does not know."""
        if not self._trades:
            return rows
        return tuple(row for row in rows if self._is_known(row.ref_id, now))


def _before(event: OrderEvent) -> OrderView:
    """The order before this event: open, and without the execution that it tells of."""
    order, trade = event.order, event.trade
    order = replace(order, status="open", closed_at=None, reason=None)
    if trade is None:
        return order
    return replace(
        order,
        filled=order.filled - trade.quantity,
        cost=order.cost - trade.cost,
        fee=order.fee - trade.fee,
        trade_ids=tuple(each for each in order.trade_ids if each != trade.trade_id),
    )
