"""What is seen and noted beside the books: signs of life, leases, decisions, balances.

None of these rows is business: losing one changes no position and no order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.ledger import Balance

Details = Mapping[str, str | int]

COUNTDOWN = "countdown"
"""The name under which it is remembered whether the dead man's countdown may be armed."""


KILL_ORDERS = "kill orders"
"""The name under which it is counted how often each scope was ordered to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The last sign of work of one component; the reader judges its age."""

    component: str
    status: str
    beat_at: datetime
    details: Details


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who may run the account's trading loop, until when; `token` grows with every new holder.

    `machine` says where and from when its `pid` means that process and no other; empty if that is
    not known.
    """

    holder: str
    host: str
    pid: int
    token: int
    acquired_at: datetime
    renewed_at: datetime
    expires_at: datetime
    machine: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A decision trace, an order that a shadow run would have sent, or an instrument's status."""

    decided_at: datetime
    symbol: Symbol
    kind: str
    details: Details


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """One start of the loop; `finished_at` is None while it runs, or after it was killed."""

    run_id: str
    started_at: datetime
    finished_at: datetime | None
    status: str
    details: Details


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceSnapshot:
    """The balances of one moment; `marks` are prices in `quote` of the assets that had one."""

    taken_at: datetime
    source: str
    quote: str
    balances: tuple[Balance, ...]
    marks: Mapping[str, Decimal]
