"""What one turn of the loop decides about: the snapshot, unpacked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from zoe_tools.core.protection import Held
from zoe_tools.core.run_desk import Floor
from zoe_tools.core.unsold import Unsold
from zoe_tools.domain.identifiers import PositionId, Symbol
from zoe_tools.domain.instrument import Instrument, InstrumentCatalogue
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.market import Quote
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.position import Position
from zoe_tools.domain.snapshot import Missing, Snapshot, value_of
from zoe_tools.domain.trading_state import KillLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The snapshot, unpacked once."""

    snapshot: Snapshot
    catalogue: InstrumentCatalogue
    quotes: Mapping[Symbol, Quote]
    exiting: frozenset[PositionId]
    urgent: frozenset[PositionId]
    floor: Floor
    """What the order desk sees of it."""
    growing: Mapping[PositionId, datetime]
    """Since when stops have been too small that may gather what else is bought."""
    unsold: Mapping[PositionId, Unsold]
    """Whose sales came to nothing."""

    @property
    def policy(self) -> Policy:
        """The limits in force."""
        return self.snapshot.policy

    def orders_of(self, position: Position) -> list[OrderRecord]:
        """Its orders that are at work."""
        return [
            order
            for order in self.snapshot.orders
            if order.position_id == position.position_id and not order.status.is_terminal
        ]

    def held(self, position: Position, instrument: Instrument, working: list[OrderRecord]) -> Held:
        """The position as its protection sees it."""
        name, snapshot = position.position_id, self.snapshot
        return Held(
            position=position,
            instrument=instrument,
            policy=self.policy,
            working=working,
            recent=snapshot.recent_orders,
            refusals=[
                each
                for each in snapshot.refusals
                if each.position_id == name and each.purpose == "stop"
            ],
            quote=self.quotes.get(position.symbol),
            is_lowered=name in snapshot.stops_lowered,
            at=snapshot.taken_at,
            growing_since=self.growing.get(name),
        )


def world_of(
    snapshot: Snapshot,
    *,
    exiting: frozenset[PositionId],
    urgent: frozenset[PositionId],
    is_stopping: bool,
    growing: Mapping[PositionId, datetime],
    unsold: Mapping[PositionId, Unsold],
) -> World:
    """Unpack a snapshot.

    Raises:
        VenueUnavailable: the instruments are missing from it.
    """
    catalogue, state = value_of(snapshot.catalogue, "the instruments"), snapshot.trading_state
    # A group in what left the venue's list has no desk: nothing can be priced there.
    groups = tuple(each for each in snapshot.groups if catalogue.find(each.symbol) is not None)
    if groups != snapshot.groups:
        snapshot = replace(snapshot, groups=groups)
    told = () if isinstance(snapshot.quotes, Missing) else snapshot.quotes.value
    quotes = {quote.symbol: quote for quote in told}
    floor = Floor(
        snapshot=snapshot,
        catalogue=catalogue,
        quotes=quotes,
        exiting=exiting,
        may_enter=state.may_enter and not is_stopping,
        entries_stopped=is_stopping or state.level >= KillLevel.CANCEL_OPEN,
    )
    return World(
        snapshot=snapshot,
        catalogue=catalogue,
        quotes=quotes,
        exiting=exiting,
        urgent=urgent,
        floor=floor,
        growing=growing,
        unsold=unsold,
    )
