"""Entries of before trading was stopped: not journaled, not sent, and waited for by the proof."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from builders import (
    BTC,
    ETH,
    NOON,
    PAPER,
    d,
    make_intent,
    make_position,
    make_request,
    make_stop_request,
    place,
)
from fakes import Desk, RecordingApprover, at_the_desk
from loop_rig import LoopRig, run_loop
from zoe_tools.domain.identifiers import IntentId, Symbol, VenueOrderId
from zoe_tools.domain.journal import IntentState, ProofKind
from zoe_tools.domain.order import OrderAmendment, Side
from zoe_tools.domain.plan import (
    AdoptPosition,
    AmendOrder,
    CancelOrder,
    OutcomeState,
    SetTradingState,
    Step,
)
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.domain.trading_state import KillLevel
from zoe_tools.gate.gate import Gate
from zoe_tools.gate.preconditions import HALTED
from zoe_tools.gate.stopping import KILL_NEEDS, Stopped, Stopper
from zoe_tools.gate.store_steps import apply_store_step
from zoe_tools.gather import gather
from zoe_tools.store.store import Transaction

NAME = VenueOrderId("O00001")


def stopped(symbol: Symbol | None = None) -> Callable[[Transaction], object]:
    """A kill of somebody else's."""
    step = SetTradingState(level=KillLevel.PAUSE_ENTRIES, reason="odd", symbol=symbol)
    return lambda tx: apply_store_step(tx, step, now=NOON, changed_by="ann")


def switched(transaction: Transaction) -> None:
    """By hand, in the table."""
    transaction.set_config("kill_switch", "true", NOON)


CHANGE = OrderAmendment(venue_order_id=NAME, symbol=BTC, limit_price=d("59100.0"))
STEPS: dict[str, Step] = {
    "entry": place(make_request(limit_price=d("59000.0"))),
    "change": AmendOrder(amendment=CHANGE, reason="r", purpose="entry"),
}


@pytest.mark.parametrize("what", STEPS)
@pytest.mark.parametrize("stop", [stopped(), stopped(BTC), switched])
def test_what_adds_risk_is_not_journaled_where_trading_was_stopped_meanwhile(
    tmp_path: Path, what: str, stop: Callable[[Transaction], object]
) -> None:
    """The plan was made, and passed the veto, by a state that is another one by now."""

    async def story(desk: Desk) -> None:
        if what == "change":
            await desk.do(STEPS["entry"])
        snapshot, plan = await desk.look(), desk.plan(STEPS[what])
        before = list(desk.venue.writes)
        await desk.read(stop)
        receipt = await desk.gate().carry_out(plan, snapshot=snapshot, execute=True)
        (outcome,) = receipt.outcomes

        assert (outcome.state, outcome.code) == (OutcomeState.SKIPPED, HALTED)
        assert "trading is at " in outcome.evidence
        assert desk.venue.writes == before
        assert len(await desk.read(lambda tx: tx.intents())) == len(before)

    at_the_desk(tmp_path, story)


def test_what_reduces_risk_goes_whatever_was_stopped(tmp_path: Path) -> None:
    """A stop, a sale and a cancel, at the hardest level there is."""

    async def story(desk: Desk) -> None:
        desk.venue.totals["BTC"] = d("0.001")
        held = make_position(quantity=d("0.001"))
        await desk.do(AdoptPosition(position=held, reason="test"))
        entry = make_request(symbol=ETH, quantity=d("0.008"), limit_price=d("2900.0"))
        assert (await desk.do(place(entry))).is_done
        flatten = SetTradingState(level=KillLevel.FLATTEN, reason="odd")
        stop = make_stop_request(quantity=d("0.0005"))
        sale = make_request(side=Side.SELL, quantity=d("0.0005"), purpose="exit")
        cancel = CancelOrder(venue_order_id=NAME, symbol=ETH, reason="r", purpose="entry")
        steps = (
            cancel,
            place(stop, position_id=held.position_id),
            place(sale, position_id=held.position_id),
        )
        snapshot, plan = await desk.look(), desk.plan(*steps)
        await desk.read(lambda tx: apply_store_step(tx, flatten, now=NOON, changed_by="ann"))
        receipt = await desk.gate().carry_out(plan, snapshot=snapshot, execute=True)

        assert [each.state for each in receipt.outcomes] == [OutcomeState.DONE] * 3

    at_the_desk(tmp_path, story)


