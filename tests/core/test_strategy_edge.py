"""`edge`: it enters only on what it knows, and leaves on a crash or on age."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from builders import BTC, NOON, d, make_candle, make_position, make_quote
from zoe_tools.core.strategy.edge import EdgeStrategy, strength_of
from zoe_tools.core.strategy.edge_rules import EdgeRules
from zoe_tools.core.strategy.protocol import AccountView, Decision, FundingView, MarketView
from zoe_tools.core.strategy.regime import Regime
from zoe_tools.domain.candle import Candle
from zoe_tools.domain.position import Position

HOUR = timedelta(hours=1)
HISTORY = EdgeStrategy.history
ACCOUNT = AccountView(
    as_of=NOON,
    equity=d("1000"),
    open_notional=d("0"),
    daily_notional=d("0"),
    max_notional=d("25"),
)
FUNDED = EdgeRules(uses_funding=True)


def climbing(count: int = HISTORY) -> list[Candle]:
    """A steady climb in wide, lively candles: volume rises now and then, most of all at the end."""
    candles = []
    for number in range(count):
        close = 100 * 1.004 ** (number + 1)
        open_ = 100 * 1.004**number
        lively = 1 + 0.05 * math.sin(number)
        candles.append(
            make_candle(
                opened_at=NOON + number * HOUR,
                open=_price(open_),
                high=_price(close * (1 + 0.004 * lively)),
                low=_price(open_ * (1 - 0.004 * lively)),
                close=_price(close),
                vwap=_price((open_ + close) / 2),
                volume=Decimal(10 + number % 3) if number < count - 1 else Decimal(40),
            )
        )
    return candles


def crashing(candles: Sequence[Candle], count: int) -> list[Candle]:
    """The newest `count` candles become so wide that the volatility is a crash's."""
    calm, wild = candles[:-count], candles[-count:]
    return [*calm, *(replace(each, high=each.high * 2, low=each.low / 2) for each in wild)]


def _price(value: float) -> Decimal:
    return Decimal(f"{value:.4f}")


def decide(
    candles: Sequence[Candle],
    position: Position | None = None,
    *,
    rules: EdgeRules | None = None,
    **changes: Any,
) -> Decision:
    """What edge says after the newest close."""
    now = candles[-1].opened_at + HOUR if candles else NOON
    view = MarketView(
        symbol=BTC,
        now=now,
        quote=make_quote(as_of=now),
        candles=tuple(candles),
        position=position,
        account=ACCOUNT,
    )
    return EdgeStrategy(rules=rules or EdgeRules()).decide(replace(view, **changes))


def seen(decision: Decision) -> dict[str, float | None]:
    """The features it was made from."""
    return {each.name: each.value for each in decision.seen}


def told(decision: Decision, name: str) -> str:
    """One of them in words."""
    (feature,) = (each for each in decision.seen if each.name == name)
    return feature.told


def test_it_enters_when_attention_and_trend_agree() -> None:
    """With a size of its own, and the trace of what it saw."""
    decision = decide(climbing())

    assert (decision.action, decision.symbol) == ("enter", BTC)
    assert 0 < decision.strength <= 1
    assert decision.notional == d("25.00")
    assert dict(decision.features)["regime"] in {"low_vol_bull", "transition"}
    values = seen(decision)
    assert (values["attention_z"] or 0) > 0.8
    assert (values["vwap_distance"] or 0) > 0


@pytest.mark.parametrize(
    ("attention", "distance", "efficiency", "regime", "funding", "strength"),
    [
        (3.0, 0.05, 1.0, Regime.LOW_VOL_BULL, 0.0, 1.0),
        (30.0, 0.5, 1.0, Regime.LOW_VOL_BULL, None, 1.0),
        (3.0, 0.05, 1.0, Regime.LOW_VOL_BULL, -0.0005, 0.9),
        (3.0, 0.05, 1.0, Regime.LOW_VOL_BULL, 0.002, 0.8),
        (3.0, 0.05, 1.0, Regime.TRANSITION, None, 0.7 / 0.8),
        (1.5, 0.025, 0.5, Regime.TRANSITION, 0.0005, 0.5),
        (0.0, -0.1, 0.0, Regime.TRANSITION, None, 0.125),
    ],
)
def test_the_strength_weighs_what_speaks_for_an_entry(
    attention: float,
    distance: float,
    efficiency: float,
    regime: Regime,
    funding: float | None,
    strength: float,
) -> None:
    """By .30, .15, .15, .20 and .20, each at most in full; without funding the rest is all."""
    values: dict[str, float | None] = {
        "attention_z": attention,
        "vwap_distance": distance,
        "efficiency_ratio": efficiency,
        "funding_8h": funding,
    }

    assert strength_of(values, regime) == pytest.approx(strength)


@pytest.mark.parametrize(
    ("count", "named"),
    [(1, "corwin_schultz_spread"), (14, "attention_z"), (10, "efficiency_ratio")],
)
def test_what_is_missing_refuses_the_entry_and_is_named(count: int, named: str) -> None:
    """Fail closed: a feature without enough history is no reason to enter."""
    decision = decide(climbing(count))

    assert decision.action == "hold"
    assert decision.reason.startswith("not known: ")
    assert named in decision.reason
    assert told(decision, named).startswith("missing: ")


def test_what_failed_refuses_the_entry_and_is_named() -> None:
    """A volume that never changes has no deviation to compare with."""
    candles = [replace(each, volume=d("10")) for each in climbing()]
    decision = decide(candles)

    assert (decision.action, decision.reason) == ("hold", "not known: attention_z")
    assert told(decision, "attention_z") == "failed: nothing varied"


