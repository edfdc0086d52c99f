"""One look or two at everything the venue's records show, compared with everything the store holds.

Where a list of the venue lacks orders of ours, these are asked for by name before anything is said.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

from zoe_tools.core.reconcile import Reconciliation
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.gate.reconciliation import (
    Noted,
    compared,
    completed,
    note_reconciliation,
    report,
    with_all_orders,
)
from zoe_tools.gather import Need
from zoe_tools.runtime.context import Context

RECORDS = frozenset(
    {
        Need.MODE,
        Need.CATALOGUE,
        Need.BALANCES,
        Need.OPEN_ORDERS,
        Need.CLOSED_ORDERS,
        Need.FILLS,
        Need.LEDGER,
    }
)

SECOND_LOOK_S = 0.5
"""Real seconds between two looks: longer than a loop needs to book what it is told."""


async def reconcile_twice(context: Context) -> tuple[Snapshot, Reconciliation]:
    """What two looks agree on: a loop that is trading books what the first one still missed.

    Raises:
        VenueUnavailable: a part of the venue's records cannot be read.
        StoreError: the books cannot be read.
    """
    snapshot, first = await reconcile_once(context)
    if not first.findings:
        return snapshot, first
    await asyncio.sleep(SECOND_LOOK_S)
    snapshot, second = await reconcile_once(context)
    seen = {(each.kind, each.subject) for each in first.findings}
    lasting = tuple(each for each in second.findings if (each.kind, each.subject) in seen)
    return snapshot, replace(second, findings=lasting)


async def reconcile_once(context: Context) -> tuple[Snapshot, Reconciliation]:
    """One look: everything the venue's records show, and everything the store holds."""
    snapshot = await context.look(RECORDS)
    snapshot = await completed(
        snapshot, venue=context.venue, store=context.store, clock=context.clock
    )
    return await compared(snapshot, venue=context.venue, clock=context.clock)


async def look_by_id(
    context: Context,
    needs: frozenset[Need],
    *,
    adopted: tuple[tuple[Symbol, Decimal], ...] = (),
) -> Snapshot:
    """`Context.look` for what plans by open orders: ours that the list lacks are asked by id.

    Raises:
        StoreError: the store cannot be read.
    """
    snapshot = await context.look(needs, adopted=adopted)
    return await with_all_orders(snapshot, venue=context.venue, clock=context.clock)


async def written_down(
    context: Context, snapshot: Snapshot, result: Reconciliation, *, actions_taken: int = 0
) -> Noted:
    """What was found, kept and told; an observation, made in a dry run too.

    Raises:
        StoreError: it cannot be kept.
    """
    noted = await context.store.run(
        lambda tx: note_reconciliation(
            tx,
            result,
            at=snapshot.taken_at,
            actions_taken=actions_taken,
            clean_runs_needed=context.policy.reconcile_clean_runs,
        )
    )
    report(noted)
    return noted
