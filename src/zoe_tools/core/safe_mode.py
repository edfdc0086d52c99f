"""Safe mode: of an instrument whose market is not heard of no entry is made; of the others, yes.

And of none, while the venue's API answers badly or rounds of decisions find nothing to look at.
What is said here are limits and not ages, so that a reason is the same from one look to the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from zoe_tools.domain.policy import Policy

EMPTY_SCANS_S = 300.0
"""So long the loop takes nothing new after too many empty rounds in a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """When the market of an instrument was last heard of; None: not yet.

    `candle_at` is when the newest closed candle ended.
    """

    quote_at: datetime | None
    trade_at: datetime | None
    candle_at: datetime | None


def stale_parts(
    heard: Heard, *, now: datetime, since: datetime, candle_length: timedelta, policy: Policy
) -> tuple[str, ...]:
    """What of the market is older than it may be, a few words each; empty: nothing.

    What was never heard of is as old as the loop, which began to listen at `since`. A limit of 0
    is none.
    """
    parts = (
        ("no quote", heard.quote_at, policy.market_stale_s, 0.0),
        ("no trade", heard.trade_at, policy.trades_stale_s, 0.0),
        ("no candle", heard.candle_at, policy.candle_stale_s, candle_length.total_seconds()),
    )
    return tuple(
        [
            f"{what} for {(limit_s + own_s):.0f} s"
            for what, at, limit_s, own_s in parts
            if limit_s and (now - (at or since)).total_seconds() > limit_s + own_s
        ]
    )


def error_reasons(errors: int, policy: Policy) -> tuple[str, ...]:
    """What so many failed calls within the window have against entries."""
    if not policy.max_api_errors or errors < policy.max_api_errors:
        return ()
    limit, window_s = policy.max_api_errors, policy.api_error_window_s
    return (f"safe mode: {limit} calls or more failed within {window_s:.0f} s",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scans:
    """Rounds of decisions in a row in which no instrument could be decided about."""

    empty: int = 0
    safe_until: datetime | None = None

    def after(self, *, is_empty: bool, now: datetime, policy: Policy) -> Scans:
        """A round later; one that was not empty ends it at once."""
        if not is_empty:
            return Scans()
        empty = self.empty + 1
        if policy.max_empty_scans and empty >= policy.max_empty_scans:
            return Scans(empty=empty, safe_until=now + timedelta(seconds=EMPTY_SCANS_S))
        return Scans(empty=empty, safe_until=self.safe_until)

    def reasons(self, now: datetime, policy: Policy) -> tuple[str, ...]:
        """What they have against entries."""
        if self.safe_until is None or now >= self.safe_until:
            return ()
        limit = policy.max_empty_scans
        return (f"safe mode: {limit} rounds or more in a row without a market to decide about",)
