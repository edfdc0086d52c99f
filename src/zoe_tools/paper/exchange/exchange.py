"""The paper exchange as its dialects see it: accounts, commands, queries, and the market's pump.

It waits only through its clock, and nothing of a step is told outside before it is in the state
file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any, TypeVar

from typing_extensions import override

from zoe_tools.domain.cadence import Cadence
from zoe_tools.errors import StoreUnavailable
from zoe_tools.paper.engine.engine import Engine
from zoe_tools.paper.engine.floor import Floor
from zoe_tools.paper.engine.funding import FundingOptions
from zoe_tools.paper.engine.rate_counters import TIERS, TierName
from zoe_tools.paper.exchange.account_commands import AccountCommands
from zoe_tools.paper.exchange.export_commands import ExportCommands
from zoe_tools.paper.exchange.fault_commands import FaultCommands
from zoe_tools.paper.exchange.fault_lag import RestLag
from zoe_tools.paper.exchange.faults import FaultDesk
from zoe_tools.paper.exchange.funding_commands import FundingCommands
from zoe_tools.paper.exchange.history import Archive
from zoe_tools.paper.exchange.keys import ApiKey, KeyRing
from zoe_tools.paper.exchange.lockouts import Lockouts
from zoe_tools.paper.exchange.margin_commands import MarginCommands
from zoe_tools.paper.exchange.order_commands import OrderCommands
from zoe_tools.paper.exchange.state import Situation, StateFile
from zoe_tools.paper.exchange.stream_limits import StreamLimits
from zoe_tools.paper.exchange.tokens import TokenBook
from zoe_tools.paper.values.events import (
    BookEvent,
    EngineEvent,
    ExportEvent,
    LedgerEvent,
    MarginEvent,
    ModeEvent,
    MovementEvent,
    OrderEvent,
    PositionEvent,
    PrintEvent,
)
from zoe_tools.paper.values.exports import ExportOptions
from zoe_tools.paper.values.market import MarketEvent, MarketSource, Print
from zoe_tools.paper.values.quirks import Quirks
from zoe_tools.paper.values.times import NS, ns_of
from zoe_tools.ports import Clock

T = TypeVar("T")
Listener = Callable[[EngineEvent], None]
StepListener = Callable[[Sequence[EngineEvent]], None]
_MARKET_STEPS_PER_COMMIT = 500
_FORMAT = 1
_COMMITTED = (LedgerEvent, ModeEvent, MovementEvent, ExportEvent, PositionEvent, MarginEvent)
_SETTLE_S = 0.05
"""After the first subscriber, a moment for its other subscriptions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeOptions:
    """Switches of one exchange.

    `holds_before_trigger`: triggered orders hold funds while they wait. A market order stops
    `protection_pct` percent away from the best price it met (None: never).
    `wait_for_subscriber`: the market stands still until somebody has subscribed to it.
    A private request arrives `latency_s` venue seconds after it was sent. With `is_mirror` the
    market is told by `hear`, and never ends.
    With a state file at least the `history_in_memory` newest closed orders, trades and ledger rows
    of an account are at hand; older ones are read from the file.
    `tier`: whose counters of REST calls and order transactions apply, and how many orders may be
    open in a pair; None counts nothing.
    `streams`: how often, how fast and how much a client may ask of the sockets; `funding`: how
    long money is on its way; `exports`: how long a report takes.
    """

    holds_before_trigger: bool = True
    protection_pct: Decimal | None = Decimal(10)
    max_open_orders: int = 225
    wait_for_subscriber: bool = False
    latency_s: float = 0.0
    is_mirror: bool = False
    history_in_memory: int = 1_000
    tier: TierName | None = None
    streams: StreamLimits = field(default_factory=StreamLimits)
    quirks: Quirks = field(default_factory=Quirks)
    funding: FundingOptions = field(default_factory=FundingOptions)
    exports: ExportOptions = field(default_factory=ExportOptions)


