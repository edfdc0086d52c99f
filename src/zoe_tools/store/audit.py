"""The audit log: what a transaction did is collected, and chained to the log as it commits.

The head row is locked from the first chained row to the commit, so that two writers never link to
the same row, and business and log are kept or lost together.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, or_, select, update
from sqlalchemy.exc import OperationalError

from zoe_tools.domain.audit import (
    NOTHING_BEFORE,
    AuditHead,
    AuditKind,
    AuditRow,
    BooksState,
    Checkpoint,
    SignedHead,
    head_statement,
    instant,
    moment,
    payload_of,
    row_hash,
)
from zoe_tools.domain.identifiers import AccountId
from zoe_tools.errors import ConfigError
from zoe_tools.ports import HeadSigner
from zoe_tools.store.accounts import store_epoch
from zoe_tools.store.audit_books import books_state
from zoe_tools.store.rows import insert_new
from zoe_tools.store.tables import AUDIT_CHECKPOINTS, AUDIT_HEADS, AUDIT_LOG, AUDIT_SIGNATURES
from zoe_tools.store.transactions import unmarked

_LOG = logging.getLogger(__name__)

SIGN_EVERY_ROWS = 256
SIGN_EVERY = timedelta(seconds=60)
"""A head is signed with the first commit after so many rows or so long, and when a command ends."""

_UNSIGNED = -1
_FEW_IDS = 50
_SELECT_HEAD = "SELECT seq, hash, signed_seq, signed_at FROM audit_heads WHERE account_id = ?"
_INSERT_ROW = "INSERT INTO audit_log VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_UPDATE_HEAD = "UPDATE audit_heads SET seq = ?, hash = ?, at = ? WHERE account_id = ?"
_ADD_ROWS = AUDIT_LOG.insert()
_MOVE_HEAD = (
    update(AUDIT_HEADS)
    .where(AUDIT_HEADS.c.account_id == bindparam("owner"))
    .values(seq=bindparam("to_seq"), hash=bindparam("to_hash"), at=bindparam("to_at"))
)
_LOCK_HEAD = (
    select(AUDIT_HEADS).where(AUDIT_HEADS.c.account_id == bindparam("owner")).with_for_update()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Note:
    at: str
    kind: AuditKind
    subjects: str
    payload: str


@dataclass(frozen=True, slots=True)
class _Head:
    """The head row as it stands; signed up to `signed_seq`."""

    seq: int
    hash: str
    signed_seq: int
    signed_at: str


class Log:
    """One transaction's view of the account's log, and what it adds to it as it commits.

    `flush` is called last, by the store itself.
    """

    def __init__(
        self, connection: Connection, account_id: AccountId, signer: HeadSigner | None = None
    ) -> None:
        self._connection = connection
        self._account_id = account_id
        self._signer = signer
        self._notes: list[_Note] = []
        self._must_sign = False
        self._is_flushed = False
        self._head: SignedHead | None = None
        self.has_news = False
        self.is_signed = False
        self.can_sign = True
        """False once a signature was due and the key could not be read; the rows are kept."""
        self.newest: tuple[int, str] | None = None
        """Number and hash of the last row this transaction wrote, once it is flushed."""

    def act(
        self, at: datetime, what: str, facts: Mapping[str, object], subjects: Sequence[str] = ()
    ) -> None:
        """Note what somebody ordered. What the books themselves record is noted without this."""
        self.note(AuditKind.ACTION, at, subjects, {"what": what, **facts})

    def sign(self) -> None:
        """Have the head signed as this transaction commits, however few rows are new."""
        self._must_sign = True

    def lock(self) -> None:
        """Keep other transactions of this account from writing the log until this one ends.

        On SQLite nobody else can write anyway.
        """
        if self._connection.dialect.name != "sqlite":
            self._connection.execute(_LOCK_HEAD, {"owner": self._account_id})

    @property
    def has_notes(self) -> bool:
        """Whether this transaction told the log something already."""
        return bool(self._notes)

    def note(
        self,
        kind: AuditKind,
        at: datetime | None,
        subjects: Sequence[str | None],
        facts: Mapping[str, object],
    ) -> None:
        """One more row; without a time it has that of the row before it in the transaction."""
        if self._is_flushed:
            raise ValueError(f"{kind.value}: the transaction is concluded")
        when = instant(at) if at else self._notes[-1].at if self._notes else ""
        if not when:
            raise ValueError(f"{kind.value}: the first row of a transaction needs its time")
        told = " ".join(dict.fromkeys(each for each in subjects if each))
        self._notes.append(_Note(at=when, kind=kind, subjects=told, payload=payload_of(facts)))

    def flush(self) -> SignedHead | None:
        """Link the rows to the log; returns the head, if it is signed with them. Once is enough."""
        if self._is_flushed:
            return self._head
        self._is_flushed = True
        if self._notes or self._must_sign:
            with unmarked(self._connection, AUDIT_LOG.name):
                self._head = self._flushed()
        return self._head

    def _flushed(self) -> SignedHead | None:
        is_sqlite = self._connection.dialect.name == "sqlite"
        before = self._head_of_sqlite() if is_sqlite else self._locked_head()
        fresh = self._linked(before)
        if fresh:
            (self._write_to_sqlite if is_sqlite else self._write)(fresh)
        signed = self._signed(before, fresh)
        self.has_news = bool(fresh)
        self.newest = (fresh[-1][1], fresh[-1][-1]) if fresh else None
        self.is_signed = signed is not None
        return signed

    def _linked(self, head: _Head) -> list[tuple[Any, ...]]:
        seq, before = head.seq, head.hash
        rows = []
        for note in self._notes:
            seq += 1
            written = (note.kind.value, note.subjects, note.payload)
            this = row_hash(self._account_id, seq, note.at, *written, before)
            rows.append((self._account_id, seq, note.at, *written, before, this))
            before = this
        return rows

    # --- the two databases -----------------------------------------------------------------------

    def _head_of_sqlite(self) -> _Head:
        """The transaction holds the database's write lock already. Past SQLAlchemy, for speed."""
        found = self._on_sqlite(_SELECT_HEAD, (self._account_id,)).fetchone()
        if found is None:
            return self._rebuilt()
        return _Head(*found)

    def _write_to_sqlite(self, rows: list[tuple[Any, ...]]) -> None:
        for row in rows:
            self._on_sqlite(_INSERT_ROW, row)
        last = rows[-1]
        self._on_sqlite(_UPDATE_HEAD, (last[1], last[-1], last[2], self._account_id))

    def _on_sqlite(self, statement: str, values: tuple[Any, ...]) -> sqlite3.Cursor:
        driver: Any = self._connection.connection.driver_connection
        try:
            done: sqlite3.Cursor = driver.execute(statement, values)
        except sqlite3.Error as error:
            raise OperationalError(statement, None, error) from error
        return done

    def _locked_head(self) -> _Head:
        row = self._connection.execute(_LOCK_HEAD, {"owner": self._account_id}).first()
        if row is None:
            return self._rebuilt()
        return _Head(row.seq, row.hash, row.signed_seq, row.signed_at)

    def _write(self, rows: list[tuple[Any, ...]]) -> None:
        names = [column.name for column in AUDIT_LOG.columns]
        self._connection.execute(_ADD_ROWS, [dict(zip(names, row, strict=True)) for row in rows])
        last = rows[-1]
        self._connection.execute(
            _MOVE_HEAD,
            {"owner": self._account_id, "to_seq": last[1], "to_hash": last[-1], "to_at": last[2]},
        )

    def _rebuilt(self) -> _Head:
        """Somebody took the head row away: go on from the newest row, and say so in the log."""
        table = AUDIT_LOG
        last = self._connection.execute(
            select(table)
            .where(table.c.account_id == self._account_id)
            .order_by(table.c.seq.desc())
            .limit(1)
        ).first()
        seq, this = (-1, NOTHING_BEFORE) if last is None else (last.seq, last.hash)
        at = self._notes[0].at if self._notes else last.at if last is not None else ""
        if not at:
            raise ValueError("an account's log begins when its store is opened")
        insert_new(self._connection, AUDIT_HEADS, _head_values(self._account_id, seq, this, at))
        facts = {"why": "the head row was missing", "seq": seq}
        note = _Note(at=at, kind=AuditKind.REBUILT, subjects="", payload=payload_of(facts))
        self._notes.insert(0, note)
        return _Head(seq, this, _UNSIGNED, "")

    # --- signatures ------------------------------------------------------------------------------

    def _signed(self, before: _Head, fresh: list[tuple[Any, ...]]) -> SignedHead | None:
        if self._signer is None:
            return None
        now = _head_of(fresh[-1]) if fresh else self.head()
        if now is None or now.seq <= before.signed_seq:
            return None
        is_due = not before.signed_at or moment(now.at) - moment(before.signed_at) >= SIGN_EVERY
        if not (self._must_sign or is_due or now.seq - before.signed_seq >= SIGN_EVERY_ROWS):
            return None
        try:
            return _sign(self._connection, now, self._signer)
        except ConfigError as error:  # the key cannot be read: that may not keep a kill from us
            _LOG.error("the audit log is not signed: %s", error.message)
            self.can_sign = False
            return None

    # --- reading ---------------------------------------------------------------------------------

    def head(self) -> AuditHead | None:
        """The newest row, as the head row says; None when there is none."""
        row = _head_row(self._connection, self._account_id)
        if row is None:
            return None
        return AuditHead(
            account_id=self._account_id, seq=_number(row.seq), hash=row.hash, at=row.at
        )

    def rows(self, naming: Sequence[str] = ()) -> Iterator[AuditRow]:
        """The log in its order, read as it is asked for; of rows that name one of these ids.

        Without ids every row.
        """
        return rows(self._connection, self._account_id, naming)

    def row(self, seq: int) -> AuditRow | None:
        """One row by its number; None where there is none, or none any more."""
        return row(self._connection, self._account_id, seq)

    def was_restored(self, store_epoch: str) -> bool:
        """Whether any account here tells that the store was restored when it had this name."""
        table = AUDIT_LOG
        naming = payload_of({"epoch_before": store_epoch})[1:-1]
        found = self._connection.execute(
            select(table.c.seq)
            .where(table.c.kind == AuditKind.RESTORED.value, table.c.payload.contains(naming))
            .limit(1)
        ).first()
        return found is not None

    def signatures(self) -> tuple[SignedHead, ...]:
        """Every signature over a head that is kept here, oldest first."""
        return signatures(self._connection, self._account_id)

    def books(self) -> BooksState:
        """What the tables say now of what the log tells too."""
        return books_state(self._connection, self._account_id)

    def checkpoint(self) -> Checkpoint | None:
        """The newest checkpoint: where what is left of the log begins."""
        return checkpoint(self._connection, self._account_id)


