"""Gate and loop with one of their rules broken: chaos must notice each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import crash_mutants
from zoe_tools.core import protection as protection_module
from zoe_tools.core import run as run_module
from zoe_tools.gate import gate as gate_module
from zoe_tools.gate import recover as recover_module

gate: Any = gate_module
protection: Any = protection_module
recover: Any = recover_module
run: Any = run_module
"""As objects: what they import is replaced in them."""


def _put(owner: object, name: str, value: object) -> None:
    """Replace what is there; a name that is not there any more is a mistake of this file."""
    assert hasattr(owner, name)
    setattr(owner, name, value)


def missed_fills_are_not_asked_for() -> None:
    """What was executed while nobody listened stays unbooked."""

    async def none(*_: object) -> tuple[()]:
        return ()

    _put(recover, "_fills_at", none)


def limits_are_not_asked() -> None:
    """The strategy takes ten times what an entry may cost, and the gate lets it."""
    spend = run._spent_on
    _put(run, "_spent_on", lambda decision, room: spend(decision, room) * 10)
    _put(gate, "veto", lambda *_: ())


def bought_coins_get_no_stop() -> None:
    """A position waits for its stop until it is sold."""

    def nothing(*_: object, **__: object) -> Iterator[object]:
        yield from ()

    _put(run, "protect", nothing)


MUTANTS: dict[str, Callable[[], None]] = {
    "resend on time-out": crash_mutants.resend_on_timeout,
    "no commit before the send": crash_mutants.no_commit_before_the_send,
    "missed fills are not asked for": missed_fills_are_not_asked_for,
    "limits are not asked": limits_are_not_asked,
    "bought coins get no stop": bought_coins_get_no_stop,
}
