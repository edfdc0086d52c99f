"""What can go wrong, and the class of exception that each client makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from conformance_table import CLIENTS, ERRORS
from conformance_venue import Venue
from program import wait_until

_FAULTS: Mapping[str, tuple[str, dict[str, object]]] = {
    "a nonce that does not rise": ("invalid-nonce", {}),
    "REST rate limit": ("rate-limit", {}),
    "engine busy": ("busy", {}),
    "service unavailable": ("unavailable", {}),
    "throttled": ("throttled", {}),
    "HTML page, status 502": ("http-502", {"times": None}),
    "HTML page, status 520": ("http-520", {"times": None}),
    "no answer in time": ("hang", {"times": None}),
    "connection cut": ("accept-then-drop", {"times": None}),
    "maintenance": ("maintenance", {"delay_s": 600}),
    "cancel-only mode": ("maintenance", {"delay_s": 0.6}),
    "post-only mode": ("maintenance", {"delay_s": 0.6}),
}
_MODES = {
    "maintenance": "maintenance",
    "cancel-only mode": "cancel_only",
    "post-only mode": "post_only",
}
FAULTS = tuple(row for row in _FAULTS if row not in _MODES)
"""What strikes any call."""

MODES = tuple(_MODES)
"""What strikes an order."""


@contextmanager
def trouble(venue: Venue, row: str) -> Iterator[None]:
    """The venue in the state that the row is about."""
    if row not in _FAULTS:
        yield
        return
    name, rule = _FAULTS[row]
    with venue.failing(name, **rule):
        if row in _MODES:
            wait_until(lambda: venue.public("SystemStatus")["status"] == _MODES[row])
        yield


def expected(client: str, row: str) -> str:
    """The class that is raised, without the note behind it."""
    return ERRORS.rows[row][CLIENTS.index(client)].partition(" ")[0]
