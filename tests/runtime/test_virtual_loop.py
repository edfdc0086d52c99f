"""Virtual time: the order of timers, jumps, deadlocks, and that no thread or socket gets in."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoe_tools.runtime.virtual_loop import VirtualLoop, VirtualTimeError, run_virtual


def loop_time() -> float:
    """Seconds on the running loop."""
    return asyncio.get_running_loop().time()


def test_time_begins_at_zero_and_stands_still_while_code_runs() -> None:
    """Only waiting moves the clock, never work."""

    async def work() -> tuple[float, float]:
        before = loop_time()
        sum(range(100_000))
        await asyncio.sleep(0)
        return before, loop_time()

    assert run_virtual(work()) == (0.0, 0.0)


@pytest.mark.parametrize("delay", [0.001, 0.1, 1.0, 86_400.0, 1e9])
def test_a_sleep_ends_exactly_when_it_was_to_end(delay: float) -> None:
    """The clock jumps onto the timer, without a rounding error, however far away it is."""

    async def sleep() -> float:
        await asyncio.sleep(delay)
        return loop_time()

    assert run_virtual(sleep()) == delay


def test_thirty_years_pass_in_a_moment() -> None:
    """A sleep of 1e9 seconds costs no wall time worth naming."""
    started = time.monotonic()

    run_virtual(asyncio.sleep(1e9))

    assert time.monotonic() - started < 5.0


def test_small_steps_late_in_the_run_still_pass() -> None:
    """After thirty years a millisecond is still a timer of its own, not an endless loop."""

    async def tick() -> float:
        await asyncio.sleep(1e9)
        for _ in range(1_000):
            await asyncio.sleep(0.001)
        return round(loop_time() - 1e9, 3)

    assert run_virtual(tick()) == 1.0


def test_timers_that_fall_together_fire_in_the_order_of_their_creation() -> None:
    """Ties are broken by creation, not by the heap's shape."""

    async def collect() -> list[int]:
        fired: list[int] = []
        loop = asyncio.get_running_loop()
        for number in range(200):
            loop.call_at(5.0, fired.append, number)
        await asyncio.sleep(6)
        return fired

    assert run_virtual(collect()) == list(range(200))


@given(st.lists(st.integers(min_value=0, max_value=5), max_size=60))
def test_timers_fire_by_time_and_then_by_creation(delays: list[int]) -> None:
    """For any set of timers the order is the stable sort by time."""

    async def collect() -> list[tuple[int, int]]:
        fired: list[tuple[int, int]] = []
        loop = asyncio.get_running_loop()
        for number, delay in enumerate(delays):
            loop.call_later(delay, fired.append, (delay, number))
        await asyncio.sleep(10)
        return fired

    expected = sorted((delay, number) for number, delay in enumerate(delays))
    assert expected == run_virtual(collect())


def test_a_cancelled_timer_neither_fires_nor_holds_the_order_up() -> None:
    """Cancelling one of several timers of the same moment leaves the others in order."""

    async def collect() -> list[str]:
        fired: list[str] = []
        loop = asyncio.get_running_loop()
        timers = [loop.call_later(1, fired.append, name) for name in "abcd"]
        timers[1].cancel()
        await asyncio.sleep(2)
        return fired

    assert run_virtual(collect()) == ["a", "c", "d"]


def test_cancelled_timers_do_not_pile_up() -> None:
    """A time-out that was not needed is gone long before its time, with what it holds."""

    async def work() -> tuple[int, list[str]]:
        fired: list[str] = []
        loop: Any = asyncio.get_running_loop()
        loop.call_later(5_000, fired.append, "one")
        for _ in range(1_000):
            loop.call_later(9_000, fired.append, "never").cancel()
            await asyncio.sleep(1)
        loop.call_later(5_000, fired.append, "other")
        left = len(loop._scheduled)
        await asyncio.sleep(10_000)
        return left, fired

    left, fired = run_virtual(work())
    assert left < 200
    assert fired == ["one", "other"]


def test_a_timer_in_the_past_does_not_turn_time_back() -> None:
    """`call_at` with a passed moment fires at once, at the present time."""

    async def look() -> list[float]:
        seen: list[float] = []
        loop = asyncio.get_running_loop()
        await asyncio.sleep(10)
        loop.call_at(3.0, lambda: seen.append(loop.time()))
        await asyncio.sleep(1)
        return seen

    assert run_virtual(look()) == [10.0]


def test_time_outs_work() -> None:
    """`asyncio.timeout` cuts a wait off at its exact virtual second."""

    async def wait() -> float:
        try:
            async with asyncio.timeout(2.5):
                await asyncio.sleep(100)
        except TimeoutError:
            return loop_time()
        return -1.0

    assert run_virtual(wait()) == 2.5


