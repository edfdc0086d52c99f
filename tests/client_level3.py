"""The book order by order: frames of the paper exchange, fed to zoe's channel."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from typing import Any

from builders import BTC, make_instrument
from paper_load import Child, Socket, connect, order_message
from zoe_tools.domain.stream import StreamEvent
from zoe_tools.kraken.level3_channel import Level3Channel
from zoe_tools.kraken.wire_stream import FRAME
from zoe_tools.runtime.clocks import SystemClock

DEPTH = 10
_KEY = 5
_RESTING = 60


async def frames_of(target: Child, count: int) -> list[str]:
    """A snapshot of some sixty orders, then so many orders placed and taken away again."""
    key, chance = target.keys[_KEY], random.Random(4)
    orders = await connect(target.port, "/v2/private")
    resting = [await _placed(orders, key, chance) for _ in range(_RESTING)]
    stream = await connect(target.port, "/v2/level3")
    params = {"channel": "level3", "symbol": ["BTC/USD"], "depth": DEPTH, "token": key["token"]}
    stream.send({"method": "subscribe", "req_id": 1, "params": params})
    frames: list[str] = []
    while len(frames) < count:
        if frames:
            resting.append(await _placed(orders, key, chance))
            gone = resting.pop(chance.randrange(len(resting)))
            cancel = {"order_id": [gone], "token": key["token"]}
            await _asked(orders, {"method": "cancel_order", "req_id": 3, "params": cancel})
            stream.send({"method": "ping", "req_id": 2})
        while True:
            text = (await stream.read()).decode()
            if text.startswith('{"channel":"level3"'):
                frames.append(text)
            if '"pong"' in text or (len(frames) == 1 and '"snapshot"' in text):
                break
    for each in (orders, stream):
        each.writer.close()
        await each.writer.wait_closed()
    return frames


async def _placed(socket: Socket, key: dict[str, str], chance: random.Random) -> str:
    side = chance.choice(("buy", "sell"))
    away = chance.randrange(1, 40) * (-1 if side == "buy" else 1)
    asked = order_message(key, 2, side, f"0.{chance.randrange(1, 9)}", f"{60_000 + away}.0")
    answer = await _asked(socket, asked)
    return str(answer["result"]["order_id"])


async def _asked(socket: Socket, message: dict[str, Any]) -> dict[str, Any]:
    socket.send(message)
    while True:
        answer: dict[str, Any] = json.loads(await socket.read())
        if answer.get("method") == message["method"]:
            assert answer["success"], answer
            return answer


async def followed(frames: Sequence[str]) -> tuple[float, int, int]:
    """Seconds, checksums that agreed, and books told; every frame is checked and told."""
    told: list[StreamEvent] = []

    async def emit(event: StreamEvent) -> None:
        told.append(event)

    channel = Level3Channel(
        {BTC: make_instrument()},
        depth=DEPTH,
        patience_s=10.0,
        clock=SystemClock(),
        emit=emit,
    )
    began = time.perf_counter()
    for frame in frames:
        await channel.on_frame(FRAME.decode(frame))
    return time.perf_counter() - began, channel.mending.tally.verified, len(told)
