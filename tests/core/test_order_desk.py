"""What the desk does with the orders of an intent group, by the clock and the market alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders import (
    BTC,
    NOON,
    d,
    make_catalogue,
    make_group,
    make_instrument,
    make_intent,
    make_order,
    make_quote,
    snapshot_with,
)
from zoe_tools.core.order_desk import (
    Desk,
    desk_of,
    entry_style,
    opening_of,
    renew_entry,
    room_for,
    sale_of,
    settled,
    tend_entry,
    tend_exit,
)
from zoe_tools.core.run import is_escalated
from zoe_tools.domain.identifiers import ClientOrderId, VenueOrderId
from zoe_tools.domain.instrument import InstrumentStatus
from zoe_tools.domain.intent_group import GroupEnd, Style
from zoe_tools.domain.journal import IntentKind, IntentState, OrderRecord
from zoe_tools.domain.market import VenueMode
from zoe_tools.domain.order import OrderStatus, OrderType, Side
from zoe_tools.domain.plan import AmendOrder, CancelOrder, EndGroup, PlaceOrder
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.snapshot import Missing, value_of

CENT = make_instrument(tick_size=d("0.01"), price_decimals=2, min_quantity=d("0.5"))
WORKED = make_quote(bid=d("100.00"), ask=d("100.20"))
WIDE = make_quote(bid=d("99.70"), ask=d("100.30"))
GROUP = make_group(target_quantity=d("10"), worst_price=d("101"))
SALE = make_group(purpose="exit", side=Side.SELL, target_quantity=d("10"), ttl_s=d("30"))


CENT_UP = CENT.tick_size


def entry(**changes: Any) -> OrderRecord:
    """Ten for 100.00, whose time is over at noon."""
    values: dict[str, Any] = {
        "group_id": GROUP.group_id,
        "quantity": d("10"),
        "limit_price": d("100.00"),
        "ttl_s": d("60"),
        "next_action_at": NOON,
    }
    return make_order(**{**values, **changes})


def sale(**changes: Any) -> OrderRecord:
    """The same to sell, at 100.20, for a position."""
    values: dict[str, Any] = {
        "side": Side.SELL,
        "purpose": "exit",
        "limit_price": d("100.20"),
        "ttl_s": d("30"),
    }
    return entry(**{**values, **changes})


def desk(*orders: OrderRecord, **changes: Any) -> Desk:
    """The group of these orders at noon, in the market of the worked ladder."""
    values: dict[str, Any] = {
        "group": GROUP,
        "orders": orders,
        "instrument": CENT,
        "policy": Policy(),
        "now": NOON,
        "quote": WORKED,
    }
    return Desk(**{**values, **changes})


def tended(order: OrderRecord, **changes: Any) -> AmendOrder | CancelOrder | None:
    """What an entry alone in its group gets."""
    return tend_entry(desk(order, **changes), order, may_enter=True)


def left(order: OrderRecord, **changes: Any) -> AmendOrder | CancelOrder | None:
    """What a sale alone in its group gets."""
    is_urgent = changes.pop("is_urgent", False)
    return tend_exit(desk(order, **{"group": SALE, **changes}), order, is_urgent=is_urgent)


def price_of(step: object) -> str:
    """Where an amendment moves to, or what else it is."""
    if isinstance(step, AmendOrder):
        return str(step.amendment.limit_price)
    if isinstance(step, CancelOrder):
        return f"cancel {step.ends_group.value if step.ends_group else 'and go on'}"
    return "nothing"


def test_vector_2_three_repricings_and_a_cancel_at_the_fourth_expiry() -> None:
    """Each attempt is told in the step, so that the books count it with its proof."""
    order, prices = entry(), []
    for _ in range(4):
        step = tended(order)
        prices.append(price_of(step))
        if isinstance(step, AmendOrder) and step.attempt is not None:
            limit = step.amendment.limit_price
            order = replace(order, limit_price=limit, replace_count=step.attempt)

    assert prices == ["100.05", "100.15", "100.20", "cancel exhausted"]


def test_vector_2_the_mirror_steps_down_and_never_gives_up() -> None:
    """Ladder, then marketable in the collar, then the market."""
    order, prices = sale(), []
    for _ in range(5):
        step = left(order)
        prices.append(price_of(step))
        if isinstance(step, AmendOrder) and step.attempt is not None:
            limit = step.amendment.limit_price
            order = replace(order, limit_price=limit, replace_count=step.attempt)

    assert prices == ["100.15", "100.05", "100.00", "95.10", "cancel and go on"]
    gone = replace(order, status=OrderStatus.CANCELED)
    limit, ticket = sale_of(desk(gone, group=SALE), is_urgent=False)
    assert (limit, ticket.attempt) == (None, 5)


def test_a_repriced_exit_is_held_back_by_nothing_that_holds_back_entries() -> None:
    """Neither by the room that is kept in the venue's counters, nor by an open circuit breaker."""
    late = NOON + timedelta(seconds=61)
    buy, sell = tended(entry(), now=late), left(sale(), now=late)

    assert isinstance(buy, AmendOrder)
    assert isinstance(sell, AmendOrder)
    assert (buy.amendment.ends_risk, sell.amendment.ends_risk) == (False, True)


