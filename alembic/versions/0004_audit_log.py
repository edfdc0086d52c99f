"""The audit log: chained rows, their heads, signatures, and the checkpoints of pruning.

Nothing is filled in from the past: an account's log begins when its store is opened next.

Revision ID: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
COVERED = (
    "OLD.seq <= coalesce((SELECT max(kept.seq) FROM audit_checkpoints AS kept "
    "WHERE kept.account_id = OLD.account_id), -1)"
)


def upgrade() -> None:
    _audit_log()
    _audit_heads()
    _audit_signatures()
    _audit_checkpoints()
    if op.get_bind().dialect.name == "sqlite":
        _sqlite_triggers()
    else:
        _postgresql_triggers()


def _audit_log() -> None:
    op.create_table(
        "audit_log",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("seq", BIG, autoincrement=False, nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subjects", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        _owned("audit_log"),
        sa.PrimaryKeyConstraint("account_id", "seq", name="pk_audit_log"),
        sqlite_with_rowid=False,
    )


def _audit_heads() -> None:
    op.create_table(
        "audit_heads",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("seq", BIG, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("signed_seq", BIG, nullable=False),
        sa.Column("signed_at", sa.Text(), nullable=False),
        _owned("audit_heads"),
        sa.PrimaryKeyConstraint("account_id", name="pk_audit_heads"),
    )


def _audit_signatures() -> None:
    op.create_table(
        "audit_signatures",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("seq", BIG, autoincrement=False, nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("store_epoch", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        _owned("audit_signatures"),
        sa.PrimaryKeyConstraint("account_id", "seq", "key_id", name="pk_audit_signatures"),
    )


def _audit_checkpoints() -> None:
    op.create_table(
        "audit_checkpoints",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("seq", BIG, autoincrement=False, nullable=False),
        sa.Column("store_epoch", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("rows", BIG, nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        _owned("audit_checkpoints"),
        sa.PrimaryKeyConstraint("account_id", "seq", name="pk_audit_checkpoints"),
    )


def _owned(table: str) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_account_id"
    return sa.ForeignKeyConstraint(["account_id"], ["accounts.account_id"], name=name)


def _sqlite_triggers() -> None:
    for table in ("audit_log", "audit_signatures"):
        _refuse(table, "UPDATE")
        _refuse(table, "DELETE", unless=COVERED)
    for verb in ("UPDATE", "DELETE"):
        _refuse("audit_checkpoints", verb)
    _refuse("audit_heads", "DELETE")
    _refuse("audit_heads", "UPDATE", unless="NEW.seq >= OLD.seq")
    # INSERT OR REPLACE would delete without the DELETE trigger being asked.
    op.execute(
        "CREATE TRIGGER audit_log_no_replace BEFORE INSERT ON audit_log WHEN EXISTS (SELECT 1 "
        "FROM audit_log AS old WHERE old.account_id = NEW.account_id AND old.seq = NEW.seq) "
        "BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END"
    )


def _refuse(table: str, verb: str, *, unless: str = "") -> None:
    when = f"WHEN NOT ({unless}) " if unless else ""
    op.execute(
        f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} {when}"
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    )


def _postgresql_triggers() -> None:
    for name, covered in (
        ("zoe_refuse_uncovered", COVERED),
        ("zoe_refuse_backwards", "NEW.seq >= OLD.seq"),
    ):
        answer = "OLD" if covered == COVERED else "NEW"
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF {covered} THEN RETURN {answer}; END IF; "
            "RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
        )
    for table in ("audit_log", "audit_signatures"):
        _each_statement(table, "UPDATE OR TRUNCATE")
        _each_row(table, "DELETE", "zoe_refuse_uncovered")
    _each_statement("audit_checkpoints", "UPDATE OR DELETE OR TRUNCATE")
    _each_statement("audit_heads", "DELETE OR TRUNCATE")
    _each_row("audit_heads", "UPDATE", "zoe_refuse_backwards")


def _each_statement(table: str, verbs: str) -> None:
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE {verbs} ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION zoe_refuse_change()"
    )


def _each_row(table: str, verb: str, function: str) -> None:
    op.execute(
        f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {function}()"
    )
