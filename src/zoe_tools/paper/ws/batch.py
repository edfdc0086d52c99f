"""The method batch_add: one pair, 2 to 15 orders, all of them sound or none sent (section 13.5)."""

from __future__ import annotations

from typing import Any

from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.values.order import PlaceOrder
from zoe_tools.paper.values.refusal import Refusal, invalid
from zoe_tools.paper.ws.fields import Fields, Params, Result, not_found
from zoe_tools.paper.ws.orders import place_request, placed

_FIELDS = frozenset({"token", "symbol", "orders", "deadline", "validate"})
_LEAST, _MOST = 2, 15


def batch_add(exchange: PaperExchange, account_id: str, params: Params) -> list[Result]:
    """Place a batch in the order of its list; a member that the engine refuses carries `error`.

    Raises:
        Refusal: the batch or one of its members is invalid; nothing was placed.
    """
    answers = exchange.add_batch(account_id, _requests(exchange, params))
    return [{"error": one.error} if isinstance(one, Refusal) else placed(one) for one in answers]


def _requests(exchange: PaperExchange, params: Params) -> list[PlaceOrder]:
    fields = Fields("batch_add", params, _FIELDS)
    fields.symbol(exchange)
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
