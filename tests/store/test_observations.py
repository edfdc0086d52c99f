"""Heartbeats, decisions, findings, boots, and the lease of the loop."""

from __future__ import annotations

from datetime import timedelta

from builders import BTC, LIVE, NOON
from zoe_tools.domain.observation import (
    Boot,
    Decision,
    Heartbeat,
    Lease,
)
from zoe_tools.store.store import Store

LATER = NOON + timedelta(seconds=1)


def test_the_last_heartbeat_of_each_component_is_kept(store: Store) -> None:
    """With whatever it had to say."""
    with store.transaction() as transaction:
        transaction.beat("loop", "ok", NOON, {"cycles": 1})
        transaction.beat("auditor", "warning", NOON, {})
        transaction.beat("loop", "error", LATER, {"cycles": 2, "mode": "shadow"})
        assert transaction.heartbeats() == (
            Heartbeat(component="auditor", status="warning", beat_at=NOON, details={}),
            Heartbeat(
                component="loop",
                status="error",
                beat_at=LATER,
                details={"cycles": 2, "mode": "shadow"},
            ),
        )


def test_decisions_are_kept_in_their_order(store: Store) -> None:
    """Two of one moment stand as they were made."""
    made = tuple(
        Decision(decided_at=at, symbol=BTC, kind=kind, details={"price": "60000.0"})
        for at, kind in ((NOON, "trace"), (NOON, "would_place"), (LATER, "trace"))
    )
    with store.transaction() as transaction:
        for each in made:
            transaction.record_decision(each.decided_at, each.symbol, each.kind, each.details)
        assert transaction.decisions() == made
        assert transaction.decisions(LATER) == made[2:]


def test_old_holds_are_forgotten_the_oldest_first(store: Store) -> None:
    """And nothing but holds, however old."""
    with store.transaction() as transaction:
        for minute, kind in enumerate(("hold", "enter", "hold", "hold", "hold")):
            transaction.record_decision(NOON + timedelta(minutes=minute), BTC, kind, {})
        before = NOON + timedelta(minutes=4)

        assert transaction.forget_holds(before, 2) == 2
        left = [(each.decided_at.minute, each.kind) for each in transaction.decisions()]
        assert left == [(1, "enter"), (3, "hold"), (4, "hold")]
        assert transaction.forget_holds(before, 2) == 1
        assert transaction.forget_holds(before, 2) == 0


def test_a_boot_is_one_row_from_its_start_to_its_end(store: Store) -> None:
    """A run that was killed has no end."""
    with store.transaction() as transaction:
        transaction.record_boot("r1", NOON, None, "running", {"host": "desk"})
        transaction.record_boot("r2", LATER, None, "running", {})
        transaction.record_boot("r1", NOON, LATER, "ok", {"host": "desk"})
        assert transaction.boots() == (
            Boot(
                run_id="r1",
                started_at=NOON,
                finished_at=LATER,
                status="ok",
                details={"host": "desk"},
            ),
            Boot(run_id="r2", started_at=LATER, finished_at=None, status="running", details={}),
        )


def test_one_holder_has_the_lease_and_the_next_waits_for_its_end(store: Store) -> None:
    """Free, held, expired: the token grows with every taking."""
    end = NOON + timedelta(seconds=30)
    mine = Lease(
        holder="r1",
        host="desk",
        pid=7,
        token=1,
        acquired_at=NOON,
        renewed_at=NOON,
        expires_at=end,
    )
    with store.transaction() as transaction:
        assert transaction.lease() is None
        assert transaction.acquire_lease("r1", "desk", 7, NOON, 30.0) == mine
        assert transaction.acquire_lease("r2", "lap", 8, LATER, 30.0) == mine
        assert not transaction.renew_lease("r2", LATER, 30.0)
        taken = transaction.acquire_lease("r2", "lap", 8, end, 30.0)
        assert (taken.holder, taken.token) == ("r2", 2)
        assert not transaction.renew_lease("r1", end, 30.0)
        assert transaction.lease() == taken


def test_a_renewed_lease_lasts_longer(store: Store) -> None:
    """By the time to live, from the moment of renewal; the age goes on counting."""
    with store.transaction() as transaction:
        transaction.acquire_lease("r1", "desk", 7, NOON, 30.0)
        assert transaction.renew_lease("r1", LATER, 30.0)
        lease = transaction.lease()
    assert lease is not None
    assert lease.acquired_at == NOON
    assert lease.expires_at == LATER + timedelta(seconds=30)


def test_a_lease_that_was_given_back_is_free_at_once(store: Store) -> None:
    """And its token is never used again; nobody gives back what is not theirs."""
    with store.transaction() as transaction:
        transaction.acquire_lease("r1", "desk", 7, NOON, 30.0)
        assert not transaction.release_lease("r2")
        assert transaction.release_lease("r1")
        assert transaction.lease() is None
        assert transaction.acquire_lease("r2", "lap", 8, LATER, 30.0).token == 2


def test_each_account_has_its_own_lease(url: str, store: Store) -> None:
    """Paper may run beside live."""
    other = Store.open(url, LIVE, clock_now=NOON)
    with store.transaction() as transaction:
        transaction.acquire_lease("r1", "desk", 7, NOON, 30.0)
        transaction.beat("loop", "ok", NOON, {})
    with other.transaction() as transaction:
        assert transaction.acquire_lease("r2", "desk", 8, NOON, 30.0).holder == "r2"
        assert transaction.heartbeats() == ()
    other.close()
