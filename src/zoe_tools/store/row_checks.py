"""Which rows of the books contradict each other: one statement a rule, the same on both databases.

Money is text in SQLite: a statement finds what may be wrong by floating point, and where that is
not exact enough, the rows it finds are looked at again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Float,
    Select,
    Table,
    Text,
    and_,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    text,
    type_coerce,
)

from zoe_tools.domain.journal import IntentKind, IntentState
from zoe_tools.domain.order import OrderStatus, OrderType, Side
from zoe_tools.domain.position import PositionKind, PositionStatus
from zoe_tools.domain.store_health import Offenders, RowRule
from zoe_tools.domain.take_profit import LevelStatus, TargetMode
from zoe_tools.store.record_tables import TAKE_PROFIT_LEVELS
from zoe_tools.store.tables import (
    ACCOUNTS,
    CRYPTO_FILLS,
    CRYPTO_ORDERS,
    CRYPTO_POSITIONS,
    METADATA,
    ORDER_EVENTS,
    ORDER_INTENTS,
)
from zoe_tools.store.types import ExactDecimal, UtcTime

_WORDS: Mapping[Column[str], type[StrEnum]] = {
    CRYPTO_ORDERS.c.side: Side,
    CRYPTO_ORDERS.c.order_type: OrderType,
    CRYPTO_ORDERS.c.status: OrderStatus,
    CRYPTO_FILLS.c.side: Side,
    CRYPTO_POSITIONS.c.side: Side,
    CRYPTO_POSITIONS.c.status: PositionStatus,
    CRYPTO_POSITIONS.c.kind: PositionKind,
    ORDER_INTENTS.c.kind: IntentKind,
    ORDER_INTENTS.c.status: IntentState,
    ORDER_EVENTS.c.status: OrderStatus,
    TAKE_PROFIT_LEVELS.c.status: LevelStatus,
    TAKE_PROFIT_LEVELS.c.mode: TargetMode,
}
"""Columns that hold one of a few words."""

NAMED = 3
"""So many of the rows that break a rule are told by name."""

_HAIR = 1e-9
"""Relative: far below any lot step, far above what a sum of floats loses."""

Labelled = Select[str]

_FILLS, _ORDERS, _POSITIONS = CRYPTO_FILLS.c, CRYPTO_ORDERS.c, CRYPTO_POSITIONS.c


def offenders(connection: Connection) -> Mapping[RowRule, Offenders]:
    """Of each rule, also of those that every row fulfils."""
    found = {RowRule.FOREIGN_KEYS: _foreign_keys(connection)}
    found[RowRule.UNREADABLE] = _unreadable(connection)
    for rule, statement in _statements():
        found[rule] = _counted(connection, statement)
    found[RowRule.NEGATIVE_REMAINDERS] = _negative_remainders(connection)
    return found


def _counted(connection: Connection, statement: Labelled) -> Offenders:
    count = connection.execute(select(func.count()).select_from(statement.subquery())).scalar_one()
    named: tuple[str, ...] = ()
    if count:
        named = tuple(connection.execute(statement.limit(NAMED)).scalars())
    return Offenders(count=count, named=named)


def _statements() -> Iterator[tuple[RowRule, Labelled]]:
    is_ours = or_(_FILLS.client_order_id.is_not(None), _FILLS.position_id.is_not(None))
    orphan = ~or_(_has_order(_FILLS.client_order_id), _has_venue_order(_FILLS.venue_order_id))
    fill, order = _label(CRYPTO_FILLS, "fill_id"), _label(CRYPTO_ORDERS, "client_order_id")
    position = _label(CRYPTO_POSITIONS, "position_id")
    yield RowRule.FILLS_WITHOUT_ORDER, select(fill).where(is_ours, orphan)
    yield RowRule.FOREIGN_FILLS, select(fill).where(~is_ours, orphan)
    event = _label(ORDER_EVENTS, "event_key")
    unknown = ~exists().where(
        _ORDERS.account_id == ORDER_EVENTS.c.account_id,
        _ORDERS.client_order_id == ORDER_EVENTS.c.client_order_id,
    )
    yield RowRule.EVENTS_WITHOUT_ORDER, select(event).where(unknown)
    homeless = ~exists().where(
        _POSITIONS.account_id == _FILLS.account_id, _POSITIONS.position_id == _FILLS.position_id
    )
    placed = _FILLS.position_id.is_not(None)
    yield RowRule.FILLS_WITHOUT_POSITION, select(fill).where(placed, homeless)
    yield RowRule.NEGATIVE_POSITIONS, select(position).where(_real(_POSITIONS.quantity) < 0)
    yield RowRule.FILLS_BEYOND_ORDER, _fills_beyond_order(order)
    yield from _duplicates()


def _has_order(client_order_id: ColumnElement[str]) -> ColumnElement[bool]:
    return exists().where(
        _ORDERS.account_id == _FILLS.account_id, _ORDERS.client_order_id == client_order_id
    )


def _has_venue_order(venue_order_id: ColumnElement[str]) -> ColumnElement[bool]:
    return exists().where(
        _ORDERS.account_id == _FILLS.account_id, _ORDERS.venue_order_id == venue_order_id
    )


def _fills_beyond_order(order: ColumnElement[str]) -> Labelled:
    """An order of which more was executed than it asked for: a fill stands there twice."""
    names = (_FILLS.account_id, _FILLS.venue_order_id)
    summed = func.sum(_real(_FILLS.quantity)).label("quantity")
    done = select(*names, summed).group_by(*names).subquery()
    same = and_(
        done.c.account_id == _ORDERS.account_id, done.c.venue_order_id == _ORDERS.venue_order_id
    )
    asked = _real(_ORDERS.quantity)
    joined = select(order).select_from(CRYPTO_ORDERS.join(done, same))
    return joined.where(done.c.quantity > asked + asked * _HAIR)


def _duplicates() -> Iterator[tuple[RowRule, Labelled]]:
    yield RowRule.DUPLICATE_FILLS, _twice(CRYPTO_FILLS, "fill_id")
    execution = ("venue_order_id", "filled_at", "price", "quantity")
    yield RowRule.TWIN_FILLS, _twice(CRYPTO_FILLS, *execution)
    sent = _ORDERS.venue_order_id.is_not(None)
    yield RowRule.DUPLICATE_ORDERS, _twice(CRYPTO_ORDERS, "venue_order_id").where(sent)
    active = [each.value for each in PositionStatus if each.is_active]
    twice = _twice(CRYPTO_POSITIONS, "symbol", "kind")
    yield RowRule.DUPLICATE_POSITIONS, twice.where(_POSITIONS.status.in_(active))


def _twice(table: Table, *names: str) -> Labelled:
    """What stands in several rows of an account, told by the first of the names."""
    label = _label(table, names[0])
    groups = [table.c[name] for name in ("account_id", *names)]
    return select(label).group_by(*groups).having(func.count() > 1)


def _label(table: Table, name: str) -> ColumnElement[str]:
    return table.c.account_id + literal(" ") + table.c[name]


def _real(column: ColumnElement[object]) -> ColumnElement[float]:
    return cast(column, Float)


def _negative_remainders(connection: Connection) -> Offenders:
    """Orders with more done than they ask for, or less than nothing; exactly."""
    asked, done = _real(_ORDERS.quantity), _real(_ORDERS.filled_quantity)
    may_be = or_(done < 0, done > asked - asked * _HAIR)
    label = _label(CRYPTO_ORDERS, "client_order_id")
    differs = _ORDERS.filled_quantity != _ORDERS.quantity
    raw = (type_coerce(each, Text) for each in (_ORDERS.quantity, _ORDERS.filled_quantity))
    found = [
        name
        for name, *both in connection.execute(select(label, *raw).where(may_be, differs))
        if _is_beyond(*map(_number, both))
    ]
    return Offenders(count=len(found), named=tuple(found[:NAMED]))


def _is_beyond(quantity: Decimal | None, filled: Decimal | None) -> bool:
    """What is no number is found by another rule."""
    return quantity is not None and filled is not None and (filled > quantity or filled < 0)


def _number(value: object) -> Decimal | None:
    """A stored amount as it lies there; None if it is none."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


