"""WebSocket v2 rows to domain values. Pure.

Sparse execution rows are completed from what richer rows said of the same order before.
Source: kraken-spot sections 10, 11.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar

from zoe_tools.domain.candle import Candle, Timeframe
from zoe_tools.domain.fill import Fill, Liquidity
from zoe_tools.domain.identifiers import (
    ClientOrderId,
    FillId,
    LedgerId,
    Symbol,
    VenueOrderId,
)
from zoe_tools.domain.instrument import InstrumentStatus
from zoe_tools.domain.ledger import LedgerEntry
from zoe_tools.domain.market import Book, BookLevel, PublicTrade, Quote, RestingOrder, VenueMode
from zoe_tools.domain.market_watch import Ticker
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import OrderStatus, OrderType, Side
from zoe_tools.domain.stream import (
    BalancesSnapshot,
    BalanceUpdate,
    ExecutionKind,
    ExecutionReport,
    InstrumentsUpdate,
)
from zoe_tools.domain.wallet import MAIN
from zoe_tools.errors import VenueMisbehaved
from zoe_tools.kraken import strange
from zoe_tools.kraken.wire_stream import (
    BalanceRow,
    DayTickerRow,
    ExecutionRow,
    InstrumentsRow,
    OhlcRow,
    OrderRow,
    TickerRow,
    TradeRow,
)

V = TypeVar("V")

REMEMBERED_ORDERS = 10_000
"""Orders whose rich rows are kept to complete later sparse ones."""

_STATUSES = {
    "pending_new": OrderStatus.PENDING_NEW,
    "new": OrderStatus.OPEN,
    "partially_filled": OrderStatus.PARTIALLY_FILLED,
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    "expired": OrderStatus.EXPIRED,
}
_LIQUIDITY: Mapping[str | None, Liquidity] = {"m": "maker", "t": "taker"}
_KINDS = {kind.value: kind for kind in ExecutionKind}
_TYPES = {kind.value: kind for kind in OrderType}
_SIDES = {side.value: side for side in Side}
_STATUS_WORDS = {status.value: status for status in InstrumentStatus}
_TIMEFRAMES = {timeframe.minutes: timeframe for timeframe in Timeframe}
_MODES = {mode.value: mode for mode in VenueMode}

_LOG = logging.getLogger(__name__)


def _known(words: Mapping[str, V], word: str, unknown: V, what: str) -> V:
    """What a word of the venue's means here; one that is not known is told once."""
    found = words.get(word)
    if found is None:
        if word:
            strange.noted(what, word)
        return unknown
    return found


def time_of(text: str) -> datetime:
    """An RFC 3339 time as aware UTC; nanoseconds are cut to microseconds.

    Raises:
        VenueMisbehaved: the text is no time.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise VenueMisbehaved(f"The venue sent {text!r} where a time belongs.") from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def mode_of(text: str) -> VenueMode:
    """The venue's overall state; a word that is not known is UNKNOWN."""
    return _known(_MODES, text, VenueMode.UNKNOWN, "the venue's mode")


def statuses_of(row: InstrumentsRow) -> InstrumentsUpdate:
    """Status by symbol; a word that is not known is UNKNOWN, and blocks new risk."""
    return InstrumentsUpdate(
        statuses=tuple(
            (
                Symbol(pair.symbol),
                _known(
                    _STATUS_WORDS, pair.status, InstrumentStatus.UNKNOWN, "an instrument's status"
                ),
            )
            for pair in row.pairs
        )
    )


def quote_of(row: TickerRow, now: datetime) -> Quote:
    """A ticker row; old servers send no time, then it is the time of arrival."""
    return Quote(
        symbol=Symbol(row.symbol),
        bid=row.bid,
        bid_quantity=row.bid_qty,
        ask=row.ask,
        ask_quantity=row.ask_qty,
        last=row.last,
        as_of=time_of(row.timestamp) if row.timestamp else now,
    )


