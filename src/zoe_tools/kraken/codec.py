"""Kraken's REST payloads become domain values. Pure: no clock, no waiting, no network.

Names are resolved by the venue's own Assets and AssetPairs tables, never by the shape of a string;
the two names that the streaming API spells differently are listed here. What is unknown is kept
under the name the venue printed. A payload that makes no sense raises `VenueMisbehaved`.
Source: kraken-spot sections 2.5 and 4 to 7.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeVar

import msgspec

from zoe_tools.domain.account import KeyInfo
from zoe_tools.domain.candle import Candle, Timeframe
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import ClientOrderId, FillId, LedgerId, Symbol, VenueOrderId
from zoe_tools.domain.instrument import (
    Asset,
    Instrument,
    InstrumentCatalogue,
    InstrumentStatus,
)
from zoe_tools.domain.ledger import Balance, LedgerEntry
from zoe_tools.domain.market import Book, BookLevel, PublicTrade, Quote, VenueMode
from zoe_tools.domain.money import ZERO, bookable, decimal_of, quantum
from zoe_tools.domain.order import OrderStatus, OrderType, Side, VenueOrder
from zoe_tools.domain.wallet import holding_of
from zoe_tools.errors import VenueMisbehaved
from zoe_tools.kraken import shapes, strange, wire
from zoe_tools.kraken.codec_terms import fee_tiers, margin_terms

T = TypeVar("T")

V2_NAMES: Mapping[str, str] = {"XBT": "BTC", "XDG": "DOGE"}
"""Altnames that the streaming API, and so zoe, calls otherwise (kraken-spot section 4)."""

_API_KEY_INFO = shapes.Reader("GetApiKeyInfo", wire.ApiKeyInfo)
_CAPITAL = re.compile(r"(?<=[a-z])([A-Z])")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS = 1_000_000
_TOO_LATE = (datetime(2200, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)
_SIDES: Mapping[str, Side] = {"buy": Side.BUY, "b": Side.BUY, "sell": Side.SELL, "s": Side.SELL}
_STATUSES: Mapping[str, OrderStatus] = {
    "pending": OrderStatus.PENDING_NEW,
    "open": OrderStatus.OPEN,
    "closed": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    "expired": OrderStatus.EXPIRED,
}
_LIMIT_IN_PRICE = frozenset({OrderType.LIMIT, OrderType.ICEBERG})
_LIMIT_IN_PRICE2 = frozenset(
    {OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT_LIMIT, OrderType.TRAILING_STOP_LIMIT}
)


@contextmanager
def understanding(what: str) -> Iterator[None]:
    """Turns whatever a nonsensical payload breaks into `VenueMisbehaved`, naming the payload."""
    try:
        yield
    except (ValueError, ArithmeticError, LookupError, msgspec.MsgspecError) as error:
        raise VenueMisbehaved(
            f"Kraken's answer to {what} makes no sense: {error}.",
            hint="Run the command again; if it stays so, the venue has changed its answers.",
        ) from error


def time_of(seconds: Decimal) -> datetime:
    """The aware UTC time of unix seconds with a fraction, cut to whole microseconds.

    Raises:
        ValueError: before 1970, or after 2199.
    """
    if not 0 <= seconds < _TOO_LATE:
        raise ValueError(f"{seconds} is no time")
    return _EPOCH + timedelta(microseconds=int(seconds * _MICROSECONDS))


def seconds_of(moment: datetime) -> Decimal:
    """Unix seconds of an aware time, exact to the microsecond."""
    return Decimal((moment - _EPOCH) // timedelta(microseconds=1)) / _MICROSECONDS


def status_of(text: str, vol_exec: Decimal) -> OrderStatus:
    """Our word for the status of an order (kraken-spot section 7.1); `vol_exec` in base."""
    status = _STATUSES.get(text, OrderStatus.UNKNOWN)
    if status is OrderStatus.UNKNOWN:
        strange.noted("an order's status", text)
    if status is OrderStatus.OPEN and vol_exec > ZERO:
        return OrderStatus.PARTIALLY_FILLED
    return status


def _order_type(text: str) -> OrderType:
    try:
        return OrderType(text)
    except ValueError:
        strange.noted("a type of order", text)
        return OrderType.UNKNOWN


def side_of(text: str) -> Side:
    """Kraken's word for a side, `buy` or `b`.

    Raises:
        ValueError: it is neither.
    """
    side = _SIDES.get(text)
    if side is None:
        raise ValueError(f"{text!r} is neither buy nor sell")
    return side


def mode_of(row: wire.SystemStatus) -> VenueMode:
    """The venue's state; a word zoe does not know is UNKNOWN."""
    try:
        return VenueMode(row.status)
    except ValueError:
        strange.noted("the venue's mode", row.status)
        return VenueMode.UNKNOWN


