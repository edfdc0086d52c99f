"""The loop's care for the registry: audited at its start, before any repair, and ever after."""

from __future__ import annotations

from functools import partial

from zoe_tools.core.registry_audit import KeyOf, RegistryAudit
from zoe_tools.domain.position import RawPosition
from zoe_tools.engine.loop import TradingLoop
from zoe_tools.engine.parts import LoopParts
from zoe_tools.gate.registry_watch import audit_stored, repair_stored
from zoe_tools.store.store import Transaction

ROWS_AT_ONCE = 500
"""A page of rows that are over: some ten milliseconds of the store's time."""


async def begin_registry(parts: LoopParts, loop: TradingLoop) -> None:
    """Audit what is stored; bring to rest what contradicts itself; audit again.

    What is still wrong then keeps all new risk back. In shadow nothing is repaired.
    """
    over = await _rows_over(parts)

    def work(transaction: Transaction) -> RegistryAudit:
        now, key_of = parts.clock.now(), _keys(parts)
        report = audit_stored(transaction, phase="startup", now=now, key_of=key_of, over=over)
        if not report.violations or parts.is_shadow:
            return report
        repair_stored(transaction, now=now, key_of=key_of)
        return audit_stored(transaction, phase="startup_repaired", now=now, key_of=key_of)

    _heed(parts, loop, await parts.store.run(work))


async def watch_registry(parts: LoopParts, loop: TradingLoop) -> None:
    """Audit every few minutes, and heed what is found."""
    while True:
        await parts.clock.sleep(parts.cadence.instruments_s)
        _heed(parts, loop, await _audit(parts))


async def _audit(parts: LoopParts) -> RegistryAudit:
    over = await _rows_over(parts)

    def work(transaction: Transaction) -> RegistryAudit:
        now, key_of = parts.clock.now(), _keys(parts)
        return audit_stored(transaction, phase="runtime", now=now, key_of=key_of, over=over)

    return await parts.store.run(work)


async def _rows_over(parts: LoopParts) -> list[RawPosition]:
    """However many: in pages, each a look of its own."""
    over: list[RawPosition] = []
    while page := await parts.store.read(
        partial(_page, after=over[-1].position_id if over else "")
    ):
        over += page
    return over


def _page(transaction: Transaction, *, after: str) -> tuple[RawPosition, ...]:
    return transaction.raw_positions(is_over=True, after=after, limit=ROWS_AT_ONCE)


def _heed(parts: LoopParts, loop: TradingLoop, report: RegistryAudit) -> None:
    is_sound = not report.violations
    if is_sound is not loop.books.is_sound:
        note = "The registry agrees with itself again."
        if not is_sound:
            note = f"The registry contradicts itself, no entries: {report.violations[0]}"
        parts.narrator.show_note(parts.clock.now(), note)
    loop.books.is_sound = is_sound
    loop.wake()


def _keys(parts: LoopParts) -> KeyOf:
    def key_of(symbol: str) -> str:
        found = parts.catalogue.find(symbol)
        return symbol if found is None else found.symbol

    return key_of
