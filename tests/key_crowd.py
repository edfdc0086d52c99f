"""Processes that make life hard for a shared key; each is told over its input when to end.

Run as `python key_crowd.py holder HOME STORE`, `guard ... SECONDS` or `importer ... ROWS`:
- `guard` places and cancels a stop over REST again and again, and tells how long it was held up,
  and what became of a purchase in the end; with a line `full` it may write no more to the disk;
- `holder` takes the slot of the nonce and says `holding`: with its answer in, or before it has sent
  its call if the line is `before`;
- `importer` writes candles in bulk.
Each says `ready` first and prints one JSON object in the end.
"""

from __future__ import annotations

import asyncio
import json
import resource
import signal
import sys
import time
from collections.abc import Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
from typing_extensions import override

from nursery import Talking, nursery
from program import Home
from zoe_tools.domain.account import Account, fingerprint_of
from zoe_tools.domain.candle import Candle, Timeframe
from zoe_tools.domain.identifiers import ClientOrderId, Symbol
from zoe_tools.domain.order import OrderRequest, OrderType, Side
from zoe_tools.errors import ZoeError
from zoe_tools.kraken.rest import RestClient
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.ports import Urgency
from zoe_tools.runtime.coordination import shared_coordination
from zoe_tools.runtime.paper_process import PaperVenue, ensure_paper
from zoe_tools.store.bulk import write_in_slices
from zoe_tools.store.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass(slots=True)
class Crowd:
    """One member of the crowd, spoken to over its input."""

    process: Talking

    @classmethod
    @contextmanager
    def member(cls, home: Home, *words: str) -> Iterator[Crowd]:
        """A running one, ready; whatever it is doing, it is killed at the end of the block."""
        what, *more = words
        url = home.surroundings().get("DATABASE_URL", f"sqlite:///{home.folder / 'zoe.db'}")
        made = cls(nursery().talk(__file__, what, str(home.folder), url, *more))
        try:
            made.hear("ready")
            yield made
        finally:
            made.process.close()

    def say(self, line: str) -> None:
        """One line."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self, line: str) -> None:
        """Wait for this line."""
        assert self.process.stdout.readline() == line + "\n"

    def end(self) -> dict[str, Any]:
        """Have it finish; what it tells."""
        told: dict[str, Any] = json.loads(self.process.end("\n", timeout=900))
        return told


STOP = OrderRequest(
    symbol=Symbol("SOL/USD"),
    side=Side.SELL,
    order_type=OrderType.STOP_LOSS,
    quantity=Decimal(1),
    trigger_price=Decimal(20),
)
ENTRY = OrderRequest(
    symbol=Symbol("SOL/USD"),
    side=Side.BUY,
    order_type=OrderType.LIMIT,
    quantity=Decimal(1),
    limit_price=Decimal(20),
)


class Held(httpx.AsyncHTTPTransport):
    """Says `holding` with the slot in its hands, and goes on when a line comes in."""

    moment = ""

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Wait before it is sent, or once it is answered."""
        moment, self.moment = self.moment, ""
        if moment == "before":
            await self._wait()
        response = await super().handle_async_request(request)
        if moment == "after":
            await self._wait()
        return response

    async def _wait(self) -> None:
        print("holding", flush=True)  # noqa: T201 - spoken to the test
        await asyncio.to_thread(sys.stdin.readline)


