"""The journal while the store is gone: reductions are written to a file, and merged later.

What a record says is what the store would have been told, in the same order; merging tells it
once, however often it is merged. Entries never come here: they are refused.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from zoe_tools.domain.account import Account
from zoe_tools.domain.identifiers import AccountId, IntentId, Symbol, VenueOrderId
from zoe_tools.domain.intent_group import IntentGroup
from zoe_tools.domain.journal import Intent, IntentKind, IntentState, OrderRecord, ProofKind
from zoe_tools.domain.trading_state import KillLevel, TradingState
from zoe_tools.gate.fence import Withheld
from zoe_tools.gate.journal import STORE_GONE, Author, Entry, mark
from zoe_tools.observe.log import event
from zoe_tools.store.emergency_file import EmergencyFile
from zoe_tools.store.runner import StoreRunner
from zoe_tools.store.store import Transaction

_LOG = logging.getLogger(__name__)

_CAME_TO_NOTHING = frozenset({IntentState.REJECTED, IntentState.DENIED})

_UNSAID = {
    IntentState.CONFIRMED: ProofKind.ANSWER,
    IntentState.REJECTED: ProofKind.ANSWER,
    IntentState.DENIED: ProofKind.NOT_SENT,
}
"""What to take for the proof where the file of an older zoe tells none: none of it goes again."""

MERGED = "EMERGENCY_JOURNAL_MERGED"
USED = "EMERGENCY_JOURNAL_USED"

MANY_NAMES = 50
"""Of so many ids the database itself looks for the rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """An intent, and the order that it may become."""

    intent: Intent
    order: OrderRecord | None = None
    group: IntentGroup | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Advanced:
    intent_id: IntentId
    state: IntentState
    at: datetime
    evidence: str
    venue_order_id: VenueOrderId | None = None
    proof: ProofKind = ProofKind.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prolonged:
    intent_id: IntentId
    deadline: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Latched:
    level: int
    reason: str
    by: str
    at: datetime
    symbol: Symbol | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ordered:
    """What an operator ordered; by whom, in the facts."""

    what: str
    facts: dict[str, str]
    subjects: tuple[str, ...]
    at: datetime


class _Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the file: whose it is, and one of the five."""

    account: AccountId
    begun: _Begun | None = None
    advanced: _Advanced | None = None
    prolonged: _Prolonged | None = None
    latched: _Latched | None = None
    ordered: _Ordered | None = None
    merged: int = 0
    """So many of the account's records, from the first, are in the store."""


