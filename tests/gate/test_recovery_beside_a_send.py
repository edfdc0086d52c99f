"""Somebody recovers while somebody else is sending: neither calls the other's order never sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from builders import d, make_position, make_request, make_stop_request, place
from fakes import Desk, at_the_desk
from zoe_tools.domain.identifiers import ClientOrderId, PositionId
from zoe_tools.domain.journal import IntentState
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.plan import AdoptPosition, OutcomeState
from zoe_tools.errors import OutcomeUnknown
from zoe_tools.gate.gate import Gate
from zoe_tools.gate.journal import Author, claim, journal
from zoe_tools.store.runner import InlineRunner, StoreRunner
from zoe_tools.store.store import Transaction

T = TypeVar("T")


class InterruptedRunner:
    """Runs the work, and once, right after an intent was journaled, lets somebody in between."""

    def __init__(self, inner: InlineRunner, between: Callable[[], Awaitable[object]]) -> None:
        self._inner = inner
        self._between: Callable[[], Awaitable[object]] | None = between

    async def run(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """See `StoreRunner`."""
        result = await self._inner.run(work, is_urgent=is_urgent)
        unresolved = await self._inner.run(lambda tx: tx.unresolved_intents())
        between = self._between
        if between is not None and any(each.state is IntentState.SENT for each in unresolved):
            self._between = None
            await between()
        return result

    async def read(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """See `StoreRunner`."""
        return await self._inner.read(work, is_urgent=is_urgent)

    async def close(self) -> None:
        """The desk closes its own."""


def gate_of(desk: Desk, store: StoreRunner) -> Gate:
    """The loop's gate, on a store where somebody comes in between."""
    return desk.gate(store=store)


async def send_a_stop(desk: Desk, gate: Gate) -> OutcomeState:
    """A position gets its stop; how that went."""
    await desk.do(AdoptPosition(position=make_position(quantity=d("0.5")), reason="test"))
    stop = place(make_stop_request(quantity=d("0.5")), position_id=PositionId("P1"))
    receipt = await gate.carry_out(desk.plan(stop), snapshot=await desk.look(), execute=True)
    (outcome,) = receipt.outcomes
    return outcome.state


async def agree(desk: Desk) -> list[tuple[IntentState, OrderStatus]]:
    """Intent and order of each place; what rests at the venue is what the books hold open."""
    orders = {each.intent_id: each for each in await desk.read(lambda tx: tx.orders())}
    intents = await desk.read(lambda tx: tx.intents())
    resting = {each.venue_order_id for each in desk.venue.resting}
    books = {each.venue_order_id for each in orders.values() if not each.status.is_terminal}
    assert resting == books
    return [(each.state, orders[each.intent_id].status) for each in intents]


BALANCES = {"USD": d("1000"), "BTC": d("0.5")}


def test_another_process_that_looks_before_the_send_calls_it_unknown(tmp_path: Path) -> None:
    """What is taken to be sent may be on its way: nobody says that it was not, and it arrives."""

    async def story(desk: Desk) -> None:
        other = desk.gate(command="reconcile")
        found: list[IntentState] = []

        async def look() -> None:
            recovery = await other.recover(patient=False)
            found.extend(each.state for each in recovery.resolutions)

        store = InterruptedRunner(desk.store, look)
        assert await send_a_stop(desk, gate_of(desk, store)) is OutcomeState.DONE
        assert found == [IntentState.UNKNOWN]
        assert await agree(desk) == [(IntentState.CONFIRMED, OrderStatus.OPEN)]

    at_the_desk(tmp_path, story, balances=BALANCES)


