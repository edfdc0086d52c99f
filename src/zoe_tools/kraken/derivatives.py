"""The public tickers of Kraken's derivatives, of which only perpetual funding is read.

One call without a key; nothing of the account's is sent. A linear perpetual's `fundingRate` is
money per contract and hour: divided by the index price it is a share of the notional per hour.
Source: kraken-derivatives-v3 section 6.2.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal

import httpx
import msgspec

from zoe_tools import __version__
from zoe_tools.domain.funding_rate import FundingRate
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.errors import VenueMisbehaved, VenueUnavailable
from zoe_tools.kraken.codec import V2_NAMES

PATH = "/derivatives/api/v3/tickers"
HOURS = 8
"""Funding is compared per eight hours, as traders do; the venue's own hour is one."""

TIMEOUT_S = 10.0
_LARGEST = 16 * 1024 * 1024
_LINEAR, _PERPETUAL = "PF_", "perpetual"
_PLACES = Decimal("1e-12")
_OK = 200


class _Ticker(msgspec.Struct):
    """Of a ticker what is needed; prices and rates of perpetuals alone are there."""

    symbol: str
    tag: str = ""
    pair: str = ""
    suspended: bool = False
    fundingRate: Decimal | None = None  # noqa: N815 - the venue's word
    indexPrice: Decimal | None = None  # noqa: N815 - the venue's word


class _Tickers(msgspec.Struct):
    result: str
    serverTime: datetime  # noqa: N815 - the venue's word
    tickers: list[_Ticker] = []
    error: str = ""


class DerivativesTickers:
    """A `FundingSource`; `aclose` belongs at its end. `transport` replaces the network."""

    name = "kraken-futures"

    def __init__(self, base_url: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._url = base_url.rstrip("/") + PATH
        headers = {"User-Agent": f"zoe-tools/{__version__}", "Accept": "application/json"}
        self._client = httpx.AsyncClient(transport=transport, headers=headers, trust_env=False)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def rates(self) -> tuple[FundingRate, ...]:
        """See `FundingSource`."""
        return rates_of(await self._read())

    async def _read(self) -> bytes:
        try:
            async with (
                asyncio.timeout(TIMEOUT_S),
                self._client.stream("GET", self._url) as response,
            ):
                if response.status_code != _OK:
                    raise VenueUnavailable(
                        f"The derivatives' tickers were answered with HTTP {response.status_code}."
                    )
                return await _content(response)
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            words = str(error) or type(error).__name__
            raise VenueUnavailable(f"No derivatives' tickers: {words}.") from error


async def _content(response: httpx.Response) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > _LARGEST:
            raise VenueMisbehaved("The derivatives' tickers do not end.")
    return bytes(content)


def rates_of(content: bytes) -> tuple[FundingRate, ...]:
    """The funding of every linear perpetual in an answer.

    Raises:
        VenueMisbehaved: it is no such answer.
    """
    try:
        told = msgspec.json.decode(content, type=_Tickers)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise VenueMisbehaved(f"The derivatives' tickers cannot be read: {error}.") from error
    if told.result != "success":
        raise VenueMisbehaved(f"The derivatives' tickers are refused: {told.error or told.result}.")
    if told.serverTime.tzinfo is None:
        raise VenueMisbehaved("The derivatives' tickers tell a time without its zone.")
    return tuple(_rates(told))


def _rates(told: _Tickers) -> Iterator[FundingRate]:
    for each in told.tickers:
        base, separator, quote = each.pair.upper().partition(":")
        is_linear = each.symbol.upper().startswith(_LINEAR) and each.tag == _PERPETUAL
        if not (is_linear and separator):
            continue
        rate, note = _rate_of(each)
        yield FundingRate(
            symbol=Symbol(f"{V2_NAMES.get(base, base)}/{V2_NAMES.get(quote, quote)}"),
            rate_8h=rate,
            as_of=told.serverTime,
            note=note,
        )


def _rate_of(ticker: _Ticker) -> tuple[Decimal | None, str]:
    rate, index = ticker.fundingRate, ticker.indexPrice
    if ticker.suspended:
        return None, f"{ticker.symbol} is suspended"
    if rate is None or not rate.is_finite():
        return None, f"{ticker.symbol} tells no funding"
    if index is None or not index.is_finite() or index <= 0:
        return None, f"{ticker.symbol} tells no index price"
    return (rate / index * HOURS).quantize(_PLACES, rounding=ROUND_HALF_EVEN), ""
