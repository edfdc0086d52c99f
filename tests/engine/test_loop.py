"""The loop's course: entry, protection, exit, and what it does when something is in the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from builders import BTC, ETH, NOON, d, make_venue_order
from loop_rig import LoopRig, leave_an_outcome_open, run_loop, sides
from zoe_tools.core.strategy.protocol import Decision
from zoe_tools.domain.identifiers import VenueOrderId
from zoe_tools.domain.journal import IntentState
from zoe_tools.domain.order import OrderStatus, Side
from zoe_tools.domain.plan import Plan
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.trading_state import KillLevel, TradingState
from zoe_tools.errors import PlanStale, VenueRejected, VenueUnavailable
from zoe_tools.gate.receipt import Receipt

ENTRY = d("0.00041521")
"""25 USD at 60209.8, the worst price of an entry that begins 5 bps above the bid, to the lot."""


HOLD_BTC = Decision(symbol=BTC, action="hold", reason="no more")


STOP = d("59035.2")
"""2 % below the average cost: 60000.1 and 0.40 % fee make 60240.1, a tick down."""


async def hold_a_position(rig: LoopRig) -> None:
    """Enter, be filled, be protected."""
    await rig.enter()
    assert sides(rig.venue.resting) == [("sell", "stop-loss")]


def test_an_entry_is_protected_reaches_its_target_and_is_sold(tmp_path: Path) -> None:
    """One round trip, each step through the gate, the stop cancelled before the sale."""

    async def story(rig: LoopRig) -> None:
        await hold_a_position(rig)
        stop = rig.venue.resting[0]
        assert (stop.quantity, stop.trigger_price) == (ENTRY, STOP)
        rig.move("62649.6", "62650.0")  # a tick below 4 % above the average cost
        await rig.pass_time(5)
        assert rig.writes == ["place", "place"]
        rig.move("62649.7", "62650.0")
        await rig.pass_time(5)

        assert rig.writes == ["place", "place", "cancel", "place"]
        assert rig.venue.resting == []
        assert rig.venue.totals["BTC"] == 0

    rig, tally = run_loop(tmp_path, story)
    assert [each.side for each in rig.narrator.fills] == [Side.BUY, Side.SELL]
    (closed,) = rig.narrator.closed
    assert closed.realised_pnl > 0
    assert (tally.positions_with_stop, tally.candles, tally.prints) == (1, 1, 1)
    assert tally.unprotected_seconds <= 2


def test_a_busy_market_costs_no_turns(tmp_path: Path) -> None:
    """Prices that change nothing, and prints, are no reason to look at everything."""

    async def story(rig: LoopRig) -> None:
        await hold_a_position(rig)
        await rig.pass_time(1.5)
        assert rig.loop is not None
        before = rig.loop.cycles
        for tick in range(200):
            rig.move(f"{59999 + tick % 7}.9", f"{60000 + tick % 7}.1")
            rig.move("2999.9", f"3000.{tick % 9}", ETH)
            rig.print_trade()
            await rig.pass_time(0.01)
        assert rig.loop.cycles - before == 2
        rig.move("62649.7", "62650.0")  # the target
        await rig.pass_time(0.01)
        assert rig.writes[2:3] == ["cancel"]

    run_loop(tmp_path, story)


def test_what_somebody_else_trades_is_told_as_such(tmp_path: Path) -> None:
    """No fill of zoe's, and none in its books; at three in the morning the two differ much."""

    async def story(rig: LoopRig) -> None:
        theirs = make_venue_order(
            venue_order_id=VenueOrderId("OTHER"),
            client_order_id=None,
            side=Side.SELL,
            quantity=d("1"),
        )
        rig.venue.book_of_orders[theirs.venue_order_id] = theirs
        rig.fill(theirs, "0.5")
        await rig.pass_time(2)
        assert await rig.read(lambda tx: tx.fills()) == ()

    rig, _ = run_loop(tmp_path, story)
    assert rig.narrator.fills == []
    (told,) = [note for _, note in rig.narrator.notes if "OTHER" in note]
    assert told.startswith("Somebody else sold 0.5 BTC/USD at ")


