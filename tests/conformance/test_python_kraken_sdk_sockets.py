"""python-kraken-sdk over WebSocket v2, as installed: only its URLs are others.

`SpotWSClient` takes them as arguments, without the `/v2` that it adds; `SpotOrderBookClient` takes
none, and has them from the class attributes `WS_URL` and, to look up decimals, `Market.URL`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any, TypeVar

import pytest
from kraken.spot import Market, SpotOrderBookClient, SpotWSClient

from conformance_orders import MORE, SOCKET_KINDS, prices_of, socket_fields, told_of
from conformance_table import SDK, SDK_WS
from conformance_venue import SYMBOL, Venue, until

Shows = Callable[[str, str], None]
T = TypeVar("T")
_PATIENCE_S = 30.0


class Talk(SpotWSClient):  # type: ignore[misc]  # untyped here
    """The client, remembering what it hears."""

    def __init__(self, venue: Venue, *, level3: bool = False) -> None:
        public, private, orders = venue.ws_bases
        super().__init__(
            key=venue.api_key,
            secret=venue.api_secret,
            no_public=level3,
            rest_url=venue.rest_url,
            ws_url=public,
            auth_ws_url=orders if level3 else private,
        )
        self.heard: list[dict[str, Any]] = []
        self._asked = 0

    async def on_message(self, message: Any) -> None:
        """Remember."""
        self.heard.append(message)

    async def until(self, is_it: Callable[[Mapping[str, Any]], bool]) -> dict[str, Any]:
        """The first message of that kind, heard already or to come."""
        while True:
            for message in self.heard:
                if is_it(message):
                    return message
            await asyncio.sleep(0.01)

    async def channel(self, name: str, kind: str) -> dict[str, Any]:
        """The first frame of a channel."""
        return await self.until(
            lambda each: (each.get("channel"), each.get("type")) == (name, kind)
        )

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The answer to a request."""
        self._asked += 1
        number = self._asked
        await self.send_message({"method": method, "params": params, "req_id": number})
        return await self.until(lambda each: each.get("req_id") == number)

    async def result(self, method: str, **params: Any) -> Any:
        """The result of a request that succeeds."""
        answer = await self.ask(method, **params)
        assert answer["success"], answer
        return answer["result"]

    async def order(self, order_id: str) -> Any:
        """An order as REST has it."""
        told = await self.request("POST", "/0/private/QueryOrders", params={"txid": order_id})
        return told[order_id]


class Line:
    """One connected client for many tests: connecting takes it seconds. Its loop has a thread."""

    def __init__(self, venue: Venue) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._talk = self._run(self._connected(venue))

    @staticmethod
    async def _connected(venue: Venue) -> Talk:
        talk = Talk(venue)
        await talk.start()
        return talk

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE_S)

    def told(self, story: Callable[[Talk], Coroutine[Any, Any, T]]) -> T:
        """What comes of a story with the client, who has forgotten what it heard before."""
        self._talk.heard.clear()
        return self._run(story(self._talk))

    def hang_up(self) -> None:
        """Close the client, then its loop."""
        self._run(self._talk.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE_S)
        self._loop.close()


@pytest.fixture(scope="module")
def line(venue: Venue) -> Iterator[Line]:
    """The client that most tests share."""
    made = Line(venue)
    yield made
    made.hang_up()


def told(venue: Venue, story: Callable[[Talk], Coroutine[Any, Any, T]], *, level3: bool) -> T:
    """What comes of a story with a client of its own; one for level3, or without a key."""

    async def run() -> T:
        async with asyncio.timeout(_PATIENCE_S), Talk(venue, level3=level3) as talk:
            return await story(talk)

    return asyncio.run(run())


# --- streams -------------------------------------------------------------------------------------


def test_it_follows_the_market(line: Line, shows: Shows) -> None:
    """Every public channel: its snapshot, and updates."""

    async def story(talk: Talk) -> None:
        for channel in ("ticker", "book", "ohlc", "trade"):
            await talk.subscribe(params={"channel": channel, "symbol": [SYMBOL]})
        await talk.subscribe(params={"channel": "instrument"})
        for channel in ("ticker", "book", "ohlc", "instrument"):
            assert (await talk.channel(channel, "snapshot"))["data"]
        for channel in ("ticker", "book", "ohlc", "trade"):
            assert (await talk.channel(channel, "update"))["data"][0]["symbol"] == SYMBOL
        assert {each["channel"] for each in talk.active_public_subscriptions} == {
            *("ticker", "book", "ohlc", "trade", "instrument"),
        }
        for channel in ("ticker", "book", "ohlc", "trade"):
            interval = {"interval": 1} if channel == "ohlc" else {}
            await talk.unsubscribe(params={"channel": channel, "symbol": [SYMBOL], **interval})
        await until(lambda: len(talk.active_public_subscriptions) == 1)

    line.told(story)
    shows(SDK, "order book over sockets")
    shows(SDK, "ticker, trades and candles over sockets")


