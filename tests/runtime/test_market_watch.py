"""The watch over all pairs, against the paper exchange: what it shows, keeps, and loses not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from builders import BTC, ETH, NOON, d, make_order, make_position
from market_rig import LIVE, PAIRS, MarketRig, run_watch
from zoe_tools.core.market_movers import MoverRules
from zoe_tools.core.markets import WATCH
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import InstrumentStatus
from zoe_tools.domain.market_watch import FocusClaim, FocusReason
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.position import PositionStatus
from zoe_tools.runtime import market_watch
from zoe_tools.runtime.market_watch import WatchOrder

ORDER = WatchOrder(favourites=("BTC-USD",))
SOL, DOGE = Symbol("SOL/USD"), Symbol("DOGE/USD")


def test_every_pair_has_one_row_in_its_tier(tmp_path: Path) -> None:
    """Favourites in focus, written within two seconds; the others in the scout tier."""

    async def story(rig: MarketRig) -> None:
        rig.quote("BTC/USD", "1500")
        await rig.pass_time(1.1)
        found = await rig.snapshots()

        assert {each.symbol: each.tier for each in found.values()} == {
            BTC: "focus",
            ETH: "scout",
            SOL: "scout",
            DOGE: "scout",
        }
        assert found[BTC].mid == d("1500")
        assert {each.state.value for each in found.values()} == {LIVE}

    run_watch(tmp_path, story)


def test_scouts_are_written_at_their_own_pace(tmp_path: Path) -> None:
    """Once in thirty seconds, what is newest then; favourites once a second."""

    async def story(rig: MarketRig) -> None:
        rig.quote("ETH/USD", "2100")
        await rig.pass_time(20)
        assert (await rig.snapshots())[ETH].mid == d("2000")
        rig.quote("ETH/USD", "2200")
        await rig.pass_time(10)
        assert (await rig.snapshots())[ETH].mid == d("2200")

    run_watch(tmp_path, story)


def test_one_row_at_most_for_each_pair_and_flush(tmp_path: Path) -> None:
    """However often it moves between two; and none where nothing has."""

    async def story(rig: MarketRig) -> None:
        before = rig.watch.written
        for _ in range(40):
            rig.nudge("BTC/USD")
            await rig.pass_time(0.1)
        assert rig.watch.written - before <= 4 + 1
        await rig.pass_time(3)
        before = rig.watch.written
        await rig.pass_time(8)
        assert rig.watch.written == before

    run_watch(tmp_path, story)


def test_defect_a_failed_flush_lost_what_it_held(tmp_path: Path) -> None:
    """It goes with the next one that is kept, and what has come since goes as it is then."""

    async def story(rig: MarketRig) -> None:
        rig.store.is_away = True
        rig.quote("BTC/USD", "1500")
        await rig.pass_time(5)
        assert rig.watch.failures == 6
        assert rig.watch.details(rig.now)["failed_writes"] == 6
        rig.store.is_away = False
        await rig.pass_time(1.1)
        assert (await rig.snapshots())[BTC].mid == d("1500")

        rig.store.is_away = True
        rig.quote("BTC/USD", "1600")
        await rig.pass_time(2)
        rig.quote("BTC/USD", "1700")
        rig.store.is_away = False
        await rig.pass_time(1.1)
        assert (await rig.snapshots())[BTC].mid == d("1700")

    run_watch(tmp_path, story)


def test_cutting_the_feed_of_one_pair_makes_it_stale_and_no_other(tmp_path: Path) -> None:
    """Within its limit, although the wire lives and the venue acknowledges all."""

    async def story(rig: MarketRig) -> None:
        rig.quote("SOL/USD", "3000.5")
        await rig.pass_time(0.1)
        rig.cut.add("SOL/USD")
        await rig.pass_time(59)
        assert set(rig.states().values()) == {LIVE}
        await rig.pass_time(1)
        assert rig.states() == {**dict.fromkeys(PAIRS, LIVE), "SOL/USD": "stale"}
        await rig.pass_time(30)
        found = await rig.snapshots()
        assert found[SOL].state.value == "stale"
        assert (found[SOL].reason, found[SOL].gaps) == ("nothing heard for 60 s", 1)
        rig.cut.clear()
        await rig.pass_time(40)
        assert set(rig.states().values()) == {LIVE}

    run_watch(tmp_path, story)


def test_a_pair_that_does_not_move_stays_live(tmp_path: Path) -> None:
    """It is shown anew before its limit; nothing is asked of pairs that move."""

    async def story(rig: MarketRig) -> None:
        await rig.pass_time(300, busy=("BTC/USD",))

        assert set(rig.states().values()) == {LIVE}
        assert rig.watch.wire.reconnects == 0
        assert set(rig.watch._asked_at) == {"ETH/USD", "SOL/USD", "DOGE/USD"}

    run_watch(tmp_path, story)


def test_a_lost_wire_makes_all_stale_until_it_is_back(tmp_path: Path) -> None:
    """Prices of before are shown with their age, and not believed."""

    async def story(rig: MarketRig) -> None:
        rig.watch.picture.on_wire(is_up=False, reason="test")
        assert set(rig.states().values()) == {"stale"}
        rig.watch.picture.on_wire(is_up=True, reason="")
        await rig.sockets.close()
        await rig.pass_time(5)
        assert set(rig.states().values()) == {LIVE}
        assert rig.watch.wire.reconnects == 1

    run_watch(tmp_path, story)


def test_a_halted_venue_halts_every_pair(tmp_path: Path) -> None:
    """And each change of a status is kept, with both."""

    async def story(rig: MarketRig) -> None:
        rig.exchange.set_mode("cancel_only")
        await rig.pass_time(2)
        assert set(rig.states().values()) == {"halted"}
        rig.exchange.set_mode("online")
        await rig.pass_time(2)
        assert set(rig.states().values()) == {LIVE}
        changes = await rig.store.run(lambda tx: tx.market.watch.listing_changes())
        listings = await rig.store.run(lambda tx: tx.market.watch.listings())

        told = [(each.before, each.status) for each in changes if each.symbol == BTC]
        online, cancel_only = InstrumentStatus.ONLINE, InstrumentStatus.CANCEL_ONLY
        assert told == [(online, cancel_only), (cancel_only, online)]
        assert {each.source for each in changes} == {"stream"}
        assert {each.symbol for each in listings} >= {BTC, ETH, SOL, DOGE}

    run_watch(tmp_path, story)


def test_positions_and_orders_bring_their_pairs_into_focus(tmp_path: Path) -> None:
    """And let them go; the focus row goes with the last reason."""

    async def story(rig: MarketRig) -> None:
        held = make_position(symbol=ETH, status=PositionStatus.OPEN)
        await rig.store.run(lambda tx: tx.record_position(held))
        working = make_order(symbol=ETH, status=OrderStatus.OPEN)
        await rig.store.run(lambda tx: tx.record_order(working))
        await rig.pass_time(8)
        assert (await rig.snapshots())[ETH].tier == "focus"
        assert rig.watch.focus.reasons(ETH) == (FocusReason.POSITION, FocusReason.OPEN_ORDER)
        over = replace(working, status=OrderStatus.CANCELED)
        await rig.store.run(lambda tx: tx.record_order(over))
        await rig.pass_time(8)
        assert rig.watch.focus.reasons(ETH) == (FocusReason.POSITION,)

    run_watch(tmp_path, story)


def test_an_operator_s_claim_comes_and_goes_by_the_store(tmp_path: Path) -> None:
    """Another process writes it; one with an end is taken out of the store at its end."""

    async def story(rig: MarketRig) -> None:
        ends = rig.now + timedelta(seconds=30)
        claim = FocusClaim(symbol=DOGE, reason=FocusReason.MANUAL, since=rig.now, expires_at=ends)
        await rig.store.run(lambda tx: tx.market.watch.claim(claim))
        await rig.pass_time(8)
        assert (await rig.snapshots())[DOGE].tier == "focus"
        await rig.pass_time(31)
        assert (await rig.snapshots())[DOGE].tier == "scout"
        claims = await rig.store.run(lambda tx: tx.market.watch.claims())
        assert {each.symbol for each in claims} == {BTC}

    run_watch(tmp_path, story)


def test_a_claim_that_is_taken_back_is_not_written_again(tmp_path: Path) -> None:
    """It came while a flush was on its way, and went before the next look."""
    claim = FocusClaim(symbol=DOGE, reason=FocusReason.MANUAL, since=NOON)

    async def story(rig: MarketRig) -> None:
        async def claimed() -> None:
            await rig.store.run(lambda tx: tx.market.watch.claim(claim))
            await rig.watch.look()

        rig.quote("BTC/USD", "1500")
        await rig.pass_time(0.1)
        rig.store.meanwhile = claimed
        await rig.watch.flush_focus()
        assert rig.watch.focus.reasons(DOGE) == (FocusReason.MANUAL,)
        await rig.store.run(lambda tx: tx.market.watch.release(DOGE, FocusReason.MANUAL))
        await rig.watch.flush_focus()

        claims = await rig.store.run(lambda tx: tx.market.watch.claims())
        assert {each.symbol for each in claims} == {BTC}

    run_watch(tmp_path, story)


def test_what_the_strategy_wants_to_enter_is_in_focus_for_a_while(tmp_path: Path) -> None:
    """Whether or not an order came of it; a hold is no wish."""

    async def story(rig: MarketRig) -> None:
        now = rig.now
        await rig.store.run(lambda tx: tx.record_decision(now, ETH, "enter", {}))
        await rig.store.run(lambda tx: tx.record_decision(now, SOL, "hold", {}))
        await rig.pass_time(8)
        assert rig.watch.focus.reasons(ETH) == (FocusReason.CANDIDATE,)
        assert rig.watch.focus.reasons(SOL) == ()
        assert (await rig.snapshots())[ETH].tier == "focus"
        await rig.pass_time(1_800)
        assert rig.watch.focus.reasons(ETH) == ()

    run_watch(tmp_path, story)


def test_a_move_that_lasts_for_hours_is_not_told_again_after_a_restart(tmp_path: Path) -> None:
    """When it was last seen is told by its claim; the mover of long ago is not shown."""

    async def story(rig: MarketRig) -> None:
        await rig.pass_time(3600)
        for step in range(9):
            rig.quote("SOL/USD", str(3200 + 200 * step))
            await rig.pass_time(900)
        told = await rig.store.run(lambda tx: tx.market.watch.movers(NOON))
        assert [each.symbol for each in told] == [SOL]
        again = rig.new_watch()
        await again.start()

        assert again.movers == ()
        move = again._moves[SOL]
        assert (move.is_up, move.lasts) == (True, True)
        assert rig.now - move.seen_at <= timedelta(seconds=30)

    run_watch(tmp_path, story, replace(ORDER, movers=MoverRules(acceleration=d("0"))))


def _moving(tmp_path: Path, order: WatchOrder, *, restarts: bool = False) -> list[MarketRig]:
    """SOL rises by four percent an hour after the watch began."""

    async def story(rig: MarketRig) -> None:
        await rig.pass_time(3600)
        rig.quote("SOL/USD", "3120")
        await rig.pass_time(120)
        told = await rig.store.run(lambda tx: tx.market.watch.movers(rig.now - timedelta(hours=1)))
        assert [(each.symbol, each.change_pct) for each in told] == [(SOL, d("4"))]
        assert rig.watch.focus.reasons(SOL) == (FocusReason.MOVER,)
        assert (await rig.snapshots())[SOL].tier == "focus"
        if restarts:
            again = rig.new_watch()
            await again.start()
            assert again.focus.reasons(SOL) == (FocusReason.MOVER,)
            assert [each.symbol for each in again.movers] == [SOL]
            assert len(again.points[SOL]) == len(rig.watch.points[SOL])
            return
        rig.quote("SOL/USD", "3000")
        await rig.pass_time(31 * 60)
        assert rig.watch.focus.reasons(SOL) == ()
        assert (await rig.snapshots())[SOL].tier == "scout"

    return [run_watch(tmp_path, story, order)]


def test_a_mover_is_told_once_and_followed_for_a_while(tmp_path: Path) -> None:
    """Half an hour from when it was last seen to move."""
    _moving(tmp_path, ORDER)


def test_defect_curves_and_movers_began_anew_with_each_start(tmp_path: Path) -> None:
    """What a watch before this one has kept is there at once."""
    _moving(tmp_path, ORDER, restarts=True)


def test_defect_only_scouts_could_be_movers(tmp_path: Path) -> None:
    """A favourite that moves is told, too."""

    async def story(rig: MarketRig) -> None:
        await rig.pass_time(3600)
        rig.quote("BTC/USD", "1100")
        await rig.pass_time(31)

        assert [each.symbol for each in rig.watch.movers] == [BTC]
        assert rig.watch.focus.reasons(BTC) == (FocusReason.FAVOURITE, FocusReason.MOVER)

    run_watch(tmp_path, story, replace(ORDER, movers=MoverRules(acceleration=d("0"))))


def test_points_stand_at_even_times_and_old_ones_go(tmp_path: Path) -> None:
    """A quarter of an hour apart; what is older than two hours is forgotten."""

    async def story(rig: MarketRig) -> None:
        await rig.pass_time(4 * 3600)
        points = await rig.store.run(lambda tx: tx.market.watch.points(rig.now - timedelta(days=1)))

        times = sorted({each.bucket_at for each in points})
        assert {each.minute % 15 + each.second for each in times} == {0}
        assert rig.now - times[0] < timedelta(hours=2, minutes=16)
        assert len(times) in (8, 9)

    run_watch(tmp_path, story, replace(ORDER, keep=timedelta(hours=2)))


def test_points_that_could_not_be_kept_are_kept_with_the_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more of them than there is room for, the newest; none waits for the next bucket."""
    monkeypatch.setattr(market_watch, "_MOST_UNKEPT", 6)

    async def story(rig: MarketRig) -> None:
        before = await rig.store.run(lambda tx: tx.market.watch.count_points())
        rig.store.is_away = True
        await rig.pass_time(5 * 60)
        assert len(rig.watch._unkept_points) == 6
        rig.store.is_away = False
        await rig.pass_time(6)
        assert rig.watch._unkept_points == []
        after = await rig.store.run(lambda tx: tx.market.watch.count_points())
        assert after == before + 6

    run_watch(tmp_path, story, replace(ORDER, sparkline_s=60.0))


