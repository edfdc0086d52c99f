"""The trading loop over the venue in memory and a feed that a test scripts, in virtual time.

What the venue does to our orders is told on the feed as it happens, as the executions stream does;
`hear_nothing()` takes that away. Quotes are as old as the test last told them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from typing_extensions import override

import builders
from builders import BTC, NOON, d, make_catalogue, make_instrument, make_intent, make_quote
from fakes import FakeVenue, RecordingApprover, fresh_store
from zoe_tools.core.candles import CandleBuilder
from zoe_tools.core.run_report import LoopTally
from zoe_tools.core.strategy.protocol import Action, Decision, MarketView
from zoe_tools.domain.cadence import Cadence
from zoe_tools.domain.candle import Candle, Timeframe
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import ClientOrderId, Symbol, VenueOrderId
from zoe_tools.domain.journal import IntentKind, IntentState
from zoe_tools.domain.market import PublicTrade, VenueMode
from zoe_tools.domain.observation import Lease
from zoe_tools.domain.order import OrderAmendment, OrderRequest, OrderStatus, Side, VenueOrder
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.position import Position
from zoe_tools.domain.stream import (
    Backlog,
    BalancesSnapshot,
    ChecksumTally,
    ExecutionKind,
    ExecutionReport,
    QuoteUpdate,
    StreamDown,
    StreamEvent,
    StreamUp,
    TradeUpdate,
    VenueModeUpdate,
    Wire,
)
from zoe_tools.domain.wallet import MAIN
from zoe_tools.engine.leasing import Holder
from zoe_tools.engine.loop import TradingLoop
from zoe_tools.engine.margin_watch import MarginWatch
from zoe_tools.engine.parts import LoopParts
from zoe_tools.engine.sightings import Sightings
from zoe_tools.engine.starting import Readiness
from zoe_tools.engine.supervisor import supervise
from zoe_tools.engine.worth_watch import WorthWatch
from zoe_tools.errors import StoreUnavailable
from zoe_tools.gate.emergency_journal import EmergencyJournal
from zoe_tools.gate.gate import Gate
from zoe_tools.gate.spare import SpareStore
from zoe_tools.kraken.api_errors import ApiErrors
from zoe_tools.kraken.breaker import CircuitBreaker
from zoe_tools.ports import Still
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual
from zoe_tools.store.emergency_file import EmergencyFile
from zoe_tools.store.runner import InlineRunner, StoreRunner
from zoe_tools.store.store import Transaction

T = TypeVar("T")

QUOTED_BEFORE_S = 2
"""The last quote of a minute is told so long before its end."""

AFTER_THE_CLOSE_S = 5
"""How long a test waits from there: three seconds of turns after the close."""

RAN_AWAY = d("1.02")

_KINDS = {
    OrderStatus.OPEN: ExecutionKind.NEW,
    OrderStatus.CANCELED: ExecutionKind.CANCELED,
    OrderStatus.EXPIRED: ExecutionKind.EXPIRED,
}


class SettableClock(VirtualClock):
    """A clock that somebody may set; sleeps go on."""

    set_by: timedelta = timedelta(0)

    @override
    def now(self) -> datetime:
        return super().now() + self.set_by


class ScriptedFeed:
    """Streams what a test puts in."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[StreamEvent | None] = asyncio.Queue()
        self.is_closed = False

    def tell(self, event: StreamEvent) -> None:
        """The next event."""
        self._queue.put_nowait(event)

    async def events(self) -> AsyncIterator[StreamEvent]:
        """Until closed."""
        while (event := await self._queue.get()) is not None:
            yield event

    @property
    def checksums(self) -> ChecksumTally:
        """As if one book had been verified."""
        return ChecksumTally(verified=1)

    @property
    def backlog(self) -> Backlog:
        """What was told and not yet taken."""
        return Backlog(waiting=self._queue.qsize(), room=10_000)

    async def close(self) -> None:
        """The iterator ends."""
        self.is_closed = True
        self._queue.put_nowait(None)


