"""What an operator's word cancels and spares."""

from __future__ import annotations

from typing import Any

import pytest

from builders import BTC, ETH, d, make_order, make_venue_order, snapshot_with
from zoe_tools.core.orders_cancel import Choice, plan_orders_cancel
from zoe_tools.domain.identifiers import ClientOrderId, VenueOrderId
from zoe_tools.domain.order import OrderStatus, OrderType, Side
from zoe_tools.domain.plan import CancelOrder, still_open, values_of
from zoe_tools.domain.snapshot import Missing
from zoe_tools.errors import ConfigError, VenueUnavailable


def pair(name: str, **changes: Any) -> tuple[Any, Any]:
    """An order in our books and at the venue."""
    ids = {
        "client_order_id": ClientOrderId(f"c-{name}"),
        "venue_order_id": VenueOrderId(f"O-{name}"),
    }
    ours = make_order(**ids, **changes)
    changes.pop("purpose", None)
    return ours, make_venue_order(**ids, **changes)


ENTRY = pair("ENTRY")
EXIT = pair("EXIT", symbol=ETH, side=Side.SELL, purpose="exit")
STOP = pair(
    "STOP",
    side=Side.SELL,
    purpose="stop",
    order_type=OrderType.STOP_LOSS,
    limit_price=None,
    trigger_price=d("58000.0"),
)
STRANGER = make_venue_order(venue_order_id=VenueOrderId("O-STRANGER"), client_order_id=None)
FILLED = make_order(
    client_order_id=ClientOrderId("c-FILLED"),
    venue_order_id=VenueOrderId("O-FILLED"),
    status=OrderStatus.FILLED,
)
WORLD = snapshot_with(
    orders=(ENTRY[0], EXIT[0], STOP[0], FILLED),
    open_orders=(ENTRY[1], EXIT[1], STOP[1], STRANGER),
)

CHOICES = [
    (Choice(), ["O-ENTRY", "O-EXIT"], ["protective stop", "not zoe's"]),
    (
        Choice(include_protection=True),
        ["O-ENTRY", "O-EXIT", "O-STOP"],
        ["not zoe's"],
    ),
    (Choice(symbol=ETH), ["O-EXIT"], []),
    (Choice(symbol=BTC), ["O-ENTRY"], ["protective stop", "not zoe's"]),
    (Choice(ids=("O-ENTRY",)), ["O-ENTRY"], []),
    (Choice(ids=("c-ENTRY",)), ["O-ENTRY"], []),
    (Choice(ids=("O-STRANGER", "O-EXIT")), ["O-EXIT", "O-STRANGER"], []),
    (Choice(ids=("O-STOP",)), [], ["protective stop"]),
    (Choice(ids=("O-STOP",), include_protection=True), ["O-STOP"], []),
    (Choice(ids=("O-FILLED",)), [], ["filled already"]),
]


@pytest.mark.parametrize(("choice", "cancelled", "told"), CHOICES)
def test_exactly_what_is_chosen_goes_and_the_rest_is_named(
    choice: Choice, cancelled: list[str], told: list[str]
) -> None:
    """Protection stays unless asked for; what is not ours goes by its id alone."""
    plan = plan_orders_cancel(WORLD, choice)
    steps = [each.venue_order_id for each in plan.steps if isinstance(each, CancelOrder)]

    assert steps == cancelled
    assert len(plan.notes) == len(told)
    assert all(word in note for word, note in zip(told, plan.notes, strict=True))


def test_an_id_that_nobody_knows_is_an_error() -> None:
    """A typing error must not read as done."""
    with pytest.raises(ConfigError, match="O-NOBODY"):
        plan_orders_cancel(WORLD, Choice(ids=("O-NOBODY",)))


def test_an_order_that_the_venue_does_not_show_is_told_and_not_cancelled() -> None:
    """Our books may be behind; reconcile knows."""
    plan = plan_orders_cancel(snapshot_with(orders=(ENTRY[0],)), Choice(ids=("O-ENTRY",)))

    assert plan.is_empty
    assert "zoe reconcile" in plan.notes[0]


def test_without_the_open_orders_there_is_no_plan() -> None:
    """A failed read is no empty list."""
    with pytest.raises(VenueUnavailable):
        plan_orders_cancel(snapshot_with(open_orders=Missing("down")), Choice())


def test_each_cancel_shows_what_is_given_up() -> None:
    """What the order rests at; so a saved plan is held to it, should somebody amend the order."""
    plan = plan_orders_cancel(WORLD, Choice(ids=("O-ENTRY", "O-STOP"), include_protection=True))

    rests = {
        step.venue_order_id: (step.before, step.preconditions)
        for step in plan.steps
        if isinstance(step, CancelOrder)
    }
    assert rests == {
        order.venue_order_id: (values_of(order), (still_open(order),))
        for order in (ENTRY[1], STOP[1])
    }
