"""`zoe kill` over a venue in memory: latched first, proved afterwards, bought coins untouched."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

from builders import (
    BTC,
    ETH,
    LIVE,
    d,
    make_candle,
    make_intent,
    make_position,
    make_request,
    make_stop_request,
    place,
)
from command_line import zoe as command_line
from fakes import Desk, at_the_desk, command_io
from zoe_tools.cli import main
from zoe_tools.commands.kill import _kill, _level
from zoe_tools.commands.kill_blindly import _cancel_blindly
from zoe_tools.commands.kill_status import _status
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import PositionId, Symbol, VenueOrderId
from zoe_tools.domain.instrument import InstrumentCatalogue
from zoe_tools.domain.journal import IntentKind, IntentState
from zoe_tools.domain.market import VenueMode
from zoe_tools.domain.order import OrderStatus, OrderType, VenueOrder
from zoe_tools.domain.plan import AdoptPosition
from zoe_tools.domain.trading_state import KillLevel, TradingState
from zoe_tools.errors import ConfigError, ConsentMissing, UnknownInstrument, VenueUnavailable
from zoe_tools.gate.progress import EVERY_S, HANGING_S, SILENCE_S
from zoe_tools.runtime import rehearsal
from zoe_tools.runtime.gates import open_gate
from zoe_tools.runtime.killing import NAME_S, Order
from zoe_tools.runtime.rehearsal import rehearse_kill
from zoe_tools.store.database import engine_for

HOLDINGS = {"USD": Decimal(1000), "BTC": Decimal("2.5")}
"""Half a bitcoin will be managed, two were bought elsewhere."""


async def set_up(desk: Desk) -> None:
    """A managed half bitcoin with its stop, and a resting entry."""
    position = make_position(quantity=d("0.5"), origin="adopted")
    await desk.do(AdoptPosition(position=position, reason="test"))
    stop = make_stop_request(quantity=d("0.5"))
    await desk.do(place(stop, position_id=PositionId("P1")), live_consent=True)
    await desk.do(place(make_request(limit_price=d("59000.0"))), live_consent=True)
    desk.venue.calls.clear()


async def kill(
    desk: Desk,
    level: KillLevel,
    *,
    execute: bool = True,
    consent: bool = False,
    reason: str = "drill",
) -> tuple[int, str]:
    """Run the command; its exit code and what it printed."""
    context, invocation, out = command_io(desk, "kill", live_consent=consent)
    order = Order(level=level, reason=reason, execute=execute)
    code = await _kill(context, invocation, order)
    return code, out.getvalue()


async def state(desk: Desk) -> TradingState:
    """What is latched."""
    return await desk.read(lambda tx: tx.trading_state())


def test_a_dry_run_stops_nothing_and_says_so(tmp_path: Path) -> None:
    """It ends with the words and with the exact line to run."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        before = await desk.read(lambda tx: tx.business_fingerprint())
        code, text = await kill(desk, KillLevel.CANCEL_OPEN, execute=False)

        assert code == 3
        assert text.splitlines()[-2:] == [
            "NOTHING HAS BEEN STOPPED",
            "To carry it out: zoe kill --level cancel-open --reason drill --execute",
        ]
        assert desk.venue.writes == []
        assert await desk.read(lambda tx: tx.business_fingerprint()) == before

    at_the_desk(tmp_path, story, balances=HOLDINGS)


