"""Rehearses a kill over loopback on a paper exchange of its own, and measures it.

Home, store and exchange are thrown away. Limits are off, so that what is measured is zoe; what
Kraken's limits would add is computed beside it.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import msgspec

from zoe_tools.config import Settings, load_settings
from zoe_tools.core.kill import plan_kill
from zoe_tools.core.proof import reads_to_prove
from zoe_tools.core.sync_positions import plan_sync_positions
from zoe_tools.domain.identifiers import Symbol, VenueOrderId
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import OrderRequest, OrderType, Side
from zoe_tools.domain.plan import CancelOrder, OutcomeState, PlaceOrder, Plan, StepOutcome
from zoe_tools.domain.rate_cost import PlanRateCost, VenueRead
from zoe_tools.domain.rehearsal import Rehearsal, TierArithmetic
from zoe_tools.domain.snapshot import Snapshot, reads_in, value_of
from zoe_tools.domain.trading_state import KillLevel
from zoe_tools.errors import PlanRefused
from zoe_tools.gate.gate import Gate
from zoe_tools.gate.stopping import Stopper, needs_of
from zoe_tools.gather import EVERYTHING
from zoe_tools.kraken import prices
from zoe_tools.kraken.limits import TIERS, Counters, rest_counter
from zoe_tools.kraken.prices import Standing
from zoe_tools.paper.admin.funds import FundOrder
from zoe_tools.ports import Urgency
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.runtime.gates import open_gate
from zoe_tools.runtime.paper_admin import ask_exchange
from zoe_tools.runtime.paper_process import hosting_paper
from zoe_tools.store import schema

POSITIONS, ORDERS = 10, 30

MARKETS: Mapping[str, int] = {
    "BTC/USD": 65_000,
    "ETH/USD": 3_400,
    "SOL/USD": 150,
    "LTC/USD": 80,
    "XRP/USD": 2,
    "ADA/USD": 1,
    "DOGE/USD": 1,
    "STORJ/USD": 1,
    "EUR/USD": 1,
    "USDT/USD": 1,
}
"""What is held, and about what it costs: so many positions are the most."""

_WORTH = Decimal(200)
_ENTRY = Decimal(50)
_BELOW = (Decimal("0.97"), Decimal("0.96"), Decimal("0.965"), Decimal("0.975"))
"""Where the buys rest, of the bid: within the collar, out of the market's reach."""

_ROOM = {
    "MAX_NOTIONAL_PER_TRADE": "1000",
    "MAX_DAILY_NOTIONAL": "100000",
    "MAX_OPEN_POSITIONS": "20",
    "MAX_OPEN_ORDERS": "1000",
    "MAX_ORDERS_PER_MINUTE": "1000",
    "DUPLICATE_WINDOW_SECONDS": "0",
    "ALLOWED_SYMBOLS": ",".join(MARKETS),
    "EDGE_FACTORY_MODE": "paper",
}
"""The rehearsal is of the kill: no limit of the operator's keeps its scene from being set."""


def rehearse_kill(*, positions: int = POSITIONS, orders: int = ORDERS) -> Rehearsal:
    """Flatten so many positions and open buys; at most as many positions as there are `MARKETS`.

    Raises:
        VenueUnavailable: no exchange can be started.
        PlanRefused: the scene cannot be set.
    """
    with tempfile.TemporaryDirectory(prefix="zoe-rehearsal-") as folder:
        home = Path(folder)
        settings = load_settings({"ZOE_HOME": str(home), **_ROOM})
        params = home / "market.json"
        params.write_text(json.dumps({"start_prices": MARKETS, "regimes": ["range"]}))
        with hosting_paper(home, ("--no-limits", "--market-params", str(params), "--seed", "1")):
            schema.upgrade(settings.database_url)
            return _rehearsed(settings, _paid_in(home, positions), orders)


def _paid_in(home: Path, positions: int) -> tuple[Symbol, ...]:
    """The markets that are held, their coins on the account."""
    symbols = tuple(Symbol(name) for name in [*MARKETS][:positions])
    for symbol in symbols:
        paid_in = FundOrder(
            action="deposit", asset=symbol.partition("/")[0], amount=_holding(symbol)
        )
        ask_exchange(home, "funds/move", msgspec.json.encode(paid_in).decode())
    return symbols


def _holding(symbol: Symbol) -> Decimal:
    return round(_WORTH / MARKETS[symbol], 6)


def _rehearsed(settings: Settings, symbols: Sequence[Symbol], orders: int) -> Rehearsal:
    found: list[Rehearsal] = []

    async def work(context: Context) -> int:
        gate = open_gate(context, approver=_Watch(), command="sync-positions", environ={})
        await _take_over(context, gate, symbols)
        await _place_buys(context, gate, symbols, orders)
        found.append(await _measured(context))
        return 0

    run_with_context(settings, work, urgency=Urgency.PROTECTION)
    return found[0]


# --- the scene -----------------------------------------------------------------------------------


async def _take_over(context: Context, gate: Gate, symbols: Sequence[Symbol]) -> None:
    """Each holding becomes a position with its stop."""
    adopted = tuple((symbol, _holding(symbol)) for symbol in symbols)
    snapshot = await context.look(EVERYTHING, adopted=adopted)
    receipt = await gate.carry_out(plan_sync_positions(snapshot), snapshot=snapshot, execute=True)
    if not receipt.is_done:
        raise PlanRefused("The positions of the rehearsal cannot be taken over.")


