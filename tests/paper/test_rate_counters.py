"""What calls cost: the sheet's tables, its worked examples, and counters over a restart."""

from __future__ import annotations

import base64
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Literal
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paper_desk import START, ScriptedSource, StandingClock, ask_for, d, snapshot, traded
from zoe_tools.paper.engine.rate_counters import (
    CALL,
    TIERS,
    EngineCounters,
    Kind,
    Meter,
    TierName,
    batch_cost,
    charge_rest,
    engine_cost,
    rest_cost,
)
from zoe_tools.paper.exchange.exchange import ExchangeOptions, PaperExchange
from zoe_tools.paper.exchange.keys import SignedCall, sign
from zoe_tools.paper.exchange.state import StateFile
from zoe_tools.paper.values.order import AmendOrder, EditOrder, OrderView
from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.values.times import NS

SECRET = base64.b64encode(b"a secret").decode()
SYMBOL = "BTC/USD"
MARKET = (snapshot(["69999.0 1.0"], ["70001.0 0.3"]), traded("70000.0", "0.1"))


class Limited:
    """An exchange with a tier; one account under two keys, and a clock that is moved by hand."""

    def __init__(self, tier: TierName, path: Path | None = None) -> None:
        self.clock = StandingClock()
        self.exchange = PaperExchange(
            ScriptedSource(),
            self.clock,
            state=None if path is None else StateFile(path),
            options=ExchangeOptions(tier=tier),
        )
        self.account = self.exchange.create_account(
            "one", "one", SECRET, balances={"USD": d("10000000"), "BTC": d("10")}
        )
        for event in MARKET:
            self.exchange.hear(event)
        self.nonce = 0

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.ns += int(seconds * NS)

    def add(self, price: str = "60000.0") -> OrderView:
        """One order that rests."""
        return self.exchange.add_order(self.account, ask_for("buy", "0.001", price))

    @property
    def count(self) -> Decimal:
        """The engine's counter."""
        return self.exchange.rate_count(self.account, SYMBOL)

    def call(self, method: str) -> str:
        """A signed call; the refusal, or nothing."""
        self.nonce += 1
        nonce, path = str(self.nonce), f"/0/private/{method}"
        body = urlencode({"nonce": nonce}).encode()
        signature = sign(secret=SECRET, path=path, body=body, nonce=nonce)
        try:
            self.exchange.authenticate(
                SignedCall(api_key="one", signature=signature, path=path, body=body, nonce=nonce)
            )
        except Refusal as refusal:
            return refusal.error
        return ""


