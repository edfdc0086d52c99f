"""Discrepancies: where own books and the venue disagree, how bad it is, and who acts on it.

`RULES` is the one table of classes: how severe, and what follows without anybody being asked.
Exits, stops and cancels are never stopped by any of it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NewType

from zoe_tools.domain.identifiers import PositionId, Symbol
from zoe_tools.domain.money import ZERO

DiscrepancyId = NewType("DiscrepancyId", str)

WHOLE_LOOK, LIVE_LOOK = "reconcile", "compare"
"""Components that show signs of life: all of the venue's records were compared, or what is live."""


BALANCES = "BalanceEx"
"""The subject of a contradiction that a look at what is live sees and unsees."""


OWN_STEP = "Look at it, then: "
"""In the evidence of a finding that another command mends than the rest of its class."""


class FindingKind(StrEnum):
    """The classes of disagreement."""

    ORPHANED = "ORPHANED"
    PHANTOM = "PHANTOM"
    QTY_MISMATCH = "QTY_MISMATCH"
    QTY_SYNCED = "QTY_SYNCED"
    PENDING_ADOPTED = "PENDING_ADOPTED"
    STALE = "STALE"
    SIDE_FLIP = "SIDE_FLIP"
    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    LOST_ORDER = "LOST_ORDER"
    ORDER_MISMATCH = "ORDER_MISMATCH"
    FOREIGN_MATCH = "FOREIGN_MATCH"
    MISSING_FILL = "MISSING_FILL"
    DUPLICATE_FILL = "DUPLICATE_FILL"
    PHANTOM_FILL = "PHANTOM_FILL"
    FILL_MISMATCH = "FILL_MISMATCH"
    FEE_MISMATCH = "FEE_MISMATCH"
    STOP_MISSING = "STOP_MISSING"
    STOP_QTY = "STOP_QTY"
    STOP_SIDE = "STOP_SIDE"
    LEDGER_MISMATCH = "LEDGER_MISMATCH"
    BALANCE_DRIFT = "BALANCE_DRIFT"
    STORE_TAMPERED = "STORE_TAMPERED"
    VENUE_CONTRADICTION = "VENUE_CONTRADICTION"
    UNRESOLVED_INTENT = "UNRESOLVED_INTENT"


class Severity(StrEnum):
    """How bad; an unconfirmed absence is never more than `info`."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Response(StrEnum):
    """What follows from a confirmed discrepancy.

    `auto`: `--execute` books what the venue proves. The two pauses keep entries back, on the
    instrument or on the account. `page`: somebody has to look; trading goes on.
    """

    AUTO = "auto"
    PAUSE_INSTRUMENT = "pause_instrument"
    PAUSE_ACCOUNT = "pause_account"
    PAGE = "page"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a class is worth."""

    severity: Severity
    response: Response


_WARN, _CRIT = Severity.WARNING, Severity.CRITICAL
_AUTO, _PAGE = Response.AUTO, Response.PAGE
_INSTRUMENT, _ACCOUNT = Response.PAUSE_INSTRUMENT, Response.PAUSE_ACCOUNT

RULES: dict[FindingKind, Rule] = {
    FindingKind.ORPHANED: Rule(_WARN, _INSTRUMENT),
    FindingKind.PHANTOM: Rule(_WARN, _AUTO),
    FindingKind.QTY_MISMATCH: Rule(_WARN, _INSTRUMENT),
    FindingKind.QTY_SYNCED: Rule(_WARN, _AUTO),
    FindingKind.PENDING_ADOPTED: Rule(_WARN, _AUTO),
    FindingKind.STALE: Rule(_WARN, _AUTO),
    FindingKind.SIDE_FLIP: Rule(_CRIT, _ACCOUNT),
    FindingKind.UNKNOWN_ORDER: Rule(_WARN, _PAGE),
    FindingKind.LOST_ORDER: Rule(_WARN, _INSTRUMENT),
    FindingKind.ORDER_MISMATCH: Rule(_WARN, _AUTO),
    FindingKind.FOREIGN_MATCH: Rule(_CRIT, _ACCOUNT),
    FindingKind.MISSING_FILL: Rule(_WARN, _AUTO),
    FindingKind.DUPLICATE_FILL: Rule(_CRIT, _INSTRUMENT),
    FindingKind.PHANTOM_FILL: Rule(_CRIT, _INSTRUMENT),
    FindingKind.FILL_MISMATCH: Rule(_WARN, _INSTRUMENT),
    FindingKind.FEE_MISMATCH: Rule(_WARN, _PAGE),
    FindingKind.STOP_MISSING: Rule(_CRIT, _PAGE),
    FindingKind.STOP_QTY: Rule(_WARN, _PAGE),
    FindingKind.STOP_SIDE: Rule(_CRIT, _PAGE),
    FindingKind.LEDGER_MISMATCH: Rule(_WARN, _PAGE),
    FindingKind.BALANCE_DRIFT: Rule(_WARN, _ACCOUNT),
    FindingKind.STORE_TAMPERED: Rule(_CRIT, _PAGE),
    FindingKind.VENUE_CONTRADICTION: Rule(_WARN, _PAGE),
    FindingKind.UNRESOLVED_INTENT: Rule(_WARN, _INSTRUMENT),
}
"""Class -> its severity and response; every class has exactly one."""

