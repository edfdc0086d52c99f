"""Positions: the registry against real fills, real fills against holdings, and the stops of each.

On spot the venue knows no positions, only balances: what is managed of an asset must be held, and
what else is held is nobody's concern here. Only real fills change a quantity.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from zoe_tools.core.accounting import (
    apply_fill,
    base_of,
    entry_position_id,
    in_time_order,
    next_standing,
    quote_of,
)
from zoe_tools.core.adjustments import made_by
from zoe_tools.core.given_up import Leftover, beside, leftovers, told_of, total_of
from zoe_tools.core.position_rows import figures_changed, levels_changed, prices_changed
from zoe_tools.core.reconcile_records import Found, Records
from zoe_tools.core.take_profit import levels_of, open_levels
from zoe_tools.domain.discrepancy import OWN_STEP, Adjustment, Finding, FindingKind
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import PositionId, Symbol, VenueOrderId
from zoe_tools.domain.money import ZERO, short
from zoe_tools.domain.order import Side, VenueOrder
from zoe_tools.domain.plan import AdjustPosition, AdoptPosition
from zoe_tools.domain.position import Position, PositionKind, PositionStatus
from zoe_tools.domain.take_profit import TakeProfitLevel, TargetMode

ADOPTED = "adopted"

Held = dict[PositionId, Position]


def check_positions(records: Records) -> Iterator[Found]:
    """Registry against fills, then what follows from it against the holdings and the stops.

    What a hand changed of a row is one finding, whichever of its fields it was.
    """
    retold = {row.position_id: (row, told) for row, told in records.snapshot.retold}
    for finding, steps in _check_positions(records):
        pair = None
        if finding.kind is FindingKind.STORE_TAMPERED:
            pair = retold.pop(PositionId(finding.subject), None)
        yield (finding, steps) if pair is None else _joined((finding, steps), prices_changed(*pair))
    yield from (prices_changed(row, told) for row, told in retold.values())
    for levels in records.snapshot.targets_retold:
        position = records.positions.get(levels.position_id)
        if position is not None:
            yield levels_changed(levels, position)


def _joined(one: Found, other: Found) -> Found:
    evidence = f"{one[0].evidence}; {other[0].evidence}"
    stake = one[0].at_stake + other[0].at_stake
    return replace(one[0], evidence=evidence, at_stake=stake), (*one[1], *other[1])


def _check_positions(records: Records) -> Iterator[Found]:
    homes = _homes(records)
    doubtful = {each.fill_id for each in records.doubtful_fills}
    theirs = {each.fill_id: each for each in records.venue_fills}
    sure = [
        theirs.get(each.fill_id, each)
        for each in records.recorded_fills.values()
        if each.fill_id not in doubtful
    ]
    booked = _by_fills(records, homes, records.recorded_fills.values())
    proved = _by_fills(records, homes, (*sure, *records.missing_fills))
    held: Held = {}
    for position in records.snapshot.positions:
        name = position.position_id
        if not position.status.holds:
            continue
        after, found = _against_fills(records, position, booked.get(name), proved.get(name))
        yield from found
        if after.status.is_active and after.position_kind is PositionKind.SPOT:
            held[name] = after
    for name, folded in proved.items():
        if name in records.snapshot.given_up:
            yield from ((each, ()) for each in _given_up(records, booked.get(name)))
        elif not _is_registered(records, name) and folded.quantity > ZERO:
            held[name] = folded
            if name in booked and _is_phantom(records, booked[name]):
                yield _phantom(folded)
    yield from _over(records, booked, proved)
    _book_on_adopted(records, homes, held)
    yield from ((each, ()) for each in _against_holdings(records, held.values()))
    exits = _exits(records)
    left_over = leftovers(records.snapshot, records.open_orders.values())
    for position in held.values():
        yield from ((each, ()) for each in _beside(left_over, position))
        yield from (
            (each, ()) for each in _check_stops(records, position, exits.get(position.position_id))
        )


def _over(records: Records, booked: Held, proved: Held) -> Iterator[Found]:
    """What is closed, too, has cost and brought what its fills say."""
    for position in records.snapshot.closed_positions:
        name = position.position_id
        if position.origin != ADOPTED and name not in records.adjusted:
            yield from figures_changed(
                records.snapshot, position, booked.get(name), proved.get(name)
            )


def managed_by_asset(positions: Iterable[Position]) -> dict[str, Decimal]:
    """How much of each base asset is managed."""
    managed: dict[str, Decimal] = {}
    for position in positions:
        asset = base_of(position.symbol)
        managed[asset] = managed.get(asset, ZERO) + position.quantity
    return managed


# --- the registry against the fills -------------------------------------------------------------


def _homes(records: Records) -> dict[VenueOrderId, PositionId]:
    """The position that each of our orders is of, or will be once it is booked."""
    by_symbol = {each.symbol: each.position_id for each in records.snapshot.positions}
    return {
        order.venue_order_id: order.position_id
        or by_symbol.get(order.symbol)
        or entry_position_id(order)
        for order in records.own_orders
        if order.venue_order_id is not None
    }


def _by_fills(
    records: Records, homes: dict[VenueOrderId, PositionId], fills: Iterable[Fill]
) -> Held:
    """Each position as these fills, and what was adjusted, make it; what cannot be is left out."""
    grouped: dict[PositionId, list[Fill]] = {}
    for fill in fills:
        name = homes.get(fill.venue_order_id)
        if name is not None:
            grouped.setdefault(name, []).append(fill)
    posted: dict[PositionId | None, list[Adjustment]] = {}
    for adjustment in records.snapshot.adjustments:
        posted.setdefault(adjustment.position_id, []).append(adjustment)
    made = {name: made_by(name, each, posted.get(name, ())) for name, each in grouped.items()}
    return {name: position for name, position in made.items() if position is not None}


def _against_fills(
    records: Records, position: Position, booked: Position | None, proved: Position | None
) -> tuple[Position, list[Found]]:
    """The position as it will be once it is mended, and what is wrong with it.

    `booked` is what its booked fills make of it, `proved` what those at the venue do as well.
    """
    found: list[Found] = [(each, ()) for each in _side_flip(records, position)]
    if position.origin == ADOPTED or proved is None:
        booked = proved = None
    elif position.quantity not in (ZERO if booked is None else booked.quantity, proved.quantity):
        after = _mended(records, position, proved)
        return after, [*found, _synced(position, after)]
    if position.position_id not in records.adjusted:
        found += figures_changed(records.snapshot, position, booked, proved)
    if proved is not None and proved.quantity != position.quantity:
        return _mended(records, position, proved), found
    if position.quantity == ZERO and position.status.holds:
        ended = proved.closed_at if proved is not None else None
        after = replace(
            position,
            status=PositionStatus.CLOSED,
            closed_at=ended or records.snapshot.taken_at,
            exit_reason="reconciliation",
            updated_at=records.snapshot.taken_at,
        )
        return after, [*found, _stale(position, after)]
    return position, found


def _mended(records: Records, position: Position, proved: Position) -> Position:
    after = replace(
        position,
        quantity=proved.quantity,
        entry_quantity=proved.entry_quantity,
        exit_quantity=proved.exit_quantity,
        average_cost=proved.average_cost,
        closed_at=proved.closed_at,
        realised_pnl=proved.realised_pnl,
        fees=proved.fees,
        updated_at=records.snapshot.taken_at,
    )
    is_leaving = position.status is PositionStatus.EXIT_PENDING
    return replace(after, status=next_standing(after, is_leaving=is_leaving))


def _synced(before: Position, after: Position) -> Found:
    evidence = (
        f"its fills add up to {short(after.quantity)} {base_of(after.symbol)}; the registry says"
        f" {short(before.quantity)}"
    )
    finding = Finding(
        kind=FindingKind.QTY_SYNCED,
        subject=before.position_id,
        symbol=before.symbol,
        evidence=evidence,
        at_stake=abs(after.quantity - before.quantity) * (after.average_cost or ZERO),
        currency=quote_of(before.symbol),
    )
    return finding, (AdjustPosition(before=before, after=after, reason=evidence),)


def _stale(before: Position, after: Position) -> Found:
    evidence = f"it is {before.status.value} and holds nothing, by the registry and by its fills"
    finding = Finding(
        kind=FindingKind.STALE,
        subject=before.position_id,
        symbol=before.symbol,
        evidence=evidence,
        currency=quote_of(before.symbol),
    )
    return finding, (AdjustPosition(before=before, after=after, reason=evidence),)


def _side_flip(records: Records, position: Position) -> Iterator[Finding]:
    orders = records.own_by_position.get(position.position_id, ())
    sides = {each.side for each in orders if each.purpose == "entry"} or {Side.BUY}
    if position.side not in sides:
        (told,) = sides
        yield Finding(
            kind=FindingKind.SIDE_FLIP,
            subject=position.position_id,
            symbol=position.symbol,
            evidence=(
                f"the registry calls it a {position.side.value}; what opened it was a {told.value}"
            ),
            at_stake=position.quantity * position.average_cost,
            currency=quote_of(position.symbol),
        )


def _is_registered(records: Records, name: PositionId) -> bool:
    known = records.positions.get(name)
    return known is not None and known.status.holds


def _is_phantom(records: Records, booked: Position) -> bool:
    """Booked fills of ours have left a holding that the registry does not know."""
    instrument = records.catalogue.find(booked.symbol)
    return booked.quantity > records.quantity_tolerance(instrument)


def _phantom(folded: Position) -> Found:
    evidence = (
        f"our own fills have left {short(folded.quantity)} {base_of(folded.symbol)}; the registry"
        " has no such position"
    )
    finding = Finding(
        kind=FindingKind.PHANTOM,
        subject=folded.position_id,
        symbol=folded.symbol,
        evidence=evidence,
        at_stake=folded.quantity * folded.average_cost,
        currency=quote_of(folded.symbol),
    )
    return finding, (AdoptPosition(position=folded, reason=evidence),)


def _given_up(records: Records, booked: Position | None) -> Iterator[Finding]:
    """What a row in error or a merged one held is nobody's, until it is adopted by name.

    Told while it can still be there: beside what is managed, and with no position in its place.
    """
    positions = records.snapshot.positions
    if booked is None or any(each.symbol == booked.symbol for each in positions):
        return
    asset = base_of(booked.symbol)
    balance = records.balances.get(asset)
    free = ZERO if balance is None else balance.total
    free -= managed_by_asset(positions).get(asset, ZERO)
    left = replace(booked, quantity=min(booked.quantity, free))
    if not _is_phantom(records, left):
        return
    finding, _ = _phantom(left)
    adopt = f"zoe sync-positions --adopt {left.symbol}={short(left.quantity)}"
    evidence = f"{finding.evidence} any more, its row was given up. {OWN_STEP}{adopt}"
    yield replace(finding, evidence=evidence)


def _book_on_adopted(records: Records, homes: dict[VenueOrderId, PositionId], held: Held) -> None:
    """What missing fills will make of positions that fills alone do not explain."""
    for fill in in_time_order(records.missing_fills):
        name = homes.get(fill.venue_order_id)
        before = held.get(name) if name is not None else None
        if name is None or before is None or before.origin != ADOPTED:
            continue
        after = apply_fill(before, fill, position_id=name)
        held[name] = after
        if after.status is PositionStatus.CLOSED:
            del held[name]


# --- the fills against the holdings -------------------------------------------------------------


def _against_holdings(records: Records, positions: Iterable[Position]) -> Iterator[Finding]:
    by_asset: dict[str, list[Position]] = {}
    for position in positions:
        by_asset.setdefault(base_of(position.symbol), []).append(position)
    overtaken = _overtaken(records)
    for asset, members in by_asset.items():
        managed = sum((each.quantity for each in members), ZERO)
        balance = records.balances.get(asset)
        held = ZERO if balance is None else balance.total
        tolerance = records.quantity_tolerance(records.catalogue.find(members[0].symbol))
        if managed - held > tolerance and asset not in overtaken:
            yield from _short(records, asset, members, held=held, tolerance=tolerance)


def _short(
    records: Records, asset: str, members: list[Position], *, held: Decimal, tolerance: Decimal
) -> Iterator[Finding]:
    """Nothing held: each of its positions is an orphan; too little: one finding for the asset."""
    evidence = f"the venue holds {short(held)} {asset}{_second_word(records, asset)}"
    if held <= tolerance:
        for each in members:
            yield Finding(
                kind=FindingKind.ORPHANED,
                subject=each.position_id,
                symbol=each.symbol,
                evidence=f"managed {short(each.quantity)} {asset}, no fill explains it; {evidence}",
                at_stake=each.quantity * each.average_cost,
                currency=quote_of(each.symbol),
                is_absence=True,
            )
        return
    managed = sum((each.quantity for each in members), ZERO)
    yield Finding(
        kind=FindingKind.QTY_MISMATCH,
        subject=members[0].position_id if len(members) == 1 else asset,
        symbol=members[0].symbol,
        evidence=f"managed {short(managed)} {asset}; {evidence}",
        at_stake=(managed - held) * max(each.average_cost for each in members),
        currency=quote_of(members[0].symbol),
        is_absence=True,
    )


def _second_word(records: Records, asset: str) -> str:
    """What another source says of the same asset."""
    end = records.ledger_ends.get(asset)
    return "" if end is None else f" (its ledger ends at {short(end.balance)})"


def _overtaken(records: Records) -> frozenset[str]:
    """Assets of which a fill that we know of is newer than the balances: these are too old."""
    return frozenset(
        base_of(fill.symbol)
        for fill in records.recorded_fills.values()
        if fill.filled_at > records.balances_as_of
    )


# --- the stops ----------------------------------------------------------------------------------


@dataclass(slots=True)
class _Exits:
    """What rests at the venue to end one position."""

    stops: list[VenueOrder] = field(default_factory=list)
    in_targets: Decimal = ZERO
    levels: list[TakeProfitLevel] = field(default_factory=list)


def _exits(records: Records) -> dict[PositionId, _Exits]:
    """By position; a stop that somebody else placed counts where it was linked by name."""
    linked = {
        each.stop_venue_order_id: each.position_id
        for each in records.snapshot.positions
        if each.stop_venue_order_id is not None
    }
    found: dict[PositionId, _Exits] = {}
    for order in records.open_orders.values():
        own = records.ours(order)
        name = linked.get(order.venue_order_id)
        if own is not None and own.purpose in ("stop", "take_profit"):
            name = own.position_id or name
        if name is None:
            continue
        exits = found.setdefault(name, _Exits())
        if own is not None and own.purpose == "take_profit":
            exits.in_targets += order.remaining_quantity
        else:
            exits.stops.append(order)
    for level in records.snapshot.targets:
        found.setdefault(level.position_id, _Exits()).levels.append(level)
    return found


def _left_to_targets(records: Records, position: Position, exits: _Exits) -> Decimal:
    """How much of it rests in targets as it was meant to, and needs no stop."""
    instrument = records.catalogue.find(position.symbol)
    if exits.in_targets == ZERO or instrument is None:
        return ZERO
    snapshot = records.snapshot
    set_ones = tuple(exits.levels)
    levels = levels_of(position, set_ones, instrument, snapshot.policy, at=snapshot.taken_at)
    planned = sum(
        (
            each.remaining
            for each in open_levels(position, levels, instrument)
            if each.level.mode is TargetMode.RESTING
        ),
        ZERO,
    )
    return min(exits.in_targets, planned)


def _beside(
    left_over: Mapping[Symbol, tuple[Leftover, ...]], position: Position
) -> Iterator[Finding]:
    """What rests for a position that was given up would sell what nobody manages, beside this."""
    left = beside(left_over, position)
    if left:
        beyond = total_of(left)
        yield Finding(
            kind=FindingKind.STOP_QTY,
            subject=position.position_id,
            symbol=position.symbol,
            evidence=(
                f"beside what protects the {short(position.quantity)} {base_of(position.symbol)}"
                f" that are managed, {short(beyond)} more would be sold by {told_of(left)}"
            ),
            at_stake=beyond * position.average_cost,
            currency=quote_of(position.symbol),
        )


def _check_stops(records: Records, position: Position, exits: _Exits | None) -> Iterator[Finding]:
    instrument = records.catalogue.find(position.symbol)
    if instrument is None:
        return
    exits = exits or _Exits()
    quantity = instrument.floor_quantity(position.quantity)
    quantity -= _left_to_targets(records, position, exits)
    if not instrument.is_tradable_quantity(quantity, price=position.average_cost):
        return
    base = Finding(
        kind=FindingKind.STOP_MISSING,
        subject=position.position_id,
        symbol=position.symbol,
        evidence=f"{short(quantity)} {position.symbol} has no stop resting at the venue",
        at_stake=quantity * position.average_cost,
        currency=quote_of(position.symbol),
        is_absence=True,
    )
    if not exits.stops:
        yield base
        return
    covered = sum((stop.remaining_quantity for stop in exits.stops), ZERO)
    if covered != quantity:
        yield replace(
            base,
            kind=FindingKind.STOP_QTY,
            evidence=f"stops cover {short(covered)} of {short(quantity)} {position.symbol}",
            at_stake=abs(quantity - covered) * position.average_cost,
        )
    if any(stop.side is position.side for stop in exits.stops):
        yield replace(
            base,
            kind=FindingKind.STOP_SIDE,
            evidence=f"a stop of {position.symbol} is on the position's own side",
        )
