"""Take-profit levels: how much of a position is sold at which price, and where that is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from zoe_tools.domain.identifiers import ClientOrderId, PositionId


class TargetMode(StrEnum):
    """Where targets live. On spot one coin cannot be held by a stop and by a target."""

    MANAGED = "managed"
    """The stop holds all of it at the venue; a running loop sells at the target."""

    SPLIT = "split"
    """Every level but the last rests at the venue, the stop holds the rest."""

    RESTING = "resting"
    """Every level rests at the venue; a running loop minds the stop."""


class LevelStatus(StrEnum):
    """What has become of a level."""

    WAITING = "waiting"
    """A loop has to sell there."""

    WORKING = "working"
    """An order for it rests at the venue."""

    FILLED = "filled"


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeProfitLevel:
    """One level of a position, counted from 1: `quantity` in base, of what was held then.

    `mode` is managed or resting. Levels are taken in their order: what was sold since, by whatever,
    took the first ones.
    """

    position_id: PositionId
    level: int
    price: Decimal
    quantity: Decimal
    status: LevelStatus
    mode: TargetMode
    updated_at: datetime
    client_order_id: ClientOrderId | None = None
