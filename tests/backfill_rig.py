"""A backfill of a day's trades from the paper exchange, in virtual time, struck where one likes.

`Moments` counts what a killed process may be between: each request before it leaves and after its
answer, each transaction before and after its commit. At the one that is chosen a `Blow` falls. What
is interrupted is run again until it ends; the candles are compared row by row, every column.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, TypeVar, cast

import httpx
from typing_extensions import override

import builders
from builders import BTC
from fakes import fresh_store
from paper_desk import API_KEY, API_SECRET, ScriptedSource
from zoe_tools.commands.backfill import _fill
from zoe_tools.commands.invocation import GlobalOptions, Invocation
from zoe_tools.domain.candle import Timeframe
from zoe_tools.domain.policy import Policy
from zoe_tools.errors import VenueError
from zoe_tools.kraken.nonce import NonceSource
from zoe_tools.kraken.rest import RestClient
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.paper.app import create_app
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.exchange.faults import FaultRule
from zoe_tools.paper.values.market import Print
from zoe_tools.paper.values.times import NS, moment_of
from zoe_tools.render.printer import Printer
from zoe_tools.runtime.candle_survey import Request
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.context import Context
from zoe_tools.runtime.virtual_loop import run_virtual
from zoe_tools.store.runner import InlineRunner
from zoe_tools.store.store import Transaction

T = TypeVar("T")

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
"""The first trade is a little later."""
END = BEGIN + timedelta(hours=30, seconds=5)
"""When a backfill begins: OHLC of minutes reaches back twelve hours of these thirty."""
TRADES = 9_500
LENGTHS = (Timeframe.M1, Timeframe.M5, Timeframe.M15, Timeframe.H1)
LONG_S = 7_200.0
"""Longer than anybody waits."""
MOST_RUNS = 5

Kind = Literal["kill", "sigint", "cut", "502", "rate limit", "kill -9"]
KINDS: tuple[Kind, ...] = ("kill", "sigint", "cut", "502", "rate limit")


class Killed(BaseException):
    """The process is no more: nothing catches it."""


@dataclass(frozen=True, kw_only=True)
class Blow:
    """What strikes at which moment; a `short` one is waited out."""

    kind: Kind
    moment: int
    short: bool = False


def blow_of(seed: int, moments: int) -> Blow:
    """One of every kind in turn, at a random one of so many moments."""
    draw = random.Random(seed)
    kind = KINDS[seed % len(KINDS)]
    return Blow(kind=kind, moment=draw.randrange(1, moments + 1), short=draw.random() < 0.3)


class RigClock(VirtualClock):
    """Stands where it is put until a loop runs, and then goes with it from the market's end."""

    standing = BEGIN

    @override
    def now(self) -> datetime:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self.standing
        return super().now()


def trades_of(seed: int, count: int = TRADES) -> list[Print]:
    """A day and a quarter of them: some of one nanosecond, two hours of silence in their midst."""
    draw = random.Random(seed)
    first = int(BEGIN.timestamp()) * NS
    span = int((END - BEGIN).total_seconds()) - 60
    times = sorted(draw.randrange(span * NS) for _ in range(count))
    silent = range(5 * 3_600 * NS, 7 * 3_600 * NS)
    price = Decimal(60_000)
    prints: list[Print] = []
    at = first
    for offset in times:
        price = max(Decimal(1), price + Decimal(draw.randrange(-50, 51)) / 10)
        if draw.random() > 0.05:  # else it shares the moment of the one before
            at = first + (offset if offset not in silent else silent.stop)
        prints.append(
            Print(
                at=max(at, prints[-1].at) if prints else at,
                symbol="BTC/USD",
                side=draw.choice(("buy", "sell")),
                price=price,
                quantity=Decimal(draw.randrange(1, 10**8)) / 10**8,
            )
        )
    return prints


@cache
def exchange_of(seed: int, trades: int = TRADES) -> PaperExchange:
    """The exchange after all that; its clock stands at the end."""
    clock = RigClock(END)
    exchange = PaperExchange(ScriptedSource(()), clock, seed=7)
    exchange.create_account("desk", API_KEY, API_SECRET, frozenset(), {})
    for event in trades_of(seed, trades):
        clock.standing = moment_of(event.at)
        exchange.hear(event)
    clock.standing = END
    return exchange


@dataclass
class Moments:
    """Counts, and strikes at the chosen one."""

    exchange: PaperExchange
    blow: Blow | None = None
    count: int = 0
    cut_until: float = -1.0
    task: asyncio.Task[Any] | None = None
    struck: bool = False

    def pass_one(self) -> None:
        """One moment more."""
        self.count += 1
        if self.blow is not None and self.count == self.blow.moment:
            self._strike(self.blow)

    def _strike(self, blow: Blow) -> None:
        self.struck = True
        for_s = 40.0 if blow.short else LONG_S
        match blow.kind:
            case "kill":
                raise Killed
            case "kill -9":
                os.kill(os.getpid(), signal.SIGKILL)
            case "sigint":
                assert self.task is not None
                self.task.cancel()
            case "cut":
                self.cut_until = asyncio.get_running_loop().time() + for_s
            case "502" | "rate limit":
                name = "http-502" if blow.kind == "502" else "rate-limit"
                rule = FaultRule(name=cast("Any", name), times=None, for_s=for_s)
                self.exchange.faults.arm(rule, int(END.timestamp()) * NS)


