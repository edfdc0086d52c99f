"""`CYCLE_SUMMARY`: one line a minute of the venue's time about how the loop stands.

Written beside the turns, and so while halted, while only protecting, and while a turn hangs. One
that cannot be made is told as `CYCLE_SUMMARY_FAILED` and stops nothing.
"""

from __future__ import annotations

import logging

from zoe_tools.engine.leasing import Holder
from zoe_tools.engine.loop import TradingLoop
from zoe_tools.engine.parts import LoopParts
from zoe_tools.engine.vitals import mode_of, reasons_against_entries, shortened, system_state
from zoe_tools.observe.log import event

_LOG = logging.getLogger(__name__)


async def summarise_for_ever(loop: TradingLoop, parts: LoopParts, holder: Holder) -> None:
    """One summary each period, the first after one."""
    while True:
        await parts.clock.sleep(parts.cadence.summary_s)
        try:
            _summarise(loop, parts, holder)
        except Exception as error:  # noqa: BLE001 - whatever it is, the loop goes on without it
            reason = f"{type(error).__name__}: {error}"
            event(_LOG, "CYCLE_SUMMARY_FAILED", "error", cycle=loop.cycles, reason=reason)


def _summarise(loop: TradingLoop, parts: LoopParts, holder: Holder) -> None:
    now, books, work = parts.clock.now(), loop.books, parts.work
    breaker = work.breaker
    event(
        _LOG,
        "CYCLE_SUMMARY",
        "info",
        run_id=holder.run_id,
        cycle=loop.cycles,
        duration_ms=work.last_turn_ms,
        slowest_ms=work.take_slowest_ms(),
        positions=len(books.positions),
        orders=len(books.orders),
        unresolved=len(books.unresolved),
        universe=len(parts.catalogue),
        system_state=system_state(loop, parts),
        phase=work.phase.value,
        mode=mode_of(loop, parts),
        why_no_entries=shortened(reasons_against_entries(loop, parts)),
        cooldowns_active=loop.facts.resting(now, parts.symbol_rest),
        breaker=breaker.state.value.replace("-", "_") if breaker else "n/a",
        breaker_failures=breaker.failures + breaker.throttles if breaker else 0,
        queue_events=parts.feed.backlog.waiting,
        unprotected_seconds=round(loop.watch.seconds, 3),
        unprotected_positions=loop.watch.naked,
        **loop.watch.fills.times.told(),
    )
