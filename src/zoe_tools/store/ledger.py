"""The venue's ledger and the journal made of it: append-only, booked once, a digest of each slice.

A million rows pass here: they go to SQLite's driver directly, and come from it in pages, each its
own short transaction. The digest of a slice is in the audit log, so that no row of it can be
changed, removed or added unseen.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Table, select
from sqlalchemy.exc import IntegrityError, OperationalError

from zoe_tools.domain.audit import AuditKind
from zoe_tools.domain.identifiers import AccountId
from zoe_tools.domain.ledger import (
    Booked,
    ChainRow,
    LedgerCursor,
    LedgerEntry,
    LedgerImport,
    Posting,
    is_same,
    second_of,
)
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.wallet import MAIN
from zoe_tools.store.audit import Log
from zoe_tools.store.database import make_room
from zoe_tools.store.ledger_digest import (
    ENTRY_COLUMNS,
    LINE_COLUMNS,
    number_text,
    spelled,
    time_text,
)
from zoe_tools.store.record_tables import (
    JOURNAL_ENTRIES,
    LEDGER_CURSORS,
    LEDGER_ENTRIES,
    LEDGER_IMPORTS,
)
from zoe_tools.store.rows import upsert

PAGE = 5_000
_LOOK_UP_ROWS = 500
_BULK_CACHE_KB = 160_000
_BULK_CHECKPOINT_PAGES = 64_000
"""The ids of ledger rows are random: each new one touches another page of their index. With all of
it at hand, and written back seldom, a million rows are not a million pages read and twice written.
"""

_IMPORT_COLUMNS = tuple(each.name for each in fields(LedgerImport))

Texts = tuple[str, ...]
After = tuple[Any, int]
"""Where a page of the ledger ended: time and number of its last row."""


class LedgerConflict(ValueError):
    """A row is in the books already, and says something else there."""

    def __init__(self, entry: LedgerEntry, known: LedgerEntry) -> None:
        super().__init__(f"row {entry.ledger_id} is in the books with other content")
        self.entry = entry
        self.known = known


class _Row(NamedTuple):
    """A row to be booked, and all its columns as texts."""

    entry: LedgerEntry
    postings: tuple[Posting, ...]
    texts: Texts


class LedgerBook:
    """One account's ledger within a transaction."""

    def __init__(self, connection: Connection, account_id: AccountId, log: Log) -> None:
        self._connection = connection
        self._account_id = account_id
        self._log = log
        self._is_sqlite = connection.dialect.name == "sqlite"

    # --- writing ---------------------------------------------------------------------------------

    def record(self, rows: Sequence[Booked], *, source: str, at: datetime) -> int:
        """Book rows with their lines under the name of this slice; returns how many were new.

        What is known by its id is left as it is. `source` must not have been used before.

        Raises:
            LedgerConflict: a known row says something else; nothing of the slice is kept.
        """
        fresh = self._inserted(rows, source) if rows else ()
        if not fresh:
            return 0
        lines = [line for row in fresh for line in _lines(row)]
        self._insert(JOURNAL_ENTRIES, LINE_COLUMNS, lines, lambda: _line_values(fresh))
        told = [spelled(texts[1:-1]) for texts in (*(row.texts for row in fresh), *lines)]
        facts = {
            "what": "ledger rows booked",
            "slice": source,
            "rows": len(fresh),
            "lines": len(lines),
            "first": fresh[0].entry.ledger_id,
            "last": fresh[-1].entry.ledger_id,
            "digest": hashlib.sha256("".join(told).encode()).hexdigest(),
        }
        self._log.note(AuditKind.LEDGER, at, (source.partition("/")[0],), facts)
        return len(fresh)

    def expect_many(self) -> None:
        """Have SQLite keep more of its trees at hand, and clean up less often, from now on."""
        make_room(
            self._connection, cache_kb=_BULK_CACHE_KB, checkpoint_pages=_BULK_CHECKPOINT_PAGES
        )

    def record_import(self, done: LedgerImport) -> None:
        """Note what was imported, once all of it is."""
        self._connection.execute(
            LEDGER_IMPORTS.insert(),
            {
                "account_id": self._account_id,
                **{name: getattr(done, name) for name in _IMPORT_COLUMNS},
            },
        )

    def keep_cursor(self, cursor: LedgerCursor) -> None:
        """Remember how far the venue's ledger was read."""
        values = {
            "account_id": self._account_id,
            "source": cursor.source,
            "newest_at": cursor.newest_at,
            "details": dict(cursor.details),
        }
        upsert(self._connection, LEDGER_CURSORS, values)

    def _inserted(self, rows: Sequence[Booked], source: str) -> Sequence[_Row]:
        """Those of the rows that were new. Usually all are: on SQLite that is tried first."""
        own = self._account_id
        told = [_Row(entry, lines, _texts(own, entry, source)) for entry, lines in rows]
        if self._is_sqlite:
            # Without a savepoint: under one, SQLite writes each page it changes to a file as well.
            try:
                self._insert_entries(told)
            except IntegrityError:
                pass  # some are known: which? Those before the first of them are in.
            else:
                return told
        self._log.lock()
        unique = {row.entry.ledger_id: row for row in told}
        known, own_so_far = self._known([*unique], source)
        for row in told:
            before = known.get(row.entry.ledger_id) or unique[row.entry.ledger_id].entry
            if not is_same(row.entry, before):
                raise LedgerConflict(row.entry, before)
        fresh = [row for name, row in unique.items() if name not in known]
        self._insert_entries([row for row in fresh if row.entry.ledger_id not in own_so_far])
        # As they stand in the table: the digest is over that order.
        return sorted(fresh, key=lambda row: row.entry.ledger_id not in own_so_far)

    def _insert_entries(self, rows: Sequence[_Row]) -> None:
        texts = [row.texts for row in rows]
        self._insert(LEDGER_ENTRIES, ENTRY_COLUMNS, texts, lambda: _entry_values(rows))

    def _insert(
        self,
        table: Table,
        columns: Sequence[str],
        texts: Sequence[Texts],
        values: Callable[[], Iterable[Sequence[Any]]],
    ) -> None:
        """Insert whole rows: on SQLite these texts, on PostgreSQL these values."""
        if not texts:
            return
        named = ("account_id", *columns, "source")
        if not self._is_sqlite:
            rows = [
                dict(zip(named, (text[0], *each, text[-1]), strict=True))
                for text, each in zip(texts, values(), strict=True)
            ]
            self._connection.execute(table.insert(), rows)
            return
        marks = ", ".join("?" * len(named))
        statement = f"INSERT INTO {table.name} ({', '.join(named)}) VALUES ({marks})"  # noqa: S608 - names of our own tables
        driver: Any = self._connection.connection.driver_connection
        try:
            driver.executemany(statement, texts)
        except sqlite3.IntegrityError as error:
            raise IntegrityError(statement, None, error) from error
        except sqlite3.Error as error:
            raise OperationalError(statement, None, error) from error

    # --- reading ---------------------------------------------------------------------------------

    def known(self, ledger_ids: Sequence[str]) -> dict[str, LedgerEntry]:
        """Those of these rows that are booked, by their ids."""
        return self._known(ledger_ids, "")[0]

    def _known(
        self, ledger_ids: Sequence[str], source: str
    ) -> tuple[dict[str, LedgerEntry], set[str]]:
        """Those of these rows that are booked; and the ids of those that are of this slice."""
        table = LEDGER_ENTRIES
        found: dict[str, LedgerEntry] = {}
        own: set[str] = set()
        for start in range(0, len(ledger_ids), _LOOK_UP_ROWS):
            part = ledger_ids[start : start + _LOOK_UP_ROWS]
            rows = self._connection.execute(
                select(table).where(
                    table.c.account_id == self._account_id, table.c.ledger_id.in_(part)
                )
            )
            for row in rows:
                if source and row.source == source:
                    own.add(row.ledger_id)
                else:
                    found[row.ledger_id] = entry_of(row)
        return found, own

    def is_empty(self) -> bool:
        """Whether no row is booked at all."""
        table = LEDGER_ENTRIES
        statement = select(table.c.row_id).where(table.c.account_id == self._account_id).limit(1)
        return self._connection.execute(statement).first() is None

    def rows(
        self, since: datetime | None = None, *, asset: str = "", kind: str = ""
    ) -> tuple[LedgerEntry, ...]:
        """Rows at `since` or later, of one asset or type if one is named; oldest first."""
        table = LEDGER_ENTRIES
        wanted = [table.c.account_id == self._account_id]
        wanted += [table.c.booked_at >= since] if since is not None else []
        wanted += [table.c.asset == asset] if asset else []
        wanted += [table.c.kind == kind] if kind else []
        statement = select(table).where(*wanted).order_by(table.c.booked_at, table.c.row_id)
        return tuple(entry_of(row) for row in self._connection.execute(statement))

    def newest(self, most: int) -> tuple[LedgerEntry, ...]:
        """So many of the youngest rows at most, newest first."""
        table = LEDGER_ENTRIES
        statement = (
            select(table)
            .where(table.c.account_id == self._account_id)
            .order_by(table.c.booked_at.desc(), table.c.row_id.desc())
            .limit(most)
        )
        return tuple(entry_of(row) for row in self._connection.execute(statement))

    def chain_page(self, after: After | None = None) -> tuple[list[ChainRow], After | None]:
        """Rows in the order of their times, `PAGE` at most, and where the next page begins."""
        beyond = "" if after is None else "AND (booked_at, row_id) > (?, ?) "
        rows = self._read(
            "SELECT booked_at, row_id, ledger_id, asset, wallet, amount, fee, balance, fee_asset "  # noqa: S608 - only our own words
            f"FROM ledger_entries WHERE account_id = ? {beyond}"
            f"ORDER BY booked_at, row_id LIMIT {PAGE}",
            after or (),
        )
        last = (rows[-1][0], rows[-1][1]) if len(rows) == PAGE else None
        return [_chain_row(row) for row in rows], last

    def journal_page(self, after: int = 0) -> tuple[list[Posting], int | None]:
        """Lines of the journal, `PAGE` at most, and where to go on; lines alike are one, summed."""
        rows = self._read(
            "SELECT row_id, asset, amount, from_account, to_account "  # noqa: S608 - only our own words
            "FROM journal_entries WHERE account_id = ? AND row_id > ? "
            f"ORDER BY row_id LIMIT {PAGE}",
            (after,),
        )
        flows: dict[tuple[str, str, str], Decimal] = {}
        for _, asset, amount, source, target in rows:
            key = (asset, source, target)
            flows[key] = flows.get(key, ZERO) + Decimal(amount)
        last = rows[-1][0] if len(rows) == PAGE else None
        return [Posting(asset, flow, *ends) for (asset, *ends), flow in flows.items()], last

    def cursor(self, source: str) -> LedgerCursor | None:
        """How far the venue's ledger was read; None: never."""
        table = LEDGER_CURSORS
        row = self._connection.execute(
            select(table).where(table.c.account_id == self._account_id, table.c.source == source)
        ).first()
        if row is None:
            return None
        return LedgerCursor(source=row.source, newest_at=row.newest_at, details=row.details)

    def imports(self) -> tuple[LedgerImport, ...]:
        """What was imported, oldest first."""
        table = LEDGER_IMPORTS
        rows = self._connection.execute(
            select(table).where(table.c.account_id == self._account_id).order_by(table.c.row_id)
        )
        return tuple(
            LedgerImport(**{name: getattr(row, name) for name in _IMPORT_COLUMNS}) for row in rows
        )

    def _read(self, statement: str, values: Sequence[Any]) -> Sequence[Any]:
        """Raw rows: on SQLite texts, on PostgreSQL times and decimals. `?` marks a value."""
        chosen = (self._account_id, *values)
        if not self._is_sqlite:
            text = statement.replace("?", "%s")
            return self._connection.exec_driver_sql(text, chosen).fetchall()
        driver: Any = self._connection.connection.driver_connection
        try:
            found: list[Any] = driver.execute(statement, chosen).fetchall()
        except sqlite3.Error as error:
            raise OperationalError(statement, None, error) from error
        return found


