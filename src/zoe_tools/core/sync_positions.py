"""Bring the registry of managed positions in line with the real fills, and protect each of them.

Only what zoe manages is touched. A holding that nobody put under management is a note; a balance
smaller than what is managed is a note too, never a reason to write a position off.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from zoe_tools.core.accounting import (
    base_of,
    book,
    excess_of,
    fold_fills,
    in_time_order,
    next_standing,
    order_of,
)
from zoe_tools.core.given_up import Leftover, resting_of_given_up, taken_back
from zoe_tools.core.position_orders import place_stop
from zoe_tools.core.protection import UNLISTED, WAY_OUT
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import PositionId, Symbol, VenueOrderId
from zoe_tools.domain.instrument import Instrument, InstrumentCatalogue
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.ledger import Balance
from zoe_tools.domain.market import Quote
from zoe_tools.domain.money import HUNDRED, ZERO, short
from zoe_tools.domain.order import OrderAmendment, Side, VenueOrder
from zoe_tools.domain.plan import (
    AdjustPosition,
    AdoptPosition,
    AmendOrder,
    LinkStop,
    Plan,
    RecordFill,
    RecordOrder,
    Step,
    still_open,
    values_of,
)
from zoe_tools.domain.position import Position, PositionStatus
from zoe_tools.domain.snapshot import Snapshot, value_of
from zoe_tools.errors import ConfigError

ADOPTED = "adopted"
"""The origin of a position that the operator put under management by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _World:
    snapshot: Snapshot
    catalogue: InstrumentCatalogue
    balances: dict[str, Balance]
    open_orders: tuple[VenueOrder, ...]
    fills: tuple[Fill, ...]
    quotes: dict[Symbol, Quote]

    def order_of(self, fill: Fill) -> OrderRecord | None:
        """Our order behind a fill, or None when it is somebody else's."""
        return next(
            (
                order
                for order in self.snapshot.orders
                if fill.venue_order_id == order.venue_order_id
                or (
                    (fill.client_order_id is not None)
                    and fill.client_order_id == order.client_order_id
                )
            ),
            None,
        )


def plan_sync_positions(snapshot: Snapshot, *, adopt_price: Decimal | None = None) -> Plan:
    """The steps that make registry and venue agree; empty when they do.

    `snapshot.adopted` names what to put under management, `adopt_price` its cost basis per unit
    (the bid when None). `snapshot.orders` and `recorded_fills` hold all of our own.

    Raises:
        VenueUnavailable: a part of the venue that the decision needs is missing.
        ConfigError: more is to be adopted than the venue holds.
    """
    world = _World(
        snapshot=snapshot,
        catalogue=value_of(snapshot.catalogue, "the instruments"),
        balances={each.asset: each for each in value_of(snapshot.balances, "the balances")},
        open_orders=value_of(snapshot.open_orders, "the open orders"),
        fills=value_of(snapshot.fills, "the fills"),
        quotes={each.symbol: each for each in value_of(snapshot.quotes, "the quotes")},
    )
    steps: list[Step] = []
    notes: list[str] = []
    positions = _booked(world, steps)
    positions = _adjusted(world, positions, steps)
    positions += _adopted(world, positions, adopt_price, steps, notes)
    for position in positions:
        notes.extend(_protected(world, position, steps))
    notes.extend(_unmanaged(world, positions))
    return Plan(
        command="sync-positions",
        account=snapshot.account,
        created_at=snapshot.taken_at,
        expires_at=snapshot.taken_at + timedelta(seconds=snapshot.policy.plan_lifetime_s),
        steps=tuple(steps),
        notes=tuple(notes),
    )


def shortages(positions: Sequence[Position], balances: Sequence[Balance]) -> tuple[str, ...]:
    """One sentence per asset of which the venue holds less than zoe manages."""
    totals = {each.asset: each.total for each in balances}
    found = []
    for asset, managed in _managed(positions).items():
        held = totals.get(asset, ZERO)
        if held < managed:
            found.append(
                f"{asset}: the venue holds {short(held)}, zoe manages {short(managed)}."
                " Nothing was written off; run `zoe reconcile`."
            )
    return tuple(found)


