"""Finds what an id, or the beginning of one, names, and gathers all there is on it."""

from __future__ import annotations

from sqlalchemy import Column, Connection, Table, or_, select

from zoe_tools.domain.account import Account
from zoe_tools.domain.audit import AuditRow
from zoe_tools.domain.identifiers import (
    AccountId,
    ClientOrderId,
    IntentId,
    PositionId,
    VenueOrderId,
)
from zoe_tools.domain.journal import Intent, OrderRecord
from zoe_tools.domain.story import Case, Subject, SubjectKind
from zoe_tools.store import audit, fills, journal, orders, positions
from zoe_tools.store.tables import (
    AUDIT_LOG,
    CRYPTO_FILLS,
    CRYPTO_ORDERS,
    CRYPTO_POSITIONS,
    ORDER_EVENTS,
    ORDER_INTENTS,
)

_ROW_MARK = "#"
_MOST = 20
_LONGEST_NUMBER = 18
"""Digits: longer numbers are none that a database can hold."""

_PLACES: tuple[tuple[SubjectKind, Table, str, str], ...] = (
    (SubjectKind.ORDER, CRYPTO_ORDERS, "client_order_id", "client_order_id"),
    (SubjectKind.ORDER, CRYPTO_ORDERS, "venue_order_id", "client_order_id"),
    (SubjectKind.ORDER, ORDER_EVENTS, "event_key", "client_order_id"),
    (SubjectKind.INTENT, ORDER_INTENTS, "intent_id", "intent_id"),
    (SubjectKind.PLAN, ORDER_INTENTS, "plan_hash", "plan_hash"),
    (SubjectKind.POSITION, CRYPTO_POSITIONS, "position_id", "position_id"),
    (SubjectKind.FILL, CRYPTO_FILLS, "fill_id", "fill_id"),
)
"""Kind, table, the column that is searched, the column that names the subject."""


def find(connection: Connection, account_id: AccountId, text: str) -> tuple[Subject, ...]:
    """What the text names, or begins to name; an exact id wins over beginnings of others.

    `#12` is row 12 of the audit log.
    """
    if text.startswith(_ROW_MARK):
        return _row(connection, account_id, text.removeprefix(_ROW_MARK))
    for is_whole in (True, False):
        found = [
            Subject(kind=kind, id=each)
            for kind, table, searched, named in _PLACES
            for each in _ids(
                connection, account_id, table, searched, named, text=text, is_whole=is_whole
            )
        ]
        if found:
            return tuple(dict.fromkeys(found))
    return _in_the_log(connection, account_id, text)


def _in_the_log(connection: Connection, account_id: AccountId, text: str) -> tuple[Subject, ...]:
    """What no book has a row of, and the log names: a setting, a key, a plan of the books alone."""
    table = AUDIT_LOG
    rows = connection.execute(
        select(table.c.subjects, table.c.payload).where(
            table.c.account_id == account_id, table.c.subjects.contains(text, autoescape=True)
        )
    )
    named: dict[str, SubjectKind] = {}
    for row in rows:
        for each in row.subjects.split():
            if each.startswith(text):
                is_plan = f'"plan_hash":"{each}"' in row.payload
                named[each] = SubjectKind.PLAN if is_plan else SubjectKind.NAME
    whole = {text: named[text]} if text in named else named
    return tuple(Subject(kind=kind, id=each) for each, kind in sorted(whole.items())[:_MOST])


def case_of(connection: Connection, account: Account, subject: Subject) -> Case:
    """The subject's story so far, as books and log hold it."""
    account_id = account.account_id
    if subject.kind is SubjectKind.ROW:
        return Case(
            account=account, subject=subject, rows=_numbered(connection, account_id, subject)
        )
    if subject.kind is SubjectKind.NAME:
        rows = tuple(audit.rows(connection, account_id, (subject.id,)))
        return Case(account=account, subject=subject, rows=rows)
    intents, records = _related(connection, account_id, subject)
    ids = _names(subject, intents, records)
    position = None
    if subject.kind is SubjectKind.POSITION:
        position = positions.position(connection, account_id, PositionId(subject.id))
    return Case(
        account=account,
        subject=subject,
        rows=tuple(audit.rows(connection, account_id, ids)),
        intents=intents,
        orders=records,
        position=position,
        events=tuple(
            event
            for record in records
            for event in orders.events(connection, account_id, record.client_order_id)
        ),
        fills=tuple(
            fill
            for record in records
            if record.venue_order_id is not None
            for fill in fills.fills(
                connection, account_id, since=None, venue_order_id=record.venue_order_id
            )
            if subject.kind is not SubjectKind.FILL or fill.fill_id == subject.id
        ),
    )


