"""The audit log: committed with what it tells, chained, signed, and closed to corrections."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from audit_rig import filled, killed, opened, owner_of, report_on, trade, write_days
from builders import BTC, LIVE, NOON, PAPER, make_intent, make_position
from zoe_tools.core.audit_verify import Flaw
from zoe_tools.domain.audit import NOTHING_BEFORE, AuditKind, AuditRow, row_hash
from zoe_tools.domain.journal import IntentState
from zoe_tools.domain.trading_state import KillLevel, TradingState
from zoe_tools.runtime.audit_home import AuditHome
from zoe_tools.store.audit import SIGN_EVERY_ROWS
from zoe_tools.store.database import engine_for
from zoe_tools.store.store import Store, Transaction


@pytest.fixture
def home(tmp_path: Path) -> AuditHome:
    """A home with a key."""
    made = AuditHome(tmp_path)
    made.make_key()
    return made


def rows_of(store: Store) -> list[AuditRow]:
    """The whole log."""
    with store.transaction() as books:
        return [*books.audit.rows()]


# --- what is written -----------------------------------------------------------------------------


def test_a_log_begins_when_the_store_is_first_opened(url: str, store: Store) -> None:
    """One row that names account and store; opening again adds nothing."""
    Store.open(url, PAPER, clock_now=NOON).close()
    (only,) = rows_of(store)
    with store.transaction() as books:
        epoch = books.store_epoch()

    assert (only.seq, only.kind, only.previous_hash) == (0, AuditKind.GENESIS, NOTHING_BEFORE)
    assert only.facts == {"account": PAPER.account_id, "store_epoch": epoch}


CHANGES: dict[str, tuple[Callable[[Transaction], object], list[str]]] = {
    "an intent and its states": (
        lambda books: trade(books, 1),
        ["intent", "intent state", "intent state"],
    ),
    "an event and a fill": (lambda books: filled(books, 1), ["order event", "fill"]),
    "a kill": (killed, ["trading state"]),
    "a switch": (lambda books: books.set_config("kill_switch", "true", NOON), ["config"]),
    "a position": (lambda books: books.record_position(make_position()), ["position"]),
    "an order of the operator": (
        lambda books: books.audit.act(NOON, "adopt", {"operator": "me"}),
        ["action"],
    ),
    "an observation": (lambda books: books.beat("loop", "ok", NOON, {}), []),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_changes_the_books_is_in_the_log(store: Store, name: str) -> None:
    """Nobody has to think of it: the store's own door writes it."""
    change, kinds = CHANGES[name]
    with store.transaction() as books:
        change(books)

    assert [row.kind for row in rows_of(store)][1:] == kinds


def test_a_switch_is_told_with_what_it_was_and_who_set_it(store: Store) -> None:
    """Before and after, operator and host."""
    for value in ("true", "false"):
        with store.transaction() as books:
            books.set_config("a_switch", value, NOON, operator="ann", host="desk")
    first, second = [row.facts for row in rows_of(store)][1:]

    who = {"key": "a_switch", "operator": "ann", "host": "desk"}
    assert first == {**who, "value": "true"}
    assert second == {**who, "before": "true", "value": "false"}


def test_the_same_news_twice_is_one_row(store: Store) -> None:
    """An event by its key and a fill by its id."""
    for _ in range(2):
        with store.transaction() as books:
            filled(books, 1)

    assert [row.kind for row in rows_of(store)] == ["genesis", "order event", "fill"]


def test_business_and_log_are_kept_or_lost_together(store: Store) -> None:
    """A transaction that fails leaves neither."""

    class Crash(Exception):
        """Something after the writes."""

    def fail() -> None:
        with store.transaction() as books:
            trade(books, 1)
            raise Crash

    with pytest.raises(Crash):
        fail()
    with store.transaction() as books:
        assert books.intents() == ()
    assert len(rows_of(store)) == 1


def test_every_row_carries_the_hash_of_the_one_before(store: Store) -> None:
    """Reckoned here from the rows alone."""
    for number in range(3):
        with store.transaction() as books:
            trade(books, number)
    rows = rows_of(store)

    assert [row.seq for row in rows] == list(range(10))
    assert rows[0].previous_hash == NOTHING_BEFORE
    for before, row in itertools.pairwise(rows):
        assert row.previous_hash == before.hash
        assert row.hash == row_hash(
            row.account_id,
            row.seq,
            row.at,
            row.kind,
            row.subjects,
            row.payload,
            row.previous_hash,
        )


