"""One step of the engine in progress: fills, triggers and order life, written down as events.

Pure but for the floor it is given: `now` is an argument, ids come from the floor's mint.
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import Literal

from msgspec.structs import replace

from zoe_tools.paper.engine import fees
from zoe_tools.paper.engine.account import Account, reserve_for
from zoe_tools.paper.engine.book import PairBook, Resting, crosses, other
from zoe_tools.paper.engine.drafts import child_of, trailed
from zoe_tools.paper.engine.fills import (
    FILL_OR_KILL,
    IMMEDIATE,
    NO_FUNDS,
    NO_LIQUIDITY,
    POST_ONLY,
    PROTECTION,
    SELF_TRADE,
    cost_of_fill,
    execution_of,
    is_fillable,
    unpaid,
    wanted,
)
from zoe_tools.paper.engine.floor import Floor
from zoe_tools.paper.engine.margin_hooks import MarginHooks
from zoe_tools.paper.engine.prices import is_hit
from zoe_tools.paper.values.events import (
    EngineEvent,
    OrderEvent,
    PrintEvent,
)
from zoe_tools.paper.values.ledger import TradeView
from zoe_tools.paper.values.market import PairSpec, Print
from zoe_tools.paper.values.order import ZERO, OrderView
from zoe_tools.paper.values.rounding import half_up

_HUNDRED = Decimal(100)


class Turn(MarginHooks):
    """One step. `finish` returns what happened. What has to do with margin is done elsewhere."""

    def __init__(
        self,
        floor: Floor,
        now: int,
        *,
        protection_pct: Decimal | None,
        holds_before_trigger: bool,
    ) -> None:
        super().__init__(floor, now)
        self._protection_pct = protection_pct
        self._holds_before_trigger = holds_before_trigger
        self._new_lasts: deque[tuple[PairBook, Decimal]] = deque()
        self._closes: deque[tuple[OrderView, Decimal]] = deque()
        self._touched: dict[str, PairBook] = {}
        self._is_repriced = False

    # order life
    def open_order(self, draft: OrderView) -> OrderView:
        """Take a checked draft in, under an id of its own: pending_new, new."""
        order = replace(
            draft,
            order_id=self.floor.mint.order(),
            queue_number=self.floor.mint.count("queue"),
        )
        self._keep(order)
        self.note(order, "pending_new")
        if order.status == "open":
            self.note(order, "new")
        elif order.starts_at is not None:
            self.floor.watch_expiry(order.starts_at, order.account_id, order.order_id)
        if order.expire_at is not None:
            self.floor.watch_expiry(order.expire_at, order.account_id, order.order_id)
        return order

    def start(self, order: OrderView) -> None:
        """A scheduled order's time has come; its trailing stop begins here."""
        book = self._book(order)
        order = replace(order, status="open", queue_number=self.floor.mint.count("queue"))
        if order.trailing is not None and book.last is not None:
            order = trailed(order, book.last, book.spec)
        best = book.best_any(other(order.side))
        self._keep(order)
        self.note(order, "new")
        price = order.limit_price
        can_meet = order.is_post_only and price is not None and best is not None
        if can_meet and crosses(order.side, price or ZERO, best or ZERO):
            self.end(order, "canceled", POST_ONLY)
            return
        self.work(order)

    def work(self, order: OrderView, worst: Decimal | None = None) -> None:
        """Let an active order trade, then rest or end. `worst` as in `_take`."""
        book = self._book(order)
        if order.waits_for_trigger:
            book.waiting[order.order_id] = order
            if book.last is not None and is_hit(order, book.last):
                self._trigger(book, order, book.last, None)
            return
        if order.leverage is not None:
            order = self._on_margin(order)
            if not order.is_open:
                return
        is_market = order.limit_price is None
        if order.time_in_force == "fok" and not is_fillable(self.floor, book, order):
            self.end(order, "canceled", FILL_OR_KILL)
            return
        order, why = self._take(book, order, worst)
        if not order.is_open:
            return
        if is_market or why is not None:
            self.end(order, "canceled", why or NO_LIQUIDITY)
        elif order.time_in_force == "ioc":
            self.end(order, "canceled", IMMEDIATE)
        else:
            self._rest(book, self._cut(order) if order.is_reduce_only else order)

    def _rest(self, book: PairBook, order: OrderView) -> OrderView:
        """At the back of its level; an iceberg with a fresh slice."""
        if order.display_quantity is not None:
            order = replace(order, shown=min(order.display_quantity, order.remaining))
            self._keep(order)
        book.rest(order, order.limit_price or ZERO)
        return order

    def end(
        self, order: OrderView, status: Literal["closed", "canceled", "expired"], reason: str | None
    ) -> OrderView:
        """Close an order; what it held is free again."""
        ended = replace(order, status=status, closed_at=self.now, reason=reason)
        account = self.floor.account(order.account_id)
        account.open.pop(order.order_id, None)
        account.reserves.pop(order.order_id, None)
        account.closed[order.order_id] = ended
        self._book(order).remove(order)
        self.note(ended, "filled" if status == "closed" else status, reason)
        return ended

    def change(self, order: OrderView, *, loses_place: bool) -> None:
        """An amended order takes its place, or a new one at the back."""
        book = self._book(order)
        if loses_place:
            order = replace(order, queue_number=self.floor.mint.count("queue"))
            book.remove(order)
        self._keep(order)
        self.note(order, "amended", "User requested")
        if order.remaining <= 0:
            self.end(order, "canceled", "User requested")
        elif order.status == "pending":
            return
        elif order.waits_for_trigger or loses_place:
            self.work(order)
        else:
            book.update(order)

    def _keep(self, order: OrderView) -> None:
        account = self.floor.account(order.account_id)
        account.open[order.order_id] = order
        account.reserves.pop(order.order_id, None)
        if order.remaining <= 0 or (order.limit_price is None and not order.waits_for_trigger):
            return
        if order.leverage is not None:
            self._hold_margin(order)
            return
        if order.waits_for_trigger and not self._holds_before_trigger:
            return
        account.reserves[order.order_id] = reserve_for(order, self.floor.pairs[order.symbol])

    def _book(self, order: OrderView) -> PairBook:
        book = self.floor.books[order.symbol]
        self._touched[order.symbol] = book
        return book

    def touch(self, book: PairBook) -> None:
        """The book may have changed on display."""
        self._touched[book.spec.symbol] = book
        self._is_repriced = True

    # taking
    def _take(
        self, book: PairBook, order: OrderView, worst: Decimal | None
    ) -> tuple[OrderView, str | None]:
        """Trade against the other side; returns the order and why it must end, if it must.

        `worst` is the print that fired a trigger: displayed quotes that are better than it are
        taken to be stale, and trade at its price.
        """
        across = other(order.side)
        bound = self._bound(book, order)
        while order.is_open and not order.is_done:
            maker = book.next_maker(across)
            if maker is None:
                return order, None
            price, quantity, resting = maker
            if bound is not None and not crosses(order.side, bound, price):
                return order, None if order.limit_price is not None else PROTECTION
            if resting is not None and resting.account_id == order.account_id:
                if order.self_trade != "cancel-newest":
                    self._end_resting(resting, SELF_TRADE)
                if order.self_trade != "cancel-oldest":
                    return order, SELF_TRADE
                continue
            if resting is None and worst is not None and crosses(order.side, worst, price):
                price = worst
            quantity = min(quantity, self._most(order, price, book.spec))
            if quantity <= 0:
                return self.end(order, "closed", None), None
            if not self._can_pay(book, order, price, quantity):
                return order, unpaid(order)
            order = self._trade(book, order, maker[0], price, quantity, resting)
        return order, None

    def _most(self, order: OrderView, price: Decimal, spec: PairSpec) -> Decimal:
        """How much of it may trade at this price."""
        if order.is_reduce_only:
            return min(order.remaining, self._closable(order))
        return wanted(order, price, spec)

    def _bound(self, book: PairBook, order: OrderView) -> Decimal | None:
        """The price an order does not trade beyond."""
        if order.limit_price is not None:
            return order.limit_price
        best = book.best_any(other(order.side))
        if best is None or self._protection_pct is None or order.is_liquidation:
            return None
        slip = best * self._protection_pct / _HUNDRED
        return best + slip if order.side == "buy" else best - slip

    def _trade(
        self,
        book: PairBook,
        order: OrderView,
        level: Decimal,
        price: Decimal,
        quantity: Decimal,
        resting: Resting | None,
    ) -> OrderView:
        public_id = self._publish(
            book,
            Print(
                at=self.now,
                symbol=book.spec.symbol,
                side=order.side,
                price=price,
                quantity=quantity,
                is_market=order.limit_price is None,
            ),
        )
        if resting is None:
            book.consume(other(order.side), level, quantity)
        else:
            maker = self.floor.account(resting.account_id).open[resting.order_id]
            self._fill(book, maker, price, quantity, public_id, is_maker=True)
        return self._fill(book, order, price, quantity, public_id, is_maker=False)

    def _end_resting(self, resting: Resting, reason: str) -> None:
        order = self.floor.account(resting.account_id).open[resting.order_id]
        self.end(order, "canceled", reason)

    def _can_pay(self, book: PairBook, order: OrderView, price: Decimal, quantity: Decimal) -> bool:
        if order.leverage is not None:
            return self._can_carry(book, order, price, quantity)
        spec = book.spec
        account = self.floor.account(order.account_id)
        asset, needed = spec.base, half_up(quantity, spec.base_decimals)
        if order.side == "buy":
            cost = fees.cost_of(spec, price, quantity)
            fee = ZERO if order.is_fee_in_base else fees.fee_of(spec, cost, order.taker_pct)
            asset = spec.quote
            needed = half_up(cost, spec.quote_decimals) + half_up(fee, spec.quote_decimals)
        elif order.is_fee_in_base:
            needed += fees.base_fee_of(spec, quantity, order.taker_pct)
        has_reserve = order.order_id in account.reserves
        return needed <= (account.balance(asset) if has_reserve else account.available(asset))

    # prints and triggers
    def hear_print(self, book: PairBook, event: Print) -> None:
        """A trade among others: it fills resting orders it reaches, then moves the last price."""
        public_id = self._publish(book, event)
        left = event.quantity
        for side in ("buy", "sell"):
            while left > 0 and book.resting[side]:
                resting = book.resting[side][0]
                if not crosses(side, resting.price, event.price):
                    break
                eaten = min(left, resting.ahead) if resting.price == event.price else ZERO
                if eaten > 0:
                    book.advance(side, resting.price, eaten)
                    left -= eaten
                quantity = min(left, resting.remaining)
                if quantity <= 0:
                    break
                left -= quantity
                order = self.floor.account(resting.account_id).open[resting.order_id]
                if not self._can_pay(book, order, resting.price, quantity):
                    self._end_resting(resting, unpaid(order))
                    continue
                self._fill(book, order, resting.price, quantity, public_id, is_maker=True)
                public_id = 0

    def _publish(self, book: PairBook, event: Print) -> int:
        """Put a trade on the tape."""
        symbol = book.spec.symbol
        printed = PrintEvent(
            at=self.now,
            symbol=symbol,
            trade_id=self.floor.mint.count(f"print {symbol}"),
            side=event.side,
            price=event.price,
            quantity=event.quantity,
            is_market=event.is_market,
        )
        self.events.append(printed)
        self.floor.tapes[symbol].add(printed)
        book.last = event.price
        self.touch(book)
        if book.waiting:
            self._new_lasts.append((book, event.price))
        return printed.trade_id

    def fire_triggers(self) -> None:
        """Activate what the new last prices have reached, until nothing more fires."""
        while self._new_lasts:
            book, last = self._new_lasts.popleft()
            for order_id in book.waiting.concerned(last):
                order = book.waiting.get(order_id)
                if order is None:
                    continue
                order = self._trail(book, order, last)
                if is_hit(order, last):
                    self._trigger(book, order, last, last)

    def _trail(self, book: PairBook, order: OrderView, last: Decimal) -> OrderView:
        """A new peak pulls the stop behind it."""
        peak = order.peak_price
        if peak is None or (last <= peak if order.side == "sell" else last >= peak):
            return order
        order = trailed(order, last, book.spec)
        self._keep(order)
        book.waiting[order.order_id] = order
        self.note(order, "status")
        return order

    def _trigger(
        self, book: PairBook, order: OrderView, last: Decimal, worst: Decimal | None
    ) -> None:
        book.waiting.pop(order.order_id, None)
        order = replace(
            order,
            triggered_at=self.now,
            triggered_by=last,
            queue_number=self.floor.mint.count("queue"),
        )
        self._keep(order)
        self.note(order, "triggered")
        account = self.floor.account(order.account_id)
        if order.leverage is None and order.order_id in account.reserves:
            asset, _ = account.reserves[order.order_id]
            if account.available(asset) < 0:
                self.end(order, "canceled", NO_FUNDS)
                return
        self.work(order, worst)

    # fills
    def _fill(
        self,
        book: PairBook,
        order: OrderView,
        price: Decimal,
        quantity: Decimal,
        public_id: int,
        *,
        is_maker: bool,
    ) -> OrderView:
        """Execute part of an order: order, balances, ledger, events."""
        if order.leverage is not None:
            return self._fill_on_margin(book, order, price, quantity, public_id, is_maker=is_maker)
        spec = book.spec
        account = self.floor.account(order.account_id)
        cost = cost_of_fill(order, price, quantity, spec)
        rate = order.maker_pct if is_maker else order.taker_pct
        fee, fee_base = fees.fee_of(spec, cost, rate), ZERO
        if order.is_fee_in_base:
            fee, fee_base = fee - fee, fees.base_fee_of(spec, quantity, rate)
        trade = execution_of(
            self.floor,
            order,
            self.floor.mint.trade(),
            public_id,
            at=self.now,
            price=price,
            quantity=quantity,
            cost=cost,
            is_maker=is_maker,
            entries=2,
            fee=fee,
            fee_base=fee_base,
        )
        order = self._traded(book, account, order, trade)
        return self._after_fill(book, order, is_maker=is_maker)

    def _traded(
        self, book: PairBook, account: Account, order: OrderView, trade: TradeView
    ) -> OrderView:
        """Write an execution down; returns the order after it."""
        quantity = trade.quantity
        account.trades[trade.trade_id] = trade
        account.volume.add(self.now, trade.counted)
        order = replace(
            order,
            filled=order.filled + quantity,
            cost=order.cost + trade.cost,
            fee=order.fee + trade.fee,
            fee_base=order.fee_base + trade.fee_base,
            quantity=order.quantity if order.quote_quantity is None else order.filled + quantity,
            shown=max(ZERO, order.shown - quantity),
            trade_ids=(*order.trade_ids, trade.trade_id),
        )
        self._keep(order)
        book.update(order)
        self.events.append(
            OrderEvent(
                at=self.now, account_id=order.account_id, kind="trade", order=order, trade=trade
            )
        )
        self.settle(book.spec, account, trade)
        if order.close is not None:
            self._closes.append((order, quantity))
        return order

    def _after_fill(self, book: PairBook, order: OrderView, *, is_maker: bool) -> OrderView:
        """Done, or an iceberg's next slice at the back of its level, or as it is."""
        if order.is_done:
            return self.end(order, "closed", None)
        if is_maker and order.display_quantity is not None and order.shown <= 0:
            order = replace(order, queue_number=self.floor.mint.count("queue"))
            order = self._rest(book, order)
            self.note(order, "iceberg_refill")
        return order

    def _open_closes(self) -> None:
        """Each fill of an order with a conditional close opens one of its own (section 8.2)."""
        while self._closes:
            parent, quantity = self._closes.popleft()
            book = self._book(parent)
            child = child_of(parent, quantity, book, self.now)
            if child is None:
                continue
            asset, needed = reserve_for(child, book.spec)
            can_pay = child.leverage is not None or needed <= self.floor.account(
                parent.account_id
            ).available(asset)
            # an order that ends at once holds nothing on its way
            order = self.open_order(child)
            if can_pay or (child.waits_for_trigger and not self._holds_before_trigger):
                self.work(order)
            else:
                self.end(order, "canceled", NO_FUNDS)

    def _run_on(self) -> None:
        """Everything that follows from what has happened so far."""
        self.fire_triggers()
        while self._closes:
            self._open_closes()
            self.fire_triggers()

    def finish(self, *, snapshot_of: str | None = None) -> list[EngineEvent]:
        """Fire what is to fire, publish what changed on display, and hand everything over."""
        self._run_on()
        if self.floor.exposed:
            self._watch_margin()
        for symbol, book in self._touched.items():
            shown = book.drain(self.now, is_snapshot=symbol == snapshot_of)
            if shown is not None:
                self.events.append(shown)
        return self.events
