"""Frames of WebSocket v2 as typed structs. Numbers become Decimals from their own text.

Unknown fields are ignored, absent ones are None. Source: kraken-spot sections 10 and 11.
"""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar, Literal

import msgspec

from zoe_tools.kraken.shapes import Reader
from zoe_tools.kraken.wire import names


class Frame(msgspec.Struct, frozen=True):
    """The outside of every frame: a method's answer or a channel's data."""

    unread: ClassVar[frozenset[str]] = names("timestamp status Error")

    channel: str = ""
    type: str = ""
    method: str = ""
    data: msgspec.Raw = msgspec.Raw()
    result: msgspec.Raw = msgspec.Raw()
    success: bool | None = None
    error: str | None = None
    req_id: int | None = None
    sequence: int | None = None
    symbol: str | None = None
    time_in: str = ""
    time_out: str = ""


class AckResult(msgspec.Struct, frozen=True):
    """What a subscription's acknowledgement echoes."""

    unread: ClassVar[frozenset[str]] = names(
        "depth interval snapshot event_trigger include_tokenized_assets execution_venue "
        "snap_orders snap_trades snapshot_trades order_status ratecounter maxratecount users "
        "rebased"
    )

    channel: str = ""
    symbol: str | None = None
    warnings: list[str] | None = None


class LevelRow(msgspec.Struct, frozen=True, gc=False):
    """One level of the book channel; quantity 0 removes it."""

    price: Decimal
    qty: Decimal


class BookRow(msgspec.Struct, frozen=True, gc=False):
    """One book snapshot or update."""

    symbol: str
    bids: list[LevelRow] = []
    asks: list[LevelRow] = []
    checksum: int = -1
    timestamp: str = ""


class BookFrame(msgspec.Struct, frozen=True, gc=False):
    """A whole frame of the book channel."""

    channel: Literal["book"]
    type: Literal["snapshot", "update"]
    data: list[BookRow]


class OrderRow(msgspec.Struct, frozen=True, gc=False):
    """One order of the level3 channel; snapshots say no event."""

    order_id: str
    limit_price: Decimal
    order_qty: Decimal
    timestamp: str = ""
    event: str = "add"


class Level3Row(msgspec.Struct, frozen=True, gc=False):
    """One level3 snapshot or update."""

    symbol: str
    bids: list[OrderRow] = []
    asks: list[OrderRow] = []
    checksum: int = -1
    timestamp: str = ""


class OhlcRow(msgspec.Struct, frozen=True):
    """The running candle, or one of a snapshot; `interval` in minutes."""

    unread: ClassVar[frozenset[str]] = names("timestamp")

    symbol: str
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    vwap: Decimal
    volume: Decimal
    trades: int
    interval_begin: str
    interval: int


class TickerRow(msgspec.Struct, frozen=True):
    """One ticker."""

    unread: ClassVar[frozenset[str]] = names("volume vwap low high change change_pct")

    symbol: str
    bid: Decimal
    bid_qty: Decimal
    ask: Decimal
    ask_qty: Decimal
    last: Decimal
    timestamp: str = ""


class DayTickerRow(msgspec.Struct, frozen=True, gc=False):
    """One ticker with its last 24 hours; `change` is an amount, `change_pct` the percentage."""

    unread: ClassVar[frozenset[str]] = names("bid_qty ask_qty change")

    symbol: str
    bid: Decimal
    ask: Decimal
    last: Decimal
    volume: Decimal
    vwap: Decimal
    low: Decimal
    high: Decimal
    change_pct: Decimal
    timestamp: str = ""


class TradeRow(msgspec.Struct, frozen=True):
    """One public print."""

    unread: ClassVar[frozenset[str]] = names("ord_type")

    symbol: str
    side: str
    price: Decimal
    qty: Decimal
    trade_id: int
    timestamp: str


class FeeRow(msgspec.Struct, frozen=True):
    """A fee of an execution."""

    asset: str
    qty: Decimal


class TriggersRow(msgspec.Struct, frozen=True):
    """The trigger of a conditional order."""

    unread: ClassVar[frozenset[str]] = names(
        "reference price_type peak_price last_price status timestamp"
    )

    price: Decimal | None = None
    actual_price: Decimal | None = None