# --- the catalogue


def catalogue_of(
    assets: Mapping[str, wire.AssetRow], pairs: Mapping[str, wire.PairRow]
) -> InstrumentCatalogue:
    """All instruments under their v2 names, and all assets."""
    known = tuple(
        Asset(
            name=_v2_asset(row.altname),
            venue_id=key,
            altname=row.altname,
            decimals=row.decimals,
            display_decimals=row.display_decimals,
        )
        for key, row in assets.items()
    )
    names = InstrumentCatalogue((), known)
    taken: set[str] = set()
    instruments: list[Instrument] = []
    # Rows with a streaming name first: they own it. Old dark-pool rows have none, and the name of
    # their assets would be that of the lit pair.
    for key, row in sorted(pairs.items(), key=lambda item: item[1].wsname is None):
        symbol = _symbol(row, names)
        symbol = row.altname if symbol in taken else symbol
        taken.add(symbol)
        instruments.append(_instrument(key, row, symbol, names))
    return InstrumentCatalogue(tuple(instruments), known)


def _v2_asset(altname: str) -> str:
    stem, dot, suffix = altname.partition(".")
    return V2_NAMES.get(stem, stem) + dot + suffix


def _symbol(row: wire.PairRow, names: InstrumentCatalogue) -> str:
    if row.wsname is not None and "/" in row.wsname:
        base, _, quote = row.wsname.partition("/")
        return f"{_v2_asset(base)}/{_v2_asset(quote)}"
    return f"{canonical_asset(row.base, names)}/{canonical_asset(row.quote, names)}"


def _instrument(key: str, row: wire.PairRow, symbol: str, names: InstrumentCatalogue) -> Instrument:
    tick = row.tick_size
    aliases = (row.wsname,) if row.wsname is not None and row.wsname != symbol else ()
    return Instrument(
        symbol=Symbol(symbol),
        venue_id=key,
        altname=row.altname,
        base=canonical_asset(row.base, names),
        quote=canonical_asset(row.quote, names),
        price_decimals=row.pair_decimals,
        quantity_decimals=row.lot_decimals,
        # Without a stated rounding of costs none is applied: every digit of price * quantity stays.
        cost_decimals=(
            row.pair_decimals + row.lot_decimals if row.cost_decimals is None else row.cost_decimals
        ),
        tick_size=tick if tick is not None and tick > ZERO else quantum(row.pair_decimals),
        min_quantity=row.ordermin if row.ordermin is not None else ZERO,
        min_cost=row.costmin if row.costmin is not None else ZERO,
        fee_tiers=fee_tiers(row.fees, row.fees_maker),
        status=_instrument_status(row),
        aliases=aliases,
        margin=margin_terms(row),
    )


def _instrument_status(row: wire.PairRow) -> InstrumentStatus:
    """An absent status is no restriction (the venue leaves it out at times); no fees are one."""
    if not row.fees:
        return InstrumentStatus.UNKNOWN
    if row.status is None:
        return InstrumentStatus.ONLINE
    try:
        return InstrumentStatus(row.status)
    except ValueError:
        strange.noted("an instrument's status", row.status)
        return InstrumentStatus.UNKNOWN


def canonical_asset(key: str, catalogue: InstrumentCatalogue) -> str:
    """Our name of an asset, or of a form of it: `XXBT` is `BTC`, `XBT.F` is `BTC.F`.

    A form (staked, earning, on hold) is not the asset: it cannot be sold. Unknown names stay.
    """
    found = catalogue.asset(key)
    if found is not None:
        return found.name
    stem, dot, suffix = key.rpartition(".")
    base = catalogue.asset(stem) if dot else None
    return f"{base.name}.{suffix}" if base is not None else key


def symbol_of(pair: str, catalogue: InstrumentCatalogue) -> Symbol:
    """The instrument's symbol; of a pair the catalogue does not list, what the venue printed."""
    found = catalogue.find(pair)
    return found.symbol if found is not None else Symbol(pair)