def protective_price(
    position: Position, instrument: Instrument, *, mark: Decimal | None, loss_pct: Decimal
) -> Decimal:
    """Where a long position's stop belongs: the distance below cost or mark, the lower, on tick."""
    if position.stop_price is not None:
        return position.stop_price
    base = position.average_cost if mark is None else min(position.average_cost, mark)
    return instrument.floor_price(base * (1 - loss_pct / HUNDRED))


def through_its_stop(position: Position, quote: Quote | None) -> str:
    """Why no stop is placed: the market is through its price, it would sell at once. Else empty."""
    stop = position.stop_price
    if quote is None or stop is None:
        return ""
    is_long = position.side is Side.BUY
    if (quote.bid > stop) if is_long else (quote.ask < stop):
        return ""
    told = f"bid {short(quote.bid)}" if is_long else f"ask {short(quote.ask)}"
    return (
        f"{position.symbol}: its stop belongs at {short(stop)}, and the market is through that"
        f" ({told}): placed now it would sell at once, so none was planned, and nothing protects"
        f" it. To get out: {WAY_OUT}. Where the price comes from: zoe positions"
        f" {position.position_id}"
    )


# --- fills we missed -----------------------------------------------------------------------------


def _booked(world: _World, steps: list[Step]) -> list[Position]:
    """Book the venue's fills that ours lack; the positions as they will then be."""
    snapshot = world.snapshot
    positions = {each.position_id: each for each in snapshot.positions if each.status.is_active}
    known = {fill.fill_id for fill in snapshot.recorded_fills}
    for fill in in_time_order(world.fills):
        order = order_of(snapshot.orders, fill)
        if order is None or fill.fill_id in known:
            continue
        steps.append(
            RecordFill(
                fill=fill,
                reason=(
                    f"the venue shows {fill.side.value} {short(fill.quantity)} {fill.symbol}"
                    " on our order, our books do not"
                ),
            )
        )
        book(positions, order, fill)
    steps.extend(_order_steps(world))
    return [each for each in positions.values() if each.status.holds]


def _order_steps(world: _World) -> Iterator[Step]:
    """Working orders of ours that the venue shows with other quantities or another status."""
    by_id = {each.venue_order_id: each for each in world.open_orders}
    for record in world.snapshot.orders:
        seen = by_id.get(record.venue_order_id) if record.venue_order_id else None
        if seen is None or record.status.is_terminal:
            continue
        if (seen.quantity, seen.filled_quantity) != (record.quantity, record.filled_quantity):
            yield RecordOrder(order=seen, reason="the venue shows other quantities")


# --- positions that disagree with their own fills ------------------------------------------------


def _adjusted(world: _World, positions: list[Position], steps: list[Step]) -> list[Position]:
    """Positions born of our own entries are exactly the sum of their fills.

    What was adopted has a part that no fill explains, and is left as it is booked.
    """
    result = []
    for position in positions:
        after = None if position.origin == ADOPTED else _from_fills(world, position)
        if after is None or after.quantity == position.quantity:
            result.append(position)
            continue
        steps.append(
            AdjustPosition(
                before=position,
                after=after,
                reason=(
                    f"the fills add up to {short(after.quantity)},"
                    f" the registry says {short(position.quantity)}"
                ),
            )
        )
        if after.status.holds:
            result.append(after)
    return result


def _from_fills(world: _World, position: Position) -> Position | None:
    """The position as all known fills of its orders make it; None when they cannot tell."""
    ours = {
        order.venue_order_id
        for order in world.snapshot.orders
        if order.position_id == position.position_id and order.venue_order_id is not None
    }
    fills = _merged(world, ours)
    if not fills:
        return None
    folded: Position | None = None
    for fill in fills:
        if excess_of(folded, fill) > ZERO:
            return None
        folded = fold_fills((fill,), position_id=position.position_id, start=folded)
    if folded is None:
        return None
    after = replace(
        position,
        quantity=folded.quantity,
        average_cost=folded.average_cost,
        entry_quantity=folded.entry_quantity,
        exit_quantity=folded.exit_quantity,
        closed_at=folded.closed_at,
        realised_pnl=folded.realised_pnl,
        fees=folded.fees,
        updated_at=world.snapshot.taken_at,
    )
    return replace(after, status=next_standing(after))


