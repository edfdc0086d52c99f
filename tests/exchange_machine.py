"""A machine that does anything to an exchange, and looks after every step whether money is kept.

Its arithmetic is its own: it shares no rounding, no reserve and no queue with what it watches.
"""

from __future__ import annotations

import tempfile
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from typing_extensions import override

from paper_desk import BTC_USD, ScriptedSource, StandingClock, change, d, snapshot, traded
from zoe_tools.paper.engine.account import Account
from zoe_tools.paper.engine.funding import Transfer
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.exchange.state import StateFile
from zoe_tools.paper.values.events import SystemMode
from zoe_tools.paper.values.ledger import TradeView
from zoe_tools.paper.values.order import AmendOrder, EditOrder, OrderView, PlaceOrder, RelativePrice
from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.values.times import NS

SYMBOL = "BTC/USD"
TRIGGERED = {
    "stop-loss",
    "take-profit",
    "stop-loss-limit",
    "take-profit-limit",
    "trailing-stop",
    "trailing-stop-limit",
}
_HUNDRED = Decimal(100)

sides = st.sampled_from(["buy", "sell"])
prices = st.integers(6_992, 7_008).map(lambda tens: d(f"{tens}0.0"))
sizes = st.integers(1, 300).map(lambda thousandths: d(f"0.{thousandths:03d}00001"))
accounts = st.integers(0, 1)
picks = st.integers(0, 60)
percents = st.integers(1, 300).map(lambda hundredths: d(f"{hundredths}") / _HUNDRED)
distances = st.one_of(
    percents.map(lambda value: RelativePrice(value=value, is_percent=True)),
    st.integers(1, 900).map(lambda value: RelativePrice(value=d(str(value)))),
)
simple_types = st.sampled_from(["market", "limit"])
forces = st.sampled_from(["gtc", "gtc", "ioc", "fok"])
triggers = st.sampled_from(["stop-loss", "take-profit", "stop-loss-limit", "take-profit-limit"])


def rounded(value: Decimal, decimals: int, how: str = ROUND_HALF_UP) -> Decimal:
    """To so many decimals."""
    return value.quantize(Decimal(1).scaleb(-decimals), how)