def test_accounts_have_logs_of_their_own(url: str, store: Store) -> None:
    """Rows of one say nothing of the other."""
    with closing(Store.open(url, LIVE, clock_now=NOON)) as other:
        with other.transaction() as books:
            trade(books, 1)
        assert len(rows_of(other)) == 4
    assert len(rows_of(store)) == 1


def test_two_writers_at_once_make_one_chain(url: str, home: AuditHome) -> None:
    """The head row is locked until the commit: no two rows follow the same one."""

    def write(number: int) -> None:
        with closing(Store.open(url, PAPER, clock_now=NOON, busy_timeout_s=30)) as store:
            for each in range(25):
                with store.transaction() as books:
                    trade(books, 1000 * number + each)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report = report_on(url, home)

    assert report.findings == ()
    assert report.rows == 1 + 3 * 25 * 3


# --- what the database refuses -------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET payload = '{}' WHERE seq = 1",
        "DELETE FROM audit_log WHERE seq = 1",
        "DELETE FROM audit_log",
        "UPDATE audit_signatures SET hash = ''",
        "DELETE FROM audit_signatures",
        "DELETE FROM audit_heads",
        "UPDATE audit_heads SET seq = 0",
    ],
)
def test_the_database_refuses_corrections(url: str, home: AuditHome, statement: str) -> None:
    """By trigger, whoever asks."""
    write_days(url, home.signer(), 1)
    engine = engine_for(url)
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_replacing_a_row_is_refused_too(sqlite_url: str) -> None:
    """INSERT OR REPLACE asks no DELETE trigger."""
    write_days(sqlite_url, None, 1)
    engine = engine_for(sqlite_url)
    replacing = "INSERT OR REPLACE INTO audit_log SELECT * FROM audit_log WHERE seq = 1"
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(replacing))
    engine.dispose()


# --- signatures ----------------------------------------------------------------------------------


def test_the_end_of_a_command_signs_the_head(url: str, home: AuditHome) -> None:
    """However few rows it wrote; the head is kept in the home too."""
    write_days(url, home.signer(), 1)
    report = report_on(url, home)

    assert (report.findings, report.unsigned_rows) == ((), 0)
    assert [each.seq for each in home.kept(PAPER.account_id)] == [report.last_seq]


