"""What faults do to REST: answers lost, late, refused, thinned; and whether the work was done."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from paper_desk import API_KEY, API_SECRET, RestDesk, snapshot
from zoe_tools.paper.admin.door import SEAL, seal
from zoe_tools.paper.app import create_app
from zoe_tools.paper.exchange.faults import FaultRule
from zoe_tools.paper.exchange.keys import sign
from zoe_tools.paper.values.times import moment_of
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.venue import in_process_transport
from zoe_tools.runtime.virtual_loop import run_virtual

SECRET = b"the home's secret"
ORDER = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "volume": "0.01", "price": "60000"}


class Caller:
    """Signs calls to an exchange in the same process."""

    def __init__(self, desk: RestDesk, client: httpx.AsyncClient) -> None:
        self.desk = desk
        self.client = client
        self._nonce = 0

    async def call(self, method: str, **fields: str) -> httpx.Response:
        """One signed call."""
        self._nonce += 1
        nonce, path = str(self._nonce), f"/0/private/{method}"
        body = urlencode({"nonce": nonce, **fields})
        signature = sign(secret=API_SECRET, path=path, body=body.encode(), nonce=nonce)
        return await self.client.post(
            path,
            content=body,
            headers={
                "API-Key": API_KEY,
                "API-Sign": signature,
                "Content-Type": "application/x-www-form-urlencoded",
            },
        )

    async def admin(self, path: str, body: str = "", secret: bytes = SECRET) -> httpx.Response:
        """One call of the operator."""
        where = f"/zoe/admin/{path}"
        headers = {SEAL: seal(secret, where, body.encode())}
        return await self.client.post(where, content=body, headers=headers)

    def arm(self, name: str, **fields: Any) -> None:
        """Arm a fault."""
        self.desk.exchange.arm_fault(FaultRule(**{"name": name, **fields}))

    @property
    def orders(self) -> int:
        """How many orders the account ever had."""
        exchange, account_id = self.desk.exchange, self.desk.account_id
        return len(exchange.open_orders(account_id)) + len(exchange.closed_orders(account_id))


def calling(story: Callable[[Caller], Awaitable[Any]]) -> Any:
    """Tell a story in virtual time."""

    async def told() -> Any:
        market = snapshot(["69999.0 1.0"], ["70001.0 1.0"])
        desk = RestDesk(market, clock=VirtualClock(moment_of(market.at)))
        app = create_app(desk.exchange, proof_secret=None, admin_secret=SECRET)
        running = asyncio.create_task(desk.exchange.run())
        async with httpx.AsyncClient(
            transport=in_process_transport(app), base_url="http://paper"
        ) as client:
            await asyncio.sleep(0.1)
            found = await story(Caller(desk, client))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return found

    return run_virtual(told())


@pytest.mark.parametrize(("name", "orders"), [("accept-then-drop", 1), ("reply-lost-before", 0)])
def test_a_dropped_connection_has_done_the_work_or_not(name: str, orders: int) -> None:
    """The client sees the same of both; only the books tell."""

    async def story(caller: Caller) -> int:
        caller.arm(name, where="AddOrder")
        with pytest.raises(httpx.RemoteProtocolError):
            await caller.call("AddOrder", **ORDER)
        return caller.orders

    assert calling(story) == orders


def test_a_lost_reply_never_comes_and_the_work_is_done() -> None:
    """The connection stays open until the client gives up."""

    async def story(caller: Caller) -> int:
        caller.arm("reply-lost-after", where="AddOrder")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(600):
                await caller.call("AddOrder", **ORDER)
        return caller.orders

    assert calling(story) == 1


@pytest.mark.parametrize(("executes", "at_once"), [(None, 1), (True, 1), (False, 0)])
def test_a_hanging_call_is_answered_late(*, executes: bool | None, at_once: int) -> None:
    """After its seconds; the work is done at once, or only then."""

    async def story(caller: Caller) -> tuple[int, float, Any]:
        caller.arm("hang", where="AddOrder", delay_s=20, executes=executes)
        began = asyncio.get_running_loop().time()
        asked = asyncio.create_task(caller.call("AddOrder", **ORDER))
        await asyncio.sleep(10)
        done = caller.orders
        answer = await asked
        return done, asyncio.get_running_loop().time() - began, answer.json()

    done, took_s, answer = calling(story)

    assert (done, round(took_s)) == (at_once, 20)
    assert len(answer["result"]["txid"]) == 1


@pytest.mark.parametrize(("name", "status"), [("http-502", 502), ("http-520", 520)])
@pytest.mark.parametrize(("executes", "orders"), [(None, 0), (True, 1)])
def test_a_page_of_the_proxy_tells_nothing_of_the_work(
    *, name: str, status: int, executes: bool | None, orders: int
) -> None:
    """HTML, not JSON."""

    async def story(caller: Caller) -> tuple[httpx.Response, int]:
        caller.arm(name, where="AddOrder", executes=executes)
        return await caller.call("AddOrder", **ORDER), caller.orders

    answer, found = calling(story)

    assert (answer.status_code, found) == (status, orders)
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("busy", "EService:Busy"),
        ("unavailable", "EService:Unavailable"),
        ("throttled", "EService: Throttled: 1767600030"),
        ("invalid-nonce", "EAPI:Invalid nonce"),
        ("rate-limit", "EAPI:Rate limit exceeded"),
    ],
)
@pytest.mark.parametrize(("executes", "orders"), [(None, 0), (True, 1)])
def test_a_refusal_in_words_may_hide_an_execution(
    *, name: str, words: str, executes: bool | None, orders: int
) -> None:
    """HTTP 200 with Kraken's string; the next call is served."""

    async def story(caller: Caller) -> tuple[Any, int, Any]:
        caller.arm(name, where="AddOrder", executes=executes)
        struck = (await caller.call("AddOrder", **ORDER)).json()
        return struck, caller.orders, (await caller.call("Balance")).json()

    struck, found, after = calling(story)

    assert (struck, found) == ({"error": [words]}, orders)
    assert after["error"] == []


