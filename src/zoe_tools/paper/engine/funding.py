"""The steps of money that comes, goes, or changes its wallet: pure, as the engine's.

A deposit is credited when it succeeds. A withdrawal is taken when it is asked for, and given back,
fee and all, when it is cancelled while `Initial`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal

from msgspec.structs import replace

from zoe_tools.paper.engine import checks
from zoe_tools.paper.engine.account import Account
from zoe_tools.paper.engine.floor import Floor
from zoe_tools.paper.engine.funding_methods import FundingMethod, address, method_of, withdrawal_key
from zoe_tools.paper.engine.records import Records
from zoe_tools.paper.engine.valuation import withdrawable
from zoe_tools.paper.engine.wallets import parted
from zoe_tools.paper.values.events import MovementEvent
from zoe_tools.paper.values.movements import Movement, Stages
from zoe_tools.paper.values.order import ZERO
from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.values.rounding import fits, half_up
from zoe_tools.paper.values.times import NS
from zoe_tools.paper.values.views import AssetSpec

FUTURES = "futures"
"""A wallet outside this exchange: what goes there is gone from here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingOptions:
    """How long money takes, in venue seconds: a withdrawal is `Initial`, `Pending`, `Settled`."""

    initial_s: float = 60.0
    pending_s: float = 240.0
    settled_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Money between two wallets of one account: `source` and `target` are suffixes or FUTURES."""

    asset: str
    amount: Decimal
    source: str = ""
    target: str = ""


def asset_named(floor: Floor, name: str) -> AssetSpec:
    """The asset itself, without suffix.

    Raises:
        Refusal: `EFunding:Unknown asset`.
    """
    spec = floor.assets.get(name)
    if spec is None:
        raise Refusal("EFunding:Unknown asset")
    return spec


def check_amount(spec: AssetSpec, amount: Decimal, *, least: Decimal = ZERO) -> None:
    """Whether such an amount can move.

    Raises:
        Refusal: `EFunding:Invalid amount`.
    """
    is_number = amount.is_finite() and ZERO < amount <= checks.LARGEST
    if not is_number or amount < least or not fits(amount, spec.decimals):
        raise Refusal("EFunding:Invalid amount")


def check_deposit(floor: Floor, asset: str, amount: Decimal, fee: Decimal = ZERO) -> None:
    """Whether such a deposit can come.

    Raises:
        Refusal: an unknown asset, an impossible amount, a fee that is more than the amount.
    """
    spec = asset_named(floor, asset)
    check_amount(spec, amount)
    if fee:
        check_amount(spec, fee)
    if fee >= amount:
        raise Refusal("EFunding:Invalid amount")


def deposit(
    turn: Records,
    account: Account,
    asset: str,
    amount: Decimal,
    *,
    fee: Decimal = ZERO,
    takes_s: float = 0.0,
) -> Movement:
    """Money comes: at once, or `Pending` for half of `takes_s` and `Settled` for the other half."""
    spec = turn.floor.assets[asset]
    number = turn.floor.mint.counters.get(address_counter(account, spec), 1)
    movement = _movement(turn, account, spec, amount, fee)
    movement = replace(
        movement,
        status="Pending",
        due=_arrival(turn.now, takes_s),
        info=address(account.account_id, spec, number),
    )
    return _begin(turn, account, movement)


def _arrival(now: int, takes_s: float) -> Stages:
    half = int(takes_s * NS / 2)
    if not half:
        return ((now, "Success"),)
    return ((now + half, "Settled"), (now + 2 * half, "Success"))


def address_counter(account: Account, spec: AssetSpec) -> str:
    """The counter of the account's deposit addresses for this asset."""
    return f"address {account.account_id} {spec.name}"


def check_withdrawal(floor: Floor, account: Account, asset: str, amount: Decimal) -> None:
    """Whether so much can be taken out.

    Raises:
        Refusal: an unknown asset, an impossible amount, or more than is free.
    """
    check_amount(asset_named(floor, asset), amount)
    if amount > withdrawable(floor, account, asset):
        raise Refusal("EFunding:Insufficient funds")


def withdraw(
    turn: Records,
    account: Account,
    asset: str,
    amount: Decimal,
    *,
    fee: Decimal = ZERO,
    options: FundingOptions | None = None,
) -> Movement:
    """Money goes; `amount` is all that is taken, the fee is part of it. At once without options."""
    spec = turn.floor.assets[asset]
    movement = replace(
        _movement(turn, account, spec, amount - fee, fee),
        kind="withdrawal",
        info=address("withdrawal", spec),
        key=withdrawal_key(spec),
        status="Initial",
        due=((turn.now, "Success"),) if options is None else _stages(turn.now, options),
    )
    _post(turn, account, movement, -movement.amount, movement.fee)
    return _begin(turn, account, movement)


