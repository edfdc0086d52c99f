"""The answer to a placed order is lost: nobody knows, until `zoe reconcile --execute` proves it.

The real command line, a real paper exchange, and its faults.
"""

from __future__ import annotations

import pytest

from program import Home, result_of
from zoe_tools.domain.journal import IntentState

READS = ("QueryOrders", "OpenOrders", "ClosedOrders")
"""Where one looks for an order: as long as they come empty, nothing is proved."""

FAR_BELOW = "100"
"""The market: a stop at 98 stays."""

ADOPTION = ("sync-positions", "--price", FAR_BELOW, "--adopt", "BTC/USD=0.5", "--execute")


def arm(home: Home, fault: str, where: str, *, times: str) -> None:
    """From now on; `times` 0 is for ever."""
    ran = home.here("paper", "fault", fault, "--where", where, "--times", times)
    assert ran.code == 0, ran.err


@pytest.mark.parametrize(
    ("fault", "state", "evidence"),
    [
        ("accept-then-drop", IntentState.CONFIRMED, "is open, 0 of 0.5 filled"),
        ("reply-lost-before", IntentState.REJECTED, "it never happened"),
    ],
)
def test_a_lost_answer_is_settled_by_the_venues_records(
    home: Home, fault: str, state: IntentState, evidence: str
) -> None:
    """Exit 6 at first; a look exits 3 and settles nothing; with --execute the evidence is told."""
    home.fund({"USD": "10000", "BTC": "2"})
    home.serve("--speed", "60")
    home.init()
    arm(home, fault, "AddOrder", times="2")
    for read in READS:
        arm(home, "empty-answer", read, times="0")
    assert home.here(*ADOPTION).code == 6
    assert home.here("paper", "fault", "--clear").code == 0
    (intent,) = home.in_the_books(lambda tx: tx.unresolved_intents())
    at_the_venue = home.venue_records()

    looked = home.here("reconcile")
    assert looked.code == 3, looked.err
    assert home.in_the_books(lambda tx: tx.unresolved_intents()) == (intent,)

    settled = home.here("reconcile", "--execute", "--json")
    (told,) = result_of(settled)["resolutions"]
    assert (told["intent_id"], told["state"]) == (intent.intent_id, state.value)
    assert evidence in told["evidence"]
    assert home.in_the_books(lambda tx: tx.unresolved_intents()) == ()
    assert home.venue_records() == at_the_venue

    again = home.here("reconcile", "--execute", "--json")
    assert again.code == settled.code
    assert result_of(again)["resolutions"] == []
