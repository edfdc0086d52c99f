"""What commands that plan have in common: `--out`, and planning again from a saved plan.

Each of them has a function `planner(context, arguments)`, the one way in which its plan is made:
for the command itself, and for `zoe apply`, which knows it by the plan's `command`.
"""

from __future__ import annotations

import importlib
import re
import shlex
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from zoe_tools.domain.money import amount_of
from zoe_tools.domain.plan import Arguments
from zoe_tools.domain.plan_file import LONGEST_LIFE
from zoe_tools.errors import ConfigError
from zoe_tools.gate.gate import Regather
from zoe_tools.runtime.context import Context
from zoe_tools.runtime.plan_files import NOT_KEPT, Keeping, demand_free

PLANNERS = (
    "sync-positions",
    "recover-sl",
    "repair-tp",
    "reconcile",
    "backfill",
    "kill",
    "resume",
    "orders cancel",
)
"""Commands whose plans can be saved and applied."""

Planner = Callable[[Context, Arguments], Regather]

ExecuteOption = Annotated[bool, typer.Option("--execute", help="Carry the plan out.")]
OutOption = Annotated[
    str,
    typer.Option(
        "--out",
        metavar="FILE",
        help="Save the plan, for `zoe apply FILE`.",
        show_default=False,
    ),
]
ValidForOption = Annotated[
    str,
    typer.Option("--valid-for", metavar="TIME", help="How long it may be applied: 30m, 12h, 3d."),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Write over FILE if it is there.")]

DEFAULT_LIFE = "1h"
NO_REASON = "ordered by the operator"
"""What the record says where the operator gave none."""
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def quantity_named(text: str, option: str, *, form: str, example: str) -> tuple[str, Decimal]:
    """What `NAME=QUANTITY` says; the quantity is one that the books can hold.

    Raises:
        ConfigError: it is not of that `form`, or the quantity is none.
    """
    name, sign, quantity = text.partition("=")
    if not (name and sign):
        raise ConfigError(f"{option} {text}: this is not {form}.", hint=f"{option} {example}")
    return name, number_in(quantity, option)


def number_in(text: str, option: str) -> Decimal:
    """The number that an option says, if it is one that the books can hold.

    Raises:
        ConfigError: it is none.
    """
    try:
        return amount_of(text)
    except ValueError as error:
        raise ConfigError(f"{option}: {error}.") from error


def planner_of(command: str) -> Planner:
    """How the command plans.

    Raises:
        ConfigError: its plans cannot be applied, or there is no such command.
    """
    if command not in PLANNERS:
        names = ", ".join(PLANNERS)
        raise ConfigError(
            f"This is a plan of {command!r}, and no such plan can be applied.",
            hint=f"Plans that can: {names}.",
        )
    module = importlib.import_module(
        f"zoe_tools.commands.{command.replace('-', '_').replace(' ', '_')}"
    )
    found: Planner = module.planner
    return found


def keeping(out: str, valid_for: str, *, force: bool, execute: bool) -> Keeping:
    """What the operator's options say of keeping the plan.

    Raises:
        ConfigError: they contradict each other, or the file is there already.
    """
    if not out:
        if force or valid_for != DEFAULT_LIFE:
            raise ConfigError("--force and --valid-for are about the file of --out.")
        return NOT_KEPT
    if execute:
        raise ConfigError(
            "--out saves a plan instead of carrying it out; --execute carries one out.",
            hint=f"Save it, read it, then: zoe apply {out} --execute",
        )
    path = Path(out)
    demand_free(path, may_overwrite=force)
    return Keeping(path=path, lifetime=_life(valid_for), may_overwrite=force)


def reason_words(reason: str) -> str:
    """The option, for a line that does later what is shown now; nothing where none was given."""
    return "" if reason == NO_REASON else f"--reason {shlex.quote(reason)} "


def values_of(arguments: Arguments, name: str) -> tuple[str, ...]:
    """Every value of that name, in order."""
    return tuple(value for key, value in arguments if key == name)


def value_of(arguments: Arguments, name: str) -> str:
    """The last value of that name; empty when there is none."""
    return next(iter(reversed(values_of(arguments, name))), "")


def _life(text: str) -> timedelta:
    found = re.fullmatch(r"([1-9][0-9]{0,4})([mhd])", text.strip())
    life = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta()
    if not timedelta() < life <= LONGEST_LIFE:
        raise ConfigError(
            f"--valid-for {text}: this is no such time.", hint="30m, 12h or 3d; seven days at most."
        )
    return life
