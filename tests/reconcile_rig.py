"""Accounts on one paper exchange, whose books and venue a story makes disagree; in virtual time.

The exchange, its client and the store are the real ones. Every scenario has an account of its own:
100,000 USD, two coins and ten ether from earlier, and, bought through the gate, a position of
0.0004 BTC with its stop at the venue.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import httpx
from sqlalchemy import text

import kraken_answers as kraken
from builders import d, make_request, place
from fakes import Desk, RecordingApprover, command_io, fresh_store
from paper_desk import BTC_USD, ScriptedSource, snapshot, traded
from zoe_tools.commands.reconcile import _reconcile
from zoe_tools.commands.recover_sl import _recover
from zoe_tools.core.ledger_journal import booked
from zoe_tools.domain.account import Account
from zoe_tools.domain.identifiers import ClientOrderId, VenueOrderId
from zoe_tools.domain.order import OrderType, VenueOrder
from zoe_tools.domain.policy import Policy
from zoe_tools.kraken.nonce import NonceSource
from zoe_tools.kraken.rest import RestClient
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.paper.app import create_app
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.exchange.faults import FaultRule
from zoe_tools.paper.markets.pair_specs import spec_named
from zoe_tools.paper.values.market import BookSnapshot
from zoe_tools.paper.values.times import ns_of
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual
from zoe_tools.store.runner import InlineRunner
from zoe_tools.store.store import Store, Transaction

PAIRS = (BTC_USD, spec_named("ETH/USD"))
MONEY = {"USD": d("100000"), "BTC": d("2"), "ETH": d("10")}
BID, ASK = "70000.0", "70000.1"
POLICY = Policy(max_daily_notional=d("1000"), max_notional_per_trade=d("100"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one `zoe reconcile` said: its exit code and the classes, twice the same twice."""

    code: int
    kinds: tuple[str, ...]
    result: dict[str, Any]

    @property
    def states(self) -> set[str]:
        """The states of what was found."""
        return {each["state"] for each in self.result["findings"]}


class World:
    """One account: `desk` works on it as zoe does, the rest is what happens behind its back."""

    def __init__(self, floor: SharedFloor, name: str) -> None:
        self.floor = floor
        self.clock = floor.clock
        self.account_id = floor.exchange.create_account(
            name, name, kraken.SECRET, balances=MONEY, tier="pro"
        )
        self.rest = RestClient(
            "http://paper",
            api_key=name,
            api_secret=kraken.SECRET,
            clock=floor.clock,
            coordination=NonceSource(floor.clock),
            transport=httpx.ASGITransport(app=floor.app),
            tier="pro",
        )
        account = Account(venue="kraken", mode="paper", fingerprint=f"{len(name):02x}{name[:6]}")
        folder = floor.home / name
        folder.mkdir()
        self.spot = KrakenSpot(self.rest, floor.clock)
        self.desk = Desk(
            venue=cast("Any", self.spot),
            clock=floor.clock,
            store=InlineRunner(floor.store_in(folder, account)),
            approver=RecordingApprover(),
            account=account,
            policy=POLICY,
            home=folder,
        )

    async def close(self) -> None:
        """Let go of the wires and the store."""
        await self.rest.aclose()
        await self.desk.store.close()

    # --- what zoe does ---------------------------------------------------------------------------

    async def reconcile(self, *words: tuple[str, str], execute: bool = False) -> Told:
        """The command, with --json; the time of a look passes."""
        context, invocation, out = command_io(self.desk, "reconcile", json=True)
        code = await _reconcile(context, invocation, words, execute=execute)
        result = json.loads(out.getvalue())["result"]
        await self.clock.sleep(20)
        kinds = tuple(sorted(each["kind"] for each in result.get("findings", ())))
        return Told(code=code, kinds=kinds, result=result)

    async def enter(self, *, limit: str | None = None, quantity: str = "0.0004") -> VenueOrder:
        """Buy through the gate: at the market, or resting at a limit."""
        request = make_request(
            quantity=d(quantity),
            limit_price=d(limit) if limit else None,
            order_type=OrderType.LIMIT if limit else OrderType.MARKET,
        )
        before = {each.client_order_id for each in await self.read(lambda tx: tx.orders())}
        await self.desk.do(place(request, notional=d("28")))
        orders = await self.read(lambda tx: tx.orders())
        fresh = [each for each in orders if each.client_order_id not in before]
        (made,) = [each for each in fresh if each.purpose == "entry"]  # a loop may stop it already
        assert made.venue_order_id is not None
        (order,) = await self.spot.orders([made.venue_order_id])
        return order

    async def protect(self) -> None:
        """`zoe recover-sl --execute`."""
        context, invocation, _ = command_io(self.desk, "recover-sl")
        await _recover(context, invocation, execute=True)

    async def learn_the_ledger(self) -> None:
        """`zoe ledger import --from-venue --execute`: all rows of now."""
        rows = booked(reversed(await self.spot.ledger()))
        source, now = f"import {len(rows)}/0", self.clock.now()
        await self.read(lambda tx: tx.ledger_book.record(rows, source=source, at=now))

    async def read(self, work: Callable[[Transaction], Any]) -> Any:
        """Ask the store."""
        return await self.desk.read(work)

    # --- what happens behind its back ------------------------------------------------------------

    async def sql(self, words: str) -> None:
        """What a person types at a database prompt; `:me` is the account."""

        def work(transaction: Transaction) -> None:
            me = {"me": transaction.account_id} if ":me" in words else {}
            transaction._connection.execute(text(words), me)

        await self.read(work)

    async def place_by_hand(self, name: str = "", **changes: Any) -> VenueOrderId:
        """An order with the same key that zoe knows nothing of; it rests far below the market."""
        request = make_request(**{"limit_price": d("60000.0"), **changes})
        deadline = self.clock.now() + timedelta(seconds=5)
        return await self.spot.place(
            request, client_order_id=ClientOrderId(name or str(UUID(int=1))), deadline=deadline
        )

    async def stop(self) -> VenueOrder:
        """The stop at the venue."""
        (found,) = [each for each in await self.spot.open_orders() if each.order_type.is_stop]
        return found

    def take_out(self, asset: str, amount: str) -> None:
        """Coins leave the account; the ledger tells."""
        self.floor.exchange.deposit(self.account_id, asset, -d(amount))

    def vanish(self, asset: str, amount: str) -> None:
        """The venue loses money without a ledger row."""
        account = self.floor.exchange._floor.account(self.account_id)
        account.balances[asset] -= d(amount)

    def lie(self, fault: str, where: str, times: int | None = None) -> None:
        """From now on that read tells nothing, or half; until `truth`."""
        rule = FaultRule(name=cast("Any", fault), where=where, times=times)
        self.floor.exchange.arm_fault(rule)

    def truth(self) -> None:
        """All reads tell all."""
        self.floor.exchange.clear_faults()

    async def market(self, bid: str, ask: str, size: str = "5") -> None:
        """The market moves, somebody sells so much, and what that triggers has happened."""
        self.floor.move(bid, ask, size)
        await self.clock.sleep(1)

    # --- what must hold --------------------------------------------------------------------------

    def money(self) -> dict[str, Decimal]:
        """All that the exchange itself holds for the account."""
        account = self.floor.exchange._floor.account(self.account_id)
        return dict(account.balances)

    async def managed(self) -> Decimal:
        """The registry's coins."""
        held = await self.read(lambda tx: tx.positions(open_only=True))
        return sum((each.quantity for each in held), Decimal(0))


