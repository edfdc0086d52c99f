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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from zoe_tools.domain.instrument import InstrumentCatalogue
from zoe_tools.domain.ledger import LedgerEntry
from zoe_tools.errors import LedgerFileError
from zoe_tools.kraken.export_file import MOST_BYTES
from zoe_tools.kraken.ledger_table import NEEDED, LedgerTable

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a table: its number in the file, and its row; None if it only announces one."""

    number: int
    entry: LedgerEntry | None


def sha256_of(path: Path) -> str:
    """The digest of the whole file, as it lies there."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def ledger_lines(path: Path, catalogue: InstrumentCatalogue) -> Iterator[Line]:
    """Every line of the file behind its first, read as it is asked for.

    Raises:
        LedgerFileError: the file, or a line of it, makes no sense.
        OSError: it cannot be read.
    """
    reader: _Reader | None = None
    try:
        with _opened(path) as text:
            first = text.readline()
            separator = "\t" if "\t" in first else ","
            table = _table(path, first, separator, catalogue)
            reader = csv.reader(text, delimiter=separator, strict=True)
            for cells in reader:
                if cells:
                    yield Line(number=reader.line_num + 1, entry=table.entry(cells))
    except UnicodeDecodeError as error:
        raise LedgerFileError(
            f"{path}: not UTF-8, at line {_line(reader)} or soon after.", hint=_EXPORT
        ) from error
    except _BROKEN_ZIP as error:
        raise LedgerFileError(f"{path}: not a whole zip file ({error}).", hint=_WHOLE) from error
    except (csv.Error, ValueError) as error:
        raise LedgerFileError(f"{path}, line {_line(reader)}: {error}.", hint=_WHOLE) from error


def _line(reader: _Reader | None) -> int:
    return 1 if reader is None else reader.line_num + 1


def _table(path: Path, first: str, separator: str, catalogue: InstrumentCatalogue) -> LedgerTable:
    if not first.strip():
        raise LedgerFileError(f"{path}: empty.", hint=_EXPORT)
    try:
        names = next(csv.reader([first], delimiter=separator, strict=True))
        return LedgerTable(names, catalogue)
    except (csv.Error, ValueError) as error:
        needed = ", ".join(NEEDED)
        raise LedgerFileError(
            f"{path}: {error}.", hint=f"{_EXPORT} Its columns are {needed} and more."
        ) from error


@contextmanager
def _opened(path: Path) -> Iterator[io.TextIOWrapper]:
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
