"""What a strategy may know of the account: its worth, what it holds, and how its trades ended."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from zoe_tools.core.strategy.protocol import AccountView, ClosedTrade
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.position import Position, PositionStatus
from zoe_tools.engine.books import Books
from zoe_tools.engine.parts import LoopParts
from zoe_tools.engine.view import LiveView
from zoe_tools.engine.wallets import StreamedWallets

KEPT = 200
"""Closed trades that are remembered, the newest."""


class AccountFacts:
    """Told from what the loop knows; only closed trades are read from the store, when one ends."""

    def __init__(
        self,
        parts: LoopParts,
        view: LiveView,
        books: Books,
        wallets: StreamedWallets,
        instruments: Mapping[Symbol, Instrument],
    ) -> None:
        self._parts = parts
        self._view = view
        self._books = books
        self._wallets = wallets
        self._instruments = instruments
        self._closed: tuple[Position, ...] = ()
        self._read_at: tuple[int, bool] | None = None

    async def look(self, symbol: Symbol, now: datetime) -> AccountView:
        """The account as it is now, and what there was in that instrument.

        Raises:
            StoreError: the closed trades cannot be read.
        """
        # The copy that stands in for the store knows of no closed trade.
        known = self._books.endings, self._parts.gate.is_store_away
        if self._read_at != known:
            self._closed = await self._parts.store.read(lambda tx: tx.closed_positions(KEPT))
            self._read_at = known
        held = self._books.positions
        return AccountView(
            as_of=now,
            equity=self._equity(),
            open_notional=sum((self._worth(each) for each in held), ZERO),
            daily_notional=self._books.daily_notional,
            max_notional=self._books.policy.max_notional_per_trade,
            closed=tuple(_trade(each) for each in self._closed),
            last_fill_at=_last_fill(symbol, held, self._closed),
        )

    def resting(self, now: datetime, rest: timedelta) -> int:
        """How many instruments were traded within `rest`, by what the strategy was last told."""
        held, closed = self._books.positions, self._closed
        traded = (_last_fill(symbol, held, closed) for symbol in self._instruments)
        return sum(at is not None and now - at < rest for at in traded)

    def _equity(self) -> Decimal | None:
        """Cash and followed coins in the wallet that trades, at the bid.

        None where a followed coin that is held has no price: less than all is no equity.
        """
        if not self._wallets.is_known:
            return None
        followed = {each.base: each for each in self._instruments.values()}
        cash = {each.quote for each in self._instruments.values()}
        worth = ZERO
        for balance in self._wallets.trading():
            if balance.asset in cash:
                worth += balance.total
            elif balance.asset in followed and balance.total > ZERO:
                quote = self._view.quotes.get(followed[balance.asset].symbol)
                if quote is None:
                    return None
                worth += balance.total * quote.bid
        return worth

    def _worth(self, position: Position) -> Decimal:
        quote = self._view.quotes.get(position.symbol)
        price = position.average_cost if quote is None else quote.bid
        return position.quantity * price


def _trade(position: Position) -> ClosedTrade:
    return ClosedTrade(
        symbol=position.symbol,
        closed_at=position.closed_at or position.opened_at,
        result=position.realised_pnl,
        cost=position.entry_quantity * position.average_cost,
    )


def _last_fill(
    symbol: Symbol, held: tuple[Position, ...], closed: tuple[Position, ...]
) -> datetime | None:
    """When something of it was last bought or sold; an entry that nobody took is no fill."""
    times = [each.opened_at for each in held if each.symbol == symbol]
    times += [
        each.closed_at or each.opened_at
        for each in closed
        if each.symbol == symbol and each.status is PositionStatus.CLOSED
    ]
    return max(times, default=None)
