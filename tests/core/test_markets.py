"""The table of watched pairs: its order, and rows that nobody keeps up to date."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders import BTC, NOON, d, make_mover, make_row
from zoe_tools.core.markets import (
    MarketOrder,
    MarketView,
    counted,
    is_watching,
    market_lines,
    snapshot_of,
)
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.market_watch import (
    FocusClaim,
    FocusReason,
    MarketState,
    SparkPoint,
)

SNAPSHOTS = (
    snapshot_of(make_row("BTC/USD", volume=d("1"), vwap=d("60000")), "focus", NOON),
    snapshot_of(make_row("DOGE/USD", volume=d("500000"), vwap=d("0.1"), change_pct=d("9")),
                "scout", NOON),
    snapshot_of(make_row("ADA/USD", volume=d("900000"), vwap=d("0.5"), change_pct=d("-3")),
                "scout", NOON),
    snapshot_of(replace(make_row("XRP/USD", state=MarketState.HALTED), ticker=None), "scout", NOON),
)  # fmt: skip


def _view(**changes: Any) -> MarketView:
    values: dict[str, Any] = {
        "snapshots": SNAPSHOTS,
        "claims": (FocusClaim(symbol=BTC, reason=FocusReason.FAVOURITE, since=NOON),),
        "movers": (),
        "points": {},
        "now": NOON + timedelta(seconds=3),
        "is_watched": True,
        "source": "watch",
    }
    return MarketView(**values | changes)


def _names(order: MarketOrder) -> list[str]:
    return [each.symbol.partition("/")[0] for each in market_lines(_view(), order=order)]


@pytest.mark.parametrize(
    ("order", "names"),
    [
        (MarketOrder.FOCUS, ["BTC", "ADA", "DOGE", "XRP"]),
        (MarketOrder.VOLUME, ["ADA", "BTC", "DOGE", "XRP"]),
        (MarketOrder.CHANGE, ["DOGE", "BTC", "ADA", "XRP"]),
        (MarketOrder.NAME, ["ADA", "BTC", "DOGE", "XRP"]),
        (MarketOrder.AGE, ["ADA", "BTC", "DOGE", "XRP"]),
        (MarketOrder.SPREAD, ["ADA", "BTC", "DOGE", "XRP"]),
    ],
)
def test_the_greatest_comes_first_and_the_unknown_last(
    order: MarketOrder, names: list[str]
) -> None:
    """Equal ones by name."""
    assert _names(order) == names


def test_defect_base_volumes_were_compared() -> None:
    """500,000 DOGE are less than one BTC."""
    assert _names(MarketOrder.VOLUME).index("BTC") < _names(MarketOrder.VOLUME).index("DOGE")


def test_kept_rows_are_not_live_when_nobody_watches() -> None:
    """However they were written; what was halted still is."""
    lines = market_lines(_view(is_watched=False))

    assert counted(lines) == {"live": 0, "stale": 3, "halted": 1, "delisted": 0}
    assert {each.reason for each in lines if each.state is MarketState.STALE} == {"nobody watches"}


def test_a_line_says_all_there_is() -> None:
    """Age, reasons, the move of the last hour, and the curve."""
    mover = make_mover()
    point = SparkPoint(symbol=BTC, bucket_at=NOON, mid=d("59000"), quote_volume=d("1"))
    view = _view(movers=(mover,), points={BTC: (point,)})
    line = market_lines(view, top=1)[0]

    assert (line.symbol, line.age_s, line.reasons) == (BTC, d("3"), ("favourite",))
    assert (line.moved_pct, line.curve, line.spread_pct) == (d("3.4"), (d("59000"),), d("0.000333"))
    later = replace(view, now=NOON + timedelta(hours=1))
    assert market_lines(later, top=1)[0].moved_pct is None


def test_one_state_alone() -> None:
    """And so many of it."""
    halted = market_lines(_view(), state=MarketState.HALTED)

    assert [each.symbol for each in halted] == [Symbol("XRP/USD")]
    assert halted[0].age_s is None
    assert len(market_lines(_view(), state=MarketState.LIVE, top=2)) == 2


def test_a_watch_is_known_by_its_sign_of_life() -> None:
    """Three that did not come, or one that says so: nobody watches."""
    seen = {
        (age_s, status)
        for age_s in (0, 15, 16)
        for status in ("ok", "warning", "down")
        if is_watching(NOON - timedelta(seconds=age_s), status, NOON)
    }

    assert seen == {(0, "ok"), (0, "warning"), (15, "ok"), (15, "warning")}
    assert not is_watching(None, "ok", NOON)
