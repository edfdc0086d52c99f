"""The prices of the order desk: vector 2 to the last digit, and what never happens."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOON, d, make_instrument, make_order, make_quote
from zoe_tools.core.reprice import (
    Ladder,
    attempts_used,
    collared,
    first_price,
    ladder_of,
    next_price,
    rounded,
    ttl_of,
    worst_of,
)
from zoe_tools.domain.intent_group import Style
from zoe_tools.domain.market import Quote
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import Side
from zoe_tools.domain.policy import Policy

WORKED = make_quote(bid=d("100.00"), ask=d("100.20"))
CENT = make_instrument(tick_size=d("0.01"), price_decimals=2)
LADDER = ladder_of(Policy())


def climb(side: Side, start: str, quote: Quote, ladder: Ladder = LADDER) -> list[Decimal]:
    """Every price from the first limit on, each step from the exact one before."""
    prices = [d(start)]
    for attempt in range(ladder.max_attempts):
        prices.append(next_price(side, prices[-1], quote, attempt=attempt, ladder=ladder))
    return prices[1:]


@pytest.mark.parametrize(
    ("side", "start", "exact", "on_tick"),
    [
        (
            Side.BUY,
            "100.00",
            ["100.05005", "100.15015", "100.2002"],
            ["100.05", "100.15", "100.20"],
        ),
        (
            Side.SELL,
            "100.20",
            ["100.14995", "100.04985", "99.9998"],
            ["100.15", "100.05", "100.00"],
        ),
    ],
)
def test_vector_2_the_worked_ladder_and_its_mirror(
    side: Side, start: str, exact: list[str], on_tick: list[str]
) -> None:
    """5, 10, 15 bps on top of each other, capped 20 bps from the own side; rounded inside."""
    prices = climb(side, start, WORKED)

    assert prices == [d(each) for each in exact]
    assert [rounded(side, each, CENT) for each in prices] == [d(each) for each in on_tick]


def test_vector_2_the_guard_trips_at_a_spread_of_0_6_percent_and_not_at_its_own_half() -> None:
    """The knob is the widest spread that is still good."""
    wide = make_quote(bid=d("99.70"), ask=d("100.30"))
    at_the_knob = make_quote(bid=d("99.75"), ask=d("100.25"))

    assert (wide.spread_bps, at_the_knob.spread_bps) == (d("60"), d("50"))
    assert LADDER.trips_guard(wide)
    assert not LADDER.trips_guard(at_the_knob)


@pytest.mark.parametrize(
    ("changes", "prices"),
    [
        ({"max_reprice_attempts": 0}, []),
        ({"reprice_step_bps": ZERO}, ["100.00", "100.00", "100.00"]),
        ({"max_cross_spread_bps": ZERO}, ["100.00", "100.00", "100.00"]),
    ],
)
def test_zero_is_a_value(changes: dict[str, Decimal], prices: list[str]) -> None:
    """No attempts, no steps, no crossing: not the default instead."""
    found = climb(Side.BUY, "100.00", WORKED, ladder_of(Policy(**changes)))  # type: ignore[arg-type]

    assert found == [d(each) for each in prices]


@pytest.mark.parametrize(
    ("style", "side", "spread", "price"),
    [
        (Style.PASSIVE, Side.BUY, "0.2", "100"),
        (Style.NORMAL, Side.BUY, "0.02", "100.05"),
        (Style.NORMAL, Side.BUY, "0.2002002002002002002002002002", "100.1"),
        (Style.NORMAL, Side.BUY, "2", "100.2"),
        (Style.NORMAL, Side.SELL, "2", "99.95"),
        (Style.PANIC, Side.SELL, "0.01", "99.95"),
        (Style.PANIC, Side.SELL, "0.2002002002002002002002002002", "99.8"),
        (Style.PANIC, Side.SELL, "2", "99.5"),
    ],
)
def test_each_style_begins_where_the_table_says(
    style: Style, side: Side, spread: str, price: str
) -> None:
    """Own side; half of the spread within 5 and 20 bps; below the bid by 5 to 50 bps."""
    quote = make_quote(bid=d("100"), ask=100 + d(spread))

    assert round(first_price(style, side, quote), 6) == d(price)


def test_times_to_live_are_90_60_and_15_seconds_by_default() -> None:
    """Of the knob's time a passive order has more, and one in panic half."""
    policy = Policy()

    assert ttl_of(Style.PASSIVE, Side.BUY, policy) == 90
    assert ttl_of(Style.NORMAL, Side.BUY, policy) == 60
    assert ttl_of(Style.NORMAL, Side.SELL, policy) == 30
    assert ttl_of(Style.PANIC, Side.SELL, policy) == 15