def entry_of(row: Row[Any]) -> LedgerEntry:
    """A row of the table."""
    return LedgerEntry(
        ledger_id=row.ledger_id,
        refid=row.refid,
        booked_at=row.booked_at,
        kind=row.kind,
        subtype=row.subtype,
        asset=row.asset,
        amount=row.amount,
        fee=row.fee,
        balance=row.balance,
        wallet=row.wallet or MAIN,
        asset_class=row.asset_class,
        fee_asset=row.fee_asset,
    )


def _texts(own: str, entry: LedgerEntry, source: str) -> Texts:
    return (
        own,
        entry.ledger_id,
        entry.refid,
        time_text(entry.booked_at),
        entry.kind,
        entry.subtype,
        entry.asset,
        number_text(entry.amount),
        number_text(entry.fee),
        number_text(entry.balance),
        entry.wallet,
        entry.asset_class,
        entry.fee_asset,
        source,
    )


def _lines(row: _Row) -> Iterator[Texts]:
    own, ledger_id, refid, at, kind, *_, source = row.texts
    for number, (asset, amount, left, reached) in enumerate(row.postings):
        told = number_text(amount)
        yield own, ledger_id, str(number), at, refid, kind, asset, told, left, reached, source


def _entry_values(rows: Sequence[_Row]) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        yield tuple(getattr(row.entry, name) for name in ENTRY_COLUMNS)


def _line_values(rows: Sequence[_Row]) -> Iterator[tuple[Any, ...]]:
    for entry, postings, _ in rows:
        common = (entry.booked_at, entry.refid, entry.kind)
        for number, posting in enumerate(postings):
            yield entry.ledger_id, number, *common, *posting


def _chain_row(row: Sequence[Any]) -> ChainRow:
    at, _, ledger_id, asset, wallet, amount, fee, balance, fee_asset = row
    second = at[:19] if isinstance(at, str) else second_of(at)
    charged = Decimal(fee)
    if fee_asset and fee_asset != asset and charged:
        charge = (fee_asset, charged)
        return ChainRow(
            second, ledger_id, asset, wallet or MAIN, Decimal(amount), Decimal(balance), 0, charge
        )
    change = Decimal(amount) - charged
    return ChainRow(second, ledger_id, asset, wallet or MAIN, change, Decimal(balance))
