"""A hundred sockets that follow one book of the paper exchange. Run by `make bench`."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

from typing_extensions import override

from paper_load import child, connect, drain, order_message, say, ws_frame

READERS, CHANGES, PACE = 100, 2_000, 200
UPDATE = b'"channel":"book","type":"update"'
SNAPSHOT = b'"channel":"book","type":"snapshot"'
MOST_LAG_MS = 1_000


class Reader(asyncio.Protocol):
    """Subscribes to the book and counts its updates; the reading must cost next to nothing."""

    def __init__(self, on_update: Callable[[int], None]) -> None:
        self.ready = asyncio.Event()
        self.updates = 0
        self._on_update = on_update
        self._tail = b""
        self._told = b""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)
        key = base64.b64encode(b"sixteen bytes ok").decode()
        self._transport.write(
            "GET /v2 HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\n\r\n".encode()
        )

    @override
    def data_received(self, data: bytes) -> None:
        # a mark may lie across two reads
        data = self._tail + data
        self._tail = data[-len(UPDATE) + 1 :]
        if not self.ready.is_set():
            self._begin(data)
        for _ in range(data.count(UPDATE)):
            self._on_update(self.updates)
            self.updates += 1

    def _begin(self, data: bytes) -> None:
        is_first = not self._told
        self._told += data
        if is_first:
            params = {"channel": "book", "symbol": ["BTC/USD"], "depth": 1000}
            message = json.dumps({"method": "subscribe", "params": params})
            self._transport.write(ws_frame(message))
        if SNAPSHOT in self._told:
            self.ready.set()


class Lags:
    """When each change was sent, and when the last of the readers had it."""

    def __init__(self) -> None:
        self.sent: list[float] = []
        self.all_heard = asyncio.Event()
        self.lags: list[float] = []
        self._heard = [0] * CHANGES

    def hear(self, number: int) -> None:
        """One reader has one change."""
        self._heard[number] += 1
        if self._heard[number] == READERS:
            self.lags.append(time.perf_counter() - self.sent[number])
            if len(self.lags) == CHANGES:
                self.all_heard.set()


async def follow(port: int, key: dict[str, str]) -> tuple[Lags, list[Reader]]:
    """Subscribe, then change the book at the pace; every change is a new best bid."""
    lags = Lags()
    desk = await connect(port, "/v2/private")
    answers = asyncio.create_task(drain(desk))
    desk.send(order_message(key, 0, "buy", "0.001", "50000.0"))
    loop = asyncio.get_running_loop()
    readers: list[Reader] = []
    transports = []
    for _ in range(READERS):
        transport, reader = await loop.create_connection(
            lambda: Reader(lags.hear), "127.0.0.1", port
        )
        readers.append(reader)
        transports.append(transport)
    await asyncio.wait_for(asyncio.gather(*(one.ready.wait() for one in readers)), 30)
    began = time.perf_counter()
    for number in range(CHANGES):
        lags.sent.append(time.perf_counter())
        desk.send(order_message(key, number, "buy", "0.001", f"{60_000 + number / 10:.1f}"))
        await asyncio.sleep(max(0.0, began + (number + 1) / PACE - time.perf_counter()))
    try:
        await asyncio.wait_for(lags.all_heard.wait(), 30)
    finally:
        for one in transports:
            one.close()
        desk.writer.close()
        await answers
    return lags, readers


def bench_a_hundred_readers_of_one_book(tmp_path: Path) -> None:
    """At 200 changes a second every reader has every change within a second."""
    with child(tmp_path / "paper.sqlite") as target:
        before = target.cpu_s()
        lags, readers = asyncio.run(follow(target.port, target.keys[0]))
        share = (target.cpu_s() - before) / (CHANGES / PACE)
    ordered = sorted(lags.lags)

    say("the last of 100 readers, at the median", ordered[CHANGES // 2] * 1_000, "ms", MOST_LAG_MS)
    say("the server's share of its core", share * 100, "%", 100)
    say("with 99 of 100 changes", ordered[CHANGES * 99 // 100] * 1_000, "ms", MOST_LAG_MS)
    say("at worst", ordered[-1] * 1_000, "ms", MOST_LAG_MS)
    assert {reader.updates for reader in readers} == {CHANGES}
    assert ordered[CHANGES * 99 // 100] * 1_000 <= MOST_LAG_MS
