"""The store's door: one account, whole transactions, an operator's SQL, clear refusals."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Pool, event, select, table, text
from sqlalchemy.exc import DBAPIError

from builders import (
    BTC,
    ETH,
    LIVE,
    NOON,
    PAPER,
    book_ledger,
    d,
    make_fill,
    make_ledger_entry,
    make_order,
    make_position,
)
from zoe_tools.domain.journal import OrderEvent
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.trading_state import ARMED, KillLevel, TradingState
from zoe_tools.errors import StoreUnavailable
from zoe_tools.store import schema
from zoe_tools.store.database import engine_for
from zoe_tools.store.store import Store, Transaction


@contextmanager
def somebody_else(url: str) -> Iterator[Connection]:
    """Another process's transaction, as a database prompt would make one."""
    engine = engine_for(url, busy_timeout_s=0.1)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def opened(url: str, **changes: Any) -> Store:
    """A store that does not wait long."""
    options: dict[str, Any] = {"clock_now": NOON, "busy_timeout_s": 0.1, **changes}
    return Store.open(url, PAPER, **options)


# --- opening ---------------------------------------------------------------------------------


def test_opening_registers_the_account_once(url: str) -> None:
    """However often, and each of them."""
    for account in (PAPER, LIVE, PAPER):
        Store.open(url, account, clock_now=NOON).close()
    store = opened(url, read_only=True)
    with store.transaction() as transaction:
        assert transaction.accounts() == (LIVE, PAPER)
    store.close()


def test_a_server_is_met_once(migrated_url: str) -> None:
    """Each connection is several ways to a server and back; every command opens a store."""
    met: list[object] = []

    def note(connection: object, _: object) -> None:
        met.append(connection)

    event.listen(Pool, "connect", note)
    try:
        opened(migrated_url).close()
    finally:
        event.remove(Pool, "connect", note)
    assert len(met) == 1


def test_a_store_keeps_its_epoch_and_no_two_have_the_same(tmp_path: Path) -> None:
    """A restored store must never take an old order for its own."""
    epochs = []
    for name in ("one", "one", "two"):
        url = f"sqlite:///{tmp_path / name}"
        schema.upgrade(url)
        store = opened(url)
        with store.transaction() as transaction:
            epochs.append(transaction.store_epoch())
        store.close()
    assert epochs[0] == epochs[1] != epochs[2]
    assert len(epochs[0]) == 32


def test_the_epoch_of_a_virtual_store_follows_from_its_seed(sqlite_url: str) -> None:
    """And is no other seed's."""
    store = opened(sqlite_url, epoch_seed="7")
    with store.transaction() as transaction:
        assert transaction.store_epoch() == "fb883e9c508f32ad61f7ebe5f4256589"
    store.close()


def test_a_store_opened_for_reading_changes_nothing(url: str) -> None:
    """It neither registers nor writes, and says so when it has no name yet."""
    store = opened(url, read_only=True)
    with store.transaction() as transaction:
        assert transaction.accounts() == ()
        assert not transaction.kill_switch()
        with pytest.raises(StoreUnavailable, match="no epoch yet"):
            transaction.store_epoch()
    with pytest.raises(StoreUnavailable), store.transaction() as transaction:
        transaction.beat("loop", "ok", NOON, {})
    store.close()


# --- transactions ----------------------------------------------------------------------------


def test_a_transaction_that_raises_keeps_nothing(store: Store) -> None:
    """Whole or not at all."""

    def fail_halfway() -> None:
        with store.transaction() as transaction:
            transaction.record_position(make_position())
            transaction.record_fill(make_fill())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    with store.transaction() as transaction:
        assert transaction.positions() == ()
        assert transaction.fills() == ()


def test_transactions_do_not_nest(store: Store) -> None:
    """A bug that would deadlock is named at once, and the store can be used afterwards."""
    with (
        pytest.raises(RuntimeError, match="do not nest"),
        store.transaction(),
        store.transaction(),
    ):
        pass
    with store.transaction() as transaction:
        assert transaction.positions() == ()


