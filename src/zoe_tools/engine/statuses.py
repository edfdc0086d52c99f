"""What one may do with which instruments, as the stream and the venue's list tell it.

The stream is quicker; the list, asked from time to time, mends what the stream missed. Each change
is an event in the log, a trace in the store, and a line for the operator. It decides nothing.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import InstrumentCatalogue, InstrumentStatus
from zoe_tools.domain.stream import InstrumentsUpdate
from zoe_tools.observe import log

Source = Literal["stream", "list"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChange:
    """One instrument's new status, and the one it had; `source` told it."""

    symbol: Symbol
    status: InstrumentStatus
    before: InstrumentStatus
    source: Source

    @property
    def sentence(self) -> str:
        """What an operator reads."""
        return f"{self.symbol} is {self.status.value} at the venue, and was {self.before.value}."


class StatusWatch:
    """Keeps a catalogue's statuses up to date."""

    def __init__(self, catalogue: InstrumentCatalogue, *, trust_s: float) -> None:
        """The list is not believed about what the stream told less than `trust_s` ago."""
        self.catalogue = catalogue
        self._trust = timedelta(seconds=trust_s)
        self._streamed_at: dict[Symbol, datetime] = {}

    def heed(
        self, update: InstrumentsUpdate, source: Source, now: datetime
    ) -> tuple[StatusChange, ...]:
        """Take an update over; returns what changed. Instruments nobody follows are passed over.

        A list may be some seconds old when it comes: it must not undo what was just streamed.
        """
        statuses = {
            symbol: status
            for symbol, status in update.statuses
            if source == "stream" or not self._was_just_streamed(symbol, now)
        }
        changes: list[StatusChange] = []
        for instrument in self.catalogue:
            status = statuses.get(instrument.symbol, instrument.status)
            if source == "stream" and instrument.symbol in statuses:
                self._streamed_at[instrument.symbol] = now
            if status is not instrument.status:
                changes.append(
                    StatusChange(
                        symbol=instrument.symbol,
                        status=status,
                        before=instrument.status,
                        source=source,
                    )
                )
        self.catalogue = self.catalogue.with_statuses(statuses)
        for change in changes:
            _log(change)
        return tuple(changes)

    def _was_just_streamed(self, symbol: Symbol, now: datetime) -> bool:
        at = self._streamed_at.get(symbol)
        return at is not None and now - at < self._trust


def _log(change: StatusChange) -> None:
    log.event(
        _LOG,
        "INSTRUMENT_STATUS",
        "info" if change.status is InstrumentStatus.ONLINE else "warning",
        symbol=change.symbol,
        status=change.status.value,
        before=change.before.value,
        source=change.source,
    )
