"""Assembles a run of the trading loop from a venue, a feed, a store and a strategy.

The same assembly serves all regimes; what differs is where the bytes go and what time it is.
"""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from functools import partial

from zoe_tools.core.run_report import RunResult, summarise
from zoe_tools.core.strategy.protocol import Strategy
from zoe_tools.domain.account import Account, KeyInfo
from zoe_tools.domain.cadence import Cadence
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.snapshot import Missing, Reading
from zoe_tools.engine.alarm import StandbyAlarm
from zoe_tools.engine.asking import Asker, InlineAsker
from zoe_tools.engine.funding_watch import FundingWatch
from zoe_tools.engine.leasing import Holder
from zoe_tools.engine.loop import TradingLoop
from zoe_tools.engine.margin_watch import MarginWatch
from zoe_tools.engine.parts import LoopParts, NoOutput, NoServiceManager
from zoe_tools.engine.sightings import Sightings
from zoe_tools.engine.starting import Readiness
from zoe_tools.engine.supervisor import Farewell, Watcher, supervise
from zoe_tools.engine.tracing import TraceRules
from zoe_tools.engine.worth_watch import OverheardFeed, WorthWatch
from zoe_tools.errors import VenueError
from zoe_tools.gate.emergency_journal import EmergencyJournal
from zoe_tools.gate.gate import Gate
from zoe_tools.gate.journal import Author
from zoe_tools.kraken.account_reads import AccountReads
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.ports import Clock, Connect, FundingSource, Narrator, Output, ServiceManager
from zoe_tools.runtime.first_answers import CATALOGUE_S, TIME_S, answer_soon
from zoe_tools.runtime.loop_lock import PROCESS, is_gone, this_process
from zoe_tools.runtime.venue import Wires, make_feed
from zoe_tools.runtime.waiting_start import once_it_answers
from zoe_tools.store.runner import StoreRunner
from zoe_tools.store.store import Transaction