SECONDS = [(-1, None), (0, 1), (59, 1), (60, 2), (3600, 61), (-61, 1)]


@pytest.mark.parametrize(("late_s", "used"), SECONDS)
def test_each_time_to_live_that_passed_counts_and_a_clock_set_back_too(
    late_s: int, used: int | None
) -> None:
    """A restart never begins an order's life anew: what passed without the desk is gone."""
    order = make_order(ttl_s=d("60"), next_action_at=NOON, replace_count=1)

    assert attempts_used(order, NOON + timedelta(seconds=late_s)) == used


def test_an_order_whose_ack_was_never_seen_lives_from_when_it_was_made() -> None:
    """Nobody knows better."""
    order = make_order(ttl_s=d("60"), created_at=NOON)

    assert attempts_used(order, NOON + timedelta(seconds=59)) is None
    assert attempts_used(order, NOON + timedelta(seconds=60)) == 0


def numbers(least: str, most: str) -> st.SearchStrategy[Decimal]:
    """Decimals with two places."""
    return st.decimals(min_value=d(least), max_value=d(most), places=2)


@given(
    bid=numbers("1", "90000"),
    spread=numbers("0.01", "900"),
    steps=st.integers(0, 6),
    step_bps=numbers("0", "50"),
    cross_bps=numbers("0", "200"),
    drift=st.lists(numbers("0.95", "1.05"), min_size=6, max_size=6),
)
def test_no_step_of_a_buy_goes_beyond_cross_and_collar_and_rounding_is_inside(
    bid: Decimal,
    spread: Decimal,
    steps: int,
    step_bps: Decimal,
    cross_bps: Decimal,
    drift: list[Decimal],
) -> None:
    """Whatever the market does meanwhile; its mirror does the same downwards."""
    ladder = Ladder(
        max_attempts=steps,
        step_bps=step_bps,
        max_cross_bps=cross_bps,
        guard_pct=d("0.5"),
        collar_pct=d("5"),
    )
    limit = bid
    for attempt in range(steps):
        now_bid = bid * drift[attempt]
        quote = make_quote(bid=now_bid, ask=now_bid + spread)
        price = next_price(Side.BUY, limit, quote, attempt=attempt, ladder=ladder)
        mirror = next_price(Side.SELL, limit, quote, attempt=attempt, ladder=ladder)

        assert price <= quote.bid + quote.mid * cross_bps / 10_000
        assert mirror >= quote.ask - quote.mid * cross_bps / 10_000
        assert rounded(Side.BUY, price, CENT) <= price
        assert rounded(Side.SELL, mirror, CENT) >= mirror
        limit = price


@given(bid=numbers("1", "90000"), spread=numbers("0.01", "900"), steps=st.integers(0, 6))
def test_a_still_market_never_asks_for_more_than_the_worst_price(
    bid: Decimal, spread: Decimal, steps: int
) -> None:
    """The quantity was reckoned by it, and it lies in the collar."""
    quote = make_quote(bid=bid, ask=bid + spread)
    ladder = ladder_of(Policy(max_reprice_attempts=steps, max_cross_spread_bps=d("10000")))
    first = first_price(Style.NORMAL, Side.BUY, quote)
    worst = worst_of(first, quote, ladder)

    assert first <= worst <= max(first, collared(Side.BUY, quote, ladder))
    for price in climb(Side.BUY, str(first), quote, ladder):
        assert price <= max(worst, collared(Side.BUY, quote, ladder))