@pytest.mark.parametrize(
    ("reason", "line"),
    [
        ("fills don't match; rm x", """--reason 'fills don'"'"'t match; rm x' --execute"""),
        ("ordered by the operator", "--level reduce-only --execute"),
    ],
)
def test_the_line_that_stops_keeps_the_reason(tmp_path: Path, reason: str, line: str) -> None:
    """What was typed for the record is in it, as a shell takes it; what was not, is not."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        _, text = await kill(desk, KillLevel.REDUCE_ONLY, execute=False, reason=reason)

        assert text.splitlines()[-1].startswith("To carry it out: zoe kill --level reduce-only ")
        assert text.splitlines()[-1].endswith(line)

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_cancel_open_cancels_the_entry_and_spares_the_stop(tmp_path: Path) -> None:
    """Latched, cancelled by id, proved; a second run has nothing to do."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        code, text = await kill(desk, KillLevel.CANCEL_OPEN)

        assert code == 0
        assert text.endswith("Proved at the venue: no open order can buy any more.\n")
        assert desk.venue.writes == [("cancel", "O00002")]
        assert [each.order_type for each in desk.venue.resting] == [OrderType.STOP_LOSS]
        latched = await state(desk)
        assert (latched.level, latched.reason) == (KillLevel.CANCEL_OPEN, "drill")
        assert latched.changed_by == "tester"

        desk.venue.calls.clear()
        assert (await kill(desk, KillLevel.CANCEL_OPEN))[0] == 0
        assert desk.venue.writes == []
        code, text = await kill(desk, KillLevel.CANCEL_OPEN, execute=False)
        assert code == 0
        assert "Nothing to do." in text
        assert text.endswith("Stopped already: cancel-open is latched.\n")

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_a_lower_level_than_the_one_in_force_is_told_as_what_it_is(tmp_path: Path) -> None:
    """Nothing goes down by a kill: whoever meant it so must read that it did not."""

    async def story(desk: Desk) -> None:
        await kill(desk, KillLevel.REDUCE_ONLY)
        code, text = await kill(desk, KillLevel.PAUSE_ENTRIES)
        assert (code, (await state(desk)).level) == (0, KillLevel.REDUCE_ONLY)
        assert "reduce-only stays in force: a level only rises." in text
        assert "stays in force" not in (await kill(desk, KillLevel.REDUCE_ONLY))[1]
        assert "stays in force" not in (await kill(desk, KillLevel.FLATTEN))[1]

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_what_the_last_round_did_is_proved_by_one_more_look(tmp_path: Path) -> None:
    """A venue that could not be read until then is no reason to leave the result unproved."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        desk.venue.cue("open_orders", VenueUnavailable("down"), times=5)
        code, _ = await kill(desk, KillLevel.CANCEL_OPEN)

        assert (code, desk.venue.writes) == (0, [("cancel", "O00002")])

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_the_level_is_latched_before_the_venue_is_called(tmp_path: Path) -> None:
    """Even if the venue is away for good: then the result is unproved, exit 6."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        desk.venue.cue("open_orders", VenueUnavailable("down"), times=50)
        code, text = await kill(desk, KillLevel.REDUCE_ONLY)

        assert code == 6
        assert "Latched: reduce-only" in text
        assert "could not be proved, the venue does not answer: " in text
        assert (await state(desk)).level is KillLevel.REDUCE_ONLY

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_a_silent_venue_is_given_up_soon(tmp_path: Path) -> None:
    """Each look takes eight seconds to fail; nobody waits for seven of them."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        looks = 0

        async def silent() -> tuple[VenueOrder, ...]:
            nonlocal looks
            looks += 1
            await desk.clock.sleep(8)
            raise VenueUnavailable("No answer.")

        desk.venue.open_orders = silent  # type: ignore[method-assign, assignment]
        began = desk.clock.now()
        code, text = await kill(desk, KillLevel.CANCEL_OPEN)

        assert (code, looks) == (6, 2)
        assert (desk.clock.now() - began).total_seconds() < SILENCE_S + 10
        assert text.index("Latched: cancel-open") < text.index("does not answer")
        assert (await state(desk)).level is KillLevel.CANCEL_OPEN

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def hang(desk: Desk) -> None:
    """From now on the venue takes each question of what is open, and answers none."""

    async def hanging() -> tuple[VenueOrder, ...]:
        await desk.clock.sleep(3_600)
        raise VenueUnavailable("No answer.")

    desk.venue.open_orders = hanging  # type: ignore[method-assign, assignment]


def test_a_venue_that_hangs_is_told_of_every_few_seconds_until_it_is_given_up(
    tmp_path: Path,
) -> None:
    """First that it is latched, and how long it will take at most; exit 6 after that time."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        hang(desk)
        began = desk.clock.now()
        code, text = await kill(desk, KillLevel.CANCEL_OPEN)

        assert (code, (desk.clock.now() - began).total_seconds()) == (6, HANGING_S)
        lines = text.splitlines()
        latched = lines.index("Latched: cancel-open; no loop of this store enters.")
        assert lines[latched + 1] == ("Now the venue: it is given up once it is silent for 60 s.")
        waits = [line for line in lines if line.endswith("; it is given up at 60 s")]
        assert waits[0] == "   5 s  asking the venue what is open; it is given up at 60 s"
        assert len(waits) == HANGING_S / EVERY_S - 1
        assert "the venue does not answer: no answer for 60 s." in text

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_a_venue_that_does_not_tell_its_time_keeps_no_cancel_waiting(tmp_path: Path) -> None:
    """It is told for the deadlines of sales; two seconds, and the entry is cancelled."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        began, cancelled_at, cancel = desk.clock.now(), [], desk.venue.cancel

        async def hanging() -> datetime:
            await desk.clock.sleep(3_600)
            return desk.clock.now()

        async def noted(venue_order_id: VenueOrderId) -> int:
            cancelled_at.append((desk.clock.now() - began).total_seconds())
            return await cancel(venue_order_id)

        desk.venue.server_time = hanging  # type: ignore[method-assign]
        desk.venue.cancel = noted  # type: ignore[method-assign]
        code, _ = await kill(desk, KillLevel.CANCEL_OPEN)

        assert (code, cancelled_at) == (0, [2.0])

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_an_instrument_that_no_book_knows_is_latched_soon_though_the_venue_hangs(
    tmp_path: Path,
) -> None:
    """As it was typed, in zoe's spelling; and the wait is told before it begins."""

    async def story(desk: Desk) -> None:
        async def hanging() -> InstrumentCatalogue:
            await desk.clock.sleep(3_600)
            raise VenueUnavailable("No answer.")

        desk.venue.catalogue = hanging  # type: ignore[method-assign]
        hang(desk)
        context, invocation, out = command_io(desk, "kill")
        order = Order(level=KillLevel.CANCEL_OPEN, reason="", execute=True, instrument="sol-usd")
        began = desk.clock.now()
        code = await _kill(context, invocation, order)

        assert code == 6
        text = out.getvalue()
        assert text.index("Nothing is latched yet.") < text.index("Latched: cancel-open")
        latched = (await state(desk)).of(Symbol("SOL/USD"))
        assert latched.level is KillLevel.CANCEL_OPEN
        assert latched.changed_at is not None
        assert (latched.changed_at - began).total_seconds() == NAME_S

    at_the_desk(tmp_path, story)


