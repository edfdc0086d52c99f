"""A recorded book fed to zoe's client and to those of others, from the text of its frames."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from zlib import crc32

import ccxt.pro
from ccxt.async_support.base.ws.client import json_parser
from kraken.spot import Market, SpotOrderBookClient

from zoe_tools.kraken.book import OrderBook

SYMBOL = "BTC/USD"
DEPTH = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """How long the frames took, in seconds, and how many were seen not to agree."""

    took_s: float
    refused: int


Follow = Callable[[Sequence[str]], Any]
"""Feeds frames (the first is the snapshot) and returns `Followed`; a coroutine."""


async def by_zoe(frames: Sequence[str]) -> Followed:
    """`OrderBook`: Decimals from the wire text, the checksum of every frame."""
    book = OrderBook(price_decimals=1, quantity_decimals=8, depth=DEPTH)
    began = time.perf_counter()
    refused = [book.hear(frame) for frame in frames].count(False)
    return Followed(took_s=time.perf_counter() - began, refused=refused)


async def by_zoe_read(frames: Sequence[str]) -> Followed:
    """The same, and after each frame the ten best levels of both sides are taken."""
    book = OrderBook(price_decimals=1, quantity_decimals=8, depth=DEPTH)
    refused = 0
    began = time.perf_counter()
    for frame in frames:
        refused += not book.hear(frame)
        book.bids(10)
        book.asks(10)
    return Followed(took_s=time.perf_counter() - began, refused=refused)


class _SdkBook(SpotOrderBookClient):  # type: ignore[misc]  # untyped here
    """The SDK's own book; where it would ask the venue for another snapshot, it goes on."""

    def __init__(self) -> None:
        super().__init__(depth=DEPTH)
        self.refused = 0

    async def on_book_update(self, pair: str, message: Any) -> None:  # noqa: ARG002 - its name
        """Count; a book that was wrong once is given another chance at once."""
        book = self.get(pair)
        self.refused += not book["valid"]
        book["valid"] = True


def by_sdk(rest_url: str) -> Follow:
    """python-kraken-sdk: floats, the checksum of every update. It looks up decimals at the URL."""
    Market.URL = rest_url

    async def follow(frames: Sequence[str]) -> Followed:
        book = _SdkBook()
        await book.on_message(json.loads(frames[0]))  # its look-up is not what is measured
        began = time.perf_counter()
        for frame in frames:
            await book.on_message(json.loads(frame))
        took_s = time.perf_counter() - began
        await book.close()
        return Followed(took_s=took_s, refused=book.refused)

    return follow


async def by_ccxt(frames: Sequence[str]) -> Followed:
    """ccxt.pro as it comes: floats, its check of checksums switched off."""
    client = ccxt.pro.kraken()
    socket = _ccxt_socket(client)
    began = time.perf_counter()
    for frame in frames:
        client.handle_order_book(socket, json_parser.loads(frame))
    took_s = time.perf_counter() - began
    await client.close()
    return Followed(took_s=took_s, refused=0)


async def mismatches_of_ccxt(frames: Sequence[str]) -> int:
    """How often the book that ccxt.pro holds has another checksum than the frame names."""
    client = ccxt.pro.kraken()
    socket = _ccxt_socket(client)
    found = 0
    for frame in frames:
        message = json_parser.loads(frame)
        client.handle_order_book(socket, message)
        book = client.orderbooks[SYMBOL]
        rows = [*book["asks"][:10], *book["bids"][:10]]
        found += _sum_of(rows) != message["data"][0]["checksum"]
    await client.close()
    return found


def _sum_of(rows: Sequence[Sequence[float]]) -> int:
    texts = [f"{Decimal(repr(row[0])):.1f} {Decimal(repr(row[1])):.8f}" for row in rows]
    words = [word for text in texts for word in text.split()]
    return crc32("".join(word.replace(".", "").lstrip("0") for word in words).encode())


def _ccxt_socket(client: Any) -> Any:
    """What `handle_order_book` wants of a connection."""
    name = client.get_message_hash("orderbook", None, SYMBOL)
    return SimpleNamespace(
        subscriptions={name: {"limit": DEPTH}}, resolve=lambda *_: None, reject=lambda *_: None
    )