def test_vector_2_a_spread_of_0_6_percent_cancels_an_entry_and_hastens_an_exit() -> None:
    """The guard changes the style of an exit; it never abandons one."""
    assert price_of(tended(entry(), quote=WIDE)) == "cancel liquidity_guard"
    assert price_of(left(sale(), quote=WIDE)) == "95.00"
    assert price_of(left(sale(replace_count=4), quote=WIDE)) == "cancel and go on"


@pytest.mark.parametrize(
    ("changes", "told", "expected"),
    [
        ({"next_action_at": NOON + timedelta(seconds=1)}, {}, "nothing"),
        ({"status": OrderStatus.UNKNOWN}, {}, "nothing"),
        ({"venue_order_id": None}, {}, "nothing"),
        ({}, {"quote": None}, "nothing"),
        ({"replace_count": 3}, {"quote": None}, "cancel exhausted"),
        ({}, {"policy": Policy(max_reprice_attempts=0)}, "cancel exhausted"),
        ({}, {"policy": Policy(reprice_step_bps=d("0"))}, "nothing"),
        ({"limit_price": d("100.20")}, {}, "nothing"),
        ({}, {"group": replace(GROUP, worst_price=d("100.02"))}, "100.02"),
        ({}, {"group": replace(GROUP, ending=GroupEnd.STOPPED)}, "cancel stopped"),
        # Late fills of another order: what works would be too much.
        ({}, {"group": replace(GROUP, target_quantity=d("9"))}, "cancel and go on"),
        # Four times its time to live without the desk: its life is over.
        ({"next_action_at": NOON - timedelta(seconds=180)}, {}, "cancel exhausted"),
    ],
)
def test_an_entry_is_repriced_within_what_was_decided_or_goes(
    changes: dict[str, Any], told: dict[str, Any], expected: str
) -> None:
    """What is not known decides nothing; zero is a value."""
    assert price_of(tended(entry(**changes), **told)) == expected


@pytest.mark.parametrize(
    ("cross_bps", "limit"), [("20", "100.09"), ("3", "100.03"), ("0", "100.00")]
)
def test_an_entry_begins_no_further_from_its_side_than_may_be_crossed(
    cross_bps: str, limit: str
) -> None:
    """Half of the spread, or what the knob leaves of it: with zero it waits at the bid."""
    policy = Policy(max_cross_spread_bps=d(cross_bps))

    assert opening_of(Style.NORMAL, WORKED, CENT, policy).limit == d(limit)


@pytest.mark.parametrize(
    ("is_patient", "ask", "style"),
    [
        (True, "100.29", Style.PASSIVE),
        (True, "100.31", Style.NORMAL),
        (False, "100.01", Style.NORMAL),
    ],
)
def test_who_can_wait_does_so_where_the_spread_is_below_0_3_percent(
    *, is_patient: bool, ask: str, style: Style
) -> None:
    """In a wider market whoever fills at one's own side knows more."""
    quote = make_quote(bid=d("100.00"), ask=d(ask))

    assert entry_style(quote, is_patient=is_patient) is style


def test_a_passive_entry_waits_as_a_maker_until_its_last_attempt() -> None:
    """A tick below the ask at most, post only; the last one may take."""
    passive = replace(GROUP, style=Style.PASSIVE)
    first = tended(entry(limit_price=d("100.18")), group=passive)
    last = tended(entry(limit_price=d("100.18"), replace_count=2), group=passive)

    assert isinstance(first, AmendOrder)
    assert isinstance(last, AmendOrder)
    assert (first.amendment.limit_price, first.amendment.post_only) == (d("100.19"), True)
    assert (last.amendment.limit_price, last.amendment.post_only) == (d("100.20"), False)


def refusal(order: OrderRecord) -> dict[str, Any]:
    """That the venue said no to amending it."""
    intent = make_intent(
        kind=IntentKind.AMEND,
        state=IntentState.REJECTED,
        venue_order_id=order.venue_order_id,
        evidence="EOrder:Amend not allowed",
    )
    return {"refusals": (intent,)}


