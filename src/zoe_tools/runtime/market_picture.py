"""The newest of every watched pair, and what of it has not been written yet.

Tickers overwrite each other here: whoever writes takes what is newest when it gets to it, so that
no queue can grow. What was taken counts as written only when whoever took it says so.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from zoe_tools.core.market_states import state_of
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import InstrumentCatalogue, InstrumentStatus
from zoe_tools.domain.market import VenueMode
from zoe_tools.domain.market_watch import (
    ListingChange,
    MarketRow,
    MarketState,
    Ticker,
)
from zoe_tools.domain.stream import InstrumentsUpdate
from zoe_tools.kraken.codec_stream import ticker_of
from zoe_tools.kraken.wire_stream import DayTickerRow
from zoe_tools.observe.log import event
from zoe_tools.ports import Clock

_LOG = logging.getLogger(__name__)
_CLOSED = frozenset({VenueMode.MAINTENANCE, VenueMode.CANCEL_ONLY})
_NEVER = -1


class Mark(NamedTuple):
    """What of a pair was written: its ticker's number, its state and why, by which tier."""

    tier: str
    number: int
    state: MarketState
    reason: str


class Taken(NamedTuple):
    """Rows to be written, and what to say when they were."""

    rows: tuple[MarketRow, ...]
    marks: Mapping[Symbol, Mark]


