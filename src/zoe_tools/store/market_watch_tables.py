"""Tables of the watch over all pairs: catalogue, snapshots of two tiers, focus, movers, curves.

All of it is observation: nothing here is booked, and the venue tells most of it again.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Table, Text

from zoe_tools.store.columns import COLLECTION, account, key, moment, money, row_id, text
from zoe_tools.store.types import UtcTime

MARKET_CATALOG = Table(
    "market_catalog",
    COLLECTION,
    account(is_key=True),
    key("symbol"),
    text("venue_id"),
    text("altname"),
    text("base"),
    text("quote"),
    text("status"),
    moment("status_since"),
    money("tick_size"),
    money("lot_step"),
    money("min_quantity"),
    money("min_cost"),
    money("taker_pct"),
    money("maker_pct"),
    moment("updated_at"),
    Column("leverage_buy", Text),
    Column("leverage_sell", Text),
    Column("margin_call_pct", Integer),
    Column("margin_stop_pct", Integer),
)
"""Leverages are numbers with commas between; null is a row from before they were kept."""

MARKET_CATALOG_CHANGES = Table(
    "market_catalog_changes",
    COLLECTION,
    row_id(),
    account(),
    text("symbol"),
    text("status"),
    Column("status_before", Text),
    text("source"),
    moment("changed_at"),
    Index(None, "account_id", "changed_at"),
)

MARKET_SNAPSHOT_FOCUS = Table(
    "market_snapshot_focus",
    COLLECTION,
    account(is_key=True),
    key("symbol"),
    text("state"),
    text("reason"),
    money("bid", nullable=True),
    money("ask", nullable=True),
    money("mid", nullable=True),
    money("last", nullable=True),
    money("spread_pct", nullable=True),
    money("volume", nullable=True),
    money("quote_volume", nullable=True),
    money("change_pct", nullable=True),
    money("vwap", nullable=True),
    money("low", nullable=True),
    money("high", nullable=True),
    moment("as_of", nullable=True),
    moment("heard_at", nullable=True),
    Column("gaps", Integer, nullable=False),
    moment("written_at"),
)

MARKET_SNAPSHOT_SCOUT = Table(
    "market_snapshot_scout",
    COLLECTION,
    account(is_key=True),
    key("symbol"),
    text("state"),
    text("reason"),
    money("mid", nullable=True),
    money("last", nullable=True),
    money("spread_pct", nullable=True),
    money("quote_volume", nullable=True),
    money("change_pct", nullable=True),
    moment("as_of", nullable=True),
    moment("heard_at", nullable=True),
    Column("gaps", Integer, nullable=False),
    moment("written_at"),
)

MARKET_FOCUS = Table(
    "market_focus",
    COLLECTION,
    account(is_key=True),
    key("symbol"),
    key("reason"),
    moment("since"),
    moment("expires_at", nullable=True),
)

MARKET_MOVERS = Table(
    "market_movers",
    COLLECTION,
    row_id(),
    account(),
    text("symbol"),
    text("kind"),
    moment("detected_at"),
    money("mid"),
    money("reference"),
    moment("reference_at"),
    money("change_pct"),
    money("acceleration", nullable=True),
    money("spread_pct"),
    Index(None, "account_id", "detected_at"),
)

MARKET_SPARKLINES = Table(
    "market_sparklines",
    COLLECTION,
    account(is_key=True),
    Column("bucket_at", UtcTime, primary_key=True),
    key("symbol"),
    money("mid"),
    money("quote_volume"),
)
"""Keyed by time first, so that what is old is one stretch of it."""

WATCHED = (
    MARKET_CATALOG,
    MARKET_CATALOG_CHANGES,
    MARKET_SNAPSHOT_FOCUS,
    MARKET_SNAPSHOT_SCOUT,
    MARKET_FOCUS,
    MARKET_MOVERS,
    MARKET_SPARKLINES,
)
