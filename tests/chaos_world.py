"""Hours of a trading loop on a paper exchange: market, faults and deaths, all from one seed.

Virtual time, one process; the exchange lives on while engines die and are rebuilt from the store.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, cast

import httpx
from typing_extensions import override

import kraken_answers as kraken
from builders import PAPER, d
from chaos_bookings import Bookings
from chaos_faults import Blow, Death, aimed_wide, schedule, wide_s
from chaos_growth import LOOKS, Look, looked
from chaos_life import Killed, Life, MortalStore, MortalTransport, mortal_sockets
from chaos_market import Bustle, ChaosMarket
from chaos_operator import Stopped, operate, stops
from chaos_strategy import StressStrategy
from fakes import Desk, RecordingApprover, command_io
from loop_rig import RecordingNarrator
from zoe_tools.commands.reconcile import _reconcile
from zoe_tools.domain.cadence import Cadence
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.invariants import InvariantLimits
from zoe_tools.domain.plan import Plan, StepOutcome
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.position import Position
from zoe_tools.errors import ZoeError
from zoe_tools.kraken.nonce import NonceSource
from zoe_tools.kraken.rest import RestClient
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.paper.app import create_app
from zoe_tools.paper.exchange.exchange import ExchangeOptions, PaperExchange
from zoe_tools.paper.inprocess import InProcessSockets
from zoe_tools.paper.values.events import (
    BookEvent,
    EngineEvent,
    LedgerEvent,
    ModeEvent,
    OrderEvent,
    PrintEvent,
)
from zoe_tools.paper.values.times import ns_of
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.duplex import duplex_pair
from zoe_tools.runtime.engine_run import RunPlan, run_engine
from zoe_tools.runtime.venue import Wires, in_process_transport
from zoe_tools.store.runner import InlineRunner
from zoe_tools.store.store import Store, Transaction

POLICY = Policy(
    max_notional_per_trade=d("400"),
    max_daily_notional=d("400000"),
    max_open_positions=3,
    max_orders_per_minute=600,
    max_open_orders=60,
    max_cancel_ratio_pct=d("100"),
    duplicate_window_s=0.0,
    order_ttl_entry_s=2.0,
    order_ttl_exit_s=4.0,
    allowed_symbols=None,
    max_api_errors=30,
    max_average_slippage_bps=d("10000"),
    invariants=InvariantLimits(api_errors_crit=d("60"), drawdown_crit_pct=None),
)
"""Many small orders that live briefly; what faults cost in calls and in money stops nothing."""

TIGHT = replace(
    POLICY,
    max_open_positions=2,
    max_orders_per_minute=10,
    max_unexecuted_notional=d("500"),
    max_position_notional=d("405"),
    max_exposure_notional=d("700"),
)
"""Less than three instruments want, at every moment: what holds here, holds where it matters."""

STARTS_AT = ns_of(kraken.EPOCH)
API_KEY = "chaos-key"
MONEY = {"USD": d("20000")}
SYMBOLS = ("BTC/USD", "ETH/USD", "SOL/USD")

RESTART_S = 3.0
"""How long after a death the next engine begins: what a supervisor of processes takes."""

PROOF_S = 10.0
"""How long it takes to prove that an engine's account is ready: it protects meanwhile."""

DEATH_COMES_WITHIN_S = 300.0
"""So long at most is waited for the step that is to be the last."""

SETTLE_S = 120.0
"""At the end, without faults, until everything is told and booked."""

CRASHED = "crashed"
"""How the end of an engine begins that a mistake of its own ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What is run: `hours` of a market, under these blows and deaths."""

    seed: int
    hours: float
    bustle: Bustle
    deaths: int
    blows_of_each: int
    policy: Policy = POLICY
    stops: int = 0
    """How often somebody stops trading for some seconds."""


@dataclass(slots=True, kw_only=True)
class Chronicle:
    """What happened: the exchange's own log, and the lives of engines, all in its nanoseconds."""

    events: list[EngineEvent] = field(default_factory=list)
    lives: list[tuple[int, int, str]] = field(default_factory=list)
    """From when an engine traded until when, and how it ended."""
    seen: dict[str, int] = field(default_factory=dict)
    """When an execution, or an order's cancel, was first told to an engine, by the id of it."""
    shown: dict[str, int] = field(default_factory=dict)
    """From when on the venue's records show that an order is cancelled, by its id."""
    booked: dict[str, int] = field(default_factory=dict)
    """When an execution was first seen in the books, by its id."""
    strikes: list[dict[str, object]] = field(default_factory=list)
    stopped: list[Stopped] = field(default_factory=list)
    """When somebody had stopped trading."""


