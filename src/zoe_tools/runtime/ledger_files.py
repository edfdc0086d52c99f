"""Files of an account's history as they lie on the disk: plain tables, or the zip of a report.

What is not whole and readable ends in `LedgerFileError`, which names file and line. Nothing is
skipped but blank lines.
"""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple, Protocol, TypeVar

from zoe_tools.domain.instrument import InstrumentCatalogue
from zoe_tools.domain.ledger import ExportedTrade, LedgerEntry
from zoe_tools.errors import LedgerFileError
from zoe_tools.kraken.export_file import MOST_BYTES
from zoe_tools.kraken.ledger_table import NEEDED, ONLY_TRADES, LedgerTable, TradeTable

T = TypeVar("T")

_EXPORT = (
    "It must be the ledger export of Kraken's website or of an export report, unchanged: CSV or"
    " TSV in UTF-8, or the zip file itself."
)
_WHOLE = "Export it again: a file that was cut off or edited is not imported in parts."
_BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)


class _Reader(Protocol):
    """What `csv.reader` makes."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...


class Line(NamedTuple):
    """One line of a table: its number in the file, and its row; None if it only announces one."""

    number: int
    entry: LedgerEntry | None


def sha256_of(path: Path) -> str:
    """The digest of the whole file, as it lies there."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_trades(path: Path) -> bool:
    """Whether the file is a trades export, by its first line.

    Raises:
        LedgerFileError: it is neither text nor a zip with one table.
    """
    with _explained(path, _Place()), _opened(path) as text:
        return ONLY_TRADES in text.readline().lower()


def ledger_lines(path: Path, catalogue: InstrumentCatalogue) -> Iterator[Line]:
    """Every line of the file behind its first, read as it is asked for.

    Raises:
        LedgerFileError: the file, or a line of it, makes no sense.
        OSError: it cannot be read.
    """
    place = _Place()
    with _explained(path, place), _opened(path) as text:
        names, reader = _begun(path, text, place)
        table = _made(path, LedgerTable, names, catalogue)
        for cells in reader:
            if cells:
                yield Line(place.line, table.entry(cells))


def trades_in(path: Path, catalogue: InstrumentCatalogue) -> Iterator[ExportedTrade]:
    """Every row of a trades export, read as it is asked for.

    Raises:
        LedgerFileError, OSError: as `ledger_lines`.
    """
    place = _Place()
    with _explained(path, place), _opened(path) as text:
        names, reader = _begun(path, text, place)
        table = _made(path, TradeTable, names, catalogue)
        for cells in reader:
            if cells:
                yield table.trade(cells)


class _Place:
    """Where a reading is."""

    reader: _Reader | None = None

    @property
    def line(self) -> int:
        """The line in the file, from 1."""
        return 1 if self.reader is None else self.reader.line_num + 1


@contextmanager
def _explained(path: Path, place: _Place) -> Iterator[None]:
    """Turns whatever a file that is none breaks into one sentence."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise LedgerFileError(
            f"{path}: not UTF-8, at line {place.line} or soon after.", hint=_EXPORT
        ) from error
    except _BROKEN_ZIP as error:
        raise LedgerFileError(f"{path}: not a whole zip file ({error}).", hint=_WHOLE) from error
    except (csv.Error, ValueError) as error:
        raise LedgerFileError(f"{path}, line {place.line}: {error}.", hint=_WHOLE) from error


def _begun(path: Path, text: io.TextIOWrapper, place: _Place) -> tuple[list[str], _Reader]:
    """The names in the first line, and the lines behind it."""
    first = text.readline()
    if not first.strip():
        raise LedgerFileError(f"{path}: empty.", hint=_EXPORT)
    separator = "\t" if "\t" in first else ","
    names = next(csv.reader([first], delimiter=separator, strict=True))
    reader: _Reader = csv.reader(text, delimiter=separator, strict=True)
    place.reader = reader
    return names, reader


def _made(
    path: Path,
    table: Callable[[list[str], InstrumentCatalogue], T],
    names: list[str],
    catalogue: InstrumentCatalogue,
) -> T:
    """The table of these columns."""
    try:
        return table(names, catalogue)
    except ValueError as error:
        needed = ", ".join(NEEDED)
        raise LedgerFileError(
            f"{path}: {error}.", hint=f"{_EXPORT} Its columns are {needed} and more."
        ) from error


@contextmanager
def _opened(path: Path) -> Iterator[io.TextIOWrapper]:
    if path.exists() and not path.is_file():
        # Looked at before it is opened: a pipe without a writer would be waited for.
        raise LedgerFileError(f"{path}: not a file.", hint=_EXPORT)
    with path.open("rb") as raw:
        is_zip = raw.read(2) == b"PK"
        raw.seek(0)
        if not is_zip:
            yield _as_text(raw)
            return
        with zipfile.ZipFile(raw) as archive, archive.open(_member(path, archive)) as table:
            yield _as_text(table)


def _member(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """The one table of an export report; what it unpacks to is bounded."""
    members = archive.infolist()
    if len(members) != 1:
        raise LedgerFileError(
            f"{path}: {len(members)} files in it, where a report has one.", hint=_EXPORT
        )
    if members[0].file_size > MOST_BYTES:
        raise LedgerFileError(
            f"{path}: it would unpack to {members[0].file_size:,} bytes;"
            f" {MOST_BYTES:,} are the most that is read.",
            hint="Export the history year by year.",
        )
    return members[0]


def _as_text(raw: IO[bytes]) -> io.TextIOWrapper:
    """UTF-8, with the mark that some programs begin a file with or without it."""
    return io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
