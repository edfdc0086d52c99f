"""Replays: the exchange, the wires and the loop in one process under virtual time.

One event loop whose time jumps, no socket and no thread; the REST client speaks to the exchange's
application, the streams to its frames, byte for byte as over the network. Everything is kept in a
throw-away home, which is audited from another process afterwards.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from zoe_tools.config import Settings
from zoe_tools.core.run_report import RunResult
from zoe_tools.domain.account import Account, fingerprint_of
from zoe_tools.domain.candle import Timeframe
from zoe_tools.engine.tracing import TraceRules
from zoe_tools.kraken.nonce import NonceSource
from zoe_tools.kraken.rest import RestClient
from zoe_tools.paper.app import create_app
from zoe_tools.paper.exchange.exchange import ExchangeOptions, PaperExchange
from zoe_tools.paper.exchange.state import StateFile
from zoe_tools.paper.exchange.stream_limits import UNLIMITED
from zoe_tools.paper.home import PaperHome
from zoe_tools.paper.inprocess import InProcessSockets
from zoe_tools.paper.markets.file import open_market
from zoe_tools.paper.markets.section import MarketSection
from zoe_tools.paper.values.market import MarketSource
from zoe_tools.paper.values.times import NS, moment_of
from zoe_tools.ports import Narrator
from zoe_tools.runtime.cadences import cadence_for, stretched_policy
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.curve import CurveRecorder, write_curve
from zoe_tools.runtime.duplex import duplex_pair
from zoe_tools.runtime.engine_run import RunPlan, run_engine
from zoe_tools.runtime.paper_clock import note_clock
from zoe_tools.runtime.paper_process import folder_of
from zoe_tools.runtime.paper_serving import FROZEN, note_market
from zoe_tools.runtime.replay_order import ReplayOrder
from zoe_tools.runtime.strategies import strategy_named
from zoe_tools.runtime.venue import Wires, in_process_transport
from zoe_tools.runtime.virtual_loop import run_virtual
from zoe_tools.store import schema
from zoe_tools.store.runner import InlineRunner
from zoe_tools.store.store import Store

BASE_URL = "http://paper"
SETTLE_CYCLES = 3
"""Cycles the loop is given after the last market event, for what is still on the wire."""

STARTING_CASH = Decimal(1000)
"""Quote currency on a replay's fresh account."""


def replay(settings: Settings, order: ReplayOrder, narrator: Narrator) -> RunResult:
    """Replay to the end of the file; the home then holds store and exchange for the audit.

    Raises:
        MarketDataError: the file cannot be replayed.
        ZoeError: what ended the run early.
    """
    source: MarketSource = open_market(order.market_data)
    if order.since is not None or order.until is not None:
        source = MarketSection(source, _ns(order.since), _ns(order.until))
    url = f"sqlite:///{order.home / 'zoe.db'}"
    schema.upgrade(url)
    return run_virtual(_run(settings, order, source, url, narrator))


def _ns(at: datetime | None) -> int | None:
    return None if at is None else round(at.timestamp()) * NS


async def _run(
    settings: Settings, order: ReplayOrder, source: MarketSource, url: str, narrator: Narrator
) -> RunResult:
    clock = VirtualClock(moment_of(source.starts_at))
    async with _exchange(order, source, clock) as exchange:
        keys = PaperHome(folder_of(order.home)).keys()
        rest = RestClient(
            BASE_URL,
            api_key=keys.api_key,
            api_secret=keys.api_secret,
            clock=clock,
            coordination=NonceSource(clock),
            transport=in_process_transport(create_app(exchange, proof_secret=None)),
            unlimited=True,
        )
        account = Account(venue="kraken", mode="paper", fingerprint=fingerprint_of(keys.api_key))
        store = Store.open(
            url,
            account,
            clock_now=clock.now(),
            synchronous="OFF",
            epoch_seed=f"{order.seed}",
        )
        try:
            return await _drive(settings, order, source, exchange, rest, account, store, narrator)
        finally:
            store.close()
            await rest.aclose()


async def _drive(
    settings: Settings,
    order: ReplayOrder,
    source: MarketSource,
    exchange: PaperExchange,
    rest: RestClient,
    account: Account,
    store: Store,
    narrator: Narrator,
) -> RunResult:
    stop = asyncio.Event()
    cadence = cadence_for(source.granularity_s)
    sockets = InProcessSockets(exchange, duplex_pair)
    # The market of a replay is what was asked for; the list is about the account.
    policy = replace(settings.policy(), allowed_symbols=None)
    timeframe = timeframe_for(source.granularity_s)
    strategy = strategy_named(order.strategy, settings, timeframe, is_funded=False)
    recorder = CurveRecorder(exchange.clock, timeframe)
    plan = RunPlan(
        account=account,
        policy=stretched_policy(policy, source.granularity_s),
        strategy=strategy,
        spellings=[pair.symbol for pair in source.pairs],
        cadence=cadence,
        clock=exchange.clock,
        wires=Wires(public_url="ws://paper/v2", private_url="ws://paper/v2/private", rest=rest),
        connect=sockets,
        store=InlineRunner(store),
        narrator=narrator,
        run_id=_run_id(order),
        seed=order.seed,
        trace=TraceRules(is_logged=False, holds_kept=None),
        watcher=recorder.watch,
        farewell=recorder.finish,
    )
    ending = asyncio.create_task(_stop_at_the_end(exchange, stop, cadence.cycle_s * SETTLE_CYCLES))
    try:
        result = await run_engine(plan, stop)
        if order.curve is not None:
            write_curve(order.curve, recorder.points)
        return replace(result, performance=await plan.store.run(recorder.performance))
    finally:
        ending.cancel()
        await sockets.close()


@asynccontextmanager
async def _exchange(
    order: ReplayOrder, source: MarketSource, clock: VirtualClock
) -> AsyncIterator[PaperExchange]:
    home = PaperHome(folder_of(order.home))
    keys = home.keys(seed=f"{order.seed}")
    exchange = PaperExchange(
        source,
        clock,
        state=StateFile(home.state_path, synchronous="OFF"),
        seed=order.seed,
        cadence=cadence_for(source.granularity_s),
        options=ExchangeOptions(wait_for_subscriber=True, streams=UNLIMITED),
    )
    quotes = {pair.quote for pair in source.pairs}
    exchange.create_account(
        "paper",
        keys.api_key,
        keys.api_secret,
        balances=dict.fromkeys(sorted(quotes), STARTING_CASH),
    )
    if isinstance(source, MarketSection):
        exchange.remember(source.past())
    pump = asyncio.create_task(exchange.run())
    try:
        yield exchange
    finally:
        pump.cancel()
        with suppress(asyncio.CancelledError):
            await pump
        exchange.close()
        note_market(order.home, FROZEN)
        note_clock(order.home, venue=clock.now(), speed=1.0)


async def _stop_at_the_end(exchange: PaperExchange, stop: asyncio.Event, settle_s: float) -> None:
    await exchange.finished.wait()
    await exchange.clock.sleep(settle_s)
    stop.set()


def timeframe_for(granularity_s: float) -> Timeframe:
    """The shortest candle that such a market fills: hourly candles are decided on hourly."""
    per_candle_s = granularity_s * 4
    for timeframe in Timeframe:
        if timeframe.length.total_seconds() >= per_candle_s * 0.9:
            return timeframe
    return Timeframe.D15


def _run_id(order: ReplayOrder) -> str:
    """Derived, so that two equal replays are equal in every byte."""
    text = f"{order.market_data.name}|{order.strategy}|{order.seed}"
    return f"run-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