def _names(
    subject: Subject, intents: tuple[Intent, ...], records: tuple[OrderRecord, ...]
) -> tuple[str, ...]:
    """The ids whose rows belong to the story; an order's does not tell all of its position."""
    if subject.kind is SubjectKind.FILL:
        return (subject.id,)
    names: list[str | None] = [subject.id]
    for intent in intents:
        names += [intent.intent_id]
        names += [intent.client_order_id] if subject.kind is not SubjectKind.INTENT else []
    for record in records:
        names += [record.client_order_id]
    return tuple(dict.fromkeys(each for each in names if each))


def _related(
    connection: Connection, account_id: AccountId, subject: Subject
) -> tuple[tuple[Intent, ...], tuple[OrderRecord, ...]]:
    records = _orders(connection, account_id, subject)
    table = ORDER_INTENTS
    match subject.kind:
        case SubjectKind.INTENT:
            wanted = table.c.intent_id == subject.id
        case SubjectKind.PLAN:
            wanted = table.c.plan_hash == subject.id
        case SubjectKind.POSITION:
            wanted = or_(
                table.c.position_id == subject.id,
                table.c.intent_id.in_([each.intent_id for each in records]),
            )
        case _:
            wanted = or_(
                table.c.client_order_id.in_([each.client_order_id for each in records]),
                table.c.venue_order_id.in_([each.venue_order_id for each in records]),
            )
    found = connection.execute(
        select(table.c.intent_id)
        .where(table.c.account_id == account_id, wanted)
        .order_by(table.c.created_at, table.c.step_index)
    ).scalars()
    read = [journal.intent(connection, account_id, IntentId(each)) for each in [*found]]
    intents = tuple(each for each in read if each is not None)
    if not records:
        mine = (each.client_order_id for each in intents if each.client_order_id is not None)
        placed = [orders.order(connection, account_id, each) for each in mine]
        records = tuple(each for each in placed if each is not None)
    return intents, records


def _orders(
    connection: Connection, account_id: AccountId, subject: Subject
) -> tuple[OrderRecord, ...]:
    match subject.kind:
        case SubjectKind.ORDER:
            one = orders.order(connection, account_id, ClientOrderId(subject.id))
        case SubjectKind.FILL:
            venue_id = connection.execute(
                select(CRYPTO_FILLS.c.venue_order_id).where(
                    CRYPTO_FILLS.c.account_id == account_id, CRYPTO_FILLS.c.fill_id == subject.id
                )
            ).scalar()
            one = orders.order_by_venue_id(connection, account_id, VenueOrderId(str(venue_id)))
        case SubjectKind.POSITION:
            every = orders.orders(connection, account_id, open_only=False)
            return tuple(each for each in every if each.position_id == subject.id)
        case _:
            one = None
    return () if one is None else (one,)


def _ids(
    connection: Connection,
    account_id: AccountId,
    table: Table,
    searched: str,
    named: str,
    *,
    text: str,
    is_whole: bool,
) -> list[str]:
    column: Column[str] = table.c[searched]
    spellings = dict.fromkeys((text, text.upper(), text.lower()))
    condition = (
        column.in_([*spellings])
        if is_whole
        else or_(*(column.startswith(each, autoescape=True) for each in spellings))
    )
    found = connection.execute(
        select(table.c[named])
        .where(table.c.account_id == account_id, condition)
        .distinct()
        .order_by(table.c[named])
        .limit(_MOST)
    ).scalars()
    return [str(each) for each in found]


def _row(connection: Connection, account_id: AccountId, digits: str) -> tuple[Subject, ...]:
    subject = Subject(kind=SubjectKind.ROW, id=digits)
    is_number = digits.isdecimal() and len(digits) <= _LONGEST_NUMBER
    is_there = is_number and _numbered(connection, account_id, subject)
    return (subject,) if is_there else ()


def _numbered(
    connection: Connection, account_id: AccountId, subject: Subject
) -> tuple[AuditRow, ...]:
    found = audit.row(connection, account_id, int(subject.id))
    return () if found is None else (found,)
