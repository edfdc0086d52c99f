"""`demo`, `hold` and the registry."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from builders import BTC, NOON, d, make_candle, make_position, make_quote
from zoe_tools.core.strategy.demo import DemoStrategy
from zoe_tools.core.strategy.hold import HoldStrategy
from zoe_tools.core.strategy.protocol import MarketView
from zoe_tools.core.strategy.registry import NAMES, built_in
from zoe_tools.domain.candle import Timeframe
from zoe_tools.domain.position import Position


def view(
    closes: Sequence[str], *, position: Position | None = None, minutes: int = 0
) -> MarketView:
    """Minute candles with these closes, seen so long after noon."""
    candles = tuple(
        make_candle(timeframe=Timeframe.M1, opened_at=NOON + timedelta(minutes=n), close=d(close))
        for n, close in enumerate(closes)
    )
    now = NOON + timedelta(minutes=minutes)
    return MarketView(
        symbol=BTC, now=now, quote=make_quote(as_of=now), candles=candles, position=position
    )


@pytest.mark.parametrize(
    ("closes", "action", "reason"),
    [
        ([], "hold", "waiting for two closed candles"),
        (["100"], "hold", "waiting for two closed candles"),
        (["100", "100.1"], "enter", "the close rose"),
        (["100", "100"], "hold", "the close did not rise"),
        (["90", "101", "100"], "hold", "the close did not rise"),
    ],
)
def test_demo_buys_after_a_rising_close(closes: list[str], action: str, reason: str) -> None:
    """The two newest closes decide."""
    decision = DemoStrategy().decide(view(closes))

    assert (decision.symbol, decision.action, decision.reason) == (BTC, action, reason)


def test_demo_says_what_it_saw() -> None:
    """Both closes are in the trace."""
    decision = DemoStrategy().decide(view(["100", "100.1"]))

    assert decision.features == (("previous_close", "100"), ("close", "100.1"))


@pytest.mark.parametrize(
    ("minutes", "action"), [(0, "hold"), (5, "hold"), (6, "exit"), (600, "exit")]
)
def test_demo_gives_up_after_six_candles(minutes: int, action: str) -> None:
    """Until then stop and target have their time, whatever the closes do."""
    seen = view(["100", "101"], position=make_position(), minutes=minutes)

    assert DemoStrategy().decide(seen).action == action


def test_patience_is_counted_in_the_strategy_s_own_candles() -> None:
    """Six hours on hourly candles."""
    seen = view(["100", "101"], position=make_position(), minutes=6 * 59)

    assert DemoStrategy(timeframe=Timeframe.H1).decide(seen).action == "hold"


def test_hold_only_watches() -> None:
    """Never enters, never leaves."""
    for position in (None, make_position()):
        seen = view(["100", "200"], position=position, minutes=10_000)
        assert HoldStrategy().decide(seen).action == "hold"


@pytest.mark.parametrize("name", NAMES)
def test_a_strategy_is_found_by_its_name(name: str) -> None:
    """And needs a history to look back on."""
    found = built_in(name)

    assert found is not None
    assert (found.name, found.history >= 1) == (name, True)


@pytest.mark.parametrize("name", ["demo", "edge"])
def test_a_strategy_is_made_for_the_candles_at_hand(name: str) -> None:
    """A replay of hourly candles is decided hourly."""
    found = built_in(name, Timeframe.H4)

    assert found is not None
    assert found.timeframe is Timeframe.H4


def test_an_unknown_name_is_not_built_in() -> None:
    """Whether somebody plugs it in is not known here."""
    assert built_in("luck") is None
