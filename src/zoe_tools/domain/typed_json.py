"""JSON back into typed values, strictly, and the JSON Schema of what is read.

The other direction is `plan.jsonable`. Both this reader and the schema follow the types' own
annotations, so that a field cannot be in one and not in the other. Every object says its class in
`kind` and has all of its fields and no others; money is text in plain notation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Literal, NewType, Union, get_args, get_origin, get_type_hints
from unicodedata import category

Json = object
"""What `json` makes of a text."""

MAX_TEXT = 4_000
"""Characters in one text."""
MAX_ROWS = 200_000
"""Entries in one list."""
_MAX_WHOLE = 2**53
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,29})(\.[0-9]{1,60})?")
_TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?\+00:00$"
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories of what moves the cursor, turns the line round, or shows nothing at all."""


class NotSuchJson(ValueError):
    """The text is no JSON, or holds something else than was wanted; the sentence says where."""


# --- reading -------------------------------------------------------------------------------------


def parse(text: str) -> Json:
    """The JSON value of a text; numbers must be whole, and no key may come twice.

    Raises:
        NotSuchJson: the text is something else.
    """
    try:
        return json.loads(
            text,
            parse_float=_no_fraction,
            parse_constant=_no_fraction,
            object_pairs_hook=_unique,
        )
    except NotSuchJson:
        raise
    except (ValueError, RecursionError) as error:
        raise NotSuchJson(f"it is no JSON: {str(error).splitlines()[0]}") from error


def read(value: Json, wanted: Any, path: str = "it") -> Any:
    """The value as the type that is wanted.

    Raises:
        NotSuchJson: it is something else; the sentence names the place.
    """
    if isinstance(wanted, NewType):
        return read(value, wanted.__supertype__, path)
    origin = get_origin(wanted)
    if origin in (Union, UnionType):
        return _one_of(value, get_args(wanted), path)
    if origin is Literal:
        return _demand(value, isinstance(value, str) and value in get_args(wanted), path, wanted)
    if origin is tuple:
        return _tuple(value, get_args(wanted), path)
    if is_dataclass(wanted):
        return _object(value, wanted, path)
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return _enum(value, wanted, path)
    return _PLAIN[wanted](value, path)


def _one_of(value: Json, choices: tuple[Any, ...], path: str) -> Any:
    if value is None and NoneType in choices:
        return None
    rest = [each for each in choices if each is not NoneType]
    if len(rest) == 1:
        return read(value, rest[0], path)
    kind = value.get("kind") if isinstance(value, Mapping) else None
    for each in rest:
        if each.__name__ == kind:
            return read(value, each, path)
    names = ", ".join(sorted(each.__name__ for each in rest))
    raise NotSuchJson(f"{path} is of the unknown kind {_shown(kind)}; known are {names}")


def _object(value: Json, wanted: Any, path: str) -> Any:
    if not isinstance(value, Mapping):
        raise NotSuchJson(f"{path} is no {wanted.__name__} but {_shown(value)}")
    if value.get("kind") != wanted.__name__:
        raise NotSuchJson(f"{path} is of kind {_shown(value.get('kind'))}, not {wanted.__name__}")
    known = _hints(wanted)
    for name in value:
        if name not in known and name != "kind":
            raise NotSuchJson(f"{path} has the unknown field {_shown(name)}")
    for name in known:
        if name not in value:
            raise NotSuchJson(f"{path} lacks the field {name}")
    return wanted(
        **{name: read(value[name], hint, f"{path}.{name}") for name, hint in known.items()}
    )


def _tuple(value: Json, inner: tuple[Any, ...], path: str) -> tuple[Any, ...]:
    if not isinstance(value, list) or len(value) > MAX_ROWS:
        raise NotSuchJson(f"{path} is no list, or one of more than {MAX_ROWS}: {_shown(value)}")
    if len(inner) == 2 and inner[1] is Ellipsis:  # noqa: PLR2004 - `tuple[X, ...]`
        return tuple(read(each, inner[0], f"{path}[{i}]") for i, each in enumerate(value))
    if len(value) != len(inner):
        raise NotSuchJson(f"{path} has {len(value)} entries, not {len(inner)}")
    return tuple(
        read(each, hint, f"{path}[{i}]")
        for i, (each, hint) in enumerate(zip(value, inner, strict=True))
    )


def _enum(value: Json, wanted: type[Enum], path: str) -> Enum:
    for each in wanted:
        if type(each.value) is type(value) and each.value == value:
            return each
    known = ", ".join(str(each.value) for each in wanted)
    raise NotSuchJson(f"{path} is {_shown(value)}, not one of {known}")


