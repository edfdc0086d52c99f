"""The audit of what is stored, and repairs that are told once and do not come back."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from typing_extensions import override

from builders import ETH, NOON, PAPER, d, make_fill, make_order, make_position
from templates import put_migrated
from zoe_tools.core.registry_audit import as_executed, contradicting
from zoe_tools.domain.identifiers import PositionId
from zoe_tools.domain.position import PositionStatus, RawPosition
from zoe_tools.domain.position_event import events_between
from zoe_tools.gate.registry_watch import audit_stored, repair_stored
from zoe_tools.observe.log import JsonLines
from zoe_tools.store.store import Store


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store with a position in BTC and one in ETH."""
    url = f"sqlite:///{tmp_path / 'zoe.db'}"
    put_migrated(tmp_path / "zoe.db")
    store = Store.open(url, PAPER, clock_now=NOON)
    with store.transaction() as books:
        books.record_position(make_position())
        books.record_position(make_position(position_id=PositionId("P2"), symbol=ETH))
    store.close()
    return url


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Iterator[list[dict[str, object]]]:
    """The log lines of the product, as the file has them."""
    lines: list[dict[str, object]] = []

    class Keep(logging.Handler):
        @override
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(json.loads(JsonLines().format(record)))

    keep = Keep()
    logger = logging.getLogger("zoe_tools")
    logger.addHandler(keep)
    with caplog.at_level(logging.INFO, "zoe_tools"):
        yield lines
    logger.removeHandler(keep)


