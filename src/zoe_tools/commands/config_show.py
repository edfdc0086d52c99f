"""`zoe config show`: every effective setting and its source. Reads files, environment and store."""

from __future__ import annotations

import typer

from zoe_tools.commands.config_check import rows_in_store
from zoe_tools.commands.invocation import Invocation
from zoe_tools.config import Described, Settings
from zoe_tools.config.tightening import LIMITS, in_force, spelled_limit, tightened
from zoe_tools.errors import StoreError


def config_show(ctx: typer.Context) -> None:
    """Show every effective setting and where it comes from.

    Secrets are masked; a limit that the store tightens has the source `store`. Where settings are
    wrong, all are shown and the first error follows.

    Examples:
      zoe config show
      zoe --profile paper config show --json
    """
    invocation: Invocation = ctx.obj
    settings = invocation.settings(lenient=True)
    printer = invocation.printer()
    invocation.announce(settings)
    described = _with_the_store(settings)
    printer.line()
    printer.table(("!setting", "value", "source"), described)
    invocation.demand_sound()
    printer.result({each.name: {"value": each.value, "source": each.source} for each in described})


def _with_the_store(settings: Settings) -> tuple[Described, ...]:
    """The settings, with what the store tightens in their place; without a store as they are."""
    try:
        rows = rows_in_store(settings)
    except StoreError:
        rows = {}
    before = settings.policy()
    after = tightened(before, rows)
    return tuple(
        Described(each.name, spelled_limit(in_force(after, each.name)), "store")
        if rows.get(each.name)
        and each.name in LIMITS
        and in_force(after, each.name) != in_force(before, each.name)
        else each
        for each in settings.described()
    )
