"""One hash over everything that is business, so that a dry run can prove it changed nothing."""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, Table, select

from zoe_tools.domain.plan import canonical_json
from zoe_tools.store.tables import METADATA, NO_BUSINESS

_ROW_ID = "row_id"


def business_tables() -> tuple[Table, ...]:
    """Every table but those listed as no business: a new table counts until it is listed."""
    return tuple(table for _, table in sorted(METADATA.tables.items()) if table not in NO_BUSINESS)


def business_fingerprint(connection: Connection) -> str:
    """SHA-256 over all rows of all business tables, in the order of their keys."""
    digest = hashlib.sha256()
    for table in business_tables():
        digest.update(f"{table.name}\n".encode())
        columns = [column for column in table.columns if column.name != _ROW_ID]
        for row in connection.execute(select(*columns).order_by(*table.primary_key)):
            digest.update(canonical_json(tuple(row)).encode())
            digest.update(b"\n")
    return digest.hexdigest()
