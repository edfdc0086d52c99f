"""Take-profit levels as a position's own append-only story tells them: no row alone is believed.

The story has each setting of levels whole: numbers, quantities, prices, and where they live. What
has become of a level is not in it; that follows from what was sold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from zoe_tools.domain.identifiers import PositionId
from zoe_tools.domain.money import short
from zoe_tools.domain.position_event import BEGUN, LEVELS, TARGETS_SET, PositionEvent
from zoe_tools.domain.take_profit import LevelStatus, TakeProfitLevel, TargetMode

ABOUT_LEVELS = (BEGUN, TARGETS_SET)

_LEVEL = re.compile(r"(\d+): (\S+) at (\S+) \((\w+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetoldLevels:
    """Rows of a position's levels that its story contradicts, and what the story tells."""

    position_id: PositionId
    rows: tuple[TakeProfitLevel, ...]
    told: tuple[TakeProfitLevel, ...]


def spelled(levels: Iterable[TakeProfitLevel]) -> str:
    """Levels in words that `levels_as_told` reads; none is `none`."""
    texts = (
        f"{each.level}: {short(each.quantity)} at {short(each.price)} ({each.mode.value})"
        for each in levels
    )
    return ", ".join(texts) or "none"


def levels_as_told(
    rows: Sequence[TakeProfitLevel], events: Sequence[PositionEvent]
) -> tuple[TakeProfitLevel, ...]:
    """The levels of one position as they were set last; the rows where the story is silent.

    `events` of that position, in the order of writing. A story that began before levels were told
    in it is silent.
    """
    about = [each for each in events if LEVELS in each.details]
    if not about or spelled(rows) == about[-1].details[LEVELS]:
        return tuple(rows)
    last = about[-1]
    by_number = {each.level: each for each in rows}
    told = _read(last.details[LEVELS], last.position_id, last.occurred_at)
    return tuple(
        replace(each, status=row.status, client_order_id=row.client_order_id)
        if (row := by_number.get(each.level)) is not None
        else each
        for each in told
    )


def _read(text: str, position_id: PositionId, at: datetime) -> Iterable[TakeProfitLevel]:
    for number, quantity, price, mode in _LEVEL.findall(text):
        yield TakeProfitLevel(
            position_id=position_id,
            level=int(number),
            price=Decimal(price),
            quantity=Decimal(quantity),
            status=LevelStatus.WAITING,
            mode=TargetMode(mode),
            updated_at=at,
        )
