"""The files of Kraken's export reports: a zip with one table, rows as domain values. Pure.

Columns are found by their names, and further ones are tolerated: the venue has added to them more
than once. What is not whole and readable raises `VenueMisbehaved`; nothing is skipped.
Source: kraken-spot section 6.
"""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping

from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import FillId, VenueOrderId
from zoe_tools.domain.instrument import InstrumentCatalogue
from zoe_tools.domain.ledger import LedgerEntry
from zoe_tools.domain.money import decimal_of
from zoe_tools.errors import VenueMisbehaved
from zoe_tools.kraken.codec import side_of, symbol_of, understanding
from zoe_tools.kraken.ledger_table import LedgerTable, moment_of

MOST_BYTES = 1_000_000_000
"""A table beyond this is not unpacked: a small zip file can claim to hold anything."""


def fills_in(content: bytes, catalogue: InstrumentCatalogue) -> Iterator[Fill]:
    """The executions of a `trades` report, in the file's order (kraken-spot section 6).

    Raises:
        VenueMisbehaved: the file or a row of it makes no sense.
    """
    with understanding("RetrieveExport"):
        rows = _rows(content)
        names = next(rows, [])
        for cells in rows:
            yield _fill_of(dict(zip(names, cells, strict=True)), catalogue)


def entries_in(content: bytes, catalogue: InstrumentCatalogue) -> Iterator[LedgerEntry]:
    """The rows of a `ledgers` report, in the file's order.

    Raises:
        VenueMisbehaved: the file or a row of it makes no sense.
    """
    with understanding("RetrieveExport"):
        rows = _rows(content)
        table = LedgerTable(next(rows, []), catalogue)
        for cells in rows:
            entry = table.entry(cells)
            if entry is not None:
                yield entry


def _rows(content: bytes) -> Iterator[list[str]]:
    with _table(content) as table:
        first = table.readline()
        separator = "\t" if "\t" in first else ","
        try:
            yield next(csv.reader([first], delimiter=separator, strict=True), [])
            yield from csv.reader(table, delimiter=separator, strict=True)
        except csv.Error as error:
            raise ValueError(str(error)) from error


def _table(content: bytes) -> io.TextIOWrapper:
    """The one table of the zip file, checked against its checksum before a row is believed."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            (info,) = archive.infolist()
            if info.file_size > MOST_BYTES:
                raise ValueError(f"{info.file_size} bytes are too many")
            table = archive.read(info)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError):
        raise VenueMisbehaved(
            "The export report is no whole zip file.", hint="Fetch it again."
        ) from None
    return io.TextIOWrapper(io.BytesIO(table), encoding="utf-8", newline="")


def _fill_of(row: Mapping[str, str], catalogue: InstrumentCatalogue) -> Fill:
    instrument = catalogue.find(row["pair"])
    return Fill(
        fill_id=FillId(row["txid"]),
        venue_order_id=VenueOrderId(row["ordertxid"]),
        symbol=symbol_of(row["pair"], catalogue),
        side=side_of(row["type"]),
        quantity=decimal_of(row["vol"]),
        price=decimal_of(row["price"]),
        cost=decimal_of(row["cost"]),
        fee=decimal_of(row["fee"]),
        fee_asset=instrument.quote if instrument is not None else "",
        filled_at=moment_of(row["time"]),
    )
