"""Candles from the venue's records, beside the turns."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from builders import BTC, ETH, NOON, d, make_candle
from loop_rig import LoopRig, run_loop
from zoe_tools.domain.candle import Candle, Timeframe
from zoe_tools.errors import VenueUnavailable


def asked(rig: LoopRig) -> list[str]:
    """The instruments whose candles the venue was asked for, in order."""
    return [what.split()[0] for name, what in rig.venue.calls if name == "candles"]


def minute(number: int, close: str) -> Candle:
    """A minute of BTC before or after noon."""
    opened_at = NOON + timedelta(minutes=number)
    return make_candle(timeframe=Timeframe.M1, opened_at=opened_at, close=d(close))


def test_at_the_start_the_history_is_asked_for_once_an_instrument(tmp_path: Path) -> None:
    """It is stored, and the strategy sees it at the first close."""

    def prepare(rig: LoopRig) -> None:
        rig.venue.past = (minute(-2, "59000"), minute(-1, "59500"))

    async def story(rig: LoopRig) -> None:
        await rig.pass_time(10)
        assert asked(rig) == [BTC, ETH]
        await rig.close_candle()
        stored = await rig.read(lambda tx: tx.candles(BTC, Timeframe.M1))
        assert [f"{each.close:f}" for each in stored] == ["59000", "59500"]
        (looked,) = await rig.read(lambda tx: tx.market.read_spans(BTC, Timeframe.M1))
        assert looked.until == int(NOON.timestamp())
        assert looked.since < int(NOON.timestamp()) - 120

    rig, _ = run_loop(tmp_path, story, prepare=prepare)
    (view,) = rig.strategy.seen
    assert [f"{each.close:f}" for each in view.candles] == ["59000", "59500", "59999.9"]
    assert asked(rig) == [BTC, ETH]


def test_a_venue_that_does_not_answer_is_asked_again(tmp_path: Path) -> None:
    """After 15, 30 and 60 s; until then the strategy is not asked, and the rest goes on."""

    async def story(rig: LoopRig) -> None:
        await rig.close_candle()
        assert rig.strategy.seen == []
        await rig.close_candle()
        assert len(rig.strategy.seen) == 1

    def prepare(rig: LoopRig) -> None:
        rig.venue.cue("candles", VenueUnavailable("HTTP 502"), times=6)

    rig, _ = run_loop(tmp_path, story, prepare=prepare)
    assert asked(rig).count(BTC) == 4


def test_what_a_gap_tore_is_decided_on_when_the_venue_has_told_it(tmp_path: Path) -> None:
    """The wire is lost within the minute and comes back: the close is the venue's."""

    async def story(rig: LoopRig) -> None:
        await rig.close_candle()
        rig.print_trade()
        await rig.pass_time(5)
        rig.go_down("public")
        rig.print_trade(price="61000", is_heard=False)
        await rig.pass_time(5)
        rig.come_up("public")
        await rig.close_candle()

    rig, _ = run_loop(tmp_path, story)
    assert [view.candles[-1].high for view in rig.strategy.seen] == [d("59999.9"), d("61000")]
    assert [(view.now - NOON).total_seconds() for view in rig.strategy.seen] == [60, 122]
