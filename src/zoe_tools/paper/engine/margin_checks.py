"""What the exchange refuses of orders with leverage, in Kraken's own words (section 9)."""

from __future__ import annotations

from dataclasses import replace as dataclass_replace
from decimal import Decimal

from msgspec.structs import replace

from zoe_tools.paper.engine.account import Account, margin_key
from zoe_tools.paper.engine.book import PairBook, other
from zoe_tools.paper.engine.floor import Floor
from zoe_tools.paper.engine.valuation import rate, reference_of, standing_of
from zoe_tools.paper.values.margin import MarginRules, Standing, is_called, margin_of
from zoe_tools.paper.values.market import PairSpec
from zoe_tools.paper.values.order import TRIGGERED_TYPES, ZERO, OrderView, PlaceOrder, Side
from zoe_tools.paper.values.positions import Closing
from zoe_tools.paper.values.refusal import Refusal, invalid
from zoe_tools.paper.values.rounding import ceiling, half_up

NO_POSITION = "EOrder:Reduce only:No position exists"
UNKNOWN_POSITION = "EOrder:Unknown position"
OF_POSITIONS = frozenset({NO_POSITION, UNKNOWN_POSITION})
"""What a batch cannot know of its members beforehand: one may open what the next reduces."""
NO_MARGIN = "EOrder:Insufficient initial margin"


def admitted(request: PlaceOrder, account: Account, spec: PairSpec) -> PlaceOrder:
    """A request with leverage, to reduce or to settle, as the engine takes it.

    Volume 0 becomes what there is to close or to settle; a settlement has the leverage of the
    position if it names none.

    Raises:
        Refusal: not an account for margin, a leverage that is not on offer, or nothing to close.
    """
    if not request.quantity.is_finite():
        raise invalid("volume")
    closable = account.positions.closable(spec.symbol, request.side)
    if request.order_type == "settle-position":
        return _settling(request, account, spec, closable)
    if request.leverage is None:
        if account.has_margin and closable:
            raise invalid("reduce_only")
        raise Refusal(NO_POSITION)
    if not account.has_margin:
        raise Refusal("EOrder:Cannot open position")
    _check_leverage(request.leverage, request.side, spec)
    if request.quote_quantity is not None:
        raise invalid("viqc")
    is_later = request.order_type in TRIGGERED_TYPES or request.starts_at is not None
    if request.is_reduce_only and not closable and not is_later:
        raise Refusal(NO_POSITION)
    quantity = request.quantity or closable
    return replace(request, quantity=quantity, fee_asset=None)


def _check_leverage(leverage: int, side: Side, spec: PairSpec) -> None:
    offered = spec.leverage_buy if side == "buy" else spec.leverage_sell
    if not offered:
        raise Refusal("EOrder:Cannot open position")
    if leverage not in offered:
        raise invalid("leverage")


def _settling(
    request: PlaceOrder, account: Account, spec: PairSpec, closable: Decimal
) -> PlaceOrder:
    if not closable:
        raise Refusal(UNKNOWN_POSITION)
    if request.quantity > closable:
        raise invalid("volume")
    oldest = next(account.positions.against(spec.symbol, request.side))
    return replace(
        request,
        quantity=request.quantity or closable,
        leverage=request.leverage or oldest.leverage,
        is_reduce_only=True,
        fee_asset=None,
    )


def is_closing(request: PlaceOrder, account: Account) -> bool:
    """Whether it can only close: such an order may be as small as its position."""
    return request.quantity <= account.positions.closable(request.symbol, request.side)


def unbounded(spec: PairSpec) -> PairSpec:
    """The pair without its minimums, which do not hold for what only closes (section 12)."""
    return dataclass_replace(spec, ordermin=ZERO, costmin=ZERO)


def opening_of(order: OrderView, account: Account) -> Decimal:
    """How much of what is left of the order would open a position as things stand."""
    if order.is_reduce_only:
        return ZERO
    return max(ZERO, order.remaining - account.positions.closable(order.symbol, order.side))


def hold_of(order: OrderView, account: Account, spec: PairSpec) -> tuple[str, Decimal]:
    """The margin that an order with leverage needs at its price: (under which name, amount)."""
    price = order.limit_price or order.trigger_price or ZERO
    cost = half_up(price * opening_of(order, account), spec.cost_decimals)
    margin = margin_of(spec, cost, order.leverage or 1)
    return margin_key(spec.quote), ceiling(margin, spec.quote_decimals)


