"""Who had the books changed, by which command and plan, is in the audit log with the change."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from builders import NOON, PAPER, make_candle, make_position, plan_with
from templates import put_migrated
from zoe_tools.domain.audit import AuditKind
from zoe_tools.domain.plan import AdoptPosition, OutcomeState, Step, StepOutcome, WriteCandles
from zoe_tools.gate.action_log import note_action
from zoe_tools.gate.journal import Author
from zoe_tools.store.store import Store

AUTHOR = Author(account=PAPER, command="sync-positions", operator="me", host="desk")
ADOPT = AdoptPosition(position=make_position(), reason="named by the operator")
CANDLES = WriteCandles(
    symbol=make_candle().symbol,
    timeframe=make_candle().timeframe,
    candles=(make_candle(),),
    source="ohlc",
    reason="a gap",
)


@pytest.mark.parametrize(
    ("step", "state", "rows"),
    [
        (ADOPT, OutcomeState.DONE, 1),
        (ADOPT, OutcomeState.SKIPPED, 0),
        (CANDLES, OutcomeState.DONE, 0),
    ],
)
def test_what_was_done_is_told_and_nothing_else(
    tmp_path: Path, step: Step, state: OutcomeState, rows: int
) -> None:
    """A step that was skipped changed nothing; candles would bury the rest."""
    url = f"sqlite:///{tmp_path / 'zoe.db'}"
    put_migrated(tmp_path / "zoe.db")
    plan = plan_with(step)
    outcome = StepOutcome(step=step, state=state, evidence="")
    with closing(Store.open(url, PAPER, clock_now=NOON)) as store:
        with store.transaction() as books:
            note_action(books, [outcome], author=AUTHOR, plan=plan, now=NOON)
        with store.transaction() as books:
            told = [row for row in books.audit.rows() if row.kind == AuditKind.ACTION]

    assert len(told) == rows
    if told:
        assert told[0].ids == (plan.plan_hash, make_position().position_id)
        assert told[0].facts == {
            "what": "zoe sync-positions",
            "operator": "me",
            "host": "desk",
            "plan_hash": plan.plan_hash,
            "steps": ["AdoptPosition, because named by the operator"],
        }
