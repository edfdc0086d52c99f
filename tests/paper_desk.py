"""A desk at the paper exchange: one BTC/USD engine, an account with money, short words to trade.

Shared by the tests of the paper exchange's engine, state and REST dialect.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from msgspec.structs import replace

from zoe_tools.paper.engine.account import Account
from zoe_tools.paper.engine.engine import Engine
from zoe_tools.paper.engine.floor import Floor
from zoe_tools.paper.exchange.exchange import ExchangeOptions, PaperExchange
from zoe_tools.paper.exchange.keys import sign
from zoe_tools.paper.exchange.state import StateFile
from zoe_tools.paper.markets.pair_specs import spec_named
from zoe_tools.paper.rest.dialect import RestDialect, RestRequest
from zoe_tools.paper.values.events import EngineEvent, LedgerEvent, OrderEvent
from zoe_tools.paper.values.ledger import LedgerRow, TradeView
from zoe_tools.paper.values.margin import MarginRules
from zoe_tools.paper.values.market import (
    BookChange,
    BookSnapshot,
    Levels,
    MarketEvent,
    PairSpec,
    Print,
    TakerSide,
)
from zoe_tools.paper.values.order import AmendOrder, OrderView, PlaceOrder, Side
from zoe_tools.paper.values.times import NS, moment_of
from zoe_tools.paper.values.views import PERMISSIONS
from zoe_tools.ports import Clock
from zoe_tools.runtime.virtual_loop import run_virtual

BTC_USD = spec_named("BTC/USD")
START = 1_767_600_000 * NS


def d(text: str) -> Decimal:
    """A decimal, spelled short."""
    return Decimal(text)


def levels(*rows: str) -> Levels:
    """`levels("70000.1 0.30000000", ...)`."""
    return tuple((d(price), d(size)) for price, size in (row.split() for row in rows))


def snapshot(bids: Sequence[str], asks: Sequence[str], at: int = START) -> BookSnapshot:
    """The source's whole book."""
    return BookSnapshot(at=at, symbol="BTC/USD", bids=levels(*bids), asks=levels(*asks))


def change(bids: Sequence[str] = (), asks: Sequence[str] = (), at: int = START) -> BookChange:
    """Some levels of the source."""
    return BookChange(at=at, symbol="BTC/USD", bids=levels(*bids), asks=levels(*asks))


def traded(price: str, quantity: str, side: TakerSide = "sell", at: int = START) -> Print:
    """A trade among others."""
    return Print(at=at, symbol="BTC/USD", side=side, price=d(price), quantity=d(quantity))


def ask_for(side: Side, quantity: str, price: str | None = None, **more: Any) -> PlaceOrder:
    """A limit order with a price, a market order without; `more` overrides any field."""
    request = PlaceOrder(
        symbol="BTC/USD",
        side=side,
        order_type="market" if price is None else "limit",
        quantity=d(quantity),
        limit_price=None if price is None else d(price),
    )
    return replace(request, **more)


def stop(side: Side, quantity: str, trigger: str, **more: Any) -> PlaceOrder:
    """A stop-loss; `order_type="take-profit"` makes it one."""
    fields: dict[str, Any] = {"order_type": "stop-loss", "trigger_price": d(trigger), **more}
    return ask_for(side, quantity, **fields)


class Desk:
    """An engine with one account, and everything it has said."""

    def __init__(
        self,
        *,
        spec: PairSpec = BTC_USD,
        usd: str = "1000000",
        btc: str = "10",
        holds_before_trigger: bool = True,
        protection_pct: Decimal | None = Decimal(10),
        has_margin: bool = False,
        margin: MarginRules | None = None,
    ) -> None:
        self.floor = Floor((spec,), seed=7)
        self.engine = Engine(
            self.floor,
            holds_before_trigger=holds_before_trigger,
            protection_pct=protection_pct,
            margin=margin,
        )
        self.now = START
        self.events: list[EngineEvent] = []
        self.account_id = self.open_account("desk", usd=usd, btc=btc, has_margin=has_margin)

    def open_account(
        self, name: str, *, usd: str = "0", btc: str = "0", has_margin: bool = False
    ) -> str:
        """One more account."""
        account_id, events = self.engine.create_account(
            name, {"USD": d(usd), "BTC": d(btc)}, self.now, has_margin=has_margin
        )
        self.events += events
        return account_id

    def hear(self, *market: MarketEvent) -> list[EngineEvent]:
        """Something happens at the source, now."""
        said = [event for each in market for event in self.engine.market(each)]
        self.events += said
        return said

    def place(self, request: PlaceOrder, account_id: str | None = None) -> OrderView:
        """Place an order."""
        order, said = self.engine.place(account_id or self.account_id, request, self.now)
        self.events += said
        return order

    def amend(self, order: OrderView, **changes: Any) -> OrderView:
        """Amend an order."""
        request = AmendOrder(order_id=order.order_id, **changes)
        _, after, said = self.engine.amend(order.account_id, request, self.now)
        self.events += said
        return after

    def cancel(self, order: OrderView) -> None:
        """Cancel an order."""
        _, said = self.engine.cancel(order.account_id, [order.order_id], self.now)
        self.events += said

    def order(self, order: OrderView) -> OrderView:
        """The order as it is now."""
        account = self.account(order.account_id)
        return account.open.get(order.order_id) or account.closed[order.order_id]

    def account(self, account_id: str | None = None) -> Account:
        """The desk's account, or another."""
        return self.floor.accounts[account_id or self.account_id]

    def kinds(self) -> list[str]:
        """The order events so far."""
        return [event.kind for event in self.events if isinstance(event, OrderEvent)]

    def trades(self) -> list[TradeView]:
        """All executions so far, of all accounts."""
        found = [event.trade for event in self.events if isinstance(event, OrderEvent)]
        return [trade for trade in found if trade is not None]

    def rows(self) -> list[LedgerRow]:
        """All ledger rows so far, of all accounts."""
        return [event.row for event in self.events if isinstance(event, LedgerEvent)]


