"""The journal's intents: written once, and advanced only as the table of their life allows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Text, bindparam, false, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from zoe_tools.domain.identifiers import AccountId, ClientOrderId, IntentId, VenueOrderId
from zoe_tools.domain.intent_lifecycle import IllegalTransition, demand_proof, states_before
from zoe_tools.domain.journal import Intent, IntentKind, IntentState, ProofKind
from zoe_tools.domain.order import Side
from zoe_tools.store.reads import Query, Reader
from zoe_tools.store.spelled import Write
from zoe_tools.store.tables import ORDER_INTENTS
from zoe_tools.store.types import word

_UNRESOLVED = tuple(state.value for state in IntentState if not state.is_terminal)
_ORDER = (ORDER_INTENTS.c.created_at, ORDER_INTENTS.c.step_index, ORDER_INTENTS.c.intent_id)


# Built once: an intent stands between a decision and its order, and building costs more than SQL.
_ADD = Write(ORDER_INTENTS.insert())
_THIS_ONE = (
    ORDER_INTENTS.c.account_id == bindparam("owner"),
    ORDER_INTENTS.c.intent_id == bindparam("wanted"),
)
_OF_ACCOUNT = select(ORDER_INTENTS).where(ORDER_INTENTS.c.account_id == bindparam("owner"))
# In no order: asked for the oldest first, SQLite reads all there ever were, along their times.
_OPEN = Query(_OF_ACCOUNT.where(or_(*(ORDER_INTENTS.c.status == each for each in _UNRESOLVED))))
_ASKS = (IntentKind.PLACE.value, IntentKind.AMEND.value)
_REFUSED = Query(
    _OF_ACCOUNT.order_by(*_ORDER).where(
        ORDER_INTENTS.c.status == IntentState.REJECTED.value,
        ORDER_INTENTS.c.proof == ProofKind.ANSWER.value,
        or_(*(ORDER_INTENTS.c.kind == each for each in _ASKS)),
        ORDER_INTENTS.c.created_at >= bindparam("since"),
    )
)
_ONE = Query(select(ORDER_INTENTS).where(*_THIS_ONE))


def _advance_to(state: IntentState) -> Write:
    """Compare and swap; ids that are None stay as they are."""
    table = ORDER_INTENTS
    before = sorted(each.value for each in states_before(state))
    return Write(
        update(table)
        .where(*_THIS_ONE, or_(false(), *(table.c.status == each for each in before)))
        .values(
            status=bindparam("to_status"),
            updated_at=bindparam("at"),
            evidence=bindparam("how"),
            proof=bindparam("proved_by"),
            venue_order_id=func.coalesce(bindparam("venue_id", type_=Text), table.c.venue_order_id),
            client_order_id=func.coalesce(
                bindparam("client_id", type_=Text), table.c.client_order_id
            ),
        )
    )


_ADVANCE = {state: _advance_to(state) for state in IntentState}


class AlreadyJournaled(Exception):
    """Somebody else wrote this very intent first; the transaction cannot go on."""


def record_intent(connection: Connection, account_id: AccountId, intent: Intent) -> None:
    """Write a new intent.

    Raises:
        AlreadyJournaled: it is there.
        IllegalTransition: a bug; it belongs to another account.
    """
    if intent.account_id != account_id:
        raise IllegalTransition(f"{intent.intent_id} belongs to {intent.account_id}")
    try:
        _ADD.run(connection, values_of(intent))
    except IntegrityError as error:
        if "unique" not in str(error.orig).lower():
            raise
        raise AlreadyJournaled(f"{intent.intent_id} is in the journal already") from error


def values_of(intent: Intent) -> dict[str, Any]:
    """The row of an intent, column -> value."""
    return {
        "account_id": intent.account_id,
        "intent_id": intent.intent_id,
        "kind": intent.kind.value,
        "status": intent.state.value,
        "command": intent.command,
        "plan_hash": intent.plan_hash,
        "step_index": intent.step_index,
        "symbol": intent.symbol,
        "side": intent.side.value if intent.side is not None else None,
        "purpose": intent.purpose,
        "payload": intent.payload,
        "deadline": intent.deadline,
        "created_at": intent.created_at,
        "updated_at": intent.updated_at,
        "attempt": intent.attempt,
        "client_order_id": intent.client_order_id,
        "venue_order_id": intent.venue_order_id,
        "position_id": intent.position_id,
        "operator": intent.operator,
        "host": intent.host,
        "evidence": intent.evidence,
        "snapshot_hash": intent.snapshot_hash,
        "proof": intent.proof.value,
    }


def advance_intent(
    connection: Connection,
    account_id: AccountId,
    intent_id: IntentId,
    state: IntentState,
    *,
    at: datetime,
    evidence: str,
    proof: ProofKind,
    venue_order_id: VenueOrderId | None,
    client_order_id: ClientOrderId | None,
) -> None:
    """Compare and swap the state in one statement, so that two processes cannot both win."""
    demand_proof(state, proof)
    changed = _ADVANCE[state].run(
        connection,
        {
            "owner": account_id,
            "wanted": intent_id,
            "to_status": state.value,
            "at": at,
            "how": evidence,
            "proved_by": proof.value,
            "venue_id": venue_order_id,
            "client_id": client_order_id,
        },
    )
    if changed != 1:
        found = intent(connection, account_id, intent_id)
        stands = "is not in the journal" if found is None else f"is {found.state.value}"
        raise IllegalTransition(f"Intent {intent_id} {stands}: it cannot become {state.value}.")


def extend_intent(
    connection: Connection, account_id: AccountId, intent_id: IntentId, deadline: datetime
) -> None:
    """A second send has a deadline of its own; it never moves backwards."""
    table = ORDER_INTENTS
    connection.execute(
        update(table).where(
            table.c.account_id == account_id,
            table.c.intent_id == intent_id,
            table.c.deadline < deadline,
        ),
        {"deadline": deadline},
    )


def intent(connection: Connection, account_id: AccountId, intent_id: IntentId) -> Intent | None:
    """One intent."""
    return _READER.first(connection, _ONE, owner=account_id, wanted=intent_id)


def unresolved_intents(connection: Connection, account_id: AccountId) -> tuple[Intent, ...]:
    """Intents whose outcome is open, oldest first."""
    found = _READER.all(connection, _OPEN, owner=account_id)
    return tuple(sorted(found, key=lambda each: (each.created_at, each.step_index, each.intent_id)))


def refusals(connection: Connection, account_id: AccountId, since: datetime) -> tuple[Intent, ...]:
    """What the venue said a definite no to, to place or to amend, since then."""
    return _READER.all(connection, _REFUSED, owner=account_id, since=since)


def intents(
    connection: Connection, account_id: AccountId, since: datetime | None
) -> tuple[Intent, ...]:
    """All intents since then, oldest first."""
    table = ORDER_INTENTS
    statement = select(table).where(table.c.account_id == account_id).order_by(*_ORDER)
    if since is not None:
        statement = statement.where(table.c.created_at >= since)
    return tuple(_intent_of(row) for row in connection.execute(statement))


def _intent_of(row: Row[Any]) -> Intent:
    return Intent(
        intent_id=row.intent_id,
        account_id=row.account_id,
        kind=word(IntentKind, row.kind),
        state=word(IntentState, row.status),
        command=row.command,
        plan_hash=row.plan_hash,
        step_index=row.step_index,
        symbol=row.symbol,
        side=None if row.side is None else word(Side, row.side),
        purpose=row.purpose,
        payload=row.payload,
        deadline=row.deadline,
        created_at=row.created_at,
        updated_at=row.updated_at,
        attempt=row.attempt,
        client_order_id=row.client_order_id,
        venue_order_id=row.venue_order_id,
        position_id=row.position_id,
        operator=row.operator,
        host=row.host,
        evidence=row.evidence,
        snapshot_hash=row.snapshot_hash,
        proof=word(ProofKind, row.proof),
    )


_READER = Reader(ORDER_INTENTS, _intent_of)
