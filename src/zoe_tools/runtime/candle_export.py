"""Candles out of the store into a file of Parquet or CSV, page by page, whole or not at all."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from secrets import token_hex

import polars as pl

from zoe_tools.domain.candle import Span, Timeframe, moment_at
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.errors import ConfigError
from zoe_tools.store.runner import StoreRunner
from zoe_tools.store.store import Transaction

PAGE_ROWS = 50_000
_AMOUNTS = ("open", "high", "low", "close", "vwap", "volume")
_COLUMNS = ("opened_at", *_AMOUNTS, "count", "is_final", "source")
_MOMENT = "%Y-%m-%dT%H:%M:%SZ"
_SYSTEM_ERROR = re.compile(r"\(os error ([0-9]+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What a file got; without rows there is none."""

    file: str
    symbol: Symbol
    timeframe: Timeframe
    rows: int
    first_at: datetime | None
    last_at: datetime | None


def demand_place(path: Path, *, may_overwrite: bool) -> None:
    """Pass while a file of that name can be made.

    Raises:
        ConfigError: of no kind that is known, or there already, or its folder is not.
    """
    if path.suffix.lower() not in {".parquet", ".csv"}:
        raise ConfigError(f"--export {path}: the name must end in .parquet or .csv.")
    if path.is_dir() or not path.parent.is_dir():
        raise ConfigError(
            f"--export {path}: this cannot be a file.", hint="Its folder must be there."
        )
    if path.exists() and not may_overwrite:
        raise ConfigError(
            f"--export {path}: the file is there already.",
            hint="Take another name, or write over it with --force.",
        )


async def export_candles(
    store: StoreRunner,
    path: Path,
    symbol: Symbol,
    timeframe: Timeframe,
    wanted: Span,
    *,
    may_overwrite: bool = False,
) -> Exported:
    """Write the candles that begin within a span; times are UTC, amounts exact.

    Raises:
        ConfigError: the file cannot be made.
        OSError: the disk's own reasons.
    """
    demand_place(path, may_overwrite=may_overwrite)
    rows, first, last = 0, None, None
    with _beside(path) as folder:
        draft = folder / "whole"
        is_csv = path.suffix.lower() == ".csv"
        async for page in _pages(store, symbol, timeframe, wanted):
            with _on_disk(path):
                if is_csv:
                    _append_csv(draft, page, is_first=not rows)
                else:
                    _shaped(page).write_parquet(folder / f"{rows:015d}.part")
            first = page.item(0, "at") if first is None else first
            rows, last = rows + page.height, page.item(-1, "at")
        if rows and not is_csv:
            parts = sorted(folder.glob("*.part"))
            with _on_disk(path):
                pl.scan_parquet(parts).sink_parquet(draft, maintain_order=True)
        if rows:
            _put(draft, path, may_overwrite=may_overwrite)
    return Exported(
        file=str(path),
        symbol=symbol,
        timeframe=timeframe,
        rows=rows,
        first_at=None if first is None else moment_at(first),
        last_at=None if last is None else moment_at(last),
    )


async def _pages(
    store: StoreRunner, symbol: Symbol, timeframe: Timeframe, wanted: Span
) -> AsyncIterator[pl.DataFrame]:
    """Each page is a transaction of its own, so that nobody waits for the whole."""
    is_more = True
    while is_more:
        page = await store.read(partial(_page, symbol, timeframe, wanted))
        is_more = page.height == PAGE_ROWS
        if page.height:
            yield page
            wanted = Span(page.item(-1, "at") + 1, wanted.until)


def _page(symbol: Symbol, timeframe: Timeframe, wanted: Span, books: Transaction) -> pl.DataFrame:
    return books.market.frame(symbol, timeframe, wanted, PAGE_ROWS)


def _shaped(page: pl.DataFrame) -> pl.DataFrame:
    opened_at = pl.from_epoch("at").dt.replace_time_zone("UTC")
    return page.with_columns(opened_at=opened_at).select(_COLUMNS)


def _append_csv(draft: Path, page: pl.DataFrame, *, is_first: bool) -> None:
    """Amounts without zeros behind their last digit."""
    rows = page.select(
        pl.from_epoch("at").dt.strftime(_MOMENT).alias("opened_at"),
        *(
            pl.col(name).cast(pl.String).str.strip_chars_end("0").str.strip_chars_end(".")
            for name in _AMOUNTS
        ),
        "count",
        "is_final",
        "source",
    )
    with draft.open("ab") as file:
        rows.write_csv(file, include_header=is_first)


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A folder beside a file, for its draft; gone afterwards, as those of exports that died."""
    _sweep(path)
    folder = path.with_name(f".{path.name}.{token_hex(4)}")
    folder.mkdir(mode=0o700)
    with _held(folder):
        try:
            yield folder
        finally:
            shutil.rmtree(folder)


def _sweep(path: Path) -> None:
    """Remove what killed exports of the same file have left: nobody holds it any more."""
    draft = re.compile(re.escape(f".{path.name}.") + "[0-9a-f]{8}")
    for each in path.parent.iterdir():
        if draft.fullmatch(each.name) and each.is_dir():
            with suppress(OSError), _held(each):
                shutil.rmtree(each)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a folder; the hold dies with its process.

    Raises:
        OSError: somebody else holds it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _on_disk(path: Path) -> Iterator[None]:
    """What goes wrong with the disk, as the system says it: polars only puts it into words."""
    try:
        yield
    except (OSError, pl.exceptions.PolarsError) as error:
        told = _SYSTEM_ERROR.search(str(error))
        if told is None:
            raise
        number = int(told[1])
        raise OSError(number, os.strerror(number), str(path)) from error


def _put(draft: Path, path: Path, *, may_overwrite: bool) -> None:
    """Whoever looks sees the old file, or the new one whole."""
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    demand_place(path, may_overwrite=may_overwrite)
    draft.replace(path)