def _stages(now: int, options: FundingOptions) -> Stages:
    pending = now + int(options.initial_s * NS)
    settled = pending + int(options.pending_s * NS)
    return (
        (pending, "Pending"),
        (settled, "Settled"),
        (settled + int(options.settled_s * NS), "Success"),
    )


def _movement(
    turn: Records, account: Account, spec: AssetSpec, amount: Decimal, fee: Decimal
) -> Movement:
    method: FundingMethod = method_of(spec)
    ref_id = turn.floor.mint.deposit()
    return Movement(
        ref_id=ref_id,
        account_id=account.account_id,
        kind="deposit",
        asset=spec.name,
        method=method.name,
        network=method.network,
        amount=half_up(amount, spec.decimals),
        fee=half_up(fee, spec.decimals),
        at=turn.now,
        status="Initial",
        tx_id="" if method.is_fiat else hashlib.sha256(ref_id.encode()).hexdigest(),
    )


def _begin(turn: Records, account: Account, movement: Movement) -> Movement:
    account.movements[movement.ref_id] = movement
    for at, _ in movement.due:
        if at > turn.now:
            turn.floor.watch_expiry(at, account.account_id, movement.ref_id)
    return advance(turn, account, movement.ref_id)


def advance(turn: Records, account: Account, ref_id: str) -> Movement:
    """Take up the stages that are due."""
    movement = account.movements[ref_id]
    while movement.due and movement.due[0][0] <= turn.now:
        movement = replace(movement, status=movement.due[0][1], due=movement.due[1:])
        if movement.status == "Success" and movement.kind == "deposit":
            _post(turn, account, movement, movement.amount, movement.fee)
    return _keep(turn, account, movement)


def cancel(turn: Records, account: Account, ref_id: str) -> bool:
    """Call a withdrawal back, which works while it is `Initial`; whether it did."""
    movement = account.movements[ref_id]
    if movement.kind != "withdrawal" or movement.status != "Initial":
        return False
    _post(turn, account, movement, movement.amount, -movement.fee)
    _keep(turn, account, replace(movement, status="Failure", status_prop="canceled", due=()))
    return True


def _keep(turn: Records, account: Account, movement: Movement) -> Movement:
    account.movements[movement.ref_id] = movement
    turn.events.append(MovementEvent(at=turn.now, account_id=account.account_id, movement=movement))
    return movement


def _post(
    turn: Records, account: Account, movement: Movement, amount: Decimal, fee: Decimal
) -> None:
    turn.post(
        account,
        ledger_id=turn.floor.mint.ledger(),
        ref_id=movement.ref_id,
        row_type=movement.kind,
        subtype="",
        asset=movement.asset,
        amount=amount,
        fee=fee,
    )


def check_transfer(floor: Floor, account: Account, order: Transfer) -> None:
    """Whether the money can change its wallet.

    Raises:
        Refusal: an unknown asset, wallets that it cannot go between, or more than is free.
    """
    spec = asset_named(floor, order.asset)
    ends = {order.source, order.target}
    known = [end for end in ends if end == FUTURES or parted(f"{spec.name}{end}")[0] == spec.name]
    if len(ends) != len(known) or len(ends) == 1 or "" not in ends or order.source == FUTURES:
        raise Refusal("EGeneral:Invalid arguments")
    check_amount(spec, order.amount)
    if order.amount > withdrawable(floor, account, f"{spec.name}{order.source}"):
        raise Refusal("EFunding:Insufficient funds")


def transfer(turn: Records, account: Account, order: Transfer) -> str:
    """From wallet to wallet, free of charge; returns the reference both rows share."""
    spec = turn.floor.assets[order.asset]
    amount = half_up(order.amount, spec.decimals)
    ref_id = turn.floor.mint.deposit()
    for suffix, subtype, moved in _legs(order, amount):
        turn.post(
            account,
            ledger_id=turn.floor.mint.ledger(),
            ref_id=ref_id,
            row_type="transfer",
            subtype=subtype,
            asset=f"{spec.name}{suffix}",
            amount=moved,
            fee=half_up(ZERO, spec.decimals),
        )
    return ref_id


def _legs(order: Transfer, amount: Decimal) -> list[tuple[str, str, Decimal]]:
    """(suffix, subtype, amount) of the rows of a transfer."""
    if order.target == FUTURES:
        return [("", "spottofutures", -amount)]
    if order.source:
        return [(order.source, "stakingtospot", -amount), ("", "spotfromstaking", amount)]
    return [("", "spottostaking", -amount), (order.target, "stakingfromspot", amount)]
