"""The triggers that keep books from being corrected, as the migrations make them.

Written out a second time, so that a database can be held against it: a trigger that is gone or
says something else is the mark of somebody who changed what must not be changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, Table, UniqueConstraint, text

from zoe_tools.store.record_tables import ADJUSTMENTS, POSITION_EVENTS
from zoe_tools.store.tables import (
    APPEND_ONLY,
    AUDIT_HEADS,
    AUDIT_SIGNATURES,
    CONFIG,
    CRYPTO_FILLS,
    INSTRUMENT_STATES,
    METADATA,
    ORDER_EVENTS,
    PRUNABLE,
    TRADING_STATES,
)

_COVERED = (
    "OLD.seq <= coalesce((SELECT max(kept.seq) FROM audit_checkpoints AS kept "
    "WHERE kept.account_id = OLD.account_id), -1)"
)
_FORWARD = "NEW.seq >= OLD.seq"
_LEFT_OUT = (ORDER_EVENTS, CRYPTO_FILLS, AUDIT_SIGNATURES, POSITION_EVENTS, ADJUSTMENTS)
"""Tables that a row is added to with ON CONFLICT DO NOTHING: what is there is left out."""

_TOLD = (CONFIG, TRADING_STATES, INSTRUMENT_STATES)


def expected(dialect: str) -> Mapping[str, str]:
    """Name of each trigger and function -> what it says, in one spelling."""
    made = _of_sqlite() if dialect == "sqlite" else _of_postgresql()
    return {name: _spelled(body) for name, body in made}


def found(connection: Connection) -> Mapping[str, str]:
    """The same of a database, whatever it has on zoe's tables."""
    statements = _IN_SQLITE if connection.dialect.name == "sqlite" else _IN_POSTGRESQL
    told: dict[str, str] = {}
    for statement in statements:
        for name, owner, body in connection.execute(text(statement)):
            if owner is None or owner in METADATA.tables:
                told[name] = _spelled(body)
    return told


def _spelled(body: str) -> str:
    """Without what a database changes by itself: blanks, and the name of the schema."""
    return re.sub(r"\s+", " ", body.replace("public.", "")).strip()


# --- SQLite --------------------------------------------------------------------------------------

_IN_SQLITE = ("SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'",)


def _of_sqlite() -> Iterator[tuple[str, str]]:
    for each in APPEND_ONLY:
        yield _refusing(each, "UPDATE")
        yield _refusing(each, "DELETE")
    for each in PRUNABLE:
        yield _refusing(each, "UPDATE")
        yield _refusing(each, "DELETE", unless=_COVERED)
    yield _refusing(AUDIT_HEADS, "DELETE")
    yield _refusing(AUDIT_HEADS, "UPDATE", unless=_FORWARD)
    for each in (*APPEND_ONLY, *PRUNABLE):
        yield _keeping(each)


def _refusing(table: Table, verb: str, *, unless: str = "") -> tuple[str, str]:
    name = f"{table.name}_no_{verb.lower()}"
    when = f"WHEN NOT ({unless}) " if unless else ""
    said = f"BEGIN SELECT RAISE(ABORT, '{table.name} is append-only'); END"
    return name, f"CREATE TRIGGER {name} BEFORE {verb} ON {table.name} {when}{said}"


def _keeping(table: Table) -> tuple[str, str]:
    """Against INSERT OR REPLACE, which deletes a row without the DELETE trigger being asked."""
    name = f"{table.name}_no_replace"
    there = " OR ".join(_is_there(table.name, key) for key in _keys_of(table))
    refused = f"RAISE(ABORT, '{table.name} is append-only')"
    said = "RAISE(IGNORE)" if table in _LEFT_OUT else refused
    return (
        name,
        (
            f"CREATE TRIGGER {name} BEFORE INSERT ON {table.name} WHEN {there} "
            f"BEGIN SELECT {said}; END"
        ),
    )


def _is_there(table: str, key: tuple[str, ...]) -> str:
    same = " AND ".join(f"old.{each} = NEW.{each}" for each in key)
    found = f"EXISTS (SELECT 1 FROM {table} AS old WHERE {same})"  # noqa: S608 - names of our own
    return f"(NEW.row_id > 0 AND {found})" if key == ("row_id",) else found


def _keys_of(table: Table) -> Iterator[tuple[str, ...]]:
    yield tuple(each.name for each in table.primary_key)
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            yield tuple(each.name for each in constraint.columns)


# --- PostgreSQL ----------------------------------------------------------------------------------

_IN_POSTGRESQL = (
    (
        "SELECT tgname, relname, pg_get_triggerdef(pg_trigger.oid)"
        " || CASE tgenabled WHEN 'O' THEN '' ELSE ' (switched off)' END FROM pg_trigger"
        " JOIN pg_class ON pg_class.oid = tgrelid"
        " WHERE NOT tgisinternal AND relnamespace = current_schema()::regnamespace"
    ),
    (
        "SELECT proname || '()', NULL, prosrc FROM pg_proc"
        " WHERE pronamespace = current_schema()::regnamespace AND proname LIKE 'zoe\\_%'"
    ),
)


def _of_postgresql() -> Iterator[tuple[str, str]]:
    for each in (*APPEND_ONLY, AUDIT_HEADS, *PRUNABLE):
        verbs = "UPDATE OR DELETE OR TRUNCATE"
        if each is AUDIT_HEADS:
            verbs = "DELETE OR TRUNCATE"
        elif each in PRUNABLE:
            verbs = "UPDATE OR TRUNCATE"
        yield _fired(f"{each.name}_append_only", each, f"BEFORE {verbs}", "refuse_change")
    for each in PRUNABLE:
        yield _fired(f"{each.name}_no_delete", each, "BEFORE DELETE", "refuse_uncovered")
    yield _fired("audit_heads_no_update", AUDIT_HEADS, "BEFORE UPDATE", "refuse_backwards")
    for each in _TOLD:
        yield _fired(f"{each.name}_told", each, "AFTER INSERT OR UPDATE OR DELETE", "tell_state")
    yield "zoe_refuse_change()", "BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END"
    yield "zoe_tell_state()", "BEGIN PERFORM pg_notify('zoe_state', ''); RETURN NULL; END"
    for name, condition, answer in (
        ("zoe_refuse_uncovered()", _COVERED, "OLD"),
        ("zoe_refuse_backwards()", _FORWARD, "NEW"),
    ):
        said = "RAISE EXCEPTION '% is append-only', TG_TABLE_NAME"
        yield name, f"BEGIN IF {condition} THEN RETURN {answer}; END IF; {said}; END"


_BY_ROW = ("refuse_uncovered", "refuse_backwards")
_ORDER = ("INSERT", "DELETE", "UPDATE", "TRUNCATE")
"""In which PostgreSQL names the verbs."""


def _fired(name: str, table: Table, moment: str, function: str) -> tuple[str, str]:
    when, _, verbs = moment.partition(" ")
    told = " OR ".join(each for each in _ORDER if each in verbs.split(" OR "))
    unit = "ROW" if function in _BY_ROW else "STATEMENT"
    return (
        name,
        (
            f"CREATE TRIGGER {name} {when} {told} ON {table.name}"
            f" FOR EACH {unit} EXECUTE FUNCTION zoe_{function}()"
        ),
    )
