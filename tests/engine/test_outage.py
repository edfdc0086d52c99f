"""A loop whose store goes away: no entries, positions stay protected, and the books catch up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from builders import BTC, ETH, LIVE, NOON, d, make_request, place, plan_with
from loop_rig import LoopRig, run_loop
from templates import put_migrated
from zoe_tools.domain.identifiers import PositionId, Symbol, VenueOrderId
from zoe_tools.domain.journal import IntentKind, IntentState
from zoe_tools.domain.order import OrderPurpose, OrderStatus, OrderType, Side
from zoe_tools.domain.plan import CancelOrder, OutcomeState, SetTargets, Step, StepOutcome
from zoe_tools.domain.policy import Policy
from zoe_tools.engine.outage import (
    BEGUN,
    LAPSED,
    OVER,
    TAKEN_OVER_S,
    WITHHELD,
    demand_journal,
)
from zoe_tools.errors import AccountBusy, StoreUnavailable, VenueThrottled
from zoe_tools.gate.emergency_journal import EmergencyJournal
from zoe_tools.gate.journal import STORE_GONE, Author
from zoe_tools.gate.receipt import Receipt
from zoe_tools.store.emergency_file import NAME, SIZE, EmergencyFile

LADDER = Policy(take_profit_levels=((d("50"), d("3")), (d("50"), d("6"))))

ENTRY = place()
STOP = place(
    make_request(
        side=Side.SELL,
        order_type=OrderType.STOP_LOSS,
        limit_price=None,
        trigger_price=d("58800.0"),
        purpose="stop",
    )
)
LEVELS = SetTargets(position_id=PositionId("P1"), symbol=BTC, levels=(), reason="test")


async def demand_equal_books(rig: LoopRig) -> None:
    """Every intent is settled; orders, fills and the stop of the position are the venue's."""
    intents = await rig.read(lambda tx: tx.intents())
    orders = await rig.read(lambda tx: tx.orders())
    fills = await rig.read(lambda tx: tx.fills())
    at_venue = rig.venue.book_of_orders
    assert [each for each in intents if not each.state.is_terminal] == []
    assert {each.venue_order_id: each.status for each in orders} == {
        each.venue_order_id: each.status for each in at_venue.values()
    }
    assert sorted(each.fill_id for each in fills) == sorted(
        each.fill_id for each in rig.venue.executions
    )
    for position in await rig.read(lambda tx: tx.positions(open_only=True)):
        held = sum(
            each.quantity if each.side is Side.BUY else -each.quantity
            for each in fills
            if each.symbol == position.symbol
        )
        assert position.quantity == held
        (stop,) = [each for each in rig.resting(Side.SELL) if each.symbol == position.symbol]
        assert position.stop_venue_order_id == stop.venue_order_id
        assert stop.quantity == position.quantity


def notes(rig: LoopRig) -> list[str]:
    """What was told of the outage, in order."""
    return [note for _, note in rig.narrator.notes if note in (BEGUN, OVER)]


async def entry_rests_and_fills(rig: LoopRig) -> None:
    """It was sent before; the fill is told while the store is away."""
    await rig.enter(rests=True)
    (entry,) = rig.resting(Side.BUY)
    rig.disk.is_away = True
    rig.fill(entry, str(entry.quantity))
    await rig.pass_time(3)


async def entry_fills_in_part(rig: LoopRig) -> None:
    """One part before, one while it is away; the first one is not booked twice."""
    await rig.enter(rests=True)
    (entry,) = rig.resting(Side.BUY)
    half = entry.quantity / 2
    rig.fill(entry, str(half))
    await rig.pass_time(3)
    rig.disk.is_away = True
    rig.fill(entry, str(entry.quantity - half))
    await rig.pass_time(3)


async def stop_is_lost(rig: LoopRig) -> None:
    """Somebody cancelled it at the venue."""
    await rig.enter()
    rig.disk.is_away = True
    (stop,) = rig.resting(Side.SELL)
    rig.venue.end(stop.venue_order_id, OrderStatus.CANCELED)
    rig.tell_orders()
    await rig.pass_time(3)


async def stop_is_lost_unheard(rig: LoopRig) -> None:
    """The private wire is down as well, and comes back first."""
    await rig.enter()
    rig.disk.is_away = True
    rig.is_deaf = True
    rig.go_down("private")
    (stop,) = rig.resting(Side.SELL)
    rig.venue.end(stop.venue_order_id, OrderStatus.CANCELED)
    rig.tell_orders()
    await rig.pass_time(3)
    rig.is_deaf = False
    rig.come_up("private")
    await rig.pass_time(10)


