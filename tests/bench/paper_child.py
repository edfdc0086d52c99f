"""A paper exchange for a measurement: limits off, one core, state in a file, REST and WS.

Run as `python paper_child.py STATE_FILE CORE [PORT]` (core -1: any); prints one JSON line: `port`,
and per account `api_key`, `api_secret` and a WebSocket `token`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from decimal import Decimal
from pathlib import Path

from zoe_tools.paper.app import create_app
from zoe_tools.paper.exchange.exchange import ExchangeOptions, PaperExchange
from zoe_tools.paper.exchange.state import StateFile
from zoe_tools.paper.exchange.stream_limits import UNLIMITED
from zoe_tools.paper.markets.pair_specs import spec_named
from zoe_tools.paper.server import event_loop, serve
from zoe_tools.runtime.clocks import SystemClock

ACCOUNTS = ("maker", "taker", "zoe", "ccxt", "sdk", "raw")
RICH = {"USD": Decimal(10) ** 9, "BTC": Decimal(10) ** 5}


class _EmptyMarket:
    """A market in which only accounts trade."""

    pairs = (spec_named("BTC/USD"),)
    starts_at = 0
    granularity_s = 1.0

    def events(self) -> list[object]:
        return []


def secret_of(name: str) -> str:
    """The secret of an account's key."""
    return base64.b64encode(name.encode() * 8).decode()


def main() -> None:
    """Serve until killed."""
    path, core, port = Path(sys.argv[1]), int(sys.argv[2]), int((*sys.argv, "0")[3])
    if core >= 0:
        os.sched_setaffinity(0, {core})
    exchange = PaperExchange(
        _EmptyMarket(),  # type: ignore[arg-type]
        SystemClock(),
        state=StateFile(path),
        options=ExchangeOptions(max_open_orders=10**9, streams=UNLIMITED),
    )
    known = {one.api_key for one in exchange.principals}
    for name in ACCOUNTS:
        if name not in known:
            exchange.create_account(name, name, secret_of(name), balances=RICH)
    keys = [
        {
            "api_key": one.api_key,
            "api_secret": secret_of(one.api_key),
            "token": exchange.issue_token(one),
        }
        for one in exchange.principals
    ]

    def tell(bound: int) -> None:
        sys.stdout.write(json.dumps({"port": bound, "keys": keys}) + "\n")
        sys.stdout.flush()

    app = create_app(exchange, proof_secret=None)
    with asyncio.Runner(loop_factory=event_loop()) as runner:
        runner.run(serve(exchange, app, port=port, idle_timeout_s=None, on_listening=tell))


if __name__ == "__main__":
    main()
