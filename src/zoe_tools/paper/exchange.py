"""The paper exchange as its dialects see it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from zoe_tools.domain.cadence import Cadence
from zoe_tools.paper.events import EngineEvent, PrintEvent, SystemMode
from zoe_tools.paper.ledger import LedgerRow, TradeView
from zoe_tools.paper.market import PairSpec
from zoe_tools.paper.order import AmendOrder, OrderView, PlaceOrder
from zoe_tools.paper.views import (
    AssetSpec,
    BalanceView,
    BarView,
    BookView,
    Principal,
    TickerView,
)
from zoe_tools.ports import Clock, FrameDuplex

Listener = Callable[[EngineEvent], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeOptions:
    """Switches of one exchange.

    `holds_before_trigger`: triggered orders hold funds while they wait. A market order stops
    `protection_pct` percent away from the best price it met (None: never). `duplex_pair` makes the
    two ends for `connect`.
    """

    holds_before_trigger: bool = True
    protection_pct: Decimal | None = Decimal(10)
    wait_for_subscriber: bool = False
    duplex_pair: Callable[[], tuple[FrameDuplex, FrameDuplex]] | None = None


class PaperExchange(Protocol):
    """`PaperExchange(source: MarketSource | None, clock, *, state, seed, cadence, options)`."""

    clock: Clock
    cadence: Cadence
    options: ExchangeOptions
    finished: asyncio.Event

    def now(self) -> int:
        """The exchange's time in ns; never falls."""
        ...

    async def run(self) -> None:
        """Pump the source's events until it is exhausted."""
        ...

    async def close(self) -> None:
        """Close all in-process sockets, save and close the state."""
        ...

    async def connect(self, url: str) -> FrameDuplex:
        """Open an in-process socket; a path ending in /private is the private one."""
        ...

    def add_listener(self, listener: Listener) -> Callable[[], None]:
        """Hear every engine event after it was committed; returns how to stop. Never awaits."""
        ...

    def subscribed(self) -> None:
        """A public subscription is up: a pump that waits for one may start."""
        ...

    def create_account(
        self,
        name: str,
        api_key: str,
        api_secret: str,
        permissions: frozenset[str],
        balances: Mapping[str, Decimal],
    ) -> str:
        """A new account with deposits by v2 asset name; returns its id."""
        ...

    def deposit(self, account_id: str, asset: str, amount: Decimal) -> LedgerRow: ...
    def issue_token(self, principal: Principal) -> str: ...
    def account_by_token(self, token: str) -> Principal:
        """Who holds this token (900 s until first use; used ones stay good).

        Raises:
            Refusal: `ESession:Invalid session`.
        """
        ...

    @property
    def mode(self) -> SystemMode: ...
    @property
    def pairs(self) -> tuple[PairSpec, ...]: ...
    @property
    def assets(self) -> tuple[AssetSpec, ...]: ...
    def asset(self, name: str) -> AssetSpec: ...
    def pair(self, name: str) -> PairSpec:
        """By v2 symbol, pair id, altname or wsname; Refusal `EQuery:Unknown asset pair`."""
        ...

    def book(self, symbol: str, depth: int) -> BookView: ...
    def ticker(self, symbol: str) -> TickerView: ...
    def bars(self, symbol: str, interval_minutes: int) -> tuple[BarView, ...]:
        """Up to 721, oldest first, the last is the running one."""
        ...

    def prints(self, symbol: str, limit: int = 1000) -> tuple[PrintEvent, ...]:
        """The newest public trades, oldest first."""
        ...

    def add_order(self, account_id: str, request: PlaceOrder) -> OrderView:
        """Raises Refusal. `is_validate`: a view with order_id "" and nothing changed."""
        ...

    def amend_order(self, account_id: str, request: AmendOrder) -> tuple[str, OrderView]:
        """Returns the amend id and the order after it."""
        ...

    def cancel_order(
        self,
        account_id: str,
        *,
        order_id: str | None = None,
        cl_ord_id: str | None = None,
        userref: int | None = None,
    ) -> tuple[OrderView, ...]:
        """Cancel what the one id names; Refusal `EOrder:Invalid order` when nothing is open."""
        ...

    def cancel_all(self, account_id: str) -> int: ...
    def open_orders(self, account_id: str) -> tuple[OrderView, ...]: ...
    def closed_orders(self, account_id: str) -> tuple[OrderView, ...]: ...
    def order(self, account_id: str, order_id: str) -> OrderView | None: ...
    def trades(self, account_id: str) -> tuple[TradeView, ...]: ...
    def ledger(self, account_id: str) -> tuple[LedgerRow, ...]: ...
    def balances(self, account_id: str) -> tuple[BalanceView, ...]: ...
