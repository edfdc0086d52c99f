"""The gate's looks at its journal: nobody who writes delays them, and none of them ends a store."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from builders import NOON, PAPER, make_order
from fakes import fresh_store
from zoe_tools.gate.emergency_journal import EmergencyJournal
from zoe_tools.gate.keeper import Keeper
from zoe_tools.runtime.virtual_loop import run_virtual
from zoe_tools.store.emergency_file import EmergencyFile
from zoe_tools.store.runner import InlineRunner
from zoe_tools.store.store import Store, Transaction

ORDER = make_order()


def known(transaction: Transaction) -> bool:
    """Whether the books have the order."""
    return transaction.order(ORDER.client_order_id) is not None


def keeper_of(folder: Path) -> Keeper:
    """A command's, with a file to fall back on; its store waits for nobody."""
    with closing(fresh_store(folder, PAPER)) as store, store.transaction() as transaction:
        transaction.record_order(ORDER)
    url = f"sqlite:///{folder / 'zoe.db'}"
    store = Store.open(url, PAPER, clock_now=NOON, busy_timeout_s=0.0)
    journal = EmergencyJournal(EmergencyFile(folder), PAPER)
    return Keeper(InlineRunner(store), journal)


def test_a_look_is_had_while_somebody_else_writes(tmp_path: Path) -> None:
    """A reduction that is written then goes without the store; to look costs it nothing."""
    keeper = keeper_of(tmp_path)

    async def story() -> list[object]:
        with closing(sqlite3.connect(tmp_path / "zoe.db", isolation_level=None)) as driver:
            driver.execute("BEGIN IMMEDIATE")
            seen: list[object] = [await keeper.read(known, without=False), keeper.is_gone]
            seen.append(await keeper.run(known, instead=lambda _: "in the file"))
            seen += [keeper.is_gone, await keeper.read(known, without=None)]
        return seen

    assert run_virtual(story()) == [True, False, "in the file", True, None]
