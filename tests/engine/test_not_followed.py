"""What is held and not followed: it is protected all the same, and ends no loop."""

from __future__ import annotations

from pathlib import Path

from builders import d, make_catalogue, make_instrument, make_position
from loop_rig import LoopRig, run_loop, sides
from zoe_tools.domain.identifiers import PositionId, Symbol
from zoe_tools.domain.position import Position
from zoe_tools.domain.trading_state import KillLevel, TradingState

SOL, GONE = Symbol("SOL/USD"), Symbol("GONE/USD")


def held_in(symbol: Symbol, **changes: object) -> Position:
    """An adopted position of some 20 USD."""
    name = PositionId(f"P-{symbol}")
    values = {"quantity": d("1"), "average_cost": d("20"), "origin": "adopted", **changes}
    return make_position(position_id=name, symbol=symbol, **values)


def list_sol(rig: LoopRig) -> None:
    """The venue lists it, and the loop does not follow it."""
    rig.venue._catalogue = make_catalogue(*make_catalogue(), make_instrument(SOL))
    rig.venue.set_price(SOL, "19.9", "20.1")
    rig.venue.totals["SOL"] = d("1")


def test_a_position_that_is_adopted_beside_a_loop_that_does_not_follow_it_gets_its_stop(
    tmp_path: Path,
) -> None:
    """It raised in each turn, and with it went what protects all the others."""

    async def story(rig: LoopRig) -> None:
        list_sol(rig)
        await rig.read(lambda tx: tx.record_position(held_in(SOL)))
        await rig.enter()
        await rig.pass_time(5)
        assert sides(rig.venue.resting) == [("sell", "stop-loss")] * 2
        assert {each.symbol for each in rig.venue.resting} == {SOL, "BTC/USD"}

    rig, tally = run_loop(tmp_path, story)
    assert [note for _, note in rig.narrator.notes if note.startswith(f"{SOL}: it is held")]
    assert tally.positions_with_stop == 2


def test_what_is_not_followed_is_sold_where_all_is_to_be(tmp_path: Path) -> None:
    """Without a price of its own, at the market."""

    async def story(rig: LoopRig) -> None:
        list_sol(rig)
        await rig.read(lambda tx: tx.record_position(held_in(SOL)))
        assert rig.loop is not None
        await rig.loop.books.refresh(rig.clock.now())
        await rig.pass_time(5)
        flatten = TradingState(
            level=KillLevel.FLATTEN, reason="drill", changed_at=rig.clock.now(), changed_by="test"
        )
        await rig.read(lambda tx: tx.latch(flatten))
        await rig.pass_time(10)
        assert rig.writes == ["place", "cancel", "place"]
        assert rig.venue.totals["SOL"] == 0

    run_loop(tmp_path, story)


def test_what_the_venue_does_not_list_any_more_ends_no_loop(tmp_path: Path) -> None:
    """A crumb of a coin that left the list is enough to be held; everything else goes on."""

    def prepare(rig: LoopRig) -> None:
        with rig.store._store.transaction() as transaction:
            transaction.record_position(held_in(GONE))

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        await rig.pass_time(150)
        assert sides(rig.venue.resting) == [("sell", "stop-loss")]

    rig, _ = run_loop(tmp_path, story, prepare=prepare, compares=True)
    notes = [note for _, note in rig.narrator.notes]
    assert [each for each in notes if each.startswith(f"{GONE}: it is held, and nobody can stop")]
