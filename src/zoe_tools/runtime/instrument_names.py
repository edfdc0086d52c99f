"""An instrument by its one name, however somebody spelled it."""

from __future__ import annotations

from collections.abc import Collection

from zoe_tools.domain.identifiers import Symbol
from zoe_tools.errors import ConfigError
from zoe_tools.runtime.context import Context
from zoe_tools.store.store import Transaction


def spelled(told: str) -> Symbol:
    """The name as zoe spells names, whatever the venue makes of it."""
    return Symbol(told.upper().replace("-", "/"))


def demand_name(told: str | None) -> str:
    """What an option says; empty where it was left out, and the whole account is meant.

    Raises:
        ConfigError: it was given without a name, as by a variable that is not set.
    """
    if told is not None and not told.strip():
        raise ConfigError(
            "--instrument names none: nothing has been changed.",
            hint="Leave the option out if the whole account is meant.",
        )
    return told or ""


def is_known(told: str, known: Collection[Symbol]) -> bool:
    """Whether it is one of these."""
    return spelled(told) in known


async def instrument_named(context: Context, told: str, known: Collection[Symbol]) -> Symbol:
    """One of the known, whatever the venue says of it; of others the venue is asked.

    Raises:
        UnknownInstrument: the venue has none of that name.
        VenueError: it cannot be asked.
    """
    if is_known(told, known):
        return spelled(told)
    return (await context.venue.catalogue()).resolve(told).symbol


def in_the_books(transaction: Transaction) -> frozenset[Symbol]:
    """What is held or has an order at work, and what a loop followed."""
    held = (each.symbol for each in transaction.positions(active_only=True))
    working = (each.symbol for each in transaction.orders(open_only=True))
    return frozenset((*held, *working)) | transaction.followed()
