"""A strategy's thread: bounded, and nobody else's trouble."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial

import pytest
from typing_extensions import override

from builders import BTC, NOON, make_quote
from loop_rig import ScriptedStrategy
from zoe_tools.core.strategy.protocol import Decision, MarketView
from zoe_tools.engine.asking import InlineAsker, StrategyTrouble, decision_of
from zoe_tools.runtime.strategy_thread import StrategyThread
from zoe_tools.runtime.virtual_loop import run_virtual

VIEW = MarketView(symbol=BTC, now=NOON, quote=make_quote(), candles=(), position=None)


class Doing(ScriptedStrategy):
    """Does something first."""

    def __init__(self, first: Callable[[], None]) -> None:
        super().__init__()
        self._first = first

    @override
    def decide(self, view: MarketView) -> Decision:
        """Then decides."""
        self._first()
        return super().decide(view)


class Answering(ScriptedStrategy):
    """Says what it is told to."""

    def __init__(self, answer: Decision) -> None:
        super().__init__()
        self._answer = answer

    @override
    def decide(self, view: MarketView) -> Decision:
        """The answer."""
        return self._answer


def _waits(gate: threading.Event) -> None:
    assert gate.wait(10)


def test_it_answers_from_a_thread_of_its_own() -> None:
    """The loop's thread is free meanwhile."""
    where: list[str] = []
    asked = Doing(lambda: where.append(threading.current_thread().name))

    async def main() -> Decision:
        thread = StrategyThread()
        try:
            return await thread.ask(asked, VIEW)
        finally:
            thread.close()

    assert asyncio.run(main()).action == "hold"
    assert where == ["zoe-strategy"]


def test_a_slow_strategy_is_given_up_and_asked_again_once_it_is_free() -> None:
    """What it answers too late is nobody's answer."""
    gate = threading.Event()
    slow = Doing(partial(_waits, gate))

    async def main() -> list[str]:
        thread = StrategyThread(longest_s=0.02)
        told = []
        for _ in range(2):
            try:
                await thread.ask(slow, VIEW)
            except StrategyTrouble as error:
                told.append(str(error))
        gate.set()
        async with asyncio.timeout(10):
            while True:
                try:
                    told.append((await thread.ask(slow, VIEW)).action)
                    break
                except StrategyTrouble:
                    await asyncio.sleep(0)
        thread.close()
        return told

    assert asyncio.run(main()) == [
        "no answer within 0.02 s",
        "it is still busy with an earlier question",
        "hold",
    ]


@pytest.mark.parametrize(
    "error", [ValueError("its own bug"), SystemExit(3), asyncio.CancelledError()]
)
def test_whatever_it_raises_is_trouble(error: BaseException) -> None:
    """In the thread as inline; a thread that met it goes on."""

    def fail() -> None:
        raise error

    async def main() -> None:
        thread = StrategyThread()
        for asker in (thread, InlineAsker()):
            with pytest.raises(StrategyTrouble, match=type(error).__name__):
                await asker.ask(Doing(fail), VIEW)
        assert (await thread.ask(ScriptedStrategy(), VIEW)).action == "hold"
        thread.close()

    asyncio.run(main())


@pytest.mark.parametrize("reason", ["an \x1b[2J escape\nand a line", "half a sign \udcff"])
def test_its_reason_is_one_line_that_every_book_takes(reason: str) -> None:
    """It goes to the store, the log and the screen; a loop that failed there would end."""
    hold = Decision(symbol=VIEW.symbol, action="hold", reason=reason)
    answer = decision_of(Answering(hold), VIEW)

    assert answer.reason.encode()
    assert answer.reason.isprintable()


def test_a_reason_that_is_no_text_is_no_decision() -> None:
    """Somebody else's code may say anything."""
    with pytest.raises(StrategyTrouble, match="a reason of None is no text"):
        decision_of(Answering(Decision(symbol=VIEW.symbol, action="hold", reason=None)), VIEW)  # type: ignore[arg-type]


def test_inline_no_thread_appears() -> None:
    """Under virtual time everything happens where it stands."""
    before = threading.active_count()
    seen: list[int] = []
    asked = Doing(lambda: seen.append(threading.active_count()))

    run_virtual(InlineAsker().ask(asked, VIEW))

    assert seen == [before]
