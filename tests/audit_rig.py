"""An account with a signed audit log, and somebody with every right on its database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, text

from builders import NOON, PAPER, make_fill, make_intent, make_order
from zoe_tools.core.audit_verify import AuditEvidence, AuditReport, verify
from zoe_tools.domain.account import Account
from zoe_tools.domain.identifiers import FillId, IntentId
from zoe_tools.domain.journal import IntentState, OrderEvent, ProofKind
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.trading_state import KillLevel, TradingState
from zoe_tools.ports import HeadSigner
from zoe_tools.runtime.audit_home import AuditHome, Trust
from zoe_tools.store.database import engine_for
from zoe_tools.store.store import Store, Transaction

TABLES = (
    "audit_log",
    "audit_heads",
    "audit_signatures",
    "audit_checkpoints",
    "order_events",
    "crypto_fills",
)


def opened(
    url: str, signer: HeadSigner | None, account: Account = PAPER, now: datetime = NOON
) -> Store:
    """The account's store, as a command opens it."""
    return Store.open(url, account, clock_now=now, signer=signer)


def trade(books: Transaction, number: int, at: datetime = NOON) -> None:
    """An intent that becomes an order that fills: three rows of the log for the place alone."""
    intent = make_intent(
        intent_id=IntentId(f"I{number}"),
        account_id=books.account_id,
        state=IntentState.JOURNALED,
        created_at=at,
        updated_at=at,
    )
    books.record_intent(intent)
    books.advance_intent(intent.intent_id, IntentState.SENT, at=at, evidence="")
    books.advance_intent(
        intent.intent_id,
        IntentState.CONFIRMED,
        at=at,
        evidence="accepted",
        proof=ProofKind.ANSWER,
    )


def filled(books: Transaction, number: int, at: datetime = NOON) -> None:
    """An order event and an execution."""
    order = make_order()
    books.append_order_event(
        OrderEvent(
            event_key=f"k{number}",
            client_order_id=order.client_order_id,
            status=OrderStatus.FILLED,
            occurred_at=at,
            source="test",
        )
    )
    books.record_fill(replace(make_fill(), fill_id=FillId(f"T{number}"), filled_at=at))


def killed(books: Transaction, at: datetime = NOON) -> None:
    """The operator stops entries, or, where they are stopped already, arms them again."""
    before = books.trading_state()
    level = KillLevel.PAUSE_ENTRIES if before.may_enter else KillLevel.NONE
    state = TradingState(level=level, reason="test", changed_at=at, changed_by="operator")
    if before.may_enter:
        books.latch(state)
    else:
        assert books.rearm(state, before, None) is None


def write_days(url: str, signer: HeadSigner | None, days: int, account: Account = PAPER) -> None:
    """One signed command a day, six rows each."""
    for day in range(days):
        at = NOON + timedelta(days=day)
        with closing(opened(url, signer, account, at)) as store:
            with store.transaction() as books:
                trade(books, day, at)
            with store.transaction() as books:
                filled(books, day, at)
                killed(books, at)


def report_on(
    url: str, home: AuditHome, account: Account = PAPER, more: Sequence[Path] = ()
) -> AuditReport:
    """What `zoe audit verify` finds."""
    kept = home.kept(account.account_id, more)
    store = Store.open(url, account, clock_now=NOON, read_only=True)
    with closing(store), store.transaction() as books:
        return verify(
            AuditEvidence(
                account_id=account.account_id,
                rows=books.audit.rows(),
                head=books.audit.head(),
                checkpoint=books.audit.checkpoint(),
                signatures=books.audit.signatures(),
                kept=kept,
                is_signed=Trust(home.trusted()).is_signed,
                others=[each.account_id for each in books.accounts() if each != account],
                books=books.audit.books(),
            )
        )


@contextmanager
def owner_of(url: str) -> Iterator[Connection]:
    """A database prompt of somebody who owns the tables: the triggers do not stop them."""
    engine = engine_for(url)
    try:
        with engine.begin() as connection:
            _without_triggers(connection)
            yield connection
    finally:
        engine.dispose()


def _without_triggers(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        names = connection.execute(
            text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        ).scalars()
        for name in [*names]:
            connection.execute(text(f"DROP TRIGGER {name}"))
        return
    for table in TABLES:
        connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
