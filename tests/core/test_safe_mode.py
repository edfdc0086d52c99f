"""Safe mode as a decision: what is too old, and how many errors and empty rounds are too many."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from builders import NOON
from zoe_tools.core.safe_mode import EMPTY_SCANS_S, Heard, Scans, error_reasons, stale_parts
from zoe_tools.domain.policy import Policy

MINUTE = timedelta(minutes=1)
POLICY = Policy()
OFF = Policy(market_stale_s=0, trades_stale_s=0, candle_stale_s=0)


def ago(seconds: float) -> datetime:
    """So long before noon."""
    return NOON - timedelta(seconds=seconds)


def stale(quote_s: float, trade_s: float, candle_s: float, policy: Policy = POLICY) -> list[str]:
    """The first words of what is stale, where each was heard of so many seconds ago."""
    heard = Heard(quote_at=ago(quote_s), trade_at=ago(trade_s), candle_at=ago(candle_s))
    found = stale_parts(heard, now=NOON, since=ago(9999), candle_length=MINUTE, policy=policy)
    return [" ".join(each.split()[:2]) for each in found]


@pytest.mark.parametrize(
    ("quote_s", "trade_s", "candle_s", "found"),
    [
        (60, 300, 180, []),
        (61, 300, 180, ["no quote"]),
        (60, 301, 180, ["no trade"]),
        (60, 300, 181, ["no candle"]),
        (900, 900, 900, ["no quote", "no trade", "no candle"]),
        (-30, 0, 0, []),
    ],
)
def test_each_part_has_its_limit_and_the_limit_itself_is_still_fresh(
    quote_s: float, trade_s: float, candle_s: float, found: list[str]
) -> None:
    """A candle is overdue by its own length and the limit."""
    assert stale(quote_s, trade_s, candle_s) == found


def test_a_limit_of_zero_is_none() -> None:
    """Zero is a value, and turns the rule off."""
    assert stale(9999, 9999, 9999, OFF) == []


def test_what_was_never_heard_of_is_as_old_as_the_listening() -> None:
    """A loop that has just begun blames no market."""
    unheard = Heard(quote_at=None, trade_at=None, candle_at=None)

    def after(seconds: float) -> int:
        now = NOON + timedelta(seconds=seconds)
        found = stale_parts(unheard, now=now, since=NOON, candle_length=MINUTE, policy=POLICY)
        return len(found)

    assert [after(60), after(61), after(301)] == [0, 1, 3]


@pytest.mark.parametrize(
    ("errors", "limit", "speaks"), [(2, 3, 0), (3, 3, 1), (9, 3, 1), (9, 0, 0)]
)
def test_so_many_errors_within_the_window_are_too_many(
    errors: int, limit: int, speaks: int
) -> None:
    """SAFE_MODE_MAX_API_ERRORS; 0: never."""
    assert len(error_reasons(errors, Policy(max_api_errors=limit))) == speaks


def test_empty_rounds_in_a_row_stop_entries_for_five_minutes() -> None:
    """SAFE_MODE_EMPTY_SCAN_THRESHOLD; a round with a market ends it at once."""
    scans = Scans()
    for _ in range(2):
        scans = scans.after(is_empty=True, now=NOON, policy=POLICY)
        assert scans.reasons(NOON, POLICY) == ()
    scans = scans.after(is_empty=True, now=NOON, policy=POLICY)

    assert "3 rounds" in scans.reasons(NOON, POLICY)[0]
    assert scans.reasons(NOON + timedelta(seconds=EMPTY_SCANS_S), POLICY) == ()
    assert scans.after(is_empty=False, now=NOON, policy=POLICY).reasons(NOON, POLICY) == ()


def test_a_threshold_of_zero_counts_no_empty_rounds() -> None:
    """Zero is off."""
    never, scans = Policy(max_empty_scans=0), Scans()
    for _ in range(50):
        scans = scans.after(is_empty=True, now=NOON, policy=never)

    assert scans.reasons(NOON, never) == ()
