"""The pairs that market sources can speak for, with what AssetPairs and Assets say of them.

Data alone, as of 2025-11 (kraken-spot sections 4, 5, 12). A pair that is not here cannot be
replayed until it gets a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from zoe_tools.errors import UnknownInstrument
from zoe_tools.paper.values.currencies import FIAT, STABLE
from zoe_tools.paper.values.market import PairSpec

FeeRows = tuple[tuple[Decimal, Decimal], ...]

_TIERS = (
    ("0", "0.40", "0.25"),
    ("10000", "0.35", "0.20"),
    ("50000", "0.24", "0.14"),
    ("100000", "0.22", "0.12"),
    ("250000", "0.20", "0.10"),
    ("500000", "0.18", "0.08"),
    ("1000000", "0.16", "0.06"),
    ("2500000", "0.14", "0.04"),
    ("5000000", "0.12", "0.02"),
    ("10000000", "0.10", "0.00"),
)
TAKER_FEES: FeeRows = tuple((Decimal(volume), Decimal(taker)) for volume, taker, _ in _TIERS)
MAKER_FEES: FeeRows = tuple((Decimal(volume), Decimal(maker)) for volume, _, maker in _TIERS)
FLAT_FEES: FeeRows = tuple(
    (Decimal(volume), Decimal(percent))
    for volume, percent in (
        ("0", "0.20"),
        ("50000", "0.16"),
        ("100000", "0.12"),
        ("250000", "0.08"),
        ("500000", "0.04"),
        ("1000000", "0.00"),
    )
)
"""Of stablecoins and currencies as base: maker and taker pay the same."""

LOT_DECIMALS = 8


@dataclass(frozen=True, slots=True)
class _Asset:
    name: str
    asset_id: str
    altname: str
    decimals: int
    collateral: str = "0"


_ASSETS = {
    asset.name: asset
    for asset in (
        _Asset("USD", "ZUSD", "USD", 4, "1"),
        _Asset("EUR", "ZEUR", "EUR", 4, "1"),
        _Asset("USDT", "USDT", "USDT", 8, "0.9"),
        _Asset("USDC", "USDC", "USDC", 8, "1"),
        _Asset("BTC", "XXBT", "XBT", 10, "1"),
        _Asset("ETH", "XETH", "ETH", 10, "1"),
        _Asset("SOL", "SOL", "SOL", 10, "0.9"),
        _Asset("STORJ", "STORJ", "STORJ", 10),
        _Asset("DOGE", "XXDG", "XDG", 8),
        _Asset("XRP", "XXRP", "XRP", 8),
        _Asset("LTC", "XLTC", "LTC", 10, "0.7"),
        _Asset("ADA", "ADA", "ADA", 8, "0.9"),
    )
}


@dataclass(frozen=True, slots=True)
class _Margin:
    most: int
    long_limit: int
    short_limit: int


_MARGINS = {
    "BTC/USD": _Margin(10, 250, 200),
    "ETH/USD": _Margin(5, 2_700, 1_700),
    "SOL/USD": _Margin(4, 37_000, 24_000),
    "DOGE/USD": _Margin(5, 10_700_000, 6_100_000),
    "XRP/USD": _Margin(5, 2_000_000, 1_200_000),
    "LTC/USD": _Margin(3, 5_300, 3_600),
    "ADA/USD": _Margin(3, 1_400_000, 1_200_000),
    "BTC/EUR": _Margin(5, 130, 100),
    "ETH/EUR": _Margin(5, 1_400, 1_000),
    "BTC/USDT": _Margin(10, 80, 80),
    "ETH/USDT": _Margin(10, 1_500, 1_500),
}
"""The highest leverage (all from 2 up are on offer) and how large a position may get, in base."""


def _spec(
    base: str, quote: str, pair_id: str, price_decimals: int, cost_decimals: int, ordermin: str
) -> PairSpec:
    left, right = _ASSETS[base], _ASSETS[quote]
    margin = _MARGINS.get(f"{base}/{quote}")
    leverages = () if margin is None else tuple(range(2, margin.most + 1))
    is_flat = base in FIAT or base in STABLE
    return PairSpec(
        symbol=f"{base}/{quote}",
        pair_id=pair_id,
        altname=f"{left.altname}{right.altname}",
        wsname=f"{left.altname}/{right.altname}",
        base=base,
        quote=quote,
        base_id=left.asset_id,
        quote_id=right.asset_id,
        base_altname=left.altname,
        quote_altname=right.altname,
        pair_decimals=price_decimals,
        lot_decimals=LOT_DECIMALS,
        cost_decimals=cost_decimals,
        base_decimals=left.decimals,
        quote_decimals=right.decimals,
        tick_size=Decimal((0, (1,), -price_decimals)),
        ordermin=Decimal(ordermin),
        costmin=Decimal("0.5"),
        fees=FLAT_FEES if is_flat else TAKER_FEES,
        fees_maker=FLAT_FEES if is_flat else MAKER_FEES,
        leverage_buy=leverages,
        leverage_sell=leverages,
        long_limit=None if margin is None else margin.long_limit,
        short_limit=None if margin is None else margin.short_limit,
        base_collateral=Decimal(left.collateral),
        quote_collateral=Decimal(right.collateral),
    )


PAIRS: tuple[PairSpec, ...] = (
    _spec("BTC", "USD", "XXBTZUSD", 1, 5, "0.00005"),
    _spec("ETH", "USD", "XETHZUSD", 2, 5, "0.001"),
    _spec("SOL", "USD", "SOLUSD", 2, 5, "0.02"),
    _spec("STORJ", "USD", "STORJUSD", 5, 6, "7"),
    _spec("DOGE", "USD", "XDGUSD", 7, 9, "13"),
    _spec("XRP", "USD", "XXRPZUSD", 5, 8, "2"),
    _spec("LTC", "USD", "XLTCZUSD", 2, 5, "0.04"),
    _spec("ADA", "USD", "ADAUSD", 6, 6, "4"),
    _spec("BTC", "EUR", "XXBTZEUR", 1, 5, "0.00005"),
    _spec("ETH", "EUR", "XETHZEUR", 2, 5, "0.001"),
    _spec("BTC", "USDT", "XBTUSDT", 1, 5, "0.00005"),
    _spec("ETH", "USDT", "ETHUSDT", 2, 5, "0.001"),
    _spec("EUR", "USD", "ZEURZUSD", 5, 5, "0.5"),
    _spec("USDT", "USD", "USDTZUSD", 5, 8, "10"),
    _spec("USDC", "USD", "USDCUSD", 4, 8, "5"),
)


def _spellings(spec: PairSpec) -> tuple[str, ...]:
    plain = f"{spec.base}{spec.quote}"
    return (
        spec.symbol,
        spec.pair_id,
        spec.altname,
        spec.wsname,
        plain,
        f"{spec.base}-{spec.quote}",
    )


_BY_SPELLING = {spelling: spec for spec in PAIRS for spelling in _spellings(spec)}


def spec_named(spelling: str) -> PairSpec:
    """The pair that any of its spellings names: `BTC/USD`, `XXBTZUSD`, `XBTUSD`, `BTC-USD`...

    Raises:
        UnknownInstrument: no row here has that spelling.
    """
    spec = _BY_SPELLING.get(spelling.strip().upper())
    if spec is None:
        known = ", ".join(spec.symbol for spec in PAIRS)
        raise UnknownInstrument(
            f"No pair is called {spelling!r} here.", hint=f"The paper exchange knows {known}."
        )
    return spec
