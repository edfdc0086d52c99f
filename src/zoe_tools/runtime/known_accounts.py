"""Every account known here: what is configured, what is on paper, what the store remembers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from zoe_tools.config import Settings
from zoe_tools.domain.account import Account
from zoe_tools.paper.home import PaperHome
from zoe_tools.runtime.audit_home import signer_of
from zoe_tools.runtime.clocks import SystemClock
from zoe_tools.runtime.context import Context, account_of
from zoe_tools.runtime.paper_clock import clock_of_paper
from zoe_tools.runtime.paper_process import folder_of
from zoe_tools.runtime.writer_thread import WriterThread
from zoe_tools.store.store import Store

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAccount:
    """An account, and the settings that reach its venue; None where its key is not here."""

    account: Account
    settings: Settings | None


def reachable_accounts(named: Sequence[Settings]) -> tuple[KnownAccount, ...]:
    """The accounts whose venue can be asked, live ones first; asks neither store nor venue."""
    found: dict[Account, Settings] = {}
    for settings in named:
        if settings.mode == "live":
            if settings.live_account is not None:
                found.setdefault(settings.live_account, settings)
        elif PaperHome(folder_of(settings.home)).has_keys:
            found.setdefault(account_of(settings), settings)
    known = [KnownAccount(account=each, settings=settings) for each, settings in found.items()]
    return tuple(sorted(known, key=_live_first))


def known_accounts(named: Sequence[Settings]) -> tuple[KnownAccount, ...]:
    """The reachable accounts, and those that only the store remembers; live ones first.

    Raises:
        StoreError: the store cannot be read.
    """
    reachable = reachable_accounts(named)
    here = {each.account for each in reachable}
    gone = [
        KnownAccount(account=each, settings=None)
        for each in Store.remembered(named[0].database_url)
        if each not in here
    ]
    return tuple(sorted((*reachable, *gone), key=_live_first))


def _live_first(known: KnownAccount) -> bool:
    return known.account.mode != "live"


def run_with_books(
    account: Account, settings: Settings, work: Callable[[Context], Awaitable[T]]
) -> T:
    """Work on the books of any account known here, without a venue.

    Raises:
        StoreError: the store cannot be opened.
    """
    is_paper = account.mode == "paper"
    clock = (clock_of_paper(settings.home) if is_paper else None) or SystemClock()

    async def main() -> T:
        signer = signer_of(settings.home)
        runner = WriterThread(
            Store.open(settings.database_url, account, clock_now=clock.now(), signer=signer)
        )
        try:
            return await work(
                Context(
                    settings=settings,
                    account=account,
                    policy=settings.policy(),
                    clock=clock,
                    home=settings.home,
                    is_paper=is_paper,
                    opened_store=runner,
                )
            )
        finally:
            await runner.close()

    return asyncio.run(main())
