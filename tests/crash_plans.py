"""The plans that the crash matrix carries out, and what their accounts hold before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from builders import BTC, ETH, d, make_position, make_request, make_stop_request
from zoe_tools.domain.identifiers import GroupId, PositionId
from zoe_tools.domain.intent_group import Style, Ticket
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.order import OrderAmendment, OrderType
from zoe_tools.domain.plan import (
    AdoptPosition,
    AmendOrder,
    CancelOrder,
    PlaceOrder,
    Plan,
    SetTradingState,
    Step,
)
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.domain.trading_state import KillLevel

HOUR = timedelta(hours=1)
NAMES = (
    "entry",
    "market",
    "stop",
    "amend",
    "cancel",
    "store",
    "reprice",
    "renewal",
    "replace",
    "several",
)
"""Every plan, the cheapest first."""

_QUANTITY = d("0.001")


def before(name: str) -> tuple[Callable[[Snapshot], Step], ...]:
    """What the account of a plan has done already."""
    known: dict[str, tuple[Callable[[Snapshot], Step], ...]] = {
        "stop": (_filled,),
        "amend": (_filled, _protected),
        "cancel": (_resting,),
        "reprice": (_grouped,),
        "renewal": (_grouped, _making_room),
        "replace": (_filled, _protected),
        "several": (_filled, _protected, _resting),
    }
    return known.get(name, ())


def plan_named(name: str, snapshot: Snapshot) -> Plan:
    """The plan itself, from the books as they are now."""
    steps: dict[str, Callable[[Snapshot], tuple[Step, ...]]] = {
        "entry": lambda _: (place_limit("69000.0"),),
        "market": lambda _: (_market(),),
        "stop": lambda seen: (_protected(seen),),
        "amend": lambda seen: (_raised(seen),),
        "cancel": lambda seen: (_cancelled(seen),),
        "store": lambda _: (_adopted(), _paused()),
        "reprice": lambda seen: (_repriced(seen),),
        "renewal": lambda seen: (_renewed(seen),),
        "replace": lambda seen: (_stop_cancelled(seen), _protected(seen)),
        "several": lambda seen: (
            _adopted(),
            _eth_stop(),
            _cancelled(seen),
            _raised(seen),
            place_limit("68500.0"),
        ),
    }
    return as_plan(snapshot, *steps[name](snapshot))


def planned_again(plan: Plan, snapshot: Snapshot) -> Plan:
    """What a command would plan in its place: the same, without what the books have already."""
    held = {each.position_id for each in snapshot.positions}
    steps = tuple(
        step
        for step in plan.steps
        if not (isinstance(step, AdoptPosition) and step.position.position_id in held)
        and not (isinstance(step, SetTradingState) and step.level is snapshot.trading_state.level)
    )
    return as_plan(snapshot, *steps)


def as_plan(snapshot: Snapshot, *steps: Step) -> Plan:
    """A plan that lives for an hour."""
    return Plan(
        command="run",
        account=snapshot.account,
        created_at=snapshot.taken_at,
        expires_at=snapshot.taken_at + HOUR,
        steps=steps,
    )


def place_limit(price: str, quantity: Decimal = _QUANTITY) -> PlaceOrder:
    """An entry at a price."""
    return PlaceOrder(request=make_request(quantity=quantity, limit_price=d(price)), reason="test")


def _filled(_: Snapshot) -> Step:
    return place_limit("70000.1")


def _resting(_: Snapshot) -> Step:
    return place_limit("69000.0")


def _market() -> Step:
    request = make_request(quantity=_QUANTITY, order_type=OrderType.MARKET, limit_price=None)
    return PlaceOrder(request=request, reason="test")


def _protected(snapshot: Snapshot) -> Step:
    (position,) = (each for each in snapshot.positions if each.symbol == BTC)
    request = make_stop_request(quantity=_QUANTITY, trigger_price=d("67000.0"))
    return PlaceOrder(request=request, reason="test", position_id=position.position_id)


def _raised(snapshot: Snapshot) -> Step:
    stop = _order(snapshot, "stop")
    assert stop.venue_order_id is not None
    change = OrderAmendment(
        venue_order_id=stop.venue_order_id, symbol=BTC, trigger_price=d("68000.0")
    )
    return AmendOrder(amendment=change, reason="test", position_id=stop.position_id)


def _cancelled(snapshot: Snapshot) -> Step:
    order = _order(snapshot, "entry")
    assert order.venue_order_id is not None
    return CancelOrder(
        venue_order_id=order.venue_order_id,
        symbol=BTC,
        reason="test",
        client_order_id=order.client_order_id,
    )


def _grouped(_: Snapshot) -> Step:
    """An entry that the order desk looks after."""
    return replace(place_limit("69000.0"), ticket=_ticket())


def _ticket(group_id: GroupId | None = None, attempt: int = 0) -> Ticket:
    return Ticket(
        style=Style.NORMAL,
        target_quantity=_QUANTITY,
        ttl_s=d("60"),
        group_id=group_id,
        attempt=attempt,
        arrival_bid=d("70000.0"),
        arrival_ask=d("70000.1"),
        worst_price=d("70500.0"),
    )


def _repriced(snapshot: Snapshot) -> Step:
    """Between the amendment and its ack anything may happen."""
    order = _order(snapshot, "entry")
    assert order.venue_order_id is not None
    change = OrderAmendment(
        venue_order_id=order.venue_order_id, symbol=BTC, limit_price=d("69100.0")
    )
    return AmendOrder(amendment=change, reason="test", purpose="entry", attempt=1)


def _making_room(snapshot: Snapshot) -> Step:
    cancel = _cancelled(snapshot)
    assert isinstance(cancel, CancelOrder)
    return replace(cancel, is_renewal=True)


def _renewed(snapshot: Snapshot) -> Step:
    """After the cancel, the rest: and again only if it is proved that it never came."""
    (group,) = snapshot.groups
    step = place_limit("69100.0")
    return replace(step, ticket=_ticket(group.group_id, attempt=1))


def _stop_cancelled(snapshot: Snapshot) -> Step:
    """On spot the old stop goes before the new one comes."""
    stop = _order(snapshot, "stop")
    assert stop.venue_order_id is not None
    return CancelOrder(
        venue_order_id=stop.venue_order_id,
        symbol=BTC,
        purpose="stop",
        reason="test",
        client_order_id=stop.client_order_id,
        position_id=stop.position_id,
    )


def _order(snapshot: Snapshot, purpose: str) -> OrderRecord:
    (found,) = (
        each for each in snapshot.orders if each.purpose == purpose and not each.status.is_terminal
    )
    return found


def _adopted() -> Step:
    position = make_position(
        symbol=ETH, position_id=PositionId("adopted-eth"), quantity=d("1"), average_cost=d("3000")
    )
    return AdoptPosition(position=position, reason="test")


def _eth_stop() -> Step:
    request = make_stop_request(symbol=ETH, quantity=d("1"), trigger_price=d("2900.0"))
    return PlaceOrder(request=request, reason="test", position_id=PositionId("adopted-eth"))


def _paused() -> Step:
    return SetTradingState(level=KillLevel.PAUSE_ENTRIES, reason="test")
