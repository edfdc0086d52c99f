"""What can be done to the exchange itself: its mode, and the faults that are armed on it."""

from __future__ import annotations

import msgspec
from typing_extensions import override

from zoe_tools.paper.exchange.commands import Commands
from zoe_tools.paper.exchange.faults import MAINTENANCE_CYCLE, FaultDesk, FaultRule
from zoe_tools.paper.values.events import SystemMode
from zoe_tools.paper.values.times import NS


class FaultCommands(Commands):
    """Modes, faults, and the clock as a fault lets the exchange tell it."""

    faults: FaultDesk

    def set_mode(self, mode: SystemMode) -> None:
        """Change what the exchange accepts; listeners hear a ModeEvent."""
        self._tell(self._engine.set_mode(mode, self.now()))

    def arm_fault(self, rule: FaultRule) -> int:
        """Let a fault strike; a maintenance goes through its modes by itself. Returns its number.

        The modes of a maintenance are in the state file with their times: an exchange killed in
        the middle of one comes back in the mode that is due, and ends it.

        Raises:
            Refusal: the rule makes no sense.
        """
        now = self.now()
        if rule.name != "maintenance":
            return self.faults.arm(rule, now)
        each_s = max(0.0, rule.delay_s)
        if rule.for_s is None:
            rule = msgspec.structs.replace(rule, for_s=each_s * len(MAINTENANCE_CYCLE))
        number = self.faults.arm(rule, now)
        starts_at = now + int(rule.after_s * NS)
        self._floor.plan_modes(
            (starts_at + int(each_s * NS) * position, mode)
            for position, mode in enumerate((*MAINTENANCE_CYCLE, "online"))
        )
        self.save()
        self._said([])
        return number

    def clear_faults(self) -> int:
        """Disarm everything, open what a maintenance closed; returns how many there were."""
        self._floor.plan_modes(())
        if self.mode != "online":
            self.set_mode("online")
        self.save()
        return self.faults.disarm()

    @override
    def _in_own_time(self, deadline: int | None) -> int | None:
        """A deadline is judged by the clock that is told."""
        if deadline is None or self.faults.is_quiet:
            return deadline
        return deadline - (self.told_now() - self.now())

    @override
    def told_now(self) -> int:
        now = self.now()
        skew = self.faults.standing("clock-skew", now)
        return now if skew is None else now + int(skew.delay_s * NS)