def _sign(connection: Connection, head: AuditHead, signer: HeadSigner) -> SignedHead:
    """Sign a head and write the signature down."""
    epoch = store_epoch(connection)
    signed = SignedHead(
        account_id=head.account_id,
        store_epoch=epoch,
        seq=head.seq,
        hash=head.hash,
        at=head.at,
        key_id=signer.key_id,
        signature=signer.sign(head_statement(head, epoch)),
    )
    insert_new(
        connection,
        AUDIT_SIGNATURES,
        {
            "account_id": signed.account_id,
            "seq": signed.seq,
            "key_id": signed.key_id,
            "store_epoch": signed.store_epoch,
            "hash": signed.hash,
            "at": signed.at,
            "signature": signed.signature,
        },
    )
    connection.execute(
        update(AUDIT_HEADS)
        .where(AUDIT_HEADS.c.account_id == head.account_id)
        .values(signed_seq=head.seq, signed_at=head.at)
    )
    return signed


def is_head_signed(connection: Connection, account_id: AccountId) -> bool | None:
    """Whether the account's head is signed; None: there is none."""
    known = _head_row(connection, account_id)
    return None if known is None else bool(known.signed_seq == known.seq)


def begin(connection: Connection, account_id: AccountId, now: datetime) -> bool:
    """Begin the account's log, if it has none: one row that names store and account.

    Returns whether the head is signed.
    """
    is_signed = is_head_signed(connection, account_id)
    if is_signed is not None:
        return is_signed
    rows = select(AUDIT_LOG.c.seq).where(AUDIT_LOG.c.account_id == account_id).limit(1)
    if connection.execute(rows).first() is not None:
        return False  # the head row was taken away: the next row that is written says so
    facts = {"account": account_id, "store_epoch": store_epoch(connection)}
    values = (AuditKind.GENESIS.value, account_id, payload_of(facts))
    at = instant(now)
    this = row_hash(account_id, 0, at, *values, NOTHING_BEFORE)
    # On PostgreSQL two processes may begin at once: the head row decides who does.
    if insert_new(connection, AUDIT_HEADS, _head_values(account_id, 0, this, at)):
        kind, subjects, payload = values
        connection.execute(
            _ADD_ROWS,
            {
                "account_id": account_id,
                "seq": 0,
                "at": at,
                "kind": kind,
                "subjects": subjects,
                "payload": payload,
                "previous_hash": NOTHING_BEFORE,
                "hash": this,
            },
        )
    return False


