"""A request of the v2 socket and the frames that answer it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.values.times import iso
from zoe_tools.paper.ws.fields import Params, Result
from zoe_tools.paper.ws.numbers import encode

RATE_EXCEEDED = "Exceeded msg rate"


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `time_in` in ns as the exchange tells its time."""

    method: str
    params: Params
    req_id: int | None
    time_in: int


class Answers:
    """Composes answers and hands them to the connection."""

    def __init__(self, exchange: PaperExchange, push: Callable[[str], None]) -> None:
        self._exchange = exchange
        self._push = push

    def answer(self, request: Request, result: Result | Sequence[Result] | None) -> None:
        """A success; without a result (a pong) there is no `success` either."""
        frame: dict[str, Any] = {"method": request.method}
        if request.req_id is not None:
            frame["req_id"] = request.req_id
        if result is not None:
            frame |= {"result": result, "success": True}
        self._push(encode(frame | self._times(request)))

    def refuse(self, request: Request, error: str, symbol: str | None = None) -> None:
        """A failure: the error and no result."""
        frame: dict[str, Any] = {"error": error, "method": request.method}
        if not request.method:
            del frame["method"]
        if request.req_id is not None:
            frame["req_id"] = request.req_id
        frame["success"] = False
        if symbol is not None:
            frame["symbol"] = symbol
        self._push(encode(frame | self._times(request)))

    def too_fast(self, request: Request) -> None:
        """Kraken answers a subscription in the usual shape, anything else in this one."""
        if request.method in ("subscribe", "unsubscribe"):
            self.refuse(request, RATE_EXCEEDED)
        else:
            self._push(encode({"Error": RATE_EXCEEDED}))

    def _times(self, request: Request) -> dict[str, str]:
        return {"time_in": iso(request.time_in), "time_out": iso(self._exchange.told_now())}