def ticker_of(row: DayTickerRow, heard_at: datetime) -> Ticker:
    """A ticker row with its last 24 hours; without a time it is as of its arrival."""
    return Ticker(
        symbol=Symbol(row.symbol),
        bid=row.bid,
        ask=row.ask,
        last=row.last,
        volume=row.volume,
        vwap=row.vwap,
        low=row.low,
        high=row.high,
        change_pct=row.change_pct,
        as_of=time_of(row.timestamp) if row.timestamp else heard_at,
        heard_at=heard_at,
    )


def trade_of(row: TradeRow) -> PublicTrade:
    """A print."""
    return PublicTrade(
        symbol=Symbol(row.symbol),
        trade_id=row.trade_id,
        side=_side(row.side),
        price=row.price,
        quantity=row.qty,
        traded_at=time_of(row.timestamp),
    )


def candle_of(row: OhlcRow) -> Candle:
    """The candle as it stands; nothing on the wire says that it is final.

    Raises:
        VenueMisbehaved: a length that nobody subscribes.
    """
    timeframe = _TIMEFRAMES.get(row.interval)
    if timeframe is None:
        raise VenueMisbehaved(f"The venue sent a candle of {row.interval} minutes.")
    return Candle(
        symbol=Symbol(row.symbol),
        timeframe=timeframe,
        opened_at=time_of(row.interval_begin),
        open=row.open,
        high=row.high,
        low=row.low,
        close=row.close,
        vwap=row.vwap,
        volume=row.volume,
        count=row.trades,
        is_final=False,
    )


def resting_order_of(row: OrderRow) -> RestingOrder:
    """One order of the level3 book."""
    return RestingOrder(
        venue_order_id=VenueOrderId(row.order_id), price=row.limit_price, quantity=row.order_qty
    )


def book_value(
    symbol: str, bids: tuple[BookLevel, ...], asks: tuple[BookLevel, ...], as_of: datetime
) -> Book:
    """A verified book."""
    return Book(symbol=Symbol(symbol), bids=bids, asks=asks, as_of=as_of)


def balances_snapshot_of(rows: Iterable[BalanceRow]) -> BalancesSnapshot:
    """What lies in each wallet of each asset; without wallets all of it is in the main one."""
    found: list[tuple[str, str, Decimal]] = []
    for row in rows:
        found += [(row.asset, _wallet(each.type, each.id), each.balance) for each in row.wallets]
        if not row.wallets:
            found.append((row.asset, MAIN, row.balance))
    return BalancesSnapshot(holdings=tuple(found))


def _wallet(kind: str, name: str) -> str:
    """A wallet by the name that the venue's export has for it."""
    return f"{kind} / {name}" if kind and name else MAIN


def balance_update_of(row: BalanceRow) -> BalanceUpdate:
    """A ledger row seen on the balances channel."""
    return BalanceUpdate(
        entry=LedgerEntry(
            ledger_id=LedgerId(row.ledger_id or ""),
            refid=row.ref_id,
            booked_at=time_of(row.timestamp),
            kind=row.type,
            subtype=row.subtype or "",
            asset=row.asset,
            amount=row.amount,
            fee=row.fee,
            balance=row.balance,
            wallet=_wallet(row.wallet_type, row.wallet_id),
        )
    )


@dataclass(slots=True)
class _Known:
    client_order_id: ClientOrderId | None = None
    symbol: Symbol | None = None
    side: Side | None = None
    order_type: OrderType | None = None
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None

    def forget_terms(self) -> None:
        """What an amendment may have changed."""
        self.quantity = self.limit_price = self.trigger_price = None


