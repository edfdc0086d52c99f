"""What waited in the emergency journal is told to the store once, however often it is told."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from builders import LIVE, NOON, PAPER, make_request, place
from fakes import Desk, at_the_desk, fresh_store
from zoe_tools.domain.audit import AuditKind
from zoe_tools.domain.identifiers import Symbol, VenueOrderId
from zoe_tools.domain.journal import IntentState, ProofKind
from zoe_tools.domain.trading_state import KillLevel, KillReason, TradingState
from zoe_tools.errors import StoreUnavailable
from zoe_tools.gate.emergency_journal import MANY_NAMES, EmergencyJournal
from zoe_tools.gate.journal import Author, Entry, entry_without_store
from zoe_tools.store.emergency_file import EmergencyFile
from zoe_tools.store.runner import InlineRunner


def entry_at(desk: Desk) -> Entry:
    """A step that could not be journaled in the store."""
    return entry_without_store(
        desk.plan(place(make_request())),
        0,
        author=Author(account=desk.account, command="run", operator="o", host="h"),
        policy=desk.policy,
        now=desk.clock.now(),
        attempt=1,
        store_epoch="an epoch",
    )


def note(journal: EmergencyJournal, entry: Entry, desk: Desk, *states: IntentState) -> None:
    """The entry, and what became of it."""
    journal.begin(entry)
    for state in states:
        venue_order_id = VenueOrderId("O1") if state is IntentState.CONFIRMED else None
        proof = ProofKind.ANSWER if state.is_terminal else ProofKind.NONE
        journal.advance(
            entry, state, at=desk.clock.now(), proof=proof, venue_order_id=venue_order_id
        )


def test_a_merge_that_was_not_noted_is_made_again_and_changes_nothing(tmp_path: Path) -> None:
    """Killed between the commit and the note, the next start merges the same records."""

    async def story(desk: Desk) -> None:
        file = EmergencyFile(tmp_path)
        journal = EmergencyJournal(file, PAPER)
        journal.prepare()
        note(journal, entry_at(desk), desk, IntentState.SENT, IntentState.CONFIRMED)
        content = file.path.read_bytes()
        assert await journal.merge(desk.store) == 3
        once = await desk.read(lambda tx: (tx.intents(), tx.orders()))
        file.path.write_bytes(content)
        assert await journal.merge(desk.store) == 3

        assert await desk.read(lambda tx: (tx.intents(), tx.orders())) == once
        assert [each.state for each in once[0]] == [IntentState.CONFIRMED]
        assert file.is_empty()

    at_the_desk(tmp_path, story)


def test_what_was_ordered_meanwhile_is_told_once(tmp_path: Path) -> None:
    """With its time, who ordered it and where; merged again it is no news."""

    async def story(desk: Desk) -> None:
        file = EmergencyFile(tmp_path)
        journal = EmergencyJournal(file, PAPER)
        journal.prepare()
        author = Author(account=PAPER, command="kill", operator="ann", host="desk")
        journal.order(author, {"level": "reduce-only"}, (), at=desk.clock.now())
        content = file.path.read_bytes()
        await journal.merge(desk.store)
        file.path.write_bytes(content)
        await journal.merge(desk.store)
        told = await desk.read(
            lambda tx: [each.facts for each in tx.audit.rows() if each.kind == AuditKind.ACTION]
        )

        assert told == [
            {
                "what": "zoe kill",
                "operator": "ann",
                "host": "desk",
                "level": "reduce-only",
                "source": "emergency journal",
            }
        ]

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize("count", [1, MANY_NAMES + 10])
def test_a_merge_looks_for_what_it_told_by_name(tmp_path: Path, count: int) -> None:
    """The log may be long, and everybody waits: its rows are named, and found by the database."""

    async def story(desk: Desk) -> None:
        file = EmergencyFile(tmp_path)
        journal = EmergencyJournal(file, PAPER)
        journal.prepare()
        author = Author(account=PAPER, command="run", operator="ann", host="desk")
        for number in range(count):
            at = NOON + timedelta(seconds=number)
            journal.order(author, {"countdown_s": "0"}, (), at=at)
        content = file.path.read_bytes()
        await journal.merge(desk.store)
        file.path.write_bytes(content)
        await journal.merge(desk.store)
        names = await desk.read(
            lambda tx: [each.subjects for each in tx.audit.rows() if each.kind == AuditKind.ACTION]
        )

        assert len(names) == len(set(names)) == count
        assert {each.rpartition("-")[0] for each in names} == {"emergency"}

    at_the_desk(tmp_path, story)


def fill_up(journal: EmergencyJournal) -> int:
    """Write until not a byte more goes in; returns how many records that took."""
    author = Author(account=PAPER, command="kill", operator="ann", host="desk")
    written, size = 0, 4000
    while size:
        try:
            journal.order(author, {"x": "y" * size}, (), at=NOON + timedelta(seconds=written))
            written += 1
        except StoreUnavailable:
            size -= 1
    return written


RESUMED = TradingState(level=KillLevel.NONE, reason="resumed", changed_at=NOON, changed_by="ann")


def test_a_full_file_is_merged_once(tmp_path: Path) -> None:
    """To the last byte full, it is empty after the merge, and who resumed stays resumed."""

    async def story(desk: Desk) -> None:
        file = EmergencyFile(tmp_path)
        journal = EmergencyJournal(file, PAPER)
        journal.prepare()
        journal.latch(KillLevel.REDUCE_ONLY, "fire", by="ann", at=NOON)
        written = fill_up(journal)
        assert await journal.merge(desk.store) == written + 1
        assert (file.is_empty(), journal.is_waiting()) == (True, False)
        assert (await desk.read(lambda tx: tx.trading_state())).level is KillLevel.REDUCE_ONLY

        await desk.store.run(lambda tx: tx.rearm(RESUMED, tx.trading_state(), None))
        assert await journal.merge(desk.store) == 0
        assert (await desk.read(lambda tx: tx.trading_state())).level is KillLevel.NONE

    at_the_desk(tmp_path, story)


def test_a_full_file_in_which_another_account_waits_notes_what_is_merged(tmp_path: Path) -> None:
    """The note has room of its own; the last account's merge empties the file."""

    async def story(desk: Desk) -> None:
        file = EmergencyFile(tmp_path)
        ours, theirs = EmergencyJournal(file, PAPER), EmergencyJournal(file, LIVE)
        ours.prepare()
        theirs.latch(KillLevel.REDUCE_ONLY, "theirs", by="ann", at=NOON)
        ours.latch(KillLevel.REDUCE_ONLY, "fire", by="ann", at=NOON)
        fill_up(ours)
        await ours.merge(desk.store)
        assert (ours.is_waiting(), theirs.is_waiting()) == (False, True)
        (tmp_path / "live").mkdir()
        assert await theirs.merge(InlineRunner(fresh_store(tmp_path / "live", LIVE))) == 1
        assert file.is_empty()

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize("symbol", [None, "BTC/USD"])
def test_a_kill_that_was_merged_once_is_not_latched_after_a_resume(
    tmp_path: Path, symbol: Symbol | None
) -> None:
    """Not even where the file could not be told that it was merged."""

    async def story(desk: Desk) -> None:
        file = EmergencyFile(tmp_path)
        journal = EmergencyJournal(file, PAPER)
        journal.prepare()
        journal.latch(KillLevel.REDUCE_ONLY, "fire", by="ann", at=NOON, symbol=symbol)
        content = file.path.read_bytes()
        await journal.merge(desk.store)
        state = await desk.read(lambda tx: tx.trading_state().of(symbol))
        assert (state.level, state.reason) == (KillLevel.REDUCE_ONLY, "fire")
        await desk.store.run(
            lambda tx: tx.rearm(RESUMED, tx.trading_state().of(symbol), None, symbol)
        )
        file.path.write_bytes(content)
        await journal.merge(desk.store)
        state = await desk.read(lambda tx: tx.trading_state().of(symbol))
        assert state.level is KillLevel.NONE

        journal.latch(
            KillLevel.REDUCE_ONLY, "fire", by="ann", at=NOON + timedelta(seconds=1), symbol=symbol
        )
        await journal.merge(desk.store)
        state = await desk.read(lambda tx: tx.trading_state().of(symbol))
        assert state.level is KillLevel.REDUCE_ONLY

    at_the_desk(tmp_path, story)


