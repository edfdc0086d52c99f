"""Rows of the last hours, kept as values: of them only what was written since is read again.

What a loop reads after every fill grows with the hours, and hardly anything of it has changed.
SQLite tells a connection whether another one has committed: then everything is read anew. What
this one writes is noted by whoever writes it. It is read again in the next transaction, too, as
the one that wrote it may not have been committed. A server tells no such thing: there everything
is read each time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal
from typing import Generic, TypeVar

from sqlalchemy import Connection

from zoe_tools.domain.identifiers import AccountId
from zoe_tools.domain.money import ONE, ZERO
from zoe_tools.store.reads import Query, Reader
from zoe_tools.store.transactions import data_version

T = TypeVar("T")

_EXACT = Context(prec=1_000)
"""A sum that rows come to and go from stays what a new one would be."""

Place = tuple[datetime, str]
"""Where a row stands: by its time, then by its name."""


def _told(total: Decimal) -> Decimal:
    """As many digits as the context has, and no zeros that rows left behind that went again."""
    told = (+total).normalize()
    return told.quantize(ONE) if told == told.to_integral_value() else told


def _nothing(_: object) -> Decimal:
    return ZERO


class Recent(Generic[T]):
    """The newest rows of a table; what is kept of them goes with the connection."""

    def __init__(
        self,
        reader: Reader[T],
        since: Query,
        one: Query,
        place: Callable[[T], Place],
        *,
        kept: timedelta,
        weigh: Callable[[T], Decimal] | None = None,
    ) -> None:
        """`since` selects by `owner` and `since`, in the order of `place`; `one` by `name`.

        So much before what is asked for may be `kept`: somebody else asks for more. What each row
        counts in the sum of its UTC day is to `weigh`.
        """
        self._reader = reader
        self._of_time = since
        self._of_name = one
        self._place = place
        self._keeps = kept
        self._weigh = weigh or _nothing

    def wrote(self, connection: Connection, owner: AccountId, name: str) -> None:
        """This row was written."""
        if connection.dialect.name == "sqlite":
            kept = self._kept(connection, owner)
            kept.written.add(name)
            kept.doubtful.add(name)

    def since(self, connection: Connection, owner: AccountId, since: datetime) -> tuple[T, ...]:
        """The rows of that time and later, oldest first."""
        if connection.dialect.name != "sqlite":
            return self._reader.all(connection, self._of_time, owner=owner, since=since)
        return self._up_to_date(connection, owner, since).since(since)

    def sum_of(self, connection: Connection, owner: AccountId, day: date) -> Decimal:
        """What the rows of that UTC day come to; not a digit of it depends on their order."""
        begin = datetime.combine(day, time.min, tzinfo=UTC)
        if connection.dialect.name == "sqlite":
            return _told(self._up_to_date(connection, owner, begin).sums.get(day, ZERO))
        found = self._reader.all(connection, self._of_time, owner=owner, since=begin)
        total = ZERO
        for each in found:
            if self._place(each)[0].date() == day:
                total = _EXACT.add(total, self._weigh(each))
        return _told(total)

    def _up_to_date(self, connection: Connection, owner: AccountId, since: datetime) -> _Kept[T]:
        """All of that time and later, with what was written since."""
        kept = self._kept(connection, owner)
        version = data_version(connection)
        if version != kept.version or not kept.reaches(since):
            begin = kept.begin_for(since)
            found = self._reader.all(connection, self._of_time, owner=owner, since=begin)
            kept.take(begin, [(self._place(each), each) for each in found])
            kept.version = version
        else:
            for name in sorted(kept.written):
                found = self._reader.all(connection, self._of_name, owner=owner, name=name)
                kept.put(name, [(self._place(each), each) for each in found])
        kept.written.clear()
        return kept

    def _kept(self, connection: Connection, owner: AccountId) -> _Kept[T]:
        kept: _Kept[T] | None = connection.info.get((self, owner))
        if kept is None:
            kept = connection.info[self, owner] = _Kept(self._keeps, self._weigh)
        transaction = connection.get_transaction()
        if transaction is not kept.transaction:
            kept.transaction = transaction
            kept.written |= kept.doubtful
            kept.doubtful = set()
        return kept


class _Kept(Generic[T]):
    """What a connection has read.

    `written` is to be read again; `doubtful` was written in the transaction that was the last one.
    """

    def __init__(self, keeps: timedelta, weigh: Callable[[T], Decimal]) -> None:
        self._keeps = keeps
        self._weigh = weigh
        self.sums: dict[date, Decimal] = {}
        """Of each UTC day, of all rows that are here."""
        self.version = -1
        self.transaction: object = None
        self.written: set[str] = set()
        self.doubtful: set[str] = set()
        self._from: datetime | None = None
        self._places: list[Place] = []
        self._values: dict[str, tuple[Place, T]] = {}

    def reaches(self, since: datetime) -> bool:
        """Whether all of that time is here, and not much more."""
        return self._from is not None and self._from <= since <= self._from + self._keeps

    def begin_for(self, since: datetime) -> datetime:
        """From when on to read, so that whoever asks for more is served as well."""
        return since if self._from is None else min(since, max(self._from, since - self._keeps))

    def take(self, begin: datetime, found: list[tuple[Place, T]]) -> None:
        """All rows since `begin`, in order."""
        self._from = begin
        self._places = [place for place, _ in found]
        self._values = {place[1]: (place, value) for place, value in found}
        self.sums = {}
        for place, value in found:
            self._count(place, self._weigh(value))

    def put(self, name: str, found: list[tuple[Place, T]]) -> None:
        """The row of that name as it is now, or that there is none."""
        known = self._values.pop(name, None)
        if known is not None:
            del self._places[bisect_left(self._places, known[0])]
            self._count(known[0], -self._weigh(known[1]))
        for place, value in found:
            if self._from is not None and place[0] >= self._from:
                self._places.insert(bisect_left(self._places, place), place)
                self._values[name] = (place, value)
                self._count(place, self._weigh(value))

    def _count(self, place: Place, amount: Decimal) -> None:
        if amount:
            day = place[0].date()
            self.sums[day] = _EXACT.add(self.sums.get(day, ZERO), amount)

    def since(self, since: datetime) -> tuple[T, ...]:
        """The values of that time and later, oldest first."""
        first = bisect_left(self._places, (since, ""))
        return tuple([self._values[name][1] for _, name in self._places[first:]])
