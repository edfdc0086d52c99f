"""Whole histories of an account, read again and again by one who keeps what was read."""

from __future__ import annotations

import uuid
from datetime import timedelta

from builders import d, make_request
from paper_venue import PaperVenue, visited
from zoe_tools.domain.identifiers import ClientOrderId
from zoe_tools.domain.order import OrderType
from zoe_tools.kraken.pages import OVERLAP, KeptHistories
from zoe_tools.kraken.spot import KrakenSpot


async def buy(venue: PaperVenue, times: int, *, apart_s: float) -> None:
    """Trades, each with a row of each history and two of the ledger."""
    for _ in range(times):
        await venue.spot.place(
            make_request(order_type=OrderType.MARKET, limit_price=None, quantity=d("0.001")),
            client_order_id=ClientOrderId(str(uuid.uuid4())),
            deadline=venue.clock.now() + timedelta(seconds=5),
        )
        await venue.clock.sleep(apart_s)


async def whole(spot: KrakenSpot) -> list[set[object]]:
    """All three histories."""
    return [set(await spot.closed_orders()), set(await spot.fills()), set(await spot.ledger())]


def test_what_was_kept_is_not_asked_for_again() -> None:
    """Each history is as a fresh reader finds it; what is old is asked for once."""
    kept: KeptHistories = {}

    async def story(venue: PaperVenue) -> None:
        await buy(venue, 60, apart_s=1)
        await venue.clock.sleep(OVERLAP.total_seconds() + 90)
        await buy(venue, 5, apart_s=1)
        reader = KrakenSpot(venue.rest, venue.clock, kept=kept)
        assert [len(rows) for rows in await whole(reader)] == [65, 65, 130 + 1]
        await buy(venue, 5, apart_s=1)
        for rows in kept.values():
            rows.rows.pop(next(reversed(rows.rows)))  # an old one: they came newest first
        for found, all_of_it in zip(await whole(reader), await whole(venue.spot), strict=True):
            assert len(found) == len(all_of_it) - 1
            assert found < all_of_it
        assert kept.keys() == {"ClosedOrders", "TradesHistory", "Ledgers"}

    visited(story)


def test_a_part_of_a_history_is_not_answered_from_what_was_kept() -> None:
    """Who names a time, or an order, is told by the venue."""
    kept: KeptHistories = {}

    async def story(venue: PaperVenue) -> None:
        await buy(venue, 3, apart_s=10)
        reader = KrakenSpot(venue.rest, venue.clock, kept=kept)
        since = venue.clock.now() - timedelta(seconds=15)
        assert len(await reader.fills(since=since)) == 1
        assert len(await reader.closed_orders(since=since)) == 1
        assert len(await reader.ledger(since=since)) == 2
        assert kept == {}

    visited(story)