def test_where_the_venue_refuses_amendments_the_order_makes_room_for_another() -> None:
    """Cancelled by the desk: the group goes on, and the entry is placed anew for the same price."""
    order = entry()
    cancel = tended(order, **refusal(order))
    assert isinstance(cancel, CancelOrder)
    assert (cancel.ends_group, cancel.is_renewal) == (None, True)

    gone = replace(order, status=OrderStatus.CANCELED, filled_quantity=d("4"))
    step = renew_entry(desk(gone))
    assert isinstance(step, PlaceOrder)
    assert (step.request.quantity, step.request.limit_price) == (d("6"), d("100.05"))
    assert step.ticket is not None
    assert (step.ticket.group_id, step.ticket.attempt) == (GROUP.group_id, 1)


def test_vector_3_what_filled_between_decision_and_ack_is_not_bought_again() -> None:
    """Ten wanted, four filled: six are placed; a fifth that comes late makes the six too many."""
    old = entry(status=OrderStatus.CANCELED, filled_quantity=d("4"))
    step = renew_entry(desk(old))
    assert isinstance(step, PlaceOrder)
    assert step.request.quantity == d("6")

    working = entry(
        client_order_id=ClientOrderId("second"),
        quantity=d("6"),
        replace_count=1,
        next_action_at=NOON + timedelta(seconds=60),
    )
    late = replace(old, filled_quantity=d("5"))
    cancel = tend_entry(desk(late, working), working, may_enter=True)
    assert price_of(cancel) == "cancel and go on"
    assert room_for(GROUP.target_quantity, (late, working)) == d("-1")

    gone = replace(working, status=OrderStatus.CANCELED)
    again = renew_entry(desk(late, gone))
    assert isinstance(again, PlaceOrder)
    assert again.request.quantity == d("5")


@pytest.mark.parametrize(
    ("changes", "told", "ending"),
    [
        ({"replace_count": 3}, {}, GroupEnd.EXHAUSTED),
        ({"filled_quantity": d("9.9")}, {}, GroupEnd.TOO_SMALL),
        ({}, {"quote": WIDE}, GroupEnd.LIQUIDITY_GUARD),
        ({"next_action_at": NOON - timedelta(hours=1)}, {}, GroupEnd.EXHAUSTED),
    ],
)
def test_an_entry_that_cannot_go_on_ends_with_its_reason(
    changes: dict[str, Any], told: dict[str, Any], ending: GroupEnd
) -> None:
    """An hour after a crash nobody wants the market of then."""
    step = renew_entry(desk(entry(status=OrderStatus.CANCELED, **changes), **told))

    assert isinstance(step, EndGroup)
    assert step.ending is ending


@pytest.mark.parametrize(
    ("orders", "told"),
    [
        ((entry(status=OrderStatus.CANCELED),), {"quote": None}),
        ((entry(status=OrderStatus.UNKNOWN),), {}),
        ((entry(status=OrderStatus.CANCEL_PENDING),), {}),
        ((entry(status=OrderStatus.CANCELED),), {"unresolved": (make_intent(),)}),
    ],
)
def test_nothing_is_placed_while_anything_is_in_doubt(
    orders: tuple[OrderRecord, ...], told: dict[str, Any]
) -> None:
    """Not without a price, and not beside an order that may still fill."""
    assert renew_entry(desk(*orders, **told)) is None


@pytest.mark.parametrize(
    ("changes", "doubted_s", "what"),
    [
        ({}, 0, "cancel and go on"),
        ({}, 5, "nothing"),
        ({"next_action_at": NOON + timedelta(seconds=1)}, 0, "nothing"),
        ({"status": OrderStatus.CANCEL_PENDING}, 0, "nothing"),
    ],
)
@pytest.mark.parametrize("is_entry", [True, False])
def test_an_order_whose_change_is_in_doubt_goes_once_its_time_is_over(
    *, is_entry: bool, changes: dict[str, Any], doubted_s: int, what: str
) -> None:
    """It rested for a minute more. Not before the venue can make that change no more."""
    name = VenueOrderId("O1")
    doubt = make_intent(
        kind=IntentKind.AMEND,
        state=IntentState.UNKNOWN,
        venue_order_id=name,
        deadline=NOON + timedelta(seconds=doubted_s),
    )
    order = (entry if is_entry else sale)(**{"venue_order_id": name, **changes})

    tend = tended if is_entry else left
    assert price_of(tend(order, unresolved=(doubt,))) == what


@pytest.mark.parametrize(
    ("order", "group", "ending"),
    [
        (entry(), GROUP, None),
        (entry(status=OrderStatus.FILLED, filled_quantity=d("10")), GROUP, GroupEnd.FILLED),
        (entry(status=OrderStatus.REJECTED), GROUP, GroupEnd.REJECTED),
        # Somebody cancelled it at the venue: that is respected.
        (entry(status=OrderStatus.CANCELED), GROUP, GroupEnd.STOPPED),
        (
            entry(status=OrderStatus.CANCELED),
            replace(GROUP, renews=make_order().client_order_id),
            None,
        ),
        (
            entry(status=OrderStatus.CANCELED),
            replace(GROUP, ending=GroupEnd.EXHAUSTED),
            GroupEnd.EXHAUSTED,
        ),
        (sale(status=OrderStatus.CANCELED), SALE, None),
        (sale(status=OrderStatus.REJECTED), SALE, None),
        (sale(status=OrderStatus.FILLED, filled_quantity=d("10")), SALE, GroupEnd.FILLED),
    ],
)
def test_a_group_is_over_when_nothing_works_and_nothing_more_is_sent(
    order: OrderRecord, group: Any, ending: GroupEnd | None
) -> None:
    """An exit is over only when it is filled."""
    after = settled(group, (order,))

    assert (after.ending if after.ended_at else None) is ending


