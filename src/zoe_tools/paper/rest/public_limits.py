"""How often an address may ask one public endpoint, and of some one pair (section 3.1).

Pure counting over a `now` in ns that is given.
"""

from __future__ import annotations

from zoe_tools.paper.engine.rate_counters import CALL, Meter
from zoe_tools.paper.values.refusal import Refusal

_HUNDREDTHS = 100
_BY_PAIR = frozenset({"Trades", "OHLC", "Depth"})
_MOST_METERS = 10_000


class PublicLimits:
    """The counters of one exchange; those that have been idle longest are forgotten first."""

    def __init__(self) -> None:
        self._meters: dict[tuple[str, str, str], Meter] = {}

    def check(self, client: str, method: str, pair: str | None, now: int, per_s: int) -> None:
        """Count a call: `per_s` at once and as many each second.

        Raises:
            Refusal: `EGeneral:Too many requests`; it is not counted.
        """
        name = (client, method, pair or "" if method in _BY_PAIR else "")
        meter = self._meters.pop(name, None) or Meter()
        self._meters[name] = meter
        if len(self._meters) > _MOST_METERS:
            self._meters.pop(next(iter(self._meters)))
        level = meter.decayed(now, per_s * _HUNDREDTHS) + CALL
        if level > per_s * CALL:
            raise Refusal("EGeneral:Too many requests")
        meter.level, meter.at = level, now
