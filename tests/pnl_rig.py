"""Histories for the tests of `zoe pnl`: fills, ledger rows, prices and points of the curve."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from builders import NOON, d, make_fill
from zoe_tools.core.lot_events import history_of
from zoe_tools.core.lot_history import History, Records
from zoe_tools.core.lot_walk import Span
from zoe_tools.core.marks import MarkBook, marks_of_fills
from zoe_tools.core.pnl import PnlInput, PnlReport, assess_pnl
from zoe_tools.core.pnl_daily import pnl_days
from zoe_tools.domain.equity import EquityPoint, Mark, PnlDay
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import FillId, LedgerId, VenueOrderId
from zoe_tools.domain.ledger import LedgerEntry
from zoe_tools.domain.lot import CostBasis, LotMethod
from zoe_tools.domain.order import Side

MINUTE = timedelta(minutes=1)
NEXT_DAY = NOON + timedelta(days=1)


def mark(asset: str, price: str, minutes: float = 0, *, currency: str = "USD") -> Mark:
    """A price, so many minutes after noon."""
    at = NOON + MINUTE * minutes
    return Mark(asset=asset, currency=currency, price=d(price), marked_at=at, source="test")


def fill(name: str, side: Side, quantity: str, price: str, **more: Any) -> Fill:
    """An execution at noon, unless said otherwise."""
    values: dict[str, Any] = {"fee": d("0"), "venue_order_id": VenueOrderId(f"O-{name}"), **more}
    return make_fill(
        fill_id=FillId(name), side=side, quantity=d(quantity), price=d(price), **values
    )


def row(
    name: str,
    kind: str,
    asset: str,
    amount: str,
    *,
    fee: str = "0",
    minutes: float = 0,
    **more: Any,
) -> LedgerEntry:
    """A ledger row; its refid is its name unless said otherwise."""
    values: dict[str, Any] = {"refid": f"R-{name}", "subtype": "", **more}
    return LedgerEntry(
        ledger_id=LedgerId(name),
        booked_at=NOON + MINUTE * minutes,
        kind=kind,
        asset=asset,
        amount=d(amount),
        fee=d(fee),
        balance=d("0"),
        **values,
    )


def history(
    fills: Sequence[Fill] = (),
    rows: Sequence[LedgerEntry] = (),
    marks: Sequence[Mark] = (),
    costs: Sequence[CostBasis] = (),
) -> History:
    """What the lots are told."""
    records = Records(fills=fills, entries=rows, costs=costs)
    return history_of(records, MarkBook([*marks_of_fills(fills), *marks]), "USD")


def report(
    fills: Sequence[Fill] = (),
    rows: Sequence[LedgerEntry] = (),
    marks: Sequence[Mark] = (),
    **more: Any,
) -> PnlReport:
    """The report of everything, a minute after noon."""
    book = MarkBook([*marks_of_fills(fills), *marks])
    given = PnlInput(
        records=Records(fills=fills, entries=rows, **more),
        marks=book,
        points=(),
        equity=None,
        currency="USD",
        now=NOON + MINUTE,
    )
    return assess_pnl(given, Span(), LotMethod.FIFO)


def point(gross: str, hours: float) -> EquityPoint:
    """A point of the curve, so many hours after noon of the fifth."""
    return EquityPoint(
        taken_at=NOON + timedelta(hours=hours),
        currency="USD",
        gross=d(gross),
        net=d(gross),
        cash=d(gross),
        holdings=d("0"),
    )


def days_of(
    points: Sequence[EquityPoint],
    fills: Sequence[Fill] = (),
    rows: Sequence[LedgerEntry] = (),
    *,
    now: datetime,
    reconciled_at: datetime | None = None,
) -> tuple[PnlDay, ...]:
    """The days of this history."""
    given = PnlInput(
        records=Records(fills=fills, entries=rows),
        marks=MarkBook(marks_of_fills(fills)),
        points=points,
        equity=None,
        currency="USD",
        now=now,
    )
    return pnl_days(given, reconciled_at=reconciled_at)


def told_of(points: Sequence[EquityPoint], rows: Sequence[LedgerEntry] = ()) -> PnlReport:
    """The report of a curve, a day later."""
    given = PnlInput(
        records=Records(entries=rows),
        marks=MarkBook([]),
        points=points,
        equity=None,
        currency="USD",
        now=NEXT_DAY,
    )
    return assess_pnl(given, Span(), LotMethod.FIFO)
