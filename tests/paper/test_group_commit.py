"""Orders of one moment share a transaction; still nothing is told before it is in the file."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.types import Message
from typing_extensions import override

from paper_desk import START, ask_for, d
from paper_socket import KEY, SECRET, ScriptedMarket, settle
from zoe_tools.paper.app import create_app
from zoe_tools.paper.exchange.exchange import ExchangeOptions, PaperExchange
from zoe_tools.paper.exchange.keys import SignedCall, sign
from zoe_tools.paper.exchange.state import StateFile
from zoe_tools.paper.values.times import moment_of
from zoe_tools.paper.values.views import PERMISSIONS
from zoe_tools.paper.ws.connection import serve_socket
from zoe_tools.ports import FrameClosed
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual

ORDERS = 20
ORDER_ID = re.compile(r"O[0-9A-Z]{5}-[0-9A-Z]{5}-[0-9A-Z]{6}")


class CountingFile(StateFile):
    """A state file that counts its transactions, and refuses them while told to."""

    commits = 0
    is_full = False

    @override
    def commit(self, *args: Any, **kwargs: Any) -> None:
        """As any state file, and counted."""
        if self.is_full:
            raise sqlite3.OperationalError("database or disk is full")
        super().commit(*args, **kwargs)
        self.commits += 1


class Wire:
    """A connection whose requests are all there at once; keeps what was sent, and checks it."""

    def __init__(self, path: Path, requests: list[str]) -> None:
        self._path = path
        self._requests = requests
        self.sent: list[str] = []
        self.told_too_early: set[str] = set()

    async def receive(self) -> str:
        """The next request; none after the last."""
        if not self._requests:
            await asyncio.Event().wait()
        return self._requests.pop(0)

    async def send(self, frame: str) -> None:
        """A frame leaves: every order it names is to be in the file."""
        self.sent.append(frame)
        self.told_too_early |= set(ORDER_ID.findall(frame)) - ids_in(self._path)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Closed."""
        raise FrameClosed(code, reason)


def ids_in(path: Path) -> set[str]:
    """The orders that another process would find."""
    reader = sqlite3.connect(path)
    found = {name for (name,) in reader.execute("SELECT order_id FROM orders")}
    reader.close()
    return found


def _exchange(state: StateFile, **options: Any) -> PaperExchange:
    exchange = PaperExchange(
        ScriptedMarket(),
        VirtualClock(moment_of(START)),
        state=state,
        options=ExchangeOptions(**options),
    )
    exchange.create_account(
        "desk", KEY, SECRET, frozenset(PERMISSIONS), {"USD": d("100000"), "BTC": d("1")}
    )
    exchange.group_commits()
    return exchange


def _requests(exchange: PaperExchange) -> list[str]:
    token = exchange.issue_token(exchange.principals[0])
    order = {"order_type": "limit", "side": "buy", "order_qty": 0.001, "limit_price": 60000.0}
    subscribe = {"channel": "executions", "token": token}
    return [
        json.dumps({"method": "subscribe", "params": subscribe}),
        *(
            json.dumps(
                {
                    "method": "add_order",
                    "req_id": number,
                    "params": {"token": token, "symbol": "BTC/USD", **order},
                }
            )
            for number in range(ORDERS)
        ),
    ]


async def _serve(wire: Wire, exchange: PaperExchange) -> asyncio.Task[None]:
    task = asyncio.create_task(serve_socket(wire, exchange, is_private=True))
    await settle()
    return task


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_orders_of_one_moment_share_a_transaction_and_are_told_after_it(tmp_path: Path) -> None:
    """Answers and executions of twenty orders: one commit, and each in the file when it leaves."""
    path = tmp_path / "state.sqlite"
    state = CountingFile(path)

    async def story() -> Wire:
        exchange = _exchange(state)
        wire = Wire(path, _requests(exchange))
        before = state.commits
        task = await _serve(wire, exchange)
        assert state.commits - before == 1
        await _end(task)
        return wire

    wire = run_virtual(story())
    answers = [frame for frame in wire.sent if '"method":"add_order"' in frame]
    news = [frame for frame in wire.sent if '"exec_type":"new"' in frame]

    assert (len(answers), len(news), wire.told_too_early) == (ORDERS, ORDERS, set())


