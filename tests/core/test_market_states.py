"""The state of a watched pair, and which pairs are watched and asked about."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from builders import BTC, ETH, NOON, d, make_instrument, make_ticker
from zoe_tools.core.market_states import followed, quiet, state_of
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import InstrumentStatus
from zoe_tools.domain.market_watch import MarketState

LIMIT_S = 60.0
LIVE, STALE, HALTED, DELISTED = MarketState


def _state(**changes: Any) -> tuple[MarketState, str]:
    """Of a pair that trades, heard of at noon, a moment later."""
    values: dict[str, Any] = {
        "status": InstrumentStatus.ONLINE,
        "ticker": make_ticker(),
        "is_wire_up": True,
        "now": NOON + timedelta(seconds=1),
        "limit_s": LIMIT_S,
    }
    return state_of(**values | changes)


@pytest.mark.parametrize(
    ("changes", "state", "reason"),
    [
        ({}, LIVE, ""),
        ({"now": NOON + timedelta(seconds=60)}, LIVE, ""),
        ({"now": NOON + timedelta(seconds=60.001)}, STALE, "nothing heard for 60 s"),
        ({"now": NOON + timedelta(days=1), "limit_s": 0.0}, LIVE, ""),
        ({"is_wire_up": False}, STALE, "the wire is away"),
        ({"ticker": None}, STALE, "nothing heard yet"),
        ({"ticker": make_ticker(bid=d("0"))}, STALE, "a side of the book is empty"),
        ({"ticker": make_ticker(bid=d("60001"))}, STALE, "a side of the book is empty"),
        ({"status": InstrumentStatus.POST_ONLY}, LIVE, ""),
        ({"status": InstrumentStatus.CANCEL_ONLY}, HALTED, "cancel_only"),
        ({"status": InstrumentStatus.MAINTENANCE}, HALTED, "maintenance"),
        ({"status": InstrumentStatus.UNKNOWN}, HALTED, "unknown"),
        ({"status": InstrumentStatus.DELISTED}, DELISTED, "not listed any more"),
        ({"status": InstrumentStatus.DELISTED, "is_wire_up": False, "ticker": None}, DELISTED,
         "not listed any more"),
    ],
)  # fmt: skip
def test_the_state_of_a_pair(changes: dict[str, Any], state: MarketState, reason: str) -> None:
    """By its status first, then the wire, then how old its price is."""
    assert _state(**changes) == (state, reason)


def test_defect_delisted_and_halted_pairs_were_never_marked() -> None:
    """However fresh its last price is, a pair that cannot be traded is not live."""
    states = {_state(status=each)[0] for each in InstrumentStatus}

    assert states == {LIVE, HALTED, DELISTED}


def test_defect_a_quiet_pair_had_no_age() -> None:
    """One that has not moved for half its limit is asked about, and only once within as long."""
    now = NOON + timedelta(seconds=31)
    heard = {BTC: NOON, ETH: now}

    assert quiet([BTC, ETH], heard_at=heard, asked_at={}, now=now, limit_s=LIMIT_S) == (BTC,)
    assert not quiet([BTC, ETH], heard_at=heard, asked_at={BTC: now}, now=now, limit_s=LIMIT_S)
    assert not quiet([BTC], heard_at=heard, asked_at={}, now=now, limit_s=0.0)


def test_the_busiest_pairs_of_the_currency_are_watched() -> None:
    """Favourites always, in whatever they trade; of the others the most traded; none that went."""
    names = ("BTC/USD", "ETH/USD", "ADA/USD", "ETH/EUR", "BTC/EUR")
    gone = make_instrument("LUNA/USD", status=InstrumentStatus.DELISTED)
    instruments = [*map(make_instrument, names), gone]
    turnover = {Symbol("ADA/USD"): d("5"), ETH: d("900")}
    wanted = [Symbol("ETH/EUR"), Symbol("LUNA/USD"), Symbol("NONE/USD")]
    chosen = followed(instruments, quote="USD", always=wanted, turnover=turnover, most=3)

    assert chosen == ("ETH/EUR", "ETH/USD", "ADA/USD")
