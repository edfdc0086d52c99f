"""A lost answer holds up its own instrument and no other one; entries wait for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from builders import BTC, ETH, NOON, d
from loop_rig import LoopRig, run_loop
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.journal import IntentState
from zoe_tools.domain.order import OrderAmendment, OrderRequest, OrderType, Side, VenueOrder
from zoe_tools.domain.policy import Policy
from zoe_tools.engine.lanes import Lanes
from zoe_tools.errors import VenueRejected
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual

PATIENT = Policy(order_ttl_entry_s=600.0)
A_MOMENT_S = 0.1
DAY = d("28")

NO = VenueRejected("no", code="EService:Market in cancel_only mode", is_passing=True)

Trouble = Callable[[], Any]


def troubled(rig: LoopRig, trouble: Trouble, *, times: int, purpose: str = "stop") -> None:
    """So many of BTC's orders of that purpose meet with trouble, and do not arrive."""
    real = rig.venue.place
    left = [times]

    async def place(request: OrderRequest, **named: Any) -> Any:
        if (request.symbol, request.purpose) == (BTC, purpose) and left[0] > 0:
            left[0] -= 1
            await trouble()
        return await real(request, **named)

    rig.venue.place = place  # type: ignore[method-assign]


async def silence() -> None:
    """Nobody ever answers."""
    await asyncio.Event().wait()


async def refusal() -> None:
    """No, for now."""
    raise NO


def stops(rig: LoopRig) -> list[Symbol]:
    """Where a stop rests, in the order of their placing."""
    return [each.symbol for each in rig.resting(Side.SELL)]


def entries(rig: LoopRig) -> list[VenueOrder]:
    """All that was bought, or is to be."""
    return [each for each in rig.venue.book_of_orders.values() if each.side is Side.BUY]


async def with_an_entry_in_eth(rig: LoopRig) -> VenueOrder:
    """It rests, and is patient."""
    rig.quote(ETH)
    await rig.enter(ETH, rests=True)
    (order,) = rig.resting(Side.BUY)
    return order


@pytest.mark.parametrize(
    ("trouble", "at_work"), [(silence, frozenset({BTC})), (refusal, frozenset())]
)
def test_what_is_bought_is_stopped_at_once_while_another_stop_is_in_trouble(
    tmp_path: Path, trouble: Trouble, at_work: frozenset[Symbol]
) -> None:
    """Neither a lost answer nor the pause after a refusal is another instrument's business."""

    async def story(rig: LoopRig) -> None:
        troubled(rig, trouble, times=9)
        order = await with_an_entry_in_eth(rig)
        await rig.enter(BTC)
        assert rig.loop is not None
        assert rig.loop.lanes.at_work == at_work
        assert stops(rig) == []

        rig.fill(order, f"{order.quantity}")
        await rig.pass_time(A_MOMENT_S)
        assert stops(rig) == [ETH]

    run_loop(tmp_path, story, policy=PATIENT)


def test_what_an_entry_bought_is_stopped_while_its_new_price_is_not_answered(
    tmp_path: Path,
) -> None:
    """Its lane is left for the stop; what became of the price is found out later."""

    async def story(rig: LoopRig) -> None:
        rig.quote()
        await rig.enter(rests=True)
        (order,) = rig.resting(Side.BUY)
        asked: list[OrderAmendment] = []

        async def unanswered(amendment: OrderAmendment, **_: Any) -> str:
            asked.append(amendment)
            await silence()
            return ""

        real, rig.venue.amend = rig.venue.amend, unanswered  # type: ignore[method-assign]
        rig.move("60050", "60050.2")
        while not asked:
            rig.quote()
            await rig.pass_time(1)
        rig.venue.amend = real  # type: ignore[method-assign]
        rig.fill(order, f"{order.quantity / 2}")
        await rig.pass_time(A_MOMENT_S)
        assert stops(rig) == [BTC]

    run_loop(tmp_path, story)


def test_a_stop_that_comes_too_late_and_too_small_grows_at_once(tmp_path: Path) -> None:
    """The very same went again; what was bought meanwhile has waited long enough."""

    async def story(rig: LoopRig) -> None:
        troubled(rig, silence, times=1)
        rig.quote()
        await rig.enter(rests=True)
        (order,) = rig.resting(Side.BUY)
        rig.fill(order, f"{order.quantity / 2}")
        await rig.pass_time(0.5)
        rig.fill(order, f"{order.quantity / 2}")
        await rig.pass_time(rig.policy.stop_deadline_s - 0.5 + A_MOMENT_S)
        (stop,) = rig.resting(Side.SELL)
        assert stop.quantity == order.quantity

    run_loop(tmp_path, story)


def test_what_was_refused_is_tried_again_a_cycle_later(tmp_path: Path) -> None:
    """Whatever happens elsewhere: neither in the same moment, nor later."""
    asked: list[float] = []

    async def story(rig: LoopRig) -> None:
        async def no() -> None:
            asked.append(rig.clock.now().timestamp())
            raise NO

        troubled(rig, no, times=3)
        await rig.enter(BTC)
        await rig.pass_time(5)
        assert stops(rig) == [BTC]

    run_loop(tmp_path, story)
    assert [later - sooner for sooner, later in pairwise(asked)] == pytest.approx([1.0, 1.0])


