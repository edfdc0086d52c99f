"""A store whose file is taken away under it is away, until the very same file is back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from builders import NOON, PAPER
from templates import put_migrated
from zoe_tools.errors import StoreUnavailable
from zoe_tools.store.store import Store, Transaction

Way = Callable[[Store], AbstractContextManager[Transaction]]

WAYS: dict[str, Way] = {
    "write": lambda store: store.transaction(),
    "at once": lambda store: store.transaction(at_once=True),
    "look": lambda store: store.reading(),
    "recall": lambda store: store.recalling(),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A migrated file."""
    path = tmp_path / "zoe.db"
    put_migrated(path)
    return path


def opened(path: Path, *, read_only: bool = False) -> Store:
    """A store on it; the account is known there."""
    Store.open(f"sqlite:///{path}", PAPER, clock_now=NOON).close()
    return Store.open(f"sqlite:///{path}", PAPER, clock_now=NOON, read_only=read_only)


@pytest.mark.parametrize(
    ("way", "read_only"),
    [*((way, False) for way in WAYS), ("look", True)],
    ids=[*WAYS, "only to be read"],
)
def test_a_store_without_its_file_is_away_until_that_is_back(
    path: Path, way: str, *, read_only: bool
) -> None:
    """A stranger in its place is as good as none; it says which, and what to do about it."""
    store = opened(path, read_only=read_only)
    with WAYS[way](store) as books:
        epoch = books.store_epoch()
    aside = path.with_name("aside.db")
    path.rename(aside)
    with pytest.raises(StoreUnavailable, match="moved or deleted") as moved, WAYS[way](store):
        pass
    put_migrated(path)
    with pytest.raises(StoreUnavailable, match="another file") as replaced, WAYS[way](store):
        pass
    aside.replace(path)
    with WAYS[way](store) as books:
        assert books.store_epoch() == epoch
    store.close()

    for told in (moved.value, replaced.value):
        assert str(path) in told.message
        assert told.hint.index("End it") < told.hint.index("back") < told.hint.index("start")


def test_what_is_asked_of_a_moved_file_is_not_written_anywhere(path: Path) -> None:
    """Neither into the nameless file nor into the one in its place."""
    store = opened(path)
    aside = path.with_name("aside.db")
    path.rename(aside)
    put_migrated(path)
    with pytest.raises(StoreUnavailable), store.transaction() as transaction:
        transaction.acquire_lease("a", "mill", 1, NOON, 30)
    stranger = path.rename(path.with_name("stranger.db"))
    aside.replace(path)
    with store.reading() as books:
        assert books.lease() is None
    store.close()
    assert Store.remembered(f"sqlite:///{stranger}") == ()
