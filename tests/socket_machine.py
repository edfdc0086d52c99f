"""The exchange machine with a client on the private socket, who must come to know what REST says.

The client merges rows as they come and knows nothing else; its reading of them is its own.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule
from typing_extensions import override

from exchange_machine import (
    ExchangeMachine,
    accounts,
    distances,
    picks,
    prices,
    sides,
    sizes,
)
from paper_books import Levels, Queues
from paper_desk import d
from zoe_tools.paper.engine.wallets import parted, wallet_of
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.rest.params import Params
from zoe_tools.paper.rest.private import balance_ex, open_orders
from zoe_tools.paper.values.order import AmendOrder, ConditionalClose, RelativePrice
from zoe_tools.paper.values.times import NS
from zoe_tools.paper.values.views import Principal
from zoe_tools.paper.ws.session import Session

Row = dict[str, Any]
Sides = dict[str, list[tuple[Decimal, Decimal]]]
maybe_prices = st.none() | prices
_ENDS = ("filled", "canceled", "expired")
_TRIGGERED = ("stop-loss", "take-profit", "trailing-stop")


class Follower:
    """A client that subscribed to executions and balances once, and has listened ever since."""

    def __init__(self, exchange: PaperExchange, who: Principal) -> None:
        self.orders: dict[str, Row] = {}
        self.wallets: dict[tuple[str, str], Decimal] = {}
        self.heard = 0
        self._numbers: dict[str, int] = {}
        self._told: list[str] = []
        self._session = Session(exchange, self._told.append, door="private")
        token = exchange.issue_token(who)
        for channel in ("executions", "balances"):
            params = {"channel": channel, "token": token}
            self._session.handle(json.dumps({"method": "subscribe", "params": params}))

    def catch_up(self) -> None:
        """Read what has come."""
        for text in self._told:
            frame = json.loads(text, parse_float=Decimal)
            if frame.get("channel") in ("executions", "balances"):
                self._read(frame)
        self.heard += len(self._told)
        self._told.clear()

    def _read(self, frame: Row) -> None:
        channel = frame["channel"]
        self._numbers[channel] = self._numbers.get(channel, 0) + 1
        assert frame["sequence"] == self._numbers[channel]
        for row in frame["data"]:
            if channel == "executions":
                self._merge(row)
            elif frame["type"] == "snapshot":
                for wallet in row["wallets"]:
                    self.wallets[row["asset"], wallet["id"]] = wallet["balance"]
            else:
                self.wallets[row["asset"], row["wallet_id"]] = row["balance"]

    def _merge(self, row: Row) -> None:
        order_id = row["order_id"]
        if row["order_status"] in _ENDS:
            self.orders.pop(order_id, None)
        else:
            self.orders[order_id] = self.orders.get(order_id, {}) | row


def as_rest(order: Row) -> Row:
    """What OpenOrders has to say of an order that the client knows by these rows."""
    zero = Decimal(0)
    is_triggered = order["order_type"].startswith(_TRIGGERED)
    triggers = order.get("triggers", {})
    limit = _price(order, "limit_price")
    price = _price(triggers, "price") if is_triggered else limit
    second = triggers.get("peak_price") or (order.get("limit_price") if is_triggered else None)
    words = ["stopped" if not order["order_type"].startswith("take") else "touched"]
    words = words if triggers.get("status") == "triggered" else []
    misc = ",".join([*words, *(["amended"] if order.get("amended") else [])])
    if _has_fired(order["order_type"], misc):
        limit = None
    return {
        "status": "pending" if order["order_status"] == "pending_new" else "open",
        "userref": order["order_userref"] or (None if "cl_ord_id" in order else 0),
        "cl_ord_id": order.get("cl_ord_id"),
        "refid": order.get("ord_ref_id"),
        "type": order["side"],
        "ordertype": order["order_type"],
        "price": price,
        "price2": limit if is_triggered and "limit_price" in order else "0",
        "vol": f"{order['order_qty']:f}",
        "vol_exec": f"{order.get('cum_qty', zero):.8f}",
        "cost": f"{order['cum_cost']:.5f}",
        "fee": f"{order['fee_usd_equiv']:.5f}",
        "stopprice": f"{triggers.get('actual_price', zero):.5f}",
        "limitprice": f"{second or zero:.5f}",
        "misc": misc,
        "oflags": ("post," if order.get("post_only") else "") + order["fee_ccy_pref"],
        "time_in_force": order["time_in_force"].lower(),
        "displayvol": f"{order['display_qty']:f}" if "display_qty" in order else None,
        "has_close": "contingent" in order,
        "on_margin": order.get("margin", False),
    }


def _price(row: Row, name: str) -> str | None:
    """As `descr` prints it: a distance has a sign."""
    if name not in row:
        return None
    match row.get(f"{name}_type", "static"):
        case "pct":
            return f"{row[name]:+.4f}%"
        case "quote":
            return f"{row[name]:+.1f}"
        case _:
            return f"{row[name]:f}"


def of_rest(row: Row) -> Row:
    """The same fields of a row of OpenOrders."""
    descr = row["descr"]
    plain = ("status", "userref", "vol", "vol_exec", "cost", "fee", "stopprice", "limitprice")
    more = ("misc", "oflags", "time_in_force", "refid")
    return {
        **{name: row[name] for name in (*plain, *more)},
        **{name: row.get(name) for name in ("cl_ord_id", "displayvol")},
        **{name: descr[name] for name in ("type", "ordertype", "price", "price2")},
        "has_close": descr["close"] != "",
        "on_margin": descr["leverage"] != "none",
    } | ({"price2": None} if _has_fired(descr["ordertype"], row["misc"]) else {})


def _has_fired(order_type: str, misc: str) -> bool:
    """Then REST goes on printing the distance that was asked for, and the socket the limit."""
    return order_type == "trailing-stop-limit" and "stopped" in misc


class MarketFollower:
    """A client of both books, who checks every checksum, and of the ticker and the candles."""

    def __init__(self, exchange: PaperExchange, who: Principal) -> None:
        self.heard = 0
        self._told: list[str] = []
        self._levels = Levels()
        self._queues = Queues()
        self.ticker: Row = {}
        self.candle: Row = {}
        self._sessions = [
            Session(exchange, self._told.append, door="public"),
            Session(exchange, self._told.append, door="level3"),
        ]
        self._ask(0, channel="book", depth=10)
        self._ask(0, channel="ticker", event_trigger="bbo")
        self._ask(0, channel="ohlc", interval=1)
        self._ask(1, channel="level3", depth=10, token=exchange.issue_token(who))

    def _ask(self, which: int, **params: Any) -> None:
        request = {"method": "subscribe", "params": {"symbol": ["BTC/USD"], **params}}
        self._sessions[which].handle(json.dumps(request))

    def catch_up(self) -> None:
        """Read what has come; each frame's checksum is the one that the client arrives at."""
        for text in self._told:
            frame = json.loads(text, parse_float=str)
            if frame.get("channel") == "book":
                (row,) = frame["data"]
                is_whole = frame["type"] == "snapshot"
                assert self._levels.apply(row, is_whole=is_whole) == row["checksum"]
            elif frame.get("channel") == "level3":
                assert self._queues.apply(frame) == frame["data"][0]["checksum"]
            elif frame.get("channel") == "ticker":
                (self.ticker,) = frame["data"]
            elif frame.get("channel") == "ohlc":
                traded_in = [row for row in frame["data"] if row["trades"]]
                self.candle = traded_in[-1]
        self.heard += len(self._told)
        self._told.clear()

    def levels(self) -> Sides:
        """Price and quantity, best first, as the book channel has it."""
        return _best(self._levels.sides)

    def queues(self) -> Sides:
        """The same, as the orders of each level add up to."""
        sums = {
            side: {price: str(sum(map(Decimal, orders.values()))) for price, orders in rows.items()}
            for side, rows in self._queues.sides.items()
        }
        return _best(sums)


