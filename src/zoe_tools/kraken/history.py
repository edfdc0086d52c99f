"""Long histories, page by page, taken up by a later process where this one stopped.

`KrakenSpot` reads a history whole; here each page is handed on with a cursor. Whoever keeps the
rows and then the cursor misses none, and drops by id what comes twice (pages.py says why).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from zoe_tools.domain.fill import Fill
from zoe_tools.domain.instrument import InstrumentCatalogue
from zoe_tools.domain.ledger import LedgerEntry
from zoe_tools.domain.order import VenueOrder
from zoe_tools.kraken import codec, wire
from zoe_tools.kraken.pages import Page, PageCursor, each_page, range_params
from zoe_tools.kraken.rest import RestClient

V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch(Generic[V]):
    """The values of one page, newest first, and where to go on; None once all is read."""

    values: tuple[V, ...]
    cursor: PageCursor | None


class KrakenHistory:
    """Fills, ledger rows and closed orders of an account (kraken-spot section 6).

    `since` and `until` belong to the range. A `cursor` must be used with the range it came from.
    All raise `VenueError` subclasses as `ports.Venue` says of reads.
    """

    def __init__(
        self, rest: RestClient, catalogue: Callable[[], Awaitable[InstrumentCatalogue]]
    ) -> None:
        self._rest = rest
        self._catalogue = catalogue

    async def fills(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        cursor: PageCursor | None = None,
    ) -> AsyncIterator[Stretch[Fill]]:
        """TradesHistory: one row an execution, taker orders not merged."""
        catalogue = await self._catalogue()

        async def page(asked: dict[str, str]) -> Page[wire.FillRow]:
            answer = await self._rest.private(
                "TradesHistory", asked, wire.TradesHistory, is_write=False
            )
            return answer.trades, answer.count

        params = {"consolidate_taker": "false", **range_params(since, until)}
        async for each in each_page(page, params, lambda row: row.time, cursor):
            with codec.understanding("TradesHistory"):
                found = [codec.fill_of(key, row, catalogue) for key, row in each.rows.items()]
            kept = (fill for fill in found if _is_within(fill.filled_at, since, until))
            yield Stretch(values=tuple(kept), cursor=each.cursor)

    async def ledger(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        cursor: PageCursor | None = None,
    ) -> AsyncIterator[Stretch[LedgerEntry]]:
        """Ledgers: every kind of row of every asset."""
        catalogue = await self._catalogue()

        async def page(asked: dict[str, str]) -> Page[wire.LedgerRow]:
            answer = await self._rest.private("Ledgers", asked, wire.Ledgers, is_write=False)
            return answer.ledger, answer.count

        async for each in each_page(page, range_params(since, until), lambda row: row.time, cursor):
            with codec.understanding("Ledgers"):
                found = [
                    codec.ledger_entry_of(key, row, catalogue) for key, row in each.rows.items()
                ]
            kept = (entry for entry in found if _is_within(entry.booked_at, since, until))
            yield Stretch(values=tuple(kept), cursor=each.cursor)

    async def closed_orders(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        cursor: PageCursor | None = None,
    ) -> AsyncIterator[Stretch[VenueOrder]]:
        """ClosedOrders, by the time they closed."""
        catalogue = await self._catalogue()

        async def page(asked: dict[str, str]) -> Page[wire.OrderRow]:
            answer = await self._rest.private(
                "ClosedOrders", asked, wire.ClosedOrders, is_write=False
            )
            return answer.closed, answer.count

        params = {"closetime": "close", **range_params(since, until)}
        async for each in each_page(page, params, lambda row: row.closetm or row.opentm, cursor):
            with codec.understanding("ClosedOrders"):
                found = [codec.order_of(key, row, catalogue) for key, row in each.rows.items()]
            kept = (
                order
                for order in found
                if _is_within(order.closed_at or order.opened_at, since, until)
            )
            yield Stretch(values=tuple(kept), cursor=each.cursor)


def _is_within(at: datetime, since: datetime | None, until: datetime | None) -> bool:
    return (since is None or at >= since) and (until is None or at <= until)
