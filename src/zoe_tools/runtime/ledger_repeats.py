"""Rows that stand more than once: in a file, in two files, in a file and the books.

A row never changes at the venue, so each time it must say the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from zoe_tools.domain.instrument import InstrumentCatalogue
from zoe_tools.domain.ledger import LedgerEntry, is_same
from zoe_tools.domain.money import short
from zoe_tools.errors import LedgerFileError
from zoe_tools.runtime.ledger_files import ledger_lines


def repeated_in(paths: Sequence[Path], catalogue: InstrumentCatalogue) -> set[str]:
    """The ids that may stand in more than one line of these files: by their hashes.

    Raises:
        LedgerFileError: a file makes no sense.
    """
    seen: set[int] = set()
    found: set[str] = set()
    for path in paths:
        for line in ledger_lines(path, catalogue):
            if line.entry is None:
                continue
            name = hash(line.entry.ledger_id)
            if name in seen:
                found.add(line.entry.ledger_id)
            seen.add(name)
    return found


def demand_agreement(
    paths: Sequence[Path], catalogue: InstrumentCatalogue, suspects: Collection[str]
) -> None:
    """Pass, if each of the `suspects` says the same wherever it stands in these files.

    Raises:
        LedgerFileError: the first that does not, by file and line.
    """
    first: dict[str, tuple[str, LedgerEntry]] = {}
    for path in paths if suspects else ():
        for line in ledger_lines(path, catalogue):
            entry = line.entry
            if entry is not None and entry.ledger_id in suspects:
                place = f"in {path}, line {line.number},"
                where, before = first.setdefault(entry.ledger_id, (place, entry))
                demand_same(path, line.number, entry, before, where)


def demand_same(
    path: Path, number: int, entry: LedgerEntry, before: LedgerEntry, where: str
) -> None:
    """Pass, if the row says what it said `before`; `where` that was, for the sentence.

    Raises:
        LedgerFileError: it does not.
    """
    if is_same(entry, before):
        return
    now, then = (
        f"{each.kind} {short(each.amount)} {each.asset}, fee {short(each.fee)},"
        f" balance {short(each.balance)}, {each.booked_at:%Y-%m-%d %H:%M:%S}"
        for each in (entry, before)
    )
    raise LedgerFileError(
        f"{path}, line {number}: row {entry.ledger_id} is {now}; {where} it is {then}.",
        hint="A row never changes at the venue: one of the two was edited. Nothing was written.",
    )