def test_a_venue_that_hangs_leaves_one_document_for_a_program(tmp_path: Path) -> None:
    """What is waited for is for eyes."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        hang(desk)
        context, invocation, out = command_io(desk, "kill", json=True)
        order = Order(level=KillLevel.CANCEL_OPEN, reason="drill", execute=True)

        assert await _kill(context, invocation, order) == 6
        (line,) = out.getvalue().splitlines()
        assert json.loads(line)["exit_code"] == 6

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_what_was_sent_before_is_not_looked_up_for_ever(tmp_path: Path) -> None:
    """The history hangs, the list of open orders does not: the entry is cancelled soon."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        lost = make_intent(
            kind=IntentKind.CANCEL,
            state=IntentState.UNKNOWN,
            venue_order_id=VenueOrderId("O77777"),
            deadline=desk.clock.now(),
        )
        await desk.read(lambda tx: tx.record_intent(lost))

        async def hanging(names: Sequence[VenueOrderId]) -> tuple[VenueOrder, ...]:
            del names
            await desk.clock.sleep(3_600)
            return ()

        desk.venue.orders = hanging  # type: ignore[method-assign, assignment]
        began, cancelled_at = desk.clock.now(), []
        cancel = desk.venue.cancel

        async def noted(venue_order_id: VenueOrderId) -> int:
            cancelled_at.append((desk.clock.now() - began).total_seconds())
            return await cancel(venue_order_id)

        desk.venue.cancel = noted  # type: ignore[method-assign]
        await kill(desk, KillLevel.CANCEL_OPEN)

        assert cancelled_at == [SILENCE_S]

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_pausing_entries_asks_nothing_of_the_venue(tmp_path: Path) -> None:
    """One row, and done."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        code, text = await kill(desk, KillLevel.PAUSE_ENTRIES)
        assert (code, "Now the venue" in text) == (0, False)
        assert desk.venue.calls == []

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_flatten_sells_what_is_managed_and_leaves_two_bitcoins_alone(tmp_path: Path) -> None:
    """Stop cancelled, the half sold at market, the rest of the account as it was."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        code, _ = await kill(desk, KillLevel.FLATTEN)

        position = await desk.read(lambda tx: tx.position(PositionId("P1")))
        assert code == 0
        assert desk.venue.resting == []
        assert desk.venue.totals["BTC"] == d("2.0")
        assert position is not None
        assert (position.quantity, position.status.value) == (d("0"), "closed")

    at_the_desk(tmp_path, story, balances=HOLDINGS)


