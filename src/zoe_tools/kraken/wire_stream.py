"""Frames of WebSocket v2 as typed structs. Numbers become Decimals from their own text.

Unknown fields are ignored, absent ones are None. Source: kraken-spot sections 10 and 11.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec


class Frame(msgspec.Struct, frozen=True):
    """The outside of every frame: a method's answer or a channel's data."""

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

    channel: str = ""
    symbol: str | None = None


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

    symbol: str
    bid: Decimal
    bid_qty: Decimal
    ask: Decimal
    ask_qty: Decimal
    last: Decimal
    timestamp: str = ""


class TradeRow(msgspec.Struct, frozen=True):
    """One public print."""

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

    price: Decimal | None = None
    actual_price: Decimal | None = None


class ExecutionRow(msgspec.Struct, frozen=True):
    """One row of the executions channel; sparse rows carry little."""

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


class BalanceRow(msgspec.Struct, frozen=True):
    """A row of the balances channel: an asset (snapshot) or a ledger entry (update)."""

    asset: str
    balance: Decimal
    ledger_id: str | None = None
    ref_id: str = ""
    timestamp: str = ""
    type: str = ""
    subtype: str | None = None
    amount: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)


class StatusRow(msgspec.Struct, frozen=True):
    """The venue's overall state."""

    system: str = ""


class PairRow(msgspec.Struct, frozen=True):
    """One pair of the instrument channel; its figures come from AssetPairs."""

    symbol: str
    status: str = ""


class InstrumentsRow(msgspec.Struct, frozen=True):
    """The instrument channel's data: an object, unlike the others."""

    pairs: list[PairRow] = []


class PlacedResult(msgspec.Struct, frozen=True):
    """The answer to add_order and cancel_order."""

    order_id: str = ""
    cl_ord_id: str | None = None


class AmendedResult(msgspec.Struct, frozen=True):
    """The answer to amend_order."""

    amend_id: str = ""


FRAME = msgspec.json.Decoder(Frame)
ACK = msgspec.json.Decoder(AckResult)
BOOK_FRAME = msgspec.json.Decoder(BookFrame)
BOOK = msgspec.json.Decoder(list[BookRow])
LEVEL3 = msgspec.json.Decoder(list[Level3Row])
OHLC = msgspec.json.Decoder(list[OhlcRow])
TICKER = msgspec.json.Decoder(list[TickerRow])
TRADE = msgspec.json.Decoder(list[TradeRow])
EXECUTIONS = msgspec.json.Decoder(list[ExecutionRow])
BALANCES = msgspec.json.Decoder(list[BalanceRow])
INSTRUMENTS = msgspec.json.Decoder(InstrumentsRow)
STATUS = msgspec.json.Decoder(list[StatusRow])
PLACED = msgspec.json.Decoder(PlacedResult)
AMENDED = msgspec.json.Decoder(AmendedResult)
