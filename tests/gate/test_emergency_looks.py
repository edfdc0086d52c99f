"""A kill without a store: one empty list of open orders is no evidence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from builders import d, make_request, place
from fakes import Desk, at_the_desk
from zoe_tools.domain.identifiers import VenueOrderId
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.trading_state import KillLevel
from zoe_tools.errors import VenueUnavailable
from zoe_tools.gate.emergency import EmergencyKill, EmergencyResult
from zoe_tools.gate.emergency_journal import EmergencyJournal
from zoe_tools.gate.journal import Author
from zoe_tools.gate.progress import HANGING_S
from zoe_tools.store.emergency_file import EmergencyFile

NAME = VenueOrderId("O00001")
ENTRY = place(make_request(limit_price=d("59000.0")))
LAG_S = 65.0
"""The deadline of an order, and what the venue may need to show it."""


async def killed(desk: Desk) -> tuple[EmergencyResult, EmergencyResult]:
    """As it is seen at first, and in the end."""

    def kill() -> EmergencyKill:
        return EmergencyKill(
            venue=desk.venue,
            clock=desk.clock,
            author=Author(account=desk.account, command="kill", operator="o", host="h"),
            policy=desk.policy,
            journal=EmergencyJournal(EmergencyFile(desk.home), desk.account),
        )

    first = await kill().carry_out(KillLevel.REDUCE_ONLY, "drill")
    return first, await kill().look_again(first, "drill")


@pytest.mark.parametrize("blind_s", [0.5, 3.0, 30.0, 64.0])
def test_an_entry_that_is_shown_late_is_cancelled_all_the_same(
    tmp_path: Path, blind_s: float
) -> None:
    """Nothing is seen at first; it is not told that nothing is open before it had to be shown."""

    async def story(desk: Desk) -> None:
        await desk.do(ENTRY)
        desk.venue.blind_s = blind_s
        began = desk.clock.now()
        first, last = await killed(desk)

        assert (first.cancelled, first.still_open) == ((), ())
        assert [each.venue_order_id for each in last.cancelled] == [NAME]
        assert (last.still_open, last.is_journaled) == ((), True)
        assert desk.venue.book_of_orders[NAME].status is OrderStatus.CANCELED
        took = (desk.clock.now() - began).total_seconds()
        assert LAG_S <= took < LAG_S + 5
        assert last.shown_by == began + timedelta(seconds=LAG_S)

    at_the_desk(tmp_path, story)


def goes_away(desk: Desk) -> None:
    """It answers no more."""
    desk.venue.cue("open_orders", VenueUnavailable("down"), times=500)


def hangs(desk: Desk) -> None:
    """It takes each question, and answers none."""

    async def hang(*_: object) -> tuple[()]:
        await desk.clock.sleep(1e6)
        return ()

    desk.venue.__dict__["open_orders"] = hang


@pytest.mark.parametrize("fails", [goes_away, hangs])
def test_a_venue_that_is_silent_then_leaves_it_unproved(
    tmp_path: Path, fails: Callable[[Desk], None]
) -> None:
    """It was empty once, and that is all that is known; it ends."""

    async def story(desk: Desk) -> None:
        async def once(*_: object) -> tuple[object, ...]:
            desk.venue.__dict__.pop("open_orders")
            fails(desk)
            return ()

        desk.venue.__dict__["open_orders"] = once
        began = desk.clock.now()
        first, last = await killed(desk)

        assert (first.still_open, last.still_open) == ((), None)
        assert (desk.clock.now() - began).total_seconds() <= HANGING_S + 5

    at_the_desk(tmp_path, story)
