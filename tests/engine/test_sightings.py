"""The executions stream as proof of what was sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

import pytest

from builders import NOON, make_intent
from zoe_tools.domain.identifiers import VenueOrderId
from zoe_tools.domain.journal import IntentKind
from zoe_tools.domain.order import OrderPurpose, OrderStatus
from zoe_tools.domain.stream import ExecutionKind, ExecutionReport
from zoe_tools.engine.sightings import BARE_PATIENCE_S, PATIENCE_S, REMEMBERED, Sightings
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual

T = TypeVar("T")
ORDER = VenueOrderId("OAAAAA-AAAAA-AAAAA1")


def report(status: OrderStatus = OrderStatus.OPEN, **changes: Any) -> ExecutionReport:
    """What the stream says of the order."""
    values: dict[str, Any] = {
        "kind": ExecutionKind.STATUS,
        "status": status,
        "venue_order_id": ORDER,
        "reported_at": NOON,
    }
    return ExecutionReport(**{**values, **changes})


def watching(story: Callable[[Sightings, VirtualClock], Awaitable[T]]) -> T:
    """A story in virtual time from noon."""

    async def main() -> T:
        clock = VirtualClock(NOON)
        return await story(Sightings(clock), clock)

    return run_virtual(main())


@pytest.mark.parametrize(
    ("kind", "status", "is_proof"),
    [
        (IntentKind.PLACE, OrderStatus.PENDING_NEW, True),
        (IntentKind.PLACE, OrderStatus.OPEN, True),
        (IntentKind.PLACE, OrderStatus.FILLED, True),
        (IntentKind.PLACE, OrderStatus.CANCELED, False),
        (IntentKind.PLACE, OrderStatus.EXPIRED, False),
        (IntentKind.CANCEL, OrderStatus.OPEN, False),
        (IntentKind.CANCEL, OrderStatus.PARTIALLY_FILLED, False),
        (IntentKind.CANCEL, OrderStatus.CANCELED, True),
        (IntentKind.CANCEL, OrderStatus.FILLED, True),
        (IntentKind.AMEND, OrderStatus.OPEN, False),
    ],
)
def test_what_proves_what(
    kind: IntentKind,
    status: OrderStatus,
    is_proof: bool,  # noqa: FBT001 - a table
) -> None:
    """Any sight proves a place, but of an order that was thrown out again; an end a cancel."""

    async def story(sightings: Sightings, _clock: VirtualClock) -> str | None:
        sightings.note(report(status))
        return await sightings.proof(make_intent(kind=kind), ORDER)

    evidence = watching(story)
    assert (evidence is not None) == is_proof
    if evidence is not None:
        assert evidence.startswith(f"executions stream: {ORDER} is {status.value}")


@pytest.mark.parametrize(("late_s", "is_proof"), [(0, True), (-5, True), (-6, False), (1, True)])
def test_an_amend_is_proved_by_a_report_no_older_than_the_intent(
    late_s: float,
    is_proof: bool,  # noqa: FBT001 - a table
) -> None:
    """Within the few seconds that two clocks may differ."""

    async def story(sightings: Sightings, _clock: VirtualClock) -> str | None:
        at = NOON + timedelta(seconds=late_s)
        sightings.note(report(kind=ExecutionKind.AMENDED, reported_at=at))
        return await sightings.proof(make_intent(kind=IntentKind.AMEND), ORDER)

    assert (watching(story) is not None) == is_proof


@pytest.mark.parametrize(
    ("kind", "purpose", "waited_s"),
    [
        (IntentKind.PLACE, "stop", PATIENCE_S),
        (IntentKind.CANCEL, "entry", PATIENCE_S),
        (IntentKind.CANCEL, "stop", BARE_PATIENCE_S),
    ],
)
def test_silence_is_waited_for_a_moment_and_then_no_proof(
    kind: IntentKind, purpose: OrderPurpose, waited_s: float
) -> None:
    """Then the gate asks the venue's records; sooner where a position may stand without a stop."""

    async def story(sightings: Sightings, clock: VirtualClock) -> tuple[str | None, float]:
        evidence = await sightings.proof(make_intent(kind=kind, purpose=purpose), ORDER)
        return evidence, (clock.now() - NOON).total_seconds()

    assert watching(story) == (None, waited_s)


def test_an_order_that_was_thrown_out_again_is_for_the_records_at_once() -> None:
    """A stop that the venue takes and cancels would else be placed again and again at once."""

    async def story(sightings: Sightings, clock: VirtualClock) -> tuple[str | None, float]:
        waiting = asyncio.create_task(sightings.proof(make_intent(), ORDER))
        await clock.sleep(0.2)
        sightings.note(report(OrderStatus.CANCELED))
        return await waiting, (clock.now() - NOON).total_seconds()

    evidence, waited_s = watching(story)
    assert evidence is None
    assert waited_s == pytest.approx(0.2)


def test_news_that_comes_while_waiting_is_proof_at_once() -> None:
    """News of other orders in between is not taken for it."""

    async def story(sightings: Sightings, clock: VirtualClock) -> tuple[str | None, float]:
        waiting = asyncio.create_task(sightings.proof(make_intent(), ORDER))
        await clock.sleep(0.2)
        sightings.note(report(venue_order_id=VenueOrderId("OTHER")))
        await clock.sleep(0.2)
        assert not waiting.done()
        sightings.note(report())
        evidence = await waiting
        return evidence, (clock.now() - NOON).total_seconds()

    evidence, waited_s = watching(story)
    assert evidence is not None
    assert waited_s == pytest.approx(0.4)


def test_a_cancel_waits_for_the_end_of_the_order() -> None:
    """A partial fill before it is not the end."""

    async def story(sightings: Sightings, clock: VirtualClock) -> str | None:
        waiting = asyncio.create_task(sightings.proof(make_intent(kind=IntentKind.CANCEL), ORDER))
        for status in (OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED, OrderStatus.CANCELED):
            await clock.sleep(0.1)
            sightings.note(report(status))
        return await waiting

    assert watching(story) == f"executions stream: {ORDER} is canceled"


def test_only_the_latest_orders_are_remembered() -> None:
    """A bound on memory; the oldest is forgotten first."""

    async def story(sightings: Sightings, _clock: VirtualClock) -> tuple[str | None, str | None]:
        for number in range(REMEMBERED + 1):
            sightings.note(report(venue_order_id=VenueOrderId(f"O{number}")))
        oldest = await sightings.proof(make_intent(), VenueOrderId("O0"))
        newest = await sightings.proof(make_intent(), VenueOrderId(f"O{REMEMBERED}"))
        return oldest, newest

    oldest, newest = watching(story)
    assert oldest is None
    assert newest is not None