def test_a_store_may_be_used_by_one_thread_after_another(store: Store) -> None:
    """Opened by the main thread, written by the writer."""
    found: list[str] = []

    def work() -> None:
        with store.transaction() as transaction:
            found.append(transaction.store_epoch())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(timeout=10)
    with store.transaction() as transaction:
        assert found == [transaction.store_epoch()]


def test_accounts_do_not_see_each_others_rows(url: str, store: Store) -> None:
    """The same ids in both are two rows."""
    other = Store.open(url, LIVE, clock_now=NOON)
    with store.transaction() as transaction:
        transaction.record_order(make_order())
        transaction.record_fill(make_fill())
        book_ledger(transaction, make_ledger_entry())
        transaction.record_position(make_position())
        transaction.latch(HALTED)
    with other.transaction() as transaction:
        assert (transaction.orders(), transaction.fills()) == ((), ())
        assert (transaction.ledger(), transaction.positions()) == ((), ())
        assert transaction.trading_state() == ARMED
        assert transaction.record_fill(make_fill(price=d("7")))
        assert book_ledger(transaction, make_ledger_entry()) == 1
        transaction.record_order(make_order(quantity=d("9")))
    with store.transaction() as transaction:
        assert transaction.fills() == (make_fill(),)
        assert transaction.orders() == (make_order(),)
    other.close()


# --- switches --------------------------------------------------------------------------------

HALTED = TradingState(
    level=KillLevel.REDUCE_ONLY, reason="a drill", changed_at=NOON, changed_by="ann"
)


def test_the_runbooks_kill_switch_works_word_for_word(url: str, store: Store) -> None:
    """One global row, seeded by the migration, seen by every account's loop."""
    with store.transaction() as transaction:
        assert not transaction.kill_switch()
        assert transaction.config_value("kill_switch") == "false"
    with somebody_else(url) as prompt:
        prompt.execute(text("UPDATE config SET value='true' WHERE key='kill_switch'"))
    with store.transaction() as transaction:
        assert transaction.kill_switch()


@pytest.mark.parametrize("value", ["true", "TRUE", "False", "", "no", "0", " false"])
def test_anything_but_false_kills(store: Store, value: str) -> None:
    """A typing error must not leave the loop trading."""
    with store.transaction() as transaction:
        transaction.set_config("kill_switch", value, NOON)
        assert transaction.kill_switch()


def test_a_kill_switch_that_went_missing_kills(url: str, store: Store) -> None:
    """An absence is no permission."""
    with somebody_else(url) as prompt:
        prompt.execute(text("DELETE FROM config"))
    with store.transaction() as transaction:
        assert transaction.kill_switch()
        assert transaction.config_value("kill_switch") is None


def test_vector_10_the_trading_state_is_latched_and_a_misspelt_one_releases_nothing(
    url: str, store: Store
) -> None:
    """Armed until set; a level that an operator misspelt in SQL is reduce-only."""
    with store.transaction() as transaction:
        assert transaction.trading_state() == ARMED
        transaction.latch(HALTED)
        assert transaction.trading_state() == HALTED
        assert transaction.rearm(replace(HALTED, level=KillLevel.NONE), HALTED, 1) is None
        assert transaction.trading_state().may_enter
    with somebody_else(url) as prompt:
        prompt.execute(text("UPDATE trading_states SET level = 'flaten'"))
    with store.transaction() as transaction:
        assert transaction.trading_state().level is KillLevel.REDUCE_ONLY


def test_an_instrument_is_stopped_for_itself(url: str, store: Store) -> None:
    """Beside the account's state, and latched as that is; what was re-armed is not told of."""
    with store.transaction() as transaction:
        transaction.latch(HALTED, BTC)
        transaction.latch(HALTED, ETH)
        state = transaction.trading_state()
        assert (state.may_enter, state.of(BTC), state.in_force(ETH)) == (True, HALTED, HALTED)
        assert transaction.rearm(replace(HALTED, level=KillLevel.NONE), HALTED, 1, ETH) is None
        assert transaction.trading_state().stopped == ((BTC, HALTED),)
    with somebody_else(url) as prompt:
        prompt.execute(
            text("UPDATE instrument_states SET level = 'flaten' WHERE symbol = 'ETH/USD'")
        )
    with store.transaction() as transaction:
        assert transaction.trading_state().of(ETH).level is KillLevel.REDUCE_ONLY