def test_an_exit_whose_market_is_through_the_stop_does_not_wait() -> None:
    """What protects it was cancelled for the sale; panic is marketable already."""
    young = {"next_action_at": NOON + timedelta(seconds=20)}

    assert price_of(left(sale(**young))) == "nothing"
    assert price_of(left(sale(**young), is_urgent=True)) == "95.10"
    assert price_of(left(sale(**young, replace_count=4), is_urgent=True)) == "nothing"
    panic = replace(SALE, style=Style.PANIC)
    near = {**young, "limit_price": WORKED.bid}
    assert price_of(left(sale(**near), is_urgent=True, group=panic)) == "nothing"
    assert price_of(left(sale(), group=panic)) == "cancel and go on"


@pytest.mark.parametrize("is_urgent", [True, False])
def test_a_panic_that_the_market_leaves_behind_does_not_wait_either(*, is_urgent: bool) -> None:
    """Once to the edge of the collar; what that leaves goes to the market in its time."""
    panic = replace(SALE, style=Style.PANIC)
    young = {"next_action_at": NOON + timedelta(seconds=9), "limit_price": WORKED.bid + CENT_UP}

    assert price_of(left(sale(**young), is_urgent=is_urgent, group=panic)) == "95.10"
    again = sale(**young, replace_count=1)
    assert price_of(left(again, is_urgent=is_urgent, group=panic)) == "nothing"
    over = sale(**{**young, "next_action_at": NOON, "replace_count": 1})
    assert price_of(left(over, is_urgent=is_urgent, group=panic)) == "cancel and go on"
    unpriced = left(sale(**young), is_urgent=is_urgent, group=panic, quote=None)
    assert price_of(unpriced) == "nothing"


def test_a_sale_stays_a_limit_where_the_venue_takes_nothing_else() -> None:
    """Its order was cancelled for one that was refused, each second until the market was open."""
    over = sale(replace_count=4)
    limited = {"group": SALE, "takes_market": False}

    assert price_of(left(over)) == "cancel and go on"
    assert price_of(left(over, **limited)) == "95.10"
    assert price_of(left(over, **limited, quote=None)) == "nothing"

    refused = sale(
        order_type=OrderType.MARKET, limit_price=None, status=OrderStatus.REJECTED, replace_count=5
    )
    limit, ticket = sale_of(desk(refused, **limited), is_urgent=True)
    assert (limit, ticket.attempt) == (d("95.10"), 6)
    assert sale_of(desk(refused, group=SALE), is_urgent=True)[0] is None


@pytest.mark.parametrize(
    ("changes", "is_taken"),
    [
        ({}, True),
        ({"venue_mode": VenueMode.LIMIT_ONLY}, False),
        ({"venue_mode": Missing("not told")}, True),
        ({"catalogue": make_catalogue(replace(CENT, status=InstrumentStatus.LIMIT_ONLY))}, False),
    ],
)
def test_the_venue_and_the_instrument_say_whether_the_market_is_there(
    changes: dict[str, Any], *, is_taken: bool
) -> None:
    """Either may take limits alone."""
    snapshot = snapshot_with(**changes)
    instrument = value_of(snapshot.catalogue, "the instruments").resolve(BTC)

    assert desk_of(SALE, snapshot, instrument, WORKED).takes_market is is_taken


def test_a_market_sale_after_limits_is_an_escalation_and_a_first_one_is_not() -> None:
    """The alarm is about limits that did not fill."""
    gone = sale(status=OrderStatus.CANCELED, replace_count=4)
    _, ticket = sale_of(desk(gone, group=SALE), is_urgent=False)
    request = replace(
        renewed_request(), side=Side.SELL, order_type=OrderType.MARKET, limit_price=None
    )
    step = PlaceOrder(request=request, reason="test", ticket=ticket)

    assert is_escalated(step)
    assert not is_escalated(replace(step, ticket=replace(ticket, attempt=0)))
    assert not is_escalated(replace(step, ticket=None))


def renewed_request() -> Any:
    """Any request of the desk's."""
    step = renew_entry(desk(entry(status=OrderStatus.CANCELED)))
    assert isinstance(step, PlaceOrder)
    assert step.request.symbol == BTC
    return step.request