def rows(
    connection: Connection, account_id: AccountId, naming: Sequence[str]
) -> Iterator[AuditRow]:
    """The log in its order; only rows that name one of these ids, if there are any."""
    table = AUDIT_LOG
    statement = select(table).where(table.c.account_id == account_id).order_by(table.c.seq)
    wanted = frozenset(naming)
    if 0 < len(wanted) <= _FEW_IDS:  # the database skips what Python need not see
        statement = statement.where(or_(*(table.c.subjects.contains(each) for each in naming)))
    for row in connection.execute(statement, execution_options={"yield_per": 1000}):
        if not wanted or not wanted.isdisjoint(row.subjects.split()):
            yield _row_of(row)


def row(connection: Connection, account_id: AccountId, seq: int) -> AuditRow | None:
    """One row by its number."""
    table = AUDIT_LOG
    found = connection.execute(
        select(table).where(table.c.account_id == account_id, table.c.seq == seq)
    ).first()
    return None if found is None else _row_of(found)


def signatures(connection: Connection, account_id: AccountId) -> tuple[SignedHead, ...]:
    """Every signature over a head, oldest first."""
    table = AUDIT_SIGNATURES
    found = connection.execute(
        select(table).where(table.c.account_id == account_id).order_by(table.c.seq, table.c.key_id)
    )
    return tuple(
        SignedHead(
            account_id=row.account_id,
            store_epoch=row.store_epoch,
            seq=row.seq,
            hash=row.hash,
            at=row.at,
            key_id=row.key_id,
            signature=row.signature,
        )
        for row in found
    )