@dataclass
class StruckTransport(httpx.AsyncBaseTransport):
    """The way to the exchange, with a moment before and after; it can be cut."""

    inner: httpx.AsyncBaseTransport
    moments: Moments
    asked: list[str] = field(default_factory=list)

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.moments.pass_one()
        if asyncio.get_running_loop().time() < self.moments.cut_until:
            raise httpx.ConnectError("the network is gone")
        self.asked.append(request.url.raw_path.decode())
        response = await self.inner.handle_async_request(request)
        self.moments.pass_one()
        return response


class StruckRunner:
    """A store with a moment before each transaction and after its commit."""

    def __init__(self, inner: InlineRunner, moments: Moments) -> None:
        self._inner = inner
        self._moments = moments

    async def run(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """See `StoreRunner`."""
        self._moments.pass_one()
        done = await self._inner.run(work, is_urgent=is_urgent)
        self._moments.pass_one()
        await asyncio.sleep(0)  # where a real one waits for its thread
        return done

    async def read(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """See `StoreRunner`."""
        self._moments.pass_one()
        done = await self._inner.read(work, is_urgent=is_urgent)
        await asyncio.sleep(0)
        return done

    async def close(self) -> None:
        """See `StoreRunner`."""
        await self._inner.close()


@dataclass(frozen=True, kw_only=True)
class Run:
    """How one run of the command ended, and what it said; `took_s` is virtual."""

    code: int | None
    error: BaseException | None
    told: str
    moments: int
    asked: tuple[str, ...]
    took_s: float


def run_once(
    folder: Path,
    *,
    seed: int = 1,
    blow: Blow | None = None,
    since: datetime = BEGIN,
    until: datetime = END,
    lengths: tuple[Timeframe, ...] = LENGTHS,
    execute: bool = True,
    width: int = 120,
    json: bool = False,
    trades: int = TRADES,
    ahead: timedelta = timedelta(),
) -> Run:
    """`zoe backfill --symbols BTC/USD --tf ... --from --to --execute`, once.

    `trades`: how many there were; the exchange keeps ten thousand. This machine's clock is `ahead`.
    """
    exchange = exchange_of(seed, trades)
    exchange.faults.disarm()
    moments = Moments(exchange=exchange, blow=blow)
    out = StringIO()

    async def main() -> Run:
        clock = VirtualClock(END + ahead)
        inner = httpx.ASGITransport(app=create_app(exchange, proof_secret=None))
        transport = StruckTransport(inner, moments)
        rest = RestClient(
            "http://paper",
            api_key=API_KEY,
            api_secret=API_SECRET,
            clock=clock,
            coordination=NonceSource(clock),
            transport=transport,
            unlimited=True,
        )
        store = InlineRunner(fresh_store(folder))
        venue = KrakenSpot(rest, clock)
        context = Context(
            settings=cast("Any", SimpleNamespace(live_consent=False)),
            account=builders.PAPER,
            policy=Policy(),
            clock=clock,
            home=folder,
            is_paper=True,
            opened_venue=venue,
            opened_store=cast("Any", StruckRunner(store, moments)),
        )
        invocation = Invocation(
            command="backfill",
            options=GlobalOptions(json=json),
            environ={"USER": "tester"},
            output=Printer(out=out, err=out, command="backfill", json=json, width=width),
        )
        instrument = (await venue.catalogue()).resolve(BTC)
        moments.count = 0
        request = Request(instruments=(instrument,), timeframes=lengths, since=since, until=until)
        moments.task = asyncio.ensure_future(
            _fill(context, invocation, request, ["--symbols", "BTC/USD"], execute=execute)
        )
        code: int | None = None
        error: BaseException | None = None
        try:
            code = await moments.task
        except (VenueError, Killed, asyncio.CancelledError) as raised:
            error = raised
        took_s = asyncio.get_running_loop().time()
        await store.close()
        await rest.aclose()
        return Run(
            code=code,
            error=error,
            told=out.getvalue(),
            moments=moments.count,
            asked=tuple(transport.asked),
            took_s=took_s,
        )

    return run_virtual(main())


def run_to_the_end(folder: Path, blow: Blow | None = None, *, seed: int = 1) -> list[Run]:
    """Run it, struck the first time, until it ends well; all the runs."""
    runs = [run_once(folder, seed=seed, blow=blow)]
    while runs[-1].error is not None:
        assert len(runs) < MOST_RUNS, "it never ends"
        runs.append(run_once(folder, seed=seed))
    return runs


def dump(folder: Path) -> bytes:
    """Every candle in the store with all its columns, and what was read; by key."""
    with sqlite3.connect(folder / "zoe.db") as connection:
        candles = connection.execute(
            "SELECT * FROM crypto_candles ORDER BY account_id, symbol, timeframe, opened_at"
        ).fetchall()
        read = connection.execute(
            "SELECT symbol, timeframe, since, until FROM candle_coverage ORDER BY 1, 2, 3"
        ).fetchall()
        left = connection.execute("SELECT * FROM candle_cursors").fetchall()
    connection.close()
    return "\n".join(map(repr, (*candles, *read, *left))).encode()


if __name__ == "__main__":  # a process of its own, to be killed in earnest: FOLDER MOMENT
    run_once(Path(sys.argv[1]), blow=Blow(kind="kill -9", moment=int(sys.argv[2])))
