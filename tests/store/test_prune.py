"""A prune takes what is over and old, behind a checkpoint that keeps the rest provable."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from audit_rig import opened, owner_of, report_on, trade, write_days
from builders import NOON, make_discrepancy, make_intent, make_order, make_position
from zoe_tools.core.audit_verify import Flaw
from zoe_tools.domain.discrepancy import DiscrepancyId, DiscrepancyState
from zoe_tools.domain.identifiers import ClientOrderId, IntentId
from zoe_tools.domain.journal import IntentState, ProofKind
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.position import PositionStatus
from zoe_tools.runtime.audit_home import AuditHome
from zoe_tools.store import prune
from zoe_tools.store.database import engine_for
from zoe_tools.store.prune import Prunable
from zoe_tools.store.store import Store, Transaction

DAYS = 10
LATER = NOON + timedelta(days=DAYS)


@pytest.fixture
def home(tmp_path: Path) -> AuditHome:
    """A home with a key."""
    made = AuditHome(tmp_path)
    made.make_key()
    return made


@pytest.fixture
def signed_url(url: str, home: AuditHome) -> str:
    """Ten days of one signed command each: genesis and sixty rows."""
    write_days(url, home.signer(), DAYS)
    return url


def look(store: Store, before: datetime) -> Prunable:
    """What a dry run says."""
    with store.transaction() as books:
        return books.retention.look(before)


def pruned(url: str, home: AuditHome, before: datetime, *, batches: int = 100) -> Prunable:
    """A prune, or the beginning of one that is then killed."""
    with closing(opened(url, home.signer(), now=LATER)) as store:
        found = look(store, before)
        with store.transaction() as books:
            books.retention.checkpoint(found, home.signer(), LATER, {"operator": "me"})
        for _ in range(batches):
            with store.transaction() as books:
                if not books.retention.delete_some(before):
                    break
    return found


def test_the_rest_of_a_pruned_log_still_verifies(signed_url: str, home: AuditHome) -> None:
    """From the checkpoint on; the prune itself is in the log."""
    found = pruned(signed_url, home, NOON + timedelta(days=4))
    report = report_on(signed_url, home)

    assert (found.upto, found.log_rows, found.intents) == (24, 25, 4)
    assert report.findings == ()
    assert (report.first_seq, report.rows, report.pruned_rows) == (25, 61 - 25 + 1, 25)
    assert report.unsigned_rows == 0


def test_a_dry_run_changes_nothing(signed_url: str, home: AuditHome) -> None:
    """Looking is free."""
    with closing(opened(signed_url, None)) as store:
        with store.transaction() as books:
            before = books.business_fingerprint()
        look(store, LATER)
        with store.transaction() as books:
            assert books.business_fingerprint() == before
    assert report_on(signed_url, home).rows == 61


def test_pruning_again_finds_nothing(signed_url: str, home: AuditHome) -> None:
    """The second plan is empty."""
    pruned(signed_url, home, NOON + timedelta(days=4))
    with closing(opened(signed_url, None)) as store:
        assert look(store, NOON + timedelta(days=4)).is_empty


def test_pruning_may_go_on_for_years(signed_url: str, home: AuditHome) -> None:
    """Checkpoint after checkpoint; the newest counts."""
    for day in (2, 4, 6):
        pruned(signed_url, home, NOON + timedelta(days=day))

    assert report_on(signed_url, home).findings == ()
    assert report_on(signed_url, home).first_seq == 37


def test_a_prune_killed_in_its_midst_is_only_unfinished(
    signed_url: str, home: AuditHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkpoint is committed first; the next prune takes the rest."""
    monkeypatch.setattr(prune, "BATCH", 10)
    before = NOON + timedelta(days=4)
    pruned(signed_url, home, before, batches=1)
    with closing(opened(signed_url, None)) as store:
        found = look(store, before)

    assert found.leftovers == 15
    assert report_on(signed_url, home).findings == ()
    pruned(signed_url, home, before)
    assert report_on(signed_url, home).findings == ()
    with closing(opened(signed_url, None)) as store:
        assert look(store, before).is_empty


# --- what must stay ------------------------------------------------------------------------------


def unsettled(books: Transaction) -> None:
    """An intent nobody knows the outcome of."""
    books.record_intent(make_intent(intent_id=IntentId("OLD"), state=IntentState.UNKNOWN))


