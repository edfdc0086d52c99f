"""What the veto holds an intent group to: its target, its worst price, and the limits of money."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from builders import (
    NOON,
    d,
    make_group,
    make_intent,
    make_order,
    make_position,
    make_request,
    place,
    plan_with,
    snapshot_with,
)
from zoe_tools.core.risk import veto
from zoe_tools.domain.identifiers import ClientOrderId, GroupId
from zoe_tools.domain.intent_group import Style, Ticket
from zoe_tools.domain.journal import IntentKind, IntentState
from zoe_tools.domain.order import OrderAmendment, OrderRequest, OrderStatus, OrderType, Side
from zoe_tools.domain.plan import AmendOrder, PlaceOrder, Step
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.snapshot import Snapshot

GROUP = make_group(target_quantity=d("0.0004"), worst_price=d("60100.0"))


def ticket(**changes: Any) -> Ticket:
    """Of the group that there is."""
    values: dict[str, Any] = {
        "style": Style.NORMAL,
        "target_quantity": d("0.0004"),
        "ttl_s": d("60"),
        "group_id": GROUP.group_id,
        "worst_price": d("60100.0"),
    }
    return Ticket(**{**values, **changes})


def codes(snapshot: Snapshot, *steps: Step) -> list[str]:
    """The refusals of a plan of these."""
    return [refusal.code for refusal in veto(plan_with(*steps), snapshot)]


def entry(quantity: str, price: str = "60000.0", **changes: Any) -> PlaceOrder:
    """An order of the group."""
    request = make_request(quantity=d(quantity), limit_price=d(price))
    return place(request, ticket=ticket(**changes))


def earlier(**changes: Any) -> Any:
    """An order of the group that is over, half filled."""
    values: dict[str, Any] = {
        "group_id": GROUP.group_id,
        "status": OrderStatus.CANCELED,
        "quantity": d("0.0004"),
        "filled_quantity": d("0.0002"),
    }
    return make_order(**{**values, **changes})


@pytest.mark.parametrize(
    ("orders", "steps", "refused"),
    [
        ((), (entry("0.0004"),), []),
        ((), (entry("0.00040001"),), ["GROUP_OVERFILL"]),
        ((earlier(),), (entry("0.0002"),), []),
        ((earlier(),), (entry("0.00020001"),), ["GROUP_OVERFILL"]),
        # What may still fill counts as if it had: an unknown outcome too.
        ((earlier(status=OrderStatus.UNKNOWN),), (entry("0.0001"),), ["GROUP_OVERFILL"]),
        ((earlier(status=OrderStatus.CANCEL_PENDING),), (entry("0.0001"),), ["GROUP_OVERFILL"]),
        ((), (entry("0.0004", "60100.1"),), ["WORST_PRICE"]),
        # Two in one plan.
        ((), (entry("0.0002"), entry("0.0003", "59999.0")), ["GROUP_OVERFILL"]),
    ],
)
def test_an_order_of_a_group_stays_within_target_and_worst_price(
    orders: tuple[Any, ...], steps: tuple[Step, ...], refused: list[str]
) -> None:
    """By all that the snapshot knows of the group, and by the plan's own earlier steps."""
    policy = Policy(duplicate_window_s=0.0)
    snapshot = snapshot_with(groups=(GROUP,), recent_orders=orders, policy=policy)

    assert codes(snapshot, *steps) == refused


def test_what_a_group_may_come_to_is_reckoned_at_its_worst_price() -> None:
    """24 dollars at its limit, 26 at its worst: refused before the first cent is spent."""
    dear = entry("0.0004", group_id=None, worst_price=d("65000.0"))

    assert codes(snapshot_with(), dear) == ["MAX_NOTIONAL_PER_TRADE"]


def amended(**changes: Any) -> AmendOrder:
    """A repricing of the working entry."""
    order = make_order()
    assert order.venue_order_id is not None
    change = OrderAmendment(venue_order_id=order.venue_order_id, symbol=order.symbol, **changes)
    return AmendOrder(amendment=change, reason="test", purpose="entry", attempt=1)


