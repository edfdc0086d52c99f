"""Who failed to authenticate too often, and until when nobody listens to him (section 3.1).

Pure counting over a `now` in ns that is given.
"""

from __future__ import annotations

from collections import deque

_MOST_NAMES = 1_000


class Lockouts:
    """Failures by name: a key's, or of what is no key the address it came from."""

    def __init__(self) -> None:
        self._failures: dict[str, deque[int]] = {}
        self._until: dict[str, int] = {}

    def is_locked(self, name: str, now: int) -> bool:
        """Whether this name is locked out now."""
        return now < self._until.get(name, 0)

    def failed(self, name: str, now: int, *, most: int, window: int) -> int | None:
        """Count a failure; the `most`-th within a window locks out: until when, else None."""
        failures = self._failures.pop(name, deque[int](maxlen=most))
        failures.append(now)
        self._failures[name] = failures
        if len(self._failures) > _MOST_NAMES:
            self._failures.pop(next(iter(self._failures)))
        if len(failures) < most or failures[0] <= now - window:
            return None
        self.lock(name, now + window)
        self._until = {each: until for each, until in self._until.items() if now < until}
        return now + window

    def lock(self, name: str, until: int) -> None:
        """Lock a name out, as it was before a restart."""
        self._failures.pop(name, None)
        self._until[name] = until
