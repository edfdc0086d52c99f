"""Replay of public trades as REST's Trades prints them, with a book made up around each of them.

Two shapes: the REST answer `{"error":[],"result":{"XXBTZUSD":[row,...],"last":"..."}}`, and
`{"pair":"XBTUSDT","trades":[row,...]}`. A row is [price, volume, time, "b"|"s", "m"|"l", ...].
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import msgspec

from zoe_tools.errors import MarketDataError, UnknownInstrument
from zoe_tools.paper.markets.ladder import decimal_of_units, ladder, units_of_decimal
from zoe_tools.paper.markets.pair_specs import spec_named
from zoe_tools.paper.values.market import MarketEvent, PairSpec, Print, TakerSide
from zoe_tools.paper.values.times import NS

_ROW_FIELDS = 5
_SIDES: dict[object, TakerSide] = {"b": "buy", "s": "sell"}
_SHAPES = (
    'It should be {"error":[],"result":{...}} as REST answers, or {"pair":...,"trades":[...]}.'
)
_BYTE = re.compile(r"\(byte (\d+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeRow:
    """One trade; price and quantity in units of the pair's last decimals, `at` in ns."""

    at: int
    price: int
    quantity: int
    side: TakerSide
    is_market: bool


class TradesReplay:
    """A market source over the trades of one pair, oldest first."""

    def __init__(self, rows: Iterable[TradeRow], spec: PairSpec) -> None:
        self._rows = tuple(rows)
        if not self._rows:
            raise MarketDataError("There is no trade to replay.")
        self._spec = spec

    @property
    def pairs(self) -> tuple[PairSpec, ...]:
        """The one pair."""
        return (self._spec,)

    @property
    def starts_at(self) -> int:
        """One second before the first trade, in ns."""
        return self._rows[0].at - NS

    @property
    def granularity_s(self) -> float:
        """The mean distance between two trades."""
        span = self._rows[-1].at - self._rows[0].at
        return span / NS / len(self._rows)

    def events(self) -> Iterator[MarketEvent]:
        """Before every print the whole book around it, no deeper than what was traded."""
        for row in self._rows:
            yield ladder(
                self._spec,
                at=row.at,
                side=row.side,
                price_units=row.price,
                quantity_units=row.quantity,
            )
            yield Print(
                at=row.at,
                symbol=self._spec.symbol,
                side=row.side,
                price=decimal_of_units(row.price, self._spec.pair_decimals),
                quantity=decimal_of_units(row.quantity, self._spec.lot_decimals),
                is_market=row.is_market,
            )


def read_trades(path: Path, text: str) -> TradesReplay:
    """A whole file.

    Raises:
        MarketDataError: it has another shape, or a row (named by its number, from 1) is no trade.
    """
    try:
        document = msgspec.json.Decoder(float_hook=Decimal).decode(text)
    except (msgspec.DecodeError, InvalidOperation, RecursionError) as error:
        place = _BYTE.search(str(error))
        good = text.encode()[: int(place.group(1))] if place else text.encode()
        line = good.count(b"\n") + 1
        raise MarketDataError(f"{path}, line {line}: not JSON: {error}.", hint=_SHAPES) from error
    name, raw_rows = _pair_and_rows(path, document)
    try:
        spec = spec_named(name)
    except UnknownInstrument as error:
        raise MarketDataError(f"{path}: {error.message}", hint=error.hint) from error
    rows: list[TradeRow] = []
    for number, raw in enumerate(raw_rows, 1):
        try:
            row = _row(raw, spec)
            if rows and row.at < rows[-1].at:
                raise ValueError("it is older than the one before")  # noqa: TRY301 - one handler
        except (ValueError, TypeError, InvalidOperation) as error:
            raise MarketDataError(
                f"{path}, line {_line_of(text, number)}: trade {number}: {error}.",
                hint="Trades are [price, volume, time, side, type, ...], oldest first.",
            ) from error
        rows.append(row)
    if not rows:
        raise MarketDataError(f"{path} holds no trade.")
    return TradesReplay(rows, spec)


def _pair_and_rows(path: Path, document: Any) -> tuple[str, list[Any]]:
    if isinstance(document, dict):
        name, rows = document.get("pair"), document.get("trades")
        if isinstance(name, str) and isinstance(rows, list):
            return name, rows
        if document.get("error"):
            raise MarketDataError(f"{path} is an error answer: {document['error']}.", hint=_SHAPES)
        result = document.get("result")
        answer = result if isinstance(result, dict) else {}
        pairs = [(key, rows) for key, rows in answer.items() if isinstance(rows, list)]
        if len(pairs) == 1:
            return pairs[0]
    raise MarketDataError(f"{path} holds no list of trades of one pair.", hint=_SHAPES)


def _row(raw: Any, spec: PairSpec) -> TradeRow:
    if not isinstance(raw, list) or len(raw) < _ROW_FIELDS:
        raise ValueError(f"it is not a list of {_ROW_FIELDS} or more fields")
    price, quantity, time = (_positive(raw[index]) for index in range(3))
    side = _SIDES.get(raw[3])
    if side is None or raw[4] not in {"m", "l"}:
        raise ValueError(f"its side or type is unknown: {raw[3]!r}, {raw[4]!r}")
    return TradeRow(
        at=int(time * NS),
        price=units_of_decimal(price, spec.pair_decimals),
        quantity=units_of_decimal(quantity, spec.lot_decimals),
        side=side,
        is_market=raw[4] == "m",
    )


def _positive(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(f"{value!r} is not a number")  # noqa: TRY004 - reported with its line
    number = Decimal(value)
    if not number.is_finite() or number <= 0:
        raise ValueError(f"{value!r} is not a number above zero")
    return number


def _line_of(text: str, row_number: int) -> int:
    """The line on which the row starts: the so-manieth `[` that opens a row."""
    place = text.find("[", text.find("[[")) if "[[" in text else text.find("[")
    for _ in range(row_number):
        found = text.find("[", place + 1)
        if found < 0:
            break
        place = found
    return text.count("\n", 0, place) + 1
