"""docs/reference/coverage.md names every call and channel, and the code is what it says."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from zoe_tools import kraken
from zoe_tools.domain import stream as events
from zoe_tools.domain.candle import Timeframe
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.kraken.stream import PRIVATE, FeedSubscriptions
from zoe_tools.kraken.stream_requests import OrderMethod
from zoe_tools.paper.rest.dialect import METHODS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "coverage.md").read_text("utf-8")
SOURCES = "\n".join(
    path.read_text("utf-8") for path in sorted(Path(kraken.__path__[0]).glob("*.py"))
)

EARN = {"Strategies", "Allocations", "Allocate", "AllocateStatus", "Deallocate", "DeallocateStatus"}
NOT_ON_PAPER = {
    *(f"Earn/{name}" for name in EARN),
    *("AccountTransfer", "CreateSubaccount", "PreTrade", "PostTrade"),
}
"""Calls of Kraken's that the paper exchange does not answer."""


def rows(heading: str) -> dict[str, str]:
    """The tables under the headings that begin so: first cell to second."""
    parts = [part for part in PAGE.split("\n## ") if part.startswith(heading)]
    found = [
        row
        for part in parts
        for row in re.findall(r"^\| `([^`]+)` \| (.*?) \|", part, re.MULTILINE)
    ]
    assert len(found) == len(dict(found))
    return dict(found)


CLASSES = dict(re.findall(r"^\| `(\w+)` \| `(zoe_tools[\w.]+)` \|", PAGE, re.MULTILINE))
LEFT_OUT = rows("REST, left out")
CALLS = {call: cell for call, cell in rows("REST").items() if call not in LEFT_OUT}


def method_of(name: str) -> Any:
    """`KrakenSpot.mode`, as the code has it."""
    owner, _, method = name.partition(".")
    return getattr(getattr(importlib.import_module(CLASSES[owner]), owner), method)


def test_every_call_there_is_stands_on_the_page_once() -> None:
    """What the paper exchange answers, an independent list, and what it does not."""
    assert set(CALLS) | set(LEFT_OUT) == METHODS | NOT_ON_PAPER


@pytest.mark.parametrize("call", CALLS)
def test_the_methods_named_beside_a_call_make_it(call: str) -> None:
    """Each exists, is public, has a docstring, and its class's module spells the call."""
    for name in re.findall(r"`([^`]+)`", CALLS[call]):
        method = method_of(name)
        assert inspect.getdoc(method)
        module = inspect.getsource(importlib.import_module(method.__module__))
        spelled = re.sub(r"^Earn/(?:Deal|Al)locate", "Earn/{change}", call)
        assert f'"{spelled}"' in module or name == "KrakenExports.ordered"


def test_the_code_makes_no_call_that_the_page_does_not_name() -> None:
    """Nor any of those left out: what moves funds is not in the client at all."""
    made = set(re.findall(r'\.(?:private|public)\(\s*f?"([\w/{}]+)"', SOURCES))

    assert len(made) > 40
    assert made - set(CALLS) == {"Earn/{change}Status"}
    for call in LEFT_OUT:
        assert f'"{call}"' not in SOURCES


def test_every_channel_has_its_event() -> None:
    """Those that a feed of everything subscribes, and the two that come unasked."""
    channels = rows("WebSocket v2, channels")
    everything = FeedSubscriptions(
        symbols=(Symbol("BTC/USD"),), instruments=True, candles=Timeframe.M1, level3_depth=10
    )
    subscribed = {each.channel for each in (*everything.public(), *everything.level3(), *PRIVATE)}
    told = {name for cell in channels.values() for name in re.findall(r"`(\w+)`", cell)}
    all_events = {each.__name__ for each in get_args(events.StreamEvent)}

    assert set(channels) == subscribed | {"status", "heartbeat"}
    assert told == all_events - {"StreamUp", "StreamDown", "Gap"}


def test_every_trading_method_of_the_socket_is_there() -> None:
    """Each is sent by the methods named beside it."""
    methods = rows("WebSocket v2, methods")

    assert set(methods) == set(get_args(OrderMethod))
    for method, cell in methods.items():
        names = re.findall(r"`([^`]+)`", cell)
        assert names
        for name in names:
            assert f'"{method}"' in inspect.getsource(method_of(name)) or f'"{method}"' in SOURCES
