"""Which steps of a turn begin: lanes that wait for nobody else, and entries that wait for all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import BTC, ETH, d, make_request, make_stop_request, place, plan_with
from zoe_tools.core.lanes import about, lane_again, lanes_of
from zoe_tools.core.risk import adds_risk
from zoe_tools.domain.identifiers import GroupId, PositionId, Symbol, VenueOrderId
from zoe_tools.domain.intent_group import GroupEnd
from zoe_tools.domain.order import OrderAmendment
from zoe_tools.domain.plan import AmendOrder, CancelOrder, EndGroup, SetTargets, Step

SOL = Symbol("SOL/USD")
NOBODY: frozenset[Symbol] = frozenset()
SYMBOLS = (BTC, ETH, SOL)


def entry(symbol: Symbol) -> Step:
    """Adds risk."""
    return place(make_request(symbol=symbol))


def stop(symbol: Symbol) -> Step:
    """Its position has none."""
    return place(make_stop_request(symbol=symbol), position_id=PositionId(symbol))


def repricing(symbol: Symbol) -> Step:
    """Adds risk, too."""
    change = OrderAmendment(
        venue_order_id=VenueOrderId(symbol), symbol=symbol, limit_price=d("100")
    )
    return AmendOrder(amendment=change, reason="because", purpose="entry")


def growth(symbol: Symbol) -> Step:
    """A stop covers more."""
    change = OrderAmendment(venue_order_id=VenueOrderId(symbol), symbol=symbol, quantity=d("2"))
    return AmendOrder(amendment=change, reason="because")


def cancel(symbol: Symbol) -> Step:
    """An entry's time is over."""
    return CancelOrder(
        venue_order_id=VenueOrderId(symbol), symbol=symbol, purpose="entry", reason="because"
    )


def targets(symbol: Symbol) -> Step:
    """In the books alone."""
    return SetTargets(position_id=PositionId(symbol), symbol=symbol, levels=(), reason="because")


def end(symbol: Symbol) -> Step:
    """In the books alone."""
    return EndGroup(
        group_id=GroupId(symbol), symbol=symbol, ending=GroupEnd.STOPPED, reason="because"
    )


KINDS = (entry, stop, repricing, growth, cancel, targets, end)
steps_in = st.lists(
    st.builds(lambda kind, symbol: kind(symbol), st.sampled_from(KINDS), st.sampled_from(SYMBOLS)),
    max_size=8,
)
some_symbols = st.frozensets(st.sampled_from(SYMBOLS))


def begun(
    *steps: Step, at_work: frozenset[Symbol] = NOBODY, resting: frozenset[Symbol] = NOBODY
) -> list[list[Step]]:
    """The steps of each lane."""
    lanes = lanes_of(plan_with(*steps), at_work=at_work, resting=resting)
    return [list(lane.plan.steps) for lane in lanes]


TWO_LANES = [[cancel(BTC), end(BTC)], [stop(ETH)]]


@pytest.mark.parametrize(
    ("steps", "at_work", "resting", "expected"),
    [
        ([stop(BTC), cancel(ETH)], NOBODY, NOBODY, [[stop(BTC)], [cancel(ETH)]]),
        (
            [cancel(BTC), stop(ETH), end(BTC)],
            NOBODY,
            NOBODY,
            [[cancel(BTC), end(BTC)], [stop(ETH)]],
        ),
        ([stop(BTC), growth(ETH)], frozenset({BTC}), NOBODY, [[growth(ETH)]]),
        ([stop(BTC), growth(ETH)], NOBODY, frozenset({ETH}), [[stop(BTC)]]),
        ([entry(BTC)], NOBODY, NOBODY, [[entry(BTC)]]),
        ([entry(BTC)], frozenset({ETH}), NOBODY, []),
        ([stop(ETH), entry(BTC)], NOBODY, NOBODY, [[stop(ETH)]]),
        ([stop(ETH), entry(BTC)], NOBODY, frozenset({ETH}), []),
        ([cancel(ETH), entry(BTC)], NOBODY, frozenset({ETH}), [[entry(BTC)]]),
        ([repricing(ETH), repricing(BTC), entry(SOL)], NOBODY, NOBODY, [[repricing(ETH)]]),
        ([repricing(ETH), entry(BTC)], NOBODY, frozenset({ETH}), [[entry(BTC)]]),
        ([end(ETH), entry(ETH)], NOBODY, NOBODY, [[end(ETH)]]),
    ],
    ids=[
        "one lane an instrument",
        "in the order of the plan",
        "what is under way is waited for",
        "what has failed rests",
        "an entry alone begins",
        "not while anything is under way",
        "not with anything else",
        "not while a position waits for its stop",
        "a cancel that rests holds no other instrument up",
        "of several the first",
        "of several the first that may",
        "not with what is for the books",
    ],
)
def test_what_begins(
    steps: list[Step],
    at_work: frozenset[Symbol],
    resting: frozenset[Symbol],
    expected: list[list[Step]],
) -> None:
    """The table of the rule."""
    assert begun(*steps, at_work=at_work, resting=resting) == expected


@given(steps_in, some_symbols, some_symbols)
def test_no_entry_begins_beside_anything_and_no_reduction_waits_for_another_instrument(
    steps: list[Step], at_work: frozenset[Symbol], resting: frozenset[Symbol]
) -> None:
    """Whatever a turn plans."""
    lanes = begun(*steps, at_work=at_work, resting=resting)
    all_begun = [step for lane in lanes for step in lane]
    adding = [step for step in all_begun if adds_risk(step)]
    assert len({about(lane[0]) for lane in lanes}) == len(lanes)
    assert all(about(step) not in at_work | resting for step in all_begun)
    assert not adding or (len(all_begun) == 1 and not at_work)
    for symbol in set(SYMBOLS) - at_work - resting:
        own = [step for step in steps if about(step) == symbol and not adds_risk(step)]
        assert not own or own in lanes


@given(steps_in, some_symbols, some_symbols)
def test_a_lane_made_again_of_the_same_world_is_the_same(
    steps: list[Step], at_work: frozenset[Symbol], resting: frozenset[Symbol]
) -> None:
    """Else nothing would ever pass the gate's second look, and it would be begun for ever."""
    plan = plan_with(*steps)
    lanes = lanes_of(plan, at_work=at_work, resting=resting)
    then = at_work | {lane.symbol for lane in lanes}
    for lane in lanes:
        assert lane_again(plan, lane, at_work=then, resting=resting) == lane.plan


def test_a_lane_that_would_not_begin_any_more_is_empty() -> None:
    """A stop is missing now: the entry waits."""
    (lane,) = lanes_of(plan_with(entry(BTC)), at_work=NOBODY)
    now = plan_with(stop(ETH), entry(BTC))
    again = lane_again(now, lane, at_work=frozenset({BTC}), resting=NOBODY)
    assert again == replace(now, steps=())
