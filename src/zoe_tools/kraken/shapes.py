"""Fields that a payload has and its struct does not: found by type, and each told once by name.

msgspec passes over them, which is how they are tolerated; that they are there is worth a line in
the log. What a struct lists as `unread` is documented, and not strange. Pure, but for that line.
Source: kraken-spot section 14, rule 6.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import inspect

from zoe_tools.kraken import strange

T = TypeVar("T")


@dataclass(slots=True)
class _Shape:
    """What an object may hold: the names of a struct, or any name, and what is below each."""

    names: frozenset[str] | None = None
    below: dict[str, _Shape] = field(default_factory=dict)
    each: _Shape | None = None


_SHAPES: dict[object, _Shape | None] = {}
_ANYTHING = msgspec.json.Decoder()


def note_unknown(what: str, kind: object, content: bytes | str | msgspec.Raw) -> None:
    """Log the fields in `content` that the type `kind` does not name, as fields of `what`.

    `content` is JSON that was decoded as `kind` before. It is looked at whole, arrays and all.
    """
    if kind not in _SHAPES:
        _SHAPES[kind] = _shape_of(inspect.type_info(kind))
    shape = _SHAPES[kind]
    if shape is None:
        return
    try:
        value = _ANYTHING.decode(content)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return  # only in what nobody reads: the rest was decoded, and is used
    for name in _strange_names(value, shape):
        strange.noted(f"a field of {what}", name)


def _strange_names(value: Any, shape: _Shape) -> Iterator[str]:
    if isinstance(value, list):
        if shape.each is not None:
            for each in value:
                yield from _strange_names(each, shape.each)
        return
    if not isinstance(value, dict):
        return
    if shape.names is None:
        if shape.each is not None:
            for each in value.values():
                yield from _strange_names(each, shape.each)
        return
    yield from value.keys() - shape.names
    for name, inner in shape.below.items():
        if name in value:
            yield from _strange_names(value[name], inner)


def _shape_of(kind: inspect.Type) -> _Shape | None:
    """What is worth a look: None for texts, numbers, and rows that are arrays."""
    match kind:
        case inspect.StructType(cls=cls, fields=fields) if not cls.__struct_config__.array_like:
            unread: frozenset[str] = getattr(cls, "unread", frozenset())
            inner = {each.encode_name: _shape_of(each.type) for each in fields}
            below = {name: shape for name, shape in inner.items() if shape is not None}
            return _Shape(names=unread | inner.keys(), below=below)
        case inspect.DictType(value_type=below_all) | inspect.CollectionType(item_type=below_all):
            each = _shape_of(below_all)
            return None if each is None else _Shape(each=each)
        case inspect.UnionType(types=types):
            return _joined([shape for shape in map(_shape_of, types) if shape is not None])
        case _:
            return None


def _joined(shapes: list[_Shape]) -> _Shape | None:
    """One shape of several: where they differ, what either allows is known."""
    if len(shapes) <= 1:
        return shapes[0] if shapes else None
    named = [shape for shape in shapes if shape.names is not None]
    below = {name: inner for shape in named for name, inner in shape.below.items()}
    names = frozenset().union(*(shape.names or frozenset() for shape in named)) if named else None
    each = next((shape.each for shape in shapes if shape.each is not None), None)
    return _Shape(names=names, below=below, each=each)


class Looks:
    """Which of many payloads of one kind are looked over: the first ones, then some of them.

    A name that is new comes in all of them from some day on; to look at each costs as much again
    as to read it.
    """

    FIRST, ONE_OF = 100, 50

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def is_due(self, kind: str) -> bool:
        """Whether this one is to be looked over."""
        seen = self._seen[kind] = self._seen.get(kind, 0) + 1
        return seen <= self.FIRST or seen % self.ONE_OF == 0


class Reader(Generic[T]):
    """A decoder of one payload that also tells its unknown fields, as those of `what`."""

    def __init__(self, what: str, kind: type[T]) -> None:
        self._what = what
        self._kind = kind
        self._decoder = msgspec.json.Decoder(kind)

    def decode(self, content: bytes | str | msgspec.Raw, *, looks: Looks | None = None) -> T:
        """The payload; with `looks` not each of them is looked over.

        Raises:
            MsgspecError: it is none.
        """
        value = self._decoder.decode(content)
        if looks is None or looks.is_due(self._what):
            note_unknown(self._what, self._kind, content)
        return value
