"""How a strategy is asked: here and now, or by whoever bounds the time that it may take.

A strategy may be somebody else's code. Whatever it does, the caller gets a decision or
`StrategyTrouble`, and goes on.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Protocol

from zoe_tools.core.strategy.checking import problem_with
from zoe_tools.core.strategy.protocol import Decision, MarketView, Strategy
from zoe_tools.domain.words import one_line


class StrategyTrouble(Exception):
    """The strategy raised, took too long, or answered what is no decision; the text says what."""


class Asker(Protocol):
    """Asks a strategy about one instrument.

    Raises:
        StrategyTrouble: there is no decision.
    """

    async def ask(self, strategy: Strategy, view: MarketView) -> Decision:
        """The decision."""
        ...


class InlineAsker:
    """Asks where it stands, as virtual time wants it: nothing else happens meanwhile."""

    async def ask(self, strategy: Strategy, view: MarketView) -> Decision:
        """See `Asker`."""
        return decision_of(strategy, view)


def decision_of(strategy: Strategy, view: MarketView) -> Decision:
    """Ask, and check the answer.

    Raises:
        StrategyTrouble: see there.
    """
    try:
        answer = strategy.decide(view)
    except (Exception, SystemExit, asyncio.CancelledError) as error:
        raise StrategyTrouble(one_line(f"{type(error).__name__}: {error}"[:200])) from error
    problem = problem_with(answer, view)
    if problem:
        raise StrategyTrouble(one_line(problem))
    return replace(answer, reason=one_line(answer.reason))
