"""A thread of its own for the strategy: it may take its time, stops and exits do not wait for it.

The thread is a daemon: one that never comes back from a strategy keeps no process from ending.
Never used under virtual time, where the strategy is asked inline.
"""

from __future__ import annotations

import asyncio
import contextlib
from queue import SimpleQueue
from threading import Thread
from typing import NamedTuple

from zoe_tools.core.strategy.protocol import Decision, MarketView, Strategy
from zoe_tools.engine.asking import StrategyTrouble, decision_of

LONGEST_S = 5.0
"""How long one answer is waited for, by the machine's clock."""


class _Question(NamedTuple):
    strategy: Strategy
    view: MarketView
    answer: asyncio.Future[Decision]
    loop: asyncio.AbstractEventLoop


class StrategyThread:
    """An `Asker` that answers within `longest_s`, or says that the strategy does not."""

    def __init__(self, longest_s: float = LONGEST_S) -> None:
        self._longest_s = longest_s
        self._questions: SimpleQueue[_Question | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._is_busy = False

    async def ask(self, strategy: Strategy, view: MarketView) -> Decision:
        """See `Asker`."""
        if self._is_busy:
            raise StrategyTrouble("it is still busy with an earlier question")
        if self._thread is None:
            self._thread = Thread(target=self._work, name="zoe-strategy", daemon=True)
            self._thread.start()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Decision] = loop.create_future()
        self._is_busy = True
        self._questions.put(_Question(strategy, view, answer, loop))
        try:
            async with asyncio.timeout(self._longest_s):
                return await answer
        except TimeoutError:
            raise StrategyTrouble(f"no answer within {self._longest_s:g} s") from None

    def close(self) -> None:
        """Let the thread end once it is free; nobody waits for it."""
        self._questions.put(None)

    def _work(self) -> None:
        while (question := self._questions.get()) is not None:
            decision: Decision | None = None
            trouble: StrategyTrouble | None = None
            try:
                decision = decision_of(question.strategy, question.view)
            except StrategyTrouble as error:
                trouble = error
            # A loop that is gone has nobody who waits.
            with contextlib.suppress(RuntimeError):
                question.loop.call_soon_threadsafe(self._tell, question.answer, decision, trouble)

    def _tell(
        self,
        answer: asyncio.Future[Decision],
        decision: Decision | None,
        trouble: StrategyTrouble | None,
    ) -> None:
        self._is_busy = False
        if answer.done():
            return  # nobody waits any more
        if decision is not None:
            answer.set_result(decision)
        else:
            answer.set_exception(trouble or StrategyTrouble("no answer"))