def test_a_stop_that_fires_at_the_venue_closes_the_position(tmp_path: Path) -> None:
    """The loop books it and sends nothing more."""

    async def story(rig: LoopRig) -> None:
        await hold_a_position(rig)
        rig.fill(rig.venue.resting[0], "0.00041521", "58790.0")
        await rig.pass_time(5)

        assert rig.writes == ["place", "place"]
        assert await rig.read(lambda tx: tx.positions(open_only=True)) == ()

    rig, _ = run_loop(tmp_path, story)
    assert rig.narrator.closed[0].realised_pnl < 0


def test_each_part_of_a_fill_is_protected_by_growing_the_stop(tmp_path: Path) -> None:
    """A second part changes the resting stop; there is never a moment without one."""

    async def story(rig: LoopRig) -> None:
        await rig.enter(rests=True)
        (entry,) = rig.venue.resting
        rig.fill(entry, "0.0002")
        await rig.pass_time(2)
        assert [each.quantity for each in rig.resting(Side.SELL)] == [d("0.0002")]
        rig.fill(entry, "0.00021521")
        await rig.pass_time(2)

        assert [each.quantity for each in rig.resting(Side.SELL)] == [ENTRY]
        assert rig.writes == ["place", "place", "amend"]

    run_loop(tmp_path, story)


def test_an_entry_that_nobody_fills_is_cancelled_after_its_time(tmp_path: Path) -> None:
    """`order_ttl_entry_s` for the first price and as long for each repricing; here without any."""

    async def story(rig: LoopRig) -> None:
        await rig.enter(rests=True)
        await rig.pass_time(230)
        assert len(rig.venue.resting) == 1
        await rig.pass_time(15)

        assert (rig.venue.resting, rig.writes) == ([], ["place", "cancel"])

    # Nothing is told of this market meanwhile: in safe mode the entry would go sooner.
    unwatched = Policy(market_stale_s=0, trades_stale_s=0, candle_stale_s=0)
    run_loop(tmp_path, story, policy=unwatched)


def test_one_entry_is_protected_before_the_next_is_sent(tmp_path: Path) -> None:
    """Two instruments at the same close: entry, stop, entry, stop."""

    async def story(rig: LoopRig) -> None:
        rig.strategy.wanted = {BTC: "enter", ETH: "enter"}
        await rig.close_candle(BTC, ETH)
        await rig.pass_time(5)

    rig, tally = run_loop(tmp_path, story)
    placed = [(order.symbol, order.side.value) for order in rig.venue.book_of_orders.values()]
    assert placed == [(BTC, "buy"), (BTC, "sell"), (ETH, "buy"), (ETH, "sell")]
    assert tally.positions_with_stop == 2


@pytest.mark.parametrize("is_over", [False, True])
def test_an_entry_whose_price_moved_between_two_looks_is_planned_again(
    tmp_path: Path, *, is_over: bool
) -> None:
    """Its quantity follows the price; unless the strategy has decided something else since."""

    async def story(rig: LoopRig) -> None:
        assert rig.loop is not None
        gate = rig.loop._parts.gate
        carry_out = gate.carry_out
        refused: list[Plan] = []

        async def moving(plan: Plan, **named: Any) -> Receipt:
            if not refused:
                refused.append(plan)
                if is_over:
                    rig.loop._entries_wanted.note(rig.clock.now(), (HOLD_BTC,))  # type: ignore[union-attr]
                raise PlanStale("The world moved since the plan.")
            return await carry_out(plan, **named)

        gate.carry_out = moving  # type: ignore[method-assign]
        await rig.enter()
        assert len(refused) == 1
        assert ("place" in rig.writes) is not is_over

    run_loop(tmp_path, story)


def test_a_strategy_sees_only_candles_that_are_over(tmp_path: Path) -> None:
    """And the position it holds."""

    async def story(rig: LoopRig) -> None:
        await hold_a_position(rig)
        await rig.close_candle()

    rig, _ = run_loop(tmp_path, story)
    first, second = rig.strategy.seen
    assert [len(view.candles) for view in rig.strategy.seen] == [1, 2]
    assert all(
        candle.opened_at + timedelta(minutes=1) <= view.now
        for view in (first, second)
        for candle in view.candles
    )
    assert (first.position, second.position is not None) == (None, True)


