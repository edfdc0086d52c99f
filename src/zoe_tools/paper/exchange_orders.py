"""The order commands of the exchange that change more than one order, and the dead man's switch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace

from zoe_tools.paper.engine import Engine
from zoe_tools.paper.events import EngineEvent
from zoe_tools.paper.order import AmendView, EditOrder, OrderView, PlaceOrder
from zoe_tools.paper.queries import Queries
from zoe_tools.paper.refusal import Refusal
from zoe_tools.paper.times import NS

_DAY_S = 86_400


class OrderCommands(Queries):
    """Batches and edits; every one is on disk before it returns."""

    _engine: Engine

    @abstractmethod
    def _said(self, events: list[EngineEvent]) -> None:
        """Commit and tell what a command did."""

    @abstractmethod
    def save(self) -> None:
        """Write what is unwritten."""

    @abstractmethod
    def _in_own_time(self, deadline: int | None) -> int | None:
        """A deadline by the exchange's own clock."""

    def add_batch(
        self, account_id: str, requests: Sequence[PlaceOrder]
    ) -> list[OrderView | Refusal]:
        """Place 2 to 15 orders of one pair, in order (section 8.3); an answer for each.

        Raises:
            Refusal: one of them is invalid; none was placed.
        """
        now = self._catch_up()
        own = [replace(one, deadline=self._in_own_time(one.deadline)) for one in requests]
        answers, events = self._engine.place_batch(account_id, own, now)
        if events:
            self._said(events)
        return answers

    def amends_of(self, account_id: str, order_id: str) -> tuple[AmendView, ...]:
        """The order's trail of amendments, oldest first; empty where there was none."""
        return tuple(self._floor.account(account_id).amends.get(order_id, ()))

    def edit_order(self, account_id: str, request: EditOrder) -> tuple[OrderView, OrderView]:
        """Cancel an order for a new one (section 8.5); returns the old and the new.

        Raises:
            Refusal: the new order cannot be, or the old one not be edited; nothing has changed.
        """
        now = self._catch_up()
        request = replace(request, deadline=self._in_own_time(request.deadline))
        old, new, events = self._engine.edit(account_id, request, now)
        if events:
            self._said(events)
        return old, new

    def cancel_after(self, account_id: str, timeout_s: int) -> tuple[int, int | None]:
        """Set the account's dead man's switch, 0 disarms (section 8.7); (now, when) in ns.

        Raises:
            Refusal: the timeout is negative or a day and more.
        """
        if timeout_s < 0:
            raise Refusal("EGeneral:Invalid arguments:timeout")
        if timeout_s >= _DAY_S:
            raise Refusal("EGeneral:Invalid timeout argument:above max")
        now = self._catch_up()
        at = now + timeout_s * NS if timeout_s else None
        self._floor.arm_dead_man(account_id, at)
        self.save()
        self._said([])
        return now, at
