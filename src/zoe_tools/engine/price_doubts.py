"""What is held without a price of now: told once, and where it could matter entries wait.

What never had a price counts as nothing; what had one counts with the last. Neither switches off
what is judged by equity. Nothing here keeps back a stop, an exit or a kill.
"""

from __future__ import annotations

import logging
from datetime import datetime

from zoe_tools.core.equity import OUTDATED_PCT, Outdated
from zoe_tools.domain.money import round_half_up, short
from zoe_tools.engine.loop import TradingLoop
from zoe_tools.engine.parts import LoopParts

_LOG = logging.getLogger(__name__)

PRICES = "prices"
"""The watch's name among those that keep entries back."""


class PriceDoubts:
    """Of one loop; `heed` what its newest point lacks, and what was outdated at the last look."""

    def __init__(self) -> None:
        self._unpriced: tuple[str, ...] = ()
        self._outdated: tuple[str, ...] = ()

    def heed(self, loop: TradingLoop, parts: LoopParts, unpriced: tuple[str, ...]) -> None:
        """Tell what is another than before; keep entries back while too much is guessed."""
        now = parts.clock.now()
        outdated = None if parts.worth is None else parts.worth.outdated
        names = () if outdated is None else outdated.assets
        if unpriced != self._unpriced:
            self._unpriced = unpriced
            self._tell(parts, now, _told_unpriced(unpriced), is_bad=bool(unpriced))
        if names != self._outdated:
            self._outdated = names
            self._tell(parts, now, _told_outdated(outdated, now), is_bad=bool(names))
        matters = outdated is not None and outdated.matters
        loop.stand(PRICES, (_why(names),) if matters else ())

    def _tell(self, parts: LoopParts, now: datetime, note: str, *, is_bad: bool) -> None:
        parts.narrator.show_note(now, note)
        if is_bad:
            _LOG.warning(note)


def _told_unpriced(assets: tuple[str, ...]) -> str:
    if not assets:
        return "All that is held has a price."
    return (
        f"No price was ever known of {', '.join(assets)}, which is held: equity and drawdown are"
        " judged as if it was nothing."
    )


def _told_outdated(outdated: Outdated | None, now: datetime) -> str:
    if outdated is None:
        return "All prices of what is held are of now again."
    minutes = round((now - outdated.oldest).total_seconds() / 60)
    share = short(round_half_up(outdated.share_pct, 2))
    return (
        f"The price of {', '.join(outdated.assets)}, which is held, is {minutes} min old: equity"
        f" and drawdown are judged by it, {share} % of what the account is worth."
    )


def _why(assets: tuple[str, ...]) -> str:
    return f"more than {short(OUTDATED_PCT)} % of equity has an old price: {', '.join(assets)}"
