"""The registry keeps its rules where positions are written, and writes their story itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DatabaseError

from builders import ETH, NOON, d, make_instrument, make_position
from zoe_tools.core.take_profit import levels_for
from zoe_tools.domain.identifiers import PositionId
from zoe_tools.domain.level_story import levels_as_told
from zoe_tools.domain.order import Side
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.position import Position, PositionStatus
from zoe_tools.domain.position_event import BEGUN, event_of
from zoe_tools.domain.position_lifecycle import PositionRuleBroken
from zoe_tools.store.store import Store

OTHER = make_position(position_id=PositionId("P2"))


def test_an_instrument_has_one_active_position(store: Store) -> None:
    """Invariant A: pending ones count, those that are over do not."""
    closed = {"quantity": d("0"), "exit_quantity": d("0.0004"), "status": PositionStatus.CLOSED}
    with store.transaction() as books:
        books.record_position(make_position())
        books.record_position(make_position(position_id=PositionId("P3"), symbol=ETH))
        with pytest.raises(PositionRuleBroken, match="P1 is active in BTC/USD already"):
            books.record_position(OTHER)
        books.record_position(make_position(closed_at=NOON, **closed))
        books.record_position(OTHER)
        with pytest.raises(PositionRuleBroken) as caught:
            books.record_position(make_position())

    assert caught.value.rule == "A"


def test_the_other_side_waits_until_the_position_is_closed(store: Store) -> None:
    """Invariant E: no short beside a long of the same instrument."""
    short = make_position(position_id=PositionId("P2"), side=Side.SELL)
    with store.transaction() as books:
        books.record_position(make_position())
        with pytest.raises(PositionRuleBroken) as caught:
            books.record_position(short)

    assert caught.value.rule == "E"


def test_a_change_that_breaks_a_rule_changes_nothing(store: Store) -> None:
    """Neither the row nor its story."""
    with store.transaction() as books:
        books.record_position(make_position())
        before = books.position_events()
    for broken in (
        replace(make_position(), quantity=d("1")),
        replace(make_position(), status=PositionStatus.CANCELLED),
    ):
        with pytest.raises(PositionRuleBroken), store.transaction() as books:
            books.record_position(broken)
    with store.transaction() as books:
        assert books.positions() == (make_position(),)
        assert books.position_events() == before


def test_each_change_writes_its_events_once(store: Store) -> None:
    """However often it is told; a position's own story can be asked for."""
    sold = make_position(
        status=PositionStatus.PARTIAL, quantity=d("0.0003"), exit_quantity=d("0.0001")
    )
    with store.transaction() as books:
        books.record_position(make_position(position_id=PositionId("P3"), symbol=ETH))
        for each in (make_position(), make_position(), sold, sold):
            books.record_position(each)
        story = books.position_events(PositionId("P1"))
        assert [each.what for each in story] == ["begun", "entered", "left", "partial"]
        assert len(books.position_events()) == 6
        assert not books.append_position_event(story[0])
        assert (story[0].from_status, story[0].to_status) == (None, PositionStatus.OPEN)
        assert (story[3].from_status, story[3].to_status) == (
            PositionStatus.OPEN,
            PositionStatus.PARTIAL,
        )


def test_a_story_cannot_be_changed(store: Store, url: str) -> None:
    """At no prompt: the table takes rows and gives none back."""
    with store.transaction() as books:
        books.record_position(make_position())
    engine = create_engine(url)
    for statement in ("UPDATE position_events SET kind = 'x'", "DELETE FROM position_events"):
        with pytest.raises(DatabaseError, match="append-only"), engine.begin() as connection:
            connection.execute(text(statement))
    engine.dispose()


LADDER = Policy(take_profit_levels=((d("50"), d("3")), (d("50"), d("6"))))
INSERTED = (
    "INSERT INTO take_profit_levels (account_id, position_id, level, price, quantity, status, mode,"
    " updated_at) SELECT account_id, position_id, 1, '1', quantity, 'waiting', 'managed',"
    " opened_at FROM crypto_positions WHERE symbol = 'ETH/USD'"
)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("UPDATE take_profit_levels SET price = '1' WHERE level = 1", "P1"),
        ("UPDATE take_profit_levels SET quantity = '9' WHERE level = 2", "P1"),
        ("UPDATE take_profit_levels SET mode = 'resting' WHERE level = 1", "P1"),
        ("DELETE FROM take_profit_levels", "P1"),
        (INSERTED, "P3"),
    ],
)
def test_levels_that_a_prompt_wrote_are_not_those_that_were_set(
    store: Store, url: str, words: str, name: str
) -> None:
    """The story tells them, whatever the rows say; set again, the rows are as they were."""
    levels, other = (
        levels_for(make_position(), make_instrument(), policy, at=NOON)
        for policy in (LADDER, Policy())
    )
    with store.transaction() as books:
        books.record_position(make_position())
        books.record_position(make_position(position_id=PositionId("P3"), symbol=ETH))
        for each in (levels, other, levels):
            books.set_targets(PositionId("P1"), each)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(words))
    engine.dispose()
    with store.transaction() as books:
        assert books.targets() == levels
        (found,) = books.targets_retold()
        assert (found.position_id, found.rows) != (name, found.told)
        assert found.position_id == name
        books.set_targets(found.position_id, found.told)
        assert books.targets_retold() == ()
        assert books.targets() == levels


def test_levels_that_were_set_before_stories_told_of_them_stand() -> None:
    """A story that began without a word about levels says nothing of them."""
    levels = levels_for(make_position(), make_instrument(), LADDER, at=NOON)
    old = event_of(PositionId("P1"), BEGUN, NOON, (None, PositionStatus.OPEN), {"side": "buy"})
    assert levels_as_told(levels, ()) == levels_as_told(levels, (old,)) == levels


def test_a_row_from_before_the_columns_holds_what_it_holds(store: Store, url: str) -> None:
    """All of it counts as bought, and nothing as sold."""
    with store.transaction() as books:
        books.record_position(make_position())
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE crypto_positions SET entry_quantity = NULL, exit_quantity = NULL")
        )
    engine.dispose()
    with store.transaction() as books:
        (position,) = books.positions()
    assert (position.entry_quantity, position.exit_quantity) == (d("0.0004"), d("0"))


def test_the_latest_round_trips_are_told_oldest_first(store: Store) -> None:
    """As many as are wanted; what is open, or ended without a trade, is none."""

    def ended(number: int, status: PositionStatus = PositionStatus.CLOSED) -> Position:
        name = PositionId(f"P{number}")
        at = NOON + timedelta(minutes=number)
        return make_position(position_id=name, status=status, quantity=d("0"), closed_at=at)

    with store.transaction() as books:
        for each in (ended(3), ended(1), ended(2), ended(4, PositionStatus.CANCELLED)):
            books.copy_position(each)
        books.copy_position(make_position(position_id=PositionId("P9")))

        assert [each.position_id for each in books.closed_positions(2)] == ["P2", "P3"]
        assert len(books.closed_positions(9)) == 3
