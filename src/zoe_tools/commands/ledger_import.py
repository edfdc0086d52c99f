"""`zoe ledger import`: a history into the books. A dry run unless --execute is given."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.commands.ledger import show_proof, told_break, told_difference
from zoe_tools.core.ledger import AssetProof, ProofState
from zoe_tools.domain.export_report import ExportReport
from zoe_tools.domain.money import short
from zoe_tools.errors import ConfigError
from zoe_tools.render.printer import Printer
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.runtime.db_health import demand_sound_store
from zoe_tools.runtime.gates import operator_of
from zoe_tools.runtime.holdings import confirmed_balances
from zoe_tools.runtime.ledger_evidence import Evidence, examined, sought_by
from zoe_tools.runtime.ledger_files import is_trades
from zoe_tools.runtime.ledger_import import Preview, import_file, preview_file, prove_books
from zoe_tools.runtime.ledger_pages import import_pages, preview_pages
from zoe_tools.runtime.ledger_repeats import demand_agreement, repeated_in
from zoe_tools.runtime.ledger_report import ReportLook, import_report, look_for_report

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
    report: Annotated[
        bool,
        typer.Option(
            "--report", help="With --from-venue: by a report that it makes, not page by page."
        ),
    ] = False,
    execute: Annotated[bool, typer.Option("--execute", help="Write the rows.")] = False,
) -> int:
    """Import the account's ledger into the books, and prove every balance.

    From Kraken's exports, of the website or of an export report, or from the venue itself. A row is
    booked once, by its id, however often it is imported; a trades export is held against the
    ledger, which has all that it tells. Without --execute nothing is written, and no report is
    ordered.

    Examples:
      zoe ledger import ledgers.csv
      zoe ledger import ledgers-2024.zip ledgers-2025.zip --execute
      zoe ledger import --from-venue --execute
      zoe ledger import --from-venue --report --execute
    """
    invocation: Invocation = ctx.obj
    chosen = files or []
    if bool(chosen) == from_venue:
        raise ConfigError(
            "What is to be imported: files, or what the venue has?",
            hint="zoe ledger import FILE..., or zoe ledger import --from-venue",
        )
    if report and not from_venue:
        raise ConfigError("--report is a way to ask the venue: it needs --from-venue.")
    way = _Way.REPORT if report else _Way.PAGES if from_venue else _Way.FILES

    async def work(context: Context) -> int:
        if execute:
            await demand_sound_store(context.settings)
        return await _import(context, invocation, chosen, way=way, execute=execute)

    return run_with_context(invocation.settings(), work)


class _Way(StrEnum):
    """How rows come in, and how that is typed."""

    FILES = ""
    PAGES = "--from-venue"
    REPORT = "--from-venue --report"


async def _import(
    context: Context,
    invocation: Invocation,
    files: Sequence[Path],
    *,
    way: _Way = _Way.FILES,
    execute: bool,
) -> int:
    printer = invocation.printer()
    printer.account(context.account)
    operator = operator_of(invocation.environ)
    if way is _Way.FILES:
        return await _from_files(context, printer, files, operator, execute=execute)
    if not execute:
        return await _look_at_venue(context, printer, way)
    if way is _Way.PAGES:
        preview = await import_pages(context, operator)
        new = preview.rows_new
    else:
        preview, new = await import_report(context, operator, printer.say)
    _show(printer, [preview])
    return await _proved(context, printer, _Told(previews=[preview], rows_booked=new))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What is shown, and goes into the result."""

    previews: Sequence[Preview]
    evidence: Sequence[Evidence] = ()
    report: ExportReport | None = None
    rows_booked: int = 0

    @property
    def disagrees(self) -> bool:
        """Whether a trades export tells something else than the ledger."""
        return any(each.findings for each in self.evidence)

    def result(self, proofs: Sequence[AssetProof], *, is_executed: bool) -> dict[str, object]:
        """For --json."""
        return {
            "imports": self.previews,
            "trades": self.evidence,
            "report": self.report,
            "is_executed": is_executed,
            "rows_booked": self.rows_booked,
            "proof": proofs,
        }


async def _from_files(
    context: Context, printer: Printer, files: Sequence[Path], operator: str, *, execute: bool
) -> int:
    catalogue = await context.venue.catalogue()
    trades = [path for path in files if is_trades(path)]
    ledgers = [path for path in files if path not in trades]
    sought = sought_by(trades, catalogue)
    now = context.clock.now()
    if len(ledgers) > 1:
        demand_agreement(ledgers, catalogue, repeated_in(ledgers, catalogue))
    previews = [
        await preview_file(path, catalogue, context.store, sought, now=now) for path in ledgers
    ]
    told = _Told(
        previews=previews, evidence=await examined(trades, catalogue, context.store, sought)
    )
    _show(printer, previews)
    _show_evidence(printer, told.evidence)
    if not execute:
        has_rows = any(each.rows_read for each in previews)
        is_work = _dry(printer, previews, [str(path) for path in files], has_rows=has_rows)
        code = _FINDINGS if is_work or told.disagrees else 0
        printer.result(told.result([], is_executed=False), exit_code=code)
        return code
    # Not what the previews expected: a row may stand in two files, or come in meanwhile.
    new = 0
    for path, preview in zip(ledgers, previews, strict=True):
        new += await import_file(path, catalogue, context.store, context.clock, preview, operator)
    return await _proved(context, printer, replace(told, rows_booked=new))


