"""The strategy is asked when a candle closes, beside the turns."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from builders import BTC, ETH, NOON, d
from loop_rig import LoopRig, ScriptedStrategy, run_loop
from zoe_tools.core.strategy.protocol import Action, Decision, MarketView, Strategy
from zoe_tools.domain.order import Side
from zoe_tools.domain.policy import Policy
from zoe_tools.observe.log import JsonLines
from zoe_tools.ports import Clock


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


class Failing(ScriptedStrategy):
    """Raises, or answers nonsense, as often as a test says."""

    troubles: list[object]

    @override
    def decide(self, view: MarketView) -> Decision:
        decision = super().decide(view)
        trouble = self.troubles.pop(0) if self.troubles else None
        if isinstance(trouble, BaseException):
            raise trouble
        return decision if trouble is None else trouble  # type: ignore[return-value]


def failing(rig: LoopRig, *troubles: object) -> None:
    """From now on the strategy has these troubles, one a question."""
    strategy = Failing(wanted=rig.strategy.wanted, seen=rig.strategy.seen)
    strategy.troubles = list(troubles)
    assert rig.loop is not None
    object.__setattr__(rig.loop._parts, "strategy", strategy)


def events(caplog: pytest.LogCaptureFixture, *names: str) -> list[str]:
    """The names of those structured events, in order."""
    lines = [JsonLines().format(each) for each in caplog.records]
    return [name for line in lines for name in names if f'"event": "{name}"' in line]


@pytest.mark.parametrize("trouble", [ValueError("its own bug"), "enter", SystemExit(2)])
def test_a_strategy_that_fails_enters_nothing_and_ends_nothing(
    trouble: object, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Told once; entries wait until it answers again; what is held keeps its stop meanwhile."""
    caplog.set_level(logging.INFO, "zoe_tools")

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        failing(rig, trouble, trouble)
        for _ in range(2):
            await rig.close_candle()
        assert rig.loop is not None
        reason = " ".join(rig.loop.standing.reasons)
        assert "scripted fails on BTC/USD" in reason
        assert len(rig.resting(Side.SELL)) == 1
        await rig.close_candle()
        assert not rig.loop.standing.reasons

    run_loop(tmp_path, story)
    assert events(caplog, "STRATEGY_FAILED", "STRATEGY_ANSWERS") == [
        "STRATEGY_FAILED",
        "STRATEGY_ANSWERS",
    ]


def test_a_failing_strategy_delays_no_stop_of_the_loop(tmp_path: Path) -> None:
    """The orderly stop is the loop's own."""

    async def story(rig: LoopRig) -> None:
        failing(rig, *[ValueError("again")] * 5)
        await rig.close_candle()

    rig, _ = run_loop(tmp_path, story)
    assert rig.writes == []


def test_a_slow_strategy_does_not_keep_a_fill_from_its_stop(tmp_path: Path) -> None:
    """It thinks for forty seconds; what fills meanwhile is protected at once."""

    class Slow:
        async def ask(self, strategy: Strategy, view: MarketView) -> Decision:
            await rig_clock[0].sleep(40)
            return strategy.decide(view)

    rig_clock: list[Clock] = []

    async def story(rig: LoopRig) -> None:
        rig_clock.append(rig.clock)
        await rig.enter(rests=True)
        assert rig.loop is not None
        object.__setattr__(rig.loop._parts, "asker", Slow())
        await rig.close_candle()
        thinking = len(rig.strategy.seen)
        (entry,) = rig.resting(Side.BUY)
        rig.fill(entry, f"{entry.quantity:f}")
        await rig.pass_time(2)
        assert len(rig.resting(Side.SELL)) == 1
        assert len(rig.strategy.seen) == thinking

    policy = replace(Policy(), order_ttl_entry_s=300)
    run_loop(tmp_path, story, policy=policy)


def test_one_instrument_s_trouble_is_over_when_that_one_is_answered(tmp_path: Path) -> None:
    """An answer about another one proves nothing."""

    async def story(rig: LoopRig) -> None:
        failing(rig, ValueError("only here"))
        await rig.close_candle(BTC)
        await rig.close_candle(ETH)
        assert rig.loop is not None
        assert len(rig.loop.standing.reasons) == 1
        await rig.close_candle(BTC)
        assert not rig.loop.standing.reasons

    run_loop(tmp_path, story)


