"""What a new price may change, so that no turn is taken over all the others.

A price moves orders of its own instrument alone, and only where something is held, wanted or at
work there. Put to the turn's own decision with what concerns that instrument, it comes to the same
steps as a look at everything; where that is none, nothing is done.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.intent_group import IntentGroup
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.position import Position
from zoe_tools.domain.snapshot import Snapshot


def at_stake(
    positions: Iterable[Position], orders: Iterable[OrderRecord], groups: Iterable[IntentGroup]
) -> frozenset[Symbol]:
    """The instruments in which a new price can call for anything."""
    working = (each.symbol for each in orders if not each.status.is_terminal)
    held = (each.symbol for each in positions)
    return frozenset((*held, *working, *(each.symbol for each in groups)))


def concerning(snapshot: Snapshot, symbol: Symbol) -> Snapshot:
    """The snapshot with what concerns one instrument; what is about the account stays whole."""
    positions = tuple(each for each in snapshot.positions if each.symbol == symbol)
    names = {each.position_id for each in positions}
    return replace(
        snapshot,
        positions=positions,
        unbooked=tuple(each for each in snapshot.unbooked if each[0] in names),
        orders=tuple(each for each in snapshot.orders if each.symbol == symbol),
        recent_orders=tuple(each for each in snapshot.recent_orders if each.symbol == symbol),
        groups=tuple(each for each in snapshot.groups if each.symbol == symbol),
        targets=tuple(each for each in snapshot.targets if each.position_id in names),
    )
