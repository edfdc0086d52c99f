"""The private channels of one connection: executions and balances of one account.

Rich rows when an order is new, sparse ones afterwards; every frame of a channel is numbered from 1
on this connection. Source: kraken-spot sections 11.1 and 11.2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from zoe_tools.paper.engine.ids import iban_of
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.values.events import OrderEvent
from zoe_tools.paper.values.ledger import LedgerRow, TradeView
from zoe_tools.paper.values.market import PairSpec
from zoe_tools.paper.values.order import OrderView
from zoe_tools.paper.ws.balances import Row, balance_rows, ledger_row
from zoe_tools.paper.ws.hub import AccountEvent, hub_of
from zoe_tools.paper.ws.numbers import data_frame, number
from zoe_tools.paper.ws.reports import in_dollars, snapshot_row, trade_row, update_row

_DOLLAR = "USD"
_TRADES_SHOWN = 50
_COUNT_DECIMALS = 2
_OPEN_AND_CLOSE = frozenset({"new", "filled", "canceled", "expired"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionOptions:
    """What an executions subscription asked for."""

    snap_orders: bool = True
    snap_trades: bool = False
    order_status: bool = True
    ratecounter: bool = False


Later = Callable[[Callable[[], None]], None]
"""Does a piece of work in its turn: at once, or after what has to be said first."""


def at_once(work: Callable[[], None]) -> None:
    """There is nothing to be said first."""
    work()


class PrivateFeed:
    """One account's frames for one connection."""

    def __init__(
        self,
        exchange: PaperExchange,
        account_id: str,
        push: Callable[[str], None],
        later: Later,
    ) -> None:
        self._exchange = exchange
        self._later = later
        self.account_id = account_id
        self._user = iban_of(account_id)
        self._push = push
        self._executions: ExecutionOptions | None = None
        self._has_balances = False
        self._sequences = {"executions": 0, "balances": 0}
        self._for_all_users: set[str] = set()
        self._hub = hub_of(exchange)
        self._hub.hear_account(account_id, self._hear)

    def close(self) -> None:
        """Hear nothing more."""
        self._hub.forget_account(self.account_id, self._hear)

    @property
    def most_rate_count(self) -> int:
        """The engine counter's threshold of the account's tier."""
        return self._exchange.most_rate_count(self.account_id)

    def tell_users(self, channel: str) -> None:
        """From now on every row of this channel says whose it is."""
        self._for_all_users.add(channel)

    def open_executions(self, options: ExecutionOptions) -> None:
        """Begin with what is open, and the last trades where asked for."""
        self._executions = options
        self._sequences["executions"] = 0
        rows: list[Row] = []
        if options.snap_orders:
            rows += [
                self._open_order(order) for order in self._exchange.open_orders(self.account_id)
            ]
        if options.snap_trades:
            trades = self._exchange.trades(self.account_id)
            rows += [
                self._past_trade(trade)
                for trade in reversed(tuple(islice(reversed(trades), _TRADES_SHOWN)))
            ]
        if options.snap_orders or options.snap_trades:
            self._send("executions", "snapshot", rows)

    def open_balances(self, *, has_snapshot: bool) -> None:
        """Begin with all balances, unless that is not wanted."""
        self._has_balances = True
        self._sequences["balances"] = 0
        if has_snapshot:
            views = self._exchange.balances(self.account_id)
            self._send("balances", "snapshot", balance_rows(views))

    def close_channel(self, channel: str) -> None:
        """No more frames of one channel."""
        self._for_all_users.discard(channel)
        if channel == "executions":
            self._executions = None
        else:
            self._has_balances = False

    def _hear(self, event: AccountEvent) -> None:
        self._later(lambda: self._tell(event))

    def _tell(self, event: AccountEvent) -> None:
        if isinstance(event, OrderEvent):
            self._on_order(event)
        else:
            self._on_ledger(event.row)

    def _on_order(self, event: OrderEvent) -> None:
        options = self._executions
        if options is None or not (options.order_status or event.kind in _OPEN_AND_CLOSE):
            return
        spec = self._exchange.pair(event.order.symbol)
        row = update_row(
            event,
            spec,
            is_condensed=not options.order_status,
            trigger_report=self._exchange.quirks.trigger_report,
        )
        row = self._in_dollars(row, event.order, spec)
        if options.ratecounter:
            count = self._exchange.rate_count(self.account_id, spec.symbol)
            row[self._exchange.quirks.rate_count_field] = number(count, _COUNT_DECIMALS)
        self._send("executions", "update", [row])

    def _on_ledger(self, row: LedgerRow) -> None:
        if self._has_balances:
            decimals = self._exchange.asset(row.asset).decimals
            self._send("balances", "update", [ledger_row(row, decimals)])

    def _past_trade(self, trade: TradeView) -> Row:
        order = self._exchange.order(self.account_id, trade.order_id)
        is_filled = order is not None and order.status == "closed"
        spec = self._exchange.pair(trade.symbol)
        row = trade_row(
            trade,
            spec,
            userref=order.userref or 0 if order is not None else 0,
            order_status="filled" if is_filled else "partially_filled",
        )
        if order is not None and order.cl_ord_id is not None:
            row["cl_ord_id"] = order.cl_ord_id
        return self._in_dollars(row, trade, spec)

    def _open_order(self, order: OrderView) -> Row:
        spec = self._exchange.pair(order.symbol)
        return self._in_dollars(snapshot_row(order, spec), order, spec)

    def _in_dollars(self, row: Row, paid: OrderView | TradeView, spec: PairSpec) -> Row:
        """Fees are told in dollars too, whatever the pair is quoted in; at today's rate."""
        if spec.quote == _DOLLAR:
            return row
        return in_dollars(row, paid, spec, self._exchange.dollar_rate(spec.symbol))

    def _send(self, channel: str, kind: str, rows: list[Row]) -> None:
        self._sequences[channel] += 1
        if channel in self._for_all_users:
            rows = [row | {"user": self._user} for row in rows]
        self._push(data_frame(channel, kind, rows, self._sequences[channel]))
