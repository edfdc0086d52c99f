"""Reading the parameters of a request with the socket's own complaints (section 9, last part)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, TypeVar, get_args

from typing_extensions import override

from zoe_tools.paper.engine.order_requests import Wording
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.values.order import Price, RelativePrice
from zoe_tools.paper.values.refusal import Refusal, invalid
from zoe_tools.paper.values.times import NS, ns_of
from zoe_tools.paper.ws.numbers import number_or_none

Params = Mapping[str, Any]
Result = dict[str, Any]
T = TypeVar("T", bound=str)

_DEADLINE_LIMIT_NS = 60 * NS
PriceUnit = Literal["static", "pct", "quote"]
"""A price, or a distance from another one: in percent of it, or in quote."""
_UNITS: tuple[PriceUnit, ...] = get_args(PriceUnit)


def not_found(name: str) -> Refusal:
    """`Limit_price(s) not found`: a field that is missing."""
    return Refusal(f"{name.capitalize()}(s) not found")


def token_of(params: Params) -> str:
    """The token of a request.

    Raises:
        Refusal: `Token(s) not found`.
    """
    token = params.get("token")
    if not isinstance(token, str):
        raise not_found("token")
    return token


def flag(params: Params, name: str, *, default: bool) -> bool:
    """A boolean parameter.

    Raises:
        Refusal: it is none.
    """
    value = params.get(name, default)
    if not isinstance(value, bool):
        raise invalid(name)
    return value


def check_symbol(exchange: PaperExchange, symbol: str) -> None:
    """Only v2 names pass: `XBT/USD` does not.

    Raises:
        Refusal: `Currency pair not supported XBT/USD`.
    """
    try:
        is_known = exchange.pair(symbol).symbol == symbol
    except Refusal:
        is_known = False
    if not is_known:
        raise Refusal(f"Currency pair not supported {symbol}")


class SocketWording(Wording):
    """The socket misses a field in words of its own."""

    @override
    def missing(self, field: str) -> Refusal:
        return not_found(self.name(field))


class Fields:
    """The parameters of one request; every reader raises `Refusal` where the field is wrong."""

    def __init__(self, method: str, params: Params, known: frozenset[str]) -> None:
        for name in params:
            if name not in known:
                raise Refusal(f"Unsupported field: '{name}' for the given msg type: {method}")
        self._method = method
        self._params = params

    def has(self, name: str) -> bool:
        """Whether it is there and not null."""
        return self._params.get(name) is not None

    def decimal(self, name: str) -> Decimal | None:
        """A JSON number; a string is none."""
        value = self._params.get(name)
        if value is None:
            return None
        number = number_or_none(value)
        if number is None:
            raise Refusal(f"{name.capitalize()} field must be a number_float")
        return number

    def price(
        self, name: str, unit: str | None = None, default: PriceUnit = "static"
    ) -> Price | None:
        """A number that its unit, in `<name>_type`, makes a price or a distance."""
        kind = self.one_of(unit or f"{name}_type", _UNITS, default)
        number = self.decimal(name)
        if number is None or kind == "static":
            return number
        return RelativePrice(value=number, is_percent=kind == "pct")

    def text(self, name: str) -> str | None:
        """A string."""
        value = self._params.get(name)
        if value is not None and not isinstance(value, str):
            raise invalid(name)
        return value

    def integer(self, name: str) -> int | None:
        """An integer."""
        value = self._params.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise invalid(name)
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A boolean."""
        value = self._params.get(name, default)
        if not isinstance(value, bool):
            raise invalid(name)
        return value

    def one_of(self, name: str, allowed: tuple[T, ...], default: T | None = None) -> T:
        """One of the words; without a default it must be there."""
        value = self.text(name)
        if value is None and default is not None:
            return default
        if value is None:
            raise not_found(name)
        for word in allowed:
            if word == value:
                return word
        raise invalid(name)

    def time(self, name: str) -> int | None:
        """An RFC 3339 time, in ns."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return ns_of(datetime.fromisoformat(text))
        except (ValueError, TypeError, OverflowError) as error:
            raise invalid(name) from error

    def deadline(self, now: int) -> int | None:
        """At most a minute ahead of the time that is told; near and past ones are the engine's."""
        at = self.time("deadline")
        if at is not None and at > now + _DEADLINE_LIMIT_NS:
            raise invalid("deadline")
        return at

    def several(self, name: str) -> list[Any]:
        """A list; empty when absent."""
        value = self._params.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise invalid(name)
        return value

    def symbol(self, exchange: PaperExchange) -> str:
        """The one pair that the request is about."""
        symbol = self.text("symbol")
        if symbol is None:
            raise not_found("symbol")
        check_symbol(exchange, symbol)
        return symbol

    def within(self, name: str, known: frozenset[str]) -> Fields | None:
        """The object of that name inside, with fields of its own; None when absent."""
        value = self._params.get(name)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise invalid(name)
        return Fields(self._method, value, known)
