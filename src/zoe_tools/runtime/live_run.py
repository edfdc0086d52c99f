"""Runs in real or scaled time: the venue is another process, time passes by itself.

The loop stops in order on SIGINT, SIGTERM and SIGHUP, after a duration, or after some cycles.
"""

from __future__ import annotations

import asyncio
import secrets
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from zoe_tools.config import Settings
from zoe_tools.core.run_report import RunResult
from zoe_tools.core.strategy.protocol import Strategy
from zoe_tools.domain.cadence import Cadence
from zoe_tools.engine.alarm import StandbyAlarm
from zoe_tools.engine.loop import TradingLoop
from zoe_tools.engine.parts import NoServiceManager
from zoe_tools.engine.starting import Readiness
from zoe_tools.engine.supervisor import Farewell, Watcher
from zoe_tools.errors import ConfigError, ConsentMissing
from zoe_tools.gate.consent import CONSENT_LINE
from zoe_tools.gate.spare import SpareStore
from zoe_tools.observe.outlet import EDGE
from zoe_tools.ports import Clock, Narrator, Urgency
from zoe_tools.runtime.auditor import Audit
from zoe_tools.runtime.cadences import cadence_at
from zoe_tools.runtime.context import Context, account_of, open_context
from zoe_tools.runtime.duplex import connect_socket
from zoe_tools.runtime.engine_run import RunPlan, run_engine, standby_alarm
from zoe_tools.runtime.gates import emergency_journal
from zoe_tools.runtime.loop_lock import AccountLock
from zoe_tools.runtime.proving import Proof
from zoe_tools.runtime.service_manager import SystemdSocket
from zoe_tools.runtime.strategies import funding_source
from zoe_tools.runtime.strategy_thread import StrategyThread
from zoe_tools.store.news import StateNews

CYCLE_CHECK_S = 0.05
SWITCH_S = 0.0005
"""How long the store's thread, or a strategy's, may keep the loop from its frames at a time."""

