"""An answer that does not come holds nobody up: it is looked for, and what may go again goes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builders import BTC, NOON, d, make_position, make_request, make_stop_request, place
from fakes import Desk, at_the_desk
from zoe_tools.domain.identifiers import PositionId
from zoe_tools.domain.journal import IntentState, ProofKind
from zoe_tools.domain.order import OrderAmendment, OrderStatus, VenueOrder
from zoe_tools.domain.plan import (
    AdoptPosition,
    AmendOrder,
    CancelOrder,
    OutcomeState,
    PlaceOrder,
    StepOutcome,
)
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.stream import ExecutionKind, ExecutionReport
from zoe_tools.engine.sightings import Sightings
from zoe_tools.errors import OutcomeUnknown, VenueRejected, VenueUnavailable
from zoe_tools.gate.gate import Gate

POLICY = Policy()
SOON_S = 2.0
LATE_S = 3.0
"""Later than the stream alone is waited for."""
LAG_S = 5.0
A_GLANCE_S = 0.2
BALANCES = {"USD": d("1000"), "BTC": d("0.5")}
P1 = PositionId("P1")
CANCELED = OrderStatus.CANCELED


def swallowed(desk: Desk, method: str, *, is_done: bool, times: int = 1) -> None:
    """The answers to so many calls never come; `is_done`: the venue does what they ask."""
    real: Callable[..., Awaitable[Any]] = getattr(desk.venue, method)
    left = [times]

    async def silent(*told: Any, **named: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            return await real(*told, **named)
        if is_done:
            await real(*told, **named)
        else:
            desk.venue.calls.append((method, "lost on its way"))
        await asyncio.Event().wait()
        return None

    setattr(desk.venue, method, silent)


def a_stop(quantity: str = "0.5") -> PlaceOrder:
    """The position's."""
    return place(make_stop_request(quantity=d(quantity)), position_id=P1)


def cancel_of(stop: VenueOrder) -> CancelOrder:
    """What takes the position's stop away."""
    return CancelOrder(
        venue_order_id=stop.venue_order_id,
        symbol=stop.symbol,
        purpose="stop",
        position_id=P1,
        reason="test",
    )


async def with_a_stop(desk: Desk) -> VenueOrder:
    """A position of half a coin, and a stop for a part of it."""
    position = make_position(quantity=d("0.5"))
    await desk.do(AdoptPosition(position=position, reason="test"), a_stop("0.2"))
    (stop,) = desk.venue.resting
    return stop


def grown(stop: VenueOrder) -> AmendOrder:
    """The stop is to cover all of the position."""
    change = OrderAmendment(
        venue_order_id=stop.venue_order_id, symbol=stop.symbol, quantity=d("0.5")
    )
    return AmendOrder(amendment=change, reason="it grew", position_id=P1)


def amended(desk: Desk, stop: VenueOrder) -> ExecutionReport:
    """What the stream tells of it then."""
    order = replace(stop, quantity=d("0.5"))
    return replace(report_of(order), kind=ExecutionKind.AMENDED, reported_at=desk.clock.now())


async def never(*_: Any) -> tuple[VenueOrder, ...]:
    """Records that do not answer."""
    await asyncio.Event().wait()
    return ()


def seconds_of_amendments(desk: Desk) -> list[float]:
    """When each of them is sent, from now on."""
    real, began, found = desk.venue.amend, desk.clock.now(), list[float]()

    async def amend(*told: Any, **named: Any) -> str:
        found.append((desk.clock.now() - began).total_seconds())
        return await real(*told, **named)

    desk.venue.amend = amend  # type: ignore[method-assign]
    return found


async def seconds_of(desk: Desk, *steps: Any) -> tuple[float, StepOutcome]:
    """How long it took, and what came of the last step."""
    began = desk.clock.now()
    receipt = await desk.do(*steps)
    return (desk.clock.now() - began).total_seconds(), receipt.outcomes[-1]


@pytest.mark.parametrize("is_done", [True, False])
def test_a_stop_that_nobody_answers_rests_within_two_seconds(
    *, is_done: bool, tmp_path: Path
) -> None:
    """Looked for at its deadline; where it is not, the same goes again, with its own id."""

    async def story(desk: Desk) -> None:
        swallowed(desk, "place", is_done=is_done)
        took_s, outcome = await seconds_of(
            desk, AdoptPosition(position=make_position(quantity=d("0.5")), reason="test"), a_stop()
        )
        assert outcome.state is OutcomeState.DONE
        assert took_s < SOON_S
        (stop,) = desk.venue.resting
        (intent,) = await desk.read(lambda tx: tx.intents())
        assert (stop.client_order_id, intent.state) == (
            intent.client_order_id,
            IntentState.CONFIRMED,
        )

    at_the_desk(tmp_path, story, balances=BALANCES)


