"""Everything the engine changes: accounts, books, tapes, ids, mode. It decides nothing."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from decimal import Decimal

from zoe_tools.paper.engine.account import Account
from zoe_tools.paper.engine.book import PairBook
from zoe_tools.paper.engine.ids import IdMint
from zoe_tools.paper.engine.rate_counters import EngineCounters
from zoe_tools.paper.engine.tape import Tape
from zoe_tools.paper.values.events import SystemMode
from zoe_tools.paper.values.margin import MarginRules
from zoe_tools.paper.values.market import PairSpec
from zoe_tools.paper.values.order import OrderView
from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.values.views import AssetSpec


class Floor:
    """The exchange's memory between two steps."""

    def __init__(self, pairs: Iterable[PairSpec], seed: int) -> None:
        self.pairs: dict[str, PairSpec] = {spec.symbol: spec for spec in pairs}
        self.assets: dict[str, AssetSpec] = _assets_of(self.pairs.values())
        self.books: dict[str, PairBook] = {
            symbol: PairBook(spec) for symbol, spec in self.pairs.items()
        }
        self.tapes: dict[str, Tape] = {symbol: Tape() for symbol in self.pairs}
        self.accounts: dict[str, Account] = {}
        self.mint = IdMint(seed)
        self.mode: SystemMode = "online"
        self.now = 0
        self.market_events = 0
        self.dead_men: dict[str, int] = {}
        self.rates = EngineCounters()
        self.planned_modes: list[tuple[int, SystemMode]] = []
        self.margin = MarginRules()
        self.is_stranded = False
        """Whether somebody is to be liquidated, and nobody was on the other side."""
        self.exposed: set[str] = set()
        """Accounts that have, or lately had, positions or orders on margin."""
        self._expiries: list[tuple[int, str, str]] = []

    def account(self, account_id: str) -> Account:
        """The account; asking for one that does not exist is a bug."""
        return self.accounts[account_id]

    def open_account(self, account_id: str, name: str) -> Account:
        """A new, empty account."""
        account = self.accounts[account_id] = Account(account_id, name)
        return account

    def put_back(
        self, order: OrderView, reserve: tuple[str, Decimal] | None, ahead: Decimal
    ) -> None:
        """An open order as it was, with what it held and who was ahead of it."""
        account = self.account(order.account_id)
        account.open[order.order_id] = order
        if order.leverage is not None:
            self.exposed.add(order.account_id)
        if reserve is not None:
            account.reserves[order.order_id] = reserve
        if order.expire_at is not None:
            self.watch_expiry(order.expire_at, order.account_id, order.order_id)
        if order.status == "pending" and order.starts_at is not None:
            self.watch_expiry(order.starts_at, order.account_id, order.order_id)
            return
        book = self.books.get(order.symbol)
        if book is None:
            return
        if order.waits_for_trigger:
            book.waiting[order.order_id] = order
        elif order.limit_price is not None:
            book.rest(order, order.limit_price, ahead)

    def book(self, symbol: str) -> PairBook:
        """The pair's book.

        Raises:
            Refusal: `EQuery:Unknown asset pair`.
        """
        book = self.books.get(symbol)
        if book is None:
            raise Refusal("EQuery:Unknown asset pair")
        return book

    def watch_expiry(self, at: int, account_id: str, order_id: str) -> None:
        """Remember that an order expires."""
        heapq.heappush(self._expiries, (at, account_id, order_id))

    def arm_dead_man(self, account_id: str, at: int | None) -> None:
        """Cancel the account's orders at this time (None: never); the last word holds."""
        self.dead_men.pop(account_id, None)
        if at is not None:
            self.dead_men[account_id] = at
            self.watch_expiry(at, account_id, "")

    def next_expiry(self) -> int | None:
        """When the next order may expire (it may be gone by then), or the mode changes."""
        due = self._expiries[0][0] if self._expiries else None
        if self.planned_modes:
            mode_at = self.planned_modes[0][0]
            due = mode_at if due is None else min(due, mode_at)
        return due

    def plan_modes(self, planned: Iterable[tuple[int, SystemMode]]) -> None:
        """The modes to come, each with its time in ns; whatever was planned before is not."""
        self.planned_modes = sorted(planned, key=lambda one: one[0])

    def take_modes(self, now: int) -> list[SystemMode]:
        """The planned modes that are due, in order."""
        due = [mode for at, mode in self.planned_modes if at <= now]
        del self.planned_modes[: len(due)]
        return due

    def take_expired(self, now: int) -> list[tuple[str, str]]:
        """(account, order) of what is due, in order."""
        due: list[tuple[str, str]] = []
        while self._expiries and self._expiries[0][0] <= now:
            _, account_id, order_id = heapq.heappop(self._expiries)
            due.append((account_id, order_id))
        return due


def _assets_of(pairs: Iterable[PairSpec]) -> dict[str, AssetSpec]:
    assets: dict[str, AssetSpec] = {}
    for spec in pairs:
        base = AssetSpec(
            name=spec.base,
            asset_id=spec.base_id,
            altname=spec.base_altname,
            decimals=spec.base_decimals,
            collateral=spec.base_collateral,
        )
        quote = AssetSpec(
            name=spec.quote,
            asset_id=spec.quote_id,
            altname=spec.quote_altname,
            decimals=spec.quote_decimals,
            collateral=spec.quote_collateral,
        )
        for asset in (base, quote):
            assets.setdefault(asset.name, asset)
    return assets
