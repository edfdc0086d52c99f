"""A stop whose sender died, and of which nobody knows whether it arrived, is sent again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from builders import d, make_position, make_stop_request, place
from fakes import Desk, at_the_desk
from zoe_tools.domain.identifiers import PositionId
from zoe_tools.domain.journal import Intent, IntentState
from zoe_tools.domain.plan import AdoptPosition, OutcomeState, PlaceOrder, StepOutcome
from zoe_tools.errors import VenueRejected
from zoe_tools.gate.journal import Author, Entry, claim, journal
from zoe_tools.store.store import Transaction

BALANCES = {"USD": d("1000"), "BTC": d("0.5")}
NAME = PositionId("P1")


async def died_in_a_send(desk: Desk) -> Intent:
    """A position is held, its stop journaled and taken, and the process gone."""
    await desk.do(AdoptPosition(position=make_position(quantity=d("0.5")), reason="test"))
    plan = desk.plan(place(make_stop_request(quantity=d("0.5")), position_id=NAME))
    author = Author(account=desk.account, command="run", operator="", host="gone")
    now = desk.clock.now()

    def take(transaction: Transaction) -> Entry:
        entry = journal(transaction, plan, 0, author=author, policy=desk.policy, now=now)
        claim(transaction, entry, at=now)
        return entry

    return (await desk.read(take)).intent


async def again(desk: Desk, intent: Intent) -> StepOutcome | None:
    """The next process finds it."""
    return await desk.gate().send_again(intent)


def test_a_stop_nobody_saw_arrive_goes_again_under_its_own_id(tmp_path: Path) -> None:
    """Once its deadline has passed: the first one is dead by then."""

    async def story(desk: Desk) -> None:
        intent = await died_in_a_send(desk)
        await desk.clock.sleep(desk.policy.stop_deadline_s)
        outcome = await again(desk, intent)

        assert outcome is not None
        assert outcome.state is OutcomeState.DONE
        (stop,) = desk.venue.resting
        assert stop.client_order_id == intent.client_order_id
        (known,) = await desk.read(lambda tx: tx.intents())
        assert known.state is IntentState.CONFIRMED
        position = await desk.read(lambda tx: tx.position(NAME))
        assert position is not None
        assert position.stop_venue_order_id == stop.venue_order_id

    at_the_desk(tmp_path, story, balances=BALANCES)


def test_one_that_arrived_is_found_and_not_sent_twice(tmp_path: Path) -> None:
    """One look goes before."""

    async def story(desk: Desk) -> None:
        intent = await died_in_a_send(desk)
        request, name = make_stop_request(quantity=d("0.5")), intent.client_order_id
        assert name is not None
        await desk.venue.place(request, client_order_id=name, deadline=intent.deadline)
        await desk.clock.sleep(desk.policy.stop_deadline_s)
        desk.venue.calls.clear()
        outcome = await again(desk, intent)

        assert outcome is not None
        assert (outcome.state, desk.venue.writes) == (OutcomeState.DONE, [])
        assert len(desk.venue.resting) == 1

    at_the_desk(tmp_path, story, balances=BALANCES)


def test_one_that_was_refused_the_second_time_may_go_again_at_once(tmp_path: Path) -> None:
    """Nothing of it is on its way: the long deadline of the second send says nothing any more."""

    async def story(desk: Desk) -> None:
        intent, gate = await died_in_a_send(desk), desk.gate()
        await desk.clock.sleep(desk.policy.stop_deadline_s)
        closed = VenueRejected("no", code="EService:Market in cancel_only mode", is_passing=True)
        desk.venue.cue("place", closed)
        first = await gate.send_again(intent)
        open_now = await desk.read(lambda tx: tx.unresolved_intents())
        due = gate.due_again(open_now)
        assert first is not None
        assert (first.state, due) == (OutcomeState.UNKNOWN, open_now)

        second = await gate.send_again(intent)
        assert second is not None
        assert second.state is OutcomeState.DONE
        assert len(desk.venue.resting) == 1
        assert gate.due_again(await desk.read(lambda tx: tx.unresolved_intents())) == ()

    at_the_desk(tmp_path, story, balances=BALANCES)


async def sold(desk: Desk) -> None:
    """Nothing is held any more that the stop could sell."""
    await desk.clock.sleep(desk.policy.stop_deadline_s)
    position = await desk.read(lambda tx: tx.position(NAME))
    assert position is not None
    less = make_position(quantity=d("0.4"), entry_quantity=d("0.5"), exit_quantity=d("0.1"))
    await desk.read(lambda tx: tx.copy_position(less))


async def stopped_by_another(desk: Desk) -> None:
    """Somebody else placed a stop of this position, which rests."""
    await desk.clock.sleep(100)
    stop: PlaceOrder = place(make_stop_request(quantity=d("0.5")), position_id=NAME)
    await desk.do(stop, command="recover-sl")
    desk.venue.calls.clear()


async def too_early(desk: Desk) -> None:
    """The first one may still arrive."""
    await desk.clock.sleep(desk.policy.stop_deadline_s / 2)


@pytest.mark.parametrize("meanwhile", [sold, stopped_by_another, too_early])
def test_what_is_not_wanted_or_may_still_arrive_is_not_sent(
    tmp_path: Path, meanwhile: Callable[[Desk], Awaitable[None]]
) -> None:
    """Nothing leaves, and the intent stays as open as it was."""

    async def story(desk: Desk) -> None:
        intent = await died_in_a_send(desk)
        await meanwhile(desk)
        assert await again(desk, intent) is None
        assert desk.venue.writes == []
        known = await desk.read(lambda tx: tx.intent(intent.intent_id))
        assert known is not None
        assert not known.state.is_terminal

    at_the_desk(tmp_path, story, balances=BALANCES)