DEGRADING = frozenset({FindingKind.BALANCE_DRIFT, FindingKind.QTY_MISMATCH, FindingKind.ORPHANED})
"""Classes that say that cash or quantity differ: confirmed, they make the account degraded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one look found; `at_stake` in `currency`, zero where no money is at stake.

    `subject` names the one thing it is about. `is_absence`: it rests on something the venue did not
    show, which a second look has to confirm. `is_denied`: another read of the venue's says
    otherwise, or had to be asked and did not answer; then no number of looks confirms it.
    """

    kind: FindingKind
    subject: str
    evidence: str
    symbol: str = ""
    at_stake: Decimal = ZERO
    currency: str = ""
    is_absence: bool = False
    is_denied: bool = False

    @property
    def rule(self) -> Rule:
        """The class's line of the table."""
        return RULES[self.kind]


class DiscrepancyState(StrEnum):
    """The life of a discrepancy; the steps stand in `discrepancy_lifecycle.py`."""

    DETECTED = "detected"
    CONFIRMED = "confirmed"
    EXPLAINED = "explained"
    RESOLVED = "resolved"
    WAIVED = "waived"


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrepancy:
    """A finding with its history. Times are of the looks that saw it."""

    discrepancy_id: DiscrepancyId
    kind: FindingKind
    subject: str
    symbol: str
    state: DiscrepancyState
    severity: Severity
    policy: Response
    evidence: str
    at_stake: Decimal
    currency: str
    first_seen_at: datetime
    last_seen_at: datetime
    confirmed_at: datetime | None = None
    resolved_at: datetime | None = None
    times_seen: int = 1
    waived_until: datetime | None = None
    explained_by: str = ""
    explanation: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it waits for somebody: neither explained, waived nor resolved."""
        return self.state in (DiscrepancyState.DETECTED, DiscrepancyState.CONFIRMED)


def discrepancy_id(kind: FindingKind, subject: str, first_seen_at: datetime) -> DiscrepancyId:
    """Stable for as long as it lasts; a later return of the same has another name."""
    text = f"{kind.value}|{subject}|{first_seen_at.isoformat()}"
    return DiscrepancyId(f"D-{hashlib.sha256(text.encode()).hexdigest()[:10]}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationRun:
    """One comparison, as `crypto_reconciliation_events` keeps it: the runbooks' fields.

    Cash in the account's quote currency: `local_cash` is what our own ledger comes to, or in a
    loop the balances stream; None where there was neither. Holdings by asset, managed and held.
    `counts` are the fields of RECONCILIATION_REPORT.
    """

    run_id: str
    taken_at: datetime
    status: str
    reason: str
    local_cash: Decimal | None
    venue_cash: Decimal
    local_holdings: tuple[tuple[str, Decimal], ...]
    venue_holdings: tuple[tuple[str, Decimal], ...]
    counts: tuple[tuple[str, int], ...]

    @property
    def cash_diff(self) -> Decimal | None:
        """Ours minus the venue's; None where there was nothing to compare."""
        return None if self.local_cash is None else self.local_cash - self.venue_cash

    @property
    def holdings_diff(self) -> tuple[tuple[str, Decimal], ...]:
        """What the venue lacks of ours; what it holds beyond that is not managed."""
        theirs = dict(self.venue_holdings)
        short = {asset: ours - theirs.get(asset, ZERO) for asset, ours in self.local_holdings}
        return tuple(sorted((asset, diff) for asset, diff in short.items() if diff > ZERO))

    def count(self, name: str) -> int:
        """One field of the report; 0 where it is absent."""
        return dict(self.counts).get(name, 0)


class Level(StrEnum):
    """Where an account stands after its last comparisons."""

    OK = "ok"
    WARN = "warn"
    CRIT = "crit"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationState:
    """What the comparisons so far say of the account; entries are held to it, nothing else.

    `paused` are the instruments whose confirmed discrepancies keep entries back.
    """

    level: Level = Level.OK
    is_degraded: bool = False
    reason: str = ""
    since: datetime | None = None
    clean_runs: int = 0
    last_run_at: datetime | None = None
    paused: tuple[Symbol, ...] = ()

    @property
    def pauses_account(self) -> bool:
        """Whether no entry may be made at all."""
        return self.is_degraded or self.level is Level.CRIT


NEVER_COMPARED = ReconciliationState()


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """What an operator posts where no fill and no ledger row explains a difference.

    `quantity`, in `asset`, is added to what the books hold; negative takes away. Without a
    `unit_price`, in `currency`, it makes no result until somebody prices it.
    """

    adjustment_id: str
    asset: str
    quantity: Decimal
    author: str
    reason: str
    adjusted_at: datetime
    discrepancy_id: DiscrepancyId | None = None
    position_id: PositionId | None = None
    unit_price: Decimal | None = None
    currency: str = ""
