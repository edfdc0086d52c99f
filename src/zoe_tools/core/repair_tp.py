"""Places, fits and takes back targets until they cover each position, quantity against quantity.

Each level stands for itself: one that the venue would not take stays managed and is named, and the
others are placed all the same. A position without its stop is protected first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from zoe_tools.core.check_tp_coverage import Coverage, PositionCoverage, check_tp_coverage
from zoe_tools.core.position_orders import place_stop
from zoe_tools.core.protection import UNLISTED
from zoe_tools.core.recover_sl import own_stops
from zoe_tools.core.sync_positions import protective_price, through_its_stop
from zoe_tools.core.take_profit import (
    Resting,
    fit_resting,
    keep_levels,
    levels_for,
    levels_of,
    open_levels,
    own_targets,
    price_of,
)
from zoe_tools.domain.instrument import Instrument, InstrumentCatalogue
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import VenueOrder
from zoe_tools.domain.plan import Plan, Step
from zoe_tools.domain.position import Position
from zoe_tools.domain.snapshot import Snapshot, quote_in, value_of
from zoe_tools.domain.take_profit import TakeProfitLevel, TargetMode

TARGETS_ALONE = frozenset({Coverage.MISSING_TP, Coverage.MISMATCH_TP})
"""What is wrong with nothing but the targets."""

REPAIRABLE = TARGETS_ALONE | {Coverage.OK}
"""What targets can be fitted to; everything else is another command's to mend first."""


def plan_repair_tp(
    snapshot: Snapshot, *, loop_is_running: bool, mode: TargetMode | None = None
) -> Plan:
    """What makes `check-tp-coverage` find nothing; empty when it finds nothing.

    `mode` sets anew where the targets of each position live; None leaves levels as they were set.

    Raises:
        VenueUnavailable: open orders, balances or instruments are missing from the snapshot.
    """
    catalogue = value_of(snapshot.catalogue, "the instruments")
    open_orders = value_of(snapshot.open_orders, "the open orders")
    by_id = {each.position_id: each for each in snapshot.positions}
    may_rest = snapshot.policy.allow_targets_without_stop
    steps: list[Step] = []
    notes: list[str] = []
    for row in check_tp_coverage(snapshot, loop_is_running=loop_is_running):
        position = by_id[row.position_id]
        if catalogue.find(position.symbol) is None:
            notes.append(f"{position.symbol}: {UNLISTED}")
            continue
        if not _is_mendable(snapshot, row, position, catalogue, open_orders):
            notes.append(_first(row))
            continue
        levels = _levels(snapshot, position, catalogue, mode)
        all_rest = bool(levels) and all(each.mode is TargetMode.RESTING for each in levels)
        if all_rest and not loop_is_running:
            notes.append(
                f"{row.symbol}: where all of it rests in targets a loop has to mind the stop, and"
                " none runs. Next: zoe run, or zoe repair-tp --mode split"
            )
            continue
        for found in _fitted(
            snapshot, position, catalogue, open_orders, levels, loop_is_running=loop_is_running
        ):
            if isinstance(found, str):
                notes.append(found)
            else:
                steps.append(found)
        if not loop_is_running and any(each.mode is TargetMode.RESTING for each in levels):
            notes.append(
                f"{row.symbol}: no loop runs, and what rests in targets has no stop without one:"
                " a falling market finds that part UNPROTECTED. Next: zoe run"
            )
        if not loop_is_running and any(each.mode is TargetMode.MANAGED for each in levels):
            way = "; zoe repair-tp --mode split lets a part of it rest" if may_rest else ""
            notes.append(
                f"{row.symbol}: no loop runs, and managed targets cover nothing without one. Next:"
                f" zoe run{way}"
            )
    return Plan(
        command="repair-tp",
        account=snapshot.account,
        created_at=snapshot.taken_at,
        expires_at=snapshot.taken_at + timedelta(seconds=snapshot.policy.plan_lifetime_s),
        steps=tuple(steps),
        notes=tuple(notes),
    )


def _first(row: PositionCoverage) -> str:
    if row.coverage is Coverage.NO_EXCHANGE_POSITION:
        return f"{row.symbol}: the venue holds less than is managed. First: zoe reconcile"
    return f"{row.symbol}: {row.coverage.value}, no target was planned. First: zoe recover-sl"


def _is_mendable(
    snapshot: Snapshot,
    row: PositionCoverage,
    position: Position,
    catalogue: InstrumentCatalogue,
    open_orders: tuple[VenueOrder, ...],
) -> bool:
    """Whether targets can be fitted to it, or a run that was cut short goes on."""
    if row.coverage in REPAIRABLE or is_held_by_targets(row):
        return True
    is_short = row.coverage is Coverage.UNPROTECTED
    return is_short and _is_begun(snapshot, position, catalogue, open_orders)


