"""How fast the paper exchange is: the engine alone, REST, WebSocket, many readers, long runs.

The server has one core, the load the other; limits off, state in a file, an executions subscriber
attached. The floors are the promise. Run by `make bench`.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from decimal import Decimal
from pathlib import Path

from paper_load import child, connect, mix, order_message, rest_load, ws_load
from zoe_tools.paper.engine import Engine
from zoe_tools.paper.floor import Floor
from zoe_tools.paper.market import BookSnapshot, Print
from zoe_tools.paper.order import AmendOrder, PlaceOrder
from zoe_tools.paper.pair_specs import spec_named
from zoe_tools.paper.times import NS

START = 1_767_600_000 * NS
RICH = {"USD": Decimal(10) ** 9, "BTC": Decimal(10) ** 5}


def say(what: str, value: float, unit: str, floor: float) -> None:
    """Print a figure."""
    sys.stdout.write(f"\n{what}: {value:,.0f} {unit}, promised {floor:,.0f}")


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


def bench_the_engine_alone() -> None:
    """Twenty thousand order operations a second."""
    rate = max(engine_rate(10_000) for _ in range(3))

    say("engine alone", rate, "operations/s", 20_000)
    assert rate >= 20_000


def bench_orders_over_rest(tmp_path: Path) -> None:
    """Seven hundred signed orders a second."""
    with child(tmp_path / "paper.sqlite") as target:
        rate = asyncio.run(rest_load(target, 4_000))

    say("REST", rate, "orders/s", 700)
    assert rate >= 700


def bench_orders_over_websocket(tmp_path: Path) -> None:
    """Two thousand orders a second."""
    with child(tmp_path / "paper.sqlite") as target:
        rate = asyncio.run(ws_load(target, 10_000))

    say("WebSocket", rate, "orders/s", 2_000)
    assert rate >= 2_000


def bench_a_hundred_readers_of_one_book(tmp_path: Path) -> None:
    """A hundred sockets read every change of a book that moves 200 times a second."""

    async def measure(port: int, key: dict[str, str]) -> tuple[float, set[int]]:
        changes, pace = 1_000, 200
        sockets = [await connect(port, "/v2") for _ in range(100)]
        for socket in sockets:
            params = {"channel": "book", "symbol": ["BTC/USD"], "depth": 1000}
            socket.send({"method": "subscribe", "params": params})
        desk = await connect(port, "/v2/private")
        heard = [0] * len(sockets)

        async def listen(index: int) -> None:
            while heard[index] < changes:
                text = await sockets[index].read()
                heard[index] += b'"book","type":"update"' in text

        readers = [asyncio.create_task(listen(index)) for index in range(len(sockets))]
        await asyncio.sleep(1)
        began = time.perf_counter()
        for number in range(changes):
            desk.send(order_message(key, number, "buy", "0.001", f"{60_000 + number / 10:.1f}"))
            await asyncio.sleep(max(0.0, began + number / pace - time.perf_counter()))
        ended = time.perf_counter()
        await asyncio.wait_for(asyncio.gather(*readers), 60)
        return time.perf_counter() - ended, set(heard)

    with child(tmp_path / "paper.sqlite") as target:
        late, heard = asyncio.run(measure(target.port, target.keys[0]))

    say("100 readers behind after the last change", late * 1_000, "ms", 1_000)
    assert heard == {1_000}
    assert late <= 1


def bench_a_simulated_day_and_week() -> None:
    """A day of a trade a second in under a minute; a week's memory is a day's."""
    spec = spec_named("BTC/USD")
    floor = Floor((spec,), seed=1)
    engine = Engine(floor)
    account, _ = engine.create_account("desk", RICH, START)
    ladder = tuple((Decimal(69_999 - step), Decimal(5)) for step in range(50))
    asks = tuple((Decimal(70_001 + step), Decimal(5)) for step in range(50))
    engine.market(BookSnapshot(at=START, symbol="BTC/USD", bids=ladder, asks=asks))
    took: list[float] = []
    memory: list[int] = []
    second = 0
    for _ in range(7):
        began = time.perf_counter()
        for _ in range(86_400):
            second += 1
            at = START + second * NS
            price = Decimal(70_000 + second % 7 - 3)
            engine.market(
                Print(
                    at=at,
                    symbol="BTC/USD",
                    side="buy" if second % 2 else "sell",
                    price=price,
                    quantity=Decimal("0.01000000"),
                )
            )
            if second % 60 == 0:
                engine.place(
                    account,
                    PlaceOrder(
                        symbol="BTC/USD",
                        side="buy" if second % 120 else "sell",
                        order_type="market",
                        quantity=Decimal("0.00100000"),
                    ),
                    at,
                )
            if second % 1_000 == 0:
                engine.market(BookSnapshot(at=at, symbol="BTC/USD", bids=ladder, asks=asks))
        took.append(time.perf_counter() - began)
        memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)

    say("a simulated day", max(took), "s", 60)
    say("memory of days 3 to 7", (memory[6] - memory[2]) / 1024, "MiB more", 16)
    assert max(took) <= 60
    assert memory[6] - memory[2] <= 16 * 1024
