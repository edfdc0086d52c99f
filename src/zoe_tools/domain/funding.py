"""Funds that come and go, as the venue tells it: methods, deposits, withdrawals, allocations.

zoe reads these and moves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal

MovementKind = Literal["deposit", "withdrawal"]


class MovementStatus(StrEnum):
    """How far a deposit or withdrawal is (kraken-spot section 6)."""

    INITIAL = "Initial"
    PENDING = "Pending"
    SETTLED = "Settled"
    SUCCESS = "Success"
    FAILURE = "Failure"
    UNKNOWN = "unknown"

    @property
    def is_done(self) -> bool:
        """Whether nothing more happens to it."""
        return self in (MovementStatus.SUCCESS, MovementStatus.FAILURE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FundsMovement:
    """A deposit or a withdrawal; `amount` and `fee` in `asset` (canonical name).

    `fee` is None where the venue does not say it; `detail` is its further word, e.g. `onhold`.
    """

    kind: MovementKind
    refid: str
    asset: str
    amount: Decimal
    fee: Decimal | None
    moved_at: datetime
    status: MovementStatus
    method: str
    detail: str = ""
    network: str = ""
    txid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingMethod:
    """A way to pay in or out; `minimum` and `fee` in `asset`, None where not told."""

    kind: MovementKind
    asset: str
    method: str
    network: str = ""
    minimum: Decimal | None = None
    fee: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EarnAllocation:
    """What one earn strategy holds and has paid, in `asset`."""

    strategy_id: str
    asset: str
    allocated: Decimal
    rewarded: Decimal
