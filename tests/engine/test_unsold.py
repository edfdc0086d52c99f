"""An exit that the venue refuses: the position is protected again, and sold once that is taken."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import pytest

from builders import BTC, NOON, d, make_instrument, make_order, make_position, make_stop, plan_with
from loop_rig import LoopRig, run_loop
from zoe_tools.core.position_orders import place_exit, place_stop
from zoe_tools.core.unsold import IDLE_S, SALES_UNTIL_STOP
from zoe_tools.domain.identifiers import Symbol, VenueOrderId
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.order import OrderRequest, OrderStatus, OrderType, Side
from zoe_tools.domain.policy import Policy
from zoe_tools.engine.unsold import IDLE_LOOKS, REMEMBERED, UnsoldWatch
from zoe_tools.errors import VenueRejected
from zoe_tools.observe.log import event_of

NO = VenueRejected("no", code="EGeneral:Permission denied")
SMALLEST = make_instrument().min_quantity


class Refusing:
    """While it is entered, the venue refuses sales, or all that sells; counts them."""

    def __init__(self, rig: LoopRig, *, stops_too: bool = False) -> None:
        self._venue = rig.venue
        self._takes = rig.venue.place
        self._stops_too = stops_too
        self.refused = 0

    async def _place(self, request: OrderRequest, **more: Any) -> VenueOrderId:
        is_stop = request.order_type is OrderType.STOP_LOSS
        if request.side is Side.SELL and (self._stops_too or not is_stop):
            self.refused += not is_stop
            raise NO
        return await self._takes(request, **more)

    def __enter__(self) -> Self:
        self._venue.place = self._place  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        self._venue.place = self._takes  # type: ignore[method-assign]


async def leaving(rig: LoopRig) -> None:
    """The strategy wants to leave at the next close."""
    rig.strategy.wanted[BTC] = "exit"
    await rig.close_candle()


def at_the_venue(rig: LoopRig) -> Decimal:
    """How much rests to sell."""
    return sum((each.quantity for each in rig.resting(Side.SELL)), d("0"))


async def minutes(rig: LoopRig, count: int) -> None:
    """The market goes on, with quotes."""
    for _ in range(count * 12):
        rig.quote()
        await rig.pass_time(5)


def test_a_stop_goes_back_where_its_position_cannot_be_sold(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Bare for a few seconds of ten minutes, told once, and sold as soon as the venue takes it."""

    async def story(rig: LoopRig) -> None:
        assert rig.loop is not None
        await rig.enter()
        held = at_the_venue(rig)
        with Refusing(rig) as venue:
            await leaving(rig)
            for _ in range(10):
                await minutes(rig, 1)
                assert at_the_venue(rig) == held
                assert rig.loop.watch.naked == 0
            assert 10 <= venue.refused <= 16
            (noted,) = rig.loop.planner.unsold._noted.values()
            assert len(noted) == min(venue.refused - SALES_UNTIL_STOP, REMEMBERED)
            seconds = rig.loop.watch.by_cause
            assert seconds["leaving"] < 4
            assert 0 < seconds["unsold"] < 20  # a second of a small part for each try
            for _ in range(120):
                rig.quote()
                await rig.pass_time(0.5)
                assert held - at_the_venue(rig) <= SMALLEST
        await minutes(rig, 2)
        assert at_the_venue(rig) == 0
        assert rig.venue.totals.get("BTC", d("0")) == 0

    with caplog.at_level(logging.WARNING, "zoe_tools"):
        _, tally = run_loop(tmp_path, story)

    told = Counter(name for each in caplog.records if (name := (event_of(each) or ("",))[0]))
    assert told["EXIT_STUCK"] == 1
    assert told["POSITION_UNPROTECTED"] == 0
    assert told["EXIT_ESCALATED"] < 18
    assert tally.unprotected_seconds < 25


