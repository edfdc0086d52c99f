"""What it cost to trade: each intent group's fills against the market when it was decided.

Slippage is signed by the side: above zero is worse than the middle of the market at arrival.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from zoe_tools.core.accounting import base_of
from zoe_tools.core.order_desk import filled_of
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import ClientOrderId, GroupId, Symbol
from zoe_tools.domain.intent_group import GroupEnd, IntentGroup, Style
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.money import HUNDRED, ZERO, round_half_up
from zoe_tools.domain.order import OrderPurpose, Side

LATEST_FILLS = 20
"""Over so many fills the slippage guard takes its mean; of fewer it makes none."""

_BPS = Decimal(10_000)
_CENTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeCost:
    """One group: quantities in base, prices and fees in quote, times in seconds from the decision.

    None is what cannot be told: nothing filled, or there was no quote at arrival. The effective
    spread is twice the slippage, as if one had bought and sold at that distance. `maker_share_pct`
    is of the quantity.
    """

    group_id: GroupId
    symbol: Symbol
    side: Side
    purpose: OrderPurpose
    style: Style
    decided_at: datetime
    target_quantity: Decimal
    filled_quantity: Decimal
    arrival_mid: Decimal | None
    vwap: Decimal | None
    slippage_bps: Decimal | None
    effective_spread_bps: Decimal | None
    fees: Decimal
    orders: int
    reprices: int
    first_fill_s: Decimal | None
    last_fill_s: Decimal | None
    maker_share_pct: Decimal | None
    ending: GroupEnd | None

    @property
    def is_filled(self) -> bool:
        """Whether all that was decided has traded."""
        return self.filled_quantity >= self.target_quantity


def trade_cost(
    group: IntentGroup, orders: Sequence[OrderRecord], fills: Sequence[Fill]
) -> TradeCost:
    """What one group came to; `orders` and `fills` are its own."""
    quantity = sum((each.quantity for each in fills), ZERO)
    cost = sum((each.cost for each in fills), ZERO)
    made = sum((each.quantity for each in fills if each.liquidity == "maker"), ZERO)
    times = sorted(each.filled_at for each in fills)
    vwap = cost / quantity if quantity else None
    slippage = slippage_bps(group, vwap)
    return TradeCost(
        group_id=group.group_id,
        symbol=group.symbol,
        side=group.side,
        purpose=group.purpose,
        style=group.style,
        decided_at=group.created_at,
        target_quantity=group.target_quantity,
        filled_quantity=max(quantity, filled_of(orders)),
        arrival_mid=group.arrival_mid,
        vwap=None if vwap is None else round_half_up(vwap, _PRICE_DECIMALS),
        slippage_bps=slippage,
        effective_spread_bps=None if slippage is None else 2 * slippage,
        fees=sum((_fee_in_quote(each) for each in fills), ZERO),
        orders=len(orders),
        reprices=max((each.replace_count for each in orders), default=0),
        first_fill_s=_seconds(group, times[0]) if times else None,
        last_fill_s=_seconds(group, times[-1]) if times else None,
        maker_share_pct=round_half_up(made * HUNDRED / quantity, _CENTS) if quantity else None,
        ending=group.ending,
    )


_PRICE_DECIMALS = 10


def slippage_bps(group: IntentGroup, price: Decimal | None) -> Decimal | None:
    """How much worse a price is than the arrival mid, in basis points of it."""
    mid = group.arrival_mid
    if price is None or mid is None or mid <= ZERO:
        return None
    worse = price - mid if group.side is Side.BUY else mid - price
    return round_half_up(worse / mid * _BPS, _CENTS)


def trade_costs(
    groups: Iterable[IntentGroup], orders: Iterable[OrderRecord], fills: Iterable[Fill]
) -> tuple[TradeCost, ...]:
    """Of each group, in their order; a fill belongs to the group of its order."""
    by_group: dict[GroupId, list[OrderRecord]] = {}
    for order in orders:
        if order.group_id is not None:
            by_group.setdefault(order.group_id, []).append(order)
    filled = _by_group(by_group, fills)
    return tuple(
        trade_cost(group, by_group.get(group.group_id, ()), filled.get(group.group_id, ()))
        for group in groups
    )


def mean_slippage_bps(
    groups: Iterable[IntentGroup], orders: Iterable[OrderRecord], fills: Iterable[Fill]
) -> Decimal | None:
    """Of the latest fills, whichever way they slipped; None while there are too few of them."""
    known = {each.group_id: each for each in groups}
    own = {
        each.client_order_id: known[each.group_id]
        for each in orders
        if each.group_id is not None and each.group_id in known
    }
    slips = [
        abs(slip)
        for fill in sorted(fills, key=lambda each: (each.filled_at, each.fill_id))
        if fill.client_order_id in own
        and (slip := slippage_bps(own[ClientOrderId(fill.client_order_id)], fill.price)) is not None
    ][-LATEST_FILLS:]
    if len(slips) < LATEST_FILLS:
        return None
    return round_half_up(sum(slips, ZERO) / len(slips), _CENTS)


def _by_group(
    orders: Mapping[GroupId, Sequence[OrderRecord]], fills: Iterable[Fill]
) -> dict[GroupId, list[Fill]]:
    names = {each.client_order_id: name for name, own in orders.items() for each in own}
    found: dict[GroupId, list[Fill]] = {}
    for fill in fills:
        if fill.client_order_id in names:
            found.setdefault(names[fill.client_order_id], []).append(fill)
    return found


def _fee_in_quote(fill: Fill) -> Decimal:
    return fill.fee * fill.price if fill.fee_asset == base_of(fill.symbol) else fill.fee


def _seconds(group: IntentGroup, at: datetime) -> Decimal:
    """Never below zero: two clocks tell when it was decided, and when it filled."""
    seconds = Decimal(str((at - group.created_at).total_seconds()))
    return max(round_half_up(seconds, _CENTS), ZERO)
