"""`zoe ledger import`: a history into the books. A dry run unless --execute is given."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.commands.ledger import show_proof
from zoe_tools.domain.money import short
from zoe_tools.errors import ConfigError
from zoe_tools.render.printer import Printer
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.runtime.gates import operator_of
from zoe_tools.runtime.holdings import confirmed_balances
from zoe_tools.runtime.ledger_evidence import Evidence, examined, sought_by
from zoe_tools.runtime.ledger_files import is_trades
from zoe_tools.runtime.ledger_import import Preview, import_file, preview_file, prove_books
from zoe_tools.runtime.ledger_pages import import_pages, preview_pages

_FINDINGS = 3


def ledger_import(
    ctx: typer.Context,
    *,
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="Exports of ledger and trades: CSV, TSV or zip."),
    ] = None,
    from_venue: Annotated[
        bool, typer.Option("--from-venue", help="Ask the venue for what is new, page by page.")
    ] = False,
    execute: Annotated[bool, typer.Option("--execute", help="Write the rows.")] = False,
) -> int:
    """Import the account's ledger into the books, and prove every balance.

    From Kraken's exports, of the website or of an export report, or from the venue itself. A row is
    booked once, by its id, however often it is imported; a trades export is held against the
    ledger, which has all that it tells. Without --execute nothing is written.

    Examples:
      zoe ledger import ledgers.csv
      zoe ledger import ledgers-2024.zip ledgers-2025.zip --execute
      zoe ledger import --from-venue --execute
    """
    invocation: Invocation = ctx.obj
    chosen = files or []
    if bool(chosen) == from_venue:
        raise ConfigError(
            "What is to be imported: files, or what the venue has?",
            hint="zoe ledger import FILE..., or zoe ledger import --from-venue",
        )
    return run_with_context(
        invocation.settings(),
        lambda context: _import(context, invocation, chosen, execute=execute),
    )


async def _import(
    context: Context, invocation: Invocation, files: Sequence[Path], *, execute: bool
) -> int:
    printer = invocation.printer()
    printer.account(context.account)
    catalogue = await context.venue.catalogue()
    operator = operator_of(invocation.environ)
    trades = [path for path in files if is_trades(path)]
    ledgers = [path for path in files if path not in trades]
    sought = sought_by(trades, catalogue)
    if files:
        now = context.clock.now()
        previews = [
            await preview_file(path, catalogue, context.store, sought, now=now) for path in ledgers
        ]
    else:
        reading = import_pages(context, operator) if execute else preview_pages(context)
        previews = [await reading]
    evidence = await examined(trades, catalogue, context.store, sought)
    _show(printer, previews)
    _show_evidence(printer, evidence)
    disagrees = any(each.findings for each in evidence)
    told: dict[str, object] = {
        "imports": previews,
        "trades": evidence,
        "is_executed": execute,
        "rows_booked": 0,
    }
    if not execute:
        code = _FINDINGS if _dry(printer, previews, files) or disagrees else 0
        printer.result({**told, "proof": []}, exit_code=code)
        return code
    # Not what the previews expected: a row may stand in two files, or come in meanwhile.
    new = 0 if files else sum(each.rows_new for each in previews)
    for path, preview in zip(ledgers, previews, strict=bool(files)):
        new += await import_file(path, catalogue, context.store, context.clock, preview, operator)
    proofs = await prove_books(context.store, await confirmed_balances(context), catalogue)
    printer.line()
    printer.line(f"Booked: {new:,} {'row' if new == 1 else 'rows'}.")
    show_proof(printer, proofs)
    code = 0 if all(each.is_sound for each in proofs) and not disagrees else _FINDINGS
    printer.result({**told, "rows_booked": new, "proof": proofs}, exit_code=code)
    return code


def _dry(printer: Printer, previews: Sequence[Preview], files: Sequence[Path]) -> bool:
    """Say how to carry it out; returns whether there is anything to do."""
    printer.line()
    if not any(each.rows_new for each in previews):
        has_rows = not files or any(each.rows_read for each in previews)
        told = "every row is in the books" if has_rows else "there is no row of a ledger in it"
        printer.line(f"Nothing to do: {told}.")
        return False
    printer.line(printer.styled("DRY RUN: nothing was written.", "bold"))
    words = [str(path) for path in files] or ["--from-venue"]
    told = printer.to_run(f"zoe ledger import {shlex.join(words)} --execute")
    printer.line(f"To carry it out: {told}")
    return True


def _show_evidence(printer: Printer, evidence: Sequence[Evidence]) -> None:
    for each in evidence:
        told = f"{each.trades:,} read, {each.agreeing:,} as the ledger tells them; none is booked"
        printer.report("", (("source", each.name), ("trades", told)))
        for finding in each.findings:
            printer.wrapped("(!) ", f"{finding}.")


def _show(printer: Printer, previews: Sequence[Preview]) -> None:
    for each in previews:
        span = "nothing"
        if each.first_at is not None and each.last_at is not None:
            span = f"{each.first_at:%Y-%m-%d %H:%M} to {each.last_at:%Y-%m-%d %H:%M} UTC"
        rows = f"{each.rows_read:,} read: {each.rows_new:,} new, {each.rows_known:,} known"
        if each.rows_repeated:
            rows += f", {each.rows_repeated:,} repeated"
        if each.rows_announced:
            rows += f", {each.rows_announced:,} announced only"
        kinds = ", ".join(f"{tally.kind} {tally.rows:,}" for tally in each.kinds)
        assets = ", ".join(f"{proof.asset} {proof.rows:,}" for proof in each.assets if proof.rows)
        printer.report(
            "",
            (
                ("source", each.name),
                ("rows", rows),
                ("period", span),
                ("types", kinds or "none"),
                *([("assets", assets)] if assets else []),
                ("proof", _chained(each)),
            ),
        )
        if each.rows_rebated:
            have = "row has" if each.rows_rebated == 1 else "rows have"
            printer.warn(
                f"{each.rows_rebated:,} {have} a fee below zero: money that the venue gave. Kraken"
                " books gifts as rows of their own; see that nobody edited the file."
            )
        unknown = [tally.kind for tally in each.kinds if not tally.is_known]
        if unknown:
            printer.warn(
                f"Types that zoe does not know are kept, against `unclassified`: "
                f"{', '.join(unknown)}."
            )


def _chained(preview: Preview) -> str:
    """What a file proves of itself; pages are proved in the books."""
    if not preview.assets:
        return "in the books, once they are written"
    begun = [f"{short(proof.opening)} {proof.asset}" for proof in preview.assets if proof.opening]
    return f"every balance chains, from {', '.join(begun) or 'nothing'} on"
