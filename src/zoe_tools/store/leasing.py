"""The part of a transaction that says who may act: the loop's lease, the locks of instruments."""

from __future__ import annotations

from datetime import datetime

from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.observation import Lease
from zoe_tools.store import leases
from zoe_tools.store.observing import Observing


class Leasing(Observing):
    """What a `Transaction` takes and reads of leases."""

    _shares_clock: bool

    def lease_time(self, now: datetime) -> datetime:
        """The time that leases are reckoned in: a shared database's own clock, else `now`."""
        if not self._shares_clock:
            return now
        return leases.database_time(self._connection) or now

    def acquire_lease(
        self, holder: str, host: str, pid: int, now: datetime, ttl_s: float, machine: str = ""
    ) -> Lease:
        """Take the account's lease, or see who has it: compare the answer's `holder`."""
        place, at = (self._connection, self.account_id), self.lease_time(now)
        return leases.acquire(*place, holder, host, pid, at, ttl_s, machine=machine)

    def renew_lease(self, holder: str, now: datetime, ttl_s: float) -> bool:
        """Keep the lease for `ttl_s` seconds from now; False if somebody else has it."""
        at = self.lease_time(now)
        return leases.renew(self._connection, self.account_id, holder, at, ttl_s)

    def release_lease(self, holder: str) -> bool:
        """Give the lease back; False if it was not this holder's."""
        return leases.release(self._connection, self.account_id, holder)

    def lease(self, *, pinned: bool = False) -> Lease | None:
        """The lease as it stands, expired or not; None when nobody took it or it was given back.

        `pinned`: nobody can take it over before this transaction ends.
        """
        return leases.lease(self._connection, self.account_id, pinned=pinned)

    def is_loop_near(self, now: datetime) -> bool:
        """Whether a loop of any account works with this database, and must not wait for it."""
        return leases.is_any_held(self._connection, self.lease_time(now))

    def acquire_trade_lock(
        self, symbol: Symbol, holder: str, host: str, pid: int, now: datetime, ttl_s: float
    ) -> Lease:
        """Take the lock of an instrument, or see who has it: compare the answer's `holder`."""
        at = self.lease_time(now)
        return leases.acquire_lock(
            self._connection, self.account_id, symbol, holder, host, pid, at, ttl_s
        )

    def release_trade_lock(self, symbol: Symbol, holder: str, now: datetime) -> bool:
        """End the lock of an instrument now; False if it was not this holder's, or is over."""
        at = self.lease_time(now)
        return leases.release_lock(self._connection, self.account_id, symbol, holder, at)

    def trade_lock(self, symbol: Symbol, *, pinned: bool = False) -> Lease | None:
        """The lock of an instrument as it was last taken, over or not. `pinned` as for `lease`."""
        return leases.lock(self._connection, self.account_id, symbol, pinned=pinned)
