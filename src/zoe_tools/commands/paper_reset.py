"""`zoe paper reset`: forget the paper exchange's state. A dry run unless --execute is given."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.runtime.paper_process import check_unserved, reset_paper

_DONE, _FINDINGS = 0, 3


def paper_reset(
    ctx: typer.Context,
    *,
    execute: Annotated[bool, typer.Option("--execute", help="Do it.")] = False,
) -> int:
    """Delete the paper exchange's state.

    Its balances, orders, fills and keys are gone then, and a fresh exchange starts with the next
    command that needs it. zoe's own books of the old paper account stay. Refused while the
    exchange is being served. Without --execute it only says what it would delete.

    Examples:
      zoe paper reset
      zoe paper reset --execute
    """
    invocation: Invocation = ctx.obj
    settings = invocation.for_account("paper").settings(lenient=True)
    printer = invocation.printer()
    invocation.announce(settings)
    found = _files(settings.home / "paper")
    for path in found:
        printer.line(f"  - {path}")
    if not found:
        printer.line("Nothing to do: there is no paper exchange in this home.")
    elif execute:
        reset_paper(settings.home)
        printer.line(f"Deleted {len(found)} files.")
    else:
        check_unserved(settings.home)
        printer.line("DRY RUN: nothing was changed.")
        printer.line("To carry it out: zoe paper reset --execute")
    code = _FINDINGS if found and not execute else _DONE
    printer.result({"files": found, "is_executed": bool(found) and execute}, exit_code=code)
    return code


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if not path.is_dir())