def test_an_entry_that_waits_for_room_is_not_sent_after_a_kill(tmp_path: Path) -> None:
    """It is journaled, and provably nothing of it left."""

    async def story(desk: Desk) -> None:
        async def wait() -> None:
            await desk.clock.sleep(3)
            await desk.read(stopped())

        desk.venue.wait_for_room = wait
        receipt = await desk.do(STEPS["entry"])
        (outcome,) = receipt.outcomes
        (intent,) = await desk.read(lambda tx: tx.intents())

        assert (outcome.state, outcome.code) == (OutcomeState.REJECTED, HALTED)
        assert (intent.state, intent.proof) == (IntentState.REJECTED, ProofKind.NOT_SENT)
        assert desk.venue.writes == []

    at_the_desk(tmp_path, story)


# --- the proof -----------------------------------------------------------------------------------


async def stop_beside(rig: LoopRig | Desk, said: list[str]) -> Stopped:
    """`zoe kill --execute`, from another process."""

    async def look() -> Snapshot:
        return await gather(
            venue=rig.venue,
            store=rig.store,
            clock=rig.clock,
            account=PAPER,
            policy=Policy(),
            needs=KILL_NEEDS,
        )

    gate = Gate(
        venue=rig.venue,
        store=rig.store,
        clock=rig.clock,
        approver=RecordingApprover(),
        account=PAPER,
        policy=Policy(),
        command="kill",
        operator="ann",
        host="elsewhere",
        live_consent=False,
        looks_again=True,
    )
    stopper = Stopper(
        gate=gate,
        store=rig.store,
        clock=rig.clock,
        account=PAPER,
        policy=Policy(),
        look=look,
        tell=said.append,
    )
    return await stopper.stop(KillLevel.CANCEL_OPEN, "drill")


@pytest.mark.parametrize("where", ["waits for room", "on the wire"])
def test_an_entry_under_way_is_waited_for_before_anything_is_proved(
    tmp_path: Path, where: str
) -> None:
    """It waits for room, and is not sent; or it is on the wire, comes to rest, and is cancelled."""
    has_left = where == "on the wire"

    async def story(rig: LoopRig) -> None:
        said: list[str] = []

        async def wait() -> None:
            if not rig.writes:
                await rig.clock.sleep(4.5)

        rig.venue.wait_for_room, rig.venue.before_place = (None, wait) if has_left else (wait, None)
        rig.strategy.wanted[BTC] = "enter"
        await rig.close_candle(BTC, runs_away=True)
        (sent,) = await rig.read(lambda tx: tx.unresolved_intents())
        assert sent.side is Side.BUY
        began = rig.clock.now()
        done = await stop_beside(rig, said)

        assert done.receipt.is_verified is True
        assert timedelta(seconds=1) < rig.clock.now() - began < timedelta(seconds=9)
        assert said[-1].startswith("Proved at the venue")
        assert not rig.venue.resting
        assert rig.writes == (["place", "cancel"] if has_left else [])
        assert all(each.filled_quantity == 0 for each in rig.venue.book_of_orders.values())

    run_loop(tmp_path, story)


@pytest.mark.parametrize("state", [IntentState.SENT, IntentState.UNKNOWN])
def test_an_order_of_which_nobody_knows_is_named_and_nothing_proved(
    tmp_path: Path, state: IntentState
) -> None:
    """Whoever sent it is gone; once the venue's silence counts it is proved after all."""

    async def story(desk: Desk) -> None:
        now = desk.clock.now()
        intent = make_intent(
            intent_id=IntentId("lost"), created_at=now, deadline=now + timedelta(seconds=5)
        )

        def write(transaction: Transaction) -> None:
            transaction.record_intent(intent)
            if state is IntentState.UNKNOWN:
                transaction.advance_intent(intent.intent_id, state, at=now, evidence="lost")

        await desk.read(write)
        said: list[str] = []
        first = await stop_beside(desk, said)
        took = desk.clock.now() - now
        await desk.clock.sleep(70)
        second = await stop_beside(desk, [])

        assert (first.receipt.is_verified, first.receipt.exit_code) == (False, 6)
        assert took < timedelta(seconds=15)
        assert any("Not proved: an order to buy BTC/USD" in each for each in said)
        assert second.receipt.is_verified is True

    at_the_desk(tmp_path, story)
