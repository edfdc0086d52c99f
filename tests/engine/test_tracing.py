"""DECISION_TRACE: each decision once, with what it was made from."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from builders import BTC, ETH, NOON, d, make_quote
from loop_rig import LoopRig, run_loop
from zoe_tools.core.strategy.protocol import Action, Decision, Feature, MarketView
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.engine.tracing import DecisionTrace, Traced, TraceRules, _details
from zoe_tools.errors import VenueRejected
from zoe_tools.observe.log import JsonLines

SEEN = (
    Feature(name="attention_z", value=1.5, as_of=NOON),
    Feature(
        name="funding_8h",
        value=None,
        as_of=NOON,
        source="kraken-futures",
        quality="stale",
        note="last told at noon",
    ),
)


def traced(
    action: Action = "hold", reason: str = "quiet", symbol: Symbol = BTC, **changes: Any
) -> Traced:
    """A question that was answered so."""
    decision = Decision(symbol=symbol, action=action, reason=reason, **changes)
    view = MarketView(symbol=symbol, now=NOON, quote=make_quote(symbol), candles=(), position=None)
    return Traced(symbol=symbol, view=view, decision=decision)


def told(trace: DecisionTrace, each: Traced, minutes: float) -> bool:
    """Whether it is told at that time."""
    return bool(trace.note((each,), NOON + timedelta(minutes=minutes)))


def test_a_hold_that_says_the_same_is_told_every_five_minutes() -> None:
    """Another reason, another instrument, or anything that is wanted is told at once."""
    trace = DecisionTrace(TraceRules())

    assert [told(trace, traced(), minute) for minute in (0, 1, 4.9, 5, 6)] == [
        True, False, False, True, False,
    ]  # fmt: skip
    assert told(trace, traced(symbol=ETH), 6)
    assert told(trace, traced(reason="loud"), 6)
    assert told(trace, traced("enter"), 6)
    assert told(trace, traced("enter"), 6)
    assert told(trace, traced(reason="loud"), 6)


def test_a_clock_that_is_set_back_silences_nothing() -> None:
    """What was told in the future is told again."""
    trace = DecisionTrace(TraceRules())

    assert told(trace, traced(), 0)
    assert told(trace, traced(), -10)


def test_the_line_has_every_feature_with_its_time_source_and_quality(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """For whoever asks why."""
    caplog.set_level(logging.INFO, "zoe_tools")
    one = traced("enter", notional=d("25"), features=(("regime", "transition"),), seen=SEEN)
    DecisionTrace(TraceRules()).note((one,), NOON)
    line = json.loads(JsonLines().format(caplog.records[0]))

    assert {name: line[name] for name in ("event", "symbol", "signal", "status", "regime")} == {
        "event": "DECISION_TRACE",
        "symbol": BTC,
        "signal": "enter",
        "status": "decided",
        "regime": "transition",
    }
    assert (line["notional"], line["strength"], line["candle_count"]) == ("25", "1", 0)
    assert line["features"]["funding_8h"] == {
        "value": None,
        "as_of": NOON.isoformat(),
        "source": "kraken-futures",
        "quality": "stale",
        "note": "last told at noon",
    }


def test_the_row_says_the_same_in_words() -> None:
    """A value, or why there is none."""
    details = _details(traced("enter", seen=SEEN, features=(("regime", "transition"),)))

    assert details["attention_z"] == "1.500000"
    assert details["funding_8h"] == "stale: last told at noon"
    assert details["regime"] == "transition"
    assert _details(Traced(symbol=BTC, view=None, decision=None, why="no")) == {
        "skipped": 1,
        "reason": "no",
    }


def test_what_became_of_an_entry_is_told_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An order, or what was in its way."""
    caplog.set_level(logging.INFO, "zoe_tools")

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        await rig.enter()
        rig.venue.cue("place", VenueRejected("EOrder:Insufficient funds"))
        await rig.enter(ETH)

    run_loop(tmp_path, story)
    lines = [json.loads(JsonLines().format(each)) for each in caplog.records]
    told = [
        (each["status"], each.get("order_fail_reason", ""))
        for each in lines
        if each.get("event") == "DECISION_TRACE" and "order_placed" in each
    ]
    assert told == [
        ("ordered", ""),
        ("not ordered", "a position is open"),
        ("not ordered", "rejected: EOrder:Insufficient funds"),
    ]


def test_a_replay_keeps_its_log_to_itself(caplog: pytest.LogCaptureFixture) -> None:
    """A year of hourly decisions would drive the operator's own lines out; the rows are kept."""
    caplog.set_level(logging.INFO, "zoe_tools")

    assert DecisionTrace(TraceRules(is_logged=False)).note((traced(),), NOON)
    assert caplog.records == []
