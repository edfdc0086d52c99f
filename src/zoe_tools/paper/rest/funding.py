"""The funding endpoints of private REST (section 6): deposits, withdrawals, wallet transfers.

Shapes as captured in 2023-2025. Deposits are made by the exchange's operator: `zoe paper fund`.
"""

from __future__ import annotations

from decimal import Decimal

from zoe_tools.paper.engine.funding import FUTURES, Transfer
from zoe_tools.paper.engine.funding_methods import FundingMethod, address, method_of, withdrawal_key
from zoe_tools.paper.engine.wallets import parted
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.rest.format import Json
from zoe_tools.paper.rest.params import Params, invalid
from zoe_tools.paper.values.movements import Movement, MovementKind
from zoe_tools.paper.values.order import ZERO
from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.values.rounding import fixed, plain
from zoe_tools.paper.values.times import NS
from zoe_tools.paper.values.views import AssetSpec, Principal

_PAGE, _MOST = 25, 500
_SPOT, _FUTURES = "Spot Wallet", "Futures Wallet"


def _asset(exchange: PaperExchange, params: Params) -> AssetSpec:
    name = params.text("asset")
    if name is None:
        raise invalid("asset")
    return _asset_named(exchange, name)


def _asset_named(exchange: PaperExchange, name: str) -> AssetSpec:
    try:
        asset = exchange.asset(name)
    except Refusal:
        raise Refusal("EFunding:Unknown asset") from None
    if parted(asset.name)[1]:
        raise Refusal("EFunding:Unknown asset")
    return asset


def _method(asset: AssetSpec, params: Params) -> FundingMethod:
    """The asset's method; a name that is not its own is refused."""
    method = method_of(asset)
    if (params.text("method") or method.name) != method.name:
        raise Refusal("EFunding:No funding method")
    return method


def _amount(params: Params) -> Decimal:
    amount = params.decimal("amount")
    if amount is None:
        raise invalid("amount")
    return amount


# deposits
def deposit_methods(exchange: PaperExchange, who: Principal, params: Params) -> list[Json]:
    """DepositMethods."""
    who.require("add-funds")
    asset = _asset(exchange, params)
    method = method_of(asset)
    row: Json = {
        "method": method.name,
        "limit": False,
        "fee": fixed(ZERO, asset.decimals),
        "minimum": fixed(method.least_in, asset.decimals),
    }
    return [row if method.is_fiat else row | {"gen-address": True}]


def deposit_addresses(exchange: PaperExchange, who: Principal, params: Params) -> list[Json]:
    """DepositAddresses: newest first; `new` makes one more. None of them can be paid to."""
    asset = _asset(exchange, params)
    if params.text("method") is None:
        raise invalid("method")
    _method(asset, params)
    if params.flag("new"):
        who.require("add-funds")
        exchange.new_address(who.account_id, asset)
    used = {movement.info for movement in exchange.movements(who.account_id, "deposit")}
    return [
        {"address": told, "expiretm": "0"} | ({} if told in used else {"new": True})
        for told in exchange.addresses(who.account_id, asset)
    ]


def deposit_status(exchange: PaperExchange, who: Principal, params: Params) -> object:
    """DepositStatus."""
    return _status(exchange, who, params, "deposit")


# withdrawals
def withdraw_methods(exchange: PaperExchange, _: Principal, params: Params) -> list[Json]:
    """WithdrawMethods: of one asset, of one network, or all."""
    network = params.text("network")
    return [
        {
            "asset": asset.asset_id,
            "method": method.name,
            "network": method.network,
            "minimum": plain(method.least_out),
        }
        for asset, method in _all_methods(exchange, params)
        if network in (None, method.network)
    ]


def withdraw_addresses(exchange: PaperExchange, _: Principal, params: Params) -> list[Json]:
    """WithdrawAddresses: each asset has one, and it is verified."""
    key, method_name = params.text("key"), params.text("method")
    if not params.flag("verified", default=True):
        return []
    return [
        {
            "address": address("withdrawal", asset),
            "asset": asset.altname,
            "method": method.name,
            "key": withdrawal_key(asset),
            "verified": True,
        }
        for asset, method in _all_methods(exchange, params)
        if key in (None, withdrawal_key(asset)) and method_name in (None, method.name)
    ]


def _all_methods(exchange: PaperExchange, params: Params) -> list[tuple[AssetSpec, FundingMethod]]:
    name = params.text("asset")
    assets = exchange.assets if name is None else (_asset_named(exchange, name),)
    return [(asset, method_of(asset)) for asset in assets]


