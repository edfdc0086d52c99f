"""WebSocket v2 rows to domain values and back. Pure.

Sparse execution rows are completed from what richer rows said of the same order before.
Source: kraken-spot sections 10, 11.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

from zoe_tools.domain.fill import Fill, Liquidity
from zoe_tools.domain.identifiers import (
    ClientOrderId,
    FillId,
    LedgerId,
    Symbol,
    VenueOrderId,
)
from zoe_tools.domain.instrument import Instrument, InstrumentStatus
from zoe_tools.domain.ledger import LedgerEntry
from zoe_tools.domain.market import Book, BookLevel, PublicTrade, Quote, VenueMode
from zoe_tools.domain.money import ZERO, plain, quantum
from zoe_tools.domain.order import OrderRequest, OrderStatus, OrderType, Side
from zoe_tools.domain.stream import BalanceUpdate, ExecutionKind, ExecutionReport, InstrumentsUpdate
from zoe_tools.errors import VenueMisbehaved
from zoe_tools.kraken.wire_stream import (
    BalanceRow,
    ExecutionRow,
    InstrumentsRow,
    TickerRow,
    TradeRow,
)

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
_MODES = {mode.value: mode for mode in VenueMode}


def time_of(text: str) -> datetime:
    """An RFC 3339 time; nanoseconds are cut to microseconds.

    Raises:
        VenueMisbehaved: the text is no time.
    """
    head, dot, tail = text.partition(".")
    if dot:
        digits = tail.rstrip("Z")[:6]
        text = f"{head}.{digits}Z"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise VenueMisbehaved(f"The venue sent {text!r} where a time belongs.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def rfc3339(moment: datetime) -> str:
    """A time as requests want it, with milliseconds."""
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def mode_of(text: str) -> VenueMode:
    """The venue's overall state."""
    return _MODES.get(text, VenueMode.UNKNOWN)


def statuses_of(row: InstrumentsRow) -> InstrumentsUpdate:
    """Status by symbol; a word that is not known is UNKNOWN, and blocks new risk."""
    return InstrumentsUpdate(
        statuses=tuple(
            (Symbol(pair.symbol), _STATUS_WORDS.get(pair.status, InstrumentStatus.UNKNOWN))
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


def book_value(
    symbol: str, bids: tuple[BookLevel, ...], asks: tuple[BookLevel, ...], as_of: datetime
) -> Book:
    """A verified book."""
    return Book(symbol=Symbol(symbol), bids=bids, asks=asks, as_of=as_of)


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


class ExecutionDecoder:
    """Rows of the executions channel to reports, completed from what was said before."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def report(self, row: ExecutionRow, *, is_snapshot: bool, now: datetime) -> ExecutionReport:
        """One report; a row of an order never seen before stays as sparse as it is."""
        known = self._learn(row)
        kind = _KINDS.get(row.exec_type, ExecutionKind.UNKNOWN)
        return ExecutionReport(
            kind=kind,
            status=_STATUSES.get(row.order_status, OrderStatus.UNKNOWN),
            venue_order_id=VenueOrderId(row.order_id),
            reported_at=time_of(row.timestamp) if row.timestamp else now,
            client_order_id=known.client_order_id,
            symbol=known.symbol,
            side=known.side,
            order_type=known.order_type,
            quantity=known.quantity,
            limit_price=known.limit_price,
            trigger_price=known.trigger_price,
            cumulative_quantity=row.cum_qty,
            average_price=row.avg_price,
            fill=_fill_of(row, known, now),
            reason=row.reason or row.cancel_reason or "",
            is_snapshot=is_snapshot,
        )

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
        if row.order_type in _TYPES:
            known.order_type = _TYPES[row.order_type]
        if row.order_qty is not None:
            known.quantity = row.order_qty
        if row.limit_price is not None:
            known.limit_price = row.limit_price or None
        if row.triggers is not None and row.triggers.price is not None:
            known.trigger_price = row.triggers.price
        return known


def _fill_of(row: ExecutionRow, known: _Known, now: datetime) -> Fill | None:
    if row.exec_id is None or row.last_qty is None or row.last_price is None:
        return None
    if known.symbol is None or known.side is None:
        raise VenueMisbehaved(f"Execution {row.exec_id} names neither its symbol nor its side.")
    quote = known.symbol.partition("/")[2]
    return Fill(
        fill_id=FillId(row.exec_id),
        venue_order_id=VenueOrderId(row.order_id),
        client_order_id=known.client_order_id,
        symbol=known.symbol,
        side=known.side,
        quantity=row.last_qty,
        price=row.last_price,
        cost=row.cost if row.cost is not None else row.last_qty * row.last_price,
        fee=sum((fee.qty for fee in row.fees), ZERO),
        fee_asset=row.fees[0].asset if row.fees else quote,
        filled_at=time_of(row.timestamp) if row.timestamp else now,
        liquidity=_LIQUIDITY.get(row.liquidity_ind, "unknown"),
    )


def _side(text: str) -> Side:
    try:
        return _SIDES[text]
    except KeyError as error:
        raise VenueMisbehaved(f"The venue sent {text!r} where a side belongs.") from error


# --- requests ------------------------------------------------------------------------------------

OrderMethod = Literal["add_order", "amend_order", "cancel_order"]


@dataclass(frozen=True, slots=True)
class Number:
    """A number to be printed bare: strings are refused where Kraken wants a number."""

    text: str


def add_order_params(
    request: OrderRequest,
    *,
    client_order_id: ClientOrderId,
    deadline: datetime,
    instrument: Instrument,
) -> dict[str, object]:
    """The parameters of add_order, without the token (kraken-spot section 11.3)."""
    params: dict[str, object] = {
        "order_type": request.order_type.value,
        "side": request.side.value,
        "symbol": request.symbol,
        "order_qty": quantity_number(request.quantity, instrument),
        "cl_ord_id": client_order_id,
        "deadline": rfc3339(deadline),
        "time_in_force": request.time_in_force.value,
    }
    if request.limit_price is not None:
        params["limit_price"] = price_number(request.limit_price, instrument)
    if request.trigger_price is not None:
        params["triggers"] = {
            "reference": "last",
            "price": price_number(request.trigger_price, instrument),
            "price_type": "static",
        }
    if request.post_only:
        params["post_only"] = True
    if request.reduce_only:
        params["reduce_only"] = True
    return params


def price_number(price: Decimal, instrument: Instrument) -> Number:
    """A price with the instrument's decimals."""
    return Number(plain(price.quantize(quantum(instrument.price_decimals))))


def quantity_number(quantity: Decimal, instrument: Instrument) -> Number:
    """A quantity with the instrument's decimals."""
    return Number(plain(quantity.quantize(quantum(instrument.quantity_decimals))))


def json_text(value: object) -> str:
    """JSON in which a `Number` stands bare, digit by digit as given."""
    match value:
        case Number(text=text):
            return text
        case dict():
            rows = (f"{json_text(str(key))}:{json_text(each)}" for key, each in value.items())
            return f"{{{','.join(rows)}}}"
        case list() | tuple():
            return f"[{','.join(json_text(each) for each in value)}]"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            return json.dumps(value)
        case _:
            raise TypeError(f"{type(value).__name__} has no place in a request")
