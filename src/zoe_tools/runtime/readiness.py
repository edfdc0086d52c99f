"""Whether an account may be traded: pre-flight's facts, and where own books and venue disagree.

Reads only. What a pre-flight writes to the store is a trial that is taken back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import TypeVar

from zoe_tools.config import Settings
from zoe_tools.config.tightening import tightened
from zoe_tools.core.pre_flight import (
    VENUE_TIME_STEP_S,
    ClockFact,
    PreFlightFacts,
    StoreFacts,
    Unread,
    VenueFacts,
    Verdict,
    assess_pre_flight,
)
from zoe_tools.domain.account import Account
from zoe_tools.domain.discrepancy import Finding, FindingKind
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.snapshot import Snapshot, value_of
from zoe_tools.errors import StoreError, VenueError, ZoeError
from zoe_tools.gather import effective_trading_state
from zoe_tools.ports import Clock, Venue
from zoe_tools.runtime.audit_home import AuditHome
from zoe_tools.runtime.clocks import SystemClock
from zoe_tools.runtime.context import Context, account_of, run_with_context
from zoe_tools.runtime.loop_lock import is_running
from zoe_tools.runtime.reconciling import reconcile_twice
from zoe_tools.store import schema
from zoe_tools.store.store import Store, Transaction

T = TypeVar("T")

_SHOWN = 5
"""So many reasons are told one by one; the commands that list them all tell the rest."""


async def reasons_against_entries(context: Context) -> tuple[str, ...]:
    """Why new risk would be wrong now, a sentence each; empty when the account is ready.

    Raises:
        StoreError: the books cannot be read.
    """
    facts = await _facts(context.settings, context.account, context.venue, context.clock)
    failed = [
        f"pre-flight: {check.group}, {check.name}: {check.detail}"
        for check in assess_pre_flight(facts).checks
        if check.verdict is Verdict.FAIL
    ]
    told = [*failed, *await disagreements(context)]
    rest = len(told) - _SHOWN
    return (*told[:_SHOWN], *((f"and {rest} more",) if rest > 0 else ()))


async def disagreements(context: Context) -> tuple[str, ...]:
    """Where own books and the venue's records differ, a sentence each.

    An order at the venue that carries no client id is somebody's own, and none of them; nor is
    what an operator has explained or waived.
    """
    try:
        snapshot, found = await reconcile_twice(context)
    except VenueError as error:
        return (f"reconcile: {error.message}",)
    known = await context.store.read(lambda transaction: transaction.reconciliation.active())
    settled = {(each.kind, each.subject) for each in known if not each.is_open}
    return tuple(
        f"reconcile: {each.kind.value} {each.subject}: {each.evidence}"
        for each in found.findings
        if not _is_somebodys_own(each, snapshot) and (each.kind, each.subject) not in settled
    )


def _is_somebodys_own(finding: Finding, snapshot: Snapshot) -> bool:
    if finding.kind is not FindingKind.UNKNOWN_ORDER:
        return False
    orders = value_of(snapshot.open_orders, "the open orders")
    return any(
        order.venue_order_id == finding.subject and order.client_order_id is None
        for order in orders
    )


# --- the facts of a pre-flight -------------------------------------------------------------------


def pre_flight_facts(settings: Settings) -> PreFlightFacts:
    """Everything `core/pre_flight.py` judges; what cannot be read is in it as `Unread`."""
    account = account_of(settings)
    told: list[PreFlightFacts] = []

    async def work(context: Context) -> int:
        told.append(await _facts(settings, account, context.venue, context.clock))
        return 0

    try:
        run_with_context(settings, work, needs_store=False)
    except VenueError as error:
        now = datetime.now(UTC)  # noqa: TID251 - there is no venue to ask for its time
        told.append(_assembled(settings, account, VenueFacts.unread(_unread(error)), now))
    return told[0]


async def _facts(
    settings: Settings, account: Account, venue: Venue, clock: Clock
) -> PreFlightFacts:
    told = await _ask_venue(venue, clock, settings.symbols)
    return await asyncio.to_thread(_assembled, settings, account, told, clock.now())


def _assembled(
    settings: Settings, account: Account, venue: VenueFacts, taken_at: datetime
) -> PreFlightFacts:
    store = _ask_store(settings.database_url, account, taken_at)
    limits = {} if isinstance(store, Unread) else store.limits
    return PreFlightFacts(
        taken_at=taken_at,
        account=account,
        policy=tightened(settings.policy(), limits),
        symbols=settings.symbols,
        live_consent=settings.live_consent,
        venue=venue,
        store=store,
        warnings=settings.warnings,
        absent=settings.absent_features,
        audit_key=AuditHome(settings.home).trouble(),
    )


async def _ask_venue(venue: Venue, clock: Clock, spellings: tuple[str, ...]) -> VenueFacts:
    time_told = await _or_unread(measure_clock(venue, clock))
    if isinstance(time_told, Unread):
        return VenueFacts.unread(time_told)
    catalogue = await _or_unread(venue.catalogue())
    if isinstance(catalogue, Unread):
        known: tuple[Symbol, ...] = ()
    else:
        found = [catalogue.find(spelling) for spelling in spellings]
        known = tuple(each.symbol for each in found if each is not None)
    return VenueFacts(
        clock=time_told,
        mode=await _or_unread(venue.mode()),
        catalogue=catalogue,
        quotes=await _or_unread(venue.quotes(known)) if known else (),
        key=await _or_unread(venue.key_info()),
        balances=await _or_unread(venue.balances()),
    )


async def measure_clock(venue: Venue, clock: Clock) -> ClockFact:
    """Of the machine's own clock, which may have been corrected since."""
    if isinstance(clock, SystemClock):
        clock = SystemClock()
    asked = clock.now()
    told = await venue.server_time()
    answered = clock.now()
    round_trip = (answered - asked).total_seconds()
    middle = asked + (answered - asked) / 2
    skew = (told - middle).total_seconds() + VENUE_TIME_STEP_S / 2
    return ClockFact(skew_s=skew, round_trip_s=round_trip)