def working(books: Transaction) -> None:
    """A stop that still rests."""
    trade(books, 900)
    order = ClientOrderId("22222222-2222-4333-8444-555555555555")
    books.record_intent(make_intent(intent_id=IntentId("STOP"), client_order_id=order))
    books.advance_intent(
        IntentId("STOP"), IntentState.CONFIRMED, at=NOON, evidence="", proof=ProofKind.RECORDS
    )
    books.record_order(
        make_order(client_order_id=order, intent_id=IntentId("STOP"), status=OrderStatus.OPEN)
    )


def held(books: Transaction) -> None:
    """A position that is still open."""
    books.record_position(make_position(status=PositionStatus.OPEN))


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (unsettled, "an intent is not settled"),
        (working, "an order is still working"),
        (held, "a position is still open"),
    ],
)
def test_what_is_not_over_holds_the_log(url: str, home: AuditHome, make: object, why: str) -> None:
    """From its first row on everything stays, however old."""
    assert callable(make)
    with closing(opened(url, home.signer())) as store, store.transaction() as books:
        make(books)
    write_days(url, home.signer(), DAYS)
    with closing(opened(url, None)) as store:
        found = look(store, LATER)
        with store.transaction() as books:
            kept = [row.seq for row in books.audit.rows() if row.seq > (found.upto or -1)]

    assert found.held_by == why
    assert (found.upto or 0) < 6
    assert len(kept) > 60


def test_intents_that_are_needed_stay(url: str, home: AuditHome) -> None:
    """Those of working orders and the unsettled ones, while settled ones go."""
    with closing(opened(url, home.signer())) as store, store.transaction() as books:
        working(books)
        unsettled(books)
    pruned(url, home, LATER)
    with closing(opened(url, None)) as store, store.transaction() as books:
        assert {each.intent_id for each in books.intents()} == {"STOP", "OLD"}


def test_the_books_stay(signed_url: str, home: AuditHome) -> None:
    """Orders, events, executions and positions are not for a prune."""
    with closing(opened(signed_url, None)) as store:
        with store.transaction() as books:
            before = (books.fills(), books.order_events(make_order().client_order_id))
        pruned(signed_url, home, LATER)
        with store.transaction() as books:
            after = (books.fills(), books.order_events(make_order().client_order_id))

    assert before == after != ((), ())


# --- attacks -------------------------------------------------------------------------------------


def test_only_what_a_checkpoint_covers_may_be_deleted(signed_url: str, home: AuditHome) -> None:
    """The trigger knows the newest checkpoint."""
    pruned(signed_url, home, NOON + timedelta(days=4))
    engine = engine_for(signed_url)
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text("DELETE FROM audit_log WHERE seq = 25"))
    engine.dispose()


def test_more_than_the_checkpoint_covers_is_missed(signed_url: str, home: AuditHome) -> None:
    """By whoever owns the database, too."""
    pruned(signed_url, home, NOON + timedelta(days=4))
    with owner_of(signed_url) as connection:
        connection.execute(text("DELETE FROM audit_log WHERE seq < 30"))
    first = report_on(signed_url, home).findings[0]

    assert (first.flaw, first.seq) == (Flaw.MISSING_ROW, 25)


def test_a_checkpoint_that_was_moved_is_seen(signed_url: str, home: AuditHome) -> None:
    """Its signature is over the row it names."""
    pruned(signed_url, home, NOON + timedelta(days=4))
    with owner_of(signed_url) as connection:
        connection.execute(text("DELETE FROM audit_log WHERE seq < 30"))
        connection.execute(
            text(
                "UPDATE audit_checkpoints SET seq = 29, hash = "
                "(SELECT previous_hash FROM audit_log WHERE seq = 30)"
            )
        )
    flaws = [each.flaw for each in report_on(signed_url, home).findings]

    assert flaws[0] is Flaw.FORGED_CHECKPOINT


def test_discrepancies_that_are_over_go_and_others_stay(signed_url: str, home: AuditHome) -> None:
    """However old: what waits for somebody is needed."""
    over = make_discrepancy(
        discrepancy_id=DiscrepancyId("D-over"),
        state=DiscrepancyState.RESOLVED,
        resolved_at=NOON,
    )
    with closing(opened(signed_url, None)) as store, store.transaction() as books:
        books.reconciliation.record((over, make_discrepancy()))
    pruned(signed_url, home, NOON + timedelta(days=4))

    with closing(opened(signed_url, None)) as store, store.transaction() as books:
        assert books.reconciliation.all() == (make_discrepancy(),)
