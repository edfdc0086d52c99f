"""The store goes: nothing that adds risk is done, what reduces it is, and the books learn of it.

Real processes, a real paper exchange; a full disk, a lock that another process keeps, a PostgreSQL
that is stopped.
"""

from __future__ import annotations

import json
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest

from builders import BTC, ETH, make_request
from nursery import Running, nursery
from postgres_server import PostgresServer
from program import PATIENCE_S, Home, let_time_pass, wait_until
from zoe_tools.domain.identifiers import ClientOrderId, Symbol
from zoe_tools.domain.journal import IntentKind
from zoe_tools.domain.money import plain
from zoe_tools.domain.order import Side, VenueOrder
from zoe_tools.domain.trading_state import KillLevel
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.runtime.plan_files import read_plan
from zoe_tools.store.emergency_file import SIZE, EmergencyFile

FUNDS = {"USD": "10000", "BTC": "2", "ETH": "10"}
FAR_BELOW = "100"
"""The market: a stop at 98 stays, however it moves."""

FAULTS = ("full", "busy", "stopped")


class Outage:
    """One way to lose a store, and the way back; `process` is a running one that has it open."""

    def __init__(self, home: Home, fault: str, server: PostgresServer | None) -> None:
        self.home = home
        self.fault = fault
        self._server = server

    @contextmanager
    def lasting(self, process: Running | None = None) -> Iterator[None]:
        """From the beginning of the block to its end."""
        if self._server is not None:
            self._server.halt()
            try:
                yield
            finally:
                self._server.start()
            return
        with closing(
            sqlite3.connect(self.home.folder / "zoe.db", isolation_level=None)
        ) as connection:
            if self.fault == "busy":
                connection.execute("BEGIN IMMEDIATE")
                yield
            else:
                yield from self._full(connection, process)

    def _full(self, connection: sqlite3.Connection, process: Running | None) -> Iterator[None]:
        """No file may grow beyond what `emergency.jnl` has already; the log of SQLite is longer."""
        log = self.home.folder / "zoe.db-wal"
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("CREATE TABLE IF NOT EXISTS filler (row BLOB)")
        while log.stat().st_size <= SIZE:
            connection.execute("INSERT INTO filler VALUES (zeroblob(65536))")
        connection.execute("DROP TABLE filler")
        with closing(sqlite3.connect(self.home.folder / "zoe.db", isolation_level=None)) as reader:
            reader.execute("BEGIN")  # while somebody reads it, the log does not start over
            reader.execute("SELECT count(*) FROM order_intents").fetchone()
            pid = nursery().pid if process is None else process.pid  # those to come, or this one
            before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (SIZE, before[1]))
            try:
                yield
            finally:
                resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@pytest.fixture
def outage(home: Home, request: pytest.FixtureRequest) -> Iterator[Outage]:
    """A funded home, and the fault to come."""
    server: PostgresServer | None = None
    fault: str = request.param
    if fault == "stopped":
        server = PostgresServer()
        url = server.url(server.create_database())
        home = Home(folder=home.folder, environ={"DATABASE_URL": url})
    try:
        home.fund(FUNDS)
        home.serve("--speed", "10")
        home.init()
        yield Outage(home, fault, server)
    finally:
        home.stop_exchange()
        if server is not None:
            server.stop()


def adopting(symbol: Symbol, quantity: str, price: str) -> tuple[str, ...]:
    """The command that takes a balance over, as if bought at that price, and gives it its stop."""
    return ("sync-positions", "--price", price, "--adopt", f"{symbol}={quantity}", "--execute")


def hold_bitcoin(home: Home, price: str = "") -> None:
    """0.5 BTC are managed and have their stop; bought now, unless a price is named."""

    async def read(venue: KrakenSpot) -> Decimal:
        (quote,) = await venue.quotes((BTC,))
        return quote.bid

    ran = home.here(*adopting(BTC, "0.5", price or plain(home.at_the_venue(read))))
    assert ran.code == 0, ran.err + ran.out


def open_orders(home: Home) -> tuple[VenueOrder, ...]:
    """What rests at the venue."""

    async def read(venue: KrakenSpot) -> tuple[VenueOrder, ...]:
        return await venue.open_orders()

    return home.at_the_venue(read)


