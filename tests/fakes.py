"""Stand-ins for what is remote. `FakeVenue` is a whole venue in memory that fails on cue.

It implements `ports.Venue` with the least market that orders need: a quote per instrument.
Market orders and marketable limits fill at once at the quote; everything else rests until the test
calls `trade`, `trigger` or `expire`. Sells hold their base, buys hold their cost.

Faults are cued by method name and used up one by one:
    venue.cue("place", "lost answer")    it happens, and nobody hears of it
    venue.cue("place", "lost request")   it does not happen, and nobody knows
    venue.cue("place", VenueRejected("no", code="EOrder:Insufficient funds"))
    venue.cue("orders", VenueUnavailable("down"), times=3)
`venue.lists_nothing` leaves the list of open orders empty. `venue.blind_s` hides an order from all
reads for so long after it was placed, `wait_for_room` runs before an order is sent, `before_place`
when it arrives, `mangle` changes what the venue makes of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import builders
from templates import put_migrated
from zoe_tools.commands.invocation import GlobalOptions, Invocation
from zoe_tools.config import Settings
from zoe_tools.domain.account import Account, KeyInfo
from zoe_tools.domain.candle import Candle, Timeframe
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import ClientOrderId, FillId, LedgerId, Symbol, VenueOrderId
from zoe_tools.domain.instrument import Instrument, InstrumentCatalogue, InstrumentStatus
from zoe_tools.domain.ledger import Balance, LedgerEntry, LedgerPage
from zoe_tools.domain.market import Book, BookLevel, PublicTrade, Quote, VenueMode
from zoe_tools.domain.order import (
    OrderAmendment,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    VenueOrder,
)
from zoe_tools.domain.plan import Plan, Step, StepOutcome
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.domain.stream import InstrumentsUpdate
from zoe_tools.errors import OutcomeUnknown, VenueRejected, VenueUnavailable
from zoe_tools.gate.countdown import SetCountdown
from zoe_tools.gate.gate import Gate
from zoe_tools.gate.looks import Proof
from zoe_tools.gate.receipt import Receipt
from zoe_tools.gather import EVERYTHING, Need, gather
from zoe_tools.ports import Clock, Pricing, Still
from zoe_tools.render.printer import Printer
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.context import Context
from zoe_tools.runtime.virtual_loop import run_virtual
from zoe_tools.store.runner import InlineRunner, StoreRunner
from zoe_tools.store.store import Store, Transaction

T = TypeVar("T")
Fault = str | Exception


@dataclass
class RecordingApprover:
    """Remembers what it was shown."""

    plans: list[Plan] = field(default_factory=list)
    outcomes: list[StepOutcome] = field(default_factory=list)

    def show_plan(self, plan: Plan) -> None:
        """Note it."""
        self.plans.append(plan)

    def show_outcome(self, outcome: StepOutcome) -> None:
        """Note it."""
        self.outcomes.append(outcome)


class FakeVenue:
    """See the module. `calls` lists (method, what it was about) in order of arrival."""

    def __init__(
        self,
        clock: Clock,
        *,
        catalogue: InstrumentCatalogue | None = None,
        balances: dict[str, Decimal] | None = None,
    ) -> None:
        self._clock = clock
        self._catalogue = catalogue or builders.make_catalogue()
        self.totals: dict[str, Decimal] = dict(balances or {"USD": Decimal(1000)})
        self.prices: dict[Symbol, tuple[Decimal, Decimal]] = {
            builders.BTC: (Decimal("59999.9"), Decimal("60000.1")),
            builders.ETH: (Decimal("2999.9"), Decimal("3000.1")),
        }
        self.state = VenueMode.ONLINE
        self.statuses: dict[Symbol, InstrumentStatus] = {}
        self.blind_s = 0.0
        self.lists_nothing = False
        self.before_place: Callable[[], Awaitable[None]] | None = None
        self.wait_for_room: Callable[[], Awaitable[None]] | None = None
        self.mangle: Callable[[VenueOrder], VenueOrder] | None = None
        self.book_of_orders: dict[VenueOrderId, VenueOrder] = {}
        self.executions: list[Fill] = []
        self.entries: tuple[LedgerEntry, ...] = ()
        self.tells_all_of_the_ledger = True
        self.calls: list[tuple[str, str]] = []
        self._cues: dict[str, list[Fault]] = defaultdict(list)

    # --- what tests do --------------------------------------------------------------------------

    def cue(self, method: str, fault: Fault, *, times: int = 1) -> None:
        """Make the next `times` calls of the method fail so."""
        self._cues[method].extend([fault] * times)

    @property
    def writes(self) -> list[tuple[str, str]]:
        """The calls that asked for a change."""
        wanted = {"place", "amend", "cancel", "cancel_batch"}
        return [call for call in self.calls if call[0] in wanted]

    @property
    def resting(self) -> list[VenueOrder]:
        """All open orders, whether or not a read would show them yet."""
        return [each for each in self.book_of_orders.values() if not each.status.is_terminal]

    def trade(
        self, order_id: VenueOrderId, quantity: Decimal, price: Decimal | None = None
    ) -> Fill:
        """Fill part of a resting order."""
        order = self.book_of_orders[order_id]
        instrument = self._catalogue.resolve(order.symbol)
        at = price or order.limit_price or order.trigger_price or self._touch(order)
        cost = instrument.cost(price=at, quantity=quantity)
        fill = Fill(
            fill_id=FillId(f"T{len(self.executions) + 1:05d}"),
            venue_order_id=order_id,
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=order.side,
            quantity=quantity,
            price=at,
            cost=cost,
            fee=instrument.taker_fee(cost),
            fee_asset=instrument.quote,
            filled_at=self._clock.now(),
            liquidity="taker",
        )
        self.executions.append(fill)
        self._settle(instrument, fill)
        filled = order.filled_quantity + quantity
        done = filled == order.quantity
        self.book_of_orders[order_id] = replace(
            order,
            filled_quantity=filled,
            cost=order.cost + cost,
            fee=order.fee + fill.fee,
            average_price=(order.cost + cost) / filled,
            status=OrderStatus.FILLED if done else OrderStatus.PARTIALLY_FILLED,
            closed_at=self._clock.now() if done else None,
        )
        return fill

    def end(self, order_id: VenueOrderId, status: OrderStatus, reason: str = "") -> None:
        """Close a resting order."""
        self.book_of_orders[order_id] = replace(
            self.book_of_orders[order_id],
            status=status,
            closed_at=self._clock.now(),
            reason=reason,
        )

    def insert(self, order: VenueOrder) -> None:
        """Put an order there that nobody placed through this object."""
        self.book_of_orders[order.venue_order_id] = order

    def set_price(self, symbol: Symbol, bid: str, ask: str) -> None:
        """Move the market; nothing triggers by itself."""
        self.prices[symbol] = (Decimal(bid), Decimal(ask))

    # --- reads ----------------------------------------------------------------------------------

    async def server_time(self) -> datetime:
        """The clock's time."""
        self._enter("server_time")
        return self._clock.now()

    async def mode(self) -> VenueMode:
        """`state`."""
        self._enter("mode")
        return self.state

    async def catalogue(self) -> InstrumentCatalogue:
        """As constructed."""
        self._enter("catalogue")
        return self._catalogue

    async def instrument_statuses(self) -> InstrumentsUpdate:
        """`statuses`; the instruments not in it are as constructed."""
        self._enter("instrument_statuses")
        return InstrumentsUpdate(
            statuses=tuple(
                (each.symbol, self.statuses.get(each.symbol, each.status))
                for each in self._catalogue
            )
        )

    async def quotes(self, symbols: Sequence[Symbol]) -> tuple[Quote, ...]:
        """From `prices`."""
        self._enter("quotes", ",".join(symbols))
        for symbol in symbols:
            self._catalogue.resolve(symbol)
        return tuple(self._quote(symbol) for symbol in symbols if symbol in self.prices)

    async def book(self, symbol: Symbol, depth: int = 10) -> Book:
        """One level deep."""
        self._enter("book", f"{symbol} {depth}")
        bid, ask = self.prices[symbol]
        one = Decimal(1)
        return Book(
            symbol=symbol,
            bids=(BookLevel(price=bid, quantity=one),),
            asks=(BookLevel(price=ask, quantity=one),),
            as_of=self._clock.now(),
        )

    async def candles(
        self, symbol: Symbol, timeframe: Timeframe, since: datetime | None = None
    ) -> tuple[Candle, ...]:
        """None."""
        self._enter("candles", f"{symbol} {timeframe.value} {since}")
        return ()

    async def trades(self, symbol: Symbol, since: str = "0") -> tuple[tuple[PublicTrade, ...], str]:
        """None."""
        self._enter("trades", symbol)
        return (), since

    async def key_info(self) -> KeyInfo:
        """A key that may trade and not withdraw."""
        self._enter("key_info")
        return KeyInfo(name="test", permissions=frozenset({"query-funds", "modify-trades"}))

    async def balances(self) -> tuple[Balance, ...]:
        """Totals, with what open orders hold."""
        self._enter("balances")
        holds: dict[str, Decimal] = defaultdict(Decimal)
        for order in self.resting:
            instrument = self._catalogue.resolve(order.symbol)
            if order.side is Side.SELL:
                holds[instrument.base] += order.remaining_quantity
            else:
                price = order.limit_price or self._touch(order)
                holds[instrument.quote] += price * order.remaining_quantity
        return tuple(
            Balance(asset=asset, total=total, hold=holds[asset])
            for asset, total in sorted(self.totals.items())
        )

    async def open_orders(
        self, client_order_id: ClientOrderId | None = None
    ) -> tuple[VenueOrder, ...]:
        """What rests and is visible."""
        self._enter("open_orders", client_order_id or "")
        if self.lists_nothing:
            return ()
        return tuple(each for each in self._seen(client_order_id) if not each.status.is_terminal)

    async def closed_orders(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        client_order_id: ClientOrderId | None = None,
    ) -> tuple[VenueOrder, ...]:
        """What is over and visible, newest first."""
        self._enter("closed_orders", client_order_id or "")
        low, high = _range(since, until)
        ended = [
            each
            for each in self._seen(client_order_id)
            if each.status.is_terminal and low <= (each.closed_at or each.opened_at) <= high
        ]
        return tuple(sorted(ended, key=lambda each: each.opened_at, reverse=True))

    async def orders(self, venue_order_ids: Sequence[VenueOrderId]) -> tuple[VenueOrder, ...]:
        """Those of these that are visible."""
        self._enter("orders", ",".join(venue_order_ids))
        return tuple(each for each in self._seen() if each.venue_order_id in venue_order_ids)

    async def fills(
        self, *, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[Fill, ...]:
        """Executions of visible orders, newest first."""
        self._enter("fills")
        low, high = _range(since, until)
        visible = {each.venue_order_id for each in self._seen()}
        return tuple(
            fill
            for fill in reversed(self.executions)
            if fill.venue_order_id in visible and low <= fill.filled_at <= high
        )

    async def ledger(
        self, *, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[LedgerEntry, ...]:
        """What the test put there, later than `since`."""
        self._enter("ledger", f"{since} {until}")
        return tuple(each for each in self.entries if since is None or each.booked_at > since)

    async def balances_again(self) -> tuple[Balance, ...]:
        """What the account holds, by the other endpoint."""
        self._enter("balances_again")
        return tuple(Balance(asset=name, total=each) for name, each in self.totals.items())

    async def fills_named(self, fill_ids: Sequence[FillId]) -> tuple[Fill, ...]:
        """Those of these that happened."""
        self._enter("fills_named", ",".join(fill_ids))
        return tuple(each for each in self.executions if each.fill_id in fill_ids)

    async def ledger_rows(self, ledger_ids: Sequence[LedgerId]) -> tuple[LedgerEntry, ...]:
        """Those of these that the test put there."""
        self._enter("ledger_rows", ",".join(ledger_ids))
        return tuple(each for each in self.entries if each.ledger_id in ledger_ids)

    async def newest_ledger(self, *, since: datetime) -> LedgerPage:
        """What the test put there, in a page of any length."""
        self._enter("newest_ledger", f"{since}")
        rows = [each for each in self.entries if each.booked_at >= since]
        rows.sort(key=lambda each: each.booked_at, reverse=True)
        return LedgerPage(rows=tuple(rows), is_all=self.tells_all_of_the_ledger)

    # --- writes ---------------------------------------------------------------------------------

    nearest_deadline_s = 0.5

    async def place(
        self,
        request: OrderRequest,
        *,
        client_order_id: ClientOrderId,
        deadline: datetime,
        still: Still | None = None,
    ) -> VenueOrderId:
        """Rest or fill the order."""
        if self.wait_for_room is not None:
            await self.wait_for_room()
            if still is not None and (reason := await still()):
                raise VenueUnavailable(f"Nothing was sent: {reason}.")
        if self.before_place is not None:
            await self.before_place()
        lost = self._enter("place", client_order_id, write=True)
        if self._clock.now() >= deadline:
            raise VenueRejected("too late", code="EService:Deadline elapsed")
        order_id = self._accept(request, client_order_id)
        if lost:
            raise OutcomeUnknown("The answer to an order was lost.")
        return order_id

    async def validate(self, request: OrderRequest) -> str:
        """Describe it."""
        self._enter("validate", request.symbol)
        return f"{request.side.value} {request.quantity:f} {request.symbol}"

    async def amend(self, amendment: OrderAmendment, *, deadline: datetime) -> str:
        """Change a resting order in place."""
        lost = self._enter("amend", amendment.venue_order_id, write=True)
        order = self._still_open(amendment.venue_order_id)
        if self._clock.now() >= deadline:
            raise VenueRejected("too late", code="EService:Deadline elapsed")
        self.book_of_orders[order.venue_order_id] = replace(
            order,
            quantity=amendment.quantity or order.quantity,
            limit_price=amendment.limit_price or order.limit_price,
            trigger_price=amendment.trigger_price or order.trigger_price,
        )
        if lost:
            raise OutcomeUnknown("The answer to an amendment was lost.")
        return "TAMEND"

    async def cancel(self, venue_order_id: VenueOrderId) -> int:
        """Cancel one."""
        lost = self._enter("cancel", venue_order_id, write=True)
        self._still_open(venue_order_id)
        self.end(venue_order_id, OrderStatus.CANCELED, "User requested")
        if lost:
            raise OutcomeUnknown("The answer to a cancel was lost.")
        return 1

    async def cancel_batch(self, venue_order_ids: Sequence[VenueOrderId]) -> int:
        """Cancel those that are open."""
        lost = self._enter("cancel_batch", ",".join(venue_order_ids), write=True)
        still = [each for each in self.resting if each.venue_order_id in venue_order_ids]
        for each in still:
            self.end(each.venue_order_id, OrderStatus.CANCELED, "User requested")
        if lost:
            raise OutcomeUnknown("The answer to a cancel was lost.")
        return len(still)

    # --- inside ---------------------------------------------------------------------------------

    def _enter(self, method: str, about: str = "", *, write: bool = False) -> bool:
        """Note the call; raise what was cued; True when the answer shall be lost."""
        self.calls.append((method, about))
        fault = self._cues[method].pop(0) if self._cues[method] else None
        if isinstance(fault, Exception):
            raise fault
        if fault == "lost request":
            raise OutcomeUnknown(f"The answer to {method} was lost.")
        if fault is not None and not (write and fault == "lost answer"):
            raise ValueError(f"no such fault for {method}: {fault}")
        return fault == "lost answer"

    def _accept(self, request: OrderRequest, client_order_id: ClientOrderId) -> VenueOrderId:
        instrument = self._catalogue.resolve(request.symbol)
        self._check_funds(instrument, request)
        order_id = VenueOrderId(f"O{len(self.book_of_orders) + 1:05d}")
        order = VenueOrder(
            venue_order_id=order_id,
            client_order_id=client_order_id,
            symbol=request.symbol,
            side=request.side,
            order_type=request.order_type,
            status=OrderStatus.OPEN,
            quantity=request.quantity,
            filled_quantity=Decimal(0),
            opened_at=self._clock.now(),
            limit_price=request.limit_price,
            trigger_price=request.trigger_price,
        )
        self.book_of_orders[order_id] = self.mangle(order) if self.mangle else order
        touch = self._touch(order)
        crosses = request.order_type is OrderType.LIMIT and (
            (request.limit_price or touch) >= touch
            if request.side is Side.BUY
            else (request.limit_price or touch) <= touch
        )
        if request.order_type is OrderType.MARKET or crosses:
            self.trade(order_id, request.quantity, touch)
        return order_id

    def _check_funds(self, instrument: Instrument, request: OrderRequest) -> None:
        if request.side is Side.BUY:
            return
        held = sum(
            (
                each.remaining_quantity
                for each in self.resting
                if each.side is Side.SELL and each.symbol == request.symbol
            ),
            Decimal(0),
        )
        if request.quantity > self.totals.get(instrument.base, Decimal(0)) - held:
            raise VenueRejected(
                "Insufficient funds.", code="EOrder:Insufficient funds", is_passing=True
            )

    def _settle(self, instrument: Instrument, fill: Fill) -> None:
        sign = 1 if fill.side is Side.BUY else -1
        base, quote = instrument.base, instrument.quote
        self.totals[base] = self.totals.get(base, Decimal(0)) + sign * fill.quantity
        self.totals[quote] = self.totals.get(quote, Decimal(0)) - sign * fill.cost - fill.fee

    def _touch(self, order: VenueOrder) -> Decimal:
        bid, ask = self.prices[order.symbol]
        return ask if order.side is Side.BUY else bid

    def _quote(self, symbol: Symbol) -> Quote:
        bid, ask = self.prices[symbol]
        return builders.make_quote(
            symbol, bid=bid, ask=ask, last=(bid + ask) / 2, as_of=self._clock.now()
        )

    def _seen(self, client_order_id: ClientOrderId | None = None) -> list[VenueOrder]:
        visible_from = self._clock.now() - timedelta(seconds=self.blind_s)
        return [
            each
            for each in self.book_of_orders.values()
            if each.opened_at <= visible_from and client_order_id in (None, each.client_order_id)
        ]

    def _still_open(self, venue_order_id: VenueOrderId) -> VenueOrder:
        order = self.book_of_orders.get(venue_order_id)
        if order is None or order.status.is_terminal:
            raise VenueRejected("Not open any more.", code="EOrder:Unknown order")
        return order


def fresh_store(folder: Path, account: Account = builders.PAPER) -> Store:
    """A real SQLite store in the folder, migrated; the epoch is always the same."""
    path = folder / "zoe.db"
    url = f"sqlite:///{path}"
    put_migrated(path)
    return Store.open(url, account, clock_now=builders.NOON, synchronous="OFF", epoch_seed="tests")


def _range(since: datetime | None, until: datetime | None) -> tuple[datetime, datetime]:
    return (
        since or datetime.min.replace(tzinfo=UTC),
        until or datetime.max.replace(tzinfo=UTC),
    )


@dataclass
class Desk:
    """A gate over a fake venue and a real store, in virtual time that starts at noon."""

    venue: FakeVenue
    clock: VirtualClock
    store: InlineRunner
    approver: RecordingApprover
    account: Account
    policy: Policy
    home: Path

    def gate(
        self,
        *,
        command: str = "run",
        live_consent: bool = False,
        proof: Proof | None = None,
        pid: int = 1,
        process: str = "",
        store: StoreRunner | None = None,
        pricing: Pricing | None = None,
        countdown: SetCountdown | None = None,
    ) -> Gate:
        """The gate for one command; `store` is what it sees of the desk's, if not that itself."""
        return Gate(
            venue=self.venue,
            store=store or self.store,
            clock=self.clock,
            approver=self.approver,
            account=self.account,
            policy=self.policy,
            command=command,
            operator="tester",
            host="testhost",
            live_consent=live_consent,
            pid=pid,
            process=process,
            proof=proof,
            pricing=pricing,
            countdown=countdown,
        )

    async def look(
        self,
        *,
        needs: frozenset[Need] = EVERYTHING,
        adopted: tuple[tuple[Symbol, Decimal], ...] = (),
    ) -> Snapshot:
        """Gather the parts needed; BTC and ETH are always quoted."""
        return await gather(
            venue=self.venue,
            store=self.store,
            clock=self.clock,
            account=self.account,
            policy=self.policy,
            needs=needs,
            symbols=(builders.BTC, builders.ETH),
            adopted=adopted,
        )

    def plan(self, *steps: Step, command: str = "run") -> Plan:
        """A plan made now."""
        now = self.clock.now()
        return builders.plan_with(
            *steps,
            command=command,
            account=self.account,
            created_at=now,
            expires_at=now + timedelta(minutes=5),
        )

    async def do(self, *steps: Step, command: str = "run", live_consent: bool = False) -> Receipt:
        """Plan, look, and carry out."""
        gate = self.gate(command=command, live_consent=live_consent)
        snapshot = await self.look()
        plan = self.plan(*steps, command=command)
        return await gate.carry_out(plan, snapshot=snapshot, execute=True)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Ask the store."""
        return await self.store.run(work)


def at_the_desk(
    folder: Path,
    story: Callable[[Desk], Awaitable[T]],
    *,
    account: Account = builders.PAPER,
    policy: Policy | None = None,
    balances: dict[str, Decimal] | None = None,
) -> T:
    """Run a story under virtual time, with everything set up and cleaned away."""

    async def main() -> T:
        clock = VirtualClock(builders.NOON)
        store = InlineRunner(fresh_store(folder, account))
        desk = Desk(
            venue=FakeVenue(clock, balances=balances),
            clock=clock,
            store=store,
            approver=RecordingApprover(),
            account=account,
            policy=policy or Policy(),
            home=folder,
        )
        try:
            return await story(desk)
        finally:
            await store.close()

    return run_virtual(main())


def command_io(
    desk: Desk, command: str, *, live_consent: bool = False, json: bool = False
) -> tuple[Context, Invocation, StringIO]:
    """What a command's coroutine works with, over the desk; and what it prints."""
    out = StringIO()
    settings = SimpleNamespace(live_consent=live_consent)
    context = Context(
        settings=cast("Settings", settings),
        account=desk.account,
        policy=desk.policy,
        clock=desk.clock,
        home=desk.home,
        is_paper=desk.account.mode == "paper",
        opened_venue=cast("Any", desk.venue),
        opened_store=desk.store,
    )
    invocation = Invocation(
        command=command,
        options=GlobalOptions(json=json),
        environ={"USER": "tester"},
        output=Printer(out=out, err=out, command=command, json=json, width=120),
    )
    return context, invocation, out
