"""`zoe repair-tp` over a venue in memory: dry, executed, executed again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builders import LIVE, d, make_request, place
from fakes import Desk, at_the_desk, command_io
from zoe_tools.commands.check_tp_coverage import _check
from zoe_tools.commands.recover_sl import _recover
from zoe_tools.commands.repair_tp import _repair, planner
from zoe_tools.domain.order import Side
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.take_profit import LevelStatus, TargetMode
from zoe_tools.errors import ConfigError, ConsentMissing

ALLOWED = Policy(allow_targets_without_stop=True)


async def repair(desk: Desk, mode: str = "", *, execute: bool = False) -> tuple[int, str]:
    """Run the command; its exit code and what it printed."""
    context, invocation, out = command_io(desk, "repair-tp")
    arguments = (("mode", mode),) if mode else ()
    code = await _repair(context, invocation, arguments, execute=execute)
    return code, out.getvalue()


async def checked(desk: Desk) -> int:
    """The exit code of the check."""
    context, invocation, _ = command_io(desk, "check-tp-coverage")
    return await _check(context, invocation.printer())


async def protected(desk: Desk) -> None:
    """A position with its stop."""
    await desk.do(place(make_request(limit_price=d("60000.1"))))
    context, invocation, _ = command_io(desk, "recover-sl")
    await _recover(context, invocation, execute=True)


async def a_loop_begins(desk: Desk) -> None:
    """Somebody holds the account."""
    now = desk.clock.now()
    await desk.read(lambda tx: tx.acquire_lease("r", "h", 1, now, 3600))


def resting(desk: Desk) -> list[tuple[str, str]]:
    """What is to be sold at the venue: type and quantity."""
    return sorted(
        (each.order_type.value, f"{each.remaining_quantity.normalize():f}")
        for each in desk.venue.resting
        if each.side is Side.SELL
    )


def test_split_targets_are_planned_then_placed_then_nothing_is_left_to_do(tmp_path: Path) -> None:
    """Dry it changes nothing; executed stop and target share the position; again: nothing.

    The other half needs a loop: without one the tool says that something is left.
    """

    async def story(desk: Desk) -> None:
        await protected(desk)
        before = await desk.read(lambda tx: tx.business_fingerprint())
        desk.venue.calls.clear()
        code, text = await repair(desk, "split")
        assert code == 3
        assert "zoe repair-tp --mode split --execute" in text
        assert desk.venue.writes == []
        assert await desk.read(lambda tx: tx.business_fingerprint()) == before

        assert (await repair(desk, "split", execute=True))[0] == 3
        assert resting(desk) == [("limit", "0.0002"), ("stop-loss", "0.0002")]
        levels = await desk.read(lambda tx: tx.targets())
        assert [each.status for each in levels] == [LevelStatus.WORKING, LevelStatus.WAITING]
        position = (await desk.read(lambda tx: tx.positions()))[0]
        assert position.take_profit_price == position.initial_take_profit_price

        await a_loop_begins(desk)
        desk.venue.calls.clear()
        assert (await repair(desk, execute=True))[0] == 0
        assert (await repair(desk, "split", execute=True))[0] == 0
        assert desk.venue.writes == []
        assert await checked(desk) == 0

    at_the_desk(tmp_path, story, policy=ALLOWED)


@pytest.mark.parametrize("mode", ["split", "resting"])
def test_no_target_takes_a_stop_s_place_without_leave(tmp_path: Path, mode: str) -> None:
    """Of a saved plan neither: what rests in a target has no stop at the venue."""

    async def story(desk: Desk) -> None:
        await protected(desk)
        with pytest.raises(ConfigError, match="no stop at the venue") as refused:
            await repair(desk, mode, execute=True)
        assert "ALLOW_TARGETS_WITHOUT_STOP" in refused.value.hint
        assert resting(desk) == [("stop-loss", "0.0004")]

    at_the_desk(tmp_path, story)


def test_managed_again_the_stop_holds_all_of_it(tmp_path: Path) -> None:
    """Targets go first, then the stop grows."""

    async def story(desk: Desk) -> None:
        await protected(desk)
        await repair(desk, "split", execute=True)
        await repair(desk, "managed", execute=True)
        assert resting(desk) == [("stop-loss", "0.0004")]

    at_the_desk(tmp_path, story, policy=ALLOWED)


def test_where_a_loop_runs_it_is_told_and_not_overtaken(tmp_path: Path) -> None:
    """Two that fit the same orders would be in each other's way: the tool sets the levels alone."""

    async def story(desk: Desk) -> None:
        await protected(desk)
        await a_loop_begins(desk)
        desk.venue.calls.clear()
        code, text = await repair(desk, "resting", execute=True)
        assert code == 0
        assert "the running loop brings the venue in line" in text
        assert desk.venue.writes == []
        (level,) = await desk.read(lambda tx: tx.targets())
        assert level.mode is TargetMode.RESTING

    at_the_desk(tmp_path, story, policy=ALLOWED)


def test_defect_19_what_targets_cannot_mend_is_no_success(tmp_path: Path) -> None:
    """Defect 19: to have nothing to do about a finding is exit 3, and says what to do."""

    async def story(desk: Desk) -> None:
        await desk.do(place(make_request(limit_price=d("60000.1"))))
        code, text = await repair(desk, execute=True)
        assert code == 3
        assert "zoe recover-sl" in text

        context, invocation, _ = command_io(desk, "recover-sl")
        await _recover(context, invocation, execute=True)
        code, text = await repair(desk, execute=True)
        assert code == 3
        assert "no loop runs" in text

        context, invocation, out = command_io(desk, "repair-tp", json=True)
        assert await _repair(context, invocation, execute=True) == 3
        assert json.loads(out.getvalue())["exit_code"] == 3

    at_the_desk(tmp_path, story, policy=ALLOWED)


def test_a_flat_account_has_nothing_to_do(tmp_path: Path) -> None:
    """Exit 0, and nothing is sent."""

    async def story(desk: Desk) -> None:
        assert (await repair(desk, execute=True))[0] == 0
        assert desk.venue.writes == []

    at_the_desk(tmp_path, story)


def test_a_live_account_needs_consent(tmp_path: Path) -> None:
    """Nobody said yes."""

    async def story(desk: Desk) -> None:
        await desk.do(place(make_request(limit_price=d("60000.1"))), live_consent=True)
        context, invocation, _ = command_io(desk, "recover-sl", live_consent=True)
        await _recover(context, invocation, execute=True)
        desk.venue.calls.clear()
        with pytest.raises(ConsentMissing):
            await repair(desk, "split", execute=True)
        assert desk.venue.writes == []

    at_the_desk(tmp_path, story, account=LIVE, policy=ALLOWED)


def test_a_mode_that_is_none_is_refused(tmp_path: Path) -> None:
    """Exit 2, before anything is read."""

    async def story(desk: Desk) -> None:
        context, _, _ = command_io(desk, "repair-tp")
        with pytest.raises(ConfigError, match="no such mode"):
            planner(context, (("mode", "both"),))

    at_the_desk(tmp_path, story)