@pytest.mark.parametrize("is_done", [True, False])
def test_a_stop_s_amendment_that_nobody_answers_is_made_within_two_seconds(
    *, is_done: bool, tmp_path: Path
) -> None:
    """The same values a second time change nothing."""

    async def story(desk: Desk) -> None:
        stop = await with_a_stop(desk)
        swallowed(desk, "amend", is_done=is_done)
        took_s, outcome = await seconds_of(desk, grown(stop))
        assert (outcome.state, took_s < SOON_S) == (OutcomeState.DONE, True)
        assert [each.quantity for each in desk.venue.resting] == [d("0.5")]

    at_the_desk(tmp_path, story, balances=BALANCES)


def test_a_stop_s_amendment_goes_again_at_its_deadline_whatever_the_records_do(
    tmp_path: Path,
) -> None:
    """Twice does no harm: a look that takes long is no reason to stand without it."""

    async def story(desk: Desk) -> None:
        stop = await with_a_stop(desk)
        swallowed(desk, "amend", is_done=False)
        sent_s = seconds_of_amendments(desk)
        sightings = Sightings(desk.clock)
        gate, snapshot = desk.gate(proof=sightings.proof), await desk.look()
        desk.venue.orders = never  # type: ignore[method-assign, assignment] # a venue that never answers

        async def tell() -> None:
            await desk.clock.sleep(SOON_S)
            sightings.note(amended(desk, stop))

        telling = asyncio.create_task(tell())
        receipt = await gate.carry_out(desk.plan(grown(stop)), snapshot=snapshot, execute=True)
        await telling

        assert [each.state for each in receipt.outcomes] == [OutcomeState.DONE]
        assert sent_s == pytest.approx([0.0, POLICY.stop_deadline_s + A_GLANCE_S])

    at_the_desk(tmp_path, story, balances=BALANCES)


def test_a_stop_s_amendment_that_came_too_late_by_the_venue_s_clock_goes_again_at_once(
    tmp_path: Path,
) -> None:
    """Two clocks differ: nothing of the first one is on its way, and the second has more time."""

    async def story(desk: Desk) -> None:
        stop = await with_a_stop(desk)
        real, times = desk.venue.amend, [1]

        async def late(*told: Any, **named: Any) -> str:
            if times.pop() if times else 0:
                raise OutcomeUnknown("Deadline elapsed.", is_late=True)
            return await real(*told, **named)

        desk.venue.amend = late  # type: ignore[method-assign]
        took_s, outcome = await seconds_of(desk, grown(stop))

        assert (outcome.state, took_s) == (OutcomeState.DONE, 0.0)
        assert [each.quantity for each in desk.venue.resting] == [d("0.5")]

    at_the_desk(tmp_path, story, balances=BALANCES)


def test_an_amendment_that_changes_nothing_any_more_is_made(tmp_path: Path) -> None:
    """The venue says that the order is as asked: that is a yes, and no reason to take it away."""

    async def story(desk: Desk) -> None:
        stop = await with_a_stop(desk)

        async def nothing_to_change(*_: Any, **__: Any) -> str:
            desk.venue.book_of_orders[stop.venue_order_id] = replace(stop, quantity=d("0.5"))
            raise VenueRejected("No amendable parameters.", is_as_asked=True)

        desk.venue.amend = nothing_to_change  # type: ignore[method-assign]
        _, outcome = await seconds_of(desk, grown(stop))

        assert outcome.state is OutcomeState.DONE
        assert await desk.read(lambda tx: tx.refusals(NOON)) == ()

    at_the_desk(tmp_path, story, balances=BALANCES)


def test_a_stop_is_as_asked_in_the_books_once_the_venue_said_yes(tmp_path: Path) -> None:
    """Streams and records that lag behind are no reason to ask for the same again."""

    async def story(desk: Desk) -> None:
        stop = await with_a_stop(desk)
        gate, snapshot = desk.gate(proof=Sightings(desk.clock).proof), await desk.look()
        desk.venue.orders = never  # type: ignore[method-assign, assignment] # a venue that never answers
        plan = desk.plan(grown(stop))
        carrying = asyncio.create_task(gate.carry_out(plan, snapshot=snapshot, execute=True))
        await desk.clock.sleep(0.1)

        known = await desk.read(lambda tx: tx.order_by_venue_id(stop.venue_order_id))
        assert known is not None
        assert (known.quantity, known.trigger_price) == (d("0.5"), stop.trigger_price)
        carrying.cancel()

    at_the_desk(tmp_path, story, balances=BALANCES)


