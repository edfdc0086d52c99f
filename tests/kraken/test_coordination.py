"""What processes that share a key agree on: the slot of a nonce, the note of the budgets."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import make_stop_request, place, plan_with
from kraken_answers import EPOCH
from zoe_tools.domain.rate_cost import VenueRead
from zoe_tools.errors import StoreUnavailable, VenueUnavailable
from zoe_tools.kraken.budgets import Budgets
from zoe_tools.kraken.coordination import ANSWER_S, SharedCoordination
from zoe_tools.kraken.limits import CALL, TIERS
from zoe_tools.kraken.nonce import HASTE_S, LEASE_S, SILENCE_S, NonceSlot, NonceSource
from zoe_tools.ports import ORDINARY, Claim, Coordination, SharedNote, Urgency
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual
from zoe_tools.store.coordination import FileNotes

T = TypeVar("T")

PROTECTION = Claim(urgency=Urgency.PROTECTION, may_go_alone=True)
READ = Claim(may_go_alone=True)
COMMAND = Claim(urgency=Urgency.COMMAND)
LONGEST_S = 0.25


class InlineLanes:
    """Everything where it stands; while `hangs`, nothing is ever answered."""

    hangs = False

    async def run(self, work: Callable[[], T], *, is_urgent: bool) -> T:  # noqa: ARG002 - one lane
        """Do it."""
        if self.hangs:
            await asyncio.sleep(3600)
        return work()

    def post(self, work: Callable[[], object], *, is_urgent: bool) -> None:  # noqa: ARG002 - one lane
        """Do it, and never mind."""
        with suppress(StoreUnavailable):
            work()


@dataclass(slots=True)
class Faulty:
    """Notes that can be out of reach."""

    notes: FileNotes
    is_gone: bool = False

    def read(self, name: str) -> SharedNote:
        """The note, if it can be reached."""
        if self.is_gone:
            raise StoreUnavailable("The disk is full.")
        return self.notes.read(name)

    def swap(self, name: str, before: SharedNote, text: bytes) -> bool:
        """As the notes."""
        return self.notes.swap(name, before, text)

    def close(self) -> None:
        """As the notes."""
        self.notes.close()


class Desk:
    """Processes of one machine: each coordination has notes of its own over the same file."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "coord-key.db"
        self._opened: list[FileNotes] = []

    def process(
        self,
        *,
        lanes: InlineLanes | None = None,
        clock_error_s: float = 0.0,
        by_notes: bool = False,
    ) -> SharedCoordination:
        """One more of them."""
        return SharedCoordination(
            self.notes(),
            lanes or InlineLanes(),
            VirtualClock(EPOCH + timedelta(seconds=clock_error_s)),
            by_notes_clock=by_notes,
        )

    def notes(self) -> FileNotes:
        """Their file, by the loop's seconds."""
        opened = FileNotes(self._path, seconds=lambda: asyncio.get_running_loop().time())
        self._opened.append(opened)
        return opened

    def close(self) -> None:
        """End them all."""
        for each in self._opened:
            each.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A machine with no process yet."""
    made = Desk(tmp_path)
    yield made
    made.close()


def now() -> float:
    """The loop's seconds."""
    return asyncio.get_running_loop().time()


async def call(keys: Coordination, seconds: float, claim: Claim = ORDINARY) -> tuple[int, float]:
    """(the nonce, when it was handed out) of a call whose answer takes so long."""
    async with keys.nonce(claim) as number:
        taken_at = now()
        await asyncio.sleep(seconds)
    return number, taken_at


@pytest.mark.parametrize("is_shared", [True, False])
def test_a_slot_is_held_until_the_reply_is_in_but_not_for_ever(
    desk: Desk,
    is_shared: bool,  # noqa: FBT001 - a table of two
) -> None:
    """A holder that hangs loses it after the lease, and freeing it later frees nobody else's."""

    async def run() -> tuple[tuple[int, float], ...]:
        keys = desk.process() if is_shared else NonceSource(VirtualClock(EPOCH))
        return await asyncio.gather(call(keys, LEASE_S + 1), call(keys, 1.5), call(keys, 0))

    numbers, times = zip(*run_virtual(run()), strict=True)

    assert list(numbers) == sorted(set(numbers))
    assert times == (
        0.0,
        pytest.approx(LEASE_S, abs=0.02),
        pytest.approx(LEASE_S + 1.5, abs=0.02),
    )


