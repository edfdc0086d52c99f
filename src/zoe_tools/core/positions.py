"""The positions there are, what each is worth now, and what of each asset is not zoe's to touch.

A quote's age stands beside every figure that is made of it; without a quote there is no figure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from zoe_tools.core.accounting import base_of
from zoe_tools.core.protection import is_through
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import PositionId, Symbol
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.market import Quote
from zoe_tools.domain.money import HUNDRED, ZERO
from zoe_tools.domain.position import Position, PositionKind, PositionStatus
from zoe_tools.domain.position_event import PositionEvent
from zoe_tools.domain.snapshot import Missing, Snapshot
from zoe_tools.domain.take_profit import TakeProfitLevel

_DIGITS = Decimal("0.0001")


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionLine:
    """One position. Quantities in base, money in quote; None where there is no quote for it.

    `is_through`: the market is at the price of its stop or beyond, where no stop rests.
    `worth` is at the bid, `unrealised_pnl` what selling there would add, before that sale's fee.
    """

    position_id: PositionId
    symbol: Symbol
    position_kind: PositionKind
    status: PositionStatus
    origin: str
    quantity: Decimal
    entry_quantity: Decimal
    exit_quantity: Decimal
    average_cost: Decimal
    bid: Decimal | None
    quoted_at: datetime | None
    worth: Decimal | None
    unrealised_pnl: Decimal | None
    unrealised_pct: Decimal | None
    realised_pnl: Decimal
    fees: Decimal
    stop_price: Decimal | None
    has_stop: bool
    is_through: bool
    take_profit_price: Decimal | None
    opened_at: datetime
    closed_at: datetime | None
    exit_reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetShare:
    """How much of an asset zoe manages; `unmanaged` is never stopped and never sold.

    Below zero: zoe manages more than the venue holds, which `zoe reconcile` explains.
    """

    asset: str
    held_at_venue: Decimal
    managed: Decimal
    unmanaged: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionStory:
    """All that the books hold on one position, oldest first."""

    position: Position
    orders: tuple[OrderRecord, ...]
    fills: tuple[Fill, ...]
    targets: tuple[TakeProfitLevel, ...]
    events: tuple[PositionEvent, ...]


def list_positions(
    positions: Sequence[Position],
    snapshot: Snapshot,
    *,
    symbol: Symbol | None = None,
    since: datetime | None = None,
) -> tuple[PositionLine, ...]:
    """A line for each, active ones first, each newest first; `since` bounds those that are over."""
    quotes: dict[Symbol, Quote] = {}
    if not isinstance(snapshot.quotes, Missing):
        quotes = {each.symbol: each for each in snapshot.quotes.value}
    chosen = [
        each
        for each in positions
        if symbol in (None, each.symbol)
        and (since is None or each.closed_at is None or each.closed_at >= since)
    ]
    chosen.sort(key=lambda each: (each.status.is_active, each.opened_at), reverse=True)
    return tuple(_line(each, quotes.get(each.symbol)) for each in chosen)


def shares_of(positions: Iterable[Position], snapshot: Snapshot) -> tuple[AssetShare, ...] | None:
    """Every asset that is held or managed, money left out; None when the venue could not tell."""
    if isinstance(snapshot.balances, Missing) or isinstance(snapshot.catalogue, Missing):
        return None
    totals = {each.asset: each.total for each in snapshot.balances.value}
    managed: dict[str, Decimal] = {}
    for each in positions:
        if each.status.holds:
            asset = base_of(each.symbol)
            managed[asset] = managed.get(asset, ZERO) + each.quantity
    bases = {each.base for each in snapshot.catalogue.value}
    money = {each.quote for each in snapshot.catalogue.value}
    held = {name for name, total in totals.items() if total > ZERO and name in bases - money}
    return tuple(
        AssetShare(
            asset=name,
            held_at_venue=totals.get(name, ZERO),
            managed=managed.get(name, ZERO),
            unmanaged=totals.get(name, ZERO) - managed.get(name, ZERO),
        )
        for name in sorted(held | set(managed))
    )


def _line(position: Position, quote: Quote | None) -> PositionLine:
    bid = None if quote is None else quote.bid
    worth = unrealised = share = None
    if bid is not None and position.status.holds:
        worth = position.quantity * bid
        basis = position.quantity * position.average_cost
        unrealised = worth - basis
        share = (unrealised / basis * HUNDRED).quantize(_DIGITS) if basis else None
    return PositionLine(
        position_id=position.position_id,
        symbol=position.symbol,
        position_kind=position.position_kind,
        status=position.status,
        origin=position.origin,
        quantity=position.quantity,
        entry_quantity=position.entry_quantity,
        exit_quantity=position.exit_quantity,
        average_cost=position.average_cost,
        bid=bid,
        quoted_at=None if quote is None else quote.as_of,
        worth=worth,
        unrealised_pnl=unrealised,
        unrealised_pct=share,
        realised_pnl=position.realised_pnl,
        fees=position.fees,
        stop_price=position.stop_price,
        has_stop=position.stop_venue_order_id is not None,
        is_through=quote is not None
        and position.status.holds
        and position.stop_price is not None
        and is_through(position.side, position.stop_price, quote),
        take_profit_price=position.take_profit_price,
        opened_at=position.opened_at,
        closed_at=position.closed_at,
        exit_reason=position.exit_reason,
    )