# --- the public market


def quote_of(instrument: Instrument, row: wire.TickerRow, as_of: datetime) -> Quote:
    """Top of book and last trade. Ticker has no time of its own: `as_of` is that of the answer."""
    return Quote(
        symbol=instrument.symbol,
        bid=row.b.price,
        bid_quantity=row.b.quantity,
        ask=row.a.price,
        ask_quantity=row.a.quantity,
        last=row.c.price,
        as_of=as_of,
    )


def book_of(instrument: Instrument, row: wire.DepthRow, as_of: datetime) -> Book:
    """The book, best levels first."""
    return Book(
        symbol=instrument.symbol,
        bids=tuple(BookLevel(price=each.price, quantity=each.quantity) for each in row.bids),
        asks=tuple(BookLevel(price=each.price, quantity=each.quantity) for each in row.asks),
        as_of=as_of,
    )


def candles_of(
    instrument: Instrument, timeframe: Timeframe, answer: wire.Candles
) -> tuple[Candle, ...]:
    """Candles, oldest first; those after `last` are still running.

    Raises:
        ValueError: the answer holds no rows or no `last`.
    """
    rows = _rows(answer, instrument)
    last = answer.get("last", rows)
    if isinstance(last, list):
        raise ValueError("`last` is missing")  # noqa: TRY004 - a payload's fault, not a caller's
    return tuple(
        Candle(
            symbol=instrument.symbol,
            timeframe=timeframe,
            opened_at=time_of(row.time),
            open=row.open,
            high=row.high,
            low=row.low,
            close=row.close,
            vwap=row.vwap,
            volume=row.volume,
            count=row.count,
            is_final=row.time <= last,
        )
        for row in rows
        if isinstance(row, wire.OhlcRow)
    )


def trades_of(
    instrument: Instrument, answer: wire.Prints, since: str
) -> tuple[tuple[PublicTrade, ...], str]:
    """Prints, oldest first, and the id to go on from (`since` again where there is none)."""
    last = answer.get("last", since)
    trades = tuple(
        PublicTrade(
            symbol=instrument.symbol,
            trade_id=row.trade_id,
            side=side_of(row.side),
            price=row.price,
            quantity=row.quantity,
            traded_at=time_of(row.time),
        )
        for row in _rows(answer, instrument)
        if isinstance(row, wire.PrintRow)
    )
    return trades, str(last)


def _rows(
    answer: wire.Candles | wire.Prints, instrument: Instrument
) -> list[wire.OhlcRow] | list[wire.PrintRow]:
    lists = [value for key, value in answer.items() if key != "last" and isinstance(value, list)]
    if len(lists) != 1:
        raise ValueError(f"no single list of rows for {instrument.symbol}")
    return lists[0]


def row_of(answer: Mapping[str, T], instrument: Instrument) -> T:
    """The instrument's row of an answer that is keyed by the venue's own ids.

    Raises:
        ValueError: there is none.
    """
    for key in (instrument.venue_id, instrument.altname):
        if key in answer:
            return answer[key]
    raise ValueError(f"no row for {instrument.symbol}")


# --- the account


def key_info_of(fields: wire.ApiKeyFields) -> KeyInfo:
    """All that is told of the key, but the key itself.

    Raises:
        ValueError, MsgspecError: a time or a number of nonsense.
    """
    named = {_CAPITAL.sub(r"_\1", name).lower(): value for name, value in fields.items()}
    row = _API_KEY_INFO.decode(msgspec.json.encode(named))
    return KeyInfo(
        name=row.api_key_name,
        permissions=frozenset(row.permissions),
        nonce=None if row.nonce is None else int(row.nonce),
        nonce_window=int(row.nonce_window or 0),
        valid_until=_set_time(row.valid_until),
        query_from=_set_time(row.query_from),
        query_to=_set_time(row.query_to),
        allowed_addresses=tuple(each for each in row.ip_allowlist or () if each),
        created_at=_set_time(row.created_time),
        modified_at=_set_time(row.modified_time),
        last_used_at=_set_time(row.last_used),
        iban=row.iban or "",
    )


def _set_time(seconds: Decimal | None) -> datetime | None:
    """A time of which zero and nothing say that it is not set."""
    return time_of(seconds) if seconds else None


