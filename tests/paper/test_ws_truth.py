"""Who listened to the private channels knows what REST would say, after anything."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from socket_machine import SocketMachine
from zoe_tools.paper.ws import reports as ws_reports

QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


def run(examples: int, steps: int, *, is_shrunk: bool = True) -> tuple[int, int]:
    """Let it run; (steps, frames heard)."""
    before = SocketMachine.steps, SocketMachine.frames
    run_state_machine_as_test(
        SocketMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            phases=(Phase.generate, Phase.shrink) if is_shrunk else (Phase.generate,),
            suppress_health_check=QUIET,
        ),
    )
    return SocketMachine.steps - before[0], SocketMachine.frames - before[1]


def test_a_client_that_listened_knows_the_open_orders_and_the_balances() -> None:
    """Every order type, amendments, edits, batches, expiries, wallets; numbers without a gap."""
    steps, frames = run(30, 50)

    assert steps > 800
    assert frames > 800


@pytest.mark.slow
def test_a_client_that_listened_for_long_knows_them_too() -> None:
    """The same, for ten thousand steps and more."""
    steps, _ = run(400, 60)

    assert steps > 10_000


def test_a_stream_that_leaves_out_amendments_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine can fail: a mutant of the reports turns it red."""
    monkeypatch.setattr(
        ws_reports, "_amended", lambda event, _: ws_reports._names(event.order) | {"data": 0}
    )
    with pytest.raises((AssertionError, KeyError)):
        run(60, 50, is_shrunk=False)