@pytest.mark.parametrize("what", ["status = 'cancelled'", "side = 'long'", "order_type = 'stopp'"])
def test_rows_that_were_changed_by_hand_to_what_is_no_word_keep_nothing_from_being_sold(
    tmp_path: Path, what: str
) -> None:
    """Every order's: what they are follows from their events, their purposes and their prices."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        engine = engine_for(f"sqlite:///{tmp_path / 'zoe.db'}")
        with engine.begin() as connection:
            changed = connection.execute(text(f"UPDATE crypto_orders SET {what}"))  # noqa: S608
            assert changed.rowcount == 2
        engine.dispose()
        code, told = await kill(desk, KillLevel.FLATTEN)

        assert code == 0
        assert "Proved at the venue" in told
        assert desk.venue.totals["BTC"] == d("2.0")
        assert desk.venue.resting == []

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_what_is_too_small_to_be_sold_is_named_at_the_end(tmp_path: Path) -> None:
    """Nothing is to be done about it, and somebody should know of it."""

    async def story(desk: Desk) -> None:
        dust = make_position(quantity=d("0.00001"), origin="adopted")
        await desk.do(AdoptPosition(position=dust, reason="test"))
        code, text = await kill(desk, KillLevel.FLATTEN)

        assert code == 0
        assert text.endswith(
            "Proved at the venue: no open order can buy any more, and of what zoe manages nothing"
            " that can be sold is held.\n"
            "BTC/USD: 0.00001 is below the venue's minimum and cannot be sold.\n"
        )

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_flatten_sells_only_what_the_stop_s_last_fill_left(tmp_path: Path) -> None:
    """The stop fills in part while it is being cancelled: its final fill counts first."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        desk.venue.trade(VenueOrderId("O00001"), d("0.2"), d("58790.0"))
        code, _ = await kill(desk, KillLevel.FLATTEN)

        assert code == 0
        assert desk.venue.totals["BTC"] == d("2.0")
        sales = [fill.quantity for fill in desk.venue.executions]
        assert sales == [d("0.2"), d("0.3")]

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_a_closed_terminal_leaves_no_kill_half_done(tmp_path: Path) -> None:
    """Between the cancel of a stop and the sale the position would stand with nothing."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        cancel = desk.venue.cancel

        async def closing(venue_order_id: VenueOrderId) -> int:
            os.kill(os.getpid(), signal.SIGHUP)
            return await cancel(venue_order_id)

        desk.venue.cancel = closing  # type: ignore[method-assign]
        code, _ = await kill(desk, KillLevel.FLATTEN)
        assert (code, desk.venue.totals["BTC"]) == (0, d("2.0"))

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_what_the_stop_sold_while_nobody_ran_is_not_sold_once_more(tmp_path: Path) -> None:
    """The books still call it open: two bitcoins that are somebody else's would be sold."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        desk.venue.trade(VenueOrderId("O00001"), d("0.5"), d("58790.0"))
        code, _ = await kill(desk, KillLevel.FLATTEN)

        assert code == 0
        assert [fill.quantity for fill in desk.venue.executions] == [d("0.5")]
        assert desk.venue.totals["BTC"] == d("2.0")
        assert await desk.read(lambda tx: tx.positions(open_only=True)) == ()

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_what_an_entry_bought_before_its_cancel_is_sold_too(tmp_path: Path) -> None:
    """One look proves all the cancels; what they had filled is booked before it, and sold."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        desk.venue.trade(VenueOrderId("O00002"), d("0.0002"), d("59000.0"))
        code, text = await kill(desk, KillLevel.FLATTEN)

        assert code == 0
        assert "the venue said yes; the next look proves it" in " ".join(text.split())
        assert desk.venue.totals["BTC"] == d("2.0")
        assert await desk.read(lambda tx: tx.orders(open_only=True)) == ()
        assert await desk.read(lambda tx: tx.positions(open_only=True)) == ()

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_the_fills_of_all_sales_are_booked_by_one_question(tmp_path: Path) -> None:
    """Two positions: the trades are asked for once, after the round, and close both of them."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        desk.venue.totals["ETH"] = d("1")
        position = make_position(position_id=PositionId("P2"), symbol=ETH, quantity=d("1"))
        await desk.do(AdoptPosition(position=position, reason="test"))
        desk.venue.calls.clear()
        code, _ = await kill(desk, KillLevel.FLATTEN)

        assert code == 0
        assert [method for method, _ in desk.venue.calls].count("fills") == 1
        positions = await desk.read(lambda tx: tx.positions())
        ended = [(each.position_id, each.status.value, each.quantity) for each in positions]
        assert sorted(ended) == [("P1", "closed", d("0")), ("P2", "closed", d("0"))]

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_a_cancel_that_changed_nothing_is_seen_by_the_next_look(tmp_path: Path) -> None:
    """The venue says yes and the order stays: cancelled again, until it is gone."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        cancel, lies = desk.venue.cancel, [True, True]

        async def lying(venue_order_id: VenueOrderId) -> int:
            return 1 if lies and lies.pop() else await cancel(venue_order_id)

        desk.venue.cancel = lying  # type: ignore[method-assign]
        code, _ = await kill(desk, KillLevel.CANCEL_OPEN)

        assert (code, desk.venue.writes) == (0, [("cancel", "O00002")])
        assert [each.order_type for each in desk.venue.resting] == [OrderType.STOP_LOSS]

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_flatten_goes_on_after_a_lost_answer_without_selling_twice(tmp_path: Path) -> None:
    """The sale happened, nobody heard: found by its id, and not repeated."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        desk.venue.cue("place", "lost answer")
        code, _ = await kill(desk, KillLevel.FLATTEN)

        assert code == 0
        assert desk.venue.totals["BTC"] == d("2.0")

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_a_sale_that_never_arrived_is_made_again_once_that_is_proved(tmp_path: Path) -> None:
    """Not before its deadline and the venue's lag are over: until then it may still sell."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        desk.venue.cue("place", "lost request")
        began = desk.clock.now()
        code, text = await kill(desk, KillLevel.FLATTEN)

        assert code == 0
        assert [method for method, _ in desk.venue.writes].count("place") == 2
        assert desk.venue.totals["BTC"] == d("2.0")
        assert desk.clock.now() - began >= timedelta(
            seconds=desk.policy.order_deadline_s + desk.policy.visibility_lag_s
        )
        assert "Not so at the venue yet" in text

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_flatten_that_may_or_may_not_have_sold_is_unproved(tmp_path: Path) -> None:
    """What is open is shown, what is over is not: exit 6 after a while, and no second sale."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        desk.venue.cue("place", "lost request")
        desk.venue.cue("closed_orders", VenueUnavailable("down"), times=999)
        code, _ = await kill(desk, KillLevel.FLATTEN)

        assert code == 6
        assert [method for method, _ in desk.venue.writes].count("place") == 1

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_a_buy_that_may_not_be_cancelled_keeps_no_position_from_being_sold(
    tmp_path: Path,
) -> None:
    """Its stop is cancelled by then: the coins would be without any, for the sake of a doubt."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        desk.venue.cue("cancel", "lost request", times=2)
        code, _ = await kill(desk, KillLevel.FLATTEN)

        assert code == 0
        methods = [method for method, _ in desk.venue.writes]
        assert methods == ["cancel", "cancel", "cancel", "place", "cancel"]

    at_the_desk(tmp_path, story, balances=HOLDINGS)


@pytest.mark.parametrize("level", ["pause-entries", "cancel-open", "reduce-only"])
def test_a_stop_stands_at_every_level_below_flatten(level: str, tmp_path: Path) -> None:
    """Before the kill, after it, and after it was escalated to that level."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        for each in (KillLevel.PAUSE_ENTRIES, KillLevel.parse(level)):
            assert (await kill(desk, each))[0] == 0

        stops = [each for each in desk.venue.resting if each.order_type is OrderType.STOP_LOSS]
        assert [(each.quantity, each.venue_order_id) for each in stops] == [(d("0.5"), "O00001")]
        assert ("cancel", "O00001") not in desk.venue.writes

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_an_instrument_of_several_is_stopped_for_itself(tmp_path: Path) -> None:
    """Its entries go, the others stay; the event names it, and its stop is sold with it."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        await desk.do(place(make_request(symbol=ETH, limit_price=d("2900.00"))))
        context, invocation, out = command_io(desk, "kill")
        order = Order(
            level=KillLevel.CANCEL_OPEN, reason="drill", execute=True, instrument="eth/usd"
        )
        assert await _kill(context, invocation, order) == 0

        assert [each.symbol for each in desk.venue.resting] == [BTC, BTC]
        latched = await state(desk)
        assert (latched.may_enter, latched.of(ETH).level) == (True, KillLevel.CANCEL_OPEN)
        assert "no loop of this store enters ETH/USD" in out.getvalue()
        with pytest.raises(UnknownInstrument):
            await _kill(context, invocation, replace(order, instrument="ETH/USB"))

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_an_instrument_that_a_loop_follows_is_latched_before_the_venue_is_called(
    tmp_path: Path,
) -> None:
    """Nothing is held there yet, and the venue tells nothing, its instruments included."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        await desk.read(lambda tx: tx.write_candles([make_candle(symbol=ETH)], "Trades"))
        for call in ("catalogue", "open_orders"):
            desk.venue.cue(call, VenueUnavailable("down"), times=50)
        context, invocation, out = command_io(desk, "kill")
        order = Order(level=KillLevel.CANCEL_OPEN, reason="", execute=True, instrument="eth-usd")

        assert await _kill(context, invocation, order) == 6
        assert "could not be checked" not in out.getvalue()
        assert (await state(desk)).of(ETH).level is KillLevel.CANCEL_OPEN

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_without_a_store_an_instrument_s_buys_go_and_its_level_is_noted(tmp_path: Path) -> None:
    """The next command with a store latches the instrument, and not the account."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        await desk.do(place(make_request(symbol=ETH, limit_price=d("2900.00"))))
        context, invocation, _ = command_io(desk, "kill")
        order = Order(level=KillLevel.FLATTEN, reason="", execute=True, instrument="ETH/USD")
        assert (await _cancel_blindly(context, invocation, order))[0] == 7
        assert [each.symbol for each in desk.venue.resting] == [BTC, BTC]

        gate = open_gate(context, approver=desk.approver, command="reconcile", environ={})
        await gate.recover()
        latched = await state(desk)
        assert (latched.may_enter, latched.of(ETH).level) == (True, KillLevel.REDUCE_ONLY)

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_a_rehearsal_measures_a_flattening_and_touches_nothing_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The real kill on a real exchange of its own; no alarm is raised, no home is made."""
    monkeypatch.setattr(rehearsal, "rehearse_kill", partial(rehearse_kill, positions=2, orders=3))
    ran = command_line("kill --rehearse --json", home=tmp_path / "home")

    told = ran.envelope["result"]
    assert (ran.code, told["is_flat"]) == (0, True)
    assert (told["positions"], told["orders"]) == (2, 3)
    assert told["latched_s"] < told["cancelled_s"] < told["flat_s"]
    starter, *_ = told["tiers"]
    # two stops and two sales proved by one call each, the buys by the looks; all booked by two
    assert (starter["tier"], d(starter["rest_points"])) == ("starter", d("9"))
    assert "KILL_SWITCH_ACTIVATED" not in caplog.text
    assert not (tmp_path / "home" / "zoe.db").exists()


