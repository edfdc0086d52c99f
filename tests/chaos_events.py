"""Some events of an exchange's log, for tests of those who judge by it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from builders import d
from zoe_tools.paper.values.events import LedgerEvent, OrderEvent, OrderEventKind
from zoe_tools.paper.values.ledger import LedgerRow, TradeView
from zoe_tools.paper.values.order import OrderView

WORTH_200 = d("0.004")


def order(name: str = "O1", *, symbol: str = "BTC/USD", **changes: Any) -> OrderView:
    """An entry at 50,000, on the first day of all."""
    values: dict[str, Any] = {
        "order_id": name,
        "cl_ord_id": f"c-{name}",
        "account_id": "A1",
        "symbol": symbol,
        "side": "buy",
        "order_type": "limit",
        "quantity": WORTH_200,
        "opened_at": 0,
        "queue_number": 1,
        "taker_pct": d("0.4"),
        "maker_pct": d("0.25"),
        "limit_price": d("50000"),
    }
    return OrderView(**{**values, **changes})


def step(of: OrderView, kind: OrderEventKind = "new", at: int = 0) -> OrderEvent:
    """A step of its life."""
    return OrderEvent(at=at, account_id="A1", kind=kind, order=of)


def bought(of: OrderView) -> Iterator[OrderEvent | LedgerEvent]:
    """All of it, at its limit."""
    assert isinstance(of.limit_price, Decimal)
    cost = of.quantity * of.limit_price
    done = order(
        of.order_id,
        symbol=of.symbol,
        quantity=of.quantity,
        filled=of.quantity,
        cost=cost,
        status="closed",
    )
    trade = TradeView(
        trade_id=f"T-{of.order_id}",
        public_id=1,
        account_id="A1",
        order_id=of.order_id,
        symbol=of.symbol,
        side="buy",
        order_type="limit",
        executed_as="limit",
        price=of.limit_price,
        quantity=of.quantity,
        cost=cost,
        fee=d("0"),
        is_maker=True,
        at=0,
    )
    yield OrderEvent(at=0, account_id="A1", kind="trade", order=done, trade=trade)
    yield balance(of.symbol.partition("/")[0], of.quantity)


def balance(asset: str, much: Decimal, at: int = 0) -> LedgerEvent:
    """What there is of it now."""
    row = LedgerRow(
        ledger_id="L1",
        ref_id="R1",
        account_id="A1",
        at=at,
        type="trade",
        subtype="",
        asset=asset,
        amount=much,
        fee=d("0"),
        balance=much,
    )
    return LedgerEvent(at=at, account_id="A1", row=row)
