"""Plans as values: one spelling for one plan, and a hash that moves with every change of it."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoe_tools.domain import plan as plans
from zoe_tools.domain.account import Account
from zoe_tools.domain.candle import Timeframe
from zoe_tools.domain.identifiers import PositionId, Symbol, VenueOrderId
from zoe_tools.domain.order import OrderRequest, OrderType, Side
from zoe_tools.domain.plan import (
    CancelOrder,
    OrderStillOpen,
    PlaceOrder,
    Plan,
    PositionStill,
    SetTradingState,
    canonical_json,
    jsonable,
)
from zoe_tools.domain.rate_cost import PlanRateCost, RateCost
from zoe_tools.domain.trading_state import KillLevel

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACCOUNT = Account(venue="kraken", mode="paper", fingerprint="3f9a12c4")


def stop_order(quantity: str = "0.5", trigger: str = "29000.0") -> PlaceOrder:
    """A protective stop for half a bitcoin."""
    return PlaceOrder(
        request=OrderRequest(
            symbol=Symbol("BTC/USD"),
            side=Side.SELL,
            order_type=OrderType.STOP_LOSS,
            quantity=Decimal(quantity),
            trigger_price=Decimal(trigger),
            purpose="stop",
        ),
        reason="no stop rests at the venue",
        position_id=PositionId("p-1"),
        preconditions=(PositionStill(position_id=PositionId("p-1"), quantity=Decimal(quantity)),),
    )


def plan_of(*steps: PlaceOrder | CancelOrder | SetTradingState) -> Plan:
    """A plan of `recover-sl` with these steps."""
    return Plan(
        command="recover-sl",
        account=ACCOUNT,
        created_at=NOW,
        expires_at=NOW + timedelta(minutes=5),
        steps=steps,
    )


def test_the_canonical_json_is_one_line_with_sorted_keys_and_plain_decimals() -> None:
    """Byte for byte: this text is what the hash is taken of."""
    step = CancelOrder(
        venue_order_id=VenueOrderId("OQCLML-BW3P3-BUCMWZ"),
        symbol=Symbol("BTC/USD"),
        reason="kill",
        preconditions=(
            OrderStillOpen(
                venue_order_id=VenueOrderId("OQCLML-BW3P3-BUCMWZ"),
                remaining_quantity=Decimal("1E-8"),
            ),
        ),
    )

    expected = (
        '{"before":null,"client_order_id":null,"ends_group":null,"is_renewal":false,'
        '"kind":"CancelOrder","position_id":null,'
        '"preconditions":[{"kind":"OrderStillOpen","remaining_quantity":"0.00000001",'
        '"venue_order_id":"OQCLML-BW3P3-BUCMWZ"}],"purpose":"entry","rate_cost":null,"reason":"kill",'
        '"symbol":"BTC/USD","venue_order_id":"OQCLML-BW3P3-BUCMWZ"}'
    )
    assert expected == canonical_json(step)


def test_equal_plans_have_equal_hashes() -> None:
    """Built twice, from parts built twice."""
    assert plan_of(stop_order()).plan_hash == plan_of(stop_order()).plan_hash


@pytest.mark.parametrize(
    "changed",
    [
        plan_of(stop_order(quantity="0.4")),
        plan_of(stop_order(trigger="29000.1")),
        plan_of(stop_order(), stop_order()),
        plan_of(),
        replace(plan_of(stop_order()), command="kill"),
        replace(plan_of(stop_order()), account=replace(ACCOUNT, mode="live")),
        replace(plan_of(stop_order()), created_at=NOW + timedelta(microseconds=1)),
        replace(plan_of(stop_order()), expires_at=NOW + timedelta(minutes=6)),
        replace(plan_of(stop_order()), notes=("dust left alone",)),
    ],
    ids=[
        "quantity",
        "trigger",
        "a step more",
        "no step",
        "command",
        "account",
        "created",
        "expires",
        "notes",
    ],
)
def test_every_change_of_a_plan_changes_its_hash(changed: Plan) -> None:
    """Nothing that an operator read can be swapped under the same hash."""
    assert plan_of(stop_order()).plan_hash != changed.plan_hash


def test_what_the_limits_make_of_a_plan_is_no_part_of_what_it_does() -> None:
    """A priced plan is the same plan: equal, under the same hash."""
    plan = plan_of(stop_order())
    step = replace(stop_order(), rate_cost=RateCost(engine=Decimal(1), symbol=Symbol("BTC/USD")))
    priced = replace(plan, steps=(step,), rate_cost=PlanRateCost(wait_s=Decimal("2.5")))

    assert (priced, priced.plan_hash) == (plan, plan.plan_hash)
    assert '"wait_s":"2.5"' in canonical_json(priced)


def test_the_order_of_the_steps_is_part_of_the_plan() -> None:
    """Cancel, then sell is another plan than sell, then cancel."""
    halt = SetTradingState(level=KillLevel.PAUSE_ENTRIES, reason="kill")

    assert plan_of(stop_order(), halt).plan_hash != plan_of(halt, stop_order()).plan_hash


def test_a_hash_that_was_told_is_told_again_and_of_no_other_plan(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However many plans come and go; one that writes into the store may be large: it is let go."""
    monkeypatch.setattr(plans, "_HASHES", {})
    spelled: list[Plan] = []
    spell = plans.canonical_json

    def count(plan: Plan) -> str:
        spelled.append(plan)
        return spell(plan)

    monkeypatch.setattr(plans, "canonical_json", count)
    halt = SetTradingState(level=KillLevel.PAUSE_ENTRIES, reason="kill")
    hashes = {plan_of(stop_order(str(each))).plan_hash for each in range(1, 201)}
    kept, large = plan_of(stop_order()), plan_of(halt)
    first, again = kept.plan_hash, kept.plan_hash

    assert len(hashes) == 200
    assert first == again
    assert len(spelled) == 201
    assert len(large.plan_hash) == 64
    assert len(plans._HASHES) <= plans._MOST_HASHES
    assert all(plan is not large for plan, _ in plans._HASHES.values())


