"""Whether trading may be armed again after a kill: a checklist, one sentence for what is not clean.

Part of it is about the cause: what stopped trading must be over, or a loop would stop it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from zoe_tools.core.invariants import told_value, violations_of
from zoe_tools.core.kill import held_in, narrowed
from zoe_tools.core.sync_positions import shortages
from zoe_tools.core.take_profit import own_targets
from zoe_tools.domain.breaker import Breaker
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.invariants import Measured
from zoe_tools.domain.margin import MarginStanding
from zoe_tools.domain.market import VenueMode
from zoe_tools.domain.money import ZERO, short
from zoe_tools.domain.plan import Plan, SetTradingState
from zoe_tools.domain.snapshot import NOT_GATHERED, Missing, Snapshot
from zoe_tools.domain.trading_state import (
    CONFIG_SWITCH,
    CONFIG_SWITCH_TOO,
    RESTORED,
    KillLevel,
    KillReason,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseFacts:
    """What is asked because of what stopped trading; of other causes nobody need ask.

    `breaker`: that of the account's key, where calls pass one. `clock_skew_s`: this machine's clock
    and the venue's, without sign. `deaf_s`: how old the last thing is that a running loop heard,
    while a wire of its is down; None where its wires are up, or none runs.
    """

    breaker: Breaker | None = None
    margin: MarginStanding | Missing = NOT_GATHERED
    clock_skew_s: Decimal | Missing = NOT_GATHERED
    deaf_s: int | None = None


NO_FACTS = CauseFacts()


def plan_resume(
    snapshot: Snapshot,
    reason: str,
    *,
    facts: CauseFacts = NO_FACTS,
    symbol: Symbol | None = None,
) -> Plan:
    """Re-arm, if the checklist is clean; else a plan without steps whose notes say what is not.

    With a `symbol` that instrument alone is re-armed, and the checklist is about it; the account's
    own state stays.
    """
    state = snapshot.trading_state.of(symbol)
    seen = replace(snapshot if symbol is None else narrowed(snapshot, symbol), trading_state=state)
    blockers = (*resume_blockers(seen), *_cause_blockers(seen, facts))
    step = SetTradingState(
        level=KillLevel.NONE,
        reason=reason,
        before=state.level,
        symbol=symbol,
        stopped_at=state.changed_at,
        times_stopped=dict(snapshot.times_stopped).get(symbol, 0),
    )
    return Plan(
        command="resume",
        account=snapshot.account,
        created_at=snapshot.taken_at,
        expires_at=snapshot.taken_at + timedelta(seconds=snapshot.policy.plan_lifetime_s),
        steps=(step,) if state.level is not KillLevel.NONE and not blockers else (),
        notes=blockers,
    )


def resume_blockers(snapshot: Snapshot) -> tuple[str, ...]:
    """What stands against taking new risk again, one sentence each."""
    found = [
        f"The outcome of intent {each.intent_id} on {each.symbol} is unknown:"
        " run `zoe reconcile --execute`."
        for each in snapshot.unresolved_intents
    ]
    if snapshot.trading_state.changed_by in {CONFIG_SWITCH, CONFIG_SWITCH_TOO}:
        found.append("The row kill_switch in the table config is not 'false': set it first.")
    if snapshot.trading_state.changed_by == RESTORED and not _is_compared_since(snapshot):
        found.append(
            "The store was restored, and its books were not found equal to the venue's since:"
            " run `zoe reconcile --execute`."
        )
    mode = snapshot.venue_mode
    if isinstance(mode, Missing):
        found.append(f"The venue's mode is missing: {mode.reason}.")
    elif mode.value is not VenueMode.ONLINE:
        found.append(f"The venue is in mode {mode.value.value}.")
    found.extend(_protection_gaps(snapshot))
    if isinstance(snapshot.balances, Missing):
        found.append(f"The balances are missing: {snapshot.balances.reason}.")
    else:
        found.extend(shortages(held_in(snapshot), snapshot.balances.value))
    return tuple(found)


def _is_compared_since(snapshot: Snapshot) -> bool:
    state, compared = snapshot.trading_state, snapshot.reconciled_at
    return compared is not None and state.changed_at is not None and compared >= state.changed_at


def _protection_gaps(snapshot: Snapshot) -> Iterator[str]:
    """Orders of ours that the venue does not show, positions without a stop there."""
    if isinstance(snapshot.open_orders, Missing):
        yield f"The open orders are missing: {snapshot.open_orders.reason}."
        return
    resting = {each.venue_order_id for each in snapshot.open_orders.value}
    for order in snapshot.orders:
        if not order.status.is_terminal and order.venue_order_id not in resting:
            yield (
                f"Our books say that order {order.venue_order_id or order.client_order_id} is"
                f" {order.status.value}, the venue does not show it: run `zoe reconcile`."
            )
    for position in held_in(snapshot):
        targets = own_targets(position, snapshot.orders, snapshot.open_orders.value)
        in_targets = sum((each.remaining_quantity for each in targets), ZERO)
        if position.stop_venue_order_id not in resting and in_targets < position.quantity:
            yield f"{position.symbol} has no stop at the venue: run `zoe recover-sl`."


# --- what stopped trading ------------------------------------------------------------------------


def _cause_blockers(snapshot: Snapshot, facts: CauseFacts) -> Iterator[str]:
    """What stopped trading, as far as it is there still: a loop would latch it again."""
    match snapshot.trading_state.cause:
        case KillReason.INVARIANT_VIOLATION:
            yield from _violated(snapshot, _worth(snapshot))
        case KillReason.API_ERROR:
            if facts.breaker is not None and not facts.breaker.is_closed:
                yield f"The API circuit breaker is {facts.breaker.state.value}: see `zoe breaker`."
        case KillReason.RECONCILIATION_FAILURE:
            if not _is_compared_since(snapshot):
                yield (
                    "Books and venue were not found equal since trading was stopped:"
                    " run `zoe reconcile --execute`."
                )
        case KillReason.MARGIN_CRITICAL | KillReason.LIQUIDATION_BREACH:
            if isinstance(facts.margin, Missing):
                yield f"How much margin is in use cannot be told: {facts.margin.reason}."
            else:
                yield from _violated(snapshot, Measured(margin_pct=facts.margin.used_pct))
        case KillReason.DATA_FAILURE:
            yield from _data_failures(snapshot, facts)
        case _:
            return


def _worth(snapshot: Snapshot) -> Measured:
    point = snapshot.worth
    return Measured(
        drawdown_pct=None if point is None else point.drawdown_pct,
        equity=None if point is None else point.gross,
        positions=len(held_in(snapshot)),
    )


def _violated(snapshot: Snapshot, measured: Measured) -> Iterator[str]:
    for each in violations_of(measured, snapshot.policy.invariants):
        if each.is_critical:
            yield (
                f"{each.invariant} is {told_value(each)}, and {short(each.limit)} is critical: it"
                " would be stopped again. See INVARIANT_* in `zoe config show`."
            )


def _data_failures(snapshot: Snapshot, facts: CauseFacts) -> Iterator[str]:
    if isinstance(facts.clock_skew_s, Missing):
        yield f"The venue's time cannot be told: {facts.clock_skew_s.reason}."
    else:
        yield from _violated(snapshot, Measured(clock_skew_s=facts.clock_skew_s))
    if facts.deaf_s is not None:
        yield (
            "A wire of the running loop to the venue is down, and the last that it heard is"
            f" {facts.deaf_s} s old: see `zoe health`."
        )
