"""Two counters of one pair, the exchange's and ours, that share no code: ours is never behind."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import httpx

import kraken_answers as kraken
from zoe_tools.domain.identifiers import ClientOrderId, Symbol
from zoe_tools.domain.order import OrderRequest, OrderType, Side
from zoe_tools.errors import VenueThrottled
from zoe_tools.kraken.nonce import NonceSource
from zoe_tools.kraken.rest import RestClient
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.paper.app import create_app
from zoe_tools.paper.exchange.exchange import ExchangeOptions, PaperExchange
from zoe_tools.paper.markets.synthetic import SyntheticMarket
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual

BTC = Symbol("BTC/USD")
BID = OrderRequest(
    symbol=BTC,
    side=Side.BUY,
    order_type=OrderType.LIMIT,
    quantity=Decimal("0.001"),
    limit_price=Decimal(30_000),
)


def test_a_hectic_trader_is_held_back_here_and_never_refused_there() -> None:
    """A starter places and cancels as fast as he can: cancels go at once, entries wait."""

    async def trade(venue: KrakenSpot, clock: VirtualClock) -> list[str]:
        held_back = []
        for number in range(120):
            try:
                placed = await venue.place(
                    BID,
                    client_order_id=ClientOrderId(f"11112222-3333-4444-8555-{number:012d}"),
                    deadline=clock.now() + timedelta(seconds=4),
                )
            except VenueThrottled as error:
                held_back.append(error.code)
                await clock.sleep(error.retry_after_s)
                continue
            assert await venue.cancel(placed) == 1
        return held_back

    async def run() -> tuple[list[str], Decimal, int]:
        clock = VirtualClock(kraken.EPOCH)
        market = SyntheticMarket(seed=1, starts_at=int(kraken.EPOCH.timestamp()) * 10**9)
        exchange = PaperExchange(market, clock, options=ExchangeOptions(tier="starter"))
        exchange.create_account("paper", "key", kraken.SECRET, balances={"USD": Decimal(100_000)})
        pump = asyncio.create_task(exchange.run())
        rest = RestClient(
            "http://paper",
            api_key="key",
            api_secret=kraken.SECRET,
            clock=clock,
            coordination=NonceSource(clock),
            transport=httpx.ASGITransport(app=create_app(exchange, proof_secret=None)),
            tier="starter",
        )
        await clock.sleep(120)
        held_back = await trade(KrakenSpot(rest, clock), clock)
        account = exchange.principals[0].account_id
        theirs = exchange.rate_count(account, "BTC/USD")
        standing = await rest.budgets.standing()
        assert standing is not None
        ours = standing.engine[BTC].level(clock.now())
        pump.cancel()
        with suppress(asyncio.CancelledError):
            await pump
        await rest.aclose()
        return held_back, theirs, ours

    held_back, theirs, ours = run_virtual(run())

    assert len(held_back) > 10
    assert set(held_back) == {""}, "a code is a refusal of the exchange"
    assert theirs * 10**8 == ours
