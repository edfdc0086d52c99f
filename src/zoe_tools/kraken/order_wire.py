"""What a socket that takes orders must offer, so that `order_entry.OrderEntry` can choose it.

Source: kraken-spot section 11.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from zoe_tools.domain.identifiers import ClientOrderId, VenueOrderId
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.order import OrderAmendment, OrderEdit, OrderName, OrderRequest
from zoe_tools.kraken.order_answers import BatchMember, CancelResult, EditedOrder, NewOrder


class OrderWire(Protocol):
    """A socket that takes orders; the errors are those of `ports.Venue`'s writes.

    `VenueUnavailable` says that provably nothing left by it, or that nothing could have happened.
    """

    @property
    def is_up(self) -> bool:
        """Whether it would take an order now."""
        ...

    async def place(
        self,
        request: OrderRequest,
        client_order_id: ClientOrderId | None,
        deadline: datetime,
        instrument: Instrument,
    ) -> VenueOrderId:
        """Place one order."""
        ...

    async def validate(self, request: OrderRequest, instrument: Instrument) -> str:
        """Have an order checked; returns what is said of it, which may be nothing."""
        ...

    async def place_batch(
        self, orders: Sequence[NewOrder], deadline: datetime, instrument: Instrument
    ) -> tuple[BatchMember, ...]:
        """Place several orders of one instrument."""
        ...

    async def validate_batch(
        self, orders: Sequence[NewOrder], deadline: datetime, instrument: Instrument
    ) -> tuple[BatchMember, ...]:
        """Have several orders of one instrument checked."""
        ...

    async def amend(
        self, amendment: OrderAmendment, deadline: datetime, instrument: Instrument
    ) -> str:
        """Change a resting order; returns the amend id."""
        ...

    async def edit(
        self, edit: OrderEdit, deadline: datetime, instrument: Instrument
    ) -> EditedOrder:
        """Put a new order in the place of a resting one."""
        ...

    async def validate_edit(
        self, edit: OrderEdit, deadline: datetime, instrument: Instrument
    ) -> None:
        """Have an edit checked."""
        ...

    async def cancel(self, name: OrderName) -> int:
        """Cancel what one name names; returns how many."""
        ...

    async def cancel_each(self, names: Sequence[OrderName]) -> tuple[CancelResult, ...]:
        """Cancel several orders and tell of each; no user references."""
        ...

    async def cancel_batch(self, names: Sequence[OrderName]) -> int:
        """Cancel several orders at once; returns how many there were."""
        ...

    async def cancel_all(self) -> int:
        """Cancel every open order; returns how many."""
        ...

    async def cancel_all_after(self, timeout_s: int) -> datetime | None:
        """Set the dead man's switch; returns when it goes off."""
        ...
