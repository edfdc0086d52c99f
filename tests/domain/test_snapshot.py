"""Readings and absences: what could not be read is neither zero nor empty."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from zoe_tools.domain.account import Account, fingerprint_of
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.snapshot import Missing, Reading, Snapshot, value_of
from zoe_tools.errors import VenueUnavailable

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ACCOUNT = Account(venue="kraken", mode="live", fingerprint="3f9a12c4")


def test_what_was_read_is_handed_out() -> None:
    """Also when it is empty: an empty answer that was read is an answer."""
    assert value_of(Reading((), NOW, "rest"), "open orders") == ()


def test_deciding_on_a_missing_part_is_refused_with_what_and_why() -> None:
    """The operator learns which part is missing, instead of a plan built on nothing."""
    with pytest.raises(VenueUnavailable, match=r"without open orders: timed out\.") as caught:
        value_of(Missing("timed out"), "open orders")

    assert caught.value.exit_code == 5


def test_a_new_snapshot_has_read_nothing_of_the_venue() -> None:
    """Every venue part starts as an explicit absence."""
    snapshot = Snapshot(taken_at=NOW, account=ACCOUNT, policy=Policy())

    parts = [
        snapshot.venue_mode,
        snapshot.catalogue,
        snapshot.balances,
        snapshot.open_orders,
        snapshot.closed_orders,
        snapshot.fills,
        snapshot.ledger,
        snapshot.quotes,
    ]
    assert all(isinstance(part, Missing) for part in parts)


def test_paper_and_live_rows_never_share_an_owner() -> None:
    """The same key on paper and live names two accounts."""
    paper = Account(venue="kraken", mode="paper", fingerprint=ACCOUNT.fingerprint)

    assert paper.account_id != ACCOUNT.account_id
    assert (ACCOUNT.account_id, ACCOUNT.title) == ("kraken-live-3f9a12c4", "LIVE kraken 3f9a12c4")


def test_the_fingerprint_names_a_key_and_gives_none_of_it_away() -> None:
    """Eight hex digits of a hash: stable, different for another key, no part of the key."""
    key = "abcdef0123456789abcdef0123456789"

    fingerprint = fingerprint_of(key)

    assert fingerprint == fingerprint_of(key)
    assert fingerprint != fingerprint_of(key + "0")
    assert len(fingerprint) == 8
    assert fingerprint not in key