class SharedFloor:
    """The exchange, its clock, and where the stores are."""

    def __init__(self, home: Path, database_url: str = "") -> None:
        self.home = home
        self._database_url = database_url
        self.clock = VirtualClock(kraken.EPOCH)
        self._at = ns_of(kraken.EPOCH)
        books = (
            snapshot([f"{BID} 5"], [f"{ASK} 5"], self._at),
            BookSnapshot(
                at=self._at,
                symbol="ETH/USD",
                bids=((d("3000.0"), d("50")),),
                asks=((d("3000.1"), d("50")),),
            ),
        )
        source = ScriptedSource(books, PAIRS, starts_at=self._at)
        self.exchange = PaperExchange(source, self.clock, seed=7)
        self.app = create_app(self.exchange, proof_secret=None)

    def store_in(self, folder: Path, account: Account) -> Store:
        """A store of its own for the account; or one for all, in a database that is at head."""
        if self._database_url:
            now = self.clock.now()
            return Store.open(self._database_url, account, clock_now=now, epoch_seed="tests")
        return fresh_store(folder, account)

    def move(self, bid: str, ask: str, size: str) -> None:
        """The source shows another book."""
        at = ns_of(self.clock.now())
        self.exchange.hear(snapshot([f"{bid} 5"], [f"{ask} 5"], at))
        self.exchange.hear(traded(bid, size, at=at))


Story = Callable[[World], Awaitable[Any]]


def told_by(home: Path, stories: dict[str, Story], database_url: str = "") -> dict[str, Any]:
    """What each story brings, or the error that ended it; one after another on one exchange."""

    async def run() -> dict[str, Any]:
        floor = SharedFloor(home, database_url)
        pump = asyncio.create_task(floor.exchange.run())
        await floor.clock.sleep(120)
        found: dict[str, Any] = {}
        for number, (name, story) in enumerate(stories.items()):
            world = World(floor, f"{number:06x}")
            try:
                found[name] = await story(world)
            except Exception as error:  # noqa: BLE001 - its own test tells it, the others go on
                found[name] = error
            finally:
                floor.exchange.clear_faults()
                floor.move(BID, ASK, "5")
                await world.close()
        pump.cancel()
        with suppress(asyncio.CancelledError):
            await pump
        return found

    return run_virtual(run())
