"""Reads an account's audit log and what vouches for it, and has core judge them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from zoe_tools.config import Settings
from zoe_tools.core.audit_verify import AuditEvidence, AuditReport, verify
from zoe_tools.domain.account import Account
from zoe_tools.runtime.audit_home import AuditHome, Trust
from zoe_tools.runtime.clocks import SystemClock
from zoe_tools.store.store import Store


def verify_accounts(
    settings: Settings, accounts: Sequence[Account], more: Sequence[Path] = ()
) -> tuple[AuditReport, ...]:
    """The report on each account's log; nothing is written.

    `more` are files with signed heads that were kept elsewhere.

    Raises:
        StoreError: the store cannot be read.
        ConfigError: a key or a head that was named cannot be read.
    """
    home = AuditHome(settings.home)
    trust = Trust(home.trusted())
    reports = []
    for account in accounts:
        # Before the store is looked at: a head that is signed meanwhile must not look lost.
        kept = home.kept(account.account_id, more)
        store = Store.open(
            settings.database_url, account, clock_now=SystemClock().now(), read_only=True
        )
        with closing(store), store.transaction() as books:
            others = [each.account_id for each in books.accounts() if each != account]
            reports.append(
                verify(
                    AuditEvidence(
                        account_id=account.account_id,
                        rows=books.audit.rows(),
                        head=books.audit.head(),
                        checkpoint=books.audit.checkpoint(),
                        signatures=books.audit.signatures(),
                        kept=kept,
                        is_signed=trust.is_signed,
                        others=others,
                        books=books.audit.books(),
                    )
                )
            )
    return tuple(reports)


def books_of(settings: Settings, named: Account | None) -> tuple[Account, ...]:
    """The named account, or every one that has books in the store; live ones first.

    Raises:
        StoreError: the store cannot be read.
    """
    known = Store.remembered(settings.database_url)
    if named is not None:
        return tuple(each for each in known if each == named)
    return tuple(sorted(known, key=lambda each: each.mode != "live"))