def test_it_follows_every_order_of_the_book(venue: Venue, shows: Shows) -> None:
    """The level3 channel, on a socket of its own."""

    async def story(talk: Talk) -> None:
        await talk.subscribe(params={"channel": "level3", "symbol": [SYMBOL]})
        (row,) = (await talk.channel("level3", "snapshot"))["data"]
        assert row["bids"][0]["limit_price"] < row["asks"][0]["limit_price"]
        (row,) = (await talk.channel("level3", "update"))["data"]
        assert {each["event"] for each in (*row["bids"], *row["asks"])} <= {
            *("add", "modify", "delete"),
        }

    told(venue, story, level3=True)
    shows(SDK, "order by order (level 3)")


def test_it_follows_orders_fills_and_balances(line: Line, shows: Shows) -> None:
    """An order's life on `executions`, and the two ledger rows of its fill on `balances`."""

    async def story(talk: Talk) -> None:
        await talk.subscribe(params={"channel": "executions", "snap_orders": True})
        await talk.subscribe(params={"channel": "balances"})
        await talk.channel("balances", "snapshot")
        await talk.channel("executions", "snapshot")
        order = await talk.result(
            "add_order", symbol=SYMBOL, side="buy", order_type="market", order_qty=0.001
        )
        mine: list[str] = []
        while "filled" not in mine:
            await asyncio.sleep(0.01)
            frames = [each for each in talk.heard if each.get("channel") == "executions"]
            rows = [row for each in frames for row in each["data"]]
            mine = [r["exec_type"] for r in rows if r["order_id"] == order["order_id"]]
        frames = [each for each in talk.heard if "sequence" in each]
        changed = [
            row["asset"]
            for each in frames
            if (each["channel"], each["type"]) == ("balances", "update")
            for row in each["data"]
        ]
        assert [*mine[:2], mine[-1]] == ["pending_new", "new", "filled"]
        assert sorted(set(changed)) == ["BTC", "USD"]
        numbers = [each["sequence"] for each in frames if each["channel"] == "executions"]
        assert numbers == list(range(1, len(numbers) + 1))
        for channel in ("executions", "balances"):
            await talk.unsubscribe(params={"channel": channel})
        await until(lambda: talk.active_private_subscriptions == [])

    line.told(story)
    shows(SDK, "own orders and fills over sockets")
    shows(SDK, "balances over sockets")


# --- orders --------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", SOCKET_KINDS)
def test_it_places_queries_amends_and_cancels(
    row: str, line: Line, venue: Venue, shows: Shows
) -> None:
    """An order of each kind is what was asked for; one that rests keeps its id when amended."""
    fields = socket_fields(row, prices_of(venue))

    async def story(talk: Talk) -> None:
        order_id = (await talk.result("add_order", **fields))["order_id"]
        assert told_of(await talk.order(order_id)) == SOCKET_KINDS[row]
        if not SOCKET_KINDS[row].rests:
            return
        amended = await talk.result("amend_order", order_id=order_id, order_qty=float(MORE))
        assert amended["order_id"] == order_id
        assert float((await talk.order(order_id))["vol"]) == float(MORE)
        await talk.result("cancel_order", order_id=[order_id])
        assert (await talk.order(order_id))["status"] == "canceled"

    line.told(story)
    shows(SDK_WS, row)
    shows(SDK, "place, amend and cancel over sockets")


def test_it_uses_every_other_method_of_the_socket(line: Line) -> None:
    """edit_order, batches, cancel_all, the dead man's switch, `validate`, and a refusal."""
    one = {"side": "buy", "order_type": "limit", "order_qty": 0.01, "limit_price": 50_000}

    async def story(talk: Talk) -> None:
        old = (await talk.result("add_order", symbol=SYMBOL, **one))["order_id"]
        edited = await talk.result("edit_order", symbol=SYMBOL, order_id=old, order_qty=0.02)
        assert edited["original_order_id"] == old
        placed = await talk.result("batch_add", symbol=SYMBOL, orders=[one, one, one])
        ids = [order["order_id"] for order in placed]
        assert await talk.result("batch_cancel", orders=ids[:2]) == {"count": 2}
        assert await talk.result("cancel_all") == {"count": 2}
        armed = await talk.result("cancel_all_orders_after", timeout=60)
        assert armed["currentTime"] < armed["triggerTime"]
        await talk.result("cancel_all_orders_after", timeout=0)
        checked = await talk.result("add_order", symbol=SYMBOL, validate=True, **one)
        assert checked["order_id"] == ""
        refused = await talk.ask("add_order", symbol=SYMBOL, **{**one, "order_qty": 1000})
        assert (refused["success"], refused["error"]) == (False, "EOrder:Insufficient funds")

    line.told(story)


