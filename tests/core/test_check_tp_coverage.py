"""Coverage compares quantity with quantity, at the venue and in managed targets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import (
    NOON,
    PAPER,
    d,
    make_catalogue,
    make_instrument,
    make_order,
    make_position,
    make_quote,
    make_venue_order,
)
from zoe_tools.core.check_tp_coverage import Coverage, check_tp_coverage
from zoe_tools.domain.identifiers import ClientOrderId, PositionId, Symbol, VenueOrderId
from zoe_tools.domain.ledger import Balance
from zoe_tools.domain.order import OrderType, Side
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.snapshot import Reading, Snapshot

STOP_ID, TARGET_ID = ClientOrderId("stop"), ClientOrderId("target")
STOP = make_venue_order(
    client_order_id=STOP_ID,
    side=Side.SELL,
    order_type=OrderType.STOP_LOSS,
    limit_price=None,
    trigger_price=d("58800.0"),
)
TARGET = make_venue_order(
    venue_order_id=VenueOrderId("OTARGE-AAAAA-AAAAA1"),
    client_order_id=TARGET_ID,
    side=Side.SELL,
    limit_price=d("62400.0"),
)
OURS = (
    make_order(client_order_id=STOP_ID, purpose="stop", position_id="P1"),
    make_order(client_order_id=TARGET_ID, purpose="take_profit", position_id="P1"),
)


def read(value: Any) -> Reading[Any]:
    """A part read at noon."""
    return Reading(value, NOON, "test")


def world(*open_orders: Any, held: str = "0.0004", **changes: Any) -> Snapshot:
    """One open position; what rests at the venue is given."""
    values: dict[str, Any] = {
        "taken_at": NOON,
        "account": PAPER,
        "policy": Policy(),
        "catalogue": read(make_catalogue()),
        "open_orders": read(open_orders),
        "balances": read((Balance(asset="BTC", total=d(held)),)),
        "quotes": read((make_quote(),)),
        "positions": (make_position(),),
        "orders": OURS,
    }
    return Snapshot(**{**values, **changes})


@pytest.mark.parametrize(
    ("snapshot", "loop_is_running", "expected"),
    [
        (world(STOP, TARGET), False, Coverage.OK),
        (world(STOP), True, Coverage.OK),
        (world(STOP), False, Coverage.MISSING_TP),
        (world(STOP, replace(TARGET, quantity=d("0.0001"))), False, Coverage.MISMATCH_TP),
        (world(TARGET), True, Coverage.UNPROTECTED),
        (world(replace(STOP, quantity=d("0.0003")), TARGET), True, Coverage.UNPROTECTED),
        (world(replace(STOP, trigger_price=d("61000"))), True, Coverage.STOP_WRONG_SIDE),
        (world(STOP, TARGET, held="0.0003"), True, Coverage.NO_EXCHANGE_POSITION),
        (world(STOP, policy=Policy(take_profit_pct=d("0"))), True, Coverage.MISSING_TP),
    ],
)
def test_the_worst_that_applies_is_the_status(
    snapshot: Snapshot,
    loop_is_running: bool,  # noqa: FBT001
    expected: Coverage,
) -> None:
    """A managed target counts only while somebody manages it."""
    (row,) = check_tp_coverage(snapshot, loop_is_running=loop_is_running)

    assert row.coverage is expected


@pytest.mark.parametrize(
    ("held", "expected"), [("0.0006", Coverage.NO_EXCHANGE_POSITION), ("0.0008", Coverage.OK)]
)
def test_two_positions_in_one_asset_are_held_against_it_together(
    held: str, expected: Coverage
) -> None:
    """Each alone is held; what is missing is missing of one of them, and nobody knows of which."""
    euros = make_position(position_id=PositionId("P2"), symbol=Symbol("BTC/EUR"))
    theirs: dict[str, Any] = {"symbol": euros.symbol, "venue_order_id": VenueOrderId("O-EUR")}
    stop_id = ClientOrderId("stop in euros")
    snapshot = world(
        STOP,
        replace(STOP, client_order_id=stop_id, **theirs),
        held=held,
        catalogue=read(make_catalogue(make_instrument(), make_instrument("BTC/EUR"))),
        positions=(make_position(), euros),
        orders=(
            *OURS,
            make_order(client_order_id=stop_id, purpose="stop", position_id="P2", **theirs),
        ),
    )

    rows = check_tp_coverage(snapshot, loop_is_running=True)
    assert [each.coverage for each in rows] == [expected, expected]


def test_orders_of_others_cover_nothing() -> None:
    """An order of the same symbol is not ours by that alone."""
    (row,) = check_tp_coverage(world(STOP, TARGET, orders=()), loop_is_running=False)

    assert row.coverage is Coverage.UNPROTECTED


def test_a_flat_account_has_no_rows() -> None:
    """Nothing to cover."""
    assert check_tp_coverage(world(positions=()), loop_is_running=False) == ()