def test_a_rehearsal_that_was_not_flat_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 3: no outcome of anybody's is unknown, and there is nothing to reconcile."""
    monkeypatch.setattr(
        rehearsal,
        "rehearse_kill",
        lambda: replace(rehearse_kill(positions=1, orders=1), is_flat=False, exit_code=6),
    )

    ran = command_line("kill --rehearse --json", home=tmp_path / "home")

    assert (ran.code, ran.envelope["result"]["is_flat"]) == (3, False)


def test_a_rehearsal_is_not_mistaken_for_a_kill() -> None:
    """Whoever means it must not believe that it was done."""
    assert command_line("kill --rehearse --execute").code == 2


def test_live_needs_no_consent_to_cancel_and_consent_to_flatten(tmp_path: Path) -> None:
    """Without it flatten still makes the account reduce-only, sells nothing, and says so."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        with pytest.raises(ConsentMissing, match="nothing was sold") as caught:
            await kill(desk, KillLevel.FLATTEN)
        assert caught.value.hint.endswith("export I_UNDERSTAND_LIVE=1")
        assert (await state(desk)).level is KillLevel.REDUCE_ONLY
        assert [each.order_type for each in desk.venue.resting] == [OrderType.STOP_LOSS]
        assert desk.venue.totals["BTC"] == d("2.5")

        assert (await kill(desk, KillLevel.FLATTEN, consent=True))[0] == 0
        assert desk.venue.totals["BTC"] == d("2.0")

    at_the_desk(tmp_path, story, balances=HOLDINGS, account=LIVE)


def test_vector_10_without_a_store_entries_are_cancelled_all_the_same(tmp_path: Path) -> None:
    """Cancels are always allowed: exit 7, because nothing could be latched."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        context, invocation, out = command_io(desk, "kill")
        code, _ = await _cancel_blindly(
            context, invocation, Order(level=KillLevel.CANCEL_OPEN, reason="", execute=True)
        )

        assert code == 7
        assert "No order that could add risk is open." in out.getvalue()
        told = " ".join(out.getvalue().split())
        assert "when what was sent before has to be shown. What was bought meanwhile," in told
        assert "cannot be known without the store: look there." in told
        assert [each.order_type for each in desk.venue.resting] == [OrderType.STOP_LOSS]
        assert desk.venue.book_of_orders[VenueOrderId("O00002")].status is OrderStatus.CANCELED

    at_the_desk(tmp_path, story, balances=HOLDINGS)