@pytest.mark.parametrize(
    ("changes", "policy", "refused"),
    [
        ({"limit_price": d("60050.0")}, {}, []),
        ({"limit_price": d("60100.1")}, {}, ["WORST_PRICE"]),
        ({"limit_price": d("60050.05")}, {}, ["OFF_TICK"]),
        ({"limit_price": d("63100.0")}, {}, ["PRICE_COLLAR"]),
        ({"quantity": d("0.00041")}, {}, ["GROUP_OVERFILL"]),
        # Cheaper is always allowed.
        ({"limit_price": d("59000.0")}, {"max_exposure_notional": d("1")}, []),
    ],
)
def test_a_repriced_buy_passes_the_limits_of_money_again(
    changes: dict[str, Any], policy: dict[str, Any], refused: list[str]
) -> None:
    """What a buy costs grows with its price."""
    order = make_order(group_id=GROUP.group_id, notional=d("0"))
    snapshot = snapshot_with(groups=(GROUP,), orders=(order,), policy=Policy(**policy))

    assert codes(snapshot, amended(**changes)) == refused


@pytest.mark.parametrize(
    "limit",
    [
        "max_notional_per_trade",
        "max_unexecuted_notional",
        "max_position_notional",
        "max_exposure_notional",
    ],
)
def test_a_dearer_price_is_held_to_each_limit_of_money(limit: str) -> None:
    """24 dollars at 60000, a little more at 60050."""
    order = make_order(group_id=GROUP.group_id, notional=d("0"))
    limits: dict[str, Any] = {limit: d("24")}
    policy = Policy(**limits)
    snapshot = snapshot_with(groups=(GROUP,), orders=(order,), policy=policy)

    assert codes(snapshot, amended(limit_price=d("60050.0"))) == [limit.upper()]


def test_the_day_s_money_counts_what_a_repricing_adds() -> None:
    """Fifty dollars were spent, and not a cent is left for a better price."""
    order = make_order(group_id=GROUP.group_id, notional=d("0"))
    snapshot = snapshot_with(groups=(GROUP,), orders=(order,), daily_notional=d("50"))

    assert codes(snapshot, amended(limit_price=d("60050.0"))) == ["MAX_DAILY_NOTIONAL"]


def test_no_group_keeps_a_sale_back() -> None:
    """A sale is held to its position alone, whatever the desk's books say."""
    position = make_position()
    request = OrderRequest(
        symbol=position.symbol,
        side=Side.SELL,
        order_type=OrderType.MARKET,
        quantity=position.quantity,
        purpose="exit",
    )
    tiny = ticket(target_quantity=d("0.00000001"), group_id=GroupId("G-9"))
    step = place(request, ticket=tiny, position_id=position.position_id)
    refusal = make_intent(kind=IntentKind.PLACE, state=IntentState.REJECTED, created_at=NOON)
    snapshot = snapshot_with(positions=(position,), refusals=(refusal,) * 9)

    assert codes(snapshot, step) == []


def test_an_instrument_that_is_refused_too_often_is_not_entered() -> None:
    """The other ones are."""
    refusal = make_intent(kind=IntentKind.PLACE, state=IntentState.REJECTED, created_at=NOON)

    assert codes(snapshot_with(refusals=(refusal,) * 2), place()) == []
    assert codes(snapshot_with(refusals=(refusal,) * 3), place()) == ["REPEATED_REJECTIONS"]


NAME = ClientOrderId("unused")


def test_an_order_that_made_room_for_another_of_its_group_is_no_idle_entry() -> None:
    """Twenty decisions, each cancelled once to be replaced, all of them filled in the end."""
    orders = [
        make_order(
            client_order_id=ClientOrderId(f"C{n}-{attempt}"),
            group_id=GroupId(f"G{n}"),
            replace_count=attempt,
            status=OrderStatus.FILLED if attempt else OrderStatus.CANCELED,
            filled_quantity=d("0.0004") if attempt else d("0"),
            created_at=NOON - timedelta(minutes=30),
        )
        for n in range(20)
        for attempt in (0, 1)
    ]
    policy = Policy(max_cancel_ratio_pct=d("10"))

    assert codes(snapshot_with(recent_orders=tuple(orders), policy=policy), place()) == []
    idle = tuple(each for each in orders if each.replace_count == 0)
    assert codes(snapshot_with(recent_orders=idle, policy=policy), place()) == ["CANCEL_RATIO"]
