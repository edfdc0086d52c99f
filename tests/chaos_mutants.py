"""Gate and loop with one of their rules broken: chaos must notice each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import crash_mutants
from zoe_tools.core import order_desk as order_desk_module
from zoe_tools.core import risk_groups as risk_groups_module
from zoe_tools.core import run as run_module
from zoe_tools.core import run_entries as entries_module
from zoe_tools.core.order_desk import Desk
from zoe_tools.core.reprice import collared, rounded
from zoe_tools.domain.order import Side
from zoe_tools.domain.stream import ExecutionReport
from zoe_tools.domain.trading_state import TradingState
from zoe_tools.gate import carry as carry_module
from zoe_tools.gate import gate as gate_module
from zoe_tools.gate import journal as journal_module
from zoe_tools.gate import recover as recover_module
from zoe_tools.gate.send import Answer, Reply

carry: Any = carry_module
entries: Any = entries_module
gate: Any = gate_module
journal: Any = journal_module
order_desk: Any = order_desk_module
recover: Any = recover_module
risk_groups: Any = risk_groups_module
run: Any = run_module
trading_state: Any = TradingState
"""As objects: what they import is replaced in them."""


def _put(owner: object, name: str, value: object) -> None:
    """Replace what is there; a name that is not there any more is a mistake of this file."""
    assert hasattr(owner, name)
    setattr(owner, name, value)


def a_lost_answer_is_a_no() -> None:
    """An order whose answer did not come counts as refused."""
    send = carry.send

    async def certain(*told: object) -> Reply:
        reply: Reply = await send(*told)
        return replace(reply, answer=Answer.NO) if reply.answer is Answer.LOST else reply

    _put(carry, "send", certain)


def missed_fills_are_not_asked_for() -> None:
    """What was executed while nobody listened stays unbooked, though the stream tells it again."""

    async def none(*_: object) -> tuple[()]:
        return ()

    record = gate.Gate.record_reports

    async def of_now(
        self: object, reports: Sequence[ExecutionReport], read: Callable[..., object]
    ) -> object:
        told = [replace(each, fill=None) if each.is_snapshot else each for each in reports]
        return await record(self, told, read)

    _put(recover, "_fills_at", none)
    _put(gate.Gate, "record_reports", of_now)


def limits_are_not_asked() -> None:
    """The strategy takes ten times what an entry may cost, and the gate lets it."""
    spend = entries._spent_on
    _put(entries, "_spent_on", lambda decision, room: spend(decision, room) * 10)
    _put(gate, "veto", lambda *_: ())


def entries_go_on_while_stopped() -> None:
    """Neither loop nor gate ask whether trading is stopped, nor does what journals an entry."""
    _put(trading_state, "may_enter", property(lambda _: True))
    _put(journal, "demand_may_enter", lambda *_: None)


def bought_coins_get_no_stop() -> None:
    """A position waits for its stop until it is sold."""

    def nothing(*_: object, **__: object) -> Iterator[object]:
        yield from ()

    _put(run, "protect", nothing)


def entries_wait_for_ever() -> None:
    """An entry whose time is over is neither repriced nor given up."""

    def nothing(*_: object) -> Iterator[object]:
        yield from ()

    _put(run, "tend_entries", nothing)


def repricing_knows_no_worst_price() -> None:
    """An entry goes as far as the collar at its first repricing, and the gate lets it."""

    def at_the_collar(desk: Desk, *_: object) -> Decimal | None:
        if desk.quote is None:
            return None
        return rounded(Side.BUY, collared(Side.BUY, desk.quote, desk.ladder), desk.instrument)

    _put(order_desk, "_entry_price", at_the_collar)
    _put(order_desk, "_waits", lambda *_: False)
    _put(risk_groups, "_price_check", lambda *_: None)


MUTANTS: dict[str, Callable[[], None]] = {
    "a lost answer is a no": a_lost_answer_is_a_no,
    "no commit before the send": crash_mutants.no_commit_before_the_send,
    "missed fills are not asked for": missed_fills_are_not_asked_for,
    "limits are not asked": limits_are_not_asked,
    "entries go on while stopped": entries_go_on_while_stopped,
    "bought coins get no stop": bought_coins_get_no_stop,
    "entries wait for ever": entries_wait_for_ever,
    "repricing knows no worst price": repricing_knows_no_worst_price,
}