@pytest.mark.parametrize(("level", "told"), [("flatten", 1), ("reduce-only", 0)])
def test_without_a_store_it_is_said_that_nothing_was_sold(
    level: str, told: int, tmp_path: Path
) -> None:
    """Whoever ordered it takes the account for flat otherwise, and the loop for stopped so far."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        context, invocation, out = command_io(desk, "kill")
        order = Order(level=_level(level), reason="", execute=True)
        code, _ = await _cancel_blindly(context, invocation, order)

        assert code == 7
        assert " ".join(out.getvalue().split()).count("Nothing has been sold") == told
        assert [each.order_type for each in desk.venue.resting] == [OrderType.STOP_LOSS]

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_without_a_store_and_a_venue_nothing_is_proved(tmp_path: Path) -> None:
    """Unknown outweighs the missing store."""

    async def story(desk: Desk) -> None:
        desk.venue.cue("open_orders", VenueUnavailable("down"), times=50)
        context, invocation, _ = command_io(desk, "kill")
        code, _ = await _cancel_blindly(
            context, invocation, Order(level=KillLevel.CANCEL_OPEN, reason="", execute=True)
        )

        assert code == 6

    at_the_desk(tmp_path, story)


def test_without_a_store_a_venue_that_hangs_is_given_up_after_one_look(tmp_path: Path) -> None:
    """Told of meanwhile, and at the end with what somebody has to do; it took five looks."""

    async def story(desk: Desk) -> None:
        hang(desk)
        began = desk.clock.now()
        context, invocation, out = command_io(desk, "kill")
        code, _ = await _cancel_blindly(
            context, invocation, Order(level=KillLevel.CANCEL_OPEN, reason="", execute=True)
        )

        assert (code, (desk.clock.now() - began).total_seconds()) == (6, HANGING_S)
        assert "   5 s  asking the venue what is open; it is given up at 60 s" in out.getvalue()
        assert out.getvalue().endswith(
            "The venue does not answer: what rests there may still fill. Cancel it there.\n"
        )

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize(("options", "code"), [("", 7), ("--execute", 6)])
def test_without_a_store_and_without_a_venue_to_ask_it_says_that_nothing_is_stopped(
    tmp_path: Path, options: str, code: int
) -> None:
    """And what is left to do; no line to carry it out, as that would do nothing either."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "zoe.db").write_text("no database")
    ran = command_line(f"kill {options}", home=home)

    assert ran.code == code
    assert ran.out.splitlines() == ["NOTHING HAS BEEN STOPPED"]
    assert "no venue was asked" in ran.err
    assert "a loop that runs goes on. End it, cancel at the venue" in ran.err
    told = command_line(f"kill --json {options}", home=home).envelope
    assert (told["exit_code"], told["result"]) == (code, {"accounts": []})
    assert any("No level is latched" in each for each in told["warnings"])