async def _place_buys(context: Context, gate: Gate, symbols: Sequence[Symbol], orders: int) -> None:
    """One after the other, through the gate: each is vetoed beside those before it."""
    snapshot = await context.look(EVERYTHING)
    bids = {each.symbol: each.bid for each in value_of(snapshot.quotes, "the quotes")}
    catalogue = value_of(snapshot.catalogue, "the instruments")
    steps = []
    for number in range(orders):
        symbol = symbols[number % len(symbols)]
        instrument = catalogue.resolve(symbol)
        price = instrument.floor_price(bids[symbol] * _BELOW[number // len(symbols) % len(_BELOW)])
        request = OrderRequest(
            symbol=symbol,
            side=Side.BUY,
            order_type=OrderType.LIMIT,
            quantity=instrument.floor_quantity(_ENTRY / price),
            limit_price=price,
            purpose="entry",
        )
        notional = instrument.cost(price=price, quantity=request.quantity)
        steps.append(PlaceOrder(request=request, reason="rehearsal", notional=notional))
    plan = Plan(
        command="rehearsal",
        account=context.account,
        created_at=snapshot.taken_at,
        expires_at=snapshot.taken_at + timedelta(seconds=context.policy.plan_lifetime_s),
        steps=tuple(steps),
    )
    receipt = await gate.carry_out(plan, snapshot=snapshot, execute=True)
    if not receipt.is_done:
        said = next(
            (each.evidence for each in receipt.outcomes if each.state is not OutcomeState.DONE), ""
        )
        raise PlanRefused(f"The buys of the rehearsal cannot be placed: {said}")


# --- the measurement -----------------------------------------------------------------------------


@dataclass(slots=True)
class _Watch:
    """Notes when each step was done."""

    done: list[tuple[float, StepOutcome]] = field(default_factory=list)

    def show_plan(self, plan: Plan) -> None:
        """Nobody looks."""

    def show_outcome(self, outcome: StepOutcome) -> None:
        """Note it."""
        self.done.append((time.perf_counter(), outcome))


async def _measured(context: Context) -> Rehearsal:
    snapshot = await context.look(needs_of(KillLevel.FLATTEN))
    plan = plan_kill(snapshot, KillLevel.FLATTEN, "rehearsal")
    watch = _Watch()
    latched: list[float] = []
    stopper = Stopper(
        gate=open_gate(context, approver=watch, command="kill", environ={}, looks_again=True),
        store=context.store,
        clock=context.clock,
        account=context.account,
        policy=context.policy,
        look=lambda: context.look(needs_of(KillLevel.FLATTEN)),
        tell=lambda _: latched.append(time.perf_counter()),
        is_drill=True,
    )
    began = time.perf_counter()
    stopped = await stopper.stop(KillLevel.FLATTEN, "rehearsal")
    flat_at = time.perf_counter()
    after = await context.look(needs_of(KillLevel.FLATTEN))
    buys = [at for at, each in watch.done if _is_cancel(each, "entry")]
    return Rehearsal(
        positions=len(snapshot.positions),
        orders=sum(
            isinstance(each, CancelOrder) and each.purpose == "entry" for each in plan.steps
        ),
        latched_s=latched[0] - began,
        cancelled_s=max(buys, default=began) - began,
        flat_s=flat_at - began,
        naked_s=_longest_naked(watch),
        is_flat=not value_of(after.open_orders, "the open orders") and not after.positions,
        exit_code=stopped.receipt.exit_code,
        tiers=tuple(_arithmetic(name, plan, snapshot) for name in TIERS),
    )


def _is_cancel(outcome: StepOutcome, purpose: str) -> bool:
    return isinstance(outcome.step, CancelOrder) and outcome.step.purpose == purpose


def _longest_naked(watch: _Watch) -> float:
    """From the cancel of a position's stop until its sale."""
    since: dict[Symbol, float] = {}
    longest = 0.0
    for at, outcome in watch.done:
        if _is_cancel(outcome, "stop") and isinstance(outcome.step, CancelOrder):
            since[outcome.step.symbol] = at
        elif isinstance(outcome.step, PlaceOrder):
            longest = max(longest, at - since.get(outcome.step.request.symbol, at))
    return longest


def _arithmetic(name: str, plan: Plan, snapshot: Snapshot) -> TierArithmetic:
    """What the tier's counters say to the same steps, by a key that is at rest."""
    tier = TIERS[name]
    young = {step.venue_order_id: 0.0 for step in plan.steps if isinstance(step, CancelOrder)}
    old, new = _priced(plan, snapshot, name, {}), _priced(plan, snapshot, name, young)
    return TierArithmetic(
        tier=name,
        rest_points=old.rest,
        rest_room=tier.rest_calls,
        wait_s=old.wait_s,
        pair_points=_dearest(old),
        pair_points_young=_dearest(new),
        pair_room=tier.engine_calls,
    )


def _priced(
    plan: Plan, snapshot: Snapshot, name: str, ages_s: Mapping[VenueOrderId, float]
) -> PlanRateCost:
    """With the look that the plan was made of, what is booked after it, and the last look."""
    counters = Counters(rest=rest_counter(TIERS[name]))
    told = prices.priced(
        plan,
        looks=(*reads_in(snapshot), VenueRead.ORDERS, VenueRead.FILLS, *reads_in(snapshot)),
        proofs=partial(reads_to_prove, looks_again=True),
        standing=Standing(tier=TIERS[name], counters=counters, ages_s=ages_s),
        now=snapshot.taken_at,
    )
    return told.rate_cost or PlanRateCost()


def _dearest(cost: PlanRateCost) -> Decimal:
    return max((points for _, points in cost.engine), default=ZERO)
