"""The store goes in the middle of a plan: entries are refused, reductions go out and are booked."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from builders import BTC, PAPER, d, make_request, make_stop_request, place, plan_with
from fakes import FakeVenue, RecordingApprover
from postgres_server import PostgresServer
from templates import put_migrated
from zoe_tools.domain.journal import Intent, IntentState
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.plan import CancelOrder, OutcomeState, Plan, Step
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.domain.trading_state import KillLevel
from zoe_tools.errors import StoreError
from zoe_tools.gate.emergency import EmergencyKill, EmergencyResult
from zoe_tools.gate.emergency_journal import EmergencyJournal
from zoe_tools.gate.gate import Gate
from zoe_tools.gate.journal import Author
from zoe_tools.gate.receipt import Receipt
from zoe_tools.gather import EVERYTHING, gather
from zoe_tools.runtime.clocks import SystemClock
from zoe_tools.runtime.writer_thread import WriterThread
from zoe_tools.store import schema
from zoe_tools.store.emergency_file import EmergencyFile
from zoe_tools.store.store import Store

BUSY_S = 0.6
"""How long SQLite waits for a lock here; longer than a reduction waits for SQLite."""

POLICY = Policy(max_notional_per_trade=d("1000"), max_daily_notional=d("10000"))
AUTHOR = Author(account=PAPER, command="kill", operator="o", host="h")


class Seat:
    """A venue that stands, and the books and the emergency file of one home."""

    def __init__(self, url: str, home: Path) -> None:
        self.clock = SystemClock()
        self.venue = FakeVenue(self.clock)
        self._url = url
        self.file = EmergencyFile(home)
        self.open()

    def open(self) -> None:
        """As a command's start does."""
        self.books = Store.open(self._url, PAPER, clock_now=self.clock.now(), busy_timeout_s=BUSY_S)
        self.store = WriterThread(self.books)
        self.journal = EmergencyJournal(self.file, PAPER)
        self.gate = Gate(
            venue=self.venue,
            store=self.store,
            clock=self.clock,
            approver=RecordingApprover(),
            account=PAPER,
            policy=POLICY,
            command="run",
            operator="o",
            host="h",
            live_consent=False,
            emergency=self.journal,
        )

    async def look(self) -> Snapshot:
        """Everything."""
        return await gather(
            venue=self.venue,
            store=self.store,
            clock=self.clock,
            account=PAPER,
            policy=POLICY,
            needs=EVERYTHING,
            symbols=(BTC,),
        )

    def plan(self, *steps: Step) -> Plan:
        """A plan of now."""
        now = self.clock.now()
        return plan_with(*steps, created_at=now, expires_at=now + timedelta(minutes=5))

    async def do(self, *steps: Step) -> Receipt:
        """Carry out."""
        return await self.gate.carry_out(
            self.plan(*steps), snapshot=await self.look(), execute=True
        )

    async def intents(self) -> dict[str, Intent]:
        """The journal, by kind and purpose."""
        found = await self.store.run(lambda tx: tx.intents())
        return {f"{each.kind.value} {each.purpose}": each for each in found}


async def interrupted(seat: Seat, fail: Callable[[], None], mend: Callable[[], None]) -> Receipt:
    """A position and a resting entry; then a plan whose store goes away as it begins."""
    await seat.do(place(make_request(limit_price=d("60000.1"))))
    await seat.do(place(make_request(limit_price=d("59000.0"))))
    await seat.gate.recover()  # a busy machine may have let the store wait too long
    snapshot = await seat.look()
    (position,) = snapshot.positions
    resting = next(each for each in snapshot.orders if not each.status.is_terminal)
    assert resting.venue_order_id is not None
    plan = seat.plan(
        place(make_stop_request(), position_id=position.position_id),
        CancelOrder(venue_order_id=resting.venue_order_id, symbol=BTC, reason="because"),
        place(make_request(limit_price=d("58900.0"))),
    )
    fail()
    receipt = await seat.gate.carry_out(plan, snapshot=snapshot, execute=True)
    mend()
    return receipt


CASES = ("full", "busy", "stopped")


