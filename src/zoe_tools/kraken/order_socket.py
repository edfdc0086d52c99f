"""Orders over the private WebSocket: no nonce, answers found by the req_id of their request.

Bytes that may have left without a readable answer are an unknown outcome, never a failure.
Source: kraken-spot section 11.3.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import msgspec

from zoe_tools.domain.identifiers import ClientOrderId, VenueOrderId
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.order import OrderAmendment, OrderEdit, OrderName, OrderRequest
from zoe_tools.errors import OutcomeUnknown, VenueError, VenueRejected, VenueUnavailable
from zoe_tools.kraken.connection import Connection, ConnectionState
from zoe_tools.kraken.errors import error_for
from zoe_tools.kraken.order_answers import (
    BatchMember,
    CancelResult,
    EditedOrder,
    NewOrder,
    check_edit_unmade,
    checked_of,
    edited_of,
    is_gone,
    members_of,
    placed_by_a_check,
    trigger_time_of,
)
from zoe_tools.kraken.shapes import Reader
from zoe_tools.kraken.stream_requests import (
    OrderMethod,
    add_order_params,
    amend_order_params,
    batch_add_params,
    check_order_params,
    edit_order_params,
)
from zoe_tools.kraken.wire import Cancelled, Countdown
from zoe_tools.kraken.wire_orders import BATCH, CANCELLED_ONE, EDITED, BatchRow, PlacedBatch
from zoe_tools.kraken.wire_stream import AMENDED, PLACED, Frame
from zoe_tools.ports import Clock, FrameClosed

REPLY_TIMEOUT_S = 10.0
"""Seconds of the loop that an answer may take; observed are 2 to 9 ms. The network is not sped up
with the clock."""

QUIET_S = 0.5
"""An answer that does not tell how many will follow is complete once nothing came for so long."""

T = TypeVar("T")
_FEWEST_CANCELS, _MOST_ANSWERS = 2, 1000
_CANCELLED = msgspec.json.Decoder(Cancelled)
_COUNTDOWN = msgspec.json.Decoder(Countdown)


@dataclass(frozen=True, slots=True)
class _Lost:
    """There will be no answer."""

    reason: str


class OrderSocket:
    """Order entry on the connection that also carries executions (kraken-spot section 11.3).

    Quantities are in base, prices in quote; deadlines are aware UTC by our clock and told by the
    venue's. Every method raises as `ports.Venue` says of writes: `VenueUnavailable` where nothing
    left by this wire (it is down, or has no words for it), `OutcomeUnknown` where something may
    have. The checks change nothing, and have only `VenueUnavailable` for what is lost.
    """

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._waiting: dict[int, asyncio.Future[Frame | _Lost]] = {}
        self._later: dict[int, asyncio.Queue[Frame | _Lost]] = {}
        self._under_way = 0
        connection.answer_first(self.on_reply)

    @property
    def is_waiting(self) -> bool:
        """Whether somebody waits for an answer, or has one that he did not see yet."""
        return self._under_way > 0

    @property
    def is_up(self) -> bool:
        """Whether orders can go this way now."""
        return self._connection.state is ConnectionState.UP

    async def place(
        self,
        request: OrderRequest,
        client_order_id: ClientOrderId | None,
        deadline: datetime,
        instrument: Instrument,
    ) -> VenueOrderId:
        """Place one order; returns the venue's id.

        Raises:
            OutcomeUnknown: among the rest of `ports.Venue`'s writes, an answer without an id.
        """
        params = add_order_params(
            request,
            instrument,
            client_order_id=client_order_id,
            deadline=self._at_venue(deadline),
            now=self._at_venue(self._clock.now()),
        )
        placed = _result(PLACED, await self._ask("add_order", params))
        if not placed.order_id:
            raise OutcomeUnknown("Kraken took the order and named no id for it.")
        return VenueOrderId(placed.order_id)

    async def validate(self, request: OrderRequest, instrument: Instrument) -> str:
        """Have one order checked and not placed; returns "", for nothing is said of it here.

        Raises:
            VenueUnavailable: no answer; nothing can have happened.
        """
        params = check_order_params(request, instrument)
        placed = _result(PLACED, await self._check("add_order", params))
        if placed.order_id:
            raise placed_by_a_check(placed.order_id)
        return ""

    async def place_batch(
        self, orders: Sequence[NewOrder], deadline: datetime, instrument: Instrument
    ) -> tuple[BatchMember, ...]:
        """Place a batch; see `order_entry.OrderEntry.place_batch`."""
        params = self._batch(orders, deadline, instrument, is_check=False)
        return members_of(orders, _rows(await self._ask("batch_add", params)))

    async def validate_batch(
        self, orders: Sequence[NewOrder], deadline: datetime, instrument: Instrument
    ) -> tuple[BatchMember, ...]:
        """Have a batch checked; see `order_entry.OrderEntry.validate_batch`."""
        params = self._batch(orders, deadline, instrument, is_check=True)
        return checked_of(orders, _rows(await self._check("batch_add", params)))

    def _batch(
        self,
        orders: Sequence[NewOrder],
        deadline: datetime,
        instrument: Instrument,
        *,
        is_check: bool,
    ) -> dict[str, object]:
        at, now = self._at_venue(deadline), self._at_venue(self._clock.now())
        return batch_add_params(orders, instrument, deadline=at, now=now, is_check=is_check)

    async def edit(
        self, edit: OrderEdit, deadline: datetime, instrument: Instrument
    ) -> EditedOrder:
        """Put a new order in the place of one; see `order_entry.OrderEntry.edit`."""
        params = self._edit(edit, deadline, instrument, is_check=False)
        answer = _result(EDITED, await self._ask("edit_order", params))
        return edited_of(answer, edit.venue_order_id)

    async def validate_edit(
        self, edit: OrderEdit, deadline: datetime, instrument: Instrument
    ) -> None:
        """Have an edit checked; see `order_entry.OrderEntry.validate_edit`."""
        params = self._edit(edit, deadline, instrument, is_check=True)
        check_edit_unmade(_result(EDITED, await self._check("edit_order", params)))

    def _edit(
        self, edit: OrderEdit, deadline: datetime, instrument: Instrument, *, is_check: bool
    ) -> dict[str, object]:
        at, now = self._at_venue(deadline), self._at_venue(self._clock.now())
        return edit_order_params(edit, instrument, deadline=at, now=now, is_check=is_check)

    async def amend(
        self, amendment: OrderAmendment, deadline: datetime, instrument: Instrument
    ) -> str:
        """Change one order in place; returns the amend id."""
        params = amend_order_params(
            amendment,
            instrument,
            deadline=self._at_venue(deadline),
            now=self._at_venue(self._clock.now()),
        )
        return _result(AMENDED, await self._ask("amend_order", params)).amend_id

    async def cancel(self, name: VenueOrderId | OrderName) -> int:
        """Cancel what one name names; returns how many, as far as the venue has told.

        A refusal may mean that it has filled.
        """
        params = _named((OrderName.of(name),))
        if "order_userref" not in params:
            await self._ask("cancel_order", params)
            return 1
        frames = await self._cancel_order(params, expected=None)
        noes = [_reason(frame) for frame in frames if not _is_yes(frame)]
        error = self._refusal(noes) if noes else None
        if error is not None and (len(noes) == len(frames) or isinstance(error, OutcomeUnknown)):
            raise error
        return len(frames) - len(noes)

    async def cancel_each(self, names: Sequence[OrderName]) -> tuple[CancelResult, ...]:
        """Cancel several orders in one request, and tell of each; no user references.

        An answer that says yes names its order; one that says no does not, and is for those that
        no yes came for.

        Raises:
            VenueRejected: the request as a whole was refused.
        """
        frames = await self._cancel_order(_named(names), expected=len(names))
        noes = [_reason(frame) for frame in frames if not _is_yes(frame)]
        if len(noes) == len(frames) == 1:
            whole = self._refusal(noes)
            if not (isinstance(whole, VenueRejected) and is_gone(whole.code)):
                raise whole  # One no to the request as a whole, and not to one of its orders.
        yes = {called for frame in frames if frame.success for called in _called(frame)}
        left = [name for name in names if name.text not in yes]
        error: VenueError = OutcomeUnknown("Kraken did not tell what became of this cancel.")
        if left and len(noes) == len(left):
            error = self._refusal(noes)
        return tuple(
            CancelResult(name=name, count=0, error=error)
            if name in left
            else CancelResult(name=name, count=1)
            for name in names
        )

    async def cancel_batch(self, names: Sequence[OrderName]) -> int:
        """Cancel 2 to 50 at once; returns how many there were, 0 if none is open any more.

        Raises:
            VenueUnavailable: it is only one; nothing was sent.
        """
        if len(names) < _FEWEST_CANCELS:
            raise VenueUnavailable("The socket cancels no batch of one; nothing was sent.")
        params: dict[str, list[str]] = {"orders": [], "cl_ord_id": []}
        for name in names:
            field = "orders" if name.client_order_id is None else "cl_ord_id"
            params[field].append(name.text)
        params = {field: called for field, called in params.items() if called}
        try:
            return _result(_CANCELLED, await self._ask("batch_cancel", params)).count
        except VenueRejected as error:
            if is_gone(error.code):
                return 0
            raise

    async def cancel_all(self) -> int:
        """Cancel every open order of the account; returns how many."""
        return _result(_CANCELLED, await self._ask("cancel_all", {})).count

    async def cancel_all_after(self, timeout_s: int) -> datetime | None:
        """Set the dead man's switch; see `spot.KrakenSpot.cancel_all_after`."""
        frame = await self._ask("cancel_all_orders_after", {"timeout": timeout_s})
        return trigger_time_of(_result(_COUNTDOWN, frame).trigger)

    def on_reply(self, frame: Frame) -> bool:
        """An answer arrived; says whether somebody still waited for it."""
        waiting = self._waiting.pop(frame.req_id, None) if frame.req_id is not None else None
        if waiting is not None and not waiting.done():
            waiting.set_result(frame)
            return True
        if waiting is not None or frame.req_id not in self._later:
            return False
        with suppress(asyncio.QueueFull):
            self._later[frame.req_id].put_nowait(frame)
        return True

    def on_lost(self, reason: str) -> None:
        """The wire is gone: nobody will answer what is under way."""
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_result(_Lost(reason))
        for queue in self._later.values():
            with suppress(asyncio.QueueFull):
                queue.put_nowait(_Lost(reason))

    def _at_venue(self, ours: datetime) -> datetime:
        """Deadlines are judged by the venue's clock."""
        return self._connection.server_time.at_venue(ours)

    async def _check(self, method: OrderMethod, params: Mapping[str, object]) -> Frame:
        """As `_ask`, of what changes nothing: a lost answer leaves nothing open."""
        try:
            return await self._ask(method, params, is_write=False)
        except OutcomeUnknown as error:
            raise VenueUnavailable(f"Nothing was to happen, and: {error.message}") from error

    async def _ask(
        self, method: OrderMethod, params: Mapping[str, object], *, is_write: bool = True
    ) -> Frame:
        if not self.is_up:
            raise VenueUnavailable("The private wire is not up; nothing was sent.")
        frame = await self._exchange(method, params)
        if isinstance(frame, _Lost):
            raise _lost(frame)
        if frame.method != method:
            raise OutcomeUnknown(f"Kraken answered {method} with {frame.method!r}.")
        if not frame.success:
            raise self._refusal((_reason(frame),), is_write=is_write)
        return frame

    def _refusal(self, reasons: Sequence[str], *, is_write: bool = True) -> VenueError:
        return error_for(reasons, is_write=is_write, now_s=self._clock.now().timestamp())

    async def _exchange(self, method: OrderMethod, params: Mapping[str, object]) -> Frame | _Lost:
        number = self._connection.next_request_number
        waiting: asyncio.Future[Frame | _Lost] = asyncio.get_running_loop().create_future()
        self._waiting[number] = waiting
        self._under_way += 1
        try:
            async with asyncio.timeout(REPLY_TIMEOUT_S):
                await self._connection.send(method, {**params, "token": self._connection.token})
                return await waiting
        except FrameClosed as closed:
            raise OutcomeUnknown(f"The private wire was lost while sending: {closed}.") from closed
        except TimeoutError as error:
            raise OutcomeUnknown(f"No answer within {REPLY_TIMEOUT_S:.0f} s.") from error
        finally:
            self._under_way -= 1
            self._waiting.pop(number, None)

    async def _cancel_order(
        self, params: Mapping[str, object], *, expected: int | None
    ) -> list[Frame]:
        """The answers to one cancel_order: so many, or all that come before it is quiet.

        What was answered before the wire was lost is kept; nothing at all is an unknown outcome.
        """
        if not self.is_up:
            raise VenueUnavailable("The private wire is not up; nothing was sent.")
        number = self._connection.next_request_number
        later: asyncio.Queue[Frame | _Lost] = asyncio.Queue(_MOST_ANSWERS)
        self._later[number] = later
        frames: list[Frame] = []
        try:
            frame = await self._exchange("cancel_order", params)
            with suppress(TimeoutError):
                while not isinstance(frame, _Lost):
                    frames.append(frame)
                    if len(frames) == expected:
                        break
                    # All are sent at once: after one of them the others are not far.
                    async with asyncio.timeout(QUIET_S):
                        frame = await later.get()
        finally:
            self._later.pop(number, None)
        if isinstance(frame, _Lost) and not frames:
            raise _lost(frame)
        return frames


