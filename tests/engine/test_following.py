"""The market is folded at once, whatever the store does; what is to be booked keeps its order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

from typing_extensions import override

from builders import BTC, d, make_venue_order
from loop_rig import LoopRig, run_loop
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import VenueOrderId
from zoe_tools.domain.order import OrderStatus, Side, VenueOrder
from zoe_tools.domain.stream import ExecutionsSnapshot
from zoe_tools.engine.loop import TradingLoop
from zoe_tools.engine.records import VANISHED_AFTER_S, VANISHED_LOOKS
from zoe_tools.errors import VenueUnavailable
from zoe_tools.ports import Clock
from zoe_tools.store.runner import InlineRunner, StoreRunner
from zoe_tools.store.store import Transaction

T = TypeVar("T")

LAG_S = 3.0


class SlowRunner(InlineRunner):
    """A store that takes its time."""

    def __init__(self, store: StoreRunner, clock: Clock) -> None:
        self._slow = store
        self._clock = clock
        self.takes_s = 0.0
        self.bookings = 0

    @override
    async def run(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """See `StoreRunner`."""
        self.bookings += "record_reports" in work.__qualname__
        await self._clock.sleep(self.takes_s)
        return await self._slow.run(work, is_urgent=is_urgent)

    @override
    async def read(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """See `StoreRunner`."""
        await self._clock.sleep(self.takes_s)
        return await self._slow.read(work, is_urgent=is_urgent)

    @override
    async def close(self) -> None:
        """See `StoreRunner`."""
        await self._slow.close()


Story = Callable[[LoopRig, TradingLoop, SlowRunner, VenueOrder], Awaitable[None]]


def with_a_slow_store(folder: Path, story: Story) -> LoopRig:
    """The story of a loop, and of somebody else's order that rests."""

    async def told(rig: LoopRig) -> None:
        assert rig.loop is not None
        assert isinstance(rig.store, SlowRunner)
        theirs = make_venue_order(
            venue_order_id=VenueOrderId("OTHER"),
            client_order_id=None,
            side=Side.SELL,
            quantity=d("1"),
        )
        rig.venue.book_of_orders[theirs.venue_order_id] = theirs
        await rig.pass_time(1)
        await story(rig, rig.loop, rig.store, theirs)
        rig.store.takes_s = 0.0

    def prepare(rig: LoopRig) -> None:
        rig.store = SlowRunner(rig.store, rig.clock)

    rig, _ = run_loop(folder, told, prepare=prepare)
    return rig


def test_a_quote_does_not_wait_for_a_report_to_be_booked(tmp_path: Path) -> None:
    """Stops and exits are decided by it; that booking goes on too long shows by its age."""

    async def story(rig: LoopRig, loop: TradingLoop, store: SlowRunner, theirs: VenueOrder) -> None:
        store.takes_s = 2.0
        rig.fill(theirs, "0.1")
        rig.move("61000.0", "61000.1")
        await rig.pass_time(0.1)
        assert loop.view.quotes[BTC].bid == d("61000.0")
        rig.move("61000.2", "61000.3")
        await rig.pass_time(1)
        age = rig.clock.now() - loop._parts.work.done_at["follow"]
        assert age.total_seconds() > 1
        assert rig.narrator.notes == []
        await rig.pass_time(2)
        assert len(rig.narrator.notes) == 1

    with_a_slow_store(tmp_path, story)


def test_reports_that_wait_are_booked_together(tmp_path: Path) -> None:
    """Ten fills cost as much of the store as two."""

    async def story(rig: LoopRig, loop: TradingLoop, store: SlowRunner, theirs: VenueOrder) -> None:
        store.takes_s = 0.1
        before = loop.books.version
        for _ in range(10):
            rig.fill(theirs, "0.01")
            await rig.pass_time(0.001)
        await rig.pass_time(0.3)
        assert len(rig.narrator.notes) == 10
        assert loop.books.version - before == 2

    with_a_slow_store(tmp_path, story)