class ExchangeMachine(RuleBasedStateMachine):
    """Two accounts, one pair, a market, a clock, and a state file that is reopened now and then."""

    steps: ClassVar[int] = 0
    """Over all runs: a run that did nothing has proved nothing."""
    funds: ClassVar[tuple[tuple[str, str, str], ...]] = (
        ("one", "60000", "1"),
        ("two", "40000", "0.5"),
    )
    """Of each account: name, dollars, bitcoin."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.clock = StandingClock()
        self.exchange = self._open()
        self.account_ids: list[str] = []
        self.ended: dict[str, OrderView] = {}
        self.told: set[str] = set()

    def _open(self) -> PaperExchange:
        state = StateFile(Path(self._folder.name) / "state.sqlite", synchronous="OFF")
        return PaperExchange(ScriptedSource(), self.clock, state=state, seed=3)

    @override
    def teardown(self) -> None:
        """Nothing stays behind."""
        self.exchange.close()
        self._folder.cleanup()

    @initialize()
    def open_accounts(self) -> None:
        """Money, and a market that has traded."""
        for name, dollars, bitcoin in self.funds:
            balances = {"USD": d(dollars), "BTC": d(bitcoin)}
            key = self.exchange.create_account(name, name, "c2VjcmV0", balances=balances)
            self.account_ids.append(key)
        self.exchange.hear(snapshot(["69900.0 0.3"], ["70100.0 0.3"]))
        self.exchange.hear(traded("70000.0", "0.1"))

    def _try(self, act: Any) -> Any:
        type(self).steps += 1
        try:
            return act()
        except Refusal:
            return None

    def _place(self, who: int, **fields: Any) -> None:
        request = PlaceOrder(symbol=SYMBOL, **fields)
        order = self._try(lambda: self.exchange.add_order(self.account_ids[who], request))
        if order is not None:
            self.told.add(order.order_id)

    def _working(self, pick: int) -> OrderView | None:
        found = [each for key in self.account_ids for each in self.exchange.open_orders(key)]
        return found[pick % len(found)] if found else None

    # --- orders

    @rule(who=accounts, side=sides, kind=simple_types, size=sizes, price=prices, force=forces)
    def place_simple(
        self, who: int, side: Any, kind: Any, size: Decimal, price: Decimal, force: Any
    ) -> None:
        """Market and limit, in every force."""
        limit = price if kind == "limit" else None
        in_force = force if kind == "limit" else "gtc"
        self._place(
            who,
            side=side,
            order_type=kind,
            quantity=size,
            limit_price=limit,
            time_in_force=in_force,
        )

    @rule(who=accounts, side=sides, size=sizes, price=prices)
    def place_post_only(self, who: int, side: Any, size: Decimal, price: Decimal) -> None:
        """Makers."""
        self._place(
            who,
            side=side,
            order_type="limit",
            quantity=size,
            limit_price=price,
            is_post_only=True,
        )

    @rule(who=accounts, side=sides, slices=st.integers(2, 15), price=prices)
    def place_iceberg(self, who: int, side: Any, slices: int, price: Decimal) -> None:
        """A slice of two hundredths, so many times."""
        self._place(
            who,
            side=side,
            order_type="iceberg",
            quantity=d("0.02") * slices,
            display_quantity=d("0.02"),
            limit_price=price,
        )

    @rule(who=accounts, side=sides, kind=triggers, size=sizes, price=prices, limit=prices)
    def place_triggered(
        self, who: int, side: Any, kind: Any, size: Decimal, price: Decimal, limit: Decimal
    ) -> None:
        """Stops and targets."""
        self._place(
            who,
            side=side,
            order_type=kind,
            quantity=size,
            trigger_price=price,
            limit_price=limit if kind.endswith("limit") else None,
        )

    @rule(who=accounts, side=sides, size=sizes, away=distances, offset=st.none() | distances)
    def place_trailing(
        self,
        who: int,
        side: Any,
        size: Decimal,
        away: RelativePrice,
        offset: RelativePrice | None,
    ) -> None:
        """With a limit or without."""
        self._place(
            who,
            side=side,
            order_type="trailing-stop" if offset is None else "trailing-stop-limit",
            quantity=size,
            trigger_price=away,
            limit_price=offset,
        )

    @rule(who=accounts, side=sides, size=sizes, price=prices, lives=st.integers(1, 90))
    def place_until(self, who: int, side: Any, size: Decimal, price: Decimal, lives: int) -> None:
        """Expires by itself."""
        self._place(
            who,
            side=side,
            order_type="limit",
            quantity=size,
            limit_price=price,
            time_in_force="gtd",
            expire_at=self.clock.ns + lives * NS,
        )

    @rule(who=accounts, size=sizes, first=prices, second=prices)
    def place_batch(self, who: int, size: Decimal, first: Decimal, second: Decimal) -> None:
        """Both sides at once."""
        requests = [
            PlaceOrder(
                symbol=SYMBOL, side="buy", order_type="limit", quantity=size, limit_price=first
            ),
            PlaceOrder(
                symbol=SYMBOL, side="sell", order_type="limit", quantity=size, limit_price=second
            ),
        ]
        placed = self._try(lambda: self.exchange.add_batch(self.account_ids[who], requests))
        for order in placed or ():
            if isinstance(order, OrderView):
                self.told.add(order.order_id)

    @rule(pick=picks, size=st.none() | sizes, price=st.none() | prices, show=st.booleans())
    def amend(self, pick: int, size: Decimal | None, price: Decimal | None, *, show: bool) -> None:
        """Quantity, price, slice."""
        order = self._working(pick)
        if order is None:
            return
        request = AmendOrder(
            order_id=order.order_id,
            quantity=size,
            limit_price=price if order.order_type in ("limit", "iceberg") else None,
            trigger_price=None if order.order_type in ("limit", "iceberg") else price,
            display_quantity=d("0.03") if show else None,
        )
        self._try(lambda: self.exchange.amend_order(order.account_id, request))

    @rule(pick=picks, size=st.none() | sizes, price=st.none() | prices)
    def edit(self, pick: int, size: Decimal | None, price: Decimal | None) -> None:
        """Cancel and replace."""
        order = self._working(pick)
        if order is None:
            return
        request = EditOrder(
            symbol=SYMBOL, order_id=order.order_id, quantity=size, limit_price=price
        )
        placed = self._try(lambda: self.exchange.edit_order(order.account_id, request))
        if placed is not None:
            self.told.add(placed[1].order_id)

    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        """One order."""
        order = self._working(pick)
        if order is not None:
            self._try(lambda: self.exchange.cancel_order(order.account_id, order_id=order.order_id))

    @rule(who=accounts)
    def cancel_all(self, who: int) -> None:
        """All of an account's."""
        self._try(lambda: self.exchange.cancel_all(self.account_ids[who]))

    @rule(who=accounts, seconds=st.integers(0, 90))
    def set_dead_man(self, who: int, seconds: int) -> None:
        """He acts when time has passed."""
        self._try(lambda: self.exchange.cancel_after(self.account_ids[who], seconds))

    # --- the world

    @rule(price=prices, size=sizes, side=sides)
    def others_trade(self, price: Decimal, size: Decimal, side: Any) -> None:
        """A print."""
        self._try(
            lambda: self.exchange.hear(traded(f"{price:f}", f"{size:f}", side, at=self.clock.ns))
        )

    @rule(price=prices, size=sizes)
    def others_quote(self, price: Decimal, size: Decimal) -> None:
        """A new level on either side."""
        told = change([f"{price - 10:f} {size:f}"], [f"{price:f} {size:f}"], at=self.clock.ns)
        self._try(lambda: self.exchange.hear(told))

    @rule(seconds=st.integers(1, 60))
    def time_passes(self, seconds: int) -> None:
        """Orders expire, the dead man wakes."""
        self.clock.ns += seconds * NS
        self._try(lambda: self.exchange.open_orders(self.account_ids[0]))

    @rule(who=accounts, amount=st.integers(-500, 500))
    def move_money(self, who: int, amount: int) -> None:
        """In and out."""
        self._try(lambda: self.exchange.deposit(self.account_ids[who], "USD", d(str(amount))))

    @rule(who=accounts, size=sizes, fee=st.integers(0, 3), takes_s=st.sampled_from([0, 0, 45]))
    def bitcoin_arrives(self, who: int, size: Decimal, fee: int, takes_s: int) -> None:
        """At once or in a while, less what the deposit costs."""
        self._try(
            lambda: self.exchange.receive(
                self.account_ids[who], "BTC", size, fee=d("0.0001") * fee, takes_s=takes_s
            )
        )

    @rule(who=accounts, size=sizes)
    def withdraw_bitcoin(self, who: int, size: Decimal) -> None:
        """At the method's fee, in its own time."""
        asset = self.exchange.asset("BTC")
        self._try(
            lambda: self.exchange.withdraw(self.account_ids[who], asset, "paper-xbt", size, None)
        )

    @rule(who=accounts, pick=picks)
    def call_back(self, who: int, pick: int) -> None:
        """A withdrawal, whether or not it has left."""
        account_id = self.account_ids[who]
        known = self.exchange.movements(account_id, "withdrawal")
        if known:
            ref_id = known[pick % len(known)].ref_id
            self._try(lambda: self.exchange.cancel_withdrawal(account_id, ref_id))

    @rule(who=accounts, size=sizes, suffix=st.sampled_from([".F", ".B"]), is_back=st.booleans())
    def change_wallet(self, who: int, size: Decimal, suffix: str, *, is_back: bool) -> None:
        """Let bitcoin earn, or take it back."""
        source, target = (suffix, "") if is_back else ("", suffix)
        order = Transfer(asset="BTC", amount=size, source=source, target=target)
        self._try(lambda: self.exchange.transfer(self.account_ids[who], order))

    @rule(mode=st.sampled_from(["online", "online", "maintenance", "cancel_only", "post_only"]))
    def change_mode(self, mode: SystemMode) -> None:
        """A maintenance comes and goes."""
        self._try(lambda: self.exchange.set_mode(mode))

    @rule()
    def die_and_come_back(self) -> None:
        """No close, no save: what was told is there."""
        type(self).steps += 1
        before = {key: self._all_of(key) for key in self.account_ids}
        self.exchange = self._open()
        assert {key: self._all_of(key) for key in self.account_ids} == before

    def _all_of(self, account_id: str) -> Any:
        exchange = self.exchange
        orders = {
            order.order_id: order
            for order in (*exchange.open_orders(account_id), *exchange.closed_orders(account_id))
        }
        moves = (*exchange.movements(account_id, "deposit"),)
        moves += exchange.movements(account_id, "withdrawal")
        return orders, exchange.trades(account_id), exchange.ledger(account_id), moves

    # --- what is otherwise with margin

    def _may_owe(self, account: Account) -> bool:
        """Whether a balance may be below zero."""
        return account.has_margin

    def _borrowed(self, account: Account) -> tuple[Decimal, Decimal]:
        """Dollars and bitcoin that trades did not move."""
        del account
        return Decimal(0), Decimal(0)

    def _extra_fee(self, trade: TradeView) -> Decimal:
        """What a trade costs beside its rate."""
        del trade
        return Decimal(0)

    def _need(self, account: Account, order: OrderView) -> tuple[str, Decimal]:
        """What an open order must hold: base for a sell; cost and the taker's fee for a buy."""
        del account
        if order.side == "sell":
            return "BTC", order.quantity - order.filled
        price = order.limit_price or order.trigger_price or Decimal(0)
        cost = rounded(price * (order.quantity - order.filled), BTC_USD.cost_decimals)
        fee = rounded(cost * order.taker_pct / _HUNDRED, BTC_USD.cost_decimals)
        return "USD", rounded(cost + fee, BTC_USD.quote_decimals, ROUND_CEILING)

    # --- what always holds

    def _accounts(self) -> list[Account]:
        return [self.exchange._floor.account(key) for key in self.account_ids]

    @invariant()
    def ledgers_chain(self) -> None:
        """Each row's balance is the one before, plus its amount, less its fee; never below zero."""
        for account in self._accounts():
            running: dict[str, Decimal] = {}
            for row in account.ledger.values():
                running[row.asset] = running.get(row.asset, Decimal(0)) + row.amount - row.fee
                assert row.balance == running[row.asset]
                assert row.balance >= 0 or self._may_owe(account)
            assert running == account.balances

    @invariant()
    def money_in_is_money_out_and_fees(self) -> None:
        """Money sent and trades explain every balance, to the rounding of the ledger's rows."""
        for account in self._accounts():
            dollars = bitcoin = Decimal(0)
            for row in account.ledger.values():
                if row.type in ("deposit", "withdrawal"):
                    dollars += row.amount - row.fee if row.asset == "USD" else 0
                    bitcoin += row.amount - row.fee if row.asset == "BTC" else 0
            for trade in account.trades.values():
                sign = 1 if trade.side == "sell" else -1
                dollars += sign * trade.cost - trade.fee
                bitcoin -= sign * trade.quantity
            borrowed = self._borrowed(account)
            dollars, bitcoin = dollars + borrowed[0], bitcoin + borrowed[1]
            settled = sum(row.type == "settled" for row in account.ledger.values())
            allowed = d("0.0001") * (len(account.trades) + settled)
            assert abs(account.balance("USD") - dollars) <= allowed
            wallets = [account.balance(f"BTC{suffix}") for suffix in ("", ".F", ".B")]
            assert sum(wallets, Decimal(0)) == bitcoin

    @invariant()
    def movements_are_in_the_ledger(self) -> None:
        """What has been credited or taken is what deposits and withdrawals say of themselves."""
        for account in self._accounts():
            expected = Decimal(0)
            for one in account.movements.values():
                if one.asset != "BTC" or one.status == "Failure":
                    continue
                if one.kind == "withdrawal":
                    expected -= one.amount + one.fee
                elif one.status == "Success":
                    expected += one.amount - one.fee
            moved = Decimal(0)
            for row in account.ledger.values():
                if row.type in ("deposit", "withdrawal") and row.asset == "BTC":
                    moved += row.amount - row.fee
            assert moved == expected

    @invariant()
    def fills_add_up(self) -> None:
        """Quantity, cost and fee of an order are the sums over its executions."""
        for account in self._accounts():
            for order in (*account.open.values(), *account.closed.values()):
                trades = [account.trades[name] for name in order.trade_ids]
                if order.order_type == "settle-position":
                    assert not order.trade_ids
                    assert order.fee == 0
                    continue
                assert order.filled == sum((each.quantity for each in trades), Decimal(0))
                assert order.cost == sum((each.cost for each in trades), Decimal(0))
                assert order.fee == sum((each.fee for each in trades), Decimal(0))
                assert order.filled <= order.quantity
                assert order.status != "closed" or order.filled == order.quantity

    @invariant()
    def executions_cost_what_they_must(self) -> None:
        """Half-up, and the maker pays the maker's rate."""
        decimals = BTC_USD.cost_decimals
        for account in self._accounts():
            for trade in account.trades.values():
                order = account.open.get(trade.order_id) or account.closed[trade.order_id]
                rate = order.maker_pct if trade.is_maker else order.taker_pct
                assert trade.cost == rounded(trade.price * trade.quantity, decimals)
                expected = rounded(trade.cost * rate / _HUNDRED, decimals)
                assert trade.fee == expected + self._extra_fee(trade)

    @invariant()
    def holds_are_what_open_orders_need(self) -> None:
        """Computed anew, and rounded up."""
        for account in self._accounts():
            needs = {"USD": Decimal(0), "BTC": Decimal(0), "USD:margin": Decimal(0)}
            for order in account.open.values():
                name, amount = self._need(account, order)
                needs[name] += amount
            assert {name: account.held(name) for name in needs} == needs

    @invariant()
    def nothing_leaves_a_terminal_state(self) -> None:
        """And nothing that was acknowledged is ever lost."""
        known: set[str] = set()
        for account in self._accounts():
            known |= set(account.open) | set(account.closed)
            assert not set(account.open) & set(account.closed)
            for name, order in account.closed.items():
                assert self.ended.setdefault(name, order) == order
        assert self.told <= known
        assert set(self.ended) <= known

    @invariant()
    def the_book_is_a_queue(self) -> None:
        """Best price first, then the older place; each shows what its order shows."""
        book = self.exchange._floor.books[SYMBOL]
        orders = {name: one for account in self._accounts() for name, one in account.open.items()}
        for side, sign in (("buy", -1), ("sell", 1)):
            rows = book.resting[side]  # type: ignore[index]
            assert rows == sorted(rows, key=lambda one: (sign * one.price, one.queue_number))
            for row in rows:
                order = orders[row.order_id]
                assert row.queue_number == order.queue_number
                assert row.remaining == order.visible > 0
        resting = {row.order_id for each in book.resting.values() for row in each}
        waiting = set(book.waiting)
        assert resting | waiting == set(orders)
        assert not resting & waiting
        assert all(orders[name].order_type in TRIGGERED for name in waiting)