def test_what_can_be_neither_sold_nor_stopped_alarms(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is not on its way out: it counts under a cause of its own, and somebody is told."""

    async def story(rig: LoopRig) -> None:
        assert rig.loop is not None
        await rig.enter()
        with Refusing(rig, stops_too=True) as venue:
            await leaving(rig)
            await minutes(rig, 2)
            assert rig.loop.watch.naked == 1
            assert rig.loop.watch.alarming == 1
            assert rig.loop.watch.naked_s(rig.clock.now()) > 60
            assert rig.loop.watch.by_cause["leaving"] < 5
            assert 10 < venue.refused < 35
        await minutes(rig, 2)
        assert rig.loop.watch.alarming == 0
        assert rig.venue.totals.get("BTC", d("0")) == 0

    with caplog.at_level(logging.WARNING, "zoe_tools"):
        _, tally = run_loop(tmp_path, story, policy=Policy(stop_refusals_until_sale=0))

    told = [event_of(each) for each in caplog.records]
    assert [each[1]["cause"] for each in told if each and each[0] == "POSITION_UNPROTECTED"] == [
        "unsold"
    ]
    assert tally.unprotected_by_cause["unsold"] > 60


def test_an_orderly_stop_ends_with_the_stop_in_its_place(tmp_path: Path) -> None:
    """The sale that began at the end is refused as well."""

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        held = at_the_venue(rig)
        Refusing(rig).__enter__()
        await leaving(rig)
        rig.stop.set()
        await rig.pass_time(20)
        assert at_the_venue(rig) == held

    rig, _ = run_loop(tmp_path, story)
    assert len(rig.resting(Side.SELL)) == 1


# --- what no order tells -------------------------------------------------------------------------

HELD = make_position()
SALE = place_exit(
    HELD, quantity=d("0.0001"), notional=d("6"), purpose="exit", reason="the position is being left"
)
STOP = place_stop(HELD, quantity=d("0.0004"), price=d("1"), notional=d("1"), reason="no stop")


def working(status: OrderStatus = OrderStatus.OPEN) -> OrderRecord:
    """A sale at work."""
    return make_order(side=Side.SELL, purpose="exit", status=status, position_id=HELD.position_id)


class Story:
    """Looks at one position that is left, second after second."""

    def __init__(self) -> None:
        self.watch = UnsoldWatch()
        self.second = 0.0

    def look(self, *orders: OrderRecord, is_shut: bool = False, seconds: float = 1.0) -> bool:
        """So much later; whether its sale comes to nothing."""
        self.second += seconds
        shut = [BTC] if is_shut else list[Symbol]()
        at = NOON + timedelta(seconds=self.second)
        self.watch.look(at, [HELD], orders, {BTC: make_instrument()}, shut)
        return HELD.position_id in self.watch.names


def test_a_position_that_stands_bare_with_no_sale_at_work_is_not_leaving() -> None:
    """Whatever keeps the sale: after five seconds in which it could have begun."""
    story = Story()
    looks = [story.look() for _ in range(8)]

    assert looks == [False] * 5 + [True] * 3
    assert IDLE_S == 5
    (first,) = {each.last_at for each in story.watch.found.values()}
    assert story.look()
    assert {each.last_at for each in story.watch.found.values()} == {first}


@pytest.mark.parametrize(
    "orders", [(make_stop(HELD),), (working(),), (working(OrderStatus.UNKNOWN),)]
)
def test_a_stop_or_a_sale_at_work_begins_that_time_anew(orders: tuple[OrderRecord, ...]) -> None:
    """Of what is taken or protected nothing is to be feared."""
    story = Story()
    for _ in range(5):
        story.look()
    story.look(*orders)

    assert [story.look() for _ in range(5)] == [False] * 5
    assert story.look()


def test_what_waits_for_an_answer_is_not_idle() -> None:
    """A lane at work, or a wire that is away, keeps the sale; it goes before the stop then."""
    story = Story()
    story.look()
    for _ in range(30):
        assert not story.look(is_shut=True)

    assert [story.look() for _ in range(IDLE_LOOKS)] == [False, False, True]


def test_each_later_try_counts_whether_or_not_it_was_journaled() -> None:
    """Else a sale that the books withhold would be tried each second."""
    story = Story()
    for _ in range(6):
        story.look()
    (before,) = story.watch.found.values()
    story.watch.begun(NOON + timedelta(seconds=9), plan_with(STOP))
    story.look(make_stop(HELD))
    assert tuple(story.watch.found.values()) == (before,)

    story.watch.begun(NOON + timedelta(seconds=20), plan_with(SALE))
    story.look(make_stop(HELD), is_shut=True)
    assert tuple(story.watch.found.values()) == (before,)  # it is on its way, and planned again
    story.look(make_stop(HELD))
    (after,) = story.watch.found.values()
    assert (after.rounds, after.last_at) == (1, NOON + timedelta(seconds=20))


def test_nothing_is_kept_of_who_is_sold_or_stays() -> None:
    """And the first sale of another time is none that came to nothing."""
    story = Story()
    for _ in range(6):
        story.look()
    story.watch.look(NOON, [], (), {})
    assert not story.watch.names
    story.watch.begun(NOON, plan_with(SALE))

    assert not story.look()
    assert not story.watch._noted
