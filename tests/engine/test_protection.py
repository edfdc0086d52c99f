"""What counts as protected, and how the time without protection is added up."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

import pytest

from builders import BTC, NOON, d, make_instrument, make_order, make_position, plan_with
from zoe_tools.core.position_invariants import is_protected
from zoe_tools.core.position_orders import cancelled
from zoe_tools.domain.identifiers import PositionId, Symbol
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.order import OrderStatus, OrderType, Side
from zoe_tools.domain.plan import CancelOrder
from zoe_tools.domain.position import Position
from zoe_tools.engine.protection import ProtectionWatch
from zoe_tools.observe.log import event_of

INSTRUMENT = make_instrument()


def stop(**changes: Any) -> OrderRecord:
    """A stop that covers the position."""
    values: dict[str, Any] = {
        "side": Side.SELL,
        "order_type": OrderType.STOP_LOSS,
        "purpose": "stop",
        "position_id": PositionId("P1"),
    }
    return make_order(**{**values, **changes})


@pytest.mark.parametrize(
    ("changes", "is_covered"),
    [
        ({}, True),
        ({"status": OrderStatus.PARTIALLY_FILLED, "filled_quantity": d("0.0001")}, False),
        ({"quantity": d("0.0005")}, True),
        ({"quantity": d("0.0003")}, False),
        ({"status": OrderStatus.PENDING_NEW}, False),
        ({"status": OrderStatus.UNKNOWN}, False),
        ({"status": OrderStatus.CANCEL_PENDING}, False),
        ({"status": OrderStatus.CANCELED}, False),
        ({"purpose": "exit"}, False),
        ({"position_id": PositionId("P2")}, False),
    ],
)
def test_only_a_resting_stop_that_covers_all_of_it_protects(
    changes: dict[str, Any],
    is_covered: bool,  # noqa: FBT001 - a table
) -> None:
    """On its way, unknown, too small or somebody else's is not enough."""
    assert is_protected(make_position(), (stop(**changes),), INSTRUMENT) == is_covered


def test_a_position_without_orders_is_not_protected() -> None:
    """Nothing is nothing."""
    assert not is_protected(make_position(), (), INSTRUMENT)


def test_dust_counts_as_covered() -> None:
    """No order the venue would take could cover it."""
    assert is_protected(make_position(quantity=d("0.00009")), (), INSTRUMENT)


def cancelled_stop() -> CancelOrder:
    """The loop takes the stop away."""
    (step,) = cancelled(stop(), "another takes its place")
    return step


def spent(story: Story) -> dict[str, float]:
    """Seconds by cause, without those of which there are none."""
    return {cause: seconds for cause, seconds in story.watch.by_cause.items() if seconds}


class Story:
    """Looks at the same market second after second."""

    def __init__(self) -> None:
        self.watch = ProtectionWatch(5.0)

    def look(
        self,
        second: float,
        positions: Sequence[Position] = (),
        orders: Sequence[OrderRecord] = (),
        *exiting: str,
        at_work: Collection[Symbol] = (),
    ) -> None:
        """What is there so long after noon."""
        self.watch.look(
            NOON + timedelta(seconds=second),
            positions,
            orders,
            {BTC: INSTRUMENT},
            frozenset(map(PositionId, exiting)),
            frozenset(at_work),
        )


def test_positions_that_are_over_are_counted_and_forgotten() -> None:
    """Weeks have thousands of them: nothing is kept of one that nobody holds."""
    story = Story()
    for number in range(3):
        position = make_position(position_id=PositionId(f"P{number}"))
        story.watch.planned(plan_with(cancelled_stop()))
        story.look(number, [position], [stop(position_id=position.position_id)])
    story.look(3)

    assert story.watch.positions_with_stop == 3
    assert not story.watch._stopped
    assert not story.watch._replaced


def test_the_time_until_the_stop_rests_is_opening() -> None:
    """From the turn that saw it naked to the turn that saw it covered."""
    story = Story()
    story.look(-1)
    story.look(0, [make_position()])
    story.look(1.5, [make_position()])
    story.look(2, [make_position()], [stop()])
    story.look(60, [make_position()], [stop()])

    assert spent(story) == {"opening": 2.0}
    assert story.watch.positions_with_stop == 1


def test_the_time_between_cancel_and_sale_is_leaving() -> None:
    """The gap of a spot exit."""
    story = Story()
    story.look(0, [make_position()], [stop()])
    story.look(10, [make_position()], [], "P1")
    story.look(13, [])

    assert spent(story) == {"leaving": 3.0}


def test_the_time_between_one_stop_and_the_next_is_replacing() -> None:
    """The loop's own cancel; one that is too small for what was bought since is `growing`."""
    story = Story()
    story.look(0, [make_position()], [stop()])
    story.watch.planned(plan_with(cancelled_stop()))
    story.look(10, [make_position()], [stop(status=OrderStatus.CANCELED)])
    story.look(11, [make_position()], [stop(status=OrderStatus.PENDING_NEW)])
    story.look(12, [make_position()], [stop()])
    story.look(20, [make_position()], [stop(quantity=d("0.0003"))])
    story.look(25, [make_position()], [stop()])

    assert spent(story) == {"growing": 5.0, "replacing": 2.0}


