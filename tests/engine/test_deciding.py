"""The strategy is asked when a candle closes, beside the turns."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from builders import BTC, ETH, NOON
from loop_rig import LoopRig, run_loop


def test_the_strategy_is_asked_at_the_close_by_the_clock(tmp_path: Path) -> None:
    """No trade of the next minute is needed for the last one to be over."""

    async def story(rig: LoopRig) -> None:
        await rig.close_candle()

    rig, tally = run_loop(tmp_path, story)
    (view,) = rig.strategy.seen
    assert view.now == NOON + timedelta(minutes=1)
    assert (len(view.candles), tally.candles) == (1, 1)


def test_one_close_is_decided_on_once_for_each_instrument(tmp_path: Path) -> None:
    """However many events and turns there are in the minute."""

    async def story(rig: LoopRig) -> None:
        await rig.close_candle(BTC, ETH)
        for _ in range(20):
            rig.quote()
            await rig.pass_time(1)

    rig, _ = run_loop(tmp_path, story)
    assert sorted(view.symbol for view in rig.strategy.seen) == [BTC, ETH]


def test_a_market_without_trades_asks_nobody(tmp_path: Path) -> None:
    """And a trade then begins a candle, which is decided on when it ends."""

    async def story(rig: LoopRig) -> None:
        for _ in range(3):
            rig.quote()
            await rig.pass_time(60)
        assert rig.strategy.seen == []
        await rig.close_candle()

    rig, _ = run_loop(tmp_path, story)
    assert len(rig.strategy.seen) == 1


def test_what_is_decided_while_the_loop_ends_is_not_done(tmp_path: Path) -> None:
    """A candle that closes within the orderly stop is counted, and no entry follows."""

    async def story(rig: LoopRig) -> None:
        rig.strategy.wanted[BTC] = "enter"
        rig.print_trade()
        await rig.pass_time(57)
        rig.quote()

    rig, _ = run_loop(tmp_path, story)
    assert rig.writes == []