class EmergencyJournal:
    """One account's view of a home's file. Every write is on the disk when it returns.

    Raises (each write):
        StoreUnavailable: the file cannot take it, either; nothing may be sent.
    """

    def __init__(self, file: EmergencyFile, account: Account, *, store_epoch: str = "") -> None:
        self._file = file
        self._account_id = account.account_id
        self.store_epoch = store_epoch
        """The store's name, as it was last seen: orders are named after it."""
        self.mirror: Callable[[Callable[[Transaction], None]], None] | None = None
        """Tells what was written to the copy of the books that a loop works on meanwhile."""

    def prepare(self) -> None:
        """Take the file's room while there is some.

        Raises:
            StoreUnavailable: there is none, or the file may not be written.
        """
        self._file.prepare()

    def begin(self, entry: Entry) -> None:
        """What `gate.journal.journal` would have written.

        Raises:
            Withheld: an earlier command placed one for the same position, which no book tells yet.
        """
        if self.mirror is None:
            self._demand_first(entry.intent)
        event(
            _LOG,
            USED,
            "error",
            intent_id=entry.intent.intent_id,
            kind=entry.intent.kind.value,
            symbol=entry.intent.symbol,
        )
        self._append(begun=_Begun(intent=entry.intent, order=entry.record, group=entry.group))
        self._reflect(lambda tx: _begin(tx, entry))

    def _demand_first(self, intent: Intent) -> None:
        """A loop's copy of the books knows what was placed; a command sees the old books only."""
        if intent.kind is not IntentKind.PLACE or intent.position_id is None:
            return
        waiting = self._waiting()
        over = {
            each.advanced.intent_id
            for each in waiting
            if each.advanced is not None and each.advanced.state in _CAME_TO_NOTHING
        }
        for each in waiting:
            begun = each.begun.intent if each.begun is not None else None
            if begun is None or begun.kind is not IntentKind.PLACE or begun.intent_id in over:
                continue
            if begun.position_id == intent.position_id and begun.intent_id != intent.intent_id:
                raise Withheld(
                    f"the emergency journal holds an order for this position ({begun.purpose}),"
                    " which the books do not know yet",
                    code=STORE_GONE,
                )

    def advance(
        self,
        entry: Entry,
        state: IntentState,
        *,
        at: datetime,
        evidence: str = "",
        proof: ProofKind = ProofKind.NONE,
        venue_order_id: VenueOrderId | None = None,
    ) -> None:
        """What `gate.journal.mark` would have written."""
        self._append(
            advanced=_Advanced(
                intent_id=entry.intent.intent_id,
                state=state,
                at=at,
                evidence=evidence,
                venue_order_id=venue_order_id,
                proof=proof,
            )
        )

        def write(transaction: Transaction) -> None:
            _begin(transaction, entry)  # it may have been begun in the store, before that went
            mark(
                transaction,
                entry,
                state,
                at=at,
                evidence=evidence,
                proof=proof,
                venue_order_id=venue_order_id,
            )

        self._reflect(write)

    def prolong(self, intent_id: IntentId, deadline: datetime) -> None:
        """A second send has a later deadline."""
        self._append(prolonged=_Prolonged(intent_id=intent_id, deadline=deadline))
        self._reflect(lambda tx: tx.extend_intent(intent_id, deadline))

    def latch(
        self,
        level: KillLevel,
        reason: str,
        *,
        by: str,
        at: datetime,
        symbol: Symbol | None = None,
    ) -> None:
        """A kill level that the store shall know of once it is back; of a `symbol` alone."""
        told = _Latched(level=int(level), reason=reason, by=by, at=at, symbol=symbol)
        self._append(latched=told)

    def order(
        self, author: Author, facts: Mapping[str, str], subjects: Sequence[str], *, at: datetime
    ) -> None:
        """What `gate.action_log.note_order` would have written."""
        who = {"operator": author.operator, "host": author.host}
        what = f"zoe {author.command}"
        ordered = _Ordered(what=what, facts={**who, **facts}, subjects=tuple(subjects), at=at)
        self._append(ordered=ordered)

    def is_empty(self) -> bool:
        """Whether nothing waits to be merged."""
        return self._file.is_empty()

    @property
    def has_room_to_spare(self) -> bool:
        """Whether there is more room left than what has to be done may need."""
        return not self._file.is_half_full()

    def is_waiting(self) -> bool:
        """Whether records of this account wait to be merged.

        Raises:
            StoreUnavailable: the file cannot be read.
        """
        return not self._file.is_empty() and bool(self._waiting())

    def waiting_levels(self) -> tuple[tuple[Symbol | None, TradingState], ...]:
        """The kill levels that the store does not know yet, each with the instrument it is for.

        Raises:
            StoreUnavailable: the file cannot be read.
        """
        found = () if self._file.is_empty() else (each.latched for each in self._waiting())
        return tuple((each.symbol, _wanted(each)) for each in found if each is not None)

    async def merge(self, store: StoreRunner) -> int:
        """Tell the store what it missed; returns how many records that were.

        Raises:
            StoreError: it still cannot be written; the records stay.
        """
        if self._file.is_empty():
            return 0
        left = self._waiting()
        if not left:
            return 0
        await store.run(lambda tx: _merge(tx, left))
        self._forget(left)
        event(_LOG, MERGED, "warning", records=len(left))
        return len(left)

    def _waiting(self) -> list[_Record]:
        """Ours that are not merged yet."""
        return _unmerged(_decoded(self._file.records()), self._account_id)[1]

    def _forget(self, merged: list[_Record]) -> None:
        """Empty the file once nobody's records wait in it; until then note what is merged.

        Another process may have done so since, and others may wait there now: those stay.
        """

        def note_of(records: tuple[bytes, ...]) -> bytes | None:
            decoded = _decoded(records)
            done, left = _unmerged(decoded, self._account_id)
            count = len(merged) if left[: len(merged)] == merged else 0
            note = _Record(account=self._account_id, merged=done + count)
            told = [*decoded, note] if count else decoded
            if not any(_unmerged(told, each.account)[1] for each in decoded):
                return None
            return msgspec.json.encode(note) if count else b""

        self._file.settle(note_of)

    def _reflect(self, write: Callable[[Transaction], None]) -> None:
        if self.mirror is not None:
            self.mirror(write)

    def _append(self, **told: object) -> None:
        record = _Record(account=self._account_id, **told)  # type: ignore[arg-type]
        self._file.append(msgspec.json.encode(record))


