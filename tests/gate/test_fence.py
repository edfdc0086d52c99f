"""Who may add risk: a loop under its lease, and one process at a time on an instrument."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from builders import BTC, ETH, NOON, d, make_position, make_request, make_stop_request, place
from fakes import Desk, at_the_desk
from zoe_tools.domain.identifiers import PositionId, Symbol, VenueOrderId
from zoe_tools.domain.observation import Lease
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.plan import AdoptPosition, CancelOrder, OutcomeState, Plan, Step, StepOutcome
from zoe_tools.errors import VenueUnavailable
from zoe_tools.gate.fence import FencedOff, LeaseMemory
from zoe_tools.gate.gate import Gate

RESTING = make_request(limit_price=d("59000.0"))
TTL_S = 30.0


async def take_lease(desk: Desk, holder: str, *, ttl_s: float = TTL_S) -> Lease:
    """The account's lease, for a holder."""
    return await desk.read(
        lambda tx: tx.acquire_lease(holder, "testhost", 1, desk.clock.now(), ttl_s)
    )


async def lose_lease(desk: Desk) -> None:
    """Somebody else has it from now on."""
    await desk.clock.sleep(TTL_S)
    await take_lease(desk, "other")


async def carry(desk: Desk, gate: Gate, *steps: Step) -> tuple[StepOutcome, ...]:
    """Plan now, and carry it out."""
    snapshot = await desk.look()
    receipt = await gate.carry_out(desk.plan(*steps), snapshot=snapshot, execute=True)
    return receipt.outcomes


async def leased_gate(desk: Desk, *, ttl_s: float = TTL_S) -> Gate:
    """A gate that trades under the lease."""
    gate = desk.gate()
    gate.trade_under(await take_lease(desk, "mine", ttl_s=ttl_s))
    return gate


# --- the lease -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ttl_s", "life_s"),
    [pytest.param(30.0, 5.0, id="long lease"), pytest.param(4.0, 3.0, id="short lease")],
)
def test_an_order_is_dead_a_second_before_the_lease_it_was_sent_under(
    tmp_path: Path, ttl_s: float, life_s: float
) -> None:
    """The deadline is <= lease expiry - 1 s, and never later than it would be without a lease."""

    async def story(desk: Desk) -> timedelta:
        gate = await leased_gate(desk, ttl_s=ttl_s)
        await carry(desk, gate, place(RESTING))
        (intent,) = await desk.read(lambda tx: tx.intents())
        return intent.deadline - intent.created_at

    assert at_the_desk(tmp_path, story) == timedelta(seconds=life_s)


def test_vector_12_a_late_order_of_the_loop_whose_lease_ran_out_is_not_sent(tmp_path: Path) -> None:
    """B is refused while A holds the lease, has it with a higher token afterwards, and trades."""

    async def story(desk: Desk) -> None:
        gate_a, gate_b = desk.gate(), desk.gate()
        a = await take_lease(desk, "a")
        assert await take_lease(desk, "b") == a
        gate_a.trade_under(a)
        await desk.clock.sleep(TTL_S)
        b = await take_lease(desk, "b")
        assert (b.holder, b.token) == ("b", a.token + 1)
        gate_b.trade_under(b)
        (late,) = await carry(desk, gate_a, place(RESTING))
        assert (late.state, late.code) == (OutcomeState.SKIPPED, "LEASE_LOST")
        assert desk.venue.writes == []
        (ours,) = await carry(desk, gate_b, place(RESTING))
        assert (ours.state, len(desk.venue.writes)) == (OutcomeState.DONE, 1)

    at_the_desk(tmp_path, story)


def test_the_same_holder_after_somebody_else_is_a_stranger_to_its_old_token(tmp_path: Path) -> None:
    """A name alone proves nothing: between the two somebody else has traded."""

    async def story(desk: Desk) -> StepOutcome:
        gate = await leased_gate(desk)
        await lose_lease(desk)
        await desk.clock.sleep(TTL_S)
        await take_lease(desk, "mine")
        (outcome,) = await carry(desk, gate, place(RESTING))
        return outcome

    assert at_the_desk(tmp_path, story).code == "LEASE_LOST"


def test_a_lease_about_to_end_lets_no_order_out(tmp_path: Path) -> None:
    """There would be no second left for the venue to take it."""

    async def story(desk: Desk) -> tuple[StepOutcome, int]:
        gate = await leased_gate(desk, ttl_s=1.9)
        (outcome,) = await carry(desk, gate, place(RESTING))
        return outcome, len(await desk.read(lambda tx: tx.intents()))

    outcome, journaled = at_the_desk(tmp_path, story)

    assert (outcome.code, journaled) == ("LEASE_LOST", 0)


