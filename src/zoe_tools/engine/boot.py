"""The start of a loop, phase by phase: each with its time, in the log and in `boot_audit`.

INITIALIZING (the own books), SYNCING (what the venue did meanwhile), RECONCILING (is the account
ready, do both wires speak), then READY, or FAILED: no entries, and what went wrong is asked again.
From RECONCILING on turns are taken: protection, cancels and exits run, and the service manager is
told that the loop is up.
"""

from __future__ import annotations

import logging

from zoe_tools.core.left_behind import NOTHING, LeftBehind
from zoe_tools.domain.observation import Details
from zoe_tools.engine.leasing import Holder
from zoe_tools.engine.loop import TradingLoop
from zoe_tools.engine.parts import LoopParts
from zoe_tools.engine.work import Phase
from zoe_tools.errors import StoreUnavailable, ZoeError
from zoe_tools.observe.log import event

_LOG = logging.getLogger(__name__)

RUNNING, OK, SAFE_MODE, HALTED, ERROR = "running", "ok", "safe_mode", "halted", "error"
"""What a row of `boot_audit` says: still starting; started; started to protect alone; started
under a kill level; ended by an error; `UNSETTLED`: told to stop, and something was left undone."""

UNSETTLED = "unsettled"

_POLICY = {OK: "normal", SAFE_MODE: "safe_mode", HALTED: "halt"}


class BootLog:
    """One start. `enter` a phase, `end` the run; `diffs` counts what books and venue differed in.

    Raises of all of them: StoreError, where it cannot be written down.
    """

    def __init__(self, parts: LoopParts, holder: Holder, loop: TradingLoop) -> None:
        self._parts = parts
        self._holder = holder
        self._loop = loop
        self._started = parts.clock.now()
        self._since = self._started
        self._took_ms: dict[str, int] = {}
        self._status = RUNNING
        self._reason = ""
        self.diffs = 0

    async def enter(self, phase: Phase, reason: str = "") -> None:
        """The phase before is over, with its duration; `reason`: why it went no better."""
        now, work = self._parts.clock.now(), self._parts.work
        before, took_ms = work.phase, round((now - self._since).total_seconds() * 1000)
        if phase is not before:
            self._took_ms[before.value.lower()] = took_ms
        work.phase, self._since, self._reason = phase, now, reason
        self._status = self._status_in(phase)
        await self._write(is_over=False)
        self._tell(phase, before, took_ms)

    async def end(self, error: BaseException | None) -> None:
        """The run is over, in order or by an error."""
        # A store that is away at the end is one that the stop was not told to, either.
        is_stop = error is None or isinstance(error, StoreUnavailable)
        left = self._loop.left if is_stop else NOTHING
        if error is not None:
            self._status = ERROR
            self._reason = _said(error)
        elif not left.is_empty:
            self._status, self._reason = UNSETTLED, left.what
        if self._parts.trace.is_logged:
            self._tell_end(error, left)
        await self._write(is_over=True)

    def _tell_end(self, error: BaseException | None, left: LeftBehind) -> None:
        if not left.is_empty:
            self._parts.service.tell(f"STATUS=ended, and left: {left.what}")
            event(
                _LOG,
                "STOP_UNSETTLED",
                "critical",
                run_id=self._holder.run_id,
                orders="; ".join(left.orders),
                bare="; ".join(left.bare),
                is_unproved=left.is_unproved,
                by_hand=", then ".join(left.by_hand),
            )
        code = error.exit_code if isinstance(error, ZoeError) else int(error is not None)
        event(
            _LOG,
            "LOOP_ENDED",
            "info" if error is None and left.is_empty else "error",
            run_id=self._holder.run_id,
            exit_code=code or left.exit_code,
            reason=_said(error) or left.what,
        )

    def _status_in(self, phase: Phase) -> str:
        if phase in {Phase.INITIALIZING, Phase.SYNCING, Phase.RECONCILING}:
            return RUNNING
        if phase is Phase.STOPPING:
            return self._status
        if not self._loop.books.trading_state.may_enter:
            return HALTED
        return SAFE_MODE if phase is Phase.FAILED else OK

    async def _write(self, *, is_over: bool) -> None:
        ended = self._parts.clock.now() if is_over else None
        details: Details = {
            "host": self._holder.host,
            "phase": self._parts.work.phase.value,
            "diffs": self.diffs,
            "resume_policy": _POLICY.get(self._status, ""),
            "reason": self._reason,
            **{f"{name}_ms": took for name, took in self._took_ms.items()},
        }
        run_id, started, status = self._holder.run_id, self._started, self._status
        await self._parts.store.run(
            lambda tx: tx.record_boot(run_id, started, ended, status, details)
        )

    def _tell(self, phase: Phase, before: Phase, took_ms: int) -> None:
        if phase is Phase.RECONCILING:
            self._parts.service.tell("READY=1")
        elif phase is Phase.STOPPING:
            self._parts.service.tell("STOPPING=1")
        self._parts.service.tell(f"STATUS={phase.value} {self._reason}".strip())
        if self._parts.trace.is_logged:
            stopped = "trading is stopped" if self._status == HALTED else ""
            self._parts.narrator.show_phase(self._since, phase.value, self._reason or stopped)
            event(
                _LOG,
                "STARTUP",
                "error" if phase is Phase.FAILED else "info",
                phase=phase.value,
                before=before.value if phase is not before else "",
                duration_ms=took_ms,
                run_id=self._holder.run_id,
                diffs=self.diffs,
                resume_policy=_POLICY.get(self._status, ""),
                reason=self._reason,
            )


def _said(error: BaseException | None) -> str:
    if error is None:
        return ""
    return error.message if isinstance(error, ZoeError) else f"{type(error).__name__}: {error}"
