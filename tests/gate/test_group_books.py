"""Intent groups in the gate's own transactions: the hard limit, the clock, what ends a group."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from builders import BTC, NOON, d, make_request, place
from fakes import Desk, at_the_desk
from zoe_tools.domain.identifiers import GroupId, VenueOrderId
from zoe_tools.domain.intent_group import GroupEnd, IntentGroup, Style, Ticket
from zoe_tools.domain.journal import Intent, OrderRecord
from zoe_tools.domain.order import OrderAmendment, OrderStatus, Side
from zoe_tools.domain.plan import (
    AmendOrder,
    CancelOrder,
    EndGroup,
    OutcomeState,
    PlaceOrder,
    StepOutcome,
)
from zoe_tools.errors import VenueUnavailable

TICKET = Ticket(
    style=Style.NORMAL,
    target_quantity=d("0.0004"),
    ttl_s=d("60"),
    arrival_bid=d("59999.9"),
    arrival_ask=d("60000.1"),
    worst_price=d("60100.0"),
)


def rests(quantity: str = "0.0004", price: str = "59000.0", **changes: Any) -> PlaceOrder:
    """An entry far enough below the market."""
    request = make_request(quantity=d(quantity), limit_price=d(price))
    return place(request, ticket=replace(TICKET, **changes))


async def only(desk: Desk) -> tuple[IntentGroup, OrderRecord]:
    """The one group there is, and its newest order."""
    (group,) = await desk.read(lambda tx: tx.groups.since(None))
    orders = await desk.read(lambda tx: tx.groups.orders_of((group.group_id,)))
    return group, orders[-1]


def name_of(order: OrderRecord) -> VenueOrderId:
    """What the venue calls it."""
    assert order.venue_order_id is not None
    return order.venue_order_id


async def done(desk: Desk, *steps: Any) -> StepOutcome:
    """What became of the last step."""
    receipt = await desk.do(*steps)
    return receipt.outcomes[-1]


async def with_a_late_fill(desk: Desk) -> IntentGroup:
    """Placed, cancelled to make room, and then a fill comes that nobody had told."""
    await desk.do(rests())
    group, order = await only(desk)
    cancel = CancelOrder(venue_order_id=name_of(order), symbol=BTC, reason="test", is_renewal=True)
    await desk.do(cancel)
    desk.venue.trade(name_of(order), d("0.0001"))
    desk.venue.end(name_of(order), OrderStatus.CANCELED)
    return group


def test_vector_3_a_fill_between_plan_and_journal_withholds_the_replacement(
    tmp_path: Path,
) -> None:
    """The snapshot does not know of it; the transaction that would journal the send does."""

    async def story(desk: Desk) -> None:
        group = await with_a_late_fill(desk)
        snapshot = await desk.look()
        plan = desk.plan(rests(group_id=group.group_id, attempt=1))
        gate = desk.gate()
        await gate.recover()
        receipt = await gate.carry_out(plan, snapshot=snapshot, execute=True)
        (outcome,) = receipt.outcomes

        assert (outcome.state, outcome.code) == (OutcomeState.SKIPPED, "GROUP_OVERFILL")
        left = await done(desk, rests("0.0003", group_id=group.group_id, attempt=1))
        assert left.state is OutcomeState.DONE
        assert [each.quantity for each in desk.venue.resting] == [d("0.0003")]

    at_the_desk(tmp_path, story)


def test_the_clock_of_an_order_begins_with_the_ack_and_again_with_each_repricing(
    tmp_path: Path,
) -> None:
    """A minute from the venue's word, not from ours."""

    async def story(desk: Desk) -> None:
        await desk.do(rests())
        acked = desk.clock.now()
        _, order = await only(desk)
        assert order.next_action_at == acked + timedelta(seconds=60)
        await desk.clock.sleep(60)
        change = OrderAmendment(venue_order_id=name_of(order), symbol=BTC, limit_price=d("59100.0"))
        await desk.do(AmendOrder(amendment=change, reason="t", purpose="entry", attempt=1))
        amended = desk.clock.now()
        _, order = await only(desk)
        assert (order.replace_count, order.next_action_at) == (1, amended + timedelta(seconds=60))

    at_the_desk(tmp_path, story)


