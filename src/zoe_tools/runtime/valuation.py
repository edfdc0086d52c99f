"""Looks at what the account holds, and at the prices that say what it is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from zoe_tools.core.equity import by_asset
from zoe_tools.core.marks import marks_of_quotes, valuing_pairs
from zoe_tools.domain.equity import CURRENCY, Mark
from zoe_tools.domain.ledger import Balance, LedgerEntry
from zoe_tools.domain.margin import MarginStanding
from zoe_tools.domain.money import short
from zoe_tools.domain.snapshot import Missing, value_of
from zoe_tools.engine.worth import unheard_since
from zoe_tools.errors import VenueError
from zoe_tools.gather import Need
from zoe_tools.kraken.account_reads import AccountReads
from zoe_tools.runtime.context import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the venue showed; `balances` None, or no marks, and `why`, where it showed none.

    `reconciled_at`: when the books last agreed with the venue. `entries`: the ledger since the
    last point of the curve; None if it could not be read.
    """

    at: datetime
    reconciled_at: datetime | None
    balances: tuple[Balance, ...] | None = None
    marks: tuple[Mark, ...] = ()
    entries: tuple[LedgerEntry, ...] | None = None
    why: str = ""
    margin: MarginStanding | None = None
    unheard: str = ""
    """Why there are no `entries`, where everything else was told."""


async def look_at_worth(context: Context) -> Seen:
    """Balances, the prices of what is held, and what came or went since the last look.

    Raises:
        StoreError: the store cannot be read.
    """
    snapshot = await context.look(frozenset({Need.BALANCES, Need.CATALOGUE}))
    seen = Seen(at=snapshot.taken_at, reconciled_at=snapshot.reconciled_at)
    for part in (snapshot.balances, snapshot.catalogue):
        if isinstance(part, Missing):
            return replace(seen, why=part.reason)
    catalogue = value_of(snapshot.catalogue, "the instruments")
    held = value_of(snapshot.balances, "the balances")
    balances = by_asset(held, catalogue)
    seen = replace(seen, margin=await _margin(context))
    doubt = _doubted(balances, seen.margin)
    if doubt:
        return replace(seen, why=doubt)
    seen = replace(seen, balances=balances)
    wanted = valuing_pairs((each.asset for each in balances if each.total), catalogue)
    try:
        quotes = await context.venue.quotes(wanted) if wanted else ()
    except VenueError as error:
        return replace(seen, why=error.message.rstrip("."))
    seen = replace(seen, at=context.clock.now(), marks=marks_of_quotes(quotes, "ticker"))
    try:
        since = await context.store.read(lambda tx: unheard_since(tx, seen.at))
        entries = await context.venue.ledger(since=since) if since else ()
    except VenueError as error:
        return replace(seen, unheard=f"{error.message} {error.hint}".strip())
    return replace(seen, entries=entries)


def _doubted(balances: Sequence[Balance], standing: MarginStanding | None) -> str:
    """Why an answer without any money in it is not believed: the curve would keep it for good."""
    if any(each.total for each in balances) or standing is None or not standing.worth:
        return ""
    return (
        "Kraken answers that the account holds nothing, and that it is worth"
        f" {short(standing.worth)} {standing.asset}"
    )


async def _margin(context: Context) -> MarginStanding | None:
    """How the account stands with what it borrowed; None: the venue did not tell."""
    if context.wires is None:
        return None
    reads = AccountReads(context.wires.rest, context.venue.catalogue)
    try:
        return await reads.margin_standing(CURRENCY)
    except VenueError:
        return None