def test_the_strategy_may_leave(tmp_path: Path) -> None:
    """Its exit cancels the stop, then sells."""

    async def story(rig: LoopRig) -> None:
        await hold_a_position(rig)
        rig.strategy.wanted[BTC] = "exit"
        await rig.close_candle()
        await rig.pass_time(3)

        assert rig.writes == ["place", "place", "cancel", "place"]
        assert rig.venue.totals["BTC"] == 0

    run_loop(tmp_path, story)


# --- in the way ----------------------------------------------------------------------------------


def test_on_a_stale_quote_nothing_is_entered(tmp_path: Path) -> None:
    """The last quote is older than `quote_stale_s`: the strategy is not even asked."""

    async def story(rig: LoopRig) -> None:
        rig.strategy.wanted[BTC] = "enter"
        await rig.close_candle(is_quoted=False)

        assert (rig.writes, rig.strategy.seen) == ([], [])

    run_loop(tmp_path, story)


@pytest.mark.parametrize("wire", ["public", "private"])
def test_with_a_wire_down_nothing_is_entered(tmp_path: Path, wire: str) -> None:
    """What is learned from the other one is not the whole picture."""

    async def story(rig: LoopRig) -> None:
        rig.go_down(wire)  # type: ignore[arg-type]
        await rig.enter()
        assert rig.writes == []

    run_loop(tmp_path, story)


def test_a_decision_that_could_not_be_acted_on_is_not_made_up_for(tmp_path: Path) -> None:
    """It was about the market of that close, not of the moment when the wire is back."""

    async def story(rig: LoopRig) -> None:
        rig.go_down("private")
        await rig.enter()
        rig.come_up("private")
        rig.quote()
        await rig.pass_time(5)
        assert (len(rig.strategy.seen), rig.writes) == (1, [])

    run_loop(tmp_path, story)


def test_a_position_is_protected_while_the_private_wire_is_away(tmp_path: Path) -> None:
    """A stop cannot wait for a wire: the venue's records tell, and REST places it."""

    async def story(rig: LoopRig) -> None:
        await hold_a_position(rig)
        (stop,) = rig.resting(Side.SELL)
        rig.go_down("private")
        rig.is_deaf = True
        rig.venue.end(stop.venue_order_id, OrderStatus.CANCELED, "by another key")
        await rig.pass_time(8)

        assert [each.quantity for each in rig.resting(Side.SELL)] == [stop.quantity]
        rig.strategy.wanted[ETH] = "enter"
        await rig.close_candle(ETH)
        assert rig.resting(Side.BUY) == []

    run_loop(tmp_path, story)


def test_with_a_wire_down_and_records_that_nobody_can_read_nothing_is_done(tmp_path: Path) -> None:
    """What is held is not known: a stop may have sold it."""

    async def story(rig: LoopRig) -> None:
        await hold_a_position(rig)
        before = list(rig.writes)
        rig.venue.cue("orders", VenueUnavailable("down"), times=5)
        rig.go_down("private")
        rig.is_deaf = True
        rig.move("62649.8", "62650.0")  # the target, at which it would be sold
        await rig.pass_time(4)
        assert rig.writes == before

    run_loop(tmp_path, story)


def test_a_position_without_any_order_is_protected_though_no_records_can_be_read(
    tmp_path: Path,
) -> None:
    """Its stop ended before the wire went, and nothing else works: nothing of it can have moved."""

    async def story(rig: LoopRig) -> None:
        await hold_a_position(rig)
        (stop,) = rig.resting(Side.SELL)
        rig.venue.cue("place", VenueRejected("no", code="EService:Busy", is_passing=True))
        rig.venue.end(stop.venue_order_id, OrderStatus.CANCELED, "by another key")
        rig.tell_orders()
        await rig.pass_time(0.2)
        assert rig.resting(Side.SELL) == []

        for question in ("orders", "open_orders", "closed_orders", "fills"):
            rig.venue.cue(question, VenueUnavailable("down"), times=20)
        rig.go_down("private")
        rig.is_deaf = True
        await rig.pass_time(4)
        assert [each.quantity for each in rig.resting(Side.SELL)] == [stop.quantity]
        assert rig.loop is not None
        assert rig.loop.following.is_behind

    run_loop(tmp_path, story)


