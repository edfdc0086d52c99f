"""`zoe monitor-trade-execution` over books that a loop has written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from builders import NOON, d, make_group, make_order
from command_line import migrated, zoe
from fakes import Desk, at_the_desk, command_io
from zoe_tools.commands import monitor_trade_execution as command
from zoe_tools.commands.monitor_trade_execution import _look
from zoe_tools.domain.intent_group import GroupEnd
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.policy import Policy
from zoe_tools.store.store import Transaction


def filled(transaction: Transaction) -> None:
    """A group that filled its 0.0004 BTC, after two repricings."""
    group = make_group(ending=GroupEnd.FILLED, ended_at=NOON)
    transaction.groups.record(group)
    transaction.record_order(
        make_order(
            group_id=group.group_id,
            status=OrderStatus.FILLED,
            filled_quantity=d("0.0004"),
            replace_count=2,
        )
    )


def test_decisions_are_listed_with_what_they_came_to(tmp_path: Path) -> None:
    """One line for each group, then the sums; the venue is not asked."""

    async def story(desk: Desk) -> None:
        await desk.store.run(filled)
        desk.venue.calls.clear()
        context, invocation, out = command_io(desk, "monitor-trade-execution")
        code = await _look(context, invocation.printer(), Policy())
        text = out.getvalue()

        assert code == 0
        assert " entry " in text
        assert "1 decision, 0 at work; 1 filled (100.00 % of those over)" in text
        assert desk.venue.calls == []
        empty = command_io(desk, "monitor-trade-execution")
        await _look(empty[0], empty[1].printer(), Policy(), symbol="ETH-USD")
        assert "No orders of the desk's in ETH/USD" in empty[2].getvalue()

    at_the_desk(tmp_path, story)


def test_a_stuck_order_is_a_finding_however_long_ago_it_was_placed(tmp_path: Path) -> None:
    """Exit 3, in JSON as on the screen."""

    async def story(desk: Desk) -> None:
        await desk.store.run(lambda tx: tx.groups.record(make_group()))
        await desk.store.run(
            lambda tx: tx.record_order(make_order(group_id=make_group().group_id, ttl_s=d("60")))
        )
        await desk.clock.sleep(3600)
        context, invocation, out = command_io(desk, "monitor-trade-execution", json=True)
        code = await _look(context, invocation.printer(), Policy(), since="1m")
        told = json.loads(out.getvalue())

        assert code == 3
        assert told["result"]["groups"] == []
        (finding,) = told["result"]["report"]["findings"]
        assert finding.startswith("STUCK_ORDER BTC/USD: entry")

    at_the_desk(tmp_path, story)


def test_followed_it_looks_again_until_it_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person watches; Ctrl-C ends it as it ends any command."""
    looks: list[int] = []

    async def looked(*_: object, **__: object) -> int:
        looks.append(1)
        if len(looks) == 3:
            raise KeyboardInterrupt
        return 0

    migrated(tmp_path)
    monkeypatch.setattr(command, "_look", looked)
    monkeypatch.setattr(command, "FOLLOW_S", 0.0)
    ran = zoe("monitor-trade-execution --follow", home=tmp_path)

    assert len(looks) == 3
    assert ran.code == 130


def test_to_follow_is_no_answer_in_json(tmp_path: Path) -> None:
    """One object is what a program reads: refused before the first one, not at the second."""
    migrated(tmp_path)
    ran = zoe("--json monitor-trade-execution --follow", home=tmp_path)

    assert ran.code == 2
    assert "--follow" in ran.envelope["error"]["message"]


def test_what_was_decided_is_not_cut_within_a_word(tmp_path: Path) -> None:
    """Where the terminal is narrow: `take` and `profit` below each other."""

    async def story(desk: Desk) -> None:
        group = replace(make_group(ending=GroupEnd.FILLED, ended_at=NOON), purpose="take_profit")
        order = make_order(group_id=group.group_id, status=OrderStatus.FILLED)
        await desk.store.run(lambda tx: tx.groups.record(group))
        await desk.store.run(lambda tx: tx.record_order(order))
        context, invocation, out = command_io(desk, "monitor-trade-execution")
        printer = invocation.printer()
        printer.width = 72
        await _look(context, printer, Policy())

        assert {"take", "profit"} <= set(out.getvalue().split())

    at_the_desk(tmp_path, story)
