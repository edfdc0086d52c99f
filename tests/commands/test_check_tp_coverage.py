"""`zoe check-tp-coverage` over a venue in memory: what it finds, and that it changes nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text as sql

from builders import d, make_request, place
from fakes import Desk, at_the_desk, command_io
from zoe_tools.commands.check_tp_coverage import _check, _show
from zoe_tools.commands.recover_sl import _recover
from zoe_tools.commands.repair_tp import _repair
from zoe_tools.core.check_tp_coverage import Coverage, PositionCoverage
from zoe_tools.domain.identifiers import PositionId, Symbol
from zoe_tools.domain.policy import Policy
from zoe_tools.render.printer import Printer


async def check(desk: Desk) -> tuple[int, dict[str, Any]]:
    """Run the command with --json; its exit code and its result."""
    context, invocation, out = command_io(desk, "check-tp-coverage", json=True)
    code = await _check(context, invocation.printer())
    return code, json.loads(out.getvalue())["result"]


async def shown(desk: Desk) -> str:
    """What a person sees."""
    context, invocation, out = command_io(desk, "check-tp-coverage")
    await _check(context, invocation.printer())
    return out.getvalue()


def test_coverage_from_naked_to_managed(tmp_path: Path) -> None:
    """No stop; a stop without a target; a target because a loop runs."""

    async def story(desk: Desk) -> None:
        await desk.do(place(make_request(limit_price=d("60000.1"))))
        code, result = await check(desk)
        assert (code, result["positions"][0]["coverage"]) == (3, "UNPROTECTED")
        assert "zoe recover-sl" in await shown(desk)

        context, invocation, _ = command_io(desk, "recover-sl")
        await _recover(context, invocation, execute=True)
        code, result = await check(desk)
        assert (code, result["positions"][0]["coverage"]) == (3, "MISSING_TP")
        assert "zoe run" in await shown(desk)

        now = desk.clock.now()
        await desk.read(lambda tx: tx.acquire_lease("r", "h", 1, now, 60))
        code, result = await check(desk)
        assert (code, result["positions"][0]["coverage"]) == (0, "OK")
        assert result["positions"][0]["target_is_managed"] is True

    at_the_desk(tmp_path, story)


def test_what_targets_hold_is_unprotected_while_no_loop_minds_the_stop(tmp_path: Path) -> None:
    """With the quantity: half of it rests in a target, and a falling market meets no stop there."""

    async def story(desk: Desk) -> None:
        await desk.do(place(make_request(limit_price=d("60000.1"))))
        context, invocation, _ = command_io(desk, "recover-sl")
        await _recover(context, invocation, execute=True)
        context, invocation, _ = command_io(desk, "repair-tp")
        await _repair(context, invocation, (("mode", "split"),), execute=True)

        code, result = await check(desk)
        (row,) = result["positions"]
        assert (code, row["coverage"], row["unprotected_quantity"]) == (3, "UNPROTECTED", "0.0002")
        text = " ".join((await shown(desk)).split())
        assert "BTC/USD: UNPROTECTED 0.0002 of 0.0004: targets hold 0.0002" in text
        assert "zoe recover-sl" not in text

        forbidden = replace(desk, policy=Policy())
        code, result = await check(forbidden)
        assert (code, result["positions"][0]["unprotected_quantity"]) == (3, "0.0002")
        text = " ".join((await shown(forbidden)).split())
        assert "0.0002 of 0.0004: targets hold 0.0002 in place of a stop" in text
        assert "Next: zoe run, or zoe repair-tp --mode managed" in text
        assert "zoe recover-sl" not in text

    at_the_desk(tmp_path, story, policy=Policy(allow_targets_without_stop=True))


def test_a_position_whose_row_is_gone_is_a_finding_and_no_stranger_s_coin(tmp_path: Path) -> None:
    """Its own story holds it: exit 3, and the line that brings it back."""

    async def story(desk: Desk) -> None:
        await desk.do(place(make_request(limit_price=d("60000.1"))))
        await desk.read(lambda tx: tx._connection.execute(sql("DELETE FROM crypto_positions")))

        code, result = await check(desk)
        assert (code, result["absent"]) == (3, [])
        (gone,) = result["gone"]
        assert (gone["symbol"], gone["quantity"]) == ("BTC/USD", "0.0004")
        assert "zoe reconcile --execute" in " ".join((await shown(desk)).split())

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize("coverage", list(Coverage))
def test_no_word_is_broken_at_80_columns(coverage: Coverage) -> None:
    """Quantities and states are read by people who copy them."""
    row = PositionCoverage(
        position_id=PositionId("P1"),
        symbol=Symbol("BTC/USD"),
        quantity=d("12.00038541"),
        held_at_venue=d("12.00038541"),
        stop_quantity=d("12.00038541"),
        stop_price=d("58700.1"),
        target_quantity=d("12.00038541"),
        resting_quantity=d("0"),
        target_price=d("67012.5"),
        target_is_managed=True,
        coverage=coverage,
    )
    out = StringIO()
    _show(Printer(out=out, err=out, width=80), (row,), loop_is_running=True)
    words = out.getvalue().split()

    assert words.count("12.00038541") == 3
    assert {"BTC/USD", "58700.1", "67012.5", "(managed)", coverage.value} <= set(words)
    assert max(map(len, out.getvalue().splitlines())) <= 80


def test_it_changes_nothing(tmp_path: Path) -> None:
    """A report is a report."""

    async def story(desk: Desk) -> None:
        await desk.do(place(make_request(limit_price=d("60000.1"))))
        before = await desk.read(lambda tx: tx.business_fingerprint())
        desk.venue.calls.clear()
        await check(desk)
        assert desk.venue.writes == []
        assert await desk.read(lambda tx: tx.business_fingerprint()) == before

    at_the_desk(tmp_path, story)


def test_a_flat_account_is_covered(tmp_path: Path) -> None:
    """Exit 0, and it says so."""

    async def story(desk: Desk) -> None:
        assert (await check(desk))[0] == 0
        assert "No open positions." in await shown(desk)

    at_the_desk(tmp_path, story)
