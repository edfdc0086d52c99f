"""A host that stands still between its last look at the lease and its send, until told to go on.

Run as `python stopped_host.py PLACE` with the environment of a live home as JSON on its input: it
takes the account's lease, plans one entry that would rest, stops itself where nothing has been sent
yet, and prints the answer as one JSON object. PLACE is `gate`, right after the intent was claimed,
or `wire`, with the signed request in hand.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from unittest import mock

import httpx

from fakes import RecordingApprover
from zoe_tools.config import load_settings
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.order import OrderRequest, OrderType, Side
from zoe_tools.domain.plan import PlaceOrder, Plan, VenueStep
from zoe_tools.gate import carry
from zoe_tools.gate.journal import Entry
from zoe_tools.gate.keeper import Keeper
from zoe_tools.gate.receipt import Receipt
from zoe_tools.gate.send import Reply, send
from zoe_tools.gather import EVERYTHING
from zoe_tools.ports import Venue
from zoe_tools.runtime.context import Context, open_context
from zoe_tools.runtime.gates import open_gate

NAME = "stopped-host"
LEASE_S = 8.0
PATIENT_DEADLINE_S = 60.0
"""The order would rest, did it not have to be dead before the lease."""

REQUEST = OrderRequest(
    symbol=Symbol("BTC/USD"),
    side=Side.BUY,
    order_type=OrderType.LIMIT,
    quantity=Decimal("0.0003"),
    purpose="entry",
)


_HAS_STOPPED: list[bool] = []
"""A request whose nonce is refused is sent again, and then goes through."""

_hand_over = httpx.AsyncHTTPTransport.handle_async_request


async def _send_and_tell(venue: Venue, step: VenueStep, entry: Entry, keeper: Keeper) -> Reply:
    """To prove what became of it is the other host's job: this one ends with the answer."""
    if sys.argv[1] == "gate":
        os.kill(os.getpid(), signal.SIGSTOP)
    reply = await send(venue, step, entry, keeper)
    sys.stdout.write(json.dumps({"answer": reply.answer, "code": reply.code}))
    sys.stdout.flush()
    os._exit(0)


async def _stop_at_the_wire(
    transport: httpx.AsyncHTTPTransport, request: httpx.Request
) -> httpx.Response:
    is_order = request.url.path.endswith("/AddOrder")
    if sys.argv[1] == "wire" and is_order and not _HAS_STOPPED:
        _HAS_STOPPED.append(True)
        os.kill(os.getpid(), signal.SIGSTOP)
    return await _hand_over(transport, request)


async def _trade(context: Context) -> Receipt:
    patient = replace(context.policy, order_deadline_s=PATIENT_DEADLINE_S)
    context = replace(context, policy=patient)
    gate = open_gate(context, approver=RecordingApprover(), command="run", environ={})
    now = context.clock.now()
    (quote,) = await context.venue.quotes([REQUEST.symbol])
    price = (quote.bid * Decimal("0.98")).quantize(Decimal("0.1"))
    plan = Plan(
        command="run",
        account=context.account,
        created_at=now,
        expires_at=now + timedelta(minutes=5),
        steps=(PlaceOrder(request=replace(REQUEST, limit_price=price), reason="a test"),),
    )
    snapshot = await context.look(EVERYTHING, adopted=((REQUEST.symbol, Decimal(0)),))
    gate.trade_under(
        await context.store.run(
            lambda tx: tx.acquire_lease(NAME, NAME, os.getpid(), context.clock.now(), LEASE_S)
        )
    )
    with (
        mock.patch.object(carry, "send", _send_and_tell),
        mock.patch.object(httpx.AsyncHTTPTransport, "handle_async_request", _stop_at_the_wire),
    ):
        return await gate.carry_out(plan, snapshot=snapshot, execute=True)


async def _main() -> None:
    async with open_context(load_settings(json.load(sys.stdin))) as context:
        receipt = await _trade(context)
    sys.stdout.write(f"nothing was sent: {receipt.outcomes}")


if __name__ == "__main__":
    asyncio.run(_main())
