"""Load for the paper exchange from raw sockets: the client must not be what is measured."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHILD = Path(__file__).parent / "bench" / "paper_child.py"
_ONE_IN_TEN = 10
_RESTING_OF_TEN = 7


def say(what: str, value: float, unit: str, floor: float) -> None:
    """Print a figure of a measurement beside its promise."""
    sys.stdout.write(f"\n{what}: {value:,.1f} {unit}, promised {floor:,.0f}")


@dataclass
class Child:
    """A running exchange."""

    process: subprocess.Popen[str]
    port: int
    keys: list[dict[str, str]]

    def cpu_s(self) -> float:
        """Seconds of a core that it has used so far."""
        told = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").split()
        return (int(told[13]) + int(told[14])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def child(state: Path, *, server_core: int = 0, own_core: int = 1) -> Iterator[Child]:
    """An exchange pinned to one core, this process to the other (-1: wherever)."""
    before = os.sched_getaffinity(0)
    is_pinned = len(before) > 1 and own_core >= 0
    command = [sys.executable, str(CHILD), str(state), str(server_core if is_pinned else -1)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        if is_pinned:
            os.sched_setaffinity(0, {own_core})
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        yield Child(process, told["port"], told["keys"])
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
        os.sched_setaffinity(0, before)


def mix(count: int) -> Iterator[tuple[int, str, str, str]]:
    """(account, side, quantity, price): seven of ten rest with the maker, three cross them."""
    for number in range(count):
        is_resting = number % _ONE_IN_TEN < _RESTING_OF_TEN
        is_buy = (number // _ONE_IN_TEN + number) % 2 == 0
        step = number % 40
        if is_resting:
            price = f"{69_990 - step * 0.5:.1f}" if is_buy else f"{70_010 + step * 0.5:.1f}"
            yield 0, "buy" if is_buy else "sell", "0.001", price
        else:
            yield 1, *(("buy", "0.001", "70100.0") if is_buy else ("sell", "0.001", "69900.0"))


def rest_request(key: dict[str, str], nonce: int, side: str, quantity: str, price: str) -> bytes:
    """A signed AddOrder as it goes over the wire."""
    path = "/0/private/AddOrder"
    body = f"nonce={nonce}&pair=XBTUSD&ordertype=limit&type={side}&volume={quantity}&price={price}"
    digest = hashlib.sha256(f"{nonce}{body}".encode()).digest()
    secret = base64.b64decode(key["api_secret"])
    mac = hmac.new(secret, path.encode() + digest, hashlib.sha512).digest()
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAPI-Key: {key['api_key']}\r\n"
        f"API-Sign: {base64.b64encode(mac).decode()}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def post(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, raw: bytes
) -> dict[str, Any]:
    """Send a request and read its JSON."""
    writer.write(raw)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    answer: dict[str, Any] = json.loads(await reader.readexactly(length))
    return answer


def ws_frame(text: str, opcode: int = 1) -> bytes:
    """A masked client frame (the mask is zero)."""
    data = text.encode()
    size = len(data)
    head = bytes([0x80 | opcode])
    head += bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return head + b"\0\0\0\0" + data


@dataclass
class Socket:
    """A raw v2 socket."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    frames: int = 0
    last: str = ""
    acks: list[dict[str, Any]] = field(default_factory=list)

    async def read(self) -> bytes:
        """The next frame's text."""
        head = await self.reader.readexactly(2)
        size = head[1] & 127
        if size == 126:
            size = int.from_bytes(await self.reader.readexactly(2), "big")
        elif size == 127:
            size = int.from_bytes(await self.reader.readexactly(8), "big")
        self.frames += 1
        return await self.reader.readexactly(size)

    def send(self, message: dict[str, Any]) -> None:
        """Send JSON."""
        self.writer.write(ws_frame(json.dumps(message)))


async def connect(port: int, path: str) -> Socket:
    """Open a v2 socket."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 101 " in head, head
    return Socket(reader, writer)


async def subscribe(port: int, key: dict[str, str], channel: str = "executions") -> Socket:
    """A subscriber to a private channel, read and thrown away until its connection ends."""
    socket = await connect(port, "/v2/private")
    params = {"channel": channel, "token": key["token"], "snap_orders": True}
    socket.send({"method": "subscribe", "params": params})
    while b'"method":"subscribe"' not in await socket.read():
        pass
    return socket


def order_message(
    key: dict[str, str], number: int, side: str, quantity: str, price: str
) -> dict[str, Any]:
    """An add_order request."""
    return {
        "method": "add_order",
        "req_id": number,
        "params": {
            "token": key["token"],
            "symbol": "BTC/USD",
            "order_type": "limit",
            "side": side,
            "order_qty": float(quantity),
            "limit_price": float(price),
        },
    }


async def drain(socket: Socket) -> None:
    """Read until the connection ends."""
    try:
        while True:
            await socket.read()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass


async def rest_load(target: Child, count: int) -> float:
    """Orders a second over signed REST, a connection a key, one executions subscriber."""
    listener = await subscribe(target.port, target.keys[0])
    draining = asyncio.create_task(drain(listener))
    start = time.time_ns()
    work = list(mix(count))
    per_account: list[list[tuple[str, str, str]]] = [[], []]
    for account, *order in work:
        per_account[account].append((order[0], order[1], order[2]))

    async def worker(account: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
        queue = iters[account]
        for order in queue:
            nonces[account] += 1
            raw = rest_request(target.keys[account], nonces[account], *order)
            answer = await post(reader, writer, raw)
            assert not answer["error"] or "nonce" in answer["error"][0], answer
        writer.close()

    iters = [iter(rows) for rows in per_account]
    nonces = [start, start]
    began = time.perf_counter()
    # nonces must arrive in order, so each key has one connection
    await asyncio.gather(worker(0), worker(1))
    took = time.perf_counter() - began
    draining.cancel()
    listener.writer.close()
    return count / took


async def ws_load(target: Child, count: int, window: int = 100) -> float:
    """Orders a second over WebSocket, `window` in flight, one executions subscriber."""
    listener = await subscribe(target.port, target.keys[0])
    draining = asyncio.create_task(drain(listener))
    socket = await connect(target.port, "/v2/private")
    frames = [
        ws_frame(json.dumps(order_message(target.keys[account], number, *order)))
        for number, (account, *order) in enumerate(mix(count))
    ]
    began = time.perf_counter()
    sent = answered = 0
    while answered < count:
        while sent < count and sent - answered < window:
            socket.writer.write(frames[sent])
            sent += 1
        text = await socket.read()
        if b'"add_order"' in text:
            assert b'"success":true' in text, text
            answered += 1
    took = time.perf_counter() - began
    draining.cancel()
    listener.writer.close()
    socket.writer.close()
    return count / took
