"""Replay of Kraken's bulk OHLCVT files: `timestamp,open,high,low,close,volume,trades`, no header.

A candle becomes four prints that add up to it exactly, in the order open, low, high, close. What
hurts a long position comes first: a stop and a target inside one candle resolve against us.
Nothing of a candle is told before it opens; an hour without trades, or without a row, is silent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from zoe_tools.errors import MarketDataError, UnknownInstrument
from zoe_tools.paper.markets.ladder import decimal_of_units, ladder, split, units_of_decimal
from zoe_tools.paper.markets.pair_specs import spec_named
from zoe_tools.paper.values.market import MarketEvent, PairSpec, Print, TakerSide
from zoe_tools.paper.values.times import NS

MOST = Decimal(10**15)
"""More than any price, volume or time in seconds; larger numbers would cost digits of money."""

_COLUMNS = 7
_PRINTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleRow:
    """One candle in integers: prices in units of the pair's last decimal, volume in lot units.

    `opens_at` is in whole seconds since the epoch.
    """

    opens_at: int
    open: int
    high: int
    low: int
    close: int
    volume: int


@dataclass(frozen=True, slots=True)
class _Step:
    offset_ns: int
    price: int
    quantity: int


class CandleReplay:
    """A market source over candles of one pair, ascending, `interval_s` seconds long each."""

    def __init__(self, rows: Iterable[CandleRow], spec: PairSpec, interval_s: int) -> None:
        self._rows = tuple(rows)
        if not self._rows:
            raise MarketDataError("There is no candle to replay.")
        self._spec = spec
        self._interval_s = interval_s

    @property
    def pairs(self) -> tuple[PairSpec, ...]:
        """The one pair."""
        return (self._spec,)

    @property
    def rows(self) -> tuple[CandleRow, ...]:
        """The candles, as they will be told."""
        return self._rows

    @property
    def starts_at(self) -> int:
        """The opening of the first candle, in ns."""
        return self._rows[0].opens_at * NS

    @property
    def granularity_s(self) -> float:
        """Four prints a candle."""
        return self._interval_s / _PRINTS

    def events(self) -> Iterator[MarketEvent]:
        """Before every print the whole book around it; see the module."""
        offsets = _offsets(self._interval_s)
        last_price = self._rows[0].open
        for row in self._rows:
            if not row.volume:
                continue
            for step in _steps(row, offsets):
                at = row.opens_at * NS + step.offset_ns
                side: TakerSide = "sell" if step.price < last_price else "buy"
                yield ladder(
                    self._spec,
                    at=at,
                    side=side,
                    price_units=step.price,
                    quantity_units=step.quantity,
                )
                yield Print(
                    at=at,
                    symbol=self._spec.symbol,
                    side=side,
                    price=decimal_of_units(step.price, self._spec.pair_decimals),
                    quantity=decimal_of_units(step.quantity, self._spec.lot_decimals),
                )
                last_price = step.price


def _offsets(interval_s: int) -> tuple[int, int, int, int]:
    """When the four prints come: a moment after the opening, thirds, a moment before the end."""
    length = interval_s * NS
    moment = min(NS, length // 60)
    return moment, length // 3, 2 * length // 3, length - moment


def _path(row: CandleRow) -> tuple[int, ...]:
    """Open, low, high, close; shorter where the volume has fewer units than that has prints."""
    if row.volume >= _PRINTS:
        return row.open, row.low, row.high, row.close
    ends = (row.open, row.close)
    inner = tuple(price for price in (row.low, row.high) if price not in ends)
    if row.open == row.close and not inner:
        return (row.open,)
    return row.open, *inner, row.close


def _steps(row: CandleRow, offsets: tuple[int, ...]) -> Iterator[_Step]:
    path = _path(row)
    shares = split(row.volume, len(path))
    # The last print keeps its place just before the end, however few there are.
    times = (*offsets[: len(path) - 1], offsets[-1])
    for offset, price, share in zip(times, path, shares, strict=True):
        yield _Step(offset, price, share)


def read_candles(path: Path, text: str) -> CandleReplay:
    """A whole file; pair and length come from its name, `ETHUSD_60.csv`.

    Raises:
        MarketDataError: the name says neither, or a line (named) does not hold a candle.
    """
    spec, interval_s = _named(path)
    rows: list[CandleRow] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = _row(line, spec)
            _check_order(rows[-1] if rows else None, row, interval_s)
        except ValueError as error:
            raise MarketDataError(
                f"{path}, line {number}: {error}.",
                hint="A line is `timestamp,open,high,low,close,volume,trades`, oldest first.",
            ) from error
        rows.append(row)
    if not rows:
        raise MarketDataError(f"{path} holds no candle.", hint="Is the file empty?")
    return CandleReplay(rows, spec, interval_s)


def _named(path: Path) -> tuple[PairSpec, int]:
    name, _, minutes = path.stem.rpartition("_")
    hint = "Name the file as Kraken does, pair and minutes: ETHUSD_60.csv."
    if not (name and minutes.isascii() and minutes.isdigit() and int(minutes) > 0):
        raise MarketDataError(f"The name of {path} does not say pair and interval.", hint=hint)
    try:
        return spec_named(name), int(minutes) * 60
    except UnknownInstrument as error:
        raise MarketDataError(f"{path}: {error.message}", hint=f"{hint} {error.hint}") from error


def _row(line: str, spec: PairSpec) -> CandleRow:
    fields = line.split(",")
    if len(fields) != _COLUMNS:
        raise ValueError(f"{len(fields)} columns instead of {_COLUMNS}")
    numbers = [_number(field) for field in fields]
    opens_at, *prices, volume, _ = numbers
    opened, high, low, close = (units_of_decimal(price, spec.pair_decimals) for price in prices)
    if opens_at != int(opens_at):
        raise ValueError(f"the timestamp {fields[0]} is not in whole seconds")
    if high < low:
        raise ValueError(f"the high {fields[2]} is below the low {fields[3]}")
    if not (low <= opened <= high and low <= close <= high):
        raise ValueError("open or close lie outside of low and high")
    if low <= 0:
        raise ValueError(f"the low {fields[3]} is not a price")
    row = CandleRow(
        opens_at=int(opens_at),
        open=opened,
        high=high,
        low=low,
        close=close,
        volume=units_of_decimal(volume, spec.lot_decimals),
    )
    if 0 < row.volume < len(_path(row)):
        raise ValueError(f"the volume {fields[5]} is too small for so many prices")
    return row


def _number(field: str) -> Decimal:
    try:
        number = Decimal(field.strip())
    except InvalidOperation as error:
        raise ValueError(f"{field!r} is not a number") from error
    if not number.is_finite() or number < 0:
        raise ValueError(f"{field!r} is not a number from zero up")
    if number > MOST:
        raise ValueError(f"{field!r} is beyond every market")
    return number


def _check_order(before: CandleRow | None, row: CandleRow, interval_s: int) -> None:
    if before is None:
        return
    distance = row.opens_at - before.opens_at
    if distance <= 0:
        raise ValueError(f"the timestamp {row.opens_at} does not come after {before.opens_at}")
    if distance < interval_s:
        raise ValueError(
            f"the candle starts {distance} s after the one before, inside its {interval_s} s"
        )
