"""When an order to buy that the venue's list lacks is over, still open, or in doubt."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders import BTC, ETH, NOON, make_fill, make_order, make_venue_order, snapshot_with
from zoe_tools.core.kill import is_unfinished, plan_kill
from zoe_tools.core.kill_proof import IN_DOUBT, absence_counts, unlisted_buys, visible_from
from zoe_tools.domain.identifiers import Symbol, VenueOrderId
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.order import OrderStatus, Side, VenueOrder
from zoe_tools.domain.plan import CancelOrder
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.snapshot import NOT_GATHERED, Missing, Reading, Snapshot
from zoe_tools.domain.trading_state import KillLevel, TradingState

NAME = VenueOrderId("O-entry")
OURS = make_order(venue_order_id=NAME, status=OrderStatus.OPEN)
THERE = make_venue_order(venue_order_id=NAME, client_order_id=OURS.client_order_id)
OVER = replace(THERE, status=OrderStatus.CANCELED)
BOUGHT = replace(THERE, status=OrderStatus.FILLED, filled_quantity=THERE.quantity)
TOLD = make_fill(venue_order_id=NAME, quantity=THERE.quantity)


def asked(*orders: VenueOrder) -> Reading[tuple[VenueOrder, ...]]:
    """The venue's word for their names."""
    return Reading(orders, NOON, "QueryOrders")


def world(ours: OrderRecord = OURS, **changes: Any) -> Snapshot:
    """A kill is latched, the list is empty, and the books have an entry at work."""
    state = TradingState(level=KillLevel.FLATTEN, reason="drill", changed_at=NOON)
    values: dict[str, Any] = {"open_orders": (), "orders": (ours,), "trading_state": state}
    return snapshot_with(**{**values, **changes})


OPEN, DOUBT, PROVED, UNSOLD = "is cancelled", "is in doubt", "is over", "is not sold yet"

CASES: list[tuple[str, Snapshot, str, str]] = [
    ("nobody asked", world(), DOUBT, DOUBT),
    ("no answer", world(asked_orders=Missing("down")), DOUBT, DOUBT),
    ("no trace", world(asked_orders=asked()), DOUBT, DOUBT),
    ("open by name", world(asked_orders=asked(THERE)), OPEN, OPEN),
    ("cancelled by name", world(asked_orders=asked(OVER)), PROVED, PROVED),
    ("filled by name", world(asked_orders=asked(BOUGHT)), PROVED, UNSOLD),
    (
        "filled by name, and its trades are booked",
        world(asked_orders=asked(BOUGHT), recorded_fills=(TOLD,)),
        PROVED,
        PROVED,
    ),
    (
        "filled by the books alone, an hour and more after it was made",
        world(
            replace(
                OURS,
                status=OrderStatus.FILLED,
                filled_quantity=OURS.quantity,
                created_at=NOON - timedelta(hours=9),
            )
        ),
        PROVED,
        UNSOLD,
    ),
    ("over by the books", world(replace(OURS, status=OrderStatus.CANCELED)), PROVED, PROVED),
    ("a sale", world(replace(OURS, side=Side.SELL)), PROVED, PROVED),
    ("listed by name", world(open_orders=(THERE,)), OPEN, OPEN),
]


def told(snapshot: Snapshot, level: KillLevel, **options: Any) -> str:
    """What becomes of the entry."""
    plan = plan_kill(snapshot, level, "drill", **options)
    if any(isinstance(each, CancelOrder) for each in plan.steps):
        return OPEN
    if any(IN_DOUBT in each for each in plan.notes):
        assert is_unfinished(plan)
        return DOUBT
    return UNSOLD if is_unfinished(plan) else PROVED


@pytest.mark.parametrize(
    ("name", "snapshot", "below", "flat"), CASES, ids=[case[0] for case in CASES]
)
def test_an_entry_that_the_list_lacks_is_over_by_the_venue_s_word_for_it_alone(
    name: str, snapshot: Snapshot, below: str, flat: str
) -> None:
    """Below flatten that it buys no more is all there is to prove."""
    assert (told(snapshot, KillLevel.CANCEL_OPEN), told(snapshot, KillLevel.FLATTEN)) == (
        below,
        flat,
    ), name


def test_an_absence_counts_where_the_plan_is_told_that_it_does() -> None:
    """And the sentence names the order, and what is known of it."""
    snapshot = world(asked_orders=asked())
    note = plan_kill(snapshot, KillLevel.CANCEL_OPEN, "drill").notes[-1]

    assert note == (
        "BTC/USD: order O-entry to buy 0.0004 is not known to be over: the venue's list lacks it,"
        " and by its name it is not shown either."
    )
    gone = frozenset({OURS.client_order_id})
    assert told(snapshot, KillLevel.CANCEL_OPEN, gone=gone) == PROVED


@pytest.mark.parametrize(("symbol", "count"), [(None, 1), (BTC, 1), (ETH, 0)])
def test_an_instrument_s_kill_asks_for_its_own_orders(symbol: Symbol | None, count: int) -> None:
    """What may buy elsewhere is not in doubt here; without a list nothing is lacking in it."""
    assert len(unlisted_buys(world(), symbol)) == count
    assert (told(world(), KillLevel.CANCEL_OPEN, symbol=symbol) == DOUBT) is bool(count)
    assert unlisted_buys(world(open_orders=NOT_GATHERED), symbol) == ()


@pytest.mark.parametrize(
    ("early_s", "looks", "counts"), [(0, 2, "yes"), (0, 1, ""), (1, 2, ""), (1, 9, "")]
)
def test_an_absence_counts_for_what_had_to_be_visible_when_the_kill_began(
    early_s: int, looks: int, counts: str
) -> None:
    """Once is no evidence, and what the venue took just now rests for all that anybody knows."""
    policy = Policy()
    began = visible_from(OURS, policy) - timedelta(seconds=early_s)

    lag = timedelta(seconds=policy.order_deadline_s + policy.visibility_lag_s)
    assert visible_from(OURS, policy) == OURS.created_at + lag
    assert absence_counts(OURS, policy, began=began, looks=looks) is bool(counts)
