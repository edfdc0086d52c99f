"""Orders over the private WebSocket: no nonce, one answer per request, found by its req_id.

Bytes that may have left without a readable answer are an unknown outcome, never a failure.
Source: kraken-spot section 11.3.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import msgspec

from zoe_tools.domain.identifiers import ClientOrderId, VenueOrderId
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.order import OrderAmendment, OrderRequest
from zoe_tools.errors import OutcomeUnknown, VenueUnavailable
from zoe_tools.kraken.connection import Connection, ConnectionState
from zoe_tools.kraken.errors import error_for
from zoe_tools.kraken.order_params import trigger_time_of
from zoe_tools.kraken.stream_requests import OrderMethod, add_order_params, amend_order_params
from zoe_tools.kraken.wire import Cancelled, Countdown
from zoe_tools.kraken.wire_stream import AMENDED, PLACED, Frame
from zoe_tools.ports import Clock, FrameClosed

REPLY_TIMEOUT_S = 10.0
"""Seconds of the loop that an answer may take; observed are 2 to 9 ms. The network is not sped up
with the clock."""

T = TypeVar("T")
_CANCELLED = msgspec.json.Decoder(Cancelled)
_COUNTDOWN = msgspec.json.Decoder(Countdown)


@dataclass(frozen=True, slots=True)
class _Lost:
    """There will be no answer."""

    reason: str


class OrderSocket:
    """Order entry on the connection that also carries executions."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._waiting: dict[int, asyncio.Future[Frame | _Lost]] = {}

    @property
    def is_up(self) -> bool:
        """Whether orders can go this way now."""
        return self._connection.state is ConnectionState.UP

    async def place(
        self,
        request: OrderRequest,
        client_order_id: ClientOrderId,
        deadline: datetime,
        instrument: Instrument,
    ) -> VenueOrderId:
        """Place one order; see `ports.Venue.place` for what it raises."""
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

    async def cancel(self, venue_order_id: VenueOrderId) -> int:
        """Cancel one order; returns 1. A refusal may mean that it has filled."""
        await self._ask("cancel_order", {"order_id": [venue_order_id]})
        return 1

    async def cancel_all(self) -> int:
        """Cancel every open order of the account; returns how many."""
        return _result(_CANCELLED, await self._ask("cancel_all", {})).count

    async def cancel_all_after(self, timeout_s: int) -> datetime | None:
        """Set the dead man's switch; see `spot.KrakenSpot.cancel_all_after`."""
        frame = await self._ask("cancel_all_orders_after", {"timeout": timeout_s})
        return trigger_time_of(_result(_COUNTDOWN, frame).trigger)

    def on_reply(self, frame: Frame) -> None:
        """An answer arrived; one that nobody waits for any more is passed over."""
        waiting = self._waiting.pop(frame.req_id, None) if frame.req_id is not None else None
        if waiting is not None and not waiting.done():
            waiting.set_result(frame)

    def on_lost(self, reason: str) -> None:
        """The wire is gone: nobody will answer what is under way."""
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_result(_Lost(reason))

    def _at_venue(self, ours: datetime) -> datetime:
        """Deadlines are judged by the venue's clock."""
        return self._connection.server_time.at_venue(ours)

    async def _ask(self, method: OrderMethod, params: Mapping[str, object]) -> Frame:
        if not self.is_up:
            raise VenueUnavailable("The private wire is not up; nothing was sent.")
        frame = await self._exchange(method, params)
        if isinstance(frame, _Lost):
            raise OutcomeUnknown(f"The private wire was lost before the answer: {frame.reason}.")
        if frame.method != method:
            raise OutcomeUnknown(f"Kraken answered {method} with {frame.method!r}.")
        if not frame.success:
            now_s = self._clock.now().timestamp()
            raise error_for((frame.error or "no reason given",), is_write=True, now_s=now_s)
        return frame

    async def _exchange(self, method: OrderMethod, params: Mapping[str, object]) -> Frame | _Lost:
        number = self._connection.next_request_number
        self._waiting[number] = asyncio.get_running_loop().create_future()
        waiting = self._waiting[number]
        try:
            async with asyncio.timeout(REPLY_TIMEOUT_S):
                await self._connection.send(method, {**params, "token": self._connection.token})
                return await waiting
        except FrameClosed as closed:
            raise OutcomeUnknown(f"The private wire was lost while sending: {closed}.") from closed
        except TimeoutError as error:
            raise OutcomeUnknown(f"No answer within {REPLY_TIMEOUT_S:.0f} s.") from error
        finally:
            self._waiting.pop(number, None)


def _result(decoder: msgspec.json.Decoder[T], frame: Frame) -> T:
    """The result of an answer that says yes."""
    try:
        return decoder.decode(frame.result)
    except msgspec.MsgspecError as error:
        raise OutcomeUnknown(
            f"Kraken took the {frame.method}, and its answer does not parse: {error}."
        ) from error