@dataclass(frozen=True)
class ScriptedSource:
    """A market source that plays a list."""

    script: tuple[MarketEvent, ...] = ()
    pairs: tuple[PairSpec, ...] = (BTC_USD,)
    starts_at: int = START
    granularity_s: float = 1.0

    def events(self) -> Iterator[MarketEvent]:
        """The list."""
        return iter(self.script)


class StandingClock:
    """A clock that a test moves by hand; sleeping moves it too."""

    def __init__(self, ns: int = START) -> None:
        self.ns = ns

    def now(self) -> datetime:
        """Aware UTC."""
        return moment_of(self.ns)

    async def sleep(self, seconds: float) -> None:
        """Jump."""
        self.ns += round(seconds * NS)


API_KEY = "desk-key"
API_SECRET = base64.b64encode(b"a secret of the desk").decode()


class RestDesk:
    """An exchange with one account, called by its REST dialect with real signatures.

    Its clock stands, unless another is given.
    """

    def __init__(
        self,
        *script: MarketEvent,
        clock: Clock | None = None,
        state: StateFile | None = None,
        permissions: frozenset[str] = frozenset(PERMISSIONS),
        options: ExchangeOptions | None = None,
        pairs: tuple[PairSpec, ...] = (BTC_USD,),
    ) -> None:
        self.clock = StandingClock()
        self.exchange = PaperExchange(
            ScriptedSource(script, pairs), clock or self.clock, state=state, seed=7, options=options
        )
        self.account_id = self.exchange.create_account(
            "desk", API_KEY, API_SECRET, permissions, {"USD": d("100000"), "BTC": d("2")}
        )
        self.dialect = RestDialect(self.exchange)
        self.nonce = 0

    def raw(
        self, method: str, path: str, *, query: str = "", body: str = "", **headers: str
    ) -> Any:
        """Any request; the parsed answer. Header names with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = RestRequest(
            method=method, path=path, query=query, headers=named, body=body.encode()
        )
        return json.loads(self.dialect.answer(request), parse_float=Decimal)

    def public(self, name: str, query: str = "") -> Any:
        """The result of a public call that succeeds."""
        answer = self.raw("GET", f"/0/public/{name}", query=query)
        assert answer["error"] == []
        return answer["result"]

    def answer(self, name: str, **fields: str) -> Any:
        """The whole answer of a signed private call."""
        self.nonce += 1
        body = urlencode({"nonce": str(self.nonce), **fields})
        return self.signed(f"/0/private/{name}", body, str(self.nonce))

    def signed(self, path: str, body: str, nonce: str, **headers: str) -> Any:
        """A body signed over this path and nonce."""
        signature = sign(secret=API_SECRET, path=path, body=body.encode(), nonce=nonce)
        told = {"api_key": API_KEY, "api_sign": signature, **headers}
        return self.raw("POST", path, body=body, **told)

    def private(self, name: str, **fields: str) -> Any:
        """The result of a private call that succeeds."""
        answer = self.answer(name, **fields)
        assert answer["error"] == []
        return answer["result"]

    def refusal(self, name: str, **fields: str) -> str:
        """The one error of a private call that is refused."""
        answer = self.answer(name, **fields)
        assert "result" not in answer
        (error,) = answer["error"]
        return str(error)

    def play(self) -> None:
        """Run the script to its end."""
        run_virtual(self.exchange.run())
