"""A kill level that a running loop latches by itself, and knows of at once.

Whoever calls it says when and how high; whether it lowers anything again is not decided here.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from zoe_tools.domain.trading_state import KillLevel
from zoe_tools.engine.loop import TradingLoop
from zoe_tools.engine.parts import LoopParts
from zoe_tools.errors import StoreError
from zoe_tools.gate.latch import latch_level

_LOG = logging.getLogger(__name__)


async def latch_for(loop: TradingLoop, parts: LoopParts, level: KillLevel, reason: str) -> bool:
    """Raise the account's level in the store and in the loop's books; whether it is there to stay.

    It is not where the store is away, or went away meanwhile: the copy that stands in is forgotten.
    """
    if parts.gate.is_store_away:
        return False
    try:
        await latch_level(
            store=parts.store,
            clock=parts.clock,
            account=parts.account,
            policy=parts.policy,
            level=level,
            reason=reason,
            author=replace(parts.gate.author, operator=""),
        )
        await loop.books.refresh_trading_state(parts.clock.now())
    except StoreError as error:
        _LOG.error("The kill level cannot be latched: %s", error.message)
        return False
    loop.books.note_told()
    loop.wake()
    return not parts.gate.is_store_away