def _text(value: Json, path: str) -> str:
    if not isinstance(value, str):
        raise NotSuchJson(f"{path} is no text but {_shown(value)}")
    if len(value) > MAX_TEXT:
        raise NotSuchJson(f"{path} has {len(value)} characters, {MAX_TEXT} is the most")
    # What is read here is shown on terminals: what is read there must be what it says.
    if not value.isprintable() and any(category(each) in _UNSEEN for each in value):
        raise NotSuchJson(f"{path} holds control characters, or others that nobody can see")
    return value


def _decimal(value: Json, path: str) -> Decimal:
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise NotSuchJson(f"{path} is no decimal in plain notation, in a text: {_shown(value)}")
    return Decimal(value)


def _moment(value: Json, path: str) -> datetime:
    if isinstance(value, str) and re.fullmatch(_TIME, value):
        try:
            return datetime.fromisoformat(value)
        except ValueError as error:
            raise NotSuchJson(f"{path} is no such time: {_shown(value)}") from error
    raise NotSuchJson(f"{path} is no time in UTC, as 2026-01-05T12:00:00+00:00: {_shown(value)}")


def _whole(value: Json, path: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _MAX_WHOLE:
        raise NotSuchJson(f"{path} is no whole number of a usual size: {_shown(value)}")
    return value


def _flag(value: Json, path: str) -> bool:
    if not isinstance(value, bool):
        raise NotSuchJson(f"{path} is neither true nor false: {_shown(value)}")
    return value


_PLAIN: dict[Any, Callable[[Json, str], Any]] = {
    str: _text,
    Decimal: _decimal,
    datetime: _moment,
    int: _whole,
    bool: _flag,
}


def _demand(value: Any, is_so: bool, path: str, wanted: Any) -> Any:  # noqa: FBT001 - private, and read at once
    if not is_so:
        known = ", ".join(get_args(wanted))
        raise NotSuchJson(f"{path} is {_shown(value)}, not one of {known}")
    return value


@lru_cache(maxsize=64)
def _hints(wanted: Any) -> dict[str, Any]:
    """Field -> type, in the order of declaration."""
    known = get_type_hints(wanted)
    return {each.name: known[each.name] for each in fields(wanted)}


def _no_fraction(text: str) -> Json:
    raise NotSuchJson(f"it holds the number {_shown(text)}; money is written as text")


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for name, value in pairs:
        if name in found:
            raise NotSuchJson(f"it holds the key {_shown(name)} twice")
        found[name] = value
    return found


def _shown(value: object) -> str:
    """A value of somebody else's making, short and harmless."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 - a line's worth


# --- the schema ----------------------------------------------------------------------------------

Schema = dict[str, object]


def schema_of(wanted: Any, known: dict[str, Schema]) -> Schema:
    """The JSON Schema (2020-12) of a type; classes go into `known`, to be its `$defs`.

    It knows more types than can be read: what is shown holds numbers and tables as well.
    """
    if isinstance(wanted, NewType):
        return schema_of(wanted.__supertype__, known)
    origin = get_origin(wanted)
    if origin in (Union, UnionType):
        return {"anyOf": [schema_of(each, known) for each in get_args(wanted)]}
    if origin is Literal:
        return {"enum": list(get_args(wanted))}
    if origin is tuple:
        return _schema_of_tuple(get_args(wanted), known)
    if origin is not None and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": schema_of(get_args(wanted)[1], known)}
    if is_dataclass(wanted):
        return _schema_of_object(wanted, known)
    return _schema_of_value(wanted)


def _schema_of_value(wanted: Any) -> Schema:
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return {"enum": [each.value for each in wanted]}
    return dict(_SCHEMAS[wanted])


def _schema_of_tuple(inner: tuple[Any, ...], known: dict[str, Schema]) -> Schema:
    if inner[1:] == (Ellipsis,):
        return {"type": "array", "items": schema_of(inner[0], known), "maxItems": MAX_ROWS}
    each = [schema_of(hint, known) for hint in inner]
    return {"type": "array", "prefixItems": each, "minItems": len(each), "maxItems": len(each)}


def _schema_of_object(wanted: Any, known: dict[str, Schema]) -> Schema:
    name = wanted.__name__
    if name not in known:
        known[name] = {}  # seen: a type may hold itself
        hints = _hints(wanted)
        known[name] = {
            "type": "object",
            "description": " ".join((wanted.__doc__ or "").split()),
            "properties": {
                "kind": {"const": name},  # or what the class itself calls so
                **{each: schema_of(hint, known) for each, hint in hints.items()},
            },
            "required": sorted({"kind", *hints}),
            "additionalProperties": False,
        }
    return {"$ref": f"#/$defs/{name}"}


_SCHEMAS: dict[Any, Schema] = {
    str: {"type": "string", "maxLength": MAX_TEXT},
    Decimal: {"type": "string", "pattern": f"^{_DECIMAL.pattern}$"},
    datetime: {"type": "string", "format": "date-time", "pattern": _TIME},
    date: {"type": "string", "format": "date"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    NoneType: {"type": "null"},
}