@pytest.mark.parametrize("is_shared", [True, False])
def test_protection_takes_the_slot_from_a_holder_that_is_stopped(
    desk: Desk,
    is_shared: bool,  # noqa: FBT001 - a table of two
) -> None:
    """Long before the lease is over; the one after it waits no longer either."""

    async def run() -> list[float]:
        stopped = NonceSource(VirtualClock(EPOCH)) if not is_shared else desk.process()
        own = desk.process() if is_shared else stopped
        holding = asyncio.create_task(call(stopped, 60))
        await asyncio.sleep(0)
        asked_at = now()
        calls = await asyncio.gather(*(call(own, 0.02, PROTECTION) for _ in range(3)))
        holding.cancel()
        return [taken_at - asked_at for _, taken_at in calls]

    waits = sorted(run_virtual(run()))

    assert waits[0] == pytest.approx(HASTE_S, abs=0.01)
    assert waits[-1] <= LONGEST_S


def test_protection_goes_before_the_loop_and_the_loop_before_commands(desk: Desk) -> None:
    """Whoever asked first, and whichever process it is."""
    order: list[str] = []

    async def run() -> None:
        async def ask(name: str, claim: Claim) -> None:
            async with desk.process().nonce(claim):
                order.append(name)
                await asyncio.sleep(0.1)

        first = asyncio.create_task(ask("first", COMMAND))
        await asyncio.sleep(0.01)
        others = []
        for name, claim in (("command", COMMAND), ("loop", ORDINARY), ("stop", PROTECTION)):
            others.append(asyncio.create_task(ask(name, claim)))
            await asyncio.sleep(0.01)
        await asyncio.gather(first, *others)

    run_virtual(run())

    assert order == ["first", "stop", "loop", "command"]


def test_equals_take_turns(desk: Desk) -> None:
    """Whoever waits is served before whoever was just served asks again."""
    order: list[int] = []

    async def run() -> None:
        async def ask_often(name: int) -> None:
            keys = desk.process()
            for _ in range(10):
                async with keys.nonce(COMMAND):
                    order.append(name)
                    await asyncio.sleep(0.03)

        await asyncio.gather(*(ask_often(name) for name in range(4)))

    run_virtual(run())

    rounds = [set(order[at : at + 4]) for at in range(0, 40, 4)]
    assert rounds == [{0, 1, 2, 3}] * 10


def test_whoever_dies_in_the_queue_does_not_keep_the_others_waiting(desk: Desk) -> None:
    """Its place is passed over once nothing was heard of it for a moment."""

    async def run() -> float:
        asked = NonceSlot().asked("dead", COMMAND, floor=1, now=now())
        assert asked is not None
        waiting = asked.left("dead").asked("holder", COMMAND, floor=1, now=now())
        assert waiting is not None
        queued = waiting.asked("dead", ORDINARY, floor=1, now=now())
        assert queued is not None
        notes = desk.notes()
        slot = queued.left("holder")
        assert notes.swap("slot", notes.read("slot"), msgspec.json.encode(slot))
        return (await call(desk.process(), 0, COMMAND))[1]

    assert run_virtual(run()) == pytest.approx(SILENCE_S, abs=0.02)


def test_two_processes_share_the_sequence_and_the_note(desk: Desk, tmp_path: Path) -> None:
    """Whoever is second goes on where the first was, even where time stands still."""

    async def run() -> tuple[list[int], bytes]:
        one, other = desk.process(), desk.process()
        numbers = [(await call(each, 0))[0] for each in (one, other, one)]
        await one.change(lambda before, _: (before + b"a long note", None))
        await other.change(lambda _, __: (b"short", None))
        one.post(lambda note, _: (note + b"er", None))
        return numbers, await other.change(lambda note, _: (note, note))

    numbers, note = run_virtual(run())

    assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]
    assert note == b"shorter"
    assert {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()} == {0o600}


