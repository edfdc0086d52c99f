"""What an account is worth and how its margin stands, at last prices. Changes nothing."""

from __future__ import annotations

from decimal import Decimal

from zoe_tools.paper.engine.account import Account
from zoe_tools.paper.engine.floor import Floor
from zoe_tools.paper.engine.wallets import parted
from zoe_tools.paper.values.margin import Standing
from zoe_tools.paper.values.order import ZERO

_DOLLAR = "USD"
_ONE = Decimal(1)


def reference_of(floor: Floor) -> str:
    """The currency in which an account's margin is reckoned."""
    if _DOLLAR in floor.assets:
        return _DOLLAR
    return next(iter(floor.pairs.values())).quote


def rate(floor: Floor, one: str, other: str) -> Decimal | None:
    """What one unit is worth in the other asset: by the pair of the two, else over the dollar."""
    direct = _direct(floor, one, other)
    if direct is not None:
        return direct
    first, second = _direct(floor, one, _DOLLAR), _direct(floor, _DOLLAR, other)
    return None if first is None or second is None else first * second


def _direct(floor: Floor, one: str, other: str) -> Decimal | None:
    if one == other:
        return _ONE
    book = floor.books.get(f"{one}/{other}")
    if book is not None and book.last:
        return book.last
    book = floor.books.get(f"{other}/{one}")
    return _ONE / book.last if book is not None and book.last else None


def standing_of(
    floor: Floor, account: Account, asset: str | None = None, *, has_orders: bool = False
) -> Standing:
    """How the account stands, in this asset (the exchange's reference currency if None).

    What has no price counts as nothing, and what earns is no collateral. A debt counts in full.
    `unexecuted` is reckoned only `has_orders`.
    """
    asset = asset or reference_of(floor)
    worth = collateral = used = profit = cost = value = orders_margin = ZERO
    for name, amount in account.balances.items():
        base, suffix = parted(name)
        price = rate(floor, base, asset) if amount else None
        if price is None:
            continue
        worth += amount * price
        if suffix:
            continue
        collateral += amount * price * (floor.assets[name].collateral if amount > 0 else _ONE)
    for position in account.positions.open.values():
        book = floor.books[position.symbol]
        price = rate(floor, book.spec.quote, asset)
        if price is None or book.last is None:
            continue
        used += position.remaining_margin * price
        profit += position.profit_at(book.last) * price
        cost += position.remaining_cost * price
        value += position.value_at(book.last) * price
    for quote, amount in account.margin_held():
        orders_margin += amount * (rate(floor, quote, asset) or ZERO)
    return Standing(
        worth=worth,
        collateral=collateral,
        used=used,
        profit=profit,
        cost=cost,
        value=value,
        orders_margin=orders_margin,
        unexecuted=_unexecuted(floor, account, asset) if has_orders else ZERO,
    )


def _unexecuted(floor: Floor, account: Account, asset: str) -> Decimal:
    """What the open orders are still for, at their own prices."""
    total = ZERO
    for order in account.open.values():
        book = floor.books[order.symbol]
        price = order.limit_price or order.trigger_price or book.last or ZERO
        total += price * order.remaining * (rate(floor, book.spec.quote, asset) or ZERO)
    return total


def withdrawable(floor: Floor, account: Account, asset: str) -> Decimal:
    """How much of an asset can leave: what is free of holds, and not needed as collateral."""
    free = account.available(asset)
    if account.account_id not in floor.exposed or asset not in floor.assets:
        return free
    price = rate(floor, asset, reference_of(floor))
    weight = floor.assets[asset].collateral
    if not price or not weight:
        return free
    return min(free, standing_of(floor, account).free_for_orders / (price * weight))