def test_what_comes_while_two_merge_the_same_is_not_forgotten(tmp_path: Path) -> None:
    """A loop and a command merge beside each other; the slower one ends only what it told."""

    class Overtaken(InlineRunner):
        """Before its answer somebody else has merged, and the store has gone again."""

        @override
        async def run(self, work: Any, *, is_urgent: bool = False) -> Any:
            told = await super().run(work, is_urgent=is_urgent)
            if file.path.read_bytes() == content:
                file.settle(lambda _: None)
                journal.latch(KillLevel.REDUCE_ONLY, "again", by="bob", at=NOON)
            return told

    file = EmergencyFile(tmp_path)
    journal = EmergencyJournal(file, PAPER)
    journal.prepare()
    journal.latch(KillLevel.CANCEL_OPEN, "fire", by="ann", at=NOON)
    content = file.path.read_bytes()

    async def story(desk: Desk) -> None:
        await journal.merge(Overtaken(fresh_store(tmp_path / "other")))
        assert journal.is_waiting()
        await journal.merge(desk.store)
        assert (await desk.read(lambda tx: tx.trading_state())).reason == "again"

    (tmp_path / "other").mkdir()
    at_the_desk(tmp_path, story)


def test_one_account_s_records_wait_for_that_account(tmp_path: Path) -> None:
    """Merging another's leaves them, and they are merged once, too."""

    async def story(desk: Desk) -> None:
        file = EmergencyFile(tmp_path)
        ours, theirs = EmergencyJournal(file, PAPER), EmergencyJournal(file, LIVE)
        ours.prepare()
        note(ours, entry_at(desk), desk, IntentState.SENT)
        assert await theirs.merge(InlineRunner(fresh_store(tmp_path, LIVE))) == 0
        assert await ours.merge(desk.store) == 2
        assert file.is_empty()

    at_the_desk(tmp_path, story)


