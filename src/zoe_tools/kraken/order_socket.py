"""Orders over the private WebSocket: no nonce, one answer per request, found by its req_id.

Bytes that may have left without an answer are an unknown outcome, never a failure.
Source: kraken-spot section 11.3.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from zoe_tools.domain.identifiers import ClientOrderId, VenueOrderId
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.order import OrderAmendment, OrderRequest
from zoe_tools.errors import OutcomeUnknown, VenueUnavailable
from zoe_tools.kraken.codec_stream import (
    OrderMethod,
    add_order_params,
    price_number,
    quantity_number,
    rfc3339,
)
from zoe_tools.kraken.connection import Connection, ConnectionState
from zoe_tools.kraken.errors import error_for
from zoe_tools.kraken.wire_stream import AMENDED, PLACED, Frame
from zoe_tools.ports import Clock, FrameClosed

REPLY_TIMEOUT_S = 10.0
"""Seconds of venue time that an answer may take; observed are 2 to 9 ms."""


class OrderSocket:
    """Order entry on the connection that also carries executions."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._waiting: dict[int, asyncio.Future[Frame]] = {}

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
            request, client_order_id=client_order_id, deadline=deadline, instrument=instrument
        )
        frame = await self._ask("add_order", params)
        return VenueOrderId(PLACED.decode(frame.result).order_id)

    async def amend(
        self, amendment: OrderAmendment, deadline: datetime, instrument: Instrument
    ) -> str:
        """Change one order in place; returns the amend id."""
        params: dict[str, object] = {
            "order_id": amendment.venue_order_id,
            "deadline": rfc3339(deadline),
        }
        if amendment.quantity is not None:
            params["order_qty"] = quantity_number(amendment.quantity, instrument)
        if amendment.limit_price is not None:
            params["limit_price"] = price_number(amendment.limit_price, instrument)
        if amendment.trigger_price is not None:
            params["trigger_price"] = price_number(amendment.trigger_price, instrument)
        frame = await self._ask("amend_order", params)
        return AMENDED.decode(frame.result).amend_id

    async def cancel(self, venue_order_id: VenueOrderId) -> int:
        """Cancel one order; returns 1."""
        await self._ask("cancel_order", {"order_id": [venue_order_id]})
        return 1

    def on_reply(self, frame: Frame) -> None:
        """An answer arrived; one that nobody waits for any more is passed over."""
        if frame.req_id is not None:
            waiting = self._waiting.pop(frame.req_id, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(frame)

    def on_lost(self, reason: str) -> None:
        """The wire is gone: nobody will answer what is under way."""
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(
                    OutcomeUnknown(f"The private wire was lost before the answer: {reason}.")
                )

    async def _ask(self, method: OrderMethod, params: Mapping[str, object]) -> Frame:
        if not self.is_up:
            raise VenueUnavailable("The private wire is not up; nothing was sent.")
        future: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        number = self._connection.next_request_number
        self._waiting[number] = future
        try:
            await self._connection.send(method, {**params, "token": self._connection.token})
        except FrameClosed as closed:
            self._waiting.pop(number, None)
            raise OutcomeUnknown(f"The private wire was lost while sending: {closed}.") from closed
        frame = await self._answer(number, future)
        if not frame.success:
            raise error_for((frame.error or "refused without a reason",), is_write=True)
        return frame

    async def _answer(self, number: int, future: asyncio.Future[Frame]) -> Frame:
        timer = asyncio.ensure_future(self._clock.sleep(REPLY_TIMEOUT_S))
        try:
            waits: set[asyncio.Future[Any]] = {future, timer}
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            self._waiting.pop(number, None)
        if not future.done():
            future.cancel()
            raise OutcomeUnknown(f"No answer within {REPLY_TIMEOUT_S:.0f} s.")
        return future.result()
