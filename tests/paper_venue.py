"""The REST client on a paper exchange in the same loop, under virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx

import builders
import kraken_answers as kraken
from builders import d
from zoe_tools.domain.policy import Policy
from zoe_tools.kraken.account_reads import AccountReads
from zoe_tools.kraken.exports import KrakenExports
from zoe_tools.kraken.market_reads import MarketReads
from zoe_tools.kraken.nonce import NonceSource
from zoe_tools.kraken.rest import RestClient
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.paper.app import create_app
from zoe_tools.paper.engine.funding import Transfer
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.markets.synthetic import SyntheticMarket
from zoe_tools.paper.values.market import MarketSource
from zoe_tools.paper.values.views import PERMISSIONS
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.context import Context
from zoe_tools.runtime.virtual_loop import run_virtual
from zoe_tools.store.runner import InlineRunner

STARTS_AT = int(kraken.EPOCH.timestamp()) * 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperVenue:
    """All of the client, and the exchange behind it."""

    exchange: PaperExchange
    account: str
    clock: VirtualClock
    rest: RestClient
    spot: KrakenSpot
    reads: AccountReads
    exports: KrakenExports
    market: MarketReads


def visited(
    use: Callable[[PaperVenue], Awaitable[Any]], *, market: MarketSource | None = None
) -> Any:
    """What a use of the client brings, two minutes after the exchange opened with 100,000 USD."""

    async def run() -> Any:
        clock = VirtualClock(kraken.EPOCH)
        source = market or SyntheticMarket(seed=1, starts_at=STARTS_AT)
        exchange = PaperExchange(source, clock)
        account = exchange.create_account(
            "paper",
            "key",
            kraken.SECRET,
            permissions=frozenset(PERMISSIONS) | {"add-funds", "withdraw-funds", "earn-funds"},
            balances={"USD": Decimal(100_000)},
            has_margin=True,
        )
        pump = asyncio.create_task(exchange.run())
        rest = RestClient(
            "http://paper",
            api_key="key",
            api_secret=kraken.SECRET,
            clock=clock,
            coordination=NonceSource(clock),
            transport=httpx.ASGITransport(app=create_app(exchange, proof_secret=None)),
            unlimited=True,
        )
        spot = KrakenSpot(rest, clock)
        await clock.sleep(120)
        try:
            return await use(
                PaperVenue(
                    exchange=exchange,
                    account=account,
                    clock=clock,
                    rest=rest,
                    spot=spot,
                    reads=AccountReads(rest, spot.catalogue),
                    exports=KrakenExports(rest, clock, spot.catalogue),
                    market=MarketReads(rest, clock, spot.catalogue),
                )
            )
        finally:
            pump.cancel()
            with suppress(asyncio.CancelledError):
                await pump
            await rest.aclose()

    return run_virtual(run())


def context_of(venue: Any, store: InlineRunner, clock: Any) -> Context:
    """What the command hands on; of the wires the REST client alone."""
    return Context(
        settings=cast("Any", None),
        account=builders.PAPER,
        policy=Policy(),
        clock=clock,
        home=Path(),
        is_paper=True,
        wires=cast("Any", SimpleNamespace(rest=venue._rest)),
        opened_venue=venue,
        opened_store=store,
    )


async def lived(venue: PaperVenue) -> None:
    """A life: trades, money in and out, margin, and two kinds of earning."""
    order = {"pair": "XBTUSD", "type": "buy", "ordertype": "market"}

    async def place(**more: str) -> None:
        await venue.rest.private("AddOrder", {**order, **more}, dict, is_write=True)
        await venue.clock.sleep(5)

    exchange, account = venue.exchange, venue.account
    await place(volume="0.2")
    exchange.deposit(account, "ETH", d("3"))
    await place(volume="0.05", type="sell")
    exchange.transfer(account, Transfer(asset="BTC", amount=d("0.03"), target=".F"))
    exchange.transfer(account, Transfer(asset="BTC", amount=d("0.02"), target=".S"))
    await place(volume="0.01", leverage="2")
    await place(volume="0.01", type="sell", leverage="2")
    exchange.transfer(account, Transfer(asset="BTC", amount=d("0.01"), source=".F"))
    exchange.transfer(account, Transfer(asset="USD", amount=d("50"), target="futures"))
    exchange.deposit(account, "USD", d("25.5"))
    await place(volume="0.01", oflags="fcib")
    await place(volume="0.5", ordertype="limit", price="1000")