def test_a_read_may_find_nothing_or_half() -> None:
    """Neither is evidence of anything."""

    async def story(caller: Caller) -> list[int]:
        for _ in range(4):
            await caller.call("AddOrder", **ORDER)
        caller.arm("empty-answer", where="OpenOrders")
        caller.arm("shrunken-answer", where="OpenOrders")
        answers = [(await caller.call("OpenOrders")).json() for _ in range(3)]
        return [len(answer["result"]["open"]) for answer in answers]

    assert calling(story) == [0, 2, 4]


def test_rest_may_lag_behind_a_fill() -> None:
    """Open, without its trade and ledger rows, for its seconds; then everything at once."""

    async def looked(caller: Caller) -> tuple[list[str], int, int]:
        orders = (await caller.call("OpenOrders")).json()["result"]["open"]
        trades = (await caller.call("TradesHistory")).json()["result"]["trades"]
        rows = (await caller.call("Ledgers", type="trade")).json()["result"]["ledger"]
        return [row["vol_exec"] for row in orders.values()], len(trades), len(rows)

    async def story(caller: Caller) -> list[tuple[list[str], int, int]]:
        caller.arm("rest-lag", for_s=5, delay_s=60)
        await caller.call("AddOrder", **{**ORDER, "price": "70001"})
        found = [await looked(caller)]
        await asyncio.sleep(61)
        return [*found, await looked(caller)]

    assert calling(story) == [(["0.00000000"], 0, 0), ([], 1, 2)]


def test_a_skewed_clock_is_told_and_judges_deadlines() -> None:
    """Two minutes ahead, a deadline in a minute has passed."""

    async def story(caller: Caller) -> tuple[int, Any, Any]:
        caller.arm("clock-skew", for_s=60, delay_s=120)
        told = (await caller.client.get("/0/public/Time")).json()["result"]["unixtime"]
        order = {**ORDER, "deadline": "2026-01-05T08:00:55Z"}
        late = (await caller.call("AddOrder", **order)).json()
        caller.desk.exchange.clear_faults()
        return told, late, (await caller.call("AddOrder", **order)).json()

    told, late, right = calling(story)

    assert told == 1767600120
    assert late == {"error": ["EService:Deadline elapsed"]}
    assert right["error"] == []


