"""What a word of the operator's changes in the focus of the watch. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from zoe_tools.core.market_focus import Focus
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.market_watch import FocusClaim, FocusReason


@dataclass(frozen=True, slots=True, kw_only=True)
class FocusChange:
    """A pair's manual claim that comes (`claim`), or goes (None); `reasons` are those left."""

    symbol: Symbol
    claim: FocusClaim | None
    reasons: tuple[str, ...]


def focus_changes(
    claims: Iterable[FocusClaim],
    *,
    added: Iterable[Symbol],
    removed: Iterable[Symbol],
    now: datetime,
    until: datetime | None,
) -> tuple[FocusChange, ...]:
    """What has to change so that these are claimed until then, and those are not.

    Run again, nothing has. A claim without an end stays as it is where it is claimed once more
    without one.
    """
    focus, changes = Focus(tuple(claims)).at(now), []
    for symbol in dict.fromkeys(added):
        claim = FocusClaim(symbol=symbol, reason=FocusReason.MANUAL, since=now, expires_at=until)
        after = focus.claimed(claim)
        if after != focus:
            changes.append(_change(symbol, after, is_claimed=True))
    for symbol in dict.fromkeys(removed):
        after = focus.released(symbol, FocusReason.MANUAL)
        if after != focus:
            changes.append(_change(symbol, after, is_claimed=False))
    return tuple(changes)


def _change(symbol: Symbol, after: Focus, *, is_claimed: bool) -> FocusChange:
    mine = (each for each in after.claims if each.symbol == symbol)
    claim = next((each for each in mine if each.reason is FocusReason.MANUAL), None)
    return FocusChange(
        symbol=symbol,
        claim=claim if is_claimed else None,
        reasons=tuple(each.value for each in after.reasons(symbol)),
    )
