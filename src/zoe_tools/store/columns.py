"""What the tables are made of, and the one collection all of them are in.

Each function makes one column; a table is a list of them.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Identity, Integer, MetaData, Text

from zoe_tools.store.types import ExactDecimal, UtcTime

COLLECTION = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def account(*, is_key: bool = False) -> Column[str]:
    """The owner of the row."""
    owner = ForeignKey("accounts.account_id")
    return Column("account_id", Text, owner, primary_key=is_key, nullable=False)


def key(name: str) -> Column[str]:
    """A text that names the row, beside its owner."""
    return Column(name, Text, primary_key=True, nullable=False)


def text(name: str) -> Column[str]:
    """A text that is always there."""
    return Column(name, Text, nullable=False)


def later_text(name: str) -> Column[str]:
    """A column that a table got when it had rows: those have it empty."""
    return Column(name, Text, nullable=False, server_default="")


def money(name: str, *, nullable: bool = False) -> Column[Any]:
    """An exact decimal."""
    return Column(name, ExactDecimal, nullable=nullable)


def moment(name: str, *, nullable: bool = False) -> Column[Any]:
    """An aware UTC time."""
    return Column(name, UtcTime, nullable=nullable)


def number(name: str, *, is_key: bool = False) -> Column[int]:
    """A whole number of any size."""
    whole = BigInteger().with_variant(Integer(), "sqlite")
    return Column(name, whole, primary_key=is_key, nullable=False, autoincrement=False)


def row_id() -> Column[int]:
    """The order of insertion; means nothing else."""
    whole = BigInteger().with_variant(Integer(), "sqlite")
    return Column("row_id", whole, Identity(), primary_key=True)
