"""The entries of a turn: at most one, for the rest of one that was begun or for a new decision.

What keeps an instrument from being entered is told in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import ROUND_DOWN, Decimal

from zoe_tools.core.order_alarms import refused_too_often
from zoe_tools.core.order_desk import entry_style, opening_of, ticket_of
from zoe_tools.core.position_invariants import is_dust, naked_positions
from zoe_tools.core.risk_limits import Room, room_for_entry
from zoe_tools.core.risk_orders import is_too_wide
from zoe_tools.core.run_desk import renew_entries
from zoe_tools.core.run_world import World
from zoe_tools.core.strategy.protocol import Decision
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import InstrumentStatus
from zoe_tools.domain.intent_group import Style
from zoe_tools.domain.money import HUNDRED, ZERO, short
from zoe_tools.domain.order import OrderRequest, OrderType, Side
from zoe_tools.domain.plan import EndGroup, PlaceOrder, Step
from zoe_tools.domain.position import Position

_OPEN_TO_ENTRIES = frozenset({InstrumentStatus.ONLINE, InstrumentStatus.LIMIT_ONLY})
"""Where the venue takes a limit order that may trade at once."""

_CENT = Decimal("0.01")


def entries(
    world: World, decisions: Sequence[Decision], before: Sequence[Step]
) -> Iterator[Step | str]:
    """One entry at most: for the rest of one that was begun, else a new one; or why not."""
    is_sent = False
    for step in renew_entries(world.floor):
        if isinstance(step, EndGroup):
            yield step
        elif not is_sent and _untended(world, before) is None:
            is_sent = True
            yield step
    if not world.floor.may_enter:
        return
    for decision in decisions:
        if decision.action == "enter":
            entry = "another entry goes on first" if is_sent else _entry(world, decision, before)
            yield f"{decision.symbol}: {entry}" if isinstance(entry, str) else entry


def _in_the_way(
    world: World, symbol: Symbol, held: Sequence[Position], before: Sequence[Step]
) -> str:
    """What keeps an instrument from being entered on our side; empty when nothing does.

    A position that gets its stop `before`, in the same plan, is none: should that fail, the gate
    withholds the entry.
    """
    silent = dict(world.snapshot.held_back).get(symbol)
    if silent is not None:
        return f"it is in safe mode: {silent}"
    if any(each.symbol == symbol for each in held):
        return "a position is open"
    naked = _untended(world, before)
    if naked is not None:
        return f"the position in {naked.symbol} has no stop yet"
    is_working = any(
        order.symbol == symbol and not order.status.is_terminal for order in world.snapshot.orders
    )
    is_begun = any(each.symbol == symbol for each in world.snapshot.groups)
    return "an order is working" if is_working or is_begun else ""


def _untended(world: World, before: Sequence[Step]) -> Position | None:
    """A position without a stop, which gets none `before` in the same plan either."""
    tended = {step.position_id for step in before if isinstance(step, PlaceOrder)}
    held = [
        each
        for each in world.snapshot.positions
        if each.position_id not in tended and not _is_dust(world, each)
    ]
    return next(naked_positions(held, world.snapshot.orders, world.catalogue), None)


def _is_dust(world: World, position: Position) -> bool:
    instrument = world.catalogue.find(position.symbol)
    return instrument is not None and is_dust(position, instrument)


def _entry(world: World, decision: Decision, before: Sequence[Step]) -> PlaceOrder | str:
    """The entry order, or why there is none."""
    instrument = world.catalogue.resolve(decision.symbol)
    if instrument.status not in _OPEN_TO_ENTRIES:
        return f"the venue has it at {instrument.status.value}"
    quote = world.quotes.get(decision.symbol)
    if quote is None:
        return "no fresh quote"
    if is_too_wide(quote, world.policy):
        widest = short(world.policy.liquidity_guard_spread_pct)
        return f"the spread is too wide, beyond LIQUIDITY_GUARD_SPREAD_PCT ({widest})"
    if refused_too_often(decision.symbol, world.snapshot.refusals, world.snapshot.taken_at):
        return "the venue refused too many orders within ten minutes"
    held = [each for each in world.snapshot.positions if not _is_dust(world, each)]
    in_the_way = _in_the_way(world, decision.symbol, held, before)
    if in_the_way:
        return in_the_way
    policy = world.policy
    room = room_for_entry(decision.symbol, world.snapshot)
    if len(held) >= policy.max_open_positions:
        most = policy.max_open_positions
        return f"the number of open positions is at its limit, MAX_OPEN_POSITIONS ({most})"
    style = entry_style(quote, is_patient=decision.urgency == "patient")
    opening = opening_of(style, quote, instrument, policy)
    spent = _spent_on(decision, max(room.left, ZERO))
    quantity = instrument.floor_quantity(spent / opening.worst)
    stop = opening.limit * (1 - policy.stop_loss_pct / HUNDRED)
    if not instrument.is_tradable_quantity(quantity, price=stop):
        return _too_little(room, spent)
    return PlaceOrder(
        request=OrderRequest(
            symbol=decision.symbol,
            side=Side.BUY,
            order_type=OrderType.LIMIT,
            quantity=quantity,
            limit_price=opening.limit,
            post_only=style is Style.PASSIVE,
            purpose="entry",
        ),
        reason=decision.reason,
        notional=opening.worst * quantity,
        ticket=ticket_of(opening, quantity, quote, policy),
    )


def _too_little(room: Room, spent: Decimal) -> str:
    """Whose doing it is: a limit's, by its name, or the strategy's."""
    told = spent.quantize(_CENT, rounding=ROUND_DOWN)
    who = f"{room.limit} ({short(room.cap)}) leaves"
    if spent < room.left:
        who = "the strategy asks for"
    return f"{who} {told:f} USD, too little for an order that can be stopped"


def _spent_on(decision: Decision, room: Decimal) -> Decimal:
    """What the entry may cost: what the strategy says, within what the limits leave."""
    if decision.notional is None:
        return room * decision.strength
    return min(room, decision.notional)
