"""What a watch over five hundred busy pairs costs: ten minutes of the venue's time, virtually.

Everything runs in this process: the wire in memory, the watch, and the SQLite store inline. The
figures are of all of it together.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from builders import NOON, make_catalogue, make_instrument
from fakes import FakeVenue, fresh_store
from paper_load import say
from zoe_tools.domain.cadence import Cadence
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.ports import FrameClosed, FrameDuplex
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.duplex import MemoryDuplex, duplex_pair
from zoe_tools.runtime.market_watch import MarketWatch, WatchOrder, WatchParts
from zoe_tools.runtime.virtual_loop import run_virtual
from zoe_tools.store.runner import InlineRunner

PAIRS, A_SECOND, SECONDS = 500, 5, 600
FAVOURITES = 5
MOST_OF_A_CORE_PCT = 40.0
MOST_GROWTH_MIB = 4.0
_VARIANTS = 20


@dataclass(slots=True)
class Busy:
    """A venue that tells each pair's ticker so often, whoever listens."""

    names: tuple[Symbol, ...]
    deepest: int = 0
    sent: int = 0
    end: MemoryDuplex | None = None
    serving: asyncio.Task[None] | None = None

    async def connect(self, url: str) -> FrameDuplex:
        """One wire, on which all is acknowledged."""
        del url
        theirs, ours = duplex_pair()
        self.end = ours
        self.serving = asyncio.create_task(self._serve(ours))
        return theirs

    async def _serve(self, end: MemoryDuplex) -> None:
        while True:
            try:
                request = json.loads(await end.receive())
            except FrameClosed:
                return
            if "params" not in request:  # a ping
                continue
            for symbol in request.get("params", {}).get("symbol", [None]):
                result = {"channel": request["params"]["channel"], "symbol": symbol}
                frame = {"method": request["method"], "success": True, "result": result}
                await end.send(json.dumps({**frame, "req_id": request["req_id"]}))

    async def tell(self, seconds: int) -> None:
        """Every pair in turn; what waits in the wire is measured."""
        end, frames = self.end, list(self._frames())
        assert end is not None
        for tick in range(seconds * A_SECOND):
            variant = tick % _VARIANTS
            for number in range(len(self.names)):
                await end.send(frames[number * _VARIANTS + variant])
            self.sent += len(self.names)
            await asyncio.sleep(1 / A_SECOND)
            waiting = len(cast("Any", end)._outgoing._waiting)
            self.deepest = max(self.deepest, waiting)

    def _frames(self) -> Iterator[str]:
        for number, name in enumerate(self.names):
            for variant in range(_VARIANTS):
                bid = f"{1000 + number + variant / 10:.1f}"
                ask = f"{1000.1 + number + variant / 10:.1f}"
                yield (
                    f'{{"channel":"ticker","type":"update","data":[{{"symbol":"{name}",'
                    f'"bid":{bid},"bid_qty":1.00000000,"ask":{ask},"ask_qty":2.00000000,'
                    f'"last":{bid},"volume":12345.67800000,"vwap":{bid},"low":{bid},"high":{ask},'
                    f'"change":1.0,"change_pct":0.10,"timestamp":"2026-01-05T12:00:00.000000Z"}}]}}'
                )


def _rss_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def bench_five_hundred_pairs(tmp_path: Path) -> None:
    """5 updates a second of each: no queue, no growth, one row a flush, part of a core."""
    names = tuple(Symbol(f"P{number}/USD") for number in range(PAIRS))

    async def main() -> tuple[Busy, MarketWatch, float, float]:
        clock, busy = VirtualClock(NOON), Busy(names)
        catalogue = make_catalogue(*(make_instrument(each) for each in names))
        watch = MarketWatch(
            WatchOrder(favourites=names[:FAVOURITES]),
            WatchParts(
                venue=cast("Any", FakeVenue(clock, catalogue=catalogue)),
                reads=cast("Any", None),
                public_url="ws://busy",
                connect=busy.connect,
                clock=clock,
                cadence=Cadence(),
                store=InlineRunner(fresh_store(tmp_path)),
                rng=random.Random(1),
            ),
        )
        await watch.start()
        running = asyncio.create_task(watch.run())
        await asyncio.sleep(1)
        await busy.tell(SECONDS // 10)
        before_mib, begun = _rss_mib(), time.process_time()
        await busy.tell(SECONDS)
        took_s = time.process_time() - begun
        details = watch.details(clock.now())
        assert (details["live"], details["failed_writes"]) == (PAIRS, 0)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        return busy, watch, took_s, _rss_mib() - before_mib

    busy, watch, took_s, grown_mib = run_virtual(main())
    seconds = SECONDS + SECONDS // 10 + 1
    most_rows = PAIRS + seconds * FAVOURITES + (seconds // 30 + 1) * (PAIRS - FAVOURITES)

    say("updates", busy.sent, "tickers", PAIRS * A_SECOND * SECONDS)
    say("of a core", took_s / SECONDS * 100, "%", MOST_OF_A_CORE_PCT)
    say("longest queue", busy.deepest, "frames", 0)
    say("growth of memory in ten minutes", grown_mib, "MiB", MOST_GROWTH_MIB)
    say("rows written", watch.written, "rows", most_rows)
    assert watch.wire.messages >= busy.sent
    assert busy.deepest == 0
    assert watch.written <= most_rows
    assert grown_mib <= MOST_GROWTH_MIB
    assert took_s / SECONDS * 100 <= MOST_OF_A_CORE_PCT
