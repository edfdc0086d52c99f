"""What the exchange answers when asked: markets and accounts, read only."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import islice, takewhile

from zoe_tools.paper.engine.floor import Floor
from zoe_tools.paper.engine.rates import dollar_rate
from zoe_tools.paper.engine.tape import INTERVALS
from zoe_tools.paper.engine.wallets import EARN, earning, parted
from zoe_tools.paper.exchange.history import Archive
from zoe_tools.paper.values.events import PrintEvent, SystemMode
from zoe_tools.paper.values.ledger import LedgerRow, TradeView
from zoe_tools.paper.values.market import PairSpec
from zoe_tools.paper.values.order import ZERO, OrderView, Side
from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.values.rounding import half_up
from zoe_tools.paper.values.views import (
    AssetSpec,
    BalanceView,
    BarView,
    BookView,
    QueuedOrder,
    TickerView,
)


class Queries(ABC):
    """The reading half of the exchange.

    Histories can be longer than memory: what is returned of them is read from the state file while
    it is walked over. With `since` (ns, exclusive) nothing older needs to be read.
    """

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._names = _names_of(floor.pairs.values())

    @abstractmethod
    def now(self) -> int:
        """The exchange's time in ns; never falls."""

    def told_now(self) -> int:
        """The time as the exchange tells it: its own, unless a fault skews its clock."""
        return self.now()

    @property
    @abstractmethod
    def _archive(self) -> Archive | None:
        """The histories in the state file, all of them on disk; None without one."""

    @abstractmethod
    def _catch_up(self) -> int:
        """End what has expired by now; returns now."""

    # markets
    @property
    def mode(self) -> SystemMode:
        """What the exchange accepts now."""
        self._catch_up()
        return self._floor.mode

    @property
    def pairs(self) -> tuple[PairSpec, ...]:
        """All pairs."""
        return tuple(self._floor.pairs.values())

    @property
    def assets(self) -> tuple[AssetSpec, ...]:
        """All assets."""
        return tuple(self._floor.assets.values())

    def asset(self, name: str) -> AssetSpec:
        """By v2 name, asset id or altname; with a suffix, as it lies in an earn product.

        Raises:
            Refusal: `EQuery:Unknown asset`.
        """
        for spec in self._floor.assets.values():
            if name in (spec.name, spec.asset_id, spec.altname):
                return spec
        base, suffix = parted(name)
        if suffix:
            return earning(self.asset(base), suffix)
        raise Refusal("EQuery:Unknown asset")

    def pair(self, name: str) -> PairSpec:
        """By v2 symbol, pair id, altname or wsname.

        Raises:
            Refusal: `EQuery:Unknown asset pair`.
        """
        spec = self._names.get(name)
        if spec is None:
            raise Refusal("EQuery:Unknown asset pair")
        return spec

    def book(self, symbol: str, depth: int) -> BookView:
        """The displayed book, `depth` levels a side."""
        book = self._floor.book(symbol)
        return BookView(
            symbol=symbol,
            at=book.changed_at,
            bids=book.displayed("buy", depth),
            asks=book.displayed("sell", depth),
        )

    def ticker(self, symbol: str) -> TickerView:
        """Top of book and statistics up to now."""
        book = self._floor.book(symbol)
        tape = self._floor.tapes[symbol]
        now = self.now()
        tape.forget(now)
        day, today = tape.day, tape.today
        bid = book.best_displayed("buy") or (ZERO, ZERO)
        ask = book.best_displayed("sell") or (ZERO, ZERO)
        last = book.last if tape.prints else None
        return TickerView(
            symbol=symbol,
            at=now,
            bid=bid[0],
            bid_quantity=bid[1],
            ask=ask[0],
            ask_quantity=ask[1],
            last=last,
            last_quantity=tape.prints[-1].quantity if tape.prints else ZERO,
            opened=day.opened or last or ZERO,
            volume=day.volume,
            vwap=day.vwap,
            trades=day.count,
            low=day.low,
            high=day.high,
            open_today=today.opened or last,
            volume_today=today.volume,
            vwap_today=today.vwap,
            trades_today=today.count,
            low_today=today.low,
            high_today=today.high,
        )

    def trades_version(self, symbol: str) -> int:
        """Another one whenever the statistics of the last 24 h are; for who shows them often."""
        tape = self._floor.tapes[symbol]
        tape.forget(self.now())
        return tape.day.version

    def bars(self, symbol: str, interval_minutes: int) -> tuple[BarView, ...]:
        """Up to 721 candles, oldest first, the last the running one; none before the first print.

        Raises:
            Refusal: an interval that Kraken does not have, or an unknown pair.
        """
        self._floor.book(symbol)
        if interval_minutes not in INTERVALS:
            raise Refusal("EGeneral:Invalid arguments:interval")
        return self._floor.tapes[symbol].bars(interval_minutes, self.now())

    def dollar_rate(self, symbol: str) -> Decimal:
        """What one unit of the pair's quote is worth in dollars; zero if nothing tells."""
        return dollar_rate(self._floor, self._floor.pairs[symbol])

    def best(
        self, symbol: str
    ) -> tuple[tuple[Decimal, Decimal] | None, tuple[Decimal, Decimal] | None]:
        """The first displayed level of the bids and of the asks."""
        book = self._floor.book(symbol)
        return book.best_displayed("buy"), book.best_displayed("sell")

    def latest_bar(self, symbol: str, interval_minutes: int) -> BarView | None:
        """The candle of the last print; None before the first."""
        return self._floor.tapes[symbol].latest(interval_minutes)

    def shown(self, symbol: str, side: Side, price: Decimal) -> Decimal:
        """The displayed quantity of one level, zero where there is none."""
        return self._floor.book(symbol).shown_at(side, price)

    def queue(self, symbol: str, side: Side, price: Decimal) -> tuple[QueuedOrder, ...]:
        """The accounts' orders that rest at one price, first come first."""
        return tuple(
            QueuedOrder(
                order_id=one.order_id,
                quantity=one.remaining,
                ahead=one.ahead,
                queue_number=one.queue_number,
            )
            for one in self._floor.book(symbol).resting[side]
            if one.price == price
        )

    def prints(self, symbol: str, limit: int = 1000) -> tuple[PrintEvent, ...]:
        """The newest public trades (at most `limit`), oldest first."""
        self._floor.book(symbol)
        return tuple(islice(reversed(self._floor.tapes[symbol].prints), limit))[::-1]

    def prints_after(self, symbol: str, at: int) -> tuple[PrintEvent, ...]:
        """All public trades that are kept and newer than `at`, oldest first."""
        self._floor.book(symbol)
        newest_first = reversed(self._floor.tapes[symbol].prints)
        return tuple(takewhile(lambda one: one.at > at, newest_first))[::-1]

    # accounts
    def open_orders(self, account_id: str) -> tuple[OrderView, ...]:
        """Open orders, oldest first."""
        self._catch_up()
        return tuple(self._floor.account(account_id).open.values())

    def open_order(
        self, account_id: str, *, order_id: str | None = None, cl_ord_id: str | None = None
    ) -> OrderView | None:
        """The open order of one of these ids."""
        self._catch_up()
        return self._floor.account(account_id).find_open(order_id=order_id, cl_ord_id=cl_ord_id)

    def closed_orders(self, account_id: str, since: int = -1) -> Sequence[OrderView]:
        """Closed, canceled and expired orders in the order they ended."""
        self._catch_up()
        recent = self._floor.account(account_id).closed
        archive = None if recent.is_whole else self._archive
        if archive is None:
            return tuple(recent.values())
        return archive.closed_orders(account_id, since)

    def order(self, account_id: str, order_id: str) -> OrderView | None:
        """One order of the account, open or not."""
        self._catch_up()
        account = self._floor.account(account_id)
        known = account.open.get(order_id) or account.closed.get(order_id)
        archive = None if known is not None or account.closed.is_whole else self._archive
        if archive is None:
            return known
        filed = archive.order(order_id)
        return filed if filed is not None and filed.account_id == account_id else None

    def trades(self, account_id: str, since: int = -1) -> Sequence[TradeView]:
        """Executions, oldest first."""
        recent = self._floor.account(account_id).trades
        archive = None if recent.is_whole else self._archive
        if archive is None:
            return tuple(recent.values())
        return archive.trades(account_id, since)

    def trade(self, account_id: str, trade_id: str) -> TradeView | None:
        """One execution of the account."""
        known = self._floor.account(account_id).trades.get(trade_id)
        if known is not None:
            return known
        return next((one for one in self.trades(account_id) if one.trade_id == trade_id), None)

    def trades_of(self, order: OrderView) -> tuple[TradeView, ...]:
        """The executions of one order, oldest first."""
        recent = self._floor.account(order.account_id).trades
        is_recent = all(name in recent for name in order.trade_ids)
        archive = None if is_recent else self._archive
        if archive is None:
            return tuple(recent[name] for name in order.trade_ids)
        until = self.now() if order.closed_at is None else order.closed_at
        rows = archive.trades(order.account_id, order.opened_at - 1, until)
        return tuple(row for row in rows if row.order_id == order.order_id)

    def ledger(self, account_id: str, since: int = -1) -> Sequence[LedgerRow]:
        """Ledger rows, oldest first."""
        recent = self._floor.account(account_id).ledger
        archive = None if recent.is_whole else self._archive
        if archive is None:
            return tuple(recent.values())
        return archive.ledger(account_id, since)

    def ledger_row(self, account_id: str, ledger_id: str) -> LedgerRow | None:
        """One ledger row of the account."""
        known = self._floor.account(account_id).ledger.get(ledger_id)
        if known is not None:
            return known
        return next((row for row in self.ledger(account_id) if row.ledger_id == ledger_id), None)

    def volume(self, account_id: str) -> Decimal:
        """Traded cost of the last thirty days, which decides the fee tier."""
        return self._floor.account(account_id).volume.total(self.now())

    def balances(self, account_id: str) -> tuple[BalanceView, ...]:
        """Totals and holds of every asset the account ever had."""
        self._catch_up()
        account = self._floor.account(account_id)
        return tuple(
            BalanceView(
                asset=spec if not suffix else earning(spec, suffix),
                balance=half_up(account.balances[name + suffix], spec.decimals),
                hold=half_up(account.held(name + suffix), spec.decimals),
            )
            for name, spec in self._floor.assets.items()
            for suffix in ("", *EARN)
            if name + suffix in account.balances
        )


def _names_of(pairs: Iterable[PairSpec]) -> dict[str, PairSpec]:
    names: dict[str, PairSpec] = {}
    for spec in pairs:
        for name in (spec.symbol, spec.pair_id, spec.altname, spec.wsname):
            names.setdefault(name, spec)
    return names
