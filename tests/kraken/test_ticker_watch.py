"""Tickers of many pairs on one wire: what one pair is refused, costs that pair alone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from feed_rig import HEARTBEAT, START
from stream_server import Answer, StreamServer

from builders import d
from zoe_tools.domain.cadence import Cadence
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.market import VenueMode
from zoe_tools.domain.stream import InstrumentsUpdate
from zoe_tools.kraken.codec_stream import ticker_of
from zoe_tools.kraken.ticker_watch import PAIRS_A_REQUEST, TickerWatch
from zoe_tools.kraken.wire_stream import DayTickerRow
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual

TICKER = (
    '{"channel":"ticker","type":"update","data":[{"symbol":"P1/USD","bid":99.90,"bid_qty":1.5,'
    '"ask":100.10,"ask_qty":2.0,"last":100.00,"volume":50.00000000,"vwap":98.00,"low":90.00,'
    '"high":110.00,"change":1200.00,"change_pct":1.21,"timestamp":"2026-01-05T12:00:00.5Z"}]}'
)


class Hearer:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.rows: list[tuple[DayTickerRow, datetime]] = []
        self.statuses: list[InstrumentsUpdate] = []
        self.wires: list[bool] = []
        self.given_up: dict[Symbol, str] = {}

    def on_ticker(self, row: DayTickerRow, heard_at: datetime) -> None:
        """Note it."""
        self.rows.append((row, heard_at))

    def on_statuses(self, update: InstrumentsUpdate) -> None:
        """Note it."""
        self.statuses.append(update)

    def on_mode(self, mode: VenueMode) -> None:
        """Nobody asks."""

    def on_wire(self, *, is_up: bool, reason: str) -> None:
        """Note it."""
        del reason
        self.wires.append(is_up)

    def on_given_up(self, symbol: Symbol, reason: str) -> None:
        """Note it."""
        self.given_up[symbol] = reason


Script = Callable[[TickerWatch, StreamServer], Awaitable[None]]


async def _beat(server: StreamServer, seconds: int) -> None:
    for _ in range(seconds):
        await asyncio.sleep(1)
        await server.heartbeat()


def _run(script: Script, *answers: Answer, pairs: int = 3) -> tuple[Hearer, StreamServer]:
    """Follow P1/USD, P2/USD and so on, on a scripted server."""

    async def main() -> tuple[Hearer, StreamServer]:
        server, hearer = StreamServer(*answers), Hearer()
        watch = TickerWatch(
            "wss://public",
            symbols=[Symbol(f"P{number}/USD") for number in range(1, pairs + 1)],
            hearer=hearer,
            connect=server.connect,
            clock=VirtualClock(START),
            cadence=Cadence(),
            rng=random.Random(1),
        )
        running = asyncio.create_task(watch.run())
        await asyncio.sleep(0.1)
        try:
            await script(watch, server)
            await asyncio.sleep(0.1)
        finally:
            await watch.close()
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
            await server.stop()
        return hearer, server

    return run_virtual(main())


def _asked(server: StreamServer, method: str = "subscribe") -> list[list[str]]:
    return [
        each["params"]["symbol"]
        for each in server.requests
        if each["method"] == method and each["params"]["channel"] == "ticker"
    ]


def _refusing(text: str) -> Answer:
    """P2/USD is refused, the others of the same request are acknowledged."""

    async def refuse(server: StreamServer, request: dict[str, Any]) -> bool:
        symbols = request.get("params", {}).get("symbol", [])
        if "P2/USD" not in symbols or request["method"] != "subscribe":
            return False
        for symbol in symbols:
            frame: dict[str, Any] = {"method": "subscribe", "req_id": request["req_id"]}
            if symbol == "P2/USD":
                frame |= {"success": False, "error": text, "symbol": symbol}
            else:
                frame |= {"success": True, "result": {"channel": "ticker", "symbol": symbol}}
            await server.send(frame)
        return True

    return refuse


async def _nothing(_: TickerWatch, server: StreamServer) -> None:
    await _beat(server, 1)


def test_pairs_are_asked_for_in_chunks_by_best_prices() -> None:
    """A hundred a request; a ticker comes with each change of the best prices."""
    hearer, server = _run(_nothing, pairs=250)

    assert [len(each) for each in _asked(server)] == [PAIRS_A_REQUEST, PAIRS_A_REQUEST, 50]
    tickers = [each["params"] for each in server.requests if "symbol" in each.get("params", {})]
    assert {each["event_trigger"] for each in tickers} == {"bbo"}
    assert hearer.wires[0] is True


def test_defect_the_change_in_percent_was_the_amount() -> None:
    """1,200 USD up are 1.21 percent; the time is the venue's, with when it was here."""

    async def script(_: TickerWatch, server: StreamServer) -> None:
        await server.send(TICKER)

    hearer, _ = _run(script)
    ((row, heard_at),) = hearer.rows
    ticker = ticker_of(row, heard_at)

    assert (ticker.change_pct, ticker.quote_volume, ticker.mid) == (
        d("1.21"),
        d("4900"),
        d("100"),
    )
    assert ticker.as_of.microsecond == 500_000
    assert ticker.heard_at == heard_at