def test_a_step_that_somebody_was_quicker_than_is_made_again(desk: Desk) -> None:
    """Between our look at a note and our writing it, another process wrote it."""

    async def run() -> bytes:
        own = desk.notes()
        keys = SharedCoordination(own, InlineLanes(), VirtualClock(EPOCH))
        other, steps = desk.notes(), []

        def add(text: bytes, _: object) -> tuple[bytes, None]:
            steps.append(text)
            if len(steps) == 1:
                assert other.swap("budget", other.read("budget"), b"theirs")
            return text + b"+ours", None

        await keys.change(add)
        assert steps == [b"", b"theirs"]
        return own.read("budget").text

    assert run_virtual(run()) == b"theirs+ours"


def test_a_plan_is_priced_by_what_was_seen_last_and_nobody_is_asked(desk: Desk) -> None:
    """Notes that hang keep no stop waiting to be told what it costs; before any look it is not."""

    async def run() -> list[Decimal | None]:
        lanes, clock = InlineLanes(), VirtualClock(EPOCH)
        keys = desk.process(lanes=lanes)
        budgets = Budgets(keys, clock, TIERS["starter"])
        stop, looks = plan_with(place(make_stop_request())), [VenueRead.FILLS] * 2
        costs: list[Decimal | None] = []

        def waits() -> None:
            cost = budgets.priced(stop, looks=looks, proofs=lambda _: ()).rate_cost
            costs.append(None if cost is None else cost.wait_s)

        waits()
        for _ in range(6):
            await budgets.take_call(2 * CALL)
        waits()
        lanes.hangs = True
        waits()
        return costs

    before, known, hanging = run_virtual(run())

    assert before is None
    assert known == hanging
    assert (known or 0) > 1


@pytest.mark.parametrize("left", [b"", b"\x00\x00", b'{"last": 1, "hol', b"[]", b"\xff\n"])
def test_a_note_that_cannot_be_read_is_as_good_as_none(desk: Desk, left: bytes) -> None:
    """Nonces go on from the clock."""

    async def run() -> int:
        notes = desk.notes()
        notes.swap("slot", notes.read("slot"), left)
        return (await call(desk.process(), 0))[0]

    assert run_virtual(run()) == int(EPOCH.timestamp()) * 1_000_000


@pytest.mark.parametrize("how", ["removed", "torn", "torn and found so by a newcomer"])
def test_a_file_that_is_lost_while_it_is_used_is_shared_again(
    desk: Desk, tmp_path: Path, how: str
) -> None:
    """Nobody goes on alone with a file that the others do not have, or is shut out for good."""

    def lose() -> None:
        for each in tmp_path.iterdir():
            if how == "removed":
                each.unlink()
            else:
                each.write_bytes(b"\xfe" * each.stat().st_size)

    async def run() -> list[tuple[int, float]]:
        one, other = desk.process(), desk.process()
        for each in (one, other):
            await call(each, 0)
        lose()
        if how != "torn":
            other = desk.process()
            await call(other, 0)
        for each in (one, other):
            await call(each, 0)
        first = asyncio.create_task(call(one, 0.5))
        await asyncio.sleep(0.1)
        return [await call(other, 0), await first]

    (second, waited_until), (first, taken_at) = run_virtual(run())

    assert second > first
    assert waited_until - taken_at >= 0.5


