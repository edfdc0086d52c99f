"""What an order still wants, what that costs, its executions, and why it ends without more."""

from __future__ import annotations

from decimal import Decimal

from zoe_tools.paper.engine import fees
from zoe_tools.paper.engine.book import PairBook, crosses, other
from zoe_tools.paper.engine.floor import Floor
from zoe_tools.paper.engine.rates import volume_in_dollars
from zoe_tools.paper.values.ledger import OnMargin, TradeView
from zoe_tools.paper.values.market import PairSpec
from zoe_tools.paper.values.order import ZERO, OrderView
from zoe_tools.paper.values.rounding import half_up

SELF_TRADE = "Self trade prevention"
PROTECTION = "Market price protection"
NO_LIQUIDITY = "No liquidity"
NO_FUNDS = "Insufficient funds"
NO_MARGIN = (
    "EOrder:Order cancelled:Account has insufficient initial margin to support this resting order"
)
IMMEDIATE = "Immediate or cancel"
FILL_OR_KILL = "Fill or kill"
POST_ONLY = "Post only order"


def unpaid(order: OrderView) -> str:
    """Why an order ends that its account cannot pay or carry."""
    return NO_FUNDS if order.leverage is None else NO_MARGIN


def wanted(order: OrderView, price: Decimal, spec: PairSpec) -> Decimal:
    """How much of it is still to buy or sell at this price; can be nothing when sized in quote."""
    if order.quote_quantity is None:
        return order.remaining
    return half_up((order.quote_quantity - order.cost) / price, spec.lot_decimals)


def cost_of_fill(order: OrderView, price: Decimal, quantity: Decimal, spec: PairSpec) -> Decimal:
    """Price times quantity; the fill that uses up a quote-sized buy is pinned to what is left."""
    if order.quote_quantity is not None:
        left = order.quote_quantity - order.cost
        if quantity == wanted(order, price, spec):
            return left
    return fees.cost_of(spec, price, quantity)


def is_fillable(floor: Floor, book: PairBook, order: OrderView) -> bool:
    """Whether others have all of it within its limit; nothing behind an own order counts."""
    bound, found = order.limit_price or ZERO, ZERO
    across = other(order.side)
    own: Decimal | None = None
    for resting in book.resting[across]:
        if not crosses(order.side, bound, resting.price):
            break
        if resting.account_id != order.account_id:
            found += floor.account(resting.account_id).open[resting.order_id].remaining
        elif order.self_trade != "cancel-oldest":
            own = resting.price
            break
    for price in book.source[across].prices():
        if not crosses(order.side, bound, price) or price == own:
            break
        if own is not None and not crosses(order.side, own, price):
            break
        found += book.source[across].size(price)
    return found >= order.remaining


def execution_of(
    floor: Floor,
    order: OrderView,
    trade_id: str,
    public_id: int,
    *,
    at: int,
    price: Decimal,
    quantity: Decimal,
    cost: Decimal,
    is_maker: bool,
    entries: int,
    fee: Decimal,
    fee_base: Decimal = ZERO,
    on_margin: OnMargin | None = None,
) -> TradeView:
    """An execution of an order at a time in ns; `entries` in the ledger will tell of it."""
    spec = floor.pairs[order.symbol]
    return TradeView(
        trade_id=trade_id,
        public_id=public_id or floor.mint.count(f"print {spec.symbol}"),
        account_id=order.account_id,
        order_id=order.order_id,
        symbol=spec.symbol,
        side=order.side,
        order_type=order.order_type,
        executed_as="market" if order.limit_price is None else "limit",
        price=price,
        quantity=quantity,
        cost=cost,
        fee=fee,
        fee_base=fee_base,
        is_maker=is_maker,
        at=at,
        ledger_ids=tuple(floor.mint.ledger() for _ in range(entries)),
        on_margin=on_margin,
        dollars=volume_in_dollars(floor, spec, cost),
    )