@pytest.mark.parametrize("content", ["nonsense", "ed25519 00", ""])
def test_a_key_that_cannot_be_read_keeps_nobody_from_stopping(
    url: str, home: AuditHome, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The rows are written and chained; the signature waits for a key, and the log says why."""
    write_days(url, home.signer(), 1)
    whole = home.key_path.read_text()
    home.key_path.write_text(content)
    later = NOON + timedelta(days=2)  # a signature is due with the very first row
    with closing(opened(url, home.signer(), now=later)) as store:
        for number in range(2):
            with store.transaction() as books:
                trade(books, 100 + number, later)
                killed(books, later)
        with store.transaction() as books:
            state = books.trading_state()
    assert state is not None
    assert state.level is KillLevel.PAUSE_ENTRIES
    report = report_on(url, home)
    assert (report.findings, report.unsigned_rows) == ((), 8)
    assert [each.message.count("not signed") for each in caplog.records] == [1]

    home.key_path.write_text(whole)
    with closing(opened(url, home.signer(), now=later)) as store, store.transaction() as books:
        books.audit.sign()
    assert report_on(url, home).unsigned_rows == 0


def test_a_command_that_wrote_nothing_signs_nothing(url: str, home: AuditHome) -> None:
    """A look leaves no trace."""
    write_days(url, home.signer(), 1)
    opened(url, home.signer()).close()
    with closing(opened(url, None)) as store, store.transaction() as books:
        seqs = [each.seq for each in books.audit.signatures()]

    assert (
        len(seqs) == len(set(seqs)) == 2
    )  # once in the first minute's first commit, once at the end


def test_a_long_run_signs_every_so_often(url: str, home: AuditHome) -> None:
    """After so many rows, and after a minute of the rows' own time."""
    with closing(opened(url, home.signer())) as store:
        with store.transaction() as books:
            trade(books, 0)
        for number in range(1, SIGN_EVERY_ROWS // 3 + 2):
            with store.transaction() as books:
                trade(books, number)
        with store.transaction() as books:
            seqs = [each.seq for each in books.audit.signatures()]
        with store.transaction() as books:
            trade(books, 9999, NOON + timedelta(minutes=1))
        with store.transaction() as books:
            last = books.audit.signatures()[-1].seq

    assert seqs == [3, 3 + 258]
    assert last == 3 + 258 + 3


# --- the tamper table ----------------------------------------------------------------------------

Attack = Callable[[Connection], None]


WORDS = {
    "@ours": f"account_id = '{PAPER.account_id}'",
    "@theirs": f"account_id = '{LIVE.account_id}'",
    "@us": f"'{PAPER.account_id}'",
    "@columns": "seq, at, kind, subjects, payload, previous_hash, hash",
}
"""What the statements of the attacks say for short."""


def sql(*statements: str) -> Attack:
    """An attack made of these statements, run by the owner of the tables."""

    def run(connection: Connection) -> None:
        for statement in statements:
            spelled = statement
            for word, meant in WORDS.items():
                spelled = spelled.replace(word, meant)
            connection.execute(text(spelled))

    return run


def rewrite_from(seq: int) -> Attack:
    """The best an intruder can do without the key: change a row and reckon all hashes anew."""

    def run(connection: Connection) -> None:
        found = connection.execute(
            text("SELECT * FROM audit_log WHERE account_id = :a ORDER BY seq"),
            {"a": PAPER.account_id},
        ).mappings()
        before = NOTHING_BEFORE
        for row in [dict(each) for each in found]:
            if row["seq"] == seq:
                row["payload"] = row["payload"].replace("accepted", "rejected")
            row["previous_hash"] = before
            row["hash"] = before = row_hash(**{k: v for k, v in row.items() if k != "hash"})
            connection.execute(
                text(
                    "UPDATE audit_log SET payload = :payload, previous_hash = :previous_hash, "
                    "hash = :hash WHERE account_id = :account_id AND seq = :seq"
                ),
                row,
            )
        connection.execute(
            text("UPDATE audit_heads SET hash = :h WHERE account_id = :a"),
            {"h": before, "a": PAPER.account_id},
        )

    return run


ATTACKS: dict[str, tuple[Attack, Flaw, int]] = {
    "changed payload": (
        sql("UPDATE audit_log SET payload = '{}' WHERE @ours AND seq = 5"),
        Flaw.CHANGED_ROW,
        5,
    ),
    "changed time": (
        sql("UPDATE audit_log SET at = '2020-01-01' WHERE @ours AND seq = 4"),
        Flaw.CHANGED_ROW,
        4,
    ),
    "deleted row": (sql("DELETE FROM audit_log WHERE @ours AND seq = 7"), Flaw.MISSING_ROW, 7),
    "deleted beginning": (
        sql("DELETE FROM audit_log WHERE @ours AND seq < 3"),
        Flaw.MISSING_ROW,
        0,
    ),
    "reordered": (
        sql(
            "UPDATE audit_log SET seq = 99 WHERE @ours AND seq = 4",
            "UPDATE audit_log SET seq = 4 WHERE @ours AND seq = 5",
            "UPDATE audit_log SET seq = 5 WHERE @ours AND seq = 99",
        ),
        Flaw.CHANGED_ROW,
        4,
    ),
    "truncated tail": (sql("DELETE FROM audit_log WHERE @ours AND seq > 9"), Flaw.TRUNCATED, 10),
    "truncated tail with its head": (
        sql(
            "DELETE FROM audit_log WHERE @ours AND seq > 9",
            "UPDATE audit_heads SET seq = 9, hash = (SELECT hash FROM audit_log "
            "WHERE @ours AND seq = 9) WHERE @ours",
        ),
        Flaw.TRUNCATED,
        10,
    ),
    "truncated tail with head and signatures": (
        sql(
            "DELETE FROM audit_log WHERE @ours AND seq > 9",
            "DELETE FROM audit_signatures WHERE @ours AND seq > 9",
            "UPDATE audit_heads SET seq = 9, hash = (SELECT hash FROM audit_log "
            "WHERE @ours AND seq = 9) WHERE @ours",
        ),
        Flaw.TRUNCATED,
        10,
    ),
    "everything gone": (
        sql("DELETE FROM audit_log WHERE @ours", "DELETE FROM audit_heads WHERE @ours"),
        Flaw.NO_LOG,
        -1,
    ),
    "forged head row": (
        sql("UPDATE audit_heads SET hash = 'abcd' WHERE @ours"),
        Flaw.HEAD_DIFFERS,
        12,
    ),
    "head row gone": (sql("DELETE FROM audit_heads WHERE @ours"), Flaw.HEAD_DIFFERS, 12),
    "forged signature": (
        sql("UPDATE audit_signatures SET signature = '00' WHERE @ours AND seq = 6"),
        Flaw.FORGED_HEAD,
        6,
    ),
    "signature moved to another row": (
        sql("UPDATE audit_signatures SET seq = 5 WHERE @ours AND seq = 6"),
        Flaw.FORGED_HEAD,
        5,
    ),
    "signature by another key": (
        sql("UPDATE audit_signatures SET key_id = 'feedfeedfeedfeed' WHERE @ours AND seq = 6"),
        Flaw.UNTRUSTED_KEY,
        6,
    ),
    "all hashes reckoned anew": (rewrite_from(3), Flaw.REWRITTEN, 3),
    "row of another account": (
        sql(
            "DELETE FROM audit_log WHERE @ours AND seq = 5",
            "INSERT INTO audit_log SELECT @us, @columns FROM audit_log WHERE @theirs AND seq = 5",
        ),
        Flaw.FOREIGN_ROW,
        5,
    ),
    "row that nobody wrote": (
        sql(
            "INSERT INTO audit_log SELECT account_id, 13, at, kind, subjects, payload, hash, hash "
            "FROM audit_log WHERE @ours AND seq = 12"
        ),
        Flaw.CHANGED_ROW,
        13,
    ),
    "forged checkpoint": (
        sql(
            "INSERT INTO audit_checkpoints SELECT account_id, 6, 'e', hash, at, at, 7, "
            "'feedfeedfeedfeed', '00' FROM audit_log WHERE @ours AND seq = 6",
            "DELETE FROM audit_log WHERE @ours AND seq < 7",
        ),
        Flaw.FORGED_CHECKPOINT,
        6,
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_the_first_bad_row_is_named(url: str, home: AuditHome, name: str) -> None:
    """Whoever owns the database can change it, and cannot hide it: they lack the key."""
    attack, flaw, seq = ATTACKS[name]
    write_days(url, home.signer(), 2)
    write_days(url, home.signer(), 2, LIVE)
    assert report_on(url, home).findings == ()
    with owner_of(url) as connection:
        attack(connection)
    first = report_on(url, home).findings[0]

    assert (first.flaw, -1 if first.seq is None else first.seq) == (flaw, seq)
    assert report_on(url, home, LIVE).findings == ()


CORRECTIONS = {
    "an intent": ("UPDATE order_intents SET status = 'rejected' WHERE intent_id = 'I0'", 3),
    "how an intent ended": (
        "UPDATE order_intents SET proof = 'not sent' WHERE intent_id = 'I0'",
        3,
    ),
    "an event": ("UPDATE order_events SET status = 'canceled' WHERE @ours", 4),
    "an execution": ("UPDATE crypto_fills SET quantity = '9' WHERE @ours", 5),
    "an execution that is gone": ("DELETE FROM crypto_fills WHERE @ours", 5),
    "an open intent that is gone": ("DELETE FROM order_intents WHERE @ours", 8),
    "a position": ("UPDATE crypto_positions SET quantity = '9' WHERE @ours", 7),
    "a position's stop": ("UPDATE crypto_positions SET stop_price = '70000' WHERE @ours", 7),
    "a position's target": ("UPDATE crypto_positions SET take_profit_price = '1' WHERE @ours", 7),
    "a position that is closed": ("UPDATE crypto_positions SET status = 'closed' WHERE @ours", 7),
    "a position that is gone": ("DELETE FROM crypto_positions WHERE @ours", 7),
    "a kill": ("UPDATE trading_states SET level = 'none' WHERE @ours", 6),
}


@pytest.mark.parametrize("name", CORRECTIONS)
def test_books_that_somebody_corrected_are_not_those_of_the_log(
    url: str, home: AuditHome, name: str
) -> None:
    """The log is whole, and says what the tables said before."""
    statement, seq = CORRECTIONS[name]
    write_days(url, home.signer(), 1)
    with closing(opened(url, home.signer())) as store, store.transaction() as books:
        books.record_position(make_position())
        books.record_intent(make_intent(state=IntentState.JOURNALED))
    assert report_on(url, home).findings == ()
    with owner_of(url) as connection:
        sql(statement)(connection)
    (found,) = report_on(url, home).findings

    assert (found.flaw, found.seq) == (Flaw.BOOKS_DIFFER, seq)


def test_an_instrument_that_was_re_armed_by_hand_is_not_what_the_log_told(
    url: str, home: AuditHome
) -> None:
    """The log names the instrument, and the level that was latched."""
    write_days(url, home.signer(), 1)
    stopped = TradingState(level=KillLevel.REDUCE_ONLY, reason="r", changed_at=NOON)
    with closing(opened(url, home.signer())) as store, store.transaction() as books:
        books.latch(stopped, BTC)
    assert report_on(url, home).findings == ()
    with owner_of(url) as connection:
        sql("UPDATE instrument_states SET level = 'none' WHERE @ours")(connection)
    (found,) = report_on(url, home).findings

    assert found.flaw is Flaw.BOOKS_DIFFER
    assert "BTC/USD is at none in the books" in found.message


def test_a_key_of_ones_own_vouches_for_nothing(url: str, home: AuditHome, tmp_path: Path) -> None:
    """An intruder signs the rewritten log with their own key."""
    write_days(url, home.signer(), 1)
    stranger = AuditHome(tmp_path / "stranger")
    stranger.make_key()
    with owner_of(url) as connection:
        sql("DELETE FROM audit_signatures WHERE @ours")(connection)
        rewrite_from(3)(connection)
        sql("UPDATE audit_heads SET signed_seq = -1 WHERE @ours")(connection)
    write_days(url, stranger.signer(), 1, LIVE)
    with closing(opened(url, stranger.signer())) as store, store.transaction() as books:
        books.audit.sign()
    flaws = {each.flaw for each in report_on(url, home).findings}

    assert flaws == {Flaw.REWRITTEN, Flaw.UNTRUSTED_KEY}


def test_a_head_that_was_carried_elsewhere_is_enough(
    url: str, home: AuditHome, tmp_path: Path
) -> None:
    """The intruder owns the database and the home, but not the copy of one small file."""
    write_days(url, home.signer(), 1)
    (kept,) = sorted((home.folder / "heads").iterdir())
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_bytes(kept.read_bytes())
    kept.unlink()
    with owner_of(url) as connection:
        sql(
            "DELETE FROM audit_log WHERE @ours AND seq > 3",
            "DELETE FROM audit_signatures WHERE @ours AND seq > 3",
            "UPDATE audit_heads SET seq = 3, hash = (SELECT hash FROM audit_log "
            "WHERE @ours AND seq = 3) WHERE @ours",
        )(connection)

    assert report_on(url, home).findings == ()
    (found,) = report_on(url, home, more=[elsewhere]).findings
    assert (found.flaw, found.seq) == (Flaw.TRUNCATED, 4)


def test_without_a_key_the_chain_is_checked_and_the_gap_is_said(url: str, tmp_path: Path) -> None:
    """Nothing vouches for the end of an unsigned log, and the report says so."""
    write_days(url, None, 1)
    report = report_on(url, AuditHome(tmp_path))

    assert report.findings == ()
    assert (report.signed_seq, report.unsigned_rows) == (None, 7)


def test_a_head_that_names_no_row_is_a_finding(sqlite_url: str, home: AuditHome) -> None:
    """SQLite keeps what it is given."""
    write_days(sqlite_url, home.signer(), 1)
    with owner_of(sqlite_url) as connection:
        sql("UPDATE audit_heads SET seq = 'many'")(connection)

    assert report_on(sqlite_url, home).findings[0].flaw is Flaw.HEAD_DIFFERS


def test_a_log_whose_head_was_taken_away_goes_on_and_says_so(url: str, home: AuditHome) -> None:
    """A kill must not fail because somebody deleted a row."""
    write_days(url, home.signer(), 1)
    with owner_of(url) as connection:
        sql("DELETE FROM audit_heads WHERE @ours")(connection)
    with closing(opened(url, home.signer())) as store:
        with store.transaction() as books:
            killed(books)
        kinds = [row.kind for row in rows_of(store)][-2:]

    assert kinds == [AuditKind.REBUILT, AuditKind.TRADING_STATE]
    assert report_on(url, home).findings == ()


def test_a_kept_head_of_another_account_is_not_used(url: str, home: AuditHome) -> None:
    """Each account is held to its own."""
    write_days(url, home.signer(), 1)
    write_days(url, home.signer(), 2, LIVE)

    assert {each.account_id for each in home.kept(PAPER.account_id)} == {PAPER.account_id}
    assert report_on(url, home).findings == ()
