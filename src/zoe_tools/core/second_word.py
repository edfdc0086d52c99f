"""The second word on what an answer of the venue lacks: what to ask for, and what it proves.

No list that is empty or short counts by itself. What another endpoint shows all the same completes
it, is told as a contradiction of the venue's, and is no evidence of anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from zoe_tools.core.discrepancies import OWN_LEDGER
from zoe_tools.core.reconcile_balances import tolerance, total_of
from zoe_tools.core.reconcile_ledger import lacking_legs
from zoe_tools.core.reconcile_records import AT_ONCE, Found, Records
from zoe_tools.domain.discrepancy import BALANCES, Finding, FindingKind
from zoe_tools.domain.identifiers import FillId, LedgerId
from zoe_tools.domain.money import ZERO, short
from zoe_tools.domain.snapshot import NOT_GATHERED, Missing, Reading
from zoe_tools.domain.words import counted, few

_OF_BALANCES = frozenset(
    {FindingKind.ORPHANED, FindingKind.QTY_MISMATCH, FindingKind.BALANCE_DRIFT}
)
_OF_FILLS = frozenset({FindingKind.PHANTOM_FILL, FindingKind.DUPLICATE_FILL})
_OF_LEDGER = frozenset({FindingKind.LEDGER_MISMATCH, FindingKind.BALANCE_DRIFT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """What to ask a second endpoint: Balance, QueryTrades, QueryLedgers; the newest ids."""

    totals: bool = False
    fills: tuple[FillId, ...] = ()
    rows: tuple[LedgerId, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Nothing that an answer lacks is doubtful."""
        return not (self.totals or self.fills or self.rows)


def questions(records: Records, findings: Sequence[Finding]) -> Questions:
    """What has to be asked before these findings may count."""
    kinds = {each.kind for each in findings}
    doubts_rows = kinds & _OF_LEDGER or any(
        each.subject.endswith(OWN_LEDGER) and each.is_absence for each in findings
    )
    doubtful = sorted(records.doubtful_fills, key=lambda each: each.filled_at, reverse=True)
    return Questions(
        totals=bool(kinds & _OF_BALANCES),
        fills=tuple(each.fill_id for each in doubtful[:AT_ONCE]) if kinds & _OF_FILLS else (),
        rows=_unlisted(records)[:AT_ONCE] if doubts_rows else (),
    )


def _unlisted(records: Records) -> tuple[LedgerId, ...]:
    """Rows of our own ledger that the whole of the venue's lacks, newest first."""
    if not records.is_whole or records.ledger is None:
        return ()
    shown = {each.ledger_id for each in records.ledger}
    own = records.snapshot.own_ledger
    return tuple(each.ledger_id for each in own if each.ledger_id not in shown)


def short_assets(records: Records) -> frozenset[str]:
    """Assets of which the venue's ledger lacks rows, as its trades and another word of its prove.

    The trades show an execution, and the ledger no leg of it; beside that the balance is another
    than the ledger's end, or the ledger does not begin at nothing, or single rows were found by id.
    """
    found = {row.asset for row in records.found_rows}
    for _, assets in lacking_legs(records):
        found |= {each for each in assets if _ends_elsewhere(records, each)}
    return frozenset(found)


def _ends_elsewhere(records: Records, asset: str) -> bool:
    stands, held = records.ledger_stands.get(asset), total_of(records, asset)
    unit = tolerance(records, asset)
    if stands is None:
        return abs(held) > unit
    oldest = records.ledger_begins[asset]
    begins_late = abs(oldest.balance - oldest.change) > unit
    return begins_late or all(abs(held - each) > unit for each in stands)


def check_answers(records: Records) -> Iterator[Found]:
    """One finding for each read that another one denies."""
    checks = (_balances, _trades, _ledger)
    for subject, evidence in (told for check in checks for told in check(records)):
        yield (
            Finding(
                kind=FindingKind.VENUE_CONTRADICTION,
                subject=subject,
                evidence=f"{evidence}; neither is believed until they agree",
                is_absence=True,
                is_denied=True,
            ),
            (),
        )


def _balances(records: Records) -> Iterator[tuple[str, str]]:
    first = records.snapshot.balances
    listed = {each.asset: each.total for each in first.value} if isinstance(first, Reading) else {}
    told = [
        f"{short(listed.get(asset, ZERO))} {asset}, Balance {short(held.total)}"
        for asset, held in sorted(records.balances.items())
        if abs(held.total - listed.get(asset, ZERO)) > tolerance(records, asset)
    ]
    if told:
        yield BALANCES, f"tells {few(told, '; ')}"


def _trades(records: Records) -> Iterator[tuple[str, str]]:
    lacking = sorted(records.denied_fills)
    if lacking:
        count = counted(len(lacking), "execution")
        who = "QueryTrades shows them" if records.found_fills else "the orders show them filled"
        yield "TradesHistory", f"lacks {count}: {few(lacking)}; {who}"


def _ledger(records: Records) -> Iterator[tuple[str, str]]:
    assets = sorted(records.short_ledger)
    if assets:
        who = "QueryLedgers shows" if records.found_rows else "trades and balances show"
        yield "Ledgers", f"lacks rows of {few(assets)} that {who}"


def left_unheard(records: Records, finding: Finding) -> bool:
    """Whether a second endpoint had to be asked about this, and did not answer."""
    snapshot, unheard = records.snapshot, frozenset[FindingKind]()
    for part, kinds in (
        (snapshot.asked_totals, _OF_BALANCES),
        (snapshot.asked_fills, _OF_FILLS),
        (snapshot.asked_rows, _OF_LEDGER),
    ):
        if isinstance(part, Missing) and part is not NOT_GATHERED:
            unheard |= kinds
    return finding.kind in unheard
