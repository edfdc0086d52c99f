"""Cancels over the private socket, and the dead man's switch (sections 8.6, 8.7 and 11.3)."""

from __future__ import annotations

from collections.abc import Iterator

from zoe_tools.paper.engine.order_requests import countdown_row
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.values.refusal import Refusal, invalid
from zoe_tools.paper.ws.fields import Fields, Params, Result, not_found

_TOKEN_ALONE = frozenset({"token"})
_CANCEL_FIELDS = frozenset({"token", "order_id", "cl_ord_id", "order_userref"})
_BATCH_FIELDS = frozenset({"token", "orders", "cl_ord_id"})
_COUNTDOWN_FIELDS = frozenset({"token", "timeout"})
_BATCH_LEAST, _BATCH_MOST = 2, 50

Target = tuple[str, str | int]
"""A field of cancel_order and one of the ids in it."""


def cancel_targets(params: Params) -> list[Target]:
    """What cancel_order names, each to be answered on its own.

    Raises:
        Refusal: nothing is named, or an id has the wrong type.
    """
    fields = Fields("cancel_order", params, _CANCEL_FIELDS)
    targets: list[Target] = []
    for name, kind in (("order_id", str), ("cl_ord_id", str), ("order_userref", int)):
        for each in fields.several(name):
            if isinstance(each, bool) or not isinstance(each, kind):
                raise invalid(name)
            targets.append((name, each))
    if not targets:
        raise not_found("order_id")
    return targets


def cancel_order(exchange: PaperExchange, account_id: str, target: Target) -> Iterator[Result]:
    """Cancel one of the targets: a result for each order that it named.

    Raises:
        Refusal: it names none that is open.
    """
    name, value = target
    if name == "order_userref":
        for order in exchange.cancel_order(account_id, userref=int(value)):
            yield {"order_id": order.order_id, name: value}
    elif name == "cl_ord_id":
        exchange.cancel_order(account_id, cl_ord_id=str(value))
        yield {name: value}
    else:
        exchange.cancel_order(account_id, order_id=str(value))
        yield {name: value}


def cancel_all(exchange: PaperExchange, account_id: str, params: Params) -> Result:
    """Cancel every open order."""
    Fields("cancel_all", params, _TOKEN_ALONE)
    return {"count": exchange.cancel_all(account_id)}


def cancel_all_orders_after(exchange: PaperExchange, account_id: str, params: Params) -> Result:
    """Set the account's dead man's switch; a timeout of 0 disarms it."""
    fields = Fields("cancel_all_orders_after", params, _COUNTDOWN_FIELDS)
    timeout = fields.integer("timeout")
    if timeout is None:
        raise not_found("timeout")
    return dict(countdown_row(*exchange.cancel_after(account_id, timeout)))


def batch_cancel(exchange: PaperExchange, account_id: str, params: Params) -> Result:
    """Cancel 2 to 50 orders by id, userref (as text) or cl_ord_id; how many there were.

    Raises:
        Refusal: too few or too many ids, one of a wrong type, or none of them open.
    """
    fields = Fields("batch_cancel", params, _BATCH_FIELDS)
    orders, own_ids = fields.several("orders"), fields.several("cl_ord_id")
    if not orders and not own_ids:
        raise not_found("orders")
    for name, ids in (("orders", orders), ("cl_ord_id", own_ids)):
        if not all(isinstance(each, str) for each in ids):
            raise invalid(name)
    if not _BATCH_LEAST <= len(orders) + len(own_ids) <= _BATCH_MOST:
        raise invalid("orders")
    userrefs = {int(each) for each in orders if _is_userref(each)}
    ended = exchange.cancel_batch(account_id, userrefs=userrefs, ids={*orders, *own_ids})
    if not ended:
        raise Refusal(exchange.quirks.unknown_order)
    return {"count": len(ended)}


def _is_userref(text: str) -> bool:
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) < len(str(2**64))