@pytest.mark.parametrize(
    "befalls", [entry_rests_and_fills, entry_fills_in_part, stop_is_lost, stop_is_lost_unheard]
)
def test_a_position_gets_its_stop_while_the_store_is_away(
    befalls: Callable[[LoopRig], Awaitable[None]], tmp_path: Path
) -> None:
    """At the venue at once; in the books when the store is back, each thing once."""

    async def story(rig: LoopRig) -> None:
        await befalls(rig)
        assert [each.symbol for each in rig.resting(Side.SELL)] == [BTC]
        assert notes(rig) == [BEGUN]
        assert not EmergencyFile(tmp_path).is_empty()
        rig.disk.is_away = False
        await rig.pass_time(3)
        assert notes(rig) == [BEGUN, OVER]
        assert EmergencyFile(tmp_path).is_empty()
        await demand_equal_books(rig)

    rig, _ = run_loop(tmp_path, story, has_spare=True)
    assert len(rig.resting(Side.SELL)) == 1


def test_levels_that_are_due_while_the_store_is_away_end_no_run(tmp_path: Path) -> None:
    """They are kept when it is back; until then the position has its stop, and the loop goes on."""

    async def story(rig: LoopRig) -> None:
        await entry_rests_and_fills(rig)
        await rig.pass_time(5)
        assert [each.symbol for each in rig.resting(Side.SELL)] == [BTC]
        rig.disk.is_away = False
        await rig.pass_time(5)
        levels = await rig.read(lambda tx: tx.targets())
        assert [each.level for each in levels] == [1, 2]
        await demand_equal_books(rig)

    run_loop(tmp_path, story, has_spare=True, policy=LADDER)


@pytest.mark.parametrize(("step", "ends"), [(LEVELS, False), (STOP, True), (ENTRY, False)])
def test_only_a_reduction_that_is_journaled_nowhere_ends_a_run(step: Step, *, ends: bool) -> None:
    """What is for the books alone is made again, and what adds risk is not missed."""
    outcome = StepOutcome(
        step=step, state=OutcomeState.DENIED, evidence="the store is gone", code=STORE_GONE
    )
    receipt = Receipt(plan=plan_with(step), outcomes=(outcome,), refusals=(), is_executed=True)
    if not ends:
        demand_journal(receipt)
        return
    with pytest.raises(StoreUnavailable, match="Neither the store nor"):
        demand_journal(receipt)


def test_entries_wait_until_the_store_is_back(tmp_path: Path) -> None:
    """A working one is cancelled; what the strategy wants meanwhile is not sent, and not later."""

    async def story(rig: LoopRig) -> None:
        await rig.enter(rests=True)
        rig.disk.is_away = True
        await rig.pass_time(3)
        assert rig.resting(Side.BUY) == []
        await rig.enter(ETH)
        assert rig.writes == ["place", "cancel"]
        assert told_of(rig, ETH) == [f"ETH/USD: {WITHHELD}"]
        rig.disk.is_away = False
        await rig.pass_time(3)
        assert rig.writes == ["place", "cancel"]
        await demand_equal_books(rig)
        await rig.enter(ETH)
        assert rig.writes == ["place", "cancel", "place", "place"]
        await demand_equal_books(rig)

    run_loop(tmp_path, story, has_spare=True)


def told_of(rig: LoopRig, symbol: Symbol) -> list[str]:
    """What was told of an instrument."""
    return [note for _, note in rig.narrator.notes if note.startswith(symbol)]


def test_an_entry_decided_in_the_moment_the_store_goes_is_told_and_not_sent(
    tmp_path: Path,
) -> None:
    """The decision's own row is what finds it gone."""

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        await rig.pass_time(60)
        rig.disk.is_away = True
        await rig.enter(ETH)
        assert told_of(rig, ETH) == [f"ETH/USD: {WITHHELD}"]
        assert rig.writes == ["place", "place"]
        rig.disk.is_away = False
        await rig.pass_time(3)

    run_loop(tmp_path, story, has_spare=True)


