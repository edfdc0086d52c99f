"""Kraken's bulk archives as they lie on the disk: trades or candles, plain or inside their zip.

A table is named after its pair, `XBTUSD.csv` for trades and `XBTUSD_60.csv` for candles of 60
minutes, has no header, and is read in parts of some megabytes, so that its size is no matter. Every
row counts, also where two are the same: trades are stamped to the second. What is not whole and
readable ends in `MarketDataError`, which names file and line.
"""

from __future__ import annotations

import errno
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import IO

import polars as pl

from zoe_tools.core.candle_frames import TRADES
from zoe_tools.domain.candle import Timeframe
from zoe_tools.domain.candle_table import AMOUNT
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import InstrumentCatalogue
from zoe_tools.domain.money import MOST, PLACES, ZERO, amount_of, short
from zoe_tools.domain.words import one_line
from zoe_tools.errors import MarketDataError

PART_BYTES = 8 << 20
"""Of a table, so much at a time: more is no faster, and only takes memory."""

CANDLES = pl.Schema(
    {
        "at": pl.Int64(),
        "open": AMOUNT,
        "high": AMOUNT,
        "low": AMOUNT,
        "close": AMOUNT,
        "volume": AMOUNT,
        "count": pl.Int64(),
    }
)
"""A row of an OHLCVT table; the archives tell no vwap."""

_BY_MINUTES = {each.minutes: each for each in Timeframe}
_NAME = re.compile(r"([A-Za-z0-9.]+?)(?:_([0-9]+))?\.csv", re.IGNORECASE)
_TOO_FINE = re.compile(rb"\.[0-9]{%d}[0-9]*[1-9]" % PLACES)
_POWERS = re.compile(rb"[0-9.]+[eE][+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"[+-]?[0-9]+")
_MOST = pl.lit(MOST, AMOUNT)
_LATEST = 1 << 32
"""Seconds since 1970, in 2106: what is later is told in milliseconds or finer."""
_MOST_COUNT = (1 << 31) - 1
"""Trades of a candle, as the store's column holds them."""
_LONGEST_LINE = 1 << 16
_AGAIN = "Download it again: nothing of a table that makes no sense is imported."
_CANDLE_CELLS = len(CANDLES)
_BROKEN_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,
    UnicodeDecodeError,
)


class Kind(StrEnum):
    """What the rows of a table are."""

    TRADES = "trades"
    CANDLES = "candles"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table of an archive; `member` is its name inside the zip, `size` its length in bytes."""

    path: Path
    member: str
    symbol: Symbol
    kind: Kind
    timeframe: Timeframe | None
    size: int

    @property
    def name(self) -> str:
        """As it is told: whoever packed a zip may have named its members as they like."""
        return one_line(f"{self.path.name}:{self.member}" if self.member else self.path.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What an archive holds; `strange` are members that are no table of a known pair."""

    tables: tuple[Table, ...]
    strange: tuple[str, ...]


def contents_of(path: Path, catalogue: InstrumentCatalogue) -> Contents:
    """The tables of a file or of a zip.

    Raises:
        MarketDataError: it is neither.
        OSError: it cannot be read.
    """
    if not zipfile.is_zipfile(path):
        if path.suffix.lower() == ".zip":
            raise MarketDataError(
                f"{path.name} is not whole: no zip ends like this.", hint="Download it again."
            )
        table = _table(path, "", path.name, path.stat().st_size, catalogue)
        if table is None:
            raise MarketDataError(
                f"{path.name} is not named after a pair that is known here.",
                hint="Kraken names its tables XBTUSD.csv (trades) and XBTUSD_60.csv (candles).",
            )
        return Contents(tables=(table,), strange=())
    tables: list[Table] = []
    strange: list[str] = []
    with _whole(path), zipfile.ZipFile(path) as archive:
        _demand_each_once(archive)
        for member in archive.infolist():
            name = PurePosixPath(member.filename).name
            if member.is_dir() or name.startswith("."):
                continue
            found = _table(path, member.filename, name, member.file_size, catalogue)
            if found is None:
                strange.append(one_line(member.filename))
            else:
                tables.append(found)
    return Contents(tables=tuple(tables), strange=tuple(strange))


def _demand_each_once(archive: zipfile.ZipFile) -> None:
    """Of two members of one name only the last could be opened, and the other would be lost."""
    names = set[str]()
    for each in archive.namelist():
        if each in names:
            raise zipfile.BadZipFile(f"it holds {each!r} twice")
        names.add(each)


