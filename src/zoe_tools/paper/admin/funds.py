"""What the operator may do with the money of the exchange's accounts: `/zoe/admin/funds/...`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

import msgspec

from zoe_tools.paper.engine.funding import FUTURES, Transfer
from zoe_tools.paper.engine.wallets import parted
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.values.rounding import fixed
from zoe_tools.paper.values.times import iso
from zoe_tools.paper.values.views import AssetSpec, Principal

LONGEST_S = 90 * 86_400


class FundOrder(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is to be done; `owner` is an account's id or name, the home's own without.

    `asset` in any of its spellings; `amount` and `fee` as in `FundingCommands`; `after_s` in venue
    seconds, of deposits; `source` and `target` of transfers: a suffix, `futures`, or "" for spot.
    """

    action: Literal["deposit", "withdraw", "transfer"]
    asset: str
    amount: Decimal
    owner: str = ""
    fee: Decimal = Decimal(0)
    after_s: float = 0.0
    source: str = ""
    target: str = ""


def show_funds(exchange: PaperExchange) -> dict[str, Any]:
    """Every account with what it owns and what is on its way, in `accounts`."""
    return {"accounts": [_account_row(exchange, one) for one in _owners(exchange)]}


def _owners(exchange: PaperExchange) -> list[Principal]:
    """One key of each account, oldest first."""
    known: dict[str, Principal] = {}
    for principal in exchange.principals:
        known.setdefault(principal.account_id, principal)
    return list(known.values())


def _account_row(exchange: PaperExchange, who: Principal) -> dict[str, Any]:
    moving = [
        movement
        for kind in ("deposit", "withdrawal")
        for movement in exchange.movements(who.account_id, kind)
        if movement.due
    ]
    return {
        "account_id": who.account_id,
        "name": who.name,
        "balances": [
            {
                "asset": row.asset.name,
                "balance": fixed(row.balance, row.asset.decimals),
                "held": fixed(row.hold, row.asset.decimals),
            }
            for row in exchange.balances(who.account_id)
        ],
        "moving": [
            {
                "ref_id": one.ref_id,
                "kind": one.kind,
                "asset": one.asset,
                "amount": fixed(one.amount, exchange.asset(one.asset).decimals),
                "status": one.status,
                "ends_at": iso(one.due[-1][0]),
            }
            for one in moving
        ],
    }


def move_funds(exchange: PaperExchange, body: str, *, is_dry: bool) -> dict[str, Any]:
    """Do what a FundOrder says, or say what it would do.

    Returns `account_id`, `name`, and `changes`: (asset, before, after) once everything has settled.

    Raises:
        Refusal: it makes no sense, or cannot be.
    """
    try:
        order = msgspec.json.decode(body, type=FundOrder)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Refusal(f"EGeneral:Invalid arguments:{error}") from error
    if not 0 <= order.after_s <= LONGEST_S:
        raise Refusal("EGeneral:Invalid arguments:after_s")
    who = owner_of(exchange, order.owner)
    asset = _asset(exchange, order.asset)
    if parted(asset.name)[1]:
        raise Refusal("EFunding:Unknown asset")
    _check(exchange, who.account_id, order, asset.name)
    before = {row.asset.name: row.balance for row in exchange.balances(who.account_id)}
    changes = [
        {
            "asset": name,
            "before": fixed(before.get(name, Decimal(0)), asset.decimals),
            "after": fixed(before.get(name, Decimal(0)) + moved, asset.decimals),
        }
        for name, moved in _legs(order, asset.name)
    ]
    told = {"account_id": who.account_id, "name": who.name, "changes": changes}
    if is_dry:
        return told
    return told | {"ref_id": _move(exchange, who.account_id, order, asset.name)}


def _asset(exchange: PaperExchange, name: str) -> AssetSpec:
    """As Kraken spells it, or as a hand in a hurry does."""
    try:
        return exchange.asset(name)
    except Refusal:
        return exchange.asset(name.upper())


def owner_of(exchange: PaperExchange, name: str) -> Principal:
    """The account of this id or name, as one of its keys; the first one there is for "".

    Raises:
        Refusal: there is none.
    """
    found = [one for one in _owners(exchange) if name in ("", one.account_id, one.name)]
    if not found:
        raise Refusal(f"EGeneral:Invalid arguments:there is no account {name!r}")
    return found[0]


def _legs(order: FundOrder, asset: str) -> list[tuple[str, Decimal]]:
    if order.action == "deposit":
        return [(asset, order.amount - order.fee)]
    if order.action == "withdraw":
        return [(asset, -order.amount)]
    legs = ((order.source, -order.amount), (order.target, order.amount))
    return [(f"{asset}{suffix}", moved) for suffix, moved in legs if suffix != FUTURES]


def _transfer(order: FundOrder, asset: str) -> Transfer:
    return Transfer(asset=asset, amount=order.amount, source=order.source, target=order.target)


def _check(exchange: PaperExchange, account_id: str, order: FundOrder, asset: str) -> None:
    if order.action == "deposit":
        exchange.check_receipt(asset, order.amount, order.fee)
    elif order.action == "withdraw":
        exchange.check_payment(account_id, asset, order.amount, order.fee)
    else:
        exchange.check_transfer(account_id, _transfer(order, asset))


def _move(exchange: PaperExchange, account_id: str, order: FundOrder, asset: str) -> str:
    if order.action == "deposit":
        return exchange.receive(
            account_id, asset, order.amount, fee=order.fee, takes_s=order.after_s
        ).ref_id
    if order.action == "withdraw":
        return exchange.pay_out(account_id, asset, order.amount, fee=order.fee).ref_id
    return exchange.transfer(account_id, _transfer(order, asset))
