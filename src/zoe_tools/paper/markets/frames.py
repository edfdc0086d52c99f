"""Replay of raw WebSocket v2 frames: lines of `<receive time, ns><TAB><frame>`.

Book and trade frames are told; status, acks and heartbeats are not. Decimals keep the digits of
the wire, because the checksum is computed from them. A level that falls out of the recorded depth
is taken out of the book explicitly, as the feed never says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from zoe_tools.errors import MarketDataError, UnknownInstrument
from zoe_tools.paper.markets.pair_specs import spec_named
from zoe_tools.paper.values.market import (
    BookChange,
    BookSnapshot,
    Levels,
    MarketEvent,
    PairSpec,
    Print,
    TakerSide,
)
from zoe_tools.paper.values.times import NS

_HINT = "A line is a receive time in ns, a tab, and one frame of the v2 book or trade channel."
_SIDES: dict[object, TakerSide] = {"buy": "buy", "sell": "sell"}
_ZERO = Decimal(0)
_UNREADABLE = (
    ValueError,
    TypeError,
    ArithmeticError,
    RecursionError,
    msgspec.DecodeError,
    UnknownInstrument,
)


class FramesReplay:
    """A market source over recorded events, in the order and at the times of their receipt."""

    def __init__(
        self, events: Iterable[MarketEvent], pairs: tuple[PairSpec, ...], starts_at: int
    ) -> None:
        self._events = tuple(events)
        if not self._events:
            raise MarketDataError("There is no frame to replay.")
        self._pairs = pairs
        self._starts_at = starts_at

    @property
    def pairs(self) -> tuple[PairSpec, ...]:
        """The pairs that have frames, in the order of their appearance."""
        return self._pairs

    @property
    def starts_at(self) -> int:
        """The receipt of the first line, in ns."""
        return self._starts_at

    @property
    def granularity_s(self) -> float:
        """The mean distance between two events."""
        return (self._events[-1].at - self._starts_at) / NS / len(self._events)

    def events(self) -> Iterator[MarketEvent]:
        """One event a book frame, one a trade."""
        return iter(self._events)


class _Side:
    """One side of a recorded book, cut to its depth."""

    def __init__(self, *, is_bids: bool) -> None:
        self._is_bids = is_bids
        self._levels: dict[Decimal, Decimal] = {}

    def apply(self, rows: Levels) -> None:
        for price, quantity in rows:
            if quantity:
                self._levels[price] = quantity
            else:
                self._levels.pop(price, None)

    def cut(self, depth: int) -> Levels:
        """Forget what lies beyond the depth; returns it as removals."""
        if len(self._levels) <= depth:
            return ()
        beyond = sorted(self._levels, reverse=self._is_bids)[depth:]
        for price in beyond:
            del self._levels[price]
        return tuple((price, _ZERO) for price in beyond)


class _Reader:
    """Turns frames into events, keeping each book to know what falls out of it."""

    def __init__(self) -> None:
        self.specs: dict[str, PairSpec] = {}
        self._depths: dict[str, int] = {}
        self._books: dict[str, tuple[_Side, _Side]] = {}

    def events_of(self, at: int, frame: Any) -> Iterator[MarketEvent]:
        if not isinstance(frame, dict):
            raise ValueError("the frame is not an object")  # noqa: TRY004 - reported with its line
        if frame.get("method") == "subscribe":
            self._note_depth(frame.get("result"))
        channel, kind = frame.get("channel"), frame.get("type")
        if channel == "book":
            for row in frame["data"]:
                yield self._book_event(at, row, is_snapshot=kind == "snapshot")
        elif channel == "trade" and kind == "update":
            for row in frame["data"]:
                yield self._print(at, row)

    def _note_depth(self, result: Any) -> None:
        if isinstance(result, dict) and isinstance(result.get("depth"), int):
            self._depths[str(result.get("symbol"))] = result["depth"]

    def _book_event(self, at: int, row: dict[str, Any], *, is_snapshot: bool) -> MarketEvent:
        symbol = self._symbol(row)
        bids, asks = _levels(row["bids"]), _levels(row["asks"])
        if is_snapshot:
            self._books[symbol] = _Side(is_bids=True), _Side(is_bids=False)
            self._depths.setdefault(symbol, max(len(bids), len(asks), 1))
        elif symbol not in self._books:
            raise ValueError(f"an update of {symbol} comes before any snapshot of it")
        bid_side, ask_side = self._books[symbol]
        bid_side.apply(bids)
        ask_side.apply(asks)
        depth = self._depths[symbol]
        bids += bid_side.cut(depth)
        asks += ask_side.cut(depth)
        if is_snapshot:
            return BookSnapshot(at=at, symbol=symbol, bids=bids, asks=asks)
        return BookChange(at=at, symbol=symbol, bids=bids, asks=asks)

    def _print(self, at: int, row: dict[str, Any]) -> Print:
        side = _SIDES.get(row["side"])
        price, quantity = _number(row["price"]), _number(row["qty"])
        if side is None or price <= 0 or quantity <= 0:
            raise ValueError("the trade has no side, price or quantity")
        return Print(
            at=at,
            symbol=self._symbol(row),
            side=side,
            price=price,
            quantity=quantity,
            is_market=row.get("ord_type") == "market",
        )

    def _symbol(self, row: dict[str, Any]) -> str:
        symbol = str(row["symbol"])
        if symbol not in self.specs:
            self.specs[symbol] = spec_named(symbol)
        return symbol


def read_frames(path: Path, text: str) -> FramesReplay:
    """A whole recording.

    Raises:
        MarketDataError: a line (named) is no frame, or the times fall.
    """
    decoder = msgspec.json.Decoder(float_hook=Decimal)
    reader = _Reader()
    events: list[MarketEvent] = []
    starts_at = latest = 0
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            at, frame = _line(line, decoder)
            if at < latest:
                raise ValueError("its time is before the line above's")
            events.extend(reader.events_of(at, frame))
        except KeyError as error:
            raise MarketDataError(f"{path}, line {number}: no {error}.", hint=_HINT) from error
        except _UNREADABLE as error:
            raise MarketDataError(f"{path}, line {number}: {error}.", hint=_HINT) from error
        starts_at = starts_at or at
        latest = at
    if not events:
        raise MarketDataError(f"{path} holds no book or trade frame.", hint=_HINT)
    return FramesReplay(events, tuple(reader.specs.values()), starts_at)


def _line(line: str, decoder: msgspec.json.Decoder[Any]) -> tuple[int, Any]:
    stamp, tab, frame = line.partition("\t")
    if not tab or not (stamp.isascii() and stamp.isdigit()):
        raise ValueError("there is no receive time and tab at its start")
    return int(stamp), decoder.decode(frame)


def _levels(rows: Any) -> Levels:
    levels = tuple((_number(row["price"]), _number(row["qty"])) for row in rows)
    if any(price <= 0 or quantity < 0 for price, quantity in levels):
        raise ValueError("a level has no price, or a negative quantity")
    return levels


def _number(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(f"{value!r} is not a number")  # noqa: TRY004 - reported with its line
    return Decimal(value)
