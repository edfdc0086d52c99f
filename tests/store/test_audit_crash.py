"""`kill -9` at any moment leaves a whole log, and exactly the rows of what was committed."""

from __future__ import annotations

import random
from contextlib import closing
from pathlib import Path

import audit_child
from audit_rig import opened, report_on
from nursery import nursery
from zoe_tools.domain.audit import AuditKind
from zoe_tools.runtime.audit_home import AuditHome

KILLS = 6
SEED = 20_260_105
CHILD = audit_child.__file__


def test_a_kill_between_any_two_statements_leaves_a_whole_log(url: str, tmp_path: Path) -> None:
    """Six processes trade into one store, one after the other, and each is killed in its midst."""
    home = AuditHome(tmp_path)
    home.make_key()
    draw = random.Random(SEED)
    said = 0
    for number in range(KILLS):
        child = nursery().talk(CHILD, url, str(tmp_path), str(number))
        for _ in range(draw.randint(1, 40)):
            assert child.stdout.readline()
            said += 1
        child.kill_all()
        said += len(child.stdout.read().splitlines())
        child.close()
        report = report_on(url, home)
        with closing(opened(url, None)) as store, store.transaction() as books:
            intents, fills = len(books.intents()), len(books.fills())
            rows = sum(row.kind == AuditKind.FILL for row in books.audit.rows())

        assert report.findings == ()
        assert intents == fills == rows
        # The commit may have been made and not been told of: at most one for each kill.
        assert said <= intents <= said + number + 1
