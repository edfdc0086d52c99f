"""A closed terminal: work that stopped in its midst would leave a position without its stop."""

from __future__ import annotations

import os
import signal
import threading

from zoe_tools.runtime.hangup import outlasting_terminal


def test_work_that_must_be_finished_outlasts_its_terminal() -> None:
    """The signal goes unheard, and what was before is so again."""
    before = signal.getsignal(signal.SIGHUP)
    with outlasting_terminal():
        os.kill(os.getpid(), signal.SIGHUP)

    assert signal.getsignal(signal.SIGHUP) is before


def test_in_another_thread_nothing_can_be_arranged() -> None:
    """And the work is done all the same."""
    done: list[bool] = []

    def work() -> None:
        with outlasting_terminal():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(timeout=5)

    assert done == [True]
