"""The report of a run: counted from the books, equal for equal inputs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from builders import BTC, ETH, NOON, d, make_fill, make_order, make_position
from zoe_tools.core.run_report import LoopTally, RunResult, summarise
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.plan import canonical_json
from zoe_tools.domain.position import PositionStatus
from zoe_tools.domain.stream import ChecksumTally

TALLY = LoopTally(
    started_at=NOON,
    ended_at=NOON + timedelta(hours=1),
    cycles=7,
    candles=5,
    prints=40,
    would_be_orders=0,
    unprotected_seconds=1.23456,
    unprotected_by_cause={"leaving": 0.23456, "opening": 1.0},
    positions_with_stop=2,
    checksums=ChecksumTally(verified=9, failed=1),
)


def report(**parts: Any) -> RunResult:
    """The report of an empty hour, or of these parts."""
    values: dict[str, Any] = {
        "strategy": "demo",
        "tally": TALLY,
        "orders": (),
        "fills": (),
        "positions": (),
        "marks": {},
    }
    return summarise(**{**values, **parts})


def closed(pnl: str, **changes: Any) -> Any:
    """A round trip with this result."""
    return make_position(
        status=PositionStatus.CLOSED, quantity=d("0"), realised_pnl=d(pnl), **changes
    )


def test_an_idle_run_is_all_zeros_and_says_what_it_watched() -> None:
    """Counts of the loop are passed on; money is zero, not absent."""
    told = report()

    assert (told.cycles, told.candles, told.prints) == (7, 5, 40)
    assert (told.orders, told.fills, told.round_trips, told.open_positions) == (0, 0, 0, 0)
    assert (told.fees, told.realised_pnl, told.unrealised_pnl) == (d("0"), d("0"), d("0"))
    assert told.orders_by_status == {}
    assert told.checksums == ChecksumTally(verified=9, failed=1)
    assert not told.is_estimated


def test_orders_are_counted_by_their_status() -> None:
    """In the order of the words, so that equal runs are equal texts."""
    orders = [
        make_order(status=OrderStatus.OPEN),
        make_order(status=OrderStatus.FILLED),
        make_order(status=OrderStatus.CANCELED),
        make_order(status=OrderStatus.FILLED),
    ]
    told = report(orders=orders)

    assert told.orders == 4
    assert list(told.orders_by_status.items()) == [("canceled", 1), ("filled", 2), ("open", 1)]


def test_fees_are_the_fills_and_results_are_net_of_them() -> None:
    """Two round trips, one of them a win; a result of nothing is no win."""
    told = report(
        fills=[make_fill(fee=d("0.26")), make_fill(fee=d("0.10"))],
        positions=[closed("1.5"), closed("-0.4"), closed("0")],
    )

    assert told.fees == d("0.36")
    assert (told.round_trips, told.wins) == (3, 1)
    assert told.realised_pnl == d("1.1")


def test_a_part_sold_of_an_open_position_is_realised_too() -> None:
    """Realised is over all positions, unrealised over what is still held, at the marks."""
    half_sold = make_position(quantity=d("0.5"), average_cost=d("100"), realised_pnl=d("3"))
    told = report(positions=[half_sold, closed("1")], marks={BTC: d("90")})

    assert (told.open_positions, told.round_trips) == (1, 1)
    assert told.realised_pnl == d("4")
    assert told.unrealised_pnl == d("-5.0")
    assert not told.is_estimated


def test_a_missing_mark_makes_the_result_an_estimate() -> None:
    """It says so; the position without a price counts for nothing."""
    told = report(
        positions=[
            make_position(quantity=d("1"), average_cost=d("100")),
            make_position(symbol=ETH, quantity=d("1"), average_cost=d("50")),
        ],
        marks={BTC: d("110")},
    )

    assert told.is_estimated
    assert told.unrealised_pnl == d("10")


def test_a_missing_mark_of_a_closed_position_is_nothing() -> None:
    """It holds nothing that would need a price."""
    assert not report(positions=[closed("1")]).is_estimated


@pytest.mark.parametrize(
    ("exact", "shown"),
    [("0.123456785", "0.12345679"), ("0.123456784", "0.12345678"), ("-0.000000005", "-0.00000001")],
)
def test_money_ends_after_eight_decimals(exact: str, shown: str) -> None:
    """Averages do not end; half goes up, away from zero."""
    assert report(positions=[closed(exact)]).realised_pnl == d(shown)


def test_seconds_end_after_three_decimals() -> None:
    """Unprotected time in all and by cause."""
    told = report()

    assert told.unprotected_seconds == d("1.235")
    assert told.unprotected_by_cause == {"leaving": d("0.235"), "opening": d("1.000")}


def test_equal_books_make_equal_bytes() -> None:
    """Nothing of host, wall clock or hash seed is in a report."""
    first = report(positions=[closed("1")])
    second = report(positions=[closed("1.0")])

    assert canonical_json(first) == canonical_json(second)
