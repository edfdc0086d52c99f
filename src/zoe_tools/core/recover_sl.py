"""Find and link each position's stop at the venue; place the one that is missing.

A stop matches by side, quantity, and a price on the right side of the market, never by symbol
alone. A stop of somebody else's making is not linked and not touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from zoe_tools.core.position_orders import place_stop
from zoe_tools.core.sync_positions import protective_price
from zoe_tools.domain.identifiers import ClientOrderId
from zoe_tools.domain.instrument import Instrument, InstrumentCatalogue
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.market import Quote
from zoe_tools.domain.money import short
from zoe_tools.domain.order import Side, VenueOrder
from zoe_tools.domain.plan import LinkStop, Plan, Step
from zoe_tools.domain.position import Position
from zoe_tools.domain.snapshot import Missing, Snapshot, value_of


@dataclass(frozen=True, slots=True, kw_only=True)
class _World:
    snapshot: Snapshot
    catalogue: InstrumentCatalogue
    open_orders: tuple[VenueOrder, ...]
    ours: dict[ClientOrderId, OrderRecord]


def plan_recover_sl(snapshot: Snapshot) -> Plan:
    """A link or a stop for every open position that lacks one.

    Raises:
        VenueUnavailable: instruments or open orders are missing from the snapshot.
    """
    world = _World(
        snapshot=snapshot,
        catalogue=value_of(snapshot.catalogue, "the instruments"),
        open_orders=value_of(snapshot.open_orders, "the open orders"),
        ours={order.client_order_id: order for order in snapshot.orders},
    )
    steps: list[Step] = []
    notes: list[str] = []
    for position in snapshot.positions:
        if position.status.holds:
            found = _recover(world, position)
            if isinstance(found, str):
                notes.append(found)
            elif found is not None:
                steps.append(found)
    return Plan(
        command="recover-sl",
        account=snapshot.account,
        created_at=snapshot.taken_at,
        expires_at=snapshot.taken_at + timedelta(seconds=snapshot.policy.plan_lifetime_s),
        steps=tuple(steps),
        notes=tuple(notes),
    )


def matching_stops(
    position: Position, instrument: Instrument, open_orders: tuple[VenueOrder, ...]
) -> Iterator[VenueOrder]:
    """Resting stops that would close exactly this position."""
    quantity = instrument.floor_quantity(position.quantity)
    for order in open_orders:
        if (
            order.symbol == position.symbol
            and order.order_type.is_stop
            and order.side is position.side.opposite
            and order.remaining_quantity == quantity
        ):
            yield order


def _recover(world: _World, position: Position) -> Step | str | None:
    """A step, a sentence why there is none, or None when all is well."""
    instrument = world.catalogue.resolve(position.symbol)
    matches = tuple(matching_stops(position, instrument, world.open_orders))
    if any(each.venue_order_id == position.stop_venue_order_id for each in matches):
        return None
    for order in matches:
        record = world.ours.get(order.client_order_id) if order.client_order_id else None
        if record is not None and record.position_id in (None, position.position_id):
            return LinkStop(
                position_id=position.position_id,
                order=order,
                reason=f"{order.venue_order_id} closes exactly this position",
            )
    if matches:
        return (
            f"{position.symbol}: {matches[0].venue_order_id} would close this position but was "
            "not placed here; it was neither linked nor doubled."
        )
    return _missing(world, position, instrument)


def _missing(world: _World, position: Position, instrument: Instrument) -> Step | str:
    resting = _other_stop(world, position)
    if resting is not None:
        return (
            f"{position.symbol}: stop {resting.venue_order_id} covers "
            f"{short(resting.remaining_quantity)} of {short(position.quantity)}; "
            "`zoe sync-positions` fits it."
        )
    quantity = instrument.floor_quantity(position.quantity)
    price = protective_price(
        position,
        instrument,
        mark=_bid(world, position),
        loss_pct=world.snapshot.policy.stop_loss_pct,
    )
    if not instrument.is_tradable_quantity(quantity, price=price):
        return f"{position.symbol}: {short(position.quantity)} is dust that no stop can protect."
    return place_stop(
        position,
        quantity=quantity,
        price=price,
        notional=instrument.cost(price=price, quantity=quantity),
        reason="no stop for this position rests at the venue",
    )


def _other_stop(world: _World, position: Position) -> VenueOrder | None:
    """A stop of ours for this position that does not fit."""
    for order in world.open_orders:
        record = world.ours.get(order.client_order_id) if order.client_order_id else None
        if (
            record is not None
            and record.position_id == position.position_id
            and order.order_type.is_stop
        ):
            return order
    return None


def _bid(world: _World, position: Position) -> Decimal | None:
    """The price one could sell at now: a stop above it would fire at once."""
    part = world.snapshot.quotes
    quotes: tuple[Quote, ...] = () if isinstance(part, Missing) else part.value
    found = next((each for each in quotes if each.symbol == position.symbol), None)
    if found is None:
        return None
    return found.bid if position.side is Side.BUY else found.ask
