"""What somebody asks about: an order, an intent, a plan, a position, an execution, a row."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from zoe_tools.domain.account import Account
from zoe_tools.domain.audit import AuditRow
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.journal import Intent, OrderEvent, OrderRecord
from zoe_tools.domain.position import Position


class SubjectKind(StrEnum):
    """What an id turned out to name."""

    ORDER = "order"
    INTENT = "intent"
    PLAN = "plan"
    POSITION = "position"
    FILL = "fill"
    ROW = "row"
    NAME = "name"
    """Something that only the audit log names: a setting, a key, a plan that is no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The thing itself: its kind, and its own id in full."""

    kind: SubjectKind
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All that books and log hold on a subject; `rows` in the order of writing.

    `events` and `fills` are the books' own, for what is older than the log.
    """

    account: Account
    subject: Subject
    rows: tuple[AuditRow, ...]
    intents: tuple[Intent, ...] = ()
    orders: tuple[OrderRecord, ...] = ()
    position: Position | None = None
    events: tuple[OrderEvent, ...] = ()
    fills: tuple[Fill, ...] = ()
