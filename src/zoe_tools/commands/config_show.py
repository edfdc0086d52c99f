"""`zoe config show`: every effective setting and its source. Reads files and environment only."""

from __future__ import annotations

import typer

from zoe_tools.commands.invocation import Invocation


def config_show(ctx: typer.Context) -> None:
    """Show every effective setting and where it comes from.

    Secrets are masked. Where settings are wrong, all are shown and the first error follows.

    Examples:
      zoe config show
      zoe --profile paper config show --json
    """
    invocation: Invocation = ctx.obj
    settings = invocation.settings(lenient=True)
    printer = invocation.printer()
    invocation.announce(settings)
    printer.line()
    printer.table(("!setting", "value", "source"), settings.described())
    invocation.demand_sound()
    printer.result(
        {each.name: {"value": each.value, "source": each.source} for each in settings.described()}
    )
