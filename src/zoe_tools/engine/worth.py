"""What the books know of the account's worth, and keeping what was seen of it.

Marks and the equity curve are observations. The result of a day is derived from the books, and is
written by who may change them: a running loop, and `zoe pnl --execute`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from zoe_tools.core.equity import Equity, advanced, assess_equity, flows_between, point_of
from zoe_tools.core.ledger_curve import points_of_ledger
from zoe_tools.core.lot_events import flows_in
from zoe_tools.core.lot_history import Flow, Records
from zoe_tools.core.marks import LONGEST, MarkBook, marks_of_candles, marks_of_fills
from zoe_tools.core.pnl import PnlInput
from zoe_tools.core.pnl_daily import pnl_days, restated
from zoe_tools.domain.candle import Candle
from zoe_tools.domain.equity import CURRENCY, EquityPoint, Mark
from zoe_tools.domain.ledger import Balance, LedgerEntry
from zoe_tools.domain.margin import MarginStanding
from zoe_tools.errors import VenueUnavailable
from zoe_tools.store.store import Transaction

LONGEST_GAP = timedelta(days=7)
"""So much of the venue's ledger is asked for a point of the curve; more is for an import."""


def records_in(transaction: Transaction) -> Records:
    """The account's whole history, as the books have it."""
    return Records(
        fills=transaction.fills(),
        entries=transaction.ledger(),
        costs=transaction.declared_costs(),
        adjustments=tuple(
            each for each in transaction.reconciliation.adjustments() if each.position_id is None
        ),
    )


def marks_in(transaction: Transaction, records: Records, seen: Iterable[Mark] = ()) -> MarkBook:
    """Every price that is known: stored, of executions, of candles, and just seen.

    Candles are for ledger rows of before anybody looked; an account without a ledger has none.
    """
    closes: tuple[Candle, ...] = ()
    if records.entries:
        closes = transaction.hourly_closes(records.entries[0].booked_at - LONGEST)
    return MarkBook(
        [
            *marks_of_candles(closes),
            *marks_of_fills(records.fills),
            *transaction.marks(),
            *seen,
        ]
    )


def pnl_input(
    transaction: Transaction,
    *,
    now: datetime,
    balances: Sequence[Balance] | None,
    seen: Sequence[Mark] = (),
    entries: Iterable[LedgerEntry] | None = None,
    margin: MarginStanding | None = None,
) -> PnlInput:
    """All that a report or the result of a day is made of.

    `balances` None: not known now. `entries` are the ledger rows since the last point: what came
    and went by them is no result. None: nobody knows, and there is no point of now. `margin` is how
    the account stands with what it borrowed.
    """
    records = records_in(transaction)
    marks = marks_in(transaction, records, seen)
    points = curve_points(transaction.equity_points(), records, marks, now)
    equity = None
    if balances is not None:
        equity = assess_equity(balances, marks, at=now, currency=CURRENCY, margin=margin)
    if equity is not None and entries is not None:
        flows = flows_in(_together(records.entries, entries), marks, CURRENCY)
        points = (*points, next_point(transaction.latest_equity(), equity, flows))
    return PnlInput(
        records=records,
        marks=marks,
        points=points,
        equity=equity,
        currency=CURRENCY,
        now=now,
    )


def curve_points(
    seen: Sequence[EquityPoint], records: Records, marks: MarkBook, now: datetime
) -> tuple[EquityPoint, ...]:
    """The points that were kept, and for days without one what ledger and candles tell."""
    days = {each.taken_at.date() for each in seen}
    made = points_of_ledger(records.entries, marks, CURRENCY, until=now, seen=days)
    return tuple(sorted((*seen, *made), key=lambda each: each.taken_at))


def _together(
    booked: Iterable[LedgerEntry], heard: Iterable[LedgerEntry]
) -> tuple[LedgerEntry, ...]:
    """Each row once."""
    return tuple({each.ledger_id: each for each in (*heard, *booked)}.values())


def next_point(base: EquityPoint | None, equity: Equity, flows: Sequence[Flow]) -> EquityPoint:
    """The equity as the next point of the curve, after `base`."""
    since = None if base is None else base.taken_at
    return advanced(base, point_of(equity), flows_between(flows, since, equity.as_of))


def keep_seen(transaction: Transaction, given: PnlInput, seen: Iterable[Mark]) -> None:
    """Keep the prices that were seen, and the equity of now as a point, if it is one."""
    transaction.record_marks(seen)
    if given.equity is not None and given.points[-1:] and given.points[-1].taken_at == given.now:
        transaction.record_equity(given.points[-1])


def unheard_since(transaction: Transaction, now: datetime) -> datetime | None:
    """From when on the venue's ledger has to be asked what came and went; None: there is no point.

    What the books have of it need not be asked.

    Raises:
        VenueUnavailable: too long ago to be read page by page.
    """
    base = transaction.latest_equity()
    if base is None:
        return None
    booked = (each.booked_at for each in transaction.ledger(since=base.taken_at))
    since = max((each for each in booked if each <= now), default=base.taken_at)
    if now - since > LONGEST_GAP:
        raise VenueUnavailable(
            f"What came and went since {since:%Y-%m-%d} is not in the books, and too much to ask.",
            hint="zoe ledger import --from-venue --execute",
        )
    return since


def keep_days(transaction: Transaction, given: PnlInput, *, reconciled_at: datetime | None) -> int:
    """Bring the results of the days to what the books know; returns how many rows changed."""
    rows = restated(
        transaction.pnl_days(), pnl_days(given, reconciled_at=reconciled_at), now=given.now
    )
    transaction.record_pnl_days(rows)
    return len(rows)