def _merged(world: _World, orders: set[VenueOrderId]) -> list[Fill]:
    both = {
        fill.fill_id: fill
        for fill in (*world.fills, *world.snapshot.recorded_fills)
        if fill.venue_order_id in orders
    }
    return in_time_order(both.values())


# --- adoption ------------------------------------------------------------------------------------


def _adopted(
    world: _World,
    positions: list[Position],
    price: Decimal | None,
    steps: list[Step],
    notes: list[str],
) -> list[Position]:
    made = []
    for symbol, quantity in world.snapshot.adopted:
        instrument = world.catalogue.resolve(symbol)
        held = next((each for each in positions if each.symbol == instrument.symbol), None)
        if held is not None:
            if held.quantity != quantity:
                notes.append(
                    f"{symbol}: {short(held.quantity)} are managed already;"
                    f" {short(quantity)} were not adopted on top."
                )
            continue
        _demand_holding(world, instrument, quantity)
        left = resting_of_given_up(world.snapshot, instrument.symbol, world.open_orders)
        known = _cost_before(world, left, quantity)
        if known is not None and price is None:
            notes.append(f"{symbol}: {short(known)} each is what these coins cost before.")
        position = Position(
            position_id=PositionId(
                f"P-{ADOPTED}-{instrument.base}-{world.snapshot.taken_at:%Y%m%dT%H%M%S%f}"
            ),
            symbol=instrument.symbol,
            side=Side.BUY,
            status=PositionStatus.OPEN,
            quantity=quantity,
            entry_quantity=quantity,
            average_cost=price or known or _bid(world, instrument.symbol),
            opened_at=world.snapshot.taken_at,
            origin=ADOPTED,
            initial_quantity=quantity,
            updated_at=world.snapshot.taken_at,
        )
        steps.append(
            AdoptPosition(
                position=position, reason=f"the operator adopts {short(quantity)} {symbol}"
            )
        )
        made.append(_with_what_rests(position, left, steps))
    return made


def _cost_before(world: _World, left: Sequence[Leftover], quantity: Decimal) -> Decimal | None:
    """What the coins cost that a position was given up with, while an order of it holds them."""
    for name in dict.fromkeys(record.position_id for record, _ in left):
        ours = {each.venue_order_id for each in world.snapshot.orders if each.position_id == name}
        fills = _merged(world, {each for each in ours if each is not None})
        folded = fold_fills(fills, position_id=PositionId("-"))
        if folded is not None and folded.quantity >= quantity:
            return folded.average_cost
    return None


def _with_what_rests(position: Position, left: Sequence[Leftover], steps: list[Step]) -> Position:
    """The stop that rests for these coins already is this position's; what else rests is gone."""
    stop = next((order for _, order in left if order.order_type.is_stop), None)
    if stop is not None:
        why = "it rests for these coins, whose position was given up"
        steps.append(LinkStop(position_id=position.position_id, order=stop, reason=why))
        position = replace(
            position, stop_venue_order_id=stop.venue_order_id, stop_price=stop.trigger_price
        )
    why = "the position that it was placed for was given up"
    steps.extend(taken_back(each, why) for each in left if each[1] is not stop)
    return position


def _demand_holding(world: _World, instrument: Instrument, quantity: Decimal) -> None:
    balance = world.balances.get(instrument.base)
    held = balance.total if balance is not None else ZERO
    if not quantity.is_finite() or quantity <= ZERO or quantity > held:
        raise ConfigError(
            f"Cannot adopt {quantity} {instrument.base}: the venue holds {short(held)}.",
            hint="Adopt at most what the venue holds.",
        )


def _bid(world: _World, symbol: Symbol) -> Decimal:
    quote = world.quotes.get(symbol)
    if quote is None:
        raise ConfigError(
            f"There is no quote for {symbol} to take its cost from.",
            hint="Give the cost per unit with --price.",
        )
    return quote.bid


# --- protection ----------------------------------------------------------------------------------