def balances_of(
    rows: Mapping[str, wire.BalanceRow], catalogue: InstrumentCatalogue
) -> tuple[Balance, ...]:
    """Totals and holds, one row per asset and form; credit lines are not counted."""
    return tuple(
        Balance(asset=canonical_asset(key, catalogue), total=row.balance, hold=row.hold_trade)
        for key, row in rows.items()
    )


def order_of(order_id: str, row: wire.OrderRow, catalogue: InstrumentCatalogue) -> VenueOrder:
    """An order as the venue's records show it.

    Raises:
        ValueError: a side, price or time that makes no sense.
    """
    order_type = _order_type(row.descr.ordertype)
    limit_price, trigger_price = _prices(row, order_type)
    return VenueOrder(
        venue_order_id=VenueOrderId(order_id),
        client_order_id=ClientOrderId(row.cl_ord_id) if row.cl_ord_id else None,
        symbol=symbol_of(row.descr.pair, catalogue),
        side=side_of(row.descr.type),
        order_type=order_type,
        status=status_of(row.status, row.vol_exec),
        quantity=row.vol,
        filled_quantity=row.vol_exec,
        opened_at=time_of(row.opentm),
        limit_price=limit_price,
        trigger_price=trigger_price,
        average_price=row.price,
        cost=row.cost,
        fee=row.fee,
        closed_at=time_of(row.closetm) if row.closetm else None,
        reason=row.reason or "",
        userref=row.userref or None,
        parent_id=VenueOrderId(row.refid) if row.refid else None,
        starts_at=_set_time(row.starttm),
        expires_at=_set_time(row.expiretm),
        flags=_words(row.oflags),
        marks=_words(row.misc),
    )


def _words(text: str | None) -> tuple[str, ...]:
    """The words of a list with commas."""
    return tuple(word for word in (text or "").split(",") if word)


def _prices(row: wire.OrderRow, order_type: OrderType) -> tuple[Decimal | None, Decimal | None]:
    """(limit price, trigger price). `stopprice` follows a trailing stop; old rows leave it zero."""
    if order_type in _LIMIT_IN_PRICE:
        return _absolute(row.descr.price), None
    if not order_type.is_triggered:
        return None, None
    trigger = row.stopprice if row.stopprice > ZERO else _absolute(row.descr.price)
    if order_type not in _LIMIT_IN_PRICE2:
        return None, trigger
    limit = _absolute(row.descr.price2)
    if limit is None and row.limitprice > ZERO:
        limit = row.limitprice
    return limit, trigger


def _absolute(text: str) -> Decimal | None:
    """A price, or None where none was given or it is relative to another (`+1.0000%`)."""
    if not text or text[0] in "+-#" or text.endswith("%"):
        return None
    return decimal_of(text) or None


def fill_of(fill_id: str, row: wire.FillRow, catalogue: InstrumentCatalogue) -> Fill:
    """An execution. TradesHistory names neither the client's order id nor the fee's asset.

    The fee is in quote: every order of ours asks for that. Of a pair the catalogue does not list
    the quote is not known, and `fee_asset` is empty.

    Raises:
        ValueError: a side or time that makes no sense.
    """
    instrument = catalogue.find(row.pair)
    return Fill(
        fill_id=FillId(fill_id),
        venue_order_id=VenueOrderId(row.ordertxid),
        symbol=symbol_of(row.pair, catalogue),
        side=side_of(row.type),
        quantity=row.vol,
        price=row.price,
        cost=row.cost,
        fee=row.fee,
        fee_asset=instrument.quote if instrument is not None else "",
        filled_at=time_of(row.time),
        liquidity="unknown" if row.maker is None else ("maker" if row.maker else "taker"),
    )


def ledger_entry_of(
    ledger_id: str, row: wire.LedgerRow, catalogue: InstrumentCatalogue
) -> LedgerEntry:
    """A ledger row under its canonical asset, in the wallet that the venue's name for it tells.

    Raises:
        ValueError: a time that makes no sense, or an amount that no book can hold.
    """
    asset, wallet = holding_of(row.asset, catalogue)
    return LedgerEntry(
        ledger_id=LedgerId(ledger_id),
        refid=row.refid,
        booked_at=time_of(row.time),
        kind=row.type,
        subtype=row.subtype or "",
        asset=asset,
        amount=bookable(row.amount),
        fee=bookable(row.fee),
        balance=bookable(row.balance),
        wallet=wallet,
        asset_class=row.aclass or "",
    )
