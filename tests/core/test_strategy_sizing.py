"""How much an entry of `edge` may cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import BTC, NOON, d
from zoe_tools.core.strategy.edge_rules import EdgeRules
from zoe_tools.core.strategy.protocol import AccountView, ClosedTrade
from zoe_tools.core.strategy.sizing import ENOUGH_TRADES, Conditions, kelly_of, size_of

ACCOUNT = AccountView(
    as_of=NOON,
    equity=d("1000"),
    open_notional=d("0"),
    daily_notional=d("0"),
    max_notional=d("1000"),
)
SURE = Conditions(strength=1.0, regime=1.0, volatility=0.4)


def trades(*returns: str) -> tuple[ClosedTrade, ...]:
    """Round trips of 100 that returned so many percent."""
    return tuple(
        ClosedTrade(symbol=BTC, closed_at=NOON + timedelta(hours=n), result=d(each), cost=d("100"))
        for n, each in enumerate(returns)
    )


@pytest.mark.parametrize(
    ("returns", "share", "counted"),
    [
        ((), 0.45 - 0.55 / 2, 0),
        (("1",) * (ENOUGH_TRADES - 1), 0.175, 0),
        (("4",) * 9 + ("-2",) * 11, 0.45 - 0.55 / 2, 20),
        (("3",) * 12 + ("-2",) * 8, 0.6 - 0.4 / 1.5, 20),
        (("1",) * 10 + ("-1",) * 10, 0.0, 20),
        (("1",) * 5 + ("-1",) * 15, -0.5, 20),
        (("-1",) * 20, -1.0, 20),
        (("2",) * 20, 1.0, 20),
        (("0",) * 20, -1.0, 20),
    ],
)
def test_kelly_is_p_less_the_odds_against(
    returns: Sequence[str], share: float, counted: int
) -> None:
    """By p - (1 - p) / b of the trades themselves once there are twenty; until then the prior."""
    kelly = kelly_of(trades(*returns))

    assert kelly.share == pytest.approx(share)
    assert kelly.trades == counted


@pytest.mark.parametrize(
    ("conditions", "size"),
    [
        ({}, "87.50"),
        ({"strength": 0.0}, "43.75"),
        ({"regime": 0.5}, "43.75"),
        ({"volatility": 0.5}, "87.50"),
        ({"volatility": 1.0}, "75.00"),
    ],
)
def test_the_size_follows_strength_regime_and_volatility(
    conditions: dict[str, float], size: str
) -> None:
    """Half of Kelly's 17.5 % of 1000; half of it for the regime alone; 15 % x 0.5 / volatility."""
    assert size_of(ACCOUNT, replace(SURE, **conditions), EdgeRules()) == d(size)


def test_the_caps_are_of_equity_as_it_is_and_of_the_account() -> None:
    """At most 15 % of the equity, and never more than one trade may be worth."""
    winning = replace(ACCOUNT, closed=trades(*["2"] * 20))

    assert size_of(winning, SURE, EdgeRules()) == d("150.00")
    assert size_of(replace(winning, equity=d("100")), SURE, EdgeRules()) == d("15.00")
    assert size_of(replace(winning, max_notional=d("25")), SURE, EdgeRules()) == d("25.00")


def test_a_negative_edge_is_no_bet() -> None:
    """Not one percent all the same."""
    losing = replace(ACCOUNT, closed=trades(*["1"] * 5, *["-1"] * 15))

    assert size_of(losing, SURE, EdgeRules()) == "20 closed trades have no edge: no bet"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"equity": None}, "equity is not known"),
        ({"equity": d("0")}, "equity is not known"),
        ({"max_notional": d("0")}, "too small"),
        ({"equity": d("11")}, "too small"),
        ({"open_notional": d("903")}, "too little would be left: 9.50"),
    ],
)
def test_what_is_too_small_or_takes_too_much_is_no_order(
    changes: dict[str, Decimal | None], why: str
) -> None:
    """No floor overrides anything."""
    found = size_of(replace(ACCOUNT, **changes), SURE, EdgeRules(min_notional=d("5")))  # type: ignore[arg-type]

    assert isinstance(found, str)
    assert why in found


@given(
    st.decimals("1", "100000", places=2),
    st.decimals("0", "100000", places=2),
    st.floats(0, 1),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.floats(0, 5),
    st.lists(st.integers(-10, 10), max_size=40),
)
def test_no_size_is_above_any_cap(
    equity: Decimal,
    most: Decimal,
    strength: float,
    regime: float,
    volatility: float,
    returns: list[int],
) -> None:
    """Whatever the account and the market are."""
    account = replace(ACCOUNT, equity=equity, max_notional=most, closed=trades(*map(str, returns)))
    conditions = Conditions(strength=strength, regime=regime, volatility=volatility)
    found = size_of(account, conditions, EdgeRules())

    if isinstance(found, Decimal):
        assert 0 < found <= min(most, equity * d("0.15"))
        assert equity - found >= 10
