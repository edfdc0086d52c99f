"""Own books against the venue, three ways: own events, its streams, its records.

Every disagreement is named, with its evidence and the money at stake. The plan books only what the
venue's own fills prove; what is not understood is reported and left alone. What follows from it
over time is decided in `discrepancies.py` and `escalation.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from zoe_tools.core.reconcile_balances import check_balances, small_drifts
from zoe_tools.core.reconcile_fills import check_fills
from zoe_tools.core.reconcile_ledger import behind, check_ledger, own_cash
from zoe_tools.core.reconcile_orders import check_orders
from zoe_tools.core.reconcile_positions import check_positions, managed_by_asset
from zoe_tools.core.reconcile_records import CASH, Found, Records, records_of
from zoe_tools.core.second_word import (
    Questions,
    check_answers,
    left_unheard,
    questions,
    short_assets,
)
from zoe_tools.domain.discrepancy import Finding, FindingKind
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.plan import (
    AdjustPosition,
    AdoptPosition,
    LinkStop,
    RebuildOrder,
    RecordFill,
    SetTargets,
    Step,
)
from zoe_tools.domain.snapshot import Reading, Snapshot
from zoe_tools.domain.words import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Both sides in numbers. Cash in USD; holdings of the assets that are managed.

    `local_cash` is None where only the venue's own records tell of it.
    """

    local_cash: Decimal | None = None
    venue_cash: Decimal = ZERO
    local_holdings: tuple[tuple[str, Decimal], ...] = ()
    venue_holdings: tuple[tuple[str, Decimal], ...] = ()
    exchange_positions: int = 0
    registry_positions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """All findings, the steps that mend what can be mended, and what was left alone."""

    findings: tuple[Finding, ...]
    steps: tuple[Step, ...]
    notes: tuple[str, ...]
    figures: Figures = Figures()
    compared: frozenset[str] = frozenset()
    """Assets whose balances were held against their ledger."""


_CHECKS: tuple[Callable[[Records], Iterator[Found]], ...] = (
    check_fills,
    check_orders,
    check_positions,
    check_ledger,
    check_balances,
    check_answers,
)


def reconcile(snapshot: Snapshot, *, is_whole: bool = True) -> Reconciliation:
    """Compare everything; not `is_whole`, only what needs no history of the venue's.

    Raises:
        VenueUnavailable: a part of the venue's records that is needed is missing.
    """
    records = _completed(records_of(snapshot, is_whole=is_whole))
    findings: list[Finding] = []
    steps: list[Step] = []
    for check in _CHECKS:
        for finding, mending in check(records):
            findings.append(
                replace(finding, is_denied=True) if left_unheard(records, finding) else finding
            )
            steps.extend(mending)
    findings.extend(_unresolved(snapshot))
    steps.extend(_links(records, steps))
    return Reconciliation(
        findings=tuple(findings),
        steps=tuple(sorted(steps, key=_turn)),
        notes=(
            *_foreign(records),
            *_short_lists(records),
            *small_drifts(records),
            *behind(records),
        ),
        figures=_figures(records),
        compared=frozenset(records.ledger_ends),
    )


def second_questions(
    snapshot: Snapshot, result: Reconciliation, *, is_whole: bool = True
) -> Questions:
    """What to ask a second endpoint before these findings count; nothing on a clean account."""
    if not any(each.is_absence for each in result.findings):
        return Questions()
    return questions(_completed(records_of(snapshot, is_whole=is_whole)), result.findings)


def _completed(records: Records) -> Records:
    return replace(records, short_ledger=short_assets(records))


def is_own_story(step: Step) -> bool:
    """Whether a step puts a row back to what our own append-only records tell of it."""
    if isinstance(step, AdjustPosition):
        return step.is_retelling
    return isinstance(step, RebuildOrder | SetTargets)


def _turn(step: Step) -> int:
    """Rows are put right before anything is booked on them; quantities come last, then stops."""
    if is_own_story(step):
        return 0
    if isinstance(step, AdjustPosition | AdoptPosition):
        return 3
    if isinstance(step, LinkStop):
        return 4
    return 1 if isinstance(step, RecordFill) else 2


def _links(records: Records, steps: Sequence[Step]) -> Iterator[LinkStop]:
    """What the registry learns of anew keeps the stop that rests for it."""
    for step in steps:
        if not isinstance(step, AdoptPosition):
            continue
        name = step.position.position_id
        for own in records.own_by_position.get(name, ()):
            order = records.open_orders.get(own.venue_order_id) if own.venue_order_id else None
            if own.purpose == "stop" and order is not None:
                yield LinkStop(position_id=name, order=order, reason="it rests for this position")


def _unresolved(snapshot: Snapshot) -> Iterator[Finding]:
    for intent in snapshot.unresolved_intents:
        yield Finding(
            kind=FindingKind.UNRESOLVED_INTENT,
            subject=intent.intent_id,
            symbol=intent.symbol,
            evidence=f"{intent.kind.value} of {intent.symbol} is {intent.state.value}",
        )


def _foreign(records: Records) -> Iterator[str]:
    foreign = sum(records.ours(order) is None for order in records.closed_orders.values())
    if foreign:
        was = "was" if foreign == 1 else "were"
        yield f"{counted(foreign, 'closed order')} at the venue {was} not placed here; left alone."


def _short_lists(records: Records) -> Iterator[str]:
    """A list that lacks what QueryOrders shows is told, and is no evidence of anything."""
    asked, listed = records.snapshot.asked_orders, records.snapshot.open_orders
    if isinstance(asked, Reading) and isinstance(listed, Reading):
        found = sum(not each.status.is_terminal for each in asked.value)
        if found:
            yield (
                f"The venue's list of open orders lacked {counted(found, 'order')} of ours that it"
                " shows when asked by id; what it shows counts as open."
            )


def _figures(records: Records) -> Figures:
    managed = managed_by_asset(records.snapshot.positions)
    held = {name: each.total for name, each in records.balances.items()}
    return Figures(
        local_cash=_local_cash(records),
        venue_cash=held.get(CASH, ZERO),
        local_holdings=tuple(sorted(managed.items())),
        venue_holdings=tuple((asset, held.get(asset, ZERO)) for asset in sorted(managed)),
        exchange_positions=sum(held.get(asset, ZERO) > ZERO for asset in managed),
        registry_positions=len(records.snapshot.positions),
    )


def _local_cash(records: Records) -> Decimal | None:
    """What our own ledger, or in a loop the stream, makes of it: never the venue's records."""
    own = own_cash(records)
    if own is not None:
        return own
    streamed = records.snapshot.streamed_balances
    told = streamed.value if isinstance(streamed, Reading) else ()
    return next((each.total for each in told if each.asset == CASH), None)
