"""The exchange machine with two accounts on margin: positions, rollovers, liquidations.

It keeps positions of its own, from the ledger and the trades alone, and compares.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule
from typing_extensions import override

from exchange_machine import (
    SYMBOL,
    TRIGGERED,
    ExchangeMachine,
    accounts,
    prices,
    rounded,
    sides,
    sizes,
)
from paper_desk import BTC_USD, d, snapshot, traded
from zoe_tools.paper.engine.account import Account
from zoe_tools.paper.values.events import SystemMode
from zoe_tools.paper.values.ledger import TradeView
from zoe_tools.paper.values.order import OrderView
from zoe_tools.paper.values.positions import Position
from zoe_tools.paper.values.times import NS

FOUR_HOURS = 4 * 3600 * NS
STOP = d("40")
_UNIT = d("0.0001")
_HUNDRED = Decimal(100)
_kinds = st.sampled_from(["market", "market", "limit", "stop-loss", "take-profit"])
_leverages = st.sampled_from([3, 5, 10, 10, 10])
_lots = st.integers(1, 40).map(lambda twentieths: d(f"{twentieths}") / 20)
_far = st.integers(50, 90).map(lambda thousands: d(f"{thousands}000.0"))


@dataclass
class Lot:
    """A position as the machine knows it."""

    side: str
    quantity: Decimal
    cost: Decimal
    taker: tuple[str, int] | None


class MarginMachine(ExchangeMachine):
    """Everything the machine does, and leverage; with less money, so that it can run out."""

    funds = (("one", "9000", "0.1"), ("two", "16000", "0.3"))

    @initialize()
    @override
    def open_accounts(self) -> None:
        """Both may trade on margin."""
        super().open_accounts()
        for key in self.account_ids:
            self.exchange.allow_margin(key, has_margin=True)
        self.exchange.hear(snapshot(["69990.0 5"], ["70010.0 5"]))

    # --- what is done

    @rule(
        who=accounts,
        side=sides,
        kind=_kinds,
        size=_lots,
        price=prices,
        leverage=_leverages,
        reduces=st.booleans(),
    )
    def place_on_margin(
        self,
        who: int,
        side: Any,
        kind: Any,
        size: Decimal,
        price: Decimal,
        leverage: int,
        *,
        reduces: bool,
    ) -> None:
        """Open, add, close, turn around."""
        self._place(
            who,
            side=side,
            order_type=kind,
            quantity=size,
            limit_price=price if kind == "limit" else None,
            trigger_price=price if kind in TRIGGERED else None,
            leverage=leverage,
            is_reduce_only=reduces,
        )

    @rule(who=accounts, side=sides, stake=st.integers(3, 9))
    def bet(self, who: int, side: Any, stake: int) -> None:
        """So much of what is free, at the highest leverage."""
        account_id = self.account_ids[who]
        price = self.exchange._floor.books[SYMBOL].last or Decimal(1)
        free = self.exchange.standing(account_id, "USD").free_for_orders
        size = rounded(free * stake / price, 3)
        if size > 0:
            self._place(who, side=side, order_type="market", quantity=size, leverage=10)

    @rule(who=accounts, side=sides, stake=st.integers(5, 9), fall=st.integers(1, 20))
    def bet_and_lose(self, who: int, side: Any, stake: int, fall: int) -> None:
        """Up to twenty percent against it: called, or liquidated."""
        self.bet(who, side, stake)
        price = self.exchange._floor.books[SYMBOL].last or Decimal(1)
        sign = -1 if side == "buy" else 1
        self._jump(rounded(price * (100 + sign * fall) / 100, 0), d("3"))

    @override
    def change_mode(self, mode: SystemMode) -> None:
        """Not here: what is refused says little of margin."""

    @override
    def call_back(self, who: int, pick: int) -> None:
        """Not here."""

    @rule(who=accounts, side=sides, more=_lots)
    def bet_and_reduce(self, who: int, side: Any, more: Decimal) -> None:
        """By more than there is, where the market is deep."""
        self._jump(d("70000.0"), d("9"))
        self.bet(who, side, 3)
        positions = self.exchange.positions(self.account_ids[who])
        self._place(
            who,
            side="sell" if positions and positions[0].side == "buy" else "buy",
            order_type="market",
            quantity=more + sum((one.remaining for one in positions), Decimal(0)),
            leverage=10,
            is_reduce_only=True,
        )

    @rule(who=accounts, side=sides, size=sizes, reduces=st.booleans())
    def rest_on_margin(self, who: int, side: Any, size: Decimal, *, reduces: bool) -> None:
        """Five percent away from the last price."""
        last = self.exchange._floor.books[SYMBOL].last or Decimal(1)
        away = d("0.95") if side == "buy" else d("1.05")
        self._place(
            who,
            side=side,
            order_type="limit",
            quantity=size,
            limit_price=rounded(last * away, 0),
            leverage=10,
            is_reduce_only=reduces,
        )

    @rule(who=accounts, settles=st.booleans(), size=st.none() | sizes)
    def leave(self, who: int, *, settles: bool, size: Decimal | None) -> None:
        """Close or settle, all of it or a part."""
        positions = self.exchange.positions(self.account_ids[who])
        self._place(
            who,
            side="sell" if positions and positions[0].side == "buy" else "buy",
            order_type="settle-position" if settles else "market",
            quantity=size or Decimal(0),
            leverage=5,
        )

    @rule(price=_far, size=_lots)
    def the_market_jumps(self, price: Decimal, size: Decimal) -> None:
        """Far enough to be liquidated; sometimes there is little to be had there."""
        self._jump(price, size)

    @rule(price=prices)
    def the_market_is_deep(self, price: Decimal) -> None:
        """Back to where most orders are."""
        self._jump(price, d("5"))

    def _jump(self, price: Decimal, size: Decimal) -> None:
        now = self.clock.ns
        told = snapshot([f"{price - 10:f} {size:f}"], [f"{price:f} {size:f}"], at=now)
        self._try(lambda: self.exchange.hear(told))
        self._try(lambda: self.exchange.hear(traded(f"{price:f}", "0.01", at=now)))

    @rule(hours=st.integers(1, 11))
    def hours_pass(self, hours: int) -> None:
        """Positions roll over."""
        self.clock.ns += hours * 3600 * NS
        self._try(lambda: self.exchange.open_orders(self.account_ids[0]))

    # --- what always holds, of margin

    def _lots_of(self, account: Account) -> Iterator[tuple[TradeView | None, Decimal, list[Lot]]]:
        """Per margin row: the trade, what it should have won, and the lots after it."""
        lots: list[Lot] = []
        for row in account.ledger.values():
            if row.type == "margin":
                trade = account.trades[row.ref_id]
                yield trade, _apply(lots, trade.side, trade.quantity, trade), lots
            elif row.type == "settled" and row.asset == "BTC":
                side = "sell" if row.amount > 0 else "buy"
                _apply(lots, side, abs(row.amount), None)
                yield None, Decimal(0), lots

    @invariant()
    def positions_are_first_in_first_out(self) -> None:
        """What is open, for how much, and what was won on the way, by a count of its own."""
        for account in self._accounts():
            lots: list[Lot] = []
            for trade, profit, lots in self._lots_of(account):  # noqa: B007 - the last is wanted
                if trade is None:
                    continue
                assert trade.on_margin is not None
                assert abs(trade.on_margin.profit - profit) <= _UNIT
            found = [(one.side, one.remaining) for one in account.positions.open.values()]
            assert _merged(found) == _merged([(one.side, one.quantity) for one in lots])
            cost = sum((one.cost for one in lots), Decimal(0))
            known = sum((one.remaining_cost for one in account.positions.open.values()), Decimal(0))
            assert abs(known - cost) <= _UNIT * (len(account.ledger) + 1)

    @invariant()
    def rollovers_come_every_four_hours(self) -> None:
        """As often as it is due, and never oftener; what was charged is in the ledger."""
        now = self.exchange._floor.now
        for account in self._accounts():
            rows: dict[str, list[Decimal]] = {}
            settled: dict[str, int] = {}
            for row in account.ledger.values():
                if row.type == "rollover":
                    assert row.amount == 0
                    rows.setdefault(row.ref_id, []).append(row.fee)
                elif row.type == "settled":
                    settled[row.ref_id] = row.at
            for one in self._positions(account):
                ended = now if one.remaining else _ended(account, one, settled)
                charges = rows.pop(one.position_id, [])
                assert len(charges) == (ended - one.at) // FOUR_HOURS
                assert sum(charges, Decimal(0)) == one.charged
                if not one.closed:
                    expected = rounded(one.cost * d("0.0002"), BTC_USD.cost_decimals)
                    assert set(charges) <= {rounded(expected, 4)}
            assert not rows

    def _positions(self, account: Account) -> list[Position]:
        """All there ever were."""
        told = [one.on_margin for one in account.trades.values() if one.on_margin is not None]
        names = dict.fromkeys(one.position_id for one in told if one.step == "opened")
        found = [self.exchange.position(account.account_id, name) for name in names]
        return [one for one in found if one is not None]

    @invariant()
    def nobody_stays_below_the_stop(self) -> None:
        """Unless there is nobody on the other side."""
        book = self.exchange._floor.books[SYMBOL]
        for account in self._accounts():
            standing = self.exchange.standing(account.account_id, "USD")
            worth = account.balance("USD") + account.balance("BTC") * (book.last or 0)
            used = profit = Decimal(0)
            for one in account.positions.open.values():
                used += one.remaining_margin
                gain = one.remaining * (book.last or 0) - one.remaining_cost
                profit += gain if one.side == "buy" else -gain
            assert (standing.used, standing.equity) == (used, worth + profit)
            if used and (worth + profit) / used * _HUNDRED <= STOP:
                dry = [book.best_any(one.side) for one in account.positions.open.values()]
                assert dry == [None] * len(dry)

    @invariant()
    def what_reduces_never_opens(self) -> None:
        """Nor is what rests to reduce larger than what there is to reduce."""
        for account in self._accounts():
            for trade in account.trades.values():
                order = account.open.get(trade.order_id) or account.closed[trade.order_id]
                if order.is_reduce_only:
                    assert trade.on_margin is not None
                    assert trade.on_margin.step != "opened"
            for order in account.open.values():
                is_waiting = order.waits_for_trigger or order.status == "pending"
                if order.is_reduce_only and not is_waiting:
                    assert order.visible <= order.remaining <= _closable(account, order)

    # --- what always holds, with margin in it

    @override
    def _may_owe(self, account: Account) -> bool:
        """What was lost is owed where there is no money of that asset."""
        return account.has_margin

    @override
    def _borrowed(self, account: Account) -> tuple[Decimal, Decimal]:
        """Trades on margin are not delivered: what is open of them is still to come."""
        dollars = bitcoin = Decimal(0)
        for one in account.positions.open.values():
            sign = 1 if one.side == "buy" else -1
            dollars += sign * one.remaining_cost
            bitcoin -= sign * one.remaining
        for row in account.ledger.values():
            if row.type == "rollover":
                dollars -= row.fee
        return dollars, bitcoin

    @override
    def _extra_fee(self, trade: TradeView) -> Decimal:
        """0.02 % of what was opened."""
        if trade.on_margin is None or trade.on_margin.step != "opened":
            return Decimal(0)
        assert trade.on_margin.borrowed <= trade.cost
        return rounded(trade.on_margin.borrowed * d("0.0002"), BTC_USD.cost_decimals)

    @override
    def _need(self, account: Account, order: OrderView) -> tuple[str, Decimal]:
        """Margin for what would open, of an order with leverage."""
        if order.leverage is None:
            return super()._need(account, order)
        opening = order.quantity - order.filled - _closable(account, order)
        if order.is_reduce_only or opening <= 0:
            return "USD:margin", Decimal(0)
        price = order.limit_price or order.trigger_price or Decimal(0)
        cost = rounded(price * opening, BTC_USD.cost_decimals)
        margin = rounded(cost / order.leverage, BTC_USD.cost_decimals)
        return "USD:margin", rounded(margin, BTC_USD.quote_decimals, ROUND_CEILING)

    @override
    def _all_of(self, account_id: str) -> Any:
        margin = self.exchange.positions(account_id), self.exchange.has_margin(account_id)
        return super()._all_of(account_id), margin


def _apply(lots: list[Lot], side: str, quantity: Decimal, trade: TradeView | None) -> Decimal:
    """Close opposite lots, oldest first, and open the rest; returns what was won.

    Without a trade it is a settlement: lots go for what they cost. What one taker opened at one
    time is one lot.
    """
    won, left = Decimal(0), quantity
    cost = None if trade is None else trade.cost
    for lot in [one for one in lots if one.side != side]:
        part = min(left, lot.quantity)
        if part <= 0:
            break
        paid = lot.cost * part / lot.quantity
        if cost is not None:
            got = cost * part / quantity
            won += got - paid if lot.side == "buy" else paid - got
        lot.cost -= paid
        lot.quantity -= part
        left -= part
    lots[:] = [one for one in lots if one.quantity > 0]
    if left > 0 and trade is not None:
        taker = None if trade.is_maker else (trade.order_id, trade.at)
        if not lots or taker is None or lots[-1].taker != taker:
            lots.append(Lot(side, Decimal(0), Decimal(0), taker))
        lots[-1].quantity += left
        lots[-1].cost += trade.cost * left / quantity
    return won


def _merged(rows: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for side, quantity in rows:
        sums[side] = sums.get(side, Decimal(0)) + quantity
    return sums


def _ended(account: Account, position: Position, settled: dict[str, int]) -> int:
    """When the last of it was closed or settled."""
    times = [account.trades[name].at for name in position.closing_ids]
    return max([*times, settled.get(position.position_id, 0)])


def _closable(account: Account, order: OrderView) -> Decimal:
    return sum(
        (one.remaining for one in account.positions.open.values() if one.side != order.side),
        Decimal(0),
    )