def test_the_hash_is_a_sha256_in_hex() -> None:
    """Sixty-four hex digits."""
    assert len(plan_of().plan_hash) == 64
    assert int(plan_of().plan_hash, 16) >= 0


def test_a_plan_without_steps_is_empty() -> None:
    """Notes alone change nothing in the world."""
    assert replace(plan_of(), notes=("nothing to do",)).is_empty
    assert not plan_of(stop_order()).is_empty


def test_a_plan_cannot_be_changed_after_it_was_made() -> None:
    """What was shown is what is done."""
    plan = plan_of(stop_order())

    with pytest.raises(FrozenInstanceError):
        plan.steps = ()  # type: ignore[misc]


@pytest.mark.parametrize("value", [1.5, float("nan"), {1, 2}, object(), b"bytes"])
def test_what_has_no_one_spelling_is_refused(value: object) -> None:
    """A float, a set or an object would make the text depend on the machine."""
    with pytest.raises(TypeError, match="no canonical spelling"):
        jsonable(value)


def test_a_float_deep_inside_is_refused_too() -> None:
    """The rule holds at every depth."""
    with pytest.raises(TypeError, match="float"):
        canonical_json({"prices": [{"bid": 1.5}]})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("1E+2"), '"100"'),
        (Decimal("0.10"), '"0.10"'),
        (Side.BUY, '"buy"'),
        (Timeframe.H1, '"1h"'),
        (KillLevel.REDUCE_ONLY, "3"),
        (NOW, '"2026-03-01T12:00:00+00:00"'),
        ((1, None, True), "[1,null,true]"),
        ({"b": 1, "a": "é"}, '{"a":"é","b":1}'),
    ],
)
def test_each_kind_of_value_has_one_spelling(value: object, expected: str) -> None:
    """Enums by value, decimals plain, times in ISO, other letters as they are."""
    assert expected == canonical_json(value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.decimals(allow_nan=False),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=20,
    )
)
def test_canonical_json_is_json_and_does_not_depend_on_the_order_of_keys(value: object) -> None:
    """Whatever the value, a reversed dictionary spells the same."""
    text = canonical_json(value)

    assert json.loads(text) == jsonable(value)
    assert text == canonical_json(_reversed(value))


def _reversed(value: object) -> object:
    if isinstance(value, dict):
        return {key: _reversed(value[key]) for key in reversed(list(value))}
    if isinstance(value, list):
        return [_reversed(each) for each in value]
    return value


def test_times_keep_their_offset() -> None:
    """A time in another zone is spelled as what it is; clocks hand out UTC only."""
    elsewhere = NOW.astimezone(timezone(timedelta(hours=2)))

    assert canonical_json(elsewhere) == '"2026-03-01T14:00:00+02:00"'
