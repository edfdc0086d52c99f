"""`zoe status`: one screen from the store alone. Asks no venue and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.config import Settings
from zoe_tools.core.health import LOOP, ages_of
from zoe_tools.core.margin_rule import MARGIN_RULE
from zoe_tools.core.position_invariants import covered, resting_stops
from zoe_tools.core.protection_times import sentence
from zoe_tools.domain.discrepancy import (
    LIVE_LOOK,
    WHOLE_LOOK,
    Discrepancy,
    Level,
    ReconciliationState,
)
from zoe_tools.domain.journal import Intent, OrderRecord
from zoe_tools.domain.money import ZERO, round_half_up, short
from zoe_tools.domain.observation import COUNTDOWN, KILL_ORDERS, Details, Heartbeat, Lease
from zoe_tools.domain.position import Position
from zoe_tools.domain.trading_state import TradingState
from zoe_tools.gather import countdown_at_stake, effective_trading_state
from zoe_tools.render.printer import Printer, age
from zoe_tools.runtime.audit_home import AuditHome
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.runtime.countdowns import left_armed_until
from zoe_tools.runtime.loop_lock import is_running, is_silent
from zoe_tools.runtime.unheard_loops import told_unheard, unheard_loop
from zoe_tools.store.store import Transaction

_LOT = Decimal("0.00000001")
"""Less is no venue's to hold."""

_NO_SIGN = {COUNTDOWN, KILL_ORDERS, MARGIN_RULE}
"""What is remembered among the heartbeats, and is no sign of life."""