async def _or_unread(asked: Awaitable[T]) -> T | Unread:
    try:
        return await asked
    except VenueError as error:
        return _unread(error)


def _unread(error: ZoeError) -> Unread:
    return Unread(reason=error.message, hint=error.hint, exit_code=error.exit_code)


class _TakeBackError(Exception):
    """Ends a transaction that was only a trial."""


def _ask_store(url: str, account: Account, now: datetime) -> StoreFacts | Unread:
    try:
        store = Store.open(url, account, clock_now=now)
        try:
            with store.reading() as transaction:
                facts = _read_store(transaction, schema.status(url).head, now)
            _try_to_write(store, now)
        finally:
            store.close()
    except StoreError as error:
        return _unread(error)
    return facts


def _try_to_write(store: Store, now: datetime) -> None:
    try:
        with store.transaction() as transaction:
            transaction.beat("pre-flight", "trial", now, {})
            raise _TakeBackError  # noqa: TRY301 - leaving the block by an error is the point
    except _TakeBackError:
        return


def _read_store(transaction: Transaction, revision: str, now: datetime) -> StoreFacts:
    lease = transaction.lease()
    return StoreFacts(
        revision=revision,
        trading_state=effective_trading_state(transaction),
        unresolved_intents=len(transaction.unresolved_intents()),
        lease=lease if is_running(lease, transaction.lease_time(now)) else None,
        daily_notional=transaction.daily_notional(now.date()),
        limits={name: text for name, text in transaction.limits().items() if text},
        unprotected=tuple(
            each.symbol
            for each in transaction.positions(open_only=True)
            if each.stop_venue_order_id is None
        ),
    )
