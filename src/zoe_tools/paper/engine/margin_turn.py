"""The part of a step that has to do with margin: fills with leverage, rollovers, liquidations.

An order without leverage never comes here. Pure, as all of a step is.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace
from typing_extensions import override

from zoe_tools.paper.engine import fees
from zoe_tools.paper.engine.account import Account
from zoe_tools.paper.engine.book import PairBook, other
from zoe_tools.paper.engine.fills import FILL_OR_KILL, NO_FUNDS, NO_MARGIN, execution_of
from zoe_tools.paper.engine.margin_checks import NO_POSITION, UNKNOWN_POSITION, delivery_of, hold_of
from zoe_tools.paper.engine.matching import Turn
from zoe_tools.paper.engine.valuation import rate, reference_of, standing_of
from zoe_tools.paper.values.events import MarginEvent, PositionEvent
from zoe_tools.paper.values.ledger import LedgerType, OnMargin, TradeView
from zoe_tools.paper.values.margin import charge_of, is_stopped, margin_of
from zoe_tools.paper.values.market import PairSpec
from zoe_tools.paper.values.order import ZERO, OrderView
from zoe_tools.paper.values.positions import MarginFill, Position, fill_of
from zoe_tools.paper.values.rounding import half_up

POSITION_CLOSED = "EOrder:Reduce only:Position is closed"
REDUCED = "Reduce only"
LIQUIDATED = "Margin liquidation"
_NOTHING = ("", ZERO)


class MarginTurn(Turn):
    """One step of an exchange with margin."""

    def allow_margin(self, account: Account, *, has_margin: bool) -> None:
        """Let the account open positions, or no more."""
        account.has_margin = has_margin
        self.events.append(
            MarginEvent(at=self.now, account_id=account.account_id, has_margin=has_margin)
        )

    # orders
    @override
    def _hold_margin(self, order: OrderView) -> None:
        account = self.floor.account(order.account_id)
        self.floor.exposed.add(order.account_id)
        account.reserves[order.order_id] = hold_of(order, account, self.floor.pairs[order.symbol])

    @override
    def _on_margin(self, order: OrderView) -> OrderView:
        """An order with leverage before it trades: it may have nothing to reduce, or to settle."""
        if order.order_type == "settle-position":
            return self._deliver(order)
        if not order.is_reduce_only:
            return order
        closable = self._closable(order)
        if closable <= 0:
            return self.end(order, "canceled", NO_POSITION)
        if order.time_in_force == "fok" and closable < order.remaining:
            return self.end(order, "canceled", FILL_OR_KILL)
        return order

    @override
    def _closable(self, order: OrderView) -> Decimal:
        shelf = self.floor.account(order.account_id).positions
        return shelf.closable(order.symbol, order.side)

    @override
    def _cut(self, order: OrderView) -> OrderView:
        """What rests to reduce is never more than there is to reduce."""
        closable = self._closable(order)
        if order.remaining <= closable:
            return order
        shown = min(order.shown, closable)
        order = replace(order, quantity=order.filled + closable, shown=shown)
        self._keep(order)
        self.note(order, "restated", REDUCED)
        return order

    @override
    def _can_carry(
        self, book: PairBook, order: OrderView, price: Decimal, quantity: Decimal
    ) -> bool:
        """Whether there is margin for what this fill would open, what it holds itself included."""
        opening = quantity - min(quantity, self._closable(order))
        if opening <= 0:
            return True
        spec = book.spec
        account = self.floor.account(order.account_id)
        cost = fees.cost_of(spec, price, opening)
        _, own = account.reserves.get(order.order_id, ("", ZERO))
        needed = margin_of(spec, cost, order.leverage or 1) - own
        worth = rate(self.floor, spec.quote, reference_of(self.floor)) or ZERO
        return needed * worth <= standing_of(self.floor, account).free_for_orders

    # fills
    @override
    def _fill_on_margin(
        self,
        book: PairBook,
        order: OrderView,
        price: Decimal,
        quantity: Decimal,
        public_id: int,
        *,
        is_maker: bool,
    ) -> OrderView:
        """Close first in first out, open with the rest: positions, ledger, order, events."""
        account = self.floor.account(order.account_id)
        spec = book.spec
        cost = fees.cost_of(spec, price, quantity)
        fee = fees.fee_of(spec, cost, order.maker_pct if is_maker else order.taker_pct)
        fill = fill_of(account.positions, spec, order.side, quantity, (cost, fee))
        trade_id = self.floor.mint.trade()
        told = self._told(account, order, fill, trade_id, is_maker=is_maker)
        trade = execution_of(
            self.floor,
            order,
            trade_id,
            public_id,
            at=self.now,
            price=price,
            quantity=quantity,
            cost=cost,
            is_maker=is_maker,
            entries=1,
            fee=fee + told.opening_fee,
            on_margin=told,
        )
        order = self._traded(book, account, order, trade)
        for position in fill.closed_positions(trade_id):
            self._put(account, position)
        if fill.opening > 0:
            self._open(account, order, trade, fill)
        self._after_fill(book, order, is_maker=is_maker)
        self._rebalance(account, spec.symbol)
        return account.open.get(order.order_id) or account.closed[order.order_id]

    def _told(
        self, account: Account, order: OrderView, fill: MarginFill, trade_id: str, *, is_maker: bool
    ) -> OnMargin:
        spec, leverage = self.floor.pairs[order.symbol], order.leverage or 1
        cost = fill.opening_cost + sum(fill.proceeds, ZERO)
        if fill.opening > 0:
            first = None if is_maker else self._first_of(account, order)
            return OnMargin(
                leverage=leverage,
                position_id=trade_id if first is None else first.position_id,
                step="opened",
                closed=fill.closed,
                borrowed=fill.opening_cost,
                margin=margin_of(spec, cost, leverage),
                opening_fee=charge_of(spec, fill.opening_cost, self.floor.margin.opening_pct),
                profit=fill.profit,
            )
        return OnMargin(
            leverage=leverage,
            position_id=fill.closings[0].position.position_id,
            step="closed" if fill.closes_whole else "closing",
            closed=fill.closed,
            margin=margin_of(spec, cost, leverage),
            profit=fill.profit,
        )

    def _first_of(self, account: Account, order: OrderView) -> Position | None:
        """The position that this taker has opened already: all its fills are one (13.2)."""
        last = next(reversed(account.positions.open.values()), None)
        if last is None or (last.order_id, last.at) != (order.order_id, self.now):
            return None
        return last

    def _open(self, account: Account, order: OrderView, trade: TradeView, fill: MarginFill) -> None:
        told = trade.on_margin
        if told is None:
            return
        spec = self.floor.pairs[order.symbol]
        first = account.positions.open.get(told.position_id)
        if first is None:
            rolls_at = self.now + self.floor.margin.rollover_ns
            first = Position(
                position_id=told.position_id,
                account_id=account.account_id,
                order_id=order.order_id,
                symbol=order.symbol,
                side=order.side,
                order_type=order.order_type,
                at=self.now,
                quantity=ZERO,
                cost=ZERO,
                fee=ZERO,
                margin=ZERO,
                leverage=told.leverage,
                rollover_pct=self.floor.margin.rollover_pct,
                rollover_ns=self.floor.margin.rollover_ns,
                rolls_at=rolls_at,
            )
            self.floor.watch_expiry(rolls_at, account.account_id, first.position_id)
        self._put(
            account,
            replace(
                first,
                quantity=first.quantity + fill.opening,
                cost=first.cost + fill.opening_cost,
                fee=first.fee + fill.opening_share + told.opening_fee,
                margin=first.margin + margin_of(spec, fill.opening_cost, told.leverage),
            ),
        )

    def _put(self, account: Account, position: Position) -> None:
        self.floor.exposed.add(account.account_id)
        account.positions.put(position)
        self.events.append(
            PositionEvent(at=self.now, account_id=account.account_id, position=position)
        )

    def _rebalance(self, account: Account, symbol: str) -> None:
        """Positions have changed: what open orders need of margin, and may reduce, has too."""
        for order in [*account.open.values()]:
            if order.leverage is None or order.symbol != symbol:
                continue
            self._keep(order)
            is_waiting = order.waits_for_trigger or order.status == "pending"
            if not order.is_reduce_only or is_waiting:
                continue
            book = self._book(order)
            if self._closable(order) <= 0:
                self.end(order, "canceled", POSITION_CLOSED)
            elif book.find(order) is not None:
                book.update(self._cut(order))

    # without a trade
    def _deliver(self, order: OrderView) -> OrderView:
        """Settle: what was borrowed goes back in kind, what it bought is the account's."""
        account = self.floor.account(order.account_id)
        spec = self.floor.pairs[order.symbol]
        closings = account.positions.closings(spec, order.side, order.quantity)
        if not closings:
            return self.end(order, "canceled", UNKNOWN_POSITION)
        asset, needed = delivery_of(closings, order.side, spec)
        if account.available(asset) < needed:
            return self.end(order, "canceled", NO_FUNDS)
        sign = 1 if order.side == "sell" else -1
        for closing in closings:
            for asset, amount in (
                (spec.quote, -sign * half_up(closing.cost, spec.quote_decimals)),
                (spec.base, sign * half_up(closing.quantity, spec.base_decimals)),
            ):
                self._post_row(account, "settled", asset, amount, closing.position.position_id)
            self._put(account, closing.done(closing.cost, ZERO, ""))
        filled = sum((one.quantity for one in closings), ZERO)
        cost = sum((one.cost for one in closings), ZERO)
        order = replace(order, quantity=filled, filled=filled, cost=cost)
        order = self.end(order, "closed", None)
        self._rebalance(account, order.symbol)
        return order

    def _post_row(
        self,
        account: Account,
        row_type: LedgerType,
        asset: str,
        amount: Decimal,
        ref_id: str,
        fee: Decimal = ZERO,
    ) -> None:
        decimals = self.floor.assets[asset].decimals
        self.post(
            account,
            ledger_id=self.floor.mint.ledger(),
            ref_id=ref_id,
            row_type=row_type,
            subtype="",
            asset=asset,
            amount=half_up(amount, decimals),
            fee=half_up(fee, decimals),
        )

    def roll_over(self, account: Account, position_id: str) -> None:
        """Charge what a position that is still open owes by now, every four hours (13.7)."""
        position = account.positions.open.get(position_id)
        if position is None or position.rolls_at > self.now:
            return
        spec = self.floor.pairs[position.symbol]
        while position.rolls_at <= self.now:
            owed = charge_of(spec, position.remaining_cost, position.rollover_pct)
            fee = half_up(owed, spec.quote_decimals)
            self._post_row(account, "rollover", spec.quote, ZERO, position_id, fee)
            position = replace(
                position,
                charged=position.charged + fee,
                rolls_at=position.rolls_at + position.rollover_ns,
            )
        self._put(account, position)
        self.floor.watch_expiry(position.rolls_at, account.account_id, position_id)
        self._is_repriced = True

    # when prices have moved
    @override
    def _watch_margin(self) -> None:
        """Cancel what cannot be carried any more, liquidate what has fallen to the stop."""
        is_due = self._is_repriced or self.floor.is_stranded
        while is_due:
            self._is_repriced = self.floor.is_stranded = False
            for account_id in sorted(self.floor.exposed):
                self._check_account(self.floor.account(account_id))
            self._run_on()
            is_due = self._is_repriced

    def _check_account(self, account: Account) -> None:
        if not account.positions.open and not any(
            order.leverage is not None for order in account.open.values()
        ):
            self.floor.exposed.discard(account.account_id)
            return
        self._liquidate(account)
        self._unburden(account)

    def _unburden(self, account: Account) -> None:
        """The newest orders that need margin go, until there is enough for the others."""
        holding = [
            order
            for order in account.open.values()
            if order.leverage is not None and account.reserves.get(order.order_id, _NOTHING)[1] > 0
        ]
        while holding and standing_of(self.floor, account).free_for_orders < 0:
            self.end(holding.pop(), "canceled", NO_MARGIN)

    def _liquidate(self, account: Account) -> None:
        """Close positions at the market, oldest first, until the level is above the stop."""
        dry: set[str] = set()
        while is_stopped(standing_of(self.floor, account), self.floor.margin):
            for order in [*account.open.values()]:
                if order.leverage is not None:
                    self.end(order, "canceled", LIQUIDATED)
            position = next(
                (each for each in account.positions.open.values() if each.symbol not in dry), None
            )
            if position is None:
                self.floor.is_stranded = True
                return
            book = self.floor.books[position.symbol]
            if book.best_any(position.side) is None:
                dry.add(position.symbol)
                continue
            order = self.open_order(self._closing_order(account, position, book.spec))
            self.work(order)
            if account.closed[order.order_id].status != "closed":
                dry.add(position.symbol)

    def _closing_order(self, account: Account, position: Position, spec: PairSpec) -> OrderView:
        volume = account.volume.total(self.now)
        return OrderView(
            order_id="",
            account_id=account.account_id,
            symbol=position.symbol,
            side=other(position.side),
            order_type="market",
            quantity=position.remaining,
            opened_at=self.now,
            queue_number=0,
            taker_pct=fees.percent(spec, volume, is_maker=False),
            maker_pct=fees.percent(spec, volume, is_maker=True),
            self_trade="cancel-oldest",
            leverage=position.leverage,
            is_reduce_only=True,
            is_liquidation=True,
        )
