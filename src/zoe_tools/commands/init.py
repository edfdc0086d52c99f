"""`zoe init`: folder, commented .env, database. Idempotent; overwrites nothing."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.config import env_template
from zoe_tools.runtime.context import account_of
from zoe_tools.runtime.unheard_loops import demand_no_loop_without_database
from zoe_tools.store import schema


def init(ctx: typer.Context) -> None:
    """Make the home folder: settings template and database.

    What exists is left as it is; run it as often as you like.

    Examples:
      zoe init
      ZOE_HOME=/srv/zoe zoe init
    """
    invocation: Invocation = ctx.obj
    settings = invocation.settings(lenient=True)
    printer = invocation.printer()
    home = settings.home
    demand_no_loop_without_database(home, settings.database_url)
    made_home = _make_folder(home)
    made_env = _make_template(home / ".env")
    before, after = schema.upgrade(settings.database_url)
    if settings.mode == "paper":
        account_of(settings)  # gives the paper account its keys
    invocation.announce(settings)
    printer.report(
        "",
        (
            ("home", f"{home} ({_told(made=made_home)})"),
            ("settings", f"{home / '.env'} ({_told(made=made_env)})"),
            ("database", _migrated(before, after)),
        ),
    )
    if home.stat().st_mode & 0o077:
        printer.warn(f"{home} may be entered by others; run: chmod 700 {home}")
    printer.line()
    printer.line("Next: zoe pre-flight")
    printer.result(
        {
            "home": home,
            "home_created": made_home,
            "settings_created": made_env,
            "migration_before": before,
            "migration": after,
        }
    )


def _make_folder(home: Path) -> bool:
    if home.is_dir():
        return False
    home.mkdir(mode=0o700, parents=True)
    return True


def _make_template(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(env_template())
    return True


def _told(*, made: bool) -> str:
    return "created" if made else "was there, left as it is"


def _migrated(before: str | None, after: str) -> str:
    if before == after:
        return f"at migration {after}, nothing to do"
    return f"migrated from {before or 'nothing'} to {after}"
