"""Any value of any of zoe's types, for property tests: made from the types' own annotations."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Literal, NewType, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=12),
    Decimal: st.decimals(
        allow_nan=False, allow_infinity=False, places=8, min_value=-(10**12), max_value=10**12
    ),
    datetime: st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - bounds are naive, what is drawn is not
    int: st.integers(-(2**53), 2**53),
    bool: st.booleans(),
    NoneType: st.none(),
}


def any_of(wanted: Any) -> st.SearchStrategy[Any]:
    """Any value of that type."""
    if isinstance(wanted, NewType):
        return any_of(wanted.__supertype__)
    origin, inner = get_origin(wanted), get_args(wanted)
    if origin in (Union, UnionType):
        return st.one_of([any_of(each) for each in inner])
    if origin is Literal:
        return st.sampled_from(inner)
    if origin is tuple:
        return _any_tuple(inner)
    if is_dataclass(wanted):
        known = get_type_hints(wanted)
        parts = {each.name: any_of(known[each.name]) for each in fields(wanted)}
        maker: Any = wanted
        return st.builds(maker, **parts)
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return st.sampled_from(list(wanted))
    return _PLAIN[wanted]


def _any_tuple(inner: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if inner[1:] == (Ellipsis,):
        return st.lists(any_of(inner[0]), max_size=3).map(tuple)
    return st.tuples(*(any_of(each) for each in inner))
