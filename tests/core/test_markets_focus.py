"""What a word of the operator's changes in the focus."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from builders import BTC, ETH, NOON
from zoe_tools.core.markets_focus import FocusChange, focus_changes
from zoe_tools.domain.market_watch import FocusClaim, FocusReason

SOON = NOON + timedelta(hours=1)
MANUAL = FocusClaim(symbol=BTC, reason=FocusReason.MANUAL, since=NOON)
HELD = FocusClaim(symbol=ETH, reason=FocusReason.POSITION, since=NOON)


def test_a_claim_is_made_once() -> None:
    """Run again, nothing is to be done."""
    first = focus_changes((), added=[BTC, BTC], removed=(), now=NOON, until=None)

    assert first == (FocusChange(symbol=BTC, claim=MANUAL, reasons=("manual",)),)
    assert focus_changes((MANUAL,), added=[BTC], removed=(), now=SOON, until=None) == ()


def test_a_new_end_is_a_change_that_keeps_the_beginning() -> None:
    """And one that has expired begins anew."""
    later = SOON + timedelta(hours=1)
    (change,) = focus_changes((MANUAL,), added=[BTC], removed=(), now=SOON, until=later)
    over = replace(MANUAL, expires_at=SOON)
    (anew,) = focus_changes((over,), added=[BTC], removed=(), now=SOON, until=later)

    assert change.claim == replace(MANUAL, expires_at=later)
    assert anew.claim == replace(MANUAL, since=SOON, expires_at=later)


def test_what_is_held_stays_in_focus() -> None:
    """Only the operator's own reason goes."""
    both = (HELD, FocusClaim(symbol=ETH, reason=FocusReason.MANUAL, since=NOON))

    assert focus_changes(both, added=(), removed=[ETH], now=NOON, until=None) == (
        FocusChange(symbol=ETH, claim=None, reasons=("position",)),
    )
    assert focus_changes((HELD,), added=(), removed=[ETH], now=NOON, until=None) == ()
