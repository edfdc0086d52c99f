"""`edge`: it enters only on what it knows, and leaves on a crash or on age."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from builders import BTC, NOON, d, make_candle, make_position, make_quote
from zoe_tools.core.strategy.edge import MAX_AGE_CANDLES, EdgeStrategy, _strength
from zoe_tools.core.strategy.protocol import Decision, MarketView
from zoe_tools.core.strategy.regime import Regime
from zoe_tools.domain.candle import Candle
from zoe_tools.domain.position import Position

HOUR = timedelta(hours=1)
HISTORY = EdgeStrategy.history


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


def decide(candles: Sequence[Candle], position: Position | None = None) -> Decision:
    """What edge says after the newest close."""
    now = candles[-1].opened_at + HOUR if candles else NOON
    view = MarketView(
        symbol=BTC,
        now=now,
        quote=make_quote(as_of=now),
        candles=tuple(candles),
        position=position,
    )
    return EdgeStrategy().decide(view)


def test_it_enters_when_attention_and_trend_agree() -> None:
    """With a size between nothing and all, and the trace of what it saw."""
    decision = decide(climbing())

    assert (decision.action, decision.symbol) == ("enter", BTC)
    assert 0 < decision.strength <= 1
    seen = dict(decision.features)
    assert seen["regime"] in {"low_vol_bull", "transition"}
    assert float(seen["attention_z"]) > 0.8
    assert float(seen["vwap_distance"]) > 0


@pytest.mark.parametrize(
    ("attention", "distance", "efficiency", "regime", "strength"),
    [
        (3.0, 0.05, 1.0, Regime.LOW_VOL_BULL, "1.0000"),
        (30.0, 0.5, 1.0, Regime.LOW_VOL_BULL, "1.0000"),
        (3.0, 0.05, 1.0, Regime.TRANSITION, "0.5000"),
        (1.5, 0.025, 0.5, Regime.LOW_VOL_BULL, "0.7500"),
        (0.0, 0.0, 0.0, Regime.TRANSITION, "0.2500"),
    ],
)
def test_the_size_follows_the_features_and_the_regime(
    attention: float, distance: float, efficiency: float, regime: Regime, strength: str
) -> None:
    """Half the size for the regime alone; the rest by 0.4, 0.3 and 0.3, each at most in full."""
    values: dict[str, float | None] = {
        "attention_z": attention,
        "vwap_distance": distance,
        "efficiency_ratio": efficiency,
    }

    assert _strength(values, regime) == Decimal(strength)


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
    assert dict(decision.features)[named].startswith("missing: ")


def test_what_failed_refuses_the_entry_and_is_named() -> None:
    """A volume that never changes has no deviation to compare with."""
    candles = [replace(each, volume=d("10")) for each in climbing()]
    decision = decide(candles)

    assert (decision.action, decision.reason) == ("hold", "not known: attention_z")
    assert dict(decision.features)["attention_z"].startswith("failed: ")


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
    """Two candles that bounce over the same wide range."""
    candles = climbing()
    before, last = candles[-2:]
    high, low = last.close * d("1.006"), last.close * d("0.994")
    wide = [replace(each, high=high, low=low) for each in (before, last)]
    decision = decide([*candles[:-2], *wide])

    assert (decision.action, decision.reason) == ("hold", "the implied spread is wide")


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


@pytest.mark.parametrize(
    ("age", "action"), [(MAX_AGE_CANDLES - 1, "hold"), (MAX_AGE_CANDLES, "exit")]
)
def test_a_position_that_is_too_old_is_left(age: int, action: str) -> None:
    """Counted in candles from its opening."""
    candles = climbing()
    position = make_position(opened_at=candles[-1].opened_at + HOUR - age * HOUR)

    assert decide(candles, position).action == action


def test_the_feature_without_a_source_is_named() -> None:
    """Funding is absent by configuration: pre-flight shows it, no rule waits for it."""
    assert EdgeStrategy().absent_features == ("funding",)
    assert "funding" not in dict(decide(climbing()).features)


def test_what_comes_later_changes_no_earlier_decision() -> None:
    """The decision is the same whether or not the future is already known elsewhere."""
    candles = climbing(HISTORY + 10)

    assert decide(candles[10:]) == decide(candles)
