"""Writes many candles without being in the way: a slice at a time, and a gap after each.

An order beside it waits for one slice. What is written stays: a plan that was broken off is made
again, and finds only what is missing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from zoe_tools.domain.candle import Candle
from zoe_tools.domain.plan import OutcomeState, StepOutcome, StoreStep, WriteCandles
from zoe_tools.gate.keeper import Keeper
from zoe_tools.gate.store_steps import note_looked
from zoe_tools.store.bulk import FIRST_ROWS, GAP_S, next_size
from zoe_tools.store.store import Transaction


async def write_bulk(keeper: Keeper, steps: Sequence[StoreStep]) -> dict[int, StepOutcome]:
    """Do the steps that are candles; their outcomes by their place.

    Raises:
        StoreError: the store cannot be written; the slices before are in it.
    """
    return {
        index: await _written(keeper, step)
        for index, step in enumerate(steps)
        if isinstance(step, WriteCandles)
    }


async def _written(keeper: Keeper, step: WriteCandles) -> StepOutcome:
    rest, size, changed = step.candles, FIRST_ROWS, 0
    while rest:
        part, rest = rest[:size], rest[size:]
        count, kept_s = await keeper.run(Slice(step, part, is_last=not rest))
        changed, size = changed + count, next_size(len(part), kept_s)
        await asyncio.sleep(GAP_S)
    return StepOutcome(
        step=step, state=OutcomeState.DONE, evidence=f"store: {changed} candle rows changed"
    )


class Slice:
    """One slice; gives back how many rows changed, and for how many seconds it kept the store."""

    def __init__(self, step: WriteCandles, part: Sequence[Candle], *, is_last: bool) -> None:
        self._step = step
        self._part = part
        self._is_last = is_last

    def __call__(self, transaction: Transaction) -> tuple[int, float]:
        """Write it."""
        began = time.perf_counter()
        count = transaction.write_candles(self._part, self._step.source)
        if self._is_last:
            note_looked(transaction, self._step)
        return count, time.perf_counter() - began
