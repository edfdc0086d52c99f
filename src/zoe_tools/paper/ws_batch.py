"""The method batch_add: one pair, 2 to 15 orders, all of them sound or none sent (section 13.5)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from zoe_tools.paper.exchange import PaperExchange
from zoe_tools.paper.order import PlaceOrder
from zoe_tools.paper.refusal import Refusal
from zoe_tools.paper.ws_fields import Fields, Params, Result, invalid, not_found
from zoe_tools.paper.ws_orders import check_symbol, place_request, placed

_FIELDS = frozenset({"token", "symbol", "orders", "deadline", "validate"})
_LEAST, _MOST = 2, 15
_JUDGED_ONE_BY_ONE = frozenset(
    {
        "EOrder:Insufficient funds",
        "EOrder:Post only order",
        "EOrder:Orders limit exceeded",
        "EOrder:Rate limit exceeded",
    }
)
"""What the engine finds before matching: it ends that order and leaves its siblings alive."""


def batch_add(exchange: PaperExchange, account_id: str, params: Params) -> list[Result]:
    """Place a batch in the order of its list; a member that the engine refuses carries `error`.

    Raises:
        Refusal: the batch or one of its members is invalid; nothing was placed.
    """
    requests = _requests(exchange, params)
    for request in requests:
        try:
            exchange.add_order(account_id, replace(request, is_validate=True))
        except Refusal as refusal:
            if refusal.error not in _JUDGED_ONE_BY_ONE:
                raise
    results: list[Result] = []
    for request in requests:
        try:
            results.append(placed(exchange.add_order(account_id, request)))
        except Refusal as refusal:
            results.append({"error": refusal.error})
    return results


def _requests(exchange: PaperExchange, params: Params) -> list[PlaceOrder]:
    fields = Fields("batch_add", params, _FIELDS)
    symbol = fields.text("symbol")
    if symbol is None:
        raise not_found("symbol")
    check_symbol(exchange, symbol)
    orders = fields.several("orders")
    if not orders:
        raise not_found("orders")
    if not _LEAST <= len(orders) <= _MOST:
        raise invalid("orders")
    common = {name: params[name] for name in ("symbol", "deadline", "validate") if name in params}
    return [place_request(exchange, _member(order) | common) for order in orders]


def _member(order: Any) -> dict[str, Any]:
    if not isinstance(order, dict):
        raise invalid("orders")
    for name in order:
        if name in _FIELDS:
            raise Refusal(f"Unsupported field: '{name}' for the given msg type: batch_add")
    return order
