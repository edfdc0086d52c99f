"""Column types lose nothing, and refuse what would."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Connection, Integer, MetaData, Table, select, text
from sqlalchemy.exc import StatementError

from builders import NOON
from zoe_tools.domain.money import plain
from zoe_tools.domain.order import Side
from zoe_tools.errors import StoreError
from zoe_tools.store.database import engine_for
from zoe_tools.store.types import ExactDecimal, Json, UtcTime, word

THINGS = Table(
    "things",
    MetaData(),
    Column("thing_id", Integer, primary_key=True),
    Column("money", ExactDecimal),
    Column("moment", UtcTime),
    Column("details", Json),
)

EXACT = (
    "0",
    "0.00000001",
    "1E-8",
    "1E+3",
    "-0",
    "-123.4500",
    "1234567890123456789012345678",
    "0.1234567890123456789012345678",
    "12345678901234.12345678901234",
    "-0.0000000000000000000000000001",
)


@pytest.fixture(scope="module", params=("sqlite", "postgresql"))
def connection(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Connection]:
    """A connection to a database that has the table of things."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('types') / 'things.db'}"
    else:
        server = request.getfixturevalue("postgres_server")
        url = server.url(server.create_database())
    engine = engine_for(url)
    with engine.connect() as connection, connection.begin():
        THINGS.create(connection)
        yield connection
    engine.dispose()


def kept(connection: Connection, name: str, value: Any) -> Any:
    """The value after a journey through the database."""
    connection.execute(THINGS.delete())
    connection.execute(THINGS.insert(), {name: value})
    return connection.execute(select(THINGS.c[name])).scalar_one()


@pytest.mark.parametrize("text", EXACT)
def test_a_decimal_comes_back_exactly(connection: Connection, text: str) -> None:
    """Down to a hundred-millionth, and with 28 digits."""
    found = kept(connection, "money", Decimal(text))
    assert isinstance(found, Decimal)
    assert found == Decimal(text)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20))
def test_any_decimal_comes_back_exactly(connection: Connection, value: Decimal) -> None:
    """Whatever the number of digits or the notation."""
    assert kept(connection, "money", value) == value


def test_sqlite_keeps_decimals_in_plain_notation(connection: Connection) -> None:
    """An operator reads `0.00000001`, not `1E-8`."""
    kept(connection, "money", Decimal("1E-8"))
    raw = connection.exec_driver_sql("SELECT CAST(money AS TEXT) FROM things").scalar_one()
    assert raw == plain(Decimal("1E-8"))


@pytest.mark.parametrize("value", [0.1, 1, "1.5", Decimal("NaN"), Decimal("Infinity")])
def test_what_is_no_finite_decimal_is_refused(connection: Connection, value: Any) -> None:
    """A float would bring its error along; a NaN would poison every sum."""
    with pytest.raises(StatementError, match="is not a finite Decimal"):
        connection.execute(THINGS.insert(), {"money": value})


@pytest.mark.parametrize(
    "moment",
    [
        NOON,
        NOON + timedelta(microseconds=1),
        datetime(1999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2026, 7, 1, 2, 0, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    ],
)
def test_a_time_comes_back_in_utc(connection: Connection, moment: datetime) -> None:
    """To the microsecond, wherever it was written down."""
    found = kept(connection, "moment", moment)
    assert found == moment
    assert found.utcoffset() == timedelta(0)


def test_a_time_without_a_zone_is_refused(connection: Connection) -> None:
    """Nobody knows which hour it means."""
    with pytest.raises(StatementError, match="has no time zone"):
        connection.execute(THINGS.insert(), {"moment": NOON.replace(tzinfo=None)})


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.datetimes(min_value=datetime(1000, 1, 1)), min_size=2, max_size=5))  # noqa: DTZ001 - hypothesis wants a naive bound
def test_times_sort_as_they_pass(connection: Connection, naive: list[datetime]) -> None:
    """Text on SQLite has one width, whole seconds included."""
    moments = [each.replace(tzinfo=UTC) for each in naive]
    connection.execute(THINGS.delete())
    connection.execute(THINGS.insert(), [{"moment": each} for each in moments])
    found = connection.execute(select(THINGS.c.moment).order_by(THINGS.c.moment)).scalars().all()
    assert list(found) == sorted(moments)


def test_json_comes_back_with_decimals_as_plain_text(connection: Connection) -> None:
    """The order of the keys means nothing."""
    found = kept(connection, "details", {"b": 1, "a": "ä", "price": Decimal("1E-8")})
    assert found == {"a": "ä", "b": 1, "price": "0.00000001"}


ODD = [
    ("money", "abc", "'abc' where an amount belongs"),
    ("money", "NaN", "where an amount belongs"),
    ("money", "", "'' where an amount belongs"),
    ("money", b"\0", "where an amount belongs"),
    ("moment", "yesterday", "'yesterday' where a time belongs"),
    ("details", "{", "where a JSON object belongs"),
    ("details", "[1]", "where a JSON object belongs"),
]


@pytest.mark.parametrize(("name", "value", "told"), ODD)
def test_what_cannot_be_read_is_told_and_no_bug(
    connection: Connection, name: str, value: Any, told: str
) -> None:
    """SQLite takes anything for money; a server takes `NaN`, and nothing else of these."""
    if connection.dialect.name != "sqlite" and value != "NaN":
        pytest.skip("the server itself refuses it")
    connection.execute(THINGS.delete())
    statement = text(f"INSERT INTO things ({name}) VALUES (:value)")  # noqa: S608 - a name of ours
    connection.execute(statement, {"value": value})

    with pytest.raises(StoreError, match=told) as caught:
        connection.execute(select(THINGS.c[name])).scalar_one()
    assert caught.value.exit_code == 7
    assert "check-db-health" in caught.value.hint


@pytest.mark.parametrize("name", ["money", "moment", "details"])
def test_nothing_comes_back_as_nothing(connection: Connection, name: str) -> None:
    """NULL is an absence, never zero."""
    assert kept(connection, name, None) is None


def test_a_word_that_is_none_of_its_kind_is_told_and_no_bug() -> None:
    """With the words that there are: whoever wrote it meant one of them."""
    assert word(Side, "buy") is Side.BUY
    with pytest.raises(StoreError, match="'short' where one of buy, sell belongs"):
        word(Side, "short")
