"""The payloads of Kraken's REST methods, typed, with every number an exact decimal.

Shapes only: no meaning is given to them here (codec.py does that). Unknown fields are tolerated,
and enumerations stay text, because the venue adds to both. Source: kraken-spot sections 2 and 5-8.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar

import msgspec

Decimals = Annotated[int, msgspec.Meta(ge=0, le=24)]
"""How many decimals a number is printed with; bounded, so that nonsense cannot exhaust memory."""

_MAX_EXPONENT = 40


def names(text: str) -> frozenset[str]:
    """The names in a text, for a struct's `unread`."""
    return frozenset(text.split())


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all payloads: refuses decimals that are not finite or absurdly large.

    `unread` are fields that the venue documents and zoe has no use for: they are not strange.
    """

    unread: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, Decimal) and not _is_sane(value):
                raise ValueError(f"{name} is not a usable number")


class ArrayRow(Row, frozen=True, kw_only=False, array_like=True):
    """A payload written as a JSON array; further elements are tolerated."""


def _is_sane(value: Decimal) -> bool:
    exponent = value.as_tuple().exponent
    return (
        isinstance(exponent, int)
        and abs(exponent) <= _MAX_EXPONENT
        and (abs(value.adjusted()) <= _MAX_EXPONENT)
    )


class Envelope(Row, frozen=True):
    """Every answer: errors (and warnings), and the result where there is one."""

    error: list[str]
    result: msgspec.Raw = msgspec.Raw(b"null")


class ServerTime(Row, frozen=True):
    """Time: whole seconds."""

    unread: ClassVar[frozenset[str]] = names("rfc1123")

    unixtime: Decimal


class SystemStatus(Row, frozen=True):
    """SystemStatus."""

    unread: ClassVar[frozenset[str]] = names("timestamp msg")

    status: str


class AssetRow(Row, frozen=True):
    """A row of Assets."""

    unread: ClassVar[frozenset[str]] = names("aclass status collateral_value margin_rate")

    altname: str
    decimals: Decimals
    display_decimals: Decimals


class FeeRow(ArrayRow, frozen=True):
    """(30-day volume from, percent)."""

    volume: Decimal
    percent: Decimal


class PairRow(Row, frozen=True):
    """A row of AssetPairs; what old or odd rows leave out is None."""

    unread: ClassVar[frozenset[str]] = names(
        "aclass_base aclass_quote lot lot_multiplier fee_volume_currency long_position_limit "
        "short_position_limit execution_venue"
    )

    altname: str
    base: str
    quote: str
    pair_decimals: Decimals
    lot_decimals: Decimals
    wsname: str | None = None
    cost_decimals: Decimals | None = None
    fees: list[FeeRow] = []
    fees_maker: list[FeeRow] = []
    ordermin: Decimal | None = None
    costmin: Decimal | None = None
    tick_size: Decimal | None = None
    status: str | None = None
    leverage_buy: list[int] = []
    leverage_sell: list[int] = []
    margin_call: int | None = None
    margin_stop: int | None = None


class Top(ArrayRow, frozen=True):
    """One side of the top of the book: price, whole lots, lots."""

    price: Decimal
    whole_quantity: Decimal
    quantity: Decimal


class LastTrade(ArrayRow, frozen=True):
    """The last trade: price, quantity."""

    price: Decimal
    quantity: Decimal


class TickerRow(Row, frozen=True):
    """A row of Ticker."""

    unread: ClassVar[frozenset[str]] = names("v p t l h o")

    a: Top
    b: Top
    c: LastTrade


class LevelRow(ArrayRow, frozen=True):
    """A level of Depth: price, quantity, unix seconds."""

    price: Decimal
    quantity: Decimal
    time: Decimal


class DepthRow(Row, frozen=True):
    """A row of Depth; asks ascending, bids descending."""

    asks: list[LevelRow]
    bids: list[LevelRow]


class OhlcRow(ArrayRow, frozen=True):
    """A candle of OHLC; `time` is its start in unix seconds."""

    time: Decimal
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    vwap: Decimal
    volume: Decimal
    count: int


class PrintRow(ArrayRow, frozen=True):
    """A row of Trades; `side` is `b` or `s`."""

    price: Decimal
    quantity: Decimal
    time: Decimal
    side: str
    order_type: str
    misc: str
    trade_id: int = 0


Candles = dict[str, list[OhlcRow] | int]
"""OHLC: the rows under the pair's name, and `last`."""
Prints = dict[str, list[PrintRow] | str | int]
"""Trades: the rows under the pair's name, and `last`."""


class BalanceRow(Row, frozen=True):
    """A row of BalanceEx."""

    unread: ClassVar[frozenset[str]] = names("credit credit_used")

    balance: Decimal
    hold_trade: Decimal = Decimal(0)


class OrderDescription(Row, frozen=True):
    """`descr` of an order. Prices are texts: they may be relative (`+1.0000%`)."""

    unread: ClassVar[frozenset[str]] = names("aclass leverage order close")

    pair: str
    type: str
    ordertype: str
    price: str = "0"
    price2: str = "0"


