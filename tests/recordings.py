"""Self-made recorded markets: candles that move, and frames whose checksums are right."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from zlib import crc32

HOUR_S = 3600
FIRST_CANDLE_S = 1_767_571_200
"""2026-01-05 00:00 UTC."""

CandleLine = tuple[int, str, str, str, str, str, int]
"""Opening second; open, high, low, close; volume; trades."""


def made_candles(count: int, *, seed: int = 7, starts_at: int = FIRST_CANDLE_S) -> list[CandleLine]:
    """A walk that gives the demo strategy risers, stops and targets."""
    draw = random.Random(seed)
    close = 2000_00
    rows: list[CandleLine] = []
    for number in range(count):
        opened = close
        close = max(100_00, opened + draw.randint(-2200, 2400))
        high = max(opened, close) + draw.randint(0, 900)
        low = min(opened, close) - draw.randint(0, 900)
        volume = Decimal(draw.randint(200_000_000, 9_000_000_000)).scaleb(-8)
        prices = (f"{Decimal(each).scaleb(-2)}" for each in (opened, high, low, close))
        rows.append((starts_at + number * HOUR_S, *prices, f"{volume}", draw.randint(4, 90)))  # type: ignore[arg-type]
    return rows


def write_candles(folder: Path, rows: Sequence[CandleLine], name: str = "ETHUSD_60.csv") -> Path:
    """The rows as Kraken's bulk files have them."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("".join(",".join(str(cell) for cell in row) + "\n" for row in rows))
    return path


# --- frames --------------------------------------------------------------------------------------

_NS = 1_000_000_000
_DEPTH = 25
_TEN = 10


def write_frames(folder: Path, updates: int, *, seed: int = 3) -> Path:
    """A snapshot of BTC/USD and so many updates, a frame every quarter of a second."""
    draw = random.Random(seed)
    bids = {630000 - number: _quantity(draw) for number in range(_DEPTH)}
    asks = {630001 + number: _quantity(draw) for number in range(_DEPTH)}
    at = FIRST_CANDLE_S * _NS
    lines = [f"{at}\t{_acknowledged()}", f"{at}\t{_frame('snapshot', bids, asks, bids, asks)}"]
    for _ in range(updates):
        at += _NS // 4
        is_bid = draw.random() < 0.5
        side = bids if is_bid else asks
        price = draw.choice(sorted(side))
        side[price] = _quantity(draw)
        changed = {price: side[price]}
        told = (changed, {}) if is_bid else ({}, changed)
        lines.append(f"{at}\t{_frame('update', *told, bids, asks)}")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "made_btcusd.frames.tsv"
    path.write_text("\n".join(lines) + "\n")
    return path


def checksum_of(bids: dict[int, int], asks: dict[int, int]) -> int:
    """Kraken's CRC32 of the ten best asks and bids; keys in tenths, values in 1e-8."""
    best = [(price, asks[price]) for price in sorted(asks)[:_TEN]]
    best += [(price, bids[price]) for price in sorted(bids, reverse=True)[:_TEN]]
    return crc32("".join(f"{price}{quantity}" for price, quantity in best).encode())


def _quantity(draw: random.Random) -> int:
    return draw.randint(1_000_000, 300_000_000)


def _acknowledged() -> str:
    result = {"channel": "book", "depth": _DEPTH, "snapshot": True, "symbol": "BTC/USD"}
    return json.dumps({"method": "subscribe", "result": result, "success": True})


def _frame(
    kind: str,
    bids: dict[int, int],
    asks: dict[int, int],
    all_bids: dict[int, int],
    all_asks: dict[int, int],
) -> str:
    crc = checksum_of(all_bids, all_asks)
    rows = f'"bids":[{_rows(bids)}],"asks":[{_rows(asks)}],"checksum":{crc}'
    return f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"BTC/USD",{rows}}}]}}'


def _rows(levels: dict[int, int]) -> str:
    return ",".join(
        f'{{"price":{Decimal(price).scaleb(-1)},"qty":{Decimal(quantity).scaleb(-8)}}}'
        for price, quantity in levels.items()
    )
