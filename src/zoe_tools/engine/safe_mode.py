"""Safe mode beside the turns: by the freshness of each market, API errors and empty rounds.

What concerns one instrument stands in a register of its own, which the snapshot of each turn takes
along; what concerns all of them is a standing reason. Stops, exits and cancels go on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime

from zoe_tools.core.safe_mode import Heard, Scans, error_reasons, stale_parts
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.engine.parts import LoopParts
from zoe_tools.engine.view import LiveView
from zoe_tools.observe.log import event

_LOG = logging.getLogger(__name__)

ERRORS, SCANS = "API errors", "empty scans"
"""The watches' names among those that keep entries back."""


class SafeMode:
    """Which instruments take no entries, and why."""

    def __init__(
        self,
        parts: LoopParts,
        view: LiveView,
        stand: Callable[[str, tuple[str, ...]], None],
    ) -> None:
        """`stand` takes what speaks against all entries."""
        self._parts = parts
        self._view = view
        self._stand = stand
        self._symbols = tuple(each.symbol for each in parts.catalogue)
        self._since = parts.clock.now()
        self._told: dict[Symbol, str] = {}
        self._scans = Scans()

    def held_back(
        self, now: datetime, symbols: Iterable[Symbol] | None = None
    ) -> tuple[tuple[Symbol, str], ...]:
        """Each instrument in safe mode with its reason; of all, or of these."""
        if not self._view.is_live:
            return ()  # then nothing is entered at all, and nothing of a market can be told
        found = ((each, self._reason(each, now)) for each in symbols or self._symbols)
        return tuple((symbol, reason) for symbol, reason in found if reason)

    @property
    def told(self) -> tuple[str, ...]:
        """Each instrument that is in safe mode as of the last look, with the reason."""
        return tuple(f"{symbol}: {reason}" for symbol, reason in self._told.items())

    def scanned(self, markets: int) -> None:
        """A round of decisions is over: of so many instruments there was a market to decide by."""
        now, policy = self._parts.clock.now(), self._parts.policy
        self._scans = self._scans.after(is_empty=not markets, now=now, policy=policy)
        self._stand(SCANS, self._scans.reasons(now, self._parts.policy))

    async def run(self) -> None:
        """Look twice a second, and tell what is new, until cancelled."""
        while True:
            self.look(self._parts.clock.now())
            await self._parts.clock.sleep(self._parts.cadence.state_poll_s)

    def look(self, now: datetime) -> None:
        """Tell what has changed."""
        policy, errors = self._parts.policy, self._parts.api_errors
        self._stand(SCANS, self._scans.reasons(now, policy))
        if errors is not None:
            self._stand(ERRORS, error_reasons(errors.within(policy.api_error_window_s), policy))
        found = dict(self.held_back(now))
        for symbol, reason in found.items():
            if self._told.get(symbol) != reason:
                event(_LOG, "SAFE_MODE_ENTERED", "warning", symbol=symbol, reason=reason)
        for symbol in self._told:
            if symbol not in found and self._view.is_live:
                event(_LOG, "SAFE_MODE_LEFT", "info", symbol=symbol)
        self._told = found if self._view.is_live else self._told

    def _reason(self, symbol: Symbol, now: datetime) -> str:
        quote = self._view.quotes.get(symbol)
        length = self._parts.strategy.timeframe.length
        heard = Heard(
            quote_at=None if quote is None else quote.as_of,
            trade_at=self._view.traded_at.get(symbol),
            candle_at=self._view.closed_at(symbol),
        )
        stale = stale_parts(
            heard,
            now=now,
            since=self._since,
            candle_length=length,
            policy=self._parts.policy,
        )
        return ", ".join(stale)
