"""A database is brought to the newest migration once, by one of us, or refused with a hint."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from builders import NOON, PAPER, make_intent
from nursery import nursery
from zoe_tools.domain.discrepancy import DiscrepancyState, FindingKind
from zoe_tools.domain.identifiers import IntentId
from zoe_tools.domain.journal import IntentState, ProofKind
from zoe_tools.errors import ForeignDatabase, SchemaOutdated, StoreUnavailable
from zoe_tools.store import schema
from zoe_tools.store.database import engine_for
from zoe_tools.store.journal import values_of
from zoe_tools.store.schema import SchemaStatus, Upgrade
from zoe_tools.store.store import Store
from zoe_tools.store.tables import HEAD_REVISION, METADATA, ORDER_INTENTS, VERSION_TABLE


def execute(url: str, statement: str) -> None:
    """Run one statement as somebody at a database prompt would."""
    engine = engine_for(url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def set_revision(url: str, revision: str) -> None:
    """Make the database look as if another zoe had migrated it."""
    execute(url, f"UPDATE {VERSION_TABLE} SET version_num = '{revision}'")  # noqa: S608 - ours


def test_an_empty_database_is_brought_to_head_once(empty_url: str) -> None:
    """The second upgrade has nothing to do."""
    before = schema.status(empty_url)
    assert before == SchemaStatus(current=None, head=HEAD_REVISION, is_foreign=False, is_empty=True)
    assert schema.upgrade(empty_url) == Upgrade(None, HEAD_REVISION)
    assert schema.status(empty_url).is_current
    assert schema.upgrade(empty_url) == Upgrade(HEAD_REVISION, HEAD_REVISION)


def test_the_migrations_make_exactly_the_tables_the_code_knows(url: str) -> None:
    """Autogenerate finds no difference: types, nullability, keys, indexes, defaults."""
    engine = engine_for(url)
    with engine.begin() as connection:
        options = {
            "version_table": VERSION_TABLE,
            "compare_type": True,
            "compare_server_default": connection.dialect.name == "postgresql",
        }
        migration = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(migration, METADATA) == []
    engine.dispose()


def test_the_newest_migration_is_the_one_the_code_expects() -> None:
    """`HEAD_REVISION` is a constant, so that opening a store need not load Alembic."""
    config = Config()
    config.set_main_option("script_location", str(schema.migrations_folder()))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD_REVISION]


def test_looking_at_a_file_that_is_not_there_does_not_make_it(tmp_path: Path) -> None:
    """`zoe db status` changes nothing."""
    path = tmp_path / "zoe.db"
    assert schema.status(f"sqlite:///{path}").is_empty
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_was_never_made_is_not_opened(empty_url: str) -> None:
    """Migrations are run by name, never on the side."""
    with pytest.raises(SchemaOutdated, match="There is no store at") as caught:
        Store.open(empty_url, PAPER, clock_now=NOON)
    assert caught.value.exit_code == 7
    assert "zoe db upgrade" in caught.value.hint
    assert schema.status(empty_url).is_empty


def test_somebody_elses_database_is_left_alone(empty_url: str) -> None:
    """Foreign tables and no version table of ours: refused, and nothing is added."""
    execute(empty_url, "CREATE TABLE customers (name TEXT)")
    assert schema.status(empty_url).is_foreign
    with pytest.raises(ForeignDatabase, match="tables that zoe did not make"):
        schema.upgrade(empty_url)
    with pytest.raises(ForeignDatabase) as caught:
        Store.open(empty_url, PAPER, clock_now=NOON)
    assert "DATABASE_URL" in caught.value.hint
    execute(empty_url, "DROP TABLE customers")
    assert schema.status(empty_url).is_empty


def test_an_older_database_is_not_opened(url: str) -> None:
    """The sentence names both migrations."""
    set_revision(url, "0000")
    with pytest.raises(SchemaOutdated, match="is at migration 0000, this zoe needs") as caught:
        Store.open(url, PAPER, clock_now=NOON)
    assert caught.value.hint == "Run `zoe db upgrade`."


@pytest.mark.parametrize("verb", ["demand_current", "upgrade"])
def test_a_newer_database_is_neither_opened_nor_upgraded(url: str, verb: str) -> None:
    """An old zoe must not write to tables it does not understand."""
    set_revision(url, "9999")
    with pytest.raises(SchemaOutdated, match="made by a newer zoe") as caught:
        getattr(schema, verb)(url)
    assert caught.value.hint == "Install the newer zoe."


@pytest.mark.parametrize("verb", ["status", "upgrade"])
def test_a_file_that_is_no_database_is_named_and_kept(tmp_path: Path, verb: str) -> None:
    """A garbage file is somebody's file."""
    path = tmp_path / "zoe.db"
    path.write_bytes(b"this is a letter to my grandmother" * 100)
    kept = path.read_bytes()
    with pytest.raises(StoreUnavailable, match="the file is not a database") as caught:
        getattr(schema, verb)(f"sqlite:///{path}")
    assert str(path) in caught.value.message
    assert path.read_bytes() == kept