# --- what cannot even be read --------------------------------------------------------------------

_NO_NUMBERS = ("*[^0-9.-]*", "?*-*", "*.*.*")
"""What looks so may be no number; what has no digit is none either."""
_A_TIME = "[12][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9].[0-9]*+00:00"
_NO_VALUES = ("NaN", "Infinity", "-Infinity", "infinity", "-infinity")
"""What a server takes for an amount or a time, and no book does."""


def _unreadable(connection: Connection) -> Offenders:
    """Amounts, times and words that cannot be read: SQLite takes any text for the first two."""
    found = [name for table in METADATA.sorted_tables for name in _odd_values(connection, table)]
    for column, words in _WORDS.items():
        table = column.table
        key = next(each for each in table.primary_key.columns if each.name != "account_id")
        where = and_(column.is_not(None), column.not_in([each.value for each in words]))
        odd = connection.execute(select(type_coerce(key, Text)).where(where)).scalars()
        found += [f"{name} ({table.name}.{column.name})" for name in odd]
    return Offenders(count=len(found), named=tuple(found[:NAMED]))


def _odd_values(connection: Connection, table: Table) -> Iterator[str]:
    """Each by its row's key and its column; a table is walked once, for all its columns."""
    columns = [each for each in table.columns if isinstance(each.type, ExactDecimal | UtcTime)]
    if not columns:
        return
    is_file = connection.dialect.name == "sqlite"
    values = [type_coerce(each, Text) if is_file else cast(each, Text) for each in columns]
    odd = [
        _odd_in_file(each) if is_file else value.in_(_NO_VALUES)
        for each, value in zip(columns, values, strict=True)
    ]
    keys = [type_coerce(each, Text) for each in table.primary_key.columns]
    for row in connection.execute(select(*keys, *values).where(or_(*odd))):
        name = " ".join(str(each) for each in row[: len(keys)])
        for column, value in zip(columns, row[len(keys) :], strict=True):
            is_money = isinstance(column.type, ExactDecimal)
            if value is not None and not (_is_number(value) if is_money else _is_moment(value)):
                yield f"{name} ({table.name}.{column.name})"


