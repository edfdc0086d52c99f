"""Read-only answers of the exchange that are neither orders nor ledger: values for the dialects."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from msgspec import Struct

from zoe_tools.paper.values.key_terms import NO_TERMS, KeyTerms
from zoe_tools.paper.values.market import Levels
from zoe_tools.paper.values.refusal import Refusal

PERMISSIONS = (
    "query-funds",
    "query-open-trades",
    "query-closed-trades",
    "modify-trades",
    "close-trades",
    "query-ledger",
    "export-data",
    "create-ws-token",
)
"""What a trading key of the paper exchange has unless told otherwise; never withdrawal."""

ALL_PERMISSIONS = (
    *PERMISSIONS,
    "add-funds",
    "withdraw-funds",
    "earn-funds",
    "add-withdraw-address",
    "update-withdraw-address",
)
"""Every one there is (section 2.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who asks: an account by one of its keys."""

    account_id: str
    name: str
    api_key: str
    permissions: frozenset[str]
    created_at: int
    terms: KeyTerms = NO_TERMS

    def require(self, *any_of: str) -> None:
        """Let pass who has at least one of these permissions.

        Raises:
            Refusal: `EGeneral:Permission denied`.
        """
        if self.permissions.isdisjoint(any_of):
            raise Refusal("EGeneral:Permission denied")


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetSpec:
    """An asset: v2 name (`BTC`), REST key (`XXBT`), altname (`XBT`) and ledger decimals.

    `collateral` is the part of its worth that secures margin.
    """

    name: str
    asset_id: str
    altname: str
    decimals: int
    collateral: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class BookView:
    """The displayed book: bids descending, asks ascending; `at` of its last change."""

    symbol: str
    at: int
    bids: Levels
    asks: Levels


class TickerView(Struct, frozen=True, kw_only=True, gc=False):
    """Top of book and statistics; the plain fields are over 24 h, `_today` since 00:00 UTC.

    Before the first print `last` and `open_today` are None and the statistics zero. An empty side
    of the book is zeros. `opened` is the first price of the 24 h window: change = last - opened.
    """

    symbol: str
    at: int
    bid: Decimal
    bid_quantity: Decimal
    ask: Decimal
    ask_quantity: Decimal
    last: Decimal | None
    last_quantity: Decimal
    opened: Decimal
    volume: Decimal
    vwap: Decimal
    trades: int
    low: Decimal
    high: Decimal
    open_today: Decimal | None
    volume_today: Decimal
    vwap_today: Decimal
    trades_today: int
    low_today: Decimal
    high_today: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class BarView:
    """One candle; `begin` in ns. An interval without prints repeats the close, vwap 0, volume 0."""

    begin: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    vwap: Decimal
    volume: Decimal
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceView:
    """One asset of an account; `hold` is what open orders keep, and is inside `balance`."""

    asset: AssetSpec
    balance: Decimal
    hold: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedOrder:
    """An account's order at its level: what of it shows, and the source's size ahead of it.

    The queue number rises with the time of queueing; a new one means a new place.
    """

    order_id: str
    quantity: Decimal
    ahead: Decimal
    queue_number: int