def test_a_folder_that_is_not_there_is_one_clear_sentence(tmp_path: Path) -> None:
    """No SQLAlchemy traceback."""
    with pytest.raises(StoreUnavailable, match="it cannot be opened") as caught:
        schema.upgrade(f"sqlite:///{tmp_path / 'nowhere' / 'zoe.db'}")
    assert "folder exists" in caught.value.hint
    assert caught.value.__cause__ is None


def test_a_server_that_does_not_answer_is_named_without_the_password() -> None:
    """Port 1 of the loopback listens nowhere."""
    with pytest.raises(StoreUnavailable, match=r"PostgreSQL 127\.0\.0\.1:1/books") as caught:
        schema.status("postgresql://zoe:correct-horse@127.0.0.1:1/books")
    assert "correct-horse" not in caught.value.message + caught.value.hint
    assert "\n" not in caught.value.message


def test_two_upgrades_at_once_make_one_schema(empty_url: str, tmp_path: Path) -> None:
    """One process migrates, the others wait and find it done; repeated, as races are shy."""
    script = tmp_path / "upgrade.py"
    script.write_text(
        f"from zoe_tools.store import schema; print(schema.upgrade({empty_url!r}).before)"
    )
    processes = [nursery().talk(str(script)) for _ in range(4)]
    answers = [process.end("", timeout=60) for process in processes]
    for each in processes:
        each.close()
    assert [process.returncode for process in processes] == [0] * 4, answers
    assert sorted(out.strip() for out in answers) == [HEAD_REVISION] * 3 + ["None"]
    assert schema.status(empty_url).is_current


OLD_ENDS = {
    # state, evidence as it was spelled before migration 0006, proof
    "refused": (IntentState.REJECTED, "EOrder:Insufficient funds: no", ProofKind.NONE),
    "no trace": (IntentState.REJECTED, "it never happened: no trace (2 looks)", ProofKind.RECORDS),
    "no byte": (IntentState.REJECTED, "not sent: no route", ProofKind.NOT_SENT),
    "never sent": (IntentState.DENIED, "it was never sent: the lease is gone", ProofKind.NOT_SENT),
    "done": (IntentState.CONFIRMED, "not sent: is what somebody typed", ProofKind.NONE),
    "open": (IntentState.UNKNOWN, "it never happened: or did it", ProofKind.NONE),
}


def test_how_old_intents_ended_is_read_from_their_words_once(url_at_0005: str) -> None:
    """Whether they may be tried again stays as it was; nobody knows what snapshot they had."""
    engine = engine_for(url_at_0005)
    with engine.begin() as connection:
        for name, (state, evidence, _) in OLD_ENDS.items():
            intent = make_intent(intent_id=IntentId(name), state=state, evidence=evidence)
            values = values_of(intent)
            del values["snapshot_hash"], values["proof"]
            connection.execute(ORDER_INTENTS.insert().values(**values))
    engine.dispose()
    schema.upgrade(url_at_0005)
    with (
        closing(Store.open(url_at_0005, PAPER, clock_now=NOON)) as store,
        store.transaction() as books,
    ):
        told = {each.intent_id: each.proof for each in books.intents()}
        assert {each.snapshot_hash for each in books.intents()} == {""}

    assert told == {name: proof for name, (_, _, proof) in OLD_ENDS.items()}


def test_findings_of_an_older_zoe_become_discrepancies_that_are_over(url_at_0005: str) -> None:
    """What was a row a finding; the table now has a row a comparison, and begins anew."""
    row = (
        "INSERT INTO crypto_reconciliation_events"
        " (account_id, taken_at, kind, symbol, evidence, severity, is_resolved)"
        " VALUES ('ME', '2026-01-05 12:00:00+00:00', 'MISSING_FILL', 'T1',"
        " 'our books lack it', 'warning', false)"
    )
    execute(url_at_0005, row.replace("ME", PAPER.account_id))
    schema.upgrade(url_at_0005)
    with (
        closing(Store.open(url_at_0005, PAPER, clock_now=NOON)) as store,
        store.transaction() as books,
    ):
        (kept,) = books.reconciliation.all()
        assert books.reconciliation.runs() == ()
        assert books.reconciliation.active() == ()

    assert (kept.kind, kept.subject, kept.state) == (
        FindingKind.MISSING_FILL,
        "T1",
        DiscrepancyState.RESOLVED,
    )
    assert (kept.evidence, kept.first_seen_at) == ("our books lack it", NOON)
