"""The store's only public door: open it for one account, and work in transactions.

A transaction commits whole or not at all. Who only reads asks for a look (`Store.reading`): it
takes no lock, sees one state of the books, and cannot write. Nothing here reads a clock: times are
handed in.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial

from sqlalchemy import Engine

from zoe_tools.domain.account import Account
from zoe_tools.errors import StoreUnavailable
from zoe_tools.ports import HeadSigner, HeadWitness
from zoe_tools.store import accounts, audit, schema
from zoe_tools.store.database import (
    READ_AT_MOST_S,
    Synchronous,
    engine_for,
    parse_url,
    sqlite_path,
    translated_errors,
)
from zoe_tools.store.open_file import OpenFile
from zoe_tools.store.transaction import Transaction
from zoe_tools.store.transactions import Transactions, WouldWait, WrittenWhileReading

__all__ = ["Store", "Transaction", "WouldWait", "WrittenWhileReading"]


class Store:
    """A store, open for one account. One thread at a time; transactions do not nest."""

    def __init__(
        self,
        engine: Engine,
        account: Account,
        *,
        shares_clock: bool = False,
        signer: HeadSigner | None = None,
        witness: HeadWitness | None = None,
        looks: Engine | None = None,
    ) -> None:
        self._url = engine.url
        self._transactions = Transactions(engine)
        self._looks = None if looks is None else Transactions(looks, only_looks=True)
        self._account = account
        self._shares_clock = shares_clock
        self._signer = signer
        self._witness = witness
        self._file: OpenFile | None = None
        """Where its file is asked for; a server's store and one in memory have none."""
        self._is_busy = False
        self._is_signed = True
        self._has_written = False

    @classmethod
    def open(
        cls,
        url: str,
        account: Account,
        *,
        clock_now: datetime,
        synchronous: Synchronous = "FULL",
        epoch_seed: str | None = None,
        read_only: bool = False,
        busy_timeout_s: float = 5.0,
        shares_clock: bool = False,
        signer: HeadSigner | None = None,
        witness: HeadWitness | None = None,
    ) -> Store:
        """Open an up-to-date store and register the account in it (unless `read_only`).

        `epoch_seed` makes the epoch of a new store repeatable: virtual time only. Anything less
        than synchronous FULL is for throw-away runs. `shares_clock`: leases are reckoned in the
        database's own time, where it has one; only where that runs at the speed of the venue's.
        `signer` signs the audit log's heads, `witness` remembers how far the log had come.

        Raises:
            SchemaOutdated, ForeignDatabase, StoreUnavailable: each with what to do about it.
            ConfigError: the URL is none.
        """
        path = sqlite_path(parse_url(url))
        is_file = path is not None
        if is_file or read_only:  # to open a file for writing changes it, whosever it is
            schema.demand_current(url)
        open_engine = partial(
            engine_for, url, synchronous=synchronous, busy_timeout_s=busy_timeout_s
        )
        engine = open_engine(read_only=read_only)
        looks = open_engine(read_only=True, read_at_most_s=READ_AT_MOST_S)
        store = cls(
            engine, account, shares_clock=shares_clock, signer=signer, witness=witness, looks=looks
        )
        try:
            if not read_only:
                store._is_signed = store._enter(clock_now, epoch_seed, is_checked=is_file)
            store._file = None if path is None else OpenFile(path)
        except BaseException:
            store._let_go()
            raise
        return store

    def _enter(self, now: datetime, epoch_seed: str | None, *, is_checked: bool) -> bool:
        """Make the account known, unless it is; whether the head of its audit log is signed.

        Who only wants to look at books that are there writes nothing.
        """
        # A server is met once: its one connection here can do both.
        source = self._source_of_looks if is_checked else self._transactions
        with translated_errors(self._url), source.look() as connection:
            if not is_checked:
                schema.demand_current_in(connection)
            if accounts.is_registered(connection, self._account):
                is_signed = audit.is_head_signed(connection, self._account.account_id)
                if is_signed is not None:
                    return is_signed
        with translated_errors(self._url), self._transactions.begin() as connection:
            accounts.register(connection, self._account, now, epoch_seed)
            return audit.begin(connection, self._account.account_id, now)

    @classmethod
    def remembered(cls, url: str) -> tuple[Account, ...]:
        """Every account that ever had books in this store; registers nobody.

        Raises:
            SchemaOutdated, ForeignDatabase, StoreUnavailable, ConfigError: as `open`.
        """
        schema.demand_current(url)
        engine = engine_for(url, synchronous="FULL", read_only=True, busy_timeout_s=5.0)
        try:
            with translated_errors(engine.url), engine.begin() as connection:
                return accounts.registered(connection)
        finally:
            engine.dispose()

    @property
    def account(self) -> Account:
        """Whose books these are."""
        return self._account

    @contextmanager
    def transaction(self, *, at_once: bool = False) -> Iterator[Transaction]:
        """One unit of work: committed when the block ends, rolled back when it raises.

        Raises:
            StoreUnavailable: locked, full, gone, moved or damaged; nothing of the block was kept.
            WouldWait: it should begin `at_once`, and cannot; a server's never can.
        """
        self._take()
        try:
            self._demand_file()
            with (
                translated_errors(self._url),
                self._transactions.begin(at_once=at_once) as connection,
            ):
                log = audit.Log(connection, self._account.account_id, self._signer)
                yield Transaction(connection, self._account, log, shares_clock=self._shares_clock)
                signed = log.flush()
        finally:
            self._is_busy = False
        self._is_signed = log.is_signed if log.has_news else self._is_signed
        self._has_written |= log.has_news
        self._signer = self._signer if log.can_sign else None  # it was told once, that is enough
        if signed is not None and self._signer is not None:
            self._signer.keep(signed)
        if log.newest is not None and self._witness is not None:
            self._witness.saw(*log.newest)

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """One state of the books, by a connection of its own: nobody waits for it, it for nobody.

        It may be used beside a transaction, by another thread.

        Raises:
            StoreUnavailable: gone, moved or damaged, or it takes too long.
            WrittenWhileReading: a bug; the block writes.
        """
        with self._looking(self._source_of_looks, at_once=False) as books:
            yield books

    @contextmanager
    def recalling(self, *, at_once: bool = False) -> Iterator[Transaction]:
        """The same by the connection that writes, which knows what it has read; one at a time.

        Raises:
            StoreUnavailable, WrittenWhileReading: as `reading`.
            WouldWait: as `transaction`.
        """
        self._take()
        try:
            with self._looking(self._transactions, at_once=at_once) as books:
                yield books
        finally:
            self._is_busy = False

    @contextmanager
    def _looking(self, source: Transactions, *, at_once: bool) -> Iterator[Transaction]:
        self._demand_file()
        with translated_errors(self._url), source.look(at_once=at_once) as connection:
            log = audit.Log(connection, self._account.account_id)
            yield Transaction(
                connection, self._account, log, shares_clock=self._shares_clock, is_look=True
            )
            log.flush()

    @property
    def _source_of_looks(self) -> Transactions:
        """A store in memory has but one connection."""
        return self._transactions if self._looks is None else self._looks

    def _demand_file(self) -> None:
        if self._file is not None:
            self._file.demand_same()

    def _take(self) -> None:
        if self._is_busy:
            raise RuntimeError("A transaction is under way already: they do not nest.")
        self._is_busy = True

    def close(self) -> None:
        """Sign the log's head, where that is still to do, and let go of the database; idempotent.

        What cannot be signed now is signed by the next one who writes: who only read signs nothing.
        """
        if self._signer is not None and not self._is_signed and self._has_written:
            self._is_signed = True
            with suppress(StoreUnavailable), self.transaction() as transaction:
                transaction.audit.sign()
        if self._witness is not None:
            self._witness.close()
        self._let_go()

    def _let_go(self) -> None:
        """The connection that writes goes last: it is the one that may empty the log."""
        if self._looks is not None:
            self._looks.close()
        self._transactions.close()