def test_before_the_first_close_it_holds() -> None:
    """No candle, no opinion."""
    assert decide([]).reason == "no candle has closed yet"


def test_low_attention_refuses() -> None:
    """The newest volume is like the others."""
    candles = climbing()
    decision = decide([*candles[:-1], replace(candles[-1], volume=d("10"))])

    assert (decision.action, decision.reason) == ("hold", "attention is low")


def test_a_close_below_its_vwap_refuses() -> None:
    """The last candle fell far enough."""
    candles = climbing()
    last = candles[-1]
    fallen = replace(last, close=last.low, vwap=last.high)
    decision = decide([*candles[:-1], fallen])

    assert (decision.action, decision.reason) == ("hold", "the price is below its vwap")


def test_a_wide_implied_spread_refuses() -> None:
    """A window of candles that bounce over the same wide range."""
    candles = climbing()
    wide = [
        replace(each, high=candles[-1].close * d("1.02"), low=candles[-1].close * d("0.98"))
        for each in candles[-15:]
    ]
    decision = decide([*candles[:-15], *wide])

    assert decision.action == "hold"
    assert (seen(decision)["corwin_schultz_spread"] or 0) > 0.006
    assert decide([*candles[:-15], *wide], rules=EdgeRules(spread_max=1.0)).reason != (
        "the implied spread is wide"
    )


def test_a_small_expected_move_refuses() -> None:
    """Candles as thin as their bodies promise less than three percent a day."""
    candles = [
        replace(
            each,
            high=max(each.open, each.close) * d("1.0001"),
            low=min(each.open, each.close) * d("0.9999"),
        )
        for each in climbing()
    ]

    assert decide(candles).reason == "the expected move does not pay for the costs"


@pytest.mark.parametrize("count", [1, 3])
def test_no_entry_into_a_crash_settled_or_not(count: int) -> None:
    """One close is enough to keep out."""
    decision = decide(crashing(climbing(), count))

    assert (decision.action, decision.reason) == ("hold", "the regime is high_vol_crash")


@pytest.mark.parametrize(("count", "action"), [(1, "hold"), (2, "hold"), (3, "exit")])
def test_a_position_is_left_in_a_settled_crash_only(count: int, action: str) -> None:
    """Three closes in a row: one wild candle does not sell everything."""
    candles = crashing(climbing(), count)
    position = make_position(opened_at=candles[-1].opened_at)

    assert decide(candles, position).action == action


@pytest.mark.parametrize(("age_h", "action"), [(47, "hold"), (48, "exit")])
def test_a_position_that_is_too_old_is_left(age_h: int, action: str) -> None:
    """After EDGE_FACTORY_POS_TIMEOUT_HOURS."""
    candles = climbing()
    position = make_position(opened_at=candles[-1].opened_at + HOUR - age_h * HOUR)

    assert decide(candles, position).action == action


def test_the_feature_without_a_source_is_named() -> None:
    """Funding is absent by configuration: pre-flight shows it, no rule waits for it."""
    assert EdgeStrategy().absent_features == ("funding",)
    assert EdgeStrategy(rules=FUNDED).absent_features == ()
    assert told(decide(climbing()), "funding_8h") == "absent: no source is configured"


@pytest.mark.parametrize(
    ("rate", "age_s", "note", "reason"),
    [
        ("0.0005", 0, "", ""),
        ("-0.0005", 600, "", ""),
        ("0.00051", 0, "", "perpetual funding is out of bounds"),
        ("-0.00051", 0, "", "perpetual funding is out of bounds"),
        ("0", 601, "", "not known: funding_8h"),
        (None, 0, "", "not known: funding_8h"),
        (None, 0, "HTTP 502", "not known: funding_8h"),
    ],
)
def test_funding_that_is_late_or_failed_refuses_the_entry(
    rate: str | None, age_s: int, note: str, reason: str
) -> None:
    """A configured source that says nothing is no zero: the gate fails closed."""
    candles = climbing()
    view = FundingView(
        rate_8h=None if rate is None else d(rate),
        as_of=candles[-1].opened_at + HOUR - timedelta(seconds=age_s),
        source="test",
        note=note,
    )
    decision = decide(candles, rules=FUNDED, funding=view)

    assert (decision.action, decision.reason if reason else "") == (
        "hold" if reason else "enter",
        reason,
    )


def test_a_failed_feature_keeps_no_position_from_being_left() -> None:
    """Exits ask for the age and the settled regime alone."""
    candles = climbing()
    late: dict[str, Any] = {"now": candles[-1].opened_at + 3 * HOUR}
    position = make_position(opened_at=candles[-1].opened_at - 60 * HOUR)

    assert decide(candles, rules=FUNDED, **late).reason.startswith("not known: attention_z")
    assert decide(candles, position, rules=FUNDED, **late).action == "exit"


@pytest.mark.parametrize(
    ("account", "reason"),
    [
        (None, "the account is not known"),
        (replace(ACCOUNT, equity=None), "the account's equity is not known"),
        (replace(ACCOUNT, open_notional=d("600")), "60% of the equity is at risk already"),
        (replace(ACCOUNT, max_notional=d("0.50")), "a size of 0.50 is too small for an order"),
    ],
)
def test_the_account_has_its_say(account: AccountView | None, reason: str) -> None:
    """After the market's."""
    assert decide(climbing(), account=account).reason == reason


def test_what_comes_later_changes_no_earlier_decision() -> None:
    """The decision is the same whether or not the future is already known elsewhere."""
    candles = climbing(HISTORY + 10)

    assert decide(candles[10:]) == decide(candles)
