"""What the commands of the exchange share: the step, its commit, and the time they happen at."""

from __future__ import annotations

from abc import abstractmethod

from zoe_tools.paper.engine.engine import Engine
from zoe_tools.paper.engine.rate_counters import TIERS, Tier, TierName
from zoe_tools.paper.exchange.keys import ApiKey
from zoe_tools.paper.exchange.queries import Queries
from zoe_tools.paper.values.events import EngineEvent
from zoe_tools.paper.values.quirks import Quirks


class Commands(Queries):
    """The changing half of the exchange; every command is on disk before it is answered."""

    _engine: Engine
    tier: Tier | None

    def tier_of(self, account_id: str) -> Tier | None:
        """What an account may: as its own tier says, else the exchange's; None counts nothing."""
        own = self._floor.account(account_id).tier
        return self.tier if self.tier is None or own is None else TIERS[own]

    def tier_name_of(self, account_id: str) -> TierName | None:
        """The account's own tier; None where the exchange's applies."""
        return self._floor.account(account_id).tier

    @abstractmethod
    def _tell(self, events: list[EngineEvent], keys: tuple[ApiKey, ...] = ()) -> None:
        """Commit what a step did, then let the listeners hear it."""

    @abstractmethod
    def _said(self, events: list[EngineEvent]) -> None:
        """As `_tell`, of a command that may have changed what is due next."""

    @abstractmethod
    def _ordered(self, events: list[EngineEvent]) -> None:
        """As `_said`, of an order command: it may share its transaction with others."""

    @abstractmethod
    def save(self) -> None:
        """Write what is unwritten."""

    @property
    @abstractmethod
    def quirks(self) -> Quirks:
        """What is not known for sure of Kraken, and how it is here."""

    @abstractmethod
    def _in_own_time(self, deadline: int | None) -> int | None:
        """A deadline by the exchange's own clock, ns."""