def _decoded(records: tuple[bytes, ...]) -> list[_Record]:
    return [msgspec.json.decode(each, type=_Record) for each in records]


def _unmerged(records: list[_Record], account_id: AccountId) -> tuple[int, list[_Record]]:
    ours = [each for each in records if each.account == account_id]
    done = max((each.merged for each in ours), default=0)
    return done, [each for each in ours if not each.merged][done:]


def _merge(transaction: Transaction, records: list[_Record]) -> None:
    begun: dict[IntentId, Entry] = {}
    old = _told_before(transaction, records)
    for record in records:
        if record.begun is not None:
            entry = _entry_of(record.begun)
            begun[entry.intent.intent_id] = entry
        if _name_of(record) not in old:
            _tell(transaction, record, begun)


def _told_before(transaction: Transaction, records: list[_Record]) -> frozenset[str]:
    """Which of them the audit log names: they were merged, whatever became of the file.

    A log is long, and this holds up everybody who writes: it is looked through for all at once.
    """
    names = [name for name in map(_name_of, records) if name]
    rows = (
        row
        for first in range(0, len(names), MANY_NAMES)
        for row in transaction.audit.rows(names[first : first + MANY_NAMES])
    )
    return frozenset(name for row in rows for name in row.subjects.split())


def _name_of(record: _Record) -> str:
    """What the audit log calls a level or an order; of what has an id of its own nothing."""
    told = record.latched or record.ordered
    if told is None:
        return ""
    return f"emergency-{hashlib.sha256(msgspec.json.encode(told)).hexdigest()[:16]}"


def _tell(transaction: Transaction, record: _Record, begun: dict[IntentId, Entry]) -> None:
    if record.begun is not None:
        _begin(transaction, _entry_of(record.begun))
    if record.prolonged is not None:
        transaction.extend_intent(record.prolonged.intent_id, record.prolonged.deadline)
    if record.latched is not None:
        _latch(transaction, record.latched, _name_of(record))
    if record.ordered is not None:
        _order(transaction, record.ordered, _name_of(record))
    if record.advanced is not None:
        _advance(transaction, record.advanced, begun)


def _entry_of(begun: _Begun) -> Entry:
    return Entry(intent=begun.intent, record=begun.order, group=begun.group)


def _begin(transaction: Transaction, entry: Entry) -> None:
    if transaction.intent(entry.intent.intent_id) is not None:
        return
    transaction.record_intent(entry.intent)
    if entry.record is not None:
        transaction.record_order(entry.record)
    if entry.group is not None:
        transaction.groups.record(entry.group)


def _advance(transaction: Transaction, told: _Advanced, begun: dict[IntentId, Entry]) -> None:
    intent = transaction.intent(told.intent_id)
    if intent is None:
        raise AssertionError(f"{told.intent_id} was advanced and never begun")
    entry = begun.get(told.intent_id) or _entry_in(transaction, intent)
    evidence = f"{told.evidence} (emergency journal)".strip()
    mark(
        transaction,
        entry,
        told.state,
        at=told.at,
        evidence=evidence,
        proof=told.proof or _UNSAID.get(told.state, ProofKind.NONE),
        venue_order_id=told.venue_order_id,
    )


def _entry_in(transaction: Transaction, intent: Intent) -> Entry:
    """An intent that the store had heard of before it went away."""
    name = intent.client_order_id
    return Entry(intent=intent, record=None if name is None else transaction.order(name))


def _order(transaction: Transaction, told: _Ordered, name: str) -> None:
    facts = {**told.facts, "source": "emergency journal"}
    transaction.audit.act(told.at, told.what, facts, (*told.subjects, name))


def _latch(transaction: Transaction, told: _Latched, name: str) -> None:
    """Never lower; what is margin's own becomes this one's, and does not pass by itself.

    Once: whoever has resumed since knew of it.
    """
    level = KillLevel(told.level)
    facts = {"level": level.label, "reason": told.reason, "by": told.by}
    source = {"symbol": told.symbol or "", "source": "emergency journal"}
    transaction.audit.act(told.at, "latch", {**facts, **source}, (name,))
    transaction.latch(_wanted(told), told.symbol)


def _wanted(told: _Latched) -> TradingState:
    return TradingState(
        level=KillLevel(told.level), reason=told.reason, changed_at=told.at, changed_by=told.by
    )
