"""`kill -9` of zoe alone, at any moment: after the next start the books are the venue's."""

from __future__ import annotations

import random
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import timedelta

import pytest

from program import PATIENCE_S, Home, let_time_pass, wait_until
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.journal import IntentKind
from zoe_tools.domain.order import VenueOrder
from zoe_tools.kraken.spot import KrakenSpot

SPEED = "60"
"""A minute a second: the demo strategy decides on a candle each second."""

LONGEST_LIFE_S = 1.5
RUN = ("run", "--strategy", "demo", "--speed", SPEED)
ON_THE_WIRE = timedelta(seconds=60)
"""One real second."""

SEED = 20_260_105


def kill_points(count: int) -> list[tuple[int, float]]:
    """How many intents to wait for, and how long to go on after them before the kill."""
    draw = random.Random(SEED)
    return [(draw.randint(0, 2), draw.random() * LONGEST_LIFE_S) for _ in range(count)]


def intents_in(home: Home) -> int:
    """How many rows the journal has, as another process sees them."""
    with closing(sqlite3.connect(home.folder / "zoe.db")) as database:
        (count,) = database.execute("SELECT count(*) FROM order_intents").fetchone()
    assert isinstance(count, int)
    return count


def kill_at(home: Home, new_intents: int, seconds: float) -> None:
    """Start the loop, let it journal so much and live so much longer, and kill it."""
    before = intents_in(home)
    with home.started(*RUN) as process:
        wait_until(lambda: process.poll() is not None or intents_in(home) >= before + new_intents)
        let_time_pass(seconds)
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=PATIENCE_S)


def demand_equal_books(home: Home) -> None:
    """No intent was ordered twice, nothing is left open, and the fills are the venue's.

    The exchange's time goes on: what it did after the loop's last heartbeat is no difference here;
    that nothing differed while the loop still followed is what the run's own audit says.
    """

    async def read(venue: KrakenSpot) -> tuple[tuple[VenueOrder, ...], tuple[Fill, ...]]:
        return await venue.open_orders() + await venue.closed_orders(), await venue.fills()

    at_venue, venue_fills = home.at_the_venue(read)
    orders = home.in_the_books(lambda tx: tx.orders())
    intents = home.in_the_books(lambda tx: tx.intents())
    fills = home.in_the_books(lambda tx: tx.fills())
    (beat,) = home.in_the_books(lambda tx: [x for x in tx.heartbeats() if x.component == "loop"])
    followed_until = beat.beat_at - ON_THE_WIRE

    # By the venue's id first: an order may close between the two questions, and be in both answers.
    by_id = {order.venue_order_id: order.client_order_id for order in at_venue}
    seen = Counter(by_id.values())
    assert {client_order_id: count for client_order_id, count in seen.items() if count > 1} == {}
    placed = {each.client_order_id for each in intents if each.kind is IntentKind.PLACE}
    assert set(seen) <= placed
    assert max(Counter(order.intent_id for order in orders).values(), default=1) == 1
    assert [each for each in intents if not each.state.is_terminal] == []
    known = {each.fill_id for each in fills}
    assert sorted(_facts(each) for each in fills) == sorted(
        _facts(each)
        for each in venue_fills
        if each.fill_id in known or each.filled_at < followed_until
    )


def _facts(fill: Fill) -> tuple[object, ...]:
    return fill.fill_id, fill.symbol, fill.side, fill.quantity, fill.price, fill.cost, fill.fee


def survive(home: Home, points: list[tuple[int, float]]) -> None:
    """Killed at each point in turn; started once more, stopped in order; then compare."""
    home.serve("--speed", SPEED)
    for new_intents, seconds in points:
        kill_at(home, new_intents, seconds)
        stop_in_order(home)
        demand_equal_books(home)


def stop_in_order(home: Home) -> None:
    """A start that recovers, and an orderly end: exit 0, the auditor has nothing to say."""
    ran = home.zoe(*RUN, "--for", "2m")
    assert ran.code == 0, ran.err + ran.out


def test_killed_at_any_moment_the_books_are_the_venues(home: Home) -> None:
    """A few points of the seeded fifty; the exchange stands all the while."""
    survive(home, kill_points(50)[:4])
    assert intents_in(home) > 4


def test_sigterm_ends_a_run_in_order(home: Home) -> None:
    """Exit 0; entries are gone, positions keep their stops, and nothing disagrees."""
    home.serve("--speed", SPEED)
    with home.started(*RUN) as process:
        wait_until(lambda: process.poll() is not None or intents_in(home) >= 2)
        process.terminate()
        assert process.wait(timeout=PATIENCE_S) == 0
    orders = home.in_the_books(lambda tx: tx.orders(open_only=True))
    assert [order.purpose for order in orders if order.purpose == "entry"] == []
    demand_equal_books(home)


@pytest.mark.slow
@pytest.mark.parametrize("share", range(5))
def test_fifty_kills_lose_and_double_nothing(share: int, home: Home) -> None:
    """Fifty seeded points, ten in each of five lives of an exchange."""
    survive(home, kill_points(50)[share * 10 : share * 10 + 10])
