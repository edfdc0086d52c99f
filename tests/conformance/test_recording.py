"""The real recording, replayed to python-kraken-sdk's own order book over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from kraken.spot import Market, SpotOrderBookClient

from conformance_table import SDK
from conformance_venue import SYMBOL, served
from program import SHARED_DATA

Shows = Callable[[str, str], None]
RECORDING = SHARED_DATA / "crossbook" / "kraken_btcusd_sample.frames.tsv"
DEPTH = 25
_PATIENCE_S = 40.0
_SILENCE_S = 1.5
"""Far longer than any gap of the recording at the speed it is played."""


class Book(SpotOrderBookClient):  # type: ignore[misc]  # untyped here
    """The client's own book, counting checksums that hold and those that do not."""

    def __init__(self) -> None:
        super().__init__(depth=DEPTH)
        self.verified = 0
        self.refused = 0

    async def on_book_update(self, pair: str, message: Any) -> None:
        """The client checks updates; of a snapshot its book is checked here, as it does it."""
        if "error" in message:
            return
        book = self.get(pair)
        is_right = book["valid"]
        if message["type"] == "snapshot":
            is_right = _sum_of(book) == message["data"][0]["checksum"]
        self.verified += is_right
        self.refused += not is_right


def _sum_of(book: Any) -> int:
    """CRC-32 of the ten best asks and bids, as the client holds them."""
    levels = [*list(book["ask"].items())[:10], *list(book["bid"].items())[:10]]
    texts = (text for price, (quantity, _) in levels for text in (price, quantity))
    return crc32("".join(text.replace(".", "").lstrip("0") for text in texts).encode())


def followed() -> tuple[int, int]:
    """How many checksums held at the client, and how many did not."""

    async def run() -> tuple[int, int]:
        book = Book()
        async with asyncio.timeout(_PATIENCE_S), book:
            await book.add_book(pairs=[SYMBOL])
            seen = -1
            while not book.verified or seen != book.verified:
                seen = book.verified
                await asyncio.sleep(_SILENCE_S)
        return book.verified, book.refused

    return asyncio.run(run())


def test_the_real_recording_gives_2052_checksums_at_the_far_end(
    tmp_path: Path, shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every frame that Kraken sent arrives, and the client's own book has its checksum."""
    if not RECORDING.exists():
        pytest.skip("the recorded market data is not here")
    options = ("--market-data", str(RECORDING), "--speed", "20", "--await-subscriber")
    with served(tmp_path, *options, funds={}) as venue:
        monkeypatch.setattr(Book, "WS_URL", venue.ws_bases[0])
        monkeypatch.setattr(Market, "URL", venue.rest_url)
        verified, refused = followed()

    assert (verified, refused) == (2052, 0)
    shows(SDK, "checksums of the book")