def _lost(lost: _Lost) -> OutcomeUnknown:
    return OutcomeUnknown(f"The private wire was lost before the answer: {lost.reason}.")


def _reason(frame: Frame) -> str:
    return frame.error or "no reason given"


def _is_yes(frame: Frame) -> bool:
    """Whether an answer to cancel_order says yes."""
    if frame.method != "cancel_order":
        raise OutcomeUnknown(f"Kraken answered cancel_order with {frame.method!r}.")
    return frame.success is True


def _called(frame: Frame) -> tuple[str, ...]:
    """What an answer to cancel_order calls its order."""
    told = _result(CANCELLED_ONE, frame)
    return tuple(name for name in (told.order_id, told.cl_ord_id) if name)


def _named(names: Sequence[OrderName]) -> dict[str, object]:
    """The lists of cancel_order, without those that are empty."""
    lists: dict[str, object] = {
        "order_id": [each.venue_order_id for each in names if each.venue_order_id is not None],
        "cl_ord_id": [each.client_order_id for each in names if each.client_order_id is not None],
        "order_userref": [each.userref for each in names if each.userref is not None],
    }
    return {field: called for field, called in lists.items() if called}


def _rows(frame: Frame) -> list[BatchRow]:
    rows = _result(BATCH, frame)
    return rows.orders if isinstance(rows, PlacedBatch) else rows


def _result(decoder: msgspec.json.Decoder[T] | Reader[T], frame: Frame) -> T:
    """The result of an answer that says yes."""
    try:
        return decoder.decode(frame.result)
    except msgspec.MsgspecError as error:
        raise OutcomeUnknown(
            f"Kraken took the {frame.method}, and its answer does not parse: {error}."
        ) from error
