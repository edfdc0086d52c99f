"""All that changes orders, over whichever wire is up: one at a time, in batches, all at once.

The socket while it is up, REST otherwise, decided in `OrderEntry._by_either_wire` alone. Nothing is
sent a second time, not over the other wire either. Source: kraken-spot sections 8 and 11.3.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar

from zoe_tools.domain.identifiers import ClientOrderId, Symbol, VenueOrderId
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.order import OrderAmendment, OrderEdit, OrderName, OrderRequest
from zoe_tools.errors import CircuitOpen, OutcomeUnknown, VenueError, VenueUnavailable
from zoe_tools.kraken import wire, wire_orders
from zoe_tools.kraken.order_answers import (
    BatchMember,
    CancelResult,
    EditedOrder,
    NewOrder,
    called_of,
    check_edit_unmade,
    checked_of,
    edited_of,
    members_of,
    placed_by_a_check,
    trigger_time_of,
)
from zoe_tools.kraken.order_params import (
    amend_params,
    batch_params,
    edit_params,
    order_params,
    placement_params,
)
from zoe_tools.kraken.order_rules import FEWEST_ORDERS, MOST_ORDERS, NEAREST_BY_REST_S
from zoe_tools.kraken.order_wire import OrderWire
from zoe_tools.kraken.prices import is_urgent_change, is_urgent_order
from zoe_tools.kraken.rest import RestClient
from zoe_tools.kraken.server_time import ServerTime
from zoe_tools.kraken.stream_requests import NEAREST_BY_SOCKET_S
from zoe_tools.ports import Claim, Clock, Still, Urgency

T = TypeVar("T")

MOST_CANCELS = 50
"""How many names a cancel of several may hold."""
_LOG = logging.getLogger(__name__)


class OrderEntry:
    """Orders of one account; the part of `spot.KrakenSpot` that writes.

    Quantities are in base, prices in quote, deadlines aware UTC by our clock. Every method raises
    as `ports.Venue` says of writes: `VenueRejected`, `VenueThrottled` and `VenueUnavailable` mean
    that nothing happened, `OutcomeUnknown` that only the venue's records can tell.
    """

    def __init__(
        self,
        rest: RestClient,
        clock: Clock,
        instrument: Callable[[Symbol], Awaitable[Instrument]],
        *,
        orders: OrderWire | None = None,
        time: ServerTime | None = None,
    ) -> None:
        self.time = time or ServerTime()
        self._rest = rest
        self._clock = clock
        self._instrument_to_write = instrument
        self._orders = orders
        self._transactions = rest.budgets.transactions

    @property
    def nearest_deadline_s(self) -> float:
        """See `ports.Venue`."""
        is_up = self._orders is not None and self._orders.is_up
        return NEAREST_BY_SOCKET_S if is_up else NEAREST_BY_REST_S

    async def _by_either_wire(
        self,
        by_socket: Callable[[OrderWire], Awaitable[T]],
        by_rest: Callable[[], Awaitable[T]],
        *,
        is_urgent: bool = True,
    ) -> T:
        """The one place that decides which way a write goes.

        Once a byte may have left by the socket nothing goes by REST: that would be a second order.
        What is not urgent has to pass the circuit breaker; REST asks it itself.
        """
        socket = self._orders
        if socket is not None and socket.is_up:
            claim = Claim(urgency=Urgency.PROTECTION if is_urgent else Urgency.LOOP)
            try:
                async with self._rest.passage(claim, "an order by the socket") as passage:
                    passage.is_sent = True
                    with self._rest.api_errors.noting():
                        return await by_socket(socket)
            except CircuitOpen:
                raise
            except VenueUnavailable as error:
                _LOG.info("by REST instead of the socket: %s", error.message)
        return await by_rest()

    # new orders

    async def place(
        self,
        request: OrderRequest,
        *,
        client_order_id: ClientOrderId | None,
        deadline: datetime,
        still: Still | None = None,
    ) -> VenueOrderId:
        """Place one order; returns the venue's id. Acceptance is not a fill (section 8.1).

        `client_order_id` is None for an order whose terms have a `userref`, and for no other. What
        had to wait for room is not sent if it is not `still` wanted.

        Raises:
            OutcomeUnknown: among the rest of `ports.Venue`'s writes, an answer without its one id.
        """
        instrument = await self._instrument_to_write(request.symbol)
        is_urgent = is_urgent_order(request)

        async def by_rest() -> VenueOrderId:
            params = placement_params(
                request,
                instrument,
                client_order_id=client_order_id,
                deadline=self._at_venue(deadline),
                now=self._now_at_venue(),
            )
            answer = await self._rest.private(
                "AddOrder", params, wire.Placed, is_write=True, is_urgent=is_urgent
            )
            if len(answer.txid) != 1:
                raise OutcomeUnknown(
                    f"Kraken took the order and named {len(answer.txid)} ids for it."
                )
            return VenueOrderId(answer.txid[0])

        called = called_of(client_order_id, request)
        async with self._transactions.adding(
            request.symbol, [called], is_urgent=is_urgent, deadline=deadline, still=still
        ):
            placed = await self._by_either_wire(
                lambda socket: socket.place(request, client_order_id, deadline, instrument),
                by_rest,
                is_urgent=is_urgent,
            )
        self._transactions.changed(placed, request.symbol, called)
        return placed

    async def validate(self, request: OrderRequest) -> str:
        """Ask the venue to check an order without placing it; returns its description of it.

        The socket gives no description, so "" means no more than that the order would do. It is no
        write: nothing can happen, and what is lost is asked again by REST.

        Raises:
            OutcomeUnknown: the venue named an order all the same.
        """
        instrument = await self._instrument_to_write(request.symbol)

        async def by_rest() -> str:
            params = order_params(request, instrument) | {"validate": "true"}
            answer = await self._rest.private("AddOrder", params, wire.Placed, is_write=False)
            if answer.txid:
                raise placed_by_a_check(answer.txid[0])
            return answer.descr.order

        return await self._by_either_wire(
            lambda socket: socket.validate(request, instrument), by_rest, is_urgent=False
        )

    async def place_batch(
        self, orders: Sequence[NewOrder], *, deadline: datetime
    ) -> tuple[BatchMember, ...]:
        """Place 2 to 15 orders of one instrument, in the order given (section 8.3).

        All are checked before any is placed: one that makes no sense has all of them refused, by
        one error. After that each goes its own way: one without funds leaves the others alive, and
        its member tells its own error.

        Raises:
            ValueError: too few or too many orders, or of more than one instrument.
        """
        instrument = await self._instrument_to_write(_symbol_of(orders))

        async def by_rest() -> tuple[BatchMember, ...]:
            answer = await self._batch_by_rest(orders, instrument, deadline)
            return members_of(orders, answer.orders)

        is_urgent = all(is_urgent_order(request) for _, request in orders)
        called = [called_of(*each) for each in orders]
        async with self._transactions.adding(
            instrument.symbol, called, is_urgent=is_urgent, deadline=deadline, is_batch=True
        ):
            members = await self._by_either_wire(
                lambda socket: socket.place_batch(orders, deadline, instrument),
                by_rest,
                is_urgent=is_urgent,
            )
        for member, name in zip(members, called, strict=True):
            if member.venue_order_id is not None:
                self._transactions.changed(member.venue_order_id, instrument.symbol, name)
        return members

    async def validate_batch(
        self, orders: Sequence[NewOrder], *, deadline: datetime
    ) -> tuple[BatchMember, ...]:
        """Ask the venue to check a batch without placing it; no member has an id.

        One that makes no sense has all of them refused, as `place_batch` would; one that is sound
        and yet refused, for want of funds, tells its error. It is no write, as `validate`.

        Raises:
            ValueError: as `place_batch`.
            OutcomeUnknown: the venue named an order all the same.
        """
        instrument = await self._instrument_to_write(_symbol_of(orders))

        async def by_rest() -> tuple[BatchMember, ...]:
            answer = await self._batch_by_rest(orders, instrument, deadline, is_check=True)
            return checked_of(orders, answer.orders)

        return await self._by_either_wire(
            lambda socket: socket.validate_batch(orders, deadline, instrument),
            by_rest,
            is_urgent=False,
        )

    async def _batch_by_rest(
        self,
        orders: Sequence[NewOrder],
        instrument: Instrument,
        deadline: datetime,
        *,
        is_check: bool = False,
    ) -> wire_orders.PlacedBatch:
        at, now = self._at_venue(deadline), self._now_at_venue()
        params = batch_params(orders, instrument, deadline=at, now=now, is_check=is_check)
        return await self._rest.private(
            "AddOrderBatch",
            params,
            wire_orders.PlacedBatch,
            is_write=not is_check,
            is_urgent=not is_check and all(is_urgent_order(request) for _, request in orders),
        )

    # changes

    async def amend(self, amendment: OrderAmendment, *, deadline: datetime) -> str:
        """Change a resting order in place; returns the amend id (section 8.4)."""
        instrument = await self._instrument_to_write(amendment.symbol)
        is_urgent = is_urgent_change(amendment)

        async def by_rest() -> str:
            params = amend_params(
                amendment,
                instrument,
                deadline=self._at_venue(deadline),
                now=self._now_at_venue(),
            )
            answer = await self._rest.private(
                "AmendOrder", params, wire.Amended, is_write=True, is_urgent=is_urgent
            )
            return answer.amend_id

        order_id = amendment.venue_order_id
        async with self._transactions.changing(
            "amend", order_id, amendment.symbol, is_urgent=is_urgent, deadline=deadline
        ):
            amend_id = await self._by_either_wire(
                lambda socket: socket.amend(amendment, deadline, instrument),
                by_rest,
                is_urgent=is_urgent,
            )
        self._transactions.changed(order_id, amendment.symbol)
        return amend_id

    async def edit(self, edit: OrderEdit, *, deadline: datetime) -> EditedOrder:
        """Put a new order, with a new id, in the place of a resting one (section 8.5).

        `amend` keeps id, fills and client id; this is for what it cannot do. A lost answer leaves
        open which of the two orders there is.
        """
        instrument = await self._instrument_to_write(edit.symbol)

        async def by_rest() -> EditedOrder:
            answer = await self._edit_by_rest(edit, instrument, deadline)
            return edited_of(answer, edit.venue_order_id)

        is_urgent = edit.order_type.is_stop
        async with self._transactions.changing(
            "edit", edit.venue_order_id, edit.symbol, is_urgent=is_urgent, deadline=deadline
        ):
            edited = await self._by_either_wire(
                lambda socket: socket.edit(edit, deadline, instrument), by_rest, is_urgent=is_urgent
            )
        self._transactions.changed(edited.venue_order_id, edit.symbol)
        return edited

    async def validate_edit(self, edit: OrderEdit, *, deadline: datetime) -> None:
        """Ask the venue to check an edit without making it; returns if it would do.

        It is no write, as `validate`.

        Raises:
            OutcomeUnknown: the venue named a new order all the same.
        """
        instrument = await self._instrument_to_write(edit.symbol)

        async def by_rest() -> None:
            check_edit_unmade(await self._edit_by_rest(edit, instrument, deadline, is_check=True))

        await self._by_either_wire(
            lambda socket: socket.validate_edit(edit, deadline, instrument),
            by_rest,
            is_urgent=False,
        )

    async def _edit_by_rest(
        self, edit: OrderEdit, instrument: Instrument, deadline: datetime, *, is_check: bool = False
    ) -> wire_orders.Edited:
        at, now = self._at_venue(deadline), self._now_at_venue()
        params = edit_params(edit, instrument, deadline=at, now=now, is_check=is_check)
        return await self._rest.private(
            "EditOrder",
            params,
            wire_orders.Edited,
            is_write=not is_check,
            is_urgent=not is_check and edit.order_type.is_stop,
        )

    # cancels

    async def cancel(self, name: VenueOrderId | OrderName) -> int:
        """Cancel what one name names; returns how many were cancelled (section 8.6).

        `VenueRejected` with `EOrder:Unknown order` or `EOrder:Invalid order` means that it was not
        open any more. It may have filled. A user reference cancels all orders that share it; by the
        socket so many as were told of within half a second of each other.
        """
        called = OrderName.of(name)
        async with self._transactions.cancelling([called]):
            return await self._cancel(called)

    async def _cancel(self, called: OrderName) -> int:
        async def by_rest() -> int:
            params = {"txid": called.text}
            if called.client_order_id is not None:
                params = {"cl_ord_id": called.text}
            answer = await self._rest.private(
                "CancelOrder", params, wire.Cancelled, is_write=True, is_urgent=True
            )
            return answer.count

        return await self._by_either_wire(lambda socket: socket.cancel(called), by_rest)

    async def cancel_each(
        self, names: Sequence[VenueOrderId | OrderName]
    ) -> tuple[CancelResult, ...]:
        """Cancel up to 50 names, and tell of each what became of it, in the order given.

        By the socket in one request, by REST in one for each. An error of one leaves the others
        their own results, and one that is unknown may be asked for again.

        Raises:
            ValueError: more than 50 names.
            VenueError: one answer for all; nothing was cancelled, or (`OutcomeUnknown`) perhaps.
        """
        called = _several(names)
        async with self._transactions.cancelling(called) as taken:
            results = await self._cancelled_each(called)
        for each in results:
            if each.error is not None and not isinstance(each.error, OutcomeUnknown):
                taken.not_done(each.name)
        return results

    async def _cancelled_each(self, called: Sequence[OrderName]) -> tuple[CancelResult, ...]:
        own = [each for each in called if each.userref is None]
        shared = [each for each in called if each.userref is not None]

        async def one_by_one() -> tuple[CancelResult, ...]:
            return tuple([await self._result(each) for each in own])

        if len(own) > 1:
            found = await self._by_either_wire(lambda socket: socket.cancel_each(own), one_by_one)
        else:
            found = await one_by_one()
        results = {each.name: each for each in found}
        results |= {each: await self._result(each) for each in shared}
        return tuple(results[each] for each in called)

    async def _result(self, name: OrderName) -> CancelResult:
        try:
            return CancelResult(name=name, count=await self._cancel(name))
        except VenueError as error:
            return CancelResult(name=name, count=0, error=error)

    async def cancel_batch(self, names: Sequence[VenueOrderId | OrderName]) -> int:
        """Cancel up to 50 names at once; returns how many orders were cancelled, 0 if none.

        Raises:
            ValueError: more than 50: what half of them became could not be told in one answer.
        """
        called = _several(names)
        if not called:
            return 0

        async def by_rest() -> int:
            lists = {
                "orders": [each.text for each in called if each.client_order_id is None],
                "cl_ord_ids": [each.text for each in called if each.client_order_id is not None],
            }
            params = {field: listed for field, listed in lists.items() if listed}
            answer = await self._rest.private(
                "CancelOrderBatch", params, wire.Cancelled, is_write=True, is_urgent=True
            )
            return answer.count

        async with self._transactions.cancelling(called) as taken:
            count = await self._by_either_wire(lambda socket: socket.cancel_batch(called), by_rest)
        for each in () if count else called:
            taken.not_done(each)
        return count

    async def cancel_all(self) -> int:
        """Cancel every open order of the account, whoever placed it; returns how many."""

        async def by_rest() -> int:
            answer = await self._rest.private(
                "CancelAll", {}, wire.Cancelled, is_write=True, is_urgent=True
            )
            return answer.count

        async with self._transactions.cancelling_all():
            return await self._by_either_wire(lambda socket: socket.cancel_all(), by_rest)

    async def cancel_all_after(self, timeout_s: int) -> datetime | None:
        """Set or extend the dead man's switch by whole seconds; returns when it goes off.

        It is one countdown for the account, bound to no connection, and cancels all orders, stops
        too, even if the venue itself was down meanwhile. Zero disarms it, and gives None. A day and
        more is refused by the venue (section 8.7).
        """

        async def by_rest() -> datetime | None:
            params = {"timeout": str(timeout_s)}
            answer = await self._rest.private(
                "CancelAllOrdersAfter", params, wire.Countdown, is_write=True, is_urgent=True
            )
            return trigger_time_of(answer.trigger)

        async with self._transactions.switching():
            return await self._by_either_wire(
                lambda socket: socket.cancel_all_after(timeout_s), by_rest
            )

    def _at_venue(self, ours: datetime) -> datetime:
        """Deadlines are judged by the venue's clock."""
        return self.time.at_venue(ours)

    def _now_at_venue(self) -> datetime:
        return self._at_venue(self._clock.now())


def _symbol_of(orders: Sequence[NewOrder]) -> Symbol:
    symbols = {request.symbol for _, request in orders}
    if not FEWEST_ORDERS <= len(orders) <= MOST_ORDERS or len(symbols) != 1:
        raise ValueError(f"{len(orders)} orders of {len(symbols)} instruments are no batch")
    return symbols.pop()


def _several(names: Sequence[VenueOrderId | OrderName]) -> tuple[OrderName, ...]:
    if len(names) > MOST_CANCELS:
        raise ValueError(f"{len(names)} orders are more than {MOST_CANCELS}")
    return tuple(OrderName.of(each) for each in names)
