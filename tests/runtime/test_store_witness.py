"""A store that was put back to an earlier time is noticed before anything is sent from it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from builders import LIVE, NOON, PAPER, snapshot_with
from templates import put_migrated
from zoe_tools.core.resume import resume_blockers
from zoe_tools.domain.account import Account
from zoe_tools.domain.audit import AuditKind
from zoe_tools.domain.trading_state import RESTORED, KillLevel, TradingState
from zoe_tools.runtime.store_witness import StoreWitness, look_for_restore
from zoe_tools.store.store import Store

LATER = NOON + timedelta(hours=1)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a store."""
    put_migrated(tmp_path / "zoe.db")
    return tmp_path


def url_in(home: Path) -> str:
    """The home's database."""
    return f"sqlite:///{home / 'zoe.db'}"


@contextmanager
def opened(home: Path, account: Account = PAPER) -> Iterator[tuple[Store, str]]:
    """The store as a command opens it, and what was found wrong with it."""
    witness = StoreWitness(home, account)
    store = Store.open(url_in(home), account, clock_now=NOON, witness=witness)
    try:
        with store.transaction() as transaction:
            reason = look_for_restore(transaction, witness, NOON)
        yield store, reason
    finally:
        store.close()


def work(home: Path, rows: int = 1, word: str = "worked", account: Account = PAPER) -> None:
    """A command that changes something."""
    with opened(home, account) as (store, reason):
        assert reason == ""
        for _ in range(rows):
            with store.transaction() as transaction:
                transaction.audit.act(NOON, word, {})


def state_of(store: Store) -> TradingState:
    """Whether new risk is allowed."""
    with store.transaction() as transaction:
        return transaction.trading_state()


def epoch_of(store: Store) -> str:
    """The store's name."""
    with store.transaction() as transaction:
        return transaction.store_epoch()


def keep(home: Path) -> Path:
    """A copy of the database as it is now."""
    kept = home / "backup.db"
    shutil.copyfile(home / "zoe.db", kept)
    return kept


def put_back(home: Path, kept: Path) -> None:
    """The backup takes the place of the database."""
    for leftover in home.glob("zoe.db-*"):
        leftover.unlink()
    shutil.copyfile(kept, home / "zoe.db")


def test_a_store_that_goes_on_is_not_disturbed(home: Path) -> None:
    """Command after command: same epoch, armed."""
    work(home)
    with opened(home) as (store, _):
        epoch = epoch_of(store)
    work(home, rows=40)
    with opened(home) as (store, reason):
        assert (reason, epoch_of(store)) == ("", epoch)
        assert state_of(store).level is KillLevel.NONE


def test_a_restored_store_gets_a_new_epoch_and_takes_no_new_risk(home: Path) -> None:
    """It says how much is missing, once, in its log as well."""
    work(home)
    kept = keep(home)
    work(home, rows=3)
    with opened(home) as (store, _):
        before = epoch_of(store)
    put_back(home, kept)

    with opened(home) as (store, reason):
        assert reason == "the store ends 3 rows of its audit log before what was here"
        assert epoch_of(store) != before
        state = state_of(store)
        assert (state.level, state.changed_by) == (KillLevel.PAUSE_ENTRIES, RESTORED)
        with store.transaction() as transaction:
            (row,) = (r for r in transaction.audit.rows() if r.kind == AuditKind.RESTORED)
        assert row.facts["epoch_before"] == before
    with opened(home) as (_, reason):
        assert reason == ""


def test_a_store_that_went_on_elsewhere_after_the_restore_is_noticed(home: Path) -> None:
    """Longer than what was here, and yet another one: told by the hash, not by the length."""
    work(home)
    kept = keep(home)
    work(home, rows=3)
    seen = home / f"seen-{PAPER.account_id}.json"
    mark = seen.read_bytes()
    put_back(home, kept)
    seen.unlink()
    work(home, rows=9, word="elsewhere")
    seen.write_bytes(mark)

    with opened(home) as (store, reason):
        assert reason.startswith("the store went another way since row ")
        assert state_of(store).level is KillLevel.PAUSE_ENTRIES


