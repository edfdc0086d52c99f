"""Kraken's REST API: send, sign, pace, and say honestly what became of a call.

A write is never sent a second time, except after the one answer that proves the first did nothing
(an invalid nonce). Everything about a write that is not provably a yes, a no or "nothing left" is
`OutcomeUnknown`. Neither body nor headers of a call ever reach a message or a log.
Source: kraken-spot sections 1 to 3, and 14.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache
from types import MappingProxyType
from typing import Any, TypeVar, cast

import httpx
import msgspec

from zoe_tools import __version__
from zoe_tools.errors import (
    CircuitOpen,
    ConfigError,
    OutcomeUnknown,
    VenueError,
    VenueMisbehaved,
    VenueRejected,
    VenueThrottled,
    VenueUnavailable,
)
from zoe_tools.kraken import errors, limits, shapes, signing, wire
from zoe_tools.kraken.answer_watch import AnswerWatch
from zoe_tools.kraken.api_errors import ApiErrors
from zoe_tools.kraken.breaker import CircuitBreaker, Passage
from zoe_tools.kraken.budgets import Budgets
from zoe_tools.kraken.codec import seconds_of
from zoe_tools.kraken.transactions import LONGEST_WAIT_S
from zoe_tools.ports import Claim, Clock, Coordination, Urgency

T = TypeVar("T")

NONCE_RESENDS = 3
LARGEST_ANSWER = 256 * 1024 * 1024
"""Bytes of a body once unpacked; a million rows of history as a file are a fifth of that."""
LONGEST_URGENT_WAIT_S = 0.25
"""Protection that waits longer for those who share the key is told of."""

_BACKOFF_S = (0.5, 2.0)
_CONNECT_TIMEOUT_S = 5.0
_OK = 200
_HEADERS = {
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": f"zoe-tools/{__version__}",
}
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_LOG = logging.getLogger(__name__)

_NOTHING_LEFT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
)
"""What httpx raises only before the first byte of a request is written."""


class _InvalidNonce(VenueRejected):
    """The answer that allows a resend; to an unsigned call, a rejection as any other."""


class RestClient:
    """One base URL and at most one key. Private calls go out one at a time.

    Its connections are those of one event loop; in another one, as of a second `asyncio.run`, it
    opens new ones. `aclose` belongs at the end of each.

    `timeout_s` bounds a call as a whole, in the loop's time. `unlimited` switches off the model of
    the counters, for a venue that has none. `transport` replaces the network. `coordination` is
    shared by all clients of a key; `urgency` is how this one stands among them. Without a `breaker`
    every call goes out, however many have failed.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None,
        api_secret: str | None,
        clock: Clock,
        coordination: Coordination,
        transport: httpx.AsyncBaseTransport | None = None,
        timeout_s: float = 10.0,
        tier: str = "starter",
        unlimited: bool = False,
        urgency: Urgency = Urgency.LOOP,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        self._base_url = _checked_url(base_url)
        self._api_key = api_key
        self._secret = signing.secret_bytes(api_secret) if api_secret else None
        self._clock = clock
        self._coordination = coordination
        self._transport = transport
        self._timeout_s = timeout_s
        self._urgency = urgency
        self.breaker = breaker
        self.api_errors = ApiErrors(clock)
        self.longest_urgent_wait_s = 0.0
        tier_now = None if unlimited else limits.tier_of(tier)
        self.budgets = Budgets(coordination, clock, tier_now, urgency=urgency)
        self._wire: httpx.AsyncBaseTransport | None = None
        self._wires_loop: asyncio.AbstractEventLoop | None = None
        self._urls: dict[str, httpx.URL] = {}

    async def aclose(self) -> None:
        """Close the connections; the next call would open new ones."""
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.aclose()

    async def public(self, method: str, params: Mapping[str, str], answer: type[T]) -> T:
        """A public call, decoded as `answer`; asked up to three times.

        Raises:
            VenueError: as `ports.Venue` says of reads.
        """
        with self.api_errors.noting():
            return await self._public(method, params, answer)

    async def _public(self, method: str, params: Mapping[str, str], answer: type[T]) -> T:
        url = self._url(f"/0/public/{method}")
        if params:
            url = url.copy_merge_params(dict(params))
        request = self._request_to(url)
        for wait_s in _BACKOFF_S:
            try:
                return await self._asked(request, method, answer)
            except (VenueUnavailable, VenueThrottled) as error:
                await self._pause(method, error, wait_s)
        return await self._asked(request, method, answer)

    async def _asked(self, request: httpx.Request, method: str, answer: type[T]) -> T:
        while wait_s := await self.budgets.take_public(method):
            await self._clock.sleep(wait_s)
        async with self.passage(Claim(urgency=self._urgency), method) as passage:
            passage.is_sent = True
            return await self._exchange(request, method, answer, is_write=False)

    @asynccontextmanager
    async def passage(self, claim: Claim, method: str) -> AsyncIterator[Passage]:
        """A call's way past the circuit breaker, over whichever wire.

        Raises:
            CircuitOpen: it is not let through; nothing is sent.
        """
        if self.breaker is None:
            yield Passage()
            return
        async with self.breaker.passage(claim, method=method) as passage:
            yield passage

    async def private(
        self,
        method: str,
        params: signing.Params,
        answer: type[T],
        *,
        is_write: bool,
        is_urgent: bool = False,
    ) -> T:
        """A signed call, decoded as `answer`; a read is asked up to three times, a write once.

        `is_urgent`: it cancels, protects or ends risk, and waits for nobody longer than a quarter
        of a second.

        Raises:
            VenueError: as `ports.Venue` says of reads and writes.
            ConfigError: there is no key.
        """
        claim = Claim(
            urgency=Urgency.PROTECTION if is_urgent else self._urgency,
            may_go_alone=is_urgent or not is_write,
        )
        with self.api_errors.noting():
            if is_write:
                return await self._signed(method, params, answer, claim, is_write=True)
            return await self._read(method, params, answer, claim)

    async def _read(self, method: str, params: signing.Params, answer: type[T], claim: Claim) -> T:
        for wait_s in _BACKOFF_S:
            try:
                return await self._signed(method, params, answer, claim, is_write=False)
            except (VenueUnavailable, VenueThrottled) as error:
                await self._pause(method, error, wait_s)
        return await self._signed(method, params, answer, claim, is_write=False)

    async def _pause(self, method: str, error: VenueError, wait_s: float) -> None:
        """Wait before asking again; re-raises what is not worth waiting for.

        After "rate limit exceeded" it asks for its place in line at once: the counter, which is
        full now, keeps it as long as it must.
        """
        asked_s, is_full = 0.0, False
        if isinstance(error, VenueThrottled):
            asked_s = error.retry_after_s
            is_full = self.budgets.is_counted and error.code.startswith(errors.RATE_LIMIT)
        if asked_s > LONGEST_WAIT_S or isinstance(error, CircuitOpen):
            raise error
        _LOG.info("%s failed and is asked again: %s", method, error.message)
        await self._clock.sleep(0.0 if is_full else max(wait_s, asked_s))

    async def _signed(
        self,
        method: str,
        params: signing.Params,
        answer: type[T],
        claim: Claim,
        *,
        is_write: bool,
    ) -> T:
        for refusals in range(NONCE_RESENDS + 1):
            terms = replace(claim, refusals=refusals)
            try:
                async with self.passage(terms, method) as passage:
                    return await self._signed_once(
                        method, params, answer, terms, passage, is_write=is_write
                    )
            except _InvalidNonce:
                _LOG.info("%s met an invalid nonce", method)
                self.budgets.nonce_refused()
            except VenueThrottled as error:
                self.budgets.refused(error)
                raise
        raise errors.error_for([errors.INVALID_NONCE], is_write=is_write)

    async def _signed_once(
        self,
        method: str,
        params: signing.Params,
        answer: type[T],
        claim: Claim,
        passage: Passage,
        *,
        is_write: bool,
    ) -> T:
        cost = limits.rest_cost(method, by_client_id="cl_ord_id" in params)
        place, loop_time, waited_s = self.budgets.new_place(), asyncio.get_running_loop().time, 0.0
        await self._heed_pause(claim, is_write=is_write)
        while True:
            asked_at = loop_time()
            async with self._coordination.nonce(claim) as number:
                waited_s += loop_time() - asked_at
                # In the slot: who has room is the next on the wire, and is counted as such.
                wait_s = await self.budgets.take_call(cost, claim, place=place)
                if not wait_s:
                    if is_write:
                        self._note_wait(method, claim, waited_s)
                    try:
                        request = self._request(method, params, number)
                        passage.is_sent = True
                        return await self._exchange(request, method, answer, is_write=is_write)
                    finally:
                        self.budgets.settle_call(cost)
            # Out of the slot: orders cost nothing here, and must not queue behind this wait.
            try:
                await self._clock.sleep(wait_s)
            except asyncio.CancelledError:
                self.budgets.leave_place(place)  # nobody waits for it: those behind go on
                raise

    def _note_wait(self, method: str, claim: Claim, waited_s: float) -> None:
        """Protection that waited for its turn to send is worth a line in the log.

        Of writes alone, and without what the counter or the venue itself had it wait for: a
        question of `zoe kill` that meets a full counter is held up by nobody.
        """
        if claim.urgency is not Urgency.PROTECTION:
            return
        self.longest_urgent_wait_s = max(self.longest_urgent_wait_s, waited_s)
        if waited_s > LONGEST_URGENT_WAIT_S:
            _LOG.warning(
                "KEY_HELD_UP: %s waited %.0f ms for its turn with the key", method, waited_s * 1_000
            )

    def _request(self, method: str, params: signing.Params, number: int) -> httpx.Request:
        if not self._api_key or self._secret is None:
            raise ConfigError(
                f"{method} needs an API key, and none is set.",
                hint="Set KRAKEN_API_KEY and KRAKEN_API_SECRET.",
            )
        path, nonce = f"/0/private/{method}", str(number)
        body, content_type = signing.encoded(nonce, params)
        sign = signing.signature(path=path, nonce=nonce, body=body, secret=self._secret)
        signed = {"API-Key": self._api_key, "API-Sign": sign, "Content-Type": content_type}
        return self._request_to(self._url(path), body=body.encode(), headers=signed)

    def _url(self, path: str) -> httpx.URL:
        """The address of a method; taking one apart is dear, and there are few."""
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = httpx.URL(self._base_url + path)
        return url

    def _request_to(
        self, url: httpx.URL, *, body: bytes | None = None, headers: Mapping[str, str] = _NO_HEADERS
    ) -> httpx.Request:
        """A request for the transport itself: a client of httpx would only add what we never use.

        The call as a whole has its own time limit; these two tell apart what never left.
        """
        fields = {"Host": url.netloc.decode("ascii"), **_HEADERS, **headers}
        if body is not None:
            fields["Content-Length"] = str(len(body))
        return httpx.Request(
            "GET" if body is None else "POST",
            url,
            headers=fields,
            stream=httpx.ByteStream(body or b""),
            extensions={
                "timeout": {"connect": _CONNECT_TIMEOUT_S, "pool": self._timeout_s},
                "trace": AnswerWatch(),
            },
        )

    async def _heed_pause(self, claim: Claim, *, is_write: bool) -> None:
        """Be silent as long as the venue asked this key to; a write is not kept until it is old.

        Raises:
            VenueThrottled: that is too long; nothing was sent.
        """
        while (wait_s := await self.budgets.check_pause(claim)) > 0:
            if is_write or wait_s > LONGEST_WAIT_S:
                raise VenueThrottled(
                    f"Kraken asked this key to wait for {wait_s:.0f} s more; nothing was sent.",
                    hint="Wait, and see whether another program uses the same key.",
                    retry_after_s=wait_s,
                )
            await self._clock.sleep(wait_s)

    async def _exchange(
        self, request: httpx.Request, method: str, answer: type[T], *, is_write: bool
    ) -> T:
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._transport_now().handle_async_request(request)
                try:
                    content = await _content(response)
                finally:
                    await response.aclose()
        except _NOTHING_LEFT as error:
            raise VenueUnavailable(f"No connection for {method}: {_words(error)}.") from error
        except (httpx.HTTPError, TimeoutError) as error:
            raise _lost(f"{method} got no answer: {_words(error)}.", is_write=is_write) from error
        if response.status_code != _OK:
            sentence = f"{method} was answered with HTTP {response.status_code}."
            raise _lost(sentence, is_write=is_write)
        return self._understood(content, method, answer, is_write=is_write)

    def _understood(self, content: bytes, method: str, answer: type[T], *, is_write: bool) -> T:
        if answer is bytes and not content.startswith(b"{"):
            return cast("T", content)  # RetrieveExport: a file; its refusals are JSON as ever.
        try:
            envelope = _decoder(wire.Envelope).decode(content)
            if errors.errors_in(envelope.error):
                if envelope.error == [errors.INVALID_NONCE]:
                    known = errors.error_for(envelope.error, is_write=is_write)
                    raise _InvalidNonce(known.message, hint=known.hint, code=errors.INVALID_NONCE)
                now_s = float(seconds_of(self._clock.now()))
                raise errors.error_for(envelope.error, is_write=is_write, now_s=now_s)
            for warning in envelope.error:
                _LOG.warning("%s was answered with the warning %s", method, warning)
            value = _decoder(answer).decode(envelope.result)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            sentence = f"The answer to {method} cannot be read: {error}."
            if is_write:
                raise OutcomeUnknown(sentence) from error
            raise VenueMisbehaved(
                sentence, hint="Check KRAKEN_BASE_URL and the venue's status page."
            ) from error
        shapes.note_unknown(method, answer, envelope.result)
        return value

    def _transport_now(self) -> httpx.AsyncBaseTransport:
        """The connection pool of this event loop, made on first use.

        `trust_env` is off: a proxy or a certificate store named in the environment would silently
        put somebody between us and the venue, and make two hosts behave differently.
        """
        loop = asyncio.get_running_loop()
        if self._wire is None or self._wires_loop is not loop:
            self._wires_loop = loop
            self._wire = self._transport or httpx.AsyncHTTPTransport(
                verify=_certificates(self._base_url),
                http2=False,
                trust_env=False,
                limits=httpx.Limits(max_connections=8, keepalive_expiry=30.0),
            )
        return self._wire


