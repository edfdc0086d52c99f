"""What the strategy wants to enter, until a turn can: one for each instrument, the newest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from zoe_tools.core.strategy.protocol import Decision
from zoe_tools.domain.identifiers import Symbol


class EntriesWanted:
    """A decision is about the market as it was: one that waits for too long is forgotten."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._wanted: dict[Symbol, tuple[Decision, datetime]] = {}
        self._taken: dict[Symbol, tuple[Decision, datetime]] = {}

    def __bool__(self) -> bool:
        return bool(self._wanted)

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """Where something is wanted, in its turn."""
        return tuple(self._wanted)

    def note(self, now: datetime, decisions: Sequence[Decision]) -> None:
        """What was decided now; whatever was wanted of the same instrument before is not."""
        for decision in decisions:
            self._wanted.pop(decision.symbol, None)
            self._taken.pop(decision.symbol, None)
            if decision.action == "enter":
                self._wanted[decision.symbol] = decision, now

    def clear(self) -> None:
        """None of it will be done."""
        self._wanted.clear()
        self._taken.clear()

    def first(self, now: datetime, closed: Iterable[Symbol]) -> tuple[Decision, ...]:
        """The one whose turn it is, if there is one that is not in a `closed` instrument."""
        old = [
            symbol
            for symbol, (_, since) in self._wanted.items()
            if abs((now - since).total_seconds()) > self._longest_s
        ]
        for symbol in old:
            del self._wanted[symbol]
        shut = frozenset(closed)
        return tuple(each for each, _ in self._wanted.values() if each.symbol not in shut)[:1]

    def take(self, decisions: Iterable[Decision]) -> None:
        """These were planned, and are done or will not be."""
        for each in decisions:
            known = self._wanted.get(each.symbol)
            if known is not None and known[0] is each:
                self._taken[each.symbol] = self._wanted.pop(each.symbol)

    def put_back(self, decisions: Iterable[Decision]) -> None:
        """Nothing was done about these: the price moved between two looks, and they wait on."""
        for each in decisions:
            taken = self._taken.pop(each.symbol, None)
            if taken is not None and taken[0] is each:
                self._wanted.setdefault(each.symbol, taken)
