"""Steps that change only the books: what a rule of the registry forbids is left out and said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from builders import ETH, NOON, d, make_fill, make_order, make_position, make_venue_order
from fakes import Desk, at_the_desk
from zoe_tools.domain.identifiers import PositionId
from zoe_tools.domain.order import OrderType, Side
from zoe_tools.domain.plan import (
    AdjustPosition,
    AdoptPosition,
    LinkStop,
    OutcomeState,
    RecordFill,
)
from zoe_tools.domain.position import PositionStatus

IN_ERROR = make_position(
    status=PositionStatus.ERROR,
    quantity=d("0"),
    entry_quantity=d("0"),
    closed_at=NOON,
    exit_reason="corrupted",
)


def test_a_row_in_error_is_neither_adopted_nor_adjusted_and_the_other_steps_are_done(
    tmp_path: Path,
) -> None:
    """A plan that names it takes nothing else down with it."""
    eth = make_position(position_id=PositionId("P2"), symbol=ETH)

    async def story(desk: Desk) -> None:
        await desk.read(lambda tx: tx.copy_position(IN_ERROR))
        opened = replace(IN_ERROR, status=PositionStatus.OPEN, closed_at=None)
        receipt = await desk.do(
            AdoptPosition(position=make_position(), reason="test"),
            AdjustPosition(before=IN_ERROR, after=opened, reason="test"),
            AdoptPosition(position=eth, reason="test"),
        )
        adopted, adjusted, other = receipt.outcomes
        assert (adopted.state, adopted.code) == (OutcomeState.SKIPPED, "PRECONDITION")
        assert "its row is in error: adopt what it held by name" in adopted.evidence
        assert (adjusted.state, adjusted.code) == (OutcomeState.SKIPPED, "PRECONDITION")
        assert "error cannot become open" in adjusted.evidence
        assert other.state is OutcomeState.DONE
        assert await desk.read(lambda tx: tx.position(PositionId("P1"))) == IN_ERROR
        assert await desk.read(lambda tx: tx.given_up()) == {PositionId("P1")}

    at_the_desk(tmp_path, story)


def test_a_stop_that_is_linked_to_its_coins_new_position_sells_what_that_manages(
    tmp_path: Path,
) -> None:
    """Its execution is booked there: a row in error takes none."""
    own = make_order(
        side=Side.SELL,
        order_type=OrderType.STOP_LOSS,
        purpose="stop",
        trigger_price=d("58800"),
        position_id=IN_ERROR.position_id,
    )
    rests = make_venue_order(
        side=Side.SELL,
        order_type=OrderType.STOP_LOSS,
        limit_price=None,
        trigger_price=d("58800"),
    )
    again = make_position(position_id=PositionId("P2"), origin="adopted")
    sold = make_fill(side=Side.SELL, quantity=d("0.0004"), price=d("58790"), fee=d("0"))

    async def story(desk: Desk) -> None:
        await desk.read(lambda tx: tx.copy_position(IN_ERROR))
        await desk.read(lambda tx: tx.record_order(own))
        await desk.do(
            AdoptPosition(position=again, reason="test"),
            LinkStop(position_id=again.position_id, order=rests, reason="test"),
            RecordFill(fill=sold, reason="test"),
        )
        after = await desk.read(lambda tx: tx.position(again.position_id))
        assert after is not None
        assert (after.status, after.exit_reason) == (PositionStatus.CLOSED, "stop_loss")

    at_the_desk(tmp_path, story)