@pytest.mark.parametrize(
    ("purpose", "is_sent"),
    [pytest.param("entry", True, id="entry"), pytest.param("stop", False, id="stop")],
)
def test_without_the_lease_an_entry_may_still_be_cancelled_and_a_stop_not(
    tmp_path: Path, purpose: str, *, is_sent: bool
) -> None:
    """To take a stop away and not be able to place the next one would leave a position bare."""

    async def story(desk: Desk) -> bool:
        gate = await leased_gate(desk)
        await carry(desk, gate, place(RESTING))
        (resting,) = desk.venue.resting
        await lose_lease(desk)
        desk.venue.calls.clear()
        cancel = CancelOrder(
            venue_order_id=resting.venue_order_id,
            symbol=BTC,
            reason="test",
            purpose=purpose,  # type: ignore[arg-type]
        )
        await carry(desk, gate, cancel)
        return bool(desk.venue.writes)

    assert at_the_desk(tmp_path, story) is is_sent


# --- the lock of an instrument -------------------------------------------------------------------


TWO_COMMANDS = ({"pid": 1}, {"command": "sync-positions", "pid": 2})
TWO_CONTAINERS = ({"pid": 1, "process": "4f1a"}, {"pid": 1, "process": "9c02"})
"""Both are process 1 of hosts of the same name, and run the same command."""

Processes = tuple[Mapping[str, Any], Mapping[str, Any]]


async def two_plans(
    desk: Desk, symbol_of_second: Symbol = BTC, processes: Processes = TWO_COMMANDS
) -> StepOutcome:
    """Two processes plan on the same world; the first trades, then the second."""
    first, second = (desk.gate(**each) for each in processes)
    snapshot = await desk.look()
    theirs = replace(RESTING, symbol=symbol_of_second, limit_price=d("2900.00"))
    late: Plan = desk.plan(place(RESTING if symbol_of_second == BTC else theirs), command="x")
    await desk.clock.sleep(1)
    await carry(desk, first, place(RESTING))
    await desk.clock.sleep(1)
    receipt = await second.carry_out(late, snapshot=snapshot, execute=True)
    return receipt.outcomes[0]


def test_defect_23_of_two_plans_on_one_look_at_the_world_only_one_adds_risk(tmp_path: Path) -> None:
    """What the first did, the second plan does not know: it has to be made anew."""
    outcome = at_the_desk(tmp_path, two_plans)

    assert (outcome.state, outcome.code) == (OutcomeState.SKIPPED, "INSTRUMENT_LOCKED")
    assert "traded BTC/USD after this plan was made" in outcome.evidence


def test_defect_17_two_containers_of_one_name_are_two_processes(tmp_path: Path) -> None:
    """Defect 17: a host's name and a process id are no proof of being the same one."""
    outcome = at_the_desk(tmp_path, lambda desk: two_plans(desk, BTC, TWO_CONTAINERS))

    assert (outcome.state, outcome.code) == (OutcomeState.SKIPPED, "INSTRUMENT_LOCKED")
    assert "(pid 1 on testhost, process 4f1a) traded BTC/USD" in outcome.evidence


def test_another_instrument_is_not_locked(tmp_path: Path) -> None:
    """The lock is one instrument's."""
    outcome = at_the_desk(tmp_path, lambda desk: two_plans(desk, ETH))

    assert outcome.state is OutcomeState.DONE


def test_a_plan_made_after_the_other_process_was_done_goes(tmp_path: Path) -> None:
    """The lock is given back with the outcome, not kept until it runs out."""

    async def story(desk: Desk) -> StepOutcome:
        await carry(desk, desk.gate(pid=1), place(RESTING))
        await desk.clock.sleep(0.1)
        another = replace(RESTING, quantity=d("0.0003"))
        (outcome,) = await carry(desk, desk.gate(pid=2), place(another))
        return outcome

    assert at_the_desk(tmp_path, story).state is OutcomeState.DONE


