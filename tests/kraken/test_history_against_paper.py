"""Long histories read in pieces, while the account trades, agree with the whole."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from builders import d
from paper_venue import PaperVenue, visited
from zoe_tools.domain.identifiers import ClientOrderId, Symbol
from zoe_tools.domain.order import OrderRequest, OrderType, Side
from zoe_tools.kraken.history import KrakenHistory
from zoe_tools.kraken.pages import PageCursor


async def traded(venue: PaperVenue, first: int, orders: int) -> None:
    """So many small market buys."""
    for number in range(first, first + orders):
        request = OrderRequest(
            symbol=Symbol("BTC/USD"),
            side=Side.BUY,
            order_type=OrderType.MARKET,
            quantity=d("0.0002"),
        )
        await venue.spot.place(
            request,
            client_order_id=ClientOrderId(f"11112222-3333-4444-8555-{number:012d}"),
            deadline=venue.clock.now() + timedelta(seconds=5),
        )
        await venue.clock.sleep(0.05)


async def in_pieces(venue: PaperVenue, kind: str) -> list[Any]:
    """One page a process, a burst of orders before each but the first."""
    cursor: PageCursor | None = None
    found: list[Any] = []
    for process in range(20):
        history = KrakenHistory(venue.rest, venue.spot.catalogue)
        async for stretch in getattr(history, kind)(cursor=cursor):
            found += stretch.values
            cursor = stretch.cursor
            break
        if cursor is None:
            return found
        await traded(venue, 1000 * (process + 1), 5)
    raise AssertionError("it never ended")


def test_fills_and_ledger_are_whole_however_often_the_reader_is_stopped() -> None:
    """Every row that was there at the first page is read; what came later is not asked for."""

    async def use(venue: PaperVenue) -> None:
        await traded(venue, 0, 120)
        await venue.clock.sleep(5)
        fills = {each.fill_id: each for each in await venue.spot.fills()}
        entries = {each.ledger_id: each for each in await venue.spot.ledger()}
        orders = {each.venue_order_id: each for each in await venue.spot.closed_orders()}

        some_fills = {each.fill_id: each for each in await in_pieces(venue, "fills")}
        await venue.clock.sleep(5)
        some_entries = {each.ledger_id: each for each in await in_pieces(venue, "ledger")}
        await venue.clock.sleep(5)
        some_orders = {
            each.venue_order_id: each for each in await in_pieces(venue, "closed_orders")
        }

        assert len(fills) >= 120
        assert len(orders) == 120
        assert fills.items() <= some_fills.items()
        assert entries.items() <= some_entries.items()
        assert orders.items() <= some_orders.items()

    visited(use)


def test_a_range_is_cut_to_its_ends_in_every_piece() -> None:
    """Both ends belong to the range."""

    async def use(venue: PaperVenue) -> None:
        await traded(venue, 0, 70)
        whole = sorted(await venue.spot.fills(), key=lambda each: each.filled_at)
        since, until = whole[5].filled_at, whole[-5].filled_at
        history = KrakenHistory(venue.rest, venue.spot.catalogue)

        found = [
            each
            async for stretch in history.fills(since=since, until=until)
            for each in stretch.values
        ]

        assert {each.fill_id for each in found} == {
            each.fill_id for each in whole if since <= each.filled_at <= until
        }

    visited(use)
