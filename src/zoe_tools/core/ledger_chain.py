"""Do the balances chain? Each row's balance must be the one before, plus its amount, minus its fee.

Per asset and wallet. Rows come in the order of their seconds. Within one second the venue says no
order, and exports are not in that of their ids: there it is found by the balances themselves, as a
way through all rows that leaves each balance where another one takes it up (an Eulerian trail).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from zoe_tools.domain.ledger import ChainRow, LedgerEntry, second_of
from zoe_tools.domain.money import ZERO

Key = tuple[str, str]
"""Asset and wallet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainBreak:
    """The first row of a chain that does not follow: `expected` before it, and what it says."""

    asset: str
    wallet: str
    ledger_id: str
    place: int
    second: str
    expected: Decimal
    change: Decimal
    balance: Decimal

    @property
    def off_by(self) -> Decimal:
        """What is missing or too much."""
        return self.balance - self.change - self.expected


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainEnd:
    """A chain that was walked: what it began with, and where it ends."""

    asset: str
    wallet: str
    rows: int
    opening: Decimal
    closing: Decimal
    first: str
    last: str
    broken: ChainBreak | None
    breaks: int


@dataclass(slots=True)
class _Link:
    """One chain so far."""

    opening: Decimal
    balance: Decimal
    first: str
    last: str
    rows: int = 0
    broken: ChainBreak | None = None
    breaks: int = 0


class Chains:
    """Walks all chains at once, in constant memory: rows are handed in by their seconds."""

    def __init__(self) -> None:
        self._links: dict[Key, _Link] = {}
        self._second = ""
        self._waiting: list[ChainRow] = []

    def add(self, row: ChainRow) -> None:
        """One more row; its second is not before that of the row before.

        Raises:
            ValueError: it is.
        """
        if row.second != self._second:
            if row.second < self._second:
                raise ValueError(f"{row.ledger_id} is older than the row before it")
            self._settle()
            self._second = row.second
        self._waiting.append(row)

    def ends(self) -> tuple[ChainEnd, ...]:
        """Every chain, by asset and wallet; nothing may be added afterwards."""
        self._settle()
        return tuple(
            ChainEnd(
                asset=asset,
                wallet=wallet,
                rows=link.rows,
                opening=link.opening,
                closing=link.balance,
                first=link.first,
                last=link.last,
                broken=link.broken,
                breaks=link.breaks,
            )
            for (asset, wallet), link in sorted(self._links.items())
        )

    def _settle(self) -> None:
        """Chain the rows of the second that is over."""
        waiting, self._waiting = self._waiting, []
        if len(waiting) == 1 and waiting[0].charge is None:
            (row,) = waiting
            self._extend((row.asset, row.wallet), waiting)
            return
        groups: dict[Key, list[ChainRow]] = {}
        charges: dict[Key, Decimal] = {}
        for row in waiting:
            groups.setdefault((row.asset, row.wallet), []).append(row)
            if row.charge is not None:
                asset, fee = row.charge
                charges[asset, row.wallet] = charges.get((asset, row.wallet), ZERO) + fee
        for key, fee in charges.items():
            self._charge(key, fee, groups.pop(key, []))
        for key, rows in groups.items():
            self._extend(key, rows)

    def _charge(self, key: Key, fee: Decimal, rows: list[ChainRow]) -> None:
        """Take a fee that other assets' rows told, before or after the chain's own rows."""
        link = self._links.get(key)
        if link is None and rows:
            self._extend(key, rows)
            self._links[key].balance -= fee
            return
        if link is None:
            self._links[key] = _Link(ZERO, -fee, self._second, self._second)
            return
        is_first = not rows or in_order(link.balance - fee, rows) is not None
        link.balance -= fee if is_first else ZERO
        if rows:
            self._extend(key, rows)
        link.balance -= ZERO if is_first else fee

    def _extend(self, key: Key, rows: list[ChainRow]) -> None:
        link = self._links.get(key)
        if link is None:
            opening = _opening(rows)
            link = self._links[key] = _Link(opening, opening, self._second, self._second)
        balance = link.balance
        for row in rows:
            if row.balance - row.change != balance:
                break
            balance = row.balance
        else:  # as they came, which is the rule
            self._moved(link, balance, len(rows))
            return
        ordered = in_order(link.balance, rows)
        if ordered is None:
            self._break(link, rows)
        self._moved(link, (ordered or rows)[-1].balance, len(rows))

    def _moved(self, link: _Link, balance: Decimal, rows: int) -> None:
        link.balance, link.last = balance, self._second
        link.rows += rows

    def _break(self, link: _Link, rows: list[ChainRow]) -> None:
        """Note the first row that follows from nothing; the chain goes on from the last one."""
        link.breaks += 1
        if link.broken is not None:
            return
        row, expected = _first_bad(link.balance, rows)
        link.broken = ChainBreak(
            asset=row.asset,
            wallet=row.wallet,
            ledger_id=row.ledger_id,
            place=row.place,
            second=row.second,
            expected=expected,
            change=row.change,
            balance=row.balance,
        )