def test_a_fill_missed_while_the_private_wire_was_away_is_booked_and_protected(
    tmp_path: Path,
) -> None:
    """The venue's own records are asked, before it is up again; then nothing is done twice."""

    async def story(rig: LoopRig) -> None:
        await rig.enter(rests=True)
        (entry,) = rig.venue.resting
        rig.go_down("private")
        rig.is_deaf = True
        rig.fill(entry, "0.00041521")
        await rig.pass_time(10)
        assert [each.quantity for each in rig.resting(Side.SELL)] == [ENTRY]
        rig.is_deaf = False
        rig.come_up("private")
        await rig.pass_time(3)

        assert [each.quantity for each in rig.resting(Side.SELL)] == [ENTRY]
        assert rig.writes == ["place", "place"]

    run_loop(tmp_path, story)


def test_records_that_cannot_be_read_after_a_gap_are_asked_for_again(tmp_path: Path) -> None:
    """The loop lives on, takes no new risk meanwhile, and catches up when the venue answers."""

    async def story(rig: LoopRig) -> None:
        await hold_a_position(rig)
        stop = rig.venue.resting[0]
        rig.go_down("private")
        rig.is_deaf = True
        rig.fill(stop, "0.00041521", "58790.0")
        rig.venue.cue("orders", VenueUnavailable("down"), times=2)
        rig.is_deaf = False
        rig.come_up("private")
        await rig.pass_time(1)
        assert len(await rig.read(lambda tx: tx.positions(open_only=True))) == 1
        rig.strategy.wanted[ETH] = "enter"
        rig.quote(ETH)
        await rig.pass_time(15)

        assert await rig.read(lambda tx: tx.positions(open_only=True)) == ()
        assert rig.writes == ["place", "place"]

    run_loop(tmp_path, story)


def test_trades_that_are_shown_late_after_a_gap_are_asked_for_again(tmp_path: Path) -> None:
    """The order tells that it filled: it is protected at once, and booked as soon as it can be."""

    async def story(rig: LoopRig) -> None:
        await rig.enter(rests=True)
        (entry,) = rig.venue.resting
        rig.go_down("private")
        rig.is_deaf = True
        rig.fill(entry, "0.00041521")
        rig.is_deaf = False
        shown, rig.venue.executions = rig.venue.executions, []
        rig.come_up("private")
        await rig.pass_time(3)
        assert [each.quantity for each in rig.resting(Side.SELL)] == [ENTRY]
        assert await rig.read(lambda tx: tx.positions(open_only=True)) == ()
        rig.venue.executions = shown
        await rig.pass_time(8)

        assert [each.quantity for each in rig.resting(Side.SELL)] == [ENTRY]
        assert len(await rig.read(lambda tx: tx.positions(open_only=True))) == 1
        assert rig.writes == ["place", "place"]

    run_loop(tmp_path, story)


def test_a_clock_that_is_set_back_does_not_silence_the_loop(tmp_path: Path) -> None:
    """A pause of a second, ten minutes ago, is not waited for again: the stop is put back."""

    async def story(rig: LoopRig) -> None:
        await hold_a_position(rig)
        rig.venue.cue("place", VenueRejected("no", code="EOrder:Insufficient funds"))
        rig.quote(ETH)
        await rig.enter(ETH)
        await rig.pass_time(600)
        rig.clock.set_by = timedelta(hours=-1)
        (stop,) = rig.resting(Side.SELL)
        rig.venue.end(stop.venue_order_id, OrderStatus.CANCELED)
        rig.tell_orders()
        rig.quote()
        await rig.pass_time(5)

        assert len(rig.resting(Side.SELL)) == 1

    run_loop(tmp_path, story)


def test_an_open_outcome_keeps_back_its_own_instrument_alone(tmp_path: Path) -> None:
    """Also while the venue is asked about it, which may take long."""

    async def story(rig: LoopRig) -> None:
        await leave_an_outcome_open(rig, asked_for_s=100)
        rig.strategy.wanted[BTC] = "enter"
        rig.strategy.wanted[ETH] = "enter"
        await rig.close_candle(BTC, ETH)

        assert [each.symbol for each in rig.venue.book_of_orders.values()] == [ETH, ETH]

    run_loop(tmp_path, story)


