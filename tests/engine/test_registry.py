"""A loop audits the registry before it does anything, and takes no risk on one that is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builders import ETH, NOON, d, make_order, make_position, make_venue_order
from loop_rig import LoopRig, with_rig
from zoe_tools.domain.cadence import Cadence
from zoe_tools.domain.identifiers import PositionId
from zoe_tools.domain.order import OrderType, Side
from zoe_tools.domain.position import Position, PositionStatus, RawPosition
from zoe_tools.store.registry import Registry

Story = Callable[[LoopRig], Awaitable[None]]


async def nothing_more(rig: LoopRig) -> None:
    """The rows of the registry are all there is."""
    del rig


def run_over(
    tmp_path: Path, *stored: Position, then: Story, before: Story = nothing_more
) -> LoopRig:
    """A loop that starts over these rows of the registry, and what happened `before`."""

    async def story(rig: LoopRig) -> LoopRig:
        await before(rig)
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


def test_rows_that_are_over_are_audited_in_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the history, no read of it keeps the loop's only writer; none is left out."""
    monkeypatch.setattr("zoe_tools.engine.registry.ROWS_AT_ONCE", 2)
    asked: list[int] = []
    over = [
        make_position(
            position_id=PositionId(f"P{number}"),
            status=PositionStatus.CLOSED,
            quantity=d("0"),
            entry_quantity=d("1"),
            exit_quantity=d("1"),
            closed_at=NOON,
        )
        for number in range(5)
    ]

    async def then(rig: LoopRig) -> None:
        wrong = replace(over[4], quantity=d("0.5"), exit_quantity=d("0.5"))
        await rig.read(lambda tx: tx.copy_position(wrong))
        of_book = Registry.raw_positions

        def counted(book: Registry, **how: Any) -> tuple[RawPosition, ...]:
            found = of_book(book, **how)
            asked.append(len(found))
            return found

        monkeypatch.setattr(Registry, "raw_positions", counted)
        await rig.pass_time(Cadence().instruments_s + 1)
        assert rig.loop is not None
        assert not rig.loop.books.is_sound

    run_over(tmp_path, *over, then=then)
    assert asked == [2, 2, 1, 0, 0]


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


async def a_stop_rests(rig: LoopRig) -> None:
    """The coins of P1 and its stop are at the venue."""
    stop = make_venue_order(
        side=Side.SELL,
        order_type=OrderType.STOP_LOSS,
        limit_price=None,
        trigger_price=d("58800.0"),
    )
    rig.venue.totals["BTC"] = d("0.0004")
    rig.venue.insert(stop)
    record = make_order(
        venue_order_id=stop.venue_order_id,
        client_order_id=stop.client_order_id,
        side=Side.SELL,
        order_type=OrderType.STOP_LOSS,
        purpose="stop",
        limit_price=None,
        trigger_price=d("58800.0"),
        position_id=PositionId("P1"),
    )
    await rig.read(lambda tx: tx.record_order(record))


def test_a_repair_of_the_registry_strips_no_stop(tmp_path: Path) -> None:
    """What a row in error held is still there: until people have looked, its stop rests."""
    wrong = make_position(exit_quantity=d("9"), entry_quantity=d("0.0004"))

    async def then(rig: LoopRig) -> None:
        await rig.pass_time(5)
        found = await rig.read(lambda tx: tx.position(PositionId("P1")))
        assert found is not None
        assert found.status is PositionStatus.ERROR
        assert [each.quantity for each in rig.resting(Side.SELL)] == [d("0.0004")]
        assert rig.writes == []

    rig = run_over(tmp_path, wrong, then=then, before=a_stop_rests)
    assert any("stays, its position P1 was given up" in note for _, note in rig.narrator.notes)
