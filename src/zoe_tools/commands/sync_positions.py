"""`zoe sync-positions`: the registry follows the real fills, every position gets its stop."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.commands.planning import (
    DEFAULT_LIFE,
    ExecuteOption,
    ForceOption,
    OutOption,
    ValidForOption,
    keeping,
    number_in,
    quantity_named,
    value_of,
    values_of,
)
from zoe_tools.core.sync_positions import plan_sync_positions, shortages
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.plan import Arguments, Plan
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.domain.snapshot import value_of as reading_of
from zoe_tools.errors import ConfigError
from zoe_tools.gate.gate import Regather
from zoe_tools.gather import Need
from zoe_tools.render.plans import PlanPrinter
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.runtime.gates import open_gate
from zoe_tools.runtime.plan_files import NOT_KEPT, Keeping, with_arguments
from zoe_tools.runtime.reconciling import SECOND_LOOK_S, look_by_id

_NEEDS = frozenset(
    {Need.MODE, Need.CATALOGUE, Need.BALANCES, Need.OPEN_ORDERS, Need.NEW_FILLS, Need.QUOTES}
)
_FINDINGS = 3


def sync_positions(
    ctx: typer.Context,
    *,
    adopt: Annotated[
        list[str] | None,
        typer.Option(
            "--adopt",
            metavar="NAME=QUANTITY",
            help="Manage this much of a holding, e.g. BTC/USD=0.5. Repeatable.",
        ),
    ] = None,
    price: Annotated[
        str,
        typer.Option(
            "--price",
            metavar="PRICE",
            help="Cost per unit of what is adopted. Without it: the bid.",
            show_default=False,
        ),
    ] = "",
    execute: ExecuteOption = False,
    out: OutOption = "",
    valid_for: ValidForOption = DEFAULT_LIFE,
    force: ForceOption = False,
) -> int:
    """Bring the registry of positions in line with the real fills, and protect each position.

    Only what zoe manages is touched; other holdings are shown and left alone.

    Examples:
      zoe sync-positions
      zoe sync-positions --execute
      zoe sync-positions --adopt BTC/USD=0.5 --price 61250 --execute
      zoe sync-positions --out monday.plan --valid-for 3d
    """
    invocation: Invocation = ctx.obj
    arguments = (
        *(("adopt", text) for text in adopt or ()),
        *((("price", price),) if price else ()),
    )
    _wanted(arguments)  # what is mistyped is told before anything is opened
    kept = keeping(out, valid_for, force=force, execute=execute)
    return run_with_context(
        invocation.settings(),
        lambda context: _sync(context, invocation, arguments, execute=execute, kept=kept),
    )


def planner(context: Context, arguments: Arguments = ()) -> Regather:
    """How this command looks and plans; `adopt` may repeat, `price` is the cost per unit.

    Raises:
        ConfigError: an argument is no adoption, or no price.
    """
    wanted, cost = _wanted(arguments)

    async def look() -> tuple[Snapshot, Plan]:
        catalogue = await context.venue.catalogue()
        adopted = tuple((catalogue.resolve(name).symbol, quantity) for name, quantity in wanted)
        snapshot = await look_by_id(context, _NEEDS, adopted=adopted)
        return snapshot, plan_sync_positions(snapshot, adopt_price=cost)

    return with_arguments(look, arguments)


async def _sync(
    context: Context,
    invocation: Invocation,
    arguments: Arguments = (),
    *,
    execute: bool,
    kept: Keeping = NOT_KEPT,
) -> int:
    invocation.printer().account(context.account)
    catalogue = await context.venue.catalogue()
    for name, _ in _wanted(arguments)[0]:
        catalogue.resolve(name)  # an unknown name is refused before anything is done
    look = planner(context, arguments)
    line = kept.invitation(_invitation(arguments))
    approver = PlanPrinter(invocation.printer(), invitation=line)
    gate = open_gate(
        context, approver=approver, command="sync-positions", environ=invocation.environ
    )
    if execute:
        await gate.recover()
    snapshot, plan = await look()
    plan = kept.lasting(plan)
    receipt = await gate.carry_out(plan, snapshot=snapshot, execute=execute, regather=look)
    is_short = not receipt.exit_code and _lacking(snapshot) and await _is_lasting(look)
    return approver.finish(receipt, saved=kept.keep(plan), left=_FINDINGS if is_short else 0)


def _lacking(snapshot: Snapshot) -> bool:
    held = reading_of(snapshot.balances, "the balances")
    return bool(shortages(snapshot.positions, held))


async def _is_lasting(look: Callable[[], Awaitable[tuple[Snapshot, Plan]]]) -> bool:
    """A sale that is being booked by somebody else looks like a shortage for a moment."""
    await asyncio.sleep(SECOND_LOOK_S)
    snapshot, _ = await look()
    return _lacking(snapshot)


def _invitation(arguments: Arguments) -> str:
    options = "".join(f" --{name} {shlex.quote(text)}" for name, text in arguments)
    return f"zoe sync-positions{options} --execute"


def _wanted(arguments: Arguments) -> tuple[tuple[tuple[Symbol, Decimal], ...], Decimal | None]:
    """What to adopt, and at which cost per unit."""
    price = value_of(arguments, "price")
    return (
        tuple(_adoption(text) for text in values_of(arguments, "adopt")),
        _above_zero(number_in(price, "--price"), "--price") if price else None,
    )


def _adoption(text: str) -> tuple[Symbol, Decimal]:
    name, quantity = quantity_named(text, "--adopt", form="NAME=QUANTITY", example="BTC/USD=0.5")
    return Symbol(name), _above_zero(quantity, "--adopt")


def _above_zero(value: Decimal, option: str) -> Decimal:
    if value <= 0:
        raise ConfigError(f"{option}: {value:f} is not above zero.")
    return value
