"""Makes every pre-trade control fire, through the real gate, on a paper exchange of its own.

Exchange, account and store are thrown away afterwards; time is virtual, and nothing leaves the
process. The operator's limits are not those of the drill: it proves the controls, not the values.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from zoe_tools.core.control_drill import (
    BTC,
    DRILLS,
    Drill,
    Proof,
    modest_entry,
    quote_of_btc,
)
from zoe_tools.domain.account import Account, fingerprint_of
from zoe_tools.domain.identifiers import ClientOrderId, PositionId
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import OrderRequest, OrderType, Side
from zoe_tools.domain.plan import AdoptPosition, OutcomeState, PlaceOrder, Plan, Step, StepOutcome
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.position import Position, PositionStatus
from zoe_tools.domain.snapshot import Snapshot, value_of
from zoe_tools.domain.trading_state import KillLevel, TradingState
from zoe_tools.gate.gate import Gate
from zoe_tools.gather import EVERYTHING, gather
from zoe_tools.kraken.nonce import NonceSource
from zoe_tools.kraken.rest import RestClient
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.paper.app import create_app
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.home import PaperHome
from zoe_tools.paper.markets.synthetic import SyntheticMarket
from zoe_tools.paper.values.times import ns_of
from zoe_tools.paper.values.views import PERMISSIONS
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.venue import in_process_transport
from zoe_tools.runtime.virtual_loop import run_virtual
from zoe_tools.store import schema
from zoe_tools.store.runner import InlineRunner
from zoe_tools.store.store import Store

_BEGIN = datetime(2026, 1, 5, 12, tzinfo=UTC)
_CASH = {"USD": Decimal(1000), "BTC": Decimal(1)}
_PASSES = "passes"
_SETTLE = 1.0


class _Silent:
    """Shows nothing to nobody."""

    def show_plan(self, plan: Plan) -> None:
        """Nobody looks."""

    def show_outcome(self, outcome: StepOutcome) -> None:
        """Nobody looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """The exchange and everything that trades on it."""

    exchange: PaperExchange
    venue: KrakenSpot
    other: KrakenSpot
    """The same account by a key that can also withdraw."""
    store: InlineRunner
    clock: VirtualClock
    account: Account
    gate: Gate

    async def look(self, venue: KrakenSpot | None = None) -> Snapshot:
        return await gather(
            venue=venue or self.venue,
            store=self.store,
            clock=self.clock,
            account=self.account,
            policy=Policy(),
            needs=EVERYTHING,
            symbols=(BTC,),
        )

    async def carry(self, snapshot: Snapshot, *steps: Step) -> StepOutcome:
        """What the gate made of the last step."""
        now = self.clock.now()
        plan = Plan(
            command="pre-flight",
            account=self.account,
            created_at=now,
            expires_at=now + timedelta(minutes=5),
            steps=steps,
        )
        receipt = await self.gate.carry_out(plan, snapshot=snapshot, execute=True)
        return receipt.outcomes[-1]

    async def refused(self, drill: Drill, snapshot: Snapshot, request: OrderRequest) -> Proof:
        """The order through the gate; proved if its control alone kept it from the venue."""
        before = await self.venue.open_orders()
        step = PlaceOrder(request=request, reason="drill", ticket=drill.wish(request))
        outcome = await self.carry(snapshot, step)
        is_denied = outcome.state is OutcomeState.DENIED
        fired = outcome.code if is_denied else outcome.state.value
        is_untouched = await self.venue.open_orders() == before
        return Proof(
            control=drill.control,
            planted=drill.planted,
            fired=fired,
            is_proved=is_denied and is_untouched and fired == drill.control,
        )


def prove_controls() -> tuple[Proof, ...]:
    """Every control once, then what must pass: a modest entry, and a reduction against all odds."""
    with tempfile.TemporaryDirectory(prefix="zoe-drill-") as folder:
        url = f"sqlite:///{Path(folder) / 'zoe.db'}"
        schema.upgrade(url)
        return run_virtual(_prove(Path(folder), url))


async def _prove(folder: Path, url: str) -> tuple[Proof, ...]:
    async with _ground(folder, url) as ground:
        await ground.clock.sleep(_SETTLE)
        proofs = [await _plain(ground, drill) for drill in DRILLS]
        proofs += [await _venue_mode(ground), await _key_scope(ground)]
        proofs += [await _duplicate(ground), await _self_trade(ground), await _reduction(ground)]
        return tuple(proofs)


async def _plain(ground: _Ground, drill: Drill) -> Proof:
    snapshot = await ground.look()
    request = drill.order(modest_entry(snapshot), snapshot)
    return await ground.refused(drill, drill.seen(snapshot), request)


# --- what is planted at the exchange -------------------------------------------------------------


async def _venue_mode(ground: _Ground) -> Proof:
    drill = Drill(control="VENUE_MODE", planted="an entry while the venue takes cancels alone")
    ground.exchange.set_mode("cancel_only")
    try:
        snapshot = await ground.look()
        return await ground.refused(drill, snapshot, modest_entry(snapshot))
    finally:
        ground.exchange.set_mode("online")


async def _key_scope(ground: _Ground) -> Proof:
    drill = Drill(control="KEY_SCOPE", planted="a key that can also withdraw")
    snapshot = await ground.look(ground.other)
    return await ground.refused(drill, snapshot, modest_entry(snapshot))


