"""The market watch over a paper exchange in the same process, in virtual time.

The market says what the test says; a pair's feed can be cut, and the store can go away.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from typing_extensions import override

from builders import NOON, d
from fakes import fresh_store
from zoe_tools.domain.cadence import Cadence
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.market_watch import MarketState, Snapshot
from zoe_tools.errors import StoreUnavailable
from zoe_tools.kraken.market_reads import MarketReads
from zoe_tools.kraken.nonce import NonceSource
from zoe_tools.kraken.rest import RestClient
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.paper.app import create_app
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.inprocess import InProcessSockets
from zoe_tools.paper.markets.mirror import MirroredMarket
from zoe_tools.paper.markets.pair_specs import spec_named
from zoe_tools.paper.values.market import BookChange, BookSnapshot, Print
from zoe_tools.paper.values.times import ns_of
from zoe_tools.ports import FrameDuplex
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.duplex import duplex_pair
from zoe_tools.runtime.market_watch import MarketWatch, WatchOrder, WatchParts
from zoe_tools.runtime.venue import in_process_transport
from zoe_tools.runtime.virtual_loop import run_virtual
from zoe_tools.store.runner import InlineRunner
from zoe_tools.store.store import Transaction

T = TypeVar("T")
PAIRS = ("BTC/USD", "ETH/USD", "SOL/USD", "DOGE/USD")
PUBLIC_URL = "ws://paper/v2"


class CutDuplex:
    """A wire on which nothing comes of some pairs' prices; acknowledgements do."""

    def __init__(self, inner: FrameDuplex, cut: set[str]) -> None:
        self._inner = inner
        self._cut = cut

    async def send(self, frame: str) -> None:
        """As it is."""
        await self._inner.send(frame)

    async def receive(self) -> str:
        """The next frame that is not about a pair that is cut."""
        while True:
            text = await self._inner.receive()
            if not self._cut:
                return text
            frame: dict[str, Any] = json.loads(text)
            rows = frame.get("data")
            if frame.get("channel") not in ("ticker", "trade", "book") or not rows:
                return text
            if rows[0]["symbol"] not in self._cut:
                return text

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Hang up."""
        await self._inner.close(code, reason)


class FlakyStore(InlineRunner):
    """A store that is away while the test says so."""

    is_away = False
    transactions = 0
    meanwhile: Callable[[], Awaitable[None]] | None = None
    """Done once, before whoever waits for the next transaction hears that it is committed."""

    @override
    async def run(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """See `StoreRunner`."""
        self.transactions += 1
        if self.is_away:
            raise StoreUnavailable("The disk is full.")
        done = await super().run(work, is_urgent=is_urgent)
        if self.meanwhile is not None:
            story, self.meanwhile = self.meanwhile, None
            await story()
        return done

    @override
    async def read(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """See `StoreRunner`."""
        if self.is_away:
            raise StoreUnavailable("The disk is full.")
        return await super().read(work, is_urgent=is_urgent)


class MarketRig:
    """Make it inside a running loop."""

    def __init__(self, folder: Path, order: WatchOrder, pairs: tuple[str, ...] = PAIRS) -> None:
        self.clock = VirtualClock(NOON)
        specs = tuple(spec_named(each) for each in pairs)
        self.exchange = PaperExchange(
            MirroredMarket(specs, starts_at=ns_of(NOON)), self.clock, seed=1
        )
        self.sockets = InProcessSockets(self.exchange, duplex_pair)
        self.cut: set[str] = set()
        self.sent: list[str] = []
        self.store = FlakyStore(fresh_store(folder))
        self._order = order
        self._told: set[str] = set()
        self.rest = RestClient(
            "http://paper",
            api_key=None,
            api_secret=None,
            clock=self.clock,
            coordination=NonceSource(self.clock),
            transport=in_process_transport(create_app(self.exchange, proof_secret=None)),
        )
        self.watch = self.new_watch()

    def new_watch(self) -> MarketWatch:
        """Another one, as after a restart."""
        venue = KrakenSpot(self.rest, self.clock)
        parts = WatchParts(
            venue=venue,
            reads=MarketReads(self.rest, self.clock, venue.catalogue),
            public_url=PUBLIC_URL,
            connect=self.connect,
            clock=self.clock,
            cadence=Cadence(),
            store=self.store,
            rng=random.Random(1),
        )
        return MarketWatch(self._order, parts)

    async def connect(self, url: str) -> FrameDuplex:
        """A wire that may be cut, pair by pair."""
        return CutDuplex(await self.sockets.connect(url), self.cut)

    @property
    def now(self) -> datetime:
        """The venue's time."""
        return self.clock.now()

    def quote(self, symbol: str, mid: str, spread: str = "0.2") -> None:
        """The market of a pair is around that price now."""
        at, half = ns_of(self.now), d(spread) / 2
        spec = spec_named(symbol)
        bid, ask = (
            (each.quantize(spec.tick_size), d("1.00000000"))
            for each in (d(mid) - half, d(mid) + half)
        )
        self._told.add(symbol)
        self.exchange.hear(BookSnapshot(at=at, symbol=symbol, bids=(bid,), asks=(ask,)))

    def nudge(self, symbol: str) -> None:
        """The quantity at the best bid is another one; the price stays."""
        best, _ = self.exchange.best(symbol)
        assert best is not None
        more = best[1] + d("0.00000001")
        at = ns_of(self.now)
        self.exchange.hear(BookChange(at=at, symbol=symbol, bids=((best[0], more),), asks=()))

    def trade(self, symbol: str, price: str, quantity: str) -> None:
        """Somebody trades."""
        self.exchange.hear(
            Print(
                at=ns_of(self.now),
                symbol=symbol,
                side="buy",
                price=d(price),
                quantity=d(quantity),
            )
        )

    async def pass_time(self, seconds: float, *, busy: tuple[str, ...] = ()) -> None:
        """Let it pass; the busy pairs move each second."""
        while seconds > 0:
            for symbol in busy:
                self.nudge(symbol)
            step = min(seconds, 1.0) if busy else seconds
            await asyncio.sleep(step)
            seconds -= step

    def states(self) -> dict[str, str]:
        """Each watched pair's state, as it is now."""
        return {
            each: self.watch.picture.row(each, self.now).state.value
            for each in self.watch.picture.symbols
        }

    async def snapshots(self) -> dict[Symbol, Snapshot]:
        """What stands in the store."""
        rows = await self.store.run(lambda tx: tx.market.watch.snapshots())
        return {each.symbol: each for each in rows}


Story = Callable[[MarketRig], Awaitable[None]]
LIVE = MarketState.LIVE.value


def run_watch(folder: Path, story: Story, order: WatchOrder | None = None) -> MarketRig:
    """A watch over four pairs with a market each, while the story goes on."""

    async def main() -> MarketRig:
        rig = MarketRig(folder, order or WatchOrder(favourites=("BTC-USD",)))
        pump = asyncio.create_task(rig.exchange.run())
        for number, symbol in enumerate(PAIRS):
            rig.quote(symbol, str(1000 * (number + 1)))
        await rig.watch.start()
        running = asyncio.create_task(rig.watch.run())
        try:
            await rig.pass_time(2)
            await story(rig)
        finally:
            for task in (running, pump):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            await rig.watch.wire.close()
            await rig.sockets.close()
            await rig.rest.aclose()
            await rig.store.close()
        return rig

    return run_virtual(main())
