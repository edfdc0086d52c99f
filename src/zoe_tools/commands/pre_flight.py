"""`zoe pre-flight`: gathers what `core/pre_flight.py` judges. Changes nothing at the venue."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import TypeVar

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.config import Settings
from zoe_tools.core.pre_flight import (
    VENUE_TIME_STEP_S,
    ClockFact,
    PreFlightFacts,
    StoreFacts,
    Unread,
    VenueFacts,
    assess_pre_flight,
)
from zoe_tools.domain.account import Account
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.errors import StoreError, VenueError, ZoeError
from zoe_tools.gather import effective_trading_state
from zoe_tools.ports import Clock, Venue
from zoe_tools.render.checks import show_checks
from zoe_tools.runtime.context import Context, account_of, run_with_context
from zoe_tools.runtime.loop_lock import is_running
from zoe_tools.store import schema
from zoe_tools.store.store import Store, Transaction

T = TypeVar("T")


def pre_flight(ctx: typer.Context) -> int:
    """Check every precondition of going live.

    Looks at the live account whenever its key is configured, else at the paper account. Every
    check passes, warns or fails, and says what to do next. Exits 0 when nothing fails, 3 when
    something does, 5 when the venue, 7 when the store cannot be used.

    Examples:
      zoe pre-flight
      zoe --account paper pre-flight --json
    """
    invocation: Invocation = ctx.obj
    settings = _settings_to_judge(invocation)
    printer = invocation.printer()
    facts = _gather(settings)
    printer.account(facts.account)
    report = assess_pre_flight(facts)
    show_checks(printer, report)
    printer.result({"verdict": report.verdict, "checks": report.checks}, exit_code=report.exit_code)
    return report.exit_code


def _settings_to_judge(invocation: Invocation) -> Settings:
    settings = invocation.settings()
    if settings.mode == "paper" and settings.has_credentials and not invocation.options.account:
        return invocation.for_account("live").settings()
    return settings


def _gather(settings: Settings) -> PreFlightFacts:
    account = account_of(settings)
    told: list[tuple[VenueFacts, datetime]] = []

    async def work(context: Context) -> int:
        facts = await _ask_venue(context.venue, context.clock, settings.symbols)
        told.append((facts, context.clock.now()))
        return 0

    try:
        run_with_context(settings, work, needs_store=False)
    except VenueError as error:
        now = datetime.now(UTC)  # noqa: TID251 - there is no venue to ask for its time
        told.append((VenueFacts.unread(_unread(error)), now))
    venue, taken_at = told[0]
    return PreFlightFacts(
        taken_at=taken_at,
        account=account,
        policy=settings.policy(),
        symbols=settings.symbols,
        live_consent=settings.live_consent,
        venue=venue,
        store=_ask_store(settings.database_url, account, taken_at),
        warnings=settings.warnings,
        absent=settings.absent_features,
    )


async def _ask_venue(venue: Venue, clock: Clock, spellings: tuple[str, ...]) -> VenueFacts:
    time_told = await _or_unread(_measure_clock(venue, clock))
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


async def _measure_clock(venue: Venue, clock: Clock) -> ClockFact:
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
            with store.transaction() as transaction:
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
        lease=lease if is_running(lease, now) else None,
    )
