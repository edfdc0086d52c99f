"""The plan mends what the coverage check finds, and plans nothing where it finds nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import (
    BTC,
    NOON,
    d,
    make_catalogue,
    make_order,
    make_position,
    make_quote,
    snapshot_with,
)
from builders import make_venue_order as venue_order
from zoe_tools.core.check_tp_coverage import Coverage, absent_holdings, check_tp_coverage
from zoe_tools.core.protection import UNLISTED
from zoe_tools.core.recover_sl import plan_recover_sl
from zoe_tools.core.repair_tp import plan_repair_tp
from zoe_tools.core.take_profit import levels_for
from zoe_tools.domain.identifiers import ClientOrderId, PositionId, Symbol, VenueOrderId
from zoe_tools.domain.ledger import Balance
from zoe_tools.domain.money import ZERO, short
from zoe_tools.domain.order import OrderType, Side, VenueOrder
from zoe_tools.domain.plan import AmendOrder, CancelOrder, PlaceOrder, SetTargets, Step
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.domain.take_profit import TargetMode

HELD = make_position(quantity=d("0.001"), stop_venue_order_id=VenueOrderId("O-stop"))
BITCOIN = make_catalogue().resolve(BTC)
ALLOWED = Policy(allow_targets_without_stop=True)
SPLIT = replace(ALLOWED, take_profit_mode=TargetMode.SPLIT)


def resting(purpose: str, quantity: str, price: str) -> VenueOrder:
    """An order of ours at the venue."""
    is_stop = purpose == "stop"
    return venue_order(
        client_order_id=ClientOrderId(purpose),
        venue_order_id=VenueOrderId(f"O-{purpose}"),
        side=Side.SELL,
        order_type=OrderType.STOP_LOSS if is_stop else OrderType.LIMIT,
        quantity=d(quantity),
        limit_price=None if is_stop else d(price),
        trigger_price=d(price) if is_stop else None,
    )


def world(*open_orders: VenueOrder, held: str = "0.001", **changes: Any) -> Snapshot:
    """One position of 0.001 BTC; what rests at the venue is given."""
    ours = tuple(
        make_order(
            client_order_id=ClientOrderId(purpose),
            purpose=purpose,
            position_id="P1",
            side=Side.SELL,
        )
        for purpose in ("stop", "take_profit")
    )
    values: dict[str, Any] = {
        "positions": (HELD,),
        "orders": ours,
        "open_orders": open_orders,
        "balances": (Balance(asset="BTC", total=d(held)),),
        "quotes": (make_quote(),),
        "policy": ALLOWED,
    }
    return snapshot_with(**{**values, **changes})


def told(steps: tuple[Step, ...]) -> list[str]:
    """Verb and quantity of each step."""
    found = []
    for step in steps:
        match step:
            case SetTargets(levels=levels):
                found.append(f"set {len(levels)}")
            case PlaceOrder(request=request):
                found.append(f"place {request.purpose} {short(request.quantity)}")
            case AmendOrder(amendment=change, purpose=purpose):
                found.append(f"amend {purpose} {short(change.quantity or ZERO)}")
            case CancelOrder(purpose=purpose):
                found.append(f"cancel {purpose}")
            case _:
                raise AssertionError(step)
    return found


STOP = resting("stop", "0.001", "58800")
HALF = resting("stop", "0.0005", "58800")
TARGET = resting("take_profit", "0.0005", "62400.0")
ALL = levels_for(HELD, BITCOIN, replace(ALLOWED, take_profit_mode=TargetMode.RESTING), at=NOON)
SET = levels_for(HELD, BITCOIN, SPLIT, at=NOON)
WHOLE = levels_for(HELD, BITCOIN, Policy(), at=NOON)


@pytest.mark.parametrize(
    ("snapshot", "runs", "mode", "expected"),
    [
        (world(STOP), True, None, []),
        (world(STOP), False, None, []),
        (world(STOP, TARGET), True, None, ["cancel take_profit"]),
        (world(STOP), False, TargetMode.RESTING, []),
        (
            world(replace(TARGET, quantity=d("0.001")), targets=ALL),
            True,
            TargetMode.SPLIT,
            ["set 2"],
        ),
        (
            world(replace(TARGET, quantity=d("0.001")), targets=ALL),
            False,
            TargetMode.SPLIT,
            ["set 2", "amend take_profit 0.0005", "place stop 0.0005"],
        ),
        (
            world(replace(TARGET, quantity=d("0.001")), targets=ALL),
            False,
            TargetMode.MANAGED,
            ["set 1", "cancel take_profit", "place stop 0.001"],
        ),
        (world(replace(TARGET, quantity=d("0.001")), targets=ALL), False, None, []),
        (world(STOP), True, TargetMode.RESTING, ["set 1"]),
        (world(STOP), True, TargetMode.SPLIT, ["set 2"]),
        (
            world(STOP),
            False,
            TargetMode.SPLIT,
            ["set 2", "amend stop 0.0005", "place take_profit 0.0005"],
        ),
        (
            world(STOP, policy=SPLIT),
            False,
            None,
            ["set 2", "amend stop 0.0005", "place take_profit 0.0005"],
        ),
        (world(HALF, TARGET, targets=SET), True, None, []),
        (world(HALF, TARGET, targets=SET, policy=SPLIT), True, None, []),
        (world(HALF, TARGET, targets=SET), True, TargetMode.MANAGED, ["set 1"]),
        (
            world(HALF, TARGET, targets=SET),
            False,
            TargetMode.MANAGED,
            ["set 1", "cancel take_profit", "amend stop 0.001"],
        ),
        (
            world(HALF, replace(TARGET, quantity=d("0.0003")), targets=SET),
            True,
            None,
            [],
        ),
        # A run that was killed between two of its steps is gone on with.
        (world(HALF, targets=SET), False, TargetMode.SPLIT, ["place take_profit 0.0005"]),
        (world(HALF, targets=SET), False, None, ["place take_profit 0.0005"]),
        (world(HALF, targets=SET), True, None, []),
        (world(HALF, targets=SET), False, TargetMode.MANAGED, ["set 1", "amend stop 0.001"]),
        (world(HALF, targets=WHOLE), False, TargetMode.MANAGED, ["amend stop 0.001"]),
        (
            world(HALF, TARGET, targets=WHOLE),
            False,
            None,
            ["cancel take_profit", "amend stop 0.001"],
        ),
        (
            world(HALF, TARGET, targets=SET, policy=Policy()),
            False,
            None,
            ["set 2", "cancel take_profit", "amend stop 0.001"],
        ),
        (
            world(replace(TARGET, quantity=d("0.001")), targets=ALL, policy=Policy()),
            False,
            None,
            ["set 1", "cancel take_profit", "place stop 0.001"],
        ),
    ],
)
def test_the_plan_fits_targets_to_the_levels(
    snapshot: Snapshot,
    runs: bool,  # noqa: FBT001
    mode: TargetMode | None,
    expected: list[str],
) -> None:
    """Quantity against quantity, at the venue and in managed levels."""
    plan = plan_repair_tp(snapshot, loop_is_running=runs, mode=mode)

    assert told(plan.steps) == expected


@pytest.mark.parametrize(
    ("snapshot", "next_step"),
    [
        (world(), "zoe recover-sl"),
        (world(HALF), "zoe recover-sl"),
        (world(resting("stop", "0.0004", "58800"), targets=SET), "zoe recover-sl"),
        (world(STOP, held="0.0009"), "zoe reconcile"),
        (world(HALF, replace(TARGET, quantity=d("0.0003")), targets=SET), "zoe recover-sl"),
    ],
)
def test_what_targets_cannot_mend_is_named_with_the_command_that_can(
    snapshot: Snapshot, next_step: str
) -> None:
    """A position without its stop is protected first."""
    plan = plan_repair_tp(snapshot, loop_is_running=True)

    assert plan.is_empty
    assert next_step in plan.notes[0]


def test_a_stop_that_was_cut_for_a_target_is_made_whole_by_recover_sl_alone() -> None:
    """Where the target was not placed: the plan that was killed need not be run again."""
    assert told(plan_recover_sl(world(HALF, targets=SET)).steps) == ["amend stop 0.001"]


def test_without_a_loop_managed_targets_are_named_as_covering_nothing() -> None:
    """And how to make them cover."""
    plan = plan_repair_tp(world(STOP), loop_is_running=False)

    assert "--mode split" in plan.notes[0]
    forbidden = plan_repair_tp(world(STOP, policy=Policy()), loop_is_running=False)
    assert forbidden.notes[0].endswith("Next: zoe run")
    kept = plan_repair_tp(world(STOP), loop_is_running=False, mode=TargetMode.RESTING)
    assert kept.is_empty
    assert "a loop has to mind the stop" in kept.notes[0]


def test_what_rests_is_told_to_have_no_stop_while_no_loop_runs() -> None:
    """And nothing is done about it: the operator chose where the targets live."""
    plan = plan_repair_tp(world(HALF, TARGET, targets=SET), loop_is_running=False)

    assert plan.is_empty
    assert "has no stop without one" in plan.notes[0]


def coverage(snapshot: Snapshot, *, runs: bool = True) -> Coverage:
    """Of the one position."""
    (row,) = check_tp_coverage(snapshot, loop_is_running=runs)
    return row.coverage


def test_resting_targets_count_as_they_are_meant() -> None:
    """A part that is to rest needs no stop; one that rests where no level is, is a mismatch."""
    assert coverage(world(HALF, TARGET, targets=SET)) is Coverage.OK
    (row,) = check_tp_coverage(world(HALF, TARGET, targets=SET), loop_is_running=False)
    assert (row.coverage, row.unprotected_quantity) == (Coverage.UNPROTECTED, d("0.0005"))
    assert row.minded_quantity == row.unprotected_quantity
    elsewhere = replace(TARGET, limit_price=d("61000"))
    assert coverage(world(HALF, elsewhere, targets=SET)) is Coverage.MISMATCH_TP
    assert coverage(world(HALF, TARGET)) is Coverage.UNPROTECTED

    whole = replace(TARGET, quantity=d("0.001"))
    assert coverage(world(whole, targets=ALL)) is Coverage.OK
    assert coverage(world(whole, targets=ALL), runs=False) is Coverage.UNPROTECTED


def test_a_take_profit_with_a_trigger_is_a_target_and_no_stop() -> None:
    """Whatever price it waits for."""
    triggered = replace(
        TARGET,
        order_type=OrderType.TAKE_PROFIT,
        limit_price=None,
        trigger_price=d("62400.0"),
        quantity=d("0.001"),
    )
    assert coverage(world(triggered)) is Coverage.UNPROTECTED
    assert coverage(world(STOP, triggered), runs=False) is Coverage.OK


def test_what_the_registry_does_not_know_is_listed() -> None:
    """As unmanaged: it is no finding, and nothing is planned for it."""
    (absent,) = absent_holdings(world(STOP, held="0.501"))

    assert (absent.asset, absent.quantity) == ("BTC", d("0.500"))


def test_what_left_the_venue_s_list_is_unprotected_and_keeps_no_other_target_back() -> None:
    """Both commands ended at the first position in a coin that is not listed any more."""
    gone = make_position(position_id=PositionId("P-gone"), symbol=Symbol("OLD/USD"))
    alone = world(STOP, policy=SPLIT)
    beside = replace(alone, positions=(gone, *alone.positions))

    first, second = check_tp_coverage(beside, loop_is_running=False)
    plan = plan_repair_tp(beside, loop_is_running=False)

    assert (first.coverage, first.unprotected_quantity) == (Coverage.UNPROTECTED, gone.quantity)
    assert (second,) == check_tp_coverage(alone, loop_is_running=False)
    assert f"OLD/USD: {UNLISTED}" in plan.notes
    assert plan.steps == plan_repair_tp(alone, loop_is_running=False).steps
    assert plan.steps
