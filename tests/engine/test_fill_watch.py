"""Which fill counts as protected when: from its execution to a stop that covers it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from builders import BTC, NOON, d, make_fill, make_instrument, make_order, make_position
from loop_rig import LoopRig, run_loop
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import ClientOrderId, FillId, PositionId, VenueOrderId
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.order import OrderStatus, OrderType, Side
from zoe_tools.domain.position import Position
from zoe_tools.engine.fill_watch import FillWatch
from zoe_tools.observe.log import event_of

INSTRUMENT = make_instrument()
ENTRY = make_order(
    client_order_id=ClientOrderId("22222222-2222-4333-8444-555555555555"),
    position_id=PositionId("P1"),
    status=OrderStatus.FILLED,
)
"""What bought all of it."""


def at(second: float) -> Any:
    """So long after noon."""
    return NOON + timedelta(seconds=second)


def fill(name: str, second: float, **changes: Any) -> Fill:
    """A purchase."""
    return make_fill(fill_id=FillId(name), filled_at=at(second), **changes)


def stop(quantity: str, second: float) -> OrderRecord:
    """A stop that rests, and changed last at that second."""
    return make_order(
        side=Side.SELL,
        order_type=OrderType.STOP_LOSS,
        purpose="stop",
        position_id=PositionId("P1"),
        quantity=d(quantity),
        updated_at=at(second),
    )


def held(quantity: str, **changes: Any) -> Position:
    """So much is held."""
    return make_position(quantity=d(quantity), **changes)


class Watched:
    """A watch that has begun with nothing held."""

    def __init__(self) -> None:
        self.watch = FillWatch()
        self.look(-1, [])

    def look(
        self,
        second: float,
        fills: Sequence[Fill],
        position: Position | None = None,
        *orders: OrderRecord,
    ) -> int:
        """What is so then; how many fills are known as covered."""
        positions = [] if position is None else [position]
        self.watch.look(at(second), tuple(fills), positions, (ENTRY, *orders), {BTC: INSTRUMENT})
        return self.watch.times.fills


def test_a_fill_is_timed_from_its_execution_to_the_stop_that_covers_it() -> None:
    """By the stop's own time, not by that of the turn which sees it."""
    seen = Watched()
    one = fill("F1", 0)
    assert seen.look(0.1, [one], held("0.0004")) == 0
    assert seen.look(0.9, [one], held("0.0004"), stop("0.0004", 0.25)) == 1
    assert seen.look(5, [one], held("0.0004"), stop("0.0004", 0.25)) == 1
    assert seen.watch.times.longest_ms == 250


def test_each_fill_of_a_growing_position_is_covered_for_itself() -> None:
    """The stop of the first covers the first; the second waits until the stop has grown."""
    seen = Watched()
    one, two = fill("F1", 0), fill("F2", 1)
    seen.look(0, [one], held("0.0004"))
    seen.look(1, [one, two], held("0.0008"))
    assert seen.look(1.5, [one, two], held("0.0008"), stop("0.0004", 1.5)) == 1
    assert seen.look(2, [one, two], held("0.0008"), stop("0.0008", 2)) == 2
    assert seen.watch.times.told() == {
        "protected_fills": 2,
        "protected_p50_ms": 1000,
        "protected_p99_ms": 1500,
        "protected_max_ms": 1500,
    }


def test_a_stop_that_is_told_twice_covers_once() -> None:
    """It works, and is a recent order as well."""
    seen = Watched()
    half = stop("0.0004", 1)
    assert seen.look(1, [fill("F1", 0)], held("0.0008"), half, half) == 0
    assert seen.look(2, [fill("F1", 0)], held("0.0008"), half, stop("0.0008", 2)) == 1


def test_dust_begins_to_count_with_the_fill_that_makes_it_protectable() -> None:
    """No venue takes a stop for it before."""
    seen = Watched()
    one, two = fill("F1", 0), fill("F2", 60)
    seen.look(0, [one], held("0.00005"))
    assert seen.look(30, [one], held("0.00005")) == 0
    seen.look(60, [one, two], held("0.0004"))
    assert seen.look(61, [one, two], held("0.0004"), stop("0.0004", 61)) == 2
    assert seen.watch.times.longest_ms == 1000


@pytest.mark.parametrize("initial_stop", [d("58000"), None])
def test_a_start_measures_only_what_no_stop_has_held(initial_stop: Any) -> None:
    """Fills of the last hour are in the books; what the run before protected is no news."""
    watch = FillWatch()
    position = held("0.0004", initial_stop_price=initial_stop)
    fills = (fill("F1", 0),)
    watch.look(at(100), fills, [position], [ENTRY], {BTC: INSTRUMENT})
    watch.look(at(101), fills, [position], [stop("0.0004", 101)], {BTC: INSTRUMENT})

    assert watch.times.fills == (initial_stop is None)
    assert watch.times.longest_ms == (101_000 if initial_stop is None else 0)


@pytest.mark.parametrize("owner", [PositionId("P0"), None])
def test_what_bought_another_position_of_the_instrument_is_not_measured(
    owner: PositionId | None,
) -> None:
    """A start finds an hour of fills in the books; its stop covers those of its own position."""
    earlier = make_order(
        client_order_id=ClientOrderId("33333333-2222-4333-8444-555555555555"),
        position_id=owner,
        venue_order_id=VenueOrderId("OB"),
        status=OrderStatus.FILLED,
    )
    fills = (fill("F0", -90, venue_order_id=VenueOrderId("OB")), fill("F1", 0))
    watch = FillWatch()
    for second, stops in ((1, []), (2, [stop("0.0004", 2)])):
        orders = [ENTRY, earlier, *stops]
        watch.look(at(second), fills, [held("0.0004")], orders, {BTC: INSTRUMENT})

    assert (watch.times.fills, watch.times.longest_ms) == (1, 2000)


def test_sales_and_what_was_sold_at_once_are_not_measured() -> None:
    """No stop ever covered them."""
    seen = Watched()
    sale = fill("F2", 1, side=Side.SELL)
    seen.look(0, [fill("F1", 0)], held("0.0004"))
    seen.look(1, [sale], None)
    assert seen.look(2, [sale], held("0.0004"), stop("0.0004", 2)) == 0


def test_the_loop_tells_each_fill_and_sums_them_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Two purchases of one entry: two events, two in the report, each with its time."""

    async def story(rig: LoopRig) -> None:
        rig.strategy.wanted[BTC] = "enter"
        await rig.close_candle(runs_away=True)
        (entry,) = rig.resting(Side.BUY)
        rig.fill(entry, "0.0002")
        await rig.pass_time(10)
        rig.fill(entry, f"{entry.quantity - d('0.0002'):f}")
        await rig.pass_time(10)

    with caplog.at_level(logging.INFO, "zoe_tools"):
        _, tally = run_loop(tmp_path, story)

    told = [each for record in caplog.records if (each := event_of(record)) is not None]
    found = [fields for name, fields in told if name == "FILL_PROTECTED"]
    assert [each["quantity"] for each in found] == [d("0.0002"), d("0.00021521")]
    assert tally.fill_to_protected.fills == 2
    assert tally.fill_to_protected.longest_ms in [each["took_ms"] for each in found]