def chain_row(entry: LedgerEntry, place: int = 0) -> ChainRow:
    """What the chain needs of a ledger row."""
    asset, paid_in, fee = entry.asset, entry.fee_asset, entry.fee
    is_own = not paid_in or paid_in == asset
    return ChainRow(
        second_of(entry.booked_at),
        entry.ledger_id,
        asset,
        entry.wallet,
        entry.amount - fee if is_own else entry.amount,
        entry.balance,
        place,
        None if is_own or not fee else (paid_in, fee),
    )


def in_order(start: Decimal, rows: Sequence[ChainRow]) -> list[ChainRow] | None:
    """The rows in an order in which they chain from `start`; None if there is none."""
    leaving: dict[Decimal, list[ChainRow]] = {}
    for row in reversed(rows):  # what came first is taken first
        leaving.setdefault(row.balance - row.change, []).append(row)
    trail: list[ChainRow] = []
    stack: list[tuple[Decimal, ChainRow | None]] = [(start, None)]
    while stack:
        at, came_by = stack[-1]
        ways = leaving.get(at)
        if ways:
            row = ways.pop()
            stack.append((row.balance, row))
        else:
            stack.pop()
            if came_by is not None:
                trail.append(came_by)
    trail.reverse()
    return trail if len(trail) == len(rows) and _chains(start, trail) else None


def _chains(start: Decimal, rows: Sequence[ChainRow]) -> bool:
    for row in rows:
        if row.balance - row.change != start:
            return False
        start = row.balance
    return True


def _opening(rows: Sequence[ChainRow]) -> Decimal:
    """What a chain began with, of which these are the first rows: where the way through begins.

    That is the balance which one row more takes up than leaves. Where there is none the rows go in
    a circle: from zero if they pass it, else as they came.
    """
    came = rows[0].balance - rows[0].change
    if len(rows) == 1:
        return came
    surplus: dict[Decimal, int] = {}
    for row in rows:
        before = row.balance - row.change
        surplus[before] = surplus.get(before, 0) + 1
        surplus[row.balance] = surplus.get(row.balance, 0) - 1
    starts = [balance for balance, more in surplus.items() if more > 0]
    if not starts:
        return ZERO if ZERO in surplus else came
    return starts[0] if len(starts) == 1 else came


def _first_bad(start: Decimal, rows: Sequence[ChainRow]) -> tuple[ChainRow, Decimal]:
    """The first row, as they came, that cannot be reached; and the balance it should begin with."""
    leaving: dict[Decimal, list[ChainRow]] = {}
    for row in reversed(rows):
        leaving.setdefault(row.balance - row.change, []).append(row)
    reached: set[str] = set()
    while leaving.get(start):
        row = leaving[start].pop()
        reached.add(row.ledger_id)
        start = row.balance
    return next((row for row in rows if row.ledger_id not in reached), rows[0]), start