class ChaosWorld:
    """One trial."""

    def __init__(self, trial: Trial, home: Path, store: Store) -> None:
        self.trial = trial
        self.clock = VirtualClock(kraken.EPOCH)
        self.store = InlineRunner(store)
        self.chronicle = Chronicle()
        self.looks: list[Look] = []
        self._home = home
        self._bookings = Bookings(home / "zoe.db", self.clock, self.chronicle.booked)
        seconds = int(trial.hours * 3600)
        market = ChaosMarket(trial.seed, trial.bustle, starts_at=STARTS_AT, duration_s=seconds)
        self.exchange = PaperExchange(
            market, self.clock, seed=trial.seed, options=ExchangeOptions(tier="pro")
        )
        self.account_id = self.exchange.create_account(
            "chaos", API_KEY, kraken.SECRET, balances=MONEY, tier="pro"
        )
        self.exchange.add_step_listener(self._hear)
        self._app = create_app(self.exchange, proof_secret=None)
        self._random = Random(f"chaos:{trial.seed}:lives")
        self._seconds = seconds

    def _hear(self, events: Sequence[EngineEvent]) -> None:
        for event in events:
            if not isinstance(event, BookEvent | PrintEvent):  # most of all there is
                self._note(event)

    def _note(self, event: EngineEvent) -> None:
        if isinstance(event, OrderEvent | LedgerEvent | ModeEvent):
            self.chronicle.events.append(event)
        if isinstance(event, OrderEvent) and event.trade is not None:
            self._bookings.expect(event.trade.trade_id)
        if isinstance(event, OrderEvent) and event.kind == "canceled":
            name = event.order.order_id
            self.chronicle.shown[name] = self.exchange.lag.shown_at(name, event.at)

    def _notice(self, told: Iterable[str]) -> None:
        now = ns_of(self.clock.now())
        for name in told:
            self.chronicle.seen.setdefault(name, now)

    async def run(self) -> tuple[Chronicle, tuple[str, ...]]:
        """Until the market has told all, the faults are over, and a last engine has settled.

        Beside what happened: what `zoe reconcile` still finds, where nobody has repaired anything.
        """
        pump = asyncio.create_task(self.exchange.run())
        blows, deaths = schedule(
            self.trial.seed, self._seconds, self.trial.blows_of_each, self.trial.deaths
        )
        arming = asyncio.create_task(self._arm(blows))
        looking = asyncio.create_task(self._look_on())
        booking = asyncio.create_task(self._bookings.keep())
        operating = asyncio.create_task(self._operate())
        beside = (arming, pump, looking, booking, operating)
        try:
            await self._lives(deaths)
            unreconciled = await self._told_by_reconcile()
        finally:
            for each in beside:
                each.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*beside)
        self.chronicle.strikes = self.exchange.faults.told()["log"]
        return self.chronicle, unreconciled

    async def _operate(self) -> None:
        close_s = self.trial.bustle.timeframe.length.total_seconds()
        planned = stops(self.trial.seed, self._seconds, self.trial.stops, close_s)
        await operate(planned, self.store, self.clock, self.chronicle.stopped)

    async def _look_on(self) -> None:
        """Quiet days are looked at: whether anything grows."""
        if self.trial.bustle.has_bursts:
            return
        for _ in range(LOOKS):
            await self.clock.sleep(self._seconds / LOOKS)
            at_s = (self.clock.now() - kraken.EPOCH).total_seconds()
            events = len(self.chronicle.events)
            self.looks.append(looked(at_s, events, self._home / "zoe.db"))

    async def _told_by_reconcile(self) -> tuple[str, ...]:
        try:
            return await self._reconciled()
        except Exception as error:  # noqa: BLE001 - whatever it is, it does not reconcile
            return (f"reconcile {CRASHED}: {error!r}",)

    async def _reconciled(self) -> tuple[str, ...]:
        rest = self._rest(in_process_transport(self._app))
        desk = Desk(
            venue=cast("Any", KrakenSpot(rest, self.clock)),
            clock=self.clock,
            store=self.store,
            approver=RecordingApprover(),
            account=PAPER,
            policy=self.trial.policy,
            home=self._home,
        )
        try:
            context, invocation, out = command_io(desk, "reconcile", json=True)
            code = await _reconcile(context, invocation, (), execute=False)
        finally:
            await rest.aclose()
        found = json.loads(out.getvalue())["result"].get("findings", ())
        told = tuple(f"{each['kind']} {each['subject']}: {each['evidence']}" for each in found)
        return told if told or not code else (f"reconcile ended with {code}",)

    def _rest(self, transport: httpx.AsyncBaseTransport) -> RestClient:
        return RestClient(
            "http://paper",
            api_key=API_KEY,
            api_secret=kraken.SECRET,
            clock=self.clock,
            coordination=NonceSource(self.clock),
            transport=transport,
            tier="pro",
        )

    async def _arm(self, blows: Sequence[Blow]) -> None:
        start = self.clock.now()
        for blow in blows:
            await self._sleep_until(start + timedelta(seconds=blow.at_s))
            self.exchange.arm_fault(blow.rule)
        await self._sleep_until(start + timedelta(seconds=self._seconds - wide_s(self._seconds)))
        for each in self.exchange.faults.told()["armed"]:
            if not each["struck"] and each["where"]:  # the call that it waits for has not come
                self.exchange.faults.disarm(each["number"])
                self.exchange.arm_fault(aimed_wide(each["name"]))
        await self._sleep_until(start + timedelta(seconds=self._seconds))
        self.exchange.clear_faults()

    async def _sleep_until(self, at: datetime) -> None:
        left = (at - self.clock.now()).total_seconds()
        if left > 0:
            await self.clock.sleep(left)

    async def _lives(self, deaths: Sequence[Death]) -> None:
        start = self.clock.now()
        for number, death in enumerate(deaths):
            await self._live(number, start + timedelta(seconds=death.at_s), death)
            await self.clock.sleep(RESTART_S)
        end = start + timedelta(seconds=self._seconds + SETTLE_S)
        await self._live(len(deaths), end, None)

    async def _live(self, number: int, until: datetime, death: Death | None) -> None:
        """Engines one after the other until the death; one that ends by itself is begun again."""
        attempt = 0
        while death is not None or self.clock.now() < until:
            life, stop = Life(), asyncio.Event()
            began = ns_of(self.clock.now())
            running = asyncio.create_task(self._engine(life, stop, f"run-{number}-{attempt}"))
            ending = asyncio.create_task(self._end(life, stop, until, death))
            await asyncio.wait({running, ending}, return_when=asyncio.FIRST_COMPLETED)
            if life.is_over and not running.done():
                running.cancel()
            how = await _ended(running, life, is_told_to=stop.is_set())
            ending.cancel()
            self.chronicle.lives.append((began, ns_of(self.clock.now()), how))
            attempt += 1
            if how in ("killed", "stopped"):
                return
            await self.clock.sleep(RESTART_S)

    async def _end(
        self, life: Life, stop: asyncio.Event, until: datetime, death: Death | None
    ) -> None:
        await self._sleep_until(until)
        if death is None:
            stop.set()
            await asyncio.Event().wait()
        else:
            life.end_after(death.steps, at_an_order=death.at_an_order)
            with suppress(TimeoutError):
                await asyncio.wait_for(life.ended.wait(), DEATH_COMES_WITHIN_S)
            life.end()

    async def _engine(self, life: Life, stop: asyncio.Event, run_id: str) -> None:
        await self.store.run(_free_lease)
        door = in_process_transport(self._app)
        rest = self._rest(MortalTransport(door, life, self._notice))
        sockets = InProcessSockets(self.exchange, duplex_pair)
        plan = RunPlan(
            account=PAPER,
            policy=self.trial.policy,
            strategy=StressStrategy(self.trial.seed, self.trial.bustle.timeframe),
            spellings=SYMBOLS,
            cadence=Cadence(),
            clock=self.clock,
            wires=Wires(public_url="ws://paper/v2", private_url="ws://paper/v2/private", rest=rest),
            connect=mortal_sockets(sockets, life, self._notice),
            store=MortalStore(self.store, life),
            narrator=_Silent(),
            run_id=run_id,
            seed=self.trial.seed,
            compares=True,
            readiness=self._proof,
        )
        try:
            await run_engine(plan, stop)
        finally:
            await sockets.close(1006)
            await rest.aclose()

    async def _proof(self) -> tuple[str, ...]:
        """Slow, and clean: what the books lack is judged from outside."""
        await self.clock.sleep(PROOF_S)
        return ()