def checkpoint(connection: Connection, account_id: AccountId) -> Checkpoint | None:
    """The newest checkpoint."""
    table = AUDIT_CHECKPOINTS
    row = connection.execute(
        select(table).where(table.c.account_id == account_id).order_by(table.c.seq.desc()).limit(1)
    ).first()
    if row is None:
        return None
    return Checkpoint(
        account_id=row.account_id,
        store_epoch=row.store_epoch,
        seq=row.seq,
        hash=row.hash,
        at=row.at,
        before=row.before,
        rows=row.rows,
        key_id=row.key_id,
        signature=row.signature,
    )


def _head_row(connection: Connection, account_id: AccountId) -> Row[Any] | None:
    table = AUDIT_HEADS
    return connection.execute(select(table).where(table.c.account_id == account_id)).first()


def _head_values(account_id: AccountId, seq: int, this: str, at: str) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "seq": seq,
        "hash": this,
        "at": at,
        "signed_seq": _UNSIGNED,
        "signed_at": "",
    }


def _head_of(row: tuple[Any, ...]) -> AuditHead:
    return AuditHead(account_id=row[0], seq=row[1], hash=row[-1], at=row[2])


def _number(seq: object) -> int:
    """The number of a row; SQLite keeps what it is given, and what is none is no row's."""
    return seq if isinstance(seq, int) else -1


def _row_of(row: Row[Any]) -> AuditRow:
    return AuditRow(
        account_id=row.account_id,
        seq=_number(row.seq),
        at=row.at,
        kind=row.kind,
        subjects=row.subjects,
        payload=row.payload,
        previous_hash=row.previous_hash,
        hash=row.hash,
    )