def _certificates(base_url: str) -> ssl.SSLContext:
    """Whom to trust. A venue that is asked without TLS, as one of this machine, needs nobody."""
    is_plain = base_url.startswith("http:")
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if is_plain else _authorities()


@cache
def _authorities() -> ssl.SSLContext:
    """All known ones: to read them takes longer than a call, so a process reads them once."""
    return httpx.create_ssl_context(trust_env=False)


def _checked_url(base_url: str) -> str:
    url = base_url.rstrip("/")
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ConfigError(f"{base_url!r} is no address: {error}.") from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ConfigError(
            f"{base_url!r} is no address of a venue.",
            hint="KRAKEN_BASE_URL looks like https://api.kraken.com.",
        )
    return url


async def _content(response: httpx.Response) -> bytes:
    """The body, unpacked; a small one may unpack to more than there is memory."""
    parts: list[bytes] = []
    size = 0
    async for part in _parts_of(response):
        parts.append(part)
        size += len(part)
        if size > LARGEST_ANSWER:
            raise httpx.ReadError(f"it is larger than {LARGEST_ANSWER} bytes")
    return b"".join(parts)


def _parts_of(response: httpx.Response) -> AsyncIterator[bytes]:
    """As they come: what is neither packed nor read already needs no decoder, which is dear."""
    if "content-encoding" in response.headers or response.is_stream_consumed:
        return response.aiter_bytes()
    return aiter(cast("httpx.AsyncByteStream", response.stream))


def _lost(sentence: str, *, is_write: bool) -> VenueError:
    if is_write:
        return OutcomeUnknown(f"{sentence} Whether the change happened is not known.")
    return VenueUnavailable(sentence)


def _words(error: Exception) -> str:
    """What went wrong, without the request: httpx's own texts name no header and no body."""
    if isinstance(error, TimeoutError):
        return "it took too long"
    return str(error) or type(error).__name__


_DECODERS: dict[object, msgspec.json.Decoder[Any]] = {}


def _decoder(answer: type[T]) -> msgspec.json.Decoder[T]:
    """The decoder of a type; making one is dear, and there are as many as methods."""
    decoder = _DECODERS.get(answer)
    if decoder is None:
        decoder = _DECODERS[answer] = msgspec.json.Decoder(answer)
    return decoder
