"""Does what a kill was told: at one account's venue, in its books alone, or without its books.

What is shown of it, and the code it ends with, is the command's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.domain.trading_state import KillLevel
from zoe_tools.errors import ConsentMissing, StoreError, VenueError
from zoe_tools.gate.consent import CONSENT_LINE
from zoe_tools.gate.emergency import EmergencyKill, EmergencyResult
from zoe_tools.gate.gate import Gate
from zoe_tools.gate.latch import latch_level
from zoe_tools.gate.progress import Progress
from zoe_tools.gate.stopping import Stopped, Stopper, needs_of
from zoe_tools.gather import gather_store
from zoe_tools.runtime.context import Context
from zoe_tools.runtime.gates import author_of, emergency_journal
from zoe_tools.runtime.instrument_names import in_the_books, instrument_named, is_known, spelled
from zoe_tools.runtime.known_accounts import KnownAccount
from zoe_tools.runtime.paper_process import is_paper_running
from zoe_tools.runtime.plan_files import NOT_KEPT, Keeping

_LOG = logging.getLogger(__name__)

Say = Callable[[str], None]

NAME_S = 5.0
"""How long a kill waits for the venue's name of an instrument."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the operator wants."""

    level: KillLevel
    reason: str
    execute: bool
    kept: Keeping = NOT_KEPT
    instrument: str = ""
    """As it was typed; empty is the whole account."""


def is_up(known: KnownAccount) -> bool:
    """Whether its venue is there to be asked; the paper exchange is not started for a kill."""
    if known.settings is None:
        return False
    return known.account.mode == "live" or is_paper_running(known.settings.home)


def allowed_level(order: Order, known: KnownAccount) -> KillLevel:
    """Flattening a live account needs consent; until it is given, nothing above reduce-only."""
    has_consent = known.settings is not None and known.settings.live_consent
    return _allowed(order, is_live=known.account.mode == "live", has_consent=has_consent)


async def stop_at_venue(
    context: Context, gate: Gate, order: Order, symbol: Symbol | None, *, tell: Say, say: Say
) -> Stopped:
    """Latch it, and settle it at the venue; `tell` what was done, `say` what is waited for.

    Raises:
        ConsentMissing: a live account is to be flattened; it was made reduce-only.
        StoreError: the level cannot be latched.
    """
    has_consent = context.settings.live_consent
    allowed = _allowed(order, is_live=context.account.mode == "live", has_consent=has_consent)
    stopped = await Stopper(
        gate=gate,
        store=context.store,
        clock=context.clock,
        account=context.account,
        policy=context.policy,
        look=lambda: context.look(needs_of(allowed)),
        tell=tell,
        symbol=symbol,
        progress=Progress(say),
    ).stop(allowed, order.reason)
    if allowed is not order.level:
        raise ConsentMissing(
            f"{context.account.title}: entries are stopped (reduce-only), nothing was sold:"
            " flattening a live account needs consent.",
            hint=f"If you mean it: {CONSENT_LINE}",
        )
    return stopped


async def latch_in_books(
    context: Context, known: KnownAccount, order: Order, environ: Mapping[str, str]
) -> Snapshot | None:
    """The books of the account, latched first when it is meant; None: they cannot be read.

    Raises:
        StoreError: nothing is latched, or, where it is not meant, nothing can be read.
    """
    store, clock, policy = context.store, context.clock, context.policy
    if order.execute:
        await latch_level(
            store=store,
            clock=clock,
            account=known.account,
            policy=policy,
            level=allowed_level(order, known),
            reason=order.reason,
            author=author_of(context, command="kill", environ=environ),
        )
    try:
        return await gather_store(store=store, clock=clock, account=known.account, policy=policy)
    except StoreError as error:
        if not order.execute:
            raise
        _LOG.error(
            "%s is latched; its books cannot be read: %s", known.account.title, error.message
        )
        return None


async def stop_without_books(
    context: Context, order: Order, symbol: Symbol | None, environ: Mapping[str, str], *, say: Say
) -> EmergencyResult:
    """Cancel what could add risk, latch for later, sell nothing; then `seen_again`.

    What is managed is in the books that are gone: nothing is sold, and nothing latched to be.
    """
    kill = _emergency(context, symbol, environ, say)
    return await kill.carry_out(min(order.level, KillLevel.REDUCE_ONLY), order.reason)


async def seen_again(
    context: Context,
    order: Order,
    symbol: Symbol | None,
    environ: Mapping[str, str],
    first: EmergencyResult,
    *,
    say: Say,
) -> EmergencyResult:
    """Look once more when what was sent before has to be shown: it may be a minute until then."""
    return await _emergency(context, symbol, environ, say).look_again(first, order.reason)


def _emergency(
    context: Context, symbol: Symbol | None, environ: Mapping[str, str], say: Say
) -> EmergencyKill:
    return EmergencyKill(
        venue=context.venue,
        clock=context.clock,
        author=author_of(context, command="kill", environ=environ),
        policy=context.policy,
        journal=emergency_journal(context),
        symbol=symbol,
        progress=Progress(say),
    )


async def symbol_of(context: Context, order: Order, *, warn: Say, say: Say) -> Symbol | None:
    """The instrument by its one name; the venue is asked where the books do not know it.

    Nothing is latched by then: that is said, and nobody waits for long.

    Raises:
        UnknownInstrument: the venue has none of that name.
    """
    if not order.instrument:
        return None
    known: frozenset[Symbol] = frozenset()
    if context.opened_store is not None:
        known = await context.store.read(in_the_books)
    try:
        if not is_known(order.instrument, known):
            say(
                f"{order.instrument} is in no book here: the venue is asked for its name, for up to"
                f" {NAME_S:.0f} s. Nothing is latched yet."
            )
        async with asyncio.timeout(NAME_S):
            return await instrument_named(context, order.instrument, known)
    except (VenueError, TimeoutError) as error:
        why = error.message if isinstance(error, VenueError) else "The venue does not answer."
        told = spelled(order.instrument)
        warn(f"{why} {told} is taken as it was typed, and could not be checked.")
        return told


def _allowed(order: Order, *, is_live: bool, has_consent: bool) -> KillLevel:
    if is_live and not has_consent:
        return min(order.level, KillLevel.REDUCE_ONLY)
    return order.level