def stops(home: Home) -> list[str]:
    """The instruments that have a stop at the venue."""
    return sorted(each.symbol for each in open_orders(home) if each.side is Side.SELL)


def lose_the_stop(home: Home) -> None:
    """Somebody cancels it at the venue."""
    (stop,) = [each for each in open_orders(home) if each.side is Side.SELL]

    async def cancel(venue: KrakenSpot) -> int:
        return await venue.cancel(stop.venue_order_id)

    assert home.at_the_venue(cancel) == 1


def rest_a_buy(home: Home) -> None:
    """Somebody's order that could add risk."""
    request = make_request(quantity=Decimal("0.01"), limit_price=Decimal(1000))

    async def place(venue: KrakenSpot) -> None:
        deadline = await venue.server_time() + timedelta(seconds=50)
        name = ClientOrderId(str(uuid4()))
        await venue.place(request, client_order_id=name, deadline=deadline)

    home.at_the_venue(place)


def buys(home: Home) -> set[str]:
    """Every buy that ever was at the venue."""

    async def read(venue: KrakenSpot) -> tuple[VenueOrder, ...]:
        return await venue.open_orders() + await venue.closed_orders()

    return {each.venue_order_id for each in home.at_the_venue(read) if each.side is Side.BUY}


def told(home: Home, name: str) -> int:
    """How often an event is in the log."""
    log = home.folder / "logs" / "zoe.log"
    lines = log.read_text().splitlines() if log.exists() else []
    return sum(json.loads(line).get("event") == name for line in lines)


def demand_protected(home: Home) -> None:
    """Each managed position has one stop of its own size, and the books name it."""
    at_venue = {each.venue_order_id: each for each in open_orders(home)}
    for position in home.in_the_books(lambda tx: tx.positions(open_only=True)):
        mine = [e for e in at_venue.values() if (e.symbol, e.side) == (position.symbol, Side.SELL)]
        assert [each.venue_order_id for each in mine] == [position.stop_venue_order_id]
        assert mine[0].quantity == position.quantity
    assert [e for e in home.in_the_books(lambda tx: tx.intents()) if not e.state.is_terminal] == []


@pytest.mark.parametrize("outage", FAULTS, indirect=True)
def test_a_kill_and_a_stop_go_out_and_what_adds_is_refused(outage: Outage) -> None:
    """Exit 7 each; when the store is back the next command books them, each once.

    A stop needs to know what is managed: where the books cannot even be read there is none.
    """
    home = outage.home
    hold_bitcoin(home, FAR_BELOW)
    lose_the_stop(home)
    rest_a_buy(home)
    readable = outage.fault != "stopped"
    with outage.lasting():
        assert home.zoe("recover-sl", "--execute").code == 7
        assert stops(home) == [BTC] * readable
        # At the same time: each of them waits for seconds before it gives the store up.
        again, more = ("recover-sl", "--execute"), adopting(ETH, "2", FAR_BELOW)
        with home.started(*again) as second, home.started(*more) as third:
            assert [each.wait(timeout=PATIENCE_S) for each in (second, third)] == [7, 7]
        assert stops(home) == [BTC] * readable
        soon = {"VISIBILITY_LAG_SECONDS": "1"}  # it looks again once that has passed
        assert home.zoe("kill", "--execute", environ=soon).code == 7
        assert [each.side for each in open_orders(home)] == [Side.SELL] * readable
    assert not EmergencyFile(home.folder).is_empty()

    ran = home.zoe("recover-sl", "--execute")
    assert ran.code == 0, ran.err + ran.out
    assert EmergencyFile(home.folder).is_empty()
    assert stops(home) == [BTC]
    demand_protected(home)
    assert home.in_the_books(lambda tx: tx.trading_state()).level is KillLevel.CANCEL_OPEN
    commands = {(each.command, each.kind) for each in home.in_the_books(lambda tx: tx.intents())}
    assert ("kill", IntentKind.CANCEL) in commands
    assert ("recover-sl", IntentKind.PLACE) in commands


