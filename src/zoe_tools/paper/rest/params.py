"""What a REST request says, as texts: form and JSON bodies flattened to one shape.

Nested JSON objects become `close[ordertype]`, lists become comma lists, numbers keep their digits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import NoReturn
from urllib.parse import parse_qsl

from zoe_tools.paper.values.order import Price, RelativePrice
from zoe_tools.paper.values.refusal import Refusal, invalid
from zoe_tools.paper.values.rounding import plain
from zoe_tools.paper.values.times import NS, ns_of

__all__ = ["Params", "from_form", "from_json", "invalid", "orders_in"]

_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_LATEST_S = Decimal(10) ** 10
_DEADLINE_NS = 60 * NS
_LATEST_NS = 2**63 - 1
"""The end of all times that fit into 64 bits; whoever asks for later ones means this."""
_FORM_FIELDS = 1000
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_MEMBER = re.compile(
    r"(?P<list>\w+)\[(?P<number>[0-9]{1,3})\]\[(?P<name>\w+)\](?P<rest>(\[\w+\])?)"
)
_LONGEST_NUMBER = 100
_DEEPEST = 6
_MAGNITUDE = 40
"""Powers of ten beyond all money: such numbers are not even looked at."""


class Params:
    """The parameters of one request; getters raise `Refusal` for values that make no sense."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def text(self, name: str) -> str | None:
        """The value; empty counts as absent."""
        return self._values.get(name) or None

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A boolean in any spelling Kraken takes. A misspelled `validate` would trade."""
        value = self.text(name)
        if value is None:
            return default
        if value.lower() not in _FLAGS:
            raise invalid(name)
        return _FLAGS[value.lower()]

    def integer(self, name: str) -> int | None:
        """A whole number."""
        value = self.text(name)
        if value is None:
            return None
        sign, digits = value[:1], value.lstrip("+-")
        if not digits.isascii() or not digits.isdigit() or len(value) - len(digits) > 1:
            raise invalid(name)
        if len(digits) > len(str(2**64)):
            raise invalid(name)
        return -int(digits) if sign == "-" else int(digits)

    def decimal(self, name: str) -> Decimal | None:
        """A decimal number, positive or not, never a float."""
        value = self.text(name)
        return None if value is None else _decimal(value, name)

    def price(self, name: str) -> Price | None:
        """A price, or a distance: `+x`, `-x`, `#x`, each with `%` (section 8.1)."""
        value = self.text(name)
        if value is None or not (value[0] in "+-#" or value[-1] == "%"):
            return None if value is None else _decimal(value, name)
        is_percent, is_unsigned = value[-1] == "%", value[0] == "#"
        digits = value.removeprefix("#").removesuffix("%")
        return RelativePrice(
            value=_decimal(digits, name), is_percent=is_percent, is_unsigned=is_unsigned
        )

    def names(self, name: str) -> tuple[str, ...]:
        """A comma list, or the form's `name[]`, `name[0]` fields."""
        values = [self.text(name) or ""]
        values += [value for key, value in self._values.items() if key.startswith(f"{name}[")]
        return tuple(part.strip() for value in values for part in value.split(",") if part.strip())

    def members(self, name: str) -> list[Params]:
        """A form's list of objects: `orders[0][type]`, `orders[0][close][price]`..., by number."""
        found: dict[int, dict[str, str]] = {}
        for key, value in self._values.items():
            field = _MEMBER.fullmatch(key)
            if field is not None and field["list"] == name:
                member = found.setdefault(int(field["number"]), {})
                member[field["name"] + field["rest"]] = value
        return [Params(found[number]) for number in sorted(found)]

    def has_group(self, name: str) -> bool:
        """Whether there is any `name[...]` with a value."""
        return any(key.startswith(f"{name}[") and value for key, value in self._values.items())

    def seconds(self, name: str) -> int | None:
        """Unix seconds, with or without fraction, as nanoseconds."""
        value = self.decimal(name)
        if value is None:
            return None
        if not 0 <= value < _LATEST_S:
            raise invalid(name)
        return min(int(value * NS), _LATEST_NS)

    def moment(self, name: str) -> int | None:
        """An RFC 3339 time as nanoseconds."""
        value = self.text(name)
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise invalid(name) from None
        if moment.tzinfo is None:
            raise invalid(name)
        return ns_of(moment)

    def deadline(self, now: int) -> int | None:
        """A `moment` at most a minute ahead; one that is near or has passed is the engine's."""
        at = self.moment("deadline")
        if at is not None and at > now + _DEADLINE_NS:
            raise invalid("deadline")
        return at


def _decimal(value: str, name: str) -> Decimal:
    # Decimal itself also takes underscores, blanks, other alphabets' digits, NaN and Infinity
    if len(value) > _LONGEST_NUMBER or not _NUMBER.fullmatch(value):
        raise invalid(name)
    number = Decimal(value)
    if abs(number.adjusted()) > _MAGNITUDE:
        raise invalid(name)
    return number


def orders_in(text: str) -> list[Params]:
    """The members of a batch: a JSON list of objects, each read as a request of its own.

    Raises:
        Refusal: it is none.
    """
    try:
        rows = _parsed(text)
    except Refusal:
        raise invalid("orders") from None
    if not isinstance(rows, list):
        raise invalid("orders")
    return [Params(_flat(row)) for row in rows]


def _flat(value: object) -> dict[str, str]:
    """Nested objects become `close[ordertype]`; a list of objects stays the JSON it is."""
    if not isinstance(value, dict):
        raise Refusal("EAPI:Bad request")
    flat: dict[str, str] = {}
    for name, item in value.items():
        if isinstance(item, dict):
            flat |= {f"{name}[{inner}]": _as_text(each) for inner, each in item.items()}
        elif isinstance(item, list) and any(isinstance(each, dict) for each in item):
            flat[name] = json.dumps(item, default=_digits)
        else:
            flat[name] = _as_text(item)
    return flat


def _digits(value: object) -> str:
    """A number of a nested object, as text: it must not pass through a float."""
    return _as_text(value)


def from_form(text: str) -> Params:
    """A query string or a form body.

    Raises:
        Refusal: `EAPI:Bad request` when it is not one.
    """
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_FORM_FIELDS)
    except ValueError:
        raise Refusal("EAPI:Bad request") from None
    return Params(dict(pairs))


def from_json(text: str) -> Params:
    """A JSON body.

    Raises:
        Refusal: `EAPI:Bad request` when it is not an object.
    """
    return Params(_flat(_parsed(text)))


def _parsed(text: str) -> object:
    """JSON with exact numbers, no deeper nested than any request of Kraken's.

    Raises:
        Refusal: `EAPI:Bad request`.
    """
    try:
        value: object = json.loads(text, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError, ArithmeticError):
        raise Refusal("EAPI:Bad request") from None
    level = [value]
    for _ in range(_DEEPEST):
        level = [each for one in level for each in _members(one)]
        if not level:
            return value
    raise Refusal("EAPI:Bad request")


def _members(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _as_text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Decimal():
            return plain(value) if abs(value.adjusted()) <= _MAGNITUDE else str(value)
        case list():
            return _joined(_as_text(each) for each in value[:_FORM_FIELDS])
        case str() | int():
            return str(value)
        case _:
            raise Refusal("EAPI:Bad request")


def _joined(parts: Iterable[str]) -> str:
    return ",".join(parts)
