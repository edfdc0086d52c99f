"""Strategies by name, and those that somebody else plugs in."""

from __future__ import annotations

import sys
from decimal import Decimal
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import ModuleType

import pytest

from builders import BTC, NOON, make_quote
from zoe_tools.config import Settings, load_settings
from zoe_tools.core.strategy.edge import EdgeStrategy
from zoe_tools.core.strategy.protocol import Action, Decision, MarketView
from zoe_tools.domain.candle import Timeframe
from zoe_tools.errors import ConfigError
from zoe_tools.runtime import strategies
from zoe_tools.runtime.strategies import GROUP, edge_rules, strategy_named, strategy_names


class Weekender:
    """What a third party writes: no import but the protocol's values."""

    name = "weekender"
    history = 2
    stop_loss_pct = None
    take_profit_pct = Decimal("1.5")
    absent_features: tuple[str, ...] = ()

    def __init__(self, timeframe: Timeframe | None) -> None:
        self.timeframe = timeframe or Timeframe.H4

    def decide(self, view: MarketView) -> Decision:
        """Enters on a Saturday."""
        action: Action = "enter" if view.now.isoweekday() == 6 else "hold"
        return Decision(symbol=view.symbol, action=action, reason="the day of the week")


def unfinished(timeframe: Timeframe | None) -> object:
    """A factory of something that is no strategy."""
    del timeframe
    return object()


def broken(timeframe: Timeframe | None) -> object:
    """A factory that raises."""
    raise LookupError(f"no candles of {timeframe}")


def patient(timeframe: Timeframe | None) -> object:
    """A factory of a strategy that looks back too far."""
    made = Weekender(timeframe)
    made.history = 10_000
    return made


def doubtful(timeframe: Timeframe | None) -> object:
    """A factory of a strategy whose target is no number."""
    made = Weekender(timeframe)
    made.take_profit_pct = Decimal("NaN")
    return made


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages that plug strategies in, as entry points tell of them."""
    module = ModuleType("their_package")
    for each in (Weekender, unfinished, broken, patient, doubtful):
        setattr(module, each.__name__, each)
    monkeypatch.setitem(sys.modules, "their_package", module)
    points = [
        EntryPoint(name, f"their_package:{target}", GROUP)
        for name, target in (
            ("weekender", "Weekender"),
            ("unfinished", "unfinished"),
            ("broken", "broken"),
            ("patient", "patient"),
            ("doubtful", "doubtful"),
            ("gone", "NotThere"),
            ("edge", "Weekender"),
            ("twice", "Weekender"),
        )
    ]
    points.append(EntryPoint("twice", "their_package:patient", GROUP))
    installed = EntryPoints(points)
    monkeypatch.setattr(strategies, "entry_points", installed.select)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The defaults."""
    return load_settings({}, home=tmp_path)


def test_a_strategy_plugs_in_by_an_entry_point(settings: Settings) -> None:
    """The factory gets the length of the candles; what it makes decides."""
    made = strategy_named("weekender", settings, Timeframe.H1)
    view = MarketView(symbol=BTC, now=NOON, quote=make_quote(), candles=(), position=None)

    assert (made.name, made.timeframe) == ("weekender", Timeframe.H1)
    assert strategy_named("weekender", settings).timeframe is Timeframe.H4
    assert made.decide(view).reason == "the day of the week"


def test_a_plug_in_does_not_take_a_built_in_name(settings: Settings) -> None:
    """Edge is edge."""
    assert isinstance(strategy_named("edge", settings), EdgeStrategy)
    assert strategy_names().count("edge") == 1


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("broken", "LookupError: no candles of None"),
        ("gone", "AttributeError"),
        ("unfinished", "it cannot decide"),
        ("patient", "history is not between 1 and 720"),
        ("doubtful", "take_profit_pct is neither None nor a percentage"),
        ("twice", "2 packages have a strategy called 'twice'"),
    ],
)
def test_a_broken_plug_in_is_a_sentence(name: str, told: str, settings: Settings) -> None:
    """Never a traceback: exit code 2, and where it comes from."""
    with pytest.raises(ConfigError, match=told) as raised:
        strategy_named(name, settings)
    assert raised.value.hint


def test_an_unknown_name_lists_all_there_are(settings: Settings) -> None:
    """Built in first, then plugged in."""
    with pytest.raises(ConfigError, match="'luck'") as raised:
        strategy_named("luck", settings)
    assert "edge, demo, hold, broken, doubtful, gone, patient, twice, unfinished, weekender" in (
        raised.value.hint
    )


def test_the_operator_s_settings_are_edge_s_rules(tmp_path: Path) -> None:
    """Each knob turns what it says; shares stay shares."""
    told = {
        "EDGE_FACTORY_FUNDING_SOURCE": "kraken-futures",
        "EDGE_FACTORY_FUNDING_STALE": "700",
        "EDGE_FACTORY_FUNDING_RATE_MAX": "0.0006",
        "EDGE_FACTORY_TREND_Z_THRESHOLD": "0.9",
        "EDGE_FACTORY_CORWIN_SCHULTZ_MAX": "0.007",
        "EDGE_FACTORY_MIN_EXPECTED_MOVE": "0.02",
        "EDGE_FACTORY_KELLY_FRACTION": "0.25",
        "EDGE_FACTORY_MAX_POSITION_PCT": "0.1",
        "EDGE_FACTORY_HEAT_MAX": "0.5",
        "EDGE_FACTORY_CONSEC_LOSS_MAX": "3",
        "EDGE_FACTORY_POS_TIMEOUT_HOURS": "24",
        "EDGE_FACTORY_SYMBOL_COOLDOWN": "2",
        "EDGE_FACTORY_DAILY_TURNOVER_CAP": "1.5",
        "EDGE_FACTORY_MIN_TRADE_NOTIONAL": "5",
        "EDGE_FACTORY_MIN_REMAINING_EQUITY": "20",
    }
    changed = load_settings(told, home=tmp_path)
    rules, usual = edge_rules(changed), edge_rules(load_settings({}, home=tmp_path))
    names = rules.__dataclass_fields__

    assert [name for name in names if getattr(rules, name) == getattr(usual, name)] == []
    assert (rules.expected_move_min_pct, rules.max_position) == (2.0, 0.1)
    assert strategy_named("edge", changed).absent_features == ()
    assert strategy_named("edge", changed, is_funded=False).absent_features == ("funding",)
