"""`zoe config check`: what in the settings is wrong, contradicts itself, or is dangerous."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import typer

from zoe_tools.commands.config_set import values_with
from zoe_tools.commands.invocation import Invocation
from zoe_tools.config import Settings
from zoe_tools.config.thresholds import mismatches
from zoe_tools.config.tightening import LIMITS, in_force, is_looser, is_readable, spelled_limit
from zoe_tools.errors import StoreError
from zoe_tools.render.printer import Printer
from zoe_tools.runtime.context import Context, run_with_context

_USAGE, _FINDINGS = 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Lint:
    """One thing that was found; an error is what a start would refuse."""

    severity: Literal["error", "warning", "note"]
    subject: str
    detail: str
    next_step: str = ""


def config_check(ctx: typer.Context) -> int:
    """Check the settings: what is wrong, contradicts itself, or is dangerous.

    Every problem is told, not only the first. Exits 0 when there is none, 2 when a start would be
    refused, 3 when something should be looked at.

    Examples:
      zoe config check
      zoe --account live config check --json
    """
    invocation: Invocation = ctx.obj
    settings = invocation.settings(lenient=True, tells_warnings=False)
    printer = invocation.printer()
    invocation.announce(settings)
    try:
        rows = rows_in_store(settings)
    except StoreError as error:
        rows = {}
        printer.warn(f"What the store tightens is not known: {error.message}")
    found = tuple(lint(settings, rows))
    _show(printer, found)
    severities = {each.severity for each in found}
    code = _USAGE if "error" in severities else _FINDINGS if "warning" in severities else 0
    printer.result({"findings": found}, exit_code=code)
    return code


def rows_in_store(settings: Settings) -> dict[str, str]:
    """What the store tightens of the account; nothing where there is no account yet.

    Raises:
        StoreError: the store cannot be read.
    """
    told: list[dict[str, str]] = []

    async def work(context: Context) -> int:
        told.append(await context.store.read(lambda transaction: transaction.limits()))
        return 0

    is_paper = settings.mode == "paper"
    if (settings.home / "paper").is_dir() if is_paper else settings.live_account is not None:
        run_with_context(settings, work, needs_venue=False)
    return told[0] if told else {}


def lint(settings: Settings, rows: Mapping[str, str]) -> Iterator[Lint]:
    """Everything that is to be said of the settings and the store's rows, worst first."""
    for sentence, hint in settings.problems:
        yield Lint(severity="error", subject=_subject(sentence), detail=sentence, next_step=hint)
    known = {each.sentence for each in mismatches(settings.values())}
    for each in mismatches(values_with(settings, rows)):
        if each.sentence not in known:
            detail = f"{each.sentence} The store has it so."
            yield Lint(severity="error", subject=each.hard, detail=detail, next_step=each.hint)
    told = {sentence for sentence, _ in settings.problems}
    for warning in settings.warnings:
        if warning not in told:
            yield Lint(severity="warning", subject=_subject(warning), detail=warning)
    yield from _dangers(settings)
    yield from _alerts(settings)
    yield from _tightened(settings, rows)


def _subject(sentence: str) -> str:
    words = sentence.removeprefix("THRESHOLD_MISMATCH: ").split()
    return words[0].strip(".,:;") if words else ""


def _dangers(settings: Settings) -> Iterator[Lint]:
    allowed = {each.upper().replace("/", "-") for each in settings.allowed_symbols}
    for symbol in settings.symbols:
        if allowed and symbol.upper().replace("/", "-") not in allowed:
            yield Lint(
                severity="warning",
                subject="ALLOWED_SYMBOLS",
                detail=f"The loop follows {symbol}, and nothing may be entered there.",
                next_step="Add it to ALLOWED_SYMBOLS, or take it out of EDGE_FACTORY_SYMBOLS.",
            )
    if settings.allow_withdrawal_key:
        yield Lint(
            severity="warning",
            subject="ALLOW_WITHDRAWAL_KEY",
            detail="Trading with a key that can withdraw is allowed.",
            next_step="Whoever steals it takes the money: make a key without it.",
        )
    if settings.allow_targets_without_stop:
        yield Lint(
            severity="warning",
            subject="ALLOW_TARGETS_WITHOUT_STOP",
            detail="What rests in targets has no stop at the venue: a loop has to mind it.",
            next_step="Let the loop sell at the targets: TAKE_PROFIT_MODE=managed.",
        )
    if settings.duplicate_window_seconds == 0:
        yield Lint(
            severity="warning",
            subject="DUPLICATE_WINDOW_SECONDS",
            detail="An order that is placed twice by mistake is not noticed.",
            next_step="Set it to some seconds.",
        )
    if settings.take_profit_pct <= settings.stop_loss_pct:
        yield Lint(
            severity="note",
            subject="TAKE_PROFIT_PCT",
            detail="A win brings no more than a loss costs, before fees.",
        )
    for name in ("MAX_NOTIONAL_PER_TRADE", "MAX_DAILY_NOTIONAL", "MAX_OPEN_POSITIONS"):
        if settings.values()[name] == 0:
            yield Lint(severity="note", subject=name, detail="It is 0: nothing is entered.")


def _alerts(settings: Settings) -> Iterator[Lint]:
    """An alert that cannot be told is noticed here, and not at night."""
    if not settings.alert_exec:
        return
    path, told = Path(settings.alert_exec[0]), ""
    if not path.is_file() or not os.access(path, os.X_OK):
        told = f"{path} is no program that can be run: nobody is told of an alert."
    elif path.stat().st_mode & stat.S_IWOTH:
        told = f"{path} can be changed by everybody, and is run with every alert."
    if told:
        next_step = f"Look at it: ls -l {path}"
        yield Lint(severity="warning", subject="ALERT_EXEC", detail=told, next_step=next_step)


def _tightened(settings: Settings, rows: Mapping[str, str]) -> Iterator[Lint]:
    policy = settings.policy()
    for name, text in sorted(rows.items()):
        if not text:
            continue
        if name not in LIMITS or not is_readable(name, text):
            yield Lint(
                severity="error",
                subject=name,
                detail=f"The store says {text!r}, which cannot be read: nothing is allowed by it.",
                next_step=f"zoe config set {name} --clear --execute",
            )
        elif is_looser(policy, name, text):
            yield Lint(
                severity="note",
                subject=name,
                detail=f"The store says {text}, and it is {spelled_limit(in_force(policy, name))}:"
                " what is tighter counts.",
            )
        else:
            yield Lint(
                severity="note",
                subject=name,
                detail=f"Tightened in the store to {text}.",
                next_step=f"zoe config set {name} --clear takes it back",
            )


_STYLE = {"error": "red", "warning": "yellow", "note": "dim"}


def _show(printer: Printer, found: tuple[Lint, ...]) -> None:
    printer.line()
    if not found:
        printer.line("The settings fit each other.")
        return
    for each in found:
        style = _STYLE[each.severity]
        lead = f"{printer.styled(each.severity, style)}{' ' * (9 - len(each.severity))}"
        printer.wrapped(lead, each.detail, lead_width=9)
        if each.next_step:
            printer.wrapped(" " * 9, f"next: {each.next_step}")
