"""What the venue holds for the account, where an empty answer would pass for a proof."""

from __future__ import annotations

from zoe_tools.domain.ledger import Balance
from zoe_tools.domain.money import short
from zoe_tools.errors import VenueMisbehaved
from zoe_tools.kraken.account_reads import AccountReads
from zoe_tools.runtime.context import Context


async def confirmed_balances(context: Context) -> tuple[Balance, ...]:
    """The balances; that there are none is believed only if the venue's valuation says so too.

    Raises:
        VenueMisbehaved: the balances are empty, and the account is worth something.
        VenueError: one of the two could not be read.
    """
    held = await context.venue.balances()
    if context.wires is None or any(each.total for each in held):
        return held
    reads = AccountReads(context.wires.rest, context.venue.catalogue)
    standing = await reads.margin_standing()
    if standing.worth:
        raise VenueMisbehaved(
            "Kraken answers that the account holds nothing, and that it is worth"
            f" {short(standing.worth)} {standing.asset}.",
            hint="Run the command again; nothing was proved.",
        )
    return held
