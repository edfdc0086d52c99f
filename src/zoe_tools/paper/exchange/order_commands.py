"""The order commands of the exchange, and the dead man's switch."""

from __future__ import annotations

from collections.abc import Container, Sequence

from msgspec.structs import replace

from zoe_tools.paper.engine.checks import editable
from zoe_tools.paper.engine.rate_counters import ACCOUNT_WIDE, CALL, batch_cost, engine_cost
from zoe_tools.paper.exchange.limited_commands import LimitedCommands
from zoe_tools.paper.values.order import AmendOrder, AmendView, EditOrder, OrderView, PlaceOrder
from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.values.times import NS

_DAY_S = 86_400


class OrderCommands(LimitedCommands):
    """Placing, changing and cancelling; every command is on disk before it is answered."""

    def add_order(self, account_id: str, request: PlaceOrder) -> OrderView:
        """Place an order; returns it as it stands after the step.

        With `is_validate` nothing changes and the order's id is "".

        Raises:
            Refusal: Kraken's words for why not; nothing has changed.
        """
        now = self._catch_up()
        request = replace(request, deadline=self._in_own_time(request.deadline))
        cost = 0 if request.is_validate else engine_cost("add")
        with self._charged(account_id, request.symbol, fixed=cost):
            order, events = self._engine.place(account_id, request, now)
        if events:
            self._ordered(events)
        return order

    def amend_order(self, account_id: str, request: AmendOrder) -> tuple[str, OrderView]:
        """Change an open order in place; returns the amend id and the order after it."""
        now = self._catch_up()
        request = replace(request, deadline=self._in_own_time(request.deadline))
        account = self._floor.account(account_id)
        known = account.find_open(order_id=request.order_id, cl_ord_id=request.cl_ord_id)
        symbol, fixed, whole = ACCOUNT_WIDE, 0, 0
        if known is not None:  # an id that nobody knows is no pair's
            symbol, fixed = known.symbol, engine_cost("amend")
            whole = self._cost("amend", known, now)
        with self._charged(account_id, symbol, fixed=fixed, whole=whole) as bill:
            amend_id, order, events = self._engine.amend(account_id, request, now)
            if known is not None and order.status == "canceled":
                bill.whole += self._cost("cancel", known, now)
        self._ordered(events)
        return amend_id, order

    def cancel_order(
        self,
        account_id: str,
        *,
        order_id: str | None = None,
        cl_ord_id: str | None = None,
        userref: int | None = None,
    ) -> tuple[OrderView, ...]:
        """Cancel what the one id names; returns the orders as they ended.

        Raises:
            Refusal: it names no open order; how that is told is a quirk.
        """
        now = self._catch_up()
        account = self._floor.account(account_id)
        if userref is not None:
            named = [one for one in account.open.values() if one.userref == userref]
        else:
            found = account.find_open(order_id=order_id, cl_ord_id=cl_ord_id)
            named = [] if found is None else [found]
        if not named:
            raise Refusal(self.quirks.unknown_order)
        self._check_cancel(account_id, named, now)
        return self._cancel(account_id, named, now)

    def _cancel(
        self, account_id: str, orders: Sequence[OrderView], now: int
    ) -> tuple[OrderView, ...]:
        ended, events = self._engine.cancel(account_id, [one.order_id for one in orders], now)
        self._charge_cancels(account_id, orders, now)
        self._ordered(events)
        return ended

    def cancel_batch(
        self, account_id: str, *, userrefs: Container[int], ids: Container[str]
    ) -> tuple[OrderView, ...]:
        """Cancel in one step what is open under these order ids, client ids and user references."""
        now = self._catch_up()
        named = [
            order
            for order in self._floor.account(account_id).open.values()
            if order.order_id in ids
            or (order.cl_ord_id is not None and order.cl_ord_id in ids)
            or (order.userref is not None and order.userref in userrefs)
        ]
        return self._cancel(account_id, named, now)

    def cancel_all(self, account_id: str) -> int:
        """Cancel every open order of the account; returns how many."""
        now = self._catch_up()
        known = tuple(self._floor.account(account_id).open.values())
        ended, events = self._engine.cancel(account_id, [one.order_id for one in known], now)
        self._charge_cancel_all(account_id, known, now)
        self._ordered(events)
        return len(ended)

    def add_batch(
        self, account_id: str, requests: Sequence[PlaceOrder]
    ) -> list[OrderView | Refusal]:
        """Place 2 to 15 orders of one pair, in order (section 8.3); an answer for each.

        Raises:
            Refusal: one of them is invalid; none was placed.
        """
        now = self._catch_up()
        own = [replace(one, deadline=self._in_own_time(one.deadline)) for one in requests]
        cost = 0 if any(one.is_validate for one in own) else batch_cost(len(own))
        symbol = own[0].symbol if own else ACCOUNT_WIDE
        with self._charged(account_id, symbol, fixed=cost):
            answers, events = self._engine.place_batch(account_id, own, now)
        if events:
            self._ordered(events)
        return answers

    def amends_of(self, account_id: str, order_id: str) -> tuple[AmendView, ...]:
        """The order's trail of amendments, oldest first; empty where there was none."""
        archive = self._archive
        if archive is not None:
            return archive.amends_of(account_id, order_id)
        return tuple(self._floor.account(account_id).amends.get(order_id, ()))

    def edit_order(self, account_id: str, request: EditOrder) -> tuple[OrderView, OrderView]:
        """Cancel an order for a new one (section 8.5); returns the old and the new.

        Raises:
            Refusal: the new order cannot be, or the old one not be edited; nothing has changed.
        """
        now = self._catch_up()
        request = replace(request, deadline=self._in_own_time(request.deadline))
        fixed, whole = self._cost_of_edit(account_id, request, now)
        with self._charged(account_id, request.symbol, fixed=fixed, whole=whole):
            old, new, events = self._engine.edit(account_id, request, now)
        if events:
            self._ordered(events)
        return old, new

    def _cost_of_edit(self, account_id: str, request: EditOrder, now: int) -> tuple[int, int]:
        """(whatever comes of it, if it is done)."""
        if request.is_validate:
            return 0, 0
        fixed = engine_cost("edit")
        try:
            known = editable(self._floor.account(account_id), request)
        except Refusal:
            return fixed, fixed
        return fixed, self._cost("edit", known, now)

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
        with self._charged(account_id, ACCOUNT_WIDE, fixed=CALL):
            self._floor.arm_dead_man(account_id, at)
        self.save()
        self._said([])
        return now, at
