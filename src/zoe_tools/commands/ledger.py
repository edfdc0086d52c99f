"""`zoe ledger`: the account's ledger as it is in the books, and the proof of every balance."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.commands.listing import SinceOption, number, since_of
from zoe_tools.core.ledger import AssetProof, ProofState
from zoe_tools.core.ledger_chain import ChainBreak
from zoe_tools.domain.ledger import LedgerEntry
from zoe_tools.domain.money import ZERO, plain, short
from zoe_tools.domain.wallet import MAIN
from zoe_tools.errors import ConfigError, VenueError
from zoe_tools.kraken.asset_names import meanings_of
from zoe_tools.render.printer import Printer
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.runtime.holdings import confirmed_balances
from zoe_tools.runtime.ledger_import import prove_books
from zoe_tools.store.store import Transaction

_A_WEEK = "7d"
_FINDINGS, _VENUE = 3, 5
_WIDE = 100
_CSV = (
    "txid",
    "refid",
    "time",
    "type",
    "subtype",
    "asset",
    "wallet",
    "amount",
    "fee",
    "feecurrency",
    "balance",
)


def ledger(
    ctx: typer.Context,
    *,
    since: SinceOption = _A_WEEK,
    asset: Annotated[
        str, typer.Option("--asset", metavar="NAME", help="Of one asset: BTC.", show_default=False)
    ] = "",
    kind: Annotated[
        str,
        typer.Option("--kind", metavar="TYPE", help="Of one type: deposit.", show_default=False),
    ] = "",
    as_csv: Annotated[bool, typer.Option("--csv", help="As a table for other programs.")] = False,
    proof: Annotated[
        bool, typer.Option("--proof", help="Prove every balance against the venue's.")
    ] = False,
) -> int:
    """List the account's ledger as it is in the books, or prove every balance.

    Newest first, of the last week unless --since says otherwise; asks no venue. With --proof the
    whole ledger and its journal are walked and held against what the venue has: exits 3 if
    something differs, 5 if the venue could not be asked.

    Examples:
      zoe ledger --asset BTC --since 30d
      zoe ledger --kind deposit --since 2025-01-01 --csv
      zoe ledger --proof
    """
    invocation: Invocation = ctx.obj
    if proof and (as_csv or asset or kind or since != _A_WEEK):
        raise ConfigError("--proof is about every row there is.", hint="zoe ledger --proof")
    if as_csv and invocation.options.json:
        raise ConfigError("--csv and --json exclude each other.")
    return run_with_context(
        invocation.settings(),
        lambda context: (
            _proof(context, invocation.printer())
            if proof
            else _ledger(
                context, invocation.printer(), since=since, asset=asset, kind=kind, as_csv=as_csv
            )
        ),
        needs_venue=proof,
    )


async def _ledger(
    context: Context,
    printer: Printer,
    *,
    since: str = _A_WEEK,
    asset: str = "",
    kind: str = "",
    as_csv: bool = False,
) -> int:
    now = context.clock.now()
    first = since_of(since, now)
    rows: tuple[LedgerEntry, ...] = ()
    for name in meanings_of(asset):
        rows = await context.store.read(partial(_rows, first, name, kind.lower()))
        if rows:
            break
    if as_csv:
        _as_csv(printer, rows)
        return 0
    printer.account(context.account)
    _show(printer, rows[::-1], first)
    printer.result({"rows": rows[::-1], "since": first, "as_of": now})
    return 0


def _rows(
    first: datetime | None, asset: str, kind: str, books: Transaction
) -> tuple[LedgerEntry, ...]:
    return books.ledger_book.rows(first, asset=asset, kind=kind)


async def _proof(context: Context, printer: Printer) -> int:
    printer.account(context.account)
    held = catalogue = None
    code = 0
    try:
        catalogue = await context.venue.catalogue()
        held = await confirmed_balances(context)
    except VenueError as error:
        printer.warn(f"The venue told no balances, the rows are only chained: {error.message}")
        code = _VENUE
    proofs = await prove_books(context.store, held, catalogue)
    show_proof(printer, proofs, is_compared=held is not None)
    if code == 0 and not all(each.is_sound for each in proofs):
        code = _FINDINGS
    printer.result({"proof": proofs, "as_of": context.clock.now()}, exit_code=code)
    return code


def show_proof(printer: Printer, proofs: Sequence[AssetProof], *, is_compared: bool = True) -> None:
    """Each asset with what the books and the venue say, and the first row that is wrong."""
    printer.heading("Proof of balance")
    if not proofs:
        known = ", and the venue no balance" if is_compared else ""
        printer.line(f"The books hold no ledger{known}.")
        return
    columns = ("!asset", ">rows", ">books", ">venue", ">held", ">difference", "!proof", ">wallets")
    room = len(columns) - (printer.width < _WIDE)
    printer.table(columns[:room], [_proof_row(each)[:room] for each in proofs])
    for each in proofs:
        if each.opening:
            printer.wrapped(
                "",
                f"{each.asset}: its first row in the books finds {short(each.opening)} there; what"
                " was before it has not been imported.",
            )
        if each.broken is not None:
            printer.wrapped("(!) ", told_break(each.asset, each.broken))
    different = [each for each in proofs if each.state is ProofState.DIFFERS]
    if different:
        told = ", ".join(told_difference(each) for each in different)
        printer.wrapped(
            "(!) ",
            f"The venue has {told}. Import what is missing: zoe ledger import --from-venue"
            " --execute",
        )


def _proof_row(proof: AssetProof) -> tuple[str, ...]:
    return (
        proof.asset,
        f"{proof.rows:,}",
        short(proof.closing),
        number(proof.venue),
        number(proof.hold),
        number(proof.difference),
        proof.state.value,
        str(len(proof.wallets)),
    )


def told_break(asset: str, broken: ChainBreak) -> str:
    """The first row of a chain that does not follow."""
    return (
        f"{asset}: row {broken.ledger_id} of {broken.second}Z does not follow:"
        f" {short(broken.expected)} changed by {short(broken.change)} are not"
        f" {short(broken.balance)}. Rows before it are missing, or one was changed."
    )


def told_difference(proof: AssetProof) -> str:
    """What the venue has otherwise: `0.003 BTC less than the ledger tells`."""
    difference = proof.difference or ZERO
    compared = "more" if difference > ZERO else "less"
    return f"{short(abs(difference))} {proof.asset} {compared} than the ledger tells"


def _show(printer: Printer, rows: Sequence[LedgerEntry], first: datetime | None) -> None:
    printer.line()
    if not rows:
        told = f" since {first:%Y-%m-%d %H:%M} UTC" if first else ""
        printer.line(f"No ledger rows{told}.")
        return
    columns = ("!time (UTC)", "type", "!asset", ">amount", ">fee", ">balance", "refid")
    # An id that is cut in two cannot be copied: where there is no room, --json tells it.
    room = len(columns) - (printer.width < _WIDE)
    printer.table(columns[:room], [_row(each)[:room] for each in rows])


def _row(entry: LedgerEntry) -> tuple[str, ...]:
    fee = short(entry.fee)
    return (
        f"{entry.booked_at:%Y-%m-%d %H:%M:%S}",
        _type_of(entry),
        entry.asset if entry.wallet == MAIN else f"{entry.asset} ({entry.wallet})",
        short(entry.amount),
        fee if entry.own_fee == entry.fee else f"{fee} {entry.fee_asset}",
        short(entry.balance),
        entry.refid,
    )


def _type_of(entry: LedgerEntry) -> str:
    """As the venue spells it, but for `trade/tradespot`: of the many trades that is nothing new."""
    told = "/".join(filter(None, (entry.kind, entry.subtype)))
    return "trade" if told == "trade/tradespot" else told


def _as_csv(printer: Printer, rows: Sequence[LedgerEntry]) -> None:
    """Oldest first, as the venue's own export; an import would read it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_CSV)
    for each in rows:
        writer.writerow(
            (
                each.ledger_id,
                each.refid,
                f"{each.booked_at:%Y-%m-%d %H:%M:%S.%f}",
                each.kind,
                each.subtype,
                each.asset,
                each.wallet,
                plain(each.amount),
                plain(each.fee),
                each.fee_asset,
                plain(each.balance),
            )
        )
    printer.line(text.getvalue().rstrip("\n"))
