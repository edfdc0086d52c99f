"""The second look: what counts as moved, what does not, and how it is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from builders import (
    BTC,
    LIVE,
    NOON,
    d,
    make_candle,
    make_fill,
    make_order,
    make_position,
    make_stop_request,
    make_venue_order,
    place,
    plan_with,
)
from zoe_tools.domain.discrepancy import Adjustment, DiscrepancyId, DiscrepancyState
from zoe_tools.domain.identifiers import IntentId, PositionId, VenueOrderId
from zoe_tools.domain.journal import IntentState
from zoe_tools.domain.order import OrderAmendment
from zoe_tools.domain.plan import (
    AdjustPosition,
    AdoptPosition,
    AmendOrder,
    CancelOrder,
    LinkStop,
    PositionStill,
    PostAdjustment,
    RebuildOrder,
    RecordFill,
    RecordOrder,
    ResolveIntent,
    SettleDiscrepancy,
    SetTradingState,
    Step,
    WriteCandles,
)
from zoe_tools.domain.rate_cost import RateCost
from zoe_tools.domain.trading_state import KillLevel
from zoe_tools.errors import PlanStale
from zoe_tools.gate.recheck import demand_unchanged, moved_since

A, B = VenueOrderId("OAAAAA-AAAAA-AAAAA1"), VenueOrderId("OBBBBB-BBBBB-BBBBB2")
HELD = make_position(quantity=d("0.5"))
POSTED = Adjustment(
    adjustment_id="A-1", asset="BTC", quantity=d("1"), author="ada", reason="r", adjusted_at=NOON
)
EVERY_KIND: tuple[Step, ...] = (
    place(),
    AmendOrder(amendment=OrderAmendment(venue_order_id=A, symbol=BTC, quantity=d("1")), reason="r"),
    CancelOrder(venue_order_id=A, symbol=BTC, reason="r"),
    AdoptPosition(position=HELD, reason="r"),
    AdjustPosition(before=HELD, after=HELD, reason="r"),
    LinkStop(position_id=PositionId("P"), order=make_venue_order(), reason="r"),
    RecordFill(fill=make_fill(), reason="r"),
    RecordOrder(order=make_venue_order(), reason="r"),
    RebuildOrder(order=make_order(), reason="r"),
    SettleDiscrepancy(
        discrepancy_id=DiscrepancyId("D-1"),
        state=DiscrepancyState.EXPLAINED,
        author="ada",
        reason="r",
    ),
    PostAdjustment(adjustment=POSTED, reason="r"),
    ResolveIntent(intent_id=IntentId("I"), state=IntentState.REJECTED, evidence="none", reason="r"),
    WriteCandles(
        symbol=BTC,
        timeframe=make_candle().timeframe,
        candles=(make_candle(),),
        source="x",
        reason="r",
    ),
    SetTradingState(level=KillLevel.FLATTEN, reason="r"),
)


def cancel(order: VenueOrderId) -> CancelOrder:
    """A cancel of that order."""
    return CancelOrder(venue_order_id=order, symbol=BTC, reason="r")


def stop(trigger: str, quantity: str = "0.5", symbol: str = "BTC/USD") -> Step:
    """A stop for the held position."""
    request = make_stop_request(symbol=symbol, trigger_price=d(trigger), quantity=d(quantity))
    return place(request, position_id=HELD.position_id)


def moved(
    before: tuple[Step, ...], after: tuple[Step, ...], tolerance: str = "1"
) -> list[tuple[int, str, str, str]]:
    """(step, what, was, is) of everything that moved."""
    found = moved_since(plan_with(*before), plan_with(*after), tolerance_pct=Decimal(tolerance))
    return [(each.step, each.what, each.was, each.now) for each in found]


def test_the_same_steps_have_not_moved_whatever_their_kind() -> None:
    """Nor do their words, nor what they cost just now."""
    again = tuple(replace(each, reason="other words") for each in EVERY_KIND)
    dear = replace(place(), rate_cost=RateCost(rest=d("7")))

    assert moved(EVERY_KIND, again) == []
    assert moved((place(),), (dear,)) == []


@pytest.mark.parametrize(
    ("trigger", "tolerance", "is_allowed"),
    [
        ("59400.0", "1", True),
        ("60600.0", "1", True),
        ("59399.9", "1", False),
        ("60600.1", "1", False),
        ("60000.1", "0", False),
        ("60000.0", "0", True),
        ("66000.0", "10", True),
    ],
)
def test_a_price_may_move_by_the_tolerance_and_not_by_a_tick_more(
    trigger: str, tolerance: str, *, is_allowed: bool
) -> None:
    """In both directions, of the price that was shown."""
    found = moved((stop("60000.0"),), (stop(trigger),), tolerance)

    assert (found == []) is is_allowed
    if found:
        assert found == [(1, "request.trigger_price", "60000.0", trigger)]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (
            (stop("6", "0.5"),),
            (stop("6", "0.50000001"),),
            (1, "request.quantity", "0.5", "0.50000001"),
        ),
        ((cancel(A), cancel(B)), (cancel(B),), (1, "step", f"CancelOrder {A}", "-")),
        ((cancel(A),), (cancel(A), cancel(B)), (0, "step", "-", f"CancelOrder {B}")),
        ((cancel(A), cancel(B)), (cancel(B), cancel(A)), (0, "order of steps", "1 2", "2 1")),
        (
            (SetTradingState(level=KillLevel.FLATTEN, reason="r"),),
            (SetTradingState(level=KillLevel.REDUCE_ONLY, reason="r"),),
            (1, "level", "4", "3"),
        ),
        (
            (AdjustPosition(before=HELD, after=HELD, reason="r"),),
            (AdjustPosition(before=HELD, after=replace(HELD, quantity=d("0.4")), reason="r"),),
            (1, "after.quantity", "0.5", "0.4"),
        ),
        (
            (stop("6"),),
            (stop("6", symbol="ETH/USD"),),
            (1, "step", "PlaceOrder BTC/USD sell stop", "-"),
        ),
    ],
)
def test_everything_else_must_be_equal_exactly(
    before: tuple[Step, ...], after: tuple[Step, ...], told: tuple[int, str, str, str]
) -> None:
    """Quantities, levels, which orders, and their order."""
    assert moved(before, after, "99")[0] == told


def test_more_candles_are_told_as_their_number() -> None:
    """And not as two thousand rows of prices; of as many, the ones that differ are told."""
    step = EVERY_KIND[-2]
    assert isinstance(step, WriteCandles)
    longer = replace(step, candles=step.candles * 2)

    other = replace(step, candles=(make_candle(close=d("1")),))

    assert moved((step,), (longer,)) == [(1, "candles, how many", "1", "2")]
    assert [each[1] for each in moved((step,), (other,))] == ["candles 1.close"]


def test_a_position_that_both_plans_adopt_is_one_position() -> None:
    """Its id is made of the moment of planning; what holds on it follows."""

    def plan(name: str, quantity: str = "0.5") -> tuple[Step, ...]:
        position = make_position(
            position_id=PositionId(f"P-{name}"), quantity=d(quantity), opened_at=NOON
        )
        still = PositionStill(position_id=position.position_id, quantity=position.quantity)
        request = make_stop_request(quantity=d(quantity))
        protected = replace(
            place(request), position_id=position.position_id, preconditions=(still,)
        )
        return AdoptPosition(position=position, reason="r"), protected

    assert moved(plan("friday"), plan("monday")) == []
    assert {each[1] for each in moved(plan("friday"), plan("monday", "0.4"))} == {
        "position.quantity",
        "request.quantity",
        "preconditions 1.quantity",
    }
    # The adoption is done: what is left names the position that was made then.
    adopted = moved_since(
        plan_with(*plan("friday")), plan_with(plan("friday")[1]), settled=frozenset({0})
    )
    assert adopted == ()


def test_what_is_settled_is_not_compared() -> None:
    """Neither where it is gone, nor where it would be planned again, differently."""
    before = plan_with(stop("60000"), cancel(A))

    assert moved_since(before, plan_with(cancel(A)), settled=frozenset({0})) == ()
    assert moved_since(before, plan_with(stop("1"), cancel(A)), settled=frozenset({0})) == ()
    assert moved_since(before, plan_with(stop("60000")), settled=frozenset({0})) != ()


def test_another_account_is_all_there_is_to_say() -> None:
    """Whatever the steps."""
    found = moved_since(plan_with(cancel(A)), plan_with(cancel(B), account=LIVE))

    assert [(each.what, each.was, each.now) for each in found] == [
        ("account", "PAPER kraken 0badcafe", "LIVE kraken 3f9a12c4")
    ]


def test_a_sentence_names_four_things_and_counts_the_rest() -> None:
    """The table has all of them."""
    before = plan_with(*(cancel(VenueOrderId(f"O{number}")) for number in range(6)))

    with pytest.raises(PlanStale, match="is not planned any more; and 2 more") as stale:
        demand_unchanged(before, plan_with(), now=NOON)
    assert len(stale.value.moved) == 6
    with pytest.raises(PlanStale, match="CancelOrder O0 would be planned as well"):
        demand_unchanged(plan_with(), plan_with(cancel(VenueOrderId("O0"))), now=NOON)


def test_a_plan_lives_to_its_last_second() -> None:
    """And is stale in the next."""
    plan = plan_with(cancel(A))

    demand_unchanged(plan, plan, now=plan.expires_at)
    with pytest.raises(PlanStale, match="expired at 2026-01-05 12:05:00 UTC"):
        demand_unchanged(plan, plan, now=plan.expires_at + timedelta(microseconds=1))
