"""Retention: what is old, settled and needed by nobody any more may go; the log by a checkpoint.

Orders, order events, executions, ledger rows, positions, balances and candles are the books: they
stay. A checkpoint is committed before the rows go, a few thousand at a time, so that a prune that
is killed in its midst is only unfinished.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, func, or_, select

from zoe_tools.domain.audit import AuditKind, Checkpoint, instant
from zoe_tools.domain.identifiers import AccountId
from zoe_tools.domain.journal import IntentState
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.position import ACTIVE as ACTIVE_POSITIONS
from zoe_tools.ports import HeadSigner
from zoe_tools.store import audit, thin_marks
from zoe_tools.store.accounts import store_epoch
from zoe_tools.store.market_watch_tables import MARKET_MOVERS, MARKET_SPARKLINES
from zoe_tools.store.record_tables import CRYPTO_RECONCILIATION_EVENTS, DISCREPANCIES
from zoe_tools.store.tables import (
    AUDIT_CHECKPOINTS,
    AUDIT_LOG,
    AUDIT_SIGNATURES,
    BOOT_AUDIT,
    CANDIDATE_SCANS,
    CRYPTO_ORDERS,
    CRYPTO_POSITIONS,
    ORDER_INTENTS,
)

BATCH = 1000
"""Rows that go in one transaction: some 20 ms, so that orders need not wait longer."""

_OBSERVATIONS: tuple[tuple[Table, str], ...] = (
    (CRYPTO_RECONCILIATION_EVENTS, "taken_at"),
    (DISCREPANCIES, "resolved_at"),
    (CANDIDATE_SCANS, "decided_at"),
    (BOOT_AUDIT, "finished_at"),
    (MARKET_MOVERS, "detected_at"),
    (MARKET_SPARKLINES, "bucket_at"),
)
_SETTLED = [state.value for state in IntentState if state.is_terminal]
_ACTIVE = tuple(sorted(each.value for each in ACTIVE_POSITIONS))
_WORKING = [status.value for status in OrderStatus if not status.is_terminal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prunable:
    """What would go. The log up to row `upto` (None: none of it); `held_by` is what stops it there.

    `leftovers` are rows that an earlier, interrupted prune has not taken yet. `marks` are prices:
    they are counted day by day, by `thin_marks`.
    """

    before: datetime
    upto: int | None
    upto_hash: str
    log_rows: int
    leftovers: int
    held_by: str
    intents: int
    observations: int
    marks: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        rows = self.log_rows + self.leftovers + self.intents + self.observations + self.marks
        return not rows


class Retention:
    """The prune of one account, in one transaction of its store."""

    def __init__(self, connection: Connection, account_id: AccountId, log: audit.Log) -> None:
        self._connection = connection
        self._account_id = account_id
        self._log = log

    def look(self, before: datetime) -> Prunable:
        """What would go of what is older than `before`."""
        kept = self._log.checkpoint()
        begins = -1 if kept is None else kept.seq
        upto, held_by = self._cut(before, begins)
        log = AUDIT_LOG
        upto_hash = ""
        if upto is not None:
            row = audit.row(self._connection, self._account_id, upto)
            upto_hash = "" if row is None else row.hash
        return Prunable(
            before=before,
            upto=upto,
            upto_hash=upto_hash,
            log_rows=0 if upto is None else upto - begins,
            leftovers=self._count(log, log.c.seq <= begins),
            held_by=held_by,
            intents=self._count(ORDER_INTENTS, self._old_intents(before)),
            observations=sum(
                self._count(table, table.c[name] < before) for table, name in _OBSERVATIONS
            ),
        )

    def checkpoint(
        self, found: Prunable, signer: HeadSigner, now: datetime, who: Mapping[str, str]
    ) -> None:
        """Vouch for what goes, and tell the log; from here on the rows may be deleted.

        `who` names the operator and the host.
        """
        facts: dict[str, object] = {
            "before": instant(found.before),
            "intents": found.intents,
            "observations": found.observations,
            "marks": found.marks,
            "leftovers": found.leftovers,
            **who,
        }
        if found.upto is not None:
            facts |= self._vouched(found, found.upto, signer, now)
        self._log.note(AuditKind.PRUNED, now, (), facts)
        self._log.sign()

    def _vouched(
        self, found: Prunable, upto: int, signer: HeadSigner, now: datetime
    ) -> dict[str, object]:
        bare = Checkpoint(
            account_id=self._account_id,
            store_epoch=store_epoch(self._connection),
            seq=upto,
            hash=found.upto_hash,
            at=instant(now),
            before=instant(found.before),
            rows=found.log_rows,
            key_id=signer.key_id,
        )
        self._connection.execute(
            AUDIT_CHECKPOINTS.insert(),
            {
                "account_id": bare.account_id,
                "seq": bare.seq,
                "store_epoch": bare.store_epoch,
                "hash": bare.hash,
                "at": bare.at,
                "before": bare.before,
                "rows": bare.rows,
                "key_id": bare.key_id,
                "signature": signer.sign(bare.statement),
            },
        )
        return {"upto": bare.seq, "hash": bare.hash, "rows": bare.rows}

    def delete_some(self, before: datetime) -> int:
        """Delete up to `BATCH` rows of a kind that are covered or old; 0 when all are gone."""
        kept = self._log.checkpoint()
        if kept is not None:
            for table in (AUDIT_LOG, AUDIT_SIGNATURES):
                first = self._first(table)
                if first is not None and first <= kept.seq:
                    last = min(kept.seq, first + BATCH - 1)
                    return self._delete(table, table.c.seq <= last)
        gone = self._delete(ORDER_INTENTS, self._old_intents(before))
        for table, name in _OBSERVATIONS:
            gone += self._delete(table, table.c[name] < before)
        return gone

    def first_mark(self) -> date | None:
        """The day with which `thin_marks` begins; None: there is no price."""
        return thin_marks.first_day(self._connection, self._account_id)

    def thin_marks(self, day: date, before: datetime, *, is_done: bool) -> int:
        """How many of a day's prices may go; they go if `is_done`. See `store.thin_marks`."""
        return thin_marks.thin_day(self._connection, self._account_id, day, before, is_done=is_done)

    # --- what must stay --------------------------------------------------------------------------

    def _cut(self, before: datetime, begins: int) -> tuple[int | None, str]:
        """The last row of the log that may go, and what holds the next one."""
        head = self._log.head()
        if head is None:
            return None, "there is no log"
        log = AUDIT_LOG
        young = self._lowest(log.c.at >= instant(before))
        limits = [(head.seq, "the newest row always stays")]
        if young is not None:
            limits.append((young, "younger rows stay"))
        limits += [
            (seq, why)
            for ids, why in self._needed()
            if (seq := self._lowest_naming(ids)) is not None
        ]
        first_kept, why = min(limits)
        return (first_kept - 1, why) if first_kept - 1 > begins else (None, why)

    def _needed(self) -> list[tuple[list[str], str]]:
        """The ids of what is not over."""
        intents, orders, held = ORDER_INTENTS, CRYPTO_ORDERS, CRYPTO_POSITIONS
        open_positions = self._ids(held, "position_id", held.c.status.in_(_ACTIVE))
        of_positions = self._ids(
            orders, "client_order_id", orders.c.position_id.in_(open_positions)
        )
        return [
            (
                self._ids(intents, "intent_id", intents.c.status.not_in(_SETTLED)),
                "an intent is not settled",
            ),
            (
                self._ids(orders, "client_order_id", orders.c.status.in_(_WORKING)),
                "an order is still working",
            ),
            ([*open_positions, *of_positions], "a position is still open"),
        ]

    def _old_intents(self, before: datetime) -> ColumnElement[bool]:
        """Settled, old, and neither of a working order nor of an open position."""
        intents, orders, held = ORDER_INTENTS, CRYPTO_ORDERS, CRYPTO_POSITIONS
        working = select(orders.c.intent_id).where(
            orders.c.account_id == self._account_id,
            orders.c.intent_id.is_not(None),
            or_(
                orders.c.status.in_(_WORKING),
                orders.c.position_id.in_(
                    select(held.c.position_id).where(
                        held.c.account_id == self._account_id,
                        held.c.status.in_(_ACTIVE),
                    )
                ),
            ),
        )
        return and_(
            intents.c.status.in_(_SETTLED),
            intents.c.updated_at < before,
            intents.c.intent_id.not_in(working),
        )

    # --- statements ------------------------------------------------------------------------------

    def _ids(self, table: Table, name: str, condition: ColumnElement[bool]) -> list[str]:
        found = self._connection.execute(
            select(table.c[name]).where(table.c.account_id == self._account_id, condition)
        ).scalars()
        return [str(each) for each in found]

    def _lowest(self, condition: ColumnElement[bool]) -> int | None:
        seq: int | None = self._connection.execute(
            select(func.min(AUDIT_LOG.c.seq)).where(
                AUDIT_LOG.c.account_id == self._account_id, condition
            )
        ).scalar()
        return seq

    def _lowest_naming(self, ids: list[str]) -> int | None:
        """The first row about one of these; asked one by one, for there are few."""
        found = [self._lowest(AUDIT_LOG.c.subjects.contains(each)) for each in ids]
        return min((each for each in found if each is not None), default=None)

    def _first(self, table: Table) -> int | None:
        seq: int | None = self._connection.execute(
            select(func.min(table.c.seq)).where(table.c.account_id == self._account_id)
        ).scalar()
        return seq

    def _count(self, table: Table, condition: ColumnElement[bool]) -> int:
        return int(
            self._connection.execute(
                select(func.count())
                .select_from(table)
                .where(table.c.account_id == self._account_id, condition)
            ).scalar_one()
        )

    def _delete(self, table: Table, condition: ColumnElement[bool]) -> int:
        return int(
            self._connection.execute(
                delete(table).where(table.c.account_id == self._account_id, condition)
            ).rowcount
        )