def _is_begun(
    snapshot: Snapshot,
    position: Position,
    catalogue: InstrumentCatalogue,
    open_orders: tuple[VenueOrder, ...],
) -> bool:
    """Whether an earlier run came no further than its levels and the room in, or for, the stop.

    The stop is short of just what no target of a level holds yet, or levels that are all managed
    were set and it has not got back what targets held. Then this run goes on from there.
    """
    stops = own_stops(position, snapshot.orders, open_orders)
    if len(stops) != 1 or all(
        each.position_id != position.position_id for each in snapshot.targets
    ):
        return False
    instrument = catalogue.resolve(position.symbol)
    levels = levels_of(
        position, snapshot.targets, instrument, snapshot.policy, at=snapshot.taken_at
    )
    wanted = [
        (each.level.price, each.remaining)
        for each in open_levels(position, levels, instrument)
        if each.level.mode is TargetMode.RESTING
    ]
    placed = [
        (price_of(each), each.remaining_quantity)
        for each in own_targets(position, snapshot.orders, open_orders)
    ]
    if not wanted:
        return not placed
    left = instrument.floor_quantity(position.quantity) - sum((each for _, each in wanted), ZERO)
    return stops[0].remaining_quantity == left and all(each in wanted for each in placed)


def _levels(
    snapshot: Snapshot,
    position: Position,
    catalogue: InstrumentCatalogue,
    mode: TargetMode | None,
) -> tuple[TakeProfitLevel, ...]:
    instrument, policy, at = (
        catalogue.resolve(position.symbol),
        snapshot.policy,
        snapshot.taken_at,
    )
    if mode is None:
        return levels_of(position, snapshot.targets, instrument, policy, at=at)
    return levels_for(position, instrument, replace(policy, take_profit_mode=mode), at=at)


def _fitted(
    snapshot: Snapshot,
    position: Position,
    catalogue: InstrumentCatalogue,
    open_orders: tuple[VenueOrder, ...],
    levels: tuple[TakeProfitLevel, ...],
    *,
    loop_is_running: bool,
) -> Iterator[Step | str]:
    """Where levels are kept and a loop runs, the venue is the loop's: two would be in their way."""
    instrument = catalogue.resolve(position.symbol)
    stops = own_stops(position, snapshot.orders, open_orders)
    targets = own_targets(position, snapshot.orders, open_orders)
    if len(stops) > 1:
        yield f"{position.symbol}: {len(stops)} stops share it. First: zoe recover-sl"
        return
    resting = Resting(stop=stops[0] if stops else None, targets=targets)
    steps, notes = fit_resting(position, instrument, levels, resting)
    kept = keep_levels(position, snapshot.targets, levels)
    is_kept = _is_worth_keeping(snapshot, position, levels)
    if kept is not None and is_kept:
        yield kept
    if is_kept and loop_is_running:
        if kept is not None or steps:
            yield (
                f"{position.symbol}: the running loop brings the venue in line with these levels."
                " Look again: zoe check-tp-coverage"
            )
        return
    yield from steps
    if not stops:
        yield from _stop_for_the_rest(snapshot, position, instrument, levels)
    yield from notes


def is_held_by_targets(row: PositionCoverage) -> bool:
    """Whether targets hold it, and what is missing is a stop, or a loop that minds one."""
    if row.coverage is not Coverage.UNPROTECTED:
        return False
    if row.stop_quantity == ZERO:
        return row.resting_quantity > ZERO
    return row.unprotected_quantity in (row.minded_quantity, row.resting_quantity)


def _stop_for_the_rest(
    snapshot: Snapshot,
    position: Position,
    instrument: Instrument,
    levels: tuple[TakeProfitLevel, ...],
) -> Iterator[Step | str]:
    """Where targets held all of it until now, what they give up gets its stop."""
    quantity = sum(
        (
            each.remaining
            for each in open_levels(position, levels, instrument)
            if each.level.mode is TargetMode.MANAGED
        ),
        ZERO,
    )
    quote = quote_in(snapshot, position.symbol)
    bid = None if quote is None else quote.bid
    price = protective_price(position, instrument, mark=bid, loss_pct=snapshot.policy.stop_loss_pct)
    through = through_its_stop(position, quote)
    if not instrument.is_tradable_quantity(quantity, price=price):
        return
    if through:
        yield through
    else:
        yield place_stop(
            position,
            quantity=quantity,
            price=price,
            notional=instrument.cost(price=price, quantity=quantity),
            reason="what no target holds gets its stop",
        )


def _is_worth_keeping(
    snapshot: Snapshot, position: Position, levels: tuple[TakeProfitLevel, ...]
) -> bool:
    """A single managed target that nobody set needs no rows: the policy says the same."""
    is_set = any(each.position_id == position.position_id for each in snapshot.targets)
    return is_set or len(levels) > 1 or any(each.mode is TargetMode.RESTING for each in levels)
