"""`zoe config show`: every effective setting and its source. Reads files and environment only."""

from __future__ import annotations

import typer

from zoe_tools.commands.invocation import Invocation


def config_show(ctx: typer.Context) -> None:
    """Show every effective setting and where it comes from.

    Example: zoe config show --json
    """
    invocation: Invocation = ctx.obj
    settings = invocation.settings(lenient=True)
    printer = invocation.printer()
    printer.table(("setting", "value", "source"), settings.described())
    printer.result([each._asdict() for each in settings.described()])
