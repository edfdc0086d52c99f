"""Perpetual funding from the derivatives' public tickers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from builders import BTC, ETH, d
from paper_venue import PaperVenue, visited
from zoe_tools.errors import VenueError, VenueMisbehaved, VenueUnavailable
from zoe_tools.kraken.derivatives import PATH, DerivativesTickers, rates_of
from zoe_tools.paper.app import create_app

AT = datetime(2026, 11, 20, 10, 0, 0, 123000, tzinfo=UTC)
TICKER = {
    "symbol": "PF_XBTUSD",
    "last": 84001,
    "lastTime": "2026-11-20T09:59:58.417000Z",
    "tag": "perpetual",
    "pair": "BTC:USD",
    "markPrice": 84004.11,
    "bid": 84001,
    "fundingRate": 0.9124822,
    "fundingRatePrediction": 1.32325,
    "suspended": False,
    "indexPrice": 83995.76,
    "postOnly": False,
}


def answer(*tickers: dict[str, Any], **changes: Any) -> bytes:
    """An answer as the venue gives it."""
    told = {"result": "success", "serverTime": "2026-11-20T10:00:00.123Z", "tickers": tickers}
    return json.dumps({**told, **changes}).encode()


def test_the_rate_is_money_an_hour_over_the_index_by_eight() -> None:
    """0.9124822 / 83995.76 is .0010863 % an hour: .0086907 % in eight; the time is the venue's."""
    (found,) = rates_of(answer(TICKER))

    assert found.symbol == BTC
    assert found.rate_8h == d("0.000086907453")
    assert (found.as_of, found.note) == (AT, "")


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"fundingRate": None}, "tells no funding"),
        ({"indexPrice": None}, "tells no index price"),
        ({"indexPrice": 0}, "tells no index price"),
        ({"suspended": True}, "is suspended"),
    ],
)
def test_a_rate_that_cannot_be_told_is_none_and_not_zero(
    changes: dict[str, object], note: str
) -> None:
    """Its ticker says why."""
    (found,) = rates_of(answer({**TICKER, **changes}))

    assert found.rate_8h is None
    assert note in found.note


def test_names_are_ours_and_only_linear_perpetuals_count() -> None:
    """XBT is BTC; dated ones, inverse ones and indices are left out."""
    eth = {**TICKER, "symbol": "PF_ETHUSD", "pair": "ETH:USD", "fundingRate": -0.01}
    old = {**TICKER, "pair": "XBT:USD"}
    dated = {**TICKER, "symbol": "FF_XBTUSD_261225", "tag": "quarter"}
    inverse = {**TICKER, "symbol": "PI_XBTUSD"}
    index = {"symbol": "in_xbtusd", "last": 83995.8, "lastTime": "2026-11-20T09:59:58Z"}

    found = rates_of(answer(eth, old, dated, inverse, index))

    assert [each.symbol for each in found] == [ETH, BTC]
    assert (found[0].rate_8h or 0) < 0


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"[]",
        answer(TICKER, result="error", error="apiLimitExceeded"),
        answer(TICKER, serverTime="2026-11-20T10:00:00"),
        answer({**TICKER, "indexPrice": "much"}),
        answer({**TICKER, "symbol": None}),
    ],
)
def test_what_is_no_answer_is_refused(content: bytes) -> None:
    """Nothing is guessed."""
    with pytest.raises(VenueMisbehaved):
        rates_of(content)


def asked(handler: Callable[[httpx.Request], httpx.Response]) -> Any:
    """What the client makes of such a server."""

    async def main() -> Any:
        source = DerivativesTickers("http://futures", transport=httpx.MockTransport(handler))
        try:
            return await source.rates()
        finally:
            await source.aclose()

    return asyncio.run(main())


def test_the_call_is_public() -> None:
    """One GET, and no key of anybody's."""
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=answer(TICKER))

    assert [each.symbol for each in asked(handler)] == [BTC]
    (request,) = seen
    assert (request.method, request.url.path) == ("GET", PATH)
    assert not {"api-key", "apikey", "authent", "authorization"} & set(request.headers)


def refused(request: httpx.Request) -> httpx.Response:
    """Nobody is there."""
    raise httpx.ConnectError("refused", request=request)


@pytest.mark.parametrize(
    ("handler", "error"),
    [
        (refused, VenueUnavailable),
        (lambda _: httpx.Response(502), VenueUnavailable),
        (lambda _: httpx.Response(302, headers={"location": "http://x"}), VenueUnavailable),
        (lambda _: httpx.Response(200, content=b" " * (16 * 1024 * 1024 + 1)), VenueMisbehaved),
    ],
)
def test_a_source_that_fails_says_so_in_our_words(
    handler: Callable[[httpx.Request], httpx.Response], error: type[VenueError]
) -> None:
    """As any read of a venue does."""
    with pytest.raises(error):
        asked(handler)


def test_the_paper_exchange_has_the_same_tickers() -> None:
    """A quiet funding on each of its pairs, at its own time."""

    async def use(venue: PaperVenue) -> None:
        transport = httpx.ASGITransport(app=create_app(venue.exchange, proof_secret=None))
        source = DerivativesTickers("http://paper", transport=transport)
        rates = {each.symbol: each for each in await source.rates()}
        await source.aclose()

        assert abs((rates[BTC].rate_8h or d("0")) - d("0.00008")) < d("1e-10")
        assert abs((venue.clock.now() - rates[BTC].as_of).total_seconds()) < 1

    visited(use)