# --- what an operator's tools see ------------------------------------------------------------


def write_a_trade(transaction: Transaction) -> None:
    """One row in each append-only table, an order and a position."""
    transaction.record_order(make_order())
    transaction.record_position(make_position())
    transaction.record_fill(make_fill())
    book_ledger(transaction, make_ledger_entry())
    transaction.append_order_event(
        OrderEvent(
            event_key="k1",
            client_order_id=make_order().client_order_id,
            status=OrderStatus.OPEN,
            occurred_at=NOON,
            source="stream",
        )
    )


@pytest.mark.parametrize("statement", ["UPDATE {} SET account_id = account_id", "DELETE FROM {}"])
@pytest.mark.parametrize("table", ["order_events", "crypto_fills", "ledger_entries"])
def test_what_happened_cannot_be_changed_or_removed(
    url: str, store: Store, table: str, statement: str
) -> None:
    """The triggers hold whoever writes, with whatever tool."""
    with store.transaction() as transaction:
        write_a_trade(transaction)
        before = transaction.business_fingerprint()
    with pytest.raises(DBAPIError, match=f"{table} is append-only"), somebody_else(url) as prompt:
        prompt.execute(text(statement.format(table)))
    with store.transaction() as transaction:
        assert transaction.business_fingerprint() == before


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        ("v_orders", ("BTC/USD", 0.0004)),
        ("v_fills", ("BTC/USD", 1.0)),
        ("v_positions", ("BTC/USD", 0.0004)),
    ],
)
def test_the_views_show_numbers(
    url: str, store: Store, view: str, expected: tuple[str, float]
) -> None:
    """For human eyes: a prompt can sort and add them."""
    with store.transaction() as transaction:
        write_a_trade(transaction)
    with somebody_else(url) as prompt:
        row = prompt.execute(select(text("symbol, quantity")).select_from(table(view))).one()
    symbol, quantity = row
    assert (symbol, float(quantity)) == expected
    assert not isinstance(quantity, str)


# --- trouble ---------------------------------------------------------------------------------


def test_a_store_held_locked_says_so(sqlite_url: str) -> None:
    """A sentence and a hint, and nothing is lost once the lock is gone."""
    store = opened(sqlite_url)
    with (
        somebody_else(sqlite_url),
        pytest.raises(StoreUnavailable, match="another process holds it locked") as caught,
        store.transaction(),
    ):
        pass
    assert caught.value.exit_code == 7
    with store.transaction() as transaction:
        assert transaction.positions() == ()
    store.close()


def test_readers_are_not_held_up_by_a_writer(sqlite_url: str) -> None:
    """`zoe status` answers while the loop writes."""
    opened(sqlite_url).close()
    reader = opened(sqlite_url, read_only=True)
    with somebody_else(sqlite_url), reader.transaction() as transaction:
        assert transaction.accounts() == (PAPER,)
    reader.close()


def test_a_row_held_locked_on_the_server_says_so(migrated_url: str) -> None:
    """The wait for a lock is bounded."""
    store = opened(migrated_url)
    with somebody_else(migrated_url) as prompt:
        prompt.execute(text("SELECT * FROM config FOR UPDATE"))
        with (
            pytest.raises(StoreUnavailable, match="lock timeout"),
            store.transaction() as transaction,
        ):
            transaction.set_config("kill_switch", "true", NOON)
    store.close()


def test_what_anybody_writes_is_another_mark_and_reading_is_none(url: str) -> None:
    """Ours, and another process's; a server has no such mark, and is asked each time."""

    def mark(store: Store) -> object:
        with store.transaction() as transaction:
            transaction.positions()
            return transaction.change_mark()

    ours, theirs = opened(url), opened(url)
    seen = [mark(ours), mark(ours)]
    with ours.transaction() as transaction:
        transaction.set_config("note", "first", NOON)
        in_between = transaction.change_mark()
        transaction.set_config("note", "ours", NOON)
        after_a_write = transaction.change_mark()
    seen += [mark(ours), mark(ours)]
    with theirs.transaction() as transaction:
        transaction.set_config("note", "theirs", NOON)
    seen += [mark(ours), mark(ours)]
    ours.close()
    theirs.close()

    if "sqlite" in url:
        assert [seen.index(each) for each in seen] == [0, 0, 2, 2, 4, 4]
        assert after_a_write == seen[2]
        assert in_between not in seen
    else:
        assert set(seen) == {None}