STANDBY_POLL_S = 0.25
"""How often a standby looks whether the loop of its own host is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOrder:
    """What to run; `duration_s` in venue seconds, `cycles` as the loop counts them."""

    strategy: Strategy
    duration_s: float | None = None
    cycles: int | None = None
    is_shadow: bool = False
    is_standby: bool = False
    operator: str = ""
    notify_socket: str = ""
    """Where a service manager listens (`NOTIFY_SOCKET`); empty: none does."""
    seed: int = 0


def run_live(
    settings: Settings,
    order: RunOrder,
    narrator: Narrator,
    audit: Callable[[], Audit] | None = None,
) -> tuple[RunResult, Audit | None]:
    """Run the loop on the settings' account until it is told to stop; then audit, if asked to.

    The audit is made while what happens at the venue is still booked: its time goes on, and a stop
    that fires after the last turn is no discrepancy.

    Raises:
        ConsentMissing: a live account without consent, and not in shadow.
        AccountBusy: another loop holds the account.
    """
    account = account_of(settings)
    if settings.mode == "live" and not order.is_shadow and not settings.live_consent:
        raise ConsentMissing(
            f"{account.title}: the loop would trade at {settings.kraken_base_url} on the live "
            f"account {account.fingerprint}, and nobody has consented.",
            hint=f"If you mean it: {CONSENT_LINE} (or look first: zoe run --shadow)",
        )

    found: list[Audit] = []

    async def farewell() -> None:
        if audit is not None:
            found.append(await asyncio.to_thread(audit))

    async def main(lock: AccountLock) -> RunResult:
        async with open_context(settings, urgency=Urgency.LOOP) as context:
            return await _run(context, order, narrator, farewell, lock)

    sys.setswitchinterval(SWITCH_S)
    with AccountLock(settings.home, account) as lock:
        if not order.is_standby:
            lock.take()
        result = asyncio.run(main(lock))
    return result, found[0] if found else None


async def _run(
    context: Context,
    order: RunOrder,
    narrator: Narrator,
    farewell: Farewell,
    lock: AccountLock,
) -> RunResult:
    if context.wires is None:
        raise ConfigError("The context was opened without wires.")
    if order.is_shadow:
        await _refuse_shadow_over_positions(context)
    stop, news, alarm = asyncio.Event(), asyncio.Event(), asyncio.Event()
    service = SystemdSocket(order.notify_socket) if order.notify_socket else NoServiceManager()
    thread, source = StrategyThread(), funding_source(context.settings, context.wires)
    plan = RunPlan(
        account=context.account,
        policy=context.policy,
        strategy=order.strategy,
        spellings=context.settings.symbols,
        cadence=cadence_at(
            context.clock, Cadence(reconcile_s=context.settings.reconcile_interval_seconds)
        ),
        clock=context.clock,
        wires=context.wires,
        connect=connect_socket,
        store=SpareStore(context.store, context.account, context.clock),
        narrator=narrator,
        run_id=f"run-{secrets.token_hex(6)}",
        seed=order.seed,
        operator=order.operator,
        live_consent=context.settings.live_consent,
        is_shadow=order.is_shadow,
        is_standby=order.is_standby,
        compares=True,
        shares_store=not context.settings.database_url.startswith("sqlite"),
        readiness=_readiness(context, order),
        watcher=_watching(order, context.clock, stop),
        farewell=farewell,
        news=news,
        alarm=alarm,
        emergency=emergency_journal(context),
        asker=thread,
        service=service,
        output=EDGE,
        symbol_rest=timedelta(hours=context.settings.edge_factory_symbol_cooldown),
        funding=source,
        dead_man_s=context.settings.dead_man_seconds,
        funding_poll_s=context.settings.edge_factory_funding_poll,
    )
    tell = partial(asyncio.get_running_loop().call_soon_threadsafe, news.set)
    with StateNews(context.settings.database_url, tell), stopping_on_signals(stop, alarm):
        try:
            await _wait_for_host(lock, narrator, context.clock, stop, standby_alarm(plan, alarm))
            return await run_engine(plan, stop)
        finally:
            thread.close()
            if isinstance(service, SystemdSocket):
                service.close()
            if source is not None:
                await source.aclose()


async def _wait_for_host(
    lock: AccountLock,
    narrator: Narrator,
    clock: Clock,
    stop: asyncio.Event,
    alarm: StandbyAlarm,
) -> None:
    """A standby waits for the loop of its own host; told to stop, it goes on to end in order.

    SIGUSR1 means the account, whoever runs on it.
    """
    is_told = False
    while not stop.is_set() and not lock.try_take():
        if not is_told:
            narrator.show_note(clock.now(), f"Standing by: a loop runs here, pid {lock.holder}.")
            is_told = True
        await alarm.heed()
        await asyncio.sleep(STANDBY_POLL_S)


def _readiness(context: Context, order: RunOrder) -> Readiness | None:
    """Real money waits for a clean pre-flight and clean books; a shadow and paper risk none."""
    if context.account.mode != "live" or order.is_shadow:
        return None
    return Proof(context.settings).ask


async def _refuse_shadow_over_positions(context: Context) -> None:
    held = await context.store.read(lambda transaction: transaction.positions(open_only=True))
    if held:
        raise ConfigError(
            f"{len(held)} managed positions are open, and a shadow run would not look after them.",
            hint="Run the loop itself, or close them first.",
        )


async def _stop_after(loop: TradingLoop, clock: Clock, seconds: float, stop: asyncio.Event) -> None:
    """The duration counts from the moment the loop sees the market: recovery is not part of it."""
    while not loop.view.is_live:  # noqa: ASYNC110 - the view tells nobody
        await asyncio.sleep(CYCLE_CHECK_S)
    await clock.sleep(seconds)
    stop.set()


def _watching(order: RunOrder, clock: Clock, stop: asyncio.Event) -> Watcher:
    """Counts cycles for `--cycles` and time for `--for`."""

    async def watch(loop: TradingLoop) -> None:
        async with asyncio.TaskGroup() as group:
            if order.duration_s is not None:
                group.create_task(_stop_after(loop, clock, order.duration_s, stop))
            if order.cycles is not None:
                group.create_task(_count(loop, order.cycles, stop))

    return watch


async def _count(loop: TradingLoop, cycles: int, stop: asyncio.Event) -> None:
    while loop.cycles < cycles:  # noqa: ASYNC110 - the loop counts; it tells nobody
        await asyncio.sleep(CYCLE_CHECK_S)
    stop.set()


@contextmanager
def stopping_on_signals(stop: asyncio.Event, alarm: asyncio.Event) -> Iterator[None]:
    """SIGINT and SIGTERM ask for an orderly stop; a second SIGINT interrupts as usual.

    So does a terminal that is closed (SIGHUP): an entry that works would fill with nobody to place
    its stop. Under nohup, which ignores it, the loop goes on. SIGUSR1 sets the alarm: trading is
    stopped, the loop goes on to protect.
    """
    running = asyncio.get_running_loop()
    hears_hangup = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN

    def ask() -> None:
        stop.set()
        running.remove_signal_handler(signal.SIGINT)

    running.add_signal_handler(signal.SIGINT, ask)
    running.add_signal_handler(signal.SIGTERM, stop.set)
    running.add_signal_handler(signal.SIGUSR1, alarm.set)
    if hears_hangup:
        running.add_signal_handler(signal.SIGHUP, stop.set)
    try:
        yield
    finally:
        if hears_hangup:
            running.remove_signal_handler(signal.SIGHUP)
        running.remove_signal_handler(signal.SIGINT)
        running.remove_signal_handler(signal.SIGTERM)
        running.remove_signal_handler(signal.SIGUSR1)
