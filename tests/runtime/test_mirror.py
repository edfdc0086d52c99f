"""One paper exchange mirrors another: the same book, prints that fill, and a mode that follows."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from builders import make_instrument
from paper_desk import BTC_USD, START, ask_for, change, d, snapshot, traded
from paper_socket import ScriptedMarket, settle
from zoe_tools.domain.cadence import Cadence
from zoe_tools.kraken.stream import FeedSubscriptions, KrakenFeed
from zoe_tools.paper.exchange.exchange import ExchangeOptions, PaperExchange
from zoe_tools.paper.inprocess import InProcessSockets
from zoe_tools.paper.markets.mirror import MirroredMarket
from zoe_tools.paper.values.market import MarketEvent
from zoe_tools.paper.values.times import moment_of
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.duplex import duplex_pair
from zoe_tools.runtime.mirror import Mirror
from zoe_tools.runtime.virtual_loop import run_virtual

BOOK = snapshot(
    ["69999.0 1.00000000", "69998.0 2.00000000"], ["70000.1 0.30000000", "70000.4 0.15000000"]
)


class Pair:
    """An exchange that is followed, and the one that follows it."""

    def __init__(self) -> None:
        clock = VirtualClock(moment_of(START))
        self.there = PaperExchange(ScriptedMarket(), clock)
        self.sockets = InProcessSockets(self.there, duplex_pair)
        instrument = make_instrument(quantity_decimals=8)
        feed = KrakenFeed(
            "ws://there/v2",
            None,
            connect=self.sockets,
            token=None,
            clock=clock,
            cadence=Cadence(),
            instruments={instrument.symbol: instrument},
            subscriptions=FeedSubscriptions(
                symbols=(instrument.symbol,), ticker=False, book_depth=100
            ),
            rng=random.Random(1),
        )
        self.mirror = Mirror((instrument,), (BTC_USD,), feed)
        self.here = PaperExchange(
            MirroredMarket((BTC_USD,), starts_at=START),
            clock,
            options=ExchangeOptions(is_mirror=True),
        )
        self.account_id = self.here.create_account(
            "desk", "key", "c2VjcmV0", balances={"USD": d("100000"), "BTC": d("1")}
        )

    def hear(self, *events: MarketEvent) -> None:
        """Something happens over there."""
        for event in events:
            self.there.hear(event)


def mirrored(story: Callable[[Pair], Awaitable[Any]]) -> Any:
    """Tell a story while one exchange follows the other."""

    async def told() -> Any:
        pair = Pair()
        pair.hear(BOOK)
        following = asyncio.create_task(pair.mirror.run(pair.here))
        await asyncio.sleep(1)
        found = await story(pair)
        await pair.mirror.close()
        await following
        await pair.sockets.close()
        return found

    return run_virtual(told())


def test_the_book_here_is_the_book_there() -> None:
    """At first, and after every change; levels that are gone are gone."""

    async def story(pair: Pair) -> list[bool]:
        same = [pair.here.book("BTC/USD", 10).bids == pair.there.book("BTC/USD", 10).bids]
        pair.hear(change(["69999.0 0", "69997.0 3.00000000"], ["70000.1 0.10000000"]))
        await settle()
        here, there = pair.here.book("BTC/USD", 10), pair.there.book("BTC/USD", 10)
        return [*same, here.bids == there.bids, here.asks == there.asks, len(here.bids) == 2]

    assert mirrored(story) == [True, True, True, True]


def test_an_own_order_queues_behind_what_is_displayed_and_needs_volume() -> None:
    """Half a bitcoin trades at our price: it was the others'. Then enough trades for us."""

    async def story(pair: Pair) -> list[str]:
        order = pair.here.add_order(pair.account_id, ask_for("buy", "0.1", "69999.0"))
        filled = []
        for quantity in ("0.50000000", "0.55000000"):
            pair.hear(traded("69999.0", quantity))
            await settle()
            now = pair.here.order(pair.account_id, order.order_id)
            assert now is not None
            filled.append(f"{now.filled:f}")
        return filled

    assert mirrored(story) == ["0", "0.05000000"]


def test_the_others_never_see_our_orders() -> None:
    """Nothing is sent but subscriptions."""

    async def story(pair: Pair) -> tuple[object, object]:
        before = pair.there.book("BTC/USD", 10)
        pair.here.add_order(pair.account_id, ask_for("buy", "0.1", "69999.5"))
        await settle()
        return before, pair.there.book("BTC/USD", 10)

    before, after = mirrored(story)

    assert before == after


@pytest.mark.parametrize("mode", ["maintenance", "cancel_only", "post_only", "online"])
def test_the_mode_is_mirrored(mode: Any) -> None:
    """What the venue refuses is refused here too."""

    async def story(pair: Pair) -> str:
        pair.there.set_mode("limit_only")
        pair.there.set_mode(mode)
        await settle()
        return pair.here.mode

    assert mirrored(story) == mode


def test_after_a_lost_connection_the_whole_book_comes_again() -> None:
    """What changed meanwhile is not missed."""

    async def story(pair: Pair) -> bool:
        await pair.sockets.close(1006, "")
        pair.hear(change(["69999.0 0"], ["70000.1 0"]))
        await asyncio.sleep(30)
        here, there = pair.here.book("BTC/USD", 10), pair.there.book("BTC/USD", 10)
        return (here.bids, here.asks) == (there.bids, there.asks)

    assert mirrored(story)