_DIGITS = 8
"""Of an average cost, which is a quotient and may have very many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Screen:
    now: datetime
    trading_state: TradingState
    lease: Lease | None
    lease_now: datetime
    heartbeats: tuple[Heartbeat, ...]
    positions: tuple[Position, ...]
    orders: tuple[OrderRecord, ...]
    unresolved: tuple[Intent, ...]
    reconciled: Heartbeat | None
    compared: Heartbeat | None
    """What a loop last compared of what is live."""
    countdown_s: int
    left_armed_until: datetime | None
    open_findings: tuple[Discrepancy, ...]
    reconciliation: ReconciliationState
    unheard: str = ""
    """The pid of a loop of this host that this store hears nothing of."""


def status(ctx: typer.Context) -> int:
    """Show the account on one screen, without asking the venue.

    Everything comes from zoe's own books, each part with its age. Exits 0 whatever it
    shows.

    Examples:
      zoe status
      zoe status --json
    """
    invocation: Invocation = ctx.obj
    settings = invocation.settings(lenient=True)
    printer = invocation.printer()

    async def work(context: Context) -> int:
        now = context.clock.now()
        screen = await context.store.read(lambda transaction: _read(transaction, now))
        printer.account(context.account)
        if complaint := AuditHome(settings.home).complaint():
            printer.warn(complaint)
        if not is_silent(screen.lease, screen.lease_now) and (pid := await unheard_loop(context)):
            printer.warn(told_unheard(pid))
            screen = replace(screen, unheard=pid)
        _show(printer, settings, screen)
        return 0

    return run_with_context(settings, work, needs_venue=False)


def _read(transaction: Transaction, now: datetime) -> _Screen:
    heartbeats = transaction.heartbeats()
    beats = {each.component: each for each in heartbeats}
    return _Screen(
        now=now,
        trading_state=effective_trading_state(transaction),
        lease=transaction.lease(),
        lease_now=transaction.lease_time(now),
        heartbeats=heartbeats,
        positions=transaction.positions(open_only=True),
        orders=transaction.orders(open_only=True),
        unresolved=transaction.unresolved_intents(),
        reconciled=beats.get(WHOLE_LOOK),
        compared=beats.get(LIVE_LOOK),
        countdown_s=countdown_at_stake(transaction),
        left_armed_until=left_armed_until(transaction, now),
        open_findings=tuple(e for e in transaction.reconciliation.active() if e.is_open),
        reconciliation=transaction.reconciliation.state(),
    )


def _show(printer: Printer, settings: Settings, screen: _Screen) -> None:
    printer.report("", _summary(settings, screen))
    signs = [each for each in screen.heartbeats if each.component not in _NO_SIGN]
    if signs:
        printer.heading("signs of life")
        for beat in signs:
            printer.line(
                f"  {beat.component.ljust(14)}  {beat.status.ljust(10)}"
                f"  {age(beat.beat_at, screen.now)} ago"
            )
    _show_books(printer, screen)
    printer.result(
        {
            "loop_mode": settings.loop_mode,
            "trading_state": screen.trading_state.level.label,
            "trading_reason": screen.trading_state.reason,
            "stopped_instruments": [
                {"symbol": name, "level": each.level.label, "reason": each.reason}
                for name, each in screen.trading_state.stopped
            ],
            "is_loop_running": _is_running(screen),
            "lease": screen.lease,
            "heartbeats": screen.heartbeats,
            "positions": screen.positions,
            "orders": screen.orders,
            "unresolved_intents": screen.unresolved,
            "last_reconcile": screen.reconciled,
            "last_compare": screen.compared,
            "countdown_s": screen.countdown_s,
            "open_findings": screen.open_findings,
            "reconciliation": screen.reconciliation,
            "as_of": screen.now,
        }
    )


def _summary(settings: Settings, screen: _Screen) -> list[tuple[str, str]]:
    return [
        ("trading", _trading(screen.trading_state, screen.now)),
        *((name, _trading(each, screen.now, name)) for name, each in screen.trading_state.stopped),
        ("loop", _loop(settings, screen)),
        *_work(screen),
        ("positions", f"{len(screen.positions)} open"),
        ("orders", f"{len(screen.orders)} working"),
        ("intents", _intents(screen)),
        *_countdown(screen),
        ("reconcile", _reconciled(screen)),
    ]


def _trading(state: TradingState, now: datetime, symbol: str = "") -> str:
    if state.may_enter:
        return "armed"
    since = f", {age(state.changed_at, now)} ago" if state.changed_at else ""
    why = f": {state.reason}" if state.reason else ""
    scope = f" --instrument {symbol}" if symbol else ""
    return f"HALTED at {state.level.label}{why}{since}; `zoe resume{scope}` is the way back"


def _is_running(screen: _Screen) -> bool:
    return is_running(screen.lease, screen.lease_now)


def _loop(settings: Settings, screen: _Screen) -> str:
    lease = screen.lease
    if screen.unheard:
        return f"pid {screen.unheard} runs here, and THIS STORE HEARS NOTHING OF IT"
    if settings.loop_mode == "disabled":
        return "disabled by EDGE_FACTORY_MODE"
    if lease is None:
        return "not running"
    renewed = age(lease.renewed_at, screen.lease_now)
    if is_silent(lease, screen.lease_now):
        where = f"pid {lease.pid} lives on {lease.host}"
        return (
            f"SILENT: {where}, and has told nothing for {renewed}; it hangs, or its store is away"
        )
    if not _is_running(screen):
        return f"not running; last seen on {lease.host}, pid {lease.pid}, {renewed} ago"
    return f"running on {lease.host}, pid {lease.pid}; lease renewed {renewed} ago"


def _work(screen: _Screen) -> list[tuple[str, str]]:
    """What a loop that runs last said of itself: its work by age, and why it enters nothing."""
    beat = next((each for each in screen.heartbeats if each.component == LOOP), None)
    if beat is None or "phase" not in beat.details or not _is_running(screen):
        return []
    told = beat.details
    done = ", ".join(f"{stage} {seconds} s" for stage, seconds in ages_of(told, screen.now))
    rows = [
        ("state", f"{told['phase']} {told['state']}, {told['queue_events']} events waiting"),
        ("last work", f"{done} ago" if done else "none yet"),
    ]
    if "protected_fills" in told:
        rows.append(("protection", _protection(told)))
    if told.get("output") or told.get("lines_lost"):
        rows.append(("output", _output(told)))
    if told.get("safe_mode"):
        rows.append(("safe mode", str(told["safe_mode"])))
    return [*rows, ("no entries", str(told["why"]))] if told["why"] else rows


def _output(told: Details) -> str:
    """Whether somebody reads what the loop prints and logs."""
    return str(told["output"]) or f"{told['lines_lost']} lines were not shown"


def _protection(told: Details) -> str:
    """How fast stops follow fills in this run, and what stands without one now."""
    naked = int(told["unprotected_positions"])
    now = f"{naked} WITHOUT A COVERING STOP; " if naked else ""
    seconds = short(Decimal(int(told["unprotected_ms"])) / 1000)
    return f"{now}{sentence(told)}; {seconds} s unprotected in all"


def _intents(screen: _Screen) -> str:
    if not screen.unresolved:
        return "none unresolved"
    oldest = age(min(each.created_at for each in screen.unresolved), screen.now)
    return (
        f"{len(screen.unresolved)} UNRESOLVED: run `zoe reconcile --execute`"
        f" (the oldest is {oldest} old)"
    )


def _countdown(screen: _Screen) -> list[tuple[str, str]]:
    """Only while it may be armed: it takes stops away, too."""
    if not screen.countdown_s:
        return []
    told = f"armed: {screen.countdown_s} s without the loop, and the venue cancels all orders"
    until = screen.left_armed_until
    if until is not None and until > screen.now:
        told = (
            f"may be ARMED: until {until:%H:%M:%SZ} the venue may cancel all orders, stops too;"
            " after that run `zoe recover-sl --execute`, or start the loop, which disarms it"
        )
    elif until is not None:
        told = (
            f"may have gone off by {until:%Y-%m-%d %H:%M:%SZ}, with all orders: run `zoe recover-sl"
            " --execute`, or start the loop"
        )
    return [("countdown", told)]


def _reconciled(screen: _Screen) -> str:
    last = screen.reconciled
    when = f"{age(last.beat_at, screen.now)} ago" if last is not None else "never"
    live = screen.compared
    if live is not None and (last is None or live.beat_at > last.beat_at):
        when = f"live {age(live.beat_at, screen.now)} ago, in full {when}"
    told = f"{when}, {len(screen.open_findings)} open findings"
    state = screen.reconciliation
    if state.is_degraded:
        return f"{told}; DEGRADED, no entries: {state.reason}"
    return told if state.level is Level.OK else f"{told}; {state.level.value}: {state.reason}"


def _stop(position: Position, orders: Sequence[OrderRecord]) -> str:
    """What holds the position at the venue, by our books; a price that was meant is no stop."""
    stops, holds = resting_stops(position, orders), covered(position, orders)
    told = ", ".join(f"stop {short(each.trigger_price or ZERO)}" for each in stops) or "NO STOP"
    if position.quantity - holds < _LOT or holds == ZERO:
        return told if stops or holds == ZERO else f"{told}, targets hold it"
    return f"{told}, ONLY {short(holds)} HELD"


def _show_books(printer: Printer, screen: _Screen) -> None:
    for position in screen.positions:
        stop = _stop(position, screen.orders)
        cost = short(round_half_up(position.average_cost, _DIGITS))
        printer.line(
            f"  position  {position.symbol}  {short(position.quantity)} at"
            f" {cost}  {stop}  {age(position.opened_at, screen.now)} old"
        )
    for order in screen.orders:
        price = order.limit_price or order.trigger_price
        at = f" at {short(price)}" if price else ""
        printer.line(
            f"  order     {order.symbol}  {order.purpose} {order.side.value}"
            f" {short(order.remaining_quantity)}{at}  {order.status.value}"
            f"  {age(order.created_at, screen.now)} old"
        )