def _odd_in_file(column: ColumnElement[object]) -> ColumnElement[bool]:
    value = type_coerce(column, Text)
    if isinstance(column.type, UtcTime):
        return ~value.bool_op("GLOB")(_A_TIME)
    looks_so = [value.bool_op("GLOB")(pattern) for pattern in _NO_NUMBERS]
    return or_(~value.bool_op("GLOB")("*[0-9]*"), *looks_so)


def _is_number(value: object) -> bool:
    return _number(value) is not None


def _is_moment(value: object) -> bool:
    try:
        return datetime.fromisoformat(str(value)).tzinfo is not None
    except ValueError:
        return False


def _foreign_keys(connection: Connection) -> Offenders:
    """Rows of accounts that there are not: SQLite can be told not to look, a server's key taken."""
    if connection.dialect.name == "sqlite":
        rows = connection.execute(text("PRAGMA foreign_key_check")).all()
        named = [f"{name} row {number}" for name, number, *_ in rows[:NAMED]]
        return Offenders(count=len(rows), named=tuple(named))
    count, first = 0, []
    for each in METADATA.sorted_tables:
        if not each.foreign_keys:
            continue
        known = exists().where(ACCOUNTS.c.account_id == each.c.account_id)
        found = select(func.count()).select_from(each).where(~known)
        number = connection.execute(found).scalar_one()
        count += number
        first += [f"{each.name}: {number}"] if number else []
    return Offenders(count=count, named=tuple(first[:NAMED]))