class OrderRow(Row, frozen=True):
    """An order of OpenOrders, ClosedOrders or QueryOrders; `price` is the average fill price."""

    unread: ClassVar[frozenset[str]] = names(
        "trigger margin time_in_force trades sender_sub_id amended link_id"
    )

    status: str
    opentm: Decimal
    descr: OrderDescription
    vol: Decimal
    vol_exec: Decimal
    cost: Decimal
    fee: Decimal
    price: Decimal
    stopprice: Decimal = Decimal(0)
    limitprice: Decimal = Decimal(0)
    closetm: Decimal | None = None
    cl_ord_id: str | None = None
    userref: int | None = None
    reason: str | None = None
    refid: str | None = None
    starttm: Decimal | None = None
    expiretm: Decimal | None = None
    oflags: str | None = None
    misc: str | None = None


class OpenOrders(Row, frozen=True):
    """OpenOrders."""

    open: dict[str, OrderRow]


class ClosedOrders(Row, frozen=True):
    """A page of ClosedOrders."""

    closed: dict[str, OrderRow]
    count: Decimal | None = None


class FillRow(Row, frozen=True):
    """A row of TradesHistory."""

    unread: ClassVar[frozenset[str]] = names(
        "postxid aclass ordertype tradeordertype margin leverage misc trade_id ledgers "
        "posstatus cprice ccost cfee cvol cmargin net trades"
    )

    ordertxid: str
    pair: str
    time: Decimal
    type: str
    price: Decimal
    cost: Decimal
    fee: Decimal
    vol: Decimal
    maker: bool | None = None


class TradesHistory(Row, frozen=True):
    """A page of TradesHistory."""

    trades: dict[str, FillRow]
    count: Decimal | None = None


class LedgerRow(Row, frozen=True):
    """A row of Ledgers."""

    refid: str
    time: Decimal
    type: str
    asset: str
    amount: Decimal
    fee: Decimal
    balance: Decimal
    subtype: str | None = None
    aclass: str | None = None


class Ledgers(Row, frozen=True):
    """A page of Ledgers."""

    ledger: dict[str, LedgerRow]
    count: Decimal | None = None


class PlacedDescription(Row, frozen=True):
    """The venue's own words for an order."""

    unread: ClassVar[frozenset[str]] = names("close")

    order: str = ""


class Placed(Row, frozen=True):
    """AddOrder; `txid` is absent when the order was only validated."""

    unread: ClassVar[frozenset[str]] = names("cl_ord_id")

    descr: PlacedDescription = PlacedDescription()
    txid: list[str] = []


class Amended(Row, frozen=True):
    """AmendOrder."""

    amend_id: str


class Countdown(Row, frozen=True):
    """CancelAllOrdersAfter, alike over both wires; disarmed, the trigger is "0" or missing."""

    unread: ClassVar[frozenset[str]] = names("currentTime")

    trigger: str = msgspec.field(name="triggerTime", default="0")


class Cancelled(Row, frozen=True):
    """CancelOrder, CancelOrderBatch and CancelAll."""

    unread: ClassVar[frozenset[str]] = names("pending")

    count: int


class Token(Row, frozen=True):
    """GetWebSocketsToken."""

    unread: ClassVar[frozenset[str]] = names("expires")

    token: str


class ApiKeyInfo(Row, frozen=True):
    """GetApiKeyInfo, under its snake_case names; times are texts of unix seconds, "0" for unset."""

    unread: ClassVar[frozenset[str]] = names("api_key")

    permissions: list[str]
    api_key_name: str = ""
    nonce: Decimal | None = None
    nonce_window: Decimal | None = None
    iban: str | None = None
    valid_until: Decimal | None = None
    query_from: Decimal | None = None
    query_to: Decimal | None = None
    created_time: Decimal | None = None
    modified_time: Decimal | None = None
    ip_allowlist: list[str] | None = None
    last_used: Decimal | None = None


ApiKeyFields = dict[str, msgspec.Raw]
"""GetApiKeyInfo as it comes: its names are documented in two styles, and both are read."""


# --- the market, beyond what the venue port asks for


class DayRow(Row, frozen=True):
    """A row of Ticker with its statistics: today's since midnight UTC, and the last 24 hours'."""

    unread: ClassVar[frozenset[str]] = names("a b")

    c: LastTrade
    v: tuple[Decimal, Decimal]
    p: tuple[Decimal, Decimal]
    t: tuple[int, int]
    l: tuple[Decimal, Decimal]  # noqa: E741 - the venue's name
    h: tuple[Decimal, Decimal]
    o: Decimal


class SpreadRow(ArrayRow, frozen=True):
    """A row of Spread: unix seconds, best bid, best ask."""

    time: Decimal
    bid: Decimal
    ask: Decimal


Spreads = dict[str, list[SpreadRow] | int]
"""Spread: the rows under the pair's name, oldest first, and `last` in seconds."""


class GroupRow(Row, frozen=True):
    """A level of GroupedBook."""

    price: Decimal
    qty: Decimal


class GroupedBook(Row, frozen=True):
    """GroupedBook: the best levels first, `grouping` ticks each."""

    unread: ClassVar[frozenset[str]] = names("pair grouping")

    bids: list[GroupRow]
    asks: list[GroupRow]


class RestingRow(Row, frozen=True):
    """An order of Level3; `timestamp` in nanoseconds."""

    price: Decimal
    qty: Decimal
    order_id: str
    timestamp: int


class Level3(Row, frozen=True):
    """Level3: the best price first, and at one price the first in the queue."""

    unread: ClassVar[frozenset[str]] = names("pair")

    bids: list[RestingRow]
    asks: list[RestingRow]
