"""What proves an outcome, and when silence does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from builders import (
    ETH,
    NOON,
    d,
    make_fill,
    make_intent,
    make_order,
    make_venue_order,
)
from zoe_tools.core.proof import (
    RULES,
    Resend,
    Verdict,
    judge_amend,
    judge_cancel,
    judge_place,
    rule_for,
    silence_counts_from,
)
from zoe_tools.domain.identifiers import VenueOrderId
from zoe_tools.domain.journal import IntentKind
from zoe_tools.domain.order import OrderAmendment, OrderStatus, OrderType, Side
from zoe_tools.domain.policy import Policy


def test_an_order_that_bears_our_id_and_agrees_is_ours() -> None:
    """Whatever became of it since."""
    seen = make_venue_order(status=OrderStatus.FILLED, filled_quantity=d("0.0004"))
    judgement = judge_place(make_intent(), make_order(), orders=[seen], fills=[], silent_looks=0)

    assert (judgement.verdict, judgement.order) == (Verdict.DONE, seen)


FOREIGN: list[dict[str, Any]] = [
    {"symbol": ETH},
    {"side": Side.SELL},
    {"order_type": OrderType.MARKET},
    {"quantity": d("0.0005")},
    {"opened_at": NOON - timedelta(seconds=6)},
]


@pytest.mark.parametrize("difference", FOREIGN)
def test_one_that_disagrees_in_anything_is_a_foreign_match(difference: dict[str, Any]) -> None:
    """Instrument, side, type, quantity, or older than the intent."""
    seen = make_venue_order(**difference)
    judgement = judge_place(make_intent(), make_order(), orders=[seen], fills=[], silent_looks=9)

    assert judgement.verdict is Verdict.FOREIGN_MATCH


SILENCES = [(0, Verdict.UNKNOWN), (1, Verdict.UNKNOWN), (2, Verdict.NOT_DONE)]


@pytest.mark.parametrize(("looks", "verdict"), SILENCES)
def test_silence_counts_only_when_it_lasts(looks: int, verdict: Verdict) -> None:
    """Two looks after the deadline and the visibility lag."""
    placed = judge_place(make_intent(), make_order(), orders=[], fills=[], silent_looks=looks)
    cancelled = judge_cancel(make_venue_order(), silent_looks=looks)

    assert (placed.verdict, cancelled.verdict) == (verdict, verdict)


def test_a_trade_alone_is_a_sign_of_life_and_no_proof_of_the_whole() -> None:
    """The order must show itself before it counts; it certainly is not absent."""
    judgement = judge_place(
        make_intent(), make_order(), orders=[], fills=[make_fill()], silent_looks=9
    )

    assert judgement.verdict is Verdict.UNKNOWN


def test_a_cancel_is_done_when_the_order_is_over_however_it_ended() -> None:
    """Filled is over, too: the record says how much."""
    for status in (OrderStatus.CANCELED, OrderStatus.FILLED, OrderStatus.EXPIRED):
        assert judge_cancel(make_venue_order(status=status), silent_looks=0).verdict is Verdict.DONE


AMENDMENT = OrderAmendment(
    venue_order_id=VenueOrderId("O1"), symbol=make_order().symbol, limit_price=d("59000.0")
)
AMENDS = [
    ({"limit_price": d("59000.0")}, 0, Verdict.DONE),
    ({"limit_price": d("60000.0")}, 0, Verdict.UNKNOWN),
    ({"limit_price": d("60000.0")}, 2, Verdict.NOT_DONE),
    ({"status": OrderStatus.CANCELED}, 0, Verdict.NOT_DONE),
]


@pytest.mark.parametrize(("seen", "looks", "verdict"), AMENDS)
def test_an_amendment_is_done_when_the_order_shows_the_new_values(
    seen: dict[str, Any], looks: int, verdict: Verdict
) -> None:
    """An order that is over shows the old ones for good."""
    assert judge_amend(AMENDMENT, make_venue_order(**seen), silent_looks=looks).verdict is verdict
    assert judge_amend(AMENDMENT, None, silent_looks=looks).verdict is not Verdict.DONE


def test_only_cancels_and_protective_stops_may_go_again() -> None:
    """The table in words and in code."""
    assert rule_for(IntentKind.PLACE, "entry").resend is Resend.NEVER
    assert rule_for(IntentKind.PLACE, "exit").resend is Resend.NEVER
    assert rule_for(IntentKind.PLACE, "stop").resend is Resend.SAME_AFTER_DEADLINE
    assert rule_for(IntentKind.AMEND, "stop").resend is Resend.SAME_AFTER_DEADLINE
    assert rule_for(IntentKind.CANCEL, "entry").resend is Resend.ALWAYS
    assert {rule.done_by for rule in RULES.values()} != {""}


def test_silence_counts_from_the_deadline_plus_the_visibility_lag() -> None:
    """Five seconds and sixty."""
    assert silence_counts_from(make_intent(), Policy()) == NOON + timedelta(seconds=65)