def test_an_entry_waits_for_a_stop_under_way_and_is_made_then(tmp_path: Path) -> None:
    """The decision is not lost, and nothing is bought beside a position without its stop."""

    async def story(rig: LoopRig) -> None:
        troubled(rig, silence, times=1)
        rig.quote(ETH)
        rig.strategy.wanted |= {BTC: "enter", ETH: "enter"}
        await rig.close_candle(BTC, ETH)
        await rig.pass_time(2)
        assert [each.symbol for each in entries(rig)] == [BTC, ETH]
        placed = list(rig.venue.book_of_orders.values())
        assert [(each.symbol, each.order_type) for each in placed] == [
            (BTC, OrderType.LIMIT),
            (BTC, OrderType.STOP_LOSS),
            (ETH, OrderType.LIMIT),
            (ETH, OrderType.STOP_LOSS),
        ]

    run_loop(tmp_path, story)


def test_two_entries_are_never_under_way_together(tmp_path: Path) -> None:
    """The second is judged by books that know of the first: a day's limit holds for both."""

    async def story(rig: LoopRig) -> None:
        async def slowly() -> None:
            await rig.clock.sleep(0.5)

        troubled(rig, slowly, times=9, purpose="entry")
        rig.quote(ETH)
        rig.strategy.wanted |= {BTC: "enter", ETH: "enter"}
        await rig.close_candle(BTC, ETH)
        await rig.pass_time(5)
        asked = [each.quantity * (each.limit_price or 0) for each in entries(rig)]
        assert sum(asked) <= DAY

    run_loop(tmp_path, story, policy=Policy(max_daily_notional=DAY))


def test_an_orderly_stop_waits_for_what_is_under_way(tmp_path: Path) -> None:
    """Told to stop in the midst of it, the loop ends when the stop rests and is booked."""

    async def story(rig: LoopRig) -> None:
        troubled(rig, silence, times=1)
        rig.strategy.wanted[BTC] = "enter"
        closing = asyncio.create_task(rig.close_candle(BTC))
        assert rig.loop is not None
        while not rig.loop.lanes.at_work or not rig.venue.executions:
            await rig.pass_time(A_MOMENT_S)
        rig.stop.set()
        await closing

    rig, tally = run_loop(tmp_path, story)

    assert stops(rig) == [BTC]
    assert tally.unprotected_seconds < 2


def test_nothing_is_left_open_at_the_end(tmp_path: Path) -> None:
    """Every intent of an orderly run is resolved."""
    states: list[IntentState] = []

    async def story(rig: LoopRig) -> None:
        troubled(rig, silence, times=1)
        await rig.enter(BTC)
        states.extend(each.state for each in await rig.read(lambda tx: tx.intents()))

    run_loop(tmp_path, story)

    assert states == [IntentState.CONFIRMED, IntentState.CONFIRMED]


# --- the lanes themselves ------------------------------------------------------------------------


def test_a_lane_that_fails_ends_the_others_and_the_run() -> None:
    """Nobody trades on with a part of the loop that is broken."""
    ended: list[Symbol] = []

    async def main() -> None:
        clock = VirtualClock(NOON)

        async def fails() -> None:
            raise ZeroDivisionError

        async def waits() -> None:
            try:
                await silence()
            finally:
                ended.append(ETH)

        async with Lanes(clock, 1.0, lambda: None) as lanes:
            lanes.begin(ETH, waits())
            lanes.begin(BTC, fails())
            await silence()

    with pytest.raises(ExceptionGroup) as told:
        run_virtual(main())
    assert told.group_contains(ZeroDivisionError)
    assert ended == [ETH]


def test_an_instrument_has_one_lane_at_a_time_and_rests_for_a_while() -> None:
    """Freed when its work is over; the rest ends by itself, and by a clock that was set back."""

    async def main() -> None:
        clock = VirtualClock(NOON)
        freed: list[frozenset[Symbol]] = []
        async with Lanes(clock, 1.0, lambda: freed.append(lanes.at_work)) as lanes:
            lanes.begin(BTC, clock.sleep(3.0))
            with pytest.raises(AssertionError):
                lanes.begin(BTC, clock.sleep(3.0))
            assert not await lanes.are_free(1.0)
            assert await lanes.are_free(9.0)
            assert freed == [frozenset()]
            lanes.rest((BTC,))
            now = clock.now()
            assert lanes.resting(now) == {BTC}
            assert lanes.rests_until(now) == now + timedelta(seconds=1)
            assert lanes.resting(now.replace(year=now.year - 1)) == frozenset()
            await clock.sleep(1.0)
            assert lanes.resting(clock.now()) == frozenset()
            assert lanes.rests_until(clock.now()) is None

    run_virtual(main())