def _protected(world: _World, position: Position, steps: list[Step]) -> Iterator[str]:
    instrument = world.catalogue.find(position.symbol)
    if instrument is None:
        yield f"{position.symbol}: {UNLISTED}"
        return
    balance = world.balances.get(instrument.base)
    if balance is None or balance.total < position.quantity:
        return
    stop = _live_stop(world, position)
    quantity = instrument.floor_quantity(position.quantity) - _held_beside(world, position, stop)
    if stop is not None:
        steps.extend(_fitted(position, stop, quantity))
        return
    quote = world.quotes.get(position.symbol)
    price = protective_price(
        position,
        instrument,
        mark=quote.bid if quote else None,
        loss_pct=world.snapshot.policy.stop_loss_pct,
    )
    if not instrument.is_tradable_quantity(quantity, price=price):
        yield f"{position.symbol}: {short(position.quantity)} is dust that no stop can protect."
        return
    if balance.available < quantity:
        yield (
            f"{position.symbol}: only {short(balance.available)} are free, other orders hold the"
            " rest; no stop was planned."
        )
        return
    through = through_its_stop(position, quote)
    if through:
        yield through
        return
    steps.append(
        place_stop(
            position,
            quantity=quantity,
            price=price,
            notional=instrument.cost(price=price, quantity=quantity),
            reason="the position has no protective stop at the venue",
        )
    )


def _held_beside(world: _World, position: Position, stop: VenueOrder | None) -> Decimal:
    """What the position's targets and its other stops hold at the venue."""
    ours = {
        order.client_order_id
        for order in world.snapshot.orders
        if order.position_id == position.position_id and order.purpose in ("stop", "take_profit")
    }
    return sum(
        (
            order.remaining_quantity
            for order in world.open_orders
            if order.symbol == position.symbol
            and order.client_order_id in ours
            and (stop is None or order.venue_order_id != stop.venue_order_id)
        ),
        ZERO,
    )


def _live_stop(world: _World, position: Position) -> VenueOrder | None:
    """The open stop at the venue that is ours for this position."""
    ours = {
        order.client_order_id
        for order in world.snapshot.orders
        if order.purpose == "stop" and order.position_id == position.position_id
    }
    for order in world.open_orders:
        if order.symbol != position.symbol or not order.order_type.is_stop:
            continue
        is_ours = order.client_order_id is not None and order.client_order_id in ours
        if is_ours or order.venue_order_id == position.stop_venue_order_id:
            return order
    return None


def _fitted(position: Position, stop: VenueOrder, quantity: Decimal) -> Iterator[Step]:
    """Link a stop that is not linked, size one that does not fit."""
    if position.stop_venue_order_id != stop.venue_order_id:
        yield LinkStop(
            position_id=position.position_id, order=stop, reason="this stop protects the position"
        )
    if stop.remaining_quantity != quantity and quantity > ZERO:
        yield AmendOrder(
            amendment=OrderAmendment(
                venue_order_id=stop.venue_order_id,
                symbol=stop.symbol,
                quantity=stop.filled_quantity + quantity,
            ),
            reason=f"the stop covers {short(stop.remaining_quantity)} of {short(quantity)}",
            before=values_of(stop),
            position_id=position.position_id,
            preconditions=(still_open(stop),),
        )


# --- what is left alone --------------------------------------------------------------------------


def _managed(positions: Sequence[Position]) -> dict[str, Decimal]:
    managed: dict[str, Decimal] = {}
    for position in positions:
        asset = base_of(position.symbol)
        managed[asset] = managed.get(asset, ZERO) + position.quantity
    return managed


def _unmanaged(world: _World, positions: Sequence[Position]) -> Iterator[str]:
    yield from shortages(positions, tuple(world.balances.values()))
    managed = _managed(positions)
    bases = {instrument.base for instrument in world.catalogue}
    quotes = {instrument.quote for instrument in world.catalogue}
    for asset, balance in sorted(world.balances.items()):
        rest = balance.total - managed.get(asset, ZERO)
        if asset in bases and asset not in quotes and rest > ZERO:
            yield f"{asset}: {short(rest)} are not managed and were left alone."