def test_an_open_end_is_left_to_the_recovery(tmp_path: Path) -> None:
    """Sent and nothing more: unresolved, as if the store had been there."""

    async def story(desk: Desk) -> None:
        journal = EmergencyJournal(EmergencyFile(tmp_path), PAPER)
        journal.prepare()
        note(journal, entry_at(desk), desk, IntentState.SENT)
        await journal.merge(desk.store)
        (open_one,) = await desk.read(lambda tx: tx.unresolved_intents())
        assert open_one.state is IntentState.SENT

        recovery = await desk.gate().recover()
        assert [each.state for each in recovery.resolutions] == [IntentState.REJECTED]

    at_the_desk(tmp_path, story)


def test_a_kill_that_was_noted_takes_over_what_was_latched_for_margin(tmp_path: Path) -> None:
    """Margin's own level passes by itself; an operator's stays, at the same level too."""

    async def story(desk: Desk) -> None:
        journal = EmergencyJournal(EmergencyFile(tmp_path), PAPER)
        journal.prepare()
        now = desk.clock.now()
        margins = TradingState(
            level=KillLevel.REDUCE_ONLY,
            reason=KillReason.MARGIN_CRITICAL.worded("93 %"),
            changed_at=now,
            changed_by="run",
        )
        await desk.store.run(lambda tx: tx.latch(margins))
        journal.latch(KillLevel.CANCEL_OPEN, "strange fills", by="ann", at=now)
        await journal.merge(desk.store)
        state = await desk.read(lambda tx: tx.trading_state())

        assert (state.level, state.cause) == (KillLevel.REDUCE_ONLY, KillReason.MANUAL)
        assert (state.reason, state.changed_by) == ("strange fills", "ann")

    at_the_desk(tmp_path, story)
