"""Whether everything that could be protected was, by the exchange's own log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from chaos_excuses import WITHIN_S, excuses, left_s, unseen
from chaos_judge import OPEN, orders_of
from chaos_world import Chronicle
from zoe_tools.domain.money import ZERO
from zoe_tools.paper.markets.pair_specs import spec_named
from zoe_tools.paper.values.events import LedgerEvent, OrderEvent
from zoe_tools.paper.values.order import OrderView
from zoe_tools.paper.values.times import NS

_NEAR = Decimal("1.01")
"""Stop and target stand closer than that; a sale beyond it waits for a market that may not come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Holdings without a resting stop, in nanoseconds; `left_s` is what no blow accounts for."""

    symbol: str
    since: int
    until: int
    left_s: float


def unprotected(chronicle: Chronicle) -> Iterator[str]:
    """Every gap in the protection that no blow accounts for, in a sentence."""
    for gap in gaps(chronicle):
        if gap.left_s > WITHIN_S:
            yield (
                f"{gap.symbol} stood without a stop for {(gap.until - gap.since) / NS:.1f} s from"
                f" {gap.since}, {gap.left_s:.1f} s of it without a reason"
            )


def gaps(chronicle: Chronicle) -> tuple[Gap, ...]:
    """Every time in which something that could be protected was not, and sold by nobody."""
    everywhere = excuses(chronicle)
    found: list[Gap] = []
    for symbol in sorted({each.symbol for each in orders_of(chronicle).values()}):
        explained = sorted((*everywhere, *unseen(chronicle, symbol)))
        for since, until in _naked(chronicle, symbol):
            found.append(
                Gap(symbol=symbol, since=since, until=until, left_s=left_s(since, until, explained))
            )
    return tuple(found)


def _is_a_way_out(order: OrderView, paid: Decimal) -> bool:
    """Whether it ends the position: a stop, or a sale near what was last traded for."""
    limit = order.limit_price
    return order.status in OPEN and (limit is None or limit <= paid * _NEAR)


def _naked(chronicle: Chronicle, symbol: str) -> Iterator[tuple[int, int]]:
    spec, base = spec_named(symbol), symbol.partition("/")[0]
    held, sells, paid = ZERO, dict[str, Decimal](), ZERO
    began: int | None = None
    at = 0
    for each in chronicle.events:
        if isinstance(each, LedgerEvent) and each.row.asset == base:
            held = each.row.balance
        elif isinstance(each, OrderEvent) and each.order.symbol == symbol:
            order = each.order
            paid = paid if each.trade is None else each.trade.price
            if order.side == "sell":
                sells[order.order_id] = order.remaining if _is_a_way_out(order, paid) else ZERO
        else:
            continue
        at = each.at
        missing = held - sum(sells.values(), ZERO)
        is_naked = missing >= spec.ordermin
        if is_naked and began is None:
            began = at
        elif not is_naked and began is not None:
            if at > began:
                yield began, at
            began = None
    if began is not None:
        yield began, max(at, chronicle.lives[-1][1])
