"""Books that fail their checksum: told, subscribed once more, and stale until they are right.

When that does not help the wire is dropped, because asking again and again is what the venue bans
(kraken-spot section 14, rule 8).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Mapping
from datetime import datetime

from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.stream import ChecksumTally, Gap, StreamEvent, Wire
from zoe_tools.errors import VenueMisbehaved
from zoe_tools.kraken.connection import Connection, Stopwatch, Subscription
from zoe_tools.ports import Clock

Emit = Callable[[StreamEvent], Awaitable[None]]


class Mending:
    """The checksums of one book channel of one connection."""

    def __init__(
        self,
        wire: Wire,
        channel: str,
        options: Mapping[str, object],
        *,
        patience_s: float,
        clock: Clock,
        emit: Emit,
    ) -> None:
        self._wire: Wire = wire
        self._channel = channel
        self._options = options
        self._patience_s = patience_s
        self._clock = clock
        self._emit = emit
        self._verified = 0
        self._failed = 0
        self._good_at: dict[str, datetime] = {}
        self._mended: dict[str, Stopwatch] = {}
        self._connection: Connection | None = None

    @property
    def tally(self) -> ChecksumTally:
        """How many were verified, and how many failed."""
        return ChecksumTally(verified=self._verified, failed=self._failed)

    def attach(self, connection: Connection) -> None:
        """The connection on which a book is subscribed once more."""
        self._connection = connection

    def reset(self) -> None:
        """The wire is lost: every book starts over with a snapshot."""
        self._mended.clear()

    def verified(self, symbol: str, now: datetime) -> None:
        """A checksum that agrees."""
        self._verified += 1
        self._good_at[symbol] = now

    async def failed(self, symbol: str, now: datetime) -> None:
        """A checksum that does not: tell it, and ask for a fresh snapshot.

        Raises:
            VenueMisbehaved: that was done before, and did not help.
        """
        self._failed += 1
        await self._emit(
            Gap(
                wire=self._wire,
                channel=self._channel,
                symbol=Symbol(symbol),
                since=self._good_at.get(symbol, now),
                until=now,
                cause="checksum mismatch",
            )
        )
        if symbol in self._mended or self._connection is None:
            raise VenueMisbehaved(f"The {symbol} book fails its checksum time and again.")
        self._mended[symbol] = Stopwatch(self._clock)
        await self._connection.resubscribe(
            Subscription(channel=self._channel, symbols=(symbol,), options=self._options)
        )

    def check(self, standing: Container[str]) -> None:
        """Books that were subscribed once more must have their snapshot in time, and be right.

        Raises:
            VenueMisbehaved: one is not among those that stand.
        """
        if not self._mended:
            return
        over = [each for each, watch in self._mended.items() if watch.seconds() >= self._patience_s]
        for symbol in over:
            del self._mended[symbol]
            if symbol not in standing:
                raise VenueMisbehaved(f"No fresh snapshot of the {symbol} book came.")
