"""Follows discrepancies from look to look: new, seen again, confirmed, gone.

An absence that one look saw is `detected` and changes nothing; another look, some seconds later,
confirms it. What is seen again keeps its name and is counted; what is gone is resolved, and if it
comes back later it is a new one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from zoe_tools.domain.discrepancy import (
    BALANCES,
    Discrepancy,
    DiscrepancyState,
    Finding,
    FindingKind,
    Response,
    Severity,
    discrepancy_id,
)
from zoe_tools.domain.discrepancy_lifecycle import demand_step

CONFIRM_AFTER = timedelta(seconds=5)
"""How far two looks must lie apart for the second to confirm what the first one missed."""

LASTING = 3
"""Seen so often, what keeps entries back is critical."""

STREAM = " by the stream"
"""How the subject of a difference ends that one look at the live account can see and unsee."""

OWN_LEDGER = " in our ledger"
"""How the subject of a row of our own ledger ends: the whole of the venue's judges it."""

NEEDS_HISTORY = frozenset(
    {
        FindingKind.MISSING_FILL,
        FindingKind.PENDING_ADOPTED,
        FindingKind.PHANTOM_FILL,
        FindingKind.DUPLICATE_FILL,
        FindingKind.FILL_MISMATCH,
        FindingKind.FEE_MISMATCH,
        FindingKind.ORDER_MISMATCH,
        FindingKind.FOREIGN_MATCH,
        FindingKind.LEDGER_MISMATCH,
        FindingKind.BALANCE_DRIFT,
        FindingKind.VENUE_CONTRADICTION,
    }
)
"""Classes that a look without the venue's whole records may find, and cannot clear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """After a look: those it saw, those it cleared, and how many of the former are new."""

    seen: tuple[Discrepancy, ...]
    cleared: tuple[Discrepancy, ...]
    still: tuple[Discrepancy, ...] = ()
    """Active, and not for this look to judge."""
    new: int = 0

    @property
    def active(self) -> tuple[Discrepancy, ...]:
        """All that is not resolved."""
        return (*self.seen, *self.still)

    @property
    def changed(self) -> tuple[Discrepancy, ...]:
        """What has to be written down."""
        return (*self.seen, *self.cleared)


def follow(
    known: Sequence[Discrepancy],
    findings: Iterable[Finding],
    *,
    now: datetime,
    is_whole: bool = True,
    compared: Collection[str] = (),
) -> Followed:
    """What a look at `now` makes of the discrepancies that were active before it.

    `compared`: assets whose balances it held against their ledger, whole or not.

    Of two findings of one class on one subject the first counts.
    """
    before = {(each.kind, each.subject): each for each in known}
    found: dict[tuple[FindingKind, str], Finding] = {}
    for finding in findings:
        found.setdefault((finding.kind, finding.subject), finding)
    seen = [
        _again(before[key], finding, now) if key in before else _new(finding, now)
        for key, finding in found.items()
    ]
    gone = [each for key, each in before.items() if key not in found]
    judged = {each.discrepancy_id for each in gone if is_whole or _is_judged(each, compared)}
    cleared = [_cleared(each, now) for each in gone if each.discrepancy_id in judged]
    still = [each for each in gone if each.discrepancy_id not in judged]
    return Followed(
        seen=tuple(seen),
        cleared=tuple(cleared),
        still=tuple(still),
        new=sum(key not in before for key in found),
    )


def stepped(
    discrepancy: Discrepancy, state: DiscrepancyState, *, by: str, why: str, until: datetime | None
) -> Discrepancy:
    """After an operator explained or waived it.

    Raises:
        IllegalStep: it is over.
    """
    demand_step(discrepancy.state, state)
    return replace(discrepancy, state=state, explained_by=by, explanation=why, waived_until=until)


def _new(finding: Finding, now: datetime) -> Discrepancy:
    is_confirmed = not (finding.is_absence or finding.is_denied)
    return Discrepancy(
        discrepancy_id=discrepancy_id(finding.kind, finding.subject, now),
        kind=finding.kind,
        subject=finding.subject,
        symbol=finding.symbol,
        state=DiscrepancyState.CONFIRMED if is_confirmed else DiscrepancyState.DETECTED,
        severity=finding.rule.severity if is_confirmed else Severity.INFO,
        policy=finding.rule.response,
        evidence=finding.evidence,
        at_stake=finding.at_stake,
        currency=finding.currency,
        first_seen_at=now,
        last_seen_at=now,
        confirmed_at=now if is_confirmed else None,
    )


def _again(before: Discrepancy, finding: Finding, now: datetime) -> Discrepancy:
    state = _state_after(before, finding, now)
    if state is not before.state:
        demand_step(before.state, state)
    times = before.times_seen + (now > before.last_seen_at)
    is_confirmed = state is DiscrepancyState.CONFIRMED
    return replace(
        before,
        state=state,
        severity=_severity(finding, times) if is_confirmed else before.severity,
        evidence=finding.evidence,
        at_stake=finding.at_stake,
        currency=finding.currency,
        last_seen_at=now,
        times_seen=times,
        confirmed_at=before.confirmed_at or (now if is_confirmed else None),
    )


def _state_after(before: Discrepancy, finding: Finding, now: datetime) -> DiscrepancyState:
    match before.state:
        case DiscrepancyState.DETECTED:
            is_time = now - before.first_seen_at >= CONFIRM_AFTER
            is_sure = (is_time or not finding.is_absence) and not finding.is_denied
            return DiscrepancyState.CONFIRMED if is_sure else before.state
        case DiscrepancyState.WAIVED:
            is_over = before.waived_until is not None and before.waived_until <= now
            return DiscrepancyState.CONFIRMED if is_over else before.state
        case DiscrepancyState.EXPLAINED:
            has_grown = finding.at_stake > before.at_stake
            return DiscrepancyState.CONFIRMED if has_grown else before.state
        case _:
            return before.state


def _severity(finding: Finding, times: int) -> Severity:
    pauses = finding.rule.response in (Response.PAUSE_INSTRUMENT, Response.PAUSE_ACCOUNT)
    return Severity.CRITICAL if pauses and times >= LASTING else finding.rule.severity


def _is_judged(each: Discrepancy, compared: Collection[str]) -> bool:
    """Whether a look at what is live can tell that it is gone."""
    if each.kind is FindingKind.BALANCE_DRIFT and each.subject in compared:
        return True
    if each.kind is FindingKind.VENUE_CONTRADICTION and each.subject == BALANCES:
        return True
    if each.subject.endswith(OWN_LEDGER):
        return False
    return each.kind not in NEEDS_HISTORY or each.subject.endswith(STREAM)


def _cleared(each: Discrepancy, now: datetime) -> Discrepancy:
    demand_step(each.state, DiscrepancyState.RESOLVED)
    return replace(each, state=DiscrepancyState.RESOLVED, resolved_at=now)