@pytest.mark.parametrize(
    ("level", "resting", "held"),
    [
        (KillLevel.PAUSE_ENTRIES, [("sell", "stop-loss"), ("buy", "limit")], "0.00041521"),
        (KillLevel.CANCEL_OPEN, [("sell", "stop-loss")], "0.00041521"),
        (KillLevel.REDUCE_ONLY, [("sell", "stop-loss")], "0.00041521"),
        (KillLevel.FLATTEN, [], "0"),
    ],
)
def test_defect_11_a_kill_level_set_by_another_process_is_noticed_within_a_second(
    tmp_path: Path, level: KillLevel, resting: list[tuple[str, str]], held: str
) -> None:
    """Entries stop, are cancelled, everything is sold: level by level, the stop stays longest."""

    async def story(rig: LoopRig) -> None:
        await hold_a_position(rig)
        await rig.enter(ETH, rests=True)
        assert sides(rig.venue.resting) == [("sell", "stop-loss"), ("buy", "limit")]
        killed = TradingState(level=level, reason="test", changed_at=rig.clock.now())
        await rig.read(lambda tx: tx.latch(killed))
        rig.quote()
        await rig.pass_time(1)
        if level is KillLevel.FLATTEN:
            await rig.pass_time(3)  # cancelled first, sold after

        assert sides(rig.venue.resting) == resting
        assert rig.venue.totals["BTC"] == d(held)
        assert rig.loop is not None
        assert rig.loop.watch.by_cause["lost"] == 0  # what goes with a sale is nobody's doing
        before = rig.writes.count("place")
        await rig.enter(ETH)
        assert rig.writes.count("place") == before

    run_loop(tmp_path, story)


def test_defect_11_the_kill_switch_of_the_runbooks_stops_entries(tmp_path: Path) -> None:
    """`UPDATE config SET value='true' WHERE key='kill_switch'`; false again does not re-arm."""

    async def story(rig: LoopRig) -> None:
        await rig.read(lambda tx: tx.set_config("kill_switch", "true", rig.clock.now()))
        await rig.pass_time(1)
        await rig.enter()
        assert rig.writes == []
        await rig.read(lambda tx: tx.set_config("kill_switch", "false", rig.clock.now()))
        await rig.pass_time(1)
        await rig.enter()
        assert rig.writes == []

    run_loop(tmp_path, story)


def test_an_instrument_s_kill_stops_it_and_no_other(tmp_path: Path) -> None:
    """ETH: no entry, its working one is cancelled, its position sold. BTC is entered as ever."""

    async def story(rig: LoopRig) -> None:
        await rig.enter(ETH)
        held = rig.venue.totals["ETH"]
        halted = TradingState(level=KillLevel.CANCEL_OPEN, reason="drill", changed_at=NOON)
        await rig.read(lambda tx: tx.latch(halted, ETH))
        await rig.pass_time(1)
        assert rig.venue.totals["ETH"] == held > 0
        assert sides(rig.resting(Side.SELL)) == [("sell", "stop-loss")]

        harder = replace(halted, level=KillLevel.FLATTEN)
        await rig.read(lambda tx: tx.latch(harder, ETH))
        rig.quote(ETH)
        await rig.pass_time(10)
        assert rig.venue.totals["ETH"] == 0
        await rig.enter(ETH)
        assert rig.venue.totals["ETH"] == 0
        await rig.enter(BTC)
        assert rig.venue.totals["BTC"] > 0

    run_loop(tmp_path, story)


def test_a_stopped_instrument_s_working_entry_is_cancelled(tmp_path: Path) -> None:
    """That of another one works on."""

    async def story(rig: LoopRig) -> None:
        rig.strategy.wanted[BTC] = rig.strategy.wanted[ETH] = "enter"
        await rig.close_candle(BTC, ETH, runs_away=True)
        assert {each.symbol for each in rig.resting(Side.BUY)} == {BTC, ETH}
        halted = TradingState(level=KillLevel.CANCEL_OPEN, reason="drill", changed_at=NOON)
        await rig.read(lambda tx: tx.latch(halted, ETH))
        await rig.pass_time(2)
        assert {each.symbol for each in rig.resting(Side.BUY)} == {BTC}

    run_loop(tmp_path, story)