def test_a_maintenance_goes_through_its_modes() -> None:
    """Unavailable, cancels only, post-only, online again."""

    async def story(caller: Caller) -> list[str]:
        caller.arm("maintenance", after_s=10, delay_s=60)
        told = []
        for _ in range(5):
            status = (await caller.client.get("/0/public/SystemStatus")).json()
            told.append(status["result"]["status"])
            await asyncio.sleep(60)
        return told

    assert calling(story) == ["online", "maintenance", "cancel_only", "post_only", "online"]


def test_clearing_opens_what_a_maintenance_closed() -> None:
    """At once, and for good."""

    async def story(caller: Caller) -> tuple[str, str]:
        caller.arm("maintenance", delay_s=60)
        await asyncio.sleep(1)
        before = caller.desk.exchange.mode
        caller.desk.exchange.clear_faults()
        await asyncio.sleep(600)
        return before, caller.desk.exchange.mode

    assert calling(story) == ("maintenance", "online")


def test_the_operator_arms_shows_and_clears_over_the_wire() -> None:
    """Sealed with the home's secret."""

    async def story(caller: Caller) -> list[Any]:
        document = json.dumps({"faults": [{"name": "busy"}, {"name": "hang"}]})
        return [
            (await caller.admin("faults/arm", document)).json(),
            len((await caller.admin("faults/show")).json()["result"]["armed"]),
            (await caller.admin("faults/clear")).json(),
            (await caller.admin("faults/arm", '{"name":"bsy"}')).status_code,
        ]

    armed, shown, cleared, wrong = calling(story)

    assert armed == {"error": [], "result": {"armed": [1, 2]}}
    assert (shown, wrong) == (2, 400)
    assert cleared == {"error": [], "result": {"disarmed": 2}}


@pytest.mark.parametrize(
    ("last", "why"),
    [
        ({"name": "busy", "times": 0}, "times"),
        ({"name": "busy", "where": "AddOrdr"}, "there is no 'AddOrdr' here, is it AddOrder?"),
        ({"name": "busy", "where": "\x1b[31m"}, "there is no '\\x1b[31m' here"),
    ],
)
def test_a_document_is_armed_whole_or_not_at_all(last: dict[str, Any], why: str) -> None:
    """And not at a place that there is not: it would never strike."""

    async def story(caller: Caller) -> list[Any]:
        answer = await caller.admin("faults/arm", json.dumps([{"name": "busy"}, last]))
        return [answer.status_code, answer.json()["error"], caller.desk.exchange.faults.is_quiet]

    assert calling(story) == [400, [f"EGeneral:Invalid arguments:{why}"], True]


@pytest.mark.parametrize("amount", ["1E+30", "1E+999", "NaN", "-1E+999999"])
@pytest.mark.parametrize("way", ["check", "move"])
def test_no_amount_is_too_much_for_the_operators_door(way: str, amount: str) -> None:
    """Refused in words before anything is reckoned with it."""

    async def story(caller: Caller) -> tuple[int, Any]:
        order = {"action": "deposit", "asset": "USD", "amount": amount}
        answer = await caller.admin(f"funds/{way}", json.dumps(order))
        return answer.status_code, answer.json()

    assert calling(story) == (400, {"error": ["EFunding:Invalid amount"]})


def test_a_bug_behind_the_operators_door_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logged whole, never a traceback on the terminal."""

    async def story(caller: Caller) -> tuple[int, Any]:
        monkeypatch.setattr(caller.desk.exchange, "clear_faults", lambda: 1 / 0)
        answer = await caller.admin("faults/clear")
        return answer.status_code, answer.json()

    assert calling(story) == (500, {"error": ["EGeneral:Internal error"]})


def test_nobody_else_is_let_in() -> None:
    """Neither without the seal nor with another's, nor with the seal of another body."""

    async def story(caller: Caller) -> list[int]:
        body = '{"name":"busy"}'
        wrong = await caller.admin("faults/arm", body, secret=b"another")
        bare = await caller.client.post("/zoe/admin/faults/arm", content=body)
        headers = {SEAL: seal(SECRET, "/zoe/admin/faults/arm", b"")}
        other = await caller.client.post("/zoe/admin/faults/arm", content=body, headers=headers)
        assert caller.desk.exchange.faults.is_quiet
        return [wrong.status_code, bare.status_code, other.status_code]

    assert calling(story) == [403, 403, 403]
