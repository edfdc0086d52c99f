"""What the strategy wants to enter waits for its turn, and for no other one's sake."""

from __future__ import annotations

from datetime import timedelta

import pytest

from builders import BTC, ETH, NOON
from zoe_tools.core.strategy.protocol import Decision
from zoe_tools.engine.entries_wanted import EntriesWanted

BUY = Decision(symbol=BTC, action="enter", reason="cheap")
AGAIN = Decision(symbol=BTC, action="enter", reason="cheaper")
HOLD = Decision(symbol=BTC, action="hold", reason="dear")
OTHER = Decision(symbol=ETH, action="enter", reason="cheap")


def taken() -> EntriesWanted:
    """One that was planned."""
    wanted = EntriesWanted(10.0)
    wanted.note(NOON, (BUY, OTHER))
    assert wanted.first(NOON, ()) == (BUY,)
    wanted.take((BUY,))
    return wanted


def test_what_was_put_back_waits_behind_the_others_and_gets_no_younger() -> None:
    """About the market as it was: ten seconds after it was decided it is forgotten."""
    wanted = taken()
    wanted.put_back((BUY,))
    assert wanted.symbols == (ETH, BTC)
    wanted.take((OTHER,))
    assert wanted.first(NOON + timedelta(seconds=10), ()) == (BUY,)
    assert wanted.first(NOON + timedelta(seconds=11), ()) == ()


@pytest.mark.parametrize(("since", "left"), [(HOLD, (ETH,)), (AGAIN, (ETH, BTC))])
def test_what_was_decided_since_goes_before_what_is_put_back(
    since: Decision, left: tuple[str, ...]
) -> None:
    """A decision to hold, or another one to enter."""
    wanted = taken()
    wanted.note(NOON, (since,))
    wanted.put_back((BUY,))
    assert wanted.symbols == left
    wanted.take((OTHER,))
    assert wanted.first(NOON, ()) == ((AGAIN,) if since is AGAIN else ())


def test_what_is_cleared_is_not_put_back() -> None:
    """A kill came in between."""
    wanted = taken()
    wanted.clear()
    wanted.put_back((BUY,))
    assert not wanted