def test_it_says_that_it_lives_and_asks_nothing_private(tmp_path: Path) -> None:
    """A heartbeat every five seconds, with figures; no key was made, so none can be used."""

    async def story(rig: MarketRig) -> None:
        await rig.pass_time(20, busy=("BTC/USD",))
        beats = await rig.store.run(lambda tx: tx.heartbeats())
        (beat,) = (each for each in beats if each.component == WATCH)

        assert rig.now - beat.beat_at <= timedelta(seconds=5)
        assert (beat.status, beat.details["pairs"], beat.details["live"]) == ("ok", 4, 4)
        assert int(beat.details["messages"]) > 15
        assert 0 <= int(beat.details["lag_p50_ms"]) <= int(beat.details["lag_p99_ms"]) < 1000

    run_watch(tmp_path, story)


def test_a_pair_that_left_the_list_is_delisted(tmp_path: Path) -> None:
    """At the next reading of the list; one that is new is followed from then on."""

    async def story(rig: MarketRig) -> None:
        before = await rig.watch._parts.venue.catalogue()
        left = before.narrowed_to([BTC, ETH, SOL])
        rig.watch.picture.renewed(left, rig.watch.picture.symbols)
        await rig.pass_time(2)
        changes = await rig.store.run(lambda tx: tx.market.watch.listing_changes())
        listings = await rig.store.run(lambda tx: tx.market.watch.listings())

        assert rig.states()["DOGE/USD"] == "delisted"
        assert [(each.symbol, each.status.value, each.source) for each in changes] == [
            (DOGE, "delisted", "list")
        ]
        (gone,) = (each for each in listings if each.symbol == DOGE)
        assert gone.status is InstrumentStatus.DELISTED

    run_watch(tmp_path, story)


@pytest.mark.parametrize("most", [1, 3])
def test_more_pairs_than_the_wire_may_carry(most: int, tmp_path: Path) -> None:
    """Favourites first, then those with the greatest turnover."""

    async def story(rig: MarketRig) -> None:
        assert rig.watch.picture.symbols == ("BTC/USD", "DOGE/USD", "ETH/USD")[:most]

    run_watch(tmp_path, story, replace(ORDER, most=most))
