"""The loop's own comparison: what is live, every so often, beside the turns.

It asks the venue for open orders, balances and a page of the ledger (four points; one more where an
order of ours is not in the list, one where balances look short), and holds books and streams
against them. What the whole history tells is for `zoe reconcile`. Nothing is sent from here: what
the venue proves is booked, what is doubtful keeps entries back, and no exit waits for it.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

from zoe_tools.core.reconcile import Reconciliation, is_own_story
from zoe_tools.core.reconcile_store import changed_by_hand
from zoe_tools.domain.discrepancy import ReconciliationState, Response
from zoe_tools.domain.order import VenueOrder
from zoe_tools.domain.plan import Plan
from zoe_tools.domain.snapshot import RECENT, Reading, Snapshot
from zoe_tools.engine.ledger_watch import LedgerWatch
from zoe_tools.engine.loop import TradingLoop
from zoe_tools.engine.parts import LoopParts
from zoe_tools.errors import StoreError, VenueError
from zoe_tools.gate.reconciliation import asked_by_name, compared, note_reconciliation, report
from zoe_tools.gather import registry_of
from zoe_tools.store.store import Transaction

_LOG = logging.getLogger(__name__)

SECOND_LOOK_S = 2.0
"""Venue seconds between two looks: what the streams are telling just then has been booked."""


async def compare_for_ever(loop: TradingLoop, parts: LoopParts) -> None:
    """A comparison at once, and one each period; one that cannot be made is left out.

    Until the first is made, it is tried again soon: nothing is entered before.
    """
    ledger = LedgerWatch(parts)
    while True:
        try:
            await compare(loop, parts, ledger)
            parts.work.done("reconcile", parts.clock.now())
        except VenueError as error:
            _LOG.warning("Books and venue cannot be compared: %s", error.message)
        except StoreError as error:
            _LOG.warning("What was compared cannot be kept: %s", error.message)
        is_compared = "reconcile" in parts.work.done_at
        cadence = parts.cadence
        await parts.clock.sleep(cadence.reconcile_s if is_compared else cadence.health_s)


async def compare(loop: TradingLoop, parts: LoopParts, ledger: LedgerWatch) -> None:
    """Look, twice where something differs; write it down, and act on what it means.

    Raises:
        VenueError: the venue cannot be asked.
        StoreError: the books cannot be read or written.
    """
    if parts.gate.is_store_away:
        return
    snapshot, result = await _look(loop, parts, ledger)
    if result.findings:
        await parts.clock.sleep(SECOND_LOOK_S)
        seen = {(each.kind, each.subject) for each in result.findings}
        snapshot, result = await _look(loop, parts, ledger)
        lasting = tuple(each for each in result.findings if (each.kind, each.subject) in seen)
        result = replace(result, findings=lasting)
    actions = await _book(parts, snapshot, result)
    noted = await parts.store.run(
        lambda tx: note_reconciliation(
            tx,
            result,
            at=snapshot.taken_at,
            is_whole=False,
            actions_taken=actions,
            clean_runs_needed=parts.policy.reconcile_clean_runs,
        )
    )
    report(noted)
    await loop.books.refresh(parts.clock.now())
    _tell(parts, noted.before, noted.state)
    loop.wake()


async def _book(parts: LoopParts, snapshot: Snapshot, result: Reconciliation) -> int:
    """Rows that were changed by hand are rebuilt; what the records prove is booked.

    The latter by the same way as after a lost stream.
    """
    rebuilt = tuple(each for each in result.steps if is_own_story(each))
    if rebuilt:
        plan = Plan(
            command="run",
            account=snapshot.account,
            created_at=snapshot.taken_at,
            expires_at=snapshot.taken_at + timedelta(seconds=parts.policy.plan_lifetime_s),
            steps=rebuilt,
        )
        await parts.gate.carry_out(plan, snapshot=snapshot, execute=True)
    if not any(each.rule.response is Response.AUTO for each in result.findings):
        return len(rebuilt)
    found = await parts.gate.recover(patient=False)
    return len(rebuilt) + found.orders_updated + found.fills_booked


def _tell(parts: LoopParts, before: ReconciliationState, now: ReconciliationState) -> None:
    if (before.pauses_account, before.paused) == (now.pauses_account, now.paused):
        return
    why = now.reason if now.pauses_account else ", ".join(now.paused)
    note = f"Entries are kept back by reconciliation: {why}." if why else "Books and venue agree."
    parts.narrator.show_note(parts.clock.now(), note)


async def _look(
    loop: TradingLoop, parts: LoopParts, ledger: LedgerWatch
) -> tuple[Snapshot, Reconciliation]:
    """The venue first, then the books: what is newer than its answer is not held against it."""
    listed = Reading(await parts.venue.open_orders(), parts.clock.now(), "OpenOrders")
    held = Reading(await parts.venue.balances(), parts.clock.now(), "BalanceEx")
    rows = await ledger.look()  # after the balances: it must know what they know
    told = Reading(loop.balances(), parts.clock.now(), "balances stream")
    empty = Snapshot(
        taken_at=parts.clock.now(),
        account=parts.account,
        policy=loop.books.policy,
        catalogue=Reading(parts.catalogue, parts.clock.now(), "AssetPairs"),
        open_orders=listed,
        balances=held,
        ledger=rows.page,
        own_ledger=rows.own,
        fills=rows.fills,
        streamed_balances=told,
    )
    books = await parts.store.read(lambda tx: _books(tx, empty, listed.value))
    if isinstance(books.fills, Reading):
        ours = {each.venue_order_id for each in books.orders}
        ledger.forget([each for each in books.fills.value if each.venue_order_id not in ours])
    snapshot = await asked_by_name(books, venue=parts.venue, clock=parts.clock)
    return await compared(snapshot, venue=parts.venue, clock=parts.clock, is_whole=False)


def _books(transaction: Transaction, empty: Snapshot, shown: tuple[VenueOrder, ...]) -> Snapshot:
    """The part of the books that is live: however long the history, this stays short."""
    registry = registry_of(transaction)
    positions = registry.positions
    names = [each.position_id for each in positions]
    found = {
        order.client_order_id: order
        for order in (
            *transaction.orders(open_only=True),
            *transaction.orders(since=empty.taken_at - RECENT),
        )
    }
    book = transaction.reconciliation
    news = empty.fills.value if isinstance(empty.fills, Reading) else ()
    named = {each.client_order_id for each in shown if each.client_order_id is not None}
    placed = {each.venue_order_id for each in shown} | {each.venue_order_id for each in news}
    placed -= {each.venue_order_id for each in found.values() if each.venue_order_id is not None}
    for known in book.orders_shown(named - found.keys(), placed):
        found.setdefault(known.client_order_id, known)
    # Of a position all orders count, or none: a sale older than the last purchase is one as well.
    touched = {each.position_id for each in found.values() if each.position_id is not None}
    for name in sorted(touched | {*names}):
        found.update({each.client_order_id: each for each in transaction.orders_of_position(name)})
    orders = tuple(found.values())
    fills = {fill.fill_id: fill for name in names for fill in transaction.fills_of_position(name)}
    others = {
        each.venue_order_id
        for each in orders
        if each.venue_order_id is not None and each.position_id not in names
    }
    fills.update({fill.fill_id: fill for fill in book.fills_of_orders(others)})
    return replace(
        empty,
        positions=tuple(each for each in positions if each.status.holds),
        retold=registry.retold,
        stops_lowered=registry.stops_lowered,
        given_up=transaction.given_up(),
        orders=orders,
        targets=transaction.targets(),
        targets_retold=transaction.targets_retold(),
        recorded_fills=tuple(fills.values()),
        unresolved_intents=transaction.unresolved_intents(),
        changed_by_hand=changed_by_hand(
            orders, book.order_log(found.keys()), tuple(fills.values())
        ),
        adjustments=book.adjustments(),
    )
