"""Discrepancies from look to look: confirmed, counted, cleared, explained, waived."""

from __future__ import annotations

from datetime import timedelta

from builders import NOON, d
from zoe_tools.core.discrepancies import OWN_LEDGER, follow, stepped
from zoe_tools.domain.discrepancy import (
    Discrepancy,
    DiscrepancyState,
    Finding,
    FindingKind,
    Severity,
)

EMPTY = Finding(
    kind=FindingKind.ORPHANED,
    subject="P1",
    symbol="BTC/USD",
    evidence="the venue holds 0 BTC",
    at_stake=d("24"),
    currency="USD",
    is_absence=True,
)
SHOWN = Finding(kind=FindingKind.UNKNOWN_ORDER, subject="OAAAAA", evidence="nobody placed it")


def after(*looks: tuple[Finding, ...], apart_s: float = 60) -> tuple[Discrepancy, ...]:
    """What is active after these looks, one after the other."""
    known: tuple[Discrepancy, ...] = ()
    for index, findings in enumerate(looks):
        now = NOON + timedelta(seconds=apart_s * index)
        known = follow(known, findings, now=now).active
    return known


def test_what_the_venue_shows_is_confirmed_at_once() -> None:
    """A row that is there is evidence."""
    (found,) = after((SHOWN,))

    assert (found.state, found.severity) == (DiscrepancyState.CONFIRMED, Severity.WARNING)


def test_what_the_venue_did_not_show_once_changes_nothing() -> None:
    """It is told, unconfirmed, and no more than information."""
    (found,) = after((EMPTY,))

    assert (found.state, found.severity) == (DiscrepancyState.DETECTED, Severity.INFO)


def test_a_second_look_in_the_same_moment_confirms_nothing() -> None:
    """Time is part of the confirmation."""
    (found,) = after((EMPTY,), (EMPTY,), apart_s=1)

    assert found.state is DiscrepancyState.DETECTED


def test_a_second_look_later_warns_and_a_third_is_critical() -> None:
    """The same name all the way, and the looks are counted."""
    (once,), (twice,), (thrice,) = (after(*[(EMPTY,)] * count) for count in (1, 2, 3))

    assert {once.discrepancy_id} == {twice.discrepancy_id, thrice.discrepancy_id}
    assert (twice.state, twice.severity) == (DiscrepancyState.CONFIRMED, Severity.WARNING)
    assert (thrice.severity, thrice.times_seen) == (Severity.CRITICAL, 3)


def test_what_is_gone_is_resolved_and_its_return_is_another_one() -> None:
    """A genuine repeat is not hidden behind the first one."""
    (first,) = after((SHOWN,))
    gone = follow((first,), (), now=NOON + timedelta(minutes=1))
    (again,) = follow(gone.active, (SHOWN,), now=NOON + timedelta(minutes=2)).active

    assert [each.state for each in gone.cleared] == [DiscrepancyState.RESOLVED]
    assert again.discrepancy_id != first.discrepancy_id


def test_a_look_without_the_whole_history_clears_nothing_that_needs_it() -> None:
    """A loop's look at what is live cannot take back what the trades told."""
    missing = Finding(kind=FindingKind.MISSING_FILL, subject="T1", evidence="e")
    known = after((SHOWN, missing))
    live = follow(known, (), now=NOON + timedelta(minutes=1), is_whole=False)

    assert [each.kind for each in live.cleared] == [FindingKind.UNKNOWN_ORDER]
    assert [each.kind for each in live.active] == [FindingKind.MISSING_FILL]


def test_a_loop_clears_a_drift_of_an_asset_whose_ledger_it_compared() -> None:
    """And of no other; a row of our own ledger only the whole of the venue's can acquit."""
    kinds = (
        (FindingKind.BALANCE_DRIFT, "USD"),
        (FindingKind.BALANCE_DRIFT, "DOT"),
        (FindingKind.STORE_TAMPERED, f"L1{OWN_LEDGER}"),
    )
    known = after(tuple(Finding(kind=kind, subject=name, evidence="e") for kind, name in kinds))
    later = NOON + timedelta(minutes=1)
    live = follow(known, (), now=later, is_whole=False, compared={"USD"})

    assert [each.subject for each in live.cleared] == ["USD"]
    assert {each.subject for each in live.still} == {"DOT", f"L1{OWN_LEDGER}"}


def test_what_is_explained_stays_so_until_it_grows() -> None:
    """Twenty-four dollars were explained, not twenty-five."""
    (known,) = after((EMPTY,), (EMPTY,))
    told = stepped(known, DiscrepancyState.EXPLAINED, by="ada", why="sold by hand", until=None)
    later = NOON + timedelta(hours=1)
    more = Finding(kind=EMPTY.kind, subject="P1", evidence="e", at_stake=d("25"), is_absence=True)

    assert follow((told,), (EMPTY,), now=later).active[0].state is DiscrepancyState.EXPLAINED
    assert follow((told,), (more,), now=later).active[0].state is DiscrepancyState.CONFIRMED


def test_a_waiver_ends_with_its_time() -> None:
    """Then it is open again, under the same name."""
    (known,) = after((EMPTY,), (EMPTY,))
    until = NOON + timedelta(days=3)
    let_be = stepped(known, DiscrepancyState.WAIVED, by="ada", why="ticket", until=until)

    assert not follow((let_be,), (EMPTY,), now=until - timedelta(seconds=1)).active[0].is_open
    assert follow((let_be,), (EMPTY,), now=until).active[0].is_open


def test_counts_tell_new_ones_from_those_seen_before() -> None:
    """What RECONCILIATION_REPORT calls logged and deduped."""
    known = after((SHOWN,))
    followed = follow(known, (SHOWN, EMPTY), now=NOON + timedelta(minutes=1))

    assert (followed.new, len(followed.seen) - followed.new) == (1, 1)
