"""One client, pointed at Kraken or at the paper exchange: the same code, byte for byte."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import httpx
from typing_extensions import override

from zoe_tools.config import Settings
from zoe_tools.domain.cadence import Cadence
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import Instrument
from zoe_tools.errors import ConfigError, VenueError
from zoe_tools.kraken.breaker import CircuitBreaker
from zoe_tools.kraken.nonce import NonceSource
from zoe_tools.kraken.rest import RestClient
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.kraken.stream import FeedSubscriptions, KrakenFeed
from zoe_tools.paper.exchange.faults import ConnectionDropped
from zoe_tools.ports import Clock, Connect, Coordination, Urgency
from zoe_tools.runtime.clocks import SystemClock
from zoe_tools.runtime.coordination import shared_coordination
from zoe_tools.runtime.paper_process import ensure_paper

TIME_ANSWER_S = (2.0, 1.0)
"""How long the venue is waited for to tell its time, by the machine's clock: usually, and where
something has to be stopped."""

BOOK_DEPTH = 25
"""Deeper than the ten levels of the checksum, so that a burst does not empty the window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wires:
    """Where the venue's streams are, and the client that fetches their tokens.

    `futures_url`: where the derivatives' public tickers are.
    """

    public_url: str
    private_url: str
    rest: RestClient
    futures_url: str = ""


@asynccontextmanager
async def open_venue(
    settings: Settings, clock: Clock, *, urgency: Urgency = Urgency.COMMAND
) -> AsyncIterator[tuple[KrakenSpot, Wires, Clock]]:
    """The venue of the settings' account; paper is started when it is not running.

    `urgency` is how its calls stand among those of others who share the key.

    Raises:
        ConfigError: a paper account is pointed at a venue that is not zoe's own exchange.
        VenueUnavailable: the paper exchange cannot be started.
    """
    base_url, public_url, private_url = (
        settings.kraken_base_url,
        settings.kraken_ws_public_url,
        settings.kraken_ws_private_url,
    )
    key, secret = settings.kraken_api_key, settings.kraken_api_secret
    tier: str | None = settings.kraken_tier
    futures_url = settings.kraken_futures_base_url
    if settings.mode == "paper":
        # Named by the operator it is paper for sure, and the address is another account's.
        is_named = settings.source_of("EDGE_FACTORY_MODE").startswith("account ")
        if settings.source_of("KRAKEN_BASE_URL") != "default" and not is_named:
            raise ConfigError(
                "KRAKEN_BASE_URL is set, and the account is paper: that venue has not proved to be "
                "zoe's own exchange.",
                hint="Remove KRAKEN_BASE_URL, or say EDGE_FACTORY_MODE=live if it is real.",
            )
        paper = await ensure_paper(settings.home)
        base_url, public_url, private_url = paper.rest_url, paper.ws_url, paper.ws_private_url
        key, secret, clock = paper.keys.api_key, paper.keys.api_secret, paper.clock
        tier, futures_url = paper.tier, paper.rest_url
    async with _coordination(settings, key, clock) as coordination:
        rest = RestClient(
            base_url,
            api_key=key,
            api_secret=secret,
            clock=clock,
            coordination=coordination,
            tier=tier or settings.kraken_tier,
            unlimited=tier is None,
            urgency=urgency,
            breaker=CircuitBreaker(coordination, clock),
        )
        try:
            wires = Wires(
                public_url=public_url, private_url=private_url, rest=rest, futures_url=futures_url
            )
            if isinstance(clock, SystemClock):
                patience_s = TIME_ANSWER_S[urgency is Urgency.PROTECTION]
                await _set_right(clock, KrakenSpot(rest, clock), patience_s)
            yield KrakenSpot(rest, clock), wires, clock
        finally:
            await rest.aclose()


async def _set_right(clock: SystemClock, venue: KrakenSpot, patience_s: float) -> None:
    """Intents and deadlines are compared with the venue's records, whatever this machine's clock.

    A venue that does not answer soon leaves it as it is: to stop trading must not wait for that.
    """
    with suppress(VenueError, TimeoutError):
        async with asyncio.timeout(patience_s):
            await venue.server_time()
    clock.correct(venue.time.offset)


@asynccontextmanager
async def _coordination(
    settings: Settings, key: str | None, clock: Clock
) -> AsyncIterator[Coordination]:
    """What is shared with other processes; of no key there is nothing to share."""
    if not key:
        yield NonceSource(clock)
        return
    async with shared_coordination(
        settings.home, settings.database_url, key, clock, is_scaled=settings.mode == "paper"
    ) as shared:
        yield shared


def make_feed(
    wires: Wires,
    venue: KrakenSpot,
    *,
    connect: Connect,
    clock: Clock,
    cadence: Cadence,
    instruments: Sequence[Instrument],
    seed: int,
) -> KrakenFeed:
    """The streams of the instruments and of the account."""
    by_symbol: dict[Symbol, Instrument] = {each.symbol: each for each in instruments}
    return KrakenFeed(
        wires.public_url,
        wires.private_url,
        connect=connect,
        token=venue.websocket_token,
        clock=clock,
        cadence=cadence,
        instruments=by_symbol,
        subscriptions=FeedSubscriptions(
            symbols=tuple(by_symbol),
            ticker=True,
            trades=True,
            book_depth=BOOK_DEPTH,
            tells_books=False,
            instruments=True,
        ),
        server_time=venue.time,
        transactions=wires.rest.budgets.transactions,
        rng=random.Random(seed),  # noqa: S311 - jitter of reconnects, not a secret
    )


def in_process_transport(app: object) -> httpx.AsyncBaseTransport:
    """The REST client's way to an exchange in the same process: bytes, no socket."""
    return _InProcess(app=app)  # type: ignore[arg-type]


class _InProcess(httpx.ASGITransport):
    """A connection that the exchange drops looks as it does on a wire."""

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await super().handle_async_request(request)
        except ConnectionDropped as error:
            raise httpx.RemoteProtocolError(
                "Server disconnected without sending a response.", request=request
            ) from error
