"""Ledger exports that the project makes itself: the columns of 2026, balances that chain.

Trades in two assets, a deposit, rewards and rollovers in between; several rows share a second, and
those are not in the order of their ids.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

HEADER = (
    '"txid","refid","time","type","subtype","aclass","subclass","asset","wallet","amount","fee",'
    '"balance","amountusd","feeusd","balanceusd","feecurrency"'
)
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
_SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_CENT, _UNIT = Decimal("0.0001"), Decimal("1E-10")


def lines(rows: int, seed: int = 7) -> Iterator[str]:
    """So many rows as lines of the export, oldest first."""
    rng = random.Random(seed)
    held = {"USD": Decimal(0), "XBT": Decimal(0)}
    made = 0

    def name(kind: str) -> str:
        return kind + "-".join("".join(rng.choices(_SIGNS, k=size)) for size in (5, 5, 6))

    def row(refid: str, kind: str, asset: str, amount: Decimal, fee: Decimal) -> str:
        nonlocal made
        held[asset] += amount - fee
        at = BEGIN + timedelta(seconds=7 * (made // 4))
        made += 1
        what, _, more = kind.partition("/")
        return (
            f'"{name("L")}","{refid}","{at:%Y-%m-%d %H:%M:%S}","{what}","{more}","currency","",'
            f'"{asset}","spot / main",{amount:f},{fee:f},{held[asset]:f},"","","",'
            f'"{asset if fee else ""}"'
        )

    yield row(name("F"), "deposit", "USD", Decimal("100000000.0000"), Decimal(0))
    while made < rows:
        turn = made % 100
        if turn == 51:
            amount = Decimal(rng.randrange(1, 10**6)).scaleb(-10)
            yield row(name("E"), "earn/reward", "XBT", amount, Decimal(0))
            continue
        if turn == 52:
            yield row(name("T"), "rollover", "USD", Decimal("0.0000"), Decimal("0.0100"))
            continue
        refid, quantity = name("T"), Decimal(rng.randrange(10**4, 10**7)).scaleb(-8)
        cost = (quantity * 60_000).quantize(_CENT)
        fee = (cost * Decimal("0.0026")).quantize(_CENT)
        if held["XBT"] > quantity and rng.random() < 0.5:
            cost, quantity = -cost, -quantity
        yield row(refid, "trade/tradespot", "USD", -cost, fee)
        if made < rows:
            yield row(
                refid, "trade/tradespot", "XBT", quantity.quantize(Decimal("1E-10")), Decimal(0)
            )


def write(path: Path, rows: int, seed: int = 7) -> Path:
    """The export as a file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(HEADER + "\n")
        for line in lines(rows, seed):
            file.write(line + "\n")
    return path