class ToldVenue(FakeVenue):
    """A venue in memory whose changes are told at once, before the answer arrives.

    Its candles are made of `prints`, after those of the `past`.
    """

    on_change: Callable[[], None] = staticmethod(lambda: None)
    past: tuple[Candle, ...] = ()

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.prints: list[PublicTrade] = []

    @override
    async def candles(
        self, symbol: Symbol, timeframe: Timeframe, since: datetime | None = None
    ) -> tuple[Candle, ...]:
        await super().candles(symbol, timeframe, since)
        builder = CandleBuilder(symbol, timeframe, price_decimals=1)
        found: list[Candle | None] = [each for each in self.past if each.symbol == symbol]
        found += [builder.add(trade) for trade in self.prints if trade.symbol == symbol]
        found.append(builder.close_due(self._clock.now() + timeframe.length))
        return tuple(
            each
            for each in found
            if each is not None and (since is None or each.opened_at >= since)
        )

    @override
    async def place(
        self,
        request: OrderRequest,
        *,
        client_order_id: ClientOrderId,
        deadline: datetime,
        still: Still | None = None,
    ) -> VenueOrderId:
        try:
            return await super().place(
                request,
                client_order_id=client_order_id,
                deadline=deadline,
                still=still,
            )
        finally:
            self.on_change()

    @override
    async def amend(self, amendment: OrderAmendment, *, deadline: datetime) -> str:
        try:
            return await super().amend(amendment, deadline=deadline)
        finally:
            self.on_change()

    @override
    async def cancel(self, venue_order_id: VenueOrderId) -> int:
        try:
            return await super().cancel(venue_order_id)
        finally:
            self.on_change()


@dataclass
class ScriptedStrategy:
    """Says once per instrument what a test told it to want, at the next close."""

    wanted: dict[Symbol, Action] = field(default_factory=dict)
    seen: list[MarketView] = field(default_factory=list)
    name: str = "scripted"
    timeframe: Timeframe = Timeframe.M1
    history: int = 5
    stop_loss_pct: None = None
    take_profit_pct: None = None
    absent_features: tuple[str, ...] = ()

    def decide(self, view: MarketView) -> Decision:
        """What is wanted, or to hold."""
        self.seen.append(view)
        action = self.wanted.pop(view.symbol, "hold")
        return Decision(symbol=view.symbol, action=action, reason="scripted")


