"""Column types that lose nothing: exact decimals, aware UTC times, canonical JSON.

SQLite has no decimal type and SQLAlchemy's `Numeric` goes through floats there: money is text.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, TypeVar

from sqlalchemy import DateTime, Dialect, Numeric, Text
from sqlalchemy.types import TypeDecorator, TypeEngine
from typing_extensions import override

from zoe_tools.domain.money import plain
from zoe_tools.domain.plan import jsonable
from zoe_tools.errors import StoreError

E = TypeVar("E", bound=Enum)

_MOST_SHOWN = 40


def _unreadable(value: object, what: str) -> StoreError:
    """Somebody wrote to the database: a type of ours lets nothing in that it cannot read."""
    return StoreError(
        f"The store holds {repr(value)[:_MOST_SHOWN]} where {what} belongs.",
        hint="`zoe check-db-health` names such rows; put them right, or restore the last backup.",
    )


def word(kind: type[E], value: str) -> E:
    """The member of an enumeration that a text column holds.

    Raises:
        StoreError: it holds none of them.
    """
    try:
        return kind(value)
    except ValueError as error:
        raise _unreadable(value, f"one of {', '.join(each.value for each in kind)}") from error


class ExactDecimal(TypeDecorator[Decimal]):
    """A finite `Decimal`: NUMERIC on PostgreSQL, plain-notation text on SQLite.

    Text does not sort or add as numbers do: sums and comparisons of money are made in Python.
    """

    impl = Numeric
    cache_ok = True

    @override
    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else Numeric())

    @override
    def process_bind_param(self, value: object, dialect: Dialect) -> Any:
        if value is None:
            return None
        if not isinstance(value, Decimal) or not value.is_finite():
            raise TypeError(f"{value!r} is not a finite Decimal")
        exact = value.copy_abs() if value.is_zero() else value
        return plain(exact) if dialect.name == "sqlite" else exact

    @override
    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        if value is None:
            return None
        try:
            number = Decimal(value)
        except (InvalidOperation, TypeError, ValueError) as error:
            raise _unreadable(value, "an amount") from error
        if not number.is_finite():
            raise _unreadable(value, "an amount")
        return number


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC time: timestamptz on PostgreSQL, ISO text with microseconds on SQLite.

    The text has one width, so that it sorts as the times do.
    """

    impl = DateTime
    cache_ok = True

    @override
    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(
            Text() if dialect.name == "sqlite" else DateTime(timezone=True)
        )

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError(f"{value!r} has no time zone")
        in_utc = value.astimezone(UTC)
        return in_utc.isoformat(timespec="microseconds") if dialect.name == "sqlite" else in_utc

    @override
    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(value) if isinstance(value, str) else value
            return moment.astimezone(UTC)
        except (ValueError, AttributeError, OverflowError) as error:
            raise _unreadable(value, "a time") from error


class Json(TypeDecorator[dict[str, Any]]):
    """A JSON object: JSONB on PostgreSQL, canonical text on SQLite. Decimals become text."""

    impl = Text
    cache_ok = True

    @override
    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(Text())
        from sqlalchemy.dialects.postgresql import JSONB  # noqa: PLC0415 - in vain with a file

        return dialect.type_descriptor(JSONB(none_as_null=True))

    @override
    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if value is None:
            return None
        plain_value = jsonable(dict(value))
        if dialect.name != "sqlite":
            return plain_value
        return json.dumps(plain_value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @override
    def process_result_value(self, value: Any, dialect: Dialect) -> dict[str, Any] | None:
        try:
            if isinstance(value, str):
                value = json.loads(value)
            return value if value is None else dict(value)
        except (ValueError, TypeError) as error:
            raise _unreadable(value, "a JSON object") from error
