"""Which stop a held position needs: one that rests, one that changes in place, or a sale instead.

The rest of a turn, entries and exits, is in `test_run.py`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders import NOON, d, make_instrument, make_intent, make_position, make_quote, make_stop
from zoe_tools.core.protection import Held, protect, reason_to_leave
from zoe_tools.domain.identifiers import PositionId, VenueOrderId
from zoe_tools.domain.instrument import InstrumentStatus
from zoe_tools.domain.journal import FOR_NOW, Intent, IntentKind, IntentState
from zoe_tools.domain.market import Quote
from zoe_tools.domain.order import OrderStatus, OrderType
from zoe_tools.domain.plan import AmendOrder, CancelOrder, PlaceOrder
from zoe_tools.domain.policy import Policy

POSITION = make_position(stop_price=d("58800.0"))
OTHER = replace(POSITION, position_id=PositionId("another"))
LATER = NOON + timedelta(seconds=30)


def held(**changes: Any) -> Held:
    """The position without a stop, at a market of 60000."""
    values: dict[str, Any] = {
        "position": POSITION,
        "instrument": make_instrument(),
        "policy": Policy(),
        "working": (),
        "quote": make_quote(),
    }
    return Held(**{**values, **changes})


def no(
    kind: IntentKind = IntentKind.PLACE, words: str = "EOrder:Invalid price", **changes: Any
) -> Intent:
    """The venue refused a stop of it, or a change of one."""
    values: dict[str, Any] = {
        "kind": kind,
        "state": IntentState.REJECTED,
        "purpose": "stop",
        "evidence": words,
        "position_id": POSITION.position_id,
        "created_at": LATER,
    }
    return make_intent(**{**values, **changes})


def at(bid: str) -> Quote:
    """A market."""
    return make_quote(bid=d(bid), ask=d(bid) + d("0.1"))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"quote": at("58800.1")}, ""),
        ({"quote": at("58800.0")}, "passed its stop at 58800"),
        ({"quote": at("50000.0")}, "passed its stop at 58800"),
        ({"quote": None}, ""),
        ({"quote": at("50000.0"), "working": (make_stop(POSITION),)}, ""),
        (
            {"quote": at("50000.0"), "working": (make_stop(POSITION, status=OrderStatus.UNKNOWN),)},
            "",
        ),
        ({"refusals": (no(), no())}, ""),
        ({"refusals": (no(), no(), no())}, "refused its stop 3 times"),
        ({"refusals": (no(), no(), no(words=FOR_NOW + "EAPI:Rate limit exceeded"))}, ""),
        ({"refusals": (no(), no(), no(IntentKind.AMEND))}, ""),
        ({"refusals": (no(),) * 9, "policy": Policy(stop_refusals_until_sale=0)}, ""),
        ({"refusals": (no(),) * 9, "working": (make_stop(POSITION),)}, ""),
        ({"refusals": (no(),) * 9, "recent": (make_stop(POSITION, created_at=LATER),)}, ""),
        ({"refusals": (no(),) * 3, "recent": (make_stop(POSITION, created_at=NOON),)}, "3 times"),
        ({"refusals": (no(),) * 3, "recent": (make_stop(OTHER, created_at=LATER),)}, "3 times"),
    ],
)
def test_a_position_that_no_stop_can_hold_is_left(changes: dict[str, Any], reason: str) -> None:
    """Where its stop was passed, by a fresh quote, or is refused for good; never beside a stop."""
    found = reason_to_leave(held(**changes))

    assert reason in found
    assert bool(found) == bool(reason)


def test_where_no_quote_is_fresh_the_stop_is_the_venue_s_to_judge() -> None:
    """A price that stands still is no price: protection goes out all the same."""
    (step,) = protect(held(quote=None))

    assert isinstance(step, PlaceOrder)
    assert step.request.trigger_price == d("58800.0")


@pytest.mark.parametrize(
    ("changes", "amended"),
    [
        ({}, None),
        ({"trigger_price": d("58000.0")}, (POSITION.quantity, d("58800.0"))),
        ({"trigger_price": d("59000.0")}, None),
        ({"quantity": d("0.0003")}, (POSITION.quantity, None)),
        (
            {"quantity": d("0.0003"), "trigger_price": d("58000.0")},
            (POSITION.quantity, d("58800.0")),
        ),
    ],
)
def test_a_stop_changes_in_place_quantity_and_trigger_at_once(
    changes: dict[str, Any], amended: tuple[Any, Any] | None
) -> None:
    """One amendment, no gap; a trigger moves towards profit alone."""
    steps = list(protect(held(working=(make_stop(POSITION, **changes),))))

    if amended is None:
        assert steps == []
        return
    (step,) = steps
    assert isinstance(step, AmendOrder)
    assert (step.amendment.quantity, step.amendment.trigger_price) == amended


@pytest.mark.parametrize(
    "changes", [{"is_lowered": True}, {"quote": at("58800.0")}, {"quote": None}]
)
def test_a_trigger_stays_where_somebody_put_it_and_where_the_new_one_would_fire(
    changes: dict[str, Any],
) -> None:
    """Told and not fought; and never into the market."""
    low = make_stop(POSITION, trigger_price=d("58000.0"))

    assert list(protect(held(working=(low,), **changes))) == []


ANOTHER_TYPE = {"order_type": OrderType.STOP_LOSS_LIMIT}
TOO_SMALL = {"quantity": d("0.0003")}
NOT_AMENDED = (no(IntentKind.AMEND, venue_order_id=make_stop(POSITION).venue_order_id),)
FOR_NOW_NOT_AMENDED = (replace(NOT_AMENDED[0], evidence=FOR_NOW + "EAPI:Rate limit exceeded"),)


@pytest.mark.parametrize(
    ("changes", "refusals", "expected"),
    [
        (ANOTHER_TYPE, (), CancelOrder),
        (TOO_SMALL, NOT_AMENDED, CancelOrder),
        (TOO_SMALL, FOR_NOW_NOT_AMENDED, AmendOrder),
        (TOO_SMALL, (no(IntentKind.AMEND, venue_order_id=VenueOrderId("X")),), AmendOrder),
        ({}, NOT_AMENDED, None),
        (ANOTHER_TYPE | {"status": OrderStatus.CANCEL_PENDING}, (), None),
        (ANOTHER_TYPE | {"status": OrderStatus.UNKNOWN}, (), None),
    ],
)
def test_a_stop_that_cannot_be_amended_makes_room_for_another(
    changes: dict[str, Any], refusals: tuple[Intent, ...], expected: type | None
) -> None:
    """Its type is another, or the venue said no for good; the new one waits for the proof."""
    steps = list(protect(held(working=(make_stop(POSITION, **changes),), refusals=refusals)))

    assert [type(each) for each in steps] == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    "changes",
    [
        {"quote": None},
        {"quote": at("58800.0")},
        {"instrument": replace(make_instrument(), status=InstrumentStatus.CANCEL_ONLY)},
    ],
)
def test_a_stop_is_not_given_up_where_the_next_one_would_not_rest(
    changes: dict[str, Any],
) -> None:
    """The old one, whatever it lacks, is better than none."""
    assert list(protect(held(working=(make_stop(POSITION, **ANOTHER_TYPE),), **changes))) == []
