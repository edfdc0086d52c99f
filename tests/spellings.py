"""How statements read in a database's dialect, worked out once for all the engines of a test run.

SQLAlchemy keeps that for each engine, and nearly every test has one of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.util import LRUCache

from zoe_tools.store import coordination, database, memory

_MOST = 2000


class Spellings:
    """A `compiled_cache` whose keys name the kind of a dialect instead of one engine's own."""

    def __init__(self) -> None:
        self._compiled: LRUCache[Any, Any] = LRUCache(_MOST)

    def get(self, key: tuple[Any, ...]) -> Any:
        """What was worked out for this statement, or None."""
        return self._compiled.get(_by_kind(key))

    def __setitem__(self, key: tuple[Any, ...], compiled: Any) -> None:
        self._compiled[_by_kind(key)] = compiled


def _by_kind(key: tuple[Any, ...]) -> tuple[Any, ...]:
    dialect, *statement = key
    return type(dialect), *statement


@contextmanager
def spelled_once() -> Iterator[None]:
    """All engines that the store makes in this process share what they work out."""
    options = {"compiled_cache": Spellings()}
    with pytest.MonkeyPatch.context() as patched:
        for module in (coordination, database, memory):
            patched.setattr(
                module, "create_engine", partial(create_engine, execution_options=options)
            )
        yield
