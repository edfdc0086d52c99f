"""Cancels over REST, and the dead man's switch (sections 8.6 and 8.7)."""

from __future__ import annotations

from zoe_tools.paper.engine.order_requests import countdown_row
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.rest.format import Json
from zoe_tools.paper.rest.orders import as_userref
from zoe_tools.paper.rest.params import Params, invalid
from zoe_tools.paper.values.views import Principal

_MOST_IDS = 50


def cancel_order(exchange: PaperExchange, who: Principal, params: Params) -> Json:
    """CancelOrder: by txid, userref or client id."""
    named, cl_ord_id = params.text("txid"), params.text("cl_ord_id")
    if (named is None) == (cl_ord_id is None):
        raise invalid("txid")
    ended = exchange.cancel_order(
        who.account_id,
        order_id=named,
        cl_ord_id=cl_ord_id,
        userref=as_userref(named),
    )
    return {"count": len(ended)}


def cancel_order_batch(exchange: PaperExchange, who: Principal, params: Params) -> Json:
    """CancelOrderBatch: counts what was open of up to fifty ids."""
    named, client_ids = params.names("orders"), params.names("cl_ord_ids")
    if not 1 <= len(named) + len(client_ids) <= _MOST_IDS:
        raise invalid("orders")
    userrefs = {number for name in named if (number := as_userref(name)) is not None}
    ended = exchange.cancel_batch(who.account_id, userrefs=userrefs, ids={*named, *client_ids})
    return {"count": len(ended)}


def cancel_all(exchange: PaperExchange, who: Principal, _: Params) -> Json:
    """CancelAll."""
    return {"count": exchange.cancel_all(who.account_id)}


def cancel_all_after(exchange: PaperExchange, who: Principal, params: Params) -> Json:
    """CancelAllOrdersAfter."""
    timeout = params.integer("timeout")
    if timeout is None:
        raise invalid("timeout")
    return dict(countdown_row(*exchange.cancel_after(who.account_id, timeout)))