def test_defect_12_status_shows_level_reason_and_since(tmp_path: Path) -> None:
    """Read from the store alone."""

    async def story(desk: Desk) -> None:
        await kill(desk, KillLevel.PAUSE_ENTRIES)
        desk.venue.calls.clear()
        context, invocation, out = command_io(desk, "kill status")
        assert await _status(context, invocation) == 0

        text = out.getvalue()
        assert "pause-entries" in text
        assert "drill" in text
        assert "2026-01-05 12:00:00Z" in text
        assert desk.venue.calls == []

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize("label", ["", "none", "stop"])
def test_an_unknown_level_is_a_usage_error_that_lists_them(label: str) -> None:
    """`none` is no way down."""
    with pytest.raises(ConfigError) as caught:
        _level(label)

    assert caught.value.hint == "One of: pause-entries, cancel-open, reduce-only, flatten."


@pytest.mark.parametrize("words", ["kill --level flatten --execute", "resume --execute"])
@pytest.mark.parametrize("name", ["", " "])
def test_an_instrument_without_a_name_is_not_the_whole_account(
    words: str, name: str, tmp_path: Path
) -> None:
    """`--instrument "$SYMBOL"`, and the variable is not set: all would be sold, or re-armed."""
    out, err = io.StringIO(), io.StringIO()
    line = [*words.split(), "--instrument", name]
    code = main(line, {"ZOE_HOME": str(tmp_path)}, out=out, err=err)

    assert (code, "--instrument names none" in err.getvalue()) == (2, True)