def test_records_that_lag_do_not_undo_an_amendment_in_the_books(tmp_path: Path) -> None:
    """They show for a while what was before it; later they are believed again."""

    async def story(desk: Desk) -> None:
        stop = await with_a_stop(desk)
        await desk.do(grown(stop))

        async def quantity_after(wait_s: float) -> Any:
            await desk.clock.sleep(wait_s)
            desk.venue.book_of_orders[stop.venue_order_id] = stop
            await desk.gate().recover(patient=False)
            known = await desk.read(lambda tx: tx.order_by_venue_id(stop.venue_order_id))
            return None if known is None else known.quantity

        assert await quantity_after(LAG_S) == d("0.5")
        assert await quantity_after(POLICY.visibility_lag_s) == stop.quantity

    at_the_desk(tmp_path, story, balances=BALANCES)


@pytest.mark.parametrize("is_done", [True, False])
def test_a_cancel_that_nobody_answers_is_done_within_two_seconds(
    *, is_done: bool, tmp_path: Path
) -> None:
    """Asked for again as soon as the records show the order still open."""

    async def story(desk: Desk) -> None:
        stop = await with_a_stop(desk)
        swallowed(desk, "cancel", is_done=is_done)
        gone = cancel_of(stop)
        took_s, outcome = await seconds_of(desk, gone)
        assert (outcome.state, took_s < SOON_S) == (OutcomeState.DONE, True)
        assert not desk.venue.resting

    at_the_desk(tmp_path, story, balances=BALANCES)


def test_a_second_send_has_as_much_time_as_any_order(tmp_path: Path) -> None:
    """A venue that is slow for all takes nothing within a second, and must take the stop."""

    async def story(desk: Desk) -> None:
        stop = a_stop()
        began = desk.clock.now()
        swallowed(desk, "place", is_done=False)
        await desk.do(AdoptPosition(position=make_position(quantity=d("0.5")), reason="test"), stop)
        (intent,) = await desk.read(lambda tx: tx.intents())
        left_s = (intent.deadline - began).total_seconds() - POLICY.stop_deadline_s
        assert left_s == pytest.approx(POLICY.order_deadline_s, abs=0.1)

    at_the_desk(tmp_path, story, balances=BALANCES)


def test_a_stop_that_came_too_late_to_the_wire_goes_by_the_other_one(tmp_path: Path) -> None:
    """The socket went while it was journaled; REST takes no deadline as near as that."""

    async def story(desk: Desk) -> None:
        async def the_socket_goes() -> None:
            desk.venue.nearest_deadline_s = 3.5
            desk.venue.before_place = None
            raise VenueUnavailable("The deadline is too near for REST: nothing was sent.")

        desk.venue.before_place = the_socket_goes
        took_s, outcome = await seconds_of(
            desk, AdoptPosition(position=make_position(quantity=d("0.5")), reason="test"), a_stop()
        )
        assert (outcome.state, took_s) == (OutcomeState.DONE, 0.0)
        assert await desk.read(lambda tx: tx.refusals(NOON)) == ()

    at_the_desk(tmp_path, story, balances=BALANCES)


def test_what_the_stream_told_ends_the_waiting_for_an_entry_s_answer(tmp_path: Path) -> None:
    """What it buys needs a stop: its instrument is not to wait five seconds for nothing."""

    async def story(desk: Desk) -> None:
        swallowed(desk, "place", is_done=True)
        gate, began = desk.gate(), desk.clock.now()

        async def tell() -> None:
            await desk.clock.sleep(0.3)
            (order,) = desk.venue.resting
            assert await gate.record_report(report_of(order))

        telling = asyncio.create_task(tell())
        entry = place(make_request(limit_price=d("59000")))
        receipt = await gate.carry_out(desk.plan(entry), snapshot=await desk.look(), execute=True)
        await telling

        assert [each.state for each in receipt.outcomes] == [OutcomeState.DONE]
        assert (desk.clock.now() - began).total_seconds() < SOON_S
        (intent,) = await desk.read(lambda tx: tx.intents())
        assert (intent.state, intent.proof) == (IntentState.CONFIRMED, ProofKind.RECORDS)

    at_the_desk(tmp_path, story)


