"""Opens a recorded market, whichever of the known formats the file has.

The suffix decides where it is one of ours, the first line where it is not.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from pathlib import Path

from zoe_tools.errors import MarketDataError
from zoe_tools.paper.markets.candles import read_candles
from zoe_tools.paper.markets.frames import read_frames
from zoe_tools.paper.markets.trades import read_trades
from zoe_tools.paper.values.market import MarketSource

_FORMATS = (
    "Known are Kraken's bulk candles (ETHUSD_60.csv), REST Trades (.json) and recorded v2 frames "
    "(.frames.tsv), each also compressed (.gz)."
)
_GZIP_MAGIC, _GZIP = b"\x1f\x8b", 31
_Read = Callable[[Path, str], MarketSource]
_BY_SUFFIX: tuple[tuple[str, _Read], ...] = (
    (".frames.tsv", read_frames),
    (".csv", read_candles),
    (".json", read_trades),
)
_BY_CONTENT: tuple[tuple[re.Pattern[str], _Read], ...] = (
    (re.compile(r"\d+\t\{"), read_frames),
    (re.compile(r"\s*\{"), read_trades),
    (re.compile(r"[\d.]+(,[^,\n]*){6}(\n|$)"), read_candles),
)


def open_market(path: Path) -> MarketSource:
    """The market that a file holds, read and checked as a whole.

    Raises:
        MarketDataError: it cannot be read, has no known format, or a line of it is wrong.
    """
    content = b""
    try:
        if path.exists() and not path.is_file():
            raise MarketDataError(f"{path} cannot be read: it is no regular file.", hint=_FORMATS)
        content = _unpacked(path, path.read_bytes())
        text = content.decode("utf-8")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise MarketDataError(
            f"{path} cannot be read: {reason}.", hint="Check the path and its permissions."
        ) from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise MarketDataError(f"{path}, line {line}: this is not text.", hint=_FORMATS) from error
    return _reader_of(path, text)(path, text)


def _unpacked(path: Path, content: bytes) -> bytes:
    """The content of a gzip file, and any other as it is.

    One that ends in its midst, as a recorder leaves it that was killed, is read up to its last
    whole line.
    """
    if content == _GZIP_MAGIC[:1]:
        return b""
    if not content.startswith(_GZIP_MAGIC):
        return content
    found = bytearray()
    rest = content
    while rest.startswith(_GZIP_MAGIC):  # files that were joined are one
        member = zlib.decompressobj(_GZIP)
        try:
            found += member.decompress(rest)
        except zlib.error as error:
            raise MarketDataError(f"{path} is damaged: {error}.", hint=_FORMATS) from error
        if not member.eof:
            return bytes(found[: found.rfind(b"\n") + 1])
        rest = member.unused_data
    return bytes(found)


def _reader_of(path: Path, text: str) -> _Read:
    name = path.name.lower().removesuffix(".gz")
    for suffix, read in _BY_SUFFIX:
        if name.endswith(suffix):
            return read
    for pattern, read in _BY_CONTENT:
        if pattern.match(text):
            return read
    raise MarketDataError(f"{path} has no format that can be replayed.", hint=_FORMATS)
