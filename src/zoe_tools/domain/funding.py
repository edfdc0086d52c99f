"""Funds that come and go, as the venue tells it: methods, deposits, withdrawals, allocations.

zoe reads these and moves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from zoe_tools.domain.money import ZERO

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
class FundingAddress:
    """Where an asset is paid in, or out to.

    A deposit's `is_fresh` says that nothing was paid to it yet. A withdrawal's `key` is the name
    the account's owner gave the address; only a confirmed one (`is_verified`) can be used. `memo`
    is what must go with it on networks that share an address, whatever they call it.
    """

    kind: MovementKind
    asset: str
    method: str
    address: str
    memo: str = ""
    key: str = ""
    is_verified: bool = True
    is_fresh: bool = False
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawalTerms:
    """What a withdrawal would bring, were it made: all amounts in `asset`.

    `limit` is the most that could leave now, `arrives` what would come of the amount asked.
    """

    asset: str
    method: str
    limit: Decimal
    arrives: Decimal
    fee: Decimal


class EarnLock(StrEnum):
    """How long an earn strategy keeps what it was given."""

    FLEX = "flex"
    INSTANT = "instant"
    BONDED = "bonded"
    TIMED = "timed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class EarnStrategy:
    """One way to earn on `asset`; yields are percent a year, fees percent of the amount.

    `unbonding` is how long what was given takes to come back. None: the venue does not say, or
    there is no limit. `restrictions` are the venue's words for why nothing may be given.
    """

    strategy_id: str
    asset: str
    lock: EarnLock
    yield_low_pct: Decimal | None
    yield_high_pct: Decimal | None
    minimum: Decimal | None
    maximum: Decimal | None
    allocation_fee_pct: Decimal
    deallocation_fee_pct: Decimal
    bonding: timedelta | None
    unbonding: timedelta | None
    may_allocate: bool
    may_deallocate: bool
    source: str = ""
    restrictions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EarnAllocation:
    """What one earn strategy holds and has paid, in `asset`.

    `bonding` has been given and does not earn yet, `unbonding` is on its way back; both are part of
    `allocated`.
    """

    strategy_id: str
    asset: str
    allocated: Decimal
    rewarded: Decimal
    bonding: Decimal = ZERO
    unbonding: Decimal = ZERO