def test_defect_a_refused_pair_was_silently_missing() -> None:
    """It is told of by name, and the wire is up for the others."""
    hearer, server = _run(_nothing, _refusing("Currency pair not supported P2/USD"))

    assert hearer.given_up == {Symbol("P2/USD"): "Currency pair not supported P2/USD"}
    assert (hearer.wires, len(server.ends)) == ([True], 1)


def test_a_pair_that_is_never_acknowledged_costs_itself_alone() -> None:
    """It is asked for once more by itself first."""

    async def mute(server: StreamServer, request: dict[str, Any]) -> bool:
        symbols = request.get("params", {}).get("symbol", [])
        if request["method"] != "subscribe" or "P3/USD" not in symbols:
            return False
        for symbol in set(symbols) - {"P3/USD"}:
            result = {"channel": "ticker", "symbol": symbol}
            frame = {"method": "subscribe", "success": True, "result": result}
            await server.send({**frame, "req_id": request["req_id"]})
        return True

    async def script(_: TickerWatch, server: StreamServer) -> None:
        await _beat(server, 13)

    hearer, server = _run(script, mute)

    assert _asked(server)[1:] == [["P3/USD"]]
    assert hearer.given_up == {Symbol("P3/USD"): "not acknowledged in 10 s"}
    assert (hearer.wires, len(server.ends)) == ([True], 1)


def test_a_throttled_request_is_no_refusal_of_a_pair() -> None:
    """The wire rests and tries again, with all pairs."""

    async def script(_: TickerWatch, server: StreamServer) -> None:
        server.answers.clear()
        await _beat(server, 30)

    hearer, server = _run(script, _refusing("Exceeded msg rate"))

    assert hearer.given_up == {}
    assert hearer.wires[-1] is True
    assert len(server.ends) > 1


def test_quiet_pairs_are_shown_anew_in_one_request() -> None:
    """Left and joined again; while the wire is away nothing is asked."""

    async def script(watch: TickerWatch, server: StreamServer) -> None:
        await _beat(server, 1)
        assert await watch.ask_again([Symbol("P1/USD"), Symbol("P3/USD")])
        await _beat(server, 1)
        server.is_reachable = False
        await server.ends[-1].close()
        await asyncio.sleep(0.1)
        assert not await watch.ask_again([Symbol("P1/USD")])

    _, server = _run(script)

    assert _asked(server, "unsubscribe") == [["P1/USD", "P3/USD"]]
    assert _asked(server)[1:] == [["P1/USD", "P3/USD"]]


def test_a_new_pair_is_followed_on_every_wire_to_come() -> None:
    """Now, and after a reconnect."""

    async def script(watch: TickerWatch, server: StreamServer) -> None:
        await watch.follow([Symbol("NEW/USD")])
        await asyncio.sleep(0.1)
        await server.ends[-1].close()
        await _beat(server, 2)

    _, server = _run(script)

    assert [each for each in _asked(server) if each == ["NEW/USD"]] == [["NEW/USD"]] * 2


def test_an_instrument_s_status_is_heard() -> None:
    """On the same wire."""
    frame = {
        "channel": "instrument",
        "type": "update",
        "data": {"assets": [], "pairs": [{"symbol": "P1/USD", "status": "cancel_only"}]},
    }

    async def script(_: TickerWatch, server: StreamServer) -> None:
        await server.send(json.dumps(frame))
        await server.send(HEARTBEAT)

    hearer, _ = _run(script)

    assert [each.statuses[0][1].value for each in hearer.statuses] == ["cancel_only"]