class PaperExchange(
    OrderCommands, AccountCommands, FundingCommands, ExportCommands, MarginCommands, FaultCommands
):
    """One exchange. `source=None` serves what the state file last knew, and nothing moves."""

    def __init__(
        self,
        source: MarketSource | None,
        clock: Clock,
        *,
        state: StateFile | None = None,
        seed: int = 0,
        cadence: Cadence | None = None,
        options: ExchangeOptions | None = None,
    ) -> None:
        self.clock = clock
        self._moment: datetime | None = None
        self._moment_ns = 0
        self.cadence = cadence or Cadence()
        self.options = options or ExchangeOptions()
        self.funding_options = self.options.funding
        self.export_options = self.options.exports
        tier = self.options.tier
        self.tier = None if tier is None else TIERS[tier]
        self.finished = asyncio.Event()
        self.faults = FaultDesk(seed)
        self.lag = RestLag(self.faults)
        self._source = source
        self._state = state
        self._is_grouping = self._is_due = False
        self._awaited: int | None = None
        self._used_keys: dict[str, ApiKey] = {}
        self._seed = seed
        self._listeners: list[StepListener] = []
        self._companions: dict[Any, Any] = {}
        self._keys = KeyRing()
        self._lockouts = Lockouts()
        self.tokens = TokenBook()
        self._subscribed = asyncio.Event()
        self._alarm = asyncio.Event()
        self._unsaved: list[EngineEvent] = []
        self._unsaved_steps = 0
        self._moved: set[str] = set()
        floor, self._skip = self._open()
        self._saved_pairs = tuple(floor.pairs.values())
        super().__init__(floor)
        self._engine = Engine(
            self._floor,
            protection_pct=self.options.protection_pct,
            holds_before_trigger=self.options.holds_before_trigger,
            max_open_orders=(
                self.options.max_open_orders if self.tier is None else self.tier.open_orders
            ),
            has_tiers=self.tier is not None,
            margin=self.options.quirks.margin,
        )

    def _open(self) -> tuple[Floor, int]:
        """The floor from source and state; and how many source events it has seen already."""
        source_pairs = self._source.pairs if self._source is not None else ()
        saved = self._state.situation() if self._state is not None else None
        if saved is None or self._state is None:
            return Floor(source_pairs, self._seed), 0
        known = {spec.symbol for spec in source_pairs}
        pairs = (*source_pairs, *(spec for spec in saved.pairs if spec.symbol not in known))
        self._seed = saved.seed
        floor = Floor(pairs, saved.seed)
        self._state.restore(floor, saved, kept=self.options.history_in_memory)
        for key in self._state.api_keys():
            self._keys.add(key)
            self._lockouts.lock(key.principal.api_key, key.locked_until)
        starts_at = self._source.starts_at if self._source is not None else None
        return floor, saved.market_events if starts_at == saved.source_starts_at else 0

    def remember(self, past: Iterable[Print]) -> None:
        """Put trades of before the opening on the tapes: candles and statistics know of them."""
        for each in past:
            symbol = each.symbol
            self._floor.tapes[symbol].add(
                PrintEvent(
                    at=each.at,
                    symbol=symbol,
                    trade_id=self._floor.mint.count(f"print {symbol}"),
                    side=each.side,
                    price=each.price,
                    quantity=each.quantity,
                    is_market=each.is_market,
                )
            )
            self._floor.book(symbol).last = each.price

    @property
    @override
    def quirks(self) -> Quirks:
        """As the options have them."""
        return self.options.quirks

    def companion(self, kind: Callable[[PaperExchange], T]) -> T:
        """The one of its kind that goes with this exchange, made when it is first asked for."""
        known: T | None = self._companions.get(kind)
        if known is None:
            known = self._companions[kind] = kind(self)
        return known

    # time and life
    @override
    def now(self) -> int:
        """The exchange's time in ns; never falls."""
        return max(self._floor.now, self._told_by_clock())

    def _told_by_clock(self) -> int:
        """The clock's time in ns; reckoned once for each time that it tells."""
        moment = self.clock.now()
        if moment is not self._moment:
            self._moment, self._moment_ns = moment, ns_of(moment)
        return self._moment_ns

    async def run(self) -> None:
        """Pump the source's events at their times until it is exhausted, and end expired orders."""
        expiring = asyncio.create_task(self._expire_when_due())
        try:
            await self._pump()
        finally:
            expiring.cancel()
            (ended,) = await asyncio.gather(expiring, return_exceptions=True)
            self.save()
        if isinstance(ended, Exception):
            raise ended
        self.finished.set()

    async def _pump(self) -> None:
        if self._source is None:
            return
        if self.options.wait_for_subscriber:
            await self._subscribed.wait()
            await asyncio.sleep(_SETTLE_S)
        for event in islice(self._source.events(), self._skip, None):
            await self.clock.sleep(max(0.0, (event.at - self._told_by_clock()) / NS))
            self.hear(event)
        if self.options.is_mirror:
            await asyncio.Event().wait()

    async def _expire_when_due(self) -> None:
        while True:
            due = self._awaited = self._floor.next_expiry()
            self._alarm.clear()
            alarm = asyncio.create_task(self._alarm.wait())
            waits: set[asyncio.Task[object]] = {alarm}
            if due is not None:
                delay = max(0.0, (due - self.now()) / NS)
                waits.add(asyncio.create_task(self.clock.sleep(delay)))
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in waits:
                    task.cancel()
            self._floor_expire(self.now())

    def _floor_expire(self, now: int) -> None:
        due = self._floor.next_expiry()
        if due is not None and due <= now:
            self._tell(self._engine.expire(now))
            self.faults.standing("maintenance", now)

    def hear(self, event: MarketEvent) -> None:
        """Something happened at the market: told by the source, or by whoever mirrors one."""
        self._floor_expire(event.at)
        self._moved.add(event.symbol)
        self._tell(self._engine.market(event))
        self._ring()

    @override
    def save(self) -> None:
        """Write what is unwritten."""
        self._commit()

    def close(self) -> None:
        """Save and let go of the state file. The exchange is not to be used after it."""
        if self._state is not None:
            self.save()
            self._state.close()
            self._state = None

    # events
    def add_listener(self, listener: Listener) -> Callable[[], None]:
        """Hear every engine event after its commit, or before: see `group_commits`.

        Returns how to stop. A listener never awaits.
        """

        def hear(events: Sequence[EngineEvent]) -> None:
            for event in events:
                listener(event)

        return self.add_step_listener(hear)

    def add_step_listener(self, listener: StepListener) -> Callable[[], None]:
        """As `add_listener`, for whoever wants to know what happened in one step."""
        self._listeners.append(listener)

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return stop

    def subscribed(self) -> None:
        """A public subscription is up: a pump that waits for one may start."""
        self._subscribed.set()

    @override
    def _tell(
        self,
        events: list[EngineEvent],
        keys: tuple[ApiKey, ...] = (),
        *,
        may_wait: bool = False,
    ) -> None:
        must_commit = bool(keys)
        for event in events:
            if isinstance(event, BookEvent):
                continue  # most of all there is
            if isinstance(event, OrderEvent):
                self.lag.hear(event)
                self._moved.add(event.order.symbol)
                must_commit = True
            elif isinstance(event, _COMMITTED):
                must_commit = True
            elif isinstance(event, PrintEvent):
                self._unsaved.append(event)
        self._unsaved_steps += 1
        if must_commit:
            self._unsaved += [one for one in events if not isinstance(one, PrintEvent)]
            if may_wait and self._is_grouping:
                self._flush_soon()
            else:
                self._commit(keys)
        elif self._unsaved_steps >= _MARKET_STEPS_PER_COMMIT:
            self._commit()
        for listener in tuple(self._listeners):
            listener(events)

    def group_commits(self) -> None:
        """From now on the order commands of one turn of the event loop share a transaction.

        The listeners hear of them at once; whoever sends on what they heard, or an answer, must
        `flush` first.
        """
        self._is_grouping = True

    def _flush_soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._flush_if_possible)

    def _flush_if_possible(self) -> None:
        # whoever has something to tell flushes for itself, and says that it cannot be
        with suppress(StoreUnavailable):
            self.flush()

    def flush(self) -> None:
        """Put on disk what the order commands have done; nothing of it may leave before."""
        if self._is_due:
            self._commit()

    @override
    def _used(self, key: ApiKey) -> None:
        if self._state is None:
            return
        if self._is_grouping:
            self._used_keys[key.principal.api_key] = key
            self._flush_soon()
        else:
            self._state.save_key(key)

    @override
    def _forget_key(self, api_key: str) -> None:
        self._used_keys.pop(api_key, None)
        if self._state is not None:
            self._state.forget_key(api_key)

    @property
    @override
    def _archive(self) -> Archive | None:
        self.flush()
        return None if self._state is None else self._state.archive

    def _commit(self, keys: tuple[ApiKey, ...] = ()) -> None:
        # events are kept until they are on disk: a commit that fails is made good by the next one
        if self._state is not None:
            self._state.commit(
                self._floor,
                self._unsaved,
                situation=self._situation(),
                symbols=self._moved,
                keys=keys,
                used=tuple(self._used_keys.values()),
            )
            self._used_keys.clear()
            for account in self._floor.accounts.values():
                account.forget_filed(self.options.history_in_memory)
        self._unsaved.clear()
        self._moved.clear()
        self._unsaved_steps = 0
        self._is_due = False

    def _situation(self) -> Situation:
        return Situation(
            format=_FORMAT,
            seed=self._seed,
            now=self._floor.now,
            market_events=self._floor.market_events,
            source_starts_at=self._source.starts_at if self._source is not None else None,
            mode=self._floor.mode,
            counters=self._floor.mint.counters,
            pairs=self._saved_pairs,
            dead_men=self._floor.dead_men,
            planned_modes=tuple(self._floor.planned_modes),
            rates=self._floor.rates.meters,
        )

    @override
    def _ordered(self, events: list[EngineEvent]) -> None:
        self._tell(events, may_wait=True)
        self._ring()

    @override
    def _said(self, events: list[EngineEvent]) -> None:
        self._tell(events)
        self._ring()

    def _ring(self) -> None:
        """Wake whoever waits for what is due next, if that is another moment now."""
        if self._floor.next_expiry() != self._awaited:
            self._alarm.set()

    @override
    def _catch_up(self) -> int:
        now = self.now()
        self._floor_expire(now)
        return now
