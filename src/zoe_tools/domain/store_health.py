"""What was seen of a database that keeps the books: facts, not judged yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class RowRule(StrEnum):
    """What rows have to fulfil; the value is the name of the check."""

    FOREIGN_KEYS = "foreign keys"
    UNREADABLE = "unreadable values"
    FILLS_WITHOUT_ORDER = "orphan fills"
    FOREIGN_FILLS = "foreign fills"
    EVENTS_WITHOUT_ORDER = "orphan events"
    FILLS_WITHOUT_POSITION = "fills of no position"
    NEGATIVE_REMAINDERS = "negative remainders"
    NEGATIVE_POSITIONS = "negative positions"
    FILLS_BEYOND_ORDER = "fills beyond order"
    DUPLICATE_FILLS = "duplicate fills"
    TWIN_FILLS = "twin fills"
    DUPLICATE_ORDERS = "duplicate orders"
    DUPLICATE_POSITIONS = "duplicate positions"


class WaitingKind(StrEnum):
    """What may not stand as it is for long."""

    INTENT = "intent"
    """Without a known outcome; its age counts from its deadline."""

    UNCONFIRMED = "unconfirmed order"
    """The venue has not answered for it; its age counts from its last news."""

    ENTRY = "entry"
    """It works at the venue, as far as the books know; its age counts from its beginning."""

    HEARTBEAT = "heartbeat"
    """Of a loop whose lease runs; its age counts from the end of what a beat is good for."""

    LEASE = "lease"
    """It ran out, and nobody gave it back; its age counts from there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offenders:
    """Rows that break a rule: how many, and the first of them by account and name."""

    count: int
    named: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A row that waits for something, and since how many seconds; see `WaitingKind`."""

    kind: WaitingKind
    name: str
    age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Triggers:
    """Triggers and functions that guard the books, held against what the migrations make."""

    count: int
    missing: tuple[str, ...]
    changed: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSize:
    """A table; what the database does not tell is None."""

    name: str
    rows: int | None
    size: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LastBackup:
    """The newest copy that zoe made; `is_there` as seen from this host."""

    age_s: float
    path: str
    is_there: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainEnd:
    """Where an account's audit log ends, by its head and by its rows."""

    account_id: str
    head_seq: int
    last_seq: int | None
    is_same_hash: bool
    signed_seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreHealth:
    """All of it. `missing` names tables and columns; sizes are in bytes.

    `free` and `log_size` are None where the database is not a file of this host; `has_checksums`
    is None where it is.
    """

    taken_at: datetime
    is_server: bool
    revision: str
    integrity: tuple[str, ...]
    missing: tuple[str, ...]
    offenders: Mapping[RowRule, Offenders]
    triggers: Triggers
    open_to_strangers: tuple[str, ...]
    waiting: tuple[Waiting, ...]
    size: int
    log_size: int | None
    free: int | None
    largest: tuple[TableSize, ...]
    backup: LastBackup | None
    chains: tuple[ChainEnd, ...]
    has_checksums: bool | None = None