def by_hand(url: str, statement: str) -> None:
    """What somebody does at a database prompt."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def start(url: str) -> tuple[int, int, int]:
    """Audit, repair, audit again; violations before, repairs, violations after."""
    store = Store.open(url, PAPER, clock_now=NOON)
    with store.transaction() as books:
        before = audit_stored(books, phase="startup", now=NOON)
        repairs = repair_stored(books, now=NOON)
        after = audit_stored(books, phase="startup_repaired", now=NOON)
    store.close()
    return before.violations_total, len(repairs), after.violations_total


@pytest.mark.parametrize(
    ("statement", "event", "status"),
    [
        (
            "UPDATE crypto_positions SET symbol = 'BTC/USD' WHERE position_id = 'P2'",
            "RECOVERY_MERGE_COLLISION",
            PositionStatus.ORPHANED,
        ),
        (
            "UPDATE crypto_positions SET exit_quantity = '9' WHERE position_id = 'P2'",
            "CORRUPTED_POSITION",
            PositionStatus.ERROR,
        ),
        (
            "UPDATE crypto_positions SET quantity = 'lots' WHERE position_id = 'P2'",
            "CORRUPTED_POSITION",
            PositionStatus.ERROR,
        ),
        (
            "UPDATE crypto_positions SET closed_at = opened_at WHERE position_id = 'P2'",
            "INVARIANT_VIOLATION",
            PositionStatus.OPEN,
        ),
    ],
)
def test_what_contradicts_itself_is_brought_to_rest_once(
    url: str, told: list[dict[str, object]], statement: str, event: str, status: PositionStatus
) -> None:
    """At the next start there is nothing to find and nothing to tell."""
    by_hand(url, statement)

    assert start(url) == (1, 1, 0)
    assert start(url) == (0, 0, 0)
    assert [each["event"] for each in told if each["event"] != "REGISTRY_AUDIT_REPORT"] == [event]
    store = Store.open(url, PAPER, clock_now=NOON)
    with store.transaction() as books:
        found = {each.status for each in books.positions()}
        assert status in found
        assert books.position_events()[-1].from_status is PositionStatus.OPEN
        beats = {each.component: each.status for each in books.heartbeats()}
    store.close()
    assert beats["registry audit"] == "ok"


@pytest.mark.parametrize(
    "words",
    [
        "UPDATE crypto_positions SET exit_quantity = '9' WHERE position_id = 'P1'",
        "UPDATE crypto_positions SET entry_quantity = '9' WHERE position_id = 'P1'",
        "UPDATE crypto_positions SET quantity = 'lots' WHERE position_id = 'P1'",
        "UPDATE crypto_positions SET quantity = '-1' WHERE position_id = 'P1'",
    ],
)
def test_a_row_whose_executions_prove_what_is_held_is_put_back_and_not_given_up(
    url: str, told: list[dict[str, object]], words: str
) -> None:
    """Coins and stop are there, and so are the executions that made them."""
    store = Store.open(url, PAPER, clock_now=NOON)
    with store.transaction() as books:
        books.record_order(make_order(position_id=PositionId("P1")))
        bought = make_fill(quantity=d("0.0004"), price=d("60000"), fee=d("0"))
        books.record_fill(bought, position_id=PositionId("P1"), purpose="entry")
        (right,) = (each for each in books.positions() if each.position_id == "P1")
    store.close()
    by_hand(url, words)

    assert start(url) == (1, 0, 0)
    assert start(url) == (0, 0, 0)
    store = Store.open(url, PAPER, clock_now=NOON)
    with store.transaction() as books:
        now = books.position(PositionId("P1"))
        assert now == replace(right, updated_at=NOON)
        assert books.position_events(PositionId("P1"))[-1].what == "restored"
    store.close()
    (line,) = (each for each in told if each["event"] == "INVARIANT_VIOLATION")
    assert "by its executions it holds 0.0004" in str(line["message"])


def test_executions_prove_nothing_of_what_was_adopted_or_is_of_another_instrument() -> None:
    """A part of it no execution explains; then the row is ended as before."""
    row = RawPosition(
        position_id=PositionId("P1"),
        symbol="BTC/USD",
        status="open",
        quantity="0.0004",
        entry_quantity="0.0004",
        exit_quantity="9",
        is_closed=False,
        updated_at="",
    )
    made, story = make_position(), events_between(None, make_position())
    adopted = events_between(None, make_position(origin="adopted"))
    sold = make_position(quantity=d("0"), exit_quantity=d("0.0004"), closed_at=NOON)

    assert contradicting((row, replace(row, exit_quantity="0"))) == (row,)
    assert as_executed(row, made, story) == made
    for nothing in (
        as_executed(row, None, story),
        as_executed(row, made, ()),
        as_executed(row, made, adopted),
        as_executed(replace(row, symbol="ETH/USD"), made, story),
        as_executed(replace(row, status="closed"), made, story),
    ):
        assert nothing is None
    over = as_executed(row, sold, story)
    assert over is not None
    assert over.status is PositionStatus.CLOSED
    part = as_executed(row, replace(made, exit_quantity=d("0.0001")), story)
    assert part is not None
    assert part.status is PositionStatus.PARTIAL


def test_vector_15_the_report_shows_every_field_to_the_operator(
    url: str, told: list[dict[str, object]]
) -> None:
    """Vector 15: redaction hides no operational field, whatever its name ends with."""
    start(url)

    line = told[0]
    assert line["event"] == "REGISTRY_AUDIT_REPORT"
    assert line["duplicate_active_symbol_keys"] == 0
    assert (line["violations"], line["violations_total"], line["phase"]) == ([], 0, "startup")
    by_hand(url, "UPDATE crypto_positions SET symbol = 'BTC/USD' WHERE position_id = 'P2'")
    start(url)
    collision = next(each for each in told if each["event"] == "RECOVERY_MERGE_COLLISION")
    assert collision["symbol_key"] == "BTC/USD"


def test_a_status_that_is_no_word_manages_nothing(url: str) -> None:
    """It is read as an error before the audit ends it as one."""
    by_hand(url, "UPDATE crypto_positions SET status = 'held' WHERE position_id = 'P2'")
    store = Store.open(url, PAPER, clock_now=NOON)
    with store.transaction() as books:
        assert [each.position_id for each in books.positions(open_only=True)] == ["P1"]
        assert len(books.positions()) == 2
    store.close()

    assert start(url)[1:] == (1, 0)