def test_out_of_reach_of_the_others_only_new_risk_stays_at_home(desk: Desk) -> None:
    """Reads and protection go alone, with nonces that still rise; afterwards all is as before."""

    async def run() -> None:
        notes = Faulty(desk.notes())
        keys = SharedCoordination(notes, InlineLanes(), VirtualClock(EPOCH))
        numbers = [(await call(keys, 0))[0]]
        notes.is_gone = True

        asked_at = now()
        numbers.append((await call(keys, 0, PROTECTION))[0])
        assert now() - asked_at <= ANSWER_S
        numbers.append((await call(keys, 0, READ))[0])
        assert await keys.change(lambda note, _: (note + b"+", note), READ) == b""
        assert await keys.change(lambda note, _: (note + b"+", note), PROTECTION) == b"+"
        with pytest.raises(VenueUnavailable, match=r"disk is full.*nothing was sent"):
            await call(keys, 0)
        with pytest.raises(VenueUnavailable, match="nothing was sent"):
            await keys.change(lambda note, _: (note, None))

        notes.is_gone = False
        numbers.append((await call(keys, 0))[0])
        numbers.append((await call(desk.process(), 0))[0])
        assert numbers == sorted(set(numbers))

    run_virtual(run())


def test_protection_does_not_wait_for_notes_that_never_answer(desk: Desk) -> None:
    """A database that hangs costs it a moment; a read more, and only the first one."""
    waits, longest = [], HASTE_S + ANSWER_S

    async def run() -> None:
        lanes = InlineLanes()
        keys = desk.process(lanes=lanes)
        lanes.hangs = True
        for claim in (PROTECTION, READ, READ, PROTECTION):
            asked_at = now()
            await call(keys, 0, claim)
            waits.append(now() - asked_at)

    run_virtual(run())

    assert waits == pytest.approx([longest, LEASE_S, 0.25, longest], abs=0.01)
    assert longest + ANSWER_S < LONGEST_S


def test_a_nonce_that_is_refused_again_leaps_ahead(desk: Desk) -> None:
    """The first refusal is an overtaken call; more are the clock of somebody who went alone."""

    async def run() -> list[int]:
        keys = desk.process()
        return [(await call(keys, 0, Claim(refusals=count)))[0] for count in range(4)]

    first, second, third, fourth = run_virtual(run())

    assert (second - first, third - second, fourth - third) == (1, 1_000_001, 60_000_001)


def test_hosts_with_wrong_clocks_go_by_the_clock_of_the_notes(desk: Desk) -> None:
    """Half an hour ahead or behind: the same time for all, and nonces that rise by it."""

    async def run() -> tuple[list[int], set[float]]:
        hosts = [desk.process(clock_error_s=error_s, by_notes=True) for error_s in (1800, -1800, 0)]
        await asyncio.sleep(100)
        times = [await each.change(lambda note, at: (note, at.timestamp())) for each in hosts]
        return [(await call(each, 0))[0] for each in hosts], set(times)

    assert run_virtual(run()) == ([100_000_000, 100_000_001, 100_000_002], {100.0})


def test_without_a_common_clock_nonces_still_rise_over_hosts(desk: Desk) -> None:
    """The one ahead sets the pace; the one behind goes on from there."""

    async def run() -> list[int]:
        ahead, behind = desk.process(clock_error_s=30), desk.process(clock_error_s=-30)
        return [(await call(each, 0))[0] for each in (behind, ahead, behind, behind)]

    numbers = run_virtual(run())

    assert numbers == sorted(set(numbers))


_ASKING = st.tuples(
    st.sampled_from(["ask", "leave"]),
    st.sampled_from("abcd"),
    st.sampled_from(list(Urgency)),
    st.floats(min_value=0, max_value=1.5),
)


@given(st.lists(_ASKING, max_size=60))
def test_whatever_they_do_nonces_rise_and_two_hold_the_slot_only_by_stealing(
    moves: list[tuple[str, str, Urgency, float]],
) -> None:
    """A slot changes hands when it is free, when its lease is over, or for protection."""
    slot, at = NonceSlot(), 10.0
    for what, who, urgency, seconds in moves:
        at += seconds
        if what == "leave":
            assert slot.left(who).last == slot.last
            slot = slot.left(who)
            continue
        asked = slot.asked(who, Claim(urgency=urgency), floor=5, now=at)
        if asked is None:
            continue
        if asked.holder == who and asked.last != slot.last:
            assert asked.last > slot.last
            is_free = not slot.holder or at - slot.since >= LEASE_S
            assert is_free or urgency is Urgency.PROTECTION
        slot = asked
    assert len({each.holder for each in slot.waiting}) == len(slot.waiting)
