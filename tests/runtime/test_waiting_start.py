"""A start whose venue does not answer: it ends with nothing held, and goes on trying else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from builders import NOON, PAPER, make_intent
from fakes import fresh_store
from loop_rig import RecordingNarrator
from zoe_tools.domain.journal import IntentState
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.trading_state import KillLevel
from zoe_tools.engine.alarm import StandbyAlarm
from zoe_tools.errors import ConfigError, VenueUnavailable, ZoeError
from zoe_tools.gate.journal import Author
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual
from zoe_tools.runtime.waiting_start import FIRST_PAUSE_S, LONGEST_PAUSE_S, once_it_answers
from zoe_tools.store.runner import InlineRunner


class Listening:
    """A service manager that remembers."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def tell(self, state: str) -> None:
        """See `ServiceManager`."""
        self.told.append(state)


@dataclass
class Starting:
    """A start: `errors` are what its tries end with, one after the other; then it is there."""

    folder: Path
    errors: list[ZoeError] = field(default_factory=list)
    asked_at: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = VirtualClock(NOON)
        self.store = InlineRunner(fresh_store(self.folder))
        self.narrator, self.service = RecordingNarrator(), Listening()
        self.stop, self.signal = asyncio.Event(), asyncio.Event()

    async def hold(self) -> None:
        """Something is in doubt."""
        intent = make_intent(state=IntentState.UNKNOWN)
        await self.store.run(lambda tx: tx.record_intent(intent))

    async def _assemble(self) -> str:
        self.asked_at.append((self.clock.now() - NOON).total_seconds())
        if self.errors:
            raise self.errors.pop(0)
        return "assembled"

    async def begin(self) -> str:
        """Until it is there, or ended."""
        author = Author(account=PAPER, command="run", operator="", host="h", pid=1)
        alarm = StandbyAlarm(
            alarm=self.signal,
            store=self.store,
            clock=self.clock,
            account=PAPER,
            policy=Policy(),
            author=author,
            narrator=self.narrator,
        )
        return await once_it_answers(
            self._assemble,
            store=self.store,
            clock=self.clock,
            narrator=self.narrator,
            service=self.service,
            alarm=alarm,
            stop=self.stop,
        )


def down(times: int) -> list[ZoeError]:
    """The venue does not answer so often."""
    return [VenueUnavailable("No connection for Time.") for _ in range(times)]


def with_start(
    folder: Path, errors: Sequence[ZoeError], story: Callable[[Starting], Awaitable[None]]
) -> Starting:
    """Tell the story of a start."""

    async def main() -> Starting:
        start = Starting(folder, list(errors))
        try:
            await story(start)
        finally:
            await start.store.close()
        return start

    return run_virtual(main())


def test_with_nothing_held_a_venue_that_is_down_ends_the_start(tmp_path: Path) -> None:
    """At once, as the venue's fault."""

    async def story(start: Starting) -> None:
        with pytest.raises(VenueUnavailable):
            await start.begin()

    start = with_start(tmp_path, down(1), story)
    assert (start.asked_at, start.service.told, start.narrator.notes) == ([0.0], [], [])


def test_with_something_held_it_is_tried_until_the_venue_answers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Seconds apart, each try alarmed, and the service manager asked for patience."""

    async def story(start: Starting) -> None:
        await start.hold()
        assert await start.begin() == "assembled"

    start = with_start(tmp_path, down(6), story)
    assert start.asked_at == [0, 1, 3, 7, 12, 17, 22]
    assert start.asked_at[1] == FIRST_PAUSE_S
    assert start.asked_at[-1] - start.asked_at[-2] == LONGEST_PAUSE_S
    waits = [each for each in caplog.records if each.__dict__.get("zoe_event") == "START_WAITS"]
    assert [each.levelname for each in waits] == ["CRITICAL"] * 6
    assert start.service.told[0].startswith("EXTEND_TIMEOUT_USEC=")
    assert len(start.service.told) == 12
    ((_, note),) = start.narrator.notes
    assert "The books have 1 unknown outcome" in note


def test_what_is_no_fault_of_the_venue_ends_it(tmp_path: Path) -> None:
    """A setting that is wrong is wrong the next time, too."""

    async def story(start: Starting) -> None:
        await start.hold()
        with pytest.raises(ConfigError):
            await start.begin()

    start = with_start(tmp_path, [*down(1), ConfigError("no such pair")], story)
    assert len(start.asked_at) == 2


def test_a_stop_is_heeded_while_it_is_tried(tmp_path: Path) -> None:
    """Within the moment; why there was no run is said, with the code of a venue."""

    async def story(start: Starting) -> None:
        await start.hold()
        beginning = asyncio.create_task(start.begin())
        await start.clock.sleep(8)
        start.stop.set()
        with pytest.raises(VenueUnavailable):
            await beginning
        assert (start.clock.now() - NOON).total_seconds() == 8

    with_start(tmp_path, down(1_000), story)


def test_sigusr1_latches_while_it_is_tried(tmp_path: Path) -> None:
    """The loop that begins later finds trading stopped."""

    async def story(start: Starting) -> None:
        await start.hold()
        beginning = asyncio.create_task(start.begin())
        await start.clock.sleep(2.1)
        start.signal.set()
        await start.clock.sleep(0.3)
        state = await start.store.read(lambda tx: tx.trading_state())
        assert state.level > KillLevel.NONE
        start.stop.set()
        with pytest.raises(VenueUnavailable):
            await beginning

    with_start(tmp_path, down(1_000), story)