def test_a_proof_by_the_stream_counts_while_the_records_lag(tmp_path: Path) -> None:
    """The venue said yes; its records may show the order a minute later, its fill is here now."""

    async def story(desk: Desk) -> None:
        desk.venue.blind_s = 60.0
        sightings = Sightings(desk.clock)
        gate, began = desk.gate(proof=sightings.proof), desk.clock.now()

        async def tell() -> None:
            await desk.clock.sleep(LATE_S)
            (order,) = desk.venue.book_of_orders.values()
            sightings.note(report_of(order))

        telling = asyncio.create_task(tell())
        entry = place(make_request(limit_price=d("59000")))
        receipt = await gate.carry_out(desk.plan(entry), snapshot=await desk.look(), execute=True)
        await telling

        assert [each.state for each in receipt.outcomes] == [OutcomeState.DONE]
        assert (desk.clock.now() - began).total_seconds() == LATE_S

    at_the_desk(tmp_path, story)


def test_an_order_that_the_venue_threw_out_is_so_though_the_records_still_show_it(
    tmp_path: Path,
) -> None:
    """Its stream said yes, and then no; records that lag would have it sent again at once."""

    async def story(desk: Desk) -> None:
        sightings = Sightings(desk.clock)
        gate = desk.gate(proof=sightings.proof)

        async def shown_late(_: Any) -> tuple[VenueOrder, ...]:
            await desk.clock.sleep(LATE_S)
            return tuple(desk.venue.book_of_orders.values())

        async def tell() -> None:
            await desk.clock.sleep(0.3)
            (order,) = desk.venue.resting
            gone = replace(report_of(order), kind=ExecutionKind.CANCELED, status=CANCELED)
            sightings.note(gone)
            assert await gate.record_report(gone)

        desk.venue.orders = shown_late  # type: ignore[method-assign, assignment] # a venue that is slow
        telling = asyncio.create_task(tell())
        began, entry = desk.clock.now(), place(make_request(limit_price=d("59000")))
        receipt = await gate.carry_out(desk.plan(entry), snapshot=await desk.look(), execute=True)
        await telling

        (outcome,) = receipt.outcomes
        assert (outcome.state, outcome.code) == (OutcomeState.REJECTED, "NOT_KEPT")
        assert (desk.clock.now() - began).total_seconds() == pytest.approx(0.3 + LATE_S)

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize("is_told", [True, False])
def test_slow_records_hold_no_lane_whose_streams_tell(*, is_told: bool, tmp_path: Path) -> None:
    """What became of an entry is asked of the records; a stop may be needed there meanwhile."""

    async def story(desk: Desk) -> None:
        swallowed(desk, "place", is_done=True)
        gate = desk.gate(proof=Sightings(desk.clock).proof)

        async def slow(*_: Any) -> tuple[VenueOrder, ...]:
            await asyncio.Event().wait()
            return ()

        async def tell() -> None:
            await desk.clock.sleep(POLICY.order_deadline_s + 0.3)
            (order,) = desk.venue.resting
            assert await gate.record_report(report_of(order))

        snapshot = await desk.look()
        desk.venue.open_orders = slow  # type: ignore[method-assign, assignment] # a venue that never answers
        telling = asyncio.create_task(tell()) if is_told else None
        began, entry = desk.clock.now(), place(make_request(limit_price=d("59000")))
        receipt = await gate.carry_out(desk.plan(entry), snapshot=snapshot, execute=True)
        if telling is not None:
            await telling

        took_s = (desk.clock.now() - began).total_seconds() - POLICY.order_deadline_s
        assert [each.state for each in receipt.outcomes] == [
            OutcomeState.DONE if is_told else OutcomeState.UNKNOWN
        ]
        assert took_s < SOON_S

    at_the_desk(tmp_path, story)


def test_what_the_books_were_told_of_a_stop_is_not_asked_again(tmp_path: Path) -> None:
    """Its answer was lost, a list of open orders shows it changed: slow records can wait."""

    async def story(desk: Desk) -> None:
        stop = await with_a_stop(desk)
        swallowed(desk, "amend", is_done=True)
        gate = desk.gate(proof=Sightings(desk.clock).proof)

        async def tell() -> None:
            await desk.clock.sleep(0.3)
            (order,) = desk.venue.resting
            assert await gate.record_report(report_of(order))

        desk.venue.orders = never  # type: ignore[method-assign, assignment] # a venue that never answers
        telling, began = asyncio.create_task(tell()), desk.clock.now()
        plan = desk.plan(grown(stop))
        receipt = await gate.carry_out(plan, snapshot=await desk.look(), execute=True)
        await telling

        assert [each.state for each in receipt.outcomes] == [OutcomeState.DONE]
        assert (desk.clock.now() - began).total_seconds() < SOON_S

    at_the_desk(tmp_path, story, balances=BALANCES)