class MarketPicture:
    """Hears the wire (`kraken.ticker_watch.TickerHearer`); folds, and decides nothing.

    `symbols` are those watched; the catalogue is kept up to date with the statuses that are told.
    """

    def __init__(
        self,
        clock: Clock,
        catalogue: InstrumentCatalogue,
        symbols: Iterable[Symbol],
        *,
        limit_s: float,
    ) -> None:
        self._clock = clock
        self._limit_s = limit_s
        self.catalogue = catalogue
        self.symbols = tuple(symbols)
        self.changes: list[ListingChange] = []
        """Changes of the catalogue that are not written yet."""
        self.strangers: set[Symbol] = set()
        """Pairs that the wire told of and the catalogue does not know: time to read it anew."""
        self.given_up: dict[Symbol, str] = {}
        self.heard_at: dict[Symbol, datetime] = {}
        self.is_wire_up = False
        self._mode = VenueMode.UNKNOWN
        self._statuses = {each.symbol: each.status for each in catalogue}
        self._newest: dict[Symbol, tuple[int, DayTickerRow, datetime]] = {}
        self._tickers: dict[Symbol, tuple[int, Ticker]] = {}
        self._gaps: dict[Symbol, int] = {}
        self._states: dict[Symbol, MarketState] = {}
        self._written: dict[Symbol, Mark] = {}

    # --- the wire tells --------------------------------------------------------------------------

    def on_ticker(self, row: DayTickerRow, heard_at: datetime) -> None:
        """The newest of a pair; what was before it is forgotten."""
        symbol = Symbol(row.symbol)
        before = self._newest.get(symbol)
        self._newest[symbol] = (0 if before is None else before[0] + 1, row, heard_at)
        self.heard_at[symbol] = heard_at
        if self.given_up:
            self.given_up.pop(symbol, None)

    def on_statuses(self, update: InstrumentsUpdate) -> None:
        """What one may do with these instruments, as the stream tells it."""
        self.heed(update, "stream")

    def on_mode(self, mode: VenueMode) -> None:
        """The venue's overall state: closed, it halts every pair."""
        self._mode = mode

    def on_wire(self, *, is_up: bool, reason: str) -> None:
        """The wire came or went; without it no price is to be believed."""
        self.is_wire_up = is_up
        if not is_up:
            _LOG.warning("the market watch's wire is away: %s", reason)

    def on_given_up(self, symbol: Symbol, reason: str) -> None:
        """A pair that cannot be followed is stale, and says why."""
        if self.given_up.get(symbol) != reason:
            _LOG.warning("%s cannot be followed: %s", symbol, reason)
        self.given_up[symbol] = reason

    # --- the catalogue ---------------------------------------------------------------------------

    def heed(self, update: InstrumentsUpdate, source: str) -> None:
        """Take statuses over, and note those that are new."""
        now = self._clock.now()
        for symbol, status in update.statuses:
            before = self._statuses.get(symbol)
            if before is None and source == "stream":
                self.strangers.add(symbol)
                continue
            if status is not before:
                self._change(symbol, status, before, source, now)
        self.catalogue = self.catalogue.with_statuses(self._statuses)

    def _change(
        self,
        symbol: Symbol,
        status: InstrumentStatus,
        before: InstrumentStatus | None,
        source: str,
        now: datetime,
    ) -> None:
        self._statuses[symbol] = status
        self.changes.append(
            ListingChange(symbol=symbol, status=status, before=before, source=source, at=now)
        )
        event(
            _LOG,
            "INSTRUMENT_STATUS",
            "info" if status is InstrumentStatus.ONLINE else "warning",
            symbol=symbol,
            status=status.value,
            before="" if before is None else before.value,
            source=source,
        )

    def renewed(self, catalogue: InstrumentCatalogue, symbols: Iterable[Symbol]) -> None:
        """The venue's list as it is now, read anew, and what is watched from now on."""
        self.heed(InstrumentsUpdate(statuses=catalogue.changes_since(self.catalogue)), "list")
        self.catalogue = catalogue.succeeding(self.catalogue).with_statuses(self._statuses)
        self.symbols = tuple(symbols)
        self.strangers.clear()

    # --- what is shown and written ---------------------------------------------------------------

    @property
    def listed(self) -> tuple[Symbol, ...]:
        """The watched pairs that have not left the venue's list."""
        return tuple(each for each in self.symbols if self.is_listed(each))

    def is_listed(self, symbol: Symbol) -> bool:
        """Whether the venue lists the pair."""
        gone = InstrumentStatus.DELISTED
        return self._statuses.get(symbol, gone) is not gone

    def row(self, symbol: Symbol, now: datetime) -> MarketRow:
        """A pair as it stands."""
        ticker = self._ticker(symbol)
        state, reason = state_of(
            status=self._status(symbol),
            ticker=ticker,
            is_wire_up=self.is_wire_up,
            now=now,
            limit_s=self._limit_s,
        )
        if state is MarketState.STALE and symbol in self.given_up:
            reason = self.given_up[symbol]
        if state is MarketState.STALE and self._states.get(symbol) is MarketState.LIVE:
            self._gaps[symbol] = self._gaps.get(symbol, 0) + 1
        self._states[symbol] = state
        return MarketRow(
            symbol=symbol,
            state=state,
            reason=reason,
            ticker=ticker,
            gaps=self._gaps.get(symbol, 0),
        )

    def take(self, symbols: Iterable[Symbol], tier: str, now: datetime) -> Taken:
        """Rows of these pairs that are other than what was written of them."""
        rows: list[MarketRow] = []
        marks: dict[Symbol, Mark] = {}
        for symbol in symbols:
            row = self.row(symbol, now)
            number = self._newest[symbol][0] if symbol in self._newest else _NEVER
            mark = Mark(tier, number, row.state, row.reason)
            if self._written.get(symbol) != mark:
                rows.append(row)
                marks[symbol] = mark
        return Taken(tuple(rows), marks)

    def wrote(self, taken: Taken) -> None:
        """These rows are committed; what has come since is still to be written."""
        self._written.update(taken.marks)

    def _status(self, symbol: Symbol) -> InstrumentStatus:
        status = self._statuses.get(symbol, InstrumentStatus.DELISTED)
        if self._mode in _CLOSED and status is InstrumentStatus.ONLINE:
            return InstrumentStatus(self._mode.value)
        return status

    def _ticker(self, symbol: Symbol) -> Ticker | None:
        newest = self._newest.get(symbol)
        if newest is None:
            return None
        number, row, heard_at = newest
        made = self._tickers.get(symbol)
        if made is None or made[0] != number:
            made = self._tickers[symbol] = (number, ticker_of(row, heard_at))
        return made[1]