async def _look_at_venue(context: Context, printer: Printer, way: _Way) -> int:
    """The dry run of an import from the venue."""
    report, previews = None, []
    if way is _Way.PAGES:
        previews = [await preview_pages(context)]
    else:
        look = await look_for_report(context)
        report = look.report
        _show_report(printer, look)
        previews = [look.preview] if look.preview is not None else []
    _show(printer, previews)
    words = way.value.split()
    if previews:
        is_work = _dry(printer, previews, words, has_rows=True) or bool(report)
    else:
        is_work = True
        _how(printer, words)
    is_sound = all(proof.is_sound for each in previews for proof in each.assets)
    code = 0 if is_sound and not is_work else _FINDINGS
    told = _Told(previews=previews, report=report)
    printer.result(told.result([], is_executed=False), exit_code=code)
    return code


async def _proved(context: Context, printer: Printer, told: _Told) -> int:
    """The end of what was carried out: how many rows, and whether every balance is proved."""
    catalogue = await context.venue.catalogue()
    proofs = await prove_books(context.store, await confirmed_balances(context), catalogue)
    new = told.rows_booked
    printer.line()
    printer.line(f"Booked: {new:,} {'row' if new == 1 else 'rows'}.")
    show_proof(printer, proofs)
    code = 0 if all(each.is_sound for each in proofs) and not told.disagrees else _FINDINGS
    printer.result(told.result(proofs, is_executed=True), exit_code=code)
    return code


def _dry(
    printer: Printer, previews: Sequence[Preview], words: Sequence[str], *, has_rows: bool
) -> bool:
    """Say how to carry it out; returns whether there is anything to do."""
    if not any(each.rows_new for each in previews):
        printer.line()
        told = "every row is in the books" if has_rows else "there is no row of a ledger in it"
        printer.line(f"Nothing to do: {told}.")
        return False
    _how(printer, words)
    return True


def _how(printer: Printer, words: Sequence[str]) -> None:
    printer.line()
    printer.line(printer.styled("DRY RUN: nothing was written.", "bold"))
    told = printer.to_run(f"zoe ledger import {shlex.join(words)} --execute")
    printer.line(f"To carry it out: {told}")


def _show_report(printer: Printer, look: ReportLook) -> None:
    since = f"since {look.since:%Y-%m-%d %H:%M} UTC" if look.since else "from the first row on"
    report = look.report
    if report is None:
        told = f"none is ordered yet; it would be of all rows {since}"
    elif look.preview is None:
        told = f"{report.report_id} is {report.status.value.lower()} at the venue: {since}"
    else:
        told = f"{report.report_id} is made; it is of all rows {since}"
    printer.report("", [("report", told)])


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
                *([("assets", assets)] if assets and each.sha256 else []),
                ("proof", _chained(each)),
            ),
        )
        _show_unproved(printer, each.assets)
        for oddity in _oddities(each):
            printer.warn(oddity)


def _oddities(preview: Preview) -> Iterator[str]:
    """What is booked all the same, and nobody should overlook."""
    if preview.rows_ahead:
        yield (
            f"{_counted(preview.rows_ahead, 'is', 'are')} of a time yet to come, the last of"
            f" {preview.last_at:%Y-%m-%d}: the file was edited, or this machine's clock is wrong."
        )
    if preview.rows_rebated:
        yield (
            f"{_counted(preview.rows_rebated, 'has', 'have')} a fee below zero: money that the"
            " venue gave. Kraken books gifts as rows of their own; see that nobody edited the file."
        )
    if preview.overdrawn:
        yield f"A balance goes below zero: {', '.join(preview.overdrawn)}."
    if preview.unlisted:
        yield (
            f"The venue lists no such assets: {', '.join(preview.unlisted)}. They are booked under"
            " these names, as assets of their own."
        )
    unknown = [tally.kind for tally in preview.kinds if not tally.is_known]
    if unknown:
        yield (
            f"Types that zoe does not know are kept, against `unclassified`: {', '.join(unknown)}."
        )


def _counted(rows: int, one: str, many: str) -> str:
    return f"{rows:,} row {one}" if rows == 1 else f"{rows:,} rows {many}"


def _chained(preview: Preview) -> str:
    """What a file proves of itself; pages with the books, and against the venue."""
    if not preview.assets:
        return "in the books, once they are written" if preview.rows_new else "nothing is held"
    if preview.sha256:
        begun = [f"{short(one.opening)} {one.asset}" for one in preview.assets if one.opening]
        return f"every balance chains, from {', '.join(begun) or 'nothing'} on"
    sound = [proof.asset for proof in preview.assets if proof.is_sound]
    rows = "with the books" if preview.is_whole else f"of the newest {preview.rows_read:,} rows"
    told = "no balance of the venue's is explained"
    if sound:
        told = f"chained and met by the venue's balance, {rows}: {', '.join(sound)}"
    return told if preview.is_whole else f"{told}; older pages were left unread"


def _show_unproved(printer: Printer, proofs: Sequence[AssetProof]) -> None:
    """What speaks against pages, before they are booked."""
    for each in proofs:
        if each.broken is not None:
            printer.wrapped("(!) ", told_break(each.asset, each.broken))
        elif each.state is ProofState.DIFFERS:
            printer.wrapped("(!) ", f"The venue has {told_difference(each)}.")
