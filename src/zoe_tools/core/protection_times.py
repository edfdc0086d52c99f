"""How long fills stood until a resting stop covered them: counts by bound, and what they tell.

Bounded however many fills there are; a share of them is told by the bound that holds it, never as
less than it was.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, replace

BOUNDS_MS = (10, 25, 50, 100, 250, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000, 300_000)
"""Upper bounds of the counts, in milliseconds; one more count is of what took longer."""

_SECOND = 1000

SLOW_MS = 2000
"""What takes longer is worth a warning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionTimes:
    """So many fills, `counts` of them up to each bound, and the longest, in milliseconds."""

    counts: tuple[int, ...] = (0,) * (len(BOUNDS_MS) + 1)
    longest_ms: int = 0

    @property
    def fills(self) -> int:
        """How many were measured."""
        return sum(self.counts)

    def with_one(self, took_ms: int) -> ProtectionTimes:
        """One more fill; a time before it began, by clocks that differ, is none at all."""
        took_ms = max(0, took_ms)
        at = bisect_left(BOUNDS_MS, took_ms)
        counts = tuple(count + (index == at) for index, count in enumerate(self.counts))
        return replace(self, counts=counts, longest_ms=max(self.longest_ms, took_ms))

    def within_ms(self, percent: int) -> int:
        """Milliseconds within which so many percent of the fills were covered; 0 without any."""
        wanted = -(-self.fills * percent // 100)
        reached = 0
        for bound, count in zip(BOUNDS_MS, self.counts, strict=False):
            reached += count
            if reached >= wanted:
                return min(bound, self.longest_ms)
        return self.longest_ms

    def told(self) -> Mapping[str, int]:
        """For logs, reports and the sign of life: flat, by the same names everywhere."""
        return {
            "protected_fills": self.fills,
            "protected_p50_ms": self.within_ms(50),
            "protected_p99_ms": self.within_ms(99),
            "protected_max_ms": self.longest_ms,
        }

    def by_bound(self) -> Mapping[str, int]:
        """The counts by their bounds, as in `up to 10 ms`; without those that are zero."""
        names = (*(f"up to {bound} ms" for bound in BOUNDS_MS), f"over {BOUNDS_MS[-1]} ms")
        return {name: count for name, count in zip(names, self.counts, strict=True) if count}


def sentence(told: Mapping[str, str | int] | Mapping[str, int]) -> str:
    """What `ProtectionTimes.told` says, in words."""
    fills = told["protected_fills"]
    half, most, slowest = (
        _spelled(int(told[f"protected_{name}_ms"])) for name in ("p50", "p99", "max")
    )
    if not fills:
        return "no fill to protect yet"
    if fills == 1:
        return f"1 fill, within {slowest}"
    return f"{fills} fills, half of them within {half}, 99 % within {most}, the slowest {slowest}"


def _spelled(took_ms: int) -> str:
    return f"{took_ms} ms" if took_ms < _SECOND else f"{took_ms / _SECOND:g} s"
