"""Which repricing of an entry went too far."""

from __future__ import annotations

from decimal import Decimal

import pytest

from builders import d, make_order
from chaos_market import BUSY
from chaos_prices import too_dear
from chaos_world import Chronicle, Trial
from zoe_tools.domain.identifiers import ClientOrderId, GroupId
from zoe_tools.paper.values.events import OrderEvent, OrderEventKind
from zoe_tools.paper.values.order import OrderView, Side

TRIAL = Trial(seed=1, hours=0.1, bustle=BUSY, deaths=0, blows_of_each=0)


def told(kind: OrderEventKind, limit: Decimal, side: Side, name: str = "O1") -> OrderEvent:
    """A step of an order's life; the first one's, if nothing else is said."""
    order = OrderView(
        order_id=name,
        cl_ord_id=f"c-{name}",
        account_id="A1",
        symbol="BTC/USD",
        side=side,
        order_type="limit",
        quantity=d("0.01"),
        opened_at=0,
        queue_number=1,
        taker_pct=d("0.4"),
        maker_pct=d("0.25"),
        limit_price=limit,
    )
    return OrderEvent(at=0, account_id="A1", kind=kind, order=order)


@pytest.mark.parametrize(
    ("limit", "side", "count"),
    [("60180", "buy", 0), ("60190", "buy", 1), ("61000", "buy", 1), ("61000", "sell", 0)],
)
def test_an_entry_goes_no_further_than_all_its_steps(limit: str, side: Side, count: int) -> None:
    """Five, ten and fifteen basis points above sixty thousand are 180; an exit may go far."""
    chronicle = Chronicle(events=[told("new", d("60000"), side), told("amended", d(limit), side)])

    assert len(list(too_dear(TRIAL, chronicle, ()))) == count


@pytest.mark.parametrize(("group", "count"), [("G1", 1), ("G2", 0)])
def test_an_order_in_the_place_of_another_goes_no_further(group: str, count: int) -> None:
    """What the venue does not amend is cancelled and placed anew, for the same intent group."""
    events = [told("new", d("60000"), "buy"), told("new", d("61000"), "buy", "O2")]
    records = [
        make_order(client_order_id=ClientOrderId(f"c-{name}"), group_id=GroupId(its))
        for name, its in (("O1", "G1"), ("O2", group))
    ]

    assert len(list(too_dear(TRIAL, Chronicle(events=list(events)), records))) == count