def test_no_thread_appears_under_virtual_time(tmp_path: Path) -> None:
    """The strategy is asked where it stands."""
    before = threading.active_count()
    seen: list[int] = []

    class Counting(ScriptedStrategy):
        @override
        def decide(self, view: MarketView) -> Decision:
            seen.append(threading.active_count())
            return super().decide(view)

    async def story(rig: LoopRig) -> None:
        assert rig.loop is not None
        object.__setattr__(rig.loop._parts, "strategy", Counting())
        await rig.close_candle()

    run_loop(tmp_path, story)
    assert seen == [before]


def test_the_strategy_sees_the_account_as_it_is(tmp_path: Path) -> None:
    """Cash and coins at the bid; what is held, the day's entries, round trips, the last fill."""

    async def story(rig: LoopRig) -> None:
        await rig.close_candle()
        await rig.enter()
        await rig.close_candle()
        rig.strategy.wanted[BTC] = "exit"
        await rig.close_candle()
        await rig.close_candle()

    rig, _ = run_loop(tmp_path, story)
    idle, _, holding, _, after = (view.account for view in rig.strategy.seen)
    assert idle is not None
    assert holding is not None
    assert after is not None
    assert (idle.closed, idle.last_fill_at, idle.open_notional) == ((), None, d("0"))
    assert idle.max_notional == d("25")
    assert idle.equity is not None
    assert holding.open_notional > 20
    assert (holding.last_fill_at, holding.closed) != (None, ())
    assert abs((holding.equity or d("0")) - idle.equity) < d("0.5")
    assert holding.daily_notional > 20
    (trade,) = after.closed
    assert (trade.symbol, trade.result < 0, trade.cost > 20) == (BTC, True, True)
    assert after.last_fill_at == trade.closed_at


def details(rows: Any) -> list[tuple[str, str]]:
    """Kind and reason of each."""
    return [(each.kind, each.details["reason"]) for each in rows]


def test_what_was_not_asked_is_traced_with_the_reason(tmp_path: Path) -> None:
    """Without a price there is no decision; a failure is one that did not come."""

    async def story(rig: LoopRig) -> None:
        rig.print_trade()
        await rig.pass_time(62)
        failing(rig, ValueError("no"))
        await rig.close_candle()
        recorded = await rig.read(lambda tx: tx.decisions())
        assert details(recorded) == [
            ("hold", "no fresh quote"),
            ("hold", "it failed: ValueError: no"),
        ]
        assert [each.details["skipped"] for each in recorded] == [1, 1]

    run_loop(tmp_path, story)


def test_holds_of_long_ago_are_forgotten(tmp_path: Path) -> None:
    """Three days later; what was wanted stays until `zoe db prune`."""

    async def story(rig: LoopRig) -> None:
        old = NOON - timedelta(days=3)
        await rig.read(lambda tx: tx.record_decision(old, BTC, "hold", {}))
        await rig.read(lambda tx: tx.record_decision(old, BTC, "enter", {}))
        await rig.close_candle()
        kinds = [each.kind for each in await rig.read(lambda tx: tx.decisions())]
        assert kinds == ["enter", "hold"]

    run_loop(tmp_path, story)


def test_what_no_turn_takes_waits_bounded_and_in_order(tmp_path: Path) -> None:
    """One of each kind for an instrument, the newest; an exit outlives the holds after it."""

    async def story(rig: LoopRig) -> None:
        assert rig.loop is not None
        waiting = rig.loop.deciding
        for number in range(100):
            for action in ("exit", "enter", "hold") if number == 0 else ("enter", "hold"):
                decision = Decision(symbol=BTC, action=action, reason=f"{number}")
                waiting.keep((decision,))
        taken = [(each.action, each.reason) for each in waiting.take()]
        assert taken == [("exit", "0"), ("enter", "99"), ("hold", "99")]
        assert waiting.take() == ()
        again: tuple[Action, ...] = ("enter", "hold", "enter")
        for action in again:
            waiting.keep((Decision(symbol=BTC, action=action, reason="again"),))
        assert [each.action for each in waiting.take()] == ["hold", "enter"]

    run_loop(tmp_path, story)