def test_each_account_of_a_restored_store_takes_no_new_risk(home: Path) -> None:
    """Whichever is opened first notices for itself; the other has forgotten orders too."""
    work(home)
    work(home, account=LIVE)
    kept = keep(home)
    work(home, rows=3)
    work(home, rows=5, account=LIVE)
    put_back(home, kept)
    with opened(home) as (store, first):
        epoch = epoch_of(store)
    with opened(home, LIVE) as (store, second):
        assert state_of(store).changed_by == RESTORED
        assert epoch_of(store) == epoch
    with opened(home) as (_, third), opened(home, LIVE) as (_, fourth):
        assert (third, fourth) == ("", "")

    assert first == "the store ends 3 rows of its audit log before what was here"
    assert second == "the store ends 5 rows of its audit log before what was here"


def test_an_account_that_lost_nothing_by_a_restore_is_left_alone(home: Path) -> None:
    """Its rows are all there: only the other one's went back."""
    work(home, account=LIVE)
    work(home)
    kept = keep(home)
    work(home, rows=3)
    put_back(home, kept)
    with opened(home) as (_, first), opened(home, LIVE) as (store, second):
        assert (bool(first), second) == (True, "")
        assert state_of(store).level is KillLevel.NONE


def test_a_higher_level_stays(home: Path) -> None:
    """A kill is not softened by a restore."""
    work(home)
    with opened(home) as (store, _), store.transaction() as transaction:
        transaction.latch(TradingState(level=KillLevel.REDUCE_ONLY, reason="kill", changed_at=NOON))
    kept = keep(home)
    work(home, rows=3)
    put_back(home, kept)
    with opened(home) as (store, reason):
        assert reason
        assert state_of(store).level is KillLevel.REDUCE_ONLY


def test_another_store_is_another_story(home: Path) -> None:
    """A new database in the place of the old one has forgotten nothing: it has its own epoch."""
    work(home, rows=3)
    (home / "zoe.db").unlink()
    for leftover in home.glob("zoe.db-*"):
        leftover.unlink()
    put_migrated(home / "zoe.db")
    with opened(home) as (store, reason):
        assert (reason, state_of(store).level) == ("", KillLevel.NONE)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"seq": "x"}', '{"seq": 1}'])
def test_a_damaged_mark_is_made_anew(home: Path, text: str) -> None:
    """It proves nothing, and keeps nobody from working."""
    work(home, rows=3)
    seen = home / f"seen-{PAPER.account_id}.json"
    seen.write_text(text)
    work(home)
    assert StoreWitness(home, PAPER).remembered() is not None


def test_a_mark_that_cannot_be_written_costs_nothing(home: Path) -> None:
    """The books go on; only a restore behind it would go unseen."""
    (home / f"seen-{PAPER.account_id}.new").mkdir()
    work(home, rows=40)
    assert StoreWitness(home, PAPER).remembered() is None


@pytest.mark.parametrize(
    ("reconciled_at", "is_blocked"),
    [
        pytest.param(None, True, id="never compared"),
        pytest.param(NOON - timedelta(hours=1), True, id="compared before the restore"),
        pytest.param(LATER, False, id="compared since"),
    ],
)
def test_new_risk_waits_for_a_comparison_made_after_the_restore(
    reconciled_at: datetime | None, *, is_blocked: bool
) -> None:
    """`zoe resume` refuses until `zoe reconcile` left nothing open."""
    state = TradingState(
        level=KillLevel.PAUSE_ENTRIES, reason="r", changed_at=NOON, changed_by=RESTORED
    )
    snapshot = replace(snapshot_with(), trading_state=state, reconciled_at=reconciled_at)

    assert any("restored" in each for each in resume_blockers(snapshot)) is is_blocked