def test_tasks_of_a_group_run_side_by_side() -> None:
    """Waits overlap: three tasks of ten seconds take ten seconds."""

    async def group() -> float:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(3):
                tasks.create_task(asyncio.sleep(10))
        return loop_time()

    assert run_virtual(group()) == 10.0


def test_a_wait_for_nobody_is_reported_as_a_deadlock() -> None:
    """With every task waiting and no timer set, the run ends with an error and does not hang."""

    async def wait() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(VirtualTimeError, match="deadlocked"):
        run_virtual(wait())


def test_a_deadlocked_queue_is_reported_even_after_time_has_passed() -> None:
    """The deadlock is found after the last timer, not only at the start."""

    async def wait() -> None:
        await asyncio.sleep(60)
        await asyncio.Queue[str]().get()

    with pytest.raises(VirtualTimeError, match="no timer is set"):
        run_virtual(wait())


async def _default_executor() -> None:
    await asyncio.get_running_loop().run_in_executor(None, len, "x")


async def _to_thread() -> None:
    await asyncio.to_thread(len, "x")


THREADS: list[Callable[[], Coroutine[Any, Any, None]]] = [_default_executor, _to_thread]


@pytest.mark.parametrize("use_thread", THREADS, ids=["run_in_executor", "to_thread"])
def test_a_thread_is_refused(use_thread: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Work handed to a thread would make the order depend on the machine."""
    before = threading.active_count()

    with pytest.raises(VirtualTimeError, match="thread"):
        run_virtual(use_thread())

    assert threading.active_count() == before


async def _connect() -> None:
    await asyncio.open_connection("127.0.0.1", 9)


async def _listen() -> None:
    await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)


async def _resolve() -> None:
    await asyncio.get_running_loop().getaddrinfo("localhost", 80)


SOCKETS: list[Callable[[], Coroutine[Any, Any, None]]] = [_connect, _listen, _resolve]


@pytest.mark.parametrize("use_socket", SOCKETS, ids=["connect", "listen", "getaddrinfo"])
def test_a_socket_is_refused(use_socket: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Bytes go through the seams; the network would bring its own time along."""
    with pytest.raises(VirtualTimeError, match="socket"):
        run_virtual(use_socket())


def test_the_loop_itself_opens_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is not even the self-pipe that asyncio's own loops keep."""

    def refuse(*_args: object, **_kwargs: object) -> None:
        pytest.fail("the virtual loop opened a socket")

    monkeypatch.setattr(socket, "socketpair", refuse)
    monkeypatch.setattr(socket, "socket", refuse)

    run_virtual(asyncio.sleep(1))


def test_the_result_and_the_error_of_main_come_through() -> None:
    """`run_virtual` returns what the coroutine returns and raises what it raises."""

    async def fail() -> None:
        await asyncio.sleep(1)
        raise LookupError("here")

    async def succeed() -> str:
        await asyncio.sleep(1)
        return "done"

    assert run_virtual(succeed()) == "done"
    with pytest.raises(LookupError, match="here"):
        run_virtual(fail())


def test_tasks_left_behind_are_cancelled_and_may_clean_up() -> None:
    """At the end of the run every other task sees its cancellation."""
    cleaned: list[str] = []

    async def linger() -> None:
        try:
            await asyncio.sleep(1e6)
        finally:
            cleaned.append("yes")

    async def main() -> None:
        task = asyncio.create_task(linger())
        await asyncio.sleep(1)
        assert not task.done()

    run_virtual(main())

    assert cleaned == ["yes"]


def test_a_closed_loop_takes_no_timer() -> None:
    """As asyncio's own loops do."""
    loop = VirtualLoop()
    loop.close()

    with pytest.raises(RuntimeError, match="closed"):
        loop.call_later(1, print)


RACE = """
import asyncio, json
from zoe_tools.runtime.virtual_loop import run_virtual

async def worker(name, log, queue):
    for turn in range(20):
        await asyncio.sleep(0.1 * (hash_free(name) % 3 + 1))
        await queue.put((name, turn))
        log.append([round(asyncio.get_running_loop().time(), 6), name, turn])

def hash_free(name):
    return sum(name.encode())

async def main():
    log, queue = [], asyncio.Queue()
    async with asyncio.TaskGroup() as tasks:
        for name in ("btc", "eth", "sol", "xrp", "ada"):
            tasks.create_task(worker(name, log, queue))
    return log

print(json.dumps(run_virtual(main())))
"""


def _race_under(hash_seed: str) -> list[list[object]]:
    finished = subprocess.run(
        [sys.executable, "-c", RACE],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},  # noqa: TID251 - hands it on to a child
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    rows: list[list[object]] = json.loads(finished.stdout)
    return rows


def test_the_interleaving_does_not_depend_on_the_hash_seed() -> None:
    """Five tasks racing for the same moments come out in one order, in any process."""
    first = _race_under("1")

    assert len(first) == 100
    assert first == _race_under("4242")
