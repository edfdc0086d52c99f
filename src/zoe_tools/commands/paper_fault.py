"""`zoe paper fault`: rehearse what goes wrong. Only the embedded exchange can be asked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.errors import ConfigError
from zoe_tools.paper.exchange.faults import CATALOGUE, FaultRule
from zoe_tools.render.printer import Printer
from zoe_tools.runtime.paper_admin import ask_exchange
from zoe_tools.runtime.paper_serving import content_of

_SHOWN = 20
_LONGEST_S = 1_000_000_000

_Where = Annotated[
    str, typer.Option(help="Only this method or channel, e.g. AddOrder, add_order, book.")
]
_Times = Annotated[int, typer.Option(help="How often at most; 0: as often as it can.", min=0)]
_Probability = Annotated[float, typer.Option(help="Each time with this chance.", min=0, max=1)]
_After = Annotated[float, typer.Option(help="Venue seconds from now.", min=0, max=_LONGEST_S)]
_For = Annotated[
    float,
    typer.Option(
        "--for", help="For so many venue seconds; 0: until cleared.", min=0, max=_LONGEST_S
    ),
]
_Delay = Annotated[
    float,
    typer.Option(
        help="The fault's own seconds: how late, how long, how far.",
        min=-_LONGEST_S,
        max=_LONGEST_S,
    ),
]
_Executes = Annotated[
    bool | None,
    typer.Option("--executes/--no-executes", help="Whether the request is done all the same."),
]


def paper_fault(
    ctx: typer.Context,
    *,
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="Which fault; without it they are listed.")
    ] = "",
    where: _Where = "",
    times: _Times = 1,
    probability: _Probability = 1.0,
    after: _After = 0.0,
    for_: _For = 0.0,
    delay: _Delay = 30.0,
    executes: _Executes = None,
    file: Annotated[Path | None, typer.Option(help="Arm all faults of this JSON file.")] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Disarm everything.")] = False,
) -> int:
    """Make the paper exchange fail, in a way and at a time of your choice.

    Without a name it lists the faults there are, which are armed, and when each one struck. A
    fault strikes once unless told otherwise. Nothing but the paper exchange can be reached.

    Examples:
      zoe paper fault
      zoe paper fault accept-then-drop --where AddOrder
      zoe paper fault http-502 --times 0 --probability 0.1 --for 600
      zoe paper fault --clear
    """
    invocation: Invocation = ctx.obj
    home = invocation.for_account("paper").settings(lenient=True).home
    printer = invocation.printer()
    if sum((bool(name), file is not None, clear)) > 1:
        raise ConfigError("A name, --file and --clear exclude each other.")
    if clear:
        ask_exchange(home, "faults/clear")
    elif file is not None:
        ask_exchange(home, "faults/arm", _content(file))
    elif name:
        rule = {
            "name": name,
            "where": where,
            "times": times or None,
            "probability": probability,
            "after_s": after,
            "for_s": for_ or None,
            "delay_s": delay,
            "executes": executes,
        }
        ask_exchange(home, "faults/arm", msgspec.json.encode(_checked(rule)).decode())
    told = ask_exchange(home, "faults/show")
    _show(printer, told, with_catalogue=not (name or file or clear))
    printer.result(told)
    return 0


def _checked(rule: dict[str, Any]) -> FaultRule:
    try:
        return msgspec.convert(rule, FaultRule)
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"There is no fault {rule['name']!r}.",
            hint=f"One of: {', '.join(CATALOGUE)}.",
        ) from error


def _content(file: Path) -> str:
    try:
        return content_of(file).decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} cannot be read: {error}.") from error


def _show(printer: Printer, told: dict[str, Any], *, with_catalogue: bool) -> None:
    if with_catalogue:
        printer.heading("Faults there are")
        printer.table(
            ("name", "what happens"), [(name, kind.told) for name, kind in CATALOGUE.items()]
        )
    armed = told["armed"]
    printer.heading(f"{len(armed)} armed" if armed else "None is armed.")
    if armed:
        printer.table(
            ("#", "name", "where", "times", "chance", "struck", "from"),
            [
                (
                    str(each["number"]),
                    each["name"],
                    each["where"] or "anywhere",
                    str(each["times"] or "any"),
                    f"{each['probability']:g}",
                    str(each["struck"]),
                    each["starts_at"],
                )
                for each in armed
            ],
        )
    log = told["log"]
    if log:
        printer.heading(f"{len(log)} struck")
        printer.table(
            ("when", "name", "what"),
            [(each["at"], each["name"], each["where"]) for each in log[-_SHOWN:]],
        )
