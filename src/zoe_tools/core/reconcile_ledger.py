"""The ledger: its rows against the fills, and our own copy of it against the venue's.

Rows are append-only here and never change there. One of ours that the venue tells otherwise was
changed by hand, one that it does not tell was made up; neither is mended by a plan.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from zoe_tools.core.discrepancies import OWN_LEDGER
from zoe_tools.core.ledger_chain import Chains, chain_row
from zoe_tools.core.reconcile_records import CASH, Found, Records, told
from zoe_tools.domain.discrepancy import Finding, FindingKind
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.ledger import LedgerEntry, is_same, second_of
from zoe_tools.domain.money import ZERO, short
from zoe_tools.domain.order import Side
from zoe_tools.domain.wallet import MAIN
from zoe_tools.domain.words import counted

_LEGS = 2
"""A trade moves two assets."""


def check_ledger(records: Records) -> Iterator[Found]:
    """Rows against fills, ours against the venue's."""
    for check in (_against_fills, _changed, _made_up):
        yield from ((each, ()) for each in check(records))


def own_cash(records: Records) -> Decimal | None:
    """What our own ledger and what was posted come to in cash; None where it is behind or empty."""
    rows = [each for each in records.snapshot.own_ledger if CASH in (each.asset, each.fee_asset)]
    if not rows or _lacking(records):
        return None
    chains = Chains()
    for each in sorted(rows, key=lambda each: second_of(each.booked_at)):
        chains.add(chain_row(each))
    ends = {(each.asset, each.wallet): each.closing for each in chains.ends()}
    end = ends.get((CASH, MAIN))
    return None if end is None else end + records.posted.get(CASH, ZERO)


def behind(records: Records) -> Iterator[str]:
    """That our ledger lacks rows of the venue's, in a sentence; it is no discrepancy."""
    lacking = _lacking(records)
    if records.snapshot.own_ledger and lacking:
        yield (
            f"Our ledger lacks {counted(lacking, 'row')} of the venue's: `zoe ledger import"
            " --from-venue --execute`."
        )


def _lacking(records: Records) -> int:
    own = {each.ledger_id for each in records.snapshot.own_ledger}
    return sum(each.ledger_id not in own for each in records.ledger or ())


def _changed(records: Records) -> Iterator[Finding]:
    theirs = {each.ledger_id: each for each in records.ledger or ()}
    for own in records.snapshot.own_ledger:
        row = theirs.get(own.ledger_id)
        if row is not None and not is_same(own, row):
            yield Finding(
                kind=FindingKind.STORE_TAMPERED,
                subject=f"{own.ledger_id}{OWN_LEDGER}",
                evidence=(
                    f"our row is {_words(own)}; the venue's is {_words(row)}: `zoe audit verify`,"
                    " and restore a backup"
                ),
                at_stake=abs(own.amount - row.amount) or abs(own.balance - row.balance),
                currency=own.asset,
            )


def _made_up(records: Records) -> Iterator[Finding]:
    """Only where the whole was asked for, and of wallets and times that the venue tells of."""
    if not records.is_whole or not records.ledger:
        return
    theirs = {each.ledger_id for each in records.ledger}
    wallets = {(each.asset, each.wallet) for each in records.ledger}
    oldest = min(each.booked_at for each in records.ledger)
    newest = max(each.booked_at for each in records.ledger)
    for own in records.snapshot.own_ledger:
        is_told = (own.asset, own.wallet) in wallets and oldest < own.booked_at < newest
        is_told &= own.asset not in records.short_ledger
        if is_told and own.ledger_id not in theirs:
            yield Finding(
                kind=FindingKind.STORE_TAMPERED,
                subject=f"{own.ledger_id}{OWN_LEDGER}",
                evidence=f"the venue's ledger has no such row as our {_words(own)}",
                at_stake=abs(own.amount),
                currency=own.asset,
                is_absence=True,
            )


def _words(entry: LedgerEntry) -> str:
    return (
        f"{entry.kind} {short(entry.amount)} {entry.asset}, fee {short(entry.fee)},"
        f" balance {short(entry.balance)}"
    )


def lacking_legs(records: Records) -> Iterator[tuple[Fill, tuple[str, ...]]]:
    """Executions of ours of which the whole ledger lacks a leg, with the assets of those."""
    if not records.is_whole:
        return
    for fill, found in _with_legs(records):
        instrument = records.catalogue.find(fill.symbol)
        if instrument is not None and len(found) < _LEGS:
            moved = {leg.asset for leg in found}
            yield fill, tuple({instrument.base, instrument.quote} - moved)


def _with_legs(records: Records) -> Iterator[tuple[Fill, list[LedgerEntry]]]:
    """Each execution of ours that the venue shows, and its rows in the venue's ledger."""
    if records.ledger is None:
        return
    legs: dict[str, list[LedgerEntry]] = {}
    for entry in records.ledger:
        legs.setdefault(entry.refid, []).append(entry)
    for fill in records.venue_fills:
        if records.our_order_of(fill) is not None:
            yield fill, legs.get(fill.fill_id, [])


def _against_fills(records: Records) -> Iterator[Finding]:
    for fill, found in _with_legs(records):
        is_short = not records.short_ledger.isdisjoint(fill.symbol.split("/"))
        if len(found) < _LEGS and (is_short or not records.is_whole):
            continue  # a page may begin between the two
        evidence = _wrong_with(records, fill, found)
        if evidence:
            yield Finding(
                kind=FindingKind.LEDGER_MISMATCH,
                subject=fill.fill_id,
                symbol=fill.symbol,
                evidence=evidence,
                at_stake=fill.cost,
                currency=fill.symbol.partition("/")[2],
                is_absence=True,
            )


def _wrong_with(records: Records, fill: Fill, legs: list[LedgerEntry]) -> str:
    instrument = records.catalogue.find(fill.symbol)
    if instrument is None:
        return ""
    by_asset = {leg.asset: leg for leg in legs}
    base, quote = by_asset.get(instrument.base), by_asset.get(instrument.quote)
    if base is None or quote is None:
        return f"the ledger lacks a leg of {told(fill)}"
    sign = 1 if fill.side is Side.BUY else -1
    if base.amount != sign * fill.quantity:
        return f"the ledger moved {short(base.amount)} {instrument.base} for {told(fill)}"
    asset = records.catalogue.asset(instrument.quote)
    unit = Decimal(1).scaleb(-(asset.decimals if asset else 0))
    if abs(quote.amount + sign * fill.cost) > unit:
        return f"the ledger moved {short(quote.amount)} {instrument.quote} for {told(fill)}"
    if fill.fee_asset == instrument.quote and abs(quote.fee - fill.fee) > unit:
        return f"the ledger charged {short(quote.fee)}; the trade says {short(fill.fee)}"
    return ""
