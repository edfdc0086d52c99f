"""Which repricing of an entry went too far."""

from __future__ import annotations

from decimal import Decimal

import pytest

from builders import d
from chaos_market import BUSY
from chaos_prices import too_dear
from chaos_world import Chronicle, Trial
from zoe_tools.paper.values.events import OrderEvent, OrderEventKind
from zoe_tools.paper.values.order import OrderView, Side

TRIAL = Trial(seed=1, hours=0.1, bustle=BUSY, deaths=0, blows_of_each=0)


def told(kind: OrderEventKind, limit: Decimal, side: Side) -> OrderEvent:
    """A step of one order's life."""
    order = OrderView(
        order_id="O1",
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

    assert len(list(too_dear(TRIAL, chronicle))) == count
