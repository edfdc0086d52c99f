"""A digest over each slice of the ledger: the audit log tells it, `verify` reckons it again.

Over the columns of its rows, then over those of their lines, each as SQLite keeps it, so that both
databases give the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection

from zoe_tools.domain.identifiers import AccountId

ENTRY_COLUMNS = (
    "ledger_id",
    "refid",
    "booked_at",
    "kind",
    "subtype",
    "asset",
    "amount",
    "fee",
    "balance",
    "wallet",
    "asset_class",
    "fee_asset",
)
LINE_COLUMNS = (
    "entry_id",
    "line",
    "booked_at",
    "refid",
    "kind",
    "asset",
    "amount",
    "from_account",
    "to_account",
)


def slice_digests(connection: Connection, account_id: AccountId) -> Mapping[str, str]:
    """The digest of what each slice holds now, reckoned from the tables."""
    digests: dict[str, Any] = {}
    tables = (("ledger_entries", ENTRY_COLUMNS), ("journal_entries", LINE_COLUMNS))
    for table, columns in tables:
        for texts in _told(connection, account_id, table, columns):
            digest = digests.get(texts[-1])
            if digest is None:
                digest = digests[texts[-1]] = hashlib.sha256()
            digest.update(spelled(map(str, texts[:-1])).encode())
    return {source: digest.hexdigest() for source, digest in digests.items()}


def _told(
    connection: Connection, account_id: AccountId, table: str, columns: Sequence[str]
) -> Iterator[tuple[Any, ...]]:
    is_sqlite = connection.dialect.name == "sqlite"
    names = ", ".join((*columns, "source"))
    mark = "?" if is_sqlite else "%s"
    rows = connection.exec_driver_sql(
        f"SELECT {names} FROM {table} WHERE account_id = {mark} AND source <> '' ORDER BY row_id",  # noqa: S608 - names of our own tables
        (account_id,),
    )
    for row in rows:
        yield tuple(row) if is_sqlite else tuple(map(_spelled, row))


def spelled(texts: Iterable[str]) -> str:
    """One row, as the digest reads it."""
    return "\x1f".join(texts) + "\n"


def number_text(value: Decimal) -> str:
    """As SQLite keeps it (store/types.py): plain, and no zero with a sign."""
    text = str(value)
    if "E" in text or (text[0] == "-" and not value):
        return f"{value:f}" if value else f"{value.copy_abs():f}"
    return text


@lru_cache(maxsize=4096)
def time_text(at: datetime) -> str:
    """As SQLite keeps it (store/types.py)."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _spelled(value: Any) -> Any:
    """What PostgreSQL gives, as SQLite keeps it."""
    if isinstance(value, Decimal):
        return number_text(value)
    return time_text(value) if isinstance(value, datetime) else value
