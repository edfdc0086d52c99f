"""How the loop stands: its state in one word, and why it enters nothing, if it does not.

Read by the heartbeat, the summary of a cycle, and whoever asks; nothing is decided here.
"""

from __future__ import annotations

from zoe_tools.domain.invariants import SafetyState
from zoe_tools.engine.loop import TradingLoop
from zoe_tools.engine.parts import LoopParts
from zoe_tools.engine.work import Phase

LONGEST = 400
"""Characters of reasons that a heartbeat carries; the log has all of them."""

_STARTING = frozenset({Phase.INITIALIZING, Phase.SYNCING, Phase.RECONCILING})


def reasons_against_entries(loop: TradingLoop, parts: LoopParts) -> tuple[str, ...]:
    """Everything that keeps entries back now, a phrase each; empty: the strategy may enter."""
    state, compared = loop.books.trading_state, loop.books.reconciliation
    found = [] if state.may_enter else [f"halted at {state.level.label}: {state.reason or '-'}"]
    if parts.work.phase in _STARTING:
        found.append("the start is not over")
    if parts.gate.is_store_away:
        found.append("the store is away")
    if not loop.view.is_live:
        found.append("a wire to the venue is down")
    if not loop.books.is_sound:
        found.append("the registry contradicts itself")
    if loop.following.is_behind:
        found.append("what the venue did meanwhile is not booked yet")
    if compared.pauses_account:
        found.append(f"kept back by reconciliation: {compared.reason}")
    return (*found, *loop.standing.reasons)


def system_state(loop: TradingLoop, parts: LoopParts) -> str:
    """`NORMAL`, `KILL_SWITCH` (a level is latched), or `DEGRADED`: something else is in the way.

    While an invariant is violated critically, `HALTED`; two, `EMERGENCY`.
    """
    if loop.safety in {SafetyState.HALTED, SafetyState.EMERGENCY}:
        return loop.safety.value
    if not loop.books.trading_state.may_enter:
        return "KILL_SWITCH"
    return "DEGRADED" if reasons_against_entries(loop, parts) else "NORMAL"


def mode_of(loop: TradingLoop, parts: LoopParts) -> str:
    """What the loop does at the moment: `shadow`, `protect-only` or `trading`."""
    if parts.is_shadow:
        return "shadow"
    is_starting = parts.work.phase in {*_STARTING, Phase.FAILED}
    return "protect-only" if is_starting or loop.standing.only_protects else "trading"


def shortened(reasons: tuple[str, ...]) -> str:
    """All of them in one line, or as many as a heartbeat carries."""
    told = "; ".join(reasons)
    return told if len(told) <= LONGEST else f"{told[: LONGEST - 3]}..."
