"""Which waiting orders a price concerns: the same as a look at each of them would find."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest
from msgspec.structs import replace

from paper_desk import Desk, ask_for, d, snapshot, stop, traded
from zoe_tools.paper.engine.prices import is_hit
from zoe_tools.paper.engine.triggers import Triggers
from zoe_tools.paper.values.order import OrderType, OrderView, RelativePrice

TYPES: tuple[OrderType, ...] = ("stop-loss", "take-profit", "trailing-stop")


def _waiting_order(desk: Desk, random: Random, number: int) -> OrderView:
    """A made-up order around 70000; trailing ones have a peak as well."""
    order_type = random.choice(TYPES)
    price = Decimal(70_000 + random.randrange(-9, 10))
    return OrderView(
        order_id=f"O{number}",
        account_id=desk.account_id,
        symbol="BTC/USD",
        side=random.choice(("buy", "sell")),
        order_type=order_type,
        quantity=d("0.1"),
        opened_at=desk.now,
        queue_number=number,
        taker_pct=d("0.4"),
        maker_pct=d("0.25"),
        trigger_price=price,
        peak_price=price + random.randrange(-3, 4) if order_type == "trailing-stop" else None,
    )


def _by_looking_at_each(triggers: Triggers, last: Decimal) -> list[str]:
    return [
        name
        for name, order in triggers.items()
        if is_hit(order, last)
        or (
            order.peak_price is not None
            and (last > order.peak_price if order.side == "sell" else last < order.peak_price)
        )
    ]


@pytest.mark.parametrize("seed", range(5))
def test_the_orders_a_price_concerns_are_those_a_look_at_each_would_find(seed: int) -> None:
    """Whatever was put in, moved and taken out; oldest first."""
    random, desk, triggers = Random(seed), Desk(), Triggers()
    for number in range(400):
        match random.randrange(4):
            case 0 if triggers:
                triggers.pop(random.choice(list(triggers)))
            case 1 if triggers:
                name = random.choice(list(triggers))
                triggers[name] = replace(triggers[name], trigger_price=Decimal(70_000 + number % 9))
            case _:
                order = _waiting_order(desk, random, number)
                triggers[order.order_id] = order
        last = Decimal(70_000 + random.randrange(-12, 13))
        assert triggers.concerned(last) == _by_looking_at_each(triggers, last)

    assert len(triggers) > 20
    for name in tuple(triggers):
        triggers.pop(name)
    assert (triggers.concerned(d("1")), triggers.concerned(d("999999"))) == ([], [])
    assert triggers.pop("nobody", "nothing") == "nothing"


def test_orders_that_one_price_reaches_fire_in_the_order_they_came() -> None:
    """Not in the order of their triggers; one that was amended keeps its turn."""
    desk = Desk()
    desk.hear(snapshot(["69000.0 9.00000000"], ["71000.0 9.00000000"]), traded("70000.0", "0.1"))
    behind = RelativePrice(value=d("400"))
    came = [
        desk.place(stop("sell", "0.1", "69500.0")),
        desk.place(ask_for("sell", "0.1", order_type="trailing-stop", trigger_price=behind)),
        desk.place(stop("sell", "0.1", "69700.0")),
    ]
    desk.amend(came[0], trigger_price=d("69550.0"))
    desk.hear(traded("69500.0", "0.1"))
    fired = sorted((desk.order(order) for order in came), key=lambda order: order.queue_number)

    assert [order.order_id for order in fired] == [order.order_id for order in came]
    assert {order.status for order in fired} == {"closed"}