KEY_PATIENCE_S = 1.0
"""How long a start waits for what the key may do, in the loop's seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """Everything a run needs to know before it starts."""

    account: Account
    policy: Policy
    strategy: Strategy
    spellings: Sequence[str]
    cadence: Cadence
    clock: Clock
    wires: Wires
    connect: Connect
    store: StoreRunner
    narrator: Narrator
    run_id: str
    seed: int
    operator: str = ""
    live_consent: bool = False
    is_shadow: bool = False
    is_standby: bool = False
    compares: bool = False
    shares_store: bool = False
    emergency: EmergencyJournal | None = None
    readiness: Readiness | None = None
    watcher: Watcher | None = None
    farewell: Farewell | None = None
    news: asyncio.Event | None = None
    alarm: asyncio.Event | None = None
    asker: Asker = field(default_factory=InlineAsker)
    trace: TraceRules = field(default_factory=TraceRules)
    service: ServiceManager = field(default_factory=NoServiceManager)
    output: Output = field(default_factory=NoOutput)
    symbol_rest: timedelta = timedelta(0)
    funding: FundingSource | None = None
    funding_poll_s: float = 300.0
    dead_man_s: int = 0


def standby_alarm(plan: RunPlan, alarm: asyncio.Event) -> StandbyAlarm:
    """What the signal does before the run has begun."""
    author = Author(
        account=plan.account,
        command="run",
        operator=plan.operator,
        host=platform.node(),
        pid=os.getpid(),
        process=PROCESS,
    )
    return StandbyAlarm(
        alarm=alarm,
        store=plan.store,
        clock=plan.clock,
        account=plan.account,
        policy=plan.policy,
        author=author,
        narrator=plan.narrator,
        is_shadow=plan.is_shadow,
    )


async def run_engine(plan: RunPlan, stop: asyncio.Event) -> RunResult:
    """Run until `stop`, then report.

    Raises:
        ZoeError: whatever ended the run early; the journal is whole.
    """
    parts = await once_it_answers(
        partial(_assemble, plan),
        store=plan.store,
        clock=plan.clock,
        narrator=plan.narrator,
        service=plan.service,
        alarm=None if plan.alarm is None else standby_alarm(plan, plan.alarm),
        stop=stop,
    )
    holder = Holder(
        run_id=plan.run_id, host=platform.node(), pid=os.getpid(), machine=this_process()
    )
    loop, tally = await supervise(
        parts,
        holder=holder,
        stop=stop,
        is_gone=is_gone,
        readiness=plan.readiness,
        watcher=plan.watcher,
        farewell=plan.farewell,
        is_standby=plan.is_standby,
    )
    marks = marks_of(loop)
    started = tally.started_at

    def finish(transaction: Transaction) -> RunResult:
        transaction.record_balances(loop.totals(), at=tally.ended_at, source="balances stream")
        return summarise(
            strategy=plan.strategy.name,
            tally=tally,
            orders=[each for each in transaction.orders() if each.created_at >= started],
            fills=transaction.fills(since=started),
            positions=[
                each
                for each in transaction.positions()
                if each.closed_at is None or each.closed_at >= started
            ],
            marks=marks,
        )

    return await plan.store.run(finish)


async def _assemble(plan: RunPlan) -> LoopParts:
    reader = KrakenSpot(plan.wires.rest, plan.clock)
    # Before the first order: its deadline is told by the venue's clock, over either wire.
    await answer_soon(reader.server_time, TIME_S)
    catalogue = await answer_soon(reader.catalogue, CATALOGUE_S)
    instruments = [catalogue.resolve(spelling) for spelling in plan.spellings]
    feed = make_feed(
        plan.wires,
        reader,
        connect=plan.connect,
        clock=plan.clock,
        cadence=plan.cadence,
        instruments=instruments,
        seed=plan.seed,
    )
    venue = KrakenSpot(
        plan.wires.rest, plan.clock, orders=feed.orders, time=reader.time, catalogue=catalogue
    )
    policy = _policy_of(plan)
    sightings = Sightings(plan.clock)
    gate = _gate_of(plan, venue, policy, sightings)
    worth = WorthWatch(venue, plan.store, plan.clock, catalogue)
    reads = AccountReads(plan.wires.rest, venue.catalogue)
    return LoopParts(
        account=plan.account,
        policy=policy,
        strategy=plan.strategy,
        catalogue=catalogue.narrowed_to(each.symbol for each in instruments),
        listed=catalogue,
        cadence=plan.cadence,
        clock=plan.clock,
        venue=venue,
        feed=OverheardFeed(feed, worth),
        store=plan.store,
        gate=gate,
        sightings=sightings,
        narrator=plan.narrator,
        is_shadow=plan.is_shadow,
        compares=plan.compares,
        shares_store=plan.shares_store,
        news=plan.news,
        alarm=plan.alarm,
        key=await _key_of(reader, plan.clock),
        worth=worth,
        margin=MarginWatch(reads.margin_standing, plan.clock, plan.cadence),
        asker=plan.asker,
        dead_man_s=plan.dead_man_s,
        trace=plan.trace,
        service=plan.service,
        output=plan.output,
        symbol_rest=plan.symbol_rest,
        funding=_funding(plan),
        breaker=plan.wires.rest.breaker,
        api_errors=plan.wires.rest.api_errors,
        venue_time=venue.time,
    )


def _gate_of(plan: RunPlan, venue: KrakenSpot, policy: Policy, sightings: Sightings) -> Gate:
    return Gate(
        venue=venue,
        store=plan.store,
        clock=plan.clock,
        approver=plan.narrator,
        account=plan.account,
        policy=policy,
        command="run",
        operator=plan.operator,
        host=platform.node(),
        pid=os.getpid(),
        process=PROCESS,
        live_consent=plan.live_consent,
        proof=sightings.proof,
        countdown=None if plan.is_shadow else venue.cancel_all_after,
        emergency=plan.emergency,
    )


def _funding(plan: RunPlan) -> FundingWatch | None:
    if plan.funding is None:
        return None
    return FundingWatch(plan.funding, plan.clock, poll_s=plan.funding_poll_s)


async def _key_of(venue: KrakenSpot, clock: Clock) -> Reading[KeyInfo] | Missing:
    """What the key may do; where nobody says, nothing new is risked, and the loop asks again soon.

    What is held waits for the loop: it is no matter of the key, and not kept by a slow answer.
    """
    try:
        async with asyncio.timeout(KEY_PATIENCE_S):
            return Reading(await venue.key_info(), clock.now(), "GetApiKeyInfo")
    except VenueError as error:
        return Missing(error.message.rstrip("."))
    except TimeoutError:
        return Missing(f"GetApiKeyInfo has not answered within {KEY_PATIENCE_S:g} s")


def marks_of(loop: TradingLoop) -> dict[Symbol, Decimal]:
    """The bids the loop last saw: what open positions could be sold for."""
    return {symbol: quote.bid for symbol, quote in loop.view.quotes.items()}


def _policy_of(plan: RunPlan) -> Policy:
    """The strategy's own distances, where it has them, take the place of the policy's."""
    strategy, policy = plan.strategy, plan.policy
    return replace(
        policy,
        stop_loss_pct=strategy.stop_loss_pct or policy.stop_loss_pct,
        take_profit_pct=strategy.take_profit_pct or policy.take_profit_pct,
    )
