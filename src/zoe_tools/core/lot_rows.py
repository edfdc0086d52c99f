"""The matches of a span of time as rows for a table: which lot went to which disposal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from zoe_tools.core.lot_history import History
from zoe_tools.core.lot_walk import Span, moment_of, realised_of, walk
from zoe_tools.domain.lot import LotMethod, LotOutcome, Match, Moved, Shortfall
from zoe_tools.domain.money import plain

LOT_COLUMNS = (
    "time",
    "asset",
    "kind",
    "event_id",
    "lot_id",
    "acquired",
    "quantity",
    "proceeds",
    "selling_fee",
    "cost",
    "buying_fee",
    "gain",
    "realised",
    "estimated",
)
"""`kind` is sale, fee, moved or shortfall; `gain` is proceeds less cost and fees, `realised` what
of it the report counts. Empty is not known."""


def lot_rows(
    history: History, span: Span, method: LotMethod, *, asset: str | None = None
) -> Iterator[tuple[str, ...]]:
    """One row a piece, oldest first; of one asset, if it is named."""
    for each in walk(history, method).outcomes:
        if span.covers(moment_of(each)) and asset in {None, each.asset}:
            yield _row(each)


def _row(outcome: LotOutcome) -> tuple[str, ...]:
    match outcome:
        case Match():
            return (
                *_head(outcome, outcome.reason, outcome.lot_id, outcome.acquired_at),
                _told(outcome.proceeds),
                plain(outcome.selling_fee),
                _told(outcome.cost),
                plain(outcome.buying_fee),
                _told(outcome.gain),
                _told(realised_of(outcome)),
                "yes" if outcome.is_estimated else "no",
            )
        case Moved():
            head = _head(outcome, "moved", outcome.lot_id, outcome.acquired_at)
            return (*head, "", "", _told(outcome.cost), plain(outcome.buying_fee), "", "", "no")
        case Shortfall():
            head = _head(outcome, "shortfall", "", None)
            fee = plain(outcome.selling_fee)
            return (*head, _told(outcome.proceeds), fee, "", "", "", "", "yes")


def _head(
    outcome: LotOutcome, kind: str, lot_id: str, acquired_at: datetime | None
) -> tuple[str, ...]:
    return (
        moment_of(outcome).isoformat(),
        outcome.asset,
        kind,
        outcome.event_id,
        lot_id,
        acquired_at.isoformat() if acquired_at else "",
        plain(outcome.quantity),
    )


def _told(amount: Decimal | None) -> str:
    return "" if amount is None else plain(amount)
