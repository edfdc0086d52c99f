"""The tables of market data: candles, what is known of their whole, and backfills under way."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Integer, LargeBinary, Table

from zoe_tools.store.columns import COLLECTION, account, key, moment, money, number, text
from zoe_tools.store.types import UtcTime

CRYPTO_CANDLES = Table(
    "crypto_candles",
    COLLECTION,
    account(is_key=True),
    key("symbol"),
    key("timeframe"),
    Column("opened_at", UtcTime, primary_key=True),
    money("open"),
    money("high"),
    money("low"),
    money("close"),
    money("vwap", nullable=True),
    money("volume"),
    Column("count", Integer, nullable=False),
    Column("is_final", Boolean, nullable=False),
    text("source"),
    sqlite_with_rowid=False,
)

CANDLE_COVERAGE = Table(
    "candle_coverage",
    COLLECTION,
    account(is_key=True),
    key("symbol"),
    key("timeframe"),
    Column("since", UtcTime, primary_key=True),
    moment("until"),
    text("source"),
)
"""Spans of which every candle was looked for: what is missing there never was."""

CANDLE_CURSORS = Table(
    "candle_cursors",
    COLLECTION,
    account(is_key=True),
    key("symbol"),
    key("source"),
    text("cursor"),
    number("trades"),
    moment("since"),
    moment("until"),
    moment("updated_at"),
    Column("running", LargeBinary, nullable=False),
)
"""How far a backfill or an import has come; `running` holds the candles it has not finished."""
