"""Holds trades exports against the ledger: that of an import's own files, and that of the books."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoe_tools.core.ledger_trades import disagreement
from zoe_tools.domain.instrument import InstrumentCatalogue
from zoe_tools.domain.ledger import LedgerEntry
from zoe_tools.runtime.ledger_files import trades_in
from zoe_tools.runtime.ledger_import import Sought
from zoe_tools.store.runner import StoreRunner

_MOST_TOLD = 20
_LOOK_UP_ROWS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a trades export says of the ledger; the first of its `findings` are told."""

    name: str
    trades: int
    agreeing: int
    findings: tuple[str, ...]


def sought_by(files: Iterable[Path], catalogue: InstrumentCatalogue) -> Sought:
    """Every ledger row that the trades of these files name.

    Raises:
        LedgerFileError, OSError: as `trades_in`.
    """
    return {
        name: None
        for path in files
        for trade in trades_in(path, catalogue)
        for name in trade.ledger_ids
    }


async def examined(
    files: Sequence[Path], catalogue: InstrumentCatalogue, store: StoreRunner, sought: Sought
) -> list[Evidence]:
    """Hold each trade to its rows; what the import's own files did not bring is in the books.

    Raises:
        StoreError: it cannot be read.
    """
    left = [name for name, entry in sought.items() if entry is None]
    for start in range(0, len(left), _LOOK_UP_ROWS):
        names = left[start : start + _LOOK_UP_ROWS]
        sought.update(await store.read(lambda books, at=names: books.ledger_book.known(at)))  # type: ignore[misc]
    rows = {name: entry for name, entry in sought.items() if entry is not None}
    return [_examined(path, catalogue, rows) for path in files]


def _examined(path: Path, catalogue: InstrumentCatalogue, rows: dict[str, LedgerEntry]) -> Evidence:
    trades, findings = 0, []
    for trade in trades_in(path, catalogue):
        trades += 1
        found = disagreement(trade, rows, catalogue)
        if found:
            findings.append(found)
    return Evidence(
        name=path.name,
        trades=trades,
        agreeing=trades - len(findings),
        findings=tuple(findings[:_MOST_TOLD]),
    )
