"""What can go wrong, and the class of exception that each client makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from conformance_table import CLIENTS, ERRORS
from conformance_venue import Venue
from program import wait_until

_FAULTS: Mapping[str, tuple[str, dict[str, object]]] = {
    "a nonce that does not rise": ("invalid-nonce", {}),
    "stale token of a socket": ("stale-token", {}),
    "engine busy": ("busy", {}),
    "service unavailable": ("unavailable", {}),
    "throttled": ("throttled", {}),
    "HTML page, status 502": ("http-502", {"times": None}),
    "HTML page, status 520": ("http-520", {"times": None}),
    "no answer in time": ("hang", {"times": None}),
    "connection cut": ("accept-then-drop", {"times": None}),
    "maintenance": ("maintenance", {"delay_s": 600}),
    "cancel-only mode": ("maintenance", {"delay_s": 1}),
    "post-only mode": ("maintenance", {"delay_s": 1}),
}
_MODES = {
    "maintenance": "maintenance",
    "cancel-only mode": "cancel_only",
    "post-only mode": "post_only",
}
LIMITS = ("engine's rate limit", "REST rate limit")
"""What is met on an exchange with Kraken's limits."""

MODES = tuple(_MODES)
"""What strikes an order."""


SOCKET_ALONE = "stale token of a socket"
"""What only a socket can tell."""


def met_by(client: str) -> list[str]:
    """The rows that a client is in and that need no exchange of their own."""
    column = CLIENTS.index(client)
    return [
        row
        for row, told in ERRORS.rows.items()
        if row not in LIMITS and not told[column].startswith("no ")
    ]


_MORE_THAN_ANY_LIMIT = 200


def until_refused(call: Callable[[], Any]) -> Any:
    """Call again and again until it raises, or an answer says why not; that answer."""
    for _ in range(_MORE_THAN_ANY_LIMIT):
        answer = call()
        if answer.get("error"):
            return answer
    raise AssertionError("nothing was refused")


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
