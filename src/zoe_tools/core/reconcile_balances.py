"""Balances: what the ledger ends with, what the stream told, and what the venue says it holds.

Within the tolerance a difference is a note: 2.00 is inside, 2.01 is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from zoe_tools.core.discrepancies import STREAM
from zoe_tools.core.reconcile_records import CASH, Found, Records
from zoe_tools.domain.discrepancy import Finding, FindingKind
from zoe_tools.domain.money import ZERO, short
from zoe_tools.domain.snapshot import Reading


def check_balances(records: Records) -> Iterator[Found]:
    """Each asset by each pair of sources that tell of it.

    No two of them are of one moment, so a difference has to be seen again before it counts.
    """
    for asset, stands, source in _sources(records):
        ours, total = stands[0], total_of(records, asset)
        if any(abs(total - each) <= tolerance(records, asset) for each in stands):
            continue
        yield (
            Finding(
                kind=FindingKind.BALANCE_DRIFT,
                subject=asset if source == _LEDGER else f"{asset}{STREAM}",
                evidence=f"{source} {short(ours)}; held are {short(total)}",
                at_stake=abs(total - ours),
                currency=asset,
                is_absence=True,
            ),
            (),
        )


def small_drifts(records: Records) -> Iterator[str]:
    """Differences that the tolerance covers, a sentence each."""
    for asset, (ours, *_), source in _sources(records):
        total = total_of(records, asset)
        if ZERO < abs(total - ours) <= tolerance(records, asset):
            yield (
                f"{asset}: {source} {short(ours)}, held are {short(total)}; the difference is"
                f" within the tolerance of {short(tolerance(records, asset))}."
            )


def tolerance(records: Records, asset: str) -> Decimal:
    """What a balance may differ by; of coins never finer than the asset's own unit."""
    policy = records.snapshot.policy
    if asset == CASH:
        return policy.reconcile_cash_tolerance
    known = records.catalogue.asset(asset)
    unit = ZERO if known is None else Decimal(1).scaleb(-known.decimals)
    return max(policy.reconcile_quantity_tolerance, unit)


_LEDGER = "the ledger ends at"
_STREAM = "the balances stream told"


def total_of(records: Records, asset: str) -> Decimal:
    """What the venue holds of it, by the read of the two that shows more."""
    held = records.balances.get(asset)
    return ZERO if held is None else held.total


def _sources(records: Records) -> Iterator[tuple[str, tuple[Decimal, ...], str]]:
    """Asset, what the source says of it (its newest word first), and which source it is."""
    posted = records.posted
    for asset, stands in sorted(records.ledger_stands.items()):
        if asset in records.short_ledger:
            continue
        more = posted.get(asset, ZERO)
        yield asset, tuple(each + more for each in stands), _LEDGER
    streamed = records.snapshot.streamed_balances
    if isinstance(streamed, Reading):
        for balance in streamed.value:
            yield balance.asset, (balance.total,), _STREAM