class ExecutionRow(msgspec.Struct, frozen=True):
    """One row of the executions channel; sparse rows carry little."""

    unread: ClassVar[frozenset[str]] = names(
        "order_userref trade_id limit_price_type time_in_force margin post_only "
        "reduce_only no_mpp display_qty display_qty_remain effective_time expire_time "
        "fee_ccy_pref sender_sub_id ext_ord_id ord_ref_id cash_order_qty contingent "
        "margin_borrow ext_exec_id position_status cum_cost fee_usd_equiv amended "
        "liquidated user trigger triggered_price"
    )

    order_id: str
    exec_type: str
    timestamp: str = ""
    order_status: str = ""
    cl_ord_id: str | None = None
    symbol: str | None = None
    side: str | None = None
    order_type: str | None = None
    order_qty: Decimal | None = None
    limit_price: Decimal | None = None
    triggers: TriggersRow | None = None
    stop_price: Decimal | None = None
    cum_qty: Decimal | None = None
    avg_price: Decimal | None = None
    exec_id: str | None = None
    last_qty: Decimal | None = None
    last_price: Decimal | None = None
    cost: Decimal | None = None
    liquidity_ind: str | None = None
    fees: list[FeeRow] = []
    reason: str | None = None
    cancel_reason: str | None = None
    order_userref: int | None = None
    ord_ref_id: str | None = None
    ratecount: Decimal | None = None


class WalletRow(msgspec.Struct, frozen=True):
    """What lies in one wallet of an asset."""

    balance: Decimal
    type: str = ""
    id: str = ""


class BalanceRow(msgspec.Struct, frozen=True):
    """A row of the balances channel: an asset (snapshot) or a ledger entry (update).

    A snapshot's `balance` is of all wallets, an update's of the one that it names.
    """

    unread: ClassVar[frozenset[str]] = names("asset_class category user")

    asset: str
    balance: Decimal
    wallets: list[WalletRow] = []
    wallet_type: str = ""
    wallet_id: str = ""
    ledger_id: str | None = None
    ref_id: str = ""
    timestamp: str = ""
    type: str = ""
    subtype: str | None = None
    amount: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)


class StatusRow(msgspec.Struct, frozen=True):
    """The venue's overall state."""

    unread: ClassVar[frozenset[str]] = names("api_version connection_id version")

    system: str = ""


class PairRow(msgspec.Struct, frozen=True):
    """One pair of the instrument channel; its figures come from AssetPairs."""

    unread: ClassVar[frozenset[str]] = names(
        "base quote qty_precision qty_increment price_precision cost_precision marginable "
        "has_index cost_min margin_initial position_limit_long position_limit_short "
        "tick_size price_increment qty_min execution_venue"
    )

    symbol: str
    status: str = ""


class InstrumentsRow(msgspec.Struct, frozen=True):
    """The instrument channel's data: an object, unlike the others."""

    unread: ClassVar[frozenset[str]] = names("assets")

    pairs: list[PairRow] = []


class PlacedResult(msgspec.Struct, frozen=True):
    """The answer to add_order and cancel_order."""

    unread: ClassVar[frozenset[str]] = names("order_userref warnings")

    order_id: str = ""
    cl_ord_id: str | None = None


class AmendedResult(msgspec.Struct, frozen=True):
    """The answer to amend_order."""

    unread: ClassVar[frozenset[str]] = names("order_id cl_ord_id warnings")

    amend_id: str = ""


FRAME = msgspec.json.Decoder(Frame)
ACK = Reader("an acknowledgement", AckResult)
BOOK_FRAME = msgspec.json.Decoder(BookFrame)
BOOK = msgspec.json.Decoder(list[BookRow])
LEVEL3 = msgspec.json.Decoder(list[Level3Row])
OHLC = Reader("ohlc", list[OhlcRow])
TICKER = Reader("ticker", list[TickerRow])
DAY_TICKER = Reader("ticker", list[DayTickerRow])
TRADE = Reader("trade", list[TradeRow])
EXECUTIONS = Reader("executions", list[ExecutionRow])
BALANCES = Reader("balances", list[BalanceRow])
INSTRUMENTS = Reader("instrument", InstrumentsRow)
STATUS = Reader("status", list[StatusRow])
PLACED = Reader("an answer to an order", PlacedResult)
AMENDED = Reader("an answer to an amendment", AmendedResult)
