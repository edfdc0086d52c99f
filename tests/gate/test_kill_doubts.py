"""A kill over a list that lacks what rests or has filled: looked up by name, proved, or named."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from builders import d, make_request, make_stop_request, place
from fakes import Desk, at_the_desk
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import ClientOrderId, FillId, VenueOrderId
from zoe_tools.domain.order import OrderStatus, OrderType, Side, VenueOrder
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.domain.trading_state import KillLevel
from zoe_tools.errors import VenueUnavailable
from zoe_tools.gate.stopping import Stopped, Stopper, needs_of

NAME = VenueOrderId("O00001")
ENTRY = place(make_request(limit_price=d("59000.0")))


async def stopped(desk: Desk, level: KillLevel, said: list[str]) -> Stopped:
    """`zoe kill --execute`."""

    async def look() -> Snapshot:
        return await desk.look(needs=needs_of(level))

    stopper = Stopper(
        gate=desk.gate(command="kill"),
        store=desk.store,
        clock=desk.clock,
        account=desk.account,
        policy=desk.policy,
        look=look,
        tell=said.append,
    )
    return await stopper.stop(level, "drill")


def lists_nothing_once(desk: Desk) -> None:
    """One answer of the list is empty; the next one tells."""

    async def once(_: ClientOrderId | None = None) -> tuple[VenueOrder, ...]:
        desk.venue.__dict__.pop("open_orders")
        return ()

    desk.venue.__dict__["open_orders"] = once


def lists_nothing(desk: Desk) -> None:
    """The list stays empty; by its name the order is shown."""
    desk.venue.lists_nothing = True


def shows_nothing_yet(desk: Desk) -> None:
    """The order is younger than what the venue shows."""
    desk.venue.blind_s = 3.0


BLIND: list[Callable[[Desk], None]] = [lists_nothing_once, lists_nothing, shows_nothing_yet]


@pytest.mark.parametrize("blinded", BLIND)
@pytest.mark.parametrize("level", [KillLevel.CANCEL_OPEN, KillLevel.FLATTEN])
def test_an_entry_that_the_list_lacks_is_found_by_its_name_and_cancelled(
    tmp_path: Path, blinded: Callable[[Desk], None], level: KillLevel
) -> None:
    """Before anything is proved, and as soon as anything shows it."""

    async def story(desk: Desk) -> None:
        await desk.do(ENTRY)
        blinded(desk)
        said: list[str] = []
        began = desk.clock.now()
        done = await stopped(desk, level, said)

        assert not desk.venue.resting
        assert done.receipt.is_verified is True
        assert said[-1].startswith("Proved at the venue")
        assert desk.clock.now() - began < timedelta(seconds=10)

    at_the_desk(tmp_path, story)


def test_an_entry_confirmed_while_it_is_waited_for_must_be_seen_too(tmp_path: Path) -> None:
    """It was on its way at the latch; the look after its confirmation does not show it yet."""

    async def story(desk: Desk) -> None:
        async def wait() -> None:
            await desk.clock.sleep(2)

        desk.venue.before_place = wait
        sending = asyncio.ensure_future(desk.do(ENTRY))
        await desk.clock.sleep(1)
        desk.venue.blind_s = 3.0
        done = await stopped(desk, KillLevel.CANCEL_OPEN, [])
        await sending

        assert done.receipt.is_verified is True
        assert desk.venue.book_of_orders[NAME].status is OrderStatus.CANCELED

    at_the_desk(tmp_path, story)


def test_what_filled_while_no_loop_ran_is_booked_and_sold_before_it_is_proved(
    tmp_path: Path,
) -> None:
    """The books call the entry open; nothing is waited for between."""

    async def story(desk: Desk) -> None:
        await desk.do(ENTRY)
        desk.venue.trade(NAME, desk.venue.book_of_orders[NAME].quantity)
        began = desk.clock.now()
        done = await stopped(desk, KillLevel.FLATTEN, [])

        assert done.receipt.is_verified is True
        assert desk.venue.totals["BTC"] == 0
        assert desk.clock.now() == began

    at_the_desk(tmp_path, story)


def test_a_bought_entry_whose_trades_are_never_shown_is_not_told_as_sold(tmp_path: Path) -> None:
    """It ends all the same, and proves nothing."""

    async def story(desk: Desk) -> None:
        await desk.do(ENTRY)
        desk.venue.trade(NAME, desk.venue.book_of_orders[NAME].quantity)

        async def none(**_: object) -> tuple[Fill, ...]:
            return ()

        desk.venue.__dict__["fills"] = none
        said: list[str] = []
        began = desk.clock.now()
        done = await stopped(desk, KillLevel.FLATTEN, said)

        assert (done.receipt.is_verified, done.receipt.exit_code) == (False, 6)
        assert any("cannot be sold yet: the venue shows no trade" in each for each in said)
        assert desk.clock.now() - began < timedelta(seconds=120)

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize("how", ["never shown", "no answer", "hangs"])
def test_an_order_that_the_venue_never_shows_is_named_and_nothing_proved(
    tmp_path: Path, how: str
) -> None:
    """The kill ends; one that begins once the order had to be visible counts its absence."""

    async def story(desk: Desk) -> None:
        await desk.do(ENTRY)
        desk.venue.lists_nothing = True
        if how == "never shown":
            desk.venue.blind_s = 1e6
        elif how == "no answer":
            desk.venue.cue("orders", VenueUnavailable("down"), times=500)
        else:

            async def hang(_: object) -> tuple[VenueOrder, ...]:
                await desk.clock.sleep(1e6)
                return ()

            desk.venue.__dict__["orders"] = hang
        said: list[str] = []
        began = desk.clock.now()
        done = await stopped(desk, KillLevel.CANCEL_OPEN, said)

        assert (done.receipt.is_verified, done.receipt.exit_code) == (False, 6)
        assert any(each.startswith(f"Not proved: BTC/USD: order {NAME} to buy") for each in said)
        assert not any("Proved at the venue" in each for each in said)
        assert desk.clock.now() - began < timedelta(seconds=300)
        if how == "never shown":
            again = await stopped(desk, KillLevel.CANCEL_OPEN, [])
            assert again.receipt.is_verified is True

    at_the_desk(tmp_path, story)


def test_what_can_be_cancelled_does_not_wait_for_the_word_about_what_is_lacking(
    tmp_path: Path,
) -> None:
    """Another buy is listed: it is gone before anything is asked by name."""

    async def story(desk: Desk) -> None:
        await desk.do(ENTRY)
        desk.venue.end(NAME, OrderStatus.EXPIRED)
        foreign = replace(
            desk.venue.book_of_orders[NAME],
            venue_order_id=VenueOrderId("O-manual"),
            client_order_id=None,
            status=OrderStatus.OPEN,
            closed_at=None,
        )
        desk.venue.insert(foreign)
        desk.venue.calls.clear()
        done = await stopped(desk, KillLevel.CANCEL_OPEN, [])

        assert done.receipt.is_verified is True
        names = [call for call, _ in desk.venue.calls]
        assert names.index("cancel") < names.index("orders")

    at_the_desk(tmp_path, story)


def test_what_cannot_be_sold_yet_keeps_a_stop_of_its_size(tmp_path: Path) -> None:
    """The booked part is sold; the rest is covered while the kill waits, and when it gives up."""

    async def story(desk: Desk) -> None:
        market = {"order_type": OrderType.MARKET, "limit_price": None}
        await desk.do(place(make_request(quantity=d("0.0004"), **market)))
        (held,) = (await desk.look()).positions
        stop = make_stop_request(quantity=d("0.0004"))
        await desk.do(place(stop, position_id=held.position_id))
        (stop_id,) = [each.venue_order_id for each in desk.venue.resting]
        await desk.do(place(make_request(quantity=d("0.0002"), limit_price=d("59000.0"))))
        (entry,) = [each for each in desk.venue.resting if each.side is Side.BUY]
        late = desk.venue.trade(entry.venue_order_id, entry.quantity)
        grown = replace(desk.venue.book_of_orders[stop_id], quantity=d("0.0006"))
        desk.venue.book_of_orders[stop_id] = grown
        desk.venue.executions.remove(late)
        first = await stopped(desk, KillLevel.FLATTEN, [])

        assert (first.receipt.is_verified, first.receipt.exit_code) == (False, 6)
        assert desk.venue.totals["BTC"] == d("0.0002")
        assert [(each.venue_order_id, each.quantity) for each in desk.venue.resting] == [
            (stop_id, d("0.0002"))
        ]
        assert "cancel" not in [call for call, _ in desk.venue.writes]

        desk.venue.executions.append(replace(late, fill_id=FillId("T-late")))
        second = await stopped(desk, KillLevel.FLATTEN, [])

        assert second.receipt.is_verified is True
        assert desk.venue.totals["BTC"] == 0
        assert not desk.venue.resting

    at_the_desk(tmp_path, story)
