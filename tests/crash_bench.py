"""One crash case: a child carries a plan out and is killed at a moment; what is left is judged.

The bench is a process without threads: it forks the exchange once and a child for each case, which
costs milliseconds, and recovers and resumes by itself afterwards, with the gate as it is shipped.
"""

from __future__ import annotations

import asyncio
import base64
import multiprocessing
import os
import signal
import traceback
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection

import crash_plans
from builders import BTC, ETH
from crash_exchange import CrashExchange
from crash_judge import Facts
from crash_points import Points
from fakes import RecordingApprover
from paper_desk import START, d
from zoe_tools.domain.account import Account, fingerprint_of
from zoe_tools.domain.plan import Plan
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.domain.snapshot_hash import sealed
from zoe_tools.gate.gate import Gate
from zoe_tools.gather import Need, gather
from zoe_tools.kraken.nonce import NonceSource
from zoe_tools.kraken.rest import RestClient
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.paper.exchange.faults import FaultName, FaultRule
from zoe_tools.paper.values.times import moment_of
from zoe_tools.runtime.clocks import ScaledClock
from zoe_tools.runtime.writer_thread import WriterThread
from zoe_tools.store.store import Store

SPEED = 30.0
PATIENCE_S, LONG_PATIENCE_S = 0.6, 10.0
"""Real seconds a call may take, 18 of the venue's; and one that nobody spoils."""

POLICY = Policy(
    max_notional_per_trade=d("10000"),
    max_daily_notional=d("100000"),
    quote_stale_s=3600.0,
    price_collar_pct=d("10"),
    order_deadline_s=30.0,
    stop_deadline_s=20.0,
    visibility_lag_s=25.0,
)
SECRET = base64.b64encode(b"a secret of the crash bench").decode()
WRITES = ("AddOrder", "AmendOrder", "CancelOrder")
READS = ("OpenOrders", "ClosedOrders", "QueryOrders", "TradesHistory")
LATE_S = 24.0
"""Later than a call may take."""
LAG_S = 20.0


def _striking(name: FaultName, **options: bool | float) -> tuple[FaultRule, ...]:
    """The fault, once for each kind of write."""
    return tuple(FaultRule(name=name, where=where, **options) for where in WRITES)  # type: ignore[arg-type]


LEASE_LOST = "lease-lost"
FAULTS: dict[str, tuple[FaultRule, ...]] = {
    "none": (),
    "accept-then-drop": _striking("accept-then-drop"),
    "reply-lost-before": _striking("reply-lost-before"),
    "reply-lost-after": _striking("reply-lost-after"),
    "http-502": _striking("http-502", executes=True),
    "hang": _striking("hang", delay_s=LATE_S),
    "busy": _striking("busy"),
    "invalid-nonce": _striking("invalid-nonce"),
    LEASE_LOST: (),
    "unseen": (
        *_striking("accept-then-drop"),
        FaultRule(name="rest-lag", delay_s=LAG_S),
        *(FaultRule(name="empty-answer", where=where) for where in READS),
    ),
}
"""What happens to a plan's writes, or to the lease of the loop that carries it out.

What is `unseen` was done, its answer is lost, the first read of each kind finds nothing, and those
after it know neither fill nor end.
"""

_NEEDS = frozenset({Need.CATALOGUE, Need.QUOTES})
_LONGEST_S = 20.0
_TRIES = 3
_LEASE_S = 1.0


class CrashBenchError(Exception):
    """A child did something else than to live or to be killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One kill: `fatal` numbers the moment; None lets the plan run to its end."""

    database: str
    plan: str
    fault: str
    fatal: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of a case: where it died (empty: it lived, with moments), and what is wrong."""

    case: Case
    place: str
    moments: tuple[str, ...]
    violations: tuple[str, ...]


class Bench:
    """One exchange, and a store on each database; every case has an account of its own."""

    def __init__(self, urls: Mapping[str, str], name: str) -> None:
        self._urls = urls
        self._name = name
        self._clock = ScaledClock(epoch=moment_of(START), speed=SPEED)
        self._exchange = CrashExchange(self._clock)
        self._cases = 0

    def close(self) -> None:
        """End the exchange."""
        self._exchange.close()

    def run(self, case: Case) -> Verdict:
        """Carry it out, kill, recover, resume, judge."""
        desk, account_id = self._prepared(case)
        self._exchange.arm(FAULTS[case.fault])
        plan, place, moments = _killed(desk, case)
        facts = asyncio.run(desk.recover())
        orders = self._exchange.orders(account_id)
        found = [*facts.after_recovery(orders)]
        if case.fault == LEASE_LOST:
            found += facts.fenced_off(plan)
        if case.fault == "unseen":
            # What the venue did not show yet is booked by whoever looks later.
            self._exchange.arm(())
            facts = asyncio.run(desk.recover(after_s=LAG_S))
            found += facts.after_recovery(orders)
        found += facts.of_the_books(orders)
        found += facts.of_the_groups(orders)
        # What the plan still lacks is done by resuming it, and by nothing else.
        self._exchange.arm(())
        facts = asyncio.run(desk.resume(plan))
        orders = self._exchange.orders(account_id)
        found += facts.after_recovery(orders)
        found += facts.after_resume(plan, orders)
        found += facts.of_the_books(orders)
        found += facts.of_the_groups(orders)
        violations = tuple(dict.fromkeys(found))
        return Verdict(case=case, place=place, moments=moments, violations=violations)

    def _prepared(self, case: Case) -> tuple[Desk, str]:
        """A new account that has done what comes before the plan; on a slow day the third one."""
        self._exchange.arm(())
        for _ in range(_TRIES):
            self._cases += 1
            key = f"{self._name}-{self._cases}"
            account_id = self._exchange.open_account(key, SECRET)
            account = Account(venue="kraken", mode="paper", fingerprint=fingerprint_of(key))
            desk = Desk(
                key=key,
                account=account,
                url=self._urls[case.database],
                clock=self._clock,
                port=self._exchange.port,
            )
            if asyncio.run(desk.prepare(case.plan)):
                return desk, account_id
        raise CrashBenchError(f"what comes before {case.plan} cannot be done here")


def _killed(desk: Desk, case: Case) -> tuple[Plan, str, tuple[str, ...]]:
    """The child's plan, where it died, or its moments if it lived to the end of the plan."""
    ours, theirs = multiprocessing.Pipe()
    child = os.fork()
    if not child:
        ours.close()
        try:
            asyncio.run(desk.live_and_die(case, theirs))
        except BaseException:  # noqa: BLE001 - told to the parent, which must not be returned to
            theirs.send(("it raised", traceback.format_exc()))
        finally:
            os._exit(0)
    theirs.close()
    plan, told = _heard(ours)
    place = plan
    if isinstance(plan, Plan):
        place, told = _heard(ours)
    ours.close()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if not isinstance(told, tuple) or not isinstance(plan, Plan):
        raise CrashBenchError(f"{case}: {place}: {told}")
    return plan, str(place), told