@pytest.mark.parametrize("fault", ["lost answer", "lost request"])
def test_defect_1_an_unanswered_entry_is_not_sent_again(tmp_path: Path, fault: str) -> None:
    """One request, whatever becomes of it; new risk waits until the records prove what it was."""

    async def story(rig: LoopRig) -> None:
        rig.is_deaf = True
        rig.venue.cue("place", fault)
        await rig.enter()
        rig.strategy.wanted[BTC] = "enter"
        await rig.close_candle()
        entries = [each for each in rig.venue.book_of_orders.values() if each.side is Side.BUY]
        assert len(entries) == (1 if fault == "lost answer" else 0)
        assert len({about for method, about in rig.venue.writes if method == "place"}) == len(
            [method for method in rig.writes if method == "place"]
        )
        await rig.pass_time(120)

        intents = await rig.read(lambda tx: tx.intents())
        assert all(each.state.is_terminal for each in intents)
        if fault == "lost answer":
            assert [each.quantity for each in rig.resting(Side.SELL)] == [ENTRY]
        else:
            assert intents[0].state is IntentState.REJECTED
            assert rig.venue.book_of_orders == {}

    run_loop(tmp_path, story)


def test_a_refused_entry_is_told_and_not_tried_again_in_the_same_moment(tmp_path: Path) -> None:
    """The next one needs a new decision."""

    async def story(rig: LoopRig) -> None:
        rig.venue.cue("place", VenueRejected("no", code="EOrder:Insufficient funds"))
        await rig.enter()
        await rig.pass_time(20)
        assert rig.writes == ["place"]

    rig, _ = run_loop(tmp_path, story)
    assert [each.state.value for each in rig.narrator.outcomes] == ["rejected"]


def test_a_refused_stop_is_tried_again(tmp_path: Path) -> None:
    """A position without a stop is not left alone; each try is a new order."""

    async def story(rig: LoopRig) -> None:
        def refuse_the_stop() -> None:
            rig.venue.cue("place", VenueRejected("busy", code="EService:Busy"))

        async def before() -> None:
            if rig.writes == ["place"]:
                refuse_the_stop()

        rig.venue.before_place = before
        await rig.enter()
        await rig.pass_time(5)
        assert sides(rig.venue.resting) == [("sell", "stop-loss")]

    _, tally = run_loop(tmp_path, story)
    assert 0 < tally.unprotected_seconds <= 5


# --- the end -------------------------------------------------------------------------------------


def test_an_orderly_stop_cancels_entries_and_leaves_stops(tmp_path: Path) -> None:
    """Nothing new is begun; what is held stays protected at the venue."""

    async def story(rig: LoopRig) -> None:
        await hold_a_position(rig)
        await rig.enter(ETH, rests=True)
        assert len(rig.venue.resting) == 2

    rig, tally = run_loop(tmp_path, story)
    assert sides(rig.venue.resting) == [("sell", "stop-loss")]
    assert tally.positions_with_stop == 1


def test_an_entry_filled_while_stopping_is_still_protected(tmp_path: Path) -> None:
    """The loop does not go before the stop rests."""

    async def story(rig: LoopRig) -> None:
        await rig.enter(rests=True)
        (entry,) = rig.venue.resting
        rig.fill(entry, "0.0003")
        rig.stop.set()

    rig, _ = run_loop(tmp_path, story)
    assert [(each.side, each.quantity) for each in rig.venue.resting] == [(Side.SELL, d("0.0003"))]
    statuses = {each.status for each in rig.venue.book_of_orders.values()}
    assert OrderStatus.CANCELED in statuses


def test_a_shadow_run_records_what_it_would_have_sent(tmp_path: Path) -> None:
    """And the venue hears nothing."""

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        recorded = await rig.read(lambda tx: tx.decisions())
        assert [each.kind for each in recorded] == ["enter", "would_place"]
        assert recorded[1].details["quantity"] == "0.00041521"

    rig, tally = run_loop(tmp_path, story, is_shadow=True)
    assert (rig.writes, tally.would_be_orders) == ([], 1)