def test_a_lock_in_another_hand_stops_an_entry_and_no_stop(tmp_path: Path) -> None:
    """Locks stop new risk, never its reduction."""

    async def story(desk: Desk) -> tuple[StepOutcome, ...]:
        desk.venue.totals["BTC"] = d("0.5")
        position = make_position(quantity=d("0.5"), origin="adopted")
        await desk.do(AdoptPosition(position=position, reason="test"))
        await desk.read(
            lambda tx: tx.acquire_trade_lock(BTC, "other", "there", 7, desk.clock.now(), 600)
        )
        stop = place(make_stop_request(quantity=d("0.5")), position_id=position.position_id)
        return await carry(desk, desk.gate(), place(RESTING), stop)

    entry, stop = at_the_desk(tmp_path, story)

    assert (entry.code, stop.state) == ("INSTRUMENT_LOCKED", OutcomeState.DONE)
    assert entry.evidence == "other is trading BTC/USD at this moment"


def test_a_lock_that_ran_out_is_taken(tmp_path: Path) -> None:
    """A process that was killed holds nobody up for longer than its order could have lived."""

    async def story(desk: Desk) -> StepOutcome:
        await desk.read(
            lambda tx: tx.acquire_trade_lock(BTC, "dead", "there", 7, desk.clock.now(), 6)
        )
        await desk.clock.sleep(6.1)
        (outcome,) = await carry(desk, desk.gate(), place(RESTING))
        return outcome

    assert at_the_desk(tmp_path, story).state is OutcomeState.DONE


@pytest.mark.parametrize("ago_s", [1, 59, 61])
def test_of_two_processes_that_miss_the_same_stop_one_places_it(tmp_path: Path, ago_s: int) -> None:
    """Two stops for one position would sell what zoe does not manage.

    Beyond the visibility lag a plan that asks for a stop has seen that the other one is gone.
    """

    async def story(desk: Desk) -> None:
        held = make_position()
        await desk.read(lambda tx: tx.record_position(held))
        stop = place(make_stop_request(), position_id=held.position_id)
        slow = desk.plan(stop, command="recover-sl")
        snapshot = await desk.look()
        (first,) = await carry(desk, desk.gate(pid=2), stop)
        if ago_s > 1:
            await desk.clock.sleep(ago_s)
            if ago_s > desk.policy.visibility_lag_s:
                desk.venue.end(VenueOrderId("O00001"), OrderStatus.CANCELED)
            slow = desk.plan(stop, command="recover-sl")
        desk.venue.cue("orders", VenueUnavailable("nobody can look"))
        gate = desk.gate(command="recover-sl", pid=3)
        receipt = await gate.carry_out(slow, snapshot=snapshot, execute=True)
        (second,) = receipt.outcomes

        assert first.state is OutcomeState.DONE
        seen_gone = ago_s > desk.policy.visibility_lag_s
        assert (second.state is OutcomeState.SKIPPED) is not seen_gone
        assert len(desk.venue.resting) == 1
        if not seen_gone:
            assert "a stop for this position was placed just now (O00001)" in second.evidence

    at_the_desk(tmp_path, story, balances={"USD": d("1000"), "BTC": d("2")})


@pytest.mark.parametrize("is_there", [True, False])
def test_a_list_of_orders_that_came_empty_does_not_double_a_stop(
    tmp_path: Path,
    is_there: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """A stop that the books know is asked for by its id; one that is gone is replaced."""

    async def story(desk: Desk) -> None:
        held = make_position()
        await desk.read(lambda tx: tx.record_position(held))
        stop = place(make_stop_request(), position_id=held.position_id)
        await carry(desk, desk.gate(), stop)
        await desk.clock.sleep(3_600)
        if not is_there:
            desk.venue.end(VenueOrderId("O00001"), OrderStatus.CANCELED)
        (outcome,) = await carry(desk, desk.gate(command="recover-sl"), stop)

        assert (outcome.state is OutcomeState.SKIPPED) is is_there
        assert len(desk.venue.resting) == 1

    at_the_desk(tmp_path, story, balances={"USD": d("1000"), "BTC": d("2")})


def test_what_goes_out_without_the_store_is_dead_before_the_lease_ends() -> None:
    """By the loop's own clock; and nothing is capped where no other host can take the account."""
    memory, later = LeaseMemory(), NOON + timedelta(seconds=5)
    stop = place(make_stop_request(), position_id=PositionId("P1"))
    assert memory.within(stop, later, NOON + timedelta(days=1)) == later

    memory.until = NOON + timedelta(seconds=5)
    assert memory.within(stop, later, NOON) == NOON + timedelta(seconds=4)
    with pytest.raises(FencedOff, match="another host may have the account"):
        memory.within(stop, later, NOON + timedelta(seconds=1.6))
    memory.spared = frozenset({PositionId("P1")})
    assert memory.within(stop, later, NOON + timedelta(seconds=1.6)) == later
