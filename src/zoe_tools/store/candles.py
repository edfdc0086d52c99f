"""Candles: written as often as one likes, changed only where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, select

from zoe_tools.domain.candle import Candle, Timeframe, rank_of
from zoe_tools.domain.identifiers import AccountId, Symbol
from zoe_tools.domain.money import short
from zoe_tools.store.market_tables import CRYPTO_CANDLES
from zoe_tools.store.rows import upsert


def take_turn(connection: Connection, account_id: AccountId, symbol: Symbol) -> None:
    """Write an instrument's candles alone until the transaction ends.

    Held against what is there is what another transaction has not committed yet, too: without turns
    the one that commits last would win, whatever it tells. SQLite has one writer in any case.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
            (f"candles {account_id} {symbol}",),
        )


def write_candles(
    connection: Connection, account_id: AccountId, fresh: Sequence[Candle], source: str
) -> int:
    """Store what is new or different; a finished candle never becomes a running one again.

    One from a source that ranks higher stays: see `domain.candle.Source`.
    """
    changed: list[Candle] = []
    rank = rank_of(source)
    ordered = sorted(fresh, key=_place)
    for (symbol, _), group in groupby(ordered, key=lambda each: (each.symbol, each.timeframe)):
        series = list(group)
        take_turn(connection, account_id, symbol)
        known = _known(connection, account_id, symbol, series)
        latest = {each.opened_at: each for each in series}
        for opened_at, candle in latest.items():
            before, told_by = known.get(opened_at, (None, ""))
            if before is None or _is_better(candle, rank, before, rank_of(told_by)):
                changed.append(candle)
    upsert(connection, CRYPTO_CANDLES, [_values(account_id, each, source) for each in changed])
    return len(changed)


def candles(
    connection: Connection,
    account_id: AccountId,
    symbol: Symbol,
    timeframe: Timeframe,
    *,
    since: datetime | None,
    until: datetime | None,
) -> tuple[Candle, ...]:
    """Candles opened in [since, until), oldest first."""
    statement = _select(account_id, symbol, timeframe, since=since, until=until)
    return tuple(_candle_of(row) for row in connection.execute(statement).mappings())


def _select(
    account_id: AccountId,
    symbol: Symbol,
    timeframe: Timeframe,
    *,
    since: datetime | None,
    until: datetime | None,
) -> Select[Any]:
    table = CRYPTO_CANDLES
    statement = (
        select(table)
        .where(
            table.c.account_id == account_id,
            table.c.symbol == symbol,
            table.c.timeframe == timeframe.value,
        )
        .order_by(table.c.opened_at)
    )
    if since is not None:
        statement = statement.where(table.c.opened_at >= since)
    if until is not None:
        statement = statement.where(table.c.opened_at < until)
    return statement


def followed(connection: Connection, account_id: AccountId) -> frozenset[Symbol]:
    """The instruments of which there is any."""
    table = CRYPTO_CANDLES
    rows = connection.execute(
        select(table.c.symbol).where(table.c.account_id == account_id).distinct()
    )
    return frozenset(Symbol(each.symbol) for each in rows)


def _place(candle: Candle) -> tuple[str, int, datetime]:
    return candle.symbol, candle.timeframe.minutes, candle.opened_at


def _is_better(candle: Candle, rank: int, before: Candle, rank_before: int) -> bool:
    """Whether it takes the place of one that is there."""
    if candle == before or candle.is_final < before.is_final:
        return False
    return candle.is_final > before.is_final or rank >= rank_before


def _known(
    connection: Connection, account_id: AccountId, symbol: Symbol, series: Sequence[Candle]
) -> dict[datetime, tuple[Candle, str]]:
    """The stored candles of that time, each with its source."""
    timeframe = series[0].timeframe
    until = series[-1].opened_at + timeframe.length
    statement = _select(account_id, symbol, timeframe, since=series[0].opened_at, until=until)
    rows = connection.execute(statement).mappings()
    return {row["opened_at"]: (_candle_of(row), row["source"]) for row in rows}


def _values(account_id: AccountId, candle: Candle, source: str) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "symbol": candle.symbol,
        "timeframe": candle.timeframe.value,
        "opened_at": candle.opened_at,
        "open": _canonical(candle.open),
        "high": _canonical(candle.high),
        "low": _canonical(candle.low),
        "close": _canonical(candle.close),
        "vwap": None if candle.vwap is None else _canonical(candle.vwap),
        "volume": _canonical(candle.volume),
        "count": candle.count,
        "is_final": candle.is_final,
        "source": source,
    }


def _canonical(value: Decimal) -> Decimal:
    """Equal amounts become equal text, whoever told them: `candle_bulk` writes them so as well."""
    return Decimal(short(value))


def _candle_of(fields: RowMapping) -> Candle:
    # Read by key: a plain row is a tuple, and `row.count` would be the tuple's method.
    return Candle(
        symbol=fields["symbol"],
        timeframe=Timeframe(fields["timeframe"]),
        opened_at=fields["opened_at"],
        open=fields["open"],
        high=fields["high"],
        low=fields["low"],
        close=fields["close"],
        vwap=fields["vwap"],
        volume=fields["volume"],
        count=fields["count"],
        is_final=fields["is_final"],
    )


def closes(
    connection: Connection, account_id: AccountId, timeframe: Timeframe, since: datetime
) -> tuple[Candle, ...]:
    """Finished candles of all symbols, opened at `since` or later, oldest first."""
    table = CRYPTO_CANDLES
    rows = connection.execute(
        select(table)
        .where(
            table.c.account_id == account_id,
            table.c.timeframe == timeframe.value,
            table.c.opened_at >= since,
            table.c.is_final,
        )
        .order_by(table.c.opened_at)
    )
    return tuple(_candle_of(row) for row in rows.mappings())