def test_what_others_read_of_a_cancelled_stop_is_not_waited_for(tmp_path: Path) -> None:
    """Its frame was lost; a recovery beside the lane had the answer of the records sooner."""

    async def story(desk: Desk) -> None:
        stop = await with_a_stop(desk)
        gate = desk.gate(proof=Sightings(desk.clock).proof)

        async def tell() -> None:
            await desk.clock.sleep(1.0)
            gone = replace(report_of(stop), kind=ExecutionKind.CANCELED, status=CANCELED)
            assert await gate.record_report(gone)

        desk.venue.orders = never  # type: ignore[method-assign, assignment] # a venue that never answers
        telling, began = asyncio.create_task(tell()), desk.clock.now()
        plan = desk.plan(cancel_of(stop))
        receipt = await gate.carry_out(plan, snapshot=await desk.look(), execute=True)
        await telling

        assert [each.state for each in receipt.outcomes] == [OutcomeState.DONE]
        assert (desk.clock.now() - began).total_seconds() < SOON_S

    at_the_desk(tmp_path, story, balances=BALANCES)


def test_fills_that_the_streams_have_told_are_not_waited_for(tmp_path: Path) -> None:
    """Records show the order filled, and its trades later: the books know them by then."""

    async def story(desk: Desk) -> None:
        gate, venue = desk.gate(proof=Sightings(desk.clock).proof), desk.venue
        began = desk.clock.now()

        async def no_fills(**_: Any) -> tuple[Any, ...]:
            return ()

        async def trade() -> None:
            await desk.clock.sleep(0.2)
            (order,) = venue.resting
            venue.trade(order.venue_order_id, order.quantity)

        venue.fills = no_fills  # type: ignore[method-assign] # they lag behind
        trading = asyncio.create_task(trade())
        entry = place(make_request(limit_price=d("59000")))
        receipt = await gate.carry_out(desk.plan(entry), snapshot=await desk.look(), execute=True)
        await trading

        assert [each.state for each in receipt.outcomes] == [OutcomeState.DONE]
        # A second for the stream, and another for the fills.
        assert (desk.clock.now() - began).total_seconds() < SOON_S + 0.2

    at_the_desk(tmp_path, story)


def test_a_stop_that_was_cancelled_is_seen_within_a_second_of_the_records_showing_it(
    tmp_path: Path,
) -> None:
    """Its position stands without one until then: what it had filled decides what is sold."""

    async def story(desk: Desk) -> None:
        stop = await with_a_stop(desk)
        began, real = desk.clock.now(), desk.venue.orders

        async def lagging(names: Any) -> tuple[VenueOrder, ...]:
            has_seen = (desk.clock.now() - began).total_seconds() >= LAG_S
            return await real(names) if has_seen else (stop,)

        desk.venue.orders = lagging  # type: ignore[method-assign, assignment] # as it was before
        gone = cancel_of(stop)
        took_s, outcome = await seconds_of(desk, gone)
        assert outcome.state is OutcomeState.DONE
        assert LAG_S <= took_s <= LAG_S + 1

    at_the_desk(tmp_path, story, balances=BALANCES)


def test_an_entry_that_was_cancelled_is_asked_for_less_and_less_often(tmp_path: Path) -> None:
    """Nothing stands without its stop meanwhile, and a full counter keeps others' stops waiting."""

    async def story(desk: Desk) -> None:
        entry = place(make_request(limit_price=d("59000")))
        await desk.do(entry)
        (resting,) = desk.venue.resting
        asked: list[float] = []
        began, real = desk.clock.now(), desk.venue.orders

        async def lagging(names: Any) -> tuple[VenueOrder, ...]:
            asked.append((desk.clock.now() - began).total_seconds())
            return await real(names) if asked[-1] >= 2 * LAG_S else (resting,)

        desk.venue.orders = lagging  # type: ignore[method-assign, assignment] # as it was before
        _, outcome = await seconds_of(desk, replace(cancel_of(resting), purpose="entry"))
        assert outcome.state is OutcomeState.DONE
        assert [round(each, 1) for each in asked] == [0, 0.1, 0.3, 0.8, 1.8, 3.8, 7.8, 11.8]

    at_the_desk(tmp_path, story)