def test_a_mark_told_in_what_was_taken_back_is_never_told_again(sqlite_url: str) -> None:
    """What was read there was never true."""
    store = opened(sqlite_url)
    told: list[object] = []

    def take_back() -> None:
        with store.transaction() as transaction:
            transaction.set_config("note", "never", NOON)
            told.append(transaction.change_mark())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        take_back()
    for word in ("", "one", "two"):
        with store.transaction() as transaction:
            if word:
                transaction.set_config("note", word, NOON)
            told.append(transaction.change_mark())
    store.close()

    assert len(set(told)) == len(told)


def test_a_full_disk_says_so_and_keeps_what_was_there(sqlite_url: str) -> None:
    """SQLite is told that the disk ends here."""
    store = opened(sqlite_url)
    with store.transaction() as transaction:
        transaction.record_position(make_position())
        transaction._connection.exec_driver_sql("PRAGMA max_page_count = 1")
    with (
        pytest.raises(StoreUnavailable, match="the disk is full"),
        store.transaction() as transaction,
    ):
        transaction.set_config("essay", "x" * 100_000, NOON)
    with store.transaction() as transaction:
        assert transaction.positions() == (make_position(),)
        assert transaction.config_value("essay") is None
    store.close()


def test_a_server_that_drops_the_connection_is_met_again(migrated_url: str) -> None:
    """The transaction it broke is lost whole; the next one finds the way back."""
    store = opened(migrated_url)

    def work_on_a_lost_connection() -> None:
        with store.transaction() as transaction:
            transaction.record_position(make_position())
            pid = transaction._connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            with somebody_else(migrated_url) as prompt:
                prompt.execute(text(f"SELECT pg_terminate_backend({pid})"))
            transaction.record_fill(make_fill())

    with pytest.raises(StoreUnavailable, match="cannot be used"):
        work_on_a_lost_connection()
    with store.transaction() as transaction:
        assert transaction.positions() == ()
    store.close()


def complaint_of_an_ordinary_user(url: str) -> str:
    """What a write says, or the opening, in a process that is not root, whom no mode would stop."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                nobody = pwd.getpwnam("nobody")
                os.setgroups([])
                os.setgid(nobody.pw_gid)
                os.setuid(nobody.pw_uid)
            with opened(url).transaction() as transaction:
                transaction.set_config("key", "value", NOON)
        except StoreUnavailable as error:
            os.write(writing, error.message.encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


@pytest.mark.parametrize(
    ("file_mode", "folder_mode"), [(0o444, 0o777), (0o444, 0o555), (0o644, 0o555)]
)
def test_a_file_or_folder_that_may_not_be_written_says_so(
    sqlite_url: str, file_mode: int, folder_mode: int
) -> None:
    """One sentence, from whichever of the two is in the way."""
    opened(sqlite_url).close()
    with tempfile.TemporaryDirectory(prefix="zoe-modes-") as folder:
        path = Path(folder) / "zoe.db"
        shutil.copyfile(sqlite_url.removeprefix("sqlite:///"), path)
        path.chmod(file_mode)
        path.parent.chmod(folder_mode)
        said = complaint_of_an_ordinary_user(f"sqlite:///{path}")
        path.parent.chmod(0o755)
    assert said.startswith(f"The store at {path}: it ")
    assert said.endswith(("may not be written to.", "cannot be opened."))


def test_a_place_where_no_file_can_be_says_so() -> None:
    """Not even root makes a file there."""
    if not Path("/proc/self").exists():
        pytest.skip("needs Linux's /proc")
    with pytest.raises(StoreUnavailable, match=r"cannot be opened|may not be written"):
        schema.upgrade("sqlite:////proc/zoe.db")