def _heard(pipe: Connection) -> tuple[object, object]:
    """What a child says; one that says nothing is stuck."""
    if not pipe.poll(_LONGEST_S):
        return "it is stuck", ""
    first, second = pipe.recv()
    return first, second


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One account's key, books and way to the exchange."""

    key: str
    account: Account
    url: str
    clock: ScaledClock
    port: int

    async def prepare(self, name: str) -> bool:
        """Carry out, in peace, what the account of a plan has done before; whether it worked."""
        if not crash_plans.before(name):
            return True
        async with self._open(None) as seat:
            for step in crash_plans.before(name):
                snapshot = await seat.look()
                plan = crash_plans.as_plan(snapshot, step(snapshot))
                receipt = await seat.gate.carry_out(plan, snapshot=snapshot, execute=True)
                if not receipt.is_done:
                    return False
        return True

    async def live_and_die(self, case: Case, pipe: Connection) -> None:
        """The child: carry the plan out, up to the moment."""
        points = Points(case.fatal, lambda place: pipe.send((place, ())))
        async with self._open(points) as seat:
            snapshot = await seat.look()
            plan = sealed(crash_plans.plan_named(case.plan, snapshot), snapshot)
            pipe.send((plan, ""))
            if case.fault == LEASE_LOST:
                await seat.lose_lease()
            points.start()
            await points.driven(seat.gate.carry_out(plan, snapshot=snapshot, execute=True))
            points.stop()
        pipe.send(("", tuple(points.places)))

    async def recover(self, *, after_s: float = 0.0) -> Facts:
        """The next start; what the books then say."""
        await self.clock.sleep(after_s)
        async with self._open(None) as seat:
            await seat.gate.recover()
            facts = await seat.store.run(Facts.read)
            # What is said not to be there must not come later either.
            left = facts.last_arrival() - self.clock.now()
            await self.clock.sleep(max(0.0, left.total_seconds()))
            return facts

    async def resume(self, plan: Plan) -> Facts:
        """The rest of the plan, twice: what is done once must not be done again."""
        async with self._open(None) as seat:

            async def look() -> tuple[Snapshot, Plan]:
                snapshot = await seat.look()
                return snapshot, crash_plans.planned_again(plan, snapshot)

            for _ in range(2):
                await seat.gate.apply(plan, look=look, execute=True, resume=True)
            return await seat.store.run(Facts.read)

    @asynccontextmanager
    async def _open(self, points: Points | None) -> AsyncIterator[Seat]:
        store = Store.open(self.url, self.account, clock_now=self.clock.now())
        if points is not None:
            points.watch_commits(store._transactions.engine)
            points.watch_sends()
        runner = WriterThread(store)
        rest = RestClient(
            f"http://127.0.0.1:{self.port}",
            api_key=self.key,
            api_secret=SECRET,
            clock=self.clock,
            coordination=NonceSource(self.clock),
            timeout_s=PATIENCE_S if points else LONG_PATIENCE_S,
            unlimited=True,
        )
        try:
            yield Seat(desk=self, store=runner, venue=KrakenSpot(rest, self.clock))
        finally:
            await rest.aclose()
            await runner.close()


class Seat:
    """An open store and an open venue, and the gate between them."""

    def __init__(self, *, desk: Desk, store: WriterThread, venue: KrakenSpot) -> None:
        self._desk = desk
        self._venue = venue
        self.store = store
        self.gate = Gate(
            venue=venue,
            store=store,
            clock=desk.clock,
            approver=RecordingApprover(),
            account=desk.account,
            policy=POLICY,
            command="run",
            operator="o",
            host="h",
            live_consent=False,
        )

    async def lose_lease(self) -> None:
        """The loop took its lease, and was away until somebody else had it."""
        now = self._desk.clock.now()
        later = now + timedelta(seconds=2 * _LEASE_S)
        ours = await self.store.run(lambda tx: tx.acquire_lease("ours", "h", 1, now, _LEASE_S))
        self.gate.trade_under(ours)
        await self._desk.clock.sleep(_LEASE_S)
        await self.store.run(lambda tx: tx.acquire_lease("theirs", "h", 2, later, 1000 * _LEASE_S))

    async def look(self) -> Snapshot:
        """What a command would see."""
        return await gather(
            venue=self._venue,
            store=self.store,
            clock=self._desk.clock,
            account=self._desk.account,
            policy=POLICY,
            needs=_NEEDS | {Need.MODE},
            symbols=(BTC, ETH),
        )