def test_an_entry_that_nobody_tells_of_is_waited_for_until_it_is_dead(tmp_path: Path) -> None:
    """And is unknown then; it is not sent again."""

    async def story(desk: Desk) -> None:
        swallowed(desk, "place", is_done=False)
        entry = place(make_request(limit_price=d("59000")))
        took_s, outcome = await seconds_of(desk, entry)
        assert (outcome.state, took_s) == (OutcomeState.UNKNOWN, POLICY.order_deadline_s)
        assert desk.venue.calls.count(("place", "lost on its way")) == 1

    at_the_desk(tmp_path, story)


def report_of(order: VenueOrder) -> ExecutionReport:
    """What the stream tells of an order that rests."""
    return ExecutionReport(
        kind=ExecutionKind.NEW,
        status=OrderStatus.OPEN,
        venue_order_id=order.venue_order_id,
        reported_at=NOON,
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        order_type=order.order_type,
        quantity=order.quantity,
        limit_price=order.limit_price,
        cumulative_quantity=d("0"),
    )


@pytest.mark.parametrize(
    ("is_answered", "state"), [(True, OutcomeState.DONE), (False, OutcomeState.UNKNOWN)]
)
def test_an_entry_is_left_alone_as_soon_as_a_stop_waits_for_its_instrument(
    *, is_answered: bool, state: OutcomeState, tmp_path: Path
) -> None:
    """Whether its answer is out or its proof: neither is worth a position without its stop."""

    async def story(desk: Desk) -> None:
        if not is_answered:
            swallowed(desk, "place", is_done=True)
        gate, snapshot = desk.gate(proof=Sightings(desk.clock).proof), await desk.look()
        desk.venue.orders = never  # type: ignore[method-assign, assignment] # a venue that never answers
        desk.venue.open_orders = never  # type: ignore[method-assign, assignment]
        asking = asyncio.create_task(in_a_hurry(desk, gate))
        entry = place(make_request(limit_price=d("59000")))
        began = desk.clock.now()
        receipt = await gate.carry_out(desk.plan(entry), snapshot=snapshot, execute=True)
        await asking

        assert [each.state for each in receipt.outcomes] == [state]
        assert (desk.clock.now() - began).total_seconds() == pytest.approx(0.3)

    at_the_desk(tmp_path, story)


def test_a_stop_s_own_answer_is_waited_for_however_much_another_one_hurries(
    tmp_path: Path,
) -> None:
    """Who knows nothing of the first one cannot place a second."""

    async def story(desk: Desk) -> None:
        swallowed(desk, "place", is_done=True)
        gate, position = (
            desk.gate(proof=Sightings(desk.clock).proof),
            make_position(quantity=d("0.5")),
        )
        await desk.do(AdoptPosition(position=position, reason="test"))
        asking = asyncio.create_task(in_a_hurry(desk, gate))
        plan, began = desk.plan(a_stop()), desk.clock.now()
        receipt = await gate.carry_out(plan, snapshot=await desk.look(), execute=True)
        await asking

        assert [each.state for each in receipt.outcomes] == [OutcomeState.DONE]
        assert (desk.clock.now() - began).total_seconds() >= POLICY.stop_deadline_s
        assert len(desk.venue.resting) == 1

    at_the_desk(tmp_path, story, balances=BALANCES)


def test_a_stop_that_was_said_yes_to_keeps_its_lane_for_a_second(tmp_path: Path) -> None:
    """It may have to grow, while streams and records say nothing of it."""

    async def story(desk: Desk) -> None:
        gate = desk.gate(proof=Sightings(desk.clock).proof)
        position = make_position(quantity=d("0.5"))
        await desk.do(AdoptPosition(position=position, reason="test"))
        snapshot = await desk.look()
        desk.venue.orders = never  # type: ignore[method-assign, assignment] # a venue that never answers
        began = desk.clock.now()
        receipt = await gate.carry_out(desk.plan(a_stop()), snapshot=snapshot, execute=True)

        assert [each.state for each in receipt.outcomes] == [OutcomeState.DONE]
        assert (desk.clock.now() - began).total_seconds() == POLICY.stop_deadline_s

    at_the_desk(tmp_path, story, balances=BALANCES)


async def in_a_hurry(desk: Desk, gate: Gate) -> None:
    """A stop comes to wait a moment later."""
    await desk.clock.sleep(0.3)
    gate.hurry.ask(frozenset({BTC}))