def check_collateral(floor: Floor, account: Account, order: OrderView, book: PairBook) -> None:
    """The account can carry what the order would open, or deliver what it settles.

    Raises:
        Refusal: which limit it breaks.
    """
    if order.order_type == "settle-position":
        _check_delivery(account, order, book.spec)
        return
    opening = opening_of(order, account)
    if opening <= 0:
        return
    rules = floor.margin
    standing = standing_of(floor, account)
    if is_called(standing, rules):
        raise Refusal("EOrder:Margin level too low")
    _check_size(account, order, opening, book.spec, rules)
    cost = half_up((_price(order, book) or ZERO) * opening, book.spec.cost_decimals)
    _check_loans(floor, account, order, (opening, cost), book.spec, rules)
    _check_margin(floor, account, order, cost, standing)


def check_spot(floor: Floor, account: Account, order: OrderView, book: PairBook) -> None:
    """An order without leverage does not turn what secures positions into what does not.

    Raises:
        Refusal: `EOrder:Insufficient funds`.
    """
    base, quote = floor.assets[book.spec.base], floor.assets[book.spec.quote]
    lost = quote.collateral - base.collateral
    if order.side == "sell":
        lost = -lost
    if lost <= 0:
        return
    cost = order.quote_quantity or (_price(order, book) or ZERO) * order.remaining
    worth = cost * (rate(floor, quote.name, reference_of(floor)) or ZERO)
    if worth * lost > standing_of(floor, account).free_for_orders:
        raise Refusal("EOrder:Insufficient funds")


def _price(order: OrderView, book: PairBook) -> Decimal | None:
    price = order.limit_price or order.trigger_price
    return price or book.best_any(other(order.side)) or book.last


def _check_delivery(account: Account, order: OrderView, spec: PairSpec) -> None:
    closings = account.positions.closings(spec, order.side, order.quantity)
    asset, needed = delivery_of(closings, order.side, spec)
    if account.available(asset) < needed:
        raise Refusal("EOrder:Insufficient funds")


def delivery_of(closings: list[Closing], side: Side, spec: PairSpec) -> tuple[str, Decimal]:
    """What settling these takes: a short gives back base, a long the quote it was bought for."""
    if side == "buy":
        return spec.base, sum((one.quantity for one in closings), ZERO)
    return spec.quote, sum((half_up(one.cost, spec.quote_decimals) for one in closings), ZERO)


def _check_size(
    account: Account, order: OrderView, opening: Decimal, spec: PairSpec, rules: MarginRules
) -> None:
    limit = spec.long_limit if order.side == "buy" else spec.short_limit
    size = account.positions.size(spec.symbol, order.side) + opening
    if limit is not None and size > limit:
        raise Refusal("EOrder:Margin position size exceeded")
    most = rules.most_positions
    if most is not None and len(account.positions.open) >= most:
        raise Refusal("EOrder:Positions limit exceeded")


def _check_loans(
    floor: Floor,
    account: Account,
    order: OrderView,
    opening: tuple[Decimal, Decimal],
    spec: PairSpec,
    rules: MarginRules,
) -> None:
    """What is borrowed: quote to buy, base to sell. `opening` is (quantity, cost)."""
    quantity, cost = opening
    if rules.allowance is not None:
        worth = cost * (rate(floor, spec.quote, reference_of(floor)) or ZERO)
        if standing_of(floor, account).cost + worth > rules.allowance:
            raise Refusal("EOrder:Margin allowance exceeded")
    asset, amount = (spec.quote, cost) if order.side == "buy" else (spec.base, quantity)
    pool = rules.pools.get(asset)
    if pool is not None and lent(floor, asset) + amount > pool:
        raise Refusal("EOrder:Insufficient margin")


def lent(floor: Floor, asset: str) -> Decimal:
    """How much of an asset is lent out, to all accounts."""
    total = ZERO
    for account in floor.accounts.values():
        for position in account.positions.open.values():
            spec = floor.pairs[position.symbol]
            if position.is_long and spec.quote == asset:
                total += position.remaining_cost
            elif not position.is_long and spec.base == asset:
                total += position.remaining
    return total


def _check_margin(
    floor: Floor, account: Account, order: OrderView, cost: Decimal, standing: Standing
) -> None:
    spec = floor.pairs[order.symbol]
    _, own = account.reserves.get(order.order_id, ("", ZERO))
    needed = margin_of(spec, cost, order.leverage or 1) - own
    price = rate(floor, spec.quote, reference_of(floor)) or ZERO
    if needed * price > standing.free_for_orders:
        raise Refusal(NO_MARGIN)