class FailingRunner:
    """A store's runner; while `is_away` is set, nothing reaches the store."""

    def __init__(self, store: StoreRunner) -> None:
        self._store = store
        self.is_away = False

    async def run(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """See `StoreRunner`."""
        if self.is_away:
            raise StoreUnavailable("The test took the store away.")
        return await self._store.run(work, is_urgent=is_urgent)

    async def read(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """See `StoreRunner`."""
        if self.is_away:
            raise StoreUnavailable("The test took the store away.")
        return await self._store.read(work, is_urgent=is_urgent)

    async def close(self) -> None:
        """See `StoreRunner`."""
        await self._store.close()


@dataclass
class RecordingNarrator(RecordingApprover):
    """Also remembers fills and closed positions."""

    fills: list[Fill] = field(default_factory=list)
    closed: list[Position] = field(default_factory=list)
    notes: list[tuple[datetime, str]] = field(default_factory=list)
    wires: list[tuple[str, bool]] = field(default_factory=list)
    phases: list[tuple[str, str]] = field(default_factory=list)
    standings: list[tuple[datetime, tuple[str, ...]]] = field(default_factory=list)

    def show_fill(self, fill: Fill) -> None:
        """Note it."""
        self.fills.append(fill)

    def show_closed(self, position: Position) -> None:
        """Note it."""
        self.closed.append(position)

    def show_withheld(self, at: datetime, reason: str) -> None:
        """See `Narrator`."""
        self.notes.append((at, reason))

    def show_note(self, at: datetime, note: str) -> None:
        """Note it."""
        self.notes.append((at, note))

    def show_wire(self, at: datetime, wire: str, *, is_up: bool) -> None:
        """Note it."""
        del at
        self.wires.append((wire, is_up))

    def show_phase(self, at: datetime, phase: str, reason: str) -> None:
        """Note it."""
        del at
        self.phases.append((phase, reason))

    def show_standing(self, at: datetime, reasons: tuple[str, ...]) -> None:
        """Note it."""
        self.standings.append((at, reasons))


class LoopRig:
    """One loop with everything a test may touch; `loop` once it runs."""

    def __init__(
        self,
        folder: Path,
        *,
        policy: Policy,
        is_shadow: bool,
        starts_at: datetime = NOON,
        has_spare: bool = False,
        compares: bool = False,
    ) -> None:
        self.clock = SettableClock(starts_at)
        self.breaker: CircuitBreaker | None = None
        self.alarm: asyncio.Event | None = None
        self.dead_man: Callable[[int], Awaitable[datetime | None]] | None = None
        self.dead_man_s = 60
        self.api_errors: ApiErrors | None = None
        self.margin: MarginWatch | None = None
        self.worth: WorthWatch | None = None
        self.venue = ToldVenue(self.clock)
        self.venue.on_change = self.tell_orders
        self.feed = ScriptedFeed()
        self.store = InlineRunner(fresh_store(folder))
        self.disk = FailingRunner(self.store)
        self.emergency: EmergencyJournal | None = None
        if has_spare:
            self.emergency = EmergencyJournal(EmergencyFile(folder), builders.PAPER)
        self.strategy = ScriptedStrategy()
        self.narrator = RecordingNarrator()
        self.policy = policy
        self.stop = asyncio.Event()
        self.news: asyncio.Event | None = None
        self.loop: TradingLoop | None = None
        self.is_deaf = False
        self.shares_store = False
        self._is_shadow = is_shadow
        self._compares = compares
        self._told: dict[VenueOrderId, VenueOrder] = {}
        self._fills_told = 0
        self._trades = 0

    # --- the market ------------------------------------------------------------------------------

    def come_up(self, *wires: Wire) -> None:
        """These wires (both, if none is named) are connected; the venue is online."""
        self.feed.tell(VenueModeUpdate(mode=VenueMode.ONLINE))
        for wire in wires or ("public", "private"):
            self.feed.tell(StreamUp(wire=wire, at=self.clock.now()))
        self._tell_balances()

    def go_down(self, wire: Wire) -> None:
        """A wire is lost."""
        self.feed.tell(StreamDown(wire=wire, at=self.clock.now(), reason="test"))

    def quote(self, symbol: Symbol = BTC) -> None:
        """Tell the venue's prices."""
        self.feed.tell(self.quoted(self.venue.prices[symbol], symbol))

    def quoted(self, prices: tuple[Decimal, Decimal], symbol: Symbol = BTC) -> QuoteUpdate:
        """These prices, as of now."""
        bid, ask = prices
        quote = make_quote(symbol, bid=bid, ask=ask, last=bid, as_of=self.clock.now())
        return QuoteUpdate(quote=quote)

    def move(self, bid: str, ask: str, symbol: Symbol = BTC) -> None:
        """The market moves, and tells."""
        self.venue.set_price(symbol, bid, ask)
        self.quote(symbol)

    def print_trade(self, symbol: Symbol = BTC, *, price: str = "", is_heard: bool = True) -> None:
        """Somebody traded, at the bid if no price is named; the stream may not tell of it."""
        self._trades += 1
        trade = PublicTrade(
            symbol=symbol,
            trade_id=self._trades,
            side=Side.SELL,
            price=d(price) if price else self.venue.prices[symbol][0],
            quantity=d("0.1"),
            traded_at=self.clock.now(),
        )
        self.venue.prints.append(trade)
        if is_heard:
            self.feed.tell(TradeUpdate(trades=(trade,)))

    async def close_candle(
        self, *symbols: Symbol, is_quoted: bool = True, runs_away: bool = False
    ) -> None:
        """A trade, a quote shortly before the minute is over, and the first moments of the next.

        When it runs away, the venue's price is out of reach as soon as the quote is told.
        """
        for symbol in symbols or (BTC,):
            self.print_trade(symbol)
        await self.clock.sleep(60 - self._second())
        if is_quoted:
            for symbol in symbols or (BTC,):
                self.quote(symbol)
        if runs_away:
            for symbol in symbols or (BTC,):
                bid, ask = self.venue.prices[symbol]
                self.venue.prices[symbol] = (bid * RAN_AWAY, ask * RAN_AWAY)
        await self.clock.sleep(AFTER_THE_CLOSE_S)

    def _second(self) -> float:
        now = self.clock.now() + timedelta(seconds=QUOTED_BEFORE_S)
        return now.second + now.microsecond / 1e6

    async def pass_time(self, seconds: float) -> None:
        """Let the loop take its turns; quotes stay as told."""
        await self.clock.sleep(seconds)

    async def enter(self, symbol: Symbol = BTC, *, rests: bool = False) -> None:
        """Have the strategy enter at the next close; `rests` leaves the order unfilled."""
        self.strategy.wanted[symbol] = "enter"
        await self.close_candle(symbol, runs_away=rests)

    # --- orders ----------------------------------------------------------------------------------

    def tell_orders(self) -> None:
        """Tell what changed about our orders, in order, unless the stream is deaf."""
        reports = [*self._new_fills(), *self._changes()]
        if not self.is_deaf:
            for report in reports:
                self.feed.tell(report)
            self._tell_balances()

    def _tell_balances(self) -> None:
        held = sorted(self.venue.totals.items())
        self.feed.tell(
            BalancesSnapshot(holdings=tuple((name, MAIN, total) for name, total in held))
        )

    def fill(self, order: VenueOrder, quantity: str, price: str | None = None) -> None:
        """A resting order trades."""
        at = None if price is None else d(price)
        self.venue.trade(order.venue_order_id, d(quantity), at)
        self.tell_orders()

    def _changes(self) -> list[ExecutionReport]:
        found = []
        for order_id, order in self.venue.book_of_orders.items():
            before = self._told.get(order_id)
            if before == order:
                continue
            self._told[order_id] = order
            is_fill = before is not None and before.filled_quantity != order.filled_quantity
            if not is_fill and order.status is not OrderStatus.FILLED:
                kind = _KINDS.get(order.status, ExecutionKind.STATUS)
                is_amended = before is not None and before.status is order.status
                found.append(self._report(order, ExecutionKind.AMENDED if is_amended else kind))
        return found

    def _new_fills(self) -> list[ExecutionReport]:
        fresh = self.venue.executions[self._fills_told :]
        self._fills_told = len(self.venue.executions)
        found = []
        for fill in fresh:
            order = self.venue.book_of_orders[fill.venue_order_id]
            found.append(self._report(order, ExecutionKind.TRADE, fill))
        return found

    def _report(
        self, order: VenueOrder, kind: ExecutionKind, fill: Fill | None = None
    ) -> ExecutionReport:
        return ExecutionReport(
            kind=kind,
            status=order.status,
            venue_order_id=order.venue_order_id,
            reported_at=self.clock.now(),
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=order.side,
            order_type=order.order_type,
            quantity=order.quantity,
            limit_price=order.limit_price,
            trigger_price=order.trigger_price,
            cumulative_quantity=order.filled_quantity,
            fill=fill,
        )

    def resting(self, side: Side) -> list[VenueOrder]:
        """Our open orders of that side at the venue."""
        return [each for each in self.venue.resting if each.side is side]

    @property
    def writes(self) -> list[str]:
        """What was asked of the venue, in order."""
        return [method for method, _ in self.venue.writes]

    # --- the loop --------------------------------------------------------------------------------

    def reconnect(self) -> None:
        """As the next run finds the venue: wires of its own, and the market told anew."""
        self.feed = ScriptedFeed()
        self.come_up()
        self.quote()

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Ask (or change) the store, as another process would."""
        return await self.store.run(work)

    async def supervised(
        self,
        *,
        run_id: str = "run-1",
        is_gone: Callable[[Lease], bool] = lambda _lease: False,
        readiness: Readiness | None = None,
        is_standby: bool = False,
    ) -> tuple[TradingLoop, LoopTally]:
        """The loop's whole life."""
        holder = Holder(run_id=run_id, host="testhost", pid=4711)
        return await supervise(
            self._parts(),
            holder=holder,
            stop=self.stop,
            is_gone=is_gone,
            readiness=readiness,
            watcher=self._watch,
            is_standby=is_standby,
        )

    async def _watch(self, loop: TradingLoop) -> None:
        self.loop = loop

    def _parts(self) -> LoopParts:
        sightings = Sightings(self.clock)
        store: StoreRunner = self.store
        if self.emergency is not None:
            store = SpareStore(self.disk, builders.PAPER, self.clock)
        gate = Gate(
            venue=self.venue,
            store=store,
            clock=self.clock,
            approver=self.narrator,
            account=builders.PAPER,
            policy=self.policy,
            command="run",
            operator="tester",
            host="testhost",
            live_consent=False,
            proof=sightings.proof,
            countdown=self.dead_man,
            emergency=self.emergency,
        )
        return LoopParts(
            account=builders.PAPER,
            policy=self.policy,
            strategy=self.strategy,
            catalogue=make_catalogue(),
            listed=make_catalogue(*make_catalogue(), make_instrument("SOL/USD")),
            cadence=Cadence(),
            clock=self.clock,
            venue=self.venue,
            feed=self.feed,
            store=store,
            gate=gate,
            sightings=sightings,
            narrator=self.narrator,
            is_shadow=self._is_shadow,
            compares=self._compares,
            shares_store=self.shares_store,
            news=self.news,
            breaker=self.breaker,
            alarm=self.alarm,
            dead_man_s=self.dead_man_s,
            api_errors=self.api_errors,
            margin=self.margin,
            worth=self.worth,
        )


async def leave_an_outcome_open(rig: LoopRig, *, asked_for_s: float) -> None:
    """Nobody knows what became of a cancel, and the venue takes so long to answer about it."""

    async def slow(venue_order_ids: Sequence[VenueOrderId]) -> tuple[VenueOrder, ...]:
        del venue_order_ids
        await rig.clock.sleep(asked_for_s)
        return ()

    lost = make_intent(
        kind=IntentKind.CANCEL,
        state=IntentState.UNKNOWN,
        venue_order_id=VenueOrderId("O1"),
        deadline=rig.clock.now(),
    )
    await rig.read(lambda tx: tx.record_intent(lost))
    rig.venue.orders = slow  # type: ignore[method-assign]
    assert rig.loop is not None
    await rig.loop.books.refresh(rig.clock.now())


Story = Callable[[LoopRig], Awaitable[None]]


def run_loop(
    folder: Path,
    story: Story,
    *,
    policy: Policy | None = None,
    is_shadow: bool = False,
    starts_at: datetime = NOON,
    has_spare: bool = False,
    compares: bool = False,
    prepare: Callable[[LoopRig], None] | None = None,
) -> tuple[LoopRig, LoopTally]:
    """Run the loop while the story goes on, then stop it in order; `prepare` comes before all."""

    async def main() -> tuple[LoopRig, LoopTally]:
        rig = LoopRig(
            folder,
            policy=policy or Policy(),
            is_shadow=is_shadow,
            starts_at=starts_at,
            has_spare=has_spare,
            compares=compares,
        )
        if prepare is not None:
            prepare(rig)
        rig.come_up()
        rig.quote()
        running = asyncio.create_task(rig.supervised())
        try:
            await rig.pass_time(1)
            await story(rig)
            rig.stop.set()
            _, tally = await running
        finally:
            running.cancel()
            with contextlib.suppress(BaseException):
                await running
            await rig.store.close()
        return rig, tally

    return run_virtual(main())


def with_rig(
    folder: Path, story: Callable[[LoopRig], Awaitable[T]], *, compares: bool = False
) -> T:
    """A rig whose loop the story starts itself."""

    async def main() -> T:
        rig = LoopRig(folder, policy=Policy(), is_shadow=False, compares=compares)
        try:
            return await story(rig)
        finally:
            await rig.store.close()

    return run_virtual(main())


def sides(orders: Sequence[VenueOrder]) -> list[tuple[str, str]]:
    """Side and type of each."""
    return [(each.side.value, each.order_type.value) for each in orders]
