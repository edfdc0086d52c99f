"""How often recurring things happen, in seconds of the venue's clock.

Live values are the defaults. A replay of hourly candles over years would drown in one-second
heartbeats, so the runtime stretches them together: the proportions stay, the code is the same.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """All periods in seconds of venue time."""

    stream_heartbeat_s: float = 1.0
    stream_silence_s: float = 10.0
    stream_ping_s: float = 30.0
    cycle_s: float = 1.0
    health_s: float = 5.0
    state_poll_s: float = 0.5
    instruments_s: float = 300.0
    reconcile_s: float = 120.0
    worth_s: float = 300.0
    summary_s: float = 60.0

    def stretched(self, factor: float) -> Cadence:
        """Every period multiplied by `factor` (at least 1)."""
        by = max(1.0, factor)
        return Cadence(
            stream_heartbeat_s=self.stream_heartbeat_s * by,
            stream_silence_s=self.stream_silence_s * by,
            stream_ping_s=self.stream_ping_s * by,
            cycle_s=self.cycle_s * by,
            health_s=self.health_s * by,
            state_poll_s=self.state_poll_s * by,
            instruments_s=self.instruments_s * by,
            reconcile_s=self.reconcile_s * by,
            worth_s=self.worth_s * by,
            summary_s=self.summary_s * by,
        )