def test_without_the_list_of_open_orders_known_buys_are_cancelled_all_the_same(
    tmp_path: Path,
) -> None:
    """The endpoint is down for good: cancelled by the books, and unproved: exit 6."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        desk.venue.cue("open_orders", VenueUnavailable("down"), times=99)
        code, text = await kill(desk, KillLevel.FLATTEN)

        assert (code, desk.venue.writes) == (6, [("cancel", "O00002")])
        assert "does not answer" in text
        assert [each.order_type for each in desk.venue.resting] == [OrderType.STOP_LOSS]

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_without_the_instruments_stops_stay_until_they_can_be_had(tmp_path: Path) -> None:
    """Nothing is sold whose minimum nobody knows, and nothing is left naked for that."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        desk.venue.cue("catalogue", VenueUnavailable("down"), times=3)
        code, _ = await kill(desk, KillLevel.FLATTEN)

        assert code == 0
        methods = [method for method, _ in desk.venue.calls if method in {"cancel", "catalogue"}]
        assert methods[:6] == ["catalogue", "cancel", *["catalogue"] * 3, "cancel"]
        assert desk.venue.totals["BTC"] == d("2.0")

    at_the_desk(tmp_path, story, balances=HOLDINGS)


@pytest.mark.parametrize(
    "mode", [VenueMode.POST_ONLY, VenueMode.CANCEL_ONLY], ids=["post_only", "cancel_only"]
)
def test_where_the_whole_venue_takes_no_sale_stops_stay_and_it_is_said(
    tmp_path: Path, mode: VenueMode
) -> None:
    """Each stop would be cancelled, and each sale refused; the buys go all the same. It ends."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        desk.venue.state = mode
        began = desk.clock.now()
        code, text = await kill(desk, KillLevel.FLATTEN)

        assert code == 6
        assert [each.order_type for each in desk.venue.resting] == [OrderType.STOP_LOSS]
        words = " ".join(text.split())
        told = f"0.5 cannot be sold yet: the whole venue is at {mode.value}, and what protects it"
        assert words.count(told) == 1
        assert "where none runs, run this again then" in words
        assert (desk.clock.now() - began).total_seconds() < 150
        assert (await state(desk)).level is KillLevel.FLATTEN

        desk.venue.state = VenueMode.ONLINE
        assert (await kill(desk, KillLevel.FLATTEN))[0] == 0
        assert desk.venue.totals["BTC"] == d("2.0")

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_a_sale_of_somebody_else_is_waited_for(tmp_path: Path) -> None:
    """Another kill is selling: this one looks again until the account is flat, and is proved."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        await asyncio.gather(kill(desk, KillLevel.FLATTEN), kill(desk, KillLevel.FLATTEN))
        codes = [(await kill(desk, KillLevel.FLATTEN))[0]]

        assert codes == [0]
        assert sum(fill.quantity for fill in desk.venue.executions) == d("0.5")

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_what_was_sold_is_not_sold_again_while_its_trades_are_not_shown(tmp_path: Path) -> None:
    """The order is filled, the trades history lags behind: two bitcoins are somebody else's."""

    async def story(desk: Desk) -> None:
        await set_up(desk)
        shown = desk.venue.fills
        hidden_until = desk.clock.now() + timedelta(seconds=60)

        async def late(*, since: datetime | None = None) -> tuple[Fill, ...]:
            told = await shown(since=since)
            return told if desk.clock.now() >= hidden_until else ()

        desk.venue.fills = late  # type: ignore[assignment, method-assign]
        await kill(desk, KillLevel.FLATTEN)
        assert desk.venue.totals["BTC"] == d("2")

        await desk.clock.sleep(60)
        code, _ = await kill(desk, KillLevel.FLATTEN)
        assert code == 0
        assert desk.venue.totals["BTC"] == d("2")
        assert await desk.read(lambda tx: tx.positions(open_only=True)) == ()

    at_the_desk(tmp_path, story, balances=HOLDINGS)


@pytest.mark.parametrize("line", ["kill --execute", "kill"])
def test_a_misspelt_mode_stops_nothing_and_says_so(tmp_path: Path, line: str) -> None:
    """With the way past it, which is not offered to who has gone it already."""
    ran = command_line(line, {"EDGE_FACTORY_MODE": "papper"}, home=tmp_path)

    assert ran.code == 2
    assert "'papper' is not one of" in ran.err
    assert "NOTHING HAS BEEN STOPPED" in ran.err
    assert "zoe --account live kill --execute" in ran.err
    past = command_line(f"--account paper {line}", {"EDGE_FACTORY_MODE": "papper"}, home=tmp_path)
    assert "papper" not in past.err


@pytest.mark.parametrize("line", ["kill --level flat --execute", "--account none kill --execute"])
def test_a_kill_that_was_not_understood_says_that_it_stopped_nothing(
    tmp_path: Path, line: str
) -> None:
    """Whatever was wrong with it."""
    ran = command_line(line, {}, home=tmp_path)

    assert ran.code == 2
    assert "NOTHING HAS BEEN STOPPED" in ran.err
    assert "EDGE_FACTORY_MODE" not in ran.err
