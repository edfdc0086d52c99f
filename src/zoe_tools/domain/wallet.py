"""Where an account's money lies, told by the venue's own list of assets (kraken-spot section 4).

`XBT.F` in one answer and `BTC` in `earn / flexible` in another are the same money: both become the
asset `BTC` in the wallet `earn / flexible`. Wallets have the names of the venue's export.
"""

from __future__ import annotations

from collections.abc import Mapping

from zoe_tools.domain.instrument import AssetForm, InstrumentCatalogue

MAIN = "spot / main"
"""The wallet that trades."""

FUTURES = "futures / main"
"""Of another ledger: money that goes there leaves this one, and stays the account's."""

WALLETS: Mapping[AssetForm, str] = {
    AssetForm.STAKED: "earn / locked",
    AssetForm.REWARDED: "earn / liquid",
    AssetForm.AUTO_EARNING: "earn / flexible",
    AssetForm.YIELDING: "earn / bonded",
    AssetForm.BONDED: "earn / closed",
    AssetForm.ON_HOLD: "spot / hold",
}
"""The wallet of each form of an asset. A tokenized asset is none: it is an asset of its own."""

_DIGITS = "0123456789"


def holding_of(name: str, catalogue: InstrumentCatalogue, *, wallet: str = "") -> tuple[str, str]:
    """The asset (canonical) and the wallet behind a name as the venue prints it.

    `wallet` is what the venue said of it beside the name; it counts, but for the main one that old
    answers name for everything. A name whose stem is no asset of the venue's list stays whole: it
    is an asset that nobody knows yet, in no wallet but the main one.
    """
    found = _parted(name, catalogue)
    if found is None:
        asset = catalogue.asset(name)
        return name if asset is None else asset.name, wallet or MAIN
    base, own = found
    return base, own if wallet in {"", MAIN} else wallet


def _parted(name: str, catalogue: InstrumentCatalogue) -> tuple[str, str] | None:
    """Asset and wallet of a name with a form: `DOT28.S` is DOT, locked for 28 days."""
    stem, dot, suffix = name.rpartition(".")
    try:
        kept = WALLETS[AssetForm(suffix.upper())] if dot else ""
    except (KeyError, ValueError):
        return None
    whole = catalogue.asset(stem)
    if whole is not None:
        return (whole.name, kept) if kept else None
    bare = stem.rstrip(_DIGITS)
    base = catalogue.asset(bare) if bare != stem else None
    if base is None or not kept:
        return None
    return base.name, f"{kept} {stem[len(bare) :]}"
