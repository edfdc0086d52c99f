"""Which pairs are followed closely, by counting the reasons for each. Pure.

A pair is in focus while one reason is left: an operator's word, a favourite, a position, a working
order, a wish of the strategy to enter, or a move. Each reason comes and goes by itself; one that is
held for a time only expires.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.market_watch import FocusClaim, FocusReason

_ORDER = tuple(FocusReason)


@dataclass(frozen=True, slots=True)
class Focus:
    """All claims, one at most for each pair and reason."""

    claims: tuple[FocusClaim, ...] = ()

    @property
    def symbols(self) -> frozenset[Symbol]:
        """The pairs that have a reason left."""
        return frozenset(each.symbol for each in self.claims)

    def reasons(self, symbol: Symbol) -> tuple[FocusReason, ...]:
        """Why it is in focus, in the order of the reasons; empty: it is not."""
        found = {each.reason for each in self.claims if each.symbol == symbol}
        return tuple(each for each in _ORDER if each in found)

    def claimed(self, claim: FocusClaim) -> Focus:
        """With one more reason; the same one again keeps its beginning and gets the new end."""
        before = next((each for each in self.claims if _same(each, claim)), None)
        since = claim.since if before is None else before.since
        kept = tuple(each for each in self.claims if not _same(each, claim))
        return Focus(_sorted((*kept, replace(claim, since=since))))

    def released(self, symbol: Symbol, reason: FocusReason) -> Focus:
        """Without that reason; others keep the pair where it is."""
        return Focus(
            tuple(each for each in self.claims if (each.symbol, each.reason) != (symbol, reason))
        )

    def held_by(self, reason: FocusReason, symbols: Iterable[Symbol], now: datetime) -> Focus:
        """With that reason for exactly these pairs."""
        wanted = frozenset(symbols)
        focus = Focus(
            tuple(each for each in self.claims if each.reason != reason or each.symbol in wanted)
        )
        for symbol in sorted(wanted):
            if reason not in focus.reasons(symbol):
                focus = focus.claimed(FocusClaim(symbol=symbol, reason=reason, since=now))
        return focus

    def at(self, now: datetime) -> Focus:
        """Without what has expired."""
        return Focus(
            tuple(each for each in self.claims if each.expires_at is None or each.expires_at > now)
        )


def _same(one: FocusClaim, other: FocusClaim) -> bool:
    return (one.symbol, one.reason) == (other.symbol, other.reason)


def _sorted(claims: Iterable[FocusClaim]) -> tuple[FocusClaim, ...]:
    return tuple(sorted(claims, key=lambda each: (each.symbol, _ORDER.index(each.reason))))
