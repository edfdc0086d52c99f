"""Who may add risk now: a loop under its lease, and one process at a time on an instrument.

Both are looked at in the transaction that journals a step and takes it to be sent. What goes out
after that bears a deadline that ends before either of them does: a process that was stopped there,
and goes on after somebody else took over, sends an order that is dead on arrival.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from zoe_tools.core.risk import adds_risk
from zoe_tools.domain.identifiers import PositionId, Symbol
from zoe_tools.domain.observation import Lease
from zoe_tools.domain.plan import CancelOrder, VenueStep
from zoe_tools.store.store import Transaction

MARGIN = timedelta(seconds=1)
"""How long before a lease's end the orders sent under it must be dead."""

SHORTEST_LIFE = timedelta(seconds=2.5)
"""An order that would have to be dead sooner is not sent: Kraken takes no deadline within two
seconds over REST, and the way there takes time."""


class Withheld(Exception):
    """A step that may not go out now; the sentence says why. Nothing was sent."""

    def __init__(self, words: str, *, code: str = "PRECONDITION") -> None:
        super().__init__(words)
        self.code = code


class FencedOff(Withheld):
    """The lease or the lock is not this process's any more, or never was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """The lease a loop trades under, as it was when the loop took it."""

    holder: str
    token: int


def is_fenced(step: VenueStep) -> bool:
    """Whether a loop without its lease may not do this: anything but to cancel an entry.

    To cancel a stop and then be kept from placing the next one would leave a position bare.
    """
    return not (isinstance(step, CancelOrder) and step.purpose == "entry")


def latest_deadline(
    transaction: Transaction, step: VenueStep, fence: Fence | None, now: datetime
) -> datetime | None:
    """Until when an order may reach the venue under the lease; None when nothing limits it.

    Raises:
        FencedOff: the lease is gone, or runs out too soon.
    """
    if fence is None or not is_fenced(step):
        return None
    lease = _demand_lease(transaction, fence)
    latest = now + (lease.expires_at - transaction.lease_time(now)) - MARGIN
    if latest < now + SHORTEST_LIFE:
        raise FencedOff("the loop's lease is about to run out", code="LEASE_LOST")
    return latest


@dataclass(slots=True)
class LeaseMemory:
    """What a loop knows of its lease by its own clock, while the store that holds it is away.

    `until`: when the lease ends at the earliest; None where no other host could take it. Of the
    positions in `spared` nobody else has taken care: what reduces them goes on after that, too.
    """

    until: datetime | None = None
    spared: frozenset[PositionId] = frozenset()

    def is_over(self, now: datetime) -> bool:
        """Whether nothing that is sent now would surely be dead before somebody else may trade."""
        return self.until is not None and self.until - MARGIN < now + SHORTEST_LIFE

    def allows(self, step: VenueStep, now: datetime) -> bool:
        """Whether it may go out now, though nobody can be asked whose the account is."""
        return not (self.is_over(now) and is_fenced(step) and step.position_id not in self.spared)

    def within(self, step: VenueStep, deadline: datetime, now: datetime) -> datetime:
        """The deadline, or an earlier one: the order is dead before the lease ends.

        Raises:
            FencedOff: the lease may have run out.
        """
        if not self.allows(step, now):
            words = "the loop's lease may have run out, and another host may have the account"
            raise FencedOff(words, code="LEASE_LOST")
        if self.until is None or self.is_over(now):
            return deadline
        return min(deadline, self.until - MARGIN)


def demand_lease(transaction: Transaction, fence: Fence) -> None:
    """The look at the lease for what is no step.

    Raises:
        FencedOff: somebody else took it.
    """
    _demand_lease(transaction, fence)


def _demand_lease(transaction: Transaction, fence: Fence) -> Lease:
    lease = transaction.lease(pinned=True)
    if lease is not None and (lease.holder, lease.token) == (fence.holder, fence.token):
        return lease
    who = "nobody" if lease is None else f"pid {lease.pid} on {lease.host}"
    raise FencedOff(f"this loop lost its lease on the account; {who} has it", code="LEASE_LOST")


# --- the lock of one instrument ------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LockHolder:
    """Who takes the lock: a process, by a name that no other one has."""

    name: str
    host: str
    pid: int


def take_lock(
    transaction: Transaction,
    step: VenueStep,
    symbol: Symbol,
    *,
    holder: LockHolder,
    planned_at: datetime,
    now: datetime,
    life: timedelta,
) -> Lease | None:
    """The instrument's lock, for a step that adds risk; any other step needs none.

    A reduction never waits for a lock. `life` is how long an order may be on its way.

    Raises:
        FencedOff: another process has the lock, or had it after the plan's look at the world: what
            it did there, the plan does not know.
    """
    if not adds_risk(step):
        return None
    before = transaction.trade_lock(symbol, pinned=True)
    if before is not None and before.holder != holder.name:
        _demand_not_since(transaction, before, symbol, planned_at=planned_at, now=now)
    ttl_s = (life + MARGIN).total_seconds()
    lock = transaction.acquire_trade_lock(symbol, holder.name, holder.host, holder.pid, now, ttl_s)
    if lock.holder != holder.name:
        raise FencedOff(_taken(lock, symbol), code="INSTRUMENT_LOCKED")
    return lock


def _demand_not_since(
    transaction: Transaction, lock: Lease, symbol: Symbol, *, planned_at: datetime, now: datetime
) -> None:
    ended_ago = transaction.lease_time(now) - lock.expires_at
    if ended_ago < timedelta(0):
        raise FencedOff(_taken(lock, symbol), code="INSTRUMENT_LOCKED")
    if ended_ago < now - planned_at:
        raise FencedOff(
            f"{lock.holder} traded {symbol} after this plan was made: plan again",
            code="INSTRUMENT_LOCKED",
        )


def _taken(lock: Lease, symbol: Symbol) -> str:
    return f"{lock.holder} is trading {symbol} at this moment"
