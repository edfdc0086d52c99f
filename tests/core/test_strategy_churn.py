"""What keeps `edge` from trading too often."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from builders import BTC, NOON, d
from zoe_tools.core.strategy.churn import churn_refusal, consecutive_losses
from zoe_tools.core.strategy.edge_rules import EdgeRules
from zoe_tools.core.strategy.protocol import AccountView, ClosedTrade

HOUR = timedelta(hours=1)
IDLE = AccountView(
    as_of=NOON,
    equity=d("100"),
    open_notional=d("0"),
    daily_notional=d("0"),
    max_notional=d("25"),
)


def closed(*results: str, last: datetime = NOON - HOUR) -> tuple[ClosedTrade, ...]:
    """Round trips with these results, a minute apart, the last at that time."""
    count = len(results)
    return tuple(
        ClosedTrade(
            symbol=BTC,
            closed_at=last - (count - 1 - number) * timedelta(minutes=1),
            result=d(each),
            cost=d("25"),
        )
        for number, each in enumerate(results)
    )


@pytest.mark.parametrize(
    ("results", "count"),
    [((), 0), (("-1", "-1", "1"), 0), (("1", "-1", "-1"), 2), (("-1", "0", "-1"), 1)],
)
def test_losses_count_from_the_last_trade_back(results: tuple[str, ...], count: int) -> None:
    """A trade that did not lose ends the row."""
    assert consecutive_losses(closed(*results), NOON) == count


def test_a_row_of_losses_ends_by_itself_after_a_day() -> None:
    """Who does not trade cannot win: without this the fourth loss would be the last trade ever."""
    lost = closed("-1", "-1", "-1", "-1", last=NOON)

    assert consecutive_losses(lost, NOON + 24 * HOUR) == 4
    assert consecutive_losses(lost, NOON + 24 * HOUR + timedelta(seconds=1)) == 0


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"equity": None}, "equity is not known"),
        ({"equity": d("0")}, "equity is not known"),
        ({"open_notional": d("59.99")}, ""),
        ({"open_notional": d("60")}, "at risk already"),
        ({"closed": closed("-1", "-1", "-1")}, ""),
        ({"closed": closed("-1", "-1", "-1", "-1")}, "the last 4 trades lost"),
        ({"last_fill_at": NOON - 4 * HOUR}, ""),
        ({"last_fill_at": NOON - 4 * HOUR + timedelta(seconds=1)}, "rests for 4 hours"),
        ({"last_fill_at": NOON + HOUR}, "rests for 4 hours"),
        ({"daily_notional": d("199.99")}, ""),
        ({"daily_notional": d("200")}, "2.0 times the equity"),
    ],
)
def test_each_rule_of_the_account_refuses(changes: dict[str, object], why: str) -> None:
    """At its bound, and not before."""
    found = churn_refusal(replace(IDLE, **changes), NOON, EdgeRules())  # type: ignore[arg-type]

    assert (why in found) if why else found == ""


def test_only_a_fill_starts_the_rest_of_a_symbol() -> None:
    """An entry that nobody took is no trade: `last_fill_at` stays None."""
    assert churn_refusal(IDLE, NOON, EdgeRules(cooldown_h=1000)) == ""