def test_a_stop_that_is_seen_while_its_cancel_is_under_way_was_taken_by_the_loop() -> None:
    """Turns go on beside a lane: what still rests then is gone a moment later, and not lost."""
    story = Story()
    story.look(0, [make_position()], [stop()])
    story.watch.planned(plan_with(cancelled_stop()))
    story.look(1, [make_position()], [stop()], at_work=[BTC])
    story.look(10, [make_position()], [])
    story.look(12, [make_position()], [stop()])
    story.look(20, [make_position()], [])
    story.look(23, [])

    assert spent(story) == {"replacing": 2.0, "lost": 3.0}


@pytest.mark.parametrize(
    ("looks", "cause", "severity"),
    [
        ([(0, [stop()]), (10, []), (12, [stop()])], "lost", logging.ERROR),
        ([(10, []), (12, [stop()])], "found", logging.WARNING),
    ],
)
def test_what_is_healed_is_told_with_its_cause_and_its_time(
    looks: list[tuple[float, list[OrderRecord]]],
    cause: str,
    severity: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A stop that somebody else took away, and a position that had none when the loop began."""
    story = Story()
    with caplog.at_level(logging.INFO, "zoe_tools"):
        for second, orders in looks:
            story.look(second, [make_position()], orders)

    (record,) = [each for each in caplog.records if (event_of(each) or ("",))[0] == "SELF_HEAL"]
    told = event_of(record)
    assert told is not None
    assert (told[1]["cause"], told[1]["unprotected_ms"], record.levelno) == (cause, 2000, severity)
    assert spent(story) == {cause: 2.0}


def test_a_cause_that_changes_has_its_own_time() -> None:
    """A stop that was lost, and a position that is sold then."""
    story = Story()
    story.look(0, [make_position()], [stop()])
    story.look(1, [make_position()])
    story.look(4, [make_position()], [], "P1")
    story.look(5)

    assert spent(story) == {"lost": 3.0, "leaving": 1.0}


def test_what_stands_unprotected_for_long_is_told_once_while_it_lasts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whoever could help should not wait for its end; a sale on its way is no such thing."""
    story = Story()
    with caplog.at_level(logging.ERROR, "zoe_tools"):
        for second in range(10):
            assert story.watch.alarming == (second > 6)
            story.look(second, [make_position()])
        story.look(10)
        assert story.watch.alarming == 0
        for second in range(20, 30):
            story.look(second, [make_position(position_id=PositionId("P2"))], [], "P2")

    told = [event_of(each) for each in caplog.records]
    assert [(each[0], each[1]["unprotected_ms"]) for each in told if each] == [
        ("POSITION_UNPROTECTED", 6000)
    ]
    assert story.watch.naked == 1


def test_a_position_covered_at_first_sight_was_never_naked() -> None:
    """And it counts as one with a stop, once."""
    story = Story()
    for second in range(3):
        story.look(second, [make_position()], [stop()])

    assert (story.watch.seconds, story.watch.positions_with_stop) == (0.0, 1)


def test_the_time_of_a_sale_that_was_given_up_alarms_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What is to be stopped again has stood uncovered since then, and not since the sale began."""
    story = Story()
    with caplog.at_level(logging.ERROR, "zoe_tools"):
        for second in range(60):
            story.look(second, [make_position()], [], "P1")
        story.look(60, [make_position()])
        assert story.watch.naked_s(NOON + timedelta(seconds=61)) == 1
        story.look(62, [make_position()], [stop()])

    assert [each for each in caplog.records if event_of(each)] == []
    assert spent(story) == {"leaving": 60.0, "opening": 2.0}


def test_dust_that_grows_has_lost_no_stop() -> None:
    """It never had one, and needed none."""
    story = Story()
    story.look(0, [make_position(quantity=d("0.00005"))])
    assert story.watch.positions_with_stop == 0
    story.look(1, [make_position()])
    story.look(2, [make_position()], [stop()])

    assert spent(story) == {"opening": 1.0}


def test_each_position_has_its_own_time() -> None:
    """Two naked for three seconds are six unprotected seconds."""
    story = Story()
    both = [make_position(), make_position(position_id=PositionId("P2"))]
    story.look(0, both)
    story.look(3, [])

    assert story.watch.seconds == 6.0


def test_what_is_naked_at_the_end_is_counted_up_to_the_end() -> None:
    """The report hides nothing, and counts nothing twice."""
    story = Story()
    story.look(0, [make_position()])
    story.watch.finish(NOON + timedelta(seconds=4))
    story.watch.finish(NOON + timedelta(seconds=9))

    assert story.watch.seconds == 4.0