def test_many_reports_that_wait_are_booked_in_parts(tmp_path: Path) -> None:
    """The loop hears nothing while it works through one; the books are read after the last."""

    async def story(rig: LoopRig, loop: TradingLoop, store: SlowRunner, theirs: VenueOrder) -> None:
        store.takes_s = 0.1
        rig.fill(theirs, "0.001")
        await rig.pass_time(0.05)
        before, bookings = loop.books.version, store.bookings
        for _ in range(120):
            rig.fill(theirs, "0.001")
        await rig.pass_time(1)
        assert len(rig.narrator.notes) == 121
        assert loop.books.version - before == 2
        assert store.bookings - bookings == 3

    with_a_slow_store(tmp_path, story)


def test_a_wire_that_went_counts_at_once_and_not_in_its_turn(tmp_path: Path) -> None:
    """Nothing is risked while reports from before it are still being booked."""

    async def story(rig: LoopRig, loop: TradingLoop, store: SlowRunner, theirs: VenueOrder) -> None:
        store.takes_s = 1.0
        rig.fill(theirs, "0.1")
        rig.go_down("private")
        await rig.pass_time(0.1)
        assert (loop.following.is_behind, rig.narrator.wires) == (True, [])
        await rig.pass_time(10)
        assert not loop.following.is_behind
        assert rig.narrator.wires == [("private", False)]

    with_a_slow_store(tmp_path, story)


def test_an_entry_waits_for_what_came_and_is_not_booked_yet(tmp_path: Path) -> None:
    """It may tell of a fill, whose stop goes before anything new is risked."""

    async def story(rig: LoopRig, loop: TradingLoop, _: SlowRunner, theirs: VenueOrder) -> None:
        gate, may_be_booked = loop._parts.gate, asyncio.Event()
        real = gate.record_reports

        async def held_up(*told: Any) -> Any:
            await may_be_booked.wait()
            return await real(*told)

        with mock.patch.object(gate, "record_reports", held_up):
            rig.fill(theirs, "0.1")
            await rig.enter()
            assert loop.following.is_booking
            assert rig.venue.writes == []
            may_be_booked.set()
            rig.quote()
            await rig.pass_time(1)
            assert rig.venue.writes[0][0] == "place"

    with_a_slow_store(tmp_path, story)


def test_a_fill_that_a_stream_tells_does_not_wait_for_slow_records(tmp_path: Path) -> None:
    """A wire went and came: what was missed is asked for long, and what is bought is told."""

    async def story(rig: LoopRig) -> None:
        assert rig.loop is not None

        async def slow(*_: object) -> tuple[VenueOrder, ...]:
            await rig.clock.sleep(30)
            return ()

        await rig.enter(rests=True)
        (entry,) = rig.resting(Side.BUY)
        rig.venue.orders = slow  # type: ignore[method-assign, assignment] # for everybody
        rig.go_down("private")
        rig.come_up("private")
        await rig.pass_time(0.1)
        rig.fill(entry, str(entry.quantity))
        await rig.pass_time(1)
        assert rig.loop.following.is_behind
        (stop,) = rig.resting(Side.SELL)
        assert stop.quantity == entry.quantity
        del rig.venue.orders

    run_loop(tmp_path, story)


