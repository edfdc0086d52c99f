"""A loop audits the registry before it does anything, and takes no risk on one that is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from builders import ETH, NOON, d, make_position
from loop_rig import LoopRig, with_rig
from zoe_tools.domain.identifiers import PositionId
from zoe_tools.domain.position import Position, PositionStatus

Story = Callable[[LoopRig], Awaitable[None]]


def run_over(tmp_path: Path, *stored: Position, then: Story) -> LoopRig:
    """A loop that starts over these rows of the registry."""

    async def story(rig: LoopRig) -> LoopRig:
        for each in stored:
            await rig.read(lambda tx, each=each: tx.copy_position(each))  # type: ignore[misc]
        rig.come_up()
        rig.quote()
        running = asyncio.create_task(rig.supervised())
        await rig.pass_time(1)
        await then(rig)
        rig.stop.set()
        await running
        return rig

    return with_rig(tmp_path, story)


def test_nothing_is_entered_on_a_registry_that_contradicts_itself(tmp_path: Path) -> None:
    """What no rule can decide is left to people, and told; the loop goes on protecting."""
    wrong = make_position(symbol=ETH, status=PositionStatus.CLOSED, closed_at=NOON)

    async def then(rig: LoopRig) -> None:
        await rig.enter()
        await rig.pass_time(2)
        assert rig.writes == []

    rig = run_over(tmp_path, wrong, then=then)
    assert any(
        "contradicts itself, no entries: remaining_qty" in note for _, note in rig.narrator.notes
    )


def test_two_rows_of_one_instrument_are_brought_to_rest_before_the_first_turn(
    tmp_path: Path,
) -> None:
    """One stays; trading goes on, and the story tells of the other."""
    empty = {"symbol": ETH, "status": PositionStatus.PENDING, "quantity": d("0")}
    second = make_position(position_id=PositionId("P2"), **empty)

    async def then(rig: LoopRig) -> None:
        await rig.enter()
        await rig.pass_time(2)
        assert rig.writes == ["place", "place"]
        found = await rig.read(lambda tx: tx.position(PositionId("P1")))
        assert found is not None
        assert (found.status, found.exit_reason) == (PositionStatus.ORPHANED, "merge_collision")

    run_over(tmp_path, make_position(**empty), second, then=then)