def test_what_is_found_at_the_venue_after_a_crash_lives_from_when_it_was_opened(
    tmp_path: Path,
) -> None:
    """An hour later its time is over: it does not begin again."""

    async def story(desk: Desk) -> None:
        desk.venue.cue("place", "lost answer")
        desk.venue.cue("orders", "lost answer", times=0)
        desk.venue.blind_s = 30.0
        await desk.do(rests())
        opened = desk.venue.resting[0].opened_at
        await desk.clock.sleep(3600)
        desk.venue.blind_s = 0.0
        await desk.gate().recover()
        _, order = await only(desk)

        assert order.status is OrderStatus.OPEN
        assert order.next_action_at == opened + timedelta(seconds=60)

    at_the_desk(tmp_path, story)


def test_an_ack_that_only_the_stream_proves_starts_the_clock_too(tmp_path: Path) -> None:
    """The loop asks no records: the venue's yes is when the order was acknowledged."""

    async def story(desk: Desk) -> None:
        async def told(intent: Intent, venue_order_id: VenueOrderId) -> str:
            return f"{intent.kind} of {venue_order_id} was told"

        gate, snapshot = desk.gate(proof=told), await desk.look()
        await gate.carry_out(desk.plan(rests()), snapshot=snapshot, execute=True)
        _, order = await only(desk)

        assert order.next_action_at == desk.clock.now() + timedelta(seconds=60)

    at_the_desk(tmp_path, story)


def test_a_repricing_that_is_proved_an_hour_later_was_done_when_it_was_sent(
    tmp_path: Path,
) -> None:
    """Its time to live is long over, and is not begun again by the proof."""

    async def story(desk: Desk) -> None:
        await desk.do(rests())
        _, order = await only(desk)
        change = OrderAmendment(venue_order_id=name_of(order), symbol=BTC, limit_price=d("59100.0"))
        sent = desk.clock.now()
        desk.venue.cue("amend", "lost answer")
        desk.venue.cue("orders", VenueUnavailable("down"), times=99)
        await desk.do(AmendOrder(amendment=change, reason="t", purpose="entry", attempt=1))
        _, order = await only(desk)
        assert order.replace_count == 0
        desk.venue._cues.clear()
        await desk.clock.sleep(3600)
        await desk.gate().recover()
        _, order = await only(desk)

        assert (order.replace_count, order.limit_price) == (1, d("59100.0"))
        assert order.next_action_at == sent + timedelta(seconds=60)

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize(
    ("cancel", "ending"),
    [
        ({"ends_group": GroupEnd.LIQUIDITY_GUARD}, GroupEnd.LIQUIDITY_GUARD),
        ({"is_renewal": True}, None),
        ({}, GroupEnd.STOPPED),
    ],
)
def test_a_cancel_says_before_it_is_sent_whether_its_group_goes_on(
    tmp_path: Path, cancel: dict[str, Any], ending: GroupEnd | None
) -> None:
    """Who cancels by hand means it."""

    async def story(desk: Desk) -> None:
        await desk.do(rests())
        _, order = await only(desk)
        await desk.do(CancelOrder(venue_order_id=name_of(order), symbol=BTC, reason="t", **cancel))
        group, order = await only(desk)
        assert order.status is OrderStatus.CANCELED
        assert (group.ending, group.ended_at is None) == (ending, ending is None)

    at_the_desk(tmp_path, story)


def test_a_group_is_given_up_only_when_nothing_of_it_works(tmp_path: Path) -> None:
    """The step is a note in the books, and no cancel."""

    async def story(desk: Desk) -> None:
        await desk.do(rests())
        group, order = await only(desk)
        end = EndGroup(
            group_id=group.group_id, symbol=BTC, ending=GroupEnd.EXHAUSTED, reason="test"
        )
        assert (await done(desk, end)).state is OutcomeState.SKIPPED
        await desk.do(
            CancelOrder(venue_order_id=name_of(order), symbol=BTC, reason="t", is_renewal=True)
        )
        assert (await done(desk, end)).state is OutcomeState.DONE
        assert (await done(desk, end)).state is OutcomeState.SKIPPED
        unknown = replace(end, group_id=GroupId("G-nobody"))
        assert (await done(desk, unknown)).state is OutcomeState.SKIPPED
        group, _ = await only(desk)
        assert group.ending is GroupEnd.EXHAUSTED

    at_the_desk(tmp_path, story)


def test_a_group_whose_order_fills_is_over_with_the_fill(tmp_path: Path) -> None:
    """And its one order carries its name from the first row on."""

    async def story(desk: Desk) -> None:
        await desk.do(rests(price="60000.1"))
        group, order = await only(desk)

        assert group.ending is GroupEnd.FILLED
        assert order.group_id == group.group_id == GroupId(f"G-{order.client_order_id}")
        assert (group.side, group.created_at) == (Side.BUY, NOON)

    at_the_desk(tmp_path, story)
