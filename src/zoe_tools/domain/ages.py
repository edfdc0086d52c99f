"""How long something has lasted, for a person: in the largest unit that says enough."""

from __future__ import annotations

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def lasted(seconds: float) -> str:
    """`90 s`, `12 min`, `5 h`, `9 d`; never less than nothing."""
    whole = max(0, int(seconds))
    for length, unit in _UNITS:
        if whole >= 2 * length:
            return f"{whole // length} {unit}"
    return f"{whole} s"