@pytest.mark.parametrize("fault", ["ws-close-1001", "ws-close-1006"])
def test_it_comes_back_and_subscribes_again(fault: str, venue: Venue, shows: Shows) -> None:
    """By itself, to what it was subscribed to."""

    async def story(talk: Talk) -> None:
        # an idle socket would keep the client from hanging up for ten seconds
        await talk.subscribe(params={"channel": "balances"})
        await talk.subscribe(params={"channel": "book", "symbol": [SYMBOL]})
        await talk.channel("book", "snapshot")
        talk.heard.clear()
        with venue.failing(fault, where="book"):
            await talk.channel("book", "snapshot")

    told(venue, story, level3=False)
    shows(SDK, "come back after a lost connection")


def test_it_follows_its_balances_again_after_a_lost_connection(venue: Venue, shows: Shows) -> None:
    """With a fresh token, and a fresh snapshot."""

    async def story(talk: Talk) -> None:
        await talk.subscribe(params={"channel": "ticker", "symbol": [SYMBOL]})
        await talk.subscribe(params={"channel": "balances"})
        await talk.channel("balances", "snapshot")
        talk.heard.clear()
        order = {"order_type": "market", "side": "buy", "symbol": SYMBOL, "order_qty": 0.001}
        with venue.failing("ws-close-1006", where="balances"):
            await talk.send_message({"method": "add_order", "params": order})
            await talk.channel("balances", "snapshot")

    told(venue, story, level3=False)
    shows(SDK, "own streams again after a lost connection")


def test_it_hears_of_a_stale_token(line: Line, venue: Venue, shows: Shows) -> None:
    """The answer says so; the client raises nothing."""

    async def story(talk: Talk) -> dict[str, Any]:
        with venue.failing("stale-token"):
            return await talk.ask("cancel_all")

    answer = line.told(story)

    assert (answer["success"], answer["error"]) == (False, "ESession:Invalid session")
    shows(SDK, "stale token of a socket")


# --- the book ------------------------------------------------------------------------------------


class Book(SpotOrderBookClient):  # type: ignore[misc]  # untyped here
    """The client's own book, counting what its checksum said."""

    def __init__(self, depth: int) -> None:
        super().__init__(depth=depth)
        self.verdicts: list[bool] = []

    async def on_book_update(self, pair: str, message: Any) -> None:
        """Note whether the client found its book right; it does not look at snapshots."""
        if message.get("type") == "update":
            self.verdicts.append(self.get(pair)["valid"])


@pytest.mark.parametrize("depth", [10, 25, 100])
def test_its_checksums_hold(
    depth: int, venue: Venue, shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Computed by the client from its own book, at every update."""
    monkeypatch.setattr(Book, "WS_URL", venue.ws_bases[0])
    monkeypatch.setattr(Market, "URL", venue.rest_url)

    async def run() -> list[bool]:
        book = Book(depth)
        async with asyncio.timeout(_PATIENCE_S), book:
            await book.add_book(pairs=[SYMBOL])
            await until(lambda: len(book.verdicts) >= 8)
        return book.verdicts

    assert set(asyncio.run(run())) == {True}
    shows(SDK, "checksums of the book")


def test_it_notices_a_corrupt_checksum(
    venue: Venue, shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so, and subscribes again by itself."""
    monkeypatch.setattr(Book, "WS_URL", venue.ws_bases[0])
    monkeypatch.setattr(Market, "URL", venue.rest_url)

    async def run() -> list[bool]:
        book = Book(10)
        async with asyncio.timeout(_PATIENCE_S), book:
            await book.add_book(pairs=[SYMBOL])
            await until(lambda: bool(book.verdicts))
            with venue.failing("checksum-corrupt"):
                await until(lambda: False in book.verdicts)
            seen = len(book.verdicts)
            await until(lambda: len(book.verdicts) > seen)
        return book.verdicts

    verdicts = asyncio.run(run())

    assert (verdicts.count(False), verdicts[-1]) == (1, True)
    shows(SDK, "notice a corrupt checksum")
