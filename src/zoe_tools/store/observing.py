"""The part of a transaction that is no business: signs of life, decisions, findings, starts.

A dry run may write all of it, and none of it is in the audit log; but for adjustments, which are
business.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from zoe_tools.domain.account import Account
from zoe_tools.domain.identifiers import AccountId, Symbol
from zoe_tools.domain.observation import (
    Boot,
    Decision,
    Details,
    Heartbeat,
)
from zoe_tools.store import audit, candles, observations, transactions
from zoe_tools.store.discrepancies import ReconciliationBook
from zoe_tools.store.market_book import MarketBook


class Observing:
    """What a `Transaction` notes and reads beside the books."""

    _audit: audit.Log

    def __init__(self, connection: Connection, account: Account) -> None:
        self._connection = connection
        self._account = account

    @property
    def account_id(self) -> AccountId:
        """The owner of every row read or written here."""
        return self._account.account_id

    def change_mark(self) -> object:
        """Another one once anybody has changed anything in the database; None: it has no such mark.

        This transaction's own changes count, too; what the audit log is told as it ends does not.
        A server has none that is cheaper to ask for than what one wants to know.
        """
        return transactions.change_mark(self._connection)

    def beat(self, component: str, status: str, at: datetime, details: Details) -> None:
        """Note a component's sign of work; `status` is ok, warning, error or down."""
        observations.beat(self._connection, self.account_id, component, status, at, details)

    def heartbeats(self) -> tuple[Heartbeat, ...]:
        """The last heartbeat of each component, by name."""
        return observations.heartbeats(self._connection, self.account_id)

    @property
    def reconciliation(self) -> ReconciliationBook:
        """Comparisons with the venue: runs, discrepancies, where the account stands."""
        return ReconciliationBook(
            self._connection, self.account_id, self._account.mode, self._audit
        )

    def record_decision(self, at: datetime, symbol: Symbol, kind: str, details: Details) -> None:
        """Note a decision, or in shadow an order that would have been sent."""
        decision = Decision(decided_at=at, symbol=symbol, kind=kind, details=details)
        observations.record_decision(self._connection, self.account_id, decision)

    def decisions(self, since: datetime | None = None) -> tuple[Decision, ...]:
        """Decisions at `since` or later, oldest first."""
        return observations.decisions(self._connection, self.account_id, since)

    @property
    def market(self) -> MarketBook:
        """Candles in bulk, what of the market was read, and backfills under way."""
        return MarketBook(self._connection, self.account_id)

    def followed(self) -> frozenset[Symbol]:
        """The instruments that a loop followed: candles are kept of them."""
        return candles.followed(self._connection, self.account_id)

    def forget_holds(self, before: datetime, most: int) -> int:
        """Delete up to `most` decisions to hold from before then, the oldest first; how many."""
        return observations.forget_holds(self._connection, self.account_id, before, most)

    def record_boot(
        self,
        run_id: str,
        started_at: datetime,
        finished_at: datetime | None,
        status: str,
        details: Details,
    ) -> None:
        """Note a start of the loop, or its end under the same `run_id`."""
        boot = Boot(
            run_id=run_id,
            started_at=started_at,
            finished_at=finished_at,
            status=status,
            details=details,
        )
        observations.record_boot(self._connection, self.account_id, boot)

    def boots(self) -> tuple[Boot, ...]:
        """Every start of the loop, oldest first."""
        return observations.boots(self._connection, self.account_id)
