"""Whatever an operator orders is a row that names who and where, on both databases."""

from __future__ import annotations

import platform
from contextlib import closing
from pathlib import Path

import pytest

from audit_rig import opened, trade
from builders import NOON, PAPER
from command_line import LIVE_KEYS, zoe
from zoe_tools.config import load_settings
from zoe_tools.domain.audit import AuditKind, AuditRow
from zoe_tools.store.store import Store
from zoe_tools.store.tables import HEAD_REVISION

pytestmark = pytest.mark.usefixtures("in_no_time")

WHO = {"operator": "ann", "host": platform.node()}

ORDERS: tuple[tuple[str, AuditKind, dict[str, object]], ...] = (
    # in this order, on one store: the line, the row it leaves, some of its facts
    ("audit init", AuditKind.KEY, {}),
    ("config set MAX_OPEN_POSITIONS 2 --execute", AuditKind.CONFIG, {"value": "2"}),
    (
        "config set MAX_OPEN_POSITIONS 1 --execute",
        AuditKind.CONFIG,
        {"before": "2", "value": "1"},
    ),
    ("kill --level pause-entries --execute", AuditKind.ACTION, {"what": "zoe kill"}),
    ("db prune --older-than 30d --execute", AuditKind.PRUNED, {"upto": 3}),
)

LOOKS = (
    "config set MAX_OPEN_POSITIONS 1",
    "kill --level flatten",
    "db prune --older-than 7d",
    "audit verify",
    "status",
)


def test_each_order_leaves_a_row_that_names_who_and_where(url: str, tmp_path: Path) -> None:
    """`zoe explain #ROW` tells it; a look leaves none."""
    environ = {**LIVE_KEYS, "DATABASE_URL": url, "USER": "ann"}
    account = load_settings(environ, home=tmp_path).live_account
    assert account is not None
    with closing(opened(url, None, account)) as store, store.transaction() as books:
        trade(books, 1)

    def rows() -> list[AuditRow]:
        with (
            closing(Store.open(url, account, clock_now=NOON, read_only=True)) as store,
            store.transaction() as books,
        ):
            return [*books.audit.rows()]

    for line, kind, facts in ORDERS:
        before = rows()[-1].seq
        ran = zoe(line, environ, home=tmp_path)
        assert ran.code == 0, ran.err
        (told,) = [each for each in rows() if each.seq > before and each.kind == kind.value]
        assert {**told.facts, **WHO, **facts} == told.facts, line
        explained = zoe(f"explain #{told.seq}", environ, home=tmp_path).out
        assert f"by ann on {platform.node()}" in " ".join(explained.split()), line
    newest = rows()[-1].seq
    for line in LOOKS:
        zoe(line, environ, home=tmp_path)
    assert rows()[-1].seq == newest


def test_the_story_of_a_setting_is_found_by_its_name(url: str, tmp_path: Path) -> None:
    """No book has a row of it but the log."""
    environ = {**LIVE_KEYS, "DATABASE_URL": url, "USER": "ann"}
    for value in ("5", "4", "--clear"):
        line = f"config set MAX_OPEN_ORDERS {value} --execute"
        ran = zoe(line, environ | {"I_UNDERSTAND_LIVE": "1"}, home=tmp_path)
        assert ran.code == 0, ran.err
    ran = zoe("explain MAX_OPEN_ORDERS@", environ, home=tmp_path)
    told = " ".join(ran.out.split())

    assert ran.code == 0
    assert "MAX_OPEN_ORDERS was set to 5." in told
    assert "MAX_OPEN_ORDERS was set to 4; it was 5." in told
    assert "MAX_OPEN_ORDERS was given back to files and environment; it was 4." in told


def test_a_migration_is_told_to_each_account(url_at_0005: str, tmp_path: Path) -> None:
    """From which to which; a second one changes nothing and says nothing."""
    environ = {"DATABASE_URL": url_at_0005, "USER": "ann"}
    for _ in range(2):
        assert zoe("db upgrade", environ, home=tmp_path).code == 0
    with (
        closing(Store.open(url_at_0005, PAPER, clock_now=NOON, read_only=True)) as store,
        store.transaction() as books,
    ):
        told = [each.facts for each in books.audit.rows() if each.kind == AuditKind.ACTION.value]

    migrations = {"migration_before": "0005", "migration": HEAD_REVISION}
    assert told == [{"what": "zoe db upgrade", **migrations, **WHO}]