def withdraw_info(exchange: PaperExchange, who: Principal, params: Params) -> Json:
    """WithdrawInfo: `limit` is what could leave now, `amount` what would arrive."""
    asset, amount = _asset(exchange, params), _amount(params)
    method = method_of(asset)
    if params.text("key") != withdrawal_key(asset):
        raise Refusal("EFunding:Unknown withdraw key")
    if amount <= method.fee:
        raise Refusal("EFunding:Invalid amount")
    free = next(
        (row.balance - row.hold for row in exchange.balances(who.account_id) if row.asset == asset),
        ZERO,
    )
    return {
        "method": method.name,
        "limit": fixed(max(ZERO, free - method.fee), asset.decimals),
        "amount": fixed(amount - method.fee, asset.decimals),
        "fee": fixed(method.fee, asset.decimals),
    }


def withdraw(exchange: PaperExchange, who: Principal, params: Params) -> Json:
    """Withdraw: the fee is inside the amount, as WithdrawInfo tells."""
    asset, amount = _asset(exchange, params), _amount(params)
    told = params.text("address")
    if told not in (None, address("withdrawal", asset)):
        raise Refusal("EFunding:Invalid withdrawal address")
    movement = exchange.withdraw(
        who.account_id, asset, params.text("key") or "", amount, params.decimal("max_fee")
    )
    return {"refid": movement.ref_id}


def withdraw_status(exchange: PaperExchange, who: Principal, params: Params) -> object:
    """WithdrawStatus."""
    return _status(exchange, who, params, "withdrawal")


def withdraw_cancel(exchange: PaperExchange, who: Principal, params: Params) -> bool:
    """WithdrawCancel: whether it worked; it does while the withdrawal is `Initial`."""
    asset = _asset(exchange, params)
    ref_id = params.text("refid")
    if ref_id is None:
        raise Refusal("EFunding:Invalid reference id")
    known = exchange.movements(who.account_id, "withdrawal")
    if not any(one.ref_id == ref_id and one.asset == asset.name for one in known):
        raise Refusal("EFunding:Unknown reference id")
    return exchange.cancel_withdrawal(who.account_id, ref_id)


def wallet_transfer(exchange: PaperExchange, who: Principal, params: Params) -> Json:
    """WalletTransfer: from spot to futures, the one way there is from here."""
    asset, amount = _asset(exchange, params), _amount(params)
    for name, known in (("from", _SPOT), ("to", _FUTURES)):
        if params.text(name) != known:
            raise invalid(name)
    order = Transfer(asset=asset.name, amount=amount, target=FUTURES)
    return {"refid": exchange.transfer(who.account_id, order)}


# both
def _status(exchange: PaperExchange, who: Principal, params: Params, kind: MovementKind) -> object:
    """Newest first. With `cursor` an object that tells how to go on, without it a list."""
    found = _found(exchange, who, params, kind)
    limit = params.integer("limit")
    if limit is None:
        limit = _PAGE
    if not 1 <= limit <= _MOST:
        raise invalid("limit")
    cursor = params.text("cursor")
    is_paged = cursor is not None and cursor.lower() != "false"
    if cursor is not None and cursor.lower() not in ("true", "false"):
        found = _after(found, cursor)
    page = found[:limit]
    rows = [_record(one, exchange.asset(one.asset)) for one in page]
    if not is_paged:
        return rows
    told: Json = {kind: rows}
    return told | ({"next_cursor": page[-1].ref_id} if len(found) > limit else {})


def _after(found: list[Movement], cursor: str) -> list[Movement]:
    """What is older than the last one of the page before."""
    for number, movement in enumerate(found):
        if movement.ref_id == cursor:
            return found[number + 1 :]
    raise invalid("cursor")


def _found(
    exchange: PaperExchange, who: Principal, params: Params, kind: MovementKind
) -> list[Movement]:
    name, method = params.text("asset"), params.text("method")
    asset = None if name is None else _asset_named(exchange, name).name
    start, end = params.seconds("start"), params.seconds("end")
    if (params.text("aclass") or "currency") != "currency":
        return []
    return [
        movement
        for movement in reversed(exchange.movements(who.account_id, kind))
        if asset in (None, movement.asset)
        and method in (None, movement.method)
        and (start is None or movement.at >= start)
        and (end is None or movement.at <= end)
    ]


def _record(movement: Movement, asset: AssetSpec) -> Json:
    row: Json = {
        "method": movement.method,
        "aclass": "currency",
        "asset": asset.asset_id,
        "refid": movement.ref_id,
        "txid": movement.tx_id,
        "info": movement.info,
        "amount": fixed(movement.amount, asset.decimals),
        "fee": fixed(movement.fee, asset.decimals),
        "time": movement.at // NS,
        "status": movement.status,
    }
    if movement.status_prop is not None:
        row["status-prop"] = movement.status_prop
    if movement.kind == "deposit":
        return row
    return row | {"key": movement.key, "network": movement.network}
