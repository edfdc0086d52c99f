"""`zoe recover-sl` over a venue in memory: dry, executed, executed again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text as sql

from builders import LIVE, d, make_request, place
from fakes import Desk, at_the_desk, command_io
from zoe_tools.commands.check_tp_coverage import _check
from zoe_tools.commands.recover_sl import _recover
from zoe_tools.commands.repair_tp import _repair
from zoe_tools.commands.sync_positions import _sync
from zoe_tools.domain.observation import COUNTDOWN
from zoe_tools.domain.order import OrderStatus, OrderType, Side
from zoe_tools.domain.policy import Policy
from zoe_tools.errors import ConsentMissing, VenueRejected, VenueUnavailable


async def recover(desk: Desk, *, execute: bool) -> tuple[int, str]:
    """Run the command; its exit code and what it printed."""
    context, invocation, out = command_io(desk, "recover-sl")
    code = await _recover(context, invocation, execute=execute)
    return code, out.getvalue()


def test_a_missing_stop_is_planned_then_placed_then_nothing_is_left_to_do(tmp_path: Path) -> None:
    """Dry it changes nothing; executed one stop rests; again there is nothing."""

    async def story(desk: Desk) -> None:
        await desk.do(place(make_request(limit_price=d("60000.1"))))
        before = await desk.read(lambda tx: tx.business_fingerprint())
        desk.venue.calls.clear()
        code, text = await recover(desk, execute=False)
        assert code == 3
        assert "zoe recover-sl --execute" in text
        assert desk.venue.writes == []
        assert await desk.read(lambda tx: tx.business_fingerprint()) == before

        assert (await recover(desk, execute=True))[0] == 0
        (stop,) = desk.venue.resting
        position = await desk.read(lambda tx: tx.positions(open_only=True)[0])
        assert (stop.order_type, stop.side, stop.quantity) == (
            OrderType.STOP_LOSS,
            Side.SELL,
            d("0.0004"),
        )
        assert position.stop_venue_order_id == stop.venue_order_id

        desk.venue.calls.clear()
        assert (await recover(desk, execute=True))[0] == 0
        assert desk.venue.writes == []

    at_the_desk(tmp_path, story)


def test_what_plans_by_open_orders_asks_by_id_for_those_that_the_list_lacks(
    tmp_path: Path,
) -> None:
    """An empty list is no lost stop: nothing is planned, and the coverage is as it was."""

    async def said(desk: Desk) -> list[tuple[int, str]]:
        told = [await recover(desk, execute=False)]
        for command, work in (
            ("sync-positions", _sync),
            ("repair-tp", partial(_repair, arguments=(("mode", "resting"),))),
        ):
            context, invocation, out = command_io(desk, command)
            told.append((await work(context, invocation, execute=False), out.getvalue()))
        context, invocation, out = command_io(desk, "check-tp-coverage")
        told.append((await _check(context, invocation.printer()), out.getvalue()))
        return told

    async def story(desk: Desk) -> None:
        await desk.do(place(make_request(limit_price=d("60000.1"))))
        await recover(desk, execute=True)
        before = await said(desk)
        desk.venue.lists_nothing = True
        desk.venue.calls.clear()
        assert await said(desk) == before
        assert "orders" in {name for name, _ in desk.venue.calls}
        assert await recover(desk, execute=True) == before[0]
        assert desk.venue.writes == []

        desk.venue.cue("orders", VenueUnavailable("The venue cannot be reached."))
        with pytest.raises(VenueUnavailable, match="without the open orders"):
            await recover(desk, execute=False)

    at_the_desk(tmp_path, story, policy=Policy(allow_targets_without_stop=True))


def test_a_stop_that_was_cancelled_behind_our_back_is_placed_again(tmp_path: Path) -> None:
    """What the venue shows counts, not what was once linked."""

    async def story(desk: Desk) -> None:
        await desk.do(place(make_request(limit_price=d("60000.1"))))
        await recover(desk, execute=True)
        gone = desk.venue.resting[0]
        desk.venue.end(gone.venue_order_id, OrderStatus.CANCELED, "User requested")
        await desk.clock.sleep(10)

        code, text = await recover(desk, execute=True)
        assert code == 0, text
        (stop,) = desk.venue.resting
        assert stop.venue_order_id != gone.venue_order_id

    at_the_desk(tmp_path, story)


def test_a_stop_that_fired_unheard_is_not_placed_again_by_a_dry_run(tmp_path: Path) -> None:
    """It says what --execute does: the sale is booked first, and nothing is left to stop."""

    async def story(desk: Desk) -> None:
        await desk.do(place(make_request(limit_price=d("60000.1"))))
        await recover(desk, execute=True)
        (stop,) = desk.venue.resting
        desk.venue.trade(stop.venue_order_id, stop.quantity)
        await desk.clock.sleep(10)
        desk.venue.calls.clear()

        code, text = await recover(desk, execute=False)
        assert code == 0, text
        assert "the venue shows sell 0.0004 BTC, the books do not" in " ".join(text.split())
        assert (await recover(desk, execute=True))[0] == 0
        assert desk.venue.writes == []

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize("is_cut", [False, True])
def test_a_stop_of_another_type_is_replaced_once_its_cancel_is_proved(
    tmp_path: Path,
    is_cut: bool,  # noqa: FBT001 - a table
) -> None:
    """Cancel, then place; cut in two between them, the next run places what is missing, once."""

    async def story(desk: Desk) -> None:
        await desk.do(place(make_request(limit_price=d("60000.1"))))
        await recover(desk, execute=True)
        (old,) = desk.venue.resting
        other = replace(old, order_type=OrderType.STOP_LOSS_LIMIT, limit_price=d("58000"))
        desk.venue.insert(other)
        desk.venue.calls.clear()
        if is_cut:
            for _ in ("the new one", "the old one"):
                desk.venue.cue("place", VenueRejected("no", code="EOrder:Invalid price"))
            assert (await recover(desk, execute=True))[0] == 5
            assert desk.venue.resting == []
            await desk.clock.sleep(10)

        code, text = await recover(desk, execute=True)
        assert code == 0, text
        (stop,) = desk.venue.resting
        assert (stop.order_type, stop.trigger_price) == (OrderType.STOP_LOSS, old.trigger_price)
        writes = [method for method, _ in desk.venue.writes]
        assert writes == ["cancel", "place", *(["place", "place"] if is_cut else [])]
        assert (await recover(desk, execute=True))[0] == 0

    at_the_desk(tmp_path, story)


def test_a_stop_whose_successor_is_refused_rests_again_as_it_was(tmp_path: Path) -> None:
    """At once, in the same run: exit 5 says what was refused, and the position is not naked."""

    async def story(desk: Desk) -> None:
        await desk.do(place(make_request(limit_price=d("60000.1"))))
        await recover(desk, execute=True)
        (old,) = desk.venue.resting
        other = replace(old, order_type=OrderType.STOP_LOSS_LIMIT, limit_price=d("58000"))
        desk.venue.insert(other)
        desk.venue.cue("place", VenueRejected("no", code="EOrder:Invalid price"))
        code, _ = await recover(desk, execute=True)

        assert code == 5
        (stop,) = desk.venue.resting
        assert stop.venue_order_id != old.venue_order_id
        for name in ("order_type", "quantity", "trigger_price", "limit_price", "side"):
            assert getattr(stop, name) == getattr(other, name)
        position = await desk.read(lambda tx: tx.positions(open_only=True)[0])
        assert position.stop_venue_order_id == stop.venue_order_id

    at_the_desk(tmp_path, story)


def test_vector_8_a_row_that_calls_a_long_position_short_turns_no_stop_around(
    tmp_path: Path,
) -> None:
    """Its story says what was bought: the stop that is placed sells, and never buys more."""

    async def story(desk: Desk) -> None:
        await desk.do(place(make_request(limit_price=d("60000.1"))))
        await desk.read(
            lambda tx: tx._connection.execute(sql("UPDATE crypto_positions SET side = 'sell'"))
        )
        code, text = await recover(desk, execute=True)
        assert code == 0, text
        (stop,) = desk.venue.resting
        assert (stop.side, stop.order_type) == (Side.SELL, OrderType.STOP_LOSS)
        assert (await recover(desk, execute=True))[0] == 0

    at_the_desk(tmp_path, story)


def test_a_position_whose_row_is_gone_is_no_reason_to_say_nothing_to_do(tmp_path: Path) -> None:
    """Exit 3, with the line that brings it back."""

    async def story(desk: Desk) -> None:
        await desk.do(place(make_request(limit_price=d("60000.1"))))
        await desk.read(lambda tx: tx._connection.execute(sql("DELETE FROM crypto_positions")))
        code, text = await recover(desk, execute=False)
        assert code == 3
        assert "zoe reconcile --execute" in " ".join(text.split())

        context, invocation, out = command_io(desk, "recover-sl", json=True)
        assert await _recover(context, invocation, execute=False) == 3
        assert json.loads(out.getvalue())["exit_code"] == 3

    at_the_desk(tmp_path, story)


def test_a_flat_account_has_nothing_to_do(tmp_path: Path) -> None:
    """Exit 0, and nothing is sent."""

    async def story(desk: Desk) -> None:
        assert (await recover(desk, execute=True))[0] == 0
        assert desk.venue.writes == []

    at_the_desk(tmp_path, story)


def test_a_live_account_needs_consent(tmp_path: Path) -> None:
    """Even for a stop: nobody said yes."""

    async def story(desk: Desk) -> None:
        await desk.do(place(make_request(limit_price=d("60000.1"))), live_consent=True)
        desk.venue.calls.clear()
        with pytest.raises(ConsentMissing):
            await recover(desk, execute=True)
        assert desk.venue.writes == []

    at_the_desk(tmp_path, story, account=LIVE)


def test_a_countdown_that_a_dead_loop_left_armed_is_told_while_it_may_go_off(
    tmp_path: Path,
) -> None:
    """A stop that is placed before goes with it; later there is nothing to wait for."""

    async def story(desk: Desk) -> None:
        now = desk.clock.now()
        await desk.read(lambda tx: tx.beat(COUNTDOWN, "warning", now, {"seconds": 60}))
        await desk.read(lambda tx: tx.acquire_lease("gone", "h", 1, now, 1.0, ""))
        await desk.clock.sleep(30)
        _, text = await recover(desk, execute=True)
        until = now + timedelta(seconds=65)
        assert f"until {until:%H:%M:%SZ} it may cancel all orders, stops too." in text

        await desk.clock.sleep(40)
        _, text = await recover(desk, execute=True)
        assert "countdown" not in text

    at_the_desk(tmp_path, story)


def test_a_countdown_that_a_loop_keeps_is_no_news(tmp_path: Path) -> None:
    """It sets it anew itself, and disarms it."""

    async def story(desk: Desk) -> None:
        now = desk.clock.now()
        await desk.read(lambda tx: tx.beat(COUNTDOWN, "warning", now, {"seconds": 60}))
        await desk.read(lambda tx: tx.acquire_lease("here", "h", 1, now, 600.0, ""))
        _, text = await recover(desk, execute=True)
        assert "countdown" not in text

    at_the_desk(tmp_path, story)