@asynccontextmanager
async def client(
    home: Path, store: str, urgency: Urgency, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[tuple[RestClient, KrakenSpot, PaperVenue]]:
    """A client that shares the home's key as zoe's own do."""
    paper = await ensure_paper(home)
    key = paper.keys.api_key
    async with shared_coordination(home, store, key, paper.clock, is_scaled=True) as shared:
        rest = RestClient(
            paper.rest_url,
            api_key=key,
            api_secret=paper.keys.api_secret,
            clock=paper.clock,
            coordination=shared,
            transport=transport,
            tier=paper.tier or "starter",
            unlimited=paper.tier is None,
            urgency=urgency,
        )
        try:
            yield rest, KrakenSpot(rest, paper.clock), paper
        finally:
            await rest.aclose()


async def guard(home: Path, store: str, every_s: float) -> dict[str, Any]:
    """Until a line comes in: place a stop, cancel it, note what it met."""
    waits: list[float] = []
    failures: list[str] = []

    async def attempt(rest: RestClient, call: Awaitable[Any]) -> Any:
        rest.longest_urgent_wait_s = 0.0
        try:
            return await call
        except ZoeError as error:
            failures.append(f"{type(error).__name__}: {error.message}")
            return None
        finally:
            waits.append(rest.longest_urgent_wait_s)

    async with client(home, store, Urgency.LOOP) as (rest, venue, paper):
        await venue.catalogue()
        await venue.key_info()
        print("ready", flush=True)  # noqa: T201 - spoken to the test
        told = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
        while not told.done() or told.result() == "full\n":
            if told.done():
                _forbid_writing()
                told = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
            deadline = paper.clock.now() + timedelta(seconds=40)
            name = ClientOrderId(str(uuid4()))
            placed = await attempt(rest, venue.place(STOP, client_order_id=name, deadline=deadline))
            if placed is not None:
                await attempt(rest, venue.cancel(placed))
            await asyncio.sleep(every_s)
        entry = await _entered(venue, paper)
    waits.sort()
    return {
        "entry": entry,
        "calls": len(waits),
        "failures": failures,
        "median_ms": round(waits[len(waits) // 2] * 1000, 1),
        "p99_ms": round(waits[int(len(waits) * 0.99)] * 1000, 1),
        "longest_ms": round(waits[-1] * 1000, 1),
    }


def _forbid_writing() -> None:
    """As if the disk were full."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


async def _entered(venue: KrakenSpot, paper: PaperVenue) -> str:
    """What becomes of an order that adds risk."""
    name = ClientOrderId(str(uuid4()))
    deadline = paper.clock.now() + timedelta(seconds=40)
    try:
        await venue.cancel(await venue.place(ENTRY, client_order_id=name, deadline=deadline))
    except ZoeError as error:
        return type(error).__name__
    return "placed"


async def holder(home: Path, store: str) -> dict[str, Any]:
    """Each line is one call, held in its middle until the next line; an empty one ends it."""
    wire, failures, calls = Held(), [], 0
    async with client(home, store, Urgency.COMMAND, wire) as (_, venue, __):
        print("ready", flush=True)  # noqa: T201 - spoken to the test
        while moment := (await asyncio.to_thread(sys.stdin.readline)).strip():
            wire.moment = moment
            calls += 1
            try:
                await venue.key_info()
            except ZoeError as error:
                failures.append(error.message)
    return {"calls": calls, "failures": failures}


def importer(home: Path, store: str, rows: int) -> dict[str, Any]:
    """Candles of an instrument that nobody trades."""
    paper = asyncio.run(ensure_paper(home))
    name = fingerprint_of(paper.keys.api_key)
    account = Account(venue="kraken", mode="paper", fingerprint=name)
    opened = Store.open(
        store, account, clock_now=paper.clock.now(), busy_timeout_s=30.0, synchronous="NORMAL"
    )
    print("ready", flush=True)  # noqa: T201 - spoken to the test
    sys.stdin.readline()
    began = time.monotonic()
    try:
        written = write_in_slices(
            opened, _candles(rows), lambda tx, part: tx.write_candles(part, "import")
        )
    finally:
        opened.close()
    return {
        "rows": written.rows,
        "commits": written.commits,
        "longest_commit_ms": round(written.longest_s * 1000, 1),
        "seconds": round(time.monotonic() - began, 1),
    }


def _candles(rows: int) -> Iterator[Candle]:
    first, price = datetime(2016, 1, 1, tzinfo=UTC), Decimal("100.5")
    for number in range(rows):
        yield Candle(
            symbol=Symbol("OLD/USD"),
            timeframe=Timeframe.M1,
            opened_at=first + timedelta(minutes=number),
            open=price,
            high=price,
            low=price,
            close=price,
            vwap=price,
            volume=Decimal(1),
            count=1,
        )


if __name__ == "__main__":
    what, folder, url, *more = sys.argv[1:]
    if what == "importer":
        result = importer(Path(folder), url, int(more[0]))
    elif what == "guard":
        result = asyncio.run(guard(Path(folder), url, float(more[0])))
    else:
        result = asyncio.run(holder(Path(folder), url))
    print(json.dumps(result))  # noqa: T201 - spoken to the test
