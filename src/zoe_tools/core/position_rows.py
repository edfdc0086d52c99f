"""The registry's rows against what made them: what neither fill nor story explains is not believed.

What a position has cost less what it has brought is the same in whichever order its fills were
booked; its average cost and its result by themselves are not. Prices have no fills behind them, but
each time one was set is in the position's append-only story.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from zoe_tools.core.accounting import quote_of
from zoe_tools.core.reconcile_records import Found
from zoe_tools.domain.discrepancy import Finding, FindingKind
from zoe_tools.domain.identifiers import PositionId
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.level_story import RetoldLevels, spelled
from zoe_tools.domain.money import ZERO, short
from zoe_tools.domain.order import Side
from zoe_tools.domain.plan import AdjustPosition, SetTargets
from zoe_tools.domain.position import GonePosition, Position, PositionKind, PositionStatus
from zoe_tools.domain.position_event import (
    BEGUN,
    STOP_LOOSENED,
    STOP_PRICE_SET,
    TARGET_PRICE_SET,
    PositionEvent,
    price_in,
    retold,
)
from zoe_tools.domain.position_lifecycle import keeps_remainder
from zoe_tools.domain.snapshot import Snapshot

_ROUNDING = Decimal("0.00000001")
"""What divisions may leave, in the quote asset: no venue books less."""


def figures_changed(
    snapshot: Snapshot, position: Position, booked: Position | None, proved: Position | None
) -> Iterator[Found]:
    """Cost, result and fees of a position that holds as much as its fills say.

    `booked` is what its booked fills make of it, `proved` what the venue's do; either explains the
    row. Not for a position that was adjusted: that moves cost at its own time.
    """
    if position.position_kind is not PositionKind.SPOT:
        return
    made = [each for each in (booked, proved) if each and each.quantity == position.quantity]
    is_sound = keeps_remainder(position)
    if not made or (is_sound and any(_is_same(position, each) for each in made)):
        return
    right = made[-1]
    evidence = (
        f"its fills make an average cost of {short(right.average_cost)}, a result of"
        f" {short(right.realised_pnl)} and fees of {short(right.fees)}; the row says"
        f" {short(position.average_cost)}, {short(position.realised_pnl)} and"
        f" {short(position.fees)}{_in_and_out(position, right)}. It was changed by hand, and is not"
        " believed"
    )
    after = replace(
        position,
        entry_quantity=right.entry_quantity,
        exit_quantity=right.exit_quantity,
        average_cost=right.average_cost,
        realised_pnl=right.realised_pnl,
        fees=right.fees,
        updated_at=snapshot.taken_at,
    )
    finding = Finding(
        kind=FindingKind.STORE_TAMPERED,
        subject=position.position_id,
        symbol=position.symbol,
        evidence=evidence,
        at_stake=abs(_spent(position) - _spent(right)),
        currency=quote_of(position.symbol),
    )
    yield finding, (AdjustPosition(before=position, after=after, reason=evidence),)


def _in_and_out(position: Position, right: Position) -> str:
    """What came in and went out by the row and by the fills, where the row contradicts itself."""
    if keeps_remainder(position):
        return ""
    return (
        f", and {short(position.entry_quantity)} in, {short(position.exit_quantity)} out instead of"
        f" {short(right.entry_quantity)} and {short(right.exit_quantity)}"
    )


def _is_same(position: Position, made: Position) -> bool:
    return (
        abs(_spent(position) - _spent(made)) <= _ROUNDING
        and abs(position.fees - made.fees) <= _ROUNDING
    )


def _spent(position: Position) -> Decimal:
    return position.quantity * position.average_cost - position.realised_pnl


# --- rows that are gone --------------------------------------------------------------------------


def positions_gone(
    events: Iterable[PositionEvent], orders: Iterable[OrderRecord]
) -> tuple[GonePosition, ...]:
    """Of stories without a row those whose position holds something, in the order they began."""
    stories: dict[PositionId, list[PositionEvent]] = {}
    for event in events:
        stories.setdefault(event.position_id, []).append(event)
    symbols = {each.position_id: each.symbol for each in orders if each.position_id is not None}
    found = (
        GonePosition(position_id=name, symbol=symbols.get(name, ""), quantity=_left_by(story))
        for name, story in stories.items()
        if story[-1].to_status.holds
    )
    return tuple(each for each in found if each.quantity > ZERO)


def _left_by(story: Sequence[PositionEvent]) -> Decimal:
    """What came in less what went out, by what was told last of each."""
    moved = {
        way: Decimal(event.details[way])
        for event in story
        for way in ("in", "out")
        if way in event.details
    }
    return moved.get("in", ZERO) - moved.get("out", ZERO)


def told_gone(gone: GonePosition) -> str:
    """What it means and what comes next, in words."""
    what = f"{short(gone.quantity)} {gone.symbol}".rstrip()
    return (
        f"The row of {gone.position_id} is gone: by its own story it holds {what}, which nothing"
        " here looks after. Next: zoe reconcile --execute"
    )


# --- prices, against the story of the position ---------------------------------------------------

_ENDS = (PositionStatus.CLOSED, PositionStatus.CANCELLED)


def as_told(position: Position, events: Sequence[PositionEvent]) -> Position:
    """The position with prices, and reason of its end, as its own story has them.

    `events` of this position, in the order of writing. Where the story is silent, as of a position
    that began before there were stories, the row stands.
    """
    begun = max((index for index, each in enumerate(events) if each.what == BEGUN), default=None)
    told: dict[str, Any] = {}
    if begun is not None:
        story = events[begun:]
        told |= _as_planned(story[0])
        told |= _prices(story, STOP_PRICE_SET, "stop_price", position.stop_price)
        told |= _prices(story, TARGET_PRICE_SET, "take_profit_price", position.take_profit_price)
    if position.status in _ENDS:
        told |= _ended(position, events)
    # What was never planned, or not written down then, says nothing of the beginning.
    wanted = {
        name: value
        for name, value in told.items()
        if not (name.startswith("initial_") and getattr(position, name) is None)
    }
    return replace(position, **wanted) if wanted else position


def _as_planned(begun: PositionEvent) -> dict[str, Any]:
    names = ("initial_quantity", "initial_price")
    told = {name: price_in(begun.details[name]) for name in names if name in begun.details}
    return {"side": Side(begun.details["side"]), **told}


def _prices(
    story: Sequence[PositionEvent], what: str, name: str, row: Decimal | None
) -> dict[str, Any]:
    """The price that was set last, and the first one, which is what was planned.

    A price that is set again within one moment makes no second event: either may be the last.
    """
    found = [each for each in story if each.what == what]
    if not found:
        return {name: None, f"initial_{name}": None}
    last = [each for each in found if each.occurred_at == found[-1].occurred_at]
    prices = [price_in(each.details["after"]) for each in last]
    first = next((price_in(each.details["after"]) for each in found), None)
    return {name: row if row in prices else prices[-1], f"initial_{name}": first}


def _ended(position: Position, events: Sequence[PositionEvent]) -> dict[str, Any]:
    ends = [
        each
        for each in events
        if each.what == position.status.value and each.to_status is position.status
    ]
    return {"exit_reason": ends[-1].details.get("exit_reason", "")} if ends else {}


def stop_was_lowered(events: Sequence[PositionEvent]) -> bool:
    """Whether somebody moved the stop against the position at the venue, and nobody set it since.

    That is told, not believed, and not fought either.
    """
    about = [each.what for each in events if each.what in (STOP_PRICE_SET, STOP_LOOSENED)]
    return bool(about) and about[-1] == STOP_LOOSENED


def prices_changed(row: Position, told: Position) -> Found:
    """A row whose side, prices, or the reason of whose end its own story contradicts."""
    evidence = f"its own story says {_told(told, row)}; the row says {_told(row, told)}."
    evidence += " It was changed by hand, and is not believed"
    quantity = row.quantity if row.status.holds else ZERO
    is_flipped = row.side is not told.side
    finding = Finding(
        kind=FindingKind.SIDE_FLIP if is_flipped else FindingKind.STORE_TAMPERED,
        subject=row.position_id,
        symbol=row.symbol,
        evidence=evidence,
        at_stake=quantity * row.average_cost
        if is_flipped
        else _distance(row.stop_price, told.stop_price) * quantity,
        currency=quote_of(row.symbol),
    )
    return finding, (AdjustPosition(before=row, after=told, reason=evidence),)


def levels_changed(levels: RetoldLevels, position: Position) -> Found:
    """Take-profit levels whose rows the position's own story contradicts."""
    evidence = (
        f"its own story sets these levels: {spelled(levels.told)}; their rows say"
        f" {spelled(levels.rows)}. They were changed by hand, and are not believed"
    )
    finding = Finding(
        kind=FindingKind.STORE_TAMPERED,
        subject=f"levels of {levels.position_id}",
        symbol=position.symbol,
        evidence=evidence,
        at_stake=position.quantity * position.average_cost,
        currency=quote_of(position.symbol),
    )
    step = SetTargets(
        position_id=position.position_id,
        symbol=position.symbol,
        levels=levels.told,
        reason=evidence,
    )
    return finding, (step,)


def _distance(row: Decimal | None, told: Decimal | None) -> Decimal:
    return ZERO if row is None or told is None else abs(row - told)


def _told(position: Position, other: Position) -> str:
    return ", ".join(f"{name} {was}" for name, was, _ in retold(position, other))
