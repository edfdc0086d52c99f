"""Orders in bulk over REST: batches, all at once, the dead man's switch (kraken-spot section 8).

All raise `VenueError` subclasses as `ports.Venue` says of writes: nothing is sent a second time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from zoe_tools.domain.identifiers import ClientOrderId, VenueOrderId
from zoe_tools.domain.instrument import InstrumentCatalogue
from zoe_tools.domain.order import OrderRequest, Side
from zoe_tools.errors import OutcomeUnknown, VenueError
from zoe_tools.kraken import errors, wire, wire_account
from zoe_tools.kraken.order_params import placement_params
from zoe_tools.kraken.rest import RestClient
from zoe_tools.kraken.signing import Params
from zoe_tools.ports import Clock

FEWEST, MOST = 2, 15
"""How many orders a batch may hold."""
LONGEST_COUNTDOWN_S = 86_399


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchMember:
    """One order of a batch, and what became of it: its id, or why there is none."""

    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId | None
    error: VenueError | None = None


class BulkOrders:
    """Orders of one account by REST, more than one at a time."""

    def __init__(
        self,
        rest: RestClient,
        clock: Clock,
        catalogue: Callable[[], Awaitable[InstrumentCatalogue]],
    ) -> None:
        self._rest = rest
        self._clock = clock
        self._catalogue = catalogue

    async def place(
        self, orders: Sequence[tuple[ClientOrderId, OrderRequest]], *, deadline: datetime
    ) -> tuple[BatchMember, ...]:
        """AddOrderBatch: 2 to 15 orders of one instrument, in the order given.

        All are checked before any is placed: one that makes no sense has all of them refused.
        After that each goes its own way, and one without funds leaves the others alive.

        Raises:
            ValueError: too few or too many orders, or of more than one instrument.
        """
        symbols = {request.symbol for _, request in orders}
        if not FEWEST <= len(orders) <= MOST or len(symbols) != 1:
            raise ValueError(f"{len(orders)} orders of {len(symbols)} instruments are no batch")
        instrument = (await self._catalogue()).resolve(symbols.pop())
        now = self._clock.now()
        members = [
            placement_params(
                request, instrument, client_order_id=client_id, deadline=deadline, now=now
            )
            for client_id, request in orders
        ]
        shared = {name: members[0][name] for name in ("pair", "deadline")}
        params: Params = {
            **shared,
            "orders": [
                {name: text for name, text in each.items() if name not in shared}
                for each in members
            ],
        }
        is_urgent = all(
            request.side is Side.SELL or request.order_type.is_stop for _, request in orders
        )
        # Half a call each: so many single ones cost as much.
        for _ in range((len(orders) + 1) // 2):
            await self._rest.budgets.take_transaction(
                "add", symbol=instrument.symbol, is_urgent=is_urgent, deadline=deadline
            )
        answer = await self._rest.private(
            "AddOrderBatch", params, wire_account.PlacedBatch, is_write=True
        )
        if len(answer.orders) != len(orders):
            raise OutcomeUnknown(
                f"Kraken told of {len(answer.orders)} of the {len(orders)} orders of a batch."
            )
        for row in answer.orders:
            if row.txid:
                await self._rest.budgets.changed(VenueOrderId(row.txid), instrument.symbol)
        ids = (client_id for client_id, _ in orders)
        return tuple(_member(*pair) for pair in zip(ids, answer.orders, strict=True))

    async def cancel_all(self) -> int:
        """CancelAll: every open order of the account; returns how many were cancelled."""
        answer = await self._rest.private("CancelAll", {}, wire.Cancelled, is_write=True)
        return answer.count

    async def cancel_all_after(self, seconds: int) -> None:
        """CancelAllOrdersAfter: have every order cancelled unless this is said again in time.

        `seconds` from now, below a day; 0 switches it off. It is one countdown for the account,
        bound to no connection, and it fires even if the venue itself was down meanwhile.

        Raises:
            ValueError: less than none, or a day and more.
        """
        if not 0 <= seconds <= LONGEST_COUNTDOWN_S:
            raise ValueError(f"{seconds} s is no countdown")
        await self._rest.private(
            "CancelAllOrdersAfter",
            {"timeout": str(seconds)},
            wire_account.Countdown,
            is_write=True,
        )


def _member(client_order_id: ClientOrderId, row: wire_account.BatchRow) -> BatchMember:
    """An order without an id and without an error may exist all the same."""
    if row.txid:
        return BatchMember(client_order_id=client_order_id, venue_order_id=VenueOrderId(row.txid))
    told: VenueError = OutcomeUnknown("Kraken told neither an id nor an error of this order.")
    if row.error:
        told = errors.error_for([row.error], is_write=True)
    return BatchMember(client_order_id=client_order_id, venue_order_id=None, error=told)
