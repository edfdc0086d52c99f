"""Reads of the books what the audit log tells too, as short as it can be held against it."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, select

from zoe_tools.domain.audit import BooksState, cost_name, levels_text
from zoe_tools.domain.identifiers import AccountId
from zoe_tools.store.ledger_digest import slice_digests
from zoe_tools.store.record_tables import ADJUSTMENTS, COST_BASIS
from zoe_tools.store.tables import (
    CRYPTO_FILLS,
    CRYPTO_POSITIONS,
    INSTRUMENT_STATES,
    ORDER_EVENTS,
    ORDER_INTENTS,
    TRADING_STATES,
)
from zoe_tools.store.targets import levels_by_position


def books_state(connection: Connection, account_id: AccountId) -> BooksState:
    """Intents' states and proofs, events' statuses, fills' numbers, the level: as they are now."""
    intents, events, fills, states = ORDER_INTENTS, ORDER_EVENTS, CRYPTO_FILLS, TRADING_STATES
    fill_rows = connection.execute(
        select(fills.c.fill_id, fills.c.quantity, fills.c.price, fills.c.cost, fills.c.fee).where(
            fills.c.account_id == account_id
        )
    )
    intent_rows = connection.execute(
        select(intents.c.intent_id, intents.c.status, intents.c.proof).where(
            intents.c.account_id == account_id
        )
    )
    event_rows = connection.execute(
        select(events.c.event_key, events.c.status).where(events.c.account_id == account_id)
    )
    held = CRYPTO_POSITIONS
    position_rows = connection.execute(
        select(
            held.c.position_id,
            held.c.status,
            held.c.quantity,
            held.c.stop_price,
            held.c.take_profit_price,
        ).where(held.c.account_id == account_id)
    )
    level = connection.execute(
        select(states.c.level).where(states.c.account_id == account_id)
    ).scalar()
    return BooksState(
        intents={row[0]: (row[1], row[2]) for row in intent_rows},
        events={row[0]: row[1] for row in event_rows},
        fills={row[0]: tuple(row[1:]) for row in fill_rows},
        positions={row[0]: (row[1], row[2], row[3], row[4]) for row in position_rows},
        level=level,
        stopped={
            each.symbol: each.level
            for each in connection.execute(
                select(INSTRUMENT_STATES).where(INSTRUMENT_STATES.c.account_id == account_id)
            )
        },
        ledger=slice_digests(connection, account_id),
        statements=dict(_statements(connection, account_id)),
        targets={
            name: levels_text(each)
            for name, each in levels_by_position(connection, account_id).items()
        },
    )


def _statements(
    connection: Connection, account_id: AccountId
) -> Iterator[tuple[str, tuple[object, ...]]]:
    """What persons stated: of each its name, and what `STATED` names."""
    told = ADJUSTMENTS.c
    for row in connection.execute(select(ADJUSTMENTS).where(told.account_id == account_id)):
        yield (
            f"adjustment {row.adjustment_id}",
            (
                row.asset,
                row.quantity,
                row.unit_price,
                row.currency,
                row.position_id,
                row.author,
                row.reason,
            ),
        )
    declared = COST_BASIS.c
    for row in connection.execute(select(COST_BASIS).where(declared.account_id == account_id)):
        yield (
            cost_name(row.ledger_id, row.declared_at),
            (
                row.asset,
                row.quantity,
                row.unit_cost,
                row.currency,
                "",
                row.declared_by,
                row.reason,
            ),
        )
