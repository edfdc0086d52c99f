"""When the sale of a position comes to nothing, and what is done then: the stop goes back first."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from builders import BTC, NOON, d, make_intent, make_order, make_position, make_stop, snapshot_with
from zoe_tools.core.run import plan_run
from zoe_tools.core.unsold import (
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    SALES_UNTIL_STOP,
    Unsold,
    is_selling,
    unsold_of,
)
from zoe_tools.domain.identifiers import ClientOrderId, PositionId, VenueOrderId
from zoe_tools.domain.journal import IntentKind, IntentState, OrderRecord
from zoe_tools.domain.order import OrderStatus, Side
from zoe_tools.domain.plan import AmendOrder, CancelOrder, PlaceOrder, Step

P1 = PositionId("P1")
HELD = make_position(quantity=d("0.001"))


def sale(second: float, status: OrderStatus = OrderStatus.REJECTED, **changes: Any) -> OrderRecord:
    """A sale of that second; one that the venue refused."""
    at = NOON + timedelta(seconds=second)
    values: dict[str, Any] = {
        "client_order_id": ClientOrderId(f"S{second}"),
        "venue_order_id": None,
        "position_id": P1,
        "side": Side.SELL,
        "purpose": "exit",
        "status": status,
        "quantity": d("0.001"),
        "created_at": at,
        "updated_at": at,
    }
    return make_order(**{**values, **changes})


def taken(second: float, lived_s: float, status: OrderStatus, **changes: Any) -> OrderRecord:
    """One that the venue took, and that ended so much later."""
    ended = NOON + timedelta(seconds=second + lived_s)
    name = VenueOrderId(f"O{second}")
    return sale(second, status, venue_order_id=name, updated_at=ended, **changes)


REFUSED = tuple(sale(each) for each in range(3))
FILLED = taken(3, 1, OrderStatus.FILLED, filled_quantity=d("0.001"))
TRIED = taken(3, 1, OrderStatus.FILLED, filled_quantity=d("0.0001"))


@pytest.mark.parametrize(
    ("orders", "noted", "expected"),
    [
        ((), (), None),
        (REFUSED[:2], (), None),
        (REFUSED, (), (0, 2)),
        ((*REFUSED, sale(9)), (), (1, 9)),
        ((*REFUSED, sale(9), sale(29)), (), (2, 29)),
        ((*REFUSED, FILLED), (), None),
        ((*REFUSED, TRIED, sale(6)), (), (1, 6)),
        ((FILLED, sale(6), sale(7)), (), None),
        ((*REFUSED, sale(5, OrderStatus.PENDING_NEW)), (), None),
        ((*REFUSED, taken(5, 0, OrderStatus.OPEN)), (), None),
        ((*REFUSED, sale(5, OrderStatus.UNKNOWN)), (), None),
        (tuple(sale(each, position_id=PositionId("P2")) for each in range(3)), (), None),
        (tuple(sale(each, purpose="stop") for each in range(3)), (), None),
        (tuple(sale(each, purpose="flatten") for each in range(3)), (), (0, 2)),
        (tuple(taken(each, 0.5, OrderStatus.CANCELED) for each in range(3)), (), (0, 2.5)),
        (tuple(taken(each, 9, OrderStatus.CANCELED) for each in range(3)), (), None),
        ((), (7,), (0, 7)),
        ((), (7, 13, 24), (2, 24)),
        (REFUSED[:1], (7,), (0, 7)),
        ((*REFUSED, sale(9)), (8.9,), (1, 9)),
        ((FILLED,), (3,), None),
        ((FILLED,), (9,), (0, 9)),
    ],
)
def test_a_sale_has_come_to_nothing_after_three_refusals_or_too_long_a_time(
    orders: tuple[OrderRecord, ...], noted: tuple[float, ...], expected: tuple[int, float] | None
) -> None:
    """Whatever is taken ends it; with a history, one more refusal is enough."""
    found = unsold_of(P1, orders, [NOON + timedelta(seconds=each) for each in noted])

    if expected is None:
        assert found is None
    else:
        rounds, second = expected
        assert found == Unsold(rounds=rounds, last_at=NOON + timedelta(seconds=second))
    assert is_selling(P1, orders) == any(not each.status.is_terminal for each in orders)
    assert SALES_UNTIL_STOP == 3


@pytest.mark.parametrize(
    ("rounds", "second", "is_bare", "expected"),
    [
        (0, 4.9, False, False),
        (0, 5, False, True),
        (1, 9.9, False, False),
        (1, 10, False, True),
        (3, 39, False, False),
        (3, 40, False, True),
        (50, 59, False, False),
        (50, 60, False, True),
        (50, 4.9, True, False),
        (50, 5, True, True),
        (50, -1, False, True),
    ],
)
def test_the_pauses_grow_while_the_stop_rests(
    rounds: int,
    second: float,
    is_bare: bool,  # noqa: FBT001 - a table
    expected: bool,  # noqa: FBT001 - a table
) -> None:
    """Bare they do not; by a clock that was set back nothing waits."""
    unsold = Unsold(rounds=rounds, last_at=NOON)

    assert unsold.is_due(NOON + timedelta(seconds=second), is_bare=is_bare) is expected
    assert FIRST_PAUSE_S <= unsold.pause_s <= LONGEST_PAUSE_S


def steps(*orders: OrderRecord, age_s: float, held: Any = HELD, **changes: Any) -> list[str]:
    """What is done about a position that is left, so long after its sale came to nothing."""
    snapshot = snapshot_with(positions=(held,), orders=orders, **changes)
    unsold = Unsold(rounds=0, last_at=snapshot.taken_at - timedelta(seconds=age_s))
    plan = plan_run(snapshot, (), frozenset({P1}), unsold={P1: unsold})
    return [_told(each) for each in plan.steps]


def _told(step: Step) -> str:
    match step:
        case PlaceOrder(request=request):
            return f"place {request.purpose} {request.quantity.normalize():f}"
        case AmendOrder(amendment=change):
            return f"amend {change.quantity.normalize():f}" if change.quantity else "amend"
        case CancelOrder():
            return f"cancel {step.purpose}"
        case _:
            return type(step).__name__


STOP = make_stop(HELD)
SMALL = make_position(quantity=d("0.00015"))
NO_AMENDING = make_intent(
    kind=IntentKind.AMEND,
    state=IntentState.REJECTED,
    purpose="stop",
    position_id=P1,
    venue_order_id=STOP.venue_order_id,
)


@pytest.mark.parametrize(
    ("orders", "age_s", "changes", "expected"),
    [
        ((), 1, {}, ["place stop 0.001"]),
        ((STOP,), 1, {}, []),
        ((make_stop(HELD, quantity=d("0.0009")),), 1, {}, ["amend 0.001"]),
        ((), 5, {}, ["place exit 0.001"]),
        ((STOP,), 5, {}, ["amend 0.0009", "place exit 0.0001"]),
        ((make_stop(HELD, quantity=d("0.0009")),), 5, {}, ["cancel stop"]),
        ((STOP,), 5, {"refusals": (NO_AMENDING,)}, ["cancel stop"]),
        ((make_stop(SMALL),), 5, {"held": SMALL}, ["cancel stop"]),
        ((), 5, {"held": SMALL}, ["place exit 0.00015"]),
        ((make_stop(HELD, status=OrderStatus.CANCEL_PENDING),), 5, {}, []),
    ],
)
def test_the_stop_goes_back_and_yields_a_small_part_to_the_next_try(
    orders: tuple[OrderRecord, ...], age_s: float, changes: dict[str, Any], expected: list[str]
) -> None:
    """Where no part can be tried beside it, it makes room for all of the sale."""
    assert steps(*orders, age_s=age_s, **changes) == expected


def test_stop_and_sale_never_ask_for_the_same_coins() -> None:
    """What both take together is what is held, to the last step."""
    snapshot = snapshot_with(positions=(HELD,), orders=(STOP,))
    unsold = {P1: Unsold(rounds=0, last_at=NOON - timedelta(seconds=60))}
    shrunk, tried = plan_run(snapshot, (), frozenset({P1}), unsold=unsold).steps

    assert isinstance(shrunk, AmendOrder)
    assert isinstance(tried, PlaceOrder)
    assert shrunk.amendment.quantity is not None
    assert shrunk.amendment.quantity + tried.request.quantity == HELD.quantity
    assert tried.request.symbol == BTC
    assert tried.notional is not None
    assert tried.notional < HELD.quantity * HELD.average_cost / 5