@pytest.mark.parametrize(
    ("kind", "by_age"),
    [
        ("add", [1, 1, 1, 1, 1, 1, 1]),
        ("amend", [4, 3, 2, 1, 1, 1, 1]),
        ("edit", [7, 6, 5, 3, 2, 1, 1]),
        ("cancel", [8, 6, 5, 4, 2, 1, 0]),
    ],
)
def test_a_transaction_costs_by_the_age_of_its_order(kind: Kind, by_age: list[int]) -> None:
    """Section 3.2: below 5, 10, 15, 45, 90 and 300 s, and from 300 s on; the edges belong up."""
    for ages in ([0, 5, 10, 15, 45, 90, 300], [4.99, 9.99, 14.99, 44.99, 89.99, 299.99, 10**6]):
        assert [engine_cost(kind, int(age * NS)) // CALL for age in ages] == by_age


@pytest.mark.parametrize(
    ("method", "calls"),
    [("Balance", 1), ("OpenOrders", 1), ("Ledgers", 2), ("TradesHistory", 2), ("AddOrder", 0)],
)
def test_a_rest_call_costs_by_its_method(method: str, calls: int) -> None:
    """Section 3.1: history counts double, the engine's calls not at all."""
    assert rest_cost(method) == calls * CALL


def test_a_starter_gets_fifteen_calls_and_then_one_every_three_seconds() -> None:
    """Section 17.7."""
    desk = Limited("starter")
    assert [desk.call("Balance") for _ in range(15)] == [""] * 15
    assert desk.call("Balance") == "EAPI:Rate limit exceeded"
    desk.wait(3)
    assert desk.call("Balance") == "EAPI:Rate limit exceeded"
    desk.wait(3.04)
    assert desk.call("Balance") == ""
    assert desk.call("AddOrder") == ""


def test_who_hammers_stays_out() -> None:
    """A refused call fills the counter again: ten seconds of calls each half second win nothing."""
    meter, tier = Meter(), TIERS["starter"]
    refused = 0
    for half_second in range(80):
        try:
            charge_rest(meter, "Balance", half_second * NS // 2, tier)
        except Refusal:
            refused += 1
    assert refused >= 60
    charge_rest(meter, "Balance", 44 * NS, tier)


def test_fifty_adds_decay_as_kraken_says() -> None:
    """Section 17.7, intermediate: 50 - 10 * 2.34 = 26.6."""
    desk = Limited("intermediate")
    for _ in range(50):
        desk.add()
    assert desk.count == 50
    desk.wait(10)
    assert desk.count == d("26.6")


def test_seven_orders_canceled_after_two_seconds_are_over_the_limit() -> None:
    """Section 17.7, starter: 7 - 2 + 7 * 8 = 61; cancels pass, the next order does not."""
    desk = Limited("starter")
    orders = [desk.add() for _ in range(7)]
    desk.wait(2)
    for order in orders:
        desk.exchange.cancel_order(desk.account, order_id=order.order_id)
    assert desk.count == 61
    with pytest.raises(Refusal, match="EOrder:Rate limit exceeded"):
        desk.add()
    desk.wait(2)
    desk.add()


def test_an_amendment_makes_an_order_young_again() -> None:
    """The sheet's worked example: add 1, amend after 7 s 1 + 2, cancel 36 s later 4."""
    desk = Limited("pro")
    order = desk.add()
    desk.wait(7)
    before = desk.count
    desk.exchange.amend_order(
        desk.account, AmendOrder(order_id=order.order_id, limit_price=d("60001.0"))
    )
    assert desk.count - before == 3
    desk.wait(36)
    before = desk.count
    desk.exchange.cancel_order(desk.account, order_id=order.order_id)
    assert desk.count - before == 4


def test_an_edit_a_batch_and_a_cancel_of_all_have_their_prices() -> None:
    """1 + 6 for a young order; half a call for each of a batch; one for a pair of orders."""
    desk = Limited("pro")
    order = desk.add()
    desk.exchange.edit_order(
        desk.account, EditOrder(symbol=SYMBOL, order_id=order.order_id, limit_price=d("59999.0"))
    )
    assert desk.count == 1 + 7
    desk.exchange.add_batch(desk.account, [ask_for("buy", "0.001", "50000.0")] * 3)
    assert desk.count == 8 + d("1.5")
    desk.exchange.cancel_all(desk.account)
    assert desk.count == d("9.5") + 1


def test_an_amendment_that_ends_its_order_pays_for_the_cancel_too() -> None:
    """Section 3.2: a side effect costs what a cancel costs."""
    desk = Limited("pro")
    order = desk.exchange.add_order(desk.account, ask_for("buy", "0.4", "70001.0"))
    assert order.filled == d("0.3")
    desk.exchange.amend_order(desk.account, AmendOrder(order_id=order.order_id, quantity=d("0.1")))
    assert desk.count == 1 + (1 + 3) + 8


def test_a_refused_order_is_counted_and_a_trial_is_not() -> None:
    """The fixed part is charged even if validation fails."""
    desk = Limited("pro")
    with pytest.raises(Refusal, match="Order minimum"):
        desk.exchange.add_order(desk.account, ask_for("buy", "0.00000001", "60000.0"))
    assert desk.count == 1
    desk.exchange.add_order(desk.account, ask_for("buy", "0.001", "60000.0", is_validate=True))
    assert desk.count == 1


def test_the_tier_says_how_many_orders_may_be_open() -> None:
    """Sixty a pair for a starter."""
    desk = Limited("starter")
    for _ in range(60):
        desk.add()
        desk.wait(1)
    with pytest.raises(Refusal, match="EOrder:Orders limit exceeded"):
        desk.add()


def test_the_counters_outlive_the_exchange(tmp_path: Path) -> None:
    """Otherwise a crash would be a way around them."""
    path = tmp_path / "paper.sqlite"
    desk = Limited("starter", path)
    for _ in range(9):
        desk.add()
        assert desk.call("Balance") == ""
    desk.exchange.close()

    clock = StandingClock(START + 2 * NS)
    again = PaperExchange(
        ScriptedSource(), clock, state=StateFile(path), options=ExchangeOptions(tier="starter")
    )
    assert again.rate_count(desk.account, SYMBOL) == 7
    assert again._keys.keys["one"].calls.decayed(clock.ns, 33) == 9 * CALL - 2 * 33 * NS
    again.close()


def test_without_a_tier_nothing_is_counted() -> None:
    """For replays and load."""
    exchange = PaperExchange(ScriptedSource(), StandingClock())
    account = exchange.create_account("one", "one", SECRET, balances={"USD": d("10000000")})
    for event in MARKET:
        exchange.hear(event)
    for _ in range(200):
        exchange.add_order(account, ask_for("buy", "0.001", "60000.0"))
    assert exchange.rate_count(account, SYMBOL) == 0


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(("add", "amend", "edit", "cancel", "batch")),
        st.integers(0, 400 * NS),
        st.integers(0, 60 * NS),
    ),
    max_size=60,
)


@given(tier=st.sampled_from(tuple(TIERS)), steps=_STEPS)
def test_any_row_of_transactions_counts_as_fractions_would(
    tier: TierName, steps: list[tuple[Kind | Literal["batch"], int, int]]
) -> None:
    """Nothing is rounded, whatever is waited; what does not fit is not counted."""
    counters, rates = EngineCounters(), TIERS[tier]
    level, now = Fraction(0), 0
    for kind, age, wait in steps:
        now += wait
        level = max(Fraction(0), level - Fraction(wait * rates.engine_decay, 100 * NS))
        cost = batch_cost(5) if kind == "batch" else engine_cost(kind, age)
        fits = level + Fraction(cost, CALL) <= rates.engine_calls
        try:
            counters.check("A", SYMBOL, cost, now, rates)
            was_let_in = True
        except Refusal:
            was_let_in = False
        if was_let_in or kind == "cancel":
            counters.add("A", SYMBOL, cost, now, rates)
            level += Fraction(cost, CALL)

        assert was_let_in == fits
        assert Fraction(counters.count("A", SYMBOL, now, rates)) == level