class _Silent(RecordingNarrator):
    """Remembers no plan, no outcome and no fill: a week has too many."""

    @override
    def show_plan(self, plan: Plan) -> None:
        """See `Approver`."""

    @override
    def show_outcome(self, outcome: StepOutcome) -> None:
        """See `Approver`."""

    @override
    def show_fill(self, fill: Fill) -> None:
        """See `Narrator`."""

    @override
    def show_closed(self, position: Position) -> None:
        """See `Narrator`."""


def _free_lease(transaction: Transaction) -> None:
    """A loop on the same host sees that the holder of the lease is dead, and takes it."""
    standing = transaction.lease(pinned=True)
    if standing is not None:
        transaction.release_lease(standing.holder)


async def _ended(running: asyncio.Task[None], life: Life, *, is_told_to: bool) -> str:
    try:
        await running
    except asyncio.CancelledError:
        return "killed"
    except Killed:
        return "killed"
    except ZoeError as error:
        return "killed" if life.is_over else f"{type(error).__name__}: {error.message}"
    except BaseExceptionGroup as group:
        if life.is_over and group.subgroup(Killed) is not None:
            return "killed"
        return f"{CRASHED}: {group.exceptions!r}"
    except Exception as error:  # noqa: BLE001 - whatever it is, the next engine is begun
        return f"{CRASHED}: {error!r}"
    return "stopped" if is_told_to else "ended"