@pytest.mark.parametrize("fault", CASES)
def test_entries_are_refused_and_reductions_are_in_the_books_afterwards(
    fault: str, tmp_path: Path, sqlite_home: str, request: pytest.FixtureRequest
) -> None:
    """A full disk, a lock that is not given back, and a server that is stopped."""
    server: PostgresServer | None = None
    url = sqlite_home
    if fault == "stopped":
        server = request.getfixturevalue("own_server")
        url = server.url(server.create_database())
        schema.upgrade(url)
    outage = Fault(fault, url, server)

    async def story() -> None:
        seat = Seat(url, tmp_path)
        receipt = await interrupted(seat, lambda: outage.begin(seat.books), outage.end)
        told = [(each.state, each.code) for each in receipt.outcomes]
        assert told == [
            (OutcomeState.DONE, ""),
            (OutcomeState.DONE, ""),
            (OutcomeState.DENIED, "STORE_GONE"),
        ]
        assert receipt.exit_code == 7
        assert receipt.store_trouble
        assert not seat.file.is_empty()
        await seat.store.close()

        seat.open()
        recovery = await seat.gate.recover()
        assert recovery.is_clean
        assert seat.file.is_empty()
        intents = await seat.intents()
        assert intents["place stop"].state is IntentState.CONFIRMED
        assert intents["cancel entry"].state is IntentState.CONFIRMED
        orders = await seat.store.run(lambda tx: tx.orders())
        assert sorted((each.purpose, each.status) for each in orders) == [
            ("entry", OrderStatus.CANCELED),
            ("entry", OrderStatus.FILLED),
            ("stop", OrderStatus.OPEN),
        ]
        (position,) = await seat.store.run(lambda tx: tx.positions())
        assert position.stop_venue_order_id is not None
        assert not (await seat.gate.recover()).resolutions
        await seat.store.close()

    asyncio.run(story())


class Fault:
    """One way to lose a store, and the way back."""

    def __init__(self, name: str, url: str, server: PostgresServer | None) -> None:
        self._name = name
        self._server = server
        self._path = url.removeprefix("sqlite:///")
        self._holder: sqlite3.Connection | None = None

    def begin(self, books: Store) -> None:
        """From now on nothing can be written."""
        match self._name:
            case "full":
                with books._transactions.begin() as connection:
                    connection.exec_driver_sql("PRAGMA max_page_count=1")
            case "busy":
                self._holder = sqlite3.connect(self._path, isolation_level=None)
                self._holder.execute("BEGIN IMMEDIATE")
            case _:
                assert self._server is not None
                self._server.halt()

    def end(self) -> None:
        """The next process finds it well."""
        if self._holder is not None:
            self._holder.close()
        if self._server is not None:
            self._server.start()


@pytest.fixture
def sqlite_home(tmp_path: Path) -> str:
    """A migrated SQLite file."""
    path = tmp_path / "zoe.db"
    put_migrated(path)
    return f"sqlite:///{path}"


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server that a test may stop."""
    server = PostgresServer()
    yield server
    server.stop()


def killed(seat: Seat) -> EmergencyResult:
    """A kill that cannot reach the store."""
    kill = EmergencyKill(
        venue=seat.venue, clock=seat.clock, author=AUTHOR, policy=POLICY, journal=seat.journal
    )
    return asyncio.run(kill.carry_out(KillLevel.REDUCE_ONLY, "the disk is gone"))


def test_a_kill_without_a_store_is_latched_and_booked_once_it_is_back(
    tmp_path: Path, sqlite_home: str
) -> None:
    """The level and each cancel, by who ordered it."""
    seat = Seat(sqlite_home, tmp_path)
    asyncio.run(seat.do(place(make_request(limit_price=d("59000.0")))))
    result = killed(seat)
    assert (len(result.cancelled), result.still_open, result.is_journaled) == (1, (), True)

    asyncio.run(seat.gate.recover())
    state = asyncio.run(seat.store.run(lambda tx: tx.trading_state()))
    intents = asyncio.run(seat.intents())
    assert (state.level, state.changed_by) == (KillLevel.REDUCE_ONLY, "o")
    assert intents["cancel entry"].state is IntentState.CONFIRMED
    assert intents["cancel entry"].command == "kill"
    asyncio.run(seat.store.close())


def test_a_kill_goes_out_though_its_file_cannot_be_written_either(
    tmp_path: Path, sqlite_home: str
) -> None:
    """Cancels are always allowed; what could not be journaled is said."""
    seat = Seat(sqlite_home, tmp_path)
    asyncio.run(seat.do(place(make_request(limit_price=d("59000.0")))))
    seat.file.path.unlink()
    seat.file.path.mkdir()
    result = killed(seat)
    assert (len(result.cancelled), result.still_open, result.is_journaled) == (1, (), False)
    asyncio.run(seat.store.close())


def test_without_an_emergency_file_a_lost_store_ends_the_plan(
    tmp_path: Path, sqlite_home: str
) -> None:
    """Nothing is sent that is journaled nowhere."""
    seat = Seat(sqlite_home, tmp_path)
    seat.gate._keeper.emergency = None
    outage = Fault("busy", sqlite_home, None)
    with pytest.raises(StoreError):
        asyncio.run(interrupted(seat, lambda: outage.begin(seat.books), outage.end))
    outage.end()
    assert [call for call, _ in seat.venue.writes] == ["place", "place"]
    asyncio.run(seat.store.close())
