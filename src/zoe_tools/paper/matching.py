"""One step of the engine in progress: fills, triggers and order life, written down as events.

Pure but for the floor it is given: `now` is an argument, ids come from the floor's mint.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from decimal import Decimal
from typing import Literal

from zoe_tools.paper import fees
from zoe_tools.paper.account import Account, reserve_for
from zoe_tools.paper.book import PairBook, Resting, crosses, other
from zoe_tools.paper.events import (
    EngineEvent,
    LedgerEvent,
    OrderEvent,
    OrderEventKind,
    PrintEvent,
)
from zoe_tools.paper.floor import Floor
from zoe_tools.paper.ledger import LedgerRow, LedgerType, TradeView
from zoe_tools.paper.market import Print
from zoe_tools.paper.order import STOPS, TRIGGERED_TYPES, ZERO, OrderView
from zoe_tools.paper.rounding import half_up

_HUNDRED = Decimal(100)
SELF_TRADE = "Self trade prevention"
PROTECTION = "Market price protection"
NO_LIQUIDITY = "No liquidity"
NO_FUNDS = "Insufficient funds"
IMMEDIATE = "Immediate or cancel"


class Turn:
    """One step. `finish` returns what happened."""

    def __init__(
        self,
        floor: Floor,
        now: int,
        *,
        protection_pct: Decimal | None,
        holds_before_trigger: bool,
    ) -> None:
        self.floor = floor
        self.now = now
        self.events: list[EngineEvent] = []
        self._protection_pct = protection_pct
        self._holds_before_trigger = holds_before_trigger
        self._new_lasts: deque[tuple[PairBook, Decimal]] = deque()
        self._touched: dict[str, PairBook] = {}

    # order life
    def note(self, order: OrderView, kind: OrderEventKind, reason: str | None = None) -> None:
        """Write down a step of an order's life."""
        self.events.append(
            OrderEvent(
                at=self.now, account_id=order.account_id, kind=kind, order=order, reason=reason
            )
        )

    def open_order(self, draft: OrderView) -> OrderView:
        """Take a checked draft in, under an id of its own: pending_new, new."""
        order = replace(
            draft,
            order_id=self.floor.mint.order(),
            queue_number=self.floor.mint.count("queue"),
        )
        self._keep(order)
        self.note(order, "pending_new")
        self.note(order, "new")
        if order.expire_at is not None:
            self.floor.watch_expiry(order.expire_at, order.account_id, order.order_id)
        return order

    def work(self, order: OrderView, worst: Decimal | None = None) -> None:
        """Let an active order trade, then rest or end. `worst` as in `_take`."""
        book = self._book(order)
        if order.waits_for_trigger:
            book.waiting[order.order_id] = order
            if book.last is not None and _is_hit(order, book.last):
                self._trigger(book, order, book.last, None)
            return
        is_market = order.limit_price is None
        order, why = self._take(book, order, worst)
        if not order.is_open:
            return
        if is_market or why is not None:
            self.end(order, "canceled", why or NO_LIQUIDITY)
        elif order.time_in_force == "ioc":
            self.end(order, "canceled", IMMEDIATE)
        else:
            book.rest(order, order.limit_price or ZERO)

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
        elif order.waits_for_trigger or loses_place:
            self.work(order)
        else:
            book.update(order)

    def _keep(self, order: OrderView) -> None:
        account = self.floor.account(order.account_id)
        account.open[order.order_id] = order
        account.reserves.pop(order.order_id, None)
        if order.limit_price is None and not order.waits_for_trigger:
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
        while order.is_open and order.remaining > 0:
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
            quantity = min(quantity, order.remaining)
            if not self._can_pay(book, order, price, quantity):
                return order, NO_FUNDS
            order = self._trade(book, order, maker[0], price, quantity, resting)
        return order, None

    def _bound(self, book: PairBook, order: OrderView) -> Decimal | None:
        """The price an order does not trade beyond."""
        if order.limit_price is not None:
            return order.limit_price
        best = book.best_any(other(order.side))
        if best is None or self._protection_pct is None:
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
        spec = book.spec
        account = self.floor.account(order.account_id)
        asset, needed = spec.base, half_up(quantity, spec.base_decimals)
        if order.side == "buy":
            cost = fees.cost_of(spec, price, quantity)
            fee = fees.fee_of(spec, cost, order.taker_pct)
            asset = spec.quote
            needed = half_up(cost, spec.quote_decimals) + half_up(fee, spec.quote_decimals)
        has_reserve = order.order_id in account.reserves
        return needed <= (account.balance(asset) if has_reserve else account.available(asset))

    # prints and triggers
    def hear_print(self, book: PairBook, event: Print) -> None:
        """A trade among others: it fills resting orders it reaches, then moves the last price."""
        public_id = self._publish(book, event)
        left = event.quantity
        for side in ("buy", "sell"):
            for resting in list(book.resting[side]):
                if left <= 0 or not crosses(side, resting.price, event.price):
                    break
                eaten = min(left, resting.ahead) if resting.price == event.price else ZERO
                if eaten > 0:
                    book.advance(side, resting.price, eaten)
                    left -= eaten
                quantity = min(left, resting.remaining)
                if quantity <= 0:
                    continue
                left -= quantity
                order = self.floor.account(resting.account_id).open[resting.order_id]
                if not self._can_pay(book, order, resting.price, quantity):
                    self._end_resting(resting, NO_FUNDS)
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
            for order in list(book.waiting.values()):
                if order.order_id in book.waiting and _is_hit(order, last):
                    self._trigger(book, order, last, last)

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
        if order.order_id in account.reserves:
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
        spec = book.spec
        account = self.floor.account(order.account_id)
        cost = fees.cost_of(spec, price, quantity)
        fee = fees.fee_of(spec, cost, order.maker_pct if is_maker else order.taker_pct)
        trade = TradeView(
            trade_id=self.floor.mint.trade(),
            public_id=public_id or self.floor.mint.count(f"print {spec.symbol}"),
            account_id=order.account_id,
            order_id=order.order_id,
            symbol=spec.symbol,
            side=order.side,
            order_type=order.order_type,
            executed_as="market" if order.limit_price is None else "limit",
            price=price,
            quantity=quantity,
            cost=cost,
            fee=fee,
            is_maker=is_maker,
            at=self.now,
            ledger_ids=(self.floor.mint.ledger(), self.floor.mint.ledger()),
        )
        account.trades[trade.trade_id] = trade
        account.volume.add(self.now, cost)
        order = replace(
            order,
            filled=order.filled + quantity,
            cost=order.cost + cost,
            fee=order.fee + fee,
            trade_ids=(*order.trade_ids, trade.trade_id),
        )
        self._keep(order)
        book.update(order)
        self.events.append(
            OrderEvent(
                at=self.now, account_id=order.account_id, kind="trade", order=order, trade=trade
            )
        )
        self._settle(book, account, trade)
        return self.end(order, "closed", None) if order.remaining <= 0 else order

    def _settle(self, book: PairBook, account: Account, trade: TradeView) -> None:
        """Two ledger rows, quote first; the fee sits on the quote leg."""
        spec = book.spec
        sign = -1 if trade.side == "buy" else 1
        quote_id, base_id = trade.ledger_ids
        self.post(
            account,
            ledger_id=quote_id,
            ref_id=trade.trade_id,
            row_type="trade",
            subtype="tradespot",
            asset=spec.quote,
            amount=sign * half_up(trade.cost, spec.quote_decimals),
            fee=half_up(trade.fee, spec.quote_decimals),
        )
        self.post(
            account,
            ledger_id=base_id,
            ref_id=trade.trade_id,
            row_type="trade",
            subtype="tradespot",
            asset=spec.base,
            amount=-sign * half_up(trade.quantity, spec.base_decimals),
            fee=half_up(ZERO, spec.base_decimals),
        )

    def post(
        self,
        account: Account,
        *,
        ledger_id: str,
        ref_id: str,
        row_type: LedgerType,
        subtype: str,
        asset: str,
        amount: Decimal,
        fee: Decimal,
    ) -> LedgerRow:
        """Write a ledger row; the balance follows."""
        row = LedgerRow(
            ledger_id=ledger_id,
            ref_id=ref_id,
            account_id=account.account_id,
            at=self.now,
            type=row_type,
            subtype=subtype,
            asset=asset,
            amount=amount,
            fee=fee,
            balance=account.balance(asset) + amount - fee,
        )
        account.balances[asset] = row.balance
        account.ledger[ledger_id] = row
        self.events.append(LedgerEvent(at=self.now, account_id=account.account_id, row=row))
        return row

    def finish(self, *, snapshot_of: str | None = None) -> list[EngineEvent]:
        """Fire what is to fire, publish what changed on display, and hand everything over."""
        self.fire_triggers()
        for symbol, book in self._touched.items():
            shown = book.drain(self.now, is_snapshot=symbol == snapshot_of)
            if shown is not None:
                self.events.append(shown)
        return self.events


def _is_hit(order: OrderView, last: Decimal) -> bool:
    """Whether the last price has reached the trigger (section 13.3)."""
    trigger = order.trigger_price
    if trigger is None or order.order_type not in TRIGGERED_TYPES:
        return False
    rises = (order.side == "buy") == (order.order_type in STOPS)
    return last >= trigger if rises else last <= trigger