def _best(sides: dict[str, dict[str, str]]) -> Sides:
    return {
        name: [(Decimal(price), Decimal(quantity)) for price, quantity in side.items()]
        for name, side in sides.items()
    }


class SocketMachine(ExchangeMachine):
    """Everything the machine does, heard over the socket."""

    frames: ClassVar[int] = 0
    """What the clients heard over all runs."""

    def __init__(self) -> None:
        super().__init__()
        self._followers: dict[str, Follower] = {}
        self._books: MarketFollower | None = None

    @override
    def teardown(self) -> None:
        """Count what was heard."""
        type(self).frames += sum(one.heard for one in self._followers.values())
        super().teardown()

    @rule()
    @override
    def die_and_come_back(self) -> None:
        """The clients connect anew."""
        super().die_and_come_back()
        self._followers.clear()
        self._books = None

    @rule(who=accounts, side=sides, size=sizes, price=prices, away=st.integers(1, 300))
    def place_closing(self, who: int, side: Any, size: Decimal, price: Decimal, away: int) -> None:
        """Each fill opens an order on the other side."""
        self._place(
            who,
            side=side,
            order_type="limit",
            quantity=size,
            limit_price=price,
            userref=7,
            close=ConditionalClose(
                order_type="trailing-stop", trigger_price=RelativePrice(value=d(str(away)))
            ),
        )

    @rule(who=accounts, side=sides, size=sizes, price=prices, delay=st.integers(1, 60))
    def place_for_later(
        self, who: int, side: Any, size: Decimal, price: Decimal, delay: int
    ) -> None:
        """Pending until its time comes."""
        self._place(
            who,
            side=side,
            order_type="limit",
            quantity=size,
            limit_price=price,
            starts_at=self.clock.ns + delay * NS,
        )

    @rule(who=accounts, size=sizes, price=prices, name=picks)
    def place_named(self, who: int, size: Decimal, price: Decimal, name: int) -> None:
        """Under a name of the client's own."""
        self._place(
            who,
            side="buy",
            order_type="limit",
            quantity=size,
            limit_price=price,
            cl_ord_id=f"name-{name}",
        )

    @rule(pick=picks, away=distances, offset=distances)
    def amend_trailing(self, pick: int, away: RelativePrice, offset: RelativePrice) -> None:
        """New distances, in whichever unit."""
        order = self._working(pick)
        if order is None or order.trailing is None:
            return
        limit = offset if order.order_type == "trailing-stop-limit" else None
        request = AmendOrder(order_id=order.order_id, trigger_price=away, limit_price=limit)
        self._try(lambda: self.exchange.amend_order(order.account_id, request))

    @rule(who=accounts, amount=st.integers(1, 5_000))
    def buy_for_so_much(self, who: int, amount: int) -> None:
        """Sized in quote."""
        self._place(
            who,
            side="buy",
            order_type="market",
            quantity=Decimal(0),
            quote_quantity=d(str(amount)),
        )

    @rule(
        who=accounts, side=sides, size=sizes, price=st.none() | prices, leverage=st.integers(2, 5)
    )
    def place_on_margin(
        self, who: int, side: Any, size: Decimal, price: Decimal | None, leverage: int
    ) -> None:
        """Market or limit; what was opened may be liquidated one day."""
        self.exchange.allow_margin(self.account_ids[who], has_margin=True)
        self._place(
            who,
            side=side,
            order_type="market" if price is None else "limit",
            quantity=size,
            limit_price=price,
            leverage=leverage,
        )

    @rule(who=accounts, side=sides, size=sizes, price=prices)
    def reduce_later(self, who: int, side: Any, size: Decimal, price: Decimal) -> None:
        """A stop that is cut to the position when it fires."""
        self._place(
            who,
            side=side,
            order_type="stop-loss",
            quantity=size,
            trigger_price=price,
            leverage=2,
            is_reduce_only=True,
        )

    @rule(who=accounts, side=sides)
    def settle(self, who: int, side: Any) -> None:
        """All there is."""
        self._place(who, side=side, order_type="settle-position", quantity=Decimal(0), leverage=2)

    @invariant()
    def the_client_knows_what_rest_says(self) -> None:
        """Open orders field by field, and every wallet's balance."""
        for who in self.exchange.principals:
            follower = self._followers.get(who.account_id)
            if follower is None:
                follower = self._followers[who.account_id] = Follower(self.exchange, who)
            follower.catch_up()
            told: Any = open_orders(self.exchange, who, Params({}))["open"]
            follower.catch_up()
            known = {name: as_rest(row) for name, row in follower.orders.items()}
            assert known == {name: of_rest(row) for name, row in told.items()}
            assert follower.wallets == _wallets(self.exchange, who)

    @invariant()
    def the_client_knows_the_market(self) -> None:
        """Level by level and order by order, every checksum right; the best; the last candle."""
        if not self.exchange.principals:
            return
        if self._books is None:
            self._books = MarketFollower(self.exchange, self.exchange.principals[0])
        self._books.catch_up()
        view = self.exchange.book("BTC/USD", 10)
        shown = {"bids": list(view.bids), "asks": list(view.asks)}
        assert self._books.levels() == shown
        assert self._books.queues() == shown
        told = self.exchange.ticker("BTC/USD")
        best = (told.bid, told.bid_quantity, told.ask, told.ask_quantity)
        names = ("bid", "bid_qty", "ask", "ask_qty")
        assert tuple(d(self._books.ticker[name]) for name in names) == best
        bar = [one for one in self.exchange.bars("BTC/USD", 1) if one.count][-1]
        numbers = (bar.open, bar.high, bar.low, bar.close, bar.volume, Decimal(bar.count))
        fields = ("open", "high", "low", "close", "volume", "trades")
        assert tuple(d(str(self._books.candle[name])) for name in fields) == numbers

    # what the machine watches by itself is proved elsewhere, and not of these orders
    @override
    def money_in_is_money_out_and_fees(self) -> None:
        """Not here."""

    @override
    def executions_cost_what_they_must(self) -> None:
        """Not here."""

    @override
    def ledgers_chain(self) -> None:
        """Not here."""

    @override
    def fills_add_up(self) -> None:
        """Not here."""

    @override
    def holds_are_what_open_orders_need(self) -> None:
        """Not here."""

    @override
    def the_book_is_a_queue(self) -> None:
        """Not here."""


def _wallets(exchange: PaperExchange, who: Principal) -> dict[tuple[str, str], Decimal]:
    """BalanceEx by asset and wallet."""
    told: Any = balance_ex(exchange, who, Params({}))
    return {
        (parted(exchange.asset(name).name)[0], wallet_of(exchange.asset(name).name).wallet_id): d(
            row["balance"]
        )
        for name, row in told.items()
    }