def _table(
    path: Path, member: str, name: str, size: int, catalogue: InstrumentCatalogue
) -> Table | None:
    """The table that is named so; None: it is named after nothing that is known."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    spelling, minutes = match.groups()
    instrument = catalogue.find(spelling)
    timeframe = None if minutes is None else _BY_MINUTES.get(int(minutes))
    if instrument is None or (minutes is not None and timeframe is None):
        return None
    return Table(
        path=path,
        member=member,
        symbol=instrument.symbol,
        kind=Kind.TRADES if timeframe is None else Kind.CANDLES,
        timeframe=timeframe,
        size=size,
    )


def parts_of(table: Table) -> Iterator[pl.DataFrame]:
    """The rows of a table, some megabytes at a time, as `TRADES` or as `CANDLES`.

    Raises:
        MarketDataError: a row makes no sense, or is older than the one before it.
        OSError: it cannot be read.
    """
    schema = TRADES if table.kind is Kind.TRADES else CANDLES
    line, newest = 1, -1
    with _whole(table.path), _opened(table) as file:
        for text in _texts(file):
            rows = _rows(table, text, schema, line)
            if rows.height:
                _demand_order(table, rows["at"], line, newest)
                newest = rows.item(-1, "at")
                yield rows
            line += text.count(b"\n")


def _demand_order(table: Table, at: pl.Series, line: int, newest: int) -> None:
    """Trades come oldest first; candles stand on their grid, and each once."""
    step = at.diff().fill_null(at[0] - newest)
    if table.timeframe is None:
        strange, words = step < 0, "it is older than the trade before it"
    else:
        length = table.timeframe.minutes * 60
        strange = (step <= 0) | (at % length != 0)
        words = f"it does not begin a later {table.timeframe.value} than the candle before it"
    place = strange.arg_max() if strange.any() else None
    if place is not None:
        raise MarketDataError(
            f"{table.name}, line {line + place:,}: {words}: {at[place]}",
            hint="Kraken's tables are sorted by time. Sort this one by its first column, keeping"
            " the order of rows of the same second; nothing of it is imported.",
        )


def _texts(file: IO[bytes]) -> Iterator[bytes]:
    """Whole lines, so many bytes of them; the last line may lack its end.

    A line that is longer than any row comes in pieces, which make no sense as rows.
    """
    rest = b""
    while text := file.read(PART_BYTES):
        end = text.rfind(b"\n") + 1
        if end:
            yield rest + text[:end]
            rest = text[end:]
        else:
            rest += text
        if len(rest) > max(_LONGEST_LINE, PART_BYTES):
            yield rest
            rest = b""
    if rest:
        yield rest


def _rows(table: Table, text: bytes, schema: pl.Schema, line: int) -> pl.DataFrame:
    try:
        rows = pl.read_csv(
            io.BytesIO(text), has_header=False, schema={**schema, "at": AMOUNT}, quote_char=None
        ).with_columns(pl.col("at").cast(pl.Int64))
    except (pl.exceptions.PolarsError, ValueError):
        rows = None
    if rows is None or _is_strange(rows) or _is_too_fine(text):
        raise _explained(table, text, schema, line)
    return rows


def _is_too_fine(text: bytes) -> bool:
    """Whether a digit was written that the columns have rounded away."""
    if _TOO_FINE.search(text):
        return True
    if b"e" not in text and b"E" not in text:
        return False
    for each in frozenset(_POWERS.findall(text)):
        try:
            amount_of(each.decode())
        except ValueError:
            return True
    return False


def _is_strange(rows: pl.DataFrame) -> bool:
    """Whether a cell is empty, or something is priced or counted that cannot be."""
    below = [pl.col("at") < 0, pl.col("at") >= _LATEST]
    below += [pl.col("volume") < 0, pl.col("volume") >= _MOST]
    prices = [name for name in rows.columns if name not in ("at", "volume", "count")]
    below += [pl.col(name) <= 0 for name in prices]
    below += [pl.col(name) >= _MOST for name in prices]
    if "count" in rows.columns:
        between = pl.min_horizontal("open", "close") < pl.col("low")
        between |= pl.max_horizontal("open", "close") > pl.col("high")
        below += [pl.col("count") < 0, pl.col("count") > _MOST_COUNT, between]
    empty = pl.any_horizontal(pl.all().is_null())
    return bool(rows.select(pl.any_horizontal(empty, *below).any()).item())


def _explained(table: Table, text: bytes, schema: pl.Schema, first: int) -> MarketDataError:
    """Which line it is, found again one by one."""
    for number, line in enumerate(text.removesuffix(b"\n").split(b"\n"), first):
        words = _fault(line.removesuffix(b"\r"), schema)
        if words:
            shown = line[:80].decode(errors="replace")
            return MarketDataError(f"{table.name}, line {number}: {words}: {shown!r}", hint=_AGAIN)
    return MarketDataError(f"{table.name} cannot be read from line {first} on.", hint=_AGAIN)


def _fault(line: bytes, schema: pl.Schema) -> str:
    """What is wrong with one line; empty: nothing."""
    cells = line.decode("ascii", errors="replace").split(",")
    if len(cells) != len(schema):
        return f"{len(cells)} cells, {len(schema)} are wanted"
    found: dict[str, Decimal] = {}
    for name, cell in zip(schema, cells, strict=True):
        try:
            value = amount_of(cell)
        except ValueError as error:
            return f"{name}: {error}"
        if not _NUMBER.fullmatch(cell) or (name == "count" and not _WHOLE.fullmatch(cell)):
            return f"{name}: {cell!r} is not written as a number of these tables is"
        is_price = name not in ("at", "volume", "count")
        is_late = (name == "at" and value >= _LATEST) or (name == "count" and value > _MOST_COUNT)
        if value < ZERO or (is_price and value == ZERO) or is_late:
            unit = ", and no time in seconds since 1970" if is_late and name == "at" else ""
            return f"{name} is {short(value)}{unit}"
        found[name] = value
    if len(cells) != _CANDLE_CELLS:
        return ""
    ends = (found["open"], found["close"])
    is_around = found["low"] <= min(ends) and max(ends) <= found["high"]
    return "" if is_around else "high and low are not around open and close"


@contextmanager
def _opened(table: Table) -> Iterator[IO[bytes]]:
    if not table.member:
        with table.path.open("rb") as file:
            yield file
        return
    with zipfile.ZipFile(table.path) as archive, archive.open(table.member) as file:
        yield file


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    try:
        yield
    except _BROKEN_ZIP as error:
        raise _broken(path, error) from error
    except OSError as error:
        # What unpacks it says so where a length or a place is none; the disk has other reasons.
        if error.errno not in (None, errno.EINVAL):
            raise
        raise _broken(path, error) from error


def _broken(path: Path, error: Exception) -> MarketDataError:
    return MarketDataError(
        f"{path.name} is not whole: {error}",
        hint="Download it again: nothing of an archive that is broken is imported.",
    )
