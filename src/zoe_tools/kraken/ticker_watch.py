"""Tickers of hundreds of pairs on one public wire, and the state of every instrument beside them.

Tickers come with each change of the best prices, not with trades alone: a pair that nobody trades
has a price, too. Each pair's acknowledgement is waited for; one that is refused or never comes
costs that pair and not the wire. Needs no key, and sends nothing but subscriptions.
Source: kraken-spot sections 10.1 and 10.5.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from zoe_tools.domain.cadence import Cadence
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.market import VenueMode
from zoe_tools.domain.stream import InstrumentsUpdate
from zoe_tools.kraken.codec_stream import mode_of, statuses_of
from zoe_tools.kraken.connection import Connection, ConnectionState, Subscription
from zoe_tools.kraken.reconnect import AttemptBudget, ReconnectPolicy
from zoe_tools.kraken.shapes import Looks
from zoe_tools.kraken.wire_stream import DAY_TICKER, INSTRUMENTS, STATUS, DayTickerRow, Frame
from zoe_tools.ports import Clock, Connect, FrameClosed

PAIRS_A_REQUEST = 100
"""So many pairs in one request: the venue counts messages, and a long one is one."""

_OPTIONS: Mapping[str, object] = {"event_trigger": "bbo", "snapshot": True}


class TickerHearer(Protocol):
    """Who is told. None of it waits: what is slow takes what is newest when it gets to it."""

    def on_ticker(self, row: DayTickerRow, heard_at: datetime) -> None:
        """A pair's new ticker."""
        ...

    def on_statuses(self, update: InstrumentsUpdate) -> None:
        """What one may do with these instruments."""
        ...

    def on_mode(self, mode: VenueMode) -> None:
        """The venue's overall state."""
        ...

    def on_wire(self, *, is_up: bool, reason: str) -> None:
        """The wire came or went."""
        ...

    def on_given_up(self, symbol: Symbol, reason: str) -> None:
        """A pair that the venue does not let one follow."""
        ...


class TickerWatch:
    """See the module. `run` until `close`."""

    def __init__(
        self,
        url: str,
        *,
        symbols: Sequence[Symbol],
        hearer: TickerHearer,
        connect: Connect,
        clock: Clock,
        cadence: Cadence,
        rng: random.Random,
    ) -> None:
        self._hearer = hearer
        self._clock = clock
        self._looks = Looks()
        self.messages = 0
        self.reconnects = -1
        self._connection = Connection(
            url,
            (
                Subscription(channel="instrument", options={"snapshot": True}),
                *_subscriptions(symbols),
            ),
            self,
            connect=connect,
            clock=clock,
            cadence=cadence,
            policy=ReconnectPolicy(rng, AttemptBudget()),
            gives_up=lambda symbol, reason: hearer.on_given_up(Symbol(symbol), reason),
        )

    async def run(self) -> None:
        """Follow until closed.

        Raises:
            VenueRejected: the venue closed the wire for good.
        """
        await self._connection.run()

    async def close(self) -> None:
        """Stop following, for good."""
        await self._connection.close()

    async def follow(self, symbols: Sequence[Symbol]) -> None:
        """More pairs, from now on."""
        for subscription in _subscriptions(symbols):
            await self._connection.follow(subscription)

    async def ask_again(self, symbols: Sequence[Symbol]) -> bool:
        """Have the venue show these pairs anew; False: the wire is not up.

        Whether a quiet pair is quiet, or its feed is cut, only a fresh snapshot can tell.
        """
        if self._connection.state is not ConnectionState.UP:
            return False
        try:
            for subscription in _subscriptions(symbols):
                await self._connection.resubscribe(subscription)
        except FrameClosed:
            return False  # the connection notices by itself, and begins anew
        return True

    # --- the connection tells --------------------------------------------------------------------

    async def on_frame(self, frame: Frame) -> None:
        """See `connection.Handler`."""
        self.messages += 1
        match frame.channel:
            case "ticker":
                now = self._clock.now()
                for row in DAY_TICKER.decode(frame.data, looks=self._looks):
                    self._hearer.on_ticker(row, now)
            case "instrument":
                self._hearer.on_statuses(statuses_of(INSTRUMENTS.decode(frame.data)))
            case "status":
                for status in STATUS.decode(frame.data):
                    self._hearer.on_mode(mode_of(status.system))
            case _:
                pass

    async def on_up(self) -> None:
        """See `connection.Handler`."""
        self.reconnects += 1
        self._hearer.on_wire(is_up=True, reason="")

    async def on_down(self, reason: str) -> None:
        """See `connection.Handler`."""
        self._hearer.on_wire(is_up=False, reason=reason)


def _subscriptions(symbols: Sequence[Symbol]) -> Iterator[Subscription]:
    for first in range(0, len(symbols), PAIRS_A_REQUEST):
        some = tuple(symbols[first : first + PAIRS_A_REQUEST])
        yield Subscription(channel="ticker", symbols=some, options=_OPTIONS)
