"""An answer that lay there before its question is not its answer.

HTTP ties answers to questions by their order alone. A venue, or whoever stands between, that sends
one answer too many would have it taken for the next call's. One that comes by itself ends its idle
connection; one in the same packet as the answer before stays in the parser, where only this tells
it apart: nobody had to wait for it. Source: kraken-spot section 1 (an answer carries no id of its
call).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx

_EXPECTED = "http11.receive_response_headers.started"
_ARRIVED = "http11.receive_response_headers.complete"


class AnswerWatch:
    """Follows one call, as the `trace` of its request (an extension of httpcore's).

    Raises (through the transport, which closes the connection):
        httpx.RemoteProtocolError: the answer was there when the question had just been written.
    """

    __slots__ = ("_has_waited",)

    def __init__(self) -> None:
        self._has_waited = False

    async def __call__(self, event: str, _details: Mapping[str, object]) -> None:
        """What the transport is about to do, or has done."""
        if event == _EXPECTED:
            # Reading from the network gives way to other tasks, and to this; the parser does not.
            self._has_waited = False
            asyncio.get_running_loop().call_soon(self._wait)
        elif event == _ARRIVED and not self._has_waited:
            raise httpx.RemoteProtocolError("an answer was there before the question")

    def _wait(self) -> None:
        self._has_waited = True
