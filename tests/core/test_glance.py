"""A new price concerns its own instrument alone: a look at it finds what a whole turn would."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import (
    BTC,
    ETH,
    NOON,
    d,
    make_group,
    make_order,
    make_position,
    make_quote,
    snapshot_with,
)
from zoe_tools.core.glance import at_stake, concerning
from zoe_tools.core.run import plan_run
from zoe_tools.domain.identifiers import ClientOrderId, GroupId, PositionId, Symbol, VenueOrderId
from zoe_tools.domain.order import OrderStatus, OrderType, Side
from zoe_tools.domain.plan import AmendOrder, CancelOrder, EndGroup, PlaceOrder, SetTargets, Step
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.snapshot import Snapshot

PRICES = {BTC: d("60000"), ETH: d("3000")}
QUANTITY = {BTC: d("0.001"), ETH: d("0.02")}
SITUATIONS = (
    "nothing",
    "naked",
    "stopped",
    "covered in part",
    "an entry is due",
    "an entry to renew",
    "an exit is due",
    "an exit to go on",
    "left behind",
)
Parts = dict[str, list[Any]]


def situation(symbol: Symbol, kind: str) -> Parts:
    """Positions, orders and groups of one instrument."""
    name, price, whole = PositionId(f"P-{symbol}"), PRICES[symbol], QUANTITY[symbol]
    parts: Parts = {"positions": [], "orders": [], "recent_orders": [], "groups": []}
    held = make_position(position_id=name, symbol=symbol, quantity=whole, average_cost=price)
    own = {"symbol": symbol, "venue_order_id": VenueOrderId(f"O-{symbol}")}
    own["client_order_id"] = ClientOrderId(f"C-{symbol}")
    stop = make_order(
        **own,
        side=Side.SELL,
        order_type=OrderType.STOP_LOSS,
        purpose="stop",
        limit_price=None,
        trigger_price=price * d("0.98"),
        quantity=whole / 2 if kind == "covered in part" else whole,
        position_id=name,
    )
    is_exit = "exit" in kind
    side, purpose = (Side.SELL, "exit") if is_exit else (Side.BUY, "entry")
    group = make_group(
        group_id=GroupId(f"G-{symbol}"),
        symbol=symbol,
        side=side,
        purpose=purpose,
        target_quantity=whole,
        position_id=name if is_exit else None,
    )
    due = make_order(
        **own,
        side=side,
        purpose=purpose,
        quantity=whole,
        limit_price=price,
        group_id=group.group_id,
        ttl_s=d("60"),
        next_action_at=NOON,
        position_id=name if is_exit else None,
    )
    if kind in ("naked", "stopped", "covered in part") or is_exit:
        parts["positions"].append(held)
    if kind in ("stopped", "covered in part", "left behind"):
        parts["orders"].append(stop)
    if kind.endswith("is due"):
        parts["orders"].append(due)
    if kind.endswith(("renew", "go on")):
        parts["recent_orders"].append(replace(due, status=OrderStatus.CANCELED))
    if "entry" in kind or is_exit:
        group = replace(group, renews=due.client_order_id)
        parts["groups"].append(group)
    return parts


def world(kinds: dict[Symbol, str], moves: dict[Symbol, Decimal], policy: Policy) -> Snapshot:
    """Both instruments, each at its price and so much of it further on."""
    found = [situation(symbol, kind) for symbol, kind in kinds.items()]
    parts = {name: tuple(each for one in found for each in one[name]) for name in found[0]}
    quotes = tuple(
        make_quote(symbol, bid=PRICES[symbol] * move, ask=PRICES[symbol] * move + d("0.1"))
        for symbol, move in moves.items()
    )
    taken_at = NOON + timedelta(seconds=1)
    return snapshot_with(taken_at=taken_at, quotes=quotes, policy=policy, **parts)


def about(steps: tuple[Step, ...], symbol: Symbol) -> list[Step]:
    """Those of one instrument."""
    return [each for each in steps if subject(each) == symbol]


def subject(step: Step) -> Symbol:
    """What a step is about."""
    match step:
        case PlaceOrder(request=request):
            return request.symbol
        case AmendOrder(amendment=change):
            return change.symbol
        case CancelOrder() | EndGroup() | SetTargets():
            return step.symbol
        case _:
            raise AssertionError(step)


kinds = st.sampled_from(SITUATIONS)
moves = st.sampled_from([d(text) for text in ("0.9", "0.98", "0.981", "1", "1.01", "1.05", "1.3")])
policies = st.sampled_from(
    [
        Policy(),
        Policy(take_profit_levels=((d("50"), d("3")), (d("50"), d("6")))),
        Policy(trailing_stop_pct=d("1"), break_even_at_pct=d("0.5")),
    ]
)


@settings(max_examples=150)
@given(btc=kinds, eth=kinds, price=moves, other=moves, policy=policies, is_left=st.booleans())
def test_what_a_turn_would_do_about_an_instrument_a_look_at_it_alone_finds(
    btc: str, eth: str, price: Decimal, other: Decimal, policy: Policy, *, is_left: bool
) -> None:
    """It may find more: what a turn keeps back because of another instrument."""
    whole = world({BTC: btc, ETH: eth}, {BTC: price, ETH: other}, policy)
    exiting = frozenset({PositionId("P-BTC/USD")}) if is_left else frozenset()

    seen = plan_run(concerning(whole, BTC), (), exiting).steps

    wanted = about(plan_run(whole, (), exiting).steps, BTC)
    assert [each for each in wanted if each not in seen] == []
    assert about(seen, BTC) == list(seen)
    assert not wanted or BTC in at_stake(whole.positions, whole.orders, whole.groups)


@settings(max_examples=100)
@given(btc=kinds, eth=kinds, price=moves, before=moves, after=moves, policy=policies)
def test_the_price_of_another_instrument_changes_nothing(
    btc: str, eth: str, price: Decimal, before: Decimal, after: Decimal, policy: Policy
) -> None:
    """So nobody needs to look at this one when it moves."""
    found = [
        about(plan_run(world({BTC: btc, ETH: eth}, quoted, policy), (), frozenset()).steps, BTC)
        for quoted in ({BTC: price, ETH: before}, {BTC: price, ETH: after})
    ]

    assert found[0] == found[1]


@pytest.mark.parametrize("kind", SITUATIONS)
def test_at_stake_is_what_is_held_wanted_or_at_work(kind: str) -> None:
    """An order that is over calls for nothing any more."""
    parts = situation(BTC, kind)
    orders = [*parts["orders"], *parts["recent_orders"]]

    found = at_stake(parts["positions"], orders, parts["groups"])

    assert found == (frozenset() if kind == "nothing" else {BTC})