class ExecutionDecoder:
    """Rows of the executions channel to reports, completed from what was said before."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def report(self, row: ExecutionRow, *, is_snapshot: bool, now: datetime) -> ExecutionReport:
        """One report; a row of an order never seen before stays as sparse as it is.

        A row of a snapshot says what an order is for: what was said before may have been amended
        while nobody listened.
        """
        known = self._known.get(row.order_id)
        if is_snapshot and known is not None:
            known.forget_terms()
        of_order = self._learn(row)
        kind = _known(_KINDS, row.exec_type, ExecutionKind.UNKNOWN, "a kind of execution report")
        return ExecutionReport(
            kind=kind,
            status=_known(
                _STATUSES, row.order_status, OrderStatus.UNKNOWN, "an order's status in a stream"
            ),
            venue_order_id=VenueOrderId(row.order_id),
            reported_at=time_of(row.timestamp) if row.timestamp else now,
            client_order_id=of_order.client_order_id,
            symbol=of_order.symbol,
            side=of_order.side,
            order_type=of_order.order_type,
            quantity=of_order.quantity,
            limit_price=of_order.limit_price,
            trigger_price=of_order.trigger_price,
            cumulative_quantity=row.cum_qty,
            average_price=row.avg_price,
            fill=_fill_of(row, of_order, now),
            reason=row.reason or row.cancel_reason or "",
            is_snapshot=is_snapshot,
        )

    def forget_terms(self) -> None:
        """Something was not heard: an amendment, perhaps. Rows tell what they say themselves."""
        for known in self._known.values():
            known.forget_terms()

    def _learn(self, row: ExecutionRow) -> _Known:
        known = self._known.setdefault(row.order_id, _Known())
        self._known.move_to_end(row.order_id)
        if len(self._known) > REMEMBERED_ORDERS:
            self._known.popitem(last=False)
        if row.cl_ord_id:
            known.client_order_id = ClientOrderId(row.cl_ord_id)
        if row.symbol:
            known.symbol = Symbol(row.symbol)
        if row.side:
            known.side = _side(row.side)
        if row.order_type:
            known.order_type = _known(
                _TYPES, row.order_type, OrderType.UNKNOWN, "a type of order in a stream"
            )
        if row.order_qty is not None:
            known.quantity = row.order_qty
        if row.limit_price is not None:
            known.limit_price = row.limit_price or None
        # Old servers say the trigger as `stop_price`, which is 0.0 on plain limits.
        trigger = row.triggers.price if row.triggers is not None else row.stop_price
        if trigger:
            known.trigger_price = trigger
        return known


def _fill_of(row: ExecutionRow, known: _Known, now: datetime) -> Fill | None:
    if row.exec_id is None or row.last_qty is None or row.last_price is None:
        return None
    if known.symbol is None or known.side is None:
        raise VenueMisbehaved(f"Execution {row.exec_id} names neither its symbol nor its side.")
    fee, fee_asset = _fee_of(row, quote=known.symbol.partition("/")[2])
    return Fill(
        fill_id=FillId(row.exec_id),
        venue_order_id=VenueOrderId(row.order_id),
        client_order_id=known.client_order_id,
        symbol=known.symbol,
        side=known.side,
        quantity=row.last_qty,
        price=row.last_price,
        cost=row.cost if row.cost is not None else row.last_qty * row.last_price,
        fee=fee,
        fee_asset=fee_asset,
        filled_at=time_of(row.timestamp) if row.timestamp else now,
        liquidity=_LIQUIDITY.get(row.liquidity_ind, "unknown"),
    )


def _fee_of(row: ExecutionRow, *, quote: str) -> tuple[Decimal, str]:
    """The fee and its asset. Fees in several assets are never added up: one asset's is taken."""
    assets = {fee.asset for fee in row.fees}
    asset = quote if quote in assets or not row.fees else row.fees[0].asset
    if len(assets) > 1:
        _LOG.warning("execution %s has fees in %s; %s kept", row.exec_id, sorted(assets), asset)
    return sum((fee.qty for fee in row.fees if fee.asset == asset), ZERO), asset


def _side(text: str) -> Side:
    try:
        return _SIDES[text]
    except KeyError as error:
        raise VenueMisbehaved(f"The venue sent {text!r} where a side belongs.") from error
