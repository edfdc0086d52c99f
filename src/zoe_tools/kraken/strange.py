"""Words of the venue's that zoe does not know: tolerated, and each told to the log once.

It neither waits nor decides anything; what a strange word means is said where it was met.
"""

from __future__ import annotations

import logging

MOST = 1000
"""How many are remembered; beyond that nothing more is logged, so that no venue can fill a log."""

_LOG = logging.getLogger(__name__)
_SEEN: set[tuple[str, str]] = set()
_LONGEST = 200


def noted(what: str, word: str) -> None:
    """Log that `what` (e.g. `order status`) had the unknown value `word`, the first time only."""
    entry = (what, word[:_LONGEST])
    if entry in _SEEN or len(_SEEN) >= MOST:
        return
    _SEEN.add(entry)
    _LOG.warning("Kraken said %r, which zoe does not know as %s", entry[1], what)


def forget() -> None:
    """Start over, as a new process would."""
    _SEEN.clear()