def test_a_process_that_slept_before_its_send_sends_what_is_dead(tmp_path: Path) -> None:
    """By then another one has proved that it never happened, and so it is."""

    async def story(desk: Desk) -> None:
        other = desk.gate(command="reconcile")
        store = InterruptedRunner(desk.store, lambda: other.recover(patient=True))
        entry = place(make_request(limit_price=d("60000.1")))
        receipt = await gate_of(desk, store).carry_out(
            desk.plan(entry), snapshot=await desk.look(), execute=True
        )
        (outcome,) = receipt.outcomes
        assert outcome.state is OutcomeState.REJECTED
        assert desk.venue.executions == []
        assert await agree(desk) == [(IntentState.REJECTED, OrderStatus.REJECTED)]

    at_the_desk(tmp_path, story)


def test_the_same_gate_that_recovers_leaves_what_it_is_sending(tmp_path: Path) -> None:
    """The wire came back in the very moment of the journal's commit."""

    async def story(desk: Desk) -> None:
        gates: list[Gate] = []
        store = InterruptedRunner(desk.store, lambda: gates[0].recover(patient=False))
        gates.append(gate_of(desk, store))
        assert await send_a_stop(desk, gates[0]) is OutcomeState.DONE
        assert await agree(desk) == [(IntentState.CONFIRMED, OrderStatus.OPEN)]
        position = await desk.read(lambda tx: tx.position(PositionId("P1")))
        assert position is not None
        assert position.stop_venue_order_id == desk.venue.resting[0].venue_order_id

    at_the_desk(tmp_path, story, balances=BALANCES)


def test_nobody_ever_finds_an_intent_that_is_journaled_alone(tmp_path: Path) -> None:
    """Of such a one it could be said that it was not sent, while it is."""

    async def story(desk: Desk) -> None:
        seen: set[IntentState] = set()

        class Watched:
            async def run(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
                result = await desk.store.run(work, is_urgent=is_urgent)
                seen.update(each.state for each in await desk.read(lambda tx: tx.intents()))
                return result

            async def read(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
                return await desk.store.read(work, is_urgent=is_urgent)

            async def close(self) -> None:
                """The desk closes its own."""

        assert await send_a_stop(desk, gate_of(desk, Watched())) is OutcomeState.DONE
        assert seen == {IntentState.SENT, IntentState.CONFIRMED}

    at_the_desk(tmp_path, story, balances=BALANCES)


def test_a_look_that_began_before_the_send_does_not_undo_it(tmp_path: Path) -> None:
    """The recovery read the intent as journaled; when it writes, the order is on its way."""

    async def story(desk: Desk) -> None:
        await desk.do(AdoptPosition(position=make_position(quantity=d("0.5")), reason="test"))
        plan = desk.plan(place(make_stop_request(quantity=d("0.5")), position_id=PositionId("P1")))
        author = Author(account=desk.account, command="run", operator="", host="gone")
        now, policy = desk.clock.now(), desk.policy
        entry = await desk.read(
            lambda tx: journal(tx, plan, 0, author=author, policy=policy, now=now)
        )
        real = desk.venue.open_orders

        async def look_while_it_is_sent(*asked: ClientOrderId) -> object:
            await desk.read(lambda tx: claim(tx, entry, at=desk.clock.now()))
            return await real(*asked)

        desk.venue.open_orders = look_while_it_is_sent  # type: ignore[method-assign, assignment]
        await desk.gate(command="reconcile").recover(patient=False)
        (intent,) = await desk.read(lambda tx: tx.intents())
        assert intent.state is IntentState.SENT

    at_the_desk(tmp_path, story, balances=BALANCES)


def test_a_stop_that_is_sent_again_has_its_new_deadline_on_the_disk(tmp_path: Path) -> None:
    """Silence counts only after the last one, whoever looks."""

    async def story(desk: Desk) -> None:
        desk.venue.cue("place", OutcomeUnknown("lost"), times=2)
        began = desk.clock.now()
        await send_a_stop(desk, desk.gate())
        (intent,) = await desk.read(lambda tx: tx.intents())
        both_s = desk.policy.stop_deadline_s + desk.policy.order_deadline_s
        assert (intent.deadline - began).total_seconds() == both_s

    at_the_desk(tmp_path, story, balances=BALANCES)