def test_decisions_are_kept_with_what_was_seen(tmp_path: Path) -> None:
    """And to hold is one, too."""

    async def story(rig: LoopRig) -> None:
        await rig.close_candle()
        await rig.enter()
        held, entered = await rig.read(lambda tx: tx.decisions())
        assert [(each.symbol, each.kind) for each in (held, entered)] == [
            (BTC, "hold"),
            (BTC, "enter"),
        ]
        assert entered.details == {
            "reason": "scripted",
            "spot_price": "60000.0",
            "candle_count": 2,
            "strength": "1",
            "notional": "",
        }

    run_loop(tmp_path, story)


def test_the_daily_limit_starts_over_with_the_utc_day(tmp_path: Path) -> None:
    """25 USD a day are used up by one entry; after midnight there is room again."""
    policy = replace(Policy(), max_daily_notional=d("25"))

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        await rig.enter(ETH)
        assert {each.symbol for each in rig.venue.book_of_orders.values()} == {BTC}
        await rig.close_candle()  # over midnight
        assert rig.clock.now().date() > NOON.date()
        rig.quote()
        await rig.enter(ETH)
        await rig.pass_time(3)
        assert {each.symbol for each in rig.venue.book_of_orders.values()} == {BTC, ETH}

    late = NOON + timedelta(hours=11, minutes=57)
    run_loop(tmp_path, story, policy=policy, starts_at=late)


def test_the_operator_is_told_once_why_there_is_no_entry(tmp_path: Path) -> None:
    """The day's limit is used up: said at the first wish, not at every one."""
    policy = replace(Policy(), max_daily_notional=d("25"))

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        for _ in range(3):
            await rig.enter(ETH)

    rig, _ = run_loop(tmp_path, story, policy=policy)
    assert [note for _, note in rig.narrator.notes] == [
        (
            "ETH/USD: MAX_DAILY_NOTIONAL (25) leaves 0.00 USD, too little for an order that can be"
            " stopped"
        )
    ]


def test_an_order_of_somebody_else_is_not_booked(tmp_path: Path) -> None:
    """The operator's own orders pass by on the same stream."""

    async def story(rig: LoopRig) -> None:
        await hold_a_position(rig)
        own = rig.venue.resting[0]
        theirs = replace(own, venue_order_id=VenueOrderId("OTHEIRS"), client_order_id=None)
        rig.venue.insert(theirs)
        rig.tell_orders()
        await rig.pass_time(3)
        assert len(await rig.read(lambda tx: tx.orders())) == 2
        assert rig.writes == ["place", "place"]

    run_loop(tmp_path, story)


def test_a_lost_wire_is_told_once_and_its_return_too(tmp_path: Path) -> None:
    """An operator sees why nothing happens."""

    async def story(rig: LoopRig) -> None:
        for _ in range(2):
            rig.go_down("private")
            await rig.pass_time(1)
        rig.come_up("private")
        await rig.pass_time(1)

    rig, _ = run_loop(tmp_path, story)
    assert rig.narrator.wires == [("private", False), ("private", True)]


def test_a_market_without_buyers_keeps_no_position_from_its_stop_or_its_sale(
    tmp_path: Path,
) -> None:
    """By a bid of 0 it was through every stop, and worth too little to be sold."""

    async def story(rig: LoopRig) -> None:
        await hold_a_position(rig)
        rig.feed.tell(rig.quoted((d("0"), d("60000.1"))))
        await rig.venue.cancel(rig.venue.resting[0].venue_order_id)
        await rig.pass_time(3)
        assert sides(rig.venue.resting) == [("sell", "stop-loss")]

        sell_out = TradingState(
            level=KillLevel.FLATTEN, reason="drill", changed_at=rig.clock.now(), changed_by="test"
        )
        await rig.read(lambda tx: tx.latch(sell_out))
        await rig.pass_time(3)
        assert rig.venue.totals["BTC"] == 0

    run_loop(tmp_path, story)
