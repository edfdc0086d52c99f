"""`zoe paper fund`: money in and out of the paper exchange. A dry run unless --execute is given."""

from __future__ import annotations

import shlex
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import msgspec
import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.errors import ConfigError
from zoe_tools.paper.admin.funds import LONGEST_S, FundOrder
from zoe_tools.paper.engine.funding import FUTURES
from zoe_tools.paper.engine.wallets import EARN
from zoe_tools.render.printer import Printer
from zoe_tools.runtime.paper_admin import ask_exchange

_DONE, _FINDINGS = 0, 3
_HINT = "`zoe paper fund` shows what each account owns."
_SPOT = "spot"

_Withdraw = Annotated[bool, typer.Option("--withdraw", help="Take it out instead.")]
_To = Annotated[
    str, typer.Option(help="Move it within the account, from spot: F, B, M, S, P, or futures.")
]
_From = Annotated[str, typer.Option("--from", help="Move it back to spot: F, B, M, S or P.")]
_Fee = Annotated[str, typer.Option(help="What of the amount is a fee.")]
_After = Annotated[
    float, typer.Option(help="A deposit's venue seconds on its way.", min=0, max=LONGEST_S)
]
_Owner = Annotated[str, typer.Option(help="Another of the exchange's accounts, by name or id.")]


def paper_fund(
    ctx: typer.Context,
    *,
    asset: Annotated[str, typer.Argument(metavar="[ASSET]", help="USD, BTC, XBT, ...")] = "",
    amount: Annotated[str, typer.Argument(metavar="[AMOUNT]", help="How much of it.")] = "",
    withdraw: _Withdraw = False,
    to: _To = "",
    from_: _From = "",
    fee: _Fee = "0",
    after: _After = 0.0,
    owner: _Owner = "",
    execute: Annotated[bool, typer.Option("--execute", help="Do it.")] = False,
) -> int:
    """Pay money into an account of the paper exchange, or take it out.

    Without arguments it shows what each account owns and what is on its way. Money that is moved
    with --to earns, and cannot be traded until it is moved back. Nothing but the paper exchange can
    be reached. Without --execute it only says what it would do.

    Examples:
      zoe paper fund
      zoe paper fund USD 5000 --execute
      zoe paper fund BTC 0.5 --after 600 --execute
      zoe paper fund BTC 0.1 --withdraw --fee 0.00015 --execute
      zoe paper fund BTC 0.2 --to F --execute
    """
    invocation: Invocation = ctx.obj
    settings = invocation.for_account("paper").settings(lenient=True)
    printer = invocation.printer()
    order = _order(asset, amount, withdraw=withdraw, source=from_, target=to)
    if order is None:
        told = ask_exchange(settings.home, "funds/show", hint=_HINT)
        _show(printer, told)
        printer.result(told)
        return _DONE
    order.fee, order.after_s, order.owner = _number(fee, "--fee"), after, owner
    _check(order)
    body = msgspec.json.encode(order).decode()
    told = ask_exchange(settings.home, "funds/move" if execute else "funds/check", body, hint=_HINT)
    _announce(printer, order, told)
    if not execute:
        printer.line("DRY RUN: nothing was changed.")
        printer.line(f"To carry it out: {_command(order)} --execute")
    code = _DONE if execute else _FINDINGS
    printer.result({**told, "is_executed": execute}, exit_code=code)
    return code


def _order(
    asset: str, amount: str, *, withdraw: bool, source: str, target: str
) -> FundOrder | None:
    """What is asked for; None when nothing is."""
    if sum((withdraw, bool(source), bool(target))) > 1:
        raise ConfigError("--withdraw, --from and --to exclude each other.")
    if not asset:
        if amount or withdraw or source or target:
            raise ConfigError("What, and how much of it?", hint="zoe paper fund USD 5000")
        return None
    if not amount:
        raise ConfigError(f"How much {asset}?", hint=f"zoe paper fund {asset} 100")
    order = FundOrder(action="deposit", asset=asset, amount=_number(amount, "the amount"))
    if withdraw:
        order.action = "withdraw"
    elif source or target:
        order.action = "transfer"
        order.source, order.target = _wallet(source), _wallet(target)
    return order


def _check(order: FundOrder) -> None:
    if order.after_s and order.action != "deposit":
        raise ConfigError("--after is for deposits.")
    if order.fee and order.action == "transfer":
        raise ConfigError("--fee is for deposits and withdrawals: moving money is free.")


def _wallet(text: str) -> str:
    """A suffix as the exchange writes it."""
    if text.lower() in ("", _SPOT):
        return ""
    if text.lower() == FUTURES:
        return FUTURES
    suffix = f".{text.removeprefix('.').upper()}"
    if suffix not in EARN:
        known = ", ".join(each.removeprefix(".") for each in EARN)
        raise ConfigError(f"There is no wallet {text!r}.", hint=f"One of: {known}, {FUTURES}.")
    return suffix


def _number(text: str, what: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise ConfigError(f"{what} {text!r} is no number.".capitalize())
    return number


def _announce(printer: Printer, order: FundOrder, told: dict[str, Any]) -> None:
    what = {"deposit": "deposit", "withdraw": "withdraw", "transfer": "move"}[order.action]
    printer.line(f"{told['name']} ({told['account_id']}): {what} {order.amount:f} {order.asset}")
    for change in told["changes"]:
        printer.line(f"  - {change['asset']}: {change['before']} -> {change['after']}")
    if order.after_s:
        printer.line(f"  - credited after {order.after_s:g} venue seconds")


def _command(order: FundOrder) -> str:
    """The command line that asks for the same."""
    words = ["zoe", "paper", "fund", order.asset, f"{order.amount:f}"]
    if order.action == "withdraw":
        words.append("--withdraw")
    for name, wallet in (("--from", order.source), ("--to", order.target)):
        if wallet:
            words += [name, wallet.removeprefix(".")]
    if order.fee:
        words += ["--fee", f"{order.fee:f}"]
    if order.after_s:
        words += ["--after", f"{order.after_s:g}"]
    if order.owner:
        words += ["--owner", order.owner]
    return shlex.join(words)


def _show(printer: Printer, told: dict[str, Any]) -> None:
    for account in told["accounts"]:
        printer.heading(f"{account['name']} ({account['account_id']})")
        printer.table(
            ("asset", "balance", "held"),
            [(row["asset"], row["balance"], row["held"]) for row in account["balances"]],
        )
        if account["moving"]:
            printer.table(
                ("on its way", "asset", "amount", "status", "until"),
                [
                    (row["kind"], row["asset"], row["amount"], row["status"], row["ends_at"])
                    for row in account["moving"]
                ],
            )
