"""Settings become a context: the account, its venue, its store, its clock.

Every command that needs the venue or the store opens one through `run_with_context`, which holds
the program's `asyncio` runner for commands.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from zoe_tools.config import Settings
from zoe_tools.domain.account import Account, fingerprint_of
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.errors import ConfigError, StoreUnavailable
from zoe_tools.gather import Need, gather
from zoe_tools.paper.home import PaperHome
from zoe_tools.ports import Clock, Urgency
from zoe_tools.runtime.audit_home import signer_of
from zoe_tools.runtime.cadences import policy_at
from zoe_tools.runtime.clocks import SystemClock
from zoe_tools.runtime.store_witness import StoreWitness, is_where_it_was, look_for_restore
from zoe_tools.runtime.writer_thread import ReaderThread, WriterThread
from zoe_tools.store import schema
from zoe_tools.store.runner import StoreRunner
from zoe_tools.store.store import Store

if TYPE_CHECKING:  # the venue's side costs import time that `zoe status` must not pay
    from zoe_tools.kraken.spot import KrakenSpot
    from zoe_tools.runtime.venue import Wires


BUSY_S = (5.0, 1.0)
"""How long a locked store is waited for: usually, and where something has to be stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a command works with; `venue` and `store` raise when they were not asked for."""

    settings: Settings
    account: Account
    policy: Policy
    clock: Clock
    home: Path
    is_paper: bool
    wires: Wires | None = None
    opened_venue: KrakenSpot | None = None
    opened_store: StoreRunner | None = None

    @property
    def venue(self) -> KrakenSpot:
        """The venue."""
        if self.opened_venue is None:
            raise RuntimeError("this command opened its context without a venue")
        return self.opened_venue

    @property
    def store(self) -> StoreRunner:
        """The store."""
        if self.opened_store is None:
            raise RuntimeError("this command opened its context without a store")
        return self.opened_store

    async def look(
        self, needs: frozenset[Need], *, adopted: tuple[tuple[Symbol, Decimal], ...] = ()
    ) -> Snapshot:
        """What store and venue show now of these needs.

        Raises:
            StoreError: the store cannot be read.
        """
        return await gather(
            venue=self.venue,
            store=self.store,
            clock=self.clock,
            account=self.account,
            policy=self.policy,
            needs=needs,
            adopted=adopted,
        )


def account_of(settings: Settings) -> Account:
    """The account that the settings name; a paper key is made when there is none yet.

    Raises:
        ConfigError: live, and there is no key.
    """
    if settings.mode == "live":
        if settings.live_account is None:
            raise ConfigError("The account is live, and KRAKEN_API_KEY is missing.")
        return settings.live_account
    keys = PaperHome(settings.home / "paper").keys()
    return Account(venue="kraken", mode="paper", fingerprint=fingerprint_of(keys.api_key))


def demand_books(settings: Settings) -> None:
    """Before anything is made: a mistyped home gets neither key nor exchange.

    Raises:
        SchemaOutdated: the file of the books is not there; a server is not asked.
        ConfigError: the address of the database is none; or ZOE_HOME lies in a file.
    """
    there = next((each for each in (settings.home, *settings.home.parents) if each.exists()), None)
    if there is not None and not there.is_dir():
        raise ConfigError(
            f"ZOE_HOME is {settings.home}, and {there} is no folder.",
            hint="Name a folder that is there or can be made.",
        )
    schema.demand_there(settings.database_url)


def run_with_context(
    settings: Settings,
    work: Callable[[Context], Awaitable[int]],
    *,
    needs_venue: bool = True,
    needs_store: bool = True,
    urgency: Urgency = Urgency.COMMAND,
) -> int:
    """Open what the command needs, run it, close everything; returns the command's exit code.

    `urgency` is how its calls stand among those of others who share the key.
    """

    async def main() -> int:
        async with open_context(
            settings, needs_venue=needs_venue, needs_store=needs_store, urgency=urgency
        ) as context:
            return await work(context)

    return asyncio.run(main())


async def _opened_store(
    settings: Settings, account: Account, now: datetime, urgency: Urgency
) -> StoreRunner:
    """The store; one that can only be read is enough to see what has to be protected.

    Raises:
        StoreError: it cannot be read, either.
    """
    witness = StoreWitness(settings.home, account)
    try:
        store = Store.open(
            settings.database_url,
            account,
            clock_now=now,
            busy_timeout_s=BUSY_S[urgency is Urgency.PROTECTION],
            shares_clock=settings.mode == "live",
            signer=signer_of(settings.home),
            witness=witness,
        )
    except StoreUnavailable as error:
        try:
            reader = Store.open(settings.database_url, account, clock_now=now, read_only=True)
        except StoreUnavailable:
            raise error from None
        return ReaderThread(reader, error)
    runner = WriterThread(store)
    try:
        if not await runner.read(lambda tx: is_where_it_was(tx, witness)):
            await runner.run(lambda tx: look_for_restore(tx, witness, now))
    except BaseException:
        await runner.close()
        raise
    return runner


@asynccontextmanager
async def open_context(
    settings: Settings,
    *,
    needs_venue: bool = True,
    needs_store: bool = True,
    urgency: Urgency = Urgency.COMMAND,
) -> AsyncIterator[Context]:
    """A context in real or scaled time.

    Raises:
        ConfigError, VenueUnavailable, StoreError: what is needed cannot be opened.
    """
    if needs_store:
        demand_books(settings)
    account = account_of(settings)
    async with AsyncExitStack() as stack:
        clock: Clock = SystemClock()
        wires: Wires | None = None
        venue: KrakenSpot | None = None
        if settings.mode == "paper":
            from zoe_tools.runtime.paper_clock import clock_of_paper  # noqa: PLC0415 - only paper pays

            clock = clock_of_paper(settings.home) or clock
        if needs_venue:
            from zoe_tools.runtime.venue import open_venue  # noqa: PLC0415 - costs import time

            opened = open_venue(settings, clock, urgency=urgency)
            venue, wires, clock = await stack.enter_async_context(opened)
        runner: StoreRunner | None = None
        if needs_store:
            runner = await _opened_store(settings, account, clock.now(), urgency)
            stack.push_async_callback(runner.close)
        yield Context(
            settings=settings,
            account=account,
            policy=policy_at(settings.policy(), clock),
            clock=clock,
            home=settings.home,
            is_paper=settings.mode == "paper",
            wires=wires,
            opened_venue=venue,
            opened_store=runner,
        )
