"""Where a stop waits for its instrument while something else is only waited for there.

Whoever waits for an answer or looks at records about an entry leaves it then: what became of it is
found out beside, or by the next look. What is a stop's own, or sells, is waited for all the same.
"""

from __future__ import annotations

import asyncio

from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.journal import Intent

_YIELDS = frozenset({"entry", "take_profit"})


class Hurry:
    """The instruments of one gate; whoever plans says each time anew which they are."""

    def __init__(self) -> None:
        self._asked: dict[Symbol, asyncio.Event] = {}
        self.symbols: frozenset[Symbol] = frozenset()

    def ask(self, symbols: frozenset[Symbol]) -> None:
        """Stops wait in these, and in no other ones."""
        for symbol in self.symbols - symbols:
            self._of(symbol).clear()
        for symbol in symbols:
            self._of(symbol).set()
        self.symbols = symbols

    def about(self, intent: Intent) -> asyncio.Event | None:
        """Set while a stop waits for this one's instrument; None: it waits for nobody."""
        return self._of(intent.symbol) if intent.purpose in _YIELDS else None

    def _of(self, symbol: Symbol) -> asyncio.Event:
        return self._asked.setdefault(symbol, asyncio.Event())
