"""A process that shares a paper exchange's key with others: it asks, and tells how it went.

Run as `python key_sharer.py HOME CALLS SEED`: it says `ready`, waits for a line, asks, and prints
one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections import Counter
from pathlib import Path

import httpx
from typing_extensions import override

from zoe_tools.errors import ZoeError
from zoe_tools.kraken.rest import RestClient
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.ports import Coordination
from zoe_tools.runtime.coordination import shared_coordination
from zoe_tools.runtime.paper_process import PaperVenue, ensure_paper


class SlowNetwork(httpx.AsyncHTTPTransport):
    """5 to 50 ms there and back, at random; counts what the exchange refuses."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._random = random.Random(seed)
        self.refusals: Counter[str] = Counter()

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Wait, ask, wait."""
        delay_s = self._random.uniform(0.005, 0.05)
        there_s = self._random.uniform(0, delay_s)
        await asyncio.sleep(there_s)
        response = await super().handle_async_request(request)
        self.refusals.update(json.loads(await response.aread())["error"])
        await asyncio.sleep(delay_s - there_s)
        return response


async def _share(home: Path, calls: int, seed: int) -> dict[str, object]:
    paper = await ensure_paper(home)
    store = f"sqlite:///{home / 'zoe.db'}"
    async with shared_coordination(
        home, store, paper.keys.api_key, paper.clock, is_scaled=True
    ) as shared:
        return await _ask(paper, shared, calls, seed)


async def _ask(paper: PaperVenue, shared: Coordination, calls: int, seed: int) -> dict[str, object]:
    network = SlowNetwork(seed)
    rest = RestClient(
        paper.rest_url,
        api_key=paper.keys.api_key,
        api_secret=paper.keys.api_secret,
        clock=paper.clock,
        coordination=shared,
        transport=network,
        tier=paper.tier or "starter",
        unlimited=paper.tier is None,
    )
    venue = KrakenSpot(rest, paper.clock)
    failures: list[str] = []
    print("ready", flush=True)  # noqa: T201 - spoken to the test
    await asyncio.to_thread(sys.stdin.readline)
    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(calls):
        try:
            await venue.key_info()
        except ZoeError as error:
            failures.append(error.message)
    ended = loop.time()
    await rest.aclose()
    return {"began": began, "ended": ended, "failures": failures, "refusals": network.refusals}


if __name__ == "__main__":
    told = asyncio.run(_share(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
    print(json.dumps(told))  # noqa: T201 - spoken to the test
