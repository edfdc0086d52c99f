"""`zoe paper key`: the API keys of the paper exchange, for programs that are to be tried on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.errors import ConfigError
from zoe_tools.paper.admin.keys import LONGEST_S, KeyName, KeyOrder
from zoe_tools.paper.home import PaperHome
from zoe_tools.render.printer import Printer
from zoe_tools.runtime.paper_admin import ask_exchange
from zoe_tools.runtime.paper_process import folder_of

_HINT = "`zoe paper key` shows the keys there are."

_Owner = Annotated[str, typer.Option(help="Another of the exchange's accounts, by name or id.")]
_NewAccount = Annotated[
    bool, typer.Option("--new-account", help="Open the account of --owner first; it is empty.")
]
_Margin = Annotated[bool, typer.Option("--margin", help="A new account may use leverage.")]
_Tier = Annotated[
    Literal["starter", "intermediate", "pro"] | None,
    typer.Option(help="A new account's own tier; without it the exchange's."),
]
_Permission = Annotated[
    list[str] | None,
    typer.Option(
        "--permission",
        metavar="TOKEN",
        help="What it may, as GetApiKeyInfo calls it. Repeatable; without it: trade.",
    ),
]
_Window = Annotated[int, typer.Option(help="How far below the highest a nonce may be.", min=0)]
_ValidFor = Annotated[
    float, typer.Option(help="Venue seconds until it expires; 0: never.", min=0, max=LONGEST_S)
]
_From = Annotated[str, typer.Option(help="Nothing before this time is shown to it.")]
_To = Annotated[str, typer.Option(help="Nothing after this time is shown to it.")]
_Ip = Annotated[
    list[str] | None,
    typer.Option(
        "--ip", metavar="ADDRESS", help="Good from this address or network alone. Repeatable."
    ),
]
_Otp = Annotated[str, typer.Option(help="A second password that every call must carry.")]
_Totp = Annotated[bool, typer.Option("--totp", help="A second factor that changes every 30 s.")]


def paper_key(
    ctx: typer.Context,
    *,
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="What to call it; without it: list them.")
    ] = "",
    owner: _Owner = "",
    new_account: _NewAccount = False,
    margin: _Margin = False,
    tier: _Tier = None,
    permission: _Permission = None,
    nonce_window: _Window = 0,
    valid_for: _ValidFor = 0.0,
    query_from: _From = "",
    query_to: _To = "",
    ip: _Ip = None,
    otp: _Otp = "",
    totp: _Totp = False,
    remove: Annotated[bool, typer.Option("--remove", help="Forget this key.")] = False,
) -> int:
    """Make an API key at the paper exchange, as limited as you say, or show those there are.

    Its secret is told once. Nothing but the paper exchange can be reached.

    Examples:
      zoe paper key
      zoe paper key reader --permission query-funds --permission query-open-trades
      zoe paper key shortlived --valid-for 600 --nonce-window 1000000
      zoe paper key bob --owner bob --new-account
      zoe paper key reader --remove
    """
    invocation: Invocation = ctx.obj
    home = invocation.for_account("paper").settings(lenient=True).home
    printer = invocation.printer()
    order = KeyOrder(
        name=name,
        owner=owner,
        opens_account=new_account,
        has_margin=margin,
        tier=tier,
        permissions=tuple(permission or ()),
        nonce_window=nonce_window,
        valid_for_s=valid_for or None,
        query_from=query_from,
        query_to=query_to,
        addresses=tuple(ip or ()),
        otp=otp,
        has_totp=totp,
    )
    if not name:
        if order != KeyOrder(name="") or remove:
            raise ConfigError("What is the key called?", hint="zoe paper key reader")
        told = ask_exchange(home, "keys/show", hint=_HINT)
        _show(printer, told)
    elif remove:
        told = _remove(printer, home, order)
    else:
        told = _make(printer, home, order)
    printer.result(told)
    return 0


def _make(printer: Printer, home: Path, order: KeyOrder) -> dict[str, Any]:
    body = msgspec.json.encode(order).decode()
    told = ask_exchange(home, "keys/add", body, hint=_HINT)
    _announce(printer, told)
    return told


def _remove(printer: Printer, home: Path, order: KeyOrder) -> dict[str, Any]:
    if order != KeyOrder(name=order.name):
        raise ConfigError("--remove takes a name and nothing else.")
    own = PaperHome(folder_of(home)).keys().api_key
    known = ask_exchange(home, "keys/show", hint=_HINT)["keys"]
    if any(row["api_key"] == own and order.name in (own, row["name"]) for row in known):
        raise ConfigError("That is zoe's own key; without it nothing here works.")
    body = msgspec.json.encode(KeyName(name=order.name)).decode()
    told = ask_exchange(home, "keys/remove", body, hint=_HINT)
    printer.line(f"The key {told['name']} is forgotten.")
    return told


def _announce(printer: Printer, told: dict[str, Any]) -> None:
    rows = [
        ("account", f"{told['account']} ({told['account_id']})"),
        ("api key", told["api_key"]),
        ("api secret", told["api_secret"]),
        ("may", ", ".join(told["permissions"])),
        *_limits(told),
    ]
    if told["totp"]:
        rows.append(("code's secret", told["totp"]))
    printer.report(f"Key {told['name']}", rows)


def _limits(told: dict[str, Any]) -> list[tuple[str, str]]:
    """What it is limited to, as far as it is."""
    window = told["nonce_window"]
    rows = [
        ("tier", told["tier"]),
        ("nonce window", str(window) if window else ""),
        ("valid until", told["valid_until"]),
        ("shown from", told["query_from"]),
        ("shown until", told["query_to"]),
        ("good from", ", ".join(told["addresses"])),
        ("second factor", told["second_factor"]),
        ("locked until", told["locked_until"]),
    ]
    return [(name, text) for name, text in rows if text]


def _show(printer: Printer, told: dict[str, Any]) -> None:
    for row in told["keys"]:
        printer.report(
            f"{row['name']}, of {row['account']} ({row['account_id']})",
            [
                ("api key", row["api_key"]),
                ("may", ", ".join(row["permissions"])),
                *_limits(row),
                ("last used", row["last_used"] or "never"),
                ("REST calls, as counted", row["rest_calls"]),
            ],
        )
