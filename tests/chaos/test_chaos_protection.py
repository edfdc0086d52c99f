"""Which of what is held counts as protected."""

from __future__ import annotations

from typing import Any

import pytest

from builders import d
from chaos_events import WORTH_200, balance, bought, order, step
from chaos_protection import unprotected
from chaos_world import Chronicle
from zoe_tools.paper.values.times import NS

LIVES = [(-60 * NS, 60 * NS, "stopped")]


@pytest.mark.parametrize(
    ("sale", "count"),
    [
        ({"order_type": "stop-loss", "trigger_price": d("49000"), "limit_price": None}, 0),
        ({"order_type": "market", "limit_price": None}, 0),
        ({"limit_price": d("50500")}, 0),
        ({"limit_price": d("50501")}, 1),
        ({"limit_price": d("50000"), "quantity": d("0.003")}, 1),
        ({"limit_price": d("50000"), "status": "canceled"}, 1),
        (None, 1),
    ],
)
def test_a_stop_or_a_sale_near_the_market_is_a_way_out(
    sale: dict[str, Any] | None, count: int
) -> None:
    """Bought at fifty thousand, and seen at once."""
    events = [*bought(order())]
    if sale is not None:
        events.append(step(order("S1", side="sell", **sale)))
    events.append(balance("BTC", WORTH_200, at=60 * NS))
    chronicle = Chronicle(events=[*events], lives=LIVES, seen={"T-O1": 0})

    assert len(list(unprotected(chronicle))) == count
