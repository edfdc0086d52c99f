"""How SQLite finds what a loop asks of tables that grow for years: never by reading all of them."""

from __future__ import annotations

import importlib
import pkgutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from builders import PAPER
from fakes import fresh_store
from zoe_tools import store
from zoe_tools.domain.position import PositionStatus
from zoe_tools.store import position_events, positions
from zoe_tools.store.reads import Query
from zoe_tools.store.recent import Recent
from zoe_tools.store.tables import (
    CRYPTO_FILLS,
    CRYPTO_ORDERS,
    CRYPTO_POSITIONS,
    INTENT_GROUPS,
    ORDER_EVENTS,
    ORDER_INTENTS,
)

GROWING = tuple(
    each.name
    for each in (
        CRYPTO_FILLS,
        CRYPTO_ORDERS,
        CRYPTO_POSITIONS,
        INTENT_GROUPS,
        ORDER_EVENTS,
        ORDER_INTENTS,
    )
)
MEANT_TO_READ_ALL = frozenset({"fills._ALL", "groups._ALL", "orders._ALL"})


def _queries() -> Iterator[tuple[str, Query]]:
    """Each query that stands in a module of the store, with its name."""
    for module in pkgutil.iter_modules(store.__path__):
        found = importlib.import_module(f"{store.__name__}.{module.name}")
        for name, value in vars(found).items():
            if isinstance(value, Query):
                yield f"{module.name}.{name}", value
            elif isinstance(value, Recent):
                yield f"{module.name}.{name} of a time", value._of_time
                yield f"{module.name}.{name} by name", value._of_name


QUERIES = dict(_queries()) | {
    "stories": position_events._of_active(frozenset({"opened", "closed"})),
    "positions": positions._among(frozenset({PositionStatus.OPEN, PositionStatus.PROTECTED})),
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that is empty: SQLite is told of no numbers of rows, as in use."""
    home = tmp_path_factory.mktemp("plans")
    fresh_store(home, PAPER).close()
    return home / "zoe.db"


@pytest.mark.parametrize("name", sorted(QUERIES.keys() - MEANT_TO_READ_ALL))
def test_rows_of_a_table_that_grows_are_found_by_more_than_their_account(
    name: str, database: Path
) -> None:
    """An index of which the account alone is used leads through all that ever happened."""
    query: Any = QUERIES[name]
    query._spell()
    values = [None] * len(query._parameters)
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(f"EXPLAIN QUERY PLAN {query._sql}", values).fetchall()
    steps = [step for *_, step in rows if any(f" {table} " in f"{step} " for table in GROWING)]

    assert [step for step in steps if "(account_id=? AND " not in step] == []
