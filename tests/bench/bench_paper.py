"""How fast the paper exchange takes orders: the engine alone, over REST, over WebSocket.

The server has one core, the load the other; limits off, state in a file, an executions subscriber
attached. The floors are the promise. Run by `make bench`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

from paper_load import Child, child, mix, rest_load, say, ws_load
from zoe_tools.paper.engine.engine import Engine
from zoe_tools.paper.engine.floor import Floor
from zoe_tools.paper.markets.pair_specs import spec_named
from zoe_tools.paper.values.order import AmendOrder, PlaceOrder
from zoe_tools.paper.values.times import NS

START = 1_767_600_000 * NS
TRIES = 3
Load = Callable[[Child, int], Coroutine[Any, Any, float]]
RICH = {"USD": Decimal(10) ** 9, "BTC": Decimal(10) ** 5}


def engine_rate(rounds: int) -> float:
    """Operations a second of the engine alone: place, amend, cancel, and orders that cross."""
    spec = spec_named("BTC/USD")
    floor = Floor((spec,), seed=1)
    engine = Engine(floor, max_open_orders=10**9)
    accounts = [engine.create_account(name, RICH, START)[0] for name in ("maker", "taker")]
    requests = [
        (
            accounts[account],
            PlaceOrder(
                symbol="BTC/USD",
                side="buy" if side == "buy" else "sell",
                order_type="limit",
                quantity=Decimal(quantity),
                limit_price=Decimal(price),
            ),
        )
        for account, side, quantity, price in mix(rounds)
    ]
    began = time.perf_counter()
    operations = 0
    resting: list[str] = []
    for number, (account, request) in enumerate(requests):
        now = START + number * 1_000
        order, _ = engine.place(account, request, now)
        operations += 1
        if order.is_open:
            resting.append(order.order_id)
        if number % 5 == 4:
            order_id = resting.pop()
            opened = floor.account(accounts[0]).open.get(order_id)
            if opened is not None:
                price = (opened.limit_price or Decimal(0)) + Decimal(
                    "-0.1" if opened.side == "buy" else "0.1"
                )
                engine.amend(accounts[0], AmendOrder(order_id=order_id, limit_price=price), now)
                engine.cancel(accounts[0], [order_id], now)
                operations += 2
    return operations / (time.perf_counter() - began)


def best_of(state: Path, load: Load, count: int) -> tuple[float, float]:
    """The best rate of three servers, orders a second, and microseconds of its core an order."""
    found: list[tuple[float, float]] = []
    for number in range(TRIES):
        with child(state / f"paper{number}.sqlite") as target:
            before = target.cpu_s()
            rate = asyncio.run(load(target, count))
            found.append((rate, (target.cpu_s() - before) / count * 1e6))
    return max(found)


def bench_the_engine_alone() -> None:
    """Twenty thousand order operations a second."""
    rate = max(engine_rate(10_000) for _ in range(TRIES))

    say("engine alone", rate, "operations/s", 20_000)
    assert rate >= 20_000


def bench_orders_over_rest(tmp_path: Path) -> None:
    """Seven hundred signed orders a second."""
    rate, used = best_of(tmp_path, rest_load, 4_000)

    say("REST", rate, "orders/s", 700)
    say("the server's core for one of them", used, "us at most", 1e6 / 700)
    assert rate >= 700


def bench_orders_over_websocket(tmp_path: Path) -> None:
    """Two thousand orders a second."""
    rate, used = best_of(tmp_path, ws_load, 10_000)

    say("WebSocket", rate, "orders/s", 2_000)
    say("the server's core for one of them", used, "us at most", 1e6 / 2_000)
    assert rate >= 2_000