def test_nothing_is_told_of_a_transaction_that_fails_until_one_succeeds(tmp_path: Path) -> None:
    """The connection ends without an answer; the orders are there once the file can be written."""
    path = tmp_path / "state.sqlite"
    state = CountingFile(path)
    complaints: list[Any] = []

    async def story() -> tuple[list[str], int, int]:
        asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
        exchange = _exchange(state)
        wire = Wire(path, _requests(exchange))
        state.is_full = True
        task = await _serve(wire, exchange)
        await _end(task)
        before = len(ids_in(path))
        state.is_full = False
        exchange.flush()
        return wire.sent, before, len(ids_in(path))

    sent, before, after = run_virtual(story())

    assert [frame for frame in sent if ORDER_ID.search(frame)] == []
    assert (before, after) == (0, ORDERS)
    assert complaints


def test_an_answer_over_rest_is_given_after_the_transaction(tmp_path: Path) -> None:
    """The first byte of it finds the order in the file, and the nonce spent."""
    path = tmp_path / "state.sqlite"
    state = CountingFile(path)
    found: list[tuple[int, list[int | None]]] = []
    order = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "volume": "0.001"}
    body = urlencode({"nonce": "1", "price": "60000", **order}).encode()
    target = "/0/private/AddOrder"
    signature = sign(secret=SECRET, path=target, body=body, nonce="1")

    async def story() -> None:
        app = create_app(_exchange(state), proof_secret=None)

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                reader = StateFile(path)
                found.append((len(ids_in(path)), [key.nonce for key in reader.api_keys()]))
                reader.close()

        scope = {
            "type": "http",
            "method": "POST",
            "path": target,
            "query_string": b"",
            "headers": [
                (b"api-key", KEY.encode()),
                (b"api-sign", signature.encode()),
                (b"content-type", b"application/x-www-form-urlencoded"),
            ],
        }
        await app(scope, receive, send)

    run_virtual(story())

    assert found == [(1, [1])]


def test_a_key_that_was_used_and_removed_in_one_moment_stays_removed(tmp_path: Path) -> None:
    """What its last call left unwritten does not bring it back."""
    path = tmp_path / "state.sqlite"
    state = CountingFile(path)

    async def story() -> None:
        exchange = _exchange(state)
        body, target = b"nonce=1", "/0/private/Balance"
        signature = sign(secret=SECRET, path=target, body=body, nonce="1")
        call = SignedCall(api_key=KEY, signature=signature, path=target, body=body, nonce="1")
        exchange.authenticate(call)
        exchange.remove_key(KEY)
        exchange.flush()

    run_virtual(story())

    assert state.api_keys() == []


@pytest.mark.parametrize("kept", [1, 1_000], ids=["file", "memory"])
def test_a_history_holds_what_is_not_written_yet(tmp_path: Path, kept: int) -> None:
    """Whoever reads in the same moment reads all of it."""
    state = CountingFile(tmp_path / "state.sqlite")

    async def story() -> tuple[int, int, int]:
        exchange = _exchange(state, history_in_memory=kept)
        account = exchange.principals[0].account_id
        for number in range(ORDERS):
            order = exchange.add_order(account, ask_for("buy", "0.001", "60000.0"))
            exchange.cancel_order(account, order_id=order.order_id)
            if number == ORDERS // 2:
                exchange.flush()
        closed = exchange.closed_orders(account)
        return len(closed), len(exchange.ledger(account)), len(tuple(reversed(closed)))

    assert run_virtual(story()) == (ORDERS, 2, ORDERS)