async def _duplicate(ground: _Ground) -> Proof:
    """The first one passes, which is a proof of its own: the controls let a sound order through."""
    drill = Drill(control="DUPLICATE_ORDER", planted="the same order twice within a second")
    snapshot = await ground.look()
    request = modest_entry(snapshot)
    first = await ground.carry(snapshot, PlaceOrder(request=request, reason="drill"))
    if first.state is not OutcomeState.DONE:
        fired = f"the first one: {first.code or first.state.value}"
        return Proof(control=drill.control, planted=drill.planted, fired=fired, is_proved=False)
    return await ground.refused(drill, await ground.look(), request)


async def _self_trade(ground: _Ground) -> Proof:
    drill = Drill(control="SELF_TRADE", planted="a buy at the price of an own offer")
    snapshot = await ground.look()
    entry = modest_entry(snapshot)
    price = (entry.limit_price or ZERO) * Decimal("1.04")
    instrument = _instrument(snapshot)
    offer = replace(entry, side=Side.SELL, limit_price=instrument.ceil_price(price), purpose="exit")
    await ground.venue.place(
        offer,
        client_order_id=ClientOrderId("00000000-0000-4000-8000-000000000001"),
        deadline=ground.clock.now() + timedelta(seconds=5),
    )
    buy = replace(entry, limit_price=offer.limit_price, quantity=entry.quantity)
    return await ground.refused(drill, await ground.look(), buy)


async def _reduction(ground: _Ground) -> Proof:
    """A stop while trading is stopped and every limit is zero: reductions pass everything."""
    snapshot = await ground.look()
    instrument = _instrument(snapshot)
    bid = quote_of_btc(snapshot).bid
    held = Position(
        position_id=PositionId("drill"),
        symbol=BTC,
        side=Side.BUY,
        status=PositionStatus.OPEN,
        quantity=Decimal("0.01"),
        entry_quantity=Decimal("0.01"),
        average_cost=bid,
        opened_at=snapshot.taken_at,
        origin="adopted",
    )
    stop = OrderRequest(
        symbol=BTC,
        side=Side.SELL,
        order_type=OrderType.STOP_LOSS,
        quantity=held.quantity,
        trigger_price=instrument.floor_price(bid * Decimal("0.9")),
        purpose="stop",
    )
    none = Policy(max_notional_per_trade=ZERO, max_daily_notional=ZERO, max_open_positions=0)
    halted = TradingState(level=KillLevel.REDUCE_ONLY, reason="drill", changed_at=snapshot.taken_at)
    outcome = await ground.carry(
        replace(snapshot, policy=none, trading_state=halted),
        AdoptPosition(position=held, reason="drill"),
        PlaceOrder(request=stop, reason="drill", position_id=held.position_id),
    )
    is_done = outcome.state is OutcomeState.DONE
    return Proof(
        control="reduction",
        planted="a stop while everything is forbidden",
        fired=_PASSES if is_done else outcome.code or outcome.state.value,
        is_proved=is_done,
    )


def _instrument(snapshot: Snapshot) -> Instrument:
    return value_of(snapshot.catalogue, "the instruments").resolve(BTC)


# --- the ground ----------------------------------------------------------------------------------


@asynccontextmanager
async def _ground(folder: Path, url: str) -> AsyncIterator[_Ground]:
    clock = VirtualClock(_BEGIN)
    own = PaperHome(folder / "own").keys(seed="drill")
    other = PaperHome(folder / "other").keys(seed="drill with withdrawal")
    exchange = PaperExchange(SyntheticMarket("drill", starts_at=ns_of(_BEGIN)), clock, seed=1)
    account_id = exchange.create_account("drill", own.api_key, own.api_secret, balances=_CASH)
    scope = frozenset((*PERMISSIONS, "withdraw-funds"))
    exchange.add_key(account_id, other.api_key, other.api_secret, scope)
    app = create_app(exchange, proof_secret=None)
    rests = [
        RestClient(
            "http://paper",
            api_key=keys.api_key,
            api_secret=keys.api_secret,
            clock=clock,
            coordination=NonceSource(clock),
            transport=in_process_transport(app),
            unlimited=True,
        )
        for keys in (own, other)
    ]
    account = Account(venue="kraken", mode="paper", fingerprint=fingerprint_of(own.api_key))
    store = Store.open(url, account, clock_now=_BEGIN, synchronous="OFF", epoch_seed="drill")
    runner = InlineRunner(store)
    venue = KrakenSpot(rests[0], clock)
    pump = asyncio.create_task(exchange.run())
    try:
        yield _Ground(
            exchange=exchange,
            venue=venue,
            other=KrakenSpot(rests[1], clock),
            store=runner,
            clock=clock,
            account=account,
            gate=_gate(venue, runner, clock, account),
        )
    finally:
        pump.cancel()
        with suppress(asyncio.CancelledError):
            await pump
        for rest in rests:
            await rest.aclose()
        await runner.close()
        exchange.close()


def _gate(venue: KrakenSpot, store: InlineRunner, clock: VirtualClock, account: Account) -> Gate:
    return Gate(
        venue=venue,
        store=store,
        clock=clock,
        approver=_Silent(),
        account=account,
        policy=Policy(),
        command="pre-flight",
        operator="drill",
        host="drill",
        live_consent=False,
    )
