"""The equity curve of days on which nobody looked, from the ledger's balances and known prices.

One point at the end of each UTC day. A day on which a price is missing has none: a point that
lacks an asset would say that it was lost, and one at an old price that nothing happened.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from zoe_tools.core.equity import Holding, assess_equity, point_of
from zoe_tools.core.marks import LONGEST, MarkBook
from zoe_tools.domain.equity import EquityPoint
from zoe_tools.domain.ledger import Balance, LedgerEntry
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.wallet import FUTURES

_DAY = timedelta(days=1)
_LAST = timedelta(microseconds=1)


def points_of_ledger(
    entries: Iterable[LedgerEntry],
    marks: MarkBook,
    currency: str,
    *,
    until: datetime,
    seen: Collection[date],
) -> Iterator[EquityPoint]:
    """A point for each day that was over before `until` and is not in `seen`, oldest first.

    `entries` oldest first; those of the futures wallet are no part of the account. What a wallet
    held before its first row is that row's balance less what the row changed.
    """
    rows = [each for each in entries if each.wallet != FUTURES]
    if not rows:
        return
    held: dict[tuple[str, str], Decimal] = {}
    for row in reversed(rows):
        held[row.asset, row.wallet] = row.balance - row.change
    position = 0
    day = rows[0].booked_at.date()
    last = until.astimezone(UTC).date()
    while day < last:  # asked before a day is added: there is none after the last one of all
        end = datetime(day.year, day.month, day.day, tzinfo=UTC) + _DAY
        while position < len(rows) and rows[position].booked_at < end:
            row = rows[position]
            held[row.asset, row.wallet] = row.balance
            if row.fee != row.own_fee:  # no row of that asset tells it
                charged = (row.fee_asset, row.wallet)
                held[charged] = held.get(charged, ZERO) - row.fee
            position += 1
        if day not in seen:
            balances = [Balance(asset=asset, total=each) for (asset, _), each in held.items()]
            equity = assess_equity(balances, marks, at=end, currency=currency)
            if all(_is_told(each, marks, end) for each in equity.holdings):
                # The day's own: midnight belongs to the next one.
                yield replace(point_of(equity), taken_at=end - _LAST)
        day += _DAY


def _is_told(holding: Holding, marks: MarkBook, end: datetime) -> bool:
    """Whether it has a price of its day, or never had one: then it is in no point."""
    if holding.marked_at is None:
        return not marks.knows(holding.asset)
    return end - holding.marked_at <= LONGEST