def test_a_store_that_comes_and_goes_loses_nothing(tmp_path: Path) -> None:
    """Away every few seconds, while positions are entered, stopped and lose their stops."""

    async def story(rig: LoopRig) -> None:
        for minute in range(6):
            rig.disk.is_away = minute % 2 == 1
            if minute % 2 == 0:
                await rig.pass_time(3)
                await rig.enter((BTC, ETH)[minute // 2 % 2], rests=minute == 4)
            else:
                for stop in rig.resting(Side.SELL):
                    rig.venue.end(stop.venue_order_id, OrderStatus.CANCELED)
                rig.tell_orders()
                await rig.pass_time(20)
        rig.disk.is_away = False
        await rig.pass_time(5)
        await demand_equal_books(rig)
        assert notes(rig) == [BEGUN, OVER] * 3

    run_loop(tmp_path, story, has_spare=True)


def test_a_run_that_ends_without_its_store_says_so_and_loses_nothing(tmp_path: Path) -> None:
    """Exit 7; what it did waits in the file, and the next start books it."""

    async def away(rig: LoopRig) -> None:
        await stop_is_lost(rig)

    with pytest.raises(StoreUnavailable, match="while its store was away") as told:
        run_loop(tmp_path, away, has_spare=True)
    assert told.value.exit_code == 7
    assert not EmergencyFile(tmp_path).is_empty()


def test_a_run_ends_when_nothing_can_be_journaled_at_all(tmp_path: Path) -> None:
    """Nothing is sent that is on no disk: somebody has to look after the positions."""

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        rig.disk.is_away = True
        (tmp_path / NAME).unlink()
        (tmp_path / NAME).mkdir()
        (stop,) = rig.resting(Side.SELL)
        rig.venue.end(stop.venue_order_id, OrderStatus.CANCELED)
        rig.tell_orders()
        await rig.pass_time(60)

    with pytest.raises(StoreUnavailable, match="Neither the store nor"):
        run_loop(tmp_path, story, has_spare=True)


def test_a_loop_whose_lease_was_taken_meanwhile_does_not_go_on(tmp_path: Path) -> None:
    """The other loop has the account now."""

    async def story(rig: LoopRig) -> None:
        rig.disk.is_away = True
        await rig.pass_time(60)
        now = rig.clock.now()
        taken = await rig.read(lambda tx: tx.acquire_lease("other", "elsewhere", 1, now, 60.0))
        assert taken.holder == "other"
        rig.disk.is_away = False
        await rig.pass_time(5)

    with pytest.raises(AccountBusy, match="took this account's lease"):
        run_loop(tmp_path, story, has_spare=True)


def test_what_was_under_way_when_the_store_went_is_settled(tmp_path: Path) -> None:
    """The entry is in the store, its answer is not: the copy is told of it, and of its fill."""

    async def story(rig: LoopRig) -> None:
        place = rig.venue.on_change

        def go_away_first() -> None:
            rig.disk.is_away = True
            place()

        rig.venue.on_change = go_away_first
        await rig.enter()
        await rig.pass_time(10)
        assert [each.symbol for each in rig.resting(Side.SELL)] == [BTC]
        rig.disk.is_away = False
        rig.venue.on_change = place
        await rig.pass_time(3)
        await demand_equal_books(rig)
        intents = await rig.read(lambda tx: tx.intents())
        assert [(each.kind, each.state) for each in intents] == [
            (IntentKind.PLACE, IntentState.CONFIRMED)
        ] * 2

    run_loop(tmp_path, story, has_spare=True)


def test_the_last_room_of_the_journal_is_for_what_must_be_done(tmp_path: Path) -> None:
    """Stops that follow the market filled it within minutes, and the run ended over that."""

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        rig.disk.is_away = True
        await rig.pass_time(6)
        rig.move("61000.0", "61000.1")
        await rig.pass_time(6)
        assert rig.writes == ["place", "place", "amend"]

        full = {"what": "x" * (SIZE // 2)}
        other = EmergencyJournal(EmergencyFile(tmp_path), LIVE)
        other.order(Author(account=LIVE, command="kill", operator="", host=""), full, (), at=NOON)
        rig.move("62000.0", "62000.1")
        await rig.pass_time(6)
        assert rig.writes == ["place", "place", "amend"]
        await rig.venue.cancel(rig.resting(Side.SELL)[0].venue_order_id)
        await rig.pass_time(3)
        assert [each.order_type for each in rig.resting(Side.SELL)] == [OrderType.STOP_LOSS]

        rig.disk.is_away = False
        rig.move("62000.0", "62000.1")
        await rig.pass_time(8)
        assert rig.writes[-1] == "amend"

    run_loop(tmp_path, story, policy=Policy(trailing_stop_pct=d("2")), has_spare=True)


# --- a store that several hosts share ------------------------------------------------------------


def share(rig: LoopRig) -> None:
    """Another host could take the account, once the lease ran out."""
    rig.shares_store = True


def cancel(purpose: OrderPurpose) -> CancelOrder:
    """Of some order of ours."""
    name = VenueOrderId("O-1")
    return CancelOrder(venue_order_id=name, symbol=BTC, reason="test", purpose=purpose)


def lapses(rig: LoopRig) -> int:
    """How often the loop told that its lease may have run out."""
    return [note for _, note in rig.narrator.notes].count(LAPSED)


@pytest.mark.parametrize(
    ("shared", "after_s", "sells"),
    [(False, 60, True), (True, 12, True), (True, 60, False)],
    ids=["a file of its own", "under its lease", "past its lease"],
)
def test_past_its_lease_a_loop_without_its_store_begins_nothing(
    tmp_path: Path, after_s: int, *, shared: bool, sells: bool
) -> None:
    """By its own clock: another host may have the account, and sell the same coins."""

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        await rig.pass_time(5)
        rig.disk.is_away = True
        await rig.pass_time(after_s)
        before = list(rig.writes)
        rig.move("63000.0", "63000.1")
        await rig.pass_time(8)
        if not sells:
            assert rig.writes == before
            assert [each.order_type for each in rig.resting(Side.SELL)] == [OrderType.STOP_LOSS]
        else:
            assert rig.resting(Side.SELL) == []
        assert lapses(rig) == (shared and after_s > 30)
        rig.disk.is_away = False
        await rig.pass_time(8)
        assert rig.resting(Side.SELL) == []
        (position,) = await rig.read(lambda tx: tx.positions())
        assert position.exit_reason == "take_profit"

    def prepare(rig: LoopRig) -> None:
        rig.shares_store = shared

    run_loop(tmp_path, story, has_spare=True, prepare=prepare)


def test_past_its_lease_a_stop_that_nobody_puts_back_is_placed_again(tmp_path: Path) -> None:
    """A host that had the account would have looked after the position within a minute."""

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        rig.disk.is_away = True
        await rig.pass_time(40)
        (stop,) = rig.resting(Side.SELL)
        rig.venue.end(stop.venue_order_id, OrderStatus.CANCELED)
        rig.tell_orders()
        await rig.pass_time(TAKEN_OVER_S - 5)
        assert rig.resting(Side.SELL) == []
        await rig.pass_time(10)
        assert [each.order_type for each in rig.resting(Side.SELL)] == [OrderType.STOP_LOSS]
        rig.disk.is_away = False
        await rig.pass_time(3)
        await demand_equal_books(rig)
        assert lapses(rig) == 1

    run_loop(tmp_path, story, has_spare=True, prepare=share)


def test_a_position_that_stood_bare_when_the_lease_ended_is_protected_all_the_same(
    tmp_path: Path,
) -> None:
    """What was begun is ended: nobody else knew of it yet."""

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        await rig.pass_time(2)
        rig.disk.is_away = True
        await rig.pass_time(20)
        for _ in range(20):
            rig.venue.cue("place", VenueThrottled("too often", code="EAPI:Rate limit exceeded"))
        (stop,) = rig.resting(Side.SELL)
        rig.venue.end(stop.venue_order_id, OrderStatus.CANCELED)
        rig.tell_orders()
        await rig.pass_time(12)
        assert lapses(rig) == 1
        await rig.pass_time(30)
        assert [each.order_type for each in rig.resting(Side.SELL)] == [OrderType.STOP_LOSS]

    with pytest.raises(StoreUnavailable, match="while its store was away"):
        run_loop(tmp_path, story, has_spare=True, prepare=share)


def test_past_its_lease_a_loop_still_cancels_its_entries(tmp_path: Path) -> None:
    """The one thing that is right whoever has the account; and it is done at once."""

    async def story(rig: LoopRig) -> None:
        await rig.enter(rests=True)
        rig.disk.is_away = True
        await rig.pass_time(5)
        assert rig.resting(Side.BUY) == []
        assert rig.loop is not None
        lease = rig.loop._parts.gate.lease
        entry, stop = cancel("entry"), cancel("stop")
        await rig.pass_time(60)
        now = rig.clock.now()
        assert (lease.allows(entry, now), lease.allows(stop, now)) == (True, False)
        rig.disk.is_away = False
        await rig.pass_time(3)

    run_loop(tmp_path, story, has_spare=True, prepare=share)


@pytest.mark.parametrize("is_replaced", [False, True], ids=["deleted", "another in its place"])
def test_a_loop_does_not_trade_on_in_a_file_that_nobody_else_sees(
    tmp_path: Path, *, is_replaced: bool
) -> None:
    """No entry; the lost stop is put back by the emergency journal; the old file ends it."""

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        path, aside = tmp_path / "zoe.db", tmp_path / "aside.db"
        path.rename(aside)
        if is_replaced:
            put_migrated(path)
        await rig.pass_time(3)
        assert notes(rig) == [BEGUN]
        assert any("while it was open" in note for _, note in rig.narrator.notes)
        before = len(rig.writes)
        await rig.enter(ETH)
        assert rig.writes[before:] == []
        (stop,) = rig.resting(Side.SELL)
        rig.venue.end(stop.venue_order_id, OrderStatus.CANCELED)
        rig.tell_orders()
        await rig.pass_time(3)
        assert rig.writes[before:] == ["place"]
        assert not EmergencyFile(tmp_path).is_empty()
        await rig.pass_time(60)
        assert notes(rig) == [BEGUN]
        aside.replace(path)
        await rig.pass_time(3)
        assert notes(rig) == [BEGUN, OVER]
        await demand_equal_books(rig)

    run_loop(tmp_path, story, has_spare=True)
