"""How money comes to the exchange and leaves it: methods, networks, minimums, fees. Data alone.

Amounts are as of captures of 2025; no address here can be paid to, whatever a client makes of it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from zoe_tools.paper.values.views import AssetSpec

_ADDRESS_LETTERS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingMethod:
    """One way for one asset. The deposit costs nothing; the withdrawal `fee` of its own asset."""

    name: str
    network: str | None
    least_in: Decimal
    least_out: Decimal
    fee: Decimal
    is_fiat: bool = False


def _row(
    name: str,
    network: str | None,
    least_in: str,
    least_out: str,
    fee: str,
    *,
    is_fiat: bool = False,
) -> FundingMethod:
    return FundingMethod(
        name=name,
        network=network,
        least_in=Decimal(least_in),
        least_out=Decimal(least_out),
        fee=Decimal(fee),
        is_fiat=is_fiat,
    )


_METHODS: Mapping[str, FundingMethod] = {
    "USD": _row("Customers Bank (Fedwire)", None, "1", "20", "4", is_fiat=True),
    "EUR": _row("Clear Junction (SEPA)", None, "1", "5", "1", is_fiat=True),
    "USDT": _row("Tether USD (TRC20)", "Tron", "1", "6", "2.5"),
    "BTC": _row("Bitcoin", "Bitcoin", "0.0001", "0.0004", "0.00015"),
    "ETH": _row("Ether", "Ethereum", "0.00001", "0.005", "0.0015"),
    "SOL": _row("Solana", "Solana", "0.01", "0.05", "0.01"),
    "XRP": _row("Ripple XRP", "Ripple", "1", "25", "0.25"),
    "DOGE": _row("Dogecoin", "Dogecoin", "5", "25", "4"),
    "LTC": _row("Litecoin", "Litecoin", "0.005", "0.02", "0.001"),
    "ADA": _row("ADA", "Cardano", "1", "5", "0.5"),
}


def method_of(asset: AssetSpec) -> FundingMethod:
    """The asset's way in and out; one without a row here moves by its own network, for nothing."""
    known = _METHODS.get(asset.name)
    if known is not None:
        return known
    unit = Decimal(1).scaleb(-asset.decimals)
    return FundingMethod(
        name=asset.altname, network=asset.altname, least_in=unit, least_out=unit, fee=Decimal(0)
    )


def withdrawal_key(asset: AssetSpec) -> str:
    """The name of every account's one withdrawal address for this asset."""
    return f"paper-{asset.altname.lower()}"


def address(purpose: str, asset: AssetSpec, number: int = 1) -> str:
    """An address nobody can mistake for a real one."""
    digest = hashlib.sha256(f"{purpose}:{asset.name}:{number}".encode()).digest()
    text = base64.b32encode(digest).decode().lower()[:_ADDRESS_LETTERS]
    return f"paper-only-{asset.altname.lower()}-{text}"