def test_a_stop_that_the_stream_s_list_lacks_is_asked_for_until_the_records_know(
    tmp_path: Path,
) -> None:
    """It went while the wire was away, and lagging records showed it for three seconds more."""

    async def story(rig: LoopRig) -> None:
        assert rig.loop is not None
        await rig.enter()
        await rig.pass_time(2)
        (stop,) = rig.resting(Side.SELL)
        real, shown_until = rig.venue.orders, rig.clock.now() + timedelta(seconds=LAG_S)

        async def lagging(names: Sequence[VenueOrderId]) -> tuple[VenueOrder, ...]:
            return (stop,) if rig.clock.now() < shown_until else await real(names)

        rig.venue.orders = lagging  # type: ignore[method-assign, assignment]
        rig.is_deaf = True
        rig.venue.end(stop.venue_order_id, OrderStatus.CANCELED)
        rig.tell_orders()
        rig.is_deaf = False
        rig.feed.tell(ExecutionsSnapshot(reports=()))
        await rig.pass_time(LAG_S / 2)
        assert rig.resting(Side.SELL) == []
        was_behind = rig.loop.following.is_behind
        await rig.pass_time(LAG_S / 2 + 1)
        assert len(rig.resting(Side.SELL)) == 1
        assert (was_behind, rig.loop.following.is_behind) == (True, False)

    run_loop(tmp_path, story)


def test_an_order_that_the_records_show_as_open_keeps_nobody_waiting_for_ever(
    tmp_path: Path,
) -> None:
    """The stream's list was older than the order, or is wrong: entries are allowed again."""

    async def story(rig: LoopRig) -> None:
        assert rig.loop is not None
        await rig.enter()
        await rig.pass_time(2)
        rig.feed.tell(ExecutionsSnapshot(reports=()))
        await rig.pass_time(1)
        was_behind = rig.loop.following.is_behind
        await rig.pass_time(VANISHED_LOOKS * VANISHED_AFTER_S)
        assert (was_behind, rig.loop.following.is_behind) == (True, False)
        assert len(rig.resting(Side.SELL)) == 1

    run_loop(tmp_path, story)


def test_trades_are_read_once_for_a_gap_and_again_where_nobody_could(tmp_path: Path) -> None:
    """Looks go on each second, and a stop's needs the calls; what failed is asked for again."""

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        await rig.pass_time(2)
        rig.venue.cue("fills", VenueUnavailable("down"))
        rig.venue.calls.clear()
        rig.feed.tell(ExecutionsSnapshot(reports=()))
        await rig.pass_time(VANISHED_LOOKS * VANISHED_AFTER_S)

        calls = [method for method, _ in rig.venue.calls]
        assert calls.count("fills") == 2
        assert calls.count("orders") >= VANISHED_LOOKS

    run_loop(tmp_path, story)


def test_several_gaps_while_the_records_are_slow_are_asked_for_once(tmp_path: Path) -> None:
    """A wire that comes and goes must not make each fill wait for as many readings of trades."""

    async def story(rig: LoopRig) -> None:
        assert rig.loop is not None
        await rig.enter(rests=True)
        await rig.pass_time(2)
        real = rig.venue.fills

        async def slow(**span: Any) -> tuple[Fill, ...]:
            await rig.clock.sleep(LAG_S)
            return await real(**span)

        rig.venue.fills = slow  # type: ignore[method-assign]
        rig.venue.calls.clear()
        for _ in range(4):
            rig.go_down("private")
            rig.come_up("private")
            await rig.pass_time(0.1)
        await rig.pass_time(LAG_S)
        behind = [rig.loop.following.is_behind]  # the first was asked for before the others came
        await rig.pass_time(LAG_S)
        behind.append(rig.loop.following.is_behind)
        assert behind == [True, False]
        await rig.pass_time(4 * LAG_S)
        calls = [method for method, _ in rig.venue.calls]
        assert (calls.count("orders"), calls.count("fills")) == (2, 2)

    run_loop(tmp_path, story)


def test_an_entry_that_the_stream_s_list_lacks_is_left_to_the_comparison(tmp_path: Path) -> None:
    """Nothing stands unprotected by it, and the venue takes only so many calls."""

    async def story(rig: LoopRig) -> None:
        assert rig.loop is not None
        await rig.enter(rests=True)
        await rig.pass_time(2)
        rig.feed.tell(ExecutionsSnapshot(reports=()))
        await rig.pass_time(1)
        assert not rig.loop.following.is_behind

    run_loop(tmp_path, story)
