"""Words of the venue's that zoe does not know: tolerated, and each told to the log once.

Fields, values and error strings alike. It neither waits nor decides anything; what a strange word
means is said where it was met. Source: kraken-spot section 14, rule 6.
"""

from __future__ import annotations

import logging
import re
from collections import Counter

MOST = 1000
"""How many are told; beyond that nothing more is logged, so that no venue can fill a log."""
MOST_OF_ONE = 100
"""How many of one kind are: ids within an error string would make every one of them a new word."""
MASK = "********"

_LOG = logging.getLogger(__name__)
_SEEN: set[tuple[str, str]] = set()
_TOLD: Counter[str] = Counter()
_LONGEST = 200
_SECRET_LIKE = re.compile(r"[A-Za-z0-9+/=]{40,}")
"""What keys, signatures and stream tokens look like; no word or id of the venue's is as long."""


def noted(what: str, word: str) -> None:
    """Log that `what` (e.g. `an order's status`) had the unknown value `word`, the first time only.

    What looks like a key or token is masked; long words are cut.
    """
    entry = (what, _SECRET_LIKE.sub(MASK, word)[:_LONGEST])
    if entry in _SEEN or len(_SEEN) >= MOST or _TOLD[what] > MOST_OF_ONE:
        return
    _TOLD[what] += 1
    if _TOLD[what] > MOST_OF_ONE:
        _LOG.warning("Kraken has more that zoe does not know as %s; it is not told", what)
        return
    _SEEN.add(entry)
    _LOG.warning("Kraken said %r, which zoe does not know as %s", entry[1], what)


def words() -> frozenset[tuple[str, str]]:
    """What was told so far: (what, word)."""
    return frozenset(_SEEN)


def forget() -> None:
    """Start over, as a new process would."""
    _SEEN.clear()
    _TOLD.clear()
