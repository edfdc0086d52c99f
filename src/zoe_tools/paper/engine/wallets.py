"""Where an account's money lies: the spot wallet, or an earn product told by an asset's suffix.

`BTC.F` is bitcoin that earns by itself. What has a suffix cannot be traded (kraken-spot section 4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from zoe_tools.paper.values.views import AssetSpec


@dataclass(frozen=True, slots=True)
class Wallet:
    """A wallet as the socket names it (section 11.2)."""

    kind: str
    wallet_id: str


SPOT = Wallet("spot", "main")
EARN: Mapping[str, Wallet] = {
    ".F": Wallet("earn", "flexible"),
    ".B": Wallet("earn", "bonded"),
    ".M": Wallet("earn", "liquid"),
    ".S": Wallet("earn", "locked"),
    ".P": Wallet("earn", "closed"),
}
"""Suffix to wallet. Which suffix lies in which earn wallet is this exchange's own choice."""


def parted(name: str) -> tuple[str, str]:
    """An asset's name and its suffix: `BTC.F` is ("BTC", ".F"), `BTC` is ("BTC", "")."""
    base, dot, letter = name.rpartition(".")
    suffix = dot + letter
    return (base, suffix) if base and suffix in EARN else (name, "")


def wallet_of(name: str) -> Wallet:
    """Where money under this name lies."""
    return EARN.get(parted(name)[1], SPOT)


def earning(spec: AssetSpec, suffix: str) -> AssetSpec:
    """The asset as it lies in an earn product: its REST key is the altname with the suffix."""
    told = f"{spec.altname}{suffix}"
    return replace(spec, name=f"{spec.name}{suffix}", asset_id=told, altname=told)