@pytest.mark.parametrize("outage", ["full"], indirect=True)
def test_a_saved_plan_protects_and_adds_nothing_while_the_store_is_gone(outage: Outage) -> None:
    """Exit 7 both: the stop goes out by the emergency journal, the adoption does not begin."""
    home = outage.home
    hold_bitcoin(home, FAR_BELOW)
    lose_the_stop(home)
    stop, adoption = (str(home.folder.parent / f"{name}.plan") for name in ("stop", "adoption"))
    assert home.here("recover-sl", "--out", stop).code == 3
    assert home.here("recover-sl", "--execute").code == 0
    words = [each for each in adopting(ETH, "2", FAR_BELOW) if each != "--execute"]
    assert home.here(*words, "--out", adoption).code == 3
    with outage.lasting():
        refused = home.zoe("apply", adoption, "--execute")
        assert (refused.code, stops(home)) == (7, [BTC])
        assert "STORE_GONE" in refused.out
        lose_the_stop(home)
        placed = home.zoe("apply", stop, "--execute")
        assert (placed.code, stops(home)) == (7, [BTC]), placed.out + placed.err
    assert not EmergencyFile(home.folder).is_empty()

    ran = home.here("apply", stop, "--resume", "--execute")
    assert ran.code == 0, ran.err + ran.out
    assert EmergencyFile(home.folder).is_empty()
    assert stops(home) == [BTC]
    demand_protected(home)
    (intent,) = [e for e in home.in_the_books(lambda tx: tx.intents()) if "apply" in e.command]
    assert intent.plan_hash == read_plan(Path(stop)).plan_hash
    assert [each.symbol for each in home.in_the_books(lambda tx: tx.positions())] == [BTC]


def protected_all_along(outage: Outage, strategy: str, at_least_s: float) -> None:
    """A loop loses its store, and its position the stop; stopped in order after the store's return.

    Exit 0: the run's own audit finds the books and the venue equal.
    """
    home = outage.home
    hold_bitcoin(home)
    with home.started("run", "--strategy", strategy, "--speed", "10") as process:
        wait_until(lambda: is_ready(home))
        let_time_pass(1.0)
        with outage.lasting(process):
            wait_until(lambda: told(home, "STORE_AWAY") == 1)
            before = buys(home)
            lose_the_stop(home)
            wait_until(lambda: stops(home) == [BTC])
            let_time_pass(at_least_s)
            assert buys(home) == before
            assert process.poll() is None
        wait_until(lambda: told(home, "STORE_BACK") == 1)
        process.terminate()
        assert process.wait(timeout=PATIENCE_S) == 0
    assert told(home, "STORE_AWAY") == told(home, "STORE_BACK") == 1
    assert EmergencyFile(home.folder).is_empty()
    demand_protected(home)


def is_ready(home: Home) -> bool:
    """Whether a loop has told that its start is over."""
    told = home.in_the_books(lambda tx: tx.heartbeats())
    return any(each.details.get("phase") == "READY" for each in told if each.component == "loop")


@pytest.mark.parametrize("outage", FAULTS, indirect=True)
def test_a_running_loop_outlives_its_store(outage: Outage) -> None:
    """Its position has its stop again while the store is away, and the books learn of it."""
    protected_all_along(outage, "hold", 0.0)


@pytest.mark.slow
@pytest.mark.parametrize("outage", ["busy"], indirect=True)
def test_a_lock_of_thirty_seconds_costs_no_protection(outage: Outage) -> None:
    """Another process keeps SQLite locked all the while; no entry goes out, the stop does.

    And each entry that the strategy wanted is told, with why it was not sent.
    """
    protected_all_along(outage, "demo", 30.0)
    told = (outage.home.folder.parent / f"{outage.home.folder.name}.started").read_text()
    assert "the store is away, and what adds risk" in told


@pytest.mark.parametrize("outage", ["busy"], indirect=True)
def test_a_loop_that_is_stopped_without_its_store_exits_7(outage: Outage) -> None:
    """Its books lack what it did; the next command with --execute has them."""
    home = outage.home
    hold_bitcoin(home)
    with home.started("run", "--strategy", "hold", "--speed", "10") as process:
        wait_until(lambda: is_ready(home))
        let_time_pass(1.0)
        with outage.lasting(process):
            wait_until(lambda: told(home, "STORE_AWAY") == 1)
            lose_the_stop(home)
            wait_until(lambda: stops(home) == [BTC])
            process.terminate()
            code = process.wait(timeout=PATIENCE_S)
            assert code == 7, (home.folder.parent / f"{home.folder.name}.started").read_text()
    assert home.zoe("recover-sl", "--execute").code == 0
    demand_protected(home)
