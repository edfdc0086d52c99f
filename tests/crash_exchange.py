"""A paper exchange in a process of its own, that a test opens accounts at and looks into.

Forked from the caller, which must have no event loop and no thread yet. What is said over the pipe
is done between two requests of the exchange; it ends when the caller is gone.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from multiprocessing.connection import Connection
from typing import Any

import msgspec

from paper_desk import BTC_USD, ScriptedSource, d, snapshot
from zoe_tools.paper.app import create_app
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.exchange.faults import FaultRule
from zoe_tools.paper.markets.pair_specs import spec_named
from zoe_tools.paper.server import event_loop, serve
from zoe_tools.paper.values.market import BookSnapshot
from zoe_tools.paper.values.times import ns_of
from zoe_tools.runtime.clocks import ScaledClock

PAIRS = (BTC_USD, spec_named("ETH/USD"))
BALANCES = {"USD": d("100000"), "BTC": d("2"), "ETH": d("10")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An order as the exchange itself has it, without any lag."""

    venue_order_id: str
    client_order_id: str | None
    status: str
    quantity: Decimal
    filled: Decimal
    limit_price: Decimal | None
    trigger_price: Decimal | None

    @property
    def is_open(self) -> bool:
        """Whether it still rests."""
        return self.status in ("open", "pending")


class CrashExchange:
    """The caller's end."""

    def __init__(self, clock: ScaledClock) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        self.pid = os.fork()
        if not self.pid:
            self._pipe.close()
            try:
                with asyncio.Runner(loop_factory=event_loop()) as runner:
                    runner.run(_serve(theirs, clock))
            finally:
                os._exit(1)
        theirs.close()
        self.port: int = self._pipe.recv()

    def open_account(self, name: str, secret: str) -> str:
        """A new account whose only key bears its name; returns the account's id."""
        return str(self._ask("open", name, secret))

    def arm(self, rules: Sequence[FaultRule]) -> None:
        """Let these faults strike from now on, and no others."""
        self._ask("arm", msgspec.json.encode(list(rules)))

    def orders(self, account_id: str) -> tuple[Seen, ...]:
        """Every order the account ever had."""
        found: tuple[Seen, ...] = self._ask("orders", account_id)
        return found

    def close(self) -> None:
        """End it."""
        self._pipe.close()
        os.waitpid(self.pid, 0)

    def _ask(self, *words: Any) -> Any:
        self._pipe.send(words)
        return self._pipe.recv()


async def _serve(pipe: Connection, clock: ScaledClock) -> None:
    logging.disable(logging.CRITICAL)
    at = ns_of(clock.now())
    book = snapshot(["70000.0 5"], ["70000.1 5"], at)
    other = BookSnapshot(
        at=at, symbol="ETH/USD", bids=((d("3000.0"), d("50")),), asks=((d("3000.1"), d("50")),)
    )
    source = ScriptedSource((book, other), PAIRS, starts_at=at)
    exchange = PaperExchange(source, clock, seed=7)

    def answer() -> None:
        try:
            words = pipe.recv()
        except EOFError:
            os._exit(0)
        pipe.send(_answered(exchange, *words))

    asyncio.get_running_loop().add_reader(pipe.fileno(), answer)
    app = create_app(exchange, proof_secret=None, speed=clock.speed)
    await serve(exchange, app, idle_timeout_s=None, on_listening=pipe.send)


def _answered(exchange: PaperExchange, word: str, *told: Any) -> Any:
    match word:
        case "open":
            name, secret = told
            return exchange.create_account(name, name, secret, balances=BALANCES)
        case "arm":
            exchange.clear_faults()
            return [
                exchange.arm_fault(rule)
                for rule in msgspec.json.decode(told[0], type=list[FaultRule])
            ]
        case _:
            return _orders(exchange, told[0])


def _orders(exchange: PaperExchange, account_id: str) -> tuple[Seen, ...]:
    account = exchange._floor.account(account_id)
    return tuple(
        Seen(
            venue_order_id=order.order_id,
            client_order_id=order.cl_ord_id,
            status=order.status,
            quantity=order.quantity,
            filled=order.filled,
            limit_price=_number(order.limit_price),
            trigger_price=_number(order.trigger_price),
        )
        for order in (*account.open.values(), *account.closed.values())
    )


def _number(price: object) -> Decimal | None:
    return price if isinstance(price, Decimal) else None
