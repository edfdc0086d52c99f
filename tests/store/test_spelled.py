"""Statements that are spelled out beforehand."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from builders import PAPER
from fakes import fresh_store
from zoe_tools.store.spelled import Spelled
from zoe_tools.store.tables import CRYPTO_ORDERS


def test_what_was_never_asked_is_ready_for_the_first_order(tmp_path: Path) -> None:
    """All that a loop may say; nothing of it is asked."""
    fresh = Spelled(select(CRYPTO_ORDERS))
    store = fresh_store(tmp_path, PAPER)
    before = (fresh._sql, fresh.tables)
    with store.transaction() as transaction:
        transaction.make_ready()
        has_changed = transaction.has_changed
    store.close()

    assert before == ("", ())
    assert (fresh._sql[:6], fresh.tables, has_changed) == ("SELECT", ("crypto_orders",), False)
