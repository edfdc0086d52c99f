"""Kraken's REST dialect: one request in, one JSON answer out, HTTP 200 whatever the answer says.

Routing, authentication and permissions; it waits for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.exchange.keys import SignedCall
from zoe_tools.paper.rest import cancels as rest_cancels
from zoe_tools.paper.rest import exports as rest_exports
from zoe_tools.paper.rest import funding as rest_funding
from zoe_tools.paper.rest import margin as rest_margin
from zoe_tools.paper.rest import market as rest_market
from zoe_tools.paper.rest import orders as rest_orders
from zoe_tools.paper.rest import private as rest_private
from zoe_tools.paper.rest import public as rest_public
from zoe_tools.paper.rest.market import SpreadLog
from zoe_tools.paper.rest.params import Params, from_form, from_json, invalid
from zoe_tools.paper.rest.private import Endpoint
from zoe_tools.paper.rest.public_limits import PublicLimits
from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.values.views import Principal

_PUBLIC = "/0/public/"
_PRIVATE = "/0/private/"
_REBASE = ("rebased", "base")
"""A display switch of stocks as tokens, which may be anywhere; there are none here."""
_READ_OPEN = ("query-open-trades",)
_READ_CLOSED = ("query-closed-trades",)
_CANCEL = ("close-trades", "modify-trades")
_WITHDRAW = ("withdraw-funds",)
_EXPORT = ("export-data",)

_ENDPOINTS: Mapping[str, tuple[Endpoint, tuple[str, ...]]] = {
    "Balance": (rest_private.balance, ("query-funds",)),
    "BalanceEx": (rest_private.balance_ex, ("query-funds",)),
    "CreditLines": (rest_private.credit_lines, ("query-funds",)),
    "TradeBalance": (rest_margin.trade_balance, _READ_OPEN),
    "OpenOrders": (rest_private.open_orders, _READ_OPEN),
    "ClosedOrders": (rest_private.closed_orders, _READ_CLOSED),
    "QueryOrders": (rest_private.query_orders, _READ_OPEN + _READ_CLOSED),
    "TradesHistory": (rest_private.trades_history, _READ_CLOSED),
    "QueryTrades": (rest_private.query_trades, _READ_CLOSED),
    "OpenPositions": (rest_margin.open_positions, _READ_OPEN),
    "Ledgers": (rest_private.ledgers, ("query-ledger",)),
    "QueryLedgers": (rest_private.query_ledgers, ("query-ledger",)),
    "TradeVolume": (rest_private.trade_volume, ("query-funds",)),
    "GetWebSocketsToken": (rest_private.websockets_token, ("create-ws-token",)),
    "GetApiKeyInfo": (rest_private.api_key_info, ()),
    "AddExport": (rest_exports.add_export, _EXPORT),
    "ExportStatus": (rest_exports.export_status, _EXPORT),
    "RetrieveExport": (rest_exports.retrieve_export, _EXPORT),
    "RemoveExport": (rest_exports.remove_export, _EXPORT),
    "DepositMethods": (rest_funding.deposit_methods, ("query-funds",)),
    "DepositAddresses": (rest_funding.deposit_addresses, ("query-funds",)),
    "DepositStatus": (rest_funding.deposit_status, ("query-funds",)),
    "WithdrawMethods": (rest_funding.withdraw_methods, _WITHDRAW),
    "WithdrawAddresses": (rest_funding.withdraw_addresses, _WITHDRAW),
    "WithdrawInfo": (rest_funding.withdraw_info, _WITHDRAW),
    "Withdraw": (rest_funding.withdraw, _WITHDRAW),
    "WithdrawStatus": (rest_funding.withdraw_status, (*_WITHDRAW, "query-ledger")),
    "WithdrawCancel": (rest_funding.withdraw_cancel, _WITHDRAW),
    "WalletTransfer": (rest_funding.wallet_transfer, ("query-funds",)),
    "Level3": (rest_market.level3, _READ_OPEN),
    "AddOrder": (rest_orders.add_order, ("modify-trades",)),
    "AddOrderBatch": (rest_orders.add_order_batch, ("modify-trades",)),
    "EditOrder": (rest_orders.edit_order, ("modify-trades",)),
    "OrderAmends": (rest_orders.order_amends, _READ_OPEN),
    "CancelAllOrdersAfter": (rest_cancels.cancel_all_after, _CANCEL),
    "AmendOrder": (rest_orders.amend_order, ("modify-trades",)),
    "CancelOrder": (rest_cancels.cancel_order, _CANCEL),
    "CancelOrderBatch": (rest_cancels.cancel_order_batch, _CANCEL),
    "CancelAll": (rest_cancels.cancel_all, _CANCEL),
}
"""Each private method with the permissions of which one suffices (section 2.4)."""
METHODS = frozenset({*_ENDPOINTS, *rest_public.ENDPOINTS, "Spread"})
"""Every method, private and public."""

encode = msgspec.json.Encoder(decimal_format="number").encode
"""Decimals become JSON numbers with all their digits; amounts are strings already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestRequest:
    """A request as it came: `path` without query, header names in lower case, the body's bytes.

    `client` is the address it came from.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    client: str = ""


class RestDialect:
    """Answers for one exchange."""

    def __init__(self, exchange: PaperExchange) -> None:
        self._exchange = exchange
        self._public_limits = PublicLimits()
        self._public = {**rest_public.ENDPOINTS, "Spread": SpreadLog(exchange).spread}

    def answer(self, request: RestRequest) -> bytes:
        """The body of the answer, JSON or a file; a refusal is an answer too."""
        try:
            result = self._result(request)
            return result if isinstance(result, bytes) else encode({"error": [], "result": result})
        except Refusal as refusal:
            return encode({"error": [refusal.error]})

    def _result(self, request: RestRequest) -> object:
        if request.path.startswith(_PUBLIC):
            method = request.path.removeprefix(_PUBLIC)
            endpoint = self._public.get(method)
            if endpoint is not None and request.method in ("GET", "POST"):
                params = from_form(request.query) if request.method == "GET" else _read(request)
                self._check_public(request.client, method, params.text("pair"))
                return endpoint(self._exchange, params)
        if request.path.startswith(_PRIVATE) and request.method == "POST":
            return self._private(request)
        raise Refusal("EGeneral:Unknown method")

    def _check_public(self, client: str, method: str, pair: str | None) -> None:
        per_s = self._exchange.options.quirks.public_calls_per_s
        if per_s is None:
            return
        with suppress(Refusal):  # in whichever spelling: it is the same pair
            pair = self._exchange.pair(pair or "").symbol
        self._public_limits.check(client, method, pair, self._exchange.now(), per_s)

    def _private(self, request: RestRequest) -> object:
        known = _ENDPOINTS.get(request.path.removeprefix(_PRIVATE))
        if known is None:
            raise Refusal("EGeneral:Unknown method")
        endpoint, permissions = known
        params = _read(request)
        who = self._who_signed(request, params.text("nonce"), params.text("otp"))
        if permissions:
            who.require(*permissions)
        if self._exchange.mode == "maintenance":
            raise Refusal("EService:Unavailable")
        if (params.text("rebase_multiplier") or "rebased") not in _REBASE:
            raise invalid("rebase_multiplier")
        return endpoint(self._exchange, who, params)

    def _who_signed(self, request: RestRequest, nonce: str | None, otp: str | None) -> Principal:
        call = SignedCall(
            api_key=request.headers.get("api-key", ""),
            signature=request.headers.get("api-sign", ""),
            path=request.path,
            body=request.body,
            nonce=nonce or "",
            otp=otp,
            client=request.client,
        )
        try:
            return self._exchange.authenticate(call)
        except Refusal as refusal:
            # over a body without a nonce no signature means anything
            if nonce is None and refusal.error == "EAPI:Invalid signature":
                raise Refusal("EAPI:Invalid nonce") from None
            raise


def _read(request: RestRequest) -> Params:
    try:
        text = request.body.decode()
    except UnicodeDecodeError:
        raise Refusal("EAPI:Bad request") from None
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return from_json(text) if kind == "application/json" else from_form(text)
