"""The audit log as values: rows that each carry the hash of the one before, and signed heads.

The hash is SHA-256 over the parts of a row, each written as its length in bytes, a colon and
itself, so that no two rows spell the same text: whoever has the rows can reckon it again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from zoe_tools.domain.identifiers import AccountId
from zoe_tools.domain.money import short
from zoe_tools.domain.plan import jsonable
from zoe_tools.domain.take_profit import TakeProfitLevel

NOTHING_BEFORE = "0" * 64
"""The previous hash of a log's first row."""

_SPELLED = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=jsonable).encode
"""Plain strings and numbers go straight to the encoder, the rest by way of `jsonable`."""

_ROW, _HEAD, _CHECKPOINT = "zoe audit row 1", "zoe audit head 1", "zoe audit checkpoint 1"


class AuditKind(StrEnum):
    """What a row of the log tells."""

    GENESIS = "genesis"
    REBUILT = "head rebuilt"
    KEY = "key made"
    INTENT = "intent"
    INTENT_STATE = "intent state"
    INTENT_DEADLINE = "intent deadline"
    ORDER_EVENT = "order event"
    FILL = "fill"
    POSITION = "position"
    TRADING_STATE = "trading state"
    INSTRUMENT_STATE = "instrument state"
    CONFIG = "config"
    LEDGER = "ledger"
    STATEMENT = "statement"
    TARGETS = "targets"
    ACTION = "action"
    PRUNED = "pruned"
    RESTORED = "restored"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """One row; `at` is when it happened, `seq` the order of writing, `payload` canonical JSON.

    Times are kept as `instant` writes them: what was hashed is what is stored.
    """

    account_id: AccountId
    seq: int
    at: str
    kind: str
    subjects: str
    payload: str
    previous_hash: str
    hash: str

    @property
    def ids(self) -> tuple[str, ...]:
        """What the row is about."""
        return tuple(self.subjects.split())

    @property
    def is_sound(self) -> bool:
        """Whether the row's content gives its own hash."""
        try:
            own = row_hash(
                self.account_id,
                self.seq,
                self.at,
                self.kind,
                self.subjects,
                self.payload,
                self.previous_hash,
            )
        except (AttributeError, TypeError, UnicodeError):  # no text, where text was written
            return False
        return own == self.hash

    @property
    def facts(self) -> dict[str, object]:
        """The payload, read."""
        told = json.loads(self.payload)
        return dict(told) if isinstance(told, dict) else {"told": told}


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditHead:
    """The newest row of an account's log; `at` is that row's time."""

    account_id: AccountId
    seq: int
    hash: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedHead:
    """A head and the Ed25519 signature over it: the log up to `seq` stood so when it was made."""

    account_id: AccountId
    store_epoch: str
    seq: int
    hash: str
    at: str
    key_id: str
    signature: str

    @property
    def statement(self) -> bytes:
        """What the signature is over."""
        return head_statement(
            AuditHead(account_id=self.account_id, seq=self.seq, hash=self.hash, at=self.at),
            self.store_epoch,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Rows up to `seq` were pruned; the log goes on from `hash`, and the signature vouches for it.

    `rows` is how many went in that pruning, `before` the age limit it was given.
    """

    account_id: AccountId
    store_epoch: str
    seq: int
    hash: str
    at: str
    before: str
    rows: int
    key_id: str
    signature: str = ""

    @property
    def statement(self) -> bytes:
        """What the signature is over."""
        return _joined(
            _CHECKPOINT,
            self.account_id,
            self.store_epoch,
            str(self.seq),
            self.hash,
            self.at,
            self.before,
            str(self.rows),
        )


PositionTold = tuple[str, Decimal, Decimal | None, Decimal | None]
"""What is compared of a position: status, quantity, the price of its stop and of its target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BooksState:
    """What the tables of the books say now of what the log tells too.

    An intent's state and proof, an event's status; of a fill quantity, price, cost and fee; of a
    position status, quantity and prices; the level; the digest of each slice of the ledger; what a
    person stated, an adjustment or a cost, in the values of `STATED`; the targets of each position,
    as `levels_text` spells them; the level of each instrument that was ever stopped for itself.
    """

    intents: Mapping[str, tuple[str, str]]
    events: Mapping[str, str]
    fills: Mapping[str, tuple[Decimal, ...]]
    positions: Mapping[str, PositionTold]
    level: str | None
    ledger: Mapping[str, str] = field(default_factory=dict)
    statements: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    targets: Mapping[str, str] = field(default_factory=dict)
    stopped: Mapping[str, str] = field(default_factory=dict)


STATED = ("asset", "quantity", "price", "currency", "position_id", "author", "reason")
"""What is compared of an adjustment, or of what a deposit is declared to have cost."""


def instant(at: datetime) -> str:
    """One spelling for one moment: UTC, with microseconds."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def cost_name(ledger_id: str, declared_at: datetime) -> str:
    """What a declaration goes by in the log: of one deposit there may be several declarations."""
    return f"cost of {ledger_id}, told {instant(declared_at)}"


def levels_text(levels: Iterable[TakeProfitLevel]) -> str:
    """Take-profit levels as the log tells them; none is nothing."""
    return ", ".join(
        f"{short(each.quantity)} at {short(each.price)} ({each.mode.value}, {each.status.value})"
        for each in sorted(levels, key=lambda each: each.level)
    )


def moment(at: str) -> datetime:
    """What `instant` wrote; a text that is no time is the beginning of time."""
    try:
        read = datetime.fromisoformat(at)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def payload_of(facts: Mapping[str, object]) -> str:
    """Canonical JSON in ASCII; what is None or empty is left out, as it says nothing.

    Raises:
        TypeError: a float, or a type with no canonical spelling.
    """
    told = {}
    for name, value in facts.items():
        if value is None or value == "":
            continue
        if isinstance(value, float):
            raise TypeError(f"{name}: a float has no canonical spelling")
        told[name] = value
    return _SPELLED(told)


def row_hash(
    account_id: str,
    seq: int,
    at: str,
    kind: str,
    subjects: str,
    payload: str,
    previous_hash: str,
) -> str:
    """The hash of a row; `at` as `instant` writes it, `subjects` joined by blanks."""
    parts = (_ROW, account_id, str(seq), at, kind, subjects, payload, previous_hash)
    return hashlib.sha256(_joined(*parts)).hexdigest()


def head_statement(head: AuditHead, store_epoch: str) -> bytes:
    """What a signed head signs."""
    return _joined(_HEAD, head.account_id, store_epoch, str(head.seq), head.hash, head.at)


def _joined(*parts: str) -> bytes:
    return b"".join(b"%d:%b" % (len(each), each) for each in (part.encode() for part in parts))
