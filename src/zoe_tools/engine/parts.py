"""Everything a trading loop works with, put together in the runtime."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

from zoe_tools.core.strategy.protocol import Strategy
from zoe_tools.domain.account import Account, KeyInfo
from zoe_tools.domain.cadence import Cadence
from zoe_tools.domain.instrument import InstrumentCatalogue
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.snapshot import NOT_GATHERED, Missing, Reading
from zoe_tools.engine.asking import Asker, InlineAsker
from zoe_tools.engine.funding_watch import FundingWatch
from zoe_tools.engine.margin_watch import MarginWatch
from zoe_tools.engine.sightings import Sightings
from zoe_tools.engine.tracing import TraceRules
from zoe_tools.engine.work import WorkLog
from zoe_tools.engine.worth_watch import WorthWatch
from zoe_tools.gate.gate import Gate
from zoe_tools.kraken.api_errors import ApiErrors
from zoe_tools.kraken.breaker import CircuitBreaker
from zoe_tools.kraken.server_time import ServerTime
from zoe_tools.ports import Clock, Feed, Narrator, Output, ServiceManager, Venue
from zoe_tools.store.runner import StoreRunner


class NoServiceManager:
    """Nobody asked to be told."""

    def tell(self, state: str) -> None:
        """See `ServiceManager`."""


class NoOutput:
    """Whose lines are always taken."""

    lines_lost = 0

    def trouble(self) -> str:
        """See `Output`."""
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopParts:
    """Everything the loop works with; built in the runtime."""

    account: Account
    policy: Policy
    strategy: Strategy
    catalogue: InstrumentCatalogue
    """What the loop follows and may enter."""
    listed: InstrumentCatalogue
    """All that the venue lists: what is held is protected, whether it is followed or not."""
    cadence: Cadence
    clock: Clock
    venue: Venue
    feed: Feed
    store: StoreRunner
    gate: Gate
    sightings: Sightings
    narrator: Narrator
    is_shadow: bool = False
    compares: bool = False
    shares_store: bool = False
    """Whether other hosts use the store, and may take the account once the lease ran out."""
    news: asyncio.Event | None = None
    """Set by whoever hears that the trading state was changed; None where nobody can."""
    service: ServiceManager = field(default_factory=NoServiceManager)
    output: Output = field(default_factory=NoOutput)
    symbol_rest: timedelta = timedelta(0)
    """How long an instrument rests after a trade, as the strategy is told."""
    work: WorkLog = field(default_factory=WorkLog)
    asker: Asker = field(default_factory=InlineAsker)
    trace: TraceRules = field(default_factory=TraceRules)
    funding: FundingWatch | None = None
    """None where no source of perpetual funding is configured."""
    key: Reading[KeyInfo] | Missing = NOT_GATHERED
    worth: WorthWatch | None = None
    margin: MarginWatch | None = None
    """None where nobody asks how much margin is in use."""
    dead_man_s: int = 0
    """Of the venue's countdown, which the gate sets; 0: it is not used."""
    alarm: asyncio.Event | None = None
    """Set by SIGUSR1; None where no signal is heard."""
    venue_time: ServerTime | None = None
    """How far the clocks are apart; None where nobody measures it."""
    api_errors: ApiErrors | None = None
    breaker: CircuitBreaker | None = None
    """None where no call is ever kept back."""
