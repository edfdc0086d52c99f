"""Days of a made-up market with a trade a second, and a client that trades all the while.

Run as `python paper_week.py STATE_FILE DAYS [CORE]`; prints one JSON line per simulated day:
`day`, `took_s`, `cpu_s`, `rss_mib` and `orders`. Every ten seconds the client cancels its order and
places another, every minute it takes, every hour it reads its histories and its balances.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlencode

from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.exchange.keys import sign
from zoe_tools.paper.exchange.state import StateFile
from zoe_tools.paper.markets.pair_specs import spec_named
from zoe_tools.paper.markets.synthetic import SyntheticMarket, SyntheticParams
from zoe_tools.paper.rest.dialect import RestDialect, RestRequest
from zoe_tools.paper.values.order import AmendOrder, OrderType, PlaceOrder, Side
from zoe_tools.paper.values.times import NS, moment_of
from zoe_tools.paper.values.views import PERMISSIONS
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual

START = 1_767_600_000 * NS
DAY_S, TURN_S = 86_400, 10
KEY, SECRET = "desk", "ZGVzayBkZXNrIGRlc2sgZGVzaw=="
PRICE_STEP = Decimal("0.1")


class Client:
    """Places, amends, cancels, takes, and reads its own history."""

    def __init__(self, exchange: PaperExchange) -> None:
        money = {"USD": Decimal(10) ** 8, "BTC": Decimal(10) ** 4}
        self._exchange = exchange
        self._account = exchange.create_account("desk", KEY, SECRET, frozenset(PERMISSIONS), money)
        self._dialect = RestDialect(exchange)
        self._nonce = 0
        self.orders = 0

    def trade(self, number: int) -> None:
        """One of its turns, ten seconds apart."""
        side: Side = "buy" if number % 2 else "sell"
        self._exchange.cancel_all(self._account)
        if number % 6 == 0:
            self._place(side, "market", None)
        resting = self._place(side, "limit", Decimal("0.999" if side == "buy" else "1.001"))
        if number % 3 == 0:
            self._exchange.amend_order(
                self._account, AmendOrder(order_id=resting, quantity=Decimal("0.00200000"))
            )
        if number % 360 == 0:
            self._read()

    def _place(self, side: Side, order_type: OrderType, away: Decimal | None) -> str:
        last = self._exchange.ticker("BTC/USD").last or Decimal(65_000)
        self.orders += 1
        return self._exchange.add_order(
            self._account,
            PlaceOrder(
                symbol="BTC/USD",
                side=side,
                order_type=order_type,
                quantity=Decimal("0.00100000"),
                limit_price=None if away is None else (last * away).quantize(PRICE_STEP),
            ),
        ).order_id

    def _read(self) -> None:
        since = str(max(0, self._exchange.now() // NS - 3_600))
        for name in ("ClosedOrders", "TradesHistory", "Ledgers"):
            self._call(name, start=since)
        self._call("BalanceEx")

    def _call(self, name: str, **fields: str) -> None:
        self._nonce += 1
        path, nonce = f"/0/private/{name}", str(self._nonce)
        body = urlencode({"nonce": nonce, **fields}).encode()
        headers = {
            "api-key": KEY,
            "api-sign": sign(secret=SECRET, path=path, body=body, nonce=nonce),
        }
        request = RestRequest(method="POST", path=path, query="", headers=headers, body=body)
        answer = json.loads(self._dialect.answer(request))
        assert answer["error"] == [], (name, answer)


def _rss_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def _live(state: Path, days: int) -> None:
    market = SyntheticMarket(
        7,
        (spec_named("BTC/USD"),),
        starts_at=START,
        params=SyntheticParams(gap_ms=(1_000, 1_000)),
    )
    clock = VirtualClock(moment_of(START))
    exchange = PaperExchange(market, clock, state=StateFile(state), seed=7)
    client = Client(exchange)
    running = asyncio.create_task(exchange.run())
    for day in range(1, days + 1):
        began, used = time.perf_counter(), time.process_time()
        for turn in range(DAY_S // TURN_S):
            await clock.sleep(TURN_S)
            client.trade(turn)
        told = {
            "day": day,
            "took_s": round(time.perf_counter() - began, 2),
            "cpu_s": round(time.process_time() - used, 2),
            "rss_mib": round(_rss_mib(), 1),
            "orders": client.orders,
        }
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    exchange.close()


def main() -> None:
    """Live the days, and tell of each."""
    if len(sys.argv) > 3:
        os.sched_setaffinity(0, {int(sys.argv[3])})
    run_virtual(_live(Path(sys.argv[1]), int(sys.argv[2])))


if __name__ == "__main__":
    main()
