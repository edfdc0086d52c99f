"""Names of assets as people type them, without the venue's list (kraken-spot section 4).

`XBT`, `XXBT` and `BTC` are one asset. Books hold canonical names alone.
"""

from __future__ import annotations

from collections.abc import Collection

from zoe_tools.kraken.codec import V2_NAMES

_OLD_PREFIXES = "XZ"
_OLD_LENGTH = 4


def meanings_of(spelling: str) -> tuple[str, ...]:
    """What may be meant, the likeliest first: as typed, by its new name, without the old prefix.

    `ZEUS` is an asset, and `ZEUR` is EUR: only who knows the assets can say.
    """
    typed = spelling.strip().upper()
    bare = [typed[1:]] if len(typed) == _OLD_LENGTH and typed[0] in _OLD_PREFIXES else []
    names = (typed, *bare)
    return tuple(dict.fromkeys([*(V2_NAMES.get(name, name) for name in names), typed]))


def name_among(spelling: str, known: Collection[str]) -> str:
    """The one of the `known` canonical names that is meant; one that is unknown stays as typed."""
    return next((each for each in meanings_of(spelling) if each in known), spelling.strip().upper())
